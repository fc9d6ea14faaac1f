"""The report as a page for people who decide: figures first, each plot with a sentence on how to read it.

One HTML file that opens anywhere, also offline (`streams.page`).
"""

from pathlib import Path
from typing import Final

from plotly import graph_objects as go

from profiles.value.absent import MEANINGS, Absent
from streams.commands.report_tables import (
    CHANNEL_REASONS,
    COHORT_AGE,
    WARNINGS,
    amount,
    brings,
    cohort_cell,
    difference,
    group_name,
    payback,
    percent,
    verdict,
)
from streams.insight.effect import Estimate
from streams.insight.trigger_effects import Effect
from streams.page import COLOURS, Page
from streams.reporting import page_feedback
from streams.reporting.bundles import Bundles
from streams.reporting.channels import AGES as CHANNEL_AGES
from streams.reporting.channels import Channels
from streams.reporting.document import ReportDocument
from streams.reporting.foresight import HORIZON_DAYS, Check, Outlook
from streams.reporting.grid import Grid
from streams.reporting.missing import Missing
from streams.reporting.snapshot import day_name, month_name
from streams.reporting.worth import SHARES, Distribution, Repurchase, Tables, Trend

_GREY: Final = "#8a9495"
COHORT_MONTHS: Final = 12
"""Months of channels that are drawn, the newest."""
_SCALE: Final = [[0, "#f3f1ea"], [0.5, "#8fbab5"], [1, "#1f5a5e"]]
_COHORTS_SHOWN: Final = 18


def write_page(document: ReportDocument, path: Path) -> None:
    """Write the page."""
    build_page(document).write(path)


def build_page(document: ReportDocument) -> Page:
    """The page of a report."""
    page = Page(
        f"Customer value: {document.shop_id}",
        f"As of {day_name(document.today)}, in {document.currency}. Every figure is counted event by event, refunds and "
        "cancellations included, and is current to that day.",
    )
    page.tiles(_tiles(document))
    for said in _unsaid(document.outlook):
        page.note(said)
    _trend(page, document)
    _distribution(page, document)
    _cohorts(page, document.cohorts)
    _repurchase(page, document.repurchase)
    _channels(page, document)
    _effects(page, document)
    _grid(page, document)
    page_feedback.add_feedback(page, document.feedback)
    _bundles(page, document.together)
    _check(page, document.check)
    page_feedback.add_replenished(page, document.replenished)
    return page


def _tiles(document: ReportDocument) -> list[tuple[str, str]]:
    currency, trend, outlook = document.currency, document.trend, document.outlook
    tiles = []
    if isinstance(trend, Trend):
        last = trend.points[-1]
        tiles += [
            (f"{currency} {amount(last.net, currency)}", "average customer lifetime value to date, net revenue"),
            (f"{currency} {amount(last.margin, currency)}", "the same as margin, before marketing"),
            (f"{last.customers:,}", f"customers until the end of {month_name(last.month)}"),
        ]
    if isinstance(document.repurchase, Repurchase):
        again = document.repurchase.within
        days = max((day for day in again if again[day] is not None), default=None)
        if days is not None:
            tiles.append((percent(again[days]), f"ordered again within {days} days"))
    if isinstance(outlook, Outlook):
        if outlook.margin is not None:
            tiles.append(
                (
                    f"{currency} {amount(outlook.margin, currency)}",
                    f"margin expected per customer in the next {HORIZON_DAYS} days",
                )
            )
        tiles += [
            (f"{outlook.alive:.0%}", "are still customers, by the model"),
        ]
    found = sum(effect.standing == "found" for effect in document.effects)
    if document.effects:
        tiles.append((f"{found} of {len(document.effects)}", "hold-outs show an effect"))
    return tiles


def _unsaid(outlook: Outlook | Missing) -> list[str]:
    """What is not foretold, and why."""
    if isinstance(outlook, Missing):
        return [f"What is to come is not foretold ({outlook.reason}): {outlook.remedy}."]
    said = [
        f"Its {name} is not foretold ({reason}): {MEANINGS[Absent(reason)]}" for name, reason in outlook.absent.items()
    ]
    if outlook.unvalued:
        why = MEANINGS[Absent.NOT_POSITIVE]
        said.append(f"Net is foretold without {outlook.unvalued:,} customers ({Absent.NOT_POSITIVE}): {why}")
    return said


