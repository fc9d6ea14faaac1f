"""The page's section on what triggers bring."""

from plotly import graph_objects as go

from streams.commands.report_tables import (
    WARNINGS,
    brings,
    counted_days,
    difference,
    followed,
    group_name,
    in_both_arms,
    verdict,
)
from streams.insight.effect import Estimate
from streams.insight.trigger_effects import Effect
from streams.page import COLOURS, Page
from streams.reporting.document import ReportDocument
from streams.reporting.page_parts import GREY, decimals, units


def add_effects(page: Page, document: ReportDocument) -> None:
    """Add the section to a page."""
    page.heading(
        "What triggers bring",
        "Customers who got the messages against customers held out by lot, from the moment their first one was due: what each "
        f"brings more{counted_days(document.effects)}. The bar is the 95 % interval of net revenue; it holds however often one "
        "looks. Where it crosses zero, chance may be all; a verdict takes all comparisons of the page together.",
    )
    currency = document.currency
    if not document.effects:
        page.note(
            "Nobody is held out, so nothing can be said of any effect. Set holdout = 0.1 for a trigger in the rules, and wait."
        )
    drawn = [
        (effect, estimate) for effect in document.effects if isinstance(estimate := effect.of("net").estimate, Estimate)
    ]
    if drawn:
        _forest(page, drawn, currency)
    if document.effects:
        rows = []
        for effect in document.effects:
            net, between = difference(effect, "net", currency)
            rows.append(
                [
                    group_name(effect.group),
                    ", ".join(effect.triggers) if len(effect.triggers) <= 3 else f"{len(effect.triggers)} triggers",
                    f"{effect.treated:,} / {effect.holdout:,}",
                    difference(effect, "orders", currency)[0],
                    net,
                    between,
                    difference(effect, "margin", currency)[0],
                    verdict(effect),
                ]
            )
        header = ["hold-out", "triggers", "treated / held out", "orders", "net", "between", "margin", "verdict"]
        page.table(header, rows, text=frozenset({1, 7}))
        for line in in_both_arms(document.effects):
            page.note(line + ".")
        warned = [effect for effect in document.effects if effect.warnings]
        if warned:
            page.listing(
                "Do not believe these before it is explained",
                [
                    f"{group_name(one.group)}: {'; '.join(WARNINGS[warning] for warning in one.warnings)}"
                    for one in warned
                ],
            )
    if document.sent:
        page.note(
            "Orders within a message's attribution time, below, are what messaging tools usually show. They are no effect: who "
            "would have bought anyway is among them."
        )
        page.table(
            ["trigger", "sent", "withheld", "followed by an order", "share", "what it brings"],
            [
                [
                    one.trigger,
                    f"{one.sent:,}",
                    f"{one.withheld:,}",
                    *followed(one),
                    brings(one),
                ]
                for one in document.sent
            ],
            text=frozenset({5}),
        )


def _forest(page: Page, drawn: list[tuple[Effect, Estimate]], currency: str) -> None:
    names = [group_name(effect.group) for effect, _ in drawn]
    values = units([estimate.difference for _, estimate in drawn], currency)
    lows = units([estimate.low_always for _, estimate in drawn], currency)
    highs = units([estimate.high_always for _, estimate in drawn], currency)
    shown = decimals(currency)
    edge = 0.06 * (max(*highs, 0.0) - min(*lows, 0.0))
    colours = [COLOURS[0] if effect.standing == "found" else GREY for effect, _ in drawn]
    series = [
        go.Scatter(
            x=[low, high],
            y=[name, name],
            mode="lines",
            line={"color": colour, "width": 5},
            hoverinfo="skip",
            opacity=0.55,
        )
        for name, low, high, colour in zip(names, lows, highs, colours, strict=True)
    ]
    series.append(
        go.Scatter(
            x=values,
            y=names,
            mode="markers",
            marker={"color": colours, "size": 13, "line": {"color": "#fff", "width": 2}},
            customdata=list(zip(lows, highs, strict=True)),
            hovertemplate=f"%{{y}}: %{{x:+{shown}}} (%{{customdata[0]:{shown}}} to %{{customdata[1]:{shown}}})<extra></extra>",
        )
    )
    page.plot(
        go.Figure(
            series,
            layout={
                "xaxis": {
                    "title": f"net revenue per customer,<br>{currency}, treated less held out",
                    "automargin": True,
                    "range": [min(*lows, 0.0) - edge, max(*highs, 0.0) + edge],
                    "zeroline": True,
                    "zerolinewidth": 2,
                    "zerolinecolor": "#1d2a2b",
                },
                "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
                "showlegend": False,
            },
        ),
        height=130 + 44 * len(drawn),
    )
