"""A back-test as a page for the marketer who decides: what would be sent, to whom, and what differs."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from schemas.money import format_minor
from streams.backtest.course import DAY_MS, silent
from streams.backtest.difference import KINDS, sentence
from streams.backtest.document import BANDS, BacktestDocument, RunFigures, TriggerFigures, called
from streams.explanations import meaning
from streams.page import Page, has_plots
from streams.report import without_rate

JSON: Final = "backtest.json"
HTML: Final = "backtest.html"
WEEKS_NAMED: Final = 8
"""So many weeks have room for their names under a plot."""
SERIES_NARROW: Final = 6
"""So many series have room for their names above a plot as narrow as a phone."""


def write_page(document: BacktestDocument, folder: Path) -> None:
    """Write the document as JSON and, where plots can be drawn, as a page."""
    text = msgspec.json.format(msgspec.json.encode(document), indent=2)
    (folder / JSON).write_bytes(text + b"\n")
    if has_plots():
        _page(document).write(folder / HTML)


def _page(document: BacktestDocument) -> Page:
    run, against = document.run, document.against
    pressure = run.pressure
    when = f", {span(run.weeks)}" if run.weeks else ""
    these, others = called(document)
    beside = f", beside rules {others!r}" if against is not None else ""
    page = Page(
        "What these rules would have sent",
        f"{_many(document.events, 'event')} of {_many(pressure.customers, 'customer')}{when}, under rules {these!r}{beside}.",
    )
    page.tiles(_tiles(document))
    _weeks(page, document)
    _triggers(page, document)
    _kept_back(page, document)
    _contacts(page, document)
    if document.difference is not None:
        _difference(page, document)
    return page


def span(weeks: tuple[str, ...]) -> str:
    """Which weeks they are; there are some.

    >>> span(("2026-03-02",)), span(("2026-03-02", "2026-03-09"))
    ('week of 2026-03-02', 'weeks of 2026-03-02 to 2026-03-09')
    """
    first, last = weeks[0], weeks[-1]
    return f"week of {first}" if first == last else f"weeks of {first} to {last}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _tiles(document: BacktestDocument) -> list[tuple[str, str]]:
    others = [""] * len(_headline(document.run))
    if document.against is not None:
        others = [f"; {figure} under the others" for figure, _ in _headline(document.against)]
    return [(figure, told + other) for (figure, told), other in zip(_headline(document.run), others, strict=True)]


def _headline(run: RunFigures) -> list[tuple[str, str]]:
    pressure = run.pressure
    return [
        (f"{pressure.messages:,}", "messages sent"),
        (f"{sum(one.converted for one in run.triggers):,}", "followed by an order"),
        (f"{pressure.mean:.2f}", "messages per customer"),
        (f"{pressure.p99:,}", "messages at most to 99 of 100 customers"),
    ]


def _weeks(page: Page, document: BacktestDocument) -> None:
    run, against = document.run, document.against
    page.heading("Triggers by week", f"Weeks begin on Monday, in the time of {document.timezone}.")
    if not run.weeks:
        page.note("Nothing was sent.")
        return
    from plotly import graph_objects as go

    series = [go.Bar(name=one.name, x=list(run.weeks), y=list(one.weeks)) for one in run.triggers if one.sent]
    if against is not None:
        total = [sum(counts) for counts in zip(*(one.weeks for one in against.triggers), strict=True)]
        line = {"color": "#1d2a2b", "dash": "dot"}
        name = f"all under {called(document)[1]!r}"
        series.append(go.Scatter(name=name, x=list(against.weeks), y=total, mode="lines", line=line))
    # A short axis of dates would show hours between its weeks, and a long one names Sundays by itself.
    axis: dict[str, Any] = {"type": "category"}
    if (apart := -(-len(run.weeks) // WEEKS_NAMED)) > 1:
        axis = {"type": "date", "tick0": run.weeks[0], "dtick": apart * 7 * DAY_MS}
    layout = {"barmode": "stack", "yaxis_title": "triggers", "xaxis": axis}
    figure = go.Figure(series, layout=layout)
    # Their names stand above the bars, on a phone in one column with most of them out of sight.
    page.plot(figure, height=340 + 7 * len(series), width_min=690 if len(series) > SERIES_NARROW else 0)


def _triggers(page: Page, document: BacktestDocument) -> None:
    if not document.run.triggers:
        page.heading("Trigger by trigger", "Nothing was sent, and nothing was due.")
        return
    page.heading(
        "Trigger by trigger",
        "Followed by an order counts triggers with an order within their own window; one order may follow several. After a cart "
        "or a checkout it is an order of something in it, and of several reminders the last one counts. It is no proof that "
        "the message brought it: that takes a hold-out.",
    )
    for said in without_rate(document.unconverted_orders, document.unconverted_refunds, document.currency):
        page.note(said)
    others = {one.name: one for one in document.against.triggers} if document.against is not None else {}
    header = ["trigger", "sent", "followed by an order", "share", f"orders, {document.currency}", "kept back"]
    if document.against is not None:
        header.insert(2, "under the others")
    rows = []
    for one in document.run.triggers:
        row = [
            one.name,
            f"{one.sent:,}",
            followed(one),
            share(one),
            format_minor(one.converted_minor, document.currency) if one.credited else "-",
            f"{sum(one.kept_back.values()):,}",
        ]
        if document.against is not None:
            row.insert(2, f"{others[one.name].sent:,}" if one.name in others else "0")
        rows.append(row)
    page.table(header, rows)
    for line in failures(document.run):
        page.note(line)


def share(one: TriggerFigures) -> str:
    """How many of those sent were followed by an order; "-" where there is nothing to have a share in.

    >>> share(TriggerFigures(name="n", sent=8, converted=1, converted_minor=0, kept_back={}, weeks=()))
    '12.5 %'
    """
    return f"{100 * one.converted / one.sent:.1f} %" if one.sent and one.credited else "-"


def followed(one: TriggerFigures) -> str:
    """After how many an order came; "-" where none is credited to the trigger.

    >>> followed(TriggerFigures(name="n", sent=8, converted=0, converted_minor=0, kept_back={}, weeks=(), credited=False))
    '-'
    """
    return f"{one.converted:,}" if one.credited else "-"


def reasons(run: RunFigures) -> list[tuple[str, dict[str, int]]]:
    """What kept messages back, in words and with its code, the most frequent first, and how many it kept back of each trigger.

    A trigger may mean something of its own by a code, which is then told apart.
    """
    found: dict[str, dict[str, int]] = {}
    for one in run.triggers:
        for reason, count in one.kept_back.items():
            found.setdefault(meaning(reason, one.name, "expired"), {})[one.name] = count
    return sorted(found.items(), key=lambda kept: (-sum(kept[1].values()), kept[0]))


def failures(run: RunFigures) -> list[str]:
    """A sentence for each thing that a trigger failed of.

    >>> failed = {"KeyError in n.check": 2}
    >>> one = TriggerFigures(name="n", sent=0, converted=0, converted_minor=0, kept_back={}, weeks=(), failed=failed)
    >>> failures(RunFigures(rules="r", weeks=(), triggers=(one,), pressure=None))
    ['n failed 2 times and was left out: KeyError in n.check.']
    """
    return [
        f"{one.name} failed {_many(count, 'time')} and was left out: {said}."
        for one in run.triggers
        for said, count in one.failed.items()
    ]


def _kept_back(page: Page, document: BacktestDocument) -> None:
    run = document.run
    page.heading(
        "What was due and not sent",
        f"Each by the first gate that was shut, by a condition of the rules, or because it came too late.{_under(document)}",
    )
    kept = reasons(run)
    if not kept:
        page.note("Nothing was kept back.")
        return
    from plotly import graph_objects as go

    page.legend(f"{sum(counts.values()):,}: {words}" for words, counts in kept)
    names = [one.name for one in run.triggers if one.kept_back]
    figure = go.Figure(
        [
            go.Bar(name=words, y=names, x=[counts.get(name, 0) for name in names], orientation="h")
            for words, counts in kept
        ],
        layout={
            "barmode": "stack",
            "xaxis_title": "triggers",
            "yaxis": {"autorange": "reversed", "automargin": True},
            "showlegend": False,
        },
    )
    page.plot(figure, height=120 + 34 * len(names))


def _no_messages(document: BacktestDocument) -> str:
    """What of all that was sent is no message to the customer, so that the sums can be understood."""
    runs = [document.run] if document.against is None else [document.run, document.against]
    names = sorted({one.name for run in runs for one in run.triggers if one.sent and one.name in silent()})
    return f" What only tells systems about her is no message: {', '.join(names)}." if names else ""


def _under(document: BacktestDocument) -> str:
    """Which of two sets of rules it is that is told of."""
    return f" Under {called(document)[0]!r}." if document.against is not None else ""


def _contacts(page: Page, document: BacktestDocument) -> None:
    run, against = document.run, document.against
    page.heading(
        "Contact pressure",
        f"Median {run.pressure.median}, nine of ten customers at most {run.pressure.p90}, 99 of 100 at most "
        f"{run.pressure.p99}, the most {run.pressure.most} messages over the whole run.{_under(document)}"
        + _no_messages(document),
    )
    if not run.pressure.customers:
        page.note("There are no customers.")
        return
    runs = list(zip(called(document), [run] if against is None else [run, against], strict=False))
    _bands(page, "messages over the whole run", [(name, one.pressure.bands) for name, one in runs])
    busiest = [(name, one.pressure.busiest_bands) for name, one in runs]
    _bands(page, "messages in her busiest seven days", busiest)


def _bands(page: Page, title: str, runs: list[tuple[str, dict[str, int]]]) -> None:
    from plotly import graph_objects as go

    figure = go.Figure(
        [go.Bar(name=name, x=band_names(), y=list(bands.values())) for name, bands in runs],
        layout={
            "barmode": "group",
            "xaxis": {"title": title, "type": "category"},
            "yaxis_title": "customers",
            "showlegend": len(runs) > 1,
        },
    )
    page.plot(figure, height=280)


def band_names() -> list[str]:
    """The bands in words.

    >>> band_names()
    ['0', '1', '2', '3-4', '5-9', '10-19', '20-49', '50+']
    """
    named = [str(low) if high == low + 1 else f"{low}-{high - 1}" for low, high in pairwise(BANDS)]
    return [*named, f"{BANDS[-1]}+"]


def _difference(page: Page, document: BacktestDocument) -> None:
    found, zone = document.difference, ZoneInfo(document.timezone)
    assert found is not None
    page.heading(
        "What differs",
        f"Customers who get something else, or at another time, than under the other rules: {found.customers:,}.",
    )
    page.table(
        ["trigger", "the same", *KINDS.values()],
        [[one.name, f"{one.same:,}", *(f"{getattr(one, kind):,}" for kind in KINDS)] for one in found.triggers],
    )
    if any(one.examples for one in found.triggers):
        page.heading("For example", f"Under the other rules -> under these. Times are of {zone.key}.")
    for one in found.triggers:
        for kind, told in KINDS.items():
            lines = [sentence(example, one.name, zone) for example in one.examples if example.kind == kind]
            if lines:
                page.listing(f"{one.name}, {told}", lines)
