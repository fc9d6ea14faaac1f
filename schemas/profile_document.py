"""The public profile document: what programs, replay files and conditions see of one customer.

Field names are decided and stay. Every field is always there; null where it has no meaning (an average of no orders).
Amounts are integer minor units, instants epoch milliseconds UTC. The stored form of a profile is another matter.
"""

from typing import Any

from msgspec import Struct


class Sessions(Struct, frozen=True, kw_only=True, gc=False):
    """Visits by browser or app. A session ends after 30 minutes without an event."""

    count: int


class Orders(Struct, frozen=True, kw_only=True, gc=False):
    """Orders that are not cancelled, zero-value ones included; test orders are not counted.

    `aov_minor` is the net lifetime value over the orders it is from (all but those without an exchange rate), in the shop's
    currency, rounded half to even. `days_between` is the mean number of days from one order to the next: (last - first) /
    (count - 1). `per_year` is repeat orders per year (365.25 days) from the first order until now; it needs two orders and 30
    days of history.
    """

    count: int
    first_ms: int | None
    last_ms: int | None
    aov_minor: int | None
    per_year: float | None
    days_between: float | None
    refunded_count: int
    cancelled_count: int


class CurrencyTotals(Struct, frozen=True, kw_only=True, gc=False):
    """Sums over the orders in one currency, in its own minor units. net = gross - discount - refund."""

    gross_minor: int
    discount_minor: int
    refund_minor: int
    net_minor: int
    margin_minor: int


class LifetimeValue(Struct, frozen=True, kw_only=True, gc=False):
    """Lifetime value in the shop's currency, and per currency as it was paid.

    `margin_estimated_share` is the share of gross whose costs are not all known (0 to 1), null without gross.
    `unconverted_orders` counts orders in a currency without an exchange rate: they are in `by_currency` only.
    `unconverted_refunds` counts refunds without a rate into their order's currency, or products to go by: they are in no amount.
    """

    currency: str
    gross_minor: int
    discount_minor: int
    refund_minor: int
    net_minor: int
    margin_minor: int
    margin_estimated_share: float | None
    by_currency: dict[str, CurrencyTotals]
    unconverted_orders: int
    unconverted_refunds: int = 0


class CartItem(Struct, frozen=True, kw_only=True, gc=False):
    """A line of a cart. `price_minor` is the last price seen of one unit, in the cart's currency."""

    product_id: str
    variant_id: str | None
    name: str | None
    category: str | None
    quantity: float
    price_minor: int | None


class CartShown(Struct, frozen=True, kw_only=True, gc=False):
    """A cart with items. `value_minor` is the sum at the prices last seen; `updated_ms` its last change."""

    cart_id: str
    items: tuple[CartItem, ...]
    value_minor: int
    currency: str
    updated_ms: int


class InterestsShown(Struct, frozen=True, kw_only=True, gc=False):
    """Decayed scores as of now, highest first."""

    categories: dict[str, float]
    brands: dict[str, float]
    occasions: dict[str, float]


class Replenishment(Struct, frozen=True, kw_only=True, gc=False):
    """A product that is bought again and again: when to remind, when it runs out, how long one unit lasts this customer.

    The rest is null until repurchase was learned from all customers: the window in which she will most likely buy it and how
    likely that is (`confidence`, 0 to 1), and when she counts as having stopped.
    """

    product_id: str
    due_ms: int
    run_out_ms: int
    interval_days: float
    window_start_ms: int | None
    window_end_ms: int | None
    confidence: float | None
    stopped_ms: int | None


class SurveyShown(Struct, frozen=True, kw_only=True, gc=False):
    """An answer to "would you recommend us", 0 to 10: about an order (transactional), or about the shop (relational)."""

    survey_id: str
    kind: str
    score: int
    at_ms: int


class CaseShown(Struct, frozen=True, kw_only=True, gc=False):
    """What is done about a low score. `state`: opened, assigned, contacted, resolved, verified or expired."""

    case_id: str
    state: str
    opened_ms: int
    contacted_ms: int | None
    owner: str | None


class TicketShown(Struct, frozen=True, kw_only=True, gc=False):
    """A question to the shop's service. `satisfaction` is on the shop's own scale."""

    ticket_id: str
    open: bool
    opened_ms: int
    updated_ms: int
    topic: str | None
    satisfaction: float | None


class FeedbackShown(Struct, frozen=True, kw_only=True, gc=False):
    """What she said of the shop: the newest score, her answers, cases and tickets (newest first), and her reviews.

    `complains` says that a case or a ticket is open.
    """

    nps_score: int | None
    nps_at_ms: int | None
    reviews: int
    mean_rating: float | None
    complains: bool
    surveys: tuple[SurveyShown, ...]
    cases: tuple[CaseShown, ...]
    tickets: tuple[TicketShown, ...]


class AcquisitionShown(Struct, frozen=True, kw_only=True, gc=False):
    """Where she came from. `channel` is the one that won her, by the shop's rules; null until she has ordered.

    `first_touch` and `last_touch` are the first and the newest visit that had a source; null where none had.
    """

    channel: str | None
    first_touch: str | None
    last_touch: str | None


