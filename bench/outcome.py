"""Reading what an engine came to, and holding it against the reference. A wrong result has no speed."""

import time
from collections.abc import Callable, Iterator
from math import isclose
from typing import Final, Self

import msgspec
from kafka import KafkaConsumer, TopicPartition

from bench.job import CartTrigger, Expected, Totals

PATIENCE_S: Final = 60.0
QUIET_S: Final = 2.0
SCORE_TOLERANCE: Final = 1e-3
"""Regulars keeps scores as whole numbers of which a single view is 10,000; it shows four decimals."""
EXAMPLES: Final = 3

Reader = Callable[[bytes], CartTrigger | None]


class TriggerShape(msgspec.Struct):
    """A trigger as the peers write it."""

    customer: str
    cart_id: str
    due_ms: int
    value_minor: int


class TotalsShape(Totals, kw_only=True):
    """Totals as the peers write them."""

    customer: str


_trigger = msgspec.json.Decoder(TriggerShape)
_totals = msgspec.json.Decoder(TotalsShape)


def peer_trigger(value: bytes) -> CartTrigger:
    """A peer's trigger."""
    found = _trigger.decode(value)
    return CartTrigger(found.customer, found.cart_id, found.due_ms, found.value_minor)


class Topic:
    """Reads a topic from its start, only what was committed."""

    def __init__(self, bootstrap: str, name: str, partitions: int) -> None:
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            max_poll_records=5_000,
            max_partition_fetch_bytes=4 << 20,
        )
        self._tps = [TopicPartition(name, partition) for partition in range(partitions)]
        self._consumer.assign(self._tps)
        self._consumer.seek_to_beginning(*self._tps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read(self) -> Iterator[bytes]:
        """The values that are there and were not read yet; waits a moment for more."""
        for found in self._consumer.poll(timeout_ms=300).values():
            for record in found:
                yield record.value


def read_triggers(topic: Topic, expected: Expected, reader: Reader) -> list[CartTrigger]:
    """What was sent and is compared, in no order. Waits for what is missing up to PATIENCE_S, for more QUIET_S."""
    found: list[CartTrigger] = []
    deadline = time.monotonic() + PATIENCE_S
    quiet_since: float | None = None
    while time.monotonic() < deadline:
        some = False
        for value in topic.read():
            some = True
            trigger = reader(value)
            if trigger is not None and trigger.due_ms <= expected.until_ms:
                found.append(trigger)
        if some or len(found) < len(expected.triggers):
            quiet_since = None
        elif quiet_since is None:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > QUIET_S:
            break
    return found


def read_totals(topic: Topic, customers: int) -> dict[str, Totals]:
    """The totals that a peer wrote, by customer."""
    found: dict[str, Totals] = {}
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < customers and time.monotonic() < deadline:
        for value in topic.read():
            told = _totals.decode(value)
            found[told.customer] = told
            deadline = time.monotonic() + PATIENCE_S
    return found


def difference(expected: Expected, totals: dict[str, Totals], triggers: list[CartTrigger]) -> str | None:
    """What is wrong with a result, in words and with examples; None where it is right."""
    return _triggers_differ(expected.triggers, triggers) or totals_differ(expected.totals, totals)


def _triggers_differ(expected: list[CartTrigger], found: list[CartTrigger]) -> str | None:
    wanted, sent = set(expected), set(found)
    if len(sent) != len(found):
        return f"{len(found) - len(sent):,} triggers were sent twice"
    if wanted == sent:
        return None
    missing, more = sorted(wanted - sent), sorted(sent - wanted)
    return (
        f"triggers: {len(missing):,} of {len(wanted):,} missing, {len(more):,} too many; "
        f"missing {missing[:EXAMPLES]}, too many {more[:EXAMPLES]}"
    )


def totals_differ(expected: dict[str, Totals], found: dict[str, Totals]) -> str | None:
    """What is wrong with the customers, in words and with examples; None where all are right."""
    wrong = []
    for customer, wanted in expected.items():
        told = found.get(customer)
        if told is None or (problem := _customer_differs(wanted, told)):
            wrong.append(f"{customer}: {'not there' if told is None else problem}")
    if len(found) > len(expected):
        wrong.append(f"{len(found) - len(expected):,} customers who sent nothing")
    return f"totals of {len(wrong):,} customers: {'; '.join(wrong[:EXAMPLES])}" if wrong else None


def _customer_differs(wanted: Totals, told: Totals) -> str | None:
    for name in ("orders", "gross_minor", "discount_minor", "refund_minor", "net_minor"):
        expected, actual = getattr(wanted, name), getattr(told, name)
        if expected != actual:
            return f"{name} {actual}, right is {expected}"
    if wanted.interests.keys() != told.interests.keys():
        return f"interests {sorted(told.interests)}, right are {sorted(wanted.interests)}"
    for category, score in wanted.interests.items():
        if not isclose(score, told.interests[category], rel_tol=SCORE_TOLERANCE):
            return f"interest in {category} {told.interests[category]}, right is {score}"
    return None
