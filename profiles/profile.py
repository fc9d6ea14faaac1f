"""The profile: everything remembered about one customer, one JSON document in Redis.

What nearly every event touches is plain fields. The rest are parts: a part stays the JSON text it came as until somebody
asks for it, and is text again once the profile is written. A profile of 7 kB is some 400 Python objects, and walking over
them costs a memory access each; as text it is one. So an event pays for the parts it touches, and memory holds several
times as many customers.

A new part is a field, a property and a decoder for it; what was opened is written again, changed or not.
"""

from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from msgspec import Raw, Struct, field

from profiles.apart import since as apart_since
from profiles.feedback_state import Feedback
from profiles.insight.change.behaviour import Behaviour
from profiles.insight.cohorts import Past
from profiles.insight.experiment import Exposure
from profiles.kept import NOTHING, VERSION, Kept, is_nothing, open_part, own_texts
from profiles.order_state import Totals
from profiles.state import (
    Activity,
    Cart,
    Checkout,
    Consent,
    Coupon,
    DecisionKept,
    Delivery,
    Emitted,
    Episode,
    Memberships,
    Milestones,
    OrderStats,
    Privacy,
    RecentOrder,
    Standing,
    Supply,
    WindowsKept,
    Wish,
    encode,
)
from profiles.value.purchases import Purchases

# A part is read as text and holds, once opened, what it stands for.
if TYPE_CHECKING:
    Part = Any
else:
    Part = Raw


def _part(name: str) -> Any:
    return field(name=name, default=NOTHING)


