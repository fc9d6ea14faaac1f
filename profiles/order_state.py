"""The orders of a customer: the ledger entry of each, and those that are in memory.

Mutable like the rest of `profiles.state`. Money is integer minor units of the currency it stands under, instants are epoch
milliseconds UTC. The JSON form (msgspec) is what lies in Redis.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from profiles.insight.tallies import Tally
from profiles.needs import NeedLedger
from profiles.told import Kept


class Totals(Struct, omit_defaults=True, gc=False):
    """Sums over the customer's orders in one currency, minor units. net = gross - discount - refund, always."""

    gross: int = 0
    discount: int = 0
    refund: int = 0
    net: int = 0
    margin: int = 0
    estimated_gross: int = 0


class OrderLine(Struct, array_like=True, omit_defaults=True, gc=False):
    """One line of an order. `list_minor` is the line's list value, `cost_minor` the line's cost where known.

    What events of the catalogue had told of the product when the order came is kept with it (`profiles.product_facts`):
    the category in its place where the order names none, the rest as `told`.
    """

    product_id: str
    quantity: float
    list_minor: int | None = None
    discount_minor: int = 0
    category: str | None = None
    cost_minor: int | None = None
    variant_id: str | None = None
    told: Kept | None = None


class OrderMoney(Struct, omit_defaults=True, gc=False):
    """The money fields of an order as its newest version stated them, minor units of the order's currency.

    `gift_cards` is what was paid for gift cards, which is in the stated amounts. It is worked out and never stored.
    """

    revenue: int | None = None
    subtotal: int | None = None
    total: int | None = None
    shipping: int | None = None
    tax: int | None = None
    discount: int | None = None
    shipping_cost: int | None = None
    payment_fee: int | None = None
    gift_cards: int = 0


class Refund(Struct, omit_defaults=True, gc=False):
    """One refund. `amount` None means "the rest of the order"; `units` counts what came back by product id.

    `currency` is there only where the event named one. `message_id` is "" where it is the refund's own id; with `at_ms`
    it says which of two versions of the refund is newer. `priced`: nobody stated the amount, it is what the products come to.
    `with_tax`: tax and shipping are in the amount.
    """

    at_ms: int
    message_id: str = ""
    amount: int | None = None
    currency: str | None = None
    units: dict[str, float] = {}
    restocked: bool = True
    return_shipping: int = 0
    restocking_fee: int = 0
    priced: bool = False
    with_tax: bool = False


class Contribution(Struct, omit_defaults=True, gc=False):
    """What an order adds to the customer's totals now; kept so that a change can subtract exactly this.

    Amounts are minor units of `currency`; `shop` is the same in the shop currency at `rate` (None: no rate known, then
    `shop` is all zeros). `revenue_from` names the field that gave the net value. `gift_cards` was paid for gift cards, and is in
    none of the amounts; `gift_cards_alone`: there is nothing else in the order. `unconverted_refunds` counts those in a
    currency that can't be converted into the order's: they are in none of the amounts either.
    """

    currency: str
    counted: bool = False
    valued: bool = False
    refunded: bool = False
    cancelled: bool = False
    amounts: Totals = msgspec.field(default_factory=Totals)
    shop: Totals = msgspec.field(default_factory=Totals)
    rate: str | None = None
    revenue_from: str | None = None
    couponed: bool = False
    gift_cards: int = 0
    gift_cards_alone: bool = False
    unconverted_refunds: int = 0


Alone = tuple[int, tuple[int, int, str]]
"""An amount, and the version of the event that stated it."""


class OrderEntry(Struct, omit_defaults=True, gc=False):
    """The ledger entry of one order: its newest state, its refunds, and its present contribution.

    `lines_version` and `money_version` are (updated_ms, received_ms, message_id) of the newest event that carried lines
    and money: a newer version that lacks one keeps the other. The currency, the shipping cost and the payment fee are
    versioned of their own; where a version is None it is `money_version`, or without one `lines_version`. `alone` are
    shipping, tax and discount as newer events stated them without a word on what the order is worth. `placed_ms`
    None: only refunds or a cancellation were seen so far. `compact` entries have lost their lines (after 400 days);
    their contribution stays. `couponed`: some version of it named a coupon. `gift_cards` are the products that somebody
    called gift cards, by id, sorted. `bare_costs` are those of "payment_fee" and "shipping_cost" that were told without a
    currency, sorted: read with the shop's decimals. `came_with` is the identifier that the order came
    with, where it is none of the profile's own; "" also where both told of it. See `profiles.sides`.
    """

    order_id: str
    placed_ms: int | None = None
    completed: bool = False
    currency: str | None = None
    currency_version: tuple[int, int, str] | None = None
    shipping_cost_version: tuple[int, int, str] | None = None
    payment_fee_version: tuple[int, int, str] | None = None
    lines: list[OrderLine] = []
    lines_version: tuple[int, int, str] | None = None
    money: OrderMoney | None = None
    money_version: tuple[int, int, str] | None = None
    alone: dict[str, Alone] = {}
    refunds: dict[str, Refund] = {}
    cart_id: str | None = None
    checkout_id: str | None = None
    cart_version: tuple[int, int, str] | None = None
    cancelled_ms: int | None = None
    test: bool = False
    fulfilled_ms: int | None = None
    delivered_ms: int | None = None
    contribution: Contribution | None = None
    compact: bool = False
    couponed: bool = False
    gift_cards: list[str] = []
    came_with: str = ""
    bare_costs: list[str] = []


