"""Publishing events to Kafka as a shop's tracker would: right topic, right key, right partition, nothing lost.

The key is the home identifier's value and the partition its murmur2 hash, given explicitly, since producers in other
languages hash differently by default. The producer is idempotent, waits for all replicas, and compresses.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from kafka import KafkaProducer
from msgspec import Struct
from msgspec.structs import replace

from schemas.decode import Decoder, Problem
from schemas.events import AnyEvent, Event
from schemas.routing import topic_of
from schemas.spend import read_record
from schemas.split import unfold
from schemas.topics import CONSUMED, INTERNAL
from streams.home import home_partition
from streams.kafka_admin import admin_client, describe_topics, refuse_missing
from streams.settings import Settings
from streams.sources import Line
from streams.sources.errors import SourceError

BROKER_PATIENCE_MS = 10_000
SPEND = "spend"
UNKNOWN_TOPIC = "clickstream"
"""Where a line goes that is no event we know: the worker sets it aside with the reason, as it would any tracker's."""

_FLUSH_EVERY = 20_000  # bounds what waits in the producer's memory, about 10 MB
_MOVED = ("timestamp_ms", "received_at_ms", "sent_at_ms", "original_timestamp_ms")


class Fed(Struct):
    """What was published: events by topic, and how many lines no decoder understood."""

    by_topic: dict[str, int] = {}
    not_understood: int = 0

    @property
    def events(self) -> int:
        return sum(self.by_topic.values())


class Noted(Struct):
    """What is to be said of a file: why lines are no events (how many by reason, and the first detail of each), and how many
    events say no time.
    """

    refused: dict[str, int] = {}
    first: dict[str, str] = {}
    timeless: int = 0

    def refuse(self, problem: Problem) -> None:
        """Note a line that is no event."""
        self.refused[problem.reason] = self.refused.get(problem.reason, 0) + 1
        self.first.setdefault(problem.reason, problem.detail)


def as_lines(
    values: Iterable[bytes], decoder: Decoder, noted: Noted | None = None, *, now_ms: int = 0
) -> Iterator[Line]:
    """Lines of a file with the topic and key each belongs on. What can't be decoded keeps key "" and UNKNOWN_TOPIC.

    A worker takes what says no time as of its arrival: with `now_ms` so does this, and such a line keeps time 0.
    """
    noted = noted or Noted()
    for value in values:
        for found, record in unfold(value, decoder):
            timed = found
            if isinstance(found, Problem) and now_ms and found.reason == "missing_field":
                timed = decoder.decode(record, now_ms)
            if isinstance(timed, Problem):
                noted.refuse(found if isinstance(found, Problem) else timed)
                yield Line(0, UNKNOWN_TOPIC, "", record)
                continue
            noted.timeless += timed is not found
            time_ms = timed.event.timestamp_ms if timed is found else 0
            yield Line(time_ms, topic_of(timed.event), timed.home, record)


def as_spend(values: Iterable[bytes]) -> Iterator[Line]:
    """Records of the topic `spend` under the keys they must have. What can't be read keeps key "": a report sets it aside."""
    for value in values:
        found = read_record(value)
        yield Line(0, SPEND, "" if isinstance(found, Problem) else found.key, value)


def shifted(lines: Iterable[Line], by_ms: int, decoder: Decoder) -> Iterator[Line]:
    """The events with all their instants moved by `by_ms`, in canonical form.

    An event that does not say when it was received is given its own (moved) time: else the worker would take all that is
    older than a day for an import, which arms nothing. What can't be decoded passes as it is.
    """
    canonical = msgspec.json.Decoder(AnyEvent)
    for line in lines:
        try:
            event: Event = canonical.decode(line.value)
        except (ValueError, RecursionError):
            arrival = decoder.decode(line.value, line.time_ms)
            if isinstance(arrival, Problem):
                yield line
                continue
            event = arrival.event
        moves: dict[str, Any] = {name: value + by_ms for name in _MOVED if (value := getattr(event, name)) is not None}
        moves.setdefault("received_at_ms", event.timestamp_ms + by_ms)
        yield line._replace(time_ms=line.time_ms + by_ms, value=msgspec.json.encode(replace(event, **moves)))


def feed(
    lines: Iterable[Line],
    settings: Settings,
    *,
    rate: float | None = None,
    topic: str | None = None,
    progress: Callable[[Fed], None] = lambda _: None,
    every: int = 1000,
) -> Fed:
    """Publish the lines, at most `rate` a second, and wait until the broker has them all.

    `topic` (logical name) overrides the topic of each event's kind. `progress` is called every so many events. Raises
    kafka.errors.KafkaError, AdminError without a broker or where a topic is missing.
    """
    counts = _partitions(settings, topic)
    producer = KafkaProducer(
        **settings.to_kafka_python(),
        acks="all",
        enable_idempotence=True,
        compression_type=settings.kafka.codec,
        linger_ms=20,
        batch_size=256 * 1024,
        bootstrap_timeout_ms=BROKER_PATIENCE_MS,
        max_block_ms=30_000,
        allow_auto_create_topics=False,
    )
    fed = Fed()
    failures: list[Exception] = []
    try:
        began = time.monotonic()
        for number, line in enumerate(lines, 1):
            if rate:
                ahead_s = (number - 1) / rate - (time.monotonic() - began)
                if ahead_s > 0.005:
                    if ahead_s > 0.5:
                        progress(fed)
                    time.sleep(ahead_s)
            name = topic or line.topic
            # A topic that keeps the newest of each key takes no record without one.
            key = line.key.encode() if line.key or name == SPEND else None
            # A record without a key has no home: the worker finds its own, wherever it lies.
            partition = home_partition(line.key, counts[name]) if key else number % counts[name]
            sent = producer.send(settings.topic(name), value=line.value, key=key, partition=partition)
            sent.add_errback(failures.append)
            fed.by_topic[name] = fed.by_topic.get(name, 0) + 1
            fed.not_understood += line.key == ""
            if number % _FLUSH_EVERY == 0:
                producer.flush()
            if number % every == 0:
                progress(fed)
            if failures:
                raise failures[0]
        producer.flush()
        if failures:
            raise failures[0]
    finally:
        producer.close(timeout=10)
    progress(fed)
    return fed


def _partitions(settings: Settings, topic: str | None) -> dict[str, int]:
    """Partitions of each topic that lines may go to, by logical name: who sends events need not see what workers keep among
    themselves. Raises AdminError where one is missing, SourceError where one has more than another.
    """
    with admin_client(settings) as client:
        states = describe_topics(client, settings)
    refuse_missing(
        settings, states, [name for name in (*CONSUMED, SPEND) if name not in {*INTERNAL, SPEND} or name == topic]
    )
    seen = [states[name] for name in CONSUMED if name in states]
    least, most = (pick(seen, key=lambda state: state.partitions) for pick in (min, max))
    if least.partitions != most.partitions:
        raise SourceError(
            f"topic {most.name} has {most.partitions} partitions and topic {least.name} has {least.partitions}: "
            "no worker would read what goes to the partitions that not all have.\n  regulars doctor says which are wrong"
        )
    return {name: states[name].partitions for name in (*CONSUMED, SPEND) if name in states}
