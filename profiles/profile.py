"""The profile: everything remembered about one customer, one JSON document in Redis.

What nearly every event touches is plain fields. The rest are parts: a part stays the JSON text it came as until somebody
asks for it, and is text again once the profile is written. A profile of 7 kB is some 400 Python objects, and walking over
them costs a memory access each; as text it is one. So an event pays for the parts it touches, and memory holds several
times as many customers.

A new part is a field, a property and a decoder for it; what was opened is written again, changed or not.
"""

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw, Struct, field

from profiles.insight.change.behaviour import Behaviour
from profiles.insight.cohorts import Past
from profiles.kept import VERSION, Kept, own_texts
from profiles.order_state import Totals
from profiles.parts import NOTHING, Parts, is_nothing, open_part
from profiles.state import Activity, Consent, Coupon, DecisionKept, Episode, OrderStats, Privacy, Standing, Wish, encode
from profiles.value.purchases import Purchases

# A part is read as text and holds, once opened, what it stands for.
if TYPE_CHECKING:
    Part = Any
else:
    Part = Raw


def _part(name: str) -> Any:
    return field(name=name, default=NOTHING)


class Profile(Parts, Kept, Struct, omit_defaults=True, gc=False):
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

    # --- the parts that are put in whole, too: compiled methods can't be set ---

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
_ORDERS: Final = (msgspec.json.Decoder(OrderStats), OrderStats)
_LTV: Final = (msgspec.json.Decoder(Totals), Totals)
_BY_CURRENCY: Final = (msgspec.json.Decoder(dict[str, Totals]), dict)
_PURCHASES: Final = (msgspec.json.Decoder(Purchases), Purchases)
_PAST: Final = (msgspec.json.Decoder(Past), Past)
_RHYTHMS: Final = (msgspec.json.Decoder(dict[str, tuple[int, Raw]]), dict)
_STANDING: Final = (msgspec.json.Decoder(Standing), Standing)
_BEHAVIOUR: Final = (msgspec.json.Decoder(Behaviour), Behaviour)
_LINKED: Final = (msgspec.json.Decoder(dict[str, int]), dict)
_CONTACTS: Final = (msgspec.json.Decoder(dict[str, str]), dict)
_WISHES: Final = (msgspec.json.Decoder(dict[str, Wish]), dict)
_COUPONS: Final = (msgspec.json.Decoder(dict[str, Coupon]), dict)
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
        raise UnsupportedVersion(
            f"profile {profile.id} has version {profile.v}, this release reads up to {VERSION}: a newer one wrote it, start that"
        )
    return profile
