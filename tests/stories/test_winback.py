"""winback: silent for longer than her own rhythm, or that of what she bought last, explains."""

from math import exp

import pytest
from msgspec.structs import replace

from profiles.insight.repurchase import EDGES, Key, RepurchaseModel, Shape
from profiles.models import Models
from profiles.triggers import WinbackRule
from schemas import events
from tests.stories.customers import buys
from tests.stories.timeline import DAY, Timeline, product, shop


def emitted_days(ada: Timeline) -> list[float]:
    return [minute / DAY for minute in ada.emitted("winback")]


def test_three_tries_after_ninety_days_and_then_rest() -> None:
    ada = buys(Timeline(), 0).until(900 * DAY)

    assert emitted_days(ada) == [90, 135, 180]
    assert [trigger.occurrence for trigger in ada.triggers if trigger.name == "winback"] == [1, 2, 3]
    assert [trigger.details["days_since"] for trigger in ada.triggers if trigger.name == "winback"] == [90, 135, 180]
    assert len({trigger.trigger_id for trigger in ada.triggers if trigger.name == "winback"}) == 3
    assert not any(wake.startswith("winback") for wake in ada.profile.wakes)


def test_a_try_that_a_gate_held_back_counts_and_the_next_one_comes_in_its_time() -> None:
    ada = buys(Timeline(consent=False), 0).until(100 * DAY)
    ada.tell(events.ConsentChanged, 100 * DAY, consent=(events.ConsentChange(state="GRANT", channel="email"),))

    assert emitted_days(ada.until(900 * DAY)) == [135, 180]


def test_nothing_is_armed_while_it_only_waits() -> None:
    ada = buys(Timeline(), 0)

    assert ada.decisions("winback") == []
    assert not any(episode.name == "winback" for episode in ada.profile.episodes.values())


def test_somebody_slow_gets_two_and_a_half_of_her_own_intervals() -> None:
    ada = buys(buys(Timeline(), 0), 60).until(211 * DAY)

    assert emitted_days(ada) == [60 + 150]


def test_an_older_order_heard_of_late_counts_in_her_intervals_and_not_from_when() -> None:
    ada = buys(buys(Timeline(), 0), 80)
    ada.tell(events.OrderCompleted, 40 * DAY, arrives=81 * DAY, order_id="late", products=(product("tea"),))

    assert emitted_days(ada.until(80 * DAY + 200 * DAY)) == [80 + 100, 80 + 150, 80 + 200]  # 2.5 x 40 days


def test_an_older_order_that_is_cancelled_after_the_newest_is_in_none_of_her_intervals() -> None:
    ada = buys(buys(buys(Timeline(), 0), 40, order_id="gone"), 80)
    ada.tell(events.OrderCancelled, 81 * DAY, order_id="gone").until(80 * DAY + 201 * DAY)

    assert emitted_days(ada) == [80 + 200]  # 2.5 x 80 days


@pytest.mark.parametrize("known, first", [(187 * DAY, 187), (187 * DAY + 1, 230)])
def test_a_try_that_was_due_within_the_week_before_is_made_at_once_when_an_older_order_is_heard_of(
    known: int, first: int
) -> None:
    ada = buys(buys(Timeline(), 0), 80)
    ada.tell(events.OrderCompleted, 40 * DAY, arrives=known, order_id="late", products=(product("tea"),))

    assert emitted_days(ada.until(400 * DAY))[0] == first


def test_a_cancelled_newest_order_counts_from_the_one_before() -> None:
    ada = buys(buys(Timeline(), 0), 10, order_id="gone")
    ada.tell(events.OrderCancelled, 11 * DAY, order_id="gone").until(95 * DAY)

    assert emitted_days(ada) == [90]


def test_an_order_whose_time_is_told_later_counts_from_that() -> None:
    ada = Timeline().tell(events.OrderUpdated, 0, order_id="o1", products=(product("tea"),))
    ada.order("o1", 2 * DAY, "tea").until(200 * DAY)

    assert emitted_days(ada)[0] == 92


