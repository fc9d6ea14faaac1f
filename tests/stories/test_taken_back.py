"""An order that would have ended a trigger, had it been known in time, takes it back when it becomes known."""

from collections.abc import Callable

import pytest

from profiles.cart_rules import CartAbandonedRule
from profiles.catalogue import build_catalogue
from profiles.gift_rules import GiftThresholdRule
from profiles.goods_rules import PriceDroppedRule
from schemas import events
from schemas.outputs import TriggerOutcome
from tests.stories.customers import buys, shop_that_learned
from tests.stories.timeline import DAY, HOUR, Timeline, ms, product, shop

Story = Callable[[Timeline], Timeline]


def checkout(ada: Timeline) -> Timeline:
    return ada.tell(events.CheckoutStarted, 0, checkout_id="k1", products=(product("A"),))


def visit(ada: Timeline) -> Timeline:
    return ada.view("A", 0).view("B", 1)


def search(ada: Timeline) -> Timeline:
    return ada.search("tent", 0, results=0)


def refusal(ada: Timeline) -> Timeline:
    return ada.tell(events.PaymentFailed, 0, checkout_id="k1")


def silence(ada: Timeline) -> Timeline:
    return ada.order("o0", 30 - 90 * DAY, "A")


EPISODES = pytest.mark.parametrize(
    "name, begun, due",
    [
        ("checkout.abandoned", checkout, 60),
        ("browse.abandoned", visit, 61),
        ("search.abandoned", search, 120),
        ("payment.failed", refusal, 30),
        ("winback", silence, 30),
    ],
)


@EPISODES
def test_it_ends_what_waits(name: str, begun: Story, due: int) -> None:
    assert begun(Timeline()).order("o1", 20, "Z").until(DAY).emitted(name) == []


@EPISODES
@pytest.mark.parametrize("before", [10, 0])
def test_known_after_the_emission_it_takes_it_back(name: str, begun: Story, due: int, before: int) -> None:
    ada = begun(Timeline()).until(due)
    assert ada.emitted(name) == [due]

    ada.order("o1", due - before, "Z", arrives=due + 10)

    assert ada.outcomes == [("trigger.cancelled", "late_conversion")]


@EPISODES
def test_placed_after_the_emission_it_does_not(name: str, begun: Story, due: int) -> None:
    ada = begun(Timeline()).until(due).order("o1", due + 1, "Z")

    assert ("trigger.cancelled", "late_conversion") not in ada.outcomes


def test_a_service_message_is_taken_back_and_never_a_sale() -> None:
    assert refusal(Timeline()).until(30).order("o1", 31, "A").outcomes == []


# --- carts where any order ends the reminder ----------------------------------------------------------------------


def any_order() -> Timeline:
    return Timeline(shop(CartAbandonedRule(any_order=True)))


def test_where_any_order_ends_a_cart_one_of_other_goods_takes_its_reminder_back() -> None:
    ada = any_order().add("A", 0, cart="c2").until(60).order("o1", 30, "Z", cart_id="c1", arrives=70)

    assert ada.emitted("cart.abandoned") == [60]
    assert ada.outcomes == [("trigger.cancelled", "late_conversion")]


@pytest.mark.parametrize("message_id", ["0", "z"])
def test_also_one_of_the_very_moment_in_which_the_cart_was_filled(message_id: str) -> None:
    ada = any_order().add("A", 0, cart="c2", message_id=message_id).order("o1", 0, "Z", cart_id="c1").until(DAY)

    assert ada.decisions("cart.abandoned") == [("armed", None), ("cancelled", "ordered")]


def test_elsewhere_it_does_not() -> None:
    ada = Timeline().add("A", 0, cart="c2").until(60).order("o1", 30, "Z", cart_id="c1", arrives=70)

    assert ada.outcomes == []


def test_one_after_the_reminder_is_the_sale_of_that_cart_alone_which_it_is_about() -> None:
    ada = any_order().add("A", 0, cart="c2").until(60).order("o1", 70, "Z", cart_id="c1")

    assert ada.outcomes == []


