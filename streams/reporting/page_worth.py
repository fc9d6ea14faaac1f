"""The page's sections on what customers are worth, and whether they stay."""

from itertools import pairwise
from typing import Final

from plotly import graph_objects as go

from profiles.insight.cohorts import HORIZONS
from streams.commands.report_tables import amount
from streams.page import Page
from streams.reporting.document import ReportDocument
from streams.reporting.missing import Missing
from streams.reporting.page_parts import SCALE, decimals, nothing_to_show, units
from streams.reporting.snapshot import month_name
from streams.reporting.worth import CUSTOMERS_MIN, SHARES, Repurchase, Tables

_COHORTS_SHOWN: Final = 18
FEW: Final = 1.5
"""A mean so many times what half of all brought at most is made by few. A little above it every mean is."""


def add_trend(page: Page, document: ReportDocument) -> None:
    """The average over time, and new customers at the same age."""
    page.heading(
        "Average customer lifetime value over time",
        "What a customer has brought on average until the end of each month, over all customers won until then.",
    )
    found, currency = document.trend, document.currency
    if nothing_to_show(found, page):
        return
    months = [month_name(point.month) for point in found.points]
    sides = (
        ("net revenue", [point.net for point in found.points]),
        ("margin", [point.margin for point in found.points]),
    )
    page.plot(
        go.Figure(
            [
                go.Scatter(
                    name=name,
                    x=months,
                    y=units(values, currency),
                    mode="lines+markers",
                    fill="tozeroy" if name == "margin" else None,
                    hovertemplate=f"%{{y:{decimals(currency)}}}",
                )
                for name, values in sides
            ],
            layout={
                "yaxis": {"title": f"{currency} per customer", "rangemode": "tozero"},
                "hovermode": "x unified",
                "xaxis": {"type": "category"},
            },
        ),
        height=360,
    )
    won = pairwise([0, *(point.customers for point in found.points)])
    names = {
        point.month: f"{month_name(point.month)} ({until - before:,})"
        for point, (before, until) in zip(found.points, won, strict=True)
    }
    page.heading(
        "Are new customers better or worse than earlier ones?",
        "The average above rises as customers grow older. Here each month's new customers are compared at the same age; how "
        "many they are stands in brackets. The first month is that of the first order, however late in it.",
    )
    page.plot(
        go.Figure(
            [
                go.Scatter(
                    name="first month" if age == 1 else f"first {age} months",
                    x=[names[month] for month, _ in line],
                    y=units([value for _, value in line], currency),
                    mode="lines+markers",
                    hovertemplate=f"%{{y:{decimals(currency)}}}",
                )
                for age, line in found.at_age.items()
            ],
            layout={
                "yaxis": {"title": f"net, {currency} per customer", "rangemode": "tozero"},
                "xaxis": {
                    "title": "month of the first order",
                    "type": "category",
                    "categoryorder": "category ascending",
                },
                "hovermode": "x unified",
            },
        ),
        height=400,
    )


def add_distribution(page: Page, document: ReportDocument) -> None:
    """How it is spread over customers."""
    page.heading("How lifetime value is spread")
    found, currency = document.distribution, document.currency
    if nothing_to_show(found, page):
        return
    best = (
        "" if found.top_tenth is None else f"The best tenth of customers bring {found.top_tenth:.0%} of all revenue. "
    )
    middle, nothing = found.quantiles[SHARES.index(0.5)], found.not_above_zero
    page.note(
        f"{best}Half of all customers have brought at most about {amount(middle, currency)}, the mean is about "
        f"{amount(found.mean, currency)}{': it is made by few' if found.mean > FEW * middle else ''}. "
        + (
            f"{nothing:,} {'customer has' if nothing == 1 else 'customers have'} brought nothing, or less, after discounts and "
            "refunds."
            if nothing
            else ""
        )
    )
    names = [f"{amount(low, currency)} to {amount(high, currency)}" for low, high, _ in found.bins]
    page.plot(
        go.Figure(
            go.Bar(
                x=[amount(low, currency) for low, _, _ in found.bins],
                y=[count for *_, count in found.bins],
                customdata=names,
                hovertemplate="%{customdata}: %{y:,} customers<extra></extra>",
            ),
            layout={
                "xaxis": {"title": f"net lifetime value from, {currency}", "type": "category"},
                "yaxis_title": "customers",
                "bargap": 0.06,
            },
        ),
        height=300,
    )


