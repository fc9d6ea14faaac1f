"""Taking a wrong merge apart: when it is done, when it is refused, and what both remember of it."""

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from profiles import identity, links, sides
from profiles.book import Book
from profiles.cart_rules import CartAbandonedRule
from profiles.catalogue import Catalogue, build_catalogue
from profiles.engine import Engine
from profiles.gift_rules import GiftThresholdRule
from profiles.goods import change_of
from profiles.goods_state import UNKNOWN, Good
from profiles.insight.experiment import Amounts
from profiles.links import NOBODY
from profiles.order_state import Ledger
from profiles.profile import Profile, decode_profile
from profiles.rules import DAY_MS, Caps, IdentityRules, QuietHours, Rules, TriggerRule
from profiles.splitting import REFUSALS
from profiles.state import Cart, Moment, encode
from profiles.triggers import LtvMilestoneRule, VipEnteredRule
from profiles.turn import Mail, Output
from profiles.visit_rules import CategoryInterestRule
from schemas.decode import others_of
from schemas.events import (
    ID_TYPES,
    SHOP,
    Aliased,
    AnonymiseCustomer,
    Arrival,
    CartUpdated,
    CartViewed,
    CheckoutStarted,
    CommandAnswered,
    CommandEvent,
    ConsentChange,
    ConsentChanged,
    CouponIssued,
    EraseCustomer,
    Event,
    ExportCustomer,
    Identified,
    NpsSubmitted,
    OrderCompleted,
    OrderDelivered,
    OrderRefunded,
    OrderReturned,
    PageViewed,
    PaymentFailed,
    Product,
    ProductAdded,
    ProductAddedToWishlist,
    ProductsSearched,
    ProductStockChanged,
    ProductViewed,
    SplitProfile,
    StockAlertSubscribed,
    SuppressCustomer,
    Unsubscribed,
    UnsuppressCustomer,
)
from schemas.moves import Absorb, Link, Move, Restore
from schemas.outputs import Decision, Export, IdentityChange, Trigger, TriggerOutcome
from tests.stories.customers import shop_that_learned

START_MS = 1_772_409_600_000
ADA, BOB = "user_id:ada", "user_id:bob"
MAIL, PHONE = "email:eve@example.org", "anonymous_id:phone"


def strongest_of(event: Event) -> str:
    """The home identifier of an event."""
    return next(f"{kind}:{value}" for kind in ID_TYPES if (value := getattr(event, kind)) is not None)


class Town:
    """Homes of customers, who tell each other what they have to in the order in which it is said."""

    def __init__(self, book: Book | None = None) -> None:
        self.engine = Engine(book or Book())
        self.homes: dict[str, tuple[Profile, Ledger]] = {}
        self.out: list[Output] = []
        self.goods: dict[str, Good] = {}
        self.count = 0

    def profile(self, name: str) -> Profile:
        return self.homes[name][0]

    def tell(self, kind: type[Event], *names: str, day: float = 0, **fields: Any) -> "Town":
        """An event that names these identifiers, the strongest first."""
        arrival = self._arrival(kind, *names, day=day, **fields)
        return self.deliver(arrival, arrival.time_ms)

    def take_only(self, kind: type[Event], *names: str, day: float = 0, **fields: Any) -> list[Arrival | Move]:
        """The same, but gives what follows from it, which nobody hears of yet."""
        arrival = self._arrival(kind, *names, day=day, **fields)
        return self._take(arrival, arrival.time_ms)

    def _arrival(self, kind: type[Event], *names: str, day: float = 0, **fields: Any) -> Arrival:
        self.count += 1
        at_ms = START_MS + round(day * DAY_MS)
        said = {name.partition(":")[0]: name.partition(":")[2] for name in names}
        known: dict[str, Any] = {"message_id": f"m{self.count}", "timestamp_ms": at_ms}
        event = kind(**(known | said | fields))
        own = names[0]
        return Arrival(event, at_ms, at_ms, own, own.partition(":")[2], others_of(event, own))

    def deliver(self, what: Arrival | Move, at_ms: int = START_MS) -> "Town":
        """One thing, and all that follows from it."""
        waiting: list[Arrival | Move] = [what]
        while waiting:
            waiting += self._take(waiting.pop(0), at_ms)
        return self

    def until(self, day: float) -> "Town":
        """Nothing more happens until this day; what comes due by then does so in its time."""
        at_ms = START_MS + round(day * DAY_MS)
        for profile, ledger in self.homes.values():
            while (due_ms := profile.next_due_ms()) is not None and due_ms <= at_ms:
                self.engine.fire(profile, Moment(due_ms + 1, due_ms + 1, goods=self.goods), ledger, self.out)
        return self

    def stock(self, product_id: str, day: float, available: int) -> "Town":
        """The shop has so many pieces from now on, and whoever watches the product hears of it."""
        self.count += 1
        at_ms = START_MS + round(day * DAY_MS)
        event = ProductStockChanged(
            message_id=f"m{self.count}", timestamp_ms=at_ms, product_id=product_id, available=available
        )
        change = change_of(self.goods.get(product_id, UNKNOWN), Arrival(event, at_ms, at_ms, SHOP, product_id), "USD")
        if change is not None:
            self.goods[change.key] = change.after
            for profile, _ in self.homes.values() if self.engine.wakes(change) else ():
                self.engine.hear(profile, change, 0, Moment(at_ms, goods=self.goods), self.out)
        return self

    def sent(self, name: str) -> list[tuple[str, int]]:
        """To whom a trigger went, and on which day."""
        found = [output for output in self.out if isinstance(output, Trigger) and output.name == name]
        return sorted(
            ((one.customer.id, round((one.emitted_at_ms - START_MS) / DAY_MS)) for one in found), key=lambda one: one[1]
        )

    def split(self, customer: str, identifier: str, day: float = 1, request_id: str = "T-1") -> "Town":
        return self.tell(SplitProfile, customer, day=day, identifier=identifier, request_id=request_id)

    def _take(self, what: Arrival | Move, at_ms: int) -> list[Arrival | Move]:
        out: list[Output] = []
        profile, ledger = self._home(what.customer)
        at = Moment(at_ms, at_ms)
        if isinstance(what, Arrival):
            while profile.redirect and not isinstance(what.event, CommandEvent):
                holder = self.engine.holder_at(profile, what.time_ms) or NOBODY
                what = replace(what, customer=holder, came_with=what.came_with or what.customer)
                profile, ledger = self._home(holder)
            self.engine.step(profile, what, at, ledger, out)
        elif self.engine.move(profile, what, at, ledger, out):
            self.homes[what.customer] = (profile, Ledger(complete=True))
        ledger.replaced = False
        self.homes[profile.id] = (decode_profile(profile.pack()), self.homes[profile.id][1])
        self.out += out
        passed = [
            Arrival(mail.event, at_ms, at_ms, strongest_of(mail.event), mail.home)
            for mail in out
            if isinstance(mail, Mail) and isinstance(mail.event, CommandEvent)
        ]
        return [*passed, *(output for output in out if isinstance(output, Move))]

    def _home(self, name: str) -> tuple[Profile, Ledger]:
        return self.homes.setdefault(name, (Profile(name), Ledger(complete=True)))

    @property
    def refusals(self) -> list[str]:
        answers = [mail.event for mail in self.out if isinstance(mail, Mail)]
        return [answer.refused for answer in answers if isinstance(answer, CommandAnswered) and answer.refused]

    @property
    def changes(self) -> list[tuple[str, str, str]]:
        found = [output for output in self.out if isinstance(output, IdentityChange)]
        return [(change.name, change.customer_id, change.other) for change in found]


def soap() -> Product:
    return Product(product_id="soap", price_minor=1_000)


def bought(town: Town, *names: str, order_id: str, revenue_minor: int, day: float = 0) -> Town:
    return town.tell(OrderCompleted, *names, day=day, order_id=order_id, revenue_minor=revenue_minor, currency="USD")


def merged(book: Book | None = None) -> Town:
    """Ada, with whom Eve's address was united by one event; each has an order of her own."""
    town = bought(Town(book), ADA, order_id="a1", revenue_minor=1000)
    bought(town, MAIL, order_id="e1", revenue_minor=200)
    return town.tell(PageViewed, ADA, MAIL)


def nets(town: Town) -> dict[str, int]:
    return {name: profile.ltv.net for name, (profile, _) in town.homes.items() if not profile.redirect}


def test_orders_go_back_with_the_identifier_they_came_with() -> None:
    town = bought(merged(), MAIL, order_id="e2", revenue_minor=30, day=0.5)

    assert nets(town) == {ADA: 1230}

    town.split(ADA, MAIL)

    assert nets(town) == {ADA: 1000, MAIL: 230}
    assert town.profile(ADA).ids == {"user_id": ["ada"]}
    assert town.changes[-1] == ("profile.split", ADA, MAIL)
    assert town.refusals == []


def test_orders_that_go_leave_the_comparison_that_she_is_in() -> None:
    rules = Rules.of(CartAbandonedRule(holdout=0.0001), quiet_hours=QuietHours(enabled=False))
    town = merged(Book(rules=rules))
    town.tell(ConsentChanged, ADA, day=1, consent=(ConsentChange(state="GRANT", channel="email"),))
    town.tell(ProductAdded, ADA, day=2, cart_id="c", product=soap()).until(3)
    bought(town, MAIL, order_id="e2", revenue_minor=30, day=4)
    exposure = town.profile(ADA).exposures["cart.abandoned"]

    assert (exposure.before, exposure.after) == (Amounts(2, 1200, 1200), Amounts(1, 30, 30))

    town.split(ADA, MAIL, day=5)
    exposure = town.profile(ADA).exposures["cart.abandoned"]

    assert (exposure.before, exposure.after) == (Amounts(1, 1000, 1000), Amounts())


def test_their_lines_are_kept_no_longer_than_those_of_other_orders() -> None:
    town = Town().tell(OrderCompleted, MAIL, order_id="o1", products=(Product(product_id="A", price_minor=100),))
    town.tell(Identified, ADA, MAIL).split(ADA, MAIL).until(500)
    (entry,) = town.homes[MAIL][1].all()

    assert (entry.compact, entry.lines) == (True, [])


def test_what_comes_later_stays_with_whom_it_names() -> None:
    town = merged().split(ADA, MAIL)
    bought(town, MAIL, order_id="e3", revenue_minor=7, day=2)
    bought(town, ADA, MAIL, order_id="a2", revenue_minor=50, day=3)

    assert nets(town) == {ADA: 1050, MAIL: 207}
    assert town.profile(ADA).ids == {"user_id": ["ada"]}


def test_that_goods_came_back_is_told_once_and_a_repeat_changes_nothing() -> None:
    town = bought(Town(), PHONE, order_id="p1", revenue_minor=100)
    town.tell(OrderReturned, ADA, PHONE, day=0.1, order_id="p1", message_id="back")
    once = [encode(entry) for entry in town.homes[ADA][1].all()]
    town.tell(OrderReturned, ADA, PHONE, day=0.1, order_id="p1", message_id="back")

    assert [encode(entry) for entry in town.homes[ADA][1].all()] == once

    town.split(ADA, PHONE)

    assert nets(town) == {ADA: 0, PHONE: 100}


def test_an_order_that_both_told_of_stays_with_the_customer() -> None:
    town = bought(merged(), ADA, order_id="e1", revenue_minor=200, day=0.5).split(ADA, MAIL)

    assert nets(town) == {ADA: 1200, MAIL: 0}


def test_an_order_of_hers_that_came_again_under_the_other_identifier_stays_too() -> None:
    town = bought(merged(), MAIL, order_id="a1", revenue_minor=1000, day=0.5).split(ADA, MAIL)

    assert nets(town) == {ADA: 1000, MAIL: 200}


def test_an_order_told_of_under_two_identifiers_that_leave_together_goes_with_them() -> None:
    town = Town().tell(Identified, MAIL, PHONE).tell(Identified, ADA, MAIL, day=0.1)
    bought(town, PHONE, order_id="e1", revenue_minor=200, day=0.2)
    bought(town, MAIL, order_id="e1", revenue_minor=250, day=0.3).split(ADA, MAIL)

    assert nets(town) == {ADA: 0, MAIL: 250}


