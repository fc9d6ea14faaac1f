"""birthday and anniversary: days that come round every year, at nine in the morning where the customer lives.

Each sets one timer for the next time, first to some days before: the zone may have changed by then, or be known only now, so it
looks again and moves on; what is planned in the end is due at the exact moment of the zone valid then.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, TypeVar

from profiles import browsing, wishes, zones
from profiles.calendar_days import SETTLED_MS, LeapDay, Occasion, YearlyDay, day_of, next_occasion, read_birthday
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import plan
from profiles.life_rules import AnniversaryRule, BirthdayRule, YearlyRule
from profiles.profile import Profile
from profiles.rules import DAY_MS, minute_of_day
from profiles.state import Episode
from profiles.turn import Turn
from schemas.events import Arrival, Identified

R = TypeVar("R", bound=YearlyRule)

WHAT: Final = "day"
HALF_YEAR_MS: Final = 182 * DAY_MS


class _Yearly(TriggerDefinition[R]):
    """A day that comes round. Episodes are keyed by customer and year, and opened by the date."""

    @abstractmethod
    def day(self, turn: Turn) -> YearlyDay | None:
        """The day, None where there is none."""

    def days_before(self, turn: Turn) -> int:
        """How many days before it."""
        return 0

    def set_timer(self, turn: Turn, after_ms: int) -> None:
        """Set the timer for the next time at or after an instant, or take it away where there is no such day.

        One that comes before that instant stays, and looks itself: the clock is somewhat behind events.
        """
        what = f"{self.name}|{WHAT}"
        if turn.profile.wakes.get(what, after_ms) < after_ms:
            return
        coming = self._next(turn, after_ms)
        if coming is None:
            turn.profile.wakes.pop(what, None)
        else:
            turn.profile.wakes[what] = max(_look_ms(coming, turn.at.clock_ms), turn.at.clock_ms)

    def on_united(self, turn: Turn, brought: Profile) -> None:
        self.on_parted(turn)

    def on_parted(self, turn: Turn) -> None:
        """The day may be another one now. What has come by the clock was told of by whoever's day it was."""
        self.set_timer(turn, turn.at.clock_ms)

    def on_wake(self, turn: Turn, what: str) -> None:
        now_ms = turn.time_ms
        coming = self._next(turn, now_ms - SETTLED_MS)
        if coming is None:
            return
        if coming.at_ms > now_ms:
            turn.profile.wakes[f"{self.name}|{WHAT}"] = _look_ms(coming, now_ms)
            return
        if self.goes_on(turn, now_ms):
            self.set_timer(turn, coming.at_ms + SETTLED_MS + DAY_MS)
        plan(turn, self, f"{turn.profile.id}|{coming.year}", coming.date, coming.at_ms, coming.at_ms)

    def foreseen_ms(self, turn: Turn, what: str) -> int | None:
        coming = self._next(turn, turn.time_ms)
        return None if coming is None else coming.at_ms

    def wake_again(self, turn: Turn, what: str, due_ms: int) -> int | None:
        """The day that the timer stands for is the one whose time by the present rules is less than half a year from it. A timer
        that comes before it looks again.
        """
        coming = self._next(turn, due_ms - HALF_YEAR_MS)
        return None if coming is None else min(due_ms, coming.at_ms)

    def goes_on(self, turn: Turn, now_ms: int) -> bool:
        """Whether next year is planned too."""
        return True

    def _next(self, turn: Turn, after_ms: int) -> Occasion | None:
        day, rule = self.day(turn), self.rule(turn.book)
        if day is None:
            return None
        zone = zones.zone_of(turn.profile, turn.book.shop_timezone)
        minute = minute_of_day(rule.send_at)
        return next_occasion(day, after_ms, zone, minute, rule.leap_day, self.days_before(turn))


def _look_ms(coming: Occasion, now_ms: int) -> int:
    """When to look next at an occasion: so long before it that no change of zone brings it nearer than that, then at it."""
    early_ms = coming.at_ms - SETTLED_MS
    return early_ms if early_ms > now_ms else coming.at_ms


class Birthday(_Yearly[BirthdayRule]):
    """The trigger."""

    name = "birthday"
    rule_type = BirthdayRule
    listens = frozenset({Identified})
    reasons: ClassVar[Mapping[str, str]] = {
        "age": "She is younger than the rules ask for, or her age is not known.",
        "no_birthday": "Her birthday is not known any more, or is another day.",
    }

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        """Who tells her birthday after nine in the morning of the day waits for the next one."""
        event = arrival.event
        assert isinstance(event, Identified)
        if "birthday" in event.traits:
            self.set_timer(turn, turn.received_ms if turn.too_late else turn.time_ms)

    def day(self, turn: Turn) -> YearlyDay | None:
        told = turn.profile.traits.get("birthday") if turn.profile.has_traits else None
        return None if told is None else read_birthday(told[1])

    def days_before(self, turn: Turn) -> int:
        return self.rule(turn.book).days_before

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        rule, day = self.rule(turn.book), self.day(turn)
        if day is None or not _falls_on(day, episode.anchor, rule.leap_day):
            return "no_birthday"
        last_ms = turn.profile.milestones.birthday_ms
        if last_ms is not None and now_ms - last_ms < rule.again_after_ms:
            return "cooldown"
        if rule.min_age and (day.year is None or int(episode.anchor[:4]) - day.year < rule.min_age):
            return "age"
        return None

    def content(self, turn: Turn, episode: Episode) -> Content:
        """Her wishes, the latest first, and what interests her most, as suggestions."""
        profile = turn.profile
        wished = [
            (opened, wish)
            for wish in profile.wishes.values()
            if (opened := wishes.since(wish)) is not None
            and wish.product_id not in browsing.bought_since(profile.recent_orders, opened[0])
        ]
        wished.sort(key=lambda one: one[0], reverse=True)
        categories = profile.interests.categories
        best = sorted(categories, key=lambda name: (-categories[name], name))[:SUGGESTIONS]
        items, currency = browsing.priced_alike(
            [(wish.product_id, wish.said, wish.offered) for _, wish in wished[:SUGGESTIONS]], turn.book.shop_currency
        )
        return Content(
            items=items,
            currency=currency,
            details={"date": episode.anchor, "interests": best},
            rule="the customer's birthday, at the set time where she lives",
        )

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        if state == "emitted":
            turn.profile.milestones.birthday_ms = now_ms


