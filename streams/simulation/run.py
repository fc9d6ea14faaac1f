"""Plays a simulated shop through the embedded engine, day by day, and tells what its triggers truly brought."""

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from profiles.book import Book
from profiles.cart_rules import CartAbandonedRule, CheckoutAbandonedRule
from profiles.catalogue import build_catalogue
from profiles.engine import Engine
from profiles.holdout import group_of
from profiles.life_rules import WelcomeRule
from profiles.models import Models
from profiles.order_rules import ReviewRequestRule
from profiles.profile import Profile
from profiles.rules import DAY_MS, GLOBAL, Holdout, Rules
from profiles.supply_rules import ReplenishmentDueRule
from schemas.decode import Decoder
from schemas.events import Arrival
from schemas.outputs import Outgoing
from streams.embedded import Embedded, Pace
from streams.pairing.baskets import Baskets
from streams.pairing.learn import with_pairs
from streams.reporting.snapshot import EarlierKeeper, Snapshot, snapshot
from streams.simulation.catalogue import CURRENCY, GOODS, TIMEZONE
from streams.simulation.voices import Message
from streams.simulation.world import Extra, World
from streams.sources import Line
from streams.trigger_registry import all_triggers

SETTLING_MS: Final = 3 * DAY_MS
"""How long the clock runs on after the last event: reminders of the last carts."""
FIT_EVERY_DAYS: Final = 30
HOLDOUT_SHARE: Final = 0.3
GLOBAL_SHARE: Final = 0.1


class Truth(Struct, frozen=True, kw_only=True):
    """What a comparison's triggers brought to each treated customer on average in the time that counts: known, not estimated."""

    group: str
    treated: int
    orders: float
    net_minor: float
    margin_minor: float


class Outcome(Struct, frozen=True, kw_only=True):
    """What a run left behind: the counters, the truth, and how far it came."""

    snapshot: Snapshot
    truths: list[Truth]
    pace: Pace


class _Sent(Struct):
    """What is read of a trigger that was sent."""

    trigger_id: str
    name: str
    emitted_at_ms: int
    customer: "_Who"
    items: list["_Item"] = []
    details: dict[str, Any] = {}

    def message(self) -> Message:
        return Message(
            trigger_id=self.trigger_id,
            name=self.name,
            customer_id=self.customer.id.partition(":")[2],
            emitted_ms=self.emitted_at_ms,
            products=tuple(item.product_id for item in self.items),
            details=self.details,
        )


class _Who(Struct):
    id: str


class _Item(Struct):
    product_id: str


def simulated_book(holdout: float = HOLDOUT_SHARE, everything: float = GLOBAL_SHARE) -> Book:
    """The shop's decisions: reminders of carts and checkouts are one hold-out group, welcome and replenishment one each; late
    replenishment has none, so that nothing can be said of it. Nobody writes reviews here, so nobody is asked for one.
    """
    rules = Rules.of(
        CartAbandonedRule(holdout=holdout, holdout_group="left behind"),
        CheckoutAbandonedRule(holdout=holdout, holdout_group="left behind"),
        WelcomeRule(holdout=holdout),
        ReplenishmentDueRule(holdout=holdout),
        ReviewRequestRule(enabled=False),
        holdout=Holdout(share=everything),
        version="simulated",
    )
    rows = [
        {"product_id": goods.product_id, "category": goods.category, "supply_days": goods.supply_days or None}
        for goods in GOODS
    ]
    return Book(
        shop_id="simulated",
        shop_currency=CURRENCY,
        shop_timezone=TIMEZONE,
        rules=rules,
        catalogue=build_catalogue(rows),
    )


def simulate(
    world: World,
    book: Book,
    on_row: Callable[[Outgoing], None] = lambda _: None,
    on_line: Callable[[Line], None] = lambda _: None,
    progress: Callable[[Pace], None] | None = None,
    finish: Callable[[Embedded], None] = lambda _: None,
) -> Outcome:
    """Play the world to its end. `on_line` gets every event, in the order in which they are told, `on_row` all that goes out;
    `finish` sees the engine's state before it is closed.

    Models are fitted every FIT_EVERY_DAYS and taken at once, as workers take them, where the libraries for it are installed.
    """
    sent: list[_Sent] = []
    decode = msgspec.json.Decoder(_Sent).decode
    keeper, baskets, decoder = EarlierKeeper(book.shop_day), Baskets(), Decoder(book.shop_currency)
    models = book.models

    def take(row: Outgoing) -> None:
        if row.topic == "triggers":
            sent.append(decode(bytes(row.value)))
        on_row(row)

    with Embedded(Engine(book, all_triggers()), decoder, on_row=take, shop_id=book.shop_id) as embedded:
        for day in range(world.days):
            lines = world.lines_of(day)
            embedded.feed(((line.value, 0) for line in lines), progress)
            for line in lines:
                on_line(line)
                if line.topic == "orders" and isinstance(arrival := decoder.decode(line.value, 0), Arrival):
                    baskets.take(arrival.event, arrival.time_ms)
            for message in sent:
                world.answer(message.message(), day)
            sent.clear()
            keeper.see(embedded.pace.clock_ms, embedded.population)
            if (day + 1) % FIT_EVERY_DAYS == 0:
                models = with_pairs(_fitted(embedded, book, models), baskets.counter)
                embedded.use(Engine(replace(book, models=models), all_triggers()))
        now_ms = world.end_ms + SETTLING_MS
        embedded.advance_to(now_ms, progress)
        finish(embedded)
        learned = replace(book, models=with_pairs(models, baskets.counter))
        earlier = keeper.before(book.shop_day(now_ms))
        return Outcome(
            snapshot=snapshot(learned, all_triggers(), embedded.population(), now_ms, earlier),
            truths=truths(world, embedded.profiles(), book),
            pace=embedded.pace,
        )


def _fitted(embedded: Embedded, book: Book, last: Models) -> Models:
    """Models from the counters as they are; the last ones where the libraries for a fit are not installed."""
    if find_spec("scipy") is None:
        return last
    from streams.fitting.build import FitPlan
    from streams.fitting.fit import fit_models

    plan = FitPlan(currency=book.shop_currency)
    today = book.shop_day(embedded.pace.clock_ms)
    return fit_models(embedded.population(), today, plan, last=last, catalogue=book.catalogue)


def truths(world: World, profiles: Iterable[Profile], book: Book) -> list[Truth]:
    """The mean of what the messages of each comparison brought its treated customers, within their time that counts."""
    group_of_trigger = {
        trigger.name: group_of(rule, trigger.name) for trigger in all_triggers() if (rule := trigger.rule(book)).holdout
    }
    by_customer: dict[str, list[Extra]] = {}
    for extra in world.extras:
        by_customer.setdefault(extra.customer, []).append(extra)
    sums: dict[str, list[int]] = {}
    for profile in profiles:
        extras = by_customer.get(profile.id.partition(":")[2], [])
        for group, exposure in profile.exposures.items():
            if exposure.arm == "holdout":
                continue
            total = sums.setdefault(group, [0, 0, 0, 0])
            total[0] += 1
            for extra in extras:
                mine = group in (GLOBAL, group_of_trigger.get(extra.trigger))
                if mine and exposure.since_ms <= extra.placed_ms < exposure.until_ms:
                    total[1] += 1
                    total[2] += extra.net_minor
                    total[3] += extra.margin_minor
    return [
        Truth(group=group, treated=n, orders=orders / n, net_minor=net / n, margin_minor=margin / n)
        for group, (n, orders, net, margin) in sorted(sums.items())
    ]