@pytest.mark.parametrize("first", [MAIL, PHONE])
def test_also_where_the_device_told_of_it_before_it_was_known_whose_it_is(first: str) -> None:
    town = Town().tell(Identified, ADA, MAIL)
    for day, name in enumerate(sorted((MAIL, PHONE), key=lambda name: name != first), 1):
        bought(town, name, order_id="e1", revenue_minor=200 + day, day=day / 10)
    town.tell(Identified, MAIL, PHONE, day=0.3).split(ADA, MAIL)
    bought(town, PHONE, order_id="e1", revenue_minor=300, day=2)

    assert nets(town) == {ADA: 0, MAIL: 300}


def test_of_two_that_came_together_the_one_that_stays_keeps_an_order_told_of_under_both() -> None:
    town = Town().tell(Identified, MAIL, PHONE).tell(Identified, ADA, MAIL, day=0.1)
    bought(town, PHONE, order_id="e1", revenue_minor=200, day=0.2)
    bought(town, MAIL, order_id="e1", revenue_minor=250, day=0.3).split(ADA, PHONE)

    assert nets(town) == {ADA: 250, PHONE: 0}


@pytest.mark.parametrize(
    "named_by, day, whose", [((MAIL,), 0, MAIL), ((MAIL,), 0.3, MAIL), ((MAIL, ADA), 0.3, ADA), ((ADA,), 0, ADA)]
)
def test_what_a_device_brought_is_hers_by_whose_events_it_came_and_the_customers_where_both_named_it_by_then(
    named_by: tuple[str, ...], day: float, whose: str
) -> None:
    town = merged()
    if day == 0:
        bought(town, PHONE, order_id="p1", revenue_minor=9)
    for name in named_by:
        town.tell(Identified, name, PHONE, day=0.2)
    if day > 0:
        bought(town, PHONE, order_id="p1", revenue_minor=9, day=day)
    town.split(ADA, MAIL)

    assert nets(town) == {ADA: 1009 if whose == ADA else 1000, MAIL: 209 if whose == MAIL else 200}


def test_what_is_given_back_twice_is_there_once() -> None:
    town = merged().split(ADA, MAIL)
    before = town.profile(MAIL).activity.events
    for move in [output for output in town.out if isinstance(output, Restore)]:
        town.deliver(move)

    assert nets(town) == {ADA: 1000, MAIL: 200}
    assert town.profile(MAIL).activity.events == before == 1


def test_more_orders_than_one_part_holds_come_and_go_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PART_BYTES", 100)  # one order each
    town = merged()
    bought(town, MAIL, order_id="e2", revenue_minor=30).split(ADA, MAIL)
    answers = [mail.event for mail in town.out if isinstance(mail, Mail)]

    assert [move.closing for move in town.out if isinstance(move, Restore)] == [False, True]
    assert nets(town) == {ADA: 1000, MAIL: 230}
    assert town.profile(MAIL).activity.events == 2
    assert [one.counts.get("profiles") for one in answers if isinstance(one, CommandAnswered)] == [None, 1]


def test_so_do_they_where_the_two_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PART_BYTES", 100)
    town = bought(Town(), MAIL, order_id="e2", revenue_minor=30)
    bought(town, MAIL, order_id="e1", revenue_minor=200)
    bought(town, ADA, order_id="a1", revenue_minor=1000).tell(Identified, ADA, MAIL)

    assert [move.closing for move in town.out if isinstance(move, Absorb)] == [False, True]

    town.split(ADA, MAIL)

    assert nets(town) == {ADA: 1000, MAIL: 230}
    assert town.profile(MAIL).activity.events == 2


def test_what_was_absorbed_and_comes_again_after_the_split_is_given_back() -> None:
    town = merged()
    absorbed = [output for output in town.out if isinstance(output, Absorb)]
    town.split(ADA, MAIL)
    for move in absorbed:
        town.deliver(move)

    assert nets(town) == {ADA: 1000, MAIL: 200}
    assert town.profile(MAIL).activity.events == 1


def test_an_identifier_that_was_taken_out_is_not_claimed_again() -> None:
    town = merged().split(ADA, MAIL)
    before = len(town.out)
    town.tell(PageViewed, ADA, MAIL, day=2)

    assert not [output for output in town.out[before:] if isinstance(output, Link)]


def test_each_has_her_own_word_about_consent_again() -> None:
    town = merged()
    town.tell(Unsubscribed, ADA, day=0.1, message_channel="email")
    town.tell(
        ConsentChanged,
        MAIL,
        day=0.2,
        consent=(ConsentChange(state="GRANT", channel="email", purpose="marketing"),),
    )
    town.split(ADA, MAIL)

    assert {key: word.state for key, word in town.profile(ADA).consent.items()} == {"email.marketing": "REVOKED"}
    assert {key: word.state for key, word in town.profile(MAIL).consent.items()} == {"email.marketing": "GRANT"}


@pytest.mark.parametrize("withdraws, other", [(ADA, MAIL), (MAIL, ADA)])
def test_whoever_unsubscribed_as_one_has_ended_the_reminder_of_her_own_cart_alone(withdraws: str, other: str) -> None:
    town = merged()
    for name, cart_id in ((ADA, "hers"), (MAIL, "theirs")):
        town.tell(ProductAdded, name, day=0.9, cart_id=cart_id, product=Product(product_id="tea"))
    town.tell(Unsubscribed, withdraws, day=0.91, message_channel="email")
    town.tell(ConsentChanged, withdraws, day=0.915, consent=(ConsentChange(state="REVOKED", channel="any"),))
    town.split(ADA, MAIL, day=0.92)

    waiting = {name: [one.name for one in town.profile(name).episodes.values()] for name in (withdraws, other)}
    assert "cart.abandoned" not in waiting[withdraws]
    assert "cart.abandoned" in waiting[other]


def test_whoever_was_suppressed_as_one_is_suppressed_as_two() -> None:
    from schemas.events import SuppressCustomer

    town = merged().tell(SuppressCustomer, ADA, day=0.5, request_id="S-1").split(ADA, MAIL)

    assert town.profile(ADA).suppressed
    assert town.profile(MAIL).suppressed


def test_a_waiting_reminder_of_a_cart_ends_here_and_is_planned_there() -> None:
    town = merged()
    product = Product(product_id="tea", price_minor=500, quantity=1)
    town.tell(CartUpdated, MAIL, day=0.9, cart_id="c1", products=(product,))

    assert [episode.name for episode in town.profile(ADA).episodes.values()].count("cart.abandoned") == 1

    town.split(ADA, MAIL, day=0.91)

    assert "cart.abandoned" not in [episode.name for episode in town.profile(ADA).episodes.values()]
    assert "cart.abandoned" in [episode.name for episode in town.profile(MAIL).episodes.values()]
    assert not [output for output in town.out if isinstance(output, Trigger)]


def test_an_identifier_that_is_at_once_anothers_takes_its_own_devices_along() -> None:
    town = Town().tell(PageViewed, PHONE).tell(Identified, MAIL, PHONE).tell(PageViewed, ADA, MAIL)
    town.tell(PageViewed, PHONE, day=0.5).split(ADA, MAIL)

    assert town.profile(MAIL).ids == {"anonymous_id": ["phone"], "email": ["eve@example.org"]}
    assert town.profile(PHONE).redirect[-1][1] == MAIL

    bought(town, PHONE, order_id="p1", revenue_minor=9, day=2)

    assert nets(town) == {ADA: 0, MAIL: 9}


def test_what_was_taken_out_can_be_taken_apart_again_itself() -> None:
    town = bought(Town(), PHONE, order_id="p1", revenue_minor=9)
    town.tell(PageViewed, MAIL, PHONE).tell(PageViewed, ADA, MAIL).split(ADA, MAIL)
    town.split(MAIL, PHONE, day=2, request_id="T-2")

    assert nets(town) == {ADA: 0, MAIL: 0, PHONE: 9}
    assert town.refusals == []


def test_a_device_can_be_taken_out_alone() -> None:
    town = bought(Town(), PHONE, order_id="p1", revenue_minor=9).tell(PageViewed, MAIL, PHONE)
    bought(town.tell(PageViewed, ADA, MAIL), MAIL, order_id="e1", revenue_minor=20).split(ADA, PHONE)

    assert nets(town) == {ADA: 20, PHONE: 9}
    assert town.refusals == []


def test_a_command_to_an_identifier_of_hers_reaches_her() -> None:
    town = bought(Town(), PHONE, order_id="p1", revenue_minor=9).tell(PageViewed, ADA, PHONE)
    town.tell(PageViewed, ADA, MAIL).split(MAIL, PHONE)

    assert nets(town)[PHONE] == 9
    assert town.refusals == []


def test_a_device_that_both_used_stays_with_the_customer_until_the_other_logs_in_again() -> None:
    town = bought(Town(), BOB, order_id="b1", revenue_minor=20).tell(Aliased, ADA, previous_id="bob")
    town.tell(Identified, BOB, PHONE, day=0.1).tell(Identified, ADA, PHONE, day=0.2).split(ADA, BOB)
    bought(town, PHONE, order_id="p1", revenue_minor=300, day=2).tell(Identified, BOB, PHONE, day=3)
    bought(town, PHONE, order_id="p2", revenue_minor=4_000, day=4)

    assert nets(town) == {ADA: 300, BOB: 4_020}


def test_a_device_that_is_anothers_by_now_is_hers_again_once_she_logs_in_there() -> None:
    town = bought(Town(), BOB, order_id="b1", revenue_minor=20).tell(Aliased, ADA, previous_id="bob")
    town.tell(Identified, BOB, PHONE, day=0.1).tell(Identified, "user_id:carol", PHONE, day=0.2).split(ADA, BOB)
    town.tell(Identified, BOB, PHONE, day=3)
    bought(town, PHONE, order_id="p1", revenue_minor=300, day=4)

    assert nets(town) == {ADA: 0, BOB: 320, "user_id:carol": 0}


def test_an_address_that_both_gave_stays_the_customers_and_the_other_can_be_written_to() -> None:
    town = bought(Town(), BOB, order_id="b1", revenue_minor=20).tell(Aliased, ADA, previous_id="bob")
    town.tell(Identified, BOB, MAIL, day=0.1).tell(Identified, ADA, MAIL, day=0.2).split(ADA, BOB)
    bob = town.profile(BOB)

    assert (bob.ids, identity.contact(bob, "email")) == ({"user_id": ["bob"]}, "eve@example.org")


@pytest.mark.parametrize("before", [True, False])
def test_an_erasure_of_who_was_taken_out_goes_on_to_nobody_through_a_device_that_both_used(*, before: bool) -> None:
    """Of two who gave no user id either is taken for the other where a device leads there."""
    eve = "loyalty_id:eve"
    town = bought(Town(), MAIL, order_id="m1", revenue_minor=1_000)
    bought(town, eve, order_id="e1", revenue_minor=200)
    for names in ((eve, PHONE), (MAIL, PHONE)) if before else ((MAIL, eve), (eve, PHONE), (MAIL, PHONE)):
        town.tell(Identified, *names, day=town.count / 10)
    town.split(MAIL, eve).tell(EraseCustomer, eve, day=2, request_id="T-2")

    assert {name: nets(town)[name] for name in (MAIL, eve)} == {MAIL: 1_000, eve: 0}
    assert waits_for(town, "T-2") == set()


@pytest.mark.parametrize("first", [MAIL, PHONE])
def test_whatever_home_hears_of_it_first_nothing_is_on_its_way_once_it_is_done(first: str) -> None:
    town = merged().tell(Identified, MAIL, PHONE, day=0.5)
    on_its_way = town.take_only(SplitProfile, ADA, day=1, identifier=MAIL, request_id="T-1")
    for what in sorted(on_its_way, key=lambda what: what.customer != first):
        town.deliver(what, START_MS + DAY_MS)

    assert [town.profile(name).merging for name in (ADA, MAIL)] == [[], []]


