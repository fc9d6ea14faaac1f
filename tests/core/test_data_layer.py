"""What a site's data layer holds: pushes and gtag() calls, forwarded one by one, by Google's public documents."""

from typing import Any

import pytest

from schemas import events as e
from schemas.adapters import ADAPTERS
from tests.core.test_adapters import NOON_MS, all_of, events, one, refused

WHEN = {"client_id": "c1", "timestamp": NOON_MS}
TEA = {"item_id": "tea", "price": "4.50", "quantity": "2"}


def push(name: str, **fields: Any) -> dict[str, Any]:
    return {**WHEN, "event": name, **fields}


def gtag(*arguments: Any, **fields: Any) -> dict[str, Any]:
    """A gtag() call as JSON writes its arguments."""
    return {**WHEN, **fields, **{str(place): argument for place, argument in enumerate(arguments)}}


def test_a_push_that_only_clears_the_one_before_is_nothing_and_no_fault() -> None:
    """https://developers.google.com/analytics/devguides/collection/ga4/ecommerce: clear `ecommerce` before each event."""
    assert all_of({**WHEN, "ecommerce": None}) == []
    assert refused({**WHEN, "ecommerce": {"items": [TEA]}})[0] == "unknown_shape"


@pytest.mark.parametrize("command", ["config", "js", "set", "get"])
def test_calls_that_set_something_up_are_no_events(command: str) -> None:
    """https://developers.google.com/tag-platform/gtagjs/reference: the commands of gtag()."""
    assert all_of(gtag(command, "G-1", {"user_id": "ada"})) == []


def test_names_that_tell_a_profile_nothing_are_known_with_and_without_products() -> None:
    assert all_of(push("scroll")) == all_of(push("scroll", ecommerce={"items": [TEA]})) == []
    assert refused(push("teapot", ecommerce={"items": [TEA]})) == ("unknown_event", "event: no event 'teapot' is known")
    assert refused(gtag("event", "teapot", {})) == ("unknown_event", "1: no event 'teapot' is known")


@pytest.mark.parametrize(
    "message",
    [
        {"event": "purchase", "timestamp_ms": NOON_MS, "message_id": "m", "ecommerce": {}},  # a canonical event
        {"event": "purchase", "type": "track", "ecommerce": {}},
        {"event": "purchase", "properties": {}, "ecommerce": {}},
        {"event": "page_view", "event_id": "e", "collector_tstamp": "2024-05-01 12:00:00"},
        {"ecommerce": None, "type": "track"},
    ],
)
def test_events_of_others_that_are_called_event_too_are_no_pushes(message: dict[str, Any]) -> None:
    (data_layer,) = (adapter for adapter in ADAPTERS if adapter.name == "data_layer")

    assert not data_layer.fits(message)


@pytest.mark.parametrize("purpose", ["ad_storage", "ad_user_data", "ad_personalization", "analytics_storage"])
def test_a_banner_tells_what_she_decided_for_each_of_googles_purposes(purpose: str) -> None:
    """https://developers.google.com/tag-platform/security/guides/consent: consent mode v2 has these four."""
    (change,) = one(gtag("consent", "update", {purpose: "denied"})).consent

    assert (change.state, change.channel, change.purpose) == ("DENY", "any", purpose)


def test_what_a_banner_says_of_other_things_and_by_default_is_no_decision_and_what_can_not_be_read_is_refused() -> None:
    assert all_of(gtag("consent", "update", {"wait_for_update": 500})) == []
    assert all_of(gtag("consent", "default", {"ad_storage": "denied"})) == []
    assert refused(gtag("consent", "update", {"ad_storage": "perhaps"})) == (
        "wrong_type",
        "2.ad_storage is no consent state",
    )


def test_a_banner_that_is_told_of_again_is_the_same_decision_and_the_shops_own_id_is_kept() -> None:
    banner = gtag("consent", "update", {"ad_storage": "denied"})

    assert one(banner).message_id == one(banner).message_id != one(banner | {"timestamp": NOON_MS + 1}).message_id
    assert one(banner | {"event_id": "b1"}).message_id == "b1"


@pytest.mark.parametrize("named", [{"user_id": "ada", "client_id": "c2"}, {"userId": "ada", "clientId": "c2"}])
def test_the_visitor_is_named_beside_the_push_in_either_spelling(named: dict[str, str]) -> None:
    found = one({"event": "view_item", "timestamp": NOON_MS, "ecommerce": {"items": [TEA]}, **named})

    assert (found.user_id, found.anonymous_id) == ("ada", "c2")


def test_a_user_id_among_the_parameters_of_a_call_is_hers_unless_one_stands_beside_it() -> None:
    login = {"method": "mail", "user_id": "ada"}

    assert one(gtag("event", "login", login)).user_id == "ada"
    assert one(gtag("event", "login", login, user_id="bea")).user_id == "bea"
    assert one(push("purchase", ecommerce={"transaction_id": "T1", "user_id": "ada"})).user_id == "ada"


def test_the_time_in_microseconds_counts_more_than_the_other_and_without_any_it_is_the_records() -> None:
    timed = push("login") | {"timestamp_micros": (NOON_MS + 5) * 1000}
    untimed = {"event": "login", "client_id": "c1"}

    assert one(timed).timestamp_ms == NOON_MS + 5
    (found,) = all_of(untimed, record_ms=1)
    assert found.event.timestamp_ms == 1  # type: ignore[union-attr] # an arrival
    assert refused(untimed, 0) == ("missing_field", "timestamp_micros is missing")


@pytest.mark.parametrize("name", ["session_id", "ga_session_id"])
def test_a_checkout_is_named_by_its_visit_and_says_where_it_came_from(name: str) -> None:
    page = {"page_referrer": "https://search.example/", "page_location": "https://shop.example/?utm_source=news"}
    found = one(push("begin_checkout", ecommerce={"items": [TEA]}, **{name: 7}, **page))

    assert found.checkout_id == "c1.7"
    assert (found.referrer, found.campaign) == ("https://search.example/", e.Campaign(source="news"))


def test_a_visit_is_named_by_the_parameter_of_the_push_before_that_of_the_tag() -> None:
    assert one(push("begin_checkout", session_id=7, ga_session_id=8, ecommerce={"items": [TEA]})).checkout_id == "c1.7"


def test_what_the_event_says_counts_more_than_what_stands_beside_it_unless_it_says_nothing() -> None:
    beside = {"currency": "EUR", "value": 9, "transaction_id": "T1"}
    order = one(push("purchase", **beside, ecommerce={"currency": "CHF", "value": None, "transaction_id": ""}))

    assert (order.order_id, order.currency, order.revenue_minor) == ("T1", "CHF", 900)


def test_all_that_several_products_become_has_its_own_id() -> None:
    added = events(push("add_to_cart", ecommerce={"items": [TEA, TEA]}))

    assert len({found.message_id for found in added}) == 2