def test_it_also_ends_a_cart_that_is_heard_of_after_the_order() -> None:
    ada = any_order().order("o1", 30, "Z", cart_id="c1").add("A", 0, cart="c2", arrives=40).until(DAY)

    assert ada.emitted("cart.abandoned") == []


def test_what_is_put_into_that_cart_after_the_order_is_reminded_of() -> None:
    ada = any_order().order("o1", 30, "Z", cart_id="c1").add("B", 35, cart="c2").add("A", 0, cart="c2", arrives=40)

    assert ada.until(DAY).emitted("cart.abandoned") == [95]


# --- interests ----------------------------------------------------------------------------------------------------


def interested() -> Timeline:
    tent = product("A", category="tents")
    return Timeline().wish(tent, 0).wish(tent, 1).until(2)


@pytest.mark.parametrize("placed", [0.5, -3 * DAY])
def test_something_of_the_category_bought_within_the_week_before_takes_an_interest_back(placed: float) -> None:
    ada = interested()
    assert ada.emitted("category.interest") == [1]

    ada.order("o1", placed, product("B", category="tents"), arrives=10)

    assert ada.outcomes == [("trigger.cancelled", "late_conversion")]


@pytest.mark.parametrize("placed, category", [(-8 * DAY, "tents"), (0.5, "boots")])
def test_something_bought_longer_ago_or_of_another_category_does_not(placed: float, category: str) -> None:
    ada = interested().order("o1", placed, product("B", category=category), arrives=10)

    assert ada.outcomes == []


# --- gifts --------------------------------------------------------------------------------------------------------


def nearly(cart: str | None = "c1") -> Timeline:
    """A cart near the gift, which is told of when she can be reached, half an hour later."""
    ada = Timeline(shop(GiftThresholdRule(threshold_minor=5000)), customer="anonymous_id:a1")
    ada.add(product("A", 4500), 0, cart=cart).tell(events.Identified, 30, email="ada@example.org").until(31)
    assert ada.emitted("gift.threshold") == [30]
    return ada


@pytest.mark.parametrize("cart", ["c1", None])
def test_a_cart_that_was_ordered_before_it_was_told_what_it_lacks_of_a_gift_is_taken_back(cart: str | None) -> None:
    ada = nearly(cart).order("o1", 10, "A", cart_id=cart, arrives=40)

    assert ada.outcomes == [("trigger.cancelled", "late_conversion")]


@pytest.mark.parametrize("order", [{"cart_id": "c2"}, {"products": (product("Z"),)}])
def test_an_order_of_something_else_does_not(order: dict[str, object]) -> None:
    ada = nearly().tell(events.OrderCompleted, 10, order_id="o1", arrives=40, **order)

    assert ada.outcomes == []


# --- what an order ends that came before the episode --------------------------------------------------------------


def test_a_visit_within_days_after_an_order_is_taken_back_when_that_becomes_known() -> None:
    ada = visit(Timeline()).until(61)
    assert ada.emitted("browse.abandoned") == [61]

    ada.order("o1", -9 * DAY, "Z", arrives=70)

    assert ada.outcomes == [("trigger.cancelled", "late_conversion")]


def test_a_visit_long_after_an_order_is_not() -> None:
    assert visit(Timeline()).until(61).order("o1", -11 * DAY, "Z", arrives=70).outcomes == []


def silent() -> tuple[Timeline, float]:
    """Orders every ten days, then nothing until she is told so; and the day of that."""
    ada, another = Timeline(shop_that_learned()), Timeline(shop_that_learned())
    for day in range(0, 100, 10):
        buys(ada, day)
        buys(another, day)
    (minute,) = another.until(700 * DAY).emitted("churn.risk")
    return ada.until(minute), minute / DAY


def test_an_order_since_the_last_one_known_takes_her_silence_back() -> None:
    ada, day = silent()
    ada.order("late", (day - 3) * DAY, "A", arrives=(day + 1) * DAY)

    assert ("trigger.cancelled", "late_conversion") in ada.outcomes


def test_one_among_those_known_does_not() -> None:
    ada, day = silent()
    ada.order("late", 45 * DAY, "A", arrives=(day + 1) * DAY)

    assert ada.outcomes == []