SUGGESTIONS: Final = 3


def _falls_on(day: YearlyDay, date: str, leap_day: LeapDay) -> bool:
    """Whether a yearly day falls on a date."""
    month, of_month = int(date[5:7]), int(date[8:10])
    if (day.month, day.day) == (2, 29):
        return (month, of_month) in ((2, 29), (2, 28) if leap_day == "28 Feb" else (3, 1))
    return (day.month, day.day) == (month, of_month)


class Anniversary(_Yearly[AnniversaryRule]):
    """The trigger."""

    name = "anniversary"
    rule_type = AnniversaryRule
    reasons: ClassVar[Mapping[str, str]] = {"lapsed": "The customer has ordered nothing for too long."}

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        """The first order there is may have changed: by a new one, an earlier one, a cancellation, or the time of what was it."""
        change, first = told.change, turn.profile.orders.first
        order_id, before = change.entry.order_id, change.before
        if change.stands:
            return
        is_first = first is None or first[1] == order_id
        was_first = first is not None and before is not None and (before.placed_ms or 0, order_id) < first
        if is_first or was_first or not change.is_counted or not self._has_timer(turn):
            self.set_timer(turn, turn.received_ms if turn.too_late else turn.time_ms)

    def on_parted(self, turn: Turn) -> None:
        """Nor is there one where all that she had ordered was another customer's."""
        if turn.profile.orders.first is None or not self._lapsed(turn, turn.at.clock_ms):
            super().on_parted(turn)

    def set_timer(self, turn: Turn, after_ms: int) -> None:
        """The day itself is worked out only weeks before it: most who order for the first time never do again."""
        early_ms = self._early_ms(turn)
        if early_ms > max(after_ms, turn.at.clock_ms):
            turn.profile.wakes[f"{self.name}|{WHAT}"] = early_ms
        else:
            super().set_timer(turn, after_ms)

    def wake_again(self, turn: Turn, what: str, due_ms: int) -> int | None:
        return due_ms if due_ms == self._early_ms(turn) else super().wake_again(turn, what, due_ms)

    def _early_ms(self, turn: Turn) -> int:
        """Some weeks before the first day there can be; 0 where she never ordered."""
        first = turn.profile.orders.first
        return 0 if first is None else first[0] + _ALMOST_A_YEAR_MS

    def _has_timer(self, turn: Turn) -> bool:
        return f"{self.name}|{WHAT}" in turn.profile.wakes

    def _next(self, turn: Turn, after_ms: int) -> Occasion | None:
        # The day itself is none: a year has to pass.
        return super()._next(turn, max(after_ms, self._early_ms(turn)))

    def day(self, turn: Turn) -> YearlyDay | None:
        profile: Profile = turn.profile
        first = profile.orders.first
        return None if first is None else day_of(first[0], zones.zone_of(profile, turn.book.shop_timezone))

    def goes_on(self, turn: Turn, now_ms: int) -> bool:
        return not self._lapsed(turn, now_ms)

    def _lapsed(self, turn: Turn, now_ms: int) -> bool:
        recent = turn.profile.orders.recent
        return not recent or now_ms - recent[-1][0] > self.rule(turn.book).lapsed_after_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        if turn.profile.orders.first is None:
            return "refunded"
        if self._lapsed(turn, now_ms):
            return "lapsed"
        # The first order may be another one since: one that became known late, or came with a merge.
        return "cooldown" if _year_of(episode) <= turn.profile.milestones.anniversary_year else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        orders, day = turn.profile.orders, self.day(turn)
        assert orders.first is not None
        assert day is not None
        assert day.year is not None
        details: dict[str, Any] = {"date": episode.anchor, "years": _year_of(episode) - day.year}
        return Content(
            details={**details, "first_order_ms": orders.first[0], "orders": orders.count},
            rule="years since the first order, at the set time where she lives",
        )

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        if state == "emitted":
            turn.profile.milestones.anniversary_year = _year_of(episode)


def _year_of(episode: Episode) -> int:
    return int(episode.anchor[:4])


_ALMOST_A_YEAR_MS: Final = 300 * DAY_MS

BIRTHDAY: Final = Birthday()
ANNIVERSARY: Final = Anniversary()