def _absent(page: Page, found: object) -> bool:
    if isinstance(found, Missing):
        page.note(f"Nothing to show ({found.reason}): {found.remedy}.")
        return True
    return False


def _units(values: list[float], currency: str) -> list[float]:
    """Minor units as the numbers that are drawn."""
    from schemas.money import exponent

    return [value / 10 ** exponent(currency) for value in values]


def _trend(page: Page, document: ReportDocument) -> None:
    page.heading(
        "Average customer lifetime value over time",
        "What a customer has brought on average until the end of each month, over all customers won until then.",
    )
    found, currency = document.trend, document.currency
    if _absent(page, found):
        return
    assert isinstance(found, Trend)
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
                    y=_units(values, currency),
                    mode="lines+markers",
                    fill="tozeroy" if name == "margin" else None,
                    hovertemplate="%{y:,.2f}",
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
    page.heading(
        "Are new customers better or worse than earlier ones?",
        "The average above rises as customers grow older. Here each month's new customers are compared at the same age.",
    )
    page.plot(
        go.Figure(
            [
                go.Scatter(
                    name="first month" if age == 1 else f"first {age} months",
                    x=[month_name(month) for month, _ in line],
                    y=_units([value for _, value in line], currency),
                    mode="lines+markers",
                    hovertemplate="%{y:,.2f}",
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
        )
    )


def _distribution(page: Page, document: ReportDocument) -> None:
    page.heading("How lifetime value is spread")
    found, currency = document.distribution, document.currency
    if _absent(page, found):
        return
    assert isinstance(found, Distribution)
    best = (
        "" if found.top_tenth is None else f"The best tenth of customers bring {found.top_tenth:.0%} of all revenue. "
    )
    page.note(
        f"{best}Half of all customers have brought less than {amount(found.quantiles[SHARES.index(0.5)], currency)}, the mean "
        f"is {amount(found.mean, currency)}: it is made by few. "
        + (f"What {found.not_above_zero:,} customers had brought was eaten by refunds." if found.not_above_zero else "")
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


def _cohorts(page: Page, found: Tables | Missing) -> None:
    page.heading(
        "Who stays",
        "Of the customers who first ordered in a month, the share that ordered in each month since. Read a row to the right to "
        "see a year's customers leave; read a column down to see whether newer ones stay better.",
    )
    if _absent(page, found):
        return
    assert isinstance(found, Tables)
    shown = found.cohorts[-_COHORTS_SHOWN:]
    width = max(len(cohort.retention) for cohort in shown)
    if width < 2:
        page.note("No cohort has lived through a second month yet.")
        return
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
                colorscale=_SCALE,
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
    )


def _repurchase(page: Page, found: Repurchase | Missing) -> None:
    page.heading(
        "How soon they come back",
        "Share of customers with a second order within so many days of the first, of all whose first order is at least that old.",
    )
    if _absent(page, found):
        return
    assert isinstance(found, Repurchase)
    known = [(days, share) for days, share in found.within.items() if share is not None]
    if not known:
        page.note("Nobody's first order is 30 days old yet.")
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


def _channels(page: Page, document: ReportDocument) -> None:
    page.heading(
        "What a customer costs and brings, by channel",
        "Cumulative margin per customer by month since the first order, over all months whose customers are old enough. "
        "Dotted lines are what winning a customer cost: where the curve crosses its own, she has paid herself back.",
    )
    found, currency = document.channels, document.currency
    if _absent(page, found):
        return
    assert isinstance(found, Channels)
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
                y=_units(one.curve, currency),
                mode="lines",
                line={"color": colour, "width": 2.5},
                hovertemplate="%{y:,.2f}",
            )
        )
        if one.cost is not None:
            series.append(
                go.Scatter(
                    name=f"{one.channel}: cost",
                    legendgroup=one.channel,
                    showlegend=False,
                    x=[1, longest],
                    y=_units([one.cost, one.cost], currency),
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
            },
        ),
        height=380,
    )
    header = ["channel", "new customers", "spent", "cost of one"]
    header += [f"LTV:CAC, {age} mo" for age in CHANNEL_AGES] + ["paid back"]
    page.table(
        header,
        [
            [
                one.channel,
                f"{one.customers:,}",
                amount(one.spend, currency),
                amount(one.cost, currency),
                *(f"{one.ratio[age]:.2f}" if age in one.ratio else "-" for age in CHANNEL_AGES),
                CHANNEL_REASONS[one.reason] if one.reason else payback(one.payback),
            ]
            for one in found.channels
        ],
    )
    _channel_cohorts(page, found)
    if not any(one.spend for one in found.channels):
        page.note(
            "No spend is known. Send it to the topic `spend`, or give it with --spend FILE (CSV: day, channel, spend), and costs "
            "and ratios appear."
        )