def test_nothing_is_tried_anew_where_an_order_is_told_again_after_a_try_came_to_nothing() -> None:
    """Nobody could be reached for as long as the first try was of use."""
    ada = buys(Timeline(customer="anonymous_id:v"), 0, order_id="o1").until(98 * DAY)
    ada.order("o1", 0, product("tea", 5_000), arrives=98 * DAY)

    assert ada.decisions("winback")[-1] == ("expired", "unreachable")
    assert not any(wake.startswith("winback") for wake in ada.profile.wakes)


def test_an_order_ends_the_tries() -> None:
    ada = buys(Timeline(), 0).until(100 * DAY)
    buys(ada, 101).until(189 * DAY)

    assert emitted_days(ada) == [90]


def test_what_was_bought_last_gives_it_the_time_it_lasts() -> None:
    flat = Shape(list(EDGES), [1.0] * 40)
    key = Key(location=4.0, within=0.6, between=0.3, gaps=500)
    learned = Models(repurchase=RepurchaseModel([flat] * 6, key, {"perfume": key}))
    ada = Timeline(replace(shop(), models=learned))
    ada.order("o1", 0, product("eau", category="perfume"), product("tea", category="tea")).until(400 * DAY)

    assert emitted_days(ada)[0] == pytest.approx(exp(4.0 + 1.645 * 0.9**0.5), abs=1e-3)


def test_as_many_tries_as_the_rules_say() -> None:
    ada = buys(Timeline(shop(WinbackRule(tries=1, after_ms=30 * 86_400_000))), 0).until(400 * DAY)

    assert emitted_days(ada) == [30]


def test_a_shop_that_wants_no_tries_has_none() -> None:
    ada = buys(Timeline(shop(WinbackRule(tries=0))), 0).until(400 * DAY)

    assert emitted_days(ada) == []


def test_fewer_tries_hold_for_those_who_wait_for_the_next_one() -> None:
    ada = buys(Timeline(), 0).until(100 * DAY).new_rules(shop(WinbackRule(tries=1))).until(400 * DAY)

    assert emitted_days(ada) == [90]


def test_after_an_order_that_was_cancelled_the_tries_go_on() -> None:
    ada = buys(buys(Timeline(), 0).until(95 * DAY), 96, order_id="gone")
    ada.tell(events.OrderCancelled, 97 * DAY, order_id="gone").until(400 * DAY)

    assert emitted_days(ada) == [90, 135, 180]


def test_a_try_of_long_ago_is_not_made_again_when_an_order_is_cancelled() -> None:
    ada = buys(buys(Timeline(), 0).until(95 * DAY), 100, order_id="gone").add("tea", 109 * DAY).until(110 * DAY)
    ada.tell(events.OrderCancelled, 118 * DAY, order_id="gone").until(400 * DAY)

    assert emitted_days(ada) == [90, 135, 180]
    assert len({one.trigger_id for one in ada.sent("winback")}) == 3


def test_nor_one_that_a_gate_held_back_before_that_order_was_placed() -> None:
    ada = buys(buys(Timeline(consent=False), 0).until(91 * DAY), 92, order_id="gone")
    ada.tell(events.ConsentChanged, 93 * DAY, consent=(events.ConsentChange(state="GRANT", channel="email"),))
    ada.tell(events.OrderCancelled, 94 * DAY, order_id="gone").until(400 * DAY)

    assert emitted_days(ada) == [135, 180]


@pytest.mark.parametrize("known, first", [(97 * DAY, 97), (97 * DAY + 1, 135)])
def test_a_try_that_was_due_within_the_week_before_is_made_at_once_when_an_order_is_cancelled(
    known: int, first: int
) -> None:
    ada = buys(buys(Timeline(), 0), 50, order_id="gone")
    ada.tell(events.OrderCancelled, known, order_id="gone").until(400 * DAY)

    assert emitted_days(ada)[0] == first
