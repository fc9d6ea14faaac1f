"""After a wrong merge was taken apart nobody hears twice, or of what is the other's: orders, carts, visits, searches."""

from typing import Any

import pytest
from msgspec.structs import replace

from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.engine import Engine
from profiles.gift_rules import GiftThresholdRule
from profiles.rules import DAY_MS, Caps, QuietHours, Rules
from schemas.events import (
    CartViewed,
    CheckoutStarted,
    ConsentChange,
    ConsentChanged,
    CouponIssued,
    Identified,
    NpsSubmitted,
    OrderCompleted,
    OrderDelivered,
    OrderReturned,
    PageViewed,
    PaymentFailed,
    Product,
    ProductAdded,
    ProductAddedToWishlist,
    ProductsSearched,
    ProductViewed,
    StockAlertSubscribed,
)
from schemas.moves import Restore
from schemas.outputs import Decision, Trigger
from tests.core.town import ADA, MAIL, PHONE, START_MS, Town, bought, less_content, soap, united

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
