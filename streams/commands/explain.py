"""`regulars explain`: why a customer got a trigger, or why she did not."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from streams.commands.options import TEXT, WithSettings, settings_of

if TYPE_CHECKING:
    from schemas.outputs import Decision
    from streams.explanations import Clock, Kept
    from streams.settings import Settings

T = TypeVar("T")


@click.command("explain", cls=WithSettings)
@click.argument("trigger_id", type=TEXT, metavar="TRIGGER_ID")
@click.option(
    "--decisions",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Read decisions.jsonl of a replay, not the decisions topic.",
)
@click.pass_context
def command(ctx: click.Context, *, trigger_id: str, file: Path | None) -> None:
    """Tell the life of one trigger in plain sentences: why it was planned, what it had to pass, how it ended.

    The decisions topic is read as far back as it is retained. TRIGGER_ID stands in the trigger, and in `regulars tail`; that of
    a trigger.cancelled, trigger.converted or cart.recovered leads to the trigger it is about. Times are on the customer's clock,
    as in `regulars profile explain`; of a replay, and where she has no profile any more, on the shop's (shop.timezone).
    """
    import msgspec

    from streams.commands.display import plain
    from streams.explanations import life, shops_clock

    settings = settings_of(ctx)

    def read(look: "Callable[[Iterable[bytes], str], T]", wanted: str) -> "T":
        if file is None:
            return look(_topic(settings), wanted)
        try:
            with file.open("rb") as lines:
                return look(lines, wanted)
        except msgspec.DecodeError as error:
            what = "a line about it is no decision; the file is damaged, or not the decisions.jsonl of a replay"
            raise click.ClickException(f"{file}: {what} ({error})") from None

    found = read(about, trigger_id)
    if not found and (told := read(told_of, trigger_id)) is not None:
        name, of_trigger_id = told
        click.echo(plain(f"{trigger_id} is {name}: it tells what became of the trigger {of_trigger_id}."))
        found = read(about, of_trigger_id)
    if not found:
        where = str(file) if file is not None else "the decisions topic"
        raise click.ClickException(
            f"{where} holds no decision about {trigger_id}.\n"
            "  What a profile remembers of its triggers: regulars profile explain ID"
        )
    clock, kept = (shops_clock(settings.shop.timezone), None) if file is not None else _now(settings, found[-1])
    for sentence in life(found, clock, tried=file is not None, kept=kept):
        click.echo(plain(sentence))


def about(values: Iterable[bytes], trigger_id: str) -> "list[Decision]":
    """The decisions about one trigger among records of the topic."""
    import msgspec

    from schemas.outputs import Decision

    class About(msgspec.Struct):
        trigger_id: str = ""  # none in what tells of the rules, which stands among the decisions

    look, decoder, mark = msgspec.json.Decoder(About), msgspec.json.Decoder(Decision), trigger_id.encode()
    # Looking for the bytes first saves reading what is about others: all but a handful.
    return [decoder.decode(value) for value in values if mark in value and look.decode(value).trigger_id == trigger_id]


def told_of(values: Iterable[bytes], notice_id: str) -> "tuple[str, str] | None":
    """Of a message that tells what became of a trigger its name and the trigger's id; None where no decision led to it."""
    import msgspec

    from profiles.episodes import OUTCOME_STATES, outcome_id
    from schemas.outputs import Decision

    decoder, names = msgspec.json.Decoder(Decision), {state: name for name, state in OUTCOME_STATES.items()}
    marks = [f'"state":"{state}"'.encode() for state in names]
    for value in values:
        if any(mark in value for mark in marks):
            decision = decoder.decode(value)
            name = names[decision.state]
            if outcome_id(decision.trigger_id, name) == notice_id:
                return name, decision.trigger_id
    return None


def _now(settings: "Settings", last: "Decision") -> "tuple[Clock, Kept | None]":
    """What the customer's profile says: her clock, the shop's where there is no profile or it can't be looked at; and what she
    has of the trigger, None where it can't.
    """
    from streams.commands.tables import with_table
    from streams.explanations import her_clock, kept_of, shops_clock
    from streams.profile_lookup import follow
    from streams.table import TableError

    zone = settings.shop.timezone
    try:
        found = with_table(settings, lambda table: follow(table, last.customer_id, settings.kafka.partitions))
    except TableError:
        return shops_clock(zone), None
    profile = None if found is None else found.profile
    return shops_clock(zone) if profile is None else her_clock(profile, zone), kept_of(profile, last)


def _topic(settings: "Settings") -> Iterable[bytes]:
    from streams.commands.tail import values
    from streams.looking_on import looker_on, places_of

    every = places_of(settings, ["decisions"])
    with looker_on(settings) as consumer:
        yield from values(consumer, every, from_beginning=True, no_follow=True)
