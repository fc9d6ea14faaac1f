"""low.stock: of something she is after, only a few pieces are left."""

from typing import Final

from profiles.book import Book
from profiles.content import Content
from profiles.episodes import plan, waiting
from profiles.gates import OUT_OF_STOCK
from profiles.goods import in_stock
from profiles.goods_rules import LowStockRule
from profiles.goods_state import GoodChange
from profiles.shown import item_of
from profiles.state import Episode, Watch
from profiles.triggers.cart_abandoned import CART_ABANDONED
from profiles.triggers.watched import FORGOTTEN, RESTS, Watched, about, key_of
from profiles.turn import Turn
from profiles.watches import bought_since, wants


class LowStock(Watched[LowStockRule]):
    """Episodes are keyed by customer and product or variant."""

    name = "low.stock"
    rule_type = LowStockRule
    reasons = RESTS | {
        "restocked": "There is enough of it again.",
        "not_wanted": "It is in no cart and on no wishlist any more, and was not viewed twice of late.",
    }

    def wakes(self, book: Book, change: GoodChange) -> bool:
        before, after, pieces = change.before.stock, change.after.stock, self.rule(book).pieces
        return change.new_stock and before is not None and after is not None and before > pieces >= after > 0

    def on_good(self, turn: Turn, change: GoodChange, watch: Watch, place: int) -> None:
        key = f"{turn.profile.id}|{change.key}"
        if waiting(turn.profile, self, key) is None and self._wants(turn, change.key, watch, change.time_ms):
            due_ms = change.time_ms + self.rule(turn.book).delay_ms
            plan(turn, self, key, change.message_id, change.time_ms, due_ms, data=about(watch))

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        return episode.opened_ms + self.rule(turn.book).delay_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        known = self.known(turn, episode)
        if known is None:
            return FORGOTTEN
        watch, good = known
        if bought_since(turn.profile, watch.product_id, watch.touched_ms):
            return "ordered"
        if good.stock is None or good.stock > self.rule(turn.book).pieces:
            return "restocked"
        return None if self._wants(turn, key_of(episode), watch, now_ms) else "not_wanted"

    def _wants(self, turn: Turn, key: str, watch: Watch, now_ms: int) -> bool:
        return wants(turn.profile, key, watch, now_ms, CART_ABANDONED.rule(turn.book).forget_ms)

    def recheck(self, turn: Turn, episode: Episode) -> str | None:
        return OUT_OF_STOCK if in_stock(turn.at.goods, key_of(episode)) is False else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        known = self.known(turn, episode)
        assert known is not None
        watch, good = known
        return Content(
            items=(item_of(turn, watch.product_id, variant_id=watch.variant_id),),
            details={"stock": good.stock},
            rule="few pieces are left of a product in a cart, on a wishlist, or viewed twice within 7 days",
        )


LOW_STOCK: Final = LowStock()