# --- refused --------------------------------------------------------------------------------------------------------


def test_after_thirty_days_it_is_refused_and_nothing_has_changed() -> None:
    town = bought(merged(), ADA, order_id="a3", revenue_minor=1, day=29).split(ADA, MAIL, day=30.5)

    assert town.refusals == ["too_late"]
    assert nets(town) == {ADA: 1201}
    assert town.profile(MAIL).redirect[-1][1] == ADA


def test_on_the_thirtieth_day_it_still_can() -> None:
    town = bought(merged(), ADA, order_id="a3", revenue_minor=1, day=29).split(ADA, MAIL, day=29.9)

    assert town.refusals == []
    assert nets(town) == {ADA: 1001, MAIL: 200}


def test_what_is_kept_apart_is_let_go_of_after_thirty_days() -> None:
    town = merged()

    assert set(town.profile(ADA).sides) == {ADA, MAIL}

    town.tell(PageViewed, ADA, day=31)

    assert not town.profile(ADA).has_sides
    assert town.split(ADA, MAIL, day=31).refusals == ["too_late"]


def test_a_shop_may_keep_facts_apart_for_a_shorter_time() -> None:
    book = Book(rules=Rules(identity=IdentityRules(split_ms=7 * DAY_MS)))

    assert merged(book).split(ADA, MAIL, day=6.9).refusals == []
    assert merged(book).split(ADA, MAIL, day=7.1).refusals == ["too_late"]


def test_a_shop_that_keeps_nothing_apart_pays_nothing_and_can_take_nothing_apart() -> None:
    town = merged(Book(rules=Rules(identity=IdentityRules(split_ms=0))))
    town.tell(PageViewed, MAIL, day=0.5)

    assert not town.profile(ADA).has_sides
    assert town.split(ADA, MAIL).refusals == ["too_late"]


def test_what_became_her_own_stays_when_another_is_taken_out() -> None:
    town = bought(Town(), PHONE, order_id="p1", revenue_minor=9).tell(PageViewed, ADA, PHONE)
    bought(town, MAIL, order_id="e1", revenue_minor=20, day=20).tell(PageViewed, ADA, MAIL, day=20)
    town.split(ADA, MAIL, day=35)

    assert nets(town) == {ADA: 9, MAIL: 20}
    assert town.profile(ADA).activity.events == 3
    assert town.profile(PHONE).redirect[-1][1] == ADA


@pytest.mark.parametrize("ends", [19, 31, 35])
def test_what_became_the_others_own_leaves_with_the_other_wherever_it_became_so(ends: float) -> None:
    """Bob's address could be taken out of Bob for thirty days, the last of which may be days of Ada's."""
    town = bought(Town(), BOB, order_id="b1", revenue_minor=5)
    bought(town, MAIL, order_id="e1", revenue_minor=200).tell(Identified, BOB, MAIL, PHONE)
    bought(town, PHONE, order_id="p1", revenue_minor=30, day=0.1).tell(PageViewed, BOB, day=ends)
    bought(town, ADA, order_id="a1", revenue_minor=1000, day=ends).tell(Aliased, ADA, previous_id="bob", day=ends + 1)
    town.tell(PageViewed, ADA, day=ends + 15).split(ADA, BOB, day=ends + 20)

    assert nets(town) == {ADA: 1000, BOB: 235}
    assert [town.profile(name).activity.events for name in (ADA, BOB)] == [3, 5]


def test_what_came_through_what_became_her_own_came_to_her() -> None:
    town = merged().tell(Identified, MAIL, PHONE, day=20)
    bought(town, PHONE, order_id="p1", revenue_minor=30, day=21)

    assert town.profile(ADA).sides[PHONE].via == MAIL

    town.tell(PageViewed, ADA, day=31)

    assert town.profile(ADA).sides[PHONE].via == ADA


@pytest.mark.parametrize("identifier", ["email:nobody@example.org", ADA])
def test_who_was_never_merged_is_no_part_of_her(identifier: str) -> None:
    assert merged().split(ADA, identifier).refusals == ["not_merged"]


def test_a_device_that_is_anothers_by_now_is_not_taken_out() -> None:
    town = bought(Town(), PHONE, order_id="p1", revenue_minor=9).tell(PageViewed, ADA, PHONE)
    town.tell(Identified, BOB, PHONE, day=0.5).split(ADA, PHONE)

    assert town.refusals == ["moved_on"]
    assert nets(town) == {ADA: 9, BOB: 0}


def test_a_device_that_changed_hands_meanwhile_is_sent_back_whole() -> None:
    town = bought(Town(), PHONE, order_id="p1", revenue_minor=9).tell(PageViewed, ADA, PHONE)
    profile, ledger = town.homes[PHONE]
    profile.redirect.append((START_MS + 1, BOB))  # Ada's home has not heard of it
    town.homes[PHONE] = (profile, ledger)
    town.split(ADA, PHONE)

    assert town.refusals == ["moved_on"]
    assert nets(town) == {ADA: 9}
    assert town.profile(ADA).activity.events == 2


def test_what_is_too_large_is_not_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "BYTES_MAX", 100)
    town = merged()
    for _ in range(sides.MEASURE_EVERY):
        town.tell(PageViewed, ADA, day=0.5)
    town.split(ADA, MAIL)

    assert town.refusals == ["too_large"]
    assert nets(town) == {ADA: 1200}


@pytest.mark.parametrize("carts", [1, 2])
def test_nor_is_what_is_so_large_that_its_carts_come_in_parts_of_their_own(
    monkeypatch: pytest.MonkeyPatch, carts: int
) -> None:
    town = bought(Town(), ADA, order_id="a1", revenue_minor=1000)
    for number in range(carts):
        town.tell(ProductAdded, MAIL, cart_id=f"c{number}", product=soap())
    monkeypatch.setattr(links, "PART_BYTES", 100)
    town.tell(Identified, ADA, MAIL).split(ADA, MAIL)

    assert town.refusals == ["too_large"]
    assert sorted(town.profile(ADA).carts) == [f"c{number}" for number in range(carts)]


def test_what_is_kept_apart_and_comes_again_in_such_parts_is_let_go_of() -> None:
    town = merged()
    part = Profile(MAIL)
    part.carts["c1"] = Cart("c1")
    town.deliver(Absorb(cause="m3", at_ms=START_MS, into=ADA, absorbed=MAIL, closing=False, profile=Raw(part.pack())))

    assert town.split(ADA, MAIL).refusals == ["too_large"]


def test_every_refusal_has_its_words() -> None:
    assert set(REFUSALS) == {"not_merged", "too_late", "too_large", "moved_on"}


# --- what it costs, what is remembered ------------------------------------------------------------------------------


def test_who_never_absorbed_anything_keeps_nothing_apart() -> None:
    town = bought(Town().tell(PageViewed, ADA, MAIL), ADA, order_id="a1", revenue_minor=5)

    assert not town.profile(ADA).has_sides
    assert not town.profile(ADA).has_apart


def test_the_days_of_the_year_of_both_are_kept_after_the_split() -> None:
    town = merged()
    town.tell(Identified, MAIL, day=0.1, traits={"birthday": "2000-06-10"})
    town.tell(Identified, ADA, day=0.2, traits={"birthday": "1990-09-10"}).split(ADA, MAIL)
    days = {name: town.profile(name).wakes for name in (ADA, MAIL)}

    assert {name: {"birthday|day", "anniversary|day"} <= {*wakes} for name, wakes in days.items()} == {
        ADA: True,
        MAIL: True,
    }
    assert days[MAIL]["birthday|day"] < days[ADA]["birthday|day"]


def test_her_own_birthday_is_hers_again_where_the_one_she_had_by_mistake_leaves() -> None:
    town = merged()
    town.tell(Identified, ADA, day=0.1, traits={"birthday": "1990-06-10"})
    before = town.profile(ADA).wakes["birthday|day"]
    town.tell(Identified, MAIL, day=0.2, traits={"birthday": "2000-09-10"})
    later = town.profile(ADA).wakes["birthday|day"]
    town.split(ADA, MAIL)

    assert (town.profile(ADA).wakes["birthday|day"], town.profile(MAIL).wakes["birthday|day"]) == (before, later)


def test_an_identifier_nothing_came_with_is_unlinked() -> None:
    town = Town().tell(PageViewed, ADA, MAIL).split(ADA, MAIL)
    bought(town, MAIL, order_id="e1", revenue_minor=20, day=2)

    assert nets(town) == {ADA: 0, MAIL: 20}


def test_what_came_with_an_identifier_after_it_was_linked_goes_with_it() -> None:
    town = bought(Town().tell(PageViewed, ADA, MAIL), MAIL, order_id="e1", revenue_minor=20, day=0.5).split(ADA, MAIL)

    assert nets(town) == {ADA: 0, MAIL: 20}


def test_the_larger_of_two_users_joined_by_an_alias_call_comes_out_again() -> None:
    town = bought(Town(), BOB, order_id="b1", revenue_minor=20)
    town.tell(PageViewed, ADA).tell(Aliased, ADA, previous_id="bob")

    assert nets(town)[ADA] == 20

    town.split(ADA, BOB)

    assert (nets(town)[ADA], nets(town)[BOB]) == (0, 20)

    town.tell(Aliased, ADA, previous_id="bob", day=2)

    assert (nets(town)[ADA], nets(town)[BOB]) == (0, 20)


def test_who_is_apart_is_remembered_by_marks_that_name_nobody() -> None:
    town = merged().split(ADA, MAIL)

    assert town.profile(MAIL).is_apart_from(ADA)
    assert not town.profile(MAIL).is_apart_from(BOB)
    assert b"ada" not in town.profile(MAIL).pack()
    assert b"eve@" not in town.profile(ADA).pack()


def test_an_erased_customer_leaves_no_trace_with_whom_was_taken_out_of_her_nor_takes_her_along() -> None:
    town = merged().split(ADA, MAIL)
    town.tell(EraseCustomer, ADA, day=2, request_id="R-1")
    town.tell(PageViewed, ADA, MAIL, day=3)  # the mistake once more

    assert b"ada" not in town.profile(MAIL).pack()
    assert nets(town) == {ADA: 0, MAIL: 200}
    assert not [mail for mail in town.out if isinstance(mail, Mail) and isinstance(mail.event, EraseCustomer)]


def test_who_was_in_a_tier_by_orders_of_the_other_leaves_it_with_the_split() -> None:
    town = Town(Book(rules=Rules.of(VipEnteredRule(limits=(3_000,)))))
    bought(town, ADA, order_id="o1", revenue_minor=1_000)
    bought(town, MAIL, order_id="o2", revenue_minor=3_000)
    town.tell(Identified, ADA, MAIL, day=0.5).until(0.75)
    assert town.profile(ADA).standing.tier == 1

    town.split(ADA, MAIL)

    assert town.profile(ADA).standing.tier == 0
    assert f"vip.left|{ADA}|0" in town.profile(ADA).episodes


@pytest.mark.parametrize("name", ["next.order.coupon", "cross.sell", "nps.survey", "review.request"])
def test_nothing_that_waits_about_an_order_of_the_other_is_sent_to_who_stays(name: str) -> None:
    tea = Product(product_id="tea", price_minor=1_000)
    town = Town(Book(catalogue=build_catalogue([{"product_id": "tea", "complementary": ["milk"]}])))
    town.tell(Identified, ADA)
    town.tell(OrderCompleted, MAIL, order_id="o1", products=(tea,), currency="USD")
    town.tell(Identified, ADA, MAIL, day=0.1)
    if name != "cross.sell":
        town.tell(OrderDelivered, MAIL, day=0.2, order_id="o1")
    assert name in {episode.name for episode in town.profile(ADA).episodes.values()}

    town.split(ADA, MAIL)

    assert name not in {episode.name for episode in town.profile(ADA).episodes.values()}


