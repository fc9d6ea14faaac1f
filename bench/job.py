"""The job "profile-ltv" that every engine does: its numbers, and what its results look like.

Input is one topic of canonical JSON events (schemas/events.py): n partitions, the key is the user id, partition = murmur2
of it mod n, in event-time order but for repeats. For each customer, in the order of the topic:

1. Parse the event.
2. Drop it if its `message_id` was seen: at least the customer's last DEDUPE_LEAST messages of the last 24 hours are
   remembered. An event that is dropped changes nothing.
3. Before it is applied, every armed cart of the customer that was due strictly before its time sends its trigger (7).
4. Order ledger. Per order id: the lines, the discount, the refunds by refund id. gross = sum of price x quantity, refund =
   sum of its refunds, net = gross - discount - refund; a refund counts once its order is there. The customer's totals are
   the sums over the ledger, and the number of orders.
5. Interests. Per category a decayed score, half-life 14 days: a view adds 1, something put into the cart 4, a line of an
   order 5 (once for each order). After each event only the CATEGORIES_MAX highest are kept;
   of equal ones (lines of one order) the first by name goes first.
6. Carts, by cart id, per product the quantity and the price last seen. Product Added adds, Product Removed takes away,
   Order Completed empties the cart it names. Each Added or Removed is a change of the cart. A cart is armed by a change
   that leaves it with something in it, and disarmed when it becomes empty. A cart that has sent its trigger and still holds
   something is armed again only by an Added. A cart may be forgotten CART_KEPT_MS after its last change.
7. Trigger. CART_DELAY_MS of event time after the last change of an armed cart a trigger goes to an output topic: customer,
   cart id, items, value and due time (the last change + CART_DELAY_MS). It is sent when the engine's event time has passed
   the due time, also for customers who send nothing more.
8. All state is durable, and state, output and position in the input agree after a crash where the engine can do that.

Compared are the totals and interests of every customer, and the triggers that were due at least an hour before the end.
"""

from typing import Final

from msgspec import Struct

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
CART_DELAY_MS: Final = 30 * 60_000
CART_KEPT_MS: Final = 30 * DAY_MS
HALF_LIFE_MS: Final = 14 * DAY_MS
CATEGORIES_MAX: Final = 32
DEDUPE_LEAST: Final = 64
WEIGHT_VIEW: Final = 1.0
WEIGHT_ADD: Final = 4.0
WEIGHT_PURCHASE: Final = 5.0

TOTALS_ASKED: Final = "Totals Asked"
"""The event of the harness on which a peer's job writes a customer's totals. It comes after everything that is measured."""


class Totals(Struct, kw_only=True):
    """What a customer is worth, in cents, and her interests (category: score) as decayed to one common moment."""

    orders: int = 0
    gross_minor: int = 0
    discount_minor: int = 0
    refund_minor: int = 0
    net_minor: int = 0
    interests: dict[str, float] = {}


class CartTrigger(Struct, frozen=True, order=True):
    """One trigger, as far as it is compared."""

    customer: str
    cart_id: str
    due_ms: int
    value_minor: int


class Expected(Struct, kw_only=True):
    """The right result of a stream: totals by customer, triggers due until `until_ms`, interests as of `end_ms`."""

    totals: dict[str, Totals]
    triggers: list[CartTrigger]
    until_ms: int
    end_ms: int
