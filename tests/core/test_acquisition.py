"""The channel that won a customer: first or last visit with a source before her first order, whatever arrives when."""

from itertools import permutations
from typing import Any

import pytest

from profiles import statistics
from profiles.acquisition import channel_of, label
from profiles.book import Book
from profiles.document import document
from profiles.engine import Engine
from profiles.insight.tallies import Tally, add, difference, merged
from profiles.merge import merge
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.rules import Acquisition, Rules
from profiles.state import Moment, Touch
from profiles.value.origin import DIRECT
from schemas import events
from schemas.events import Arrival, Campaign
from tests.laws.histories import START_MS

DAY_MS = 86_400_000
LAST = Book()
FIRST = Book(rules=Rules(acquisition=Acquisition(by="first_touch")))


def visit(day: int, source: str | None, medium: str | None = None, **fields: Any) -> events.PageViewed:
    campaign = None if source is None else Campaign(source=source, medium=medium)
    return events.PageViewed(
        message_id=f"v{day}{source}",
        timestamp_ms=START_MS + day * DAY_MS,
        channel="browser",
        url="https://shop.example/tea",
        campaign=campaign,
        **fields,
    )


def order(day: int, order_id: str = "o1", **fields: Any) -> events.OrderCompleted:
    return events.OrderCompleted(
        message_id=f"m{order_id}", timestamp_ms=START_MS + day * DAY_MS, order_id=order_id, revenue_minor=900, **fields
    )


def played(told: list[events.Event], book: Book = LAST, name: str = "user_id:ada") -> tuple[Profile, Ledger, Tally]:
    profile, ledger, engine, counted = Profile(name), Ledger(complete=True), Engine(book, ()), Tally()
    for event in told:
        at_ms = event.timestamp_ms
        engine.step(profile, Arrival(event, at_ms, at_ms, name, name[8:]), Moment(START_MS - 1), ledger, [])
        add(counted, ledger.counted)
        ledger.counted.clear()
    return profile, ledger, counted


STORY: list[events.Event] = [
    visit(0, "google", "cpc"),
    visit(3, "mail"),
    visit(5, None),
    order(6),
    visit(9, "instagram"),
]


@pytest.mark.parametrize("book, channel", [(LAST, "mail"), (FIRST, "google / cpc")])
def test_first_and_last_touch_whatever_the_order_of_arrival(book: Book, channel: str) -> None:
    for told in permutations(STORY):
        profile, _, counted = played(list(told), book)

        assert channel_of(profile, book) == channel
        assert counted == statistics.counters(profile, book)
        assert any(name.startswith(f"cohort:size|{channel}|") for name in counted)


def test_direct_visits_take_no_credit_and_where_all_are_direct_the_channel_is() -> None:
    assert channel_of(played([visit(0, "mail"), visit(1, None), order(2)])[0], LAST) == "mail"
    assert channel_of(played([visit(0, None), order(2)])[0], LAST) == DIRECT
    assert channel_of(played([order(2), visit(3, "mail")])[0], LAST) == DIRECT


def test_nobody_is_won_before_she_has_ordered() -> None:
    profile, _, counted = played([visit(0, "mail")])

    assert channel_of(profile, LAST) is None
    assert counted == {}
    shown = document(profile, LAST, START_MS).acquisition
    assert (shown.channel, shown.first_touch, shown.last_touch) == (None, "mail", "mail")


def test_a_first_order_that_is_cancelled_gives_the_credit_to_a_later_visit() -> None:
    cancelled = events.OrderCancelled(message_id="x", timestamp_ms=START_MS + 7 * DAY_MS, order_id="o1")
    told = [visit(0, "google"), order(1), visit(3, "mail"), order(5, "o2"), cancelled]
    profile, _, counted = played(told)

    assert channel_of(profile, LAST) == "mail"
    assert counted == statistics.counters(profile, LAST)


def test_another_site_is_a_referral_and_a_name_can_not_break_a_counter() -> None:
    assert label(Touch(0, referrer="blog.example")) == "blog.example / referral"
    assert label(Touch(0, name="spring")) == "spring"
    assert label(Touch(0, "a|b:c", "x" * 200)) == "a/b.c / " + "x" * 72


def test_merged_profiles_have_the_channel_of_one_that_saw_it_all() -> None:
    one, ledger, counted = played([visit(3, "mail"), order(6)])
    other, other_ledger, other_counted = played([visit(0, "google"), order(2, "o0")], name="anonymous_id:7")
    before = merged([statistics.counters(one, LAST), statistics.counters(other, LAST)])

    merge(one, ledger, other, other_ledger.all(), LAST)

    assert channel_of(one, LAST) == one.past.channel == "google"
    assert merged([counted, other_counted, difference(statistics.counters(one, LAST), before)]) == statistics.counters(
        one, LAST
    )
