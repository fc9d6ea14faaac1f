"""Segments of one customer: entering and leaving, waiting a little, new definitions, merges, and what lies in the profile."""

from math import ceil, floor
from typing import Any

import pytest

from profiles import merge
from profiles.book import Book
from profiles.changes import CHANGED_BY, EVERYTHING
from profiles.document import document
from profiles.expressions.errors import ExpressionError
from profiles.expressions.expression import compile_expression
from profiles.needs import NeedLedger
from profiles.order_state import Ledger
from profiles.profile import decode_profile
from profiles.segments import COALESCE_MS, SEGMENTS_MAX, WAKE, SegmentChange, Segments
from profiles.state import Moment
from profiles.view import ProfileView
from schemas import events
from schemas.events import Event, Product
from tests.laws.histories import MINUTE_MS, START_MS, arrival
from tests.laws.segment_shop import SegmentShop

BOOK = Book()
DAY_MIN = 24 * 60
TEA = Product(product_id="A", category="tea/green", price_minor=1000)


def shop_with(**conditions: str) -> SegmentShop:
    tables = {key: {"when": when} for key, when in conditions.items()}
    return SegmentShop(Segments.compile({"segments": tables}), BOOK)


def happens(shop: SegmentShop, kind: type[Event], minute: int, **fields: Any) -> None:
    told = arrival(kind, minute, f"{kind.__name__}{minute}", **fields)
    shop.wait(told.time_ms - 1)
    shop.apply(told)


def ordered(shop: SegmentShop, minute: int, order_id: str, revenue_minor: int, **fields: Any) -> None:
    happens(shop, events.OrderCompleted, minute, order_id=order_id, revenue_minor=revenue_minor, **fields)


def at(minute: float) -> int:
    return START_MS + round(minute * MINUTE_MS)


def changes(shop: SegmentShop) -> list[tuple[str, bool, int]]:
    return [(change.segment, change.entered, change.at_ms) for change in shop.told]


# --- entering and leaving -------------------------------------------------------------------------------------------


def test_she_enters_with_the_order_that_makes_her_one_and_leaves_with_the_refund() -> None:
    shop = shop_with(big="profile.ltv.net_minor > 30000 && profile.orders.count >= 2")
    ordered(shop, 0, "o1", 20_000)
    ordered(shop, 10, "o2", 20_000)
    happens(shop, events.OrderRefunded, 20, order_id="o2", refund_id="r", amount_minor=15_000)

    assert shop.told == [
        SegmentChange(segment="big", version=1, entered=True, at_ms=at(10), since_ms=at(10)),
        SegmentChange(segment="big", version=1, entered=False, at_ms=at(20), since_ms=at(10)),
    ]


def test_she_leaves_in_the_millisecond_in_which_the_window_ends_without_any_event() -> None:
    shop = shop_with(looking='views("30m") >= 3', spending='spend_minor("90d") >= 5000')
    for minute in (0, 1, 2, 3):
        happens(shop, events.ProductViewed, minute, product=TEA)
    ordered(shop, 5, "o1", 5000)
    shop.wait(at(200 * DAY_MIN))

    assert changes(shop) == [
        ("looking", True, at(2)),
        ("spending", True, at(5)),
        # The third newest view, of minute 1, is 30 minutes old.
        ("looking", False, at(31)),
        ("spending", False, at(5 + 90 * DAY_MIN)),
    ]
    # Twice for the turns, and once at minute 30, which was right until the fourth view.
    assert shop.wakes == 3
    assert shop.profile.wakes.get(WAKE) is None


def test_what_she_does_in_that_very_millisecond_keeps_her_in() -> None:
    shop = shop_with(recent='orders("30d") >= 1')
    ordered(shop, 0, "o1", 5000)
    ordered(shop, 30 * DAY_MIN, "o2", 5000)

    assert changes(shop) == [("recent", True, at(0))]


def test_a_date_is_passed_without_any_event() -> None:
    shop = shop_with(lapsed='profile.orders.last_ms < ago("60d")')
    ordered(shop, 0, "o1", 5000)
    shop.wait(at(61 * DAY_MIN))
    ordered(shop, 70 * DAY_MIN, "o2", 5000)

    assert changes(shop) == [("lapsed", True, at(60 * DAY_MIN) + 1), ("lapsed", False, at(70 * DAY_MIN))]


