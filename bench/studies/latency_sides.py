"""The engines of the study of latency: how each is set up for it, and where its effects show."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from bench.engines import Engine
from bench.engines.jvm import KafkaStreamsPeer
from bench.engines.regulars import RULES, Regulars
from bench.live import LiveRun
from bench.timetable import Stretch
from bench.watches import OffsetWatch, RecordWatch, Watch, as_change, as_order_output


class Side(Protocol):
    """An engine, and where its effects show."""

    engine: Engine
    sampled: tuple[int, ...]

    def profiles(self, run: LiveRun, stretch: Stretch) -> Watch:
        """Who looks at profiles."""
        ...

    def latencies(self, stretch: Stretch, watch: Any, settle_s: float) -> list[float]:
        """What the watch saw."""
        ...

    def outputs(self, run: LiveRun) -> RecordWatch:
        """Who looks at what orders cause."""
        ...


class RegularsSide:
    """The cart reminder goes out as soon as the clock has passed the change of the cart (no delay, no allowance for events out
    of order), so nearly every order settles one: it takes it back, or counts as its conversion, in a record that names the order.
    """

    sampled: tuple[int, ...] = ()

    def __init__(self) -> None:
        rules = RULES.replace('delay = "30min"', 'delay = "0ms"')
        self.engine: Engine = Regulars(rules, {"REGULARS_CLOCK_DISORDER_MS": "0"})

    def profiles(self, run: LiveRun, stretch: Stretch) -> OffsetWatch:
        assert run.ground.redis is not None
        return OffsetWatch(run.ground.redis, run.ground.partitions, witnesses=stretch.witnesses)

    def latencies(self, stretch: Stretch, watch: OffsetWatch, settle_s: float) -> list[float]:
        return stretch.of_profiles(watch.moves, settle_s=settle_s)

    def outputs(self, run: LiveRun) -> RecordWatch:
        return _outputs(run, ("trigger-cancelled", "trigger-converted"))


class KafkaStreamsSide:
    """Its job answers each order with a record. Of the changelog of customers two partitions are read: all partitions of a
    thread are committed together, and reading all would take a core from the engine.
    """

    sampled: tuple[int, ...] = (0, 4)

    def __init__(self) -> None:
        self.engine: Engine = KafkaStreamsPeer({"BENCH_COMMIT_MS": "100", "BENCH_ORDER_OUTPUT": "true"})

    def profiles(self, run: LiveRun, stretch: Stretch) -> RecordWatch:
        changelog = f"{run.ground.prefix}-customers-changelog"
        return RecordWatch(run.servers.kafka.bootstrap, [(changelog, number) for number in self.sampled], as_change)

    def latencies(self, stretch: Stretch, watch: RecordWatch, settle_s: float) -> list[float]:
        return stretch.of_changes(watch.found, settle_s=settle_s)

    def outputs(self, run: LiveRun) -> RecordWatch:
        return _outputs(run, ("triggers",))


SIDES: Final[dict[str, type[Side]]] = {"regulars": RegularsSide, "kafka-streams": KafkaStreamsSide}


def _outputs(run: LiveRun, topics: Sequence[str]) -> RecordWatch:
    places = [(run.ground.topic(topic), number) for topic in topics for number in range(run.ground.partitions)]
    return RecordWatch(run.servers.kafka.bootstrap, places, as_order_output)
