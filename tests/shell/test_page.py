"""Plots of a page: series that can be told apart, however many there are."""

import re
from pathlib import Path

from plotly import graph_objects as go

from streams.page import COLOURS, ROUNDS, Page


def test_more_series_than_colours_are_told_apart_by_their_edges_and_print_as_lines(tmp_path: Path) -> None:
    count = ROUNDS * len(COLOURS)
    figure = go.Figure([go.Bar(name=f"trigger {number}", x=[1], y=[number]) for number in range(count)])
    page = Page("Triggers", "Many of them.")
    page.plot(figure)
    page.write(tmp_path / "page.html")

    looks = [(bar.marker.color or COLOURS[at], bar.marker.line.color) for at, bar in enumerate(figure.data)]
    assert len(set(looks)) == count
    assert {bar.marker.pattern.shape for bar in figure.data} == {None}


def test_what_would_be_too_small_to_read_keeps_its_width_in_a_narrow_page(tmp_path: Path) -> None:
    page = Page("Cohorts", "Many months.")
    page.plot(go.Figure(go.Heatmap(z=[list(range(14))])), width_min=690)
    page.plot(go.Figure(go.Bar(x=[1], y=[1])))
    page.write(tmp_path / "page.html")

    text = (tmp_path / "page.html").read_text()
    assert text.count('<div class="plot"><div style="min-width: 690px"><div') == 1
    assert text.count('<div class="plot"><div') == 2
    assert ".plot { margin: .5rem 0 1rem; padding: .25rem; overflow-x: auto }" in text


def test_a_legend_beside_a_plot_shows_each_series_as_its_bars_look(tmp_path: Path) -> None:
    count = len(COLOURS) * ROUNDS
    page = Page("Reasons", "Long ones.")
    page.legend(f"reason <{number}>" for number in range(count))
    page.write(tmp_path / "page.html")

    text = (tmp_path / "page.html").read_text()
    pictures = re.findall(r"<li>(<svg.*?</svg>)<span>reason &lt;\d+&gt;</span></li>", text)
    assert len(set(pictures)) == len(pictures) == count
    assert [COLOURS[at % len(COLOURS)] in picture for at, picture in enumerate(pictures)] == [True] * count


def test_what_looks_like_a_tag_in_the_name_of_a_series_is_shown_as_it_is_written(tmp_path: Path) -> None:
    figure = go.Figure([go.Bar(name="carts <b>4h & more", x=[1], y=[1]), go.Bar(x=[1], y=[1])])
    page = Page("Rules", "Of this version.")
    page.plot(figure)
    page.write(tmp_path / "page.html")

    assert [bar.name for bar in figure.data] == ["carts &lt;b&gt;4h &amp; more", None]
