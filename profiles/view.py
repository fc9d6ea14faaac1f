"""The public profile document as conditions read it: the same names and values, each worked out only when it is asked for.

`ProfileView(profile, book, now_ms).ltv.net_minor` opens the part of the profile that holds lifetime value and no other.
What the fields mean is said in `schemas.profile_document`, and their values are those of `profiles.document`.

Six kinds of values change by themselves as time goes on: interest scores fade, `orders.per_year` falls, complaints that
nobody took up expire, grants of consent end, carts are dropped, and what models say is another each day of the shop. Who reads
one of the first two can ask for it at another instant (`Scores.at`, `OrdersView.per_year_at`). `holds_until_ms` is what a reader
notes down there: the earliest instant at which what it saw may be otherwise.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from typing_extensions import override

from profiles import complaints, document
from profiles.book import Book
from profiles.consent import changes_ms, summary
from profiles.order_state import Totals
from profiles.predictions import holds_until_ms, predictions
from profiles.profile import Profile
from profiles.rates import DAY_MS
from profiles.scores import FOREVER_MS, Scores
from profiles.state import Interests, OrderStats
from schemas.profile_document import (
    AcquisitionShown,
    CartShown,
    CouponKnown,
    CurrencyTotals,
    DecisionShown,
    FeedbackShown,
    Predicted,
    Replenishment,
    Sessions,
    WishShown,
)


class ProfileView:
    """One customer at `now_ms` (epoch ms UTC), which is not before her newest event. Changes nothing in the profile."""

    __slots__ = ("book", "holds_until_ms", "now_ms", "profile")

    def __init__(self, profile: Profile, book: Book, now_ms: int) -> None:
        self.profile = profile
        self.book = book
        self.now_ms = now_ms
        self.holds_until_ms: int | None = None

    def holds_until(self, at_ms: int | None) -> None:
        """Note that something which was read may be otherwise from `at_ms` on; None is never."""
        if at_ms is not None and (self.holds_until_ms is None or at_ms < self.holds_until_ms):
            self.holds_until_ms = at_ms

    @property
    def id(self) -> str:
        return self.profile.id

    @property
    def ids(self) -> dict[str, tuple[str, ...]]:
        return {kind: tuple(values) for kind, values in sorted(self.profile.ids.items())}

    @property
    def merging(self) -> tuple[str, ...]:
        return tuple(self.profile.merging)

    @property
    def traits(self) -> "Traits":
        return Traits(self.profile.traits)

    @property
    def consent(self) -> dict[str, str]:
        self.holds_until(changes_ms(self.profile, self.now_ms))
        return summary(self.profile, self.now_ms)

    @property
    def first_seen_ms(self) -> int | None:
        return self.profile.activity.first_ms

    @property
    def last_seen_ms(self) -> int | None:
        return self.profile.activity.last_ms

    @property
    def sessions(self) -> Sessions:
        return Sessions(count=self.profile.activity.sessions)

    @property
    def acquisition(self) -> AcquisitionShown:
        return document.acquisition_shown(self.profile, self.book)

    @property
    def orders(self) -> "OrdersView":
        return OrdersView(self)

    @property
    def ltv(self) -> "LifetimeValueView":
        return LifetimeValueView(self)

    @property
    def carts(self) -> tuple[CartShown, ...]:
        found = document.newest_first(self.profile, self.book, self.now_ms)
        self.holds_until(min((document.dropped_ms(cart, self.book) for cart in found), default=None))
        return tuple(document.cart_shown(cart, self.book) for cart in found)

    @property
    def interests(self) -> "InterestsView":
        return InterestsView(self)

    @property
    def replenishment(self) -> tuple[Replenishment, ...]:
        if self.book.models.repurchase is not None and self.profile.supply:
            self.holds_until(holds_until_ms(self.book, self.now_ms))
        return document.replenishment(self.profile, self.book)

    @property
    def recommended(self) -> tuple[str, ...]:
        profile = self.profile
        if profile.carts or profile.left_carts or profile.recent_orders:
            self.holds_until(holds_until_ms(self.book, self.now_ms))
        return document.recommended(profile, self.book, self.now_ms)

    @property
    def wishlist(self) -> tuple[WishShown, ...]:
        return document.wishlist_shown(self.profile)

    @property
    def coupons(self) -> tuple[CouponKnown, ...]:
        return document.coupons_shown(self.profile)

    @property
    def feedback(self) -> FeedbackShown:
        self.holds_until(complaints.changes_ms(self.profile, self.book, self.now_ms))
        return document.feedback_shown(self.profile, self.book, self.now_ms)

    @property
    def messages(self) -> dict[str, int]:
        return dict(sorted(self.profile.messages.items()))

    @property
    def segments(self) -> tuple[str, ...]:
        return document.segments_shown(self.profile)

    @property
    def triggers(self) -> tuple[DecisionShown, ...]:
        return document.triggers_shown(self.profile)

    @property
    def predicted(self) -> Predicted | None:
        if self.profile.purchases.history is not None:  # of who never ordered nothing is foretold, today and tomorrow
            self.holds_until(holds_until_ms(self.book, self.now_ms))
        return predictions(self.profile, self.book, self.now_ms)


class Traits(Mapping[str, Any]):
    """`traits` of the document, by name."""

    __slots__ = ("_said",)

    def __init__(self, said: dict[str, tuple[int, Any]]) -> None:
        self._said = said

    @override
    def __getitem__(self, name: str) -> Any:
        return self._said[name][1]

    @override
    def __contains__(self, name: object) -> bool:
        return name in self._said

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._said))

    @override
    def __len__(self) -> int:
        return len(self._said)


class OrdersView:
    """`orders` of the document."""

    __slots__ = ("_profile", "_stats", "_view")

    def __init__(self, view: ProfileView) -> None:
        self._view = view
        self._profile = view.profile
        self._stats: OrderStats = view.profile.orders

    @property
    def count(self) -> int:
        return self._stats.count

    @property
    def first_ms(self) -> int | None:
        return self._stats.first[0] if self._stats.first is not None else None

    @property
    def last_ms(self) -> int | None:
        return self._stats.recent[-1][0] if self._stats.recent else None

    @property
    def aov_minor(self) -> int | None:
        return document.average_order_minor(self._profile)

    @property
    def per_year(self) -> float | None:
        return document.orders_per_year(self._profile, self._view.now_ms)

    def per_year_at(self, at_ms: int) -> float | None:
        """`per_year` as it will be at an instant, if nothing happens until then."""
        return document.orders_per_year(self._profile, at_ms)

    def falls_to_ms(self, pace: float) -> int:
        """About when `per_year` will have fallen to `pace`."""
        if self._stats.first is None or pace <= 0:
            return self._view.now_ms
        days = (self._stats.count - 1) / pace * document.YEAR_DAYS
        return self._stats.first[0] + int(min(days * DAY_MS, FOREVER_MS))

    @property
    def days_between(self) -> float | None:
        return document.days_between(self._profile)

    @property
    def refunded_count(self) -> int:
        return self._stats.refunded

    @property
    def cancelled_count(self) -> int:
        return self._stats.cancelled


class LifetimeValueView:
    """`ltv` of the document."""

    __slots__ = ("_totals", "_view")

    def __init__(self, view: ProfileView) -> None:
        self._view = view
        self._totals: Totals = view.profile.ltv

    @property
    def currency(self) -> str:
        return self._view.book.shop_currency

    @property
    def gross_minor(self) -> int:
        return self._totals.gross

    @property
    def discount_minor(self) -> int:
        return self._totals.discount

    @property
    def refund_minor(self) -> int:
        return self._totals.refund

    @property
    def net_minor(self) -> int:
        return self._totals.net

    @property
    def margin_minor(self) -> int:
        return self._totals.margin

    @property
    def margin_estimated_share(self) -> float | None:
        return self._totals.estimated_gross / self._totals.gross if self._totals.gross > 0 else None

    @property
    def by_currency(self) -> dict[str, CurrencyTotals]:
        totals = self._view.profile.by_currency
        return {currency: document.totals_shown(found) for currency, found in sorted(totals.items())}

    @property
    def unconverted_orders(self) -> int:
        return self._view.profile.orders.unconverted

    @property
    def unconverted_refunds(self) -> int:
        return self._view.profile.orders.unconverted_refunds


class InterestsView:
    """`interests` of the document."""

    __slots__ = ("_found", "_view")

    def __init__(self, view: ProfileView) -> None:
        self._view = view
        self._found: Interests = view.profile.interests

    @property
    def categories(self) -> Scores:
        return self._scores(self._found.categories)

    @property
    def brands(self) -> Scores:
        return self._scores(self._found.brands)

    @property
    def occasions(self) -> Scores:
        return self._scores(self._found.occasions)

    def _scores(self, units: dict[str, int]) -> Scores:
        view = self._view
        now_ms = max(view.now_ms, view.profile.activity.last_ms or 0)
        return Scores(units, self._found.landmark_ms, now_ms, view.holds_until)
