"""Topics read from outside, by commands: up to their ends as they are now, by a client in no group, which leaves no trace."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from streams.kafka_admin import AdminError, admin_client, describe_topics, refuse_missing
from streams.settings import Settings

QUIET_S: Final = 5.0
"""After so long without a record Kafka is asked whether it is there: its client waits for a broker without a word."""
ANSWER_MS: Final = 5000
POLL_MS: Final = 500


def places_of(settings: Settings, names: Sequence[str]) -> list[TopicPartition]:
    """Every partition of topics, by logical names. Raises AdminError where one is missing, or without a broker."""
    with admin_client(settings) as client:
        states = describe_topics(client, settings)
    refuse_missing(settings, states, names)
    return [TopicPartition(states[name].name, number) for name in names for number in range(states[name].partitions)]


@contextmanager
def looker_on(settings: Settings) -> Iterator[Any]:
    """A consumer of committed records, closed afterwards. Raises KafkaError without a broker."""
    consumer = KafkaConsumer(
        **settings.to_kafka_python(), group_id=None, isolation_level="read_committed", bootstrap_timeout_ms=10_000
    )
    try:
        yield consumer
    finally:
        consumer.close()


def read_to(consumer: Any, ends: Mapping[TopicPartition, int]) -> Iterator[dict[TopicPartition, list[Any]]]:
    """What each poll brings, until all ends are reached; the last ones may bring records from beyond them.

    Raises AdminError once no broker answers any more.
    """
    heard_s = time.monotonic()
    while any(_is_before(consumer, place, end) for place, end in ends.items()):
        found: dict[TopicPartition, list[Any]] = consumer.poll(timeout_ms=POLL_MS)
        if found or time.monotonic() - heard_s >= QUIET_S:
            if not found and not answers(consumer, list(ends)):
                names = ", ".join(sorted({place.topic for place in ends}))
                raise AdminError(f"Kafka stopped answering before the end of {names}: not all of it was read")
            heard_s = time.monotonic()
        yield found


def _is_before(consumer: Any, place: TopicPartition, end: int) -> bool:
    position = consumer.position(place, timeout_ms=POLL_MS)  # None as long as no broker says where the topic begins
    return position is None or position < end


def answers(consumer: Any, places: Sequence[TopicPartition]) -> bool:
    """Whether a broker says where these topics end."""
    try:
        consumer.end_offsets(places, timeout_ms=ANSWER_MS)
    except KafkaTimeoutError:
        return False
    return True
