"""cross.sell: what goes with an order, some days after it came; bundle.suggest: the rest of a bundle she has begun.

What goes together is learned from all orders (`Models.together`: at least 20 baskets with both, 1.2 times as often as by chance),
and where nothing was learned, told by the catalogue (`complementary`), its file or its events, the newest. Bundles are those that
the catalogue's file names, and the sets that customers buy by themselves (`Models.bundles`).
"""

from collections.abc import Collection, Iterable
from itertools import combinations
from typing import ClassVar, Final

from profiles import carts
from profiles.book import Book
from profiles.cart_rules import CartAbandonedRule
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, plan_by_day, waiting, was_sent
from profiles.gates import OUT_OF_STOCK
from profiles.goods import not_sold_out
from profiles.insight.bundles import name_of
from profiles.insight.pair_table import for_set
from profiles.ledger import OrderChange
from profiles.order_rules import BundleSuggestRule, CrossSellRule
from profiles.profile import Profile
from profiles.shown import item_of
from profiles.standing import utc_date
from profiles.state import Cart, Emitted, Episode, RecentOrder
from profiles.turn import Turn
from profiles.watches import SEEN_FOR_MS
from schemas import events
from schemas.events import Arrival

PRODUCTS_MAX: Final = 20
"""Products of an order that are looked at, in the order of their lines."""
VIEWED_AT_LEAST: Final = 2
"""Of a bundle so many products viewed show that she is after it; in a cart one is enough."""


class CrossSell(TriggerDefinition[CrossSellRule]):
    """One episode for each order."""

    name = "cross.sell"
    rule_type = CrossSellRule
    follows_order = True
    waits_apart = True
    reasons: ClassVar[dict[str, str]] = {
        "nothing_to_offer": "Nothing goes with it, or all of that was bought lately, is in a cart or can't be had."
    }

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        """Plan by the placing, then by the delivery; money going back ends it."""
        entry, profile = told.change.entry, turn.profile
        key = entry.order_id
        if entry.cancelled_ms is not None or entry.refunds:
            cancel(turn, self, key, "refunded", key)
            return
        if entry.placed_ms is None or entry.test or not entry.lines:
            return
        rule, waits = self.rule(turn.book), waiting(profile, self, key) is not None
        if not waits and _says_no_more(told.change):
            return  # what ended it has ended it
        by_placing_ms = entry.placed_ms + rule.placed_delay_ms
        if entry.delivered_ms is None:
            due_ms = by_placing_ms
        elif entry.delivered_ms >= by_placing_ms and not told.change.is_new and not waits:
            return  # its time had come before; what was sent then may be forgotten by now
        else:
            due_ms = entry.delivered_ms + rule.delivered_delay_ms
        if due_ms <= told.arrival.time_ms or was_sent(profile, self.name, key):
            return
        products = list(dict.fromkeys(line.product_id for line in entry.lines))[:PRODUCTS_MAX]
        delivered = entry.delivered_ms is not None
        kept = {"products": products, "delivered": delivered, "from_ms": entry.delivered_ms or entry.placed_ms}
        plan(turn, self, key, key, entry.placed_ms, due_ms, data=kept)

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        rule = self.rule(turn.book)
        delay_ms = rule.delivered_delay_ms if episode.data["delivered"] else rule.placed_delay_ms
        from_ms: int = episode.data["from_ms"]
        return from_ms + delay_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        return None if self._offers(turn, episode) else "nothing_to_offer"

    def content(self, turn: Turn, episode: Episode) -> Content:
        return Content(
            items=tuple(item_of(turn, product_id) for product_id in self._offers(turn, episode)),
            details={"order_id": episode.key, "bought": episode.data["products"]},
            rule="products that are often bought together with those of an order, or that complement them",
        )

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        return _has_all(order, sent)

    def _offers(self, turn: Turn, episode: Episode) -> list[str]:
        """What to offer, best first, without what she has, what would only stand in for it, and what is sold out."""
        bought: list[str] = episode.data["products"]
        known = [turn.facts(product_id) for product_id in bought]
        learned = turn.book.models.together
        if learned is None and not any(facts.complementary for facts in known):
            return []
        without = _owned(turn) | _in_carts(turn) | set(bought)
        without.update(other for facts in known for other in facts.substitutes)
        # Some more than are shown: of what was learned, some may be sold out.
        found = [] if learned is None else for_set(learned, bought, without, 2 * PRODUCTS_MAX)
        for facts in known:
            found += [other for other in facts.complementary if other not in without]
        return not_sold_out(turn.at.goods, dict.fromkeys(found))[: self.rule(turn.book).products]


