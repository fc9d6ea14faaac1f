"""After a wrong merge was taken apart each goes on as if they had never been one: supplies, surveys, caps, cooldowns."""

import pytest
from msgspec.structs import replace

from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.engine import Engine
from profiles.rules import DAY_MS, Caps, QuietHours, Rules
from profiles.triggers import LtvMilestoneRule
from schemas.events import (
    CheckoutStarted,
    ConsentChange,
    ConsentChanged,
    CouponIssued,
    Event,
    Identified,
    NpsSubmitted,
    OrderCompleted,
    OrderDelivered,
    OrderRefunded,
    PageViewed,
    Product,
    ProductAdded,
    ProductAddedToWishlist,
    ProductsSearched,
)
from schemas.moves import Absorb, Restore
from schemas.outputs import TriggerOutcome
from tests.core.town import ADA, MAIL, START_MS, Town, bought, united


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
