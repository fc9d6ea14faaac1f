"""What a profile is made of. `profiles.profile` puts it together.

These, and those of `profiles.order_state` and `profiles.feedback_state`, are the only mutable types. One partition owns a
profile; reducers change it in place for speed, and nothing outside the engine keeps a reference to it. Everything here is
bounded; the bounds are the constants below. The JSON form (msgspec) is what lies in Redis, readable with redis-cli and jq, so
field names are words.

Units: instants are epoch milliseconds UTC, money is integer minor units of the currency it stands under.
"""

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw, Struct

from profiles.goods_state import Goods
from profiles.told import Kept, ToldFacts
from profiles.value.churn import Band

SEEN_MAX = 128
RECENT_ORDERS_MAX = 16
CARTS_MAX = 16
CART_OPS_MAX = 200
CART_LINES_MAX = 200
CHECKOUTS_MAX = 8
IDS_PER_TYPE_MAX = 200
TRAITS_MAX = 64
INTERESTS_MAX = 32
SUPPLY_PRODUCTS_MAX = 32
SUPPLY_PURCHASES_MAX = 12
EPISODES_MAX = 64
SERVICE_PLACES = 8
"""So many of those are for service messages alone."""
EMITTED_MAX = 32
EVIDENCE_MAX = 8
TOUCHES_MAX = 4
DECISIONS_KEPT = 8
ABSORBED_MAX = 64
REDIRECTS_MAX = 16
REFUSED_MAX = 32
MERGING_MAX = 32
APART_MAX = 32
FORMER_MAX = 500
WATCHES_MAX = 16
SEEN_PRICES_MAX = 6
VIEWS_MAX = 16
VISITS_MAX = 8
SEARCHES_MAX = 8
WISHES_MAX = 32
WISH_ADDS_MAX = 4
COUPONS_MAX = 16


class Touch(Struct, omit_defaults=True, gc=False):
    """A visit's source: campaign source, medium and name, or the referrer's host."""

    at_ms: int
    source: str | None = None
    medium: str | None = None
    name: str | None = None
    referrer: str | None = None


class Activity(Struct, omit_defaults=True, gc=False):
    """When and how the customer was seen. A session ends after 30 minutes without an event of a browser or an app.

    `touches` are the newest TOUCHES_MAX, oldest first.
    `session_by` is the message id of the first event of the newest session, by which it is named. `looking`: the newest
    event of a visit was the view of a product, so how long she looked is still open.
    """

    first_ms: int | None = None
    last_ms: int | None = None
    events: int = 0
    sessions: int = 0
    session_start_ms: int | None = None
    session_last_ms: int | None = None
    views: int = 0
    searches: int = 0
    channels: dict[str, int] = {}
    first_touch: Touch | None = None
    last_touch: Touch | None = None
    touches: list[Touch] = []
    session_by: str = ""
    looking: bool = False


class Consent(Struct, omit_defaults=True, gc=False):
    """The newest decision for one channel and purpose; at equal times the most restrictive one."""

    state: str
    at_ms: int
    expires_ms: int | None = None
    source: str | None = None
    text_version: str | None = None


class Privacy(Struct, omit_defaults=True, gc=False):
    """What was asked for concerning the customer's privacy: the newest moment of each kind of request, None where there was
    none. `request_id` is that of the erasure, and `apart` the marks of whom a command said not to be her (`profiles.apart`):
    they are not erased with her. See `profiles.privacy`.
    """

    suppressed_ms: int | None = None
    unsuppressed_ms: int | None = None
    erased_ms: int | None = None
    request_id: str = ""
    apart: dict[str, int] = {}

    @property
    def is_erased(self) -> bool:
        """Whether she is erased, and that was not taken back since."""
        erased_ms, lifted_ms = self.erased_ms, self.unsuppressed_ms
        return erased_ms is not None and (lifted_ms is None or lifted_ms <= erased_ms)

    @property
    def in_force(self) -> bool:
        """Whether she is suppressed or erased, and that was not taken back since."""
        lifted_ms = self.unsuppressed_ms
        return any(
            at_ms is not None and (lifted_ms is None or lifted_ms <= at_ms)
            for at_ms in (self.suppressed_ms, self.erased_ms)
        )


