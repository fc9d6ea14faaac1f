"""Taking a wrong merge apart: when it is done, when it is refused, and what both remember of it."""

import pytest
from msgspec import Raw

from profiles import identity, links, sides
from profiles.book import Book
from profiles.cart_rules import CartAbandonedRule
from profiles.catalogue import build_catalogue
from profiles.insight.experiment import Amounts
from profiles.profile import Profile
from profiles.receipts import take
from profiles.rules import DAY_MS, IdentityRules, QuietHours, Rules
from profiles.splitting import REFUSALS
from profiles.state import Cart, encode
from profiles.triggers import LtvMilestoneRule, VipEnteredRule
from profiles.turn import Mail
from profiles.visit_rules import CategoryInterestRule
from schemas.events import (
    Aliased,
    CartUpdated,
    CommandAnswered,
    ConsentChange,
    ConsentChanged,
    EraseCustomer,
    Identified,
    NpsSubmitted,
    OrderCompleted,
    OrderDelivered,
    OrderReturned,
    PageViewed,
    Product,
    ProductAdded,
    ProductViewed,
    SplitProfile,
    SuppressCustomer,
    Unsubscribed,
)
from schemas.moves import Absorb, Link, Restore
from schemas.outputs import Trigger
from tests.core.town import (
    ADA,
    BOB,
    MAIL,
    PHONE,
    START_MS,
    Town,
    bought,
    less_content,
    merged,
    nets,
    soap,
    united,
    waits_for,
)
from tests.stories.customers import shop_that_learned


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


@pytest.mark.parametrize("customer, identifier", [(ADA, MAIL), (ADA, PHONE), (MAIL, ADA)])
def test_who_are_apart_already_are_said_to_be(customer: str, identifier: str) -> None:
    """A second request was answered like one that was carried out, with nothing that it had done."""
    town = bought(Town(), PHONE, order_id="p1", revenue_minor=9)
    town.tell(PageViewed, MAIL, PHONE).tell(PageViewed, ADA, MAIL).split(ADA, MAIL)
    before = nets(town), town.profile(ADA).pack(), town.profile(MAIL).pack()
    assert town.refusals == []
    town.split(customer, identifier, day=2, request_id="T-2")

    assert town.refusals == ["apart"]
    assert before == (nets(town), town.profile(ADA).pack(), town.profile(MAIL).pack())


def test_the_same_request_once_more_leaves_its_receipt_as_it_is() -> None:
    town = merged().split(ADA, MAIL)
    first = answers(town)
    town.split(ADA, MAIL)
    case = None
    for answer in answers(town):
        case = take(case, answer, START_MS) or case

    assert case is not None
    assert (case.final, case.refused, case.counts) == (True, None, {"identifiers": 1, "orders": 1, "profiles": 1})
    assert len(answers(town)) == len(first) + 1


def answers(town: Town) -> list[CommandAnswered]:
    return [mail.event for mail in town.out if isinstance(mail, Mail) and isinstance(mail.event, CommandAnswered)]


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
    assert set(REFUSALS) == {"not_merged", "too_late", "too_large", "moved_on", "apart"}


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