def test_a_date_in_a_trait_is_passed_whether_it_is_whole_or_not() -> None:
    for date in (at(10), at(10) + 0.5):
        shop = shop_with(passed="profile.traits.date < now_ms", reached="now_ms >= profile.traits.date")
        happens(shop, events.Identified, 0, traits={"date": date})
        shop.wait(at(20))

        assert {segment: at_ms for segment, _, at_ms in changes(shop)} == {
            "reached": ceil(date),
            "passed": floor(date) + 1,
        }


@pytest.mark.parametrize("date", ["tomorrow", None, True, [], float("nan"), float("inf")])
def test_what_is_no_date_makes_the_comparison_fail(date: object) -> None:
    shop = shop_with(
        passed="profile.traits.date < now_ms",
        liked="profile.interests.categories[profile.traits.date] > 1.0",
        likes='profile.interests.categories["tea/green"] > profile.traits.date',
        among="profile.traits.date in profile.interests.categories",
        paced="profile.orders.per_year > profile.traits.date",
    )
    happens(shop, events.ProductViewed, 0, product=TEA)
    ordered(shop, 1, "o1", 100)
    ordered(shop, 50 * DAY_MIN, "o2", 100)
    happens(shop, events.Identified, 50 * DAY_MIN + 1, traits={"date": date})

    assert shop.inside() == set()


def test_which_interest_is_her_first_is_not_turned_by_time_alone() -> None:
    shop = shop_with(tea='profile.interests.categories.map(c, c)[0] == "tea"')
    happens(shop, events.ProductViewed, 0, product=Product(product_id="A", category="coffee"))
    happens(shop, events.ProductViewed, 5, product=Product(product_id="B", category="tea"))

    for day in range(0, 200, 3):
        shop.wait(at(day * DAY_MIN + 60))
        # To four decimals both are the same at times.
        assert list(document(shop.profile, BOOK, shop.now_ms).interests.categories)[:1] in (["tea"], [])
        assert shop.inside() == shop.by_hand(shop.now_ms)


def test_an_instant_that_never_comes_is_no_timer() -> None:
    shop = shop_with(before="now_ms < profile.traits.until", after='profile.traits.until <= ago("30d")')
    happens(shop, events.Identified, 0, traits={"until": 1e300})

    assert shop.inside() == {"before"}
    assert WAKE not in shop.profile.wakes


def test_an_interest_fades_below_its_threshold_without_any_event() -> None:
    shop = shop_with(tea='profile.interests.categories["tea/green"] >= 2.0')
    happens(shop, events.ProductAddedToWishlist, 0, product=TEA)
    happens(shop, events.ProductViewed, 1, product=TEA)
    shop.wait(at(60 * DAY_MIN))

    # A score of 4 is halved after 14 days; it shows as 2.0 until it rounds to 1.9999.
    (entered, left) = changes(shop)
    assert entered == ("tea", True, at(0))
    assert left[:2] == ("tea", False)
    assert at(14 * DAY_MIN) < left[2] < at(14 * DAY_MIN) + 2 * MINUTE_MS
    assert ProfileView(shop.profile, BOOK, left[2] - 1).interests.categories["tea/green"] == 2.0
    assert ProfileView(shop.profile, BOOK, left[2]).interests.categories["tea/green"] < 2.0


def test_orders_per_year_gets_a_value_and_falls_without_any_event() -> None:
    shop = shop_with(regular="profile.orders.per_year >= 6.0")
    ordered(shop, 0, "o1", 5000)
    ordered(shop, 1, "o2", 5000)
    shop.wait(at(400 * DAY_MIN))

    # One repeat order: 365.25 / 6 = 60.875 days; there is no pace before 30 days.
    assert changes(shop) == [("regular", True, at(30 * DAY_MIN)), ("regular", False, at(60.875 * DAY_MIN) + 1)]


def test_a_late_event_counts_where_it_belongs() -> None:
    shop = shop_with(looking='views("30m") >= 3')
    for minute in (0, 20, 40):
        happens(shop, events.ProductViewed, minute, product=TEA)
    shop.apply(arrival(events.ProductViewed, 15, "late", product=TEA))
    shop.wait(at(100))

    assert changes(shop) == [("looking", True, at(40)), ("looking", False, at(45))]