class Interests(Struct, omit_defaults=True, gc=False):
    """Decayed interest in categories, brands and occasion tags; at most INTERESTS_MAX of each.

    Each number is a sum of weights grown from the landmark on, w * 2^((t - landmark_ms) / half-life), in units of
    1 / UNITS. See `profiles.interests`. `bought` is when something of a category was bought last, `strong` since when a
    category has been one that `category.interest` tells of.
    """

    landmark_ms: int = 0
    categories: dict[str, int] = {}
    brands: dict[str, int] = {}
    occasions: dict[str, int] = {}
    bought: dict[str, int] = {}
    strong: dict[str, int] = {}


# --- orders and money ---------------------------------------------------------------------------------------------


class OrderStats(Struct, omit_defaults=True, gc=False):
    """Counts and times of the orders that are not cancelled.

    `recent` holds [placed_ms, order_id] of the newest RECENT_ORDERS_MAX orders, oldest first; while `count` is not larger
    than that, all of them. `first` is [placed_ms, order_id] of the very first. `valued` counts orders above zero.
    `unconverted` counts orders whose currency had no exchange rate into the shop currency, `couponed` those with a coupon,
    `gift_cards` those with a rate that are of gift cards alone; `unconverted_refunds` counts refunds that have no rate into the
    currency of their order.
    """

    count: int = 0
    valued: int = 0
    first: tuple[int, str] | None = None
    recent: list[tuple[int, str]] = []
    refunded: int = 0
    cancelled: int = 0
    unconverted: int = 0
    couponed: int = 0
    gift_cards: int = 0
    unconverted_refunds: int = 0

    @property
    def in_amounts(self) -> int:
        """The orders whose amounts are in the shop's totals: those without a rate are not, and gift cards alone are no sale."""
        return self.count - self.unconverted - self.gift_cards


class Purchase(Struct, array_like=True, omit_defaults=True, gc=False):
    """Net units of one replenishable product bought in one order.

    In a substitute group they are counted in the group's smallest unit, and `product_id` says which product it was. `told` is
    what was foretold of the next purchase: first and last day of the window, in days after this one, and the probability of
    it in per cent (None where the forecast names none).
    """

    at_ms: int
    order_id: str
    units: float
    product_id: str | None = None
    told: tuple[int, int, int | None] | None = None


class Delivered(Struct, array_like=True, omit_defaults=True, gc=False):
    """A product of a parcel. `supply_days` as in its order's line."""

    product_id: str
    variant_id: str | None = None
    category: str | None = None
    supply_days: float | None = None


class Delivery(Struct, omit_defaults=True, gc=False):
    """A parcel: when it was sent and arrived, and the products of its order that no refund names.

    `since_ms` is the first that is known of it (0: only that goods came back). `gone`: the order was cancelled or refunded as
    a whole. `returned` are products that came back, `all_returned` says that everything did. `asked` are the triggers that
    are done with it.
    """

    since_ms: int = 0
    fulfilled_ms: int | None = None
    delivered_ms: int | None = None
    lines: list[Delivered] = []
    gone: bool = False
    returned: list[str] = []
    all_returned: bool = False
    asked: list[str] = []


class Supply(Struct, omit_defaults=True, gc=False):
    """Purchases of one replenishable product (or substitute group), oldest first, at most SUPPLY_PURCHASES_MAX.

    `product_id` and `category` are those of the newest purchase: what to offer, and where its facts are found; so are
    what events had `told` of it. `reminded` is the order of the purchase whose end a reminder was
    sent for last.
    """

    product_id: str
    category: str | None = None
    purchases: list[Purchase] = []
    reminded: str | None = None
    told: Kept | None = None


# --- carts --------------------------------------------------------------------------------------------------------


class CartLine(Struct, array_like=True, gc=False):
    """A line of a cart as it stands. `added_ms` is the newest moment at which units were added."""

    product_id: str
    variant_id: str | None
    quantity: float
    added_ms: int
    price_minor: int | None = None
    price_at_add_minor: int | None = None


class Description(Struct, array_like=True, gc=False):
    """How events of the cart described a product, and the time of the event that said so."""

    at_ms: int
    sku: str | None = None
    name: str | None = None
    category: str | None = None
    brand: str | None = None
    url: str | None = None
    image_url: str | None = None


class OpLine(Struct, array_like=True, gc=False):
    """What one operation says about one product."""

    product_id: str
    variant_id: str | None
    quantity: float
    price_minor: int | None = None


