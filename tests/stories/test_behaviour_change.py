"""behaviour.change: rhythm, silence, order value, categories and returns, each against her own past and each told once."""

from math import exp
from typing import Any

import pytest

from profiles.life_rules import BehaviourChangeRule
from profiles.merge import merge
from profiles.rules import DAY_MS
from schemas import events
from schemas.events import Product
from schemas.outputs import Trigger
from tests.stories.timeline import DAY, Timeline, product, shop

NAME = "behaviour.change"
GAPS = (10, 11, 9, 10, 12, 8, 10, 11, 9, 10)


def ada(**rule: Any) -> Timeline:
    return Timeline(shop(BehaviourChangeRule(**rule)))


def orders(
    story: Timeline, gaps: tuple[int, ...] = GAPS, *, start: float = 0, first: int = 0, item: Product | None = None
) -> float:
    """Orders with these days between them; gives the day of the last one."""
    day = start
    for number, gap in enumerate(gaps):
        day += gap
        story.order(f"o{first + number}", day * DAY, item or product("tea", 2_000))
    return day


def told(story: Timeline, measure: str) -> list[Trigger]:
    return [one for one in story.triggers if one.name == NAME and one.details["measure"] == measure]


def test_a_steady_customer_is_no_news() -> None:
    story = ada()
    orders(story, GAPS * 4)

    assert told(story, "interval") == told(story, "order_value") == told(story, "silence") == []


def test_who_comes_less_often_is_told_once_with_the_evidence() -> None:
    story = ada(silence_share=0.0001)
    day = orders(story, GAPS * 2)
    day = orders(story, (17, 18, 16, 17, 18, 17), start=day, first=100)
    story.until((day + 1) * DAY)
    (found,) = told(story, "interval")

    assert found.details["direction"] == "up"
    assert found.details["before"] == pytest.approx(10, abs=1)
    assert found.details["after"] > 12
    assert all(score > 0.5 for score in found.details["path"][-2:])
    # What she does now is the new normal.
    orders(story, (17, 18, 16, 17, 18, 17, 16, 18), start=day, first=200)
    assert len(told(story, "interval")) == 1


def test_a_silence_that_her_gaps_rarely_outlast_has_a_timer_and_ends_with_an_order() -> None:
    story = ada()
    day = orders(story)
    mean = sum(GAPS[1:]) / 9
    (wake_ms,) = (at for name, at in story.profile.wakes.items() if name.startswith(NAME))
    silent = (wake_ms - story.profile.behaviour.newest_ms) / DAY_MS  # type: ignore[operator] # she has ordered

    # exp(m + 1.645 s) with s at least 0.15: a little more than a quarter above her usual gap.
    assert silent == pytest.approx(mean * exp(1.645 * 0.15), rel=0.03)
    story.until((day + silent + 1) * DAY)
    (found,) = told(story, "silence")
    assert found.details["after"] == pytest.approx(silent, abs=0.1)
    story.until((day + 300) * DAY)
    assert len(told(story, "silence")) == 1


def test_an_order_in_time_moves_the_timer_of_silence() -> None:
    story = ada()
    day = orders(story, GAPS * 2)
    story.order("again", (day + 11) * DAY, product("tea", 2_000)).until((day + 20) * DAY)

    assert told(story, "silence") == []


def test_an_order_before_a_silence_is_told_cancels_it() -> None:
    story = ada()
    day = orders(story)
    ids, story.profile.ids = dict(story.profile.ids), {}  # nobody can be reached: it waits
    story.until((day + 15) * DAY)
    assert story.waiting(NAME) != []
    story.order("again", (day + 15) * DAY + 1, product("tea", 2_000))
    story.profile.ids = ids

    assert ("cancelled", "ordered_again") in story.decisions(NAME)
    assert told(story, "silence") == []


def test_a_word_on_an_order_known_already_does_not_end_a_silence() -> None:
    story = ada()
    day = orders(story)
    ids, story.profile.ids = dict(story.profile.ids), {}  # nobody can be reached: it waits
    story.until((day + 15) * DAY)
    story.tell(events.OrderRefunded, (day + 15) * DAY, order_id="o9", refund_id="r1", amount_minor=100)
    story.profile.ids = ids

    assert ("cancelled", "ordered_again") not in story.decisions(NAME)
    assert len(story.waiting(NAME)) == 1