def _channel_cohorts(page: Page, found: Channels) -> None:
    """LTV:CAC of each month's new customers by channel, as a map of which months were bought dearly."""
    months = sorted({one.month for one in found.cohorts})[-COHORT_MONTHS:]
    channels = list(dict.fromkeys(one.channel for one in found.channels if one.spend is not None))
    if not months or not channels:
        return
    cells = {(one.channel, one.month): one for one in found.cohorts}
    rows = [[cells.get((channel, month)) for month in months] for channel in channels]
    page.note(
        f"LTV:CAC of each month's new customers after {COHORT_AGE} months, and in brackets the month in which they had paid "
        'themselves back; "-" where they are not that old.'
    )
    page.plot(
        go.Figure(
            go.Heatmap(
                x=months,
                y=channels,
                z=[[None if one is None else one.ratio.get(COHORT_AGE) for one in row] for row in rows],
                text=[["" if one is None else cohort_cell(one) for one in row] for row in rows],
                texttemplate="%{text}",
                colorscale=_SCALE,
                zmin=0,
                xgap=2,
                ygap=2,
                showscale=False,
                hoverongaps=False,
                hovertemplate="%{y}, %{x}: %{text}<extra></extra>",
            ),
            layout={
                "xaxis": {"type": "category", "title": "month of the first order", "showgrid": False},
                "yaxis": {"autorange": "reversed", "type": "category", "automargin": True, "showgrid": False},
            },
        ),
        height=130 + 34 * len(channels),
    )


def _effects(page: Page, document: ReportDocument) -> None:
    page.heading(
        "What triggers bring",
        "Customers who got the messages against customers held out by lot, from the moment their first one was due. The bar is "
        "the 95 % interval of net revenue per customer; it holds however often one looks. Where it crosses zero, chance may be "
        "all.",
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
        warned = [effect for effect in document.effects if effect.warnings]
        if warned:
            page.listing(
                "Do not believe these before it is explained",
                [f"{one.group}: {'; '.join(WARNINGS[warning] for warning in one.warnings)}" for one in warned],
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
                    f"{one.converted:,}",
                    percent(one.converted / one.sent if one.sent else None),
                    brings(one),
                ]
                for one in document.sent
            ],
            text=frozenset({5}),
        )


def _forest(page: Page, drawn: list[tuple[Effect, Estimate]], currency: str) -> None:
    names = [group_name(effect.group) for effect, _ in drawn]
    values = _units([estimate.difference for _, estimate in drawn], currency)
    lows = _units([estimate.low_always for _, estimate in drawn], currency)
    highs = _units([estimate.high_always for _, estimate in drawn], currency)
    edge = 0.06 * (max(*highs, 0.0) - min(*lows, 0.0))
    colours = [COLOURS[0] if effect.standing == "found" else _GREY for effect, _ in drawn]
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
            hovertemplate="%{y}: %{x:+,.2f} (%{customdata[0]:,.2f} to %{customdata[1]:,.2f})<extra></extra>",
        )
    )
    page.plot(
        go.Figure(
            series,
            layout={
                "xaxis": {
                    "title": f"net revenue per customer, {currency}, treated less held out",
                    "range": [min(*lows, 0.0) - edge, max(*highs, 0.0) + edge],
                    "zeroline": True,
                    "zerolinewidth": 2,
                    "zerolinecolor": "#1d2a2b",
                },
                "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
                "showlegend": False,
            },
        ),
        height=110 + 44 * len(drawn),
    )


