"""post.purchase.content: how to use, keep or enjoy what has just arrived. One message for each product and content.

What there is to tell of a product stands in the catalogue (`contents`), its file or its events, and is read once more when the
message is due. With it goes what the product is used with (`complementary`) and for (`occasions`).
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from profiles import deliveries
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, waiting
from profiles.goods import not_sold_out
from profiles.order_rules import PostPurchaseContentRule
from profiles.shown import item_of
from profiles.state import Delivery, Emitted, Episode
from profiles.turn import Turn
from schemas.outputs import Item

COMPLEMENTS_MAX: Final = 4
"""Products named beside what is told, the best first."""
PER_ORDER_MAX: Final = 8
"""Contents of one order, in the order of its lines: more would fill a customer's days."""


class PostPurchaseContent(TriggerDefinition[PostPurchaseContentRule]):
    """The trigger. One episode for each order, product and content."""

    name = "post.purchase.content"
    rule_type = PostPurchaseContentRule
    follows_order = True
    waits_apart = True
    reasons: ClassVar[Mapping[str, str]] = {"no_content": "There is nothing to tell of the product any more."}

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        if told.delivery is None:
            return
        order_id, delivery = told.change.entry.order_id, told.delivery
        arrived_ms = deliveries.arrived_ms(delivery, turn.profile, turn.book)
        wanted = _contents(turn, delivery)[:PER_ORDER_MAX] if arrived_ms is not None else []
        self._look_again(turn, order_id, arrived_ms)
        keys = {_key(order_id, product_id, content_id) for product_id, content_id in wanted}
        for episode in list(turn.profile.episodes.values()):
            if episode.name == self.name and episode.data["order_id"] == order_id and episode.key not in keys:
                cancel(turn, self, episode.key, _why_gone(delivery, episode))
        if arrived_ms is not None:
            # What she had wanted to hear nothing of is brought up by nothing that becomes of the order once its time is over.
            is_over = arrived_ms + self.rule(turn.book).delay_ms < turn.time_ms
            self._plan(turn, order_id, delivery, arrived_ms, wanted, is_over=is_over)

    def _plan(
        self,
        turn: Turn,
        order_id: str,
        delivery: Delivery,
        arrived_ms: int,
        wanted: list[tuple[str, str]],
        *,
        is_over: bool = False,
    ) -> None:
        for product_id, content_id in wanted:
            key = _key(order_id, product_id, content_id)
            if (is_over or self.name in delivery.asked) and waiting(turn.profile, self, key) is None:
                continue
            data = {"order_id": order_id, "product_id": product_id, "content_id": content_id}
            plan(turn, self, key, order_id, arrived_ms, arrived_ms + self.rule(turn.book).delay_ms, data=data)

    def _look_again(self, turn: Turn, order_id: str, arrived_ms: int | None) -> None:
        """Where events tell of products, what is told of these until the message is due is still in time."""
        wake = f"{self.name}|{order_id}"
        due_ms = None if arrived_ms is None else arrived_ms + self.rule(turn.book).delay_ms
        if due_ms is None or not turn.at.facts or due_ms < turn.now_ms:
            turn.profile.wakes.pop(wake, None)
            return
        wakes, deliveries_now = turn.profile.wakes, turn.profile.deliveries
        # As many as there are parcels: one that had to make room takes its timer along.
        gone = [
            name for name in wakes if name.startswith(f"{self.name}|") and name.partition("|")[2] not in deliveries_now
        ]
        for name in gone:
            del wakes[name]
        wakes[wake] = due_ms

    def on_wake(self, turn: Turn, what: str) -> None:
        delivery = turn.profile.deliveries.get(what)
        if delivery is None:
            return
        arrived_ms = deliveries.arrived_ms(delivery, turn.profile, turn.book)
        if arrived_ms is not None:
            self._plan(turn, what, delivery, arrived_ms, _contents(turn, delivery)[:PER_ORDER_MAX])

    def order_of(self, what: str) -> str | None:
        return what

    def wake_again(self, turn: Turn, what: str, due_ms: int) -> int | None:
        arrived_ms = deliveries.order_arrived_ms(what, turn.profile, turn.book)
        return None if arrived_ms is None else arrived_ms + self.rule(turn.book).delay_ms

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        return self.wake_again(turn, episode.data["order_id"], episode.due_ms)

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        delivery = turn.profile.deliveries.get(episode.data["order_id"])
        if delivery is None or all(line.product_id != episode.data["product_id"] for line in deliveries.kept(delivery)):
            return "refunded" if delivery is None else _why_gone(delivery, episode)
        if (episode.data["product_id"], episode.data["content_id"]) not in _contents(turn, delivery):
            return "no_content"
        return None

    def cools(self, episode: Episode, sent: Emitted) -> bool:
        return sent.key.endswith(f"|{episode.data['content_id']}")

    def content(self, turn: Turn, episode: Episode) -> Content:
        line = _shown(turn, episode)
        details: dict[str, Any] = {"content_id": episode.data["content_id"], "order_id": episode.data["order_id"]}
        facts = turn.facts(line.product_id, line.category, line.variant_id)
        if there := not_sold_out(turn.at.goods, facts.complementary):
            details["complementary"] = there[:COMPLEMENTS_MAX]
        if facts.occasions:
            details["occasions"] = list(facts.occasions)
        return Content(
            items=(line,),
            details=details,
            rule="a product arrived that there is something to tell about",
        )

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """Its message is done with: nothing that happens to the order later brings it up again."""
        delivery = turn.profile.deliveries.get(episode.data["order_id"])
        if delivery is not None and state != "cancelled" and self.name not in delivery.asked:
            delivery.asked = sorted({*delivery.asked, self.name})


def _key(order_id: str, product_id: str, content_id: str) -> str:
    return f"{order_id}|{product_id}|{content_id}"


def _contents(turn: Turn, delivery: Delivery) -> list[tuple[str, str]]:
    """Product and content id of all there is to tell, each content once."""
    found: dict[str, str] = {}
    for line in deliveries.kept(delivery):
        for content_id in turn.facts(line.product_id, line.category, line.variant_id).contents:
            found.setdefault(content_id, line.product_id)
    return [(product_id, content_id) for content_id, product_id in found.items()]


def _why_gone(delivery: Delivery, episode: Episode) -> str:
    sent_back = delivery.all_returned or episode.data["product_id"] in delivery.returned
    return "returned" if sent_back else "refunded"


def _shown(turn: Turn, episode: Episode) -> Item:
    product_id = episode.data["product_id"]
    delivery = turn.profile.deliveries[episode.data["order_id"]]
    line = next(line for line in delivery.lines if line.product_id == product_id)
    return item_of(turn, product_id, line.category, line.variant_id)


POST_PURCHASE_CONTENT: Final = PostPurchaseContent()