class CartOp(Struct, array_like=True, gc=False):
    """One thing that happened to a cart. The cart is the fold of its operations in (time, message id) order."""

    at_ms: int
    message_id: str
    kind: str
    lines: list[OpLine] = []


class PricedIn(Struct, array_like=True, gc=False):
    """In which currency prices of a cart were told that are in another one than most: those of operations by message id, those of
    the base by the key of the line. See `profiles.cart_currency`.
    """

    ops: dict[str, str] = {}
    base: dict[str, str] = {}


class Cart(Struct, omit_defaults=True, gc=False):
    """One cart: present lines, and the operations of the last day, so that a late one can be put in its place.

    `base*` is the fold of everything older than `ops`. `opened_*` names the event that opened the present episode, and
    `changed_ms` is the newest operation (it resets the reminder), `mutated_ms` the newest that could change lines.
    `needs_add`: a reminder went out, so only an item added opens a new episode. `described` is by the key of the line.
    `told` are triggers that were sent about it while it was taken for a cart of another customer, who remembers them herself
    ("bundle.suggest|<bundle>" of bundles). `currency` is that of its prices, but for those of `priced_in`.
    """

    cart_id: str
    currency: str | None = None
    lines: dict[str, CartLine] = {}
    opened_ms: int | None = None
    opened_by: str | None = None
    needs_add: bool = False
    changed_ms: int = 0
    mutated_ms: int = 0
    url: str | None = None
    described: dict[str, Description] = {}
    ops: list[CartOp] = []
    base_lines: dict[str, CartLine] = {}
    base_opened_ms: int | None = None
    base_opened_by: str | None = None
    base_needs_add: bool = False
    base_changed_ms: int = 0
    base_mutated_ms: int = 0
    told: list[str] = []
    priced_in: PricedIn | None = None


class Checkout(Struct, omit_defaults=True, gc=False):
    """A checkout under way: which cart it took over, when it began and when it last moved. `reminded`: of it, by us;
    `announced`: by a Checkout Started, which replaces checkouts begun before. `also`: the checkout id that later steps name it by
    where it began under an order id. `value_ms`: when `value_minor` was told (0: by an earlier release).
    """

    checkout_id: str
    cart_id: str | None = None
    started_ms: int = 0
    started_by: str = ""
    moved_ms: int = 0
    order_id: str | None = None
    value_minor: int | None = None
    currency: str | None = None
    url: str | None = None
    lines: list[CartLine] = []
    described: dict[str, Description] = {}
    reminded: bool = False
    done: str | None = None
    announced: bool = False
    also: str | None = None
    value_ms: int = 0


class Watch(Struct, array_like=True, omit_defaults=True, gc=False):
    """A product a customer has an eye on. `touched_ms` is when she last viewed, wished for or put it into a cart.

    `seen` are the prices she saw, [time, minor units of the shop currency], only those that are the lowest of the time after
    them, at most SEEN_PRICES_MAX; `views` the times of her newest two views, newest first, the second only where it is no more
    than a week before. `wish` is the newest word about her wishlist: when, and whether it is on it. `alert` is her newest
    stock alert: when, and its id; `alert_done` the newest one that needs no answer any more.
    """

    product_id: str
    variant_id: str | None = None
    touched_ms: int = 0
    seen: list[tuple[int, int]] = []
    views: list[int] = []
    wish: tuple[int, bool] | None = None
    alert: tuple[int, str] | None = None
    alert_done: tuple[int, str] | None = None

    @property
    def waits(self) -> bool:
        """Whether a stock alert is open."""
        return self.alert is not None and (self.alert_done is None or self.alert > self.alert_done)

    @property
    def wished(self) -> bool:
        """Whether it is on a wishlist."""
        return self.wish is not None and self.wish[1]


# --- what she looked at, wishes for, and was given ----------------------------------------------------------------


class Said(Struct, array_like=True, gc=False):
    """How one event showed a product: what describes it, and the price in minor units, variant and currency it was offered in."""

    name: str | None = None
    category: str | None = None
    brand: str | None = None
    price_minor: int | None = None
    url: str | None = None
    image_url: str | None = None
    sku: str | None = None
    variant_id: str | None = None
    currency: str | None = None


# What was read stays text until somebody asks; what is new is a `Said` until it is written.
if TYPE_CHECKING:
    SaidPart = Any
else:
    SaidPart = Raw

SAID_BEFORE: Final = Raw(b"0")