def test_only_what_an_event_can_have_changed_is_looked_at() -> None:
    shop = shop_with(buyers="profile.orders.count > 0", gold='profile.traits.tier == "gold"', failing="1 / 0 == 1")
    happens(shop, events.PageViewed, 0)
    shop.segments.failures.take()
    happens(shop, events.ProductViewed, 1, product=TEA)
    happens(shop, events.Identified, 2, traits={"x": 1})

    (failure,) = shop.segments.failures.take()
    assert (failure.condition, failure.count) == ("segments.gold", 1)


# --- waiting a little -----------------------------------------------------------------------------------------------


def quickly(shop: SegmentShop, *tiers: tuple[int, str]) -> None:
    """Traits said so many milliseconds after the first one."""
    for number, (after_ms, tier) in enumerate(tiers):
        told = events.Identified(message_id=f"q{number}", timestamp_ms=START_MS + after_ms, traits={"tier": tier})
        shop.wait(START_MS + after_ms - 1)
        shop.apply(events.Arrival(told, START_MS + after_ms, START_MS + after_ms, "user_id:ada", "ada"))


def test_a_change_that_is_taken_back_within_five_seconds_was_none() -> None:
    shop = shop_with(gold='profile.traits.tier == "gold"')
    quickly(shop, (0, "gold"), (2000, "silver"), (4000, "gold"))
    shop.wait(at(10))

    assert changes(shop) == [("gold", True, START_MS)]
    assert shop.profile.wakes.get(WAKE) is None


def test_a_change_that_stays_is_told_five_seconds_after_the_last_one() -> None:
    shop = shop_with(gold='profile.traits.tier == "gold"')
    quickly(shop, (0, "gold"), (2000, "silver"))
    assert shop.inside() == {"gold"}
    shop.wait(at(10))

    assert changes(shop) == [("gold", True, START_MS), ("gold", False, START_MS + COALESCE_MS)]
    assert shop.inside() == set()
    assert shop.profile.memberships.held == []  # nothing waits any more


def test_five_seconds_later_a_change_is_told_at_once() -> None:
    shop = shop_with(gold='profile.traits.tier == "gold"')
    quickly(shop, (0, "gold"), (5000, "silver"), (9999, "gold"))
    shop.wait(at(10))

    assert changes(shop) == [
        ("gold", True, START_MS),
        ("gold", False, START_MS + 5000),
        ("gold", True, START_MS + 10_000),
    ]


# --- definitions ----------------------------------------------------------------------------------------------------


def rules_changed(shop: SegmentShop, **tables: Any) -> None:
    shop.by_rules(Segments.compile({"segments": tables}), BOOK)


def test_by_changed_definitions_who_left_is_told_of_with_the_new_version_and_who_is_in_is_no_news() -> None:
    shop = shop_with(big="profile.ltv.net_minor > 10000", other="profile.orders.count == 1")
    ordered(shop, 0, "o1", 20_000)
    rules_changed(
        shop,
        big={"when": "profile.ltv.net_minor > 30000", "version": 2},
        small={"when": "profile.ltv.net_minor < 30000", "description": "all others"},
    )
    assert shop.segments.stale(shop.profile)
    happens(shop, events.PageViewed, 10)

    assert [(change.segment, change.version, change.entered) for change in shop.told[2:]] == [
        ("big", 2, False),
    ]
    assert shop.inside() == {"small"}
    assert not shop.segments.stale(shop.profile)

    ordered(shop, 20, "o2", 20_000)  # from here on what changes is news

    assert [(change.segment, change.version, change.entered) for change in shop.told[3:]] == [
        ("big", 2, True),
        ("small", 1, False),
    ]


def test_the_very_event_that_finds_new_definitions_may_bring_her_in() -> None:
    shop = shop_with(buyers="profile.orders.count >= 1")
    happens(shop, events.PageViewed, 0)
    rules_changed(shop, regulars={"when": "profile.orders.count >= 1"}, seen={"when": "profile.first_seen_ms > 0"})
    ordered(shop, 10, "o1", 20_000)

    assert [(change.segment, change.entered) for change in shop.told] == [("regulars", True)]
    assert shop.inside() == {"regulars", "seen"}


def test_a_change_that_was_held_back_of_a_segment_that_is_gone_is_waited_for_no_more() -> None:
    shop = shop_with(gold='profile.traits.tier == "gold"')
    quickly(shop, (0, "gold"), (2000, "silver"))
    waited_for = list(shop.profile.memberships.held)
    rules_changed(shop, seen={"when": "profile.first_seen_ms > 0"})
    happens(shop, events.PageViewed, 10)

    assert (waited_for, shop.profile.memberships.held, shop.inside()) == (["gold"], [], {"seen"})


