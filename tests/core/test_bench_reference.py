"""The yardstick of the benchmarks, on little histories whose results are worked out by hand."""

import json
from itertools import count
from typing import Any

import pytest

from bench.job import CART_DELAY_MS, CATEGORIES_MAX, DAY_MS, HOUR_MS, CartTrigger, Totals
from bench.outcome import difference
from bench.reference import expected_result

MINUTE_MS = 60_000
T = 1_700_000_000_000


def event(kind: str, at_ms: int, *, message_id: str | None = None, **fields: Any) -> bytes:
    return json.dumps(
        {"event": kind, "message_id": message_id or f"m{next(numbers)}", "timestamp_ms": T + at_ms, "user_id": "u"}
        | fields
    ).encode()


numbers = count()


def product(name: str = "a", price: int = 1_000, quantity: int = 1, category: str = "c") -> dict[str, Any]:
    return {"product_id": name, "price_minor": price, "quantity": quantity, "category": category}


def view(at_ms: int, **fields: Any) -> bytes:
    return event("Product Viewed", at_ms, product=product(**fields))


def add(at_ms: int, cart: str = "k", **fields: Any) -> bytes:
    return event("Product Added", at_ms, cart_id=cart, product=product(**fields))


def remove(at_ms: int, cart: str = "k", **fields: Any) -> bytes:
    return event("Product Removed", at_ms, cart_id=cart, product=product(**fields))


def order(at_ms: int, order_id: str, *lines: dict[str, Any], cart: str = "k", discount: int = 0) -> bytes:
    return event("Order Completed", at_ms, order_id=order_id, cart_id=cart, products=lines, discount_minor=discount)


def refund(at_ms: int, order_id: str, refund_id: str, amount: int) -> bytes:
    return event("Order Refunded", at_ms, order_id=order_id, refund_id=refund_id, amount_minor=amount)


def end(at_ms: int = 3 * DAY_MS) -> bytes:
    """Somebody else's event, a long time after."""
    return event("Product Viewed", at_ms, user_id="other", product=product(category="elsewhere"))


def totals(*history: bytes) -> Totals:
    return expected_result(history).totals["u"]


def triggers(*history: bytes) -> list[CartTrigger]:
    return expected_result([*history, end()]).triggers


def due(at_ms: int, value: int, cart: str = "k") -> CartTrigger:
    return CartTrigger("u", cart, T + at_ms + 30 * MINUTE_MS, value)


def test_net_is_gross_less_discount_and_refund() -> None:
    found = totals(
        order(0, "o1", product(price=1_000, quantity=2), product("b", price=500), discount=200),
        order(1, "o2", product(price=99)),
        refund(2, "o1", "r1", 300),
    )

    assert (
        found.orders,
        found.gross_minor,
        found.discount_minor,
        found.refund_minor,
        found.net_minor,
    ) == (2, 2_599, 200, 300, 2_099)


def test_a_refund_counts_once_and_only_when_its_order_is_there() -> None:
    waiting = totals(refund(0, "o1", "r1", 300))
    there = totals(refund(0, "o1", "r1", 300), refund(1, "o1", "r1", 300), order(2, "o1", product()))

    assert (waiting.orders, waiting.refund_minor) == (0, 0)
    assert (there.orders, there.refund_minor, there.net_minor) == (1, 300, 700)


def test_a_repeat_changes_nothing() -> None:
    once = add(0)

    assert triggers(once) == triggers(once, once)
    assert totals(once) == totals(once, once)


def test_a_cart_left_for_half_an_hour_sends_its_value() -> None:
    history = [add(0, price=1_000, quantity=2), add(MINUTE_MS, name="b", price=250)]

    assert [due(MINUTE_MS, 2_250)] == triggers(*history)


def test_each_cart_of_a_customer_has_its_own_reminder() -> None:
    assert [due(0, 1_000, "j"), due(5, 1_000, "k")] == triggers(add(0, cart="j"), add(5, cart="k"))


def test_taking_out_moves_the_reminder_and_an_empty_cart_has_none() -> None:
    assert [due(MINUTE_MS, 1_000)] == triggers(add(0, quantity=3), remove(MINUTE_MS, quantity=2))
    assert triggers(add(0), remove(MINUTE_MS)) == []


def test_an_order_ends_the_reminder_of_the_cart_it_names() -> None:
    assert [due(0, 1_000, "other")] == triggers(add(0), add(0, cart="other"), order(MINUTE_MS, "o1", product()))


def test_the_moment_it_is_due_is_still_in_time() -> None:
    at_due, later = order(CART_DELAY_MS, "o1", product()), order(CART_DELAY_MS + 1, "o1", product())

    assert triggers(add(0), at_due) == []
    assert [due(0, 1_000)] == triggers(add(0), later)


def test_after_a_reminder_only_something_added_opens_another() -> None:
    history = [add(0, quantity=3), remove(HOUR_MS)]

    assert [due(0, 3_000)] == triggers(*history)
    assert [due(0, 3_000), due(2 * HOUR_MS, 3_000)] == triggers(*history, add(2 * HOUR_MS))


def test_what_was_due_in_the_last_hour_is_not_compared() -> None:
    history = [add(0), end(30 * MINUTE_MS + HOUR_MS)]
    too_late = [add(0), end(30 * MINUTE_MS + HOUR_MS - 1)]

    assert [due(0, 1_000)] == expected_result(history).triggers
    assert expected_result(too_late).triggers == []


def test_interest_halves_in_fourteen_days() -> None:
    found = totals(view(0), view(14 * DAY_MS), add(14 * DAY_MS), order(28 * DAY_MS, "o1", product(), product("b")))

    assert found.interests == pytest.approx({"c": (0.5 + 1 + 4) / 2 + 10})


def test_a_version_of_an_order_counts_no_interest_again() -> None:
    assert totals(order(0, "o1", product()), order(0, "o1", product())).interests == {"c": 5.0}


def test_the_weakest_category_goes_when_there_are_too_many() -> None:
    many = [add(number, category=f"c{number}") for number in range(CATEGORIES_MAX)]
    found = totals(*many, view(HOUR_MS, category="newest"))

    assert "newest" not in found.interests
    assert len(found.interests) == CATEGORIES_MAX


def test_of_equally_weak_categories_the_first_by_name_goes() -> None:
    many = [product(f"p{number}", category=f"c{number}") for number in range(CATEGORIES_MAX - 1)]
    found = totals(order(0, "o1", product(category="y"), product(category="x")), order(14 * DAY_MS, "o2", *many))

    assert "x" not in found.interests
    assert found.interests["y"] == 2.5


def test_a_result_is_right_only_if_every_customer_and_every_reminder_is() -> None:
    expected = expected_result([add(0), order(HOUR_MS, "o1", product()), end()])
    wrong = expected.totals | {"u": Totals(orders=1, gross_minor=999, net_minor=999)}

    assert difference(expected, expected.totals, list(expected.triggers)) is None
    assert "missing" in (difference(expected, expected.totals, []) or "")
    assert "twice" in (difference(expected, expected.totals, expected.triggers * 2) or "")
    assert "gross_minor 999, right is 1000" in (difference(expected, wrong, expected.triggers) or "")
    assert "not there" in (difference(expected, {}, expected.triggers) or "")
