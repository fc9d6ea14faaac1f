"""The report's check of predictions, on CDNOW: fitted on 39 weeks, held against the next 39, from counters alone.

Expected and actual orders, and both areas under the curve, were published with the protocol for exactly these data.
"""

from functools import cache

import pytest
from msgspec.structs import replace

from streams.reporting.foresight import Check, Outlook, check, outlook
from streams.reporting.missing import Missing
from streams.reporting.snapshot import Snapshot, earlier_of
from tests.models import cdnow, test_fit_segments


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


def later(*, origins: bool) -> Check:
    """A shop of two countries that order at different paces, 64 days later; `origins`: they are known."""
    found: list[dict[str, int]] = []
    for day in (test_fit_segments.TODAY - 64, test_fit_segments.TODAY):
        slow, quick = (
            test_fit_segments.part(model, 6_000, f"|{country}" if origins else "", seed, day)
            for model, country, seed in ((test_fit_segments.SLOW, "DE", 41), (test_fit_segments.QUICK, "AT", 42))
        )
        both = test_fit_segments.shop_of(slow, quick)
        found.append({f"value:{name}": count for name, count in both.items()})
    snapshot = shop(found[1], test_fit_segments.TODAY)
    result = check(replace(snapshot, earlier=earlier_of(found[0], test_fit_segments.TODAY - 64)))
    assert isinstance(result, Check)
    return result


def test_customers_are_foretold_by_the_part_of_the_shop_they_are_in() -> None:
    apart, together = later(origins=True), later(origins=False)

    assert (apart.customers, apart.actual) == (together.customers, together.actual)
    assert apart.expected == pytest.approx(apart.actual, rel=0.04)
    assert apart.auc is not None
    assert together.auc is not None
    assert apart.auc > together.auc
    assert apart.brier < together.brier


def test_who_was_told_another_country_meanwhile_has_not_come_for_that() -> None:
    then, now = cdnow.CALIBRATED_UNTIL, cdnow.HOLDOUT_UNTIL
    moved: dict[str, int] = {}
    for name, count in named(then).items():
        if name.startswith("value:buyers|"):
            moved |= {f"{name}||AT": count // 2, f"{name}||DE": count - count // 2}
        else:
            moved[name] = count
    result = check(replace(shop(named(now)), earlier=earlier_of(moved, then)))

    assert isinstance(result, Check)
    assert result.actual == checked().actual
    assert sum(band.came * band.customers for band in result.bands) == pytest.approx(
        sum(band.came * band.customers for band in checked().bands)
    )