class WishShown(Struct, frozen=True, kw_only=True, gc=False):
    """A product on the wishlist, and since when it is there."""

    product_id: str
    name: str | None
    category: str | None
    since_ms: int


class CouponKnown(Struct, frozen=True, kw_only=True, gc=False):
    """A coupon of the customer's own. `used_ms` is null while it was not used, `expires_ms` where it has no end."""

    coupon_id: str
    issued_ms: int
    expires_ms: int | None
    used_ms: int | None


class DecisionShown(Struct, frozen=True, kw_only=True, gc=False):
    """A recent change in the life of a trigger, newest first."""

    at_ms: int
    name: str
    episode_key: str
    state: str
    reason: str | None
    trigger_id: str | None


class Churn(Struct, frozen=True, kw_only=True, gc=False):
    """The risk that no order comes within 90 days, as a band ("low", "medium", "high") that does not flutter.

    `since_ms` is when she came into the band, `worsens_ms` when she passes into a worse one if no order comes. `risk` is as of
    the document; the band was decided when it changed. `concern` is what of the risk was added for a low score or an open ticket.
    """

    band: str | None
    since_ms: int | None
    risk: float | None
    concern: float
    worsens_ms: int | None


class Interval(Struct, frozen=True, kw_only=True, gc=False):
    """From where to where, both included."""

    low: int
    high: int


class Expected(Struct, frozen=True, kw_only=True, gc=False):
    """What is expected of the days to come; intervals cover 90 %. Money is discounted to today.

    `p_order` is the probability of at least one order, `residual_*` what they will bring, `total_*` that and what she has
    brought so far. Every figure that is null has its reason in `absent`.
    """

    p_order: float | None
    orders: float | None
    orders_interval: Interval | None
    residual_net_minor: int | None
    residual_net_interval: Interval | None
    residual_margin_minor: int | None
    residual_margin_interval: Interval | None
    total_net_minor: int | None
    total_margin_minor: int | None
    absent: dict[str, str]


class Predicted(Struct, frozen=True, kw_only=True, gc=False):
    """Predictions as of `as_of_day` (days since 1970-01-01 on the shop's calendar), by the models `model_version`.

    `method` is "heuristic" where data are too thin for a model (`heuristic_reason` says why). `segment` is the part of the shop
    whose parameters of ordering were used ("channel:mail", "country:AT"), null where they are those of the whole shop;
    `spend_segment` and `margin_segment` are the same of what an order brings.
    `p_order` is the probability of an order within 7, 30 and 90 days, `next_order_ms` the day before or after which her next
    order comes with equal chance, `expected` what the next 90 and 365 days bring, `historic_*` what purchases have brought so
    far, `rfm` her cell ("555" is best), `tier` the tier of her net lifetime value (0: none), `net_percentile` how many of a
    hundred buyers are worth less. Every figure that is null has its reason in `absent`.
    """

    model_version: str
    method: str
    heuristic_reason: str | None
    segment: str | None
    spend_segment: str | None
    margin_segment: str | None
    as_of_day: int
    p_alive: float | None
    p_order: dict[str, float | None]
    churn: Churn
    next_order_ms: int | None
    order_net_minor: int | None
    order_margin_minor: int | None
    historic_net_minor: int
    historic_margin_minor: int
    expected: dict[str, Expected]
    rfm: str | None
    tier: int
    net_percentile: int | None
    absent: dict[str, str]


class ProfileDocument(Struct, frozen=True, kw_only=True, gc=False):
    """One customer. `id` is "type:value"; `ids` lists all known identifiers by type, `consent` the state by "channel.purpose":
    GRANT, DENY, REVOKED, or EXPIRED for a GRANT that has ended.

    `carts` are those that hold something, until they are dropped (`cart_abandoned.forget`). `recommended` are products that go
    with those of her carts and newest orders, best first; empty until pairs were counted. `merging` are identifiers found to
    be hers whose history is on its way here: for a moment, what stands below lacks it. `messages` counts what messaging
    systems reported, by kind ("opened"), with the newest moment of each ("last_opened_ms"). `predicted` is null until a model
    was fitted.
    """

    id: str
    ids: dict[str, tuple[str, ...]]
    merging: tuple[str, ...]
    traits: dict[str, Any]
    consent: dict[str, str]
    first_seen_ms: int | None
    last_seen_ms: int | None
    sessions: Sessions
    acquisition: AcquisitionShown
    orders: Orders
    ltv: LifetimeValue
    carts: tuple[CartShown, ...]
    interests: InterestsShown
    replenishment: tuple[Replenishment, ...]
    recommended: tuple[str, ...]
    wishlist: tuple[WishShown, ...]
    coupons: tuple[CouponKnown, ...]
    feedback: FeedbackShown
    messages: dict[str, int]
    segments: tuple[str, ...]
    triggers: tuple[DecisionShown, ...]
    predicted: Predicted | None