def test_who_had_bought_before_a_price_fell_is_not_to_hear_of_it() -> None:
    ada = Timeline(shop(PriceDroppedRule())).view("A", 0).price("A", 1, 1000).price("A", 100, 500).until(2 * HOUR)
    assert len(ada.emitted("price.dropped")) == 1

    ada.order("o1", 50, "A", arrives=3 * HOUR)

    assert ("trigger.cancelled", "late_conversion") in ada.outcomes


# --- coupons, silence, offers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("coupon, outcome", [("x1", [("trigger.cancelled", "late_conversion")]), ("x2", [])])
def test_an_order_that_had_spent_the_coupon_takes_back_the_word_that_it_lapses(
    coupon: str, outcome: list[tuple[str, str]]
) -> None:
    ada = Timeline().tell(events.CouponIssued, 0, coupon_id="x1", expires_ms=ms(30 * DAY)).until(27 * DAY)
    assert ada.emitted("coupon.expiring") == [27 * DAY]

    ada.order("o1", 27 * DAY - 10, "A", coupon=coupon, arrives=27 * DAY + 10)

    assert ada.outcomes == outcome


def couponed() -> Timeline:
    """A coupon for the next order on day 2, and its reminder on day 29."""
    ada = Timeline().order("o1", 0, "A").tell(events.OrderDelivered, DAY, order_id="o1").until(29 * DAY)
    assert ada.emitted("next.order.coupon") == [2 * DAY, 29 * DAY]
    return ada


def test_the_reminder_of_a_coupon_is_taken_back_by_an_order_since_the_coupon() -> None:
    ada = couponed().order("o2", 20 * DAY, "B", arrives=30 * DAY)

    assert ada.outcomes == [("trigger.cancelled", "late_conversion")]


def test_not_by_one_before_it() -> None:
    assert couponed().order("o2", 2 * DAY - 1, "B", arrives=30 * DAY).outcomes == []


def test_a_silence_that_was_none_is_taken_back() -> None:
    ada = Timeline()
    for number in range(10):
        ada.order(f"o{number}", number * 10 * DAY, "A")
    ada.until(130 * DAY)
    (told,) = [one for one in ada.sent("behaviour.change") if one.details["measure"] == "silence"]
    ada.order("late", 99 * DAY, "A", arrives=130 * DAY)

    taken_back = [one.of_trigger_id for one in ada.out if isinstance(one, TriggerOutcome) and one.reason is not None]
    assert told.trigger_id in taken_back


CATALOGUE = build_catalogue(
    [
        {"product_id": "tent", "complementary": "mat;stove", "bundles": "weekend"},
        {"product_id": "mat", "bundles": "weekend"},
        {"product_id": "stove", "bundles": "weekend"},
    ]
)


@pytest.mark.parametrize("bought, outcome", [(("mat", "stove"), "late_conversion"), (("mat",), None)])
@pytest.mark.parametrize("name", ["cross.sell", "bundle.suggest"])
def test_an_offer_is_taken_back_where_all_of_it_had_been_bought(
    name: str, bought: tuple[str, ...], outcome: str | None
) -> None:
    ada = Timeline(shop(catalogue=CATALOGUE))
    if name == "cross.sell":
        ada.order("o1", 0, "tent").until(7 * DAY)
    else:
        ada.add("tent", 0).until(DAY)
    (offer,) = ada.sent(name)
    assert [item.product_id for item in offer.items] == ["mat", "stove"]

    ada.order("o2", 10, *bought, arrives=7 * DAY + 10)

    reasons = [one.reason for one in ada.out if isinstance(one, TriggerOutcome) and one.of_name == name]
    assert reasons == ([] if outcome is None else [outcome])


@pytest.mark.parametrize("another", [False, True])
@pytest.mark.parametrize("placed", [30, 90])
def test_an_order_heard_of_weeks_later_settles_nothing_whether_she_was_written_to_since_or_not(
    placed: int, another: bool
) -> None:
    ada = Timeline().add("A", 0).until(70)
    if another:
        ada.add("B", 15 * DAY, cart="c2").until(16 * DAY)
    ada.order("o1", placed, "A", cart_id="c1", arrives=20 * DAY)

    assert ada.emitted("cart.abandoned")[0] == 60
    assert ada.outcomes == []
