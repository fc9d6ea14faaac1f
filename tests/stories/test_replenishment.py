"""Replenishment: reminded before it runs out, once per purchase, and again when it should long be gone."""

from typing import Any

from profiles.catalogue import build_catalogue
from schemas import events
from tests.stories.timeline import DAY, HOUR, Timeline, product, shop

DUE = "replenishment.due"
LATE = "replenishment.late"


def coffee_lover(**who: Any) -> Timeline:
    catalogue = build_catalogue([{"product_id": "coffee", "supply_days": 30}])
    return Timeline(shop(catalogue=catalogue), **who)


def test_two_units_of_thirty_days_are_due_on_day_54() -> None:
    ada = coffee_lover().order("o1", 0, product("coffee", 900, 2)).until(54 * DAY)

    assert ada.emitted(DUE) == [54 * DAY]
    reminder = next(one for one in ada.triggers if one.name == DUE)
    assert reminder.details["supply"] == "coffee"
    assert reminder.items[0].product_id == "coffee"


def test_buying_again_in_time_cancels_the_reminder_and_plans_the_next_one() -> None:
    ada = coffee_lover().order("o1", 0, product("coffee", 900, 2)).order("o2", 50 * DAY, product("coffee"))

    assert ("cancelled", "repurchased") in ada.decisions(DUE)
    assert len(ada.waiting(DUE)) == 1

    ada.until(100 * DAY)

    assert len(ada.emitted(DUE)) == 1
    assert ada.emitted(DUE)[0] > 70 * DAY


def test_what_she_bought_as_a_guest_lasts_her_as_well() -> None:
    together = coffee_lover().order("o1", 0, product("coffee", 900, 2)).order("o2", 10 * DAY, "coffee")
    apart = coffee_lover().order("o1", 0, product("coffee", 900, 2))
    apart.becomes_one_with(coffee_lover(customer="email:ada@example.com").order("o2", 10 * DAY, "coffee"))

    assert apart.until(200 * DAY).emitted(DUE) == together.until(200 * DAY).emitted(DUE)


def test_sending_the_goods_back_cancels_the_reminder() -> None:
    ada = coffee_lover().order("o1", 0, product("coffee"))
    ada.tell(events.OrderRefunded, 3 * DAY, order_id="o1", refund_id="r1").until(60 * DAY)

    assert ada.emitted(DUE) == ada.emitted(LATE) == []
    assert ("cancelled", "refunded") in ada.decisions(DUE)


def test_a_reminder_is_not_repeated_where_what_she_bought_since_is_paid_back() -> None:
    ada = Timeline(shop(catalogue=build_catalogue([{"product_id": "bread", "supply_days": 3}])))
    ada.order("o1", 0, "bread").until(3 * DAY).order("o2", 3 * DAY, "bread").until(6 * DAY)
    before = ada.emitted(DUE)
    ada.tell(events.OrderRefunded, 6 * DAY, order_id="o2", refund_id="r1").until(30 * DAY)

    assert (len(before), ada.emitted(DUE)) == (2, before)


def test_a_cancelled_order_supplies_nothing() -> None:
    ada = coffee_lover().order("o1", 0, product("coffee"))
    ada.tell(events.OrderCancelled, 1, order_id="o1").until(60 * DAY)

    assert ada.emitted(DUE) == ada.emitted(LATE) == []


def test_without_a_new_purchase_a_late_reminder_follows_half_an_interval_after_running_out() -> None:
    ada = coffee_lover().order("o1", 0, product("coffee")).until(60 * DAY)

    assert ada.emitted(DUE) == [27 * DAY]
    assert ada.emitted(LATE) == [45 * DAY]


def test_new_rules_plan_it_at_the_hour_at_which_she_orders_by_now_on_the_day_they_say() -> None:
    """Orders of other things move her usual hour, and no reminder: that would have to be asked with each order."""
    ada = coffee_lover().order("o1", 0, product("coffee"))
    ada.order("o2", DAY + 20 * HOUR, "cup").order("o3", 2 * DAY + 20 * HOUR, "plate")

    assert ada.waiting(DUE) == [27 * DAY]
    assert ada.new_rules(ada.engine.book).waiting(DUE) == [27 * DAY + 20 * HOUR]


def test_an_order_after_the_reminder_is_its_conversion() -> None:
    ada = coffee_lover().order("o1", 0, product("coffee")).order("o2", 29 * DAY, product("coffee"))

    assert ada.emitted(DUE) == [27 * DAY]
    assert ("trigger.converted", None) in ada.outcomes
    assert ("cart.recovered", None) not in ada.outcomes


def test_what_is_not_known_to_run_out_is_never_reminded_of() -> None:
    ada = coffee_lover().order("o1", 0, product("lamp")).until(365 * DAY)

    assert ada.emitted(DUE) == ada.emitted(LATE) == []


def test_who_gets_it_by_subscription_is_not_reminded_until_she_ends_that() -> None:
    plan: dict[str, Any] = {"subscription_id": "s1", "products": (product("coffee"),)}
    ada = coffee_lover().order("o1", 0, product("coffee")).tell(events.SubscriptionStarted, DAY, **plan).until(60 * DAY)

    assert ada.emitted(DUE) == []
    assert ada.decisions(DUE)[-1] == ("cancelled", "subscribed")

    ended = coffee_lover().order("o1", 0, product("coffee")).tell(events.SubscriptionStarted, DAY, **plan)
    ended.tell(events.SubscriptionCancelled, 2 * DAY, **plan).until(60 * DAY)

    assert ended.emitted(DUE) == [27 * DAY]


