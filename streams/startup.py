"""What is checked before a worker starts, with answers that say what to do."""

import asyncio
from collections.abc import Collection

from msgspec import Struct

from schemas.topics import CONSUMED, INTERNAL
from streams.kafka_admin import TopicState, admin_client, check_rights, check_topics, describe_cluster, installed
from streams.protection import key_mark
from streams.redis_checks import check_redis
from streams.redis_table import RedisTable
from streams.settings import Settings
from streams.shadow import SHADOW

_OTHERS = frozenset({"models", "relay-failed"})
"""Outputs that other programs write: `regulars fit`, `regulars relay`."""


class Ground(Struct, frozen=True, kw_only=True):
    """What the checks found out. `topic_ids` is by logical topic name, "<cluster id>/<topic id>"."""

    topic_ids: dict[str, str]
    warnings: list[str]


async def check_ground(settings: Settings, table: RedisTable, now_ms: int, *, shadow: bool = False) -> Ground:
    """Check Kafka, topics, rights and Redis, for a worker or a `shadow` run, at `now_ms` by this host's clock.

    Raises AdminError (Kafka away, a right missing, topics missing or with another partition count), UnfitRedis and WrongInstall
    (evicting or forgetful Redis, one with another time, another number of partitions), Unavailable (no Redis).
    """
    topic_ids = await asyncio.to_thread(read_topic_ids, settings, written=written(settings, shadow=shadow))
    warnings = await check_redis(table.link, durable_elsewhere=settings.redis.durable_elsewhere, now_ms=now_ms)
    await table.ensure_install(settings.kafka.partitions, key_mark(settings))
    return Ground(topic_ids=topic_ids, warnings=warnings)


def written(settings: Settings, *, shadow: bool = False) -> list[str]:
    """The topics that a worker writes to, by logical name; of a shadow run those that it puts something out to."""
    if shadow:
        return [*INTERNAL, SHADOW]
    return [
        topic.name
        for topic in installed(settings)
        if topic.role in {"internal", "output"} and topic.name not in _OTHERS
    ]


def read_topic_ids(settings: Settings, *, written: Collection[str] = ()) -> dict[str, str]:
    """Cluster id and topic id of every topic: state belongs to exactly these logs. Blocking; raises AdminError.

    With `written`, also where this user may not write to these, read what workers read, or use their group.
    """
    with admin_client(settings) as client:
        states = check_topics(client, settings)
        if written:
            check_rights(client, settings, states, read=CONSUMED, written=written)
        cluster_id = describe_cluster(client).cluster_id
    return {name: topic_key(cluster_id, state) for name, state in states.items()}


def topic_key(cluster_id: str, state: TopicState) -> str:
    """What tells a topic from all others, also from one of the same name made later or on another cluster."""
    return f"{cluster_id}/{state.topic_id}"
