"""The parts of a profile: each opened when it is first asked for, and asked about without being opened where that is enough.

Methods of `profiles.profile.Profile` that are compiled (structs themselves can't be, see docs/decisions/0009).
"""

from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec import Raw

from profiles.apart import since as apart_since
from profiles.feedback_state import Feedback
from profiles.insight.experiment import Exposure
from profiles.mixed_in import mixed_in
from profiles.state import (
    Browsing,
    Cart,
    Checkout,
    Coupon,
    DecisionKept,
    Delivery,
    Emitted,
    Interests,
    Memberships,
    Milestones,
    RecentOrder,
    Supply,
    Watch,
    WindowsKept,
    Wish,
    encode,
)

NOTHING: Final = Raw()
"""A part of which nothing is known."""
_NOTHING_STORED: Final = frozenset((b"{}", b"[]"))

T = TypeVar("T")


def open_part(part: Raw, kind: tuple[msgspec.json.Decoder[T], Any]) -> T:
    """What a text stands for: a decoder, and what makes one of nothing."""
    decoder, make = kind
    if part is NOTHING:
        made: T = make()
        return made
    return decoder.decode(part)


def stored_part(part: Any) -> Raw:
    """A part as text; what is empty is as if it had never been there."""
    text = encode(part)
    return NOTHING if is_nothing(text) else Raw(text)


def is_nothing(text: bytes) -> bool:
    """Whether the text of a part says nothing."""
    return len(text) == 2 and text in _NOTHING_STORED  # a long one is not hashed for it


_MILESTONES: Final = (msgspec.json.Decoder(Milestones), Milestones)
_CARTS: Final = (msgspec.json.Decoder(dict[str, Cart]), dict)
_LEFT_CARTS: Final = (msgspec.json.Decoder(dict[str, tuple[int, Raw]]), dict)
_CHECKOUTS: Final = (msgspec.json.Decoder(dict[str, Checkout]), dict)
_RECENT_ORDERS: Final = (msgspec.json.Decoder(list[RecentOrder]), list)
_SUPPLY: Final = (msgspec.json.Decoder(dict[str, Supply]), dict)
_DELIVERIES: Final = (msgspec.json.Decoder(dict[str, Delivery]), dict)
_SUBSCRIPTIONS: Final = (msgspec.json.Decoder(dict[str, list[str]]), dict)
_FEEDBACK: Final = (msgspec.json.Decoder(Feedback), Feedback)
_MESSAGES: Final = (msgspec.json.Decoder(dict[str, int]), dict)
_EMITTED: Final = (msgspec.json.Decoder(list[Emitted]), list)
_DECISIONS: Final = (cast("msgspec.json.Decoder[list[DecisionKept | Raw]]", msgspec.json.Decoder(list[Raw])), list)
_LINKED: Final = (msgspec.json.Decoder(dict[str, int]), dict)
_ABSORBED: Final = (msgspec.json.Decoder(list[str]), list)
_EXPOSURES: Final = (msgspec.json.Decoder(dict[str, Exposure]), dict)
_WINDOWS: Final = (msgspec.json.Decoder(WindowsKept), WindowsKept)
_MEMBERSHIPS: Final = (msgspec.json.Decoder(Memberships), Memberships)
_INTERESTS: Final = (msgspec.json.Decoder(Interests), Interests)
_WATCHES: Final = (msgspec.json.Decoder(dict[str, Watch]), dict)
_BROWSING: Final = (msgspec.json.Decoder(Browsing), Browsing)


