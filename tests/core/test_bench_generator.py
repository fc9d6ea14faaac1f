"""The generated stream of the benchmarks: the same for the same seed, shaped as its documentation says."""

import json
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from bench.generator import DUE_CLEARANCE_MS, GAP_MOST_MS, Record, Scenario, records
from bench.job import CART_DELAY_MS
from schemas.events import AnyEvent
from streams.home import home_partition

SCENARIO = Scenario(events=15_000, customers=500)


def events_of(made: list[Record]) -> list[dict[str, Any]]:
    return [json.loads(record.value) for record in made]


@pytest.fixture(scope="module")
def made() -> list[Record]:
    return list(records(SCENARIO))


def test_the_same_seed_makes_the_same_bytes_and_another_seed_others(made: list[Record]) -> None:
    assert made == list(records(SCENARIO))
    assert made != list(records(replace(SCENARIO, seed=2)))


def test_a_shorter_stream_is_the_beginning_of_a_longer_one(made: list[Record]) -> None:
    shorter = list(records(replace(SCENARIO, events=5_000)))

    assert made[:5_000] == shorter


def test_every_record_is_a_canonical_event_at_the_home_of_its_customer(made: list[Record]) -> None:
    decoder = msgspec.json.Decoder(AnyEvent)

    for record in made[:3_000]:
        event = decoder.decode(record.value)
        assert record.user == event.user_id
        assert record.partition == home_partition(record.user, SCENARIO.partitions)


@pytest.mark.parametrize("event_bytes", [320, 1000])
def test_events_have_the_size_that_was_asked_for(event_bytes: Any) -> None:
    made = list(records(replace(SCENARIO, events=5_000, event_bytes=event_bytes)))
    mean = sum(len(record.value) for record in made) / len(made)

    assert mean == pytest.approx(event_bytes, rel=0.04)


def test_the_mix_is_that_of_a_shop(made: list[Record]) -> None:
    distinct = {event["message_id"]: event["event"] for event in events_of(made)}
    share = {kind: count / len(made) for kind, count in Counter(distinct.values()).items()}

    assert share["Product Viewed"] == pytest.approx(0.82, abs=0.02)
    assert share["Product Added"] == pytest.approx(0.10, abs=0.01)
    assert share["Product Removed"] == pytest.approx(0.02, abs=0.005)
    assert share["Order Completed"] == pytest.approx(0.04, abs=0.005)
    assert share["Order Refunded"] == pytest.approx(0.01, abs=0.004)
    assert 1 - len(distinct) / len(made) == pytest.approx(0.01, abs=0.003)


def test_events_stand_in_the_order_of_time_but_for_repeats_which_follow_within_half_a_minute(
    made: list[Record],
) -> None:
    first: dict[str, bytes] = {}
    newest_ms = 0
    for record, event in zip(made, events_of(made), strict=True):
        at_ms = event["timestamp_ms"]
        if event["message_id"] in first:
            assert first[event["message_id"]] == record.value
            assert at_ms <= newest_ms <= at_ms + 30_000 + GAP_MOST_MS
        else:
            first[event["message_id"]] = record.value
            assert at_ms >= newest_ms
            newest_ms = at_ms


def test_a_customer_comes_back_about_every_five_days_for_about_six_events(made: list[Record]) -> None:
    times: dict[str, list[int]] = defaultdict(list)
    for event in {event["message_id"]: event for event in events_of(made)}.values():
        if event["event"] != "Order Refunded":
            times[event["user_id"]].append(event["timestamp_ms"])
    seen = sum(len(at) for at in times.values())
    visits = sum(1 + sum(later - at > GAP_MOST_MS for at, later in pairwise(run)) for run in times.values())
    span_days = (max(map(max, times.values())) - min(map(min, times.values()))) / 86_400_000

    assert seen / visits == pytest.approx(6, rel=0.05)
    assert span_days * len(times) / visits == pytest.approx(5, rel=0.05)


def test_hot_customers_come_more_often_under_a_zipf_law(made: list[Record]) -> None:
    zipf = Counter(record.user for record in records(replace(SCENARIO, draw="zipf")))
    uniform = Counter(record.user for record in made)
    harmonic = sum(1 / rank for rank in range(1, SCENARIO.customers + 1))

    assert zipf.most_common(1)[0][1] / SCENARIO.events == pytest.approx(1 / harmonic, rel=0.15)
    assert uniform.most_common(1)[0][1] / SCENARIO.events < 0.01


def test_a_hot_customer_makes_half_of_what_comes_to_her_partition() -> None:
    hot = list(records(replace(SCENARIO, draw="hot", customers=5_000)))
    home = [record.user for record in hot if record.partition == home_partition("user-0", SCENARIO.partitions)]
    elsewhere = Counter(
        record.user for record in hot if record.partition != home_partition("user-0", SCENARIO.partitions)
    )

    assert home.count("user-0") / len(home) == pytest.approx(0.5, abs=0.05)
    assert elsewhere.most_common(1)[0][1] < 0.01 * len(hot)


def test_in_a_cold_stream_every_event_is_the_only_one_of_a_new_customer() -> None:
    cold = list(records(replace(SCENARIO, draw="cold", events=4_000)))
    first = {record.user: record.value for record in reversed(cold)}

    assert len(first) == pytest.approx(len(cold) * 0.99, rel=0.005)
    assert all(record.value == first[record.user] for record in cold)


def cart_gaps(made: list[Record]) -> list[int]:
    """Time from one thing that happened to a cart to the next."""
    last: dict[str, int] = {}
    gaps = []
    for event in {event["message_id"]: event for event in events_of(made)}.values():
        if cart_id := event.get("cart_id"):
            if cart_id in last:
                gaps.append(event["timestamp_ms"] - last[cart_id])
            last[cart_id] = event["timestamp_ms"]
    return gaps


def test_nothing_happens_to_a_fresh_cart_after_it_was_due(made: list[Record]) -> None:
    assert max(cart_gaps(made)) < CART_DELAY_MS


def test_customers_come_back_to_kept_carts_but_not_near_the_due_time() -> None:
    gaps = cart_gaps(list(records(replace(SCENARIO, carts="kept"))))

    assert sum(gap > CART_DELAY_MS for gap in gaps) > 50
    assert all(abs(gap - CART_DELAY_MS) >= DUE_CLEARANCE_MS for gap in gaps)


def test_orders_hold_what_lies_in_their_cart(made: list[Record]) -> None:
    carts: dict[str, Counter[str]] = defaultdict(Counter)
    orders = 0
    for event in {event["message_id"]: event for event in events_of(made)}.values():
        match event["event"]:
            case "Product Added":
                carts[event["cart_id"]][event["product"]["product_id"]] += event["product"]["quantity"]
            case "Product Removed":
                carts[event["cart_id"]][event["product"]["product_id"]] -= event["product"]["quantity"]
            case "Order Completed":
                orders += 1
                held = {product: quantity for product, quantity in carts.pop(event["cart_id"]).items() if quantity}
                assert held == {line["product_id"]: line["quantity"] for line in event["products"]}
    assert orders > 250
