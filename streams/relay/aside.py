"""The topic `relay-failed` as it is now, and what lies there sent again: who may be written to, the calls, and the word on it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from profiles.rules import Rules
from streams.looking_on import looker_on, places_of, read_to
from streams.profile_lookup import follow
from streams.relay.again import Again, Meant, customer_of, in_the_way, lying
from streams.relay.delivery import Delivered, Failure, message_sent
from streams.relay.run import FAILED_TOPIC, client, need_relay_topics, now_ms, producer, relay_of, tell
from streams.settings import Settings
from streams.table import Table


def read_failures(settings: Settings, meant: Meant) -> list[Failure]:
    """What lies on the topic now. Raises AdminError where it is missing, or without a broker."""
    return lying(_values(settings), meant)


def _values(settings: Settings) -> Iterator[bytes]:
    places = places_of(settings, [FAILED_TOPIC])
    with looker_on(settings) as consumer:
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        for found in read_to(consumer, consumer.end_offsets(places)):
            yield from (record.value for records in found.values() for record in records if record.value is not None)


async def held_up(table: Table, settings: Settings, rules: Rules, failures: Sequence[Failure]) -> list[str | None]:
    """For each why it must not go out now, of IN_THE_WAY; None where it may. Raises TableError."""
    reasons = []
    for failure in failures:
        found = await follow(table, customer_of(failure), settings.kafka.partitions)
        profile = None if found is None else found.profile
        reasons.append(in_the_way(failure, profile, rules, now_ms()))
    return reasons


def send(
    settings: Settings, name: str, failures: Sequence[Failure], told: Callable[[Failure, Failure | None], None]
) -> tuple[Counter[str], str]:
    """Send them to the receiver of a relay: what came of how many, and why it was let alone before the end, if it was. `told`
    hears of each as it is tried. Raises SettingsError, AdminError, KafkaError.
    """
    relay = relay_of(settings, name)
    need_relay_topics(settings, name)

    async def run() -> tuple[Counter[str], str]:
        async with client(relay) as post, producer(settings) as to:

            async def note(failure: Failure, again: Failure | None) -> None:
                told(failure, again)
                if again is not None:
                    return
                at_ms = now_ms()
                taken = Delivered(relay=name, trigger_id=failure.trigger_id, name=failure.name, at_ms=at_ms)
                key = (failure.trigger_id or "").encode()
                await to.send_and_wait(settings.topic(FAILED_TOPIC), value=msgspec.json.encode(taken), key=key)
                await tell(settings, to, message_sent(failure, at_ms))

            again = Again(name, relay, post, note, now_ms=now_ms)
            return await again.send(failures), again.ended

    return asyncio.run(run())
