"""`regulars fit`: learn from all customers together, and hand the result to the workers."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from streams.commands.options import OUT_FILE, WithSettings, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from profiles.book import Book
    from profiles.models import Models
    from profiles.value.model import MarginFit, SpendFit, TimingFit, ValueModel
    from profiles.value.origin import Dimension
    from streams.embedded import Pace
    from streams.fitting.build import FitPlan
    from streams.settings import Settings

_FILE = click.Path(path_type=Path, dir_okay=False)
EXIT_NO_MODEL = 1
RETRY_S = 60.0
"""Between tries while Redis or Kafka is away, where the next fit is not due earlier."""


@click.command("fit", cls=WithSettings, short_help="Learn churn, value and repurchase from all customers together.")
@click.argument("files", nargs=-1, type=_FILE, metavar="[FILE...]")
@click.option("--out", type=OUT_FILE, metavar="FILE", help="Write the document of models here too.")
@click.option(
    "--last", type=_FILE, metavar="FILE", help="Models in use: with FILE..., where fits begin and what stays."
)
@click.option(
    "--family", type=click.Choice(["mbg_nbd", "bg_nbd"]), default="mbg_nbd", show_default=True, help="Of ordering."
)
@click.option(
    "--regularity",
    type=click.IntRange(0, 6),
    default=1,
    show_default=True,
    help="Of gaps; 0: the most likely of 1 to 6.",
)
@click.option("--discount", type=click.FloatRange(0, 1), default=0.1, show_default=True, help="Interest in a year.")
@click.option("--every", metavar="DURATION", help='Go on, with a fit each so often ("24h"); Ctrl-C ends it.')
@click.pass_context
def command(
    ctx: click.Context,
    *,
    files: tuple[Path, ...],
    out: Path | None,
    last: Path | None,
    family: str,
    regularity: int,
    discount: float,
    every: str | None,
) -> int:
    """Fit the models of customer value and of repurchase from what the workers counted, and publish them.

    Reads the counters of all partitions in Redis, never the profiles. The document goes to Redis, where workers take it between
    two batches, and to the topic `models`. A fit that is no good is refused by name, and the last good one stays.

    With FILE (events as for `regulars replay`), the counters are those of these events, and the document goes to --out only.
    Needs the extra `fit` (pip install 'regulars[fit]'). Exit code 1: there was nothing to learn from.
    """
    from profiles.rules import RulesError, parse_duration_ms
    from streams.book_files import load_book

    try:
        import scipy  # noqa: F401  -- named here, before half of the work is done
    except ModuleNotFoundError:
        raise click.ClickException("fits need numpy and scipy: pip install 'regulars[fit]'") from None
    from streams.fitting.build import FitPlan

    if files and (every or out is None):
        raise click.UsageError("with FILE, give --out FILE for the models, and no --every")
    try:
        pause_s = None if every is None else parse_duration_ms(every, "--every") / 1000
    except RulesError as error:
        raise click.UsageError(str(error)) from None
    if pause_s is not None and pause_s < 1:
        raise click.UsageError("--every: there must be a second between fits at least; once a day is enough")
    settings = settings_of(ctx)
    book = load_book(settings)
    plan = FitPlan(
        currency=book.shop_currency,
        family="bg_nbd" if family == "bg_nbd" else "mbg_nbd",
        regularity=regularity or None,
        annual_discount=discount,
    )
    if files:
        return _told(_of_files(files, book, settings, plan, last), out)
    outcome = _told(_of_table(book, settings, plan), out)
    if pause_s is None:
        return outcome
    _pause(pause_s)
    while True:
        done = _again(lambda: _told(_of_table(book, settings, plan), out))
        _pause(pause_s if done else min(pause_s, RETRY_S))


def _again(fit: "Callable[[], int]") -> bool:
    """One fit more, and whether there was one. The first must succeed; those after it outlive a night without Redis or Kafka."""
    from streams.commands.errors import explain

    try:
        fit()
    except Exception as error:
        if (trouble := explain(error)) is None:
            raise
        click.echo(f"no fit now, another try follows: {trouble}", err=True)
        return False
    return True


def _pause(seconds: float) -> None:
    import time

    time.sleep(seconds)


def _of_files(
    files: tuple[Path, ...], book: "Book", settings: "Settings", plan: "FitPlan", last: Path | None
) -> "Models":
    from streams.book_files import make_decoder, read_models_file
    from streams.commands.display import Progress
    from streams.commands.run_report import day, unusable
    from streams.commands.times import latest_ms
    from streams.fitting.fit import fit_models
    from streams.fitting.gather import from_events
    from streams.sources import files as sources

    with Progress("counting") as display:

        def progress(pace: "Pace") -> None:
            display.update(f"{pace.events:,} events  {day(pace.clock_ms)}  {pace.profiles:,} customers")

        counted = from_events(sources.read(files), book, make_decoder(settings, latest_ms()), progress)
        display.update("fitting", force=True)
        before = None if last is None else read_models_file(last)
        today = book.shop_day(counted.until_ms)
        models = fit_models(counted.counters, today, plan, last=before, catalogue=book.catalogue)
    if counted.rejected:
        click.echo(unusable(counted.rejected), err=True)
    return models


def _of_table(book: "Book", settings: "Settings", plan: "FitPlan") -> "Models":
    """One fit from Redis, published. Nothing is put where there is nothing to learn from."""
    from profiles.models import decode_models, encode_models
    from profiles.value.model import ModelError
    from streams.commands.display import Progress
    from streams.commands.tables import with_table
    from streams.fitting.fit import fit_models
    from streams.fitting.gather import from_table
    from streams.fitting.publish import publish
    from streams.redis_table import RedisTable

    async def work(table: RedisTable) -> "Models":
        with Progress("fitting") as display:
            partitions = settings.kafka.partitions
            counted = await from_table(
                table,
                partitions,
                lambda read, found: display.update(f"{read} of {partitions} partitions read, {found:,} counters"),
            )
            display.update("working out", force=True)
            stored = await table.models()
            try:
                before = None if stored is None else decode_models(stored)
            except ModelError as error:
                click.echo(f"the models in Redis can't be used and are replaced: {error}", err=True)
                before = None
            today = book.shop_day(counted.until_ms)
            models = fit_models(counted.counters, today, plan, last=before, catalogue=book.catalogue)
            if models.value is not None and models.value.buyers:
                display.update("publishing", force=True)
                document = encode_models(models)
                await publish(settings, models.id, document)
                await table.put_models(document)
            return models

    return with_table(settings, work)


def _told(models: "Models", out: Path | None) -> int:
    """Say what was learned, and write it. The exit code."""
    from profiles.models import encode_models
    from streams.fitting.fit import refusals

    value = models.value
    if value is None or not value.buyers:
        click.echo("nothing was learned: nobody has bought yet", err=True)
        return EXIT_NO_MODEL
    click.echo(f"models {models.id}, from {value.buyers:,} buyers, {value.repeat_buyers:,} of whom came back")
    if value.timing is not None:
        timing = value.timing.parameters
        click.echo(
            f"  ordering   {timing.family}, regularity {timing.regularity}: r {timing.r:.4g}, alpha {timing.alpha:.4g} weeks, "
            f"a {timing.a:.4g}, b {timing.b:.4g}; log-likelihood {value.timing.log_likelihood:.2f}"
        )
    for line in _segments(value.segmented_by, value.segments, value, "segment", _ordering):
        click.echo(line)
    if value.spend is not None:
        spend = value.spend.parameters
        click.echo(
            f"  spend      p {spend.p:.4g}, q {spend.q:.4g}, v {spend.v:.6g}; correlation {value.spend.correlation:.2f}"
        )
    for line in _segments(value.spend_by, value.spend_segments, value, "spend", _spending):
        click.echo(line)
    if value.margin is not None:
        margin = value.margin.parameters
        click.echo(f"  margin     mean {margin.mu:.0f}, between {margin.between:.4g}, within {margin.within:.4g}")
    for line in _segments(value.margin_by, value.margin_segments, value, "margin", _earning):
        click.echo(line)
    if value.calibration is not None:
        click.echo(
            f"  calibrated actual over expected orders {value.calibration.overall:.3f} in {value.calibration.days} days"
        )
    if models.repurchase is not None:
        shaped = sum(key.shapes is not None for key in models.repurchase.keys.values())
        click.echo(
            f"  repurchase {len(models.repurchase.keys):,} categories and products, {shaped} with a shape of their own"
        )
    for part, reason in refusals(models):
        if not part.startswith(("segment:", "spend:", "margin:")):  # told above, in fewer words
            click.echo(f"  refused    {part}: {reason}", err=True)
    if out is not None:
        out.write_bytes(encode_models(models) + b"\n")
        click.echo(f"  written to {out}")
    return 0


Part = TypeVar("Part", "TimingFit", "SpendFit", "MarginFit")


def _segments(
    by: "Dimension | None", fits: "dict[str, Part]", value: "ValueModel", part: str, said_of: "Callable[[Part], str]"
) -> list[str]:
    """How parts of the shop were told apart, a line each. `part` is what refusals of them are called."""
    reasons = {one.part: str(one.reason) for one in value.rejected if one.part.startswith(f"{part}:")}
    if by is None:
        counted = Counter(reasons.values())
        said = ", ".join(f"{count} {reason}" for reason, count in sorted(counted.items()))
        return [f"  {'segments':10} none has parameters of its own ({said})"] if counted else []
    lines = [f"  {'segments':10} by {by}"]
    for name, fit in sorted(fits.items(), key=lambda one: (-one[1].customers, one[0])):
        own = f"{said_of(fit)}; {fit.own_weight:.0%} its own"
        said = own if fit.own_weight else f"as the shop: {reasons[f'{part}:{by}:{name}']}"
        who = "buyers" if part == "segment" else "came back"
        lines.append(f"    {name}: {fit.customers:,} {who}, {said}")
    return lines


def _ordering(fit: "TimingFit") -> str:
    timing = fit.parameters
    return f"r {timing.r:.4g}, alpha {timing.alpha:.4g}, a {timing.a:.4g}, b {timing.b:.4g}"


def _spending(fit: "SpendFit") -> str:
    spend = fit.parameters
    return f"p {spend.p:.4g}, q {spend.q:.4g}, v {spend.v:.6g}"


def _earning(fit: "MarginFit") -> str:
    margin = fit.parameters
    return f"mean {margin.mu:.0f}, between {margin.between:.4g}, within {margin.within:.4g}"
