"""The report's check of predictions, on CDNOW: fitted on 39 weeks, held against the next 39, from counters alone.

Expected and actual orders, and both areas under the curve, were published with the protocol for exactly these data.
"""

from functools import cache

import pytest

from streams.reporting.foresight import Check, Outlook, check, outlook
from streams.reporting.missing import Missing
from streams.reporting.snapshot import Snapshot, earlier_of
from tests.models import cdnow


def named(until: int) -> dict[str, int]:
    return {f"value:{name}": count for name, count in cdnow.counters("master", until).items()}


def shop(counters: dict[str, int], today: int = cdnow.HOLDOUT_UNTIL) -> Snapshot:
    return Snapshot(
        shop_id="cdnow", currency="USD", timezone="UTC", now_ms=today * 86_400_000, today=today, counters=counters
    )


@cache
def checked() -> Check:
    then, now = cdnow.CALIBRATED_UNTIL, cdnow.HOLDOUT_UNTIL
    found = Snapshot(
        shop_id="cdnow",
        currency="USD",
        timezone="UTC",
        now_ms=now * 86_400_000,
        today=now,
        counters=named(now),
        earlier=earlier_of(named(then), then),
    )
    result = check(found)
    assert isinstance(result, Check)
    return result


def test_expected_and_actual_orders_of_the_holdout_are_the_published_ones() -> None:
    found = checked()

    assert (found.days, found.customers, found.actual) == (273, 23_570, 19_684)
    assert found.expected == pytest.approx(15_933.6, rel=0.005)
    assert sum(cohort.actual for cohort in found.cohorts) == found.actual
    assert [cohort.customers for cohort in found.cohorts] == [7_846, 8_476, 7_248]


def test_who_orders_again_is_ranked_as_published() -> None:
    found = checked()

    assert found.auc == pytest.approx(0.7547, abs=5e-5)
    assert found.auc_of_recency == pytest.approx(0.7594, abs=5e-5)


def test_shares_that_came_back_are_those_of_the_customers_themselves() -> None:
    found, buyers = checked(), cdnow.buyers("master")

    came = sum(band.came * band.customers for band in found.bands)
    assert came == pytest.approx((buyers.holdout_orders > 0).sum())
    assert sum(band.customers for band in found.bands) == len(buyers.x)
    assert found.brier < found.brier_of_mean


def test_what_is_to_come_is_finite_and_names_its_model() -> None:
    found = outlook(shop(named(cdnow.CALIBRATED_UNTIL), cdnow.CALIBRATED_UNTIL))

    assert isinstance(found, Outlook)
    # MBG/NBD expects 15,933.6 orders of these customers in 273 days; a year has more, but fewer in its last quarter.
    assert 15_933.6 < found.orders * found.customers < 15_933.6 * 365 / 273
    assert found.net is not None
    assert found.margin is not None
    assert found.margin == pytest.approx(found.net / 3, rel=0.05)  # a third of what was paid, in these data
    assert 0 < found.alive < 1
    assert len(found.model) == 16


@pytest.mark.parametrize(
    "counters, reason",
    [
        ({}, "few_buyers"),
        ({"value:buyers|0|9000|9000": 3, "value:value|0": 3}, "few_buyers"),
        ({"value:buyers|0|9000|9000": 800, "value:value|0": 800}, "no_good_fit"),  # nobody came back
        ({"value:buyers|0|10407|10407": 800, "value:value|0": 800}, "short_history"),  # all on one day, today
        ({"value:buyers|0|9000|9000": 800}, "counters"),
    ],
)
def test_what_can_not_be_foretold_has_a_name(counters: dict[str, int], reason: str) -> None:
    found = outlook(shop(counters))

    assert isinstance(found, Missing)
    assert found.reason == reason
    assert found.remedy


def test_a_check_wants_an_earlier_day() -> None:
    assert check(shop({})).reason == "no_earlier_counters"  # type: ignore[union-attr] # nothing to check
    today = cdnow.HOLDOUT_UNTIL
    same = Snapshot(
        shop_id="s",
        currency="USD",
        timezone="UTC",
        now_ms=0,
        today=today,
        counters={},
        earlier=earlier_of({}, today),
    )
    assert check(same).reason == "same_day"  # type: ignore[union-attr] # nothing to check


def test_purchases_dated_in_the_future_leave_numbers_that_are_numbers() -> None:
    counters = named(cdnow.CALIBRATED_UNTIL)
    found = outlook(shop(counters, cdnow.CALIBRATED_UNTIL - 30))

    assert isinstance(found, Outlook)
    assert found.orders > 0
