"""What the parts of the workload may cost, and what is said of those that cost more."""

import tomllib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench.guard.counting import PARTS, Counts

FILE: Final = Path(__file__).parent / "thresholds.toml"
TOLERANCE: Final = 0.03
"""Counts of one build repeat to a fifth of a percent; builds, processors and C libraries differ by some percent."""

_HEAD: Final = """\
# Instructions for an event, in iterations of bench/guard/reference_loop.py. `make bench-check` compares with these.
# A change that is meant to cost more, or that made something cheaper, takes new ones: make bench-check ARGS=--accept
"""


class Thresholds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file: with which Python it was taken, the share that may be exceeded, and what each part costs."""

    python: str
    tolerance: float
    ratios: dict[str, float]


class Verdict(Struct, frozen=True, kw_only=True):
    """One part: what it costs now and by what share that is more than it may."""

    name: str
    instructions: float
    ratio: float
    threshold: float | None
    tolerance: float

    @property
    def change(self) -> float:
        """+0.1 is a tenth dearer."""
        return 0.0 if self.threshold is None else self.ratio / self.threshold - 1

    @property
    def is_dearer(self) -> bool:
        """Whether it is beyond what may be; a part without a threshold is, too."""
        return self.threshold is None or self.change > self.tolerance

    @property
    def is_cheaper(self) -> bool:
        """Whether a new threshold would hold what was gained."""
        return self.change < -self.tolerance

    def line(self) -> str:
        """For people."""
        name = f"{PARTS[self.name].title:36}"
        counted = f"{self.instructions:10,.0f} instructions  {self.ratio:7.3f}"
        if self.threshold is None:
            return f"{name} {counted}  has no threshold yet: accept one"
        said = "DEARER" if self.is_dearer else "cheaper, accept it" if self.is_cheaper else ""
        return f"{name} {counted}  was {self.threshold:7.3f}  {self.change:+6.1%}  {said}".rstrip()


def judge(counts: Counts, thresholds: Thresholds) -> list[Verdict]:
    """Every part against its threshold."""
    return [
        Verdict(
            name=name,
            instructions=counts.instructions[name],
            ratio=ratio,
            threshold=thresholds.ratios.get(name),
            tolerance=thresholds.tolerance,
        )
        for name, ratio in counts.ratios().items()
    ]


def read_thresholds(path: Path = FILE) -> Thresholds:
    """The file; without one there are no thresholds. Raises msgspec.ValidationError where it is not as it should be."""
    if not path.exists():
        return Thresholds(python="", tolerance=TOLERANCE, ratios={})
    return msgspec.convert(tomllib.loads(path.read_text()), Thresholds)


def write_thresholds(counts: Counts, path: Path = FILE) -> None:
    """Take what was counted."""
    lines = [_HEAD, f'python = "{counts.python}"', f"tolerance = {TOLERANCE}", "", "[ratios]"]
    lines += [f"{name} = {ratio:.4f}" for name, ratio in counts.ratios().items()]
    path.write_text("\n".join(lines) + "\n")