def _grid(page: Page, document: ReportDocument) -> None:
    page.heading(
        "Where customers stand",
        "Days since the last order against number of orders, each in fifths of all customers: how many they are, and the net "
        "revenue they brought. Top right: the best. Bottom right: good customers who are slipping away, and their worth.",
    )
    found, currency = document.grid, document.currency
    if _absent(page, found):
        return
    assert isinstance(found, Grid)
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
                colorscale=_SCALE,
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
    )


def _bundles(page: Page, found: Bundles | Missing) -> None:
    page.heading(
        "What is bought together",
        "Pairs by how sure it is that it is no chance. Times chance: how much more often they share a basket than two products "
        "that have nothing to do with each other.",
    )
    if _absent(page, found):
        return
    assert isinstance(found, Bundles)
    page.table(
        ["products", "baskets with both", "times chance", "closeness (NPMI)"],
        [[f"{pair.a} + {pair.b}", f"{pair.count:,}", f"{pair.lift:.1f}", f"{pair.npmi:.2f}"] for pair in found.pairs],
    )


def _check(page: Page, found: Check | Missing) -> None:
    page.heading("Can the predictions be trusted?")
    if _absent(page, found):
        return
    assert isinstance(found, Check)
    off = found.actual / found.expected - 1 if found.expected else None
    page.note(
        f"A model fitted on what was known {found.days} days ago, held against what came since. It expected "
        f"{found.expected:,.0f} further orders, {found.actual:,} came"
        + ("." if off is None else f" ({off:+.0%}).")
        + " Left: of customers who were given a chance, as many should have ordered (calibration error "
        f"{found.calibration_error:.1%}). Right: orders by month of first order."
    )
    series = [
        go.Scatter(
            x=[0, 1], y=[0, 1], mode="lines", line={"color": _GREY, "dash": "dot"}, hoverinfo="skip", showlegend=False
        ),
        go.Scatter(
            x=[band.foretold for band in found.bands],
            y=[band.came for band in found.bands],
            mode="markers+lines",
            marker={"size": [8 + 26 * (band.customers / found.customers) ** 0.5 for band in found.bands]},
            customdata=[band.customers for band in found.bands],
            hovertemplate="foretold %{x:.0%}, ordered %{y:.0%}, %{customdata:,} customers<extra></extra>",
            showlegend=False,
        ),
        go.Bar(
            name="expected",
            x=[cohort.month for cohort in found.cohorts],
            y=[cohort.expected for cohort in found.cohorts],
            xaxis="x2",
            yaxis="y2",
            marker={"color": COLOURS[1]},
        ),
        go.Bar(
            name="came",
            x=[cohort.month for cohort in found.cohorts],
            y=[cohort.actual for cohort in found.cohorts],
            xaxis="x2",
            yaxis="y2",
            marker={"color": COLOURS[0]},
        ),
    ]
    page.plot(
        go.Figure(
            series,
            layout={
                "xaxis": {
                    "domain": [0, 0.44],
                    "title": "foretold chance to order",
                    "tickformat": ".0%",
                    "range": [-0.02, 1.02],
                },
                "yaxis": {"title": "ordered", "tickformat": ".0%", "range": [-0.02, 1.05]},
                "xaxis2": {
                    "domain": [0.54, 1],
                    "type": "category",
                    "title": "month of the first order",
                    "anchor": "y2",
                },
                "yaxis2": {"anchor": "x2", "title": "orders"},
                "barmode": "group",
            },
        ),
        height=380,
    )
    if found.auc is not None and found.auc_of_recency is not None:
        page.note(
            f"Who ordered again ranked above who did not in {found.auc:.1%} of pairs; days since the last order alone reach "
            f"{found.auc_of_recency:.1%}."
        )
