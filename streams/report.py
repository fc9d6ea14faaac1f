"""What a run amounts to: one summary over all profiles and everything that went out.

`Tally` counts what is published, `Sums` adds up profiles, `summarise` makes the figures of `summary.json` of both.
"""

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct, field

from profiles.order_stats import average_minor
from profiles.profile import Profile
from schemas.events import ANONYMOUS


class Summary(Struct, frozen=True, kw_only=True):
    """The figures of a run; amounts are minor units of the shop's currency.

    `customers` counts profiles. `orders` counts all that are neither cancelled nor tests, those that name no customer too,
    and so do the amounts. `unconverted_orders` are those of them without an exchange rate, whose amounts are in no figure;
    `unconverted_refunds` are refunds without one, in another currency than their order's, which are taken off nothing.
    `orders_per_customer` is over customers with at least one order, without the orders that name nobody. `repurchase_rate` is
    the share of customers with at least two orders above zero among those with at least one. Both are 0 where nobody bought;
    `aov_minor` (net per order with a rate, half to even) is None without any.
    """

    events: int
    rejected: int
    customers: int
    orders: int
    unconverted_orders: int
    unconverted_refunds: int
    gross_minor: int
    discount_minor: int
    refund_minor: int
    net_minor: int
    margin_minor: int
    aov_minor: int | None
    orders_per_customer: float
    repurchase_rate: float
    triggers: dict[str, int]
    events_per_s: float


class Tally(Struct):
    """What went by: events taken in, records set aside and why, triggers, outcomes and changes of identity by name, decisions by
    state.
    """

    events: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    triggers: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    identities: Counter[str] = field(default_factory=Counter)


class Sums(Struct):
    """Sums over profiles."""

    customers: int = 0
    buyers: int = 0
    valued_once: int = 0
    valued_twice: int = 0
    orders: int = 0
    in_amounts: int = 0
    unconverted: int = 0
    unconverted_refunds: int = 0
    named_orders: int = 0
    gross: int = 0
    discount: int = 0
    refund: int = 0
    net: int = 0
    margin: int = 0

    def add(self, profile: Profile) -> None:
        """Add one profile; the one that stands for anonymous orders adds its money and no customer."""
        orders, ltv = profile.orders, profile.ltv
        self.orders += orders.count
        self.in_amounts += orders.in_amounts
        self.unconverted += orders.unconverted
        self.unconverted_refunds += orders.unconverted_refunds
        self.gross += ltv.gross
        self.discount += ltv.discount
        self.refund += ltv.refund
        self.net += ltv.net
        self.margin += ltv.margin
        if profile.id == ANONYMOUS:
            return
        self.customers += 1
        self.named_orders += orders.count
        self.buyers += orders.count >= 1
        self.valued_once += orders.valued >= 1
        self.valued_twice += orders.valued >= 2


def without_rate(orders: int, refunds: int, currency: str) -> Iterator[str]:
    """What to say of orders whose amounts are in no total, and of refunds that are taken off none, where there are any."""
    if orders:
        yield (
            f"Orders in a currency without an exchange rate to {currency}: {orders:,}. They are counted, but their amounts "
            "are in none of these figures. Set shop.currency to what the shop sells in, or name rates in files.rates."
        )
    if refunds:
        yield (
            f"Refunds in another currency than their order's, without an exchange rate: {refunds:,}. Their amounts are taken "
            "off none of these figures. Name rates in files.rates."
        )


def with_estimates(share: float) -> str:
    """What to say of margins where some costs are not known: of this share of gross revenue."""
    return (
        f"For {share:.1%} of gross revenue some cost (of goods, shipping or payment) is not known and counts as nothing: the "
        "margins shown are the most they can be."
    )


def summarise(sums: Sums, tally: Tally, seconds: float) -> Summary:
    """The summary of a run that took so many seconds."""
    return Summary(
        events=tally.events,
        rejected=tally.rejected,
        customers=sums.customers,
        orders=sums.orders,
        unconverted_orders=sums.unconverted,
        unconverted_refunds=sums.unconverted_refunds,
        gross_minor=sums.gross,
        discount_minor=sums.discount,
        refund_minor=sums.refund,
        net_minor=sums.net,
        margin_minor=sums.margin,
        aov_minor=average_minor(sums.net, sums.in_amounts),
        orders_per_customer=round(sums.named_orders / sums.buyers, 4) if sums.buyers else 0.0,
        repurchase_rate=round(sums.valued_twice / sums.valued_once, 6) if sums.valued_once else 0.0,
        triggers=dict(sorted(tally.triggers.items())),
        events_per_s=round(tally.events / max(seconds, 1e-9), 1),
    )
