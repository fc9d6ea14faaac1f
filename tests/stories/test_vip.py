"""vip.entered, vip.left and ltv.milestone: what her net lifetime value passes."""

from typing import Any

import pytest

from profiles.rules import QuietHours
from profiles.standing import tier_limits, tier_of
from profiles.triggers import LtvMilestoneRule, VipEnteredRule
from schemas import events
from tests.stories.customers import buys, learned, shop_that_learned
from tests.stories.timeline import DAY, HOUR, Timeline, product, shop

TIERS = shop(VipEnteredRule(limits=(10_000, 50_000)))


def told(ada: Timeline) -> list[tuple[str, Any]]:
    return [
        (trigger.name, trigger.details.get("tier", trigger.details.get("milestone_minor")))
        for trigger in ada.triggers
        if trigger.name in ("vip.entered", "vip.left", "ltv.milestone")
    ]


def test_each_tier_is_entered_when_its_limit_is_reached() -> None:
    ada = Timeline(TIERS)
    buys(ada, 0, 9_999, "o1").until(DAY)
    assert ada.profile.standing.tier == 0

    buys(ada, 2, 1, "o2").until(3 * DAY)
    buys(ada, 4, 60_000, "o3").until(5 * DAY)

    assert [one for one in told(ada) if one[0] == "vip.entered"] == [("vip.entered", 1), ("vip.entered", 2)]
    assert ada.emitted("vip.entered") == [2 * DAY, 4 * DAY]
    assert ada.profile.standing.tier == 2


def test_a_refund_leaves_the_tier_only_below_nine_tenths_of_its_limit() -> None:
    ada = buys(Timeline(TIERS), 0, 10_000, "o1").until(DAY)
    ada.tell(events.OrderRefunded, DAY, order_id="o1", refund_id="r1", amount_minor=1_000).until(1.5 * DAY)
    assert ada.profile.standing.tier == 1

    ada.tell(events.OrderRefunded, 2 * DAY, order_id="o1", refund_id="r2", amount_minor=1).until(3 * DAY)

    assert ada.profile.standing.tier == 0
    assert told(ada)[-1] == ("vip.left", 0)
    assert ada.emitted("vip.left") == [2 * DAY]


def test_who_comes_back_is_told_again() -> None:
    ada = buys(Timeline(TIERS), 0, 10_000, "o1").until(DAY)
    ada.tell(events.OrderCancelled, DAY, order_id="o1").until(2 * DAY)
    buys(ada, 3, 12_000, "o2").until(4 * DAY)

    assert [name for name, _ in told(ada) if name.startswith("vip")] == ["vip.entered", "vip.left", "vip.entered"]
    assert len({trigger.trigger_id for trigger in ada.triggers}) == len(ada.triggers)


def test_her_tier_and_milestone_have_the_same_ids_whichever_of_two_orders_was_heard_of_last() -> None:
    def ids(*orders: str) -> list[str]:
        ada = Timeline(shop(VipEnteredRule(limits=(10_000,)), LtvMilestoneRule(milestones=(10_000,))))
        for order in orders:
            ada.order(order, 0, product("A", 6_000), message_id=order, total_minor=6_000)
        passed = [one for one in ada.until(HOUR).triggers if one.name in ("vip.entered", "ltv.milestone")]
        assert [one.evidence for one in passed] == [("2026-03-02", orders[-1])] * 2
        return [one.trigger_id for one in passed]

    assert ids("o1", "o2") == ids("o2", "o1")


def test_who_is_told_twice_of_a_tier_on_one_day_is_told_under_two_ids() -> None:
    ada = buys(Timeline(TIERS), 0, 10_000, "o1").until(HOUR)
    ada.tell(events.OrderCancelled, 2 * HOUR, order_id="o1").until(3 * HOUR)
    buys(ada, 4 / 24, 12_000, "o2").until(5 * HOUR)

    assert len({one.trigger_id for one in ada.sent("vip.entered")}) == 2


