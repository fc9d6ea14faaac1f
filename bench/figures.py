"""From the marks of a run to figures. A mark is taken whenever durable progress has moved.

- events/s, whole run: from the first mark to the last, by the records between them. What came before the first mark (start-up,
  the records of the first commit) is left out for every engine alike.
- events/s, second half: from the first mark at or beyond half of the records to the last.
- CPU seconds per million: the same stretch as the whole run, for the engine, Redis and the broker apart.
"""

import statistics
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

KEEP_EVERY_S: Final = 1.0


class Mark(Struct, array_like=True):
    """Seconds since the engine was started, records durably done, and CPU seconds used by then."""

    at_s: float
    done: int
    engine_cpu_s: float
    kafka_cpu_s: float
    redis_cpu_s: float

    def cpu(self) -> tuple[float, float, float]:
        """The CPU seconds of engine, broker and Redis."""
        return self.engine_cpu_s, self.kafka_cpu_s, self.redis_cpu_s


class Rates(Struct, kw_only=True):
    """The figures of one run. CPU is seconds per million events."""

    per_s: float
    second_half_per_s: float | None
    engine_cpu: float
    redis_cpu: float
    kafka_cpu: float
    start_s: float


def rates(marks: Sequence[Mark], records: int) -> Rates:
    """The figures of a run that came to its end. Raises ValueError where there are fewer than two marks: too short a run."""
    if len(marks) < 2 or marks[-1].done < records:
        raise ValueError("the run has no two marks, or did not end")
    first, last = marks[0], marks[-1]
    half = next(mark for mark in marks if mark.done * 2 >= records)
    worked = last.done - first.done
    return Rates(
        per_s=worked / (last.at_s - first.at_s),
        # One commit may hold the whole second half; then there is nothing to tell it from the whole.
        second_half_per_s=(last.done - half.done) / (last.at_s - half.at_s) if half is not last else None,
        engine_cpu=(last.engine_cpu_s - first.engine_cpu_s) / worked * 1e6,
        redis_cpu=(last.redis_cpu_s - first.redis_cpu_s) / worked * 1e6,
        kafka_cpu=(last.kafka_cpu_s - first.kafka_cpu_s) / worked * 1e6,
        start_s=first.at_s,
    )


def thinned(marks: Sequence[Mark], records: int) -> list[Mark]:
    """Fewer marks that give the same figures: the first, that of the half, the last, and of the rest one each KEEP_EVERY_S."""
    kept: list[Mark] = []
    half = next((mark for mark in marks if mark.done * 2 >= records), None)
    for mark in marks:
        if not kept or mark is half or mark is marks[-1] or mark.at_s - kept[-1].at_s >= KEEP_EVERY_S:
            kept.append(Mark(round(mark.at_s, 3), mark.done, *(round(cpu_s, 3) for cpu_s in mark.cpu())))
    return kept


class Spread(Struct, frozen=True):
    """Median, least and most of some rounds."""

    median: float
    least: float
    most: float

    def show(self, form: Callable[[float], str]) -> str:
        """`median (least to most)`, or the one value where all are written alike."""
        median, least, most = form(self.median), form(self.least), form(self.most)
        return median if least == most else f"{median} ({least} to {most})"


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value.

    >>> spread([3.0, 1.0, 2.0])
    Spread(median=2.0, least=1.0, most=3.0)
    """
    return Spread(statistics.median(values), min(values), max(values))