class Viewed(Struct, array_like=True, gc=False):
    """A view of a product in a visit. `next_ms` is the next event of the visit that is known and was no view, 0 while there is
    none. `said` is how the product was shown, SAID_BEFORE once `Browsing.described` and `offered` tell it.
    """

    at_ms: int
    message_id: str
    product_id: str
    next_ms: int = 0
    said: SaidPart = SAID_BEFORE


class Search(Struct, array_like=True, gc=False):
    """A search in the shop; `results` None where the shop does not tell how many hits it had, `visit_ms` is when the visit began
    that it is part of, None where it came from a server, or too late to know.
    """

    at_ms: int
    message_id: str
    query: str
    results: int | None = None
    visit_ms: int | None = None


class Priced(Struct, array_like=True, gc=False):
    """How a product was last offered: the time of that, its price in minor units, the variant and the currency."""

    at_ms: int
    price_minor: int | None = None
    variant_id: str | None = None
    currency: str | None = None


class Browsing(Struct, omit_defaults=True, gc=False):
    """What a customer looked at and searched for in visits of the last days. See `profiles.browsing`.

    `views` are the newest VIEWS_MAX within a week, oldest first. `described` and `offered` tell by their product ids how they
    were shown, as far as the views do not say so themselves.
    `visits` are [start, first message id] of those that `browse.abandoned` has still to look at, `planned_ms` the start of
    the newest one it told of, `answered_ms` the newest search that `search.abandoned` is done with. `found_ms` is when a
    product was last viewed, clicked, put into a cart or bought, `added_ms` when one was last put into a cart.
    """

    views: list[Viewed] = []
    visits: list[tuple[int, str]] = []
    described: dict[str, Description] = {}
    offered: dict[str, Priced] = {}
    searches: list[Search] = []
    found_ms: int = 0
    added_ms: int = 0
    planned_ms: int = -1
    answered_ms: int = -1


class Wish(Struct, omit_defaults=True, gc=False):
    """A product on the wishlist: it is there since the first of `adds` ([time, message id]), which are after `removed_ms`.

    `told_ms`: an episode of it ended, so only what is added later opens another.
    """

    product_id: str
    adds: list[tuple[int, str]] = []
    removed_ms: int = -1
    told_ms: int = -1
    said: Description = msgspec.field(default_factory=lambda: Description(0))
    offered: Priced = msgspec.field(default_factory=lambda: Priced(0))


class Coupon(Struct, omit_defaults=True, gc=False):
    """A coupon of the customer's own. `issued` is [time, message id] of the newest word of its issue, None where only its use
    is known. `in_cart_ms` and `out_ms` are when it was last put into a cart or an order, and taken off one; `told_ms` is the
    newest issue that a reminder is done with.
    """

    coupon_id: str
    issued: tuple[int, str] | None = None
    expires_ms: int | None = None
    discount_minor: int | None = None
    currency: str | None = None
    used_ms: int | None = None
    in_cart_ms: int = -1
    out_ms: int = -1
    told_ms: int = -1


# --- triggers -----------------------------------------------------------------------------------------------------


class Episode(Struct, omit_defaults=True, gc=False):
    """An armed trigger. `due_ms` is its timer; `measured_from_ms` is set when it was already past due when planned.

    `wait` says what one that came due waits for, and `wait_ms` how long: "unreachable" (it goes out when the customer can
    be reached, or expires then), "quiet_hours", or "turn" (a more important one is due within a minute). `first_due_ms`
    belongs to reminders: the due time of the first one. `evidence` are message ids of events that moved it, newest last;
    `data` is what the trigger itself keeps about it.
    """

    name: str
    key: str
    anchor: str
    opened_ms: int
    due_ms: int
    measured_from_ms: int | None = None
    occurrence: int = 1
    first_due_ms: int | None = None
    wait_ms: int | None = None
    wait: str | None = None
    evidence: list[str] = []
    data: dict[str, Any] = {}

    @property
    def wake_ms(self) -> int:
        """When this episode wants to be looked at next."""
        return self.due_ms if self.wait_ms is None else self.wait_ms


SHARED: Final = "shared"
"""The outcome of what was sent to a customer of whom this one was taken to be a part: it counts for cooldowns and caps alone."""


