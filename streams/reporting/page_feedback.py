"""The page's section on what customers say: scores with their intervals, and the closed loop."""

from plotly import graph_objects as go

from streams.commands.report_tables import KIND_NAMES, loop, open_cases, percent, score
from streams.page import COLOURS, Page
from streams.reporting.feedback import FeedbackFigures
from streams.reporting.missing import Missing


def add_feedback(page: Page, found: FeedbackFigures | Missing) -> None:
    """Add the section to a page."""
    page.heading(
        "What they say",
        "Net promoter score: promoters (9 and 10) less detractors (0 to 6), of 100 answers. The bar is the 95 % interval: where "
        "two overlap, wait for more answers before asking why. Of a customer's answers about the shop the last one counts, of "
        "those about orders each.",
    )
    if isinstance(found, Missing):
        page.note(f"Nothing to show ({found.reason}): {found.remedy}.")
        return
    shown = [one for one in found.scores if one.nps.score is not None]
    if shown:
        names = [f"{KIND_NAMES[one.kind]}, {one.days} days" for one in shown]
        scores = [one.nps.score or 0.0 for one in shown]
        page.plot(
            go.Figure(
                go.Scatter(
                    x=scores,
                    y=names,
                    mode="markers+text",
                    text=[f"{value:+.0f}" for value in scores],
                    textposition="top center",
                    marker={"color": COLOURS[0], "size": 13, "line": {"color": "#fff", "width": 2}},
                    error_x={
                        "type": "data",
                        "symmetric": False,
                        "array": [(one.nps.high or 0.0) - (one.nps.score or 0.0) for one in shown],
                        "arrayminus": [(one.nps.score or 0.0) - (one.nps.low or 0.0) for one in shown],
                        "thickness": 4,
                        "width": 0,
                        "color": COLOURS[0],
                    },
                    hovertemplate="%{y}: %{x:+.0f}<extra></extra>",
                ),
                layout={
                    "xaxis": {
                        "title": "net promoter score",
                        "range": [-105, 105],
                        "zeroline": True,
                        "zerolinewidth": 2,
                    },
                    "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
                },
            ),
            height=130 + 48 * len(shown),
        )
    if found.scores:
        page.table(
            [
                "asked",
                "days",
                "answers",
                "promoters",
                "passives",
                "detractors",
                "score",
                "between",
                "answered of those asked",
            ],
            [
                [
                    KIND_NAMES[one.kind],
                    str(one.days),
                    f"{one.nps.answers:,}",
                    f"{one.nps.promoters:,}",
                    f"{one.nps.passives:,}",
                    f"{one.nps.detractors:,}",
                    *score(one.nps),
                    percent(one.nps.response_rate),
                ]
                for one in found.scores
            ],
        )
    page.listing("Low scores and what was done about them", [open_cases(found.open), loop(found.loop)])
