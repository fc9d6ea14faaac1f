"""What a shop may set of the triggers that follow an order."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from profiles.rules import DAY_MS, MINUTE_MS, Count, Share, TriggerRule


class SecondOrderWelcomeRule(TriggerRule, frozen=True, kw_only=True):
    """Somebody has bought for the first time: thanks, and a reason to come back."""

    trigger: ClassVar[str] = "second.order.welcome"

    priority: int = 820
    delay_ms: int = DAY_MS
    """Time after the first order."""


class PostPurchaseContentRule(TriggerRule, frozen=True, kw_only=True):
    """Something arrived that there is something to tell about: use tips, care, recipes."""

    trigger: ClassVar[str] = "post.purchase.content"

    priority: int = 700
    max_lateness_ms: int = 7 * DAY_MS
    cooldown_ms: int = 180 * DAY_MS
    """Least time between two messages with the same content for one customer; 0 is none."""
    delay_ms: int = DAY_MS
    """Time from the arrival of the parcel."""


class ReviewRequestRule(TriggerRule, frozen=True, kw_only=True):
    """The customer has had time to try what she bought."""

    trigger: ClassVar[str] = "review.request"

    priority: int = 350
    max_lateness_ms: int = 7 * DAY_MS
    delay_ms: int = 7 * DAY_MS
    """Time from the arrival of the parcel."""
    supply_share: Annotated[float, Meta(gt=0, le=10)] = 0.6
    """Share of how long one unit lasts after which goods that are used up are asked about, instead of `delay`."""
    reminder_after_ms: int = 7 * DAY_MS
    """Time from the first request's due time to the reminder; 0 is none. Left out where the request went out later than that."""
    after_low_score_ms: int = 30 * DAY_MS
    """No request so long after a low score."""


Few = Annotated[int, Meta(ge=1, le=20)]


class CrossSellRule(TriggerRule, frozen=True, kw_only=True):
    """What goes with an order the customer placed."""

    trigger: ClassVar[str] = "cross.sell"

    priority: int = 600
    delivered_delay_ms: int = 3 * DAY_MS
    """Time from the delivery to the offer."""
    placed_delay_ms: int = 7 * DAY_MS
    """Time from the order to the offer where no delivery is known."""
    products: Few = 3
    """At most so many products are offered."""


class BundleSuggestRule(TriggerRule, frozen=True, kw_only=True):
    """The customer viewed two products of a bundle, or has one in a cart."""

    trigger: ClassVar[str] = "bundle.suggest"

    priority: int = 610
    cooldown_ms: int = 30 * DAY_MS
    """Least time between two of them about one bundle for one customer; 0 is none."""
    delay_ms: int = DAY_MS
    """Time from then to the suggestion."""
    learned: bool = True
    """Whether sets that customers buy by themselves (`regulars pairs`) are bundles too, beside those that the catalogue names."""


class PaymentFailedRule(TriggerRule, frozen=True, kw_only=True):
    """A payment was refused, and no order came since."""

    trigger: ClassVar[str] = "payment.failed"

    priority: int = 60
    trigger_class: Literal["marketing", "service"] = "service"
    cooldown_ms: int = DAY_MS
    """Least time between two of them about one checkout; 0 is none."""
    delay_ms: int = 30 * MINUTE_MS
    """Time after the last refusal of the checkout."""


class NextOrderCouponRule(TriggerRule, frozen=True, kw_only=True):
    """An order has arrived: a coupon for the next one."""

    trigger: ClassVar[str] = "next.order.coupon"

    priority: int = 410
    delay_ms: int = DAY_MS
    """Time after the delivery."""
    valid_ms: int = 30 * DAY_MS
    """How long the coupon is to hold, from the message on."""
    remind_before_ms: int = 3 * DAY_MS
    """When the reminder of it is due, before it lapses; 0 is none. A coupon that holds no longer than this has none."""
    margin_floor: Annotated[float, Meta(ge=-100, le=1)] = 0.0
    """Least contribution margin of the order as a share of its net value; below it there is no coupon."""
    discount_guard: bool = False
    """Whether customers who mostly order with coupons get none."""
    discount_share: Share = 0.6
    """With the guard: above this share of orders with a coupon."""
    guard_orders: Count = 2
    """With the guard: from this many orders on; one order says nothing of a habit."""


class CouponExpiringRule(TriggerRule, frozen=True, kw_only=True):
    """A coupon of the customer's will lapse soon, unused."""

    trigger: ClassVar[str] = "coupon.expiring"

    priority: int = 400
    before_ms: int = 3 * DAY_MS
    """How long before it lapses. One that holds no longer than this from its issue on is not reminded of."""
