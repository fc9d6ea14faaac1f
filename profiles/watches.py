"""Which products a customer has an eye on: viewed, put into a cart, wished for, or asked to be told of.

A partition keeps, beside its profiles, an index of these from product to customers (`index_changes` is what it has to learn).
Only products that somebody watches have their price and stock kept, and only who watches one is told of a change.

All of it comes out the same for any order of events. A customer watches at most WATCHES_MAX products: open stock alerts stay
before wishes, wishes before the rest, and of equals what was touched last.
"""

from collections.abc import Iterable
from typing import Final

from profiles import carts
from profiles.goods import good_key
from profiles.profile import Profile
from profiles.rules import DAY_MS
from profiles.state import SEEN_PRICES_MAX, WATCHES_MAX, Watch
from schemas.events import CartProductsEvent, Event, Product, ProductEvent

SEEN_FOR_MS: Final = 30 * DAY_MS
"""A price counts as seen this long. What was only viewed is watched no longer."""
ALERT_FOR_MS: Final = 90 * DAY_MS
"""A stock alert or a wish is open this long."""
VIEWED_WITHIN_MS: Final = 7 * DAY_MS
"""Two views within this time are more than a glance."""


def see(profile: Profile, product: Product, at_ms: int, price_minor: int | None) -> Watch:
    """She saw a product, and its price where it is one in the shop's currency. Gives the watch, which may not be kept."""
    watch = _watch(profile, product, at_ms)
    if price_minor is not None and price_minor >= 0:
        note_price(watch, at_ms, price_minor)
    return watch


def view(profile: Profile, product: Product, at_ms: int, price_minor: int | None) -> None:
    """She viewed a product."""
    watches, key = profile.watches, good_key(product.product_id, product.variant_id)
    watch = watches.get(key)
    if watch is None:  # most views are of a product that is new to her
        seen = [(at_ms, price_minor)] if price_minor is not None and price_minor >= 0 else []
        _begin(profile, key, Watch(product.product_id, product.variant_id, at_ms, seen, [at_ms]))
        return
    if watch.touched_ms < at_ms:
        watch.touched_ms = at_ms
    if price_minor is not None and price_minor >= 0:
        note_price(watch, at_ms, price_minor)
    views = watch.views
    if at_ms not in views:
        watch.views = _newest_two([at_ms, *views])


def wish(profile: Profile, product: Product, at_ms: int, price_minor: int | None) -> None:
    """It was put on her wishlist."""
    watch = see(profile, product, at_ms, price_minor)
    if watch.wish is None or watch.wish[0] < at_ms:
        watch.wish = (at_ms, True)


def unwish(profile: Profile, product: Product, at_ms: int) -> None:
    """It was taken off her wishlist; of two words of the same moment this one counts."""
    watch = _watch(profile, product, at_ms)
    if watch.wish is None or watch.wish[0] <= at_ms:
        watch.wish = (at_ms, False)


def await_stock(profile: Profile, product: Product, at_ms: int, alert_id: str) -> None:
    """She wants to hear when it is there again."""
    watch = _watch(profile, product, at_ms)
    watch.alert = max(watch.alert or (0, ""), (at_ms, alert_id))
    profile.rewatched.append(good_key(product.product_id, product.variant_id))


def note_order(profile: Profile) -> None:
    """What she bought changed, and with it what she waits for."""
    for key, watch in profile.watches.items():
        if watch.waits and key not in profile.rewatched:  # nobody empties that of a side
            profile.rewatched.append(key)


def close_alert(profile: Profile, watch: Watch, alert: tuple[int, str]) -> None:
    """A stock alert needs no answer any more."""
    watch.alert_done = max(watch.alert_done or (0, ""), alert)
    profile.rewatched.append(good_key(watch.product_id, watch.variant_id))


