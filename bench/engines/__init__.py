"""The engines as the harness sees them: how each is built, started, watched, and what it says of itself.

`ENGINES` is the list, by name. A new peer is a program under bench/peers and an `Engine` here.
"""

from bench.engines.engine import Engine, Ground
from bench.engines.jvm import FLINK_HEAP, FLINK_ROCKSDB, KAFKA_STREAMS
from bench.engines.python import FAUST, QUIX_STREAMS, REDIS_LOOP
from bench.engines.regulars import REGULARS, REGULARS_IN_PYTHON, REGULARS_IN_TEXTS

__all__ = ["ENGINES", "OTHER_FORMS", "Engine", "Ground"]

ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        REGULARS,
        REGULARS_IN_PYTHON,
        REGULARS_IN_TEXTS,
        FLINK_HEAP,
        FLINK_ROCKSDB,
        KAFKA_STREAMS,
        QUIX_STREAMS,
        REDIS_LOOP,
        FAUST,
    )
}
"""In the order in which they run and are shown."""
OTHER_FORMS = frozenset((REGULARS_IN_PYTHON.name, REGULARS_IN_TEXTS.name, FLINK_ROCKSDB.name))
"""Engines that are there a second time."""
