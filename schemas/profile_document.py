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

    `aov_minor` is the net lifetime value over the count, in the shop's currency, rounded half to even. `days_between` is the
    mean number of days from one order to the next: (last - first) / (count - 1). `per_year` is repeat orders per year (365.25
    days) from the first order until now; it needs two orders and 30 days of history.
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
    """A product that is bought again and again: when to remind, when it runs out, how long one unit lasts this customer."""

    product_id: str
    due_ms: int
    run_out_ms: int
    interval_days: float


class FeedbackShown(Struct, frozen=True, kw_only=True, gc=False):
    """What she said of the shop: the newest "would you recommend us" (0 to 10), and her reviews."""

    nps_score: int | None
    nps_at_ms: int | None
    reviews: int
    mean_rating: float | None


class AcquisitionShown(Struct, frozen=True, kw_only=True, gc=False):
    """Where she came from. `channel` is the one that won her, by the shop's rules; null until she has ordered.

    `first_touch` and `last_touch` are the first and the newest visit that had a source; null where none had.
    """

    channel: str | None
    first_touch: str | None
    last_touch: str | None


class DecisionShown(Struct, frozen=True, kw_only=True, gc=False):
    """A recent change in the life of a trigger, newest first."""

    at_ms: int
    name: str
    episode_key: str
    state: str
    reason: str | None
    trigger_id: str | None


class ProfileDocument(Struct, frozen=True, kw_only=True, gc=False):
    """One customer. `id` is "type:value"; `ids` lists all known identifiers by type, `consent` the state by "channel.purpose".

    `predicted` is null until a model was fitted.
    """

    id: str
    ids: dict[str, tuple[str, ...]]
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
    feedback: FeedbackShown
    messages: dict[str, int]
    segments: tuple[str, ...]
    triggers: tuple[DecisionShown, ...]
    predicted: dict[str, Any] | None
