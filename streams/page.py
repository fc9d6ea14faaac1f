"""A page that explains itself: headings, tables and plots in one HTML file that opens anywhere, also offline.

The plots need plotly (`pip install 'regulars[report]'`); its script travels inside the page.
"""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS: Final = (
    "#2f6f73",
    "#d98e2b",
    "#7a4b8c",
    "#b5473c",
    "#5a8f3d",
    "#3d6fb0",
    "#8a7a5c",
    "#c2638e",
    "#4d4d4d",
    "#9bb8b0",
)
"""Colours of series, in order. Neighbours differ in lightness too, for those who do not tell red from green."""

CELL_MAX: Final = 32
"""Letters of a cell that stand in one line. A longer one goes on in the next, so that the other columns stay in sight."""
ROUNDS: Final = 4
"""How often a colour can be used again for bars: full, pale, hollow, with a dark edge."""

_STYLE: Final = """
:root { color-scheme: light }
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2a2b; background: #fbfaf7; max-width: 64rem;
  margin: 0 auto; padding: 2rem 1.25rem 4rem }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .25rem }
p { margin: .25rem 0 .75rem; max-width: 46rem }
p.note { color: #5a6667; font-size: .92rem }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr)); gap: .75rem; margin: 1.25rem 0 }
.tile, .plot { background: #fff; border: 1px solid #e2ded4; border-radius: 8px }
.tile { padding: .7rem 1rem }
.tile b { display: block; font-size: 1.45rem; font-variant-numeric: tabular-nums }
.tile span { color: #5a6667; font-size: .88rem }
.plot { margin: .5rem 0 1rem; padding: .25rem; overflow-x: auto }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .93rem; background: #fff; width: 100% }
th, td { padding: .35rem .65rem; border-bottom: 1px solid #e9e5db; text-align: right; font-variant-numeric: tabular-nums }
th:first-child, td:first-child, .text { text-align: left }
td:not(.text, .long) { white-space: nowrap }
td.long { overflow-wrap: anywhere; min-width: 12rem }
td.text { min-width: 9rem }
th { color: #5a6667; font-weight: 600; border-bottom: 2px solid #d8d3c6 }
ul { margin: .25rem 0 1rem; padding-left: 1.2rem }
ul.legend { list-style: none; padding: 0; font-size: .92rem }
ul.legend li { display: flex; gap: .6rem; margin: .25rem 0 }
ul.legend svg { flex: none; width: .9rem; height: .9rem; margin-top: .3rem }
li { margin: .1rem 0 }
"""


class Page:
    """Built from top to bottom; `write` makes the file. All text is escaped."""

    def __init__(self, title: str, lead: str) -> None:
        self._title = title
        self._parts = [f"<h1>{escape(title)}</h1>", f"<p>{escape(lead)}</p>"]
        self._plots = 0

    def tiles(self, tiles: Iterable[tuple[str, str]]) -> None:
        """The few figures that matter most: (figure, what it is)."""
        shown = "".join(f'<div class="tile"><b>{escape(b)}</b><span>{escape(s)}</span></div>' for b, s in tiles)
        self._parts.append(f'<div class="tiles">{shown}</div>')

    def heading(self, text: str, note: str = "") -> None:
        """A section begins; `note` says how to read it."""
        self._parts.append(f"<h2>{escape(text)}</h2>")
        if note:
            self.note(note)

    def note(self, text: str) -> None:
        """A sentence in small print."""
        self._parts.append(f'<p class="note">{escape(text)}</p>')

    def table(
        self, header: Sequence[str], rows: Iterable[Sequence[str]], *, text: frozenset[int] = frozenset()
    ) -> None:
        """A table. Columns are numbers but the first and those in `text`."""

        def look(at: int, cell: str) -> str:
            if at in text:
                return " class=text"
            return " class=long" if len(cell) > CELL_MAX else ""

        def cells(row: Sequence[str], tag: str) -> str:
            return "".join(f"<{tag}{look(at, cell)}>{escape(cell)}</{tag}>" for at, cell in enumerate(row))

        body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
        self._parts.append(
            f'<div class="wide"><table><thead><tr>{cells(header, "th")}</tr></thead><tbody>{body}</tbody></table></div>'
        )

    def listing(self, title: str, lines: Iterable[str]) -> None:
        """A few sentences under a name."""
        shown = "".join(f"<li>{escape(line)}</li>" for line in lines)
        self._parts.append(f"<p><b>{escape(title)}</b></p><ul>{shown}</ul>")

    def legend(self, names: Iterable[str]) -> None:
        """What the series of the next plot of bars are, in their order: for names too long to stand inside of it."""
        items = (f"<li>{_swatch(at)}<span>{escape(name)}</span></li>" for at, name in enumerate(names))
        self._parts.append(f'<ul class="legend">{"".join(items)}</ul>')

    def plot(self, figure: "Figure", *, height: int = 340, width_min: int = 0) -> None:
        """A plot, as wide as the page, and in a narrow one `width_min`, to be moved sideways as tables are; CSS pixels both.

        Cells with numbers and titles have a width below which they can't be read.
        """
        figure.update_layout(
            template="plotly_white",
            colorway=COLOURS,
            height=height,
            margin={"l": 56, "r": 16, "t": 16, "b": 48},
            font={"family": "system-ui, sans-serif", "size": 13, "color": "#1d2a2b"},
            legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
            paper_bgcolor="rgba(0,0,0,0)",
            hoverlabel={"namelength": -1},
        )
        for at, series in enumerate(figure.data):
            if series.name:
                series.name = escape(series.name, quote=False)  # else what looks like a tag in it is taken for one
            if series.type == "bar" and at >= len(COLOURS):
                fill, edge = bar_look(at)
                series.marker.update(color=fill, line={"color": edge, "width": 2})
        self._plots += 1
        # Named, so that the same figures give the same file.
        html = figure.to_html(
            full_html=False,
            include_plotlyjs=self._plots == 1,
            div_id=f"plot-{self._plots}",
            config={"displayModeBar": False, "responsive": True},
        )
        inner = f'<div style="min-width: {width_min}px">{html}</div>' if width_min else html
        self._parts.append(f'<div class="plot">{inner}</div>')

    def write(self, path: Path) -> None:
        """Write the page."""
        head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(self._title)}</title>'
        body = "\n".join(self._parts)
        path.write_text(
            f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n',
            encoding="utf-8",
        )


def bar_look(at: int) -> tuple[str, str]:
    """The colours of inside and edge of the bars of the series at this place.

    No patterns: printed, a browser makes a picture of each bar with one, and megabytes of a page.
    """
    colour = COLOURS[at % len(COLOURS)]
    return (
        (colour, colour),
        (f"#{''.join(f'{(int(colour[part : part + 2], 16) + 2 * 255) // 3:02x}' for part in (1, 3, 5))}", colour),
        ("#ffffff", colour),
        (colour, "#1d2a2b"),
    )[at // len(COLOURS) % ROUNDS]


def _swatch(at: int) -> str:
    """A small picture of how bars of the series at this place look."""
    fill, edge = bar_look(at)
    return f'<svg viewBox="0 0 9 9"><rect x="1" y="1" width="7" height="7" fill="{fill}" stroke="{edge}" stroke-width="2"/></svg>'


def has_plots() -> bool:
    """Whether plotly is installed."""
    from importlib.util import find_spec

    return find_spec("plotly") is not None
