"""Whatever comes in the way of bad records, a worker lives on: all of them are set aside with a reason, good ones count."""

import json
import os
import zlib
from collections import Counter

import pytest

from schemas.reasons import REASONS
from tests.e2e.kit import Shop
from tests.e2e.scenario import Record

BAD: tuple[tuple[str, bytes | None], ...] = (
    ("not_json", b"this is no JSON"),
    ("empty", b""),
    ("tombstone", None),
    ("not_object", b"[1, 2, 3]"),
    ("not_object", b"7"),
    ("too_deep", b"[" * 2000 + b"]" * 2000),
    ("too_deep", b'{"a":' * 1024 + b"1" + b"}" * 1024),
    ("not_json", b'{"event":"Order Completed","order_id":"o","user_id":"eve","revenue_minor":NaN}'),
    ("unknown_event", b'{"event":"Something New","message_id":"m","timestamp_ms":1,"user_id":"eve"}'),
    ("missing_field", b'{"event":"Order Completed","message_id":"m","timestamp_ms":1,"user_id":"eve"}'),
    ("not_utf8", b'{"event":"Page Viewed","message_id":"\xff\xfe","timestamp_ms":1,"user_id":"eve"}'),
    ("no_customer", b'{"event":"Page Viewed","message_id":"m","timestamp_ms":1}'),
)
"""Reasons are those of the documented table; which of two fitting reasons a parser names first is not this test's matter."""

COUNT = 10_000


def order(number: int) -> Record:
    body = {
        "event": "Order Completed",
        "message_id": f"good-{number}",
        "timestamp_ms": 1_772_409_600_000 + number,
        "user_id": f"u{number % 10}",
        "order_id": f"o{number}",
        "revenue_minor": 100,
    }
    return Record("orders", f"u{number % 10}", json.dumps(body).encode(), 0)


def poison(number: int) -> Record:
    """One of the table, or now and then noise, huge numbers, strange ids and almost a megabyte."""
    if number % 500 == 7:
        noise = zlib.compress(os.urandom(64)) + bytes([number % 256])
        return Record("clickstream", None, noise, 0, partition=number % 4)
    if number == 1111:
        return Record("orders", "eve", b'"' + b"x" * 900_000, 0)
    if number % 97 == 3:
        body = b'{"event":"Order Completed","message_id":"m","timestamp_ms":18446744073709551616,"user_id":"eve","order_id":"o"}'
        return Record("orders", "eve", body, 0)
    _, value = BAD[number % len(BAD)]
    return Record("orders", "eve", value, 0)


def test_ten_thousand_bad_records_in_a_row_leave_the_worker_alive_and_good_ones_counted(shop: Shop) -> None:
    good = [order(number) for number in range(200)]
    bad = [poison(number) for number in range(COUNT)]
    shop.produce([*good[:100], *bad, *good[100:]])
    worker = shop.start()
    shop.wait_caught_up(120)

    assert worker.running
    assert {f"user_id:u{number}": 20 for number in range(10)} == {
        profile_id: profile["orders"]["count"] for profile_id, profile in shop.profiles().items()
    }
    rejected = [value for _, value in shop.read("rejected")]
    assert len(rejected) == COUNT
    assert len({(value["topic"], value["partition"], value["offset"]) for value in rejected}) == COUNT
    reasons = Counter(value["reason"] for value in rejected)
    assert {reason for reason, _ in BAD} <= set(reasons)
    shop.expect(lambda: worker.metric("regulars_rejected_total") == COUNT, "all are counted")
    large = next(value for value in rejected if value.get("truncated_bytes"))
    assert len(large["original"]) == 256 * 1024
    # What /health says is looked at once a second.
    shop.expect(lambda: '"status": "degraded"' in (worker.page("/health") or ""), "/health says so")


def event(**fields: object) -> bytes:
    """An order that would be a good one, but for `fields`."""
    given = {"event": "Order Completed", "message_id": "m", "timestamp_ms": 1_700_000_000_000, "user_id": "u"}
    return json.dumps(
        {**given, "order_id": "o", "products": [{"product_id": "p", "price_minor": 1}], **fields}
    ).encode()


ODD: tuple[bytes | None, ...] = (
    b"   ",
    b"{",
    b"\xef\xbb\xbf" + event(),
    event()[:-1],
    event() + b"}",
    b"null",
    b"{}",
    b'{"event": 7}',
    b'{"type": "screech"}',
    event(event=None),
    event(event="Page Viewed", user_id=None),
    event(event="Page Viewed", user_id="guest"),
    event(user_id="a\x00b"),
    event(user_id={"is": "an object"}),
    event(order_id=None),
    event(products="none"),
    event(products=[{"product_id": "p", "price_minor": 2**64}]),
    event(products=[{"product_id": "p", "price_minor": "much"}]),
    event(products=[{"product_id": "p", "price_minor": -(10**17)}]),
    event(products=[{"product_id": "p", "price_minor": 1, "quantity": float("nan")}]),
    event().replace(b'"price_minor": 1', b'"price_minor": 1e400'),
    event().replace(b'"price_minor": 1', b'"price_minor": -Infinity'),
    event(currency="NOTHING"),
    event(timestamp_ms="when?"),
    event(coupon="\ud800"),
    event(message_id=None),
    b"[" * 900_000,
    b"\xff" * 900_000,
    event(user_id="c" * 900_000),
    event(coupon="\u0001" * 100_000) + b"?",
)


def scatter(shop: Shop, count: int) -> None:
    """Odd records on every topic and partition, with and without key: each is set aside, at the place where it was."""
    topics = ("clickstream", "carts", "orders", "identities")
    bad = [
        Record(topics[n % 4], None if n % 3 else "eve", ODD[n % len(ODD)], 0, partition=n // 4 % shop.partitions)
        for n in range(count)
    ]
    places = shop.produce(bad)
    shop.produce([order(number) for number in range(10)])
    worker = shop.start()
    shop.wait_caught_up(300)

    assert len(shop.profiles()) == 10
    rejected = [value for _, value in shop.read("rejected")]
    assert sorted((one["topic"], one["partition"], one["offset"]) for one in rejected) == sorted(places)
    assert {one["reason"] for one in rejected} <= REASONS.keys() - {"engine_error", "decoder_failed"}
    assert all(one["detail"] for one in rejected)
    assert worker.running


def test_every_kind_of_bad_record_is_set_aside_at_its_place(shop: Shop) -> None:
    scatter(shop, 10 * len(ODD))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_bad_records_for_a_long_time_are_set_aside(shop: Shop) -> None:
    scatter(shop, 100 * len(ODD))