class BundleSuggest(TriggerDefinition[BundleSuggestRule]):
    """Episodes are keyed by customer and bundle."""

    name = "bundle.suggest"
    rule_type = BundleSuggestRule
    waits_apart = True
    listens = frozenset({events.ProductViewed})
    remembers_views = True
    reasons: ClassVar[dict[str, str]] = {
        "complete": "The customer has all of the bundle, or it is in a cart.",
        "not_wanted": "Of the bundle nothing is in a cart any more, and no two products were viewed of late.",
        "no_bundle": "The shop has no such bundle any more, or customers do not buy it as one any more.",
    }

    def applies(self, book: Book) -> bool:
        """Most shops have no bundles, and every view would ask for them."""
        return bool(book.catalogue.bundles) or (self.rule(book).learned and bool(book.models.bundles))

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        event = arrival.event
        if isinstance(event, events.ProductEvent):
            self._consider(turn, [event.product.product_id])

    def on_cart(self, turn: Turn, cart: Cart) -> None:
        self._consider(turn, (line.product_id for line in cart.lines.values()), cart.told)

    def on_united(self, turn: Turn, brought: Profile) -> None:
        """One of them may have viewed what the other one had not. What came in carts is told of by itself."""
        if brought.has_watches:
            self._consider(turn, [watch.product_id for watch in brought.watches.values() if watch.views])

    def _consider(self, turn: Turn, product_ids: Iterable[str], told: Collection[str] = ()) -> None:
        """Arm for each bundle of these products that she has begun, but for those that were told of already."""
        bundles = {
            name: members for product_id in product_ids for name, members in self._bundles_of(turn, product_id).items()
        }
        for name, members in sorted(bundles.items()):
            key = f"{turn.profile.id}|{name}"
            if told and f"{self.name}|{name}" in told:
                continue
            if waiting(turn.profile, self, key) is None and self._rest(turn, members) is not None:
                opened_ms = max(turn.time_ms, self._viewed_ms(turn, members))
                due_ms = opened_ms + self.rule(turn.book).delay_ms
                # By its day: which of two products was heard of last says nothing of which she looked at last.
                data = {"bundle": name, "of": members[0]}
                plan_by_day(turn, self, key, utc_date(opened_ms), opened_ms, due_ms, data=data)

    def _bundles_of(self, turn: Turn, product_id: str) -> dict[str, tuple[str, ...]]:
        """The bundles that a product belongs to, by name: the shop's own, and the set that customers buy by themselves, unless
        it is part of one of these, or some of it would only stand in for another.
        """
        book = turn.book
        facts, known = book.catalogue.products.get(product_id), book.catalogue.bundles
        bundles = {} if facts is None else {name: known[name] for name in facts.bundles if name in known}
        if book.models.bundles and self.rule(book).learned:
            members = book.models.bundles.get(product_id)
            if members is not None and not _is_part(members, bundles.values()) and not _alike(turn, members):
                bundles[name_of(members)] = members
        return bundles

    def _members(self, turn: Turn, episode: Episode) -> tuple[str, ...] | None:
        """What a bundle is made of today; None where it is none any more."""
        name = episode.data["bundle"]
        members = turn.book.catalogue.bundles.get(name)
        if members is None and "of" in episode.data:
            members = self._bundles_of(turn, episode.data["of"]).get(name)
        return members

    def _viewed_ms(self, turn: Turn, members: tuple[str, ...]) -> int:
        """When she last viewed one of a bundle: a view that comes late does not make the bundle an older one."""
        views = (
            watch.views[0] for watch in turn.profile.watches.values() if watch.views and watch.product_id in members
        )
        return max(views, default=0)

    def _rest(self, turn: Turn, members: tuple[str, ...]) -> list[str] | None:
        """What she lacks of a bundle that she has begun; None where she has not."""
        profile = turn.profile
        in_carts = _in_carts(turn)
        if in_carts.isdisjoint(members):
            since_ms = turn.time_ms - SEEN_FOR_MS
            viewed = {
                watch.product_id for watch in profile.watches.values() if watch.views and watch.views[0] >= since_ms
            }
            if len(viewed.intersection(members)) < VIEWED_AT_LEAST:
                return None
        has = in_carts | _owned(turn)
        return [product_id for product_id in members if product_id not in has] or None

    def _lacks(self, turn: Turn, episode: Episode) -> list[str] | None:
        """As `_rest`, of the bundle that an episode is about; None where that is none any more, too."""
        members = self._members(turn, episode)
        return None if members is None else self._rest(turn, members)

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        return episode.opened_ms + self.rule(turn.book).delay_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        members = self._members(turn, episode)
        if members is None:
            return "no_bundle"
        if self._rest(turn, members) is not None:
            return None
        has = _in_carts(turn) | _owned(turn)
        return "complete" if has.issuperset(members) else "not_wanted"

    def recheck(self, turn: Turn, episode: Episode) -> str | None:
        rest = self._lacks(turn, episode)
        return None if rest is None or not_sold_out(turn.at.goods, rest) else OUT_OF_STOCK

    def cools(self, episode: Episode, sent: Emitted) -> bool:
        """Each bundle cools by itself."""
        return sent.key == episode.key

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        return _has_all(order, sent)

    def content(self, turn: Turn, episode: Episode) -> Content:
        rest = self._lacks(turn, episode)
        assert rest is not None
        return Content(
            items=tuple(item_of(turn, product_id) for product_id in not_sold_out(turn.at.goods, rest)[:PRODUCTS_MAX]),
            details={"bundle": episode.data["bundle"]},
            rule="two products of a bundle were viewed, or one is in a cart, and the rest is not there yet",
        )


