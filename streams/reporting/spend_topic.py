"""What channels cost, from the topic `spend`: the newest record of each channel and day, in the shop's currency.

Records that can't be used go to the topic `rejected`, each under the id of its place, so that reading it again at the next report
sets nothing aside a second time. `fold` is pure; `read_topic` reads and `set_aside` publishes.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from kafka import TopicPartition
from msgspec import Struct

from profiles.book import Book
from profiles.order_currency import rate_of
from profiles.rates import ONE, scaled
from schemas.outputs import Rejected
from schemas.reasons import Problem
from schemas.spend import ChannelSpend, decode_spend
from streams.kafka_admin import admin_client, describe_topics
from streams.kafka_producer import KafkaPublisher
from streams.looking_on import looker_on, read_to
from streams.record import Record
from streams.rows import reject, row_of_reject
from streams.settings import Settings

TOPIC: Final = "spend"


class Spent(Struct, frozen=True):
    """Minor units of the shop's currency by channel and month (year * 12 + month - 1), and what was set aside."""

    by_month: dict[tuple[str, int], int]
    rejected: list[Rejected]


def fold(records: Iterable[tuple[int, Record]], book: Book) -> Spent:
    """What is spent, from (partition, record) of the whole topic, each partition in the order of its log.

    A record that can't be used leaves what its key said before as it was, and is told of until its key is corrected.
    """
    newest: dict[bytes, tuple[ChannelSpend, int]] = {}
    rejected: dict[bytes, list[Rejected]] = {}
    for partition, record in records:
        key = record.key or b""
        if record.value is None:
            newest.pop(key, None)
            rejected.pop(key, None)
            continue
        found = decode_spend(record.key, record.value)
        amount = found if isinstance(found, Problem) else _in_shop_currency(found, book)
        if isinstance(amount, Problem):
            rejected.setdefault(key, []).append(reject(record, TOPIC, partition, amount.reason, amount.detail))
        else:
            assert isinstance(found, ChannelSpend)
            newest[key] = (found, amount)
            rejected.pop(key, None)
    by_month: dict[tuple[str, int], int] = {}
    for spend, minor in newest.values():
        place = (spend.channel, spend.day.year * 12 + spend.day.month - 1)
        by_month[place] = by_month.get(place, 0) + minor
    return Spent(by_month, [one for told in rejected.values() for one in told])


def _in_shop_currency(spend: ChannelSpend, book: Book) -> int | Problem:
    currency = spend.currency or book.shop_currency
    at_ms = int(datetime(spend.day.year, spend.day.month, spend.day.day, tzinfo=UTC).timestamp() * 1000)
    rate = rate_of(currency, at_ms, book)
    if rate is None:
        return Problem("no_rate", f"no rate of {currency} into {book.shop_currency} is known for {spend.day}")
    return spend.amount_minor if rate is ONE else scaled(spend.amount_minor, rate.num, rate.den)


def read_topic(settings: Settings, book: Book) -> Spent | None:
    """The topic as it is now; None where it was never made. Raises AdminError without a broker."""
    with admin_client(settings) as client:
        state = describe_topics(client, settings).get(TOPIC)
    if state is None:
        return None
    places = [TopicPartition(state.name, number) for number in range(state.partitions)]
    found: list[tuple[int, Record]] = []
    with looker_on(settings) as consumer:
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        for batches in read_to(consumer, consumer.end_offsets(places)):
            for place, records in batches.items():
                found += [(place.partition, Record(one.offset, one.timestamp, one.key, one.value)) for one in records]
    return fold(found, book)


async def set_aside(settings: Settings, rejected: Iterable[Rejected]) -> None:
    """Publish what can't be used to `rejected`."""
    publisher = KafkaPublisher(settings)
    await publisher.start()
    try:
        await publisher.publish([row_of_reject(one) for one in rejected])
    finally:
        await publisher.stop()
