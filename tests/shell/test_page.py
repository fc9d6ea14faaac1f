"""Plots of a page: series that can be told apart, however many there are."""

from pathlib import Path

from plotly import graph_objects as go

from streams.page import COLOURS, PATTERNS, Page


def test_more_series_than_colours_are_told_apart_by_patterns(tmp_path: Path) -> None:
    count = 2 * len(COLOURS) + 3
    figure = go.Figure([go.Bar(name=f"trigger {number}", x=[1], y=[number]) for number in range(count)])
    page = Page("Triggers", "Many of them.")
    page.plot(figure)
    page.write(tmp_path / "page.html")

    looks = [(at % len(COLOURS), bar.marker.pattern.shape or "") for at, bar in enumerate(figure.data)]
    assert len(set(looks)) == count
    assert [shape for _, shape in looks].count(PATTERNS[1]) == len(COLOURS)
    assert '"pattern":{"shape":"x"}' in (tmp_path / "page.html").read_text()
