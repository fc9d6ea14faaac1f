"""What an event, a record batch, a commit, a trigger and a second of readiness cost in processor time.

The processor seconds of a process over a stretch are taken as base x seconds + so much for each commit, record batch and event,
and fitted to measured loads. Loads of different rates and with record batches of different sizes tell these apart.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

from msgspec import Struct

PARTS: Final = ("worker", "redis", "kafka")
_PAYS: Final = {
    "worker": ("commits", "record_batches", "events"),
    # It sees commits and what is in them.
    "redis": ("commits", "events"),
    # A commit has outputs published.
    "kafka": ("commits", "record_batches", "events"),
}
"""What each part is taken to pay for."""


class Load(Struct, kw_only=True):
    """One measured stretch. CPU is seconds, by PARTS; `p50_ms` and `p99_ms` are from due to durable, 0 where not measured.

    `record_batches` are those of Kafka's log, as the sender made them. `offered_per_s` is the rate of a load that had one.
    """

    name: str
    seconds: float
    events: int
    record_batches: int
    commits: int
    cpu_s: tuple[float, float, float]
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    offered_per_s: float = 0.0

    @property
    def per_s(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def worker_use(self) -> float:
        """Cores that the worker used."""
        return self.cpu_s[0] / self.seconds


class Cost(Struct, frozen=True, kw_only=True):
    """Processor seconds: for each second of being there, for each commit, record batch, event."""

    base: float
    commit_s: float = 0.0
    record_batch_s: float = 0.0
    event_s: float = 0.0

    def full_s(self, commit_events: float, record_batch_events: float) -> float:
        """What an event takes in commits and record batches of so many."""
        return self.event_s + self.commit_s / commit_events + self.record_batch_s / record_batch_events


class Coefficients(Struct, frozen=True, kw_only=True):
    """Everything a plan rests on. `commit_max` is the number of events in a commit under full load, `trigger_s` the processor
    seconds of all parts for one trigger, its timer and its decisions included.
    """

    worker: Cost
    redis: Cost
    kafka: Cost
    commit_max: float
    trigger_s: float
    triggers_per_event: float
    redis_bytes_per_event: float
    log_bytes_per_event: float


def fitted(base: float, loads: Sequence[Load], part: int) -> Cost:
    """The cost that fits best: least squares of the relative error, nothing costing less than nothing.

    Raises ValueError for fewer than three loads, which can't tell three costs apart.
    """
    if len(loads) < 3:
        raise ValueError(
            "three loads at least are needed to tell the costs of commits, record batches and events apart"
        )
    pays = _PAYS[PARTS[part]]
    spent = [(load, load.cpu_s[part]) for load in loads if load.cpu_s[part] > 0]
    rows = [[getattr(load, name) / spent_s for name in pays] for load, spent_s in spent]
    targets = [(spent_s - base * load.seconds) / spent_s for load, spent_s in spent]
    found = dict(zip(pays, nonnegative_least_squares(rows, targets), strict=True))
    return Cost(
        base=base,
        commit_s=found["commits"],
        record_batch_s=found.get("record_batches", 0.0),
        event_s=found["events"],
    )


def nonnegative_least_squares(rows: Sequence[Sequence[float]], targets: Sequence[float]) -> list[float]:
    """The x >= 0 that minimises |rows x - targets|, by trying every choice of columns: the best one has no negative part.

    >>> nonnegative_least_squares([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [2.0, -1.0, 1.0])
    [1.5, 0.0]
    """
    width = len(rows[0]) if rows else 0
    best, best_error = [0.0] * width, sum(target * target for target in targets)
    for size in range(1, width + 1):
        for columns in combinations(range(width), size):
            found = _least_squares([[row[column] for column in columns] for row in rows], targets)
            if found is None or min(found) < 0:
                continue
            x = [0.0] * width
            for column, value in zip(columns, found, strict=True):
                x[column] = value
            error = sum(
                (sum(a * b for a, b in zip(row, x, strict=True)) - target) ** 2
                for row, target in zip(rows, targets, strict=True)
            )
            if error < best_error * (1 - 1e-12):
                best, best_error = x, error
    return best


def _least_squares(rows: Sequence[Sequence[float]], targets: Sequence[float]) -> list[float] | None:
    """The solution of the normal equations by elimination with pivots; None where columns depend on each other."""
    width = len(rows[0])
    # Columns are brought to one size, else a tiny pivot says nothing.
    scale = [max(abs(row[column]) for row in rows) or 1.0 for column in range(width)]
    scaled = [[value / scale[column] for column, value in enumerate(row)] for row in rows]
    matrix = [
        [sum(row[i] * row[j] for row in scaled) for j in range(width)]
        + [sum(row[i] * target for row, target in zip(scaled, targets, strict=True))]
        for i in range(width)
    ]
    for column in range(width):
        pivot = max(range(column, width), key=lambda row: abs(matrix[row][column]))
        if abs(matrix[pivot][column]) < 1e-9:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        for row in range(width):
            if row != column:
                factor = matrix[row][column] / matrix[column][column]
                matrix[row] = [a - factor * b for a, b in zip(matrix[row], matrix[column], strict=True)]
    return [matrix[row][width] / matrix[row][row] / scale[row] for row in range(width)]
