"""wishlist.reminder: a product was put on the wishlist and is still there, not bought."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from profiles import browsing, wishes
from profiles.cart_rules import WishlistReminderRule
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, waiting, waiting_of
from profiles.gates import OUT_OF_STOCK
from profiles.profile import Profile
from profiles.state import Emitted, Episode, RecentOrder
from profiles.turn import Turn
from profiles.watches import last_bought_ms
from schemas.events import Arrival, ProductAddedToWishlist, ProductRemovedFromWishlist, WishlistEvent


class WishlistReminder(TriggerDefinition[WishlistReminderRule]):
    """The trigger. Episodes are keyed by customer and product."""

    name = "wishlist.reminder"
    rule_type = WishlistReminderRule
    follows_order = True
    listens = frozenset({ProductAddedToWishlist, ProductRemovedFromWishlist})
    reasons: ClassVar[Mapping[str, str]] = {"removed": "The product was taken off the wishlist."}

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        event, profile = arrival.event, turn.profile
        assert isinstance(event, WishlistEvent)
        product_id = event.product.product_id
        if wishes.since(profile.wishes.get(product_id)) is None:
            cancel(turn, self, _key(profile, product_id), "removed")
        else:
            self._plan(turn, product_id)

    def on_united(self, turn: Turn, brought: Profile) -> None:
        """What one wished for the other may have ordered, or taken off the list; it may be wished for again since."""
        for episode in waiting_of(turn.profile, self):
            product_id = _product_of(turn.profile, episode)
            wish = turn.profile.wishes.get(product_id)
            bought = last_bought_ms(turn.profile, product_id) >= episode.opened_ms
            if bought or (wish is not None and wish.removed_ms >= episode.opened_ms):
                cancel(turn, self, episode.key, "ordered" if bought else "removed")
                self._plan(turn, product_id)

    def on_parted(self, turn: Turn) -> None:
        """What waited may have been opened by a wish of another customer for what she wishes for too."""
        if turn.profile.has_wishes:
            for product_id in turn.profile.wishes:
                self._plan(turn, product_id, since_ms=turn.now_ms - self.rule(turn.book).max_lateness_ms)

    def _plan(self, turn: Turn, product_id: str, *, since_ms: int = 0) -> None:
        """Arm by the first word on the list since she bought it that she was not reminded of, if that is due since then."""
        profile = turn.profile
        opening = wishes.opening(profile.wishes.get(product_id), last_bought_ms(profile, product_id))
        if opening is not None:
            due_ms = opening[0] + self.rule(turn.book).delay_ms
            if due_ms >= since_ms:
                plan(turn, self, _key(profile, product_id), opening[1], opening[0], due_ms)

    def grounds(self, profile: Profile) -> Iterable[str]:
        """The words that put something on the list, and what they put there."""
        if not profile.has_wishes:
            return ()
        return [*profile.wishes, *(message_id for wish in profile.wishes.values() for _, message_id in wish.adds)]

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        """Buying it ends what waits. She may have wished for it again since, have given it back, or have bought it before."""
        profile, order = turn.profile, told.order
        if not profile.has_wishes:
            return
        changed = told.gone
        if order is not None:
            changed = order.product_ids
            for episode in waiting_of(profile, self):
                if _product_of(profile, episode) in order.bought and order.at_ms >= episode.opened_ms:
                    cancel(turn, self, episode.key, "ordered", order.order_id)
        since_ms = turn.now_ms - self.rule(turn.book).max_lateness_ms
        for product_id in changed:
            if product_id in profile.wishes and waiting(profile, self, _key(profile, product_id)) is None:
                self._plan(turn, product_id, since_ms=since_ms)

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        return episode.opened_ms + self.rule(turn.book).delay_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        product_id = _product_of(turn.profile, episode)
        if wishes.since(turn.profile.wishes.get(product_id)) is None:
            return "removed"
        return "ordered" if last_bought_ms(turn.profile, product_id) >= episode.opened_ms else None

    def recheck(self, turn: Turn, episode: Episode) -> str | None:
        product_id = _product_of(turn.profile, episode)
        offered = turn.profile.wishes[product_id].offered
        return OUT_OF_STOCK if browsing.in_stock(turn.at.goods, product_id, offered) is False else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        product_id = _product_of(turn.profile, episode)
        wish = turn.profile.wishes[product_id]
        return Content(
            items=(browsing.item(product_id, wish.said, wish.offered),),
            value_minor=wish.offered.price_minor,
            currency=wish.offered.currency,
            details={"wished_ms": episode.opened_ms},
            rule="a product on the wishlist for the delay, neither bought nor taken off",
        )

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        return order.at_ms >= sent.opened_ms and not set(order.product_ids).isdisjoint(sent.product_ids)

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """Only what is put on the list later opens another episode, or after she bought it: the order tells that, as long as it
        stands. Where she unsubscribed, all that was put there by then is done with. The word that opened this one may be
        another customer's.
        """
        product_id = _product_of(turn.profile, episode)
        wish = turn.profile.wishes.get(product_id)
        if wish is None:
            return
        if state != "cancelled":
            wish.told_ms = max(wish.told_ms, episode.due_ms)
        elif (
            any(at_ms == episode.opened_ms for at_ms, _ in wish.adds)
            and last_bought_ms(turn.profile, product_id) < episode.opened_ms
        ):
            settled = (at_ms for at_ms, _ in wish.adds if at_ms <= turn.time_ms)
            wish.told_ms = max(wish.told_ms, episode.opened_ms, *settled)


def _key(profile: Profile, product_id: str) -> str:
    return f"{profile.id}|{product_id}"


def _product_of(profile: Profile, episode: Episode) -> str:
    return episode.key.removeprefix(f"{profile.id}|")


WISHLIST_REMINDER: Final = WishlistReminder()