def add_cohorts(page: Page, found: Tables | Missing) -> None:
    """Retention by month of the first order."""
    page.heading(
        "Who stays",
        "Of the customers who first ordered in a month, the share that ordered in each month since. Read a row to the right to "
        "see a month's customers leave; read a column down to see whether newer ones stay better.",
    )
    if nothing_to_show(found, page):
        return
    shown = found.cohorts[-_COHORTS_SHOWN:]
    width = max(len(cohort.retention) for cohort in shown)
    if width < 2:
        page.note("No cohort has lived through a second month yet.")
        return
    if len(found.cohorts) > len(shown):
        page.note(f"The newest {len(shown)} of {len(found.cohorts)} months are shown.")
    rows = [
        [cohort.retention[age] if age < len(cohort.retention) else None for age in range(1, width)] for cohort in shown
    ]
    most = max((cell for row in rows for cell in row if cell is not None), default=0.0)
    page.plot(
        go.Figure(
            go.Heatmap(
                x=list(range(1, width)),
                y=[f"{month_name(cohort.month)}  ({cohort.customers:,})" for cohort in shown],
                z=rows,
                text=[["" if cell is None else f"{cell:.0%}" for cell in row] for row in rows],
                texttemplate="%{text}",
                colorscale=SCALE,
                zmin=0,
                zmax=most,
                xgap=2,
                ygap=2,
                showscale=False,
                hoverongaps=False,
                hovertemplate="%{y}, month %{x}: %{z:.1%}<extra></extra>",
            ),
            layout={
                "xaxis": {"title": "months since the month of the first order", "dtick": 1, "showgrid": False},
                "yaxis": {"autorange": "reversed", "type": "category", "automargin": True, "showgrid": False},
            },
        ),
        height=110 + 26 * len(shown),
        width_min=max(440, 130 + 40 * (width - 1)),
    )


def add_repurchase(page: Page, found: Repurchase | Missing) -> None:
    """How soon a second order follows."""
    page.heading(
        "How soon they come back",
        "Share of customers who ordered again, on a later day, within so many days of the first order, of all whose first order "
        f"is at least that old, where these are {CUSTOMERS_MIN} or more.",
    )
    if nothing_to_show(found, page):
        return
    known = [(days, share) for days, share in found.within.items() if share is not None]
    if not known:
        page.note(f"There are fewer than {CUSTOMERS_MIN} customers whose first order is {HORIZONS[0]} days old yet.")
        return
    page.plot(
        go.Figure(
            go.Scatter(
                x=[0, *(days for days, _ in known)],
                y=[0, *(share for _, share in known)],
                mode="lines+markers+text",
                text=["", *(f"{share:.0%}" for _, share in known)],
                textposition="top left",
                cliponaxis=False,
                hovertemplate="within %{x} days: %{y:.1%}<extra></extra>",
            ),
            layout={
                "xaxis": {"title": "days since the first order", "tickvals": [0, *(days for days, _ in known)]},
                "yaxis": {"tickformat": ".0%", "rangemode": "tozero", "range": [0, 1.15 * known[-1][1] or 1]},
            },
        ),
        height=300,
    )


def add_grid(page: Page, document: ReportDocument) -> None:
    """Recency against frequency."""
    page.heading(
        "Where customers stand",
        "Days since the last order against days with orders, each in fifths of all customers: how many they are, and the net "
        "revenue they brought. Top right: the best. Bottom right: good customers who are slipping away, and their worth.",
    )
    found, currency = document.grid, document.currency
    if nothing_to_show(found, page):
        return
    total = sum(map(sum, found.customers))
    page.plot(
        go.Figure(
            go.Heatmap(
                x=found.frequency,
                y=found.recency,
                z=found.customers,
                text=[
                    [
                        f"{count:,} ({count / total:.1%})<br>{amount(net, currency)}" if count else ""
                        for count, net in zip(counts, nets, strict=True)
                    ]
                    for counts, nets in zip(found.customers, found.net, strict=True)
                ],
                customdata=[[amount(net, currency) for net in row] for row in found.net],
                texttemplate="%{text}",
                colorscale=SCALE,
                xgap=3,
                ygap=3,
                showscale=False,
                hovertemplate=f"%{{y}} ago, %{{x}}: %{{z:,}} customers, net {currency} %{{customdata}}<extra></extra>",
            ),
            layout={
                "xaxis": {"type": "category", "side": "top", "showgrid": False},
                "yaxis": {
                    "autorange": "reversed",
                    "type": "category",
                    "automargin": True,
                    "title": "last order",
                    "showgrid": False,
                },
            },
        ),
        height=130 + 48 * len(found.recency),
        width_min=130 + 110 * len(found.frequency),
    )
