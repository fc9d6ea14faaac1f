"""Coupons of the customer's own: what was issued to her, whether it is in a cart, and whether it was spent.

A coupon is spent once; of several words of its issue the newest says until when it holds. All of it is the newest or the
earliest of what was told, so the order of arrival does not matter. At most COUPONS_MAX are kept, those heard of last.
"""

from typing import Final

from profiles.profile import Profile
from profiles.state import COUPONS_MAX, Coupon
from schemas import events
from schemas.events import Arrival, CouponEvent, Event, OrderStateEvent

EVENTS: Final[frozenset[type[Event]]] = frozenset(
    {events.CouponIssued, events.CouponUsed, events.CouponApplied, events.CouponRemoved}
)


def apply_coupon_event(profile: Profile, arrival: Arrival) -> None:
    """Take in what happened to a coupon. One that was never issued to her is only known once she is given it."""
    event, at_ms = arrival.event, arrival.time_ms
    assert isinstance(event, CouponEvent)
    if event.coupon_id is None:
        return
    coupon = _coupon(profile, event.coupon_id)
    if isinstance(event, events.CouponIssued):
        told = (at_ms, event.message_id)
        if coupon.issued is None or coupon.issued < told:
            coupon.issued, coupon.expires_ms = told, event.expires_ms
            coupon.discount_minor, coupon.currency = event.discount_minor, event.currency
    elif isinstance(event, events.CouponUsed):
        coupon.used_ms = at_ms if coupon.used_ms is None else min(coupon.used_ms, at_ms)
    elif isinstance(event, events.CouponApplied):
        coupon.in_cart_ms = max(coupon.in_cart_ms, at_ms)
    else:
        coupon.out_ms = max(coupon.out_ms, at_ms)
    _make_room(profile)


def note_order(profile: Profile, event: OrderStateEvent, at_ms: int) -> None:
    """An order that names a coupon of hers has spent it."""
    named = {event.coupon, *(product.coupon for product in event.products)}
    if named == {None}:
        return
    for coupon_id in sorted(name for name in named if name is not None):
        coupon = _coupon(profile, coupon_id)
        coupon.used_ms = at_ms if coupon.used_ms is None else min(coupon.used_ms, at_ms)
    _make_room(profile)


def in_cart(coupon: Coupon, since_ms: int) -> bool:
    """Whether she has put it into a cart since a moment, and not taken it out again."""
    return coupon.in_cart_ms > coupon.out_ms and coupon.in_cart_ms >= since_ms


def is_open(coupon: Coupon, now_ms: int) -> bool:
    """Whether it was issued to her, is not spent, and still holds."""
    return (
        coupon.issued is not None
        and coupon.used_ms is None
        and (coupon.expires_ms is None or coupon.expires_ms > now_ms)
    )


def _coupon(profile: Profile, coupon_id: str) -> Coupon:
    coupon = profile.coupons.get(coupon_id)
    if coupon is None:
        coupon = profile.coupons[coupon_id] = Coupon(coupon_id)
    return coupon


def _make_room(profile: Profile) -> None:
    known = profile.coupons
    if len(known) > COUPONS_MAX:
        newest = sorted(known.values(), key=_place)
        profile.coupons = {coupon.coupon_id: coupon for coupon in newest[-COUPONS_MAX:]}


def _place(coupon: Coupon) -> tuple[bool, int, str]:
    """What is of no use any more goes first; then what was heard of longest ago."""
    heard_ms = max(
        coupon.in_cart_ms,
        coupon.out_ms,
        -1 if coupon.used_ms is None else coupon.used_ms,
        -1 if coupon.issued is None else coupon.issued[0],
    )
    return (coupon.issued is not None and coupon.used_ms is None, heard_ms, coupon.coupon_id)


def unite(into: Profile, other: Profile) -> None:
    """Fold another profile's coupons in."""
    if not other.has_coupons:
        return
    known = into.coupons
    for coupon_id, theirs in other.coupons.items():
        ours = known.get(coupon_id)
        if ours is None:
            known[coupon_id] = theirs
            continue
        if theirs.issued is not None and (ours.issued is None or ours.issued < theirs.issued):
            ours.issued, ours.expires_ms = theirs.issued, theirs.expires_ms
            ours.discount_minor, ours.currency = theirs.discount_minor, theirs.currency
        ours.used_ms = min((ms for ms in (ours.used_ms, theirs.used_ms) if ms is not None), default=None)
        ours.in_cart_ms = max(ours.in_cart_ms, theirs.in_cart_ms)
        ours.out_ms = max(ours.out_ms, theirs.out_ms)
        ours.told_ms = max(ours.told_ms, theirs.told_ms)
    _make_room(into)
