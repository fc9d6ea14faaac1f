"""A coupon for the next order, and a word before a coupon lapses."""

from typing import Any

import pytest

from profiles.order_rules import CouponExpiringRule, NextOrderCouponRule
from profiles.rules import DAY_MS
from profiles.state import COUPONS_MAX
from schemas import events
from tests.stories.timeline import DAY, HOUR, Timeline, ms, product, shop

NEXT, EXPIRING = "next.order.coupon", "coupon.expiring"


@pytest.fixture
def ada() -> Timeline:
    return Timeline()


def deliver(ada: Timeline, order_id: str, minute: float, **fields: Any) -> Timeline:
    return ada.tell(events.OrderDelivered, minute, order_id=order_id, **fields)


def issue(ada: Timeline, minute: float, expires: float | None, coupon_id: str = "x1", **fields: Any) -> Timeline:
    expires_ms = None if expires is None else ms(expires)
    return ada.tell(events.CouponIssued, minute, coupon_id=coupon_id, expires_ms=expires_ms, **fields)


def test_a_day_after_the_delivery_there_is_a_coupon_for_30_days_and_a_reminder_3_days_before_its_end(
    ada: Timeline,
) -> None:
    deliver(ada.order("o1", 0, "A"), "o1", 2 * DAY).until(60 * DAY)

    assert ada.emitted(NEXT) == [3 * DAY, 30 * DAY]
    first, second = (one for one in ada.triggers if one.name == NEXT)
    assert first.coupon is not None
    assert first.coupon.expires_at_ms == ms(33 * DAY)
    assert second.coupon == first.coupon
    assert (first.occurrence, second.occurrence, second.episode_key) == (1, 2, "o1")
    assert first.trigger_id != second.trigger_id


def test_an_order_that_is_not_delivered_brings_none(ada: Timeline) -> None:
    ada.order("o1", 0, "A").until(60 * DAY)

    assert ada.decisions(NEXT) == []


def test_a_delivery_that_becomes_known_before_its_order_counts(ada: Timeline) -> None:
    deliver(ada, "o1", 2 * HOUR).order("o1", 0, "A", arrives=3 * HOUR).until(2 * DAY)

    assert ada.emitted(NEXT) == [DAY + 2 * HOUR]


def test_a_refund_of_everything_ends_it(ada: Timeline) -> None:
    deliver(ada.order("o1", 0, "A"), "o1", DAY).tell(events.OrderRefunded, DAY + 1, order_id="o1").until(60 * DAY)

    assert ada.decisions(NEXT) == [("armed", None), ("cancelled", "refunded")]


def test_a_refund_of_a_part_does_not_end_it_also_where_the_order_was_told_without_its_products(ada: Timeline) -> None:
    deliver(ada.order("o1", 0, revenue_minor=2000), "o1", DAY)
    ada.tell(events.OrderRefunded, DAY + 1, order_id="o1", refund_id="r1", amount_minor=500).until(5 * DAY)

    assert ada.emitted(NEXT) == [2 * DAY]


def test_an_order_at_a_loss_brings_none(ada: Timeline) -> None:
    ada.order("o1", 0, product("A", 1000, cost_minor=1200))
    deliver(ada, "o1", DAY).until(60 * DAY)

    assert ada.decisions(NEXT) == [("armed", None), ("cancelled", "margin")]


def test_the_floor_is_a_share_of_the_net_value() -> None:
    for cost, sent in ((700, True), (701, False)):
        ada = Timeline(shop(NextOrderCouponRule(margin_floor=0.3)))
        deliver(ada.order("o1", 0, product("A", 1000, cost_minor=cost)), "o1", DAY).until(5 * DAY)

        assert bool(ada.emitted(NEXT)) == sent


@pytest.mark.parametrize("coupons, sent", [(3, True), (4, False)])
def test_the_guard_leaves_out_who_mostly_orders_with_coupons(coupons: int, sent: bool) -> None:
    ada = Timeline(shop(NextOrderCouponRule(discount_guard=True)))
    for number in range(5):
        ada.order(f"o{number}", number * DAY, "A", coupon="SALE" if number < coupons else None)
    deliver(ada, "o4", 5 * DAY).until(10 * DAY)

    assert bool(ada.emitted(NEXT)) == sent  # 3 of 5 are not more than 60 %