def note_price(watch: Watch, at_ms: int, price_minor: int) -> None:
    """Keep a price that was seen, unless a later one was as low."""
    if not watch.seen:
        watch.seen = [(at_ms, price_minor)]
        return
    kept = [seen for seen in watch.seen if not (seen[0] <= at_ms and seen[1] >= price_minor)]
    if not any(seen[0] >= at_ms and seen[1] <= price_minor for seen in kept):
        kept.append((at_ms, price_minor))
        kept.sort()
    oldest_ms = watch.touched_ms - SEEN_FOR_MS
    watch.seen = [seen for seen in kept if seen[0] >= oldest_ms][:SEEN_PRICES_MAX]


def lowest_seen(watch: Watch, now_ms: int) -> int | None:
    """The lowest price she saw, or was told, in the 30 days before a moment, or since; None if she did not look in that time."""
    if watch.touched_ms < now_ms - SEEN_FOR_MS:
        return None
    return min((price for at_ms, price in watch.seen if at_ms >= now_ms - SEEN_FOR_MS), default=None)


def wants(profile: Profile, key: str, watch: Watch, now_ms: int, forget_ms: int) -> bool:
    """Whether she is after it: it is in a cart that changed within `forget_ms`, on a wishlist and was heard of within 90 days,
    or was viewed twice in the last 7 days. Whether she came by since, so that what is old was tidied up, makes no difference.
    A wish or a view from before she bought it does not count.
    """
    since_ms = last_bought_ms(profile, watch.product_id)
    wish, views = watch.wish, watch.views
    if wish is not None and wish[1] and wish[0] > since_ms and watch.touched_ms >= now_ms - ALERT_FOR_MS:
        return True
    if len(views) == 2 and views[1] > since_ms and views[1] >= now_ms - VIEWED_WITHIN_MS:
        return True
    return any(
        key in cart.lines and carts.last_change_ms(cart) >= now_ms - forget_ms
        for cart in carts.all_carts(profile).values()
    )


def last_bought_ms(profile: Profile, product_id: str) -> int:
    """When she last bought a product, as far as that is remembered; -1 where it is not."""
    return max((order.at_ms for order in profile.recent_orders if product_id in order.bought), default=-1)


def bought_since(profile: Profile, product_id: str, since_ms: int) -> bool:
    """Whether she bought the product by an order of the last 30 days, placed at or after a moment."""
    return any(order.at_ms >= since_ms and product_id in order.bought for order in profile.recent_orders)


def expired(watch: Watch, now_ms: int) -> bool:
    """Whether nothing about it is of use any more."""
    if watch.touched_ms >= now_ms - SEEN_FOR_MS:
        return False  # nearly all, so of these nothing else is asked
    if watch.waits and watch.alert is not None and watch.alert[0] >= now_ms - ALERT_FOR_MS:
        return False
    if watch.seen and watch.seen[-1][0] >= now_ms - SEEN_FOR_MS:
        return False  # she was told of it, and may look again
    return not (watch.wished and watch.touched_ms >= now_ms - ALERT_FOR_MS)


def tidy(profile: Profile, now_ms: int) -> None:
    """Take out what is of no use any more. What lies in a cart stays: its reminder asks whether the shop still has it."""
    watches = profile.watches
    old = [key for key, watch in watches.items() if expired(watch, now_ms)]
    if old:
        held = {key for cart in carts.seen_carts(profile) for key in cart.lines}
        for key in old:
            if key not in held:
                del watches[key]
                profile.rewatched.append(key)


def unite(into: Profile, other: Profile) -> None:
    """Add what another profile watches; the same as if its events had come to this one."""
    ours = into.watches
    for key, theirs in other.watches.items():
        watch = ours.get(key)
        if watch is None:
            ours[key] = theirs
            into.rewatched.append(key)
            continue
        before = (watch.alert, watch.alert_done)
        watch.touched_ms = max(watch.touched_ms, theirs.touched_ms)
        for at_ms, price_minor in theirs.seen:
            note_price(watch, at_ms, price_minor)
        watch.views = _newest_two({*watch.views, *theirs.views})
        # Off before on: of two words of the same moment the one that takes it off counts.
        words = [word for word in (watch.wish, theirs.wish) if word is not None]
        watch.wish = max(words, key=lambda word: (word[0], not word[1]), default=None)
        watch.alert = max((one for one in (watch.alert, theirs.alert) if one is not None), default=None)
        watch.alert_done = max((one for one in (watch.alert_done, theirs.alert_done) if one is not None), default=None)
        if (watch.alert, watch.alert_done) != before:
            into.rewatched.append(key)
    if other.has_recent_orders:
        note_order(into)
    _let_go(into)