def test_of_a_subscription_the_newest_word_holds_in_whatever_order_words_come() -> None:
    plan: dict[str, Any] = {"subscription_id": "s1", "products": (product("coffee"),)}
    ended = coffee_lover().order("o1", 0, product("coffee")).tell(events.SubscriptionCancelled, 2 * DAY, **plan)
    ended.tell(events.SubscriptionStarted, DAY, arrives=2 * DAY + 1, **plan)
    again = coffee_lover().order("o1", 0, product("coffee")).tell(events.SubscriptionStarted, 3 * DAY, **plan)
    again.tell(events.SubscriptionCancelled, 2 * DAY, arrives=3 * DAY + 1, **plan)

    assert (ended.profile.subscriptions, again.profile.subscriptions) == ({}, {"s1": ["coffee"]})
    assert ended.until(60 * DAY).emitted(DUE) != []
    assert again.until(60 * DAY).decisions(DUE)[-1] == ("cancelled", "subscribed")


def test_a_subscription_that_ended_under_one_name_has_ended() -> None:
    plan: dict[str, Any] = {"subscription_id": "s1", "products": (product("coffee"),)}
    started, ended = ((events.SubscriptionStarted, DAY), (events.SubscriptionCancelled, 2 * DAY))
    for hers, of_the_guest in ((started, ended), (ended, started)):
        guest = coffee_lover(customer="email:ada@example.com").tell(*of_the_guest, **plan)

        assert coffee_lover().tell(*hers, **plan).becomes_one_with(guest).profile.subscriptions == {}


def test_buying_another_product_of_the_group_in_time_is_buying_again() -> None:
    rows = [{"product_id": name, "supply_days": 30, "group": "beans"} for name in ("coffee", "espresso")]
    ada = Timeline(shop(catalogue=build_catalogue(rows))).order("o1", 0, product("coffee"))
    ada.order("o2", 20 * DAY, product("espresso")).until(30 * DAY)

    assert ada.emitted(DUE) == []
    assert ("cancelled", "repurchased") in ada.decisions(DUE)


def test_what_she_bought_in_its_place_ends_the_reminder_unless_nothing_is_left_of_that_order() -> None:
    def until_it_is_due(*after: type[events.Event]) -> list[float]:
        rows = [{"product_id": "coffee", "supply_days": 30, "substitutes": "espresso"}]
        ada = Timeline(shop(catalogue=build_catalogue(rows))).order("o1", 0, "coffee").order("o2", 5 * DAY, "espresso")
        for day, kind in enumerate(after, 6):
            fields: dict[str, Any] = {"refund_id": "r"} if kind is events.OrderRefunded else {}
            ada.tell(kind, day * DAY, order_id="o2", **fields)
        return ada.until(30 * DAY).emitted(DUE)

    assert until_it_is_due() == until_it_is_due(events.OrderFulfilled) == []
    assert until_it_is_due(events.OrderCancelled) == [27 * DAY]
    assert until_it_is_due(events.OrderFulfilled, events.OrderRefunded) == [27 * DAY]


def test_what_she_had_bought_in_its_place_takes_the_reminder_back_as_the_product_itself_does() -> None:
    rows = [{"product_id": "coffee", "supply_days": 30, "substitutes": "espresso"}]
    for bought in ("coffee", "espresso"):
        ada = Timeline(shop(catalogue=build_catalogue(rows))).order("o1", 0, "coffee").until(28 * DAY)
        ada.order("o2", 20 * DAY, bought, arrives=28 * DAY)

        assert ada.emitted(DUE) == [27 * DAY]
        assert ("trigger.cancelled", "late_conversion") in ada.outcomes


def test_a_refund_of_part_of_it_brings_the_reminder_forward() -> None:
    ada = coffee_lover().order("o1", 0, product("coffee", 900, 2))
    back = (product("coffee", 900, 1),)
    ada.tell(events.OrderRefunded, 3 * DAY, order_id="o1", refund_id="r1", products=back).until(60 * DAY)

    assert ada.emitted(DUE) == [27 * DAY]


def test_a_purchase_that_becomes_known_when_its_reminder_is_long_past_is_not_reminded_of() -> None:
    ada = coffee_lover().order("o1", 0, product("coffee"), arrives=50 * DAY).until(60 * DAY)

    assert ada.emitted(DUE) == []


def test_without_consent_nothing_is_sent_and_the_late_one_waits_all_the_same() -> None:
    catalogue = build_catalogue([{"product_id": "coffee", "supply_days": 30}])
    ada = Timeline(shop(catalogue=catalogue), consent=False).order("o1", 0, product("coffee")).until(28 * DAY)

    assert ada.decisions(DUE)[-1] == ("suppressed", "no_consent")
    assert len(ada.waiting(LATE)) == 1


def test_each_purchase_has_one_reminder_of_each_kind() -> None:
    ada = coffee_lover().order("o1", 0, product("coffee")).order("o2", 100 * DAY, product("coffee")).until(200 * DAY)

    assert len(ada.emitted(DUE)) == len(ada.emitted(LATE)) == 2
    assert len({trigger.trigger_id for trigger in ada.sent(DUE)}) == 2
