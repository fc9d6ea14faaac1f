"""A payment was refused."""

from typing import Any

import pytest

from profiles.state import EPISODES_MAX
from schemas import events
from tests.stories.timeline import DAY, Timeline, product

FAILED = "payment.failed"


@pytest.fixture
def ada() -> Timeline:
    return Timeline(consent=False)


def fail(ada: Timeline, minute: float, checkout: str | None = "k1", **fields: Any) -> Timeline:
    return ada.tell(events.PaymentFailed, minute, checkout_id=checkout, reason="declined", **fields)


def test_half_an_hour_after_it_she_is_told_without_marketing_consent(ada: Timeline) -> None:
    ada.tell(events.CheckoutStarted, 0, checkout_id="k1", products=(product("A"),), url="https://shop.example/k1")
    fail(ada, 5).until(40)

    assert ada.emitted(FAILED) == [35]
    trigger = ada.triggers[0]
    assert (trigger.trigger_class, trigger.episode_key, trigger.details["reason"]) == ("service", "k1", "declined")
    assert [item.product_id for item in trigger.items] == ["A"]
    assert (trigger.value_minor, trigger.recovery_url) == (1000, "https://shop.example/k1")


def test_paid_in_the_second_attempt_she_is_not(ada: Timeline) -> None:
    fail(ada, 0).order("o1", 10, "A").until(DAY)

    assert ada.decisions(FAILED) == [("armed", None), ("cancelled", "ordered")]


def test_each_refusal_starts_the_half_hour_anew(ada: Timeline) -> None:
    fail(fail(ada, 0), 20)

    assert ada.waiting(FAILED) == [50]


def test_whatever_the_order_of_arrival(ada: Timeline) -> None:
    fail(ada, 20)
    fail(ada, 0, arrives=21, message_id="first").until(DAY)

    assert ada.emitted(FAILED) == [50]
    assert ada.triggers[0].evidence[0] == "first"


def test_an_order_known_before_its_refused_payment_arms_nothing(ada: Timeline) -> None:
    ada.order("o1", 10, "A")
    fail(ada, 5, arrives=15).until(DAY)

    assert ada.decisions(FAILED) == []


def test_an_order_placed_between_two_refusals_ends_the_first_alone_also_where_it_is_heard_of_last(
    ada: Timeline,
) -> None:
    fail(fail(ada, 0), 20, message_id="second").order("o1", 10, "A", checkout_id="k1").until(DAY)

    assert ada.emitted(FAILED) == [50]
    assert ada.triggers[0].evidence[0] == "second"


def test_a_later_word_on_the_order_itself_ends_it_since_it_was_paid(ada: Timeline) -> None:
    fail(ada.order("o1", 0, "A", checkout_id="k1"), 5)
    ada.tell(events.OrderUpdated, 10, order_id="o1", checkout_id="k1", products=(product("A"),)).until(DAY)

    assert ada.decisions(FAILED) == [("armed", None), ("cancelled", "ordered")]


def test_a_later_word_on_the_order_that_is_heard_of_late_takes_it_back(ada: Timeline) -> None:
    fail(ada.order("o1", 0, "A", checkout_id="k1"), 5).until(60)
    ada.tell(events.OrderUpdated, 10, arrives=61, order_id="o1", checkout_id="k1", products=(product("A"),)).until(DAY)

    assert ada.emitted(FAILED) == [35]
    assert ada.outcomes == [("trigger.cancelled", "late_conversion")]


@pytest.mark.parametrize("minute", [4, 10])
def test_a_refusal_that_is_heard_of_after_a_later_word_on_the_order_tells_her_nothing(
    ada: Timeline, minute: float
) -> None:
    ada.order("o1", 0, "A", checkout_id="k1")
    for number, told in enumerate((10, minute)):
        named = {"order_id": "o1", "checkout_id": "k1", "products": (product("A"),), "message_id": f"word {number}"}
        ada.tell(events.OrderUpdated, told, arrives=12 + number, **named)
    fail(ada, 5, arrives=15).until(DAY)

    assert ada.emitted(FAILED) == []


def test_nor_after_the_order_was_heard_of_as_completed_once_more_and_then_as_completed_before(ada: Timeline) -> None:
    for minute, arrives in ((10, 11), (0, 12)):
        ada.order("o1", minute, "A", checkout_id="k1", arrives=arrives)
    fail(ada, 5, arrives=15).until(DAY)

    assert ada.emitted(FAILED) == []


def test_it_does_where_the_word_was_from_before_it_or_is_on_another_order(ada: Timeline) -> None:
    ada.order("o1", 0, "A", checkout_id="k1").order("o2", 0, "B", checkout_id="k2")
    ada.tell(events.OrderUpdated, 4, order_id="o1", checkout_id="k1", products=(product("A"), product("C")))
    ada.tell(events.OrderUpdated, 10, order_id="o2", checkout_id="k2", products=(product("B"), product("C")))
    fail(ada, 5, arrives=15).until(DAY)

    assert ada.emitted(FAILED) == [35]


def test_so_it_does_not_where_the_two_came_under_two_names(ada: Timeline) -> None:
    guest = Timeline(customer="email:ada@example.com").order("o1", 0, "A", checkout_id="k1")
    guest.tell(events.OrderUpdated, 10, order_id="o1", checkout_id="k1", products=(product("A"), product("C")))
    fail(ada, 5).becomes_one_with(guest).until(DAY)

    assert ada.emitted(FAILED) == []


@pytest.mark.parametrize("minute", [4, 36])
def test_a_word_from_before_the_refusal_or_after_the_message_takes_nothing_back(ada: Timeline, minute: float) -> None:
    fail(ada.order("o1", 0, "A", checkout_id="k1"), 5).until(60)
    ada.tell(events.OrderUpdated, minute, arrives=61, order_id="o1", checkout_id="k1", products=(product("A"),))

    assert ada.outcomes == []


def test_however_much_marketing_waits_for_her_she_is_told(ada: Timeline) -> None:
    for number in range(EPISODES_MAX):
        ada.wish(f"p{number}", 0)
    fail(ada, 5).until(60)

    assert ada.emitted(FAILED) == [35]


def test_once_a_day_for_a_checkout_but_for_each(ada: Timeline) -> None:
    fail(ada, 0).until(60)
    fail(ada, 100)
    fail(ada, 101, "k2").until(DAY)

    assert ada.emitted(FAILED) == [30, 131]
    assert ("suppressed", "cooldown") in ada.decisions(FAILED)


def test_without_any_id_the_customer_has_one_checkout(ada: Timeline) -> None:
    fail(ada, 0, None).until(DAY)

    assert ada.triggers[0].episode_key == "user_id:ada|checkout"


def test_a_refusal_known_two_days_late_is_no_news(ada: Timeline) -> None:
    fail(ada, 0, arrives=2 * DAY).until(3 * DAY)

    assert ada.decisions(FAILED) == [("expired", "max_lateness")]


def test_where_nothing_is_known_of_the_checkout_the_last_refusal_says_what_it_was_worth(ada: Timeline) -> None:
    fail(ada, 10, value_minor=1200, currency="EUR", url="https://shop.example/k1")
    fail(ada, 5, arrives=11, value_minor=1000).until(DAY)

    (told,) = ada.triggers
    assert (told.value_minor, told.currency, told.recovery_url) == (1200, "EUR", "https://shop.example/k1")