@pytest.mark.parametrize("orders, sent", [(1, True), (2, False)])
def test_one_order_is_no_habit(orders: int, sent: bool) -> None:
    ada = Timeline(shop(NextOrderCouponRule(discount_guard=True)))
    for number in range(orders):
        ada.order(f"o{number}", number, "A", coupon="SALE")
    deliver(ada, "o0", DAY).until(5 * DAY)

    assert bool(ada.emitted(NEXT)) == sent


@pytest.mark.parametrize("days", [1, 2, 3])
def test_a_coupon_that_holds_no_longer_than_the_reminder_is_ahead_has_none(days: int) -> None:
    ada = Timeline(shop(NextOrderCouponRule(valid_ms=days * DAY * 60_000)))
    deliver(ada.order("o1", 0, "A"), "o1", DAY).until(60 * DAY)

    assert ada.emitted(NEXT) == [2 * DAY]


def test_nor_is_who_has_ordered_as_a_guest_since(ada: Timeline) -> None:
    deliver(ada.order("o1", 0, "A"), "o1", DAY).until(20 * DAY)
    ada.becomes_one_with(Timeline(customer="email:ada@example.com").order("o2", 10 * DAY, "B")).until(60 * DAY)

    assert ada.emitted(NEXT) == [2 * DAY]
    assert ada.decisions(NEXT)[-1] == ("cancelled", "ordered")


def test_a_reminder_that_waits_when_reminders_are_switched_off_does_not_go_out(ada: Timeline) -> None:
    deliver(ada.order("o1", 0, "A"), "o1", DAY).until(20 * DAY)
    ada.new_rules(shop(NextOrderCouponRule(remind_before_ms=0))).until(60 * DAY)

    assert ada.emitted(NEXT) == [2 * DAY]
    assert ada.decisions(NEXT)[-1] == ("cancelled", "disabled")


def test_nor_does_one_of_a_coupon_that_holds_no_longer_than_reminders_are_ahead_by_now(ada: Timeline) -> None:
    deliver(ada.order("o1", 0, "A"), "o1", DAY).until(2 * DAY + HOUR)
    ada.new_rules(shop(NextOrderCouponRule(valid_ms=90 * DAY_MS, remind_before_ms=30 * DAY_MS))).until(60 * DAY)

    assert ada.emitted(NEXT) == [2 * DAY]
    assert ada.decisions(NEXT)[-1] == ("cancelled", "disabled")


def test_who_has_ordered_since_is_not_reminded(ada: Timeline) -> None:
    deliver(ada.order("o1", 0, "A"), "o1", DAY).order("o2", 10 * DAY, "B").until(60 * DAY)

    assert ada.emitted(NEXT) == [2 * DAY]
    assert ada.decisions(NEXT)[-1] == ("cancelled", "ordered")


@pytest.mark.parametrize("later", [0, 1])
def test_a_coupon_issued_since_has_a_reminder_of_its_own(ada: Timeline, later: int) -> None:
    deliver(ada.order("o1", 0, "A"), "o1", DAY)
    issue(ada, 2 * DAY + later, 32 * DAY).until(60 * DAY)

    assert ada.emitted(NEXT) == [2 * DAY]
    assert ada.emitted(EXPIRING) == [29 * DAY]


def test_a_coupon_is_told_of_three_days_before_it_lapses(ada: Timeline) -> None:
    issue(ada, 0, 30 * DAY, discount_minor=500, currency="USD").until(40 * DAY)

    assert ada.emitted(EXPIRING) == [27 * DAY]
    coupon = ada.triggers[0].coupon
    assert coupon is not None
    assert (coupon.coupon_id, coupon.expires_at_ms, coupon.discount_minor) == ("x1", ms(30 * DAY), 500)


