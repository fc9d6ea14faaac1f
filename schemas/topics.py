"""All topics of an installation in one table: what they carry, who writes them, how long they are kept.

Every input and internal topic has the installation's number of partitions, so that partition number p of all of them
belongs to one worker. The tuple's order is the rank that breaks ties when records of one partition have equal times.
"""

import re
from typing import Final, Literal

from msgspec import Struct

Role = Literal["input", "internal", "output", "books"]
"""`books` is what reports read beside the counters; no worker does."""
DAY_MS = 86_400_000


class Topic(Struct, frozen=True, kw_only=True):
    """A topic: `retention_ms` -1 keeps records for ever; `compacted` keeps the newest record of each key."""

    name: str
    role: Role
    holds: str
    retention_ms: int = 7 * DAY_MS
    compacted: bool = False


TOPICS: tuple[Topic, ...] = (
    Topic(name="commands", role="input", holds="Privacy and maintenance commands for single customers."),
    Topic(name="consents", role="input", holds="Consent decisions."),
    Topic(name="identities", role="input", holds="Identify, alias and group calls."),
    Topic(name="orders", role="input", holds="Orders, their changes, refunds, cancellations, fulfilment."),
    Topic(name="carts", role="input", holds="Cart and checkout events."),
    Topic(name="clickstream", role="input", holds="Page, product, search, list, promotion and wishlist events."),
    Topic(name="feedback", role="input", holds="Survey answers, reviews and tickets."),
    Topic(name="messages", role="input", holds="What messaging systems report of their messages."),
    Topic(name="catalogue", role="input", holds="Changes of price, stock and facts of products."),
    Topic(
        name="spend",
        role="books",
        holds="What channels cost, by channel and day: the newest record of each key counts.",
        retention_ms=-1,
        compacted=True,
    ),
    Topic(name="forwards", role="internal", holds="Records on their way to the home partition of their customer."),
    Topic(
        name="moves",
        role="internal",
        holds="Profiles, and events after a split, on their way to whose they turned out to be.",
    ),
    Topic(name="fanout", role="internal", holds="Catalogue changes, copied to every partition."),
    Topic(name="triggers", role="output", holds="Emitted triggers.", retention_ms=30 * DAY_MS),
    Topic(
        name="triggers-shadow",
        role="output",
        holds="Triggers that would have been sent: of customers held out, and of rules that are only tried.",
        retention_ms=30 * DAY_MS,
    ),
    Topic(
        name="trigger-cancelled", role="output", holds="Triggers taken back after emission.", retention_ms=30 * DAY_MS
    ),
    Topic(name="trigger-converted", role="output", holds="Triggers followed by an order.", retention_ms=30 * DAY_MS),
    Topic(name="cart-recovered", role="output", holds="Abandoned carts that were bought.", retention_ms=30 * DAY_MS),
    Topic(
        name="decisions",
        role="output",
        holds="Every change in the life of a trigger, with its reason; what triggers failed on; changes of the rules.",
    ),
    Topic(
        name="receipts",
        role="output",
        holds="What became of privacy commands: counts by store, final when every home of the customer has answered.",
        retention_ms=90 * DAY_MS,
    ),
    Topic(
        name="exports",
        role="output",
        holds="What is known of customers who asked for it. Give few people the right to read it.",
        retention_ms=3 * DAY_MS,
    ),
    Topic(
        name="models",
        role="output",
        holds="What was learned from all customers together (`regulars fit`): the newest document stays.",
        retention_ms=-1,
        compacted=True,
    ),
    Topic(
        name="identity-changes",
        role="output",
        holds="Profiles that were merged, identifiers refused, aliases that contradict each other.",
        retention_ms=30 * DAY_MS,
    ),
    Topic(
        name="relay-failed",
        role="output",
        holds="Triggers that a relay could not deliver, with the reason, and which of them were delivered after all.",
        retention_ms=30 * DAY_MS,
    ),
    Topic(name="rejected", role="output", holds="Records set aside, with the reason.", retention_ms=30 * DAY_MS),
)

TRIGGERS: Final = "triggers"
APART: Final = r"^triggers(-(?!shadow$)[a-z0-9][a-z0-9-]{0,60})?$"
"""What the topic of a trigger may be called."""


def holds_triggers(name: str) -> bool:
    """Whether triggers are published there that are meant: on `triggers`, or apart by the rules.

    >>> holds_triggers("triggers"), holds_triggers("triggers-carts"), holds_triggers("triggers-shadow")
    (True, True, False)
    """
    return re.match(APART, name) is not None


def topic_apart(name: str) -> Topic:
    """A topic to which the rules publish a trigger apart from the others."""
    return Topic(name=name, role="output", holds="Triggers that the rules publish apart.", retention_ms=30 * DAY_MS)


CONSUMED: tuple[str, ...] = tuple(topic.name for topic in TOPICS if topic.role in ("input", "internal"))
"""What every worker subscribes to, in rank order."""

INTERNAL: frozenset[str] = frozenset(topic.name for topic in TOPICS if topic.role == "internal")
"""What workers write for each other."""

BOOKS: frozenset[str] = frozenset(topic.name for topic in TOPICS if topic.role == "books")
"""What reports read, and no worker."""

RANK: dict[str, int] = {name: rank for rank, name in enumerate(CONSUMED)}
