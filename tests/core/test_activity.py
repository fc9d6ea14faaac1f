"""Sessions, channels and touches."""

from itertools import permutations
from typing import Any

import pytest

from profiles.activity import CHANNELS_MAX, host_of, see
from profiles.profile import Profile
from profiles.state import Activity, Touch
from schemas import events
from schemas.events import Arrival, Campaign, Event

MINUTE_MS = 60_000


def event(minute: float, kind: type[Event] = events.PageViewed, **fields: Any) -> Arrival:
    at_ms = round(minute * MINUTE_MS)
    fields.setdefault("anonymous_id", "device")
    return Arrival(kind(message_id=f"m{minute}", timestamp_ms=at_ms, **fields), at_ms, at_ms, "user_id:ada", "ada")


def after(*arrivals: Arrival) -> Activity:
    profile = Profile("user_id:ada")
    for arrival in arrivals:
        see(profile, arrival)
    return profile.activity


def test_thirty_minutes_of_silence_end_a_session() -> None:
    assert after(event(0), event(29), event(58.9)).sessions == 1
    assert after(event(0), event(30)).sessions == 2


def test_calls_that_are_no_visit_keep_no_session_alive() -> None:
    activity = after(
        event(0),
        event(20, events.Identified),
        event(25, events.MessageOpened),
        event(28, events.OrderCompleted, order_id="o1", anonymous_id=None, channel="server"),
        event(40),
    )

    assert activity.sessions == 2
    assert activity.events == 5
    assert activity.last_ms == 40 * MINUTE_MS


def test_a_known_customer_in_a_browser_or_an_app_is_a_visit() -> None:
    assert (
        after(event(0, anonymous_id=None, channel="browser"), event(60, anonymous_id=None, channel="mobile")).sessions
        == 2
    )
    assert after(event(0, anonymous_id=None)).sessions == 0


def test_a_late_event_stretches_its_session_and_opens_no_other() -> None:
    activity = after(event(100), event(90), event(10))

    assert activity.sessions == 1
    assert activity.session_start_ms == 90 * MINUTE_MS
    assert activity.first_ms == 10 * MINUTE_MS


def test_views_searches_and_channels_are_counted() -> None:
    activity = after(
        event(0, events.ProductViewed, product=events.Product(product_id="p"), channel="mobile"),
        event(1, events.ProductsSearched, query="tea", channel="browser"),
        event(2, channel="browser"),
    )

    assert (activity.views, activity.searches) == (1, 1)
    assert activity.channels == {"mobile": 1, "browser": 2}


def test_channels_stay_bounded() -> None:
    activity = after(*(event(number, channel=f"c{number}") for number in range(20)))

    assert len(activity.channels) == CHANNELS_MAX
    assert sum(activity.channels.values()) == 20


def test_first_and_last_touch_do_not_depend_on_the_order_of_arrival() -> None:
    arrivals = (
        event(0, url="https://shop.example/"),
        event(5, url="https://www.shop.example/tea", referrer="https://Search.example/?q=tea"),
        event(6, url="https://shop.example/cart", referrer="https://www.shop.example/tea"),
        event(7, events.ProductsSearched, query="tea", campaign=Campaign(source="news", medium="email", name="may")),
        event(9, events.ProductsSearched, query="tea", referrer="https://other.example/"),
    )
    for order in permutations(arrivals):
        activity = after(*order)

        assert activity.first_touch == Touch(5 * MINUTE_MS, referrer="search.example")
        assert activity.last_touch == Touch(7 * MINUTE_MS, "news", "email", "may")


@pytest.mark.parametrize(
    "url, host",
    [
        ("https://www.example.com/a", "example.com"),
        ("//cdn.example.com?x", "cdn.example.com"),
        ("android-app://com.google.android.gm", "com.google.android.gm"),
        ("example.com/a", ""),
        ("", ""),
        ("https://", ""),
        ("https://[::1]:80/", "["),
    ],
)
def test_a_host_is_found_in_whatever_is_sent(url: str, host: str) -> None:
    assert host_of(url) == host
