"""Thanks for the first order."""

from itertools import permutations

import pytest

from profiles.needs import NeedLedger
from profiles.order_state import Ledger
from profiles.state import encode
from schemas import events
from tests.stories.timeline import DAY, HOUR, Timeline, ms, product

THANKS = "second.order.welcome"


@pytest.fixture
def ada() -> Timeline:
    return Timeline().order("o1", 0, product("A", 1000, 2))


def test_a_day_after_the_first_order(ada: Timeline) -> None:
    assert ada.waiting(THANKS) == [DAY]

    ada.until(2 * DAY)

    assert ada.emitted(THANKS) == [DAY]
    assert ada.triggers[0].details["order_id"] == "o1"


def test_only_once_in_a_life(ada: Timeline) -> None:
    ada.until(2 * DAY).order("o2", 3 * DAY, "B").tell(events.OrderUpdated, 4 * DAY, order_id="o1").until(9 * DAY)

    assert ada.emitted(THANKS) == [DAY]


def test_a_cancelled_order_is_not_thanked_for(ada: Timeline) -> None:
    ada.tell(events.OrderCancelled, HOUR, order_id="o1").until(2 * DAY)

    assert ada.decisions(THANKS) == [("armed", None), ("cancelled", "refunded")]


def test_nor_is_one_refunded_in_full(ada: Timeline) -> None:
    ada.tell(events.OrderRefunded, HOUR, order_id="o1", amount_minor=2000).until(2 * DAY)

    assert ada.emitted(THANKS) == []


def test_one_refunded_in_part_is(ada: Timeline) -> None:
    ada.tell(events.OrderRefunded, HOUR, order_id="o1", amount_minor=500).until(2 * DAY)

    assert ada.emitted(THANKS) == [DAY]


def test_one_that_was_told_without_its_products_and_refunded_in_part_is_too() -> None:
    ada = Timeline().order("o1", 0, revenue_minor=2000)
    ada.tell(events.OrderRefunded, HOUR, order_id="o1", refund_id="r1", amount_minor=500).until(2 * DAY)

    assert ada.emitted(THANKS) == [DAY]

    eve = Timeline().order("o1", 0, revenue_minor=2000)
    eve.tell(events.OrderRefunded, HOUR, order_id="o1", refund_id="r1", amount_minor=2000).until(2 * DAY)

    assert eve.emitted(THANKS) == []


def test_after_a_cancelled_first_order_the_next_one_is_the_first(ada: Timeline) -> None:
    ada.tell(events.OrderCancelled, HOUR, order_id="o1").order("o2", 3 * DAY, "B").until(9 * DAY)

    assert ada.emitted(THANKS) == [4 * DAY]


def test_so_it_is_if_it_was_placed_before_the_other_one_was_cancelled(ada: Timeline) -> None:
    ada.order("o2", HOUR, "B").tell(events.OrderCancelled, 2 * HOUR, order_id="o1").until(9 * DAY)

    assert ada.emitted(THANKS) == [DAY + HOUR]
    assert ada.sent(THANKS)[0].details["order_id"] == "o2"


def test_so_it_is_not_if_nothing_is_left_of_it_by_then(ada: Timeline) -> None:
    ada.order("o2", HOUR, "B").tell(events.OrderRefunded, 2 * HOUR, order_id="o2")
    ada.tell(events.OrderCancelled, 3 * HOUR, order_id="o1").until(9 * DAY)

    assert ada.emitted(THANKS) == []


def test_what_became_of_the_next_order_is_loaded_where_the_first_one_is_cancelled() -> None:
    """Before anything changes: her orders are at hand only where an event asks for them."""
    ada = Timeline().order("o1", 0, "A").order("o2", HOUR, "B").tell(events.OrderRefunded, 2 * HOUR, order_id="o2")
    before, at_hand = ada.profile.pack(), Ledger()
    at_hand.load("o1", encode(ada.orders.get("o1")))
    loaded, ada.orders = ada.orders, at_hand

    with pytest.raises(NeedLedger, match="o2"):
        ada.tell(events.OrderCancelled, 3 * HOUR, order_id="o1")

    assert ada.profile.pack() == before
    at_hand.load("o2", encode(loaded.get("o2")))
    ada.tell(events.OrderCancelled, 3 * HOUR, order_id="o1").until(9 * DAY)
    assert ada.emitted(THANKS) == []


def test_a_later_order_that_is_cancelled_changes_nothing(ada: Timeline) -> None:
    ada.order("o2", HOUR, "B").tell(events.OrderCancelled, 2 * HOUR, order_id="o2").until(9 * DAY)

    assert ada.emitted(THANKS) == [DAY]

    eve = Timeline().order("o1", 0, "A").tell(events.OrderRefunded, 5, order_id="o1").order("o2", HOUR, "B")
    eve.tell(events.OrderCancelled, 2 * HOUR, order_id="o2").until(9 * DAY)

    assert eve.emitted(THANKS) == []


def test_a_guest_who_turns_out_to_be_an_old_customer_is_not_thanked_for_her_first_order(ada: Timeline) -> None:
    ada.until(99 * DAY)
    guest = Timeline(customer="email:ada@example.com").order("o2", 100 * DAY, "B").until(100 * DAY + HOUR)
    ada.becomes_one_with(guest).until(109 * DAY)

    assert ada.emitted(THANKS) == [DAY]
    assert ada.decisions(THANKS)[-1] == ("cancelled", "existing_customer")


def test_an_earlier_order_known_late_is_the_first_and_still_only_one_goes_out(ada: Timeline) -> None:
    ada.order("o0", -5, "B", arrives=10).until(9 * DAY)

    assert ada.emitted(THANKS) == [DAY - 5]
    assert ada.triggers[0].details["order_id"] == "o0"


@pytest.mark.parametrize("heard", list(permutations([("o1", 0), ("o1", 120), ("o2", 60)])))
def test_an_order_told_of_twice_is_thanked_for_by_the_earlier_word_of_it_whenever_that_comes(
    heard: tuple[tuple[str, int], ...],
) -> None:
    ada = Timeline()
    for order_id, minute in heard:
        ada.order(order_id, minute, "A", arrives=180)
    ada.until(2 * DAY)

    assert [(one.details["order_id"], one.due_at_ms) for one in ada.sent(THANKS)] == [("o1", ms(DAY))]


def test_a_history_that_is_imported_thanks_for_nothing() -> None:
    ada = Timeline().order("o1", 0, "A", arrives=90 * DAY, imported=True).until(99 * DAY)

    assert ada.decisions(THANKS) == []


def test_who_may_be_written_to_again_is_thanked_though_her_order_has_to_be_loaded_for_it() -> None:
    ada = Timeline().order("o1", 0, "A").tell(events.SuppressCustomer, 10, request_id="r1")
    (entry,) = ada.orders.all()
    ada.orders = Ledger()
    with pytest.raises(NeedLedger):
        ada.tell(events.UnsuppressCustomer, 20, request_id="r2")
    assert ada.profile.suppressed

    ada.orders.load("o1", encode(entry))
    ada.tell(events.UnsuppressCustomer, 20, request_id="r2").until(2 * DAY)

    assert ada.emitted(THANKS) == [DAY]
