"""The report on a terminal: one table for each question, or why it can't be answered."""

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table

from profiles.rules import GLOBAL
from profiles.value.absent import MEANINGS, Absent
from schemas.money import format_minor
from streams.commands.display import Words
from streams.insight.effect import Estimate, NoEffect
from streams.insight.nps_report import ANSWERS_MIN, Loop, Nps, OpenCases
from streams.insight.trigger_effects import JUDGED_BY, Effect, Sent
from streams.report import with_estimates, without_rate
from streams.reporting.bundles import Bundles
from streams.reporting.channels import NO_CUSTOMERS, NO_SPEND, Channels, CohortFigures
from streams.reporting.document import ReportDocument
from streams.reporting.feedback import LOOP_DAYS, FeedbackFigures
from streams.reporting.foresight import HORIZON_DAYS, Check, Outlook
from streams.reporting.grid import Grid
from streams.reporting.missing import Missing
from streams.reporting.replenished import Replenished, Tenth
from streams.reporting.snapshot import day_name, month_name
from streams.reporting.worth import AGES, SHARES, Distribution, Repurchase, Tables, Trend
from streams.simulation.run import Truth

_PLAIN_WIDTH: Final = 130
_MONTHS_SHOWN: Final = 12
STANDINGS: Final = {
    "found": "found",
    "not_found": "not found (yet)",
    "no_number": "no number yet",
    "not_believed": "NOT TO BE BELIEVED",
}
WARNINGS: Final = {
    "sample_ratio": "the arms' sizes are not those of a lot",
    "not_randomised": "the arms differed before anything was sent",
}
NO_EFFECTS: Final = {
    "no_customers": "an arm has no customers yet",
    "one_customer": "an arm has one customer",
    "no_variation": "all customers are equal",
    "no_control_value": "those held out brought nothing",
    "no_past": "nobody has a past",
}
COHORT_AGE: Final = 3
"""Months after which each month's new customers are held against their cost."""
COHORT_MONTHS: Final = 9
"""Months shown, the newest; all of them are in the JSON."""
CHANNEL_REASONS: Final = {NO_SPEND: "no spend known", NO_CUSTOMERS: "brought nobody"}


def print_document(document: ReportDocument, console: Console | None = None) -> None:
    """Print all sections."""
    console = console or Words()
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    currency = document.currency
    day = day_name(document.today) if document.now_ms else "no event yet"
    console.print(f"{document.shop_id}, {day}, amounts in {currency}\n", style="bold")
    for said in without_rate(document.unconverted_orders, document.unconverted_refunds, currency):
        console.print(said, style="yellow")
    if document.margin_estimated_share:
        console.print(with_estimates(document.margin_estimated_share), style="yellow")
    _headline(console, document)
    _trend(console, document.trend, currency)
    _distribution(console, document.distribution, currency)
    _repurchase(console, document.repurchase)
    _cohorts(console, document.cohorts)
    _channels(console, document.channels, currency)
    _grid(console, document.grid, currency)
    _feedback(console, document.feedback)
    _bundles(console, document.together)
    _check(console, document.check)
    _replenished(console, document.replenished)
    _effects(console, document, currency)


def amount(minor: float | None, currency: str) -> str:
    """Minor units as people read them, without the currency's name.

    >>> amount(1234.4, "EUR"), amount(None, "EUR"), amount(-1250, "JPY")
    ('12.34', '-', '-1,250')
    """
    return "-" if minor is None else format_minor(round(minor), currency).removeprefix(f"{currency} ")


