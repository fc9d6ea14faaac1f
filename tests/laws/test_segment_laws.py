"""A customer is in a segment exactly while its condition holds: after any event, in any order, and as time goes by."""

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.book import Book
from profiles.profile import decode_profile
from profiles.rates import build_rates
from profiles.segments import COALESCE_MS, WAKE, Segments
from schemas.events import Arrival
from schemas.money import exponent
from tests.laws.histories import MINUTE_MS, START_MS, histories
from tests.laws.segment_shop import SegmentShop

HOUR_MIN = 60
DAY_MIN = 24 * HOUR_MIN
BOOK = Book(rates=build_rates([{"currency": "EUR", "date": "2020-01-01", "rate": "1.1"}], "USD", exponent))
DEFINITIONS = {
    "buyers": "profile.orders.count >= 1",
    "big": "profile.ltv.net_minor > 9000 && profile.orders.count >= 2",
    "spending": 'spend_minor("2d") > 5000',
    "not_spending": 'spend_minor("30h") <= 100',
    "recent": 'orders("1d") >= 1 && !(orders("1d") > 2)',
    "tea_buyers": 'orders("2d", category("tea")) >= 1',
    "lookers": 'views("30m") >= 2 || views("1d", category("tea")) >= 1',
    "one_view": 'views("90m") == 1',
    "adders": 'adds("45m") > 1',
    "busy": 'sessions("1d") >= 2 && events("1d", "Page Viewed") < 3',
    "counted": 'views("1h") + adds("1h") >= 2',
    "quiet": 'profile.last_seen_ms < ago("3h")',
    "lapsed": 'profile.orders.last_ms <= ago("20h")',
    "fresh": 'profile.first_seen_ms > ago("10h")',
    "soon": 'ahead("1h") >= profile.last_seen_ms && now_ms < profile.orders.first_ms',
    "tea": 'profile.interests.categories["tea"] > 3.9',
    "cooled": 'profile.interests.categories["tea/green"] < 4.995 || profile.interests.brands.acme <= 2.5',
    "interested": '"tea" in profile.interests.categories || has(profile.interests.brands.acme)',
    "any_brand": "has(profile.interests.brands) && size(profile.interests.categories) > 1",
    "green": 'profile.interests.categories.exists(c, c.startsWith("tea/") && profile.interests.categories[c] >= 2.0)',
    "full_cart": "profile.carts.exists(c, c.value_minor > 3000)",
    "old_cart": 'profile.carts.exists(c, c.updated_ms < ago("2h") && c.items.size() >= 1)',
    "gold": 'profile.traits.tier == "gold"',
    "granted": 'profile.consent["email.marketing"] == "GRANT"',
    "failing": "profile.orders.aov_minor / (profile.orders.count - 1) > 1000",
    "paced": "profile.orders.per_year > 20.0",
    "cancelled": "profile.orders.cancelled_count > 0 && profile.orders.last_ms == null",
}
SEGMENTS = Segments.compile({"segments": {key: {"when": when} for key, when in DEFINITIONS.items()}})

OF_INTERESTS = {segment.key for segment in SEGMENTS.segments if any("interests" in read for read in segment.when.reads)}
"""An order's interests are those of its first version to arrive, so they are no fact of the set of events."""


def settled(shop: SegmentShop) -> set[str]:
    """The segments whose last change lies far enough back for another one."""
    memberships = shop.profile.memberships
    recent = {
        key
        for kept in (memberships.inside_ms, memberships.left_ms)
        for key, at_ms in kept.items()
        if shop.now_ms < at_ms + COALESCE_MS
    }
    return set(DEFINITIONS) - recent - set(memberships.held)