@pytest.mark.parametrize("merges", [0.0, 0.5])
def test_a_tier_and_a_sum_that_were_told_are_not_told_again_to_whose_orders_they_were(merges: float) -> None:
    town = united(VipEnteredRule(limits=(1_000, 5_000)), LtvMilestoneRule(milestones=(1_000, 5_000)), merged=False)
    if not merges:
        town.tell(Identified, ADA, MAIL)
    bought(town, MAIL, order_id="o1", revenue_minor=1_500).until(0.2).tell(Identified, ADA, MAIL, day=merges)
    before = town.sent("vip.entered") + town.sent("ltv.milestone")
    town.split(ADA, MAIL, day=1).until(2)

    assert len(before) == 2
    assert town.sent("vip.entered") + town.sent("ltv.milestone") == before

    bought(town, MAIL, order_id="o2", revenue_minor=4_000, day=3).until(4)

    assert (town.sent("vip.entered")[1:], town.sent("ltv.milestone")[1:]) == ([(MAIL, 3)], [(MAIL, 3)])


def test_who_is_likely_not_to_come_back_is_told_of_once() -> None:
    town = Town(shop_that_learned())
    for name in (ADA, MAIL):
        town.tell(ConsentChanged, name, consent=(ConsentChange(state="GRANT", channel="email"),))
    for day in range(0, 100, 10):
        bought(town, MAIL, day=day, order_id=f"e{day}", revenue_minor=5_000)
    town.until(130).tell(Identified, ADA, MAIL, day=130).until(150).split(ADA, MAIL, day=150).until(300)

    assert town.sent("churn.risk") == [(ADA, 146)]
    assert town.profile(MAIL).standing.band == "high"


def test_a_tier_that_was_not_told_yet_is_told_to_whose_order_it_was() -> None:
    town = united(VipEnteredRule(limits=(1_000,)), LtvMilestoneRule(milestones=(1_000,)))
    bought(town, MAIL, order_id="o1", revenue_minor=1_500).split(ADA, MAIL, day=0).until(2)

    assert (town.sent("vip.entered"), town.sent("ltv.milestone")) == ([(MAIL, 0)], [(MAIL, 0)])


@pytest.mark.parametrize("day", [89.5, 90.5, 135.5, 180.5])
def test_tries_to_win_her_back_go_on_where_they_were(day: float) -> None:
    town = bought(united(merged=False), MAIL, order_id="o1", revenue_minor=1_500).until(day - 10)
    town.tell(Identified, ADA, MAIL, day=day - 10).until(day).split(ADA, MAIL, day=day).until(400)

    assert sorted(at for _, at in town.sent("winback")) == [90, 135, 180]
    assert {who for who, at in town.sent("winback") if at > day} <= {MAIL}


def test_one_timer_counts_from_the_newest_order_of_both_and_after_a_split_from_each_ones_own() -> None:
    town = bought(united(merged=False), ADA, order_id="a1", revenue_minor=500)
    bought(town, MAIL, day=1, order_id="e1", revenue_minor=500).tell(Identified, ADA, MAIL, day=2)

    def counts_from(name: str) -> list[str]:
        return [wake.rpartition("|")[2] for wake in town.profile(name).wakes if wake.startswith("winback|")]

    assert counts_from(ADA) == ["e1"]
    town.split(ADA, MAIL, day=3)
    assert (counts_from(ADA), counts_from(MAIL)) == (["a1"], ["e1"])


def test_each_is_won_back_by_her_own_rhythm_and_not_by_that_of_both() -> None:
    town = united(merged=False)
    for day, who in ((0, ADA), (50, MAIL), (100, ADA)):
        bought(town, who, day=day, order_id=f"o{day}", revenue_minor=500)
    town.tell(Identified, ADA, MAIL, day=149)
    for day, who in ((150, MAIL), (160, MAIL), (170, ADA)):
        bought(town, who, day=day, order_id=f"o{day}", revenue_minor=500)
    town.split(ADA, MAIL, day=171)
    first_tries = {
        name: (min(at for wake, at in town.profile(name).wakes.items() if "winback" in wake) - START_MS) / DAY_MS
        for name in (ADA, MAIL)
    }

    assert first_tries == {ADA: 170 + 2.5 * 85, MAIL: 160 + 2.5 * 55}


def test_her_silence_begins_with_an_order_of_her_own() -> None:
    town = united(merged=False)
    for number in range(12):
        bought(town, ADA, day=10 * number, order_id=f"a{number}", revenue_minor=500)
    bought(town.tell(Identified, ADA, MAIL, day=110), MAIL, day=111, order_id="e1", revenue_minor=500)
    wake = "behaviour.change|silence"
    with_the_others = town.profile(ADA).wakes[wake]
    town.split(ADA, MAIL, day=111)

    assert town.profile(ADA).wakes[wake] == pytest.approx(with_the_others - DAY_MS, abs=DAY_MS)
    assert town.profile(ADA).behaviour.newest_ms == START_MS + 110 * DAY_MS
    assert wake not in town.profile(MAIL).wakes


def test_a_drop_that_a_word_of_the_other_had_hidden_is_told() -> None:
    town = less_content(united(), ADA).tell(NpsSubmitted, MAIL, day=0.003, survey_id="e1", score=10)
    town.split(ADA, MAIL, day=0.5).until(5)

    assert town.sent("satisfaction.dropped") == [(ADA, 0)]


@pytest.mark.parametrize("whose", [ADA, MAIL])
def test_an_interest_that_was_told_of_is_not_told_of_again_while_it_lasts(whose: str) -> None:
    town, tea = united(CategoryInterestRule(cooldown_ms=0)), Product(product_id="tea", category="tea")
    for number in range(6):
        town.tell(ProductViewed, whose, day=number / 1000, product=tea, channel="browser")
    town.until(1).split(ADA, MAIL, day=1).tell(ProductViewed, whose, day=1.1, product=tea, channel="browser").until(9)

    assert town.sent("category.interest") == [(ADA, 0)]


# --- what is asked about single orders ------------------------------------------------------------------------------


def parcel_of_the_other() -> Town:
    """Who is taken to be Ada has ordered tea and soap, and has them since an hour."""
    bought = tuple(Product(product_id=name, price_minor=1_000) for name in ("tea", "soap"))
    many = Caps(max_in_24h=100, max_in_7d=100, max_in_day=100)
    rules = Rules(quiet_hours=QuietHours(enabled=False), caps=many)
    facts: list[dict[str, Any]] = [
        {"product_id": "tea", "contents": "brew", "complementary": ["milk"]},
        {"product_id": "milk"},
    ]
    town = Town(Book(rules=rules, catalogue=build_catalogue(facts)))
    for name in (ADA, MAIL):
        town.tell(ConsentChanged, name, consent=(ConsentChange(state="GRANT", channel="email"),))
    town.tell(OrderCompleted, MAIL, order_id="o1", products=bought, currency="USD").tell(Identified, ADA, MAIL)
    return town.tell(OrderDelivered, MAIL, order_id="o1")


@pytest.mark.parametrize(
    "name, due",
    [
        ("cross.sell", [3]),
        ("next.order.coupon", [1, 28]),
        ("nps.survey", [14]),
        ("post.purchase.content", [1]),
        ("review.request", [7, 14]),
        ("second.order.welcome", [1]),
    ],
)
def test_what_waits_about_an_order_goes_with_it(name: str, due: list[int]) -> None:
    town = parcel_of_the_other().until(0.9).split(ADA, MAIL, day=0.9).until(30)

    assert town.sent(name) == [(MAIL, day) for day in due]


@pytest.mark.parametrize(
    "name, day",
    [
        ("cross.sell", 3.5),
        ("next.order.coupon", 1.5),
        ("nps.survey", 14.5),
        ("post.purchase.content", 1.5),
        ("review.request", 7.5),
        ("review.request", 14.5),
        ("second.order.welcome", 1.5),
    ],
)
def test_nobody_is_asked_again_about_an_order_that_the_other_was_asked_about(name: str, day: float) -> None:
    town = parcel_of_the_other().until(day)
    before = town.sent(name)
    town.split(ADA, MAIL, day=day)
    town.tell(OrderReturned, MAIL, day=day, order_id="o1", products=(Product(product_id="soap"),))
    town.tell(OrderDelivered, MAIL, day=day, order_id="o1").until(40)

    assert {who for who, _ in before} == {ADA}
    assert town.sent(name) == before


def test_a_reminder_of_a_coupon_goes_on_though_the_cart_of_the_same_number_leaves() -> None:
    town = united().tell(ProductAdded, MAIL, cart_id="o1", product=soap(), day=0.1)
    town.tell(OrderCompleted, ADA, day=0.2, order_id="o1", cart_id="o1", products=(soap(),), currency="USD")
    town.tell(OrderDelivered, ADA, day=0.3, order_id="o1").until(2).split(ADA, MAIL, day=2)

    assert town.until(40).sent("next.order.coupon") == [(ADA, 1), (ADA, 28)]


def test_after_a_survey_both_are_left_in_peace() -> None:
    town = parcel_of_the_other().until(15).split(ADA, MAIL, day=15)
    soap = Product(product_id="soap", price_minor=1_000)
    for name in (ADA, MAIL):
        town.tell(OrderCompleted, name, day=16, order_id=f"{name} 2", products=(soap,), currency="USD")
        town.tell(OrderDelivered, name, day=17, order_id=f"{name} 2")

    assert town.until(80).sent("nps.survey") == [(ADA, 14)]


def test_who_stays_is_asked_about_the_parcel_that_had_stood_back_behind_the_one_that_leaves() -> None:
    town = parcel_of_the_other()
    soap = Product(product_id="soap", price_minor=1_000)
    town.tell(OrderCompleted, ADA, day=1, order_id="o2", products=(soap,), currency="USD")
    town.tell(OrderDelivered, ADA, day=2, order_id="o2").split(ADA, MAIL, day=3).until(20)

    assert town.sent("nps.survey") == [(MAIL, 14), (ADA, 16)]


def test_what_goes_with_an_order_twice_is_sent_once() -> None:
    town = parcel_of_the_other().split(ADA, MAIL, day=0.9)
    again = [output for output in town.out if isinstance(output, Restore)]
    town.until(10)
    for restore in again:
        town.deliver(restore, START_MS + 10 * DAY_MS)

    assert town.until(13).sent("review.request") == [(MAIL, 7)]


# --- what was sent about carts and searches -------------------------------------------------------------------------


def united(*triggers: TriggerRule, merged: bool = True, catalogue: Catalogue | None = None) -> Town:
    """Ada, and an address that is taken for hers; both want to hear of the shop."""
    many = Caps(max_in_24h=100, max_in_7d=100, max_in_day=100)
    rules = Rules.of(*triggers, quiet_hours=QuietHours(enabled=False), caps=many)
    town = Town(Book(rules=rules, catalogue=catalogue or Catalogue()))
    for name in (ADA, MAIL):
        town.tell(ConsentChanged, name, consent=(ConsentChange(state="GRANT", channel="email"),))
    return town.tell(Identified, ADA, MAIL) if merged else town


@pytest.mark.parametrize("device", [True, False])
def test_who_was_welcomed_before_she_was_taken_for_another_is_not_welcomed_again(*, device: bool) -> None:
    town = united(merged=False)
    if device:
        town.tell(PageViewed, PHONE).tell(Identified, MAIL, PHONE)
    town.until(0.5).tell(Identified, ADA, MAIL, day=1).split(ADA, MAIL, day=2)
    town.tell(ConsentChanged, MAIL, day=3, consent=(ConsentChange(state="GRANT", channel="email"),)).until(9)

    assert town.sent("welcome") == [(ADA, 0), (MAIL, 0)]


@pytest.mark.parametrize("whose", [ADA, MAIL])
@pytest.mark.parametrize("cart_id", ["c1", None])
@pytest.mark.parametrize("begins_checkout", [True, False])
@pytest.mark.parametrize("day", [0.5, 5.0])
def test_nobody_is_reminded_again_of_a_cart_because_of_the_split(
    whose: str, cart_id: str | None, day: float, *, begins_checkout: bool
) -> None:
    town = united().tell(ProductAdded, whose, cart_id=cart_id, product=Product(product_id="tea", quantity=1))
    if begins_checkout:
        town.tell(CheckoutStarted, whose, checkout_id=cart_id and "k1", cart_id=cart_id)
    town.until(day).split(ADA, MAIL, day=day)
    before = town.sent("cart.abandoned") + town.sent("checkout.abandoned")
    town.tell(CartViewed, whose, day=day + 2, cart_id=cart_id).until(20)

    assert {who for who, _ in before} == {ADA}
    assert [one for one in town.sent("cart.abandoned") + town.sent("checkout.abandoned") if one[0] == MAIL] == []
    assert len(town.sent("cart.abandoned")) == (0 if begins_checkout else 1)


