"""Views as they are put down, also beside those of an earlier form: there, how a product was shown lay beside the views alone."""

from typing import Any

import pytest

from profiles.browsing import fold, looks, note_found, note_view, went_on
from profiles.profile import Profile, decode_profile
from profiles.state import Description, Priced
from schemas.events import Arrival, Product, ProductViewed

MINUTE_MS = 60_000
BEFORE = (
    b'{"id":"user_id:ada","activity":{"session_start_ms":0,"session_last_ms":60000,"session_by":"m1"},"browsing":{'
    b'"views":[[0,"m1","tent",60000],[60000,"m2","mat",0]],"visits":[[0,"m1"]],'
    b'"described":{"tent":[0,null,"Tent","camping",null,"https://shop.example/tent",null],"mat":[60000,null,"Mat",null,null,null,null]},'
    b'"offered":{"tent":[0,9900,null,"EUR"],"mat":[60000,1500,null,"EUR"]},"found_ms":60000}}'
)


@pytest.fixture
def ada() -> Profile:
    return decode_profile(BEFORE)


def views(profile: Profile, minute: int, **product: Any) -> Profile:
    at_ms = minute * MINUTE_MS
    profile.activity.session_last_ms = at_ms
    event = ProductViewed(
        message_id=f"m{minute}-{product['product_id']}",
        timestamp_ms=at_ms,
        channel="browser",
        currency="EUR",
        product=Product(**product),
    )
    note_view(profile, Arrival(event, at_ms, at_ms, "user_id:ada", "ada"))
    return profile


def test_they_are_read_as_they_are(ada: Profile) -> None:
    seen = fold(ada.browsing)

    assert [(view.product_id, lasted_ms) for view, lasted_ms in looks(seen.views)] == [("tent", MINUTE_MS), ("mat", -1)]
    assert seen.described["tent"].url == "https://shop.example/tent"
    assert seen.offered["mat"] == Priced(MINUTE_MS, 1500, None, "EUR")


def test_a_later_view_adds_to_what_they_told(ada: Profile) -> None:
    ada = decode_profile(views(ada, 2, product_id="tent", price_minor=8900).pack())
    seen = fold(views(ada, 3, product_id="rope", name="Rope").browsing)

    assert seen.described["tent"] == Description(0, None, "Tent", "camping", None, "https://shop.example/tent")
    assert seen.offered["tent"] == Priced(2 * MINUTE_MS, 8900, None, "EUR")
    assert seen.described["rope"].name == "Rope"
    assert [lasted_ms for _, lasted_ms in looks(seen.views)] == [MINUTE_MS, MINUTE_MS, MINUTE_MS, -1]


def test_what_they_told_goes_with_the_last_view_of_the_product(ada: Profile) -> None:
    for minute in range(2, 20):
        views(ada, minute, product_id="mat")
    seen = fold(ada.browsing)

    assert set(seen.described) == set(seen.offered) == {"mat"}
    assert seen.described["mat"].name == "Mat"


def test_a_view_that_comes_late_ends_the_look_before_it(ada: Profile) -> None:
    ada.activity.session_last_ms = 5 * MINUTE_MS
    went_on(ada, 5 * MINUTE_MS)
    views(ada, 3, product_id="rope").activity.session_last_ms = 5 * MINUTE_MS
    went_on(ada, 4 * MINUTE_MS)

    assert [lasted_ms // MINUTE_MS for _, lasted_ms in looks(ada.browsing.views)] == [1, 2, 1]


def test_a_click_is_remembered_alone_and_as_well_before_it_was_stored_as_after() -> None:
    eve, stored = Profile("user_id:eve"), Profile("user_id:eve")
    for profile in (eve, stored):
        note_found(profile, MINUTE_MS)
    stored = decode_profile(stored.pack())
    for profile in (eve, stored):
        note_found(profile, 2 * MINUTE_MS, added=True)

    assert eve.pack() == stored.pack()
    assert eve.browsing.added_ms == 2 * MINUTE_MS