def _headline(console: Console, document: ReportDocument) -> None:
    trend, outlook = document.trend, document.outlook
    if isinstance(trend, Trend):
        last = trend.points[-1]
        console.print(
            f"Average customer lifetime value until the end of {month_name(last.month)}: "
            f"net {amount(last.net, document.currency)}, margin {amount(last.margin, document.currency)} (customers: "
            f"{last.customers:,})",
            style="bold cyan",
        )
    if isinstance(outlook, Outlook):
        console.print(
            f"Expected in the next {HORIZON_DAYS} days: {outlook.orders:.2f} orders, net "
            f"{amount(outlook.net, document.currency)}, margin {amount(outlook.margin, document.currency)} per customer, "
            f"discounted to today; {outlook.alive:.0%} are still customers (model {outlook.model})"
        )
        for name, reason in outlook.absent.items():
            console.print(f"  {name} is not foretold: {MEANINGS[Absent(reason)]} ({reason})", style="yellow")
        if outlook.unvalued:
            meaning = MEANINGS[Absent.NOT_POSITIVE]
            console.print(
                f"  net without {outlook.unvalued:,} customers: {meaning} ({Absent.NOT_POSITIVE})", style="yellow"
            )
    else:
        console.print(f"What is to come: {outlook.remedy} ({outlook.reason})", style="yellow")
    console.print()


def _trend(console: Console, found: Trend | Missing, currency: str) -> None:
    there = len(found.points) if isinstance(found, Trend) else 0
    title = f"Average lifetime value over time{_newest(_MONTHS_SHOWN, there)}"
    table = _table(title, ["month", "customers", "net", "margin", *_ages()])
    if _missing(console, table, found):
        return
    assert isinstance(found, Trend)
    at_age = {age: dict(line) for age, line in found.at_age.items()}
    for point in found.points[-_MONTHS_SHOWN:]:
        cells = [amount(at_age.get(age, {}).get(point.month), currency) for age in AGES]
        table.add_row(
            month_name(point.month),
            f"{point.customers:,}",
            amount(point.net, currency),
            amount(point.margin, currency),
            *cells,
        )
    _print(console, table)


def _newest(shown: int, there: int) -> str:
    """What the title of a table of months says where it shows the newest alone."""
    return f", the newest {shown} of {there} months" if there > shown else ""


def _ages() -> list[str]:
    return [f"new ones: {age} mo" for age in AGES]


def _distribution(console: Console, found: Distribution | Missing, currency: str) -> None:
    table = _table(
        "Spread of net lifetime value (to 1 %)",
        ["customers", "mean", *(f"{share:.0%}" for share in SHARES), "best 10 %"],
    )
    if _missing(console, table, found):
        return
    assert isinstance(found, Distribution)
    table.add_row(
        f"{found.customers:,}",
        amount(found.mean, currency),
        *(amount(value, currency) for value in found.quantiles),
        "-" if found.top_tenth is None else f"{found.top_tenth:.0%} of revenue",
    )
    _print(console, table)


def _repurchase(console: Console, found: Repurchase | Missing) -> None:
    days = list(found.within) if isinstance(found, Repurchase) else []
    table = _table("Ordered again, on a later day, within", ["", *(f"{day} days" for day in days)])
    if _missing(console, table, found):
        return
    assert isinstance(found, Repurchase)
    table.add_row("share", *(percent(found.within[day]) for day in days))
    table.add_row("of customers", *(f"{found.old_enough[day]:,}" for day in days))
    _print(console, table)


def percent(share: float | None) -> str:
    """A share as people read it."""
    return "-" if share is None else f"{share:.1%}"


def points(difference: float) -> str:
    """A difference between shares as people read it: of 15 % and 12 % it is 3 points, and not 3 %."""
    return f"{100 * difference:.1f} percentage points"


def _cohorts(console: Console, found: Tables | Missing) -> None:
    months = range(1, _MONTHS_SHOWN + 1)
    there = len(found.cohorts) if isinstance(found, Tables) else 0
    title = f"Customers who ordered again, by month since the first order{_newest(_MONTHS_SHOWN, there)}"
    table = _table(title, ["month", "new", *map(str, months)])
    if _missing(console, table, found):
        return
    assert isinstance(found, Tables)
    for cohort in found.cohorts[-_MONTHS_SHOWN:]:
        cells = [f"{cohort.retention[age]:.0%}" if age < len(cohort.retention) else "" for age in months]
        table.add_row(month_name(cohort.month), f"{cohort.customers:,}", *cells)
    _print(console, table)