def _says_no_more(change: OrderChange) -> bool:
    """Whether all that an offer goes by was known of an order before: that it was placed, with which products, and delivered."""
    before = change.before
    if before is None or before.placed_ms is None or before.test or not before.lines:
        return False
    return before.delivered_ms == change.entry.delivered_ms


def _is_part(members: tuple[str, ...], bundles: Iterable[tuple[str, ...]]) -> bool:
    return any(set(members).issubset(bundle) for bundle in bundles)


def _alike(turn: Turn, members: tuple[str, ...]) -> bool:
    """Whether one of these could be bought in the place of another: then nobody is missing the other."""
    known = [(product_id, turn.facts(product_id)) for product_id in members]
    return any(
        one in other.substitutes
        or another in first.substitutes
        or (first.group is not None and first.group == other.group)
        for (one, first), (another, other) in combinations(known, 2)
    )


def _has_all(order: RecentOrder, sent: Emitted) -> bool:
    """Whether all that was offered had been bought."""
    return bool(sent.product_ids) and set(sent.product_ids) <= set(order.product_ids)


def _owned(turn: Turn) -> set[str]:
    """What she bought in the last 30 days (of who bought no more older orders are kept), or buys again and again."""
    since_ms, profile = turn.time_ms - carts.RECENT_ORDERS_KEPT_MS, turn.profile
    owned = {id_ for order in profile.recent_orders if order.at_ms >= since_ms for id_ in order.bought}
    for state in profile.supply.values():
        owned.update(purchase.product_id or state.product_id for purchase in state.purchases)
    return owned


def _in_carts(turn: Turn) -> set[str]:
    return carts.kept_products(turn.profile, turn.time_ms, turn.book.rule(CartAbandonedRule).forget_ms)


CROSS_SELL: Final = CrossSell()
BUNDLE_SUGGEST: Final = BundleSuggest()