def test_who_spends_less_on_an_order_is_told_from_what_to_what() -> None:
    story = ada()
    values = (2_000, 2_100, 1_900, 2_050, 1_950, 2_000, 2_100, 1_900, 2_000, 2_050)
    day = 0
    for number, value in enumerate((*values, *([900] * 8))):
        day += 10
        story.order(f"v{number}", day * DAY, product("tea", value))
    story.until((day + 1) * DAY)
    (found,) = told(story, "order_value")

    assert (found.details["direction"], found.details["after"]) == ("down", 900)
    assert found.details["before"] == pytest.approx(2_000, rel=0.02)


def test_who_buys_other_things_is_told_of_the_category_that_moved_most() -> None:
    story = ada()
    day = orders(story, (3,) * 80, item=product("tea", 2_000, category="tea"))
    story.order("mixed", (day + 1) * DAY, product("jam", 2_000, category="pantry"))
    orders(story, (3,) * 30, start=day + 1, first=100, item=product("jam", 2_000, category="pantry"))

    assert [found.details["detail"] for found in told(story, "categories")][:1] in (["pantry"], ["tea"])


def test_who_sends_much_back_is_told_once() -> None:
    story = ada(usual_returns=0.05)
    day = 0.0
    for number in range(12):
        day = orders(story, (10,), start=day, first=number)
        if number % 2:
            story.tell(events.OrderRefunded, day * DAY + 60, order_id=f"o{number}", products=(product("tea", 2_000),))
    story.until((day + 1) * DAY)

    (found,) = told(story, "returns")
    assert found.details["before"] == 0.05
    assert found.details["after"] > 0.1


@pytest.mark.parametrize("names", [("Order Refunded", "Order Cancelled"), ("Order Cancelled", "Order Refunded")])
def test_what_was_paid_back_of_a_cancelled_order_was_not_sent_back(names: tuple[str, ...]) -> None:
    story = ada(usual_returns=0.05)
    day = 0.0
    for number in range(12):
        day = orders(story, (10,), start=day, first=number)
        if number % 2:
            for place, name in enumerate(names):
                kind = events.OrderRefunded if name == "Order Refunded" else events.OrderCancelled
                story.tell(kind, day * DAY + 60 + place, order_id=f"o{number}")
    story.until((day + 1) * DAY)

    assert told(story, "returns") == []
    assert (story.profile.behaviour.returns.bought, story.profile.behaviour.returns.returned) == (6, 0)


def test_what_was_paid_back_before_its_order_was_told_was_sent_back() -> None:
    story = ada()
    story.tell(events.OrderRefunded, 9 * DAY, order_id="o1", refund_id="r1", products=(product("tea", 2_000),))
    story.order("o1", 10 * DAY, product("tea", 2_000, quantity=3))

    assert (story.profile.behaviour.returns.bought, story.profile.behaviour.returns.returned) == (3, 1)


def test_nothing_usual_leaves_returns_alone() -> None:
    story = ada(usual_returns=0.0)
    for number in range(6):
        orders(story, (10,), start=10 * number, first=number)
        story.tell(
            events.OrderRefunded, (10 * number + 11) * DAY, order_id=f"o{number}", products=(product("tea", 2_000),)
        )

    assert told(story, "returns") == []


def test_each_measure_cools_for_itself() -> None:
    story = ada(cooldown_ms=3_000 * DAY_MS)
    day = orders(story)
    story.until((day + 40) * DAY)
    orders(story, GAPS, start=day + 40, first=100)
    story.until((day + 300) * DAY)

    assert len(told(story, "silence")) == 1
    assert ("suppressed", "cooldown") in story.decisions(NAME)


def test_a_duplicate_and_a_late_order_say_nothing_of_the_rhythm() -> None:
    story = ada()
    day = orders(story)
    before = story.profile.behaviour.gaps.count
    story.order("o9", day * DAY, product("tea", 2_000), message_id="again")
    story.order("late", (day - 5) * DAY, product("tea", 2_000), arrives=(day + 0.5) * DAY)

    assert story.profile.behaviour.gaps.count == before


def test_of_two_profiles_the_one_that_has_seen_more_goes_on() -> None:
    one, other = ada(), ada()
    orders(one, GAPS[:3])
    day = orders(other, GAPS, first=50)
    merge(one.profile, one.orders, other.profile, other.orders.all(), one.engine.book)

    assert one.profile.behaviour.gaps.count == len(GAPS) - 1
    assert one.profile.behaviour.newest_ms == other.profile.behaviour.newest_ms
    assert day > 0
