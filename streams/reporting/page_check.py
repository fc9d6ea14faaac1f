"""The page's section on whether predictions came true."""

from plotly import graph_objects as go

from streams.commands.report_tables import points
from streams.page import COLOURS, Page
from streams.reporting.foresight import Check
from streams.reporting.missing import Missing
from streams.reporting.page_parts import GREY, nothing_to_show


def add_check(page: Page, found: Check | Missing) -> None:
    """Add the section to a page."""
    page.heading("Can the predictions be trusted?")
    if nothing_to_show(found, page):
        return
    off = found.actual / found.expected - 1 if found.expected else None
    page.note(
        f"A model fitted on what was known {found.days} days ago, held against what came since. It expected "
        f"{found.expected:,.0f} further orders, {found.actual:,} came"
        + ("." if off is None else f" ({off:+.0%}).")
        + " Left: of customers who were given a chance, as many should have ordered (calibration error "
        f"{points(found.calibration_error)}). Right: orders by month of first order."
    )
    series = [
        go.Scatter(
            x=[0, 1], y=[0, 1], mode="lines", line={"color": GREY, "dash": "dot"}, hoverinfo="skip", showlegend=False
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
        width_min=640,
    )
    if found.auc is not None and found.auc_of_recency is not None:
        page.note(
            f"Who ordered again ranked above who did not in {found.auc:.1%} of pairs; days since the last order alone reach "
            f"{found.auc_of_recency:.1%}."
        )
