"""back.in.stock: what she asked to be told of can be had again.

Whoever asked first hears first: of those who wait, so many for each piece that is there are told at once, as many again every
ten minutes, as long as there is any left. So a handful of pieces is not promised to thousands.
"""

from collections.abc import Iterable
from typing import Final

from profiles.book import Book
from profiles.content import Content
from profiles.episodes import plan, waiting
from profiles.gates import OUT_OF_STOCK
from profiles.goods import good_key
from profiles.goods_rules import BackInStockRule
from profiles.goods_state import GoodChange
from profiles.profile import Profile
from profiles.shown import item_of
from profiles.state import Episode, Watch
from profiles.triggers.watched import FORGOTTEN, RESTS, Watched, about, key_of
from profiles.turn import Turn
from profiles.watches import ALERT_FOR_MS, bought_since, close_alert
from schemas.events import Arrival, StockAlertSubscribed


class BackInStock(Watched[BackInStockRule]):
    """Episodes are keyed by customer, product or variant, and stock alert; each alert is answered once."""

    name = "back.in.stock"
    rule_type = BackInStockRule
    listens = frozenset({StockAlertSubscribed})
    reasons = RESTS | {
        "answered": "The stock alert was answered, or a newer one took its place.",
        "alert_expired": "The stock alert is older than 90 days.",
    }

    def wakes(self, book: Book, change: GoodChange) -> bool:
        before, after, pieces = change.before.stock, change.after.stock, self.rule(book).pieces
        return change.new_stock and after is not None and after >= pieces and (before is None or before < pieces)

    def on_good(self, turn: Turn, change: GoodChange, watch: Watch, place: int) -> None:
        if not watch.waits or watch.alert is None or watch.alert[0] < change.time_ms - ALERT_FOR_MS:
            return
        self._plan(turn, change.key, watch, (change.time_ms, change.message_id), change.after.stock, place)

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        """She had asked before it was there again, of which we hear only now."""
        event = arrival.event
        assert isinstance(event, StockAlertSubscribed)
        key = good_key(event.product.product_id, event.product.variant_id)
        good, watch = turn.at.goods.get(key), turn.profile.watches.get(key)
        if good is None or good.stock is None or watch is None or watch.alert is None or watch.alert_done is not None:
            return
        if good.stock >= self.rule(turn.book).pieces and good.stock_ms > watch.alert[0]:
            self._plan(turn, key, watch, (good.stock_ms, good.stock_by), good.stock, 0)

    def _plan(
        self, turn: Turn, about_key: str, watch: Watch, told: tuple[int, str], stock: int | None, place: int
    ) -> None:
        assert watch.alert is not None
        assert stock is not None
        key = f"{turn.profile.id}|{about_key}|{watch.alert[1]}"
        bought = bought_since(turn.profile, watch.product_id, watch.alert[0])
        if not bought and waiting(turn.profile, self, key) is None:
            kept = about(watch) | {"alert": watch.alert[1], "place": place, "stock": stock}
            plan(turn, self, key, told[1], told[0], told[0] + self._wait_ms(turn.book, place, stock), data=kept)

    def _wait_ms(self, book: Book, place: int, stock: int) -> int:
        rule = self.rule(book)
        return place // (rule.told_per_piece * stock) * rule.every_ms

    def grounds(self, profile: Profile) -> Iterable[str]:
        """The stock alerts."""
        watched = profile.watches.values() if profile.has_watches else ()
        return [watch.alert[1] for watch in watched if watch.alert is not None]

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        return episode.opened_ms + self._wait_ms(turn.book, episode.data["place"], episode.data["stock"])

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        watch = turn.profile.watches.get(key_of(episode))
        if watch is None:
            return FORGOTTEN
        if not watch.waits or watch.alert is None or watch.alert[1] != episode.data["alert"]:
            return "answered"
        if watch.alert[0] < now_ms - ALERT_FOR_MS:
            return "alert_expired"
        return "ordered" if bought_since(turn.profile, watch.product_id, watch.alert[0]) else None

    def recheck(self, turn: Turn, episode: Episode) -> str | None:
        good = turn.at.goods.get(key_of(episode))
        there = good is not None and good.stock is not None and good.stock >= self.rule(turn.book).pieces
        return None if there else OUT_OF_STOCK

    def content(self, turn: Turn, episode: Episode) -> Content:
        known = self.known(turn, episode)
        assert known is not None
        watch, good = known
        return Content(
            items=(item_of(turn, watch.product_id, variant_id=watch.variant_id),),
            details={"stock": good.stock, "subscription_id": episode.data["alert"]},
            rule="a product the customer asked to be told of is in stock again",
        )

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """Told, the alert is answered; after any other end it waits for the next time. While she has bought the product, nothing
        comes of it: the order may be cancelled.
        """
        watch = turn.profile.watches.get(key_of(episode))
        if watch is None or watch.alert is None or watch.alert[1] != episode.data["alert"]:
            return
        if state == "emitted":
            close_alert(turn.profile, watch, watch.alert)


BACK_IN_STOCK: Final = BackInStock()
