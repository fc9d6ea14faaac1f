"""Records on their way to other partitions: to the home of their customer, or, about the shop, to all. What is written with
them, and what is read of it.

A forwarded record keeps its bytes. Headers say where it came from, so that its home can drop what it has had before: the
sender's outbox is published in order, so whatever lies between the first and the highest origin seen from a source is a
repetition. A topic that was deleted and made again is another source: its offsets begin anew. Where a redirect led to the
home, it may lie there and be none (`is_uncertain`): then the profile is asked whether it had it.
"""

from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from profiles.turn import Mail
from schemas.events import ID_TYPES, Arrival, CatalogueEvent
from schemas.moves import MOVES
from schemas.outputs import Outgoing
from streams.record import Record

FORWARDS: Final = "forwards"
FANOUT: Final = "fanout"
ELSEWHERE: Final = frozenset({FORWARDS, FANOUT, MOVES})
"""Internal topics whose records may be for any partition."""
HOPS_MAX: Final = 4
"""A record that was sent on this often and is still not at home is set aside."""
UNMARKED: Final = "0"
"""Stands in place of a topic's mark where the log tells no ids of topics, and in records that earlier releases sent on."""


class Origin(NamedTuple):
    """Where a forwarded record stood before: "topic/partition", with the topic's mark where there is one, and its offset there;
    how often it was sent on.
    """

    source: str
    offset: int
    hops: int


def mark_of(topic_id: str) -> str:
    """What tells a topic from another one of the same name, made before or after it, short enough to go with each record."""
    return blake2b(topic_id.encode(), digest_size=4).hexdigest()


def row_of_forward(
    topic: str,
    partition: int,
    record: Record,
    *,
    customer: str,
    home: int,
    hops: int,
    redirected: bool = False,
    shared: bool = False,
    again: bool = False,
    mark: str = UNMARKED,
) -> Outgoing:
    """The row that carries a record to its home; `hops` counts this one, `mark` is that of the topic it came from.

    `redirected`: it does not name `customer` as its own, but an identifier that belongs to her, `shared` where that belonged
    to others too. `again`: it may have been sent on before.
    """
    assert record.value is not None
    record_id = f"{topic}/{partition}/{record.offset}/{mark}"
    headers = {
        "origin": record_id,
        "hops": str(hops),
        # Without a time of receipt of its own the event counts as received when it first came.
        "origin-timestamp": str(arrival_ms(record.headers, record.timestamp_ms)),
    }
    if redirected:
        headers["profile"] = customer
    if shared:
        headers["shared"] = "1"
    if again:
        headers["again"] = "1"
    return Outgoing(FORWARDS, record_id, customer, home, Raw(record.value), headers)


def row_of_mail(mail: Mail, home: int) -> Outgoing:
    """The row that carries an event of our own to another home. It has no origin: such events may be repeated freely."""
    return Outgoing(FORWARDS, f"mail/{mail.event.message_id}", mail.home, home, Raw(msgspec.json.encode(mail.event)))


def rows_of_fanout(
    topic: str,
    partition: int,
    record: Record,
    *,
    subject: str,
    partitions: int,
    product: str | None = None,
    variant: str | None = None,
) -> list[Outgoing]:
    """The rows that carry a record about the shop to every partition. One that comes twice does no harm.

    `product` and `variant` are what it is about where it does not name its product itself.
    """
    assert record.value is not None
    record_id, value = f"{topic}/{partition}/{record.offset}/0", Raw(record.value)
    headers = {"origin": record_id, "origin-timestamp": str(arrival_ms(record.headers, record.timestamp_ms))}
    if product is not None:
        headers["product"] = product
    if variant is not None:
        headers["variant"] = variant
    return [Outgoing(FANOUT, record_id, subject, to, value, headers) for to in range(partitions)]


def origin_of(headers: tuple[tuple[str, bytes], ...]) -> Origin | None:
    """The origin in a record's headers; None where there is none, or none that can be read."""
    found = dict(headers)
    try:
        topic, partition, offset, mark = found["origin"].decode().split("/")
        source = f"{topic}/{int(partition)}"
        return Origin(source if mark == UNMARKED else f"{source}/{mark}", int(offset), int(found["hops"]))
    except (KeyError, ValueError):
        return None


def is_uncertain(headers: tuple[tuple[str, bytes], ...]) -> bool:
    """Whether a record that looks like a repetition may be none: its sender found by a redirect to whom it belongs. A sender
    whose store went back in time may know of the redirect earlier than it did, when it kept the record for itself.

    What came with an identifier that several had may have gone to another of them then, and is taken for a repetition.
    """
    names = {name for name, _ in headers}
    return "profile" in names and "shared" not in names


def is_said_again(headers: tuple[tuple[str, bytes], ...]) -> bool:
    """Whether the sender of a record was not certain that it had not sent it on before."""
    return any(name == "again" for name, _ in headers)


def redirected(arrival: Arrival, headers: tuple[tuple[str, bytes], ...]) -> Arrival:
    """The event as that of the profile, or the product, it was sent on for, where that is not the one it names."""
    if isinstance(arrival.event, CatalogueEvent):
        return about_product(arrival, *_product_in(headers))
    for name, value in headers:
        if name == "profile":
            customer = value.decode("utf-8", "replace")
            if customer.partition(":")[0] in ID_TYPES:
                return replace(arrival, customer=customer, home=customer.partition(":")[2], came_with=arrival.customer)
    return arrival


def about_product(arrival: Arrival, product: str | None, variant: str | None) -> Arrival:
    """The catalogue event as one of this product, or of one variant of it; as it is where there is none, or it names one.

    The name that led to the product is left out: what was looked up says nothing new of it.
    """
    event = arrival.event
    assert isinstance(event, CatalogueEvent)
    if product is None or event.product_id is not None:
        return arrival
    named = replace(event, product_id=product, variant_id=variant, sku=None, inventory_item_id=None)
    return replace(arrival, event=named, home=product)


def _product_in(headers: tuple[tuple[str, bytes], ...]) -> tuple[str | None, str | None]:
    found = {name: value.decode("utf-8", "replace") for name, value in headers if name in ("product", "variant")}
    return found.get("product"), found.get("variant")


def arrival_ms(headers: tuple[tuple[str, bytes], ...], timestamp_ms: int) -> int:
    """When the record first came: the time in its headers where it was forwarded, else its own."""
    for name, value in headers:
        if name == "origin-timestamp":
            try:
                return int(value)
            except ValueError:
                return timestamp_ms
    return timestamp_ms
