"""The engine and plain queries agree about years of orders, coupons, answers and goodbyes: what is sent, when, and why not."""

from collections import Counter

import pytest

from profiles.triggers import BUILT_IN
from tests.year import buyers, buyers_reference
from tests.year.buyers_reference import MARGIN_FLOOR, PRIORITY, TIERS, Outcome
from tests.year.replayed import catalogue, records, replayed
from tests.year.shop import HOME, MINUTE_MS, SHOP_ZONE

CUSTOMERS = 100
SEED = 2
OTHERS = "".join(f"[{one.name.replace('.', '_')}]\nenabled = false\n" for one in BUILT_IN if one.name not in PRIORITY)
RULES = f"""
[caps]
max_in_24h = 1000
max_in_7d = 1000
max_in_day = 1000
[quiet_hours]
enabled = false
[precedence]
together = "0ms"
[delivery]
home_countries = ["{HOME}"]
[vip_entered]
limits = {list(TIERS)}
[next_order_coupon]
margin_floor = {MARGIN_FLOOR}
discount_guard = true
{OTHERS}"""
"""Caps, nights and the order of several are looked at in `test_year`."""


@pytest.fixture(scope="module")
def until() -> int:
    last: int = buyers.years(SEED, CUSTOMERS)[-1]["timestamp_ms"]
    return last


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory, until: int) -> Counter[Outcome]:
    """What the engine sent and kept back, in the reference's terms."""
    folder = tmp_path_factory.mktemp("buyers")
    events = buyers.years(SEED, CUSTOMERS)
    contents = {product: ";".join(ids) for product, ids in buyers.CONTENTS.items()}
    options = (*catalogue(folder, "contents", contents), "--shop-timezone", SHOP_ZONE)
    out = replayed(folder, buyers.lines(events), RULES, until, *options)
    return Counter(
        Outcome(
            one["customer_id"].removeprefix("user_id:"),
            one["name"],
            one.get("occurrence", 1),
            one["at_ms"] // MINUTE_MS,
            one.get("reason"),
        )
        for one in records(out / "decisions.jsonl")
        if one["state"] in {"emitted", "suppressed"}
    )


@pytest.fixture(scope="module")
def expected(until: int) -> Counter[Outcome]:
    outcomes = buyers_reference.outcomes(buyers.years(SEED, CUSTOMERS), until)
    return Counter(one._replace(at=one.at // MINUTE_MS) for one in outcomes)


def test_the_engine_sends_and_keeps_back_what_the_queries_say(
    said: Counter[Outcome], expected: Counter[Outcome]
) -> None:
    assert said - expected == Counter()
    assert expected - said == Counter()


def test_there_is_some_of_everything(expected: Counter[Outcome]) -> None:
    sent = Counter(one.name for one in expected if one.reason is None)

    assert sent.keys() == PRIORITY.keys(), sent
    assert {one.reason for one in expected} == {None, "no_consent", "open_feedback", "cooldown"}
    assert {one.occurrence for one in expected} == {1, 2, 3}
