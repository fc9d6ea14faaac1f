"""category.interest: of all categories one interests her most, and strongly.

Scores only grow by events, so the instant at which one passes the threshold is that of an event about that category. Between
two of them its score and its share only fall: whether it left the band in between is told by what both were just before the
second. A purchase adds to the score, and tells as much, but is no opening, since after one nothing is sent for a week anyway.

Which event passes the threshold depends on which was heard of first, where views, carts and orders come on topics of their own.
So an episode is anchored in its day, and an interest begins once a day at most: heard in another order it has the same id.
"""

from collections import Counter
from collections.abc import Mapping
from math import exp2
from typing import ClassVar, Final

from profiles import browsing, carts
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import plan_by_day
from profiles.interests import HALF_LIFE_MS, STEP_MS, UNITS, WEIGHTS, grown, read
from profiles.profile import Profile
from profiles.rates import DAY_MS
from profiles.standing import utc_date
from profiles.state import INTERESTS_MAX, Emitted, Episode, RecentOrder
from profiles.turn import Turn
from profiles.visit_rules import CategoryInterestRule
from schemas import events
from schemas.events import Arrival, Event

_WEIGHT_OF: Final[dict[type[Event], float]] = {
    events.ProductViewed: WEIGHTS["view"],
    events.ProductListViewed: WEIGHTS["list"],
    events.ProductAddedToWishlist: WEIGHTS["wishlist"],
    events.ProductAdded: WEIGHTS["add"],
    events.WishlistProductAddedToCart: WEIGHTS["add"],
}


