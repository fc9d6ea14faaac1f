"""search.abandoned: she searched and found nothing she wanted to look at.

A search without hits is one, and so is every search from the second on with no product looked at in between. What is wanted
is worked out anew from the remembered searches each time, so that late ones and late views count as if they had come in time.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from profiles.activity import SESSION_PAUSE_MS
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, waiting_of
from profiles.profile import Profile
from profiles.state import Emitted, Episode, RecentOrder, Search
from profiles.turn import Turn
from profiles.visit_rules import SearchAbandonedRule
from schemas.events import (
    Arrival,
    ProductAdded,
    ProductClicked,
    ProductsSearched,
    ProductViewed,
    WishlistProductAddedToCart,
)


class SearchAbandoned(TriggerDefinition[SearchAbandonedRule]):
    """The trigger. Episodes are keyed by customer and query."""

    name = "search.abandoned"
    rule_type = SearchAbandonedRule
    remembers_views = True
    listens = frozenset({ProductsSearched, ProductClicked, ProductViewed, ProductAdded, WishlistProductAddedToCart})
    reasons: ClassVar[Mapping[str, str]] = {
        "found": "She looked at a product, put one into a cart or bought one since."
    }

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        if type(arrival.event) is ProductsSearched or (turn.profile.episodes and waiting_of(turn.profile, self)):
            self._replan(turn)

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        if waiting_of(turn.profile, self):
            self._replan(turn)

    def on_united(self, turn: Turn, brought: Profile) -> None:
        """One of them may have searched for the second time, or have found what the other had searched for."""
        if turn.profile.has_browsing:
            self._replan(turn, since_ms=turn.now_ms - self.rule(turn.book).max_lateness_ms)

    def on_parted(self, turn: Turn) -> None:
        """What was searched for was another customer's, or is hers again."""
        self._replan(turn, since_ms=turn.now_ms - self.rule(turn.book).max_lateness_ms, gone="split")

    def grounds(self, profile: Profile) -> Iterable[str]:
        """What she searched for."""
        return [search.query for search in profile.browsing.searches] if profile.has_browsing else ()

    def _replan(self, turn: Turn, *, since_ms: int = 0, gone: str = "found") -> None:
        """End what waits for searches that something came of, and plan for those that nothing came of, if due since then."""
        profile = turn.profile
        wanted = self._wanted(turn)
        for episode in waiting_of(profile, self):
            if episode.key not in wanted:
                cancel(turn, self, episode.key, gone)
        for key, (first, last, count) in wanted.items():
            data: dict[str, Any] = {"query": last.query, "results": last.results, "searches": count}
            data["searched_ms"] = last.at_ms
            due_ms = last.at_ms + self.rule(turn.book).delay_ms
            if due_ms >= since_ms:
                plan(turn, self, key, first.message_id, first.at_ms, due_ms, data=data)

    def _wanted(self, turn: Turn) -> dict[str, tuple[Search, Search, int]]:
        """By episode key the first and the last search for the same that nothing came of, and how many there were in all."""
        profile, least = turn.profile, self.rule(turn.book).searches
        seen = profile.browsing
        wanted: dict[str, tuple[Search, Search, int]] = {}
        count, before = 0, None
        for search in seen.searches:
            if search.at_ms <= seen.found_ms:
                continue
            count = count + 1 if before is not None and _of_one_visit(before, search) else 1
            before = search
            if search.at_ms > seen.answered_ms and (search.results == 0 or count >= least):
                key = f"{profile.id}|{search.query}"
                wanted[key] = (wanted.get(key, (search,))[0], search, count)
        return wanted

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        searched_ms: int = episode.data["searched_ms"]
        return searched_ms + self.rule(turn.book).delay_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        return "found" if _is_found(turn.profile, episode) else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        told = episode.data
        return Content(
            details={"query": told["query"], "results": told["results"], "searches": told["searches"]},
            rule="a search without hits, or repeated searches, and no product looked at since",
        )

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """Any order ends it."""
        return order.at_ms >= sent.opened_ms

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """Its searches are done with; the next search for the same opens a new episode. Not so where they were none to remind of,
        or another customer's, as is known since two profiles became one, or were taken apart.
        """
        seen, searched_ms = turn.profile.browsing, episode.data["searched_ms"]
        if state == "cancelled" and episode.key not in self._wanted(turn):
            return
        if not _is_found(turn.profile, episode) and any(search.at_ms == searched_ms for search in seen.searches):
            seen.answered_ms = max(seen.answered_ms, searched_ms)


def _of_one_visit(one: Search, next_one: Search) -> bool:
    """Whether a search belongs to the visit of the one before: other pages she saw may lie between them."""
    if next_one.at_ms - one.at_ms < SESSION_PAUSE_MS:
        return True
    return one.visit_ms is not None and one.visit_ms == next_one.visit_ms


def _is_found(profile: Profile, episode: Episode) -> bool:
    searched_ms: int = episode.data["searched_ms"]
    return profile.browsing.found_ms >= searched_ms


SEARCH_ABANDONED: Final = SearchAbandoned()