class Emitted(Struct, omit_defaults=True, gc=False):
    """A trigger that went out, kept until `until_ms` for conversion, cooldown and precedence.

    `outcome`: None, retracted, converted or SHARED. `service`: its class was not marketing. `ghost`: the customer is held out, so
    it was decided but not sent. `failed`: the messaging system said that it could not send it, at `receipt_ms`.
    `first_key`: the key it was sent with, where the profile it went to was absorbed since and `key` is that of this customer.
    """

    trigger_id: str
    name: str
    key: str
    due_ms: int
    emitted_ms: int
    occurrence: int = 1
    opened_ms: int = 0
    cart_id: str | None = None
    checkout_id: str | None = None
    product_ids: list[str] = []
    service: bool = False
    ghost: bool = False
    failed: bool = False
    outcome: str | None = None
    until_ms: int = 0
    receipt_ms: int = -1
    first_key: str | None = None


class DecisionKept(Struct, array_like=True, omit_defaults=True, gc=False):
    """A decision as `profile explain` shows it."""

    at_ms: int
    name: str
    key: str
    state: str
    reason: str | None = None
    trigger_id: str | None = None


class RecentOrder(Struct, array_like=True, omit_defaults=True, gc=False):
    """A placed order of the last days: late cart events and conversions are held against it. `gone` are those of its products
    that she did not keep: of an order that was cancelled or paid back all of them. `told_ms` is the newest word on its state, 0
    where that is the order itself.
    """

    at_ms: int
    order_id: str
    cart_id: str | None
    checkout_id: str | None
    product_ids: list[str]
    gone: list[str] = []
    told_ms: int = 0

    @property
    def bought(self) -> list[str]:
        """The products that she bought by it, as is known now."""
        return [one for one in self.product_ids if one not in self.gone] if self.gone else self.product_ids


class Standing(Struct, omit_defaults=True, gc=False):
    """Where a customer stands among the shop's customers: her churn band, her tier (0: none), the highest sum she passed.

    `left_high_ms` is when she last left the band "high", `milestone_ms` when she passed that sum (0: not known).
    """

    band: Band | None = None
    band_since_ms: int = 0
    left_high_ms: int | None = None
    tier: int = 0
    tier_since_ms: int = 0
    milestone: int = 0
    milestone_ms: int = 0


class WindowsKept(Struct, omit_defaults=True, gc=False):
    """What conditions count over a time that ends now, and nothing where none does. See `profiles.windows`.

    `counts` are lists of moments (see `profiles.moments`) by counter. `visit_starts` and `order_gaps` are such lists too;
    beside them stand the sessions' lengths, and the orders' net values in the shop's currency and the filters they pass.
    `orders_of` says for which conditions the orders were gathered.
    """

    orders_of: str = ""
    counts: dict[str, list[int]] = {}
    visit_starts: list[int] = []
    visit_lengths: list[int] = []
    order_gaps: list[int] = []
    order_nets: list[int] = []
    order_marks: list[int] = []


class Memberships(Struct, omit_defaults=True, gc=False):
    """The segments a customer is in, each since when, and what `profiles.segments` has to come back to.

    `left_ms` has the segments she left a moment ago, `held` those whose change waits because the last one was so near.
    """

    inside_ms: dict[str, int] = {}
    left_ms: dict[str, int] = {}
    held: list[str] = []


class Milestones(Struct, omit_defaults=True, gc=False):
    """Once-in-a-life moments, each the earliest by event time, with the message id that brought it.

    `..._ms` are of triggers that must know of themselves for longer than emissions are remembered: when a new buyer was
    greeted, and when the last birthday was. `anniversary_year` is that of the last one that was told. `left_ms` is when she
    last took back what she had agreed to hear, until she agrees again.
    """

    signed_up: tuple[int, str] | None = None
    granted: tuple[int, str] | None = None
    welcomed_ms: int | None = None
    welcome_ended_ms: int | None = None
    new_buyer_ms: int | None = None
    birthday_ms: int | None = None
    imported: bool = False
    left_ms: int | None = None
    anniversary_year: int = 0


class Moment(Struct, frozen=True, gc=False):
    """The clocks a step is run under. `clock_ms` is the partition's clock. `wall_ms` is the wall clock live and None in
    replay, where "now" at a due timer is its due time. `goods` is what the partition knows of prices and stock, `facts` what
    events told it of products besides.
    """

    clock_ms: int
    wall_ms: int | None = None
    goods: Goods = {}
    facts: ToldFacts = {}


encode = msgspec.json.Encoder().encode