@mixed_in
class Parts:
    """Methods of `Profile`."""

    __slots__ = ()

    @property
    def has_traits(self: Any) -> bool:
        """Whether there are any traits, without opening them."""
        return self._traits is not NOTHING

    @property
    def has_exposures(self: Any) -> bool:
        """Whether the customer is in any comparison, without opening them."""
        return self._exposures is not NOTHING

    @property
    def has_behaviour(self: Any) -> bool:
        """Whether anything was watched of how she orders, without opening it."""
        return self._behaviour is not NOTHING

    @property
    def has_past(self: Any) -> bool:
        """Whether the customer has ordered, without opening what is known of it."""
        return self._past is not NOTHING

    @property
    def has_apart(self: Any) -> bool:
        """Whether anything was ever taken out of this profile, or this out of another, without opening the part."""
        return self._apart is not NOTHING

    def is_apart_from(self: Any, identifier: str) -> bool:
        """Whether a command said that an id is not this customer."""
        return self._apart is not NOTHING and apart_since(self.apart, identifier) is not None

    @property
    def has_refused(self: Any) -> bool:
        """Whether any identifier was refused, without opening the part."""
        return self._refused is not NOTHING

    @property
    def has_sides(self: Any) -> bool:
        """Whether facts are kept apart by the identifier they came with, without opening them."""
        return self._sides is not NOTHING and (type(self._sides) is Raw or bool(self._sides))

    @property
    def exposures_opened(self: Any) -> bool:
        """Whether somebody asked for the comparisons: only then they may have changed."""
        return type(self._exposures) is not Raw

    @property
    def interests(self: Any) -> Interests:
        """Decayed interest in categories, brands and occasions."""
        part: Interests | Raw = self._interests
        if type(part) is Raw:
            part = self._interests = open_part(part, _INTERESTS)
        return part

    @property
    def watches(self: Any) -> dict[str, Watch]:
        """Products she has an eye on, by their key among the goods."""
        part: dict[str, Watch] | Raw = self._watches
        if type(part) is Raw:
            part = self._watches = open_part(part, _WATCHES)
        return part

    @property
    def has_watches(self: Any) -> bool:
        """Whether she has an eye on anything, without opening it."""
        part: dict[str, Watch] | Raw = self._watches
        return part is not NOTHING and (type(part) is Raw or bool(part))

    @property
    def browsing(self: Any) -> Browsing:
        """Views and searches of the last days."""
        part: Browsing | Raw = self._browsing
        if type(part) is Raw:
            part = self._browsing = open_part(part, _BROWSING)
        return part

    @property
    def has_browsing(self: Any) -> bool:
        """Whether any view, search or click is remembered, without opening them."""
        part: Browsing | Raw = self._browsing
        return part is not NOTHING if type(part) is Raw else bool(part.views or part.searches or part.found_ms)

    @property
    def has_consent(self: Any) -> bool:
        """Whether she ever decided anything, without opening it."""
        return self._consent is not NOTHING

    @property
    def milestones(self: Any) -> Milestones:
        """Once-in-a-life moments."""
        part: Milestones | Raw = self._milestones
        if type(part) is Raw:
            part = self._milestones = open_part(part, _MILESTONES)
        return part

    @property
    def carts(self: Any) -> dict[str, Cart]:
        """Carts by cart id, those of the last days."""
        part: dict[str, Cart] | Raw = self._carts
        if type(part) is Raw:
            part = self._carts = open_part(part, _CARTS)
        return part

    @property
    def left_carts(self: Any) -> dict[str, tuple[int, Raw]]:
        """Carts that nothing happened to for days, by cart id: when the last thing did, and the cart as JSON text."""
        part: dict[str, tuple[int, Raw]] | Raw = self._left_carts
        if type(part) is Raw:
            part = self._left_carts = open_part(part, _LEFT_CARTS)
        return part

    @property
    def has_left_carts(self: Any) -> bool:
        """Whether any cart was left for days, without opening them."""
        return self._left_carts is not NOTHING

    def has_left(self: Any, cart_id: str) -> bool:
        """Whether a cart may be among the left ones; the text is only searched for its id."""
        part: dict[str, tuple[int, Raw]] | Raw = self._left_carts
        if type(part) is Raw:
            # `in` would first try the text as a number.
            return part is not NOTHING and bytes(part).find(encode(cart_id)) >= 0
        return cart_id in part

    @property
    def has_checkouts(self: Any) -> bool:
        """Whether any checkout is known, without opening them."""
        return self._checkouts is not NOTHING

    @property
    def checkouts(self: Any) -> dict[str, Checkout]:
        """Checkouts by checkout id."""
        part: dict[str, Checkout] | Raw = self._checkouts
        if type(part) is Raw:
            part = self._checkouts = open_part(part, _CHECKOUTS)
        return part

    @property
    def has_recent_orders(self: Any) -> bool:
        """Whether an order of the last 30 days is known, without opening them."""
        return self._recent_orders is not NOTHING

    @property
    def recent_orders(self: Any) -> list[RecentOrder]:
        """Placed orders of the last 30 days, oldest first."""
        part: list[RecentOrder] | Raw = self._recent_orders
        if type(part) is Raw:
            part = self._recent_orders = open_part(part, _RECENT_ORDERS)
        return part

    @property
    def has_supply(self: Any) -> bool:
        """Whether she ever bought anything replenishable, without opening it."""
        return self._supply is not NOTHING

    @property
    def supply(self: Any) -> dict[str, Supply]:
        """Purchases of replenishable products."""
        part: dict[str, Supply] | Raw = self._supply
        if type(part) is Raw:
            part = self._supply = open_part(part, _SUPPLY)
        return part

    @property
    def subscriptions(self: Any) -> dict[str, list[str]]:
        """Products by subscription id."""
        part: dict[str, list[str]] | Raw = self._subscriptions
        if type(part) is Raw:
            part = self._subscriptions = open_part(part, _SUBSCRIPTIONS)
        return part

    @property
    def subscription_words(self: Any) -> dict[str, int]:
        """When the newest word of a subscription was said, by its id. See `profiles.subscriptions`."""
        part: dict[str, int] | Raw = self._subscription_words
        if type(part) is Raw:
            part = self._subscription_words = open_part(part, _LINKED)
        return part

    @property
    def deliveries(self: Any) -> dict[str, Delivery]:
        """Parcels by order id."""
        part: dict[str, Delivery] | Raw = self._deliveries
        if type(part) is Raw:
            part = self._deliveries = open_part(part, _DELIVERIES)
        return part

    @property
    def has_feedback(self: Any) -> bool:
        """Whether she ever said anything, without opening it."""
        return self._feedback is not NOTHING

    @property
    def feedback(self: Any) -> Feedback:
        """Survey answers, cases, tickets and reviews."""
        part: Feedback | Raw = self._feedback
        if type(part) is Raw:
            part = self._feedback = open_part(part, _FEEDBACK)
        return part

    @property
    def messages(self: Any) -> dict[str, int]:
        """Receipts of messages counted by kind, and when the newest of each kind was ("last_opened_ms")."""
        part: dict[str, int] | Raw = self._messages
        if type(part) is Raw:
            part = self._messages = open_part(part, _MESSAGES)
        return part

    @property
    def has_emitted(self: Any) -> bool:
        """Whether any trigger that went out is remembered, without opening them."""
        return self._emitted is not NOTHING

    @property
    def emitted(self: Any) -> list[Emitted]:
        """Triggers that went out, oldest first."""
        part: list[Emitted] | Raw = self._emitted
        if type(part) is Raw:
            part = self._emitted = open_part(part, _EMITTED)
        return part

    @property
    def decisions(self: Any) -> "list[DecisionKept | Raw]":
        """The last decisions, oldest first, those of earlier batches as JSON texts: for the few who read them there is
        `last_decisions`.
        """
        part: list[DecisionKept | Raw] | Raw = self._decisions
        if type(part) is Raw:
            part = self._decisions = open_part(part, _DECISIONS)
        return part

    @property
    def absorbed(self: Any) -> list[str]:
        """Ids of profiles that were merged into this one."""
        part: list[str] | Raw = self._absorbed
        if type(part) is Raw:
            part = self._absorbed = open_part(part, _ABSORBED)
        return part

    @property
    def exposures(self: Any) -> dict[str, Exposure]:
        """The comparisons the customer is in, by hold-out group."""
        part: dict[str, Exposure] | Raw = self._exposures
        if type(part) is Raw:
            part = self._exposures = open_part(part, _EXPOSURES)
        return part

    @property
    def has_contacts(self: Any) -> bool:
        """Whether any address is known in sealed form, without opening the part."""
        return self._contacts is not NOTHING

    @property
    def has_wishes(self: Any) -> bool:
        """Whether there ever was a wishlist, without opening it."""
        part: dict[str, Wish] | Raw = self._wishes
        return part is not NOTHING if type(part) is Raw else bool(part)

    @property
    def has_coupons(self: Any) -> bool:
        """Whether any coupon is known, without opening them."""
        part: dict[str, Coupon] | Raw = self._coupons
        return part is not NOTHING if type(part) is Raw else bool(part)

    @property
    def windows(self: Any) -> WindowsKept:
        """What conditions count over a time that ends now."""
        part: WindowsKept | Raw = self._windows
        if type(part) is Raw:
            part = self._windows = open_part(part, _WINDOWS)
        return part

    @property
    def apart(self: Any) -> dict[str, int]:
        """Marks of ids that a command said are not this customer, and when. See `profiles.apart`."""
        part: dict[str, int] | Raw = self._apart
        if type(part) is Raw:
            part = self._apart = open_part(part, _LINKED)
        return part

    @property
    def has_former(self: Any) -> bool:
        """Whether any device or cart was hers before, without opening the part."""
        return self._former is not NOTHING

    @property
    def former(self: Any) -> dict[str, int]:
        """Devices and cart tokens that were hers, and when they were no more. See `profiles.former`."""
        part: dict[str, int] | Raw = self._former
        if type(part) is Raw:
            part = self._former = open_part(part, _LINKED)
        return part

    @property
    def has_memberships(self: Any) -> bool:
        """Whether she is in any segment or left one of late, without opening them."""
        return self._memberships is not NOTHING

    @property
    def memberships(self: Any) -> Memberships:
        """The segments she is in."""
        part: Memberships | Raw = self._memberships
        if type(part) is Raw:
            part = self._memberships = open_part(part, _MEMBERSHIPS)
        return part