class Profile(Kept, Struct, omit_defaults=True, gc=False):
    """Everything remembered about one customer. `id` is "type:value" of its home identifier.

    `redirect` is not empty where this identifier belongs to another profile: (since when, profile id), oldest first; then
    nothing else is here. `rewatched` are products whose place in the index of watchers may have changed since the profile was
    last written; it is empty then. `merging` are identifiers whose profiles are on their way here. `wakes` are timers of triggers
    that wait for something else than an episode, as "<trigger>|<what>", and the one of segments. `privacy` is there only
    where the customer asked for something of that kind. `definitions` names the segments and windows the profile was last
    looked at by (see `profiles.segments`), `origin` is the one the value models count her under (see `profiles.origins`).
    `v` is the version it was last written as, which the first one left out.
    """

    id: str
    v: int = 1
    ids: dict[str, list[str]] = {}
    timezone: tuple[int, str] | None = None
    locale: tuple[int, str] | None = None
    country: tuple[int, str] | None = None
    push: bool = False
    privacy: Privacy | None = None
    redirect: list[tuple[int, str]] = []
    merging: list[str] = []
    activity: Activity = msgspec.field(default_factory=Activity)
    episodes: dict[str, Episode] = {}
    seen: list[str] = []
    seen_since_ms: int = 0
    compact_ms: int | None = None
    wakes: dict[str, int] = {}
    population: list[int] = []
    definitions: str = ""
    origin: str = ""
    rewatched: list[str] = []
    _traits: Part = _part("traits")
    _consent: Part = _part("consent")
    _milestones: Part = _part("milestones")
    _interests: Part = _part("interests")
    _carts: Part = _part("carts")
    _left_carts: Part = _part("left_carts")
    _checkouts: Part = _part("checkouts")
    _orders: Part = _part("orders")
    _ltv: Part = _part("ltv")
    _by_currency: Part = _part("by_currency")
    _recent_orders: Part = _part("recent_orders")
    _purchases: Part = _part("purchases")
    _past: Part = _part("past")
    _rhythms: Part = _part("rhythms")
    _standing: Part = _part("standing")
    _supply: Part = _part("supply")
    _deliveries: Part = _part("deliveries")
    _subscriptions: Part = _part("subscriptions")
    _feedback: Part = _part("feedback")
    _messages: Part = _part("messages")
    _emitted: Part = _part("emitted")
    _decisions: Part = _part("decisions")
    _absorbed: Part = _part("absorbed")
    _exposures: Part = _part("exposures")
    _behaviour: Part = _part("behaviour")
    _linked: Part = _part("linked")
    _refused: Part = _part("refused")
    _watches: Part = _part("watches")
    _browsing: Part = _part("browsing")
    _wishes: Part = _part("wishes")
    _coupons: Part = _part("coupons")
    _windows: Part = _part("windows")
    _memberships: Part = _part("memberships")
    _contacts: Part = _part("contacts")
    _sides: Part = _part("sides")
    _apart: Part = _part("apart")
    _former: Part = _part("former")
    _subscription_words: Part = _part("subscription_words")

    @property
    def suppressed(self) -> bool:
        """Whether she asked not to be contacted at all, or was erased."""
        return self.privacy is not None and self.privacy.in_force

    @property
    def is_blank(self) -> bool:
        """Whether nothing was ever collected of her; what she asked for concerning her privacy does not count."""
        if self.ids or self.redirect or self.activity.first_ms is not None:
            return False
        # Orders that were looked at and are none are there all the same.
        return self._orders is NOTHING or self.orders == OrderStats()

    def wipe(self) -> None:
        """Forget everything but the id, what was asked for concerning privacy, and what the caller has to take back: the share
        in the population's counters and in comparisons, and the place in the index of those who watch a product.
        """
        watched = [*self.rewatched, *self.watches]
        blank = Profile(self.id, privacy=self.privacy, population=self.population, rewatched=watched)
        blank._exposures = self._exposures
        self.become(blank)

    def copy(self) -> "Profile":
        """An equal one that shares nothing with this. What was opened is opened there too: that says that it may have changed."""
        copy = decode_profile(encode(self))
        for name in _PARTS:
            if type(getattr(self, name)) is not Raw:
                getattr(copy, name.removeprefix("_"))
        if type(self._sides) is not Raw:
            for identifier, side in self.sides.items():
                if type(side._kept) is not Raw:
                    copy.sides[identifier].keep(side.kept.copy())
        return copy

    def become(self, other: "Profile") -> None:
        """Be what another is, with which it then shares everything."""
        for name in Profile.__struct_fields__:
            setattr(self, name, getattr(other, name))

    def facts(self) -> "Profile":
        """A copy with what events tell of the customer herself: without what follows from her orders' ledger (money, counts,
        purchases), and without what was decided about her (timers, triggers sent, segments, comparisons). What waits is kept: see
        `profiles.sides`.
        """
        # Without making text of its parts: what was opened still says that it may have changed.
        copy = decode_profile(encode(self))
        for name in _PARTS:
            if is_nothing(bytes(getattr(copy, name))):
                setattr(copy, name, NOTHING)
        bare = Profile(self.id)
        for name in _NO_FACTS:
            setattr(copy, name, getattr(bare, name))
        return copy

    def last_decisions(self) -> list[DecisionKept]:
        """The last decisions, oldest first."""
        return [_decision_decoder.decode(kept) if type(kept) is Raw else kept for kept in self.decisions]

    @property
    def has_traits(self) -> bool:
        """Whether there are any traits, without opening them."""
        return self._traits is not NOTHING

    @property
    def has_exposures(self) -> bool:
        """Whether the customer is in any comparison, without opening them."""
        return self._exposures is not NOTHING

    @property
    def has_behaviour(self) -> bool:
        """Whether anything was watched of how she orders, without opening it."""
        return self._behaviour is not NOTHING

    @property
    def has_past(self) -> bool:
        """Whether the customer has ordered, without opening what is known of it."""
        return self._past is not NOTHING

    @property
    def has_apart(self) -> bool:
        """Whether anything was ever taken out of this profile, or this out of another, without opening the part."""
        return self._apart is not NOTHING

    def is_apart_from(self, identifier: str) -> bool:
        """Whether a command said that an id is not this customer."""
        return self._apart is not NOTHING and apart_since(self.apart, identifier) is not None

    @property
    def has_refused(self) -> bool:
        """Whether any identifier was refused, without opening the part."""
        return self._refused is not NOTHING

    # --- the parts ------------------------------------------------------------------------------------------------

    @property
    def traits(self) -> dict[str, tuple[int, Any]]:
        """Traits with the time at which each was said."""
        part: dict[str, tuple[int, Any]] | Raw = self._traits
        if type(part) is Raw:
            part = self._traits = open_part(part, _TRAITS)
        return part

    @traits.setter
    def traits(self, part: dict[str, tuple[int, Any]]) -> None:
        self._traits = part

    @property
    def has_consent(self) -> bool:
        """Whether she ever decided anything, without opening it."""
        return self._consent is not NOTHING

    @property
    def consent(self) -> dict[str, Consent]:
        """Consent decisions by "channel.purpose"."""
        part: dict[str, Consent] | Raw = self._consent
        if type(part) is Raw:
            part = self._consent = open_part(part, _CONSENT)
        return part

    @consent.setter
    def consent(self, part: dict[str, Consent]) -> None:
        self._consent = part

    @property
    def milestones(self) -> Milestones:
        """Once-in-a-life moments."""
        part: Milestones | Raw = self._milestones
        if type(part) is Raw:
            part = self._milestones = open_part(part, _MILESTONES)
        return part

    @property
    def carts(self) -> dict[str, Cart]:
        """Carts by cart id, those of the last days."""
        part: dict[str, Cart] | Raw = self._carts
        if type(part) is Raw:
            part = self._carts = open_part(part, _CARTS)
        return part

    @carts.setter
    def carts(self, part: dict[str, Cart]) -> None:
        self._carts = part

    @property
    def left_carts(self) -> dict[str, tuple[int, Raw]]:
        """Carts that nothing happened to for days, by cart id: when the last thing did, and the cart as JSON text."""
        part: dict[str, tuple[int, Raw]] | Raw = self._left_carts
        if type(part) is Raw:
            part = self._left_carts = open_part(part, _LEFT_CARTS)
        return part

    @property
    def has_left_carts(self) -> bool:
        """Whether any cart was left for days, without opening them."""
        return self._left_carts is not NOTHING

    def has_left(self, cart_id: str) -> bool:
        """Whether a cart may be among the left ones; the text is only searched for its id."""
        part: dict[str, tuple[int, Raw]] | Raw = self._left_carts
        if type(part) is Raw:
            # `in` would first try the text as a number.
            return part is not NOTHING and bytes(part).find(encode(cart_id)) >= 0
        return cart_id in part

    @property
    def has_checkouts(self) -> bool:
        """Whether any checkout is known, without opening them."""
        return self._checkouts is not NOTHING

    @property
    def checkouts(self) -> dict[str, Checkout]:
        """Checkouts by checkout id."""
        part: dict[str, Checkout] | Raw = self._checkouts
        if type(part) is Raw:
            part = self._checkouts = open_part(part, _CHECKOUTS)
        return part

    @property
    def orders(self) -> OrderStats:
        """Counts and times of orders."""
        part: OrderStats | Raw = self._orders
        if type(part) is Raw:
            part = self._orders = open_part(part, _ORDERS)
        return part

    @orders.setter
    def orders(self, part: OrderStats) -> None:
        self._orders = part

    @property
    def ltv(self) -> Totals:
        """Sums over all orders in the shop's currency."""
        part: Totals | Raw = self._ltv
        if type(part) is Raw:
            part = self._ltv = open_part(part, _LTV)
        return part

    @ltv.setter
    def ltv(self, part: Totals) -> None:
        self._ltv = part

    @property
    def by_currency(self) -> dict[str, Totals]:
        """The same by the currency of the orders."""
        part: dict[str, Totals] | Raw = self._by_currency
        if type(part) is Raw:
            part = self._by_currency = open_part(part, _BY_CURRENCY)
        return part

    @by_currency.setter
    def by_currency(self, part: dict[str, Totals]) -> None:
        self._by_currency = part

    @property
    def has_recent_orders(self) -> bool:
        """Whether an order of the last 30 days is known, without opening them."""
        return self._recent_orders is not NOTHING

    @property
    def recent_orders(self) -> list[RecentOrder]:
        """Placed orders of the last 30 days, oldest first."""
        part: list[RecentOrder] | Raw = self._recent_orders
        if type(part) is Raw:
            part = self._recent_orders = open_part(part, _RECENT_ORDERS)
        return part

    @recent_orders.setter
    def recent_orders(self, part: list[RecentOrder]) -> None:
        self._recent_orders = part

    @property
    def purchases(self) -> Purchases:
        """Purchase days, as the models of customer value want them."""
        part: Purchases | Raw = self._purchases
        if type(part) is Raw:
            part = self._purchases = open_part(part, _PURCHASES)
        return part

    @purchases.setter
    def purchases(self, part: Purchases) -> None:
        self._purchases = part

    @property
    def past(self) -> Past:
        """Orders by month, as the tables of cohorts want them."""
        part: Past | Raw = self._past
        if type(part) is Raw:
            part = self._past = open_part(part, _PAST)
        return part

    @past.setter
    def past(self, part: Past) -> None:
        self._past = part

    @property
    def rhythms(self) -> dict[str, tuple[int, Raw]]:
        """When she bought of each category and replenishable product: the newest day, and the `Rhythm` as JSON text."""
        part: dict[str, tuple[int, Raw]] | Raw = self._rhythms
        if type(part) is Raw:
            part = self._rhythms = open_part(part, _RHYTHMS)
        return part

    @rhythms.setter
    def rhythms(self, part: dict[str, tuple[int, Raw]]) -> None:
        self._rhythms = part

    @property
    def standing(self) -> Standing:
        """Churn band and tier."""
        part: Standing | Raw = self._standing
        if type(part) is Raw:
            part = self._standing = open_part(part, _STANDING)
        return part

    @standing.setter
    def standing(self, part: Standing) -> None:
        self._standing = part

    @property
    def has_supply(self) -> bool:
        """Whether she ever bought anything replenishable, without opening it."""
        return self._supply is not NOTHING

    @property
    def supply(self) -> dict[str, Supply]:
        """Purchases of replenishable products."""
        part: dict[str, Supply] | Raw = self._supply
        if type(part) is Raw:
            part = self._supply = open_part(part, _SUPPLY)
        return part

    @property
    def subscriptions(self) -> dict[str, list[str]]:
        """Products by subscription id."""
        part: dict[str, list[str]] | Raw = self._subscriptions
        if type(part) is Raw:
            part = self._subscriptions = open_part(part, _SUBSCRIPTIONS)
        return part

    @property
    def subscription_words(self) -> dict[str, int]:
        """When the newest word of a subscription was said, by its id. See `profiles.subscriptions`."""
        part: dict[str, int] | Raw = self._subscription_words
        if type(part) is Raw:
            part = self._subscription_words = open_part(part, _LINKED)
        return part

    @property
    def deliveries(self) -> dict[str, Delivery]:
        """Parcels by order id."""
        part: dict[str, Delivery] | Raw = self._deliveries
        if type(part) is Raw:
            part = self._deliveries = open_part(part, _DELIVERIES)
        return part

    @property
    def has_feedback(self) -> bool:
        """Whether she ever said anything, without opening it."""
        return self._feedback is not NOTHING

    @property
    def feedback(self) -> Feedback:
        """Survey answers, cases, tickets and reviews."""
        part: Feedback | Raw = self._feedback
        if type(part) is Raw:
            part = self._feedback = open_part(part, _FEEDBACK)
        return part

    @property
    def messages(self) -> dict[str, int]:
        """Receipts of messages counted by kind, and when the newest of each kind was ("last_opened_ms")."""
        part: dict[str, int] | Raw = self._messages
        if type(part) is Raw:
            part = self._messages = open_part(part, _MESSAGES)
        return part

    @property
    def has_emitted(self) -> bool:
        """Whether any trigger that went out is remembered, without opening them."""
        return self._emitted is not NOTHING

    @property
    def emitted(self) -> list[Emitted]:
        """Triggers that went out, oldest first."""
        part: list[Emitted] | Raw = self._emitted
        if type(part) is Raw:
            part = self._emitted = open_part(part, _EMITTED)
        return part

    @emitted.setter
    def emitted(self, part: list[Emitted]) -> None:
        self._emitted = part

    @property
    def decisions(self) -> "list[DecisionKept | Raw]":
        """The last decisions, oldest first, those of earlier batches as JSON texts: for the few who read them there is
        `last_decisions`.
        """
        part: list[DecisionKept | Raw] | Raw = self._decisions
        if type(part) is Raw:
            part = self._decisions = open_part(part, _DECISIONS)
        return part

    @decisions.setter
    def decisions(self, part: "list[DecisionKept | Raw]") -> None:
        self._decisions = part

    @property
    def absorbed(self) -> list[str]:
        """Ids of profiles that were merged into this one."""
        part: list[str] | Raw = self._absorbed
        if type(part) is Raw:
            part = self._absorbed = open_part(part, _ABSORBED)
        return part

    @property
    def behaviour(self) -> Behaviour:
        """What is watched of how she orders."""
        part: Behaviour | Raw = self._behaviour
        if type(part) is Raw:
            part = self._behaviour = open_part(part, _BEHAVIOUR)
        return part

    @behaviour.setter
    def behaviour(self, part: Behaviour) -> None:
        self._behaviour = part

    @property
    def exposures(self) -> dict[str, Exposure]:
        """The comparisons the customer is in, by hold-out group."""
        part: dict[str, Exposure] | Raw = self._exposures
        if type(part) is Raw:
            part = self._exposures = open_part(part, _EXPOSURES)
        return part

    @property
    def linked(self) -> dict[str, int]:
        """Her identifiers ("type:value") with the time at which each was first seen with her."""
        part: dict[str, int] | Raw = self._linked
        if type(part) is Raw:
            part = self._linked = open_part(part, _LINKED)
        return part

    @linked.setter
    def linked(self, part: dict[str, int]) -> None:
        self._linked = part

    @property
    def refused(self) -> dict[str, int]:
        """Identifiers ("type:value") her events named that are not hers alone, and when that was said."""
        part: dict[str, int] | Raw = self._refused
        if type(part) is Raw:
            part = self._refused = open_part(part, _LINKED)
        return part

    @refused.setter
    def refused(self, part: dict[str, int]) -> None:
        self._refused = part

    @property
    def has_contacts(self) -> bool:
        """Whether any address is known in sealed form, without opening the part."""
        return self._contacts is not NOTHING

    @property
    def contacts(self) -> dict[str, str]:
        """Sealed texts of e-mail addresses and phone numbers by their identifier ("type:token"), where they are protected."""
        part: dict[str, str] | Raw = self._contacts
        if type(part) is Raw:
            part = self._contacts = open_part(part, _CONTACTS)
        return part

    @contacts.setter
    def contacts(self, part: dict[str, str]) -> None:
        self._contacts = part

    @property
    def wishes(self) -> dict[str, Wish]:
        """Products on the wishlist, or taken off it of late, by product id."""
        part: dict[str, Wish] | Raw = self._wishes
        if type(part) is Raw:
            part = self._wishes = open_part(part, _WISHES)
        return part

    @wishes.setter
    def wishes(self, part: dict[str, Wish]) -> None:
        self._wishes = part

    @property
    def has_wishes(self) -> bool:
        """Whether there ever was a wishlist, without opening it."""
        part: dict[str, Wish] | Raw = self._wishes
        return part is not NOTHING if type(part) is Raw else bool(part)

    @property
    def coupons(self) -> dict[str, Coupon]:
        """Coupons of the customer's own, by coupon id."""
        part: dict[str, Coupon] | Raw = self._coupons
        if type(part) is Raw:
            part = self._coupons = open_part(part, _COUPONS)
        return part

    @coupons.setter
    def coupons(self, part: dict[str, Coupon]) -> None:
        self._coupons = part

    @property
    def has_coupons(self) -> bool:
        """Whether any coupon is known, without opening them."""
        part: dict[str, Coupon] | Raw = self._coupons
        return part is not NOTHING if type(part) is Raw else bool(part)

    @property
    def windows(self) -> WindowsKept:
        """What conditions count over a time that ends now."""
        part: WindowsKept | Raw = self._windows
        if type(part) is Raw:
            part = self._windows = open_part(part, _WINDOWS)
        return part

    @property
    def sides(self) -> "dict[str, Side]":
        """Facts by the identifier they came with, the profile's own among them. See `profiles.sides`."""
        part: dict[str, Side] | Raw = self._sides
        if type(part) is Raw:
            part = self._sides = open_part(part, _SIDES)
        return part

    @sides.setter
    def sides(self, part: "dict[str, Side]") -> None:
        self._sides = part

    def kept_sides(self) -> "list[Profile]":
        """The facts of all sides that have any."""
        return [part.kept for part in self.sides.values() if part.is_kept] if self.has_sides else []

    @property
    def apart(self) -> dict[str, int]:
        """Marks of ids that a command said are not this customer, and when. See `profiles.apart`."""
        part: dict[str, int] | Raw = self._apart
        if type(part) is Raw:
            part = self._apart = open_part(part, _LINKED)
        return part

    @property
    def has_former(self) -> bool:
        """Whether any device or cart was hers before, without opening the part."""
        return self._former is not NOTHING

    @property
    def former(self) -> dict[str, int]:
        """Devices and cart tokens that were hers, and when they were no more. See `profiles.former`."""
        part: dict[str, int] | Raw = self._former
        if type(part) is Raw:
            part = self._former = open_part(part, _LINKED)
        return part

    @property
    def has_memberships(self) -> bool:
        """Whether she is in any segment or left one of late, without opening them."""
        return self._memberships is not NOTHING

    @property
    def memberships(self) -> Memberships:
        """The segments she is in."""
        part: Memberships | Raw = self._memberships
        if type(part) is Raw:
            part = self._memberships = open_part(part, _MEMBERSHIPS)
        return part


