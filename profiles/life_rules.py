"""What a shop may set of the triggers of a customer's life with it: welcomes, days of the year, changes, segments."""

from typing import Annotated, ClassVar, Final

from msgspec import Meta
from typing_extensions import override

from profiles.calendar_days import LeapDay
from profiles.rules import DAY_MS, MINUTE_MS, Count, Share, TriggerClass, TriggerRule

DAYS_BEFORE_MAX: Final = 182
"""Days before a birthday, at most."""


class WelcomeRule(TriggerRule, frozen=True, kw_only=True):
    """Somebody signed up, or agreed to hear from the shop, for the first time."""

    trigger: ClassVar[str] = "welcome"

    priority: int = 810
    delay_ms: int = 5 * MINUTE_MS
    """Time for a confirmation to arrive, at most 5 min."""
    existing_after_ms: int = DAY_MS
    """A customer whose first order is older than this is not new."""
    again_after_ms: int = 180 * DAY_MS
    """Who agrees again so long after she had taken her consent back is welcomed once more; 0: never."""

    @override
    def impossible(self) -> tuple[str, str] | None:
        if self.delay_ms > 5 * MINUTE_MS:
            return ("delay_ms", "more than 5min: it would come when she has forgotten why")
        return super().impossible()


class YearlyRule(TriggerRule, frozen=True, kw_only=True):
    """What days that come round have in common."""

    send_at: str = "09:00"
    """The time of day, where the customer lives."""
    leap_day: LeapDay = "28 Feb"
    """When 29 February is kept in common years: "28 Feb" or "1 Mar"."""


class BirthdayRule(YearlyRule, frozen=True, kw_only=True):
    """It is the customer's birthday, by the trait `birthday` ("1990-02-29", or "02-29" without a year)."""

    trigger: ClassVar[str] = "birthday"

    priority: int = 500
    days_before: Count = 0
    """So many days before it."""
    again_after_ms: int = 300 * DAY_MS
    """Least time between two, so that nobody has two birthdays by changing the date."""
    min_age: Count = 0
    """Only to customers who are at least this old; with it, birthdays without a year are left out. 0: everybody."""

    @override
    def impossible(self) -> tuple[str, str] | None:
        if self.days_before > DAYS_BEFORE_MAX:
            return ("days_before", "more than half a year: it would be nearer to the birthday before")
        return super().impossible()


class AnniversaryRule(YearlyRule, frozen=True, kw_only=True):
    """Years have passed since the customer's first order that was not cancelled."""

    trigger: ClassVar[str] = "anniversary"

    priority: int = 510
    lapsed_after_ms: int = 730 * DAY_MS
    """Nothing is sent to who ordered nothing for this long: that is a matter of winning back."""


class WinbackRule(TriggerRule, frozen=True, kw_only=True):
    """She has not ordered for longer than her rhythm explains."""

    trigger: ClassVar[str] = "winback"

    priority: int = 800
    max_lateness_ms: int = 7 * DAY_MS
    after_ms: int = 90 * DAY_MS
    """Least time since the newest order."""
    intervals: Annotated[float, Meta(ge=0, le=1_000)] = 2.5
    """How many of her own mean intervals must have passed, if that is longer."""
    tries: Annotated[int, Meta(ge=0, le=3)] = 3
    """How often, at most three."""

    @override
    def impossible(self) -> tuple[str, str] | None:
        if self.after_ms < DAY_MS:
            return ("after_ms", "less than a day: all tries would go out with somebody's first order")
        return super().impossible()


class BehaviourChangeRule(TriggerRule, frozen=True, kw_only=True):
    """A customer behaves differently from before: rhythm, silence, order value, categories, returns."""

    trigger: ClassVar[str] = "behaviour.change"

    max_lateness_ms: int = 7 * DAY_MS
    cooldown_ms: int = 30 * DAY_MS
    """Least time between two of them about the same of her habits; 0 is none."""
    silence_share: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    """She is silent when only this share of her gaps between orders would outlast it."""
    usual_returns: Share = 0.1
    """The share of units that customers of this shop send back; 0 leaves returns alone."""


class _SegmentRule(TriggerRule, frozen=True, kw_only=True):
    priority: int = 50
    trigger_class: TriggerClass = "service"
    segments: tuple[str, ...] = ()
    """The segments that are told of. Empty: all."""

    @override
    def segments_named(self) -> tuple[str, ...]:
        return self.segments


class SegmentEnteredRule(_SegmentRule, frozen=True, kw_only=True):
    """A customer is in a segment from now on."""

    trigger: ClassVar[str] = "segment.entered"


class SegmentExitedRule(_SegmentRule, frozen=True, kw_only=True):
    """A customer is not in a segment any more."""

    trigger: ClassVar[str] = "segment.exited"