@pytest.mark.parametrize("version", [True, 0, "1", 1.0])
def test_a_version_is_a_whole_number_from_one_on(version: object) -> None:
    with pytest.raises(ExpressionError, match=r"segments\.big\.version: expected a whole number from 1 on"):
        Segments.compile({"segments": {"big": {"when": "profile.orders.count > 1", "version": version}}})


def test_as_many_segments_may_be_defined_as_the_bound_says() -> None:
    tables = {f"s{number}": {"when": "profile.orders.count > 1"} for number in range(SEGMENTS_MAX + 1)}

    with pytest.raises(ExpressionError, match="at most"):
        Segments.compile({"segments": tables})
    del tables["s0"]
    assert len(Segments.compile({"segments": tables}).segments) == SEGMENTS_MAX


def test_a_customer_whom_the_shop_sees_for_the_first_time_enters_what_she_is_in() -> None:
    shop = shop_with(strangers="profile.orders.count == 0")
    happens(shop, events.PageViewed, 0)

    assert [(change.segment, change.entered) for change in shop.told] == [("strangers", True)]


def test_what_two_profiles_make_together_is_news() -> None:
    shop, other = (shop_with(regulars='orders("30d") >= 2') for _ in range(2))
    ordered(shop, 0, "o1", 20_000)
    ordered(other, 1, "o2", 20_000)
    shop.segments.unite(shop.profile, shop.orders, other.profile, shop.book, was_there=True)
    shop.profile.orders.count = 2
    shop.profile.windows.order_gaps, shop.profile.windows.order_nets = [at(1), at(1) - at(0)], [200, 200]
    happens(shop, events.PageViewed, 10)

    assert [(change.segment, change.entered) for change in shop.told] == [("regulars", True)]


def test_a_timer_that_comes_before_new_definitions_were_taken_up_leaves_them_to_whoever_has_the_ledger() -> None:
    shop = shop_with(buyers="profile.orders.count >= 1")
    ordered(shop, 0, "o1", 20_000)
    rules_changed(shop, spending={"when": 'spend_minor("30d") > 10000'})
    shop.profile.wakes["listener|x"] = at(1)
    shop.engine.fire(shop.profile, Moment(at(2)), Ledger(), [])

    assert shop.segments.stale(shop.profile)

    happens(shop, events.PageViewed, 3)

    assert shop.inside() == {"spending"}


def test_a_job_can_look_at_a_profile_that_nothing_happens_to() -> None:
    shop = shop_with(buyers="profile.orders.count >= 1")
    ordered(shop, 0, "o1", 20_000)
    rules_changed(shop, regulars={"when": 'orders("30d") >= 1'})
    shop.look_anew(at(10))

    assert shop.inside() == {"regulars"}
    assert shop.profile.wakes.get(WAKE) == at(30 * DAY_MIN)


def test_new_windows_over_orders_ask_for_the_whole_ledger_before_anything_is_changed() -> None:
    shop = shop_with(buyers="profile.orders.count >= 1")
    ordered(shop, 0, "o1", 20_000)
    rules_changed(shop, spending={"when": 'spend_minor("30d") > 10000'})
    before, known = shop.profile.pack(), shop.orders
    shop.orders = Ledger()
    with pytest.raises(NeedLedger):
        happens(shop, events.PageViewed, 1)
    assert shop.profile.pack() == before

    shop.orders = known
    happens(shop, events.PageViewed, 1)
    assert shop.inside() == {"spending"}


def test_a_new_customer_never_needs_the_whole_ledger() -> None:
    shop = shop_with(spending='spend_minor("30d") > 10000')
    shop.orders = Ledger()
    happens(shop, events.PageViewed, 0)

    assert not shop.segments.windows.needs_ledger(shop.profile)


def test_what_no_condition_asks_for_any_more_is_dropped() -> None:
    shop = shop_with(all_kinds='views("1d") > 1 || sessions("1d") > 1 || orders("1d") > 1')
    happens(shop, events.ProductViewed, 0, product=TEA, channel="browser")
    ordered(shop, 1, "o1", 5000)
    rules_changed(shop, buyers={"when": "profile.orders.count > 0"})
    happens(shop, events.PageViewed, 2)
    again = decode_profile(shop.profile.pack())

    assert b'"windows"' not in again.pack()