@pytest.mark.parametrize(
    "spent, left, passages",
    [
        (60_000, 0, []),  # from none up to the second and down again
        (60_000, 20_000, [("vip.entered", 1)]),
        (12_000, 0, []),
    ],
)
def test_what_comes_to_nothing_before_the_morning_is_not_told(
    spent: int, left: int, passages: list[tuple[str, int]]
) -> None:
    night = Timeline(shop(VipEnteredRule(limits=(10_000, 50_000)), quiet_hours=QuietHours()))
    buys(night, 22 / 24, spent, "o1")
    night.tell(events.OrderRefunded, 23 * HOUR, order_id="o1", refund_id="r1", amount_minor=spent - left).until(2 * DAY)

    assert [one for one in told(night) if one[0].startswith("vip")] == passages


def test_nor_who_left_a_tier_and_was_back_before_she_was_told() -> None:
    ada = buys(Timeline(shop(VipEnteredRule(limits=(10_000,)), quiet_hours=QuietHours())), 0.5, 12_000, "o1")
    ada.until(DAY).tell(events.OrderCancelled, 1 * DAY + 22 * HOUR, order_id="o1")
    buys(ada, 1 + 23 / 24, 15_000, "o2").until(4 * DAY)

    assert [name for name, _ in told(ada) if name.startswith("vip")] == ["vip.entered"]


def test_without_limits_the_top_tenth_of_all_buyers_is_the_tier() -> None:
    cuts = tuple(100.0 * share for share in range(1, 100))
    ada = Timeline(shop_that_learned(models=learned(net_percentiles=cuts)))
    buys(ada, 0, 9_000, "o1").until(DAY)
    assert ada.profile.standing.tier == 0

    buys(ada, 2, 1, "o2").until(3 * DAY)

    assert ada.profile.standing.tier == 1
    assert [one for one in told(ada) if one[0] == "vip.entered"] == [("vip.entered", 1)]


def test_without_limits_and_models_there_are_no_tiers() -> None:
    ada = buys(Timeline(), 0, 10**9).until(DAY)

    assert ada.profile.standing.tier == 0


def test_the_best_share_of_buyers_are_those_above_the_point_of_all_others_whatever_the_share() -> None:
    """A whole share such as 0.43 leaves 57 %, though 1 - 0.43 is a little more in binary fractions."""
    points = tuple(float(percent * 100) for percent in range(1, 100))
    for percent in range(1, 100):
        book = shop_that_learned(VipEnteredRule(top_share=percent / 100), models=learned(net_percentiles=points))

        assert tier_limits(book) == ((100 - percent) * 100 + 1,)


@pytest.mark.parametrize(
    "net, before, tier",
    [(9_999, 0, 0), (10_000, 0, 1), (9_000, 1, 1), (8_999, 1, 0), (45_000, 2, 2), (44_999, 2, 1), (50_000, 9, 2)],
)
def test_tiers_have_an_edge_to_get_in_and_one_to_fall_out(net: int, before: int, tier: int) -> None:
    assert tier_of(net, before, TIERS, tier_limits(TIERS)) == tier


def test_a_milestone_is_told_once_and_of_several_the_highest() -> None:
    ada = Timeline(shop(LtvMilestoneRule(milestones=(1_000, 2_000, 5_000))))
    buys(ada, 0, 2_500, "o1").until(DAY)
    ada.tell(events.OrderRefunded, DAY, order_id="o1", refund_id="r1", amount_minor=2_000).until(2 * DAY)
    buys(ada, 3, 2_000, "o2").until(4 * DAY)
    buys(ada, 5, 2_500, "o3").until(6 * DAY)

    assert told(ada) == [("ltv.milestone", 2_000), ("ltv.milestone", 5_000)]
    assert ada.emitted("ltv.milestone") == [0, 5 * DAY]


def test_a_milestone_that_was_taken_back_before_it_was_told_may_be_passed_again() -> None:
    ada = Timeline(shop(LtvMilestoneRule(milestones=(1_000,))))
    buys(ada, 0, 1_500, "o1")
    ada.tell(events.OrderCancelled, 0, order_id="o1").until(1)
    assert told(ada) == []

    buys(ada, 1, 1_500, "o2").until(2 * DAY)

    assert told(ada) == [("ltv.milestone", 1_000)]


@pytest.mark.parametrize("rule", [VipEnteredRule, LtvMilestoneRule])
def test_sums_have_to_ascend(rule: type) -> None:
    name = "limits" if rule is VipEnteredRule else "milestones"
    with pytest.raises(ValueError, match="have to ascend"):
        rule(**{name: (5, 3)})
