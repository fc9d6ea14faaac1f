"""A run beside the live one, to try rules on live events: it reads the same inputs and is seen by nobody.

It has a consumer group, keys in Redis and internal topics of its own, and puts nothing out but triggers, on the shadow topic.
"""

import re
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from schemas.outputs import Outgoing
from schemas.topics import INTERNAL
from streams.outbox import Publisher
from streams.settings import Settings

SHADOW = "triggers-shadow"
NAME: Final = "[a-z0-9-]{1,40}"
"""What a shadow run may be called: its name stands in those of topics."""
_OF_A_SHADOW: Final = re.compile(f".+-shadow-({NAME})")
"""The prefix of a shadow run's keys, as `shadowed` names it."""


def shadowed(settings: Settings, name: str) -> Settings:
    """The settings of a shadow run of this name beside the installation that the settings are of.

    >>> own = shadowed(Settings(), "autumn")
    >>> own.kafka.group, own.redis.prefix, own.topic("forwards"), own.topic("carts")
    ('regulars-shadow-autumn', 'regulars-shadow-autumn', 'shadow-autumn-forwards', 'carts')
    """
    kafka, redis = settings.kafka, settings.redis
    return replace(
        settings,
        kafka=replace(
            kafka, group=f"{kafka.group}-shadow-{name}", internal_prefix=f"{kafka.topic_prefix}shadow-{name}-"
        ),
        redis=replace(redis, prefix=f"{redis.prefix}-shadow-{name}"),
    )


def is_shadow(settings: Settings) -> bool:
    """Whether the keys in Redis that the settings name are those of a shadow run, by which nobody was sent anything.

    >>> is_shadow(Settings()), is_shadow(shadowed(Settings(), "autumn"))
    (False, True)
    """
    return _OF_A_SHADOW.fullmatch(settings.redis.prefix) is not None


def topics_command(settings: Settings) -> str:
    """What makes the topics that the settings name.

    >>> topics_command(shadowed(Settings(), "autumn"))
    'regulars topics create --shadow autumn'
    """
    found = _OF_A_SHADOW.fullmatch(settings.redis.prefix) if settings.kafka.internal_prefix else None
    return "regulars topics create" if found is None else f"regulars topics create --shadow {found[1]}"


class ShadowPublisher:
    """Publishes would-be triggers and what workers write for each other; all else counts as published and goes nowhere."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def publish(self, rows: Sequence[Outgoing]) -> list[str | None]:
        """As the publisher does, for the rows that go out."""
        places = [at for at, row in enumerate(rows) if row.topic == SHADOW or row.topic in INTERNAL]
        outcomes: list[str | None] = [None] * len(rows)
        for at, outcome in zip(places, await self._publisher.publish([rows[at] for at in places]), strict=True):
            outcomes[at] = outcome
        return outcomes

    async def ends(self, topic: str, partition: int) -> int:
        """Where an output ends."""
        return await self._publisher.ends(topic, partition)

    async def tail(self, topic: str, partition: int, since: int) -> tuple[set[str], int]:
        """What an output has got since."""
        return await self._publisher.tail(topic, partition, since)

    def broker_name(self, topic: str) -> str:
        """What the broker calls a topic."""
        return self._publisher.broker_name(topic)