class CategoryInterest(TriggerDefinition[CategoryInterestRule]):
    """The trigger. Episodes are keyed by customer and category."""

    name = "category.interest"
    rule_type = CategoryInterestRule
    remembers_views = True
    listens = frozenset({*_WEIGHT_OF, events.CartUpdated})
    reasons: ClassVar[Mapping[str, str]] = {
        "bought": "Something of the category was bought only days ago.",
        "faded": "The interest is over.",
    }

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        event = arrival.event
        if isinstance(event, events.CartUpdated):
            for name, weight in _added(turn.profile, event, arrival.time_ms).items():
                self._consider(turn, arrival, name, weight)
            return
        category = event.category if isinstance(event, events.ListEvent) else event.product.category  # type: ignore[attr-defined] # all others of `listens` are about a product
        if category is not None:
            self._consider(turn, arrival, category, _WEIGHT_OF[type(event)])

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        """An interest that had left the band before it was bought of is over."""
        change, interests = told.change, turn.profile.interests
        at_ms = change.entry.placed_ms
        if not interests.strong or not change.is_new or change.entry.test or at_ms is None:
            return
        rule, last_ms = self.rule(turn.book), turn.profile.activity.last_ms
        scores, units = interests.categories, grown(interests, WEIGHTS["purchase"], at_ms)
        lines = [line.category or turn.facts(line.product_id).category for line in change.entry.lines]
        bought = Counter(category for category in lines if category is not None)
        least = grown(interests, rule.points, at_ms if last_ms is None or last_ms < at_ms else last_ms)
        total = sum(scores.values()) - units * bought.total()
        for category in [category for category in bought if category in interests.strong]:
            if _left(rule, scores.get(category, 0) - units * bought[category], least, total):
                del interests.strong[category]

    def _consider(self, turn: Turn, arrival: Arrival, category: str, weight: float) -> None:
        profile, at_ms = turn.profile, arrival.time_ms
        rule, interests = self.rule(turn.book), profile.interests
        last_ms = profile.activity.last_ms
        now_ms = at_ms if last_ms is None or last_ms < at_ms else last_ms
        began_ms = interests.strong.get(category)
        if began_ms is not None:
            if began_ms // DAY_MS == now_ms // DAY_MS:
                return  # what it was told of today it can't be told of again
        else:
            # Nearly every view is far from the threshold: that is seen without rounding, and without moving the landmark.
            beyond_ms = now_ms - interests.landmark_ms
            units = interests.categories.get(category, 0)
            if beyond_ms < STEP_MS and units + 1 < rule.points * UNITS * exp2(beyond_ms / HALF_LIFE_MS):
                return
        self._look(turn, rule, category, weight, at_ms, now_ms)

    def _look(
        self, turn: Turn, rule: CategoryInterestRule, category: str, weight: float, at_ms: int, now_ms: int
    ) -> None:
        """Whether the category that was just touched passed the threshold, or had left the band before."""
        interests = turn.profile.interests
        scores, strong = interests.categories, interests.strong
        least = grown(interests, rule.points, now_ms)
        units = scores.get(category, 0)
        if units < least and category not in strong:
            return
        total = sum(scores.values())
        if category in strong:
            before = units - grown(interests, weight, at_ms)
            if not _left(rule, before, least, total - units + before):
                return
            del strong[category]
        if units >= least and units >= rule.share * total and units == max(scores.values()):
            strong[category] = now_ms
            if len(strong) > INTERESTS_MAX:
                del strong[min(strong, key=lambda name: (strong[name], name))]
            # One that is learned of late is met when it is learned of.
            due_ms = max(at_ms, turn.at.clock_ms)
            key = f"{turn.profile.id}|{category}"
            plan_by_day(turn, self, key, utc_date(now_ms), at_ms, due_ms)

    def on_united(self, turn: Turn, brought: Profile) -> None:
        """The category that leads now may have passed the threshold by what both did together."""
        rule, interests, theirs = self.rule(turn.book), turn.profile.interests, brought.interests
        category = max(interests.categories, key=interests.categories.__getitem__, default=None)
        if category is None or category not in theirs.categories or category in interests.strong:
            return
        units, now_ms = interests.categories[category], max(turn.time_ms, turn.profile.activity.last_ms or 0)
        brought_points = read(theirs.categories[category], theirs.landmark_ms, now_ms)
        points = read(units, interests.landmark_ms, now_ms) - brought_points
        if points < rule.points and brought_points < rule.points:
            self._look(turn, rule, category, 0.0, turn.time_ms, now_ms)

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        rule, interests = self.rule(turn.book), turn.profile.interests
        category = _category_of(turn.profile, episode.key)
        bought_ms = interests.bought.get(category)
        if bought_ms is not None and now_ms - bought_ms < rule.after_purchase_ms:
            return "bought"
        units = interests.categories.get(category, 0)
        least = grown(interests, rule.points, max(now_ms, turn.profile.activity.last_ms or 0))
        return "faded" if _left(rule, units, least, sum(interests.categories.values())) else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        profile, category = turn.profile, _category_of(turn.profile, episode.key)
        interests, seen = profile.interests, browsing.fold(profile.browsing)
        units, now_ms = interests.categories[category], max(turn.now_ms, profile.activity.last_ms or 0)
        viewed = dict.fromkeys(view.product_id for view in reversed(seen.views))
        shown = [key for key in viewed if (said := seen.described.get(key)) is not None and said.category == category]
        items, currency = browsing.items_of(seen, shown[: self.rule(turn.book).items], turn.book.shop_currency)
        return Content(
            items=items,
            currency=currency,
            details={
                "category": category,
                "score": round(read(units, interests.landmark_ms, now_ms), 4),
                "share": round(units / sum(interests.categories.values()), 4),
            },
            rule="one category's interest passed the threshold, and nothing of it was bought of late",
        )

    def cools(self, episode: Episode, sent: Emitted) -> bool:
        """Each category cools for itself."""
        return sent.key == episode.key

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """Something of the category had been bought only days before, as the last purchase of it tells."""
        bought_ms = turn.profile.interests.bought.get(_category_of(turn.profile, sent.key))
        return bought_ms == order.at_ms and sent.emitted_ms - bought_ms < self.rule(turn.book).after_purchase_ms


def _added(profile: Profile, event: events.CartUpdated, at_ms: int) -> dict[str, float]:
    """What a snapshot of a cart adds to categories: the products that came into the cart with it count as added."""
    cart = carts.find(profile, event.cart_id or carts.DEFAULT_CART)
    weights: dict[str, float] = {}
    for product in carts.added_by(cart, event, at_ms) if cart is not None else ():
        if product.category is not None:
            weights[product.category] = weights.get(product.category, 0.0) + WEIGHTS["add"]
    return weights


def _left(rule: CategoryInterestRule, units: int, least: int, total: int) -> bool:
    return units < rule.leaves_share * least or units < rule.leaves_share * rule.share * total


def _category_of(profile: Profile, key: str) -> str:
    return key.removeprefix(f"{profile.id}|")


CATEGORY_INTEREST: Final = CategoryInterest()