class Ledger:
    """The ledger entries of one customer that are in memory, and which of them changed.

    `complete` says that every entry there is has been loaded. Asking for one that is neither loaded nor known to be
    absent raises `NeedLedger`, before anything was changed; the caller loads and runs the step again. Entries lie here as
    JSON text until somebody asks for them. `forgotten`: the customer was erased, so what is stored of her has to go.
    `replaced`: entries were taken out, so what is stored has to go before these are written.

    `counted` is what the customer's orders changed in the counters of the population since it was last emptied, by the
    counter's name: it belongs to the commit that stores the ledger.
    """

    __slots__ = ("_entries", "changed", "complete", "counted", "forgotten", "replaced")

    def __init__(self, entries: Mapping[str, OrderEntry | None] | None = None, *, complete: bool = False) -> None:
        self.complete = complete
        self.forgotten = self.replaced = False
        self.changed: set[str] = set()
        self.counted: Tally = {}
        self._entries: dict[str, OrderEntry | bytes | None] = dict(entries or {})

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, order_id: object) -> bool:
        """Whether it is known if there is an entry of this order."""
        return self.complete or order_id in self._entries

    def load(self, order_id: str, stored: bytes | None) -> None:
        """Take an entry as it was read, None where there is none; one that is known already stays as it is."""
        if self._entries.get(order_id) is None:
            self._entries[order_id] = stored

    def get(self, order_id: str) -> OrderEntry | None:
        """The entry of an order, None if there is none. Raises NeedLedger if that is not known yet."""
        try:
            found = self._entries[order_id]
        except KeyError:
            if self.complete:
                return None
            raise NeedLedger(order_id) from None
        if isinstance(found, bytes):
            found = self._entries[order_id] = decode_entry(found)
        return found

    def known(self, order_id: str) -> OrderEntry | None:
        """The entry of an order if it is loaded."""
        return self.get(order_id) if order_id in self._entries else None

    def all(self) -> list[OrderEntry]:
        """Every entry. Raises NeedLedger(None) if not all are loaded."""
        if not self.complete:
            raise NeedLedger(None)
        return [entry for order_id in self._entries if (entry := self.get(order_id)) is not None]

    def put(self, entry: OrderEntry) -> None:
        """Keep a new or changed entry and mark it to be written."""
        self._entries[entry.order_id] = entry
        self.changed.add(entry.order_id)

    def forget(self) -> None:
        """Let go of every entry, here and in the store."""
        self._entries.clear()
        self.changed.clear()
        self.complete = self.forgotten = True

    def empty(self) -> None:
        """Let go of every entry; those that are put from now on are all there is."""
        self._entries.clear()
        self.changed.clear()
        self.complete = self.replaced = True

    def copy(self) -> "Ledger":
        """The same as it is now, which what happens to either leaves alone."""
        entries = self._entries.items()
        copy = Ledger(complete=self.complete)
        copy.become(self)
        copy.changed, copy.counted = {*self.changed}, {**self.counted}
        copy._entries = {
            key: decode_entry(_encode(entry)) if type(entry) is OrderEntry else entry for key, entry in entries
        }
        return copy

    def become(self, other: "Ledger") -> None:
        """Be what another is, with which it then shares everything."""
        self.complete, self.forgotten, self.replaced = other.complete, other.forgotten, other.replaced
        self.changed, self.counted, self._entries = other.changed, other.counted, other._entries

    def pack(self) -> list[tuple[str, bytes]]:
        """Order id and stored form of every entry that changed since the last call, by order id."""
        packed = []
        for order_id in sorted(self.changed):
            stored = self._entries[order_id] = _encode(self._entries[order_id])
            packed.append((order_id, stored))
        self.changed.clear()
        return packed


_encode = msgspec.json.Encoder().encode
_entry_decoder = msgspec.json.Decoder(OrderEntry)


def decode_entry(stored: bytes) -> OrderEntry:
    """Read a stored ledger entry. Raises msgspec.DecodeError for damage."""
    return _entry_decoder.decode(stored)