def _channels(console: Console, found: Channels | Missing, currency: str) -> None:
    table = _table(
        "Channels: margin against the cost of winning a customer",
        ["channel", "new", "cost", *(f"value {age} mo" for age in AGES), *(f"x {age} mo" for age in AGES), "paid back"],
    )
    if _missing(console, table, found):
        return
    assert isinstance(found, Channels)
    for one in found.channels:
        table.add_row(
            one.channel,
            f"{one.customers:,}",
            amount(one.cost, currency),
            *(amount(one.value.get(age), currency) for age in AGES),
            *(f"{one.ratio[age]:.2f}" if age in one.ratio else "-" for age in AGES),
            CHANNEL_REASONS[one.reason] if one.reason else payback(one.payback),
        )
    _print(console, table)
    _channel_cohorts(console, found)


def _channel_cohorts(console: Console, found: Channels) -> None:
    """LTV:CAC of each month's new customers, and when they had paid themselves back."""
    there = sorted({one.month for one in found.cohorts})
    if not there:
        return
    months, newest = there[-COHORT_MONTHS:], _newest(COHORT_MONTHS, len(there))
    title = f"LTV:CAC after {COHORT_AGE} months (month paid back), by month of the first order{newest}"
    table = _table(title, ["channel", *months])
    cells = {(one.channel, one.month): cohort_cell(one) for one in found.cohorts}
    for channel in dict.fromkeys(one.channel for one in found.channels if one.spend is not None):
        table.add_row(channel, *(cells.get((channel, month), "") for month in months))
    _print(console, table)


def cohort_cell(one: CohortFigures) -> str:
    """Ratio at COHORT_AGE and the month of payback: "2.36 (1)"; "-" where it is not that far, "none" for nobody won."""
    if one.reason is not None:
        return {NO_CUSTOMERS: "nobody", NO_SPEND: "no spend"}[one.reason]
    ratio = f"{one.ratio[COHORT_AGE]:.2f}" if COHORT_AGE in one.ratio else "-"
    return ratio if one.payback is None else f"{ratio} ({one.payback})"


def payback(month: int | None) -> str:
    """When a customer has brought her cost."""
    return "not yet" if month is None else f"month {month}"


def _grid(console: Console, found: Grid | Missing, currency: str) -> None:
    columns = found.frequency if isinstance(found, Grid) else []
    table = _table("Customers, and net revenue, by last order and days with orders", ["last order", *columns])
    if _missing(console, table, found):
        return
    assert isinstance(found, Grid)
    for label, counts, nets in zip(found.recency, found.customers, found.net, strict=True):
        cells = zip(counts, nets, strict=True)
        table.add_row(label, *(f"{count:,}: {amount(net, currency)}" if count else "-" for count, net in cells))
    _print(console, table)


def _feedback(console: Console, found: FeedbackFigures | Missing) -> None:
    table = _table("Net promoter score (95 %)", ["asked", "days", "answers", "score", "", "answered of those asked"])
    if _missing(console, table, found):
        return
    assert isinstance(found, FeedbackFigures)
    for one in found.scores:
        table.add_row(
            KIND_NAMES[one.kind], str(one.days), f"{one.nps.answers:,}", *score(one.nps), percent(one.nps.response_rate)
        )
    if found.scores:
        _print(console, table)
    console.print(f"  {open_cases(found.open)}; {loop(found.loop)}\n")


KIND_NAMES: Final = {"relational": "how she likes the shop", "transactional": "about an order"}


def score(found: Nps) -> tuple[str, str]:
    """A score and its interval, or why none is shown."""
    if found.score is None or found.low is None or found.high is None:
        return "-", f"under {ANSWERS_MIN} answers"
    return f"{found.score:+.0f}", f"{found.low:+.0f} to {found.high:+.0f}"


def open_cases(found: OpenCases) -> str:
    """The cases that wait for somebody."""
    if not found.open:
        return "no open case"
    oldest = "" if found.oldest_day is None else f", the oldest of {day_name(found.oldest_day)}"
    return f"open cases: {found.open:,}, nobody spoke with {found.waiting:,}, overdue {found.overdue:,}{oldest}"


def loop(found: Loop) -> str:
    """How cases were kept."""
    if not found.opened:
        return f"no case was due for contact in the last {LOOP_DAYS} days"
    wait = "" if found.wait_p50 is None else f", half of all within {found.wait_p50 / 60:.1f} h"
    return (
        f"of {found.opened:,} cases due for contact in the last {LOOP_DAYS} days {percent(found.contacted_in_time)} were "
        f"contacted in time{wait}, {percent(found.resolved)} resolved, {percent(found.expired)} expired"
    )


