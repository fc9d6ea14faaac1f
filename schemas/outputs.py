"""What goes out: triggers, what became of them, decisions, and records that were set aside.

A trigger travels as a CloudEvent in Kafka's binary mode: the JSON below is its data, and `headers` gives the `ce-*`
headers. `Outgoing` is one row for one output topic; the shell commits it with the state that caused it, then publishes.
"""

from typing import Any, Literal

from msgspec import Raw, Struct

from schemas.events import CommandName

TriggerClass = Literal["marketing", "service"]
State = Literal[
    "armed",
    "emitted",
    "suppressed",
    "deferred",
    "cancelled",
    "expired",
    "unreachable",
    "retracted",
    "converted",
    "recovered",
    "failed",
]


class Item(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A product a trigger talks about. `price_minor` is the last price known, `price_at_add_minor` the one when added.

    `in_stock` is whether it could be had at the emission; it is there only where catalogue events told of its stock.
    """

    product_id: str
    variant_id: str | None = None
    sku: str | None = None
    name: str | None = None
    category: str | None = None
    brand: str | None = None
    price_minor: int | None = None
    price_at_add_minor: int | None = None
    quantity: float = 1
    url: str | None = None
    image_url: str | None = None
    in_stock: bool | None = None


class Customer(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Whom a trigger is for. E-mail and phone are left out where the topic's settings say so."""

    id: str
    user_id: str | None = None
    anonymous_ids: tuple[str, ...] = ()
    email: str | None = None
    phone: str | None = None
    timezone: str | None = None
    locale: str | None = None
    consent: dict[str, str] = {}


class ProfileSummary(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The customer's figures at the moment of the decision, in the shop's currency."""

    ltv_net_minor: int = 0
    orders: int = 0
    aov_minor: int | None = None
    last_order_at_ms: int | None = None
    segments: tuple[str, ...] = ()
    churn_band: str | None = None


class CouponShown(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A coupon that goes with a trigger. Without an id it is still to be made by whoever sends the message.

    It holds until `expires_at_ms`; `discount_minor` is in minor units of the trigger's currency, where the shop told it.
    """

    coupon_id: str | None = None
    expires_at_ms: int | None = None
    discount_minor: int | None = None


class DecisionTrail(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Why it was sent: the gates it passed, in order, the rule in words, and the version of the rules."""

    gates: tuple[str, ...] = ()
    rule: str = ""
    rules: str = ""


class HoldoutShown(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """In which hold-out the customer takes part, and her place in it, 0 to 1: below the group's share she is held out."""

    group: str
    bucket: float


class Trigger(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An emitted trigger. `trigger_id` is the same whenever the same decision is taken again: subscribers drop repeats by it.

    `occurred_at_ms` is the cause's event time, `due_at_ms` when it was due, `emitted_at_ms` when it was decided,
    `expires_at_ms` after when it should not be acted upon. Amounts are minor units of `currency`, which has
    `exponent` decimals. `evidence` begins with what opened the episode: a message id, the order, survey or day it goes by, or,
    where two identifiers became one, the message that named both and the type of the one that joined (`m7/anonymous_id`). The
    newest messages that moved it follow, 20 in all at most. A `shadow` trigger would have been sent and was not: its customer is
    held out, or the rules are only tried; it stands on the shadow topic.
    """

    trigger_id: str
    name: str
    version: int
    occurrence: int = 1
    episode_key: str
    priority: int
    trigger_class: TriggerClass = "marketing"
    shop_id: str
    customer: Customer
    occurred_at_ms: int
    due_at_ms: int
    emitted_at_ms: int
    expires_at_ms: int
    items: tuple[Item, ...] = ()
    value_minor: int | None = None
    currency: str
    exponent: int
    recovery_url: str | None = None
    coupon: CouponShown | None = None
    profile: ProfileSummary
    details: dict[str, Any] = {}
    holdout: HoldoutShown | None = None
    shadow: bool = False
    decision: DecisionTrail
    evidence: tuple[str, ...] = ()
    schema: str = "regulars/trigger/1"


class TriggerOutcome(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What became of an emitted trigger: cancelled after the fact, converted by an order, or a cart recovered.

    `name` is `trigger.cancelled`, `trigger.converted` or `cart.recovered`; `of_trigger_id` and `of_name` say of which.
    `value_minor` is the order's net value in the shop's currency as it stood then; absent where no exchange rate is known.
    """

    trigger_id: str
    name: Literal["trigger.cancelled", "trigger.converted", "cart.recovered"]
    of_trigger_id: str
    of_name: str
    episode_key: str
    shop_id: str
    customer_id: str
    order_id: str | None = None
    reason: str | None = None
    occurred_at_ms: int
    emitted_at_ms: int
    value_minor: int | None = None
    currency: str | None = None
    schema: str = "regulars/trigger-outcome/1"


class Decision(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One change in the life of a trigger episode. `decision_id` is the same whenever it is taken again.

    `at_ms` is the moment it was decided at (wall clock live, simulated clock in replay), `until_ms` how long it waits.
    `gates` are those it passed; the one that held it back is the `reason`. `evidence` is as a trigger's. `rules` is the version
    of the rules. What was "renamed" goes on under the trigger id `renamed_to`. A trigger that "failed" was left out: the
    `reason` says of what it raised and where, `episode_key` names the episode that ended by it, else the timer or the message id
    of the event.
    """

    decision_id: str
    name: str
    episode_key: str
    customer_id: str
    state: State
    reason: str | None = None
    trigger_id: str
    occurrence: int = 1
    due_at_ms: int | None = None
    at_ms: int
    until_ms: int | None = None
    order_id: str | None = None
    gates: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    rules: str = ""
    renamed_to: str | None = None
    schema: str = "regulars/decision/1"


class Receipt(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What became of a privacy command so far; the newest one of a request holds. It names no customer.

    `final` says that all `homes` of the customer have answered, `waiting` how many have not. `counts` are things done by
    store: erased, exported or ended. `kept_ms` is how long the topics through which her events come keep their records,
    by topic: what was erased here is still there for so long. `refused` says why nothing was done, where that is so.
    `orders_not_found` counts, of the orders a final request names, those which lie with none of her identifiers: they were
    not looked for among other customers. `at_ms` is the clock of the partition.
    """

    request_id: str
    command: CommandName
    final: bool
    homes: int
    waiting: int
    counts: dict[str, int]
    kept_ms: dict[str, int]
    at_ms: int
    refused: str | None = None
    orders_not_found: int = 0
    schema: str = "regulars/receipt/1"


class Export(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A part of what is known of a customer, as she asked for it: first her profile, then her orders, some at a time.

    `document` is the public profile document, `profile` all that is stored of her, `orders` are entries of her ledger.
    """

    request_id: str
    customer_id: str
    part: int
    document: dict[str, Any] | None = None
    profile: dict[str, Any] | None = None
    orders: tuple[dict[str, Any], ...] = ()
    schema: str = "regulars/export/1"


class IdentityChange(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Who is who has changed. `change_id` is the same whenever it is found again.

    `name`: `profile.merged` (all of `other` is now that of `customer_id`), `profile.split` (what came with `other` was
    taken out of `customer_id` again), `link.refused` or `identity.conflict` (`other` was claimed for `customer_id` and is not
    hers, `reason` says why; `holder` is whose it is). `cause` is the message id of the event that named both, or the number of
    the request.
    """

    change_id: str
    name: Literal["profile.merged", "profile.split", "link.refused", "identity.conflict"]
    customer_id: str
    other: str
    holder: str | None = None
    reason: str | None = None
    cause: str
    at_ms: int
    schema: str = "regulars/identity-change/1"


class RulesChanged(Struct, frozen=True, kw_only=True, gc=False):
    """From here on this partition decides by other rules. Stands among the decisions, one in each partition of the topic.

    Versions are the shop's own names; digests tell apart rules that bear the same one. `at_ms` is the wall clock.
    """

    decision_id: str
    name: Literal["rules.changed"] = "rules.changed"
    partition: int
    old_version: str
    old_digest: str
    new_version: str
    new_digest: str
    at_ms: int
    schema: str = "regulars/rules-changed/1"


class SegmentsReady(Struct, frozen=True, kw_only=True, gc=False):
    """Every customer of this partition has been looked at by the segments of these rules. Stands among the decisions, one in each
    partition of the topic, some time after `rules.changed` with the same digest; none where no segment changed. One more with the
    same digest says that they were given another meaning: by another catalogue or time zone, or the first models of repurchase.

    `at_ms` is the wall clock.
    """

    decision_id: str
    name: Literal["segments.ready"] = "segments.ready"
    partition: int
    version: str
    digest: str
    at_ms: int
    schema: str = "regulars/segments-ready/1"


class Rejected(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A record that was set aside: where it was, why, and at most 256 KB of it.

    `original` is its text where it is UTF-8, else `original_base64` holds the bytes. `truncated_bytes` counts what was
    cut off. What came in over HTTP never was a record: `topic` is then "http/" and the source's name, `offset` -1, and
    `timestamp_ms` the time of receipt.
    """

    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    key: str | None = None
    timestamp_ms: int | None = None
    original: str | None = None
    original_base64: str | None = None
    truncated_bytes: int = 0
    schema: str = "regulars/rejected/1"


class Outgoing(Struct, frozen=True, gc=False):
    """One record to publish: the logical topic name (without prefix), its id, key and JSON value.

    `record_id` makes repeats recognisable: trigger id, decision id, or the origin of a forwarded record. `partition` is
    the owner's own, except for records forwarded to another home. `value` is JSON text. `headers` go out as Kafka headers.
    """

    topic: str
    record_id: str
    key: str
    partition: int
    value: Raw
    headers: dict[str, str] = {}
