"""What the triggers about price and stock of watched products share: their episodes, and what they show."""

from collections.abc import Iterable
from typing import Any, TypeVar

from profiles.definition import TriggerDefinition
from profiles.goods import good_key
from profiles.goods_state import Good
from profiles.profile import Profile
from profiles.rules import TriggerRule
from profiles.state import Emitted, Episode, RecentOrder, Watch
from profiles.turn import Turn

FORGOTTEN = "not_watched"
RESTS = {
    FORGOTTEN: "The customer does not watch the product any more.",
}

R = TypeVar("R", bound=TriggerRule)


def about(watch: Watch) -> dict[str, Any]:
    """What an episode keeps about the product it is about."""
    return {"product_id": watch.product_id, "variant_id": watch.variant_id}


def key_of(episode: Episode) -> str:
    """The good an episode is about."""
    return good_key(episode.data["product_id"], episode.data["variant_id"])


class Watched(TriggerDefinition[R]):
    """A trigger about a product that a customer watches."""

    reasons = RESTS
    follows_order = True
    waits_apart = True

    def grounds(self, profile: Profile) -> Iterable[str]:
        """What she watches."""
        return profile.watches if profile.has_watches else ()

    def known(self, turn: Turn, episode: Episode) -> tuple[Watch, Good] | None:
        """The product as the customer and as the partition know it; None where one of them has forgotten it."""
        key = key_of(episode)
        watch, good = turn.profile.watches.get(key), turn.at.goods.get(key)
        return None if watch is None or good is None else (watch, good)

    def cools(self, episode: Episode, sent: Emitted) -> bool:
        """Each product or variant cools by itself."""
        return f"|{key_of(episode)}|" in f"{sent.key}|"

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """She had bought it since she last saw it."""
        watches = turn.profile.watches.values() if turn.profile.has_watches else ()
        seen = [watch.touched_ms for watch in watches if watch.product_id in sent.product_ids]
        return order.at_ms >= min([sent.opened_ms, *seen]) and not set(order.product_ids).isdisjoint(sent.product_ids)