@pytest.mark.parametrize("day", [0.015, 5.0])
def test_an_order_of_who_stays_does_not_buy_what_is_in_the_cart_of_who_leaves(day: float) -> None:
    tea = Product(product_id="tea", price_minor=500, quantity=1)
    town = united().tell(ProductAdded, MAIL, cart_id="c1", product=tea)
    town.tell(OrderCompleted, ADA, day=0.01, order_id="o1", products=(tea,), revenue_minor=500)
    town.until(day).split(ADA, MAIL, day=day)

    assert town.sent("cart.abandoned") == []

    town.tell(CartViewed, MAIL, day=day + 0.001, cart_id="c1").until(20)

    assert town.sent("cart.abandoned") == [(MAIL, int(day))]


@pytest.mark.parametrize("day", [0.5, 5.0])
@pytest.mark.parametrize("whose, other", [(ADA, MAIL), (MAIL, ADA)])
def test_a_cart_that_the_other_bought_after_it_was_reminded_of_is_not_reminded_of_again(
    whose: str, other: str, day: float
) -> None:
    tea = Product(product_id="tea", price_minor=500, quantity=1)
    town = united().tell(ProductAdded, whose, cart_id="c1", product=tea).until(0.1)
    town.tell(OrderCompleted, other, day=0.2, order_id="o1", products=(tea,), revenue_minor=500)
    town.tell(PageViewed, whose, day=day - 0.1, channel="browser").split(ADA, MAIL, day=day)
    town.tell(CartViewed, whose, day=day + 0.01, cart_id="c1")

    assert town.until(20).sent("cart.abandoned") == [(ADA, 0)]


@pytest.mark.parametrize("cart_id", ["c1", None])
def test_a_cart_that_both_filled_is_reminded_of_as_each_left_it(cart_id: str | None) -> None:
    town = united().tell(ProductAdded, ADA, cart_id=cart_id, product=Product(product_id="tea", quantity=1)).until(1)
    town.tell(ProductAdded, MAIL, day=2, cart_id=cart_id, product=Product(product_id="cup", quantity=1))
    town.split(ADA, MAIL, day=2.01).until(9)

    sent = [output for output in town.out if isinstance(output, Trigger) and output.name == "cart.abandoned"]
    assert town.sent("cart.abandoned") == [(ADA, 0), (MAIL, 2)]
    assert [item.product_id for item in sent[-1].items] == ["cup"]


@pytest.mark.parametrize("checkout", [{}, {"checkout_id": "k1"}])
@pytest.mark.parametrize("hers_too", [True, False])
def test_a_checkout_without_a_cart_is_reminded_of_to_whom_it_belongs(
    checkout: dict[str, Any], *, hers_too: bool
) -> None:
    products = (Product(product_id="tea", price_minor=500),)
    town = united().tell(CheckoutStarted, MAIL, products=products, **checkout)
    if hers_too:
        town.tell(CheckoutStarted, ADA, day=0.02, products=products, **checkout)
    town.split(ADA, MAIL, day=0.03).until(0.5)

    assert sorted(town.sent("checkout.abandoned")) == [(MAIL, 0), (ADA, 0)][: 1 + hers_too]


def test_a_checkout_that_was_reminded_of_before_the_merge_stays_so_though_the_other_began_one_since() -> None:
    tea = Product(product_id="tea", price_minor=500, quantity=1)
    town = united(merged=False).tell(ProductAdded, MAIL, product=tea).tell(CheckoutStarted, MAIL, day=0.01).until(5)
    town.tell(CheckoutStarted, ADA, day=6).tell(Identified, ADA, MAIL, day=6.01).split(ADA, MAIL, day=6.02)
    before = town.sent("checkout.abandoned")
    town.tell(ProductAdded, MAIL, day=7, product=Product(product_id="cup", quantity=1)).until(20)

    assert {who for who, _ in before} == {MAIL}
    assert town.sent("checkout.abandoned") == before


@pytest.mark.parametrize("cart_id", ["c1", None])
@pytest.mark.parametrize("whose", [ADA, MAIL])
@pytest.mark.parametrize("filled_by", [(), (ADA,), (MAIL,)])
def test_of_the_gift_that_a_cart_is_near_she_is_told_once(
    whose: str, cart_id: str | None, filled_by: tuple[str, ...]
) -> None:
    town = united(GiftThresholdRule(threshold_minor=5_000))
    for other in filled_by:
        town.tell(ProductAdded, other, cart_id=cart_id, product=Product(product_id="cup", price_minor=200, quantity=1))
    tea = Product(product_id="tea", price_minor=4_500, quantity=1)
    town.tell(ProductAdded, whose, cart_id=cart_id, product=tea).until(0.01).split(ADA, MAIL, day=0.02)
    town.until(0.03).tell(CartViewed, whose, day=0.04, cart_id=cart_id).until(1)

    assert town.sent("gift.threshold") == [(ADA, 0)]


def test_a_bundle_that_was_suggested_for_a_cart_is_not_suggested_again() -> None:
    weekend = build_catalogue([{"product_id": name, "bundles": "weekend"} for name in ("tent", "mat")])
    town = united(catalogue=weekend)
    town.tell(ProductAdded, MAIL, cart_id="c1", product=Product(product_id="tent", quantity=1)).until(1.5)
    town.split(ADA, MAIL, day=1.5).tell(CartViewed, MAIL, day=1.6, cart_id="c1").until(9)

    assert town.sent("bundle.suggest") == [(ADA, 1)]


@pytest.mark.parametrize("whose", [ADA, MAIL])
def test_a_bundle_is_suggested_in_its_time_to_who_began_it(whose: str) -> None:
    weekend = build_catalogue([{"product_id": name, "bundles": "weekend"} for name in ("tent", "mat")])
    town = united(catalogue=weekend)
    town.tell(ProductAdded, whose, cart_id="c1", product=Product(product_id="tent", quantity=1))
    town.split(ADA, MAIL, day=0.9).until(9)

    assert town.sent("bundle.suggest") == [(whose, 1)]


def test_a_bundle_that_neither_has_begun_alone_is_suggested_to_nobody() -> None:
    weekend = build_catalogue([{"product_id": name, "bundles": "weekend"} for name in ("tent", "mat", "lamp")])
    town = united(catalogue=weekend)
    for whose, name in ((ADA, "tent"), (MAIL, "mat")):
        town.tell(ProductViewed, whose, product=Product(product_id=name))
    assert "bundle.suggest|user_id:ada|weekend" in town.profile(ADA).episodes
    town.split(ADA, MAIL, day=0.5)

    assert not [place for name in (ADA, MAIL) for place in town.profile(name).episodes if "bundle" in place]


@pytest.mark.parametrize("hers_too", [True, False])
def test_a_stock_alert_is_answered_once(*, hers_too: bool) -> None:
    town, tea = united(), Product(product_id="tea")
    for day, whose in enumerate((MAIL, ADA) if hers_too else (MAIL,)):
        town.tell(StockAlertSubscribed, whose, day=day / 1000, product=tea)
    town.stock("tea", 0.1, 0).stock("tea", 0.2, 5).until(0.3).split(ADA, MAIL, day=0.4)
    town.stock("tea", 0.5, 0).stock("tea", 0.6, 5).until(1)

    assert town.sent("back.in.stock") == [(ADA, 0)]


def test_a_stock_alert_that_waits_to_be_answered_is_hers_who_asked() -> None:
    town = united().tell(StockAlertSubscribed, MAIL, product=Product(product_id="tea"))
    town.stock("tea", 0.1, 0).stock("tea", 0.2, 5).split(ADA, MAIL, day=0.2).until(1)

    assert town.sent("back.in.stock") == [(MAIL, 0)]


@pytest.mark.parametrize("whose", [ADA, MAIL])
def test_a_low_score_is_told_once_though_it_comes_again_after_the_split(whose: str) -> None:
    town = united().tell(NpsSubmitted, whose, survey_id="s1", score=3).until(2).split(ADA, MAIL, day=2)
    town.tell(NpsSubmitted, whose, day=2.1, survey_id="s1", score=2).until(6)

    assert (town.sent("nps.detractor"), town.sent("feedback.overdue")) == ([(ADA, 0)], [(ADA, 1)])


@pytest.mark.parametrize("whose", [ADA, MAIL])
def test_who_would_recommend_the_shop_is_asked_to_once_though_she_answers_again_after_the_split(whose: str) -> None:
    town = united().tell(NpsSubmitted, whose, survey_id="s1", order_id="o1", score=9).until(2).split(ADA, MAIL, day=2)
    town.tell(NpsSubmitted, whose, day=2.1, survey_id="s1", order_id="o1", score=10).until(200)

    assert town.sent("nps.promoter") == [(ADA, 1)]


def less_content(town: Town, whose: str) -> Town:
    """Who was delighted twice is so no longer."""
    for number, score in enumerate((10, 10, 7)):
        town.tell(NpsSubmitted, whose, day=number / 1000, survey_id=f"s{number}", score=score)
    return town


@pytest.mark.parametrize("whose", [ADA, MAIL])
def test_a_drop_is_told_once_though_she_answers_again_after_the_split(whose: str) -> None:
    town = less_content(united(), whose).until(1).split(ADA, MAIL, day=1)
    town.tell(NpsSubmitted, whose, day=2, survey_id="s2", score=7).until(50)

    assert town.sent("satisfaction.dropped") == [(ADA, 0)]


@pytest.mark.parametrize(
    "name, day", [("satisfaction.dropped", 0), ("nps.promoter", 1), ("wishlist.reminder", 3), ("coupon.expiring", 6)]
)
def test_what_waits_about_words_wishes_and_coupons_goes_with_them(name: str, day: int) -> None:
    town = less_content(united(), MAIL).tell(ProductAddedToWishlist, MAIL, product=Product(product_id="tea"))
    town.tell(CouponIssued, MAIL, coupon_id="x1", expires_ms=START_MS + 9 * DAY_MS)
    town.split(ADA, MAIL, day=0.003).until(20)

    assert town.sent(name) == [(MAIL, day)]
    assert (name, "split") in {(one.name, one.reason) for one in town.out if isinstance(one, Decision)}


def test_an_answer_that_leaves_takes_no_order_of_the_same_id_along() -> None:
    town = bought(united(), ADA, order_id="1", revenue_minor=500).tell(NpsSubmitted, MAIL, survey_id="1", score=9)
    town.tell(OrderDelivered, ADA, day=0.1, order_id="1").split(ADA, MAIL, day=0.2).until(20)

    assert (town.sent("nps.promoter"), town.sent("next.order.coupon")) == ([(MAIL, 1)], [(ADA, 1)])


def test_that_nobody_has_spoken_with_her_is_told_of_whose_score_was_low() -> None:
    town = united().tell(NpsSubmitted, MAIL, survey_id="s1", score=3).until(0.5).split(ADA, MAIL, day=0.5).until(5)

    assert (town.sent("nps.detractor"), town.sent("feedback.overdue")) == ([(ADA, 0)], [(MAIL, 1)])


def test_whoever_wishes_for_the_same_is_reminded_of_her_own_wish() -> None:
    town = united()
    for day, whose in enumerate((MAIL, ADA)):
        town.tell(ProductAddedToWishlist, whose, day=day, product=Product(product_id="tea"))

    assert town.split(ADA, MAIL, day=2).until(10).sent("wishlist.reminder") == [(MAIL, 3), (ADA, 4)]