def _bundles(console: Console, found: Bundles | Missing) -> None:
    table = _table("Bought together most surely", ["products", "baskets", "times chance", "NPMI", "G2"])
    if _missing(console, table, found):
        return
    assert isinstance(found, Bundles)
    for pair in found.pairs:
        table.add_row(
            f"{pair.a} + {pair.b}", f"{pair.count:,}", f"{pair.lift:.1f}", f"{pair.npmi:.2f}", f"{pair.g2:,.0f}"
        )
    _print(console, table)


def _check(console: Console, found: Check | Missing) -> None:
    table = _table("Foretold and come true", ["foretold chance to order", "customers", "mean foretold", "ordered"])
    if _missing(console, table, found):
        return
    assert isinstance(found, Check)
    for band in found.bands:
        table.add_row(
            f"{band.low:.0%} to {band.high:.0%}", f"{band.customers:,}", percent(band.foretold), percent(band.came)
        )
    _print(console, table)
    auc = (
        ""
        if found.auc is None
        else f", ranking (AUC) {found.auc:.3f}, by days since the last order {found.auc_of_recency:.3f}"
    )
    console.print(
        f"  in the last {found.days} days: orders expected {found.expected:,.0f}, came {found.actual:,}; calibration error "
        f"{points(found.calibration_error)}, Brier {found.brier:.4f} (all alike {found.brier_of_mean:.4f}){auc}\n"
    )


def _replenished(console: Console, found: Replenished | Missing) -> None:
    table = _table(
        "When they buy again: foretold and come true (95 %)",
        ["foretold chance of the window", "purchases", "mean foretold", "in the window", "", "before it"],
    )
    if _missing(console, table, found):
        return
    assert isinstance(found, Replenished)
    for row in found.tenths:
        table.add_row(*replenished_row(row))
    _print(console, table)
    console.print(f"  {replenished_note(found)}\n")


def replenished_row(row: Tenth) -> list[str]:
    """One tenth of what was foretold."""
    return [
        "none named (days of the catalogue)"
        if row.low is None or row.high is None
        else f"{row.low:.0%} to {row.high:.0%}",
        f"{row.purchases:,}",
        percent(row.foretold),
        percent(row.hit),
        f"{percent(row.hit_low)} to {percent(row.hit_high)}",
        percent(row.early),
    ]


def replenished_note(found: Replenished) -> str:
    """What the tenths say together."""
    error = "" if found.error is None else f"; what was foretold is off by {points(found.error)} on average"
    return f"{found.purchases:,} purchases whose window ended in the last {found.days} days{error}"


def _effects(console: Console, document: ReportDocument, currency: str) -> None:
    table = _table(
        f"What triggers bring, per customer{counted_days(document.effects)}, by hold-out (95 %, valid at every look)",
        ["hold-out", "held out", "treated", "orders", "net", "", "margin", "", "verdict"],
    )
    for effect in document.effects:
        net, net_range = difference(effect, "net", currency)
        margin, margin_range = difference(effect, "margin", currency)
        table.add_row(
            group_name(effect.group),
            f"{effect.holdout:,}",
            f"{effect.treated:,}",
            difference(effect, "orders", currency)[0],
            net,
            net_range,
            margin,
            margin_range,
            verdict(effect),
        )
    if document.effects:
        _print(console, table)
        for line in in_both_arms(document.effects):
            console.print(f"  {line}")
    sent = _table("Messages, and orders within their attribution time (no effect: many would have come anyway)", _SENT)
    for one in document.sent:
        sent.add_row(
            one.trigger,
            f"{one.sent:,}",
            f"{one.withheld:,}",
            "{} ({})".format(*followed(one)) if one.credited else "-",
            brings(one),
        )
    if document.sent:
        console.print(sent)
    else:
        console.print("No trigger has been sent yet.\n")


_SENT: Final = ["trigger", "sent", "withheld", "followed by an order", "what it brings"]