@pytest.mark.parametrize(
    "use",
    [
        lambda ada: ada.tell(events.CouponUsed, DAY, coupon_id="x1"),
        lambda ada: ada.order("o1", DAY, "A", coupon="x1"),
        lambda ada: ada.order("o1", DAY, product("A", coupon="x1")),
    ],
)
def test_a_coupon_that_was_used_is_not_told_of(ada: Timeline, use: Any) -> None:
    use(issue(ada, 0, 30 * DAY)).until(40 * DAY)

    assert ada.decisions(EXPIRING) == [("armed", None), ("cancelled", "used")]


def test_its_use_may_become_known_before_its_issue(ada: Timeline) -> None:
    issue(ada.tell(events.CouponUsed, 10, coupon_id="x1"), 0, 30 * DAY, arrives=20).until(40 * DAY)

    assert ada.emitted(EXPIRING) == []


def test_one_that_is_in_a_cart_is_not_told_of_but_one_taken_out_again_is() -> None:
    inside = issue(Timeline(), 0, 30 * DAY).tell(events.CouponApplied, DAY, coupon_id="x1", cart_id="c1")
    outside = issue(Timeline(), 0, 30 * DAY).tell(events.CouponApplied, DAY, coupon_id="x1", cart_id="c1")
    outside.tell(events.CouponRemoved, DAY + 1, coupon_id="x1", cart_id="c1")

    assert inside.until(40 * DAY).decisions(EXPIRING)[-1] == ("cancelled", "coupon_in_cart")
    assert outside.until(40 * DAY).emitted(EXPIRING) == [27 * DAY]


def test_one_that_was_put_into_a_cart_longer_ago_than_carts_are_kept_is_told_of() -> None:
    for applied, told in ((27 * DAY, []), (27 * DAY - 1, [57 * DAY])):
        ada = issue(Timeline(), 0, 60 * DAY).tell(events.CouponApplied, applied, coupon_id="x1", cart_id="c1")

        assert ada.until(70 * DAY).emitted(EXPIRING) == told


def test_a_longer_validity_moves_the_reminder(ada: Timeline) -> None:
    issue(issue(ada, 0, 10 * DAY), DAY, 20 * DAY).until(30 * DAY)

    assert ada.emitted(EXPIRING) == [17 * DAY]


def test_one_without_an_end_or_of_two_days_is_not_told_of(ada: Timeline) -> None:
    issue(issue(ada, 0, None, "x1"), 0, 2 * DAY, "x2").until(30 * DAY)

    assert ada.decisions(EXPIRING) == []


def test_nor_is_one_that_holds_no_longer_than_reminders_are_ahead_by_new_rules(ada: Timeline) -> None:
    issue(ada, 0, 10 * DAY).new_rules(shop(CouponExpiringRule(before_ms=10 * DAY_MS))).until(30 * DAY)

    assert ada.decisions(EXPIRING) == [("armed", None), ("cancelled", "coupon_expired")]


def test_a_reminder_moves_by_new_rules(ada: Timeline) -> None:
    issue(ada, 0, 10 * DAY).new_rules(shop(CouponExpiringRule(before_ms=9 * DAY_MS))).until(30 * DAY)

    assert ada.emitted(EXPIRING) == [DAY]


def test_there_is_one_reminder_for_each_issue(ada: Timeline) -> None:
    issue(ada, 0, 10 * DAY).tell(events.CouponRemoved, 8 * DAY, coupon_id="x1").until(9 * DAY)

    assert ada.emitted(EXPIRING) == [7 * DAY]

    issue(ada, 20 * DAY, 40 * DAY).until(50 * DAY)

    assert ada.emitted(EXPIRING) == [7 * DAY, 37 * DAY]


def test_of_many_coupons_those_that_are_spent_are_forgotten_first(ada: Timeline) -> None:
    issue(ada, 0, 30 * DAY)
    for number in range(COUPONS_MAX):
        ada.tell(events.CouponUsed, DAY + number, coupon_id=f"spent {number}")
    ada.until(40 * DAY)

    assert ada.emitted(EXPIRING) == [27 * DAY]
