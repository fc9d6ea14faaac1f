"""First and newest orders without the whole ledger. The general law is in test_ledger_laws."""

import pytest

from profiles.order_stats import RECENT_EXACT, Key, moved, newest
from profiles.state import RECENT_ORDERS_MAX, OrderStats


def ask() -> list[Key]:
    raise LookupError("the whole ledger was asked for")


def stats_of(count: int) -> OrderStats:
    places = [(number, f"o{number}") for number in range(count)]
    return OrderStats(count=count, first=places[0] if places else None, recent=places[-RECENT_ORDERS_MAX:])


def test_a_late_order_before_the_first_becomes_the_first() -> None:
    assert moved(stats_of(3), None, (-5, "early"), ask)[0] == (-5, "early")


def test_equal_times_are_ordered_by_order_id() -> None:
    assert moved(stats_of(1), None, (0, "a"), ask) == ((0, "a"), [(0, "a"), (0, "o0")])


def test_the_oldest_of_the_kept_orders_makes_room() -> None:
    first, recent = moved(stats_of(RECENT_ORDERS_MAX), None, (99, "new"), ask)

    assert first == (0, "o0")
    assert (recent[0], recent[-1], len(recent)) == ((1, "o1"), (99, "new"), RECENT_ORDERS_MAX)


def test_a_few_cancellations_do_not_ask_for_the_whole_ledger_and_one_too_many_does() -> None:
    stats = stats_of(40)
    for number in range(39, 39 - (RECENT_ORDERS_MAX - RECENT_EXACT), -1):
        stats.first, stats.recent = moved(stats, (number, f"o{number}"), None, ask)
        stats.count -= 1

    assert len(newest(stats)) == RECENT_EXACT
    with pytest.raises(LookupError):
        moved(stats, stats.recent[-1], None, ask)


def test_the_first_order_cancelled_among_many_asks_for_the_whole_ledger() -> None:
    others = [(number, f"o{number}") for number in range(1, 40)]

    assert moved(stats_of(40), (0, "o0"), None, lambda: others) == ((1, "o1"), others[-RECENT_ORDERS_MAX:])


def test_the_first_order_cancelled_among_few_does_not() -> None:
    assert moved(stats_of(2), (0, "o0"), None, ask) == ((1, "o1"), [(1, "o1")])
    assert moved(stats_of(1), (0, "o0"), None, ask) == (None, [])
