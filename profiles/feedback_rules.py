"""What a shop may set of the triggers about what customers say."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from typing_extensions import override

from profiles.rules import DAY_MS, MINUTE_MS, Count, TriggerRule


class NpsSurveyRule(TriggerRule, frozen=True, kw_only=True):
    """The customer knows the shop well enough to say whether she would recommend it."""

    trigger: ClassVar[str] = "nps.survey"

    priority: int = 870
    max_lateness_ms: int = 7 * DAY_MS
    delay_ms: int = 14 * DAY_MS
    """Time from the arrival of a parcel."""
    every_ms: int = 90 * DAY_MS
    """Least time between two surveys of one customer, and the time after which she is asked again."""
    active_ms: int = 90 * DAY_MS
    """Who was not seen for so long is asked again only after her next parcel."""

    @override
    def impossible(self) -> tuple[str, str] | None:
        if self.every_ms < DAY_MS:
            return ("every_ms", "less than a day: who was just asked would be asked again without end")
        return super().impossible()


class NpsDetractorRule(TriggerRule, frozen=True, kw_only=True):
    """The customer gave a score of 6 or less."""

    trigger: ClassVar[str] = "nps.detractor"

    priority: int = 10
    trigger_class: Literal["marketing", "service"] = "service"
    max_lateness_ms: int = 7 * DAY_MS
    correction_ms: int = 5 * MINUTE_MS
    """A score that is corrected upwards within this time takes the trigger back."""


class FeedbackOverdueRule(TriggerRule, frozen=True, kw_only=True):
    """A low score was given, and nobody has spoken with the customer in time."""

    trigger: ClassVar[str] = "feedback.overdue"

    priority: int = 12
    trigger_class: Literal["marketing", "service"] = "service"
    max_lateness_ms: int = 7 * DAY_MS
    contact_due_ms: int = DAY_MS
    """Time from the score within which somebody is to reach her; advice: 48 h at most."""


class SatisfactionDroppedRule(TriggerRule, frozen=True, kw_only=True):
    """The customer is less content than she used to be."""

    trigger: ClassVar[str] = "satisfaction.dropped"

    priority: int = 20
    trigger_class: Literal["marketing", "service"] = "service"
    max_lateness_ms: int = 7 * DAY_MS
    cooldown_ms: int = 30 * DAY_MS
    delay_ms: int = 5 * MINUTE_MS
    """Time in which she may still correct herself."""
    earlier: Annotated[int, Meta(ge=1, le=30)] = 2
    """So many earlier words on the same scale it takes to know what she is used to."""
    score_drop: Annotated[float, Meta(gt=0, le=10)] = 2.5
    """A score this far below the mean of her earlier ones is a drop (0 to 10); one of 6 or less is left to nps.detractor."""
    rating_drop: Annotated[float, Meta(gt=0)] = 1.5
    """The same for ratings of products, on the shop's own scale."""
    newest: Count = 10
    """The mean is taken over so many of her newest earlier words."""


class NpsPromoterRule(TriggerRule, frozen=True, kw_only=True):
    """The customer gave a score of 9 or 10."""

    trigger: ClassVar[str] = "nps.promoter"

    priority: int = 880
    max_lateness_ms: int = 7 * DAY_MS
    cooldown_ms: int = 90 * DAY_MS
    delay_ms: int = DAY_MS
    """Time from the answer."""


class UnsubscribeFeedbackRule(TriggerRule, frozen=True, kw_only=True):
    """The customer unsubscribed, called a message spam, or her address is none."""

    trigger: ClassVar[str] = "unsubscribe.feedback"

    priority: int = 30
    trigger_class: Literal["marketing", "service"] = "service"
    cooldown_ms: int = 30 * DAY_MS
    """Least time between two of them for one channel of a customer; 0 is none."""
