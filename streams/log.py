"""The log of events, as a partition's loop sees it: where each topic begins and ends, and a tap for each.

A log pushes what it fetches into the partition (`Partition.take`, `Partition.reached`, `Partition.lost`) and is asked for
the rest through `Log`. `MemoryLog` (streams.memory_log) and the Kafka log of a worker keep this contract. Topics go by
their logical names.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol


class Bounds(NamedTuple):
    """The first offset that a log still holds, and the offset after the last one that may be read."""

    start: int
    end: int


class Reach(NamedTuple):
    """How far reading is: the position after chunk `number` of `session`, and the end of the log.

    `end` was asked for at `asked_ms` (wall clock, noted before asking) or later. `position` may lie beyond the last record
    + 1, since transaction markers and compacted records are passed over.
    """

    session: int
    number: int
    position: int
    end: int
    asked_ms: int


class LogError(Exception):
    """The log did not answer. The partition tries again with growing pauses; nothing was lost.

    Operator action: none, unless it stays; then look at the brokers.
    """


class NotAllowed(LogError):
    """Kafka does not let this user write to a topic, or the topic is not there, or the brokers that have it are all away. What is
    to go there waits, and goes out once it may; nothing was lost.

    Operator action: give the user the right that the message names (docs/how-to/secure-connections.md), make the topic, or start
    the brokers.
    """


MENDABLE: Final = {
    "TopicAuthorizationFailedError": "this Kafka user lacks Write on topic {}",
    "ClusterAuthorizationFailedError": "this Kafka user lacks IdempotentWrite on the cluster",
    "UnknownTopicOrPartitionError": "topic {} is missing (`regulars topics create` makes it)",
    "LeaderNotAvailableError": "topic {} has a partition without a leader: the brokers that have it are away",
    "NotLeaderForPartitionError": "topic {} has a partition without a leader, or is being deleted",
}
"""By refusals that blame no row: what lacks. A person can give it, or give it back."""


def lacking(refused: Iterable[tuple[str, str]]) -> str:
    """What lacks, of refusals by topic (as the broker calls it: rights are given to that name) and reason; "" where nothing
    does.

    >>> lacking([("shop.orders", "TopicAuthorizationFailedError"), ("shop.carts", "MessageSizeTooLargeError")])
    'this Kafka user lacks Write on topic shop.orders'
    """
    return "; ".join(sorted({MENDABLE[why].format(topic) for topic, why in refused if why in MENDABLE}))


class Log(Protocol):
    """All input topics of the partitions that this worker holds. All async methods may raise LogError."""

    async def topic_ids(self) -> dict[str, str]:
        """An id for each topic, another one when it was deleted and made again; {} where there are none."""

    async def bounds(self, partition: int) -> dict[str, Bounds]:
        """Where each topic begins and ends now."""

    async def group_offsets(self, partition: int) -> dict[str, int | None]:
        """What the consumer group holds for lag tools; None where nothing was ever committed."""

    async def open(self, partition: int, offsets: dict[str, int]) -> dict[str, int]:
        """Begin a fetch session for each topic at its offset; their numbers. A topic that was revoked is left out."""

    async def close(self, partition: int) -> None:
        """End all sessions of the partition."""

    async def prove_ownership(self, partition: int, offsets: dict[str, int]) -> bool:
        """Whether the group accepts an offset commit from this worker now: a zombie's is refused."""

    def stored(self, partition: int, offsets: dict[str, int]) -> None:
        """Tell what the table holds now, for lag tools."""

    def pause(self, partition: int, topic: str) -> None:
        """Fetch no more until `resume`."""

    def resume(self, partition: int, topic: str) -> None:
        """Go on fetching."""
