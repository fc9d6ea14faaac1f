"""Cohorts: CDNOW's buyers of 1997 against published figures and pandas, and how counters follow a first order that moves."""

from functools import cache
from itertools import groupby
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import statistics
from profiles.insight.cohorts import MONTHS_MAX, Month, Past, contribution, count_order
from profiles.insight.tallies import Tally, add, difference, merged
from profiles.statistics import part_of
from schemas import events
from streams.insight.cohort_report import acquisition, cohorts, payback_month, repurchase_rate
from tests.core.shop_data import cdnow
from tests.stories.timeline import DAY, Timeline, product

JANUARY = 1997 * 12
"""January 1997; the data end with June 1998."""
LAST_MONTH = JANUARY + 17
LAST_DAY = 10_407
"""1998-06-30."""


@cache
def counters() -> Tally:
    """CDNOW's customers as the stream would count them: a line of the file is an order."""
    total: Tally = {}
    lines = cdnow().sort_values(["customer", "day"], kind="stable")
    orders = zip(*(lines[name].tolist() for name in ("customer", "day", "month", "cents")), strict=True)
    for _, group in groupby(orders, key=itemgetter(0)):
        bought = list(group)
        _, first_day, first_month, _ = bought[0]
        # Lines of one day are one visit: a repurchase is a second day.
        second_day = next((day for _, day, _, _ in bought if day > first_day), None)
        past = Past(first_day=first_day, first_month=first_month, second_day=second_day, channel="shop")
        for _, _, month, cents in bought:
            count_order(past, month, 1, cents, cents // 4)
        add(total, contribution(past))
    return total


def test_cohorts_have_the_published_sizes_retention_and_revenue() -> None:
    table = cohorts(counters(), LAST_MONTH)

    assert [(cohort.month - JANUARY, cohort.customers) for cohort in table] == [(0, 7_846), (1, 8_476), (2, 7_248)]
    assert [round(cohort.retention[1], 4) for cohort in table] == [0.1475, 0.1548, 0.1424]
    assert [round(cohort.retention[12], 4) for cohort in table] == [0.0673, 0.0670, 0.0935]
    published = [(38.12, 71.61, 95.75), (37.58, 68.64, 90.94), (38.62, 68.06, 91.86)]
    assert [tuple(round(cohort.cumulative[age] / 100, 2) for age in (0, 6, 12)) for cohort in table] == published
    assert all(cohort.retention[0] == 1.0 and cohort.revenue_retention[0] == 1.0 for cohort in table)


def test_cohorts_agree_with_pandas_in_every_cell() -> None:
    lines = cdnow()
    first = lines.groupby("customer").month.min().rename("cohort")
    joined = lines.join(first, on="customer")
    cells = joined.groupby(["cohort", joined.month - joined.cohort]).agg(
        active=("customer", "nunique"), cents=("cents", "sum")
    )
    for cohort in cohorts(counters(), LAST_MONTH):
        assert len(cohort.retention) == LAST_MONTH - cohort.month + 1
        for age, (share, revenue) in enumerate(zip(cohort.retention, cohort.revenue, strict=True)):
            assert share * cohort.customers == pytest.approx(cells["active"][cohort.month, age])
            assert revenue * cohort.customers == pytest.approx(cells["cents"][cohort.month, age])


@pytest.mark.parametrize(
    "days, published", [(30, 0.174586), (60, 0.251549), (90, 0.292193), (180, 0.374501), (365, 0.458634)]
)
def test_the_repurchase_rate_is_the_published_one(days: int, published: float) -> None:
    assert repurchase_rate(counters(), days, LAST_DAY) == pytest.approx(published, abs=5e-7)


def test_a_month_that_is_not_over_is_not_shown() -> None:
    table = cohorts(counters(), JANUARY + 1)

    assert [len(cohort.retention) for cohort in table] == [2, 1]


def test_who_is_too_young_to_have_come_back_does_not_count_against_the_rate() -> None:
    old = Past(first_day=0, first_month=0, second_day=20, months={0: Month(2, 10, 5)})
    young = Past(first_day=80, first_month=0, months={0: Month(1, 5, 2)})
    both = merged([contribution(old), contribution(young)])

    assert repurchase_rate(both, 30, 100) == 1.0
    assert repurchase_rate(both, 30, 110) == 0.5
    assert repurchase_rate(both, 30, 10) is None
    with pytest.raises(ValueError, match="not 45"):
        repurchase_rate(both, 45, 100)


@pytest.mark.parametrize("cost, published", [(50, [2, 2, 2]), (70, [6, 7, 7]), (100, [14, 15, 15])])
def test_payback_comes_in_the_published_month(cost: int, published: list[int]) -> None:
    spend = {("shop", cohort.month): cost * 100 * cohort.customers for cohort in cohorts(counters(), LAST_MONTH)}
    found = acquisition(counters(), spend, LAST_MONTH, horizon_months=12, measure="net")

    assert [row.payback_month for row in found] == published
    assert [row.cost for row in found] == [cost * 100.0] * 3
    assert found[0].ratio == pytest.approx(95.75 / cost, rel=1e-4)


def test_money_that_brought_nobody_is_shown_and_a_channel_without_spend_too() -> None:
    one = Past(first_day=0, first_month=10, channel="search", months={10: Month(1, 300, 100), 11: Month(0, -50, -20)})
    found = acquisition(contribution(one), {("radio", 10): 900}, 11, horizon_months=1)

    assert [(row.channel, row.customers, row.cost, row.value, row.ratio) for row in found] == [
        ("radio", 0, None, None, None),
        ("search", 1, None, 80.0, None),
    ]


def test_a_horizon_not_lived_through_has_no_value_and_a_debt_no_payback() -> None:
    one = Past(first_day=0, first_month=10, channel="search", months={10: Month(1, 300, 100)})
    (row,) = acquisition(contribution(one), {("search", 10): 200}, 11, horizon_months=6)

    assert (row.cost, row.value, row.ratio, row.payback_month) == (200.0, None, None, None)
    assert payback_month([10, 20, 30], 20) == 1


orders = st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 500), st.integers(-3, 200), st.booleans()), max_size=10)


