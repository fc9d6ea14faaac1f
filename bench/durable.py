"""How far an engine has come for good: records whose effects it would not do again after a crash."""

from pathlib import Path
from typing import Any, Protocol

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from redis import Redis


class Progress(Protocol):
    """Asked many times a second while an engine runs."""

    def done(self) -> int:
        """Records of the input that are durably worked off."""
        ...

    def close(self) -> None:
        """Let go of connections of its own."""
        ...


class GroupOffsets:
    """What a consumer group has committed in Kafka, counted up to the end of what is measured."""

    def __init__(self, admin: KafkaAdminClient, group: str, topic: str, ends: list[int]) -> None:
        self._admin, self._group, self._topic, self._ends = admin, group, topic, ends
        self._last = 0

    def done(self) -> int:
        try:
            found = self._admin.list_group_offsets([self._group])
        except KafkaError as error:
            if not error.retriable:
                raise
            return self._last  # the coordinator is busy; it will say so the next time
        offsets: dict[Any, Any] = next(iter(found.values()), {})
        self._last = sum(
            min(max(0, told.offset), self._ends[tp.partition])
            for tp, told in offsets.items()
            if tp.topic == self._topic
        )
        return self._last

    def close(self) -> None:
        """The administration client belongs to the session."""


class RedisOffsets:
    """What the partitions of a Regulars installation hold as their next offset of one topic, in the same commit as state."""

    def __init__(self, client: Redis, prefix: str, topic: str, ends: list[int]) -> None:
        self._client, self._prefix, self._topic, self._ends = client, prefix, topic, ends

    def done(self) -> int:
        asked = self._client.pipeline(transaction=False)
        for partition in range(len(self._ends)):
            asked.hget(f"{self._prefix}:{{{partition}}}:meta", f"offset:{self._topic}")
        return sum(min(int(offset or 0), end) for offset, end in zip(asked.execute(), self._ends, strict=True))

    def close(self) -> None:
        self._client.close()


class CheckpointFiles:
    """How many records the last completed checkpoint of a Flink job covers, which the job writes to a file for each subtask."""

    def __init__(self, folder: Path, records: int) -> None:
        self._folder, self._records = folder, records

    def done(self) -> int:
        found = sum(int(path.read_text()) for path in self._folder.glob("progress-*[0-9]"))
        return min(found, self._records)

    def close(self) -> None:
        """Nothing is held open."""