class Side(Struct, omit_defaults=True, gc=False):
    """What came to a profile with one identifier: since when that belongs to her, through which other one (`via`), and its
    facts as a profile of their own. Nothing is kept there where it would be too large.
    """

    since_ms: int
    via: str = ""
    _kept: Part = _part("kept")

    @property
    def is_kept(self) -> bool:
        """Whether the facts are there."""
        return self._kept is not NOTHING

    @property
    def kept(self) -> Profile:
        """The facts. Only where they are there."""
        part: Profile | Raw = self._kept
        if type(part) is Raw:
            part = self._kept = decode_profile(bytes(part))
        return part

    def keep(self, facts: Profile) -> "Side":
        """Take these as the facts; gives itself."""
        self._kept = facts
        return self

    def drop(self) -> None:
        """Let go of the facts."""
        self._kept = NOTHING

    def pack(self) -> None:
        """Make text of the facts again."""
        if type(self._kept) is not Raw:
            self._kept = Raw(self._kept.pack())

    def measure(self) -> int:
        """Make text of the facts again; gives its bytes."""
        self.pack()
        return memoryview(self._kept).nbytes


_TRAITS: Final = (msgspec.json.Decoder(dict[str, tuple[int, Any]]), dict)
_CONSENT: Final = (msgspec.json.Decoder(dict[str, Consent]), dict)
_MILESTONES: Final = (msgspec.json.Decoder(Milestones), Milestones)
_CARTS: Final = (msgspec.json.Decoder(dict[str, Cart]), dict)
_LEFT_CARTS: Final = (msgspec.json.Decoder(dict[str, tuple[int, Raw]]), dict)
_CHECKOUTS: Final = (msgspec.json.Decoder(dict[str, Checkout]), dict)
_ORDERS: Final = (msgspec.json.Decoder(OrderStats), OrderStats)
_LTV: Final = (msgspec.json.Decoder(Totals), Totals)
_BY_CURRENCY: Final = (msgspec.json.Decoder(dict[str, Totals]), dict)
_RECENT_ORDERS: Final = (msgspec.json.Decoder(list[RecentOrder]), list)
_PURCHASES: Final = (msgspec.json.Decoder(Purchases), Purchases)
_PAST: Final = (msgspec.json.Decoder(Past), Past)
_RHYTHMS: Final = (msgspec.json.Decoder(dict[str, tuple[int, Raw]]), dict)
_STANDING: Final = (msgspec.json.Decoder(Standing), Standing)
_SUPPLY: Final = (msgspec.json.Decoder(dict[str, Supply]), dict)
_DELIVERIES: Final = (msgspec.json.Decoder(dict[str, Delivery]), dict)
_SUBSCRIPTIONS: Final = (msgspec.json.Decoder(dict[str, list[str]]), dict)
_FEEDBACK: Final = (msgspec.json.Decoder(Feedback), Feedback)
_MESSAGES: Final = (msgspec.json.Decoder(dict[str, int]), dict)
_EMITTED: Final = (msgspec.json.Decoder(list[Emitted]), list)
_DECISIONS: Final = (cast("msgspec.json.Decoder[list[DecisionKept | Raw]]", msgspec.json.Decoder(list[Raw])), list)
_LINKED: Final = (msgspec.json.Decoder(dict[str, int]), dict)
_CONTACTS: Final = (msgspec.json.Decoder(dict[str, str]), dict)
_ABSORBED: Final = (msgspec.json.Decoder(list[str]), list)
_BEHAVIOUR: Final = (msgspec.json.Decoder(Behaviour), Behaviour)
_EXPOSURES: Final = (msgspec.json.Decoder(dict[str, Exposure]), dict)
_WISHES: Final = (msgspec.json.Decoder(dict[str, Wish]), dict)
_COUPONS: Final = (msgspec.json.Decoder(dict[str, Coupon]), dict)
_WINDOWS: Final = (msgspec.json.Decoder(WindowsKept), WindowsKept)
_MEMBERSHIPS: Final = (msgspec.json.Decoder(Memberships), Memberships)
_SIDES: Final = (msgspec.json.Decoder(dict[str, Side]), dict)

_PARTS: Final = tuple(name for name in Profile.__struct_fields__ if name.startswith("_"))


_NO_FACTS: Final = (
    "merging",
    "redirect",
    "compact_ms",
    "wakes",
    "population",
    "definitions",
    "rewatched",
    "origin",
    "_orders",
    "_ltv",
    "_by_currency",
    "_purchases",
    "_past",
    "_rhythms",
    "_standing",
    "_emitted",
    "_decisions",
    "_exposures",
    "_behaviour",
    "_windows",
    "_memberships",
    "_sides",
    "_apart",
    "_former",
)


class UnsupportedVersion(Exception):
    """A stored profile was written by a newer release. The worker stops the partition; deploy the newer release."""


_decoder = msgspec.json.Decoder(Profile)
_decision_decoder = msgspec.json.Decoder(DecisionKept)


def decode_profile(stored: bytes) -> Profile:
    """Read a stored profile. Raises UnsupportedVersion for one of a newer release, msgspec.DecodeError for damage.

    Damage inside a part shows when that part is opened.
    """
    profile = _decoder.decode(stored)
    own_texts(profile)
    if profile.v > VERSION:
        raise UnsupportedVersion(f"profile {profile.id} has version {profile.v}, this release reads up to {VERSION}")
    return profile
