"""Erasing a whole shop: its keys in Redis, its topics and its consumer group in Kafka. For when the shop leaves.

Nothing of it may be running: a worker or a collector would write anew what has just gone. Stopped at any point in between, it
is run again.
"""

from typing import TYPE_CHECKING

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from msgspec import Struct

from schemas.topics import TOPICS
from streams.kafka_admin import AdminError, describe_topics, drop
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.redis_table import RedisTable

_INPUTS = frozenset(topic.name for topic in TOPICS if topic.role == "input")


class Running(AdminError):
    """A member of the installation's consumer group is alive. Nothing was erased. Operator action: stop all its processes."""


class Gone(Struct, frozen=True, kw_only=True):
    """What was erased: keys in Redis, and topics by their names on the broker. `kept` are input topics left to their owner."""

    keys: int
    topics: tuple[str, ...]
    kept: tuple[str, ...]


def refuse_running(client: KafkaAdminClient, settings: Settings) -> None:
    """Raises Running while a worker is a member of the group."""
    group = client.describe_groups([settings.kafka.group]).get(settings.kafka.group, {})
    members = group.get("members") or ()
    if members:
        raise Running(
            f"{len(members)} members of the group {settings.kafka.group} are alive. Stop the workers, the collector and "
            "the relays of the shop first"
        )


async def erase_keys(table: "RedisTable", partitions: int) -> int:
    """Delete every key of the installation; how many there were. Raises TableError."""
    wiped = sum([await table.wipe(partition) for partition in range(partitions)])
    return wiped + await table.remove(partitions)


def erase_log(client: KafkaAdminClient, settings: Settings, *, keep_inputs: bool) -> tuple[list[str], list[str]]:
    """Delete the topics and what the group has read of them; the names deleted, and those of input topics that were kept."""
    states = describe_topics(client, settings)
    kept = [state.name for name, state in states.items() if keep_inputs and name in _INPUTS]
    names = [state.name for state in states.values() if state.name not in kept]
    drop(client, names)
    try:
        client.delete_groups([settings.kafka.group])
    except KafkaError as error:
        raise AdminError(f"the group {settings.kafka.group} could not be deleted: {type(error).__name__}") from error
    return sorted(names), sorted(kept)
