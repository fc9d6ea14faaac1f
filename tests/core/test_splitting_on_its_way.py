"""What is on its way to a customer while an identifier is taken out of her arrives where it belongs."""

from typing import Any

import pytest

from profiles.order_state import Ledger
from profiles.rules import DAY_MS
from profiles.state import Moment
from profiles.turn import Output
from schemas.decode import others_of
from schemas.events import (
    Aliased,
    AnonymiseCustomer,
    Arrival,
    CheckoutStarted,
    CouponIssued,
    EraseCustomer,
    Event,
    ExportCustomer,
    Identified,
    OrderCompleted,
    PageViewed,
    PaymentFailed,
    Product,
    ProductAdded,
    SplitProfile,
    SuppressCustomer,
    UnsuppressCustomer,
)
from schemas.moves import Absorb, Link, Move
from schemas.outputs import Export, Trigger
from tests.core.town import ADA, BOB, MAIL, PHONE, START_MS, Town, bought, merged, nets, soap, united, waits_for


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