@settings(max_examples=150)
@given(
    histories(span_minutes=4 * DAY_MIN),
    st.lists(st.integers(0, 50 * DAY_MIN * MINUTE_MS), max_size=6),
    st.booleans(),
)
def test_she_is_in_a_segment_exactly_while_its_condition_holds(
    story: list[Arrival], looks: list[int], through_bytes: bool
) -> None:
    shop = SegmentShop(SEGMENTS, BOOK)
    for told, following in zip(story, [*story[1:], None], strict=True):
        shop.wait(told.time_ms - 1)
        shop.apply(told)
        if through_bytes:
            shop.profile = decode_profile(shop.profile.pack())
        until_ms = START_MS + 90 * DAY_MIN * MINUTE_MS if following is None else following.time_ms - 1
        for look_ms in sorted({told.time_ms, *(told.time_ms + look for look in looks)}):
            if shop.now_ms <= look_ms <= until_ms:
                shop.wait(look_ms)
                known = settled(shop)
                assert shop.inside() & known == shop.by_hand(look_ms) & known


@settings(max_examples=100)
@given(histories(span_minutes=2 * DAY_MIN))
def test_she_changes_in_the_very_millisecond_in_which_her_condition_turns(story: list[Arrival]) -> None:
    shop = SegmentShop(SEGMENTS, BOOK)
    for told in story:
        shop.wait(told.time_ms - 1)
        shop.apply(told)
    for _ in range(30):
        wake_ms, told_before = shop.profile.wakes.get(WAKE), len(shop.told)
        if wake_ms is None:
            break
        before = shop.by_hand(wake_ms - 1)
        shop.wait(wake_ms)
        now = shop.by_hand(wake_ms)
        for change in shop.told[told_before:]:
            assert change.at_ms == wake_ms
            assert (change.segment in now) is change.entered
        others = settled(shop) - {change.segment for change in shop.told[told_before:]}

        assert before & others == now & others


@given(histories(span_minutes=2 * DAY_MIN))
def test_a_clock_that_stays_behind_the_events_changes_nothing(story: list[Arrival]) -> None:
    exact, behind = SegmentShop(SEGMENTS, BOOK), SegmentShop(SEGMENTS, BOOK)
    for told in story:
        exact.wait(told.time_ms - 1)
        for shop in (exact, behind):
            shop.apply(told)

    assert behind.told == exact.told
    assert behind.profile.pack() == exact.profile.pack()


@settings(max_examples=100)
@given(histories(span_minutes=1000, max_events=10), st.randoms(use_true_random=False))
def test_events_in_any_order_of_arrival_lead_to_the_same_segments(story: list[Arrival], random: Any) -> None:
    shuffled = list(story)
    random.shuffle(shuffled)
    shops = []
    for arrivals in (story, shuffled):
        shop = SegmentShop(SEGMENTS, BOOK)
        for told in arrivals:
            shop.apply(told)
        shop.wait(START_MS + 10 * DAY_MIN * MINUTE_MS)
        shops.append(shop)
    one, other = (shop.inside() - OF_INTERESTS for shop in shops)

    assert one == other


@given(histories(span_minutes=DAY_MIN))
def test_every_change_takes_its_turn_and_the_last_one_is_the_truth(story: list[Arrival]) -> None:
    shop = SegmentShop(SEGMENTS, BOOK)
    for told in story:
        shop.wait(told.time_ms - 1)
        shop.apply(told)
    shop.wait(START_MS + 5 * DAY_MIN * MINUTE_MS)
    for key in DEFINITIONS:
        entered = [change.entered for change in shop.told if change.segment == key]
        times = [change.at_ms for change in shop.told if change.segment == key]

        assert entered == [place % 2 == 0 for place in range(len(entered))]
        assert (bool(entered) and entered[-1]) is (key in shop.inside())
        assert all(later - earlier >= COALESCE_MS for earlier, later in pairwise(times))


@given(histories(span_minutes=DAY_MIN))
def test_looking_at_everything_anew_changes_nothing(story: list[Arrival]) -> None:
    shop = SegmentShop(SEGMENTS, BOOK)
    for told in story:
        shop.wait(told.time_ms - 1)
        shop.apply(told)
    shop.wait(START_MS + 2 * DAY_MIN * MINUTE_MS)
    inside, told_before = shop.inside(), len(shop.told)
    shop.profile.definitions = "of other rules"

    assert shop.segments.stale(shop.profile)
    shop.look_anew(shop.now_ms)
    assert not shop.segments.stale(shop.profile)
    known = settled(shop)
    assert shop.inside() & known == inside & known
    assert [change for change in shop.told[told_before:] if change.segment in known] == []
