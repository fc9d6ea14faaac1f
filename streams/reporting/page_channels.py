"""The page's section on channels: what winning a customer costs, and what she brings."""

from typing import Final

from plotly import graph_objects as go

from streams.commands.report_tables import CHANNEL_REASONS, COHORT_AGE, amount, cohort_cell, payback
from streams.page import COLOURS, Page
from streams.reporting.channels import AGES, Channels
from streams.reporting.document import ReportDocument
from streams.reporting.page_parts import SCALE, beside, decimals, nothing_to_show, units

_MONTHS: Final = 12
"""Months of new customers that are drawn, the newest."""


def add_channels(page: Page, document: ReportDocument) -> None:
    """Add the section to a page."""
    page.heading(
        "What a customer costs and brings, by channel",
        "Cumulative margin per customer by month since the first order, over all months whose customers are old enough. "
        "Dotted lines are what winning a customer cost: where the curve crosses its own, she has paid herself back.",
    )
    found, currency = document.channels, document.currency
    if nothing_to_show(found, page):
        return
    series = []
    longest = max((len(one.curve) for one in found.channels), default=0)
    for place, one in enumerate(one for one in found.channels if one.curve):
        colour = COLOURS[place % len(COLOURS)]
        months = list(range(1, len(one.curve) + 1))
        series.append(
            go.Scatter(
                name=one.channel,
                legendgroup=one.channel,
                x=months,
                y=units(one.curve, currency),
                mode="lines+markers",  # a line of one month would not be seen
                line={"color": colour, "width": 2.5},
                hovertemplate=f"%{{y:{decimals(currency)}}}",
            )
        )
        if one.cost is not None:
            series.append(
                go.Scatter(
                    name=f"{one.channel}: cost",
                    legendgroup=one.channel,
                    showlegend=False,
                    x=[1, longest],
                    y=units([one.cost, one.cost], currency),
                    mode="lines",
                    line={"color": colour, "dash": "dot", "width": 1.5},
                    hoverinfo="skip",
                )
            )
    page.plot(
        go.Figure(
            series,
            layout={
                "xaxis": {"title": "month, 1 is that of the first order", "dtick": 1},
                "yaxis": {"title": f"margin, {currency} per customer", "rangemode": "tozero"},
                "hovermode": "x unified",
                "showlegend": True,  # one line alone has a name, too
            },
        ),
        height=380,
    )
    header = ["channel", "new customers", "spent", "cost of one"]
    header += [f"LTV:CAC, {age} mo" for age in AGES] + ["paid back"]
    page.table(
        header,
        [
            [
                one.channel,
                f"{one.customers:,}",
                amount(one.spend, currency),
                amount(one.cost, currency),
                *(f"{one.ratio[age]:.2f}" if age in one.ratio else "-" for age in AGES),
                CHANNEL_REASONS[one.reason] if one.reason else payback(one.payback),
            ]
            for one in found.channels
        ],
    )
    if any(one.cost is not None for one in found.channels):
        page.note(
            "The cost of one is what was spent, divided by the customers won from the first month with spend to the last: who "
            "came before anybody noted it would make the others look cheap."
        )
    _channel_cohorts(page, found)
    if not any(one.spend for one in found.channels):
        page.note(
            "No spend is known. Send it to the topic `spend`, or give it with --spend FILE (CSV: day, channel, spend), and costs "
            "and ratios appear."
        )


def _channel_cohorts(page: Page, found: Channels) -> None:
    """LTV:CAC of each month's new customers by channel, as a map of which months were bought dearly."""
    there = sorted({one.month for one in found.cohorts})
    months = there[-_MONTHS:]
    channels = list(dict.fromkeys(one.channel for one in found.channels if one.spend is not None))
    if not months or not channels:
        return
    cells = {(one.channel, one.month): one for one in found.cohorts}
    rows = [[cells.get((channel, month)) for month in months] for channel in channels]
    page.note(
        f"LTV:CAC of each month's new customers after {COHORT_AGE} months, and in brackets the month in which they had paid "
        'themselves back; "-" where they are not that old.'
        + (f" The newest {_MONTHS} of {len(there)} months are shown." if len(there) > _MONTHS else "")
    )
    page.plot(
        go.Figure(
            go.Heatmap(
                x=months,
                y=channels,
                z=[[None if one is None else one.ratio.get(COHORT_AGE) for one in row] for row in rows],
                text=[["" if one is None else cohort_cell(one) for one in row] for row in rows],
                texttemplate="%{text}",
                colorscale=SCALE,
                zmin=0,
                xgap=2,
                ygap=2,
                showscale=False,
                hoverongaps=False,
                hovertemplate="%{y}, %{x}: %{text}<extra></extra>",
            ),
            layout={
                "xaxis": {"type": "category", "title": "month of the first order", "showgrid": False},
                "yaxis": {
                    "autorange": "reversed",
                    "type": "category",
                    "automargin": True,
                    "showgrid": False,
                    "tickvals": channels,
                    "ticktext": [beside(channel) for channel in channels],
                },
            },
        ),
        height=130 + 34 * len(channels),
        width_min=160 + 64 * len(months),
    )
