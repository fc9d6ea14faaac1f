"""price.dropped: a product she saw costs clearly less than the lowest price she saw it at in the last 30 days."""

from typing import Final

from profiles.book import Book
from profiles.content import Content
from profiles.episodes import plan, waiting
from profiles.gates import OUT_OF_STOCK
from profiles.goods import good_key, in_stock
from profiles.goods_rules import PriceDroppedRule
from profiles.goods_state import Good, GoodChange
from profiles.shown import item_of
from profiles.state import Episode, Watch
from profiles.triggers.watched import FORGOTTEN, RESTS, Watched, about, key_of
from profiles.turn import Turn
from profiles.watches import bought_since, lowest_seen, note_price, shown
from schemas import events
from schemas.events import Arrival


class PriceDropped(Watched[PriceDroppedRule]):
    """Episodes are keyed by customer and product or variant; the anchor is the event that told the price."""

    name = "price.dropped"
    rule_type = PriceDroppedRule
    listens = frozenset(
        {
            events.ProductViewed,
            events.ProductAddedToWishlist,
            events.ProductAdded,
            events.WishlistProductAddedToCart,
            events.CartViewed,
            events.CartUpdated,
        }
    )
    reasons = RESTS | {"price_back": "The price is no longer clearly below what the customer has seen."}

    def wakes(self, book: Book, change: GoodChange) -> bool:
        before, after = change.before.price_minor, change.after.price_minor
        if not change.new_price or not change.after.price_changed or after is None:
            return False
        return before is None or after < before

    def on_good(self, turn: Turn, change: GoodChange, watch: Watch, place: int) -> None:
        self._replan(turn, change.key, watch, change.after)

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        """A price seen before the drop, of which we hear only now."""
        goods, event = turn.at.goods, arrival.event
        if not goods:
            return
        carts = isinstance(event, events.CartProductsEvent)
        # Each of the other kinds listened for is about one product.
        products = shown(event.products) if carts else [event.product]  # type: ignore[attr-defined]
        for product in products:
            key = good_key(product.product_id, product.variant_id)
            good = goods.get(key)
            if good is not None and good.price_ms > arrival.time_ms and (watch := turn.profile.watches.get(key)):
                self._replan(turn, key, watch, good)

    def _replan(self, turn: Turn, key: str, watch: Watch, good: Good) -> None:
        episode_key = f"{turn.profile.id}|{key}"
        if good.price_minor is None or not good.price_changed or waiting(turn.profile, self, episode_key) is not None:
            return
        rule, seen = self.rule(turn.book), lowest_seen(watch, good.price_ms)
        if seen is not None and rule.cheaper(good.price_minor, seen):
            due_ms = good.price_ms + rule.delay_ms
            plan(turn, self, episode_key, good.price_by, good.price_ms, due_ms, data=about(watch))

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        return episode.opened_ms + self.rule(turn.book).delay_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        known = self.known(turn, episode)
        if known is None:
            return FORGOTTEN
        watch, good = known
        if bought_since(turn.profile, watch.product_id, watch.touched_ms):
            return "ordered"
        seen = lowest_seen(watch, now_ms)
        if seen is None or good.price_minor is None or not self.rule(turn.book).cheaper(good.price_minor, seen):
            return "price_back"
        return None

    def recheck(self, turn: Turn, episode: Episode) -> str | None:
        return OUT_OF_STOCK if in_stock(turn.at.goods, key_of(episode)) is False else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        known = self.known(turn, episode)
        assert known is not None
        watch, good = known
        seen = lowest_seen(watch, episode.opened_ms)
        return Content(
            items=(item_of(turn, watch.product_id, variant_id=watch.variant_id),),
            details={"price_minor": good.price_minor, "lowest_seen_minor": seen},
            rule="a product costs clearly less than the lowest price the customer saw it at in the last 30 days",
        )

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """What she was told she has seen."""
        known = self.known(turn, episode)
        if state == "emitted" and known is not None and known[1].price_minor is not None:
            note_price(known[0], now_ms, known[1].price_minor)


PRICE_DROPPED: Final = PriceDropped()