@pytest.mark.parametrize("day", [3.5, 3.01])
def test_a_wish_that_was_reminded_of_is_not_reminded_of_again(day: float) -> None:
    town = united()
    for whose in (MAIL, ADA):
        town.tell(ProductAddedToWishlist, whose, product=Product(product_id="tea"))
    town.until(day).split(ADA, MAIL, day=day)

    assert town.until(10).sent("wishlist.reminder") == [(ADA, 3)]


def test_what_is_added_after_the_split_is_reminded_of_as_ever() -> None:
    town = united().tell(ProductAdded, MAIL, cart_id="c1", product=Product(product_id="tea", quantity=1))
    town.until(0.5).split(ADA, MAIL, day=0.5)
    town.tell(ProductAdded, MAIL, day=2, cart_id="c1", product=Product(product_id="cup", quantity=1)).until(5)

    assert town.sent("cart.abandoned") == [(ADA, 0), (MAIL, 2)]


@pytest.mark.parametrize("before_the_merge", [True, False])
@pytest.mark.parametrize("checkout", [{}, {"checkout_id": "k1"}, {"order_id": "o1"}])
@pytest.mark.parametrize("begun", [True, False])
def test_whose_payment_was_refused_is_told_so_and_nobody_else(
    checkout: dict[str, Any], *, before_the_merge: bool, begun: bool
) -> None:
    town = united(merged=not before_the_merge)
    if begun:
        town.tell(CheckoutStarted, MAIL, products=(Product(product_id="tea", price_minor=500),), **checkout)
    town.tell(PaymentFailed, MAIL, day=0.001, **checkout).tell(Identified, ADA, MAIL, day=0.002)
    town.split(ADA, MAIL, day=0.01).until(0.04)

    assert town.sent("payment.failed") == [(MAIL, 0)]


def test_a_refused_payment_that_both_told_of_is_told_to_both() -> None:
    town = united().tell(PaymentFailed, ADA, checkout_id="k1").tell(PaymentFailed, MAIL, day=0.001, checkout_id="k1")
    town.split(ADA, MAIL, day=0.01).until(1)

    assert sorted(town.sent("payment.failed")) == [(MAIL, 0), (ADA, 0)]


def test_a_refused_payment_goes_on_though_the_other_ordered_something_since() -> None:
    town = united().tell(PaymentFailed, MAIL, checkout_id="k1")
    bought(town, ADA, day=0.001, order_id="a1", revenue_minor=500).split(ADA, MAIL, day=0.01).until(1)

    assert town.sent("payment.failed") == [(MAIL, 0)]


def test_of_a_refused_payment_she_hears_late_where_the_other_had_ended_it() -> None:
    town = united().tell(PaymentFailed, MAIL, checkout_id="k1")
    bought(town, ADA, day=0.001, order_id="a1", revenue_minor=500).until(0.5).split(ADA, MAIL, day=0.5).until(1)

    assert [who for who, _ in town.sent("payment.failed")] == [MAIL]


def test_a_refused_payment_is_not_told_to_whose_checkout_it_was_taken_for() -> None:
    tea = (Product(product_id="tea", price_minor=500),)
    town = united().tell(CheckoutStarted, ADA, order_id="o1", products=tea)
    town.tell(PaymentFailed, MAIL, day=0.001, checkout_id="k2").split(ADA, MAIL, day=0.002).until(1)

    assert town.sent("payment.failed") == [(MAIL, 0)]


def test_of_a_refused_payment_that_was_told_nobody_hears_again() -> None:
    town = united().tell(PaymentFailed, MAIL, checkout_id="k1").until(0.1)
    town.split(ADA, MAIL, day=0.1).until(1)

    assert town.sent("payment.failed") == [(ADA, 0)]


def test_a_refused_payment_told_of_under_two_identifiers_that_leave_together_goes_with_them() -> None:
    town = united(merged=False).tell(Identified, MAIL, PHONE).tell(Identified, ADA, MAIL, day=0.001)
    town.tell(PaymentFailed, PHONE, day=0.002, checkout_id="k1").tell(PaymentFailed, MAIL, day=0.003, checkout_id="k1")

    assert town.split(ADA, MAIL, day=0.01).until(1).sent("payment.failed") == [(MAIL, 0)]


def test_a_refused_payment_goes_with_the_device_it_came_with() -> None:
    town = united(merged=False).tell(PaymentFailed, PHONE, checkout_id="k1").tell(Identified, MAIL, PHONE, day=0.001)
    town.tell(Identified, ADA, MAIL, day=0.002).split(ADA, MAIL, day=0.01).split(
        MAIL, PHONE, day=0.015, request_id="T-2"
    )

    assert "payment.failed" not in {episode.name for episode in town.profile(MAIL).episodes.values()}
    assert "payment.failed" in {episode.name for episode in town.profile(PHONE).episodes.values()}


def test_who_searched_is_reminded_of_it_and_nobody_else() -> None:
    town = united().tell(ProductsSearched, MAIL, query="a gift for Ada", results=0, channel="browser")
    town.split(ADA, MAIL, day=0.05).until(2)

    assert town.sent("search.abandoned") == [(MAIL, 0)]


def test_her_own_search_still_waits_after_one_of_the_other_has_left() -> None:
    town = united().tell(ProductsSearched, ADA, query="tea", results=0, channel="browser")
    town.tell(ProductsSearched, MAIL, day=0.01, query="cup", results=0, channel="browser").split(ADA, MAIL, day=0.02)
    town.tell(ProductsSearched, ADA, day=0.03, query="mug", results=3, channel="browser").until(2)

    sent = [output for output in town.out if isinstance(output, Trigger) and output.name == "search.abandoned"]
    assert [(one.customer.id, one.details["query"]) for one in sent] == [(ADA, "tea"), (MAIL, "cup")]


def test_a_search_that_was_reminded_of_is_not_reminded_of_again() -> None:
    town = united().tell(ProductsSearched, MAIL, query="tea", results=0, channel="browser").until(0.5)
    town.split(ADA, MAIL, day=0.5).tell(ProductsSearched, MAIL, day=0.6, query="cup", results=3, channel="browser")

    assert town.until(2).sent("search.abandoned") == [(ADA, 0)]


def visited(town: Town, whose: str, day: float = 0) -> Town:
    """She looks at tea three times within minutes."""
    for number in range(3):
        at = day + number / 1000
        town.tell(ProductViewed, whose, day=at, product=Product(product_id="tea"), channel="browser")
    return town


@pytest.mark.parametrize("whose", [ADA, MAIL])
def test_who_looked_at_products_is_reminded_of_it_and_nobody_else(whose: str) -> None:
    town = visited(united(), whose).split(ADA, MAIL, day=0.01).until(2)

    assert town.sent("browse.abandoned") == [(whose, 0)]


def test_a_visit_of_each_is_reminded_of_in_its_time() -> None:
    town = visited(visited(united(), MAIL), ADA, day=0.03).split(ADA, MAIL, day=0.035).until(2)

    assert sorted(town.sent("browse.abandoned")) == [(MAIL, 0), (ADA, 0)]


def test_a_visit_that_was_reminded_of_is_not_reminded_of_again() -> None:
    town = visited(united(), MAIL).until(0.5).split(ADA, MAIL, day=0.5).until(2)

    assert town.sent("browse.abandoned") == [(ADA, 0)]


@pytest.mark.parametrize("name", ["browse.abandoned", "low.stock"])
def test_what_waits_for_the_morning_is_told_to_whom_it_is_about(name: str) -> None:
    town = visited(at_night(united()), MAIL, day=0.85)
    town.stock("tea", 0.86, 100).stock("tea", 0.91, 2).until(0.95).split(ADA, MAIL, day=0.95).until(4)

    assert town.sent(name) == [(MAIL, 1)]


def test_what_both_watch_is_told_in_the_morning_to_both() -> None:
    town = visited(visited(at_night(united()), MAIL, day=0.85), ADA, day=0.85)
    town.stock("tea", 0.86, 100).stock("tea", 0.91, 2).until(0.95).split(ADA, MAIL, day=0.95).until(4)

    assert sorted(town.sent("low.stock")) == [(MAIL, 1), (ADA, 1)]


def at_night(town: Town) -> Town:
    """The shop keeps quiet from nine in the evening to eight in the morning."""
    book = town.engine.book
    town.engine = Engine(replace(book, rules=replace(book.rules, quiet_hours=QuietHours(jitter_ms=0))))
    return town


# --- as if they had never been one ----------------------------------------------------------------------------------


def test_what_one_wished_for_still_waits_though_the_other_ordered_it() -> None:
    town = united().tell(ProductAddedToWishlist, MAIL, product=Product(product_id="tea"))
    town.tell(OrderCompleted, ADA, day=0.01, order_id="o1", products=(Product(product_id="tea"),), currency="USD")

    assert town.split(ADA, MAIL, day=0.02).until(9).sent("wishlist.reminder") == [(MAIL, 3)]


def test_each_of_two_is_thanked_for_her_own_first_order() -> None:
    town = bought(united(), MAIL, order_id="e1", revenue_minor=500)
    bought(town, ADA, day=0.5, order_id="a1", revenue_minor=500).split(ADA, MAIL, day=0.6).until(9)

    assert town.sent("second.order.welcome") == [(MAIL, 1), (ADA, 2)]


@pytest.mark.parametrize("back, thanked", [(300, [(MAIL, 1)]), (500, [])])
def test_she_is_thanked_for_a_first_order_of_which_a_part_came_back(back: int, thanked: list[tuple[str, int]]) -> None:
    town = bought(united(merged=False), ADA, order_id="a1", revenue_minor=500).until(2)
    before = town.sent("second.order.welcome")
    bought(town.tell(Identified, ADA, MAIL, day=2), MAIL, day=2, order_id="e1", revenue_minor=500)
    town.tell(OrderRefunded, MAIL, day=2.1, order_id="e1", amount_minor=back).split(ADA, MAIL, day=2.2).until(9)

    assert [(who, day - 2) for who, day in town.sent("second.order.welcome")[len(before) :]] == thanked


def test_what_each_bought_lasts_as_long_as_if_the_other_had_bought_nothing() -> None:
    town = united(catalogue=build_catalogue([{"product_id": "tea", "supply_days": 30}]))
    for day, whose in enumerate((MAIL, ADA)):
        tea = Product(product_id="tea", price_minor=500)
        town.tell(OrderCompleted, whose, day=day, order_id=f"o{day}", products=(tea,), currency="USD")
    town.split(ADA, MAIL, day=2).until(40)

    assert town.sent("replenishment.due") == [(MAIL, 27), (ADA, 28)]


def test_that_something_should_be_long_gone_is_told_to_who_bought_it() -> None:
    town = united(catalogue=build_catalogue([{"product_id": "tea", "supply_days": 30}]))
    tea = Product(product_id="tea", price_minor=500)
    town.tell(OrderCompleted, MAIL, order_id="o1", products=(tea,), currency="USD")
    town.until(28).split(ADA, MAIL, day=28).until(60)

    assert (town.sent("replenishment.due"), town.sent("replenishment.late")) == ([(ADA, 27)], [(MAIL, 45)])


def test_a_survey_that_an_answer_of_the_other_had_put_off_comes_in_its_time() -> None:
    town = united().tell(OrderCompleted, ADA, order_id="a1", products=(Product(product_id="tea"),), currency="USD")
    town.tell(OrderDelivered, ADA, order_id="a1")
    town.tell(NpsSubmitted, MAIL, day=0.1, survey_id="s1", score=9).split(ADA, MAIL, day=0.2).until(20)

    assert town.sent("nps.survey") == [(ADA, 14)]


def test_two_searches_are_two_though_the_other_had_found_something_in_between() -> None:
    town = united(merged=False).tell(ProductsSearched, MAIL, query="tea", results=3, channel="browser")
    town.tell(ProductAdded, ADA, day=0.001, product=Product(product_id="cup", quantity=1))
    town.tell(ProductsSearched, MAIL, day=0.002, query="tea", results=3, channel="browser")
    town.tell(Identified, ADA, MAIL, day=0.003).split(ADA, MAIL, day=0.004).until(2)

    assert town.sent("search.abandoned") == [(MAIL, 0)]