@given(events=orders)
def test_counters_follow_orders_and_cancellations_step_by_step(events: list[tuple[int, int, int, bool]]) -> None:
    past, total, standing = Past(channel="mail"), dict[str, int](), list[tuple[int, int, int]]()

    def place(change: tuple[int, int, int, int]) -> None:
        before = contribution(past)
        count_order(past, *change)
        months = [month for month, _, _ in standing]
        past.first_month = min(months, default=None)
        past.first_day = None if past.first_month is None else past.first_month * 30
        add(total, difference(contribution(past), before))

    for month, net, margin, cancelled in events:
        standing.append((month, net, margin))
        place((month, 1, net, margin))
        if cancelled:
            standing.remove((month, net, margin))
            place((month, -1, -net, -margin))
    fresh = Past(channel="mail", first_day=past.first_day, first_month=past.first_month)
    for month, net, margin in standing:
        count_order(fresh, month, 1, net, margin)

    assert total == contribution(fresh)
    assert fresh.months == past.months


def test_a_customer_without_an_order_is_in_no_cohort() -> None:
    assert contribution(Past()) == {}
    assert "size|unknown|3" in contribution(Past(first_day=90, first_month=3))


def test_what_a_cohort_brought_is_the_lifetime_value_of_its_customers_with_what_was_free_to_them() -> None:
    def brought(ada: Timeline) -> tuple[int, int, int]:
        table = cohorts(part_of(statistics.counters(ada.profile, ada.engine.book), "cohort"), 2026 * 12 + 5, "margin")
        assert len(table) == 1
        assert table[0].cumulative[-1] == ada.profile.ltv.margin
        return table[0].month, ada.profile.ltv.margin, round(sum(table[0].retention))

    march = 2026 * 12 + 2
    tent, again = product("tent", 9_000, cost_minor=4_000), product("tent", 0, cost_minor=4_000)
    ada = Timeline().order("sample", -10 * DAY, product("peg", 0, cost_minor=50))
    ada.order("o1", 0, tent)
    assert brought(ada) == (march, 4_950, 1)

    ada.order("replacement", 40 * DAY, again, shipping_cost_minor=700)
    assert brought(ada) == (march, 250, 1)

    ada.tell(events.OrderRefunded, 45 * DAY, order_id="replacement", refund_id="r", amount_minor=200)
    assert brought(ada) == (march, 50, 1)

    other = Timeline(customer="user_id:ada at the till").order("o2", 70 * DAY, tent)
    ada.becomes_one_with(other)
    assert brought(ada) == (march, 5_050, 2)

    ada.tell(events.OrderCancelled, 72 * DAY, order_id="replacement")
    assert brought(ada) == (march, 9_950, 2)


def test_a_month_before_the_first_order_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="month 2 lies before"):
        contribution(Past(first_day=90, first_month=3, months={2: Month(1, 5, 5)}))


def test_months_stay_bounded() -> None:
    past = Past()
    for month in range(MONTHS_MAX + 3):
        count_order(past, month, 1, 10, 1)

    assert len(past.months) == MONTHS_MAX
    assert 2 not in past.months