def test_a_shop_that_gives_up_its_segments_is_rid_of_them_with_the_next_event() -> None:
    shop = shop_with(buyers="profile.orders.count > 0", looking='views("1d") >= 1 && orders("9d") >= 1')
    happens(shop, events.ProductViewed, 0, product=TEA)
    ordered(shop, 1, "o1", 5000)
    rules_changed(shop)
    happens(shop, events.PageViewed, 2)

    for word in (b'"windows"', b'"memberships"', b'"definitions"'):
        assert word not in shop.profile.pack()
    assert "segments" not in shop.profile.wakes


def test_a_shop_without_segments_keeps_nothing_and_looks_at_nothing() -> None:
    shop = SegmentShop(Segments(), BOOK)
    happens(shop, events.ProductViewed, 0, product=TEA)
    ordered(shop, 1, "o1", 5000)

    assert shop.told == []
    for word in (b'"windows"', b'"memberships"', b'"definitions"'):
        assert word not in shop.profile.pack()
    assert "segments" not in shop.profile.wakes


def test_what_conditions_of_triggers_count_is_kept_as_well() -> None:
    condition = compile_expression('views("1h", product("A")) >= 1 && orders("9d", category("tea")) == 0')
    segments = Segments((), [condition])
    shop = SegmentShop(segments, BOOK)
    happens(shop, events.ProductViewed, 0, product=TEA)

    assert shop.profile.windows.counts == {"views product A": [at(0)]}
    assert segments.fingerprint != ""


def test_a_failing_condition_counts_as_not_met_and_is_counted() -> None:
    shop = shop_with(
        failing="profile.ltv.net_minor / (profile.orders.count - 1) > 100", other="profile.orders.count == 1"
    )
    ordered(shop, 0, "o1", 20_000)
    ordered(shop, 10, "o2", 20_000)
    happens(shop, events.OrderCancelled, 20, order_id="o2")

    assert changes(shop) == [
        ("other", True, at(0)),
        ("failing", True, at(10)),
        ("other", False, at(10)),
        ("failing", False, at(20)),
        ("other", True, at(20)),
    ]
    (failure,) = shop.segments.failures.take()
    assert (failure.condition, failure.count, failure.reasons) == ("segments.failing", 2, (("a division by zero", 2),))


# --- merges ---------------------------------------------------------------------------------------------------------


def test_a_merge_counts_what_both_did_and_may_change_segments() -> None:
    conditions = {
        "looking": 'views("1h") >= 3',
        "spending": 'spend_minor("9d") > 8000',
        "bare": "profile.orders.count == 0",
    }
    ada, visitor = shop_with(**conditions), shop_with(**conditions)
    visitor.profile.id = "anonymous_id:v"
    ordered(ada, 0, "o1", 5000)
    happens(ada, events.ProductViewed, 1, product=TEA)
    happens(visitor, events.ProductViewed, 2, product=TEA)
    happens(visitor, events.ProductViewed, 3, product=TEA)
    ordered(visitor, 4, "o2", 5000)
    shop = ada
    merge.merge(shop.profile, shop.orders, visitor.profile, visitor.orders.all(), shop.book)
    assert shop.segments.stale(shop.profile)
    happens(shop, events.PageViewed, 5)

    assert shop.inside() == {"looking", "spending"} == shop.by_hand(at(5))
    shop.wait(at(20 * DAY_MIN))
    # The third newest view is the one of minute 1, and 8000 are spent until the first order is nine days old.
    assert changes(shop)[-2:] == [("looking", False, at(61)), ("spending", False, at(9 * DAY_MIN))]


# --- the table of changes -------------------------------------------------------------------------------------------


def test_every_event_has_a_line_in_the_table_of_changes() -> None:
    assert {"orders", "ltv"} <= CHANGED_BY[events.OrderRefunded]
    assert "orders" not in CHANGED_BY[events.ProductViewed]
    assert all(fields <= EVERYTHING for fields in CHANGED_BY.values())


def test_segments_and_windows_are_small_in_the_profile() -> None:
    asked = {"buyers": "profile.orders.count > 0", "looking": 'views("30m") >= 3'}
    shop, plain = shop_with(**asked), SegmentShop(Segments(), BOOK)
    for minute in range(3):
        for each in (shop, plain):
            happens(each, events.ProductViewed, minute, product=TEA)

    # A fingerprint, an instant to wake, a list of three moments, one membership.
    assert len(shop.profile.pack()) - len(plain.profile.pack()) < 180