def test_a_checkout_waits_from_the_last_change_of_its_cart() -> None:
    tea = Product(product_id="tea", price_minor=500, quantity=1)
    town = united().tell(CheckoutStarted, MAIL, checkout_id="k1", cart_id="c1", products=(tea,))
    town.tell(ProductAdded, MAIL, day=0.03, cart_id="c1", product=tea).split(ADA, MAIL, day=0.035)

    assert town.until(0.06).sent("checkout.abandoned") == []
    assert town.until(0.08).sent("checkout.abandoned") == [(MAIL, 0)]


@pytest.mark.parametrize("whose", [ADA, MAIL])
def test_who_agreed_is_welcomed_and_nobody_else(whose: str) -> None:
    town = Town(Book(rules=Rules(quiet_hours=QuietHours(enabled=False)))).tell(Identified, ADA, MAIL)
    town.tell(ConsentChanged, whose, day=0.1, consent=(ConsentChange(state="GRANT", channel="email"),))
    town.split(ADA, MAIL, day=0.101).until(9)

    assert town.sent("welcome") == [(whose, 0)]


def test_who_was_welcomed_as_one_is_not_welcomed_again() -> None:
    town = Town(Book(rules=Rules(quiet_hours=QuietHours(enabled=False)))).tell(Identified, ADA, MAIL)
    agrees = (ConsentChange(state="GRANT", channel="email"),)
    town.tell(ConsentChanged, MAIL, day=0.1, consent=agrees).until(1).split(ADA, MAIL, day=1)
    town.tell(ConsentChanged, MAIL, day=2, consent=agrees).until(9)

    assert town.sent("welcome") == [(ADA, 0)]


def test_a_welcome_from_before_she_came_welcomed_the_other_alone() -> None:
    town = Town(Book(rules=Rules(quiet_hours=QuietHours(enabled=False)))).tell(Identified, ADA, MAIL)
    agrees = (ConsentChange(state="GRANT", channel="email"),)
    town.tell(ConsentChanged, ADA, day=0.1, consent=agrees).until(1)
    town.tell(ConsentChanged, MAIL, day=1.5, consent=agrees).split(ADA, MAIL, day=1.6)

    assert town.profile(ADA).milestones.welcomed_ms is not None
    assert town.profile(MAIL).milestones.welcomed_ms is None


def test_what_was_sent_before_they_were_taken_for_one_cools_nothing_of_the_others() -> None:
    town = Town(Book(rules=Rules(quiet_hours=QuietHours(enabled=False)))).tell(PageViewed, MAIL)
    town.tell(ConsentChanged, ADA, consent=(ConsentChange(state="GRANT", channel="email"),)).until(1)
    town.tell(Identified, ADA, MAIL, day=2).tell(PageViewed, MAIL, day=2.5).split(ADA, MAIL, day=3)

    assert [sent.name for sent in town.profile(ADA).emitted] == ["welcome"]
    assert town.profile(MAIL).emitted == []


def test_a_sum_that_what_went_back_to_the_other_had_hidden_is_told_once_she_is_alone() -> None:
    town = united(LtvMilestoneRule(milestones=(1_000,)))
    bought(town, ADA, order_id="a1", revenue_minor=100)
    town.tell(OrderRefunded, ADA, order_id="a1", refund_id="r1", amount_minor=900)
    bought(town, MAIL, order_id="e1", revenue_minor=1_200).until(0.5)

    assert town.sent("ltv.milestone") == []
    assert town.split(ADA, MAIL, day=1).until(2).sent("ltv.milestone") == [(MAIL, 1)]


def test_a_parcel_of_who_stays_that_the_other_told_of_is_asked_about_where_the_order_is() -> None:
    soap = (Product(product_id="soap", price_minor=1_000),)
    town = united().tell(OrderCompleted, ADA, order_id="o1", products=soap, currency="USD")
    town.tell(OrderDelivered, MAIL, order_id="o1").split(ADA, MAIL, day=1).until(10)

    assert town.sent("review.request") == [(ADA, 7)]


# --- cooldowns ------------------------------------------------------------------------------------------------------


def cart_of_each(town: Town, *days: float) -> Town:
    for day in days:
        for name in (ADA, MAIL):
            tea = Product(product_id="tea", price_minor=500, quantity=1)
            town.tell(ProductAdded, name, day=day, cart_id=f"{name} {day}", product=tea)
    return town


@pytest.mark.parametrize("whose, other", [(ADA, MAIL), (MAIL, ADA)])
def test_a_cooldown_holds_for_whom_the_message_was_about(whose: str, other: str) -> None:
    tea = Product(product_id="tea", price_minor=500, quantity=1)
    town = united().tell(ProductAdded, whose, cart_id="c1", product=tea).until(0.1).split(ADA, MAIL, day=0.1)
    cart_of_each(town, 0.2).until(1)
    assert town.sent("cart.abandoned") == [(ADA, 0), (other, 0)]

    cart_of_each(town, 2).until(5)
    assert sorted(town.sent("cart.abandoned")[2:]) == [(MAIL, 2), (ADA, 2)]


def test_a_cooldown_holds_for_both_where_the_message_was_about_something_of_both() -> None:
    tea = Product(product_id="tea", price_minor=500, quantity=1)
    town = (
        united().tell(ProductAdded, ADA, cart_id="c1", product=tea).tell(ProductAdded, MAIL, cart_id="c1", product=tea)
    )
    cart_of_each(town.until(0.1).split(ADA, MAIL, day=0.1), 0.2).until(1)

    assert town.sent("cart.abandoned") == [(ADA, 0)]


@pytest.mark.parametrize("whose, other", [(ADA, MAIL), (MAIL, ADA)])
def test_what_was_sent_about_things_of_the_other_counts_towards_no_cap_of_hers(whose: str, other: str) -> None:
    town, tea = united(), Product(product_id="tea", price_minor=500, quantity=1)
    # The welcome was the first message to both.
    two = replace(town.engine.book.rules, caps=Caps(max_in_24h=2, max_in_7d=2, max_in_day=2))
    town.engine = Engine(replace(town.engine.book, rules=two))
    town.tell(ProductAdded, whose, cart_id="c1", product=tea).until(0.1).split(ADA, MAIL, day=0.1)
    town.tell(ProductAdded, other, day=0.2, cart_id="c2", product=tea).until(0.5)

    assert town.sent("cart.abandoned") == [(ADA, 0), (other, 0)]


def test_what_was_sent_to_the_other_before_the_two_were_united_is_no_business_of_hers() -> None:
    tea = Product(product_id="tea", price_minor=500, quantity=1)
    town = united(merged=False).tell(ProductAdded, ADA, cart_id="c1", product=tea).until(0.1)
    town.tell(Identified, ADA, MAIL, day=0.1).split(ADA, MAIL, day=0.2)
    town.tell(ProductAdded, MAIL, day=0.3, cart_id="c2", product=tea).until(5)

    assert town.sent("cart.abandoned") == [(ADA, 0), (MAIL, 0)]


def test_what_was_sent_about_hers_is_nobodys_conversion_twice() -> None:
    tea = Product(product_id="tea", price_minor=500, quantity=1)
    town = united().tell(ProductAdded, MAIL, cart_id="c1", product=tea).until(0.1).split(ADA, MAIL, day=0.1)
    town.tell(OrderCompleted, MAIL, day=0.2, order_id="o1", cart_id="c1", products=(tea,), currency="USD")

    assert not [output for output in town.out if isinstance(output, TriggerOutcome)]


def test_of_what_was_sent_about_carts_of_the_other_nothing_is_known_to_her() -> None:
    tea = Product(product_id="tea", price_minor=500, quantity=1)
    town = united().tell(ProductAdded, ADA, cart_id="secret", product=tea).until(0.1).split(ADA, MAIL, day=0.1)

    assert b"secret" not in town.profile(MAIL).pack()
    assert [sent.name for sent in town.profile(MAIL).emitted] == ["welcome"]
    assert [sent.name for sent in town.profile(ADA).emitted] == ["welcome", "cart.abandoned"]


def test_a_timer_that_comes_with_an_order_twice_tries_once() -> None:
    town = bought(united(merged=False), MAIL, order_id="o1", revenue_minor=1_500)
    town.tell(Identified, ADA, MAIL, day=80).until(91).split(ADA, MAIL, day=91)
    again = [output for output in town.out if isinstance(output, Restore)]
    town.until(136)
    for restore in again:
        town.deliver(restore, START_MS + 136 * DAY_MS)

    assert sorted(at for _, at in town.until(400).sent("winback")) == [90, 135, 180]


def test_what_waited_with_what_was_absorbed_and_comes_again_after_the_split_was_sent() -> None:
    town = united(merged=False).tell(CouponIssued, MAIL, coupon_id="x1", expires_ms=START_MS + 9 * DAY_MS)
    town.tell(Identified, ADA, MAIL, day=0.1)
    absorbed = [output for output in town.out if isinstance(output, Absorb)]
    town.until(7).split(ADA, MAIL, day=7)
    for move in absorbed:
        town.deliver(move, START_MS + 7 * DAY_MS)

    assert town.until(9).sent("coupon.expiring") == [(ADA, 6)]


# --- what was on its way to the customer ----------------------------------------------------------------------------


def astray(town: Town, kind: type[Event], *names: str, day: float = 0, **fields: Any) -> Town:
    """An event that was sent on to Ada when what it names was still hers, and comes there now."""
    at_ms = START_MS + round(day * DAY_MS)
    town.count += 1
    said = {name.partition(":")[0]: name.partition(":")[2] for name in names}
    event = kind(**{"message_id": f"m{town.count}", "timestamp_ms": at_ms, **said, **fields})
    return town.deliver(Arrival(event, at_ms, at_ms, ADA, "ada", others_of(event, names[0]), came_with=names[0]), at_ms)


def test_what_was_on_its_way_is_heard_where_it_belongs() -> None:
    tea = (Product(product_id="tea", price_minor=500),)
    town = astray(united().split(ADA, MAIL), PaymentFailed, MAIL, day=1, checkout_id="k1").until(1.5)
    astray(town, ProductAdded, MAIL, day=2, cart_id="c1", product=tea[0]).until(2.5)
    astray(town, OrderCompleted, MAIL, day=3, order_id="e1", products=tea, revenue_minor=500, currency="USD")

    assert town.sent("payment.failed") == [(MAIL, 1)]
    assert town.sent("cart.abandoned") == [(MAIL, 2)]
    assert nets(town) == {ADA: 0, MAIL: 500}
    assert town.profile(MAIL).activity.events == 4


def test_it_follows_a_device_to_whom_that_leads_since() -> None:
    town = merged().tell(Identified, MAIL, PHONE, day=0.2).split(ADA, MAIL)
    astray(town, OrderCompleted, PHONE, day=2, order_id="p1", revenue_minor=9, currency="USD")

    assert nets(town) == {ADA: 1000, MAIL: 209}
    assert {entry.order_id: entry.came_with for entry in town.homes[MAIL][1].all()} == {"e1": "", "p1": PHONE}


def test_it_stays_where_the_device_was_hers_all_the_same() -> None:
    town = Town().tell(PageViewed, ADA, PHONE)
    town.profile(PHONE).redirect.append((START_MS + 1, BOB))  # Ada's home has not heard of it
    town.split(ADA, PHONE)
    bought(town, PHONE, order_id="p1", revenue_minor=9)

    assert town.refusals == ["moved_on"]
    assert nets(town) == {ADA: 9}