def difference(effect: Effect, measure: str, currency: str) -> tuple[str, str]:
    """The difference of a measure and its always-valid interval, or why there is none."""
    outcome = next(outcome for outcome in effect.outcomes if outcome.measure == measure)
    found = outcome.estimate
    if isinstance(found, NoEffect):
        return "-", NO_EFFECTS[found.reason]

    def show(value: float) -> str:
        return f"{value:+.3f}" if measure == "orders" else ("+" if value > 0 else "") + amount(value, currency)

    assert isinstance(found, Estimate)
    return show(found.difference), f"{show(found.low_always)} to {show(found.high_always)}"


def print_truths(found: Sequence[Effect], truths: Sequence[Truth], currency: str, console: Console) -> None:
    """Print what each hold-out finds beside what is true."""
    table = _table(
        "Net revenue per customer that triggers bring: found, and true",
        ["hold-out", "held out", "treated", "found", "", "true", "interval covers it", "verdict"],
    )
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    by_group = {truth.group: truth for truth in truths}
    for effect in found:
        truth = by_group.get(effect.group)
        shown, between = difference(effect, "net", currency)
        estimate = effect.of("net").estimate
        covers = "-"
        if truth is not None and isinstance(estimate, Estimate):
            covers = "yes" if estimate.low_always <= truth.net_minor <= estimate.high_always else "NO"
        table.add_row(
            group_name(effect.group),
            f"{effect.holdout:,}",
            f"{effect.treated:,}",
            shown,
            between,
            "-" if truth is None else amount(truth.net_minor, currency),
            covers,
            verdict(effect),
        )
    _print(console, table)


def followed(one: Sent) -> tuple[str, str]:
    """How many messages of a trigger an order followed, and which share that is; "-" where none is credited to it."""
    if not one.credited:
        return "-", "-"
    return f"{one.converted:,}", percent(one.converted / one.sent if one.sent else None)


def brings(one: Sent) -> str:
    """Where it stands what a trigger brings."""
    if one.group is None:
        return "not randomised: nobody is held out"
    return "with all marketing together" if one.group == GLOBAL else f"see {one.group}"


def group_name(group: str) -> str:
    """A hold-out as people call it."""
    return "all marketing" if group == GLOBAL else group


def verdict(effect: Effect) -> str:
    """What to make of an effect."""
    if effect.warnings:
        return f"{STANDINGS[effect.standing]}: {'; '.join(WARNINGS[warning] for warning in effect.warnings)}"
    net = effect.of(JUDGED_BY).estimate
    if effect.standing == "found" and isinstance(net, Estimate) and net.difference < 0:
        return "found: they bring less"
    return STANDINGS[effect.standing]


def counted_days(effects: Sequence[Effect]) -> str:
    """How long a customer's orders count in a comparison, where all of the rules have one answer."""
    days = {effect.after_days for effect in effects} - {None}
    return f" in the {days.pop():g} days from her first one on" if len(days) == 1 else ""


def in_both_arms(effects: Sequence[Effect]) -> list[str]:
    """How many customers of each hold-out were in both arms, a line for each that has some."""
    return [
        f"{group_name(effect.group)}: {effect.contaminated:,} customers were in both arms, since two profiles became one or the "
        "share was changed; they count as first drawn, which makes an effect look smaller"
        for effect in effects
        if effect.contaminated
    ]


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if not place or column in _TEXT else "right", overflow="fold")
    return table


def _print(console: Console, table: Table) -> None:
    """Print a table. Where the terminal is narrower than its words, its lines run on: a figure broken in two is another one."""
    for column in table.columns:
        words = " ".join(map(str, (column.header, *column.cells))).split()
        column.min_width = min(max(map(len, words), default=0), _WORD_MAX)
    console.print(table, crop=False)


_WORD_MAX: Final = 24
"""Longer words, such as names of channels, are broken where there is no room."""
_TEXT: Final = frozenset({"verdict", "what it brings", "paid back"})


def _missing(console: Console, table: Table, found: object) -> bool:
    if isinstance(found, Missing):
        console.print(f"{table.title}: {found.remedy} ({found.reason})\n", style="yellow")
        return True
    return False