def mentioned(event: Event) -> list[str]:
    """The products that a customer's event may make her watch."""
    if isinstance(event, ProductEvent):
        return [good_key(event.product.product_id, event.product.variant_id)]
    if isinstance(event, CartProductsEvent):
        return [good_key(product.product_id, product.variant_id) for product in event.products]
    return []


def index_changes(profile: Profile) -> dict[str, tuple[int, str] | bool | None]:
    """What the index has to learn of a profile before it is written: for each product that may have changed its open stock
    alert, None for a plain watch, False where she watches it no more. Told once.
    """
    told = profile.rewatched
    if not told:
        return {}
    profile.rewatched = []
    watches = profile.watches
    changes: dict[str, tuple[int, str] | bool | None] = {}
    for key in told:
        watch = watches.get(key)
        if watch is None:
            changes[key] = False
        else:
            # Most have no alert, and cost no call.
            changes[key] = watch.alert if watch.alert is not None and _awaits(profile, watch) else None
    return changes


def _awaits(profile: Profile, watch: Watch) -> bool:
    """Whether a stock alert is open, and she has not bought the product otherwise. An order may be cancelled yet."""
    return watch.waits and watch.alert is not None and not bought_since(profile, watch.product_id, watch.alert[0])


def _newest_two(views: Iterable[int]) -> list[int]:
    """Of the times she viewed it the newest two, or the newest alone where the one before is too long ago to matter."""
    newest = sorted(views, reverse=True)[:2]
    if newest and newest[-1] < newest[0] - VIEWED_WITHIN_MS:
        del newest[1:]
    return newest


def _watch(profile: Profile, product: Product, at_ms: int) -> Watch:
    watches = profile.watches
    key = good_key(product.product_id, product.variant_id)
    watch = watches.get(key)
    if watch is None:
        watch = Watch(product.product_id, product.variant_id, at_ms)
        _begin(profile, key, watch)
    elif watch.touched_ms < at_ms:
        watch.touched_ms = at_ms
    return watch


def _begin(profile: Profile, key: str, watch: Watch) -> None:
    """She watches one product more."""
    watches = profile.watches
    watches[key] = watch
    profile.rewatched.append(key)
    _let_go(profile)


def _let_go(profile: Profile) -> None:
    """Take out what is above the bound. What has expired goes with the next visit (`tidy`)."""
    watches = profile.watches
    while len(watches) > WATCHES_MAX:
        least = _least(watches)
        del watches[least]
        profile.rewatched.append(least)


def _least(watches: dict[str, Watch]) -> str:
    """What goes first: without a stock alert or a wish before those with one, then the longest untouched. Asked with nearly
    every view, so most watches cost no call.
    """
    least, least_ms = "", 1 << 62
    others: list[tuple[bool, bool, int, str]] = []
    for key, watch in watches.items():
        if watch.alert is None and watch.wish is None:
            touched_ms = watch.touched_ms
            if touched_ms < least_ms or (touched_ms == least_ms and key < least):
                least, least_ms = key, touched_ms
        else:
            others.append((watch.waits, watch.wished, watch.touched_ms, key))
    if not others:
        return least
    if least:
        others.append((False, False, least_ms, least))
    return min(others)[3]


def shown(products: Iterable[Product]) -> list[Product]:
    """The products of a cart that are watched, the last of them: no more than a profile holds."""
    return list(products)[-WATCHES_MAX:]
