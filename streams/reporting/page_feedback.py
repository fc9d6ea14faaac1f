"""The page's sections on what came of it: what customers say, with the closed loop, and when they bought again."""

from plotly import graph_objects as go

from streams.commands.report_tables import (
    KIND_NAMES,
    loop,
    open_cases,
    percent,
    replenished_note,
    replenished_row,
    score,
)
from streams.page import COLOURS, Page
from streams.reporting.feedback import FeedbackFigures
from streams.reporting.missing import Missing
from streams.reporting.page_parts import nothing_to_show
from streams.reporting.replenished import Replenished


def add_feedback(page: Page, found: FeedbackFigures | Missing) -> None:
    """Add the section to a page."""
    page.heading(
        "What they say",
        "Net promoter score: promoters (9 and 10) less detractors (0 to 6), of 100 answers. The bar is the 95 % interval: where "
        "two overlap, wait for more answers before asking why. Of a customer's answers about the shop the last one counts, of "
        "those about orders each.",
    )
    if nothing_to_show(found, page):
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
                    cliponaxis=False,
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


def add_replenished(page: Page, found: Replenished | Missing) -> None:
    """Add the section on replenishment to a page."""
    page.heading(
        "Do they buy again when it was foretold?",
        "With every purchase of what is used up a window for the next one is foretold, and how likely it is. Here are those "
        "whose window is over, by that likelihood: bars are what came in the window (95 %), on the dotted line if it was honest.",
    )
    if nothing_to_show(found, page):
        return
    drawn = [row for row in found.tenths if row.foretold is not None]
    if drawn:
        page.plot(
            go.Figure(
                [
                    go.Scatter(
                        x=[0, 1],
                        y=[0, 1],
                        mode="lines",
                        line={"color": COLOURS[1], "dash": "dot"},
                        hoverinfo="skip",
                        showlegend=False,
                    ),
                    go.Scatter(
                        x=[row.foretold for row in drawn],
                        y=[row.hit for row in drawn],
                        mode="markers",
                        marker={"color": COLOURS[0], "size": 11},
                        error_y={
                            "type": "data",
                            "symmetric": False,
                            "array": [row.hit_high - row.hit for row in drawn],
                            "arrayminus": [row.hit - row.hit_low for row in drawn],
                            "color": COLOURS[0],
                        },
                        customdata=[row.purchases for row in drawn],
                        hovertemplate="foretold %{x:.0%}, came %{y:.0%}, %{customdata:,} purchases<extra></extra>",
                        showlegend=False,
                    ),
                ],
                layout={
                    "xaxis": {"title": "foretold chance of the window", "tickformat": ".0%", "range": [-0.02, 1.02]},
                    "yaxis": {"title": "came in the window", "tickformat": ".0%", "range": [-0.02, 1.05]},
                },
            ),
            height=340,
        )
    page.table(
        ["foretold chance", "purchases", "mean foretold", "in the window", "between", "before it"],
        [replenished_row(row) for row in found.tenths],
    )
    page.note(f"{replenished_note(found)}.")
