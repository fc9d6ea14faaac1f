"""What is checked before a worker starts, with answers that say what to do."""

import asyncio

from msgspec import Struct

from streams.kafka_admin import TopicState, admin_client, check_topics, describe_cluster
from streams.protection import key_mark
from streams.redis_checks import check_redis
from streams.redis_table import RedisTable
from streams.settings import Settings


class Ground(Struct, frozen=True, kw_only=True):
    """What the checks found out. `topic_ids` is by logical topic name, "<cluster id>/<topic id>"."""

    topic_ids: dict[str, str]
    warnings: list[str]


async def check_ground(settings: Settings, table: RedisTable) -> Ground:
    """Check Kafka, topics and Redis.

    Raises AdminError (Kafka away, topics missing or with another partition count), UnfitRedis and WrongInstall
    (evicting or forgetful Redis, another number of partitions), Unavailable (no Redis).
    """
    topic_ids = await asyncio.to_thread(read_topic_ids, settings)
    warnings = await check_redis(table.link, durable_elsewhere=settings.redis.durable_elsewhere)
    await table.ensure_install(settings.kafka.partitions, key_mark(settings))
    return Ground(topic_ids=topic_ids, warnings=warnings)


def read_topic_ids(settings: Settings) -> dict[str, str]:
    """Cluster id and topic id of every topic: state belongs to exactly these logs. Blocking; raises AdminError."""
    with admin_client(settings) as client:
        states = check_topics(client, settings)
        cluster_id = describe_cluster(client).cluster_id
    return {name: topic_key(cluster_id, state) for name, state in states.items()}


def topic_key(cluster_id: str, state: TopicState) -> str:
    """What tells a topic from all others, also from one of the same name made later or on another cluster."""
    return f"{cluster_id}/{state.topic_id}"