@pytest.mark.parametrize("known", [True, False])
def test_who_turns_out_to_be_part_of_her_by_another_way_is_no_longer_apart(
    monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    town = merged().split(ADA, MAIL) if known else Town().tell(PageViewed, ADA, MAIL).split(ADA, MAIL)
    take, on_its_way = town._take, list[Move]()

    def hold_back(what: Arrival | Move, at_ms: int) -> list[Arrival | Move]:
        if isinstance(what, Absorb) and what.into == BOB:
            on_its_way.append(what)
            return []
        return take(what, at_ms)

    monkeypatch.setattr(town, "_take", hold_back)
    town.tell(Identified, BOB, MAIL, day=2).tell(Aliased, ADA, previous_id="bob", day=2)
    monkeypatch.undo()
    for move in on_its_way:  # by now Bob is Ada, and nobody there knew who came with him
        town.deliver(move, START_MS + 2 * DAY_MS)
    bought(town, MAIL, order_id="e3", revenue_minor=7, day=3)

    assert nets(town) == {ADA: 1207 if known else 7}


@pytest.mark.parametrize("command", [SuppressCustomer, EraseCustomer])
def test_what_the_customer_asked_for_since_does_not_keep_it(command: type[Event]) -> None:
    town = merged().split(ADA, MAIL).tell(command, ADA, day=2, request_id="T-2")
    astray(town, OrderCompleted, MAIL, day=3, order_id="e2", revenue_minor=30, currency="USD")

    assert nets(town)[MAIL] == 230


def split_before_it_came(town: Town, *meanwhile: Move) -> list[Absorb]:
    """Eve's address is taken out of Ada's profile while what was known of Eve is on its way there, and what came to her home
    `meanwhile`; gives what is.
    """
    profile, ledger = town.homes[MAIL]
    link = Link(identifier=MAIL, claimer=ADA, at_ms=START_MS, cause="login")
    on_its_way: list[Output] = []
    if town.engine.move(profile, link, Moment(START_MS), ledger, on_its_way):
        town.homes[MAIL] = (profile, Ledger(complete=True))
    for move in meanwhile:
        on_its_way += town._take(move, START_MS)  # type: ignore[arg-type] # moves alone
    town.profile(ADA).ids["email"] = [MAIL.partition(":")[2]]
    town.profile(ADA).linked[MAIL] = START_MS
    town.split(ADA, MAIL)
    return [move for move in on_its_way if isinstance(move, Absorb)]


def test_what_had_not_arrived_yet_when_it_was_taken_out_goes_on_where_it_was() -> None:
    town = united(merged=False).tell(CouponIssued, MAIL, coupon_id="x1", expires_ms=START_MS + 9 * DAY_MS)
    for move in split_before_it_came(town):
        town.deliver(move, START_MS + DAY_MS).deliver(move, START_MS + DAY_MS)

    assert town.profile(MAIL).activity.events == 2
    assert town.until(9).sent("coupon.expiring") == [(MAIL, 6)]


@pytest.mark.parametrize("since", [(EraseCustomer,), (EraseCustomer, UnsuppressCustomer), (SuppressCustomer,)])
def test_also_where_the_customer_asked_for_something_since(since: tuple[type[Event], ...]) -> None:
    town = bought(united(merged=False), MAIL, order_id="e1", revenue_minor=200)
    on_its_way = split_before_it_came(town)
    for day, command in enumerate(since, 2):
        town.tell(command, ADA, day=day, request_id=f"T-{day}")
    for move in on_its_way:
        town.deliver(move, START_MS + 5 * DAY_MS).deliver(move, START_MS + 5 * DAY_MS)

    assert nets(town) == {ADA: 0, MAIL: 200}
    assert town.profile(MAIL).activity.events == 2


def test_which_reminder_of_a_checkout_is_next_goes_on_too() -> None:
    town = united(merged=False).tell(CheckoutStarted, MAIL, checkout_id="k1", products=(soap(),)).until(0.5)
    for move in split_before_it_came(town):
        town.deliver(move, START_MS + DAY_MS)
    town.until(9)

    sent = [one for one in town.out if isinstance(one, Trigger) and one.name == "checkout.abandoned"]
    assert [one.occurrence for one in sent] == [1, 2, 3]


@pytest.mark.parametrize("since", [(), (EraseCustomer,)])
def test_so_does_what_a_device_sent_on_through_it_which_nobody_had_told_the_customer_of(
    since: tuple[type[Event], ...],
) -> None:
    town = united(merged=False).tell(Identified, MAIL, PHONE)
    on_its_way = split_before_it_came(town)
    for command in since:
        town.tell(command, ADA, day=3, request_id="T-2")
    for move in on_its_way:
        town.deliver(move, START_MS + 4 * DAY_MS)
    astray(town, OrderCompleted, PHONE, day=2, order_id="p1", revenue_minor=9, currency="USD")

    assert nets(town) == {ADA: 0, MAIL: 9}


@pytest.mark.parametrize("first", [True, False])
def test_also_before_what_was_known_of_the_address_has_come(*, first: bool) -> None:
    """Where it leads to the customer all the same, it stays with her."""
    town = united(merged=False).tell(Identified, MAIL, PHONE)
    if first:
        split_before_it_came(town)
    else:
        town.split(ADA, BOB).profile(ADA).apart["0123456789abcdef.0123456789abcdef"] = START_MS
        town.tell(Identified, ADA, MAIL)
        del town.profile(ADA).ids["anonymous_id"]  # it was by the redirect alone that it came
        town.profile(ADA).absorbed.clear()
        town.profile(ADA).sides.clear()
    astray(town, OrderCompleted, PHONE, day=2, order_id="p1", revenue_minor=9, currency="USD")

    assert {name: net for name, net in nets(town).items() if net} == {MAIL if first else ADA: 9}


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("sent_on", [True, False])
def test_so_does_what_was_on_its_way_from_a_device_to_the_address(*, ordered: bool, sent_on: bool) -> None:
    town = united(merged=False)
    if ordered:
        bought(town, PHONE, order_id="p1", revenue_minor=9)
    (link,) = town.take_only(Identified, MAIL, PHONE)
    answers = [move for move in town._take(link, START_MS) if isinstance(move, Absorb)]
    by_ada = split_before_it_came(town, *(answers if sent_on else ()))
    for move in by_ada if sent_on else [*answers, *by_ada]:
        town.deliver(move, START_MS + DAY_MS)

    assert nets(town) == {ADA: 0, MAIL: 9 if ordered else 0}
    assert town.profile(MAIL).merging == []


def test_unless_the_customer_had_named_that_device_too() -> None:
    town = united(merged=False).tell(Identified, MAIL, PHONE)
    town.profile(ADA).ids["anonymous_id"] = [PHONE.partition(":")[2]]
    for move in split_before_it_came(town):
        town.deliver(move, START_MS + DAY_MS)
    astray(town, OrderCompleted, PHONE, day=2, order_id="p1", revenue_minor=9, currency="USD")

    assert nets(town) == {ADA: 9, MAIL: 0}


@pytest.mark.parametrize("command", [EraseCustomer, AnonymiseCustomer, ExportCustomer, SuppressCustomer])
def test_what_is_asked_of_an_identifier_whose_home_has_not_heard_that_it_was_taken_out_is_not_asked_of_the_customer(
    command: type[Event],
) -> None:
    town = merged()
    on_its_way = town.take_only(SplitProfile, ADA, day=1, identifier=MAIL, request_id="T-1")
    ada = town.profile(ADA).pack()
    town.tell(command, MAIL, day=2, request_id="T-2")

    assert town.profile(ADA).pack() == ada
    assert not [output for output in town.out if isinstance(output, Export)]
    assert waits_for(town, "T-2") == set()

    for what in on_its_way:
        town.deliver(what, START_MS + 2 * DAY_MS)
    erased = command in {EraseCustomer, AnonymiseCustomer}

    assert nets(town) == {ADA: 1000, MAIL: 0 if erased else 200}
    assert waits_for(town, "T-1") == set()


def test_an_erasure_that_names_both_customers_holds_for_both() -> None:
    town = merged().split(ADA, MAIL).tell(EraseCustomer, ADA, MAIL, day=2, request_id="T-2")

    assert nets(town) == {ADA: 0, MAIL: 0}
    assert waits_for(town, "T-2") == set()


@pytest.mark.parametrize("first", [MAIL, PHONE])
def test_of_what_was_erased_while_it_goes_home_every_identifier_is_erased_and_none_of_the_others(first: str) -> None:
    town = merged().tell(Identified, MAIL, PHONE, day=0.5)
    on_its_way = town.take_only(SplitProfile, ADA, day=1, identifier=MAIL, request_id="T-1")
    town.tell(EraseCustomer, MAIL, day=2, request_id="T-2")
    for what in sorted(on_its_way, key=lambda what: what.customer != first):
        town.deliver(what, START_MS + 2 * DAY_MS)

    assert [town.profile(name).redirect for name in (MAIL, PHONE)] == [[], []]

    for name in (MAIL, PHONE, ADA):
        bought(town, name, order_id=f"of {name}", revenue_minor=7, day=3)

    assert nets(town) == {ADA: 1007, MAIL: 0, PHONE: 0}
    assert waits_for(town, "T-1") == waits_for(town, "T-2") == set()


@pytest.mark.parametrize("since", ["it was taken out", "it became another's", "it was on its way"])
def test_who_is_read_anew_from_the_log_is_not_erased_with_what_was_taken_out_of_her_and_erased_since(
    since: str,
) -> None:
    town = merged()
    on_its_way = town.take_only(SplitProfile, ADA, day=1, identifier=MAIL, request_id="T-1")
    if since == "it was on its way":
        town.tell(EraseCustomer, MAIL, day=2, request_id="T-2")
    for what in on_its_way:
        town.deliver(what, START_MS + 2 * DAY_MS)
    if since == "it became another's":
        town.tell(Identified, BOB, MAIL, day=2)
    town.tell(EraseCustomer, BOB if since == "it became another's" else MAIL, day=3, request_id="T-3")
    del town.homes[ADA]  # as a rebuild does; it keeps who was erased
    bought(town, ADA, order_id="a1", revenue_minor=1000).tell(PageViewed, ADA, MAIL)

    assert nets(town)[ADA] == 1000


def waits_for(town: Town, request_id: str) -> set[str]:
    """The homes that a request was passed on to and that have not answered."""
    answers = [output.event for output in town.out if isinstance(output, Mail)]
    told = [one for one in answers if isinstance(one, CommandAnswered) and one.request_id == request_id]
    assert any(one.first for one in told)
    return {mark for one in told for mark in one.passed_on} - {one.home for one in told}


# --- supplies -------------------------------------------------------------------------------------------------------


def tea_of_the_other() -> Town:
    """Whose address Ada is taken to have has ordered a month's tea."""
    tea = Product(product_id="tea", price_minor=1_000)
    town = Town(Book(catalogue=build_catalogue([{"product_id": "tea", "supply_days": 30}])))
    town.tell(Identified, ADA)
    town.tell(OrderCompleted, MAIL, order_id="o1", products=(tea,), currency="USD")
    return town.tell(Identified, ADA, MAIL, day=0.1)


def test_who_is_taken_out_is_reminded_of_what_she_bought_herself_and_looked_at_as_any_buyer() -> None:
    town = tea_of_the_other()

    town.split(ADA, MAIL)

    assert "replenishment.due" in {episode.name for episode in town.profile(MAIL).episodes.values()}
    assert {wake.partition("|")[0] for wake in town.profile(MAIL).wakes} >= {"standing", "winback"}
    assert not [wake for wake in town.profile(ADA).wakes if wake.startswith("winback")]


@pytest.mark.parametrize("told", [OrderCompleted, OrderDelivered])
def test_whoever_told_of_an_order_that_stays_is_not_reminded_of_what_was_bought_by_it(told: type[Event]) -> None:
    tea = Product(product_id="tea", price_minor=1_000)
    town = united(catalogue=build_catalogue([{"product_id": "tea", "supply_days": 30}]))
    town.tell(OrderCompleted, ADA, order_id="o1", products=(tea,), currency="USD")
    more = {"products": (tea,), "currency": "USD"} if told is OrderCompleted else {}
    town.tell(told, MAIL, day=0.1, order_id="o1", **more).split(ADA, MAIL).until(60)

    assert town.sent("replenishment.due") == [(ADA, 27)]


def test_she_is_not_reminded_again_of_what_the_other_was_reminded_of() -> None:
    town = tea_of_the_other()
    town.profile(ADA).supply["tea"].reminded = "o1"

    town.split(ADA, MAIL)

    assert "replenishment.due" not in {episode.name for episode in town.profile(MAIL).episodes.values()}
