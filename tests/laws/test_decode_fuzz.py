"""Whatever bytes come in, there is an event or a reason; and an event that came in can go everywhere.

Three kinds of input: bytes, any JSON, and valid events and calls with some parts replaced by anything.
"""

import copy
import json
from typing import Any, get_args

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st

from schemas.adapters.segment_tracks import ALIASES
from schemas.decode import Decoder, Problem
from schemas.events import ANONYMOUS, ID_TYPES, SHOP, AnyEvent, Arrival, ShopEvent
from schemas.reasons import REASONS

DECODER = Decoder("EUR")
CANONICAL = msgspec.json.Decoder(AnyEvent)
MARKS = ("\u0000", "\ud800", "\ufeff", "\u202e", "e\u0301", "null", "guest", " ", "NaN", "-1", "1e400")

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(MARKS)
    | st.sampled_from(("2024-05-01T12:00:00Z", "12.50", "x" * 300, "y" * 3000))
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)

PRODUCT = {"product_id": "p1", "sku": "s1", "price_minor": 100, "price": "1.00", "quantity": 2, "currency": "EUR"}
PROPERTIES: dict[str, Any] = {
    "identifier": "email:x@x.org",
    **PRODUCT,
    "order_id": "o1", "cart_id": "c1", "checkout_id": "k1", "subscription_id": "s1", "products": [PRODUCT, PRODUCT],
    "revenue": 2.0, "total": "3.00", "shipping": 1, "tax": 0, "discount": "0.50", "query": "socks", "score": 9, "rating": "5",
    "updated_at": "2024-05-01T12:00:00Z", "expires_at": 1714564800, "test": False, "state": "GRANT", "channel": "email",
    "ticket_id": "t1", "case_id": "c1", "request_id": "r1",
    "shop_id": "shop", "available": "3", "previous_price": 2, "supply_days": 30,
    "complementary": ["p2"], "contents": "tips, care", "order_ids": ["o1", 2], "satisfaction": 4, "cart_token": "k",
    "consent": {"email": True}, "email": "a@x.org", "step": 2, "occasions": ["gift"], "url": "https://x.org",
}  # fmt: skip
ENVELOPE: dict[str, Any] = {
    "messageId": "m1",
    "userId": "u1",
    "anonymousId": "a1",
    "previousId": "a0",
    "mergeProperties": [{"type": "mobile", "value": "+4 9"}, {"type": "loyalty_id", "value": "l1"}],
    "groupId": "g1",
    "timestamp": "2024-05-01T12:00:00.123Z",
    "sentAt": "2024-05-01T12:00:01Z",
    "originalTimestamp": "2024-05-01T12:00:00Z",
    "receivedAt": "2024-05-01T12:00:02Z",
    "traits": {"email": "A@x.org", "phone": "+49", "plan": {"name": "gold"}, "consent": [{"state": True, "channel": "sms"}]},
    "context": {
        "locale": "de", "timezone": "Europe/Berlin", "campaign": {"name": "c"}, "page": {"url": "u", "referrer": "r"},
        "traits": {"email_marketing_consent": {"state": "subscribed", "consent_updated_at": 1714564800000}},
        "consent": {"categoryPreferences": {"Advertising": False}}, "device": {"token": "t"}, "imported": False,
        "externalIds": [{"id": "x@x.org", "type": "email", "collection": "users", "encoding": "none"}],
    },
}  # fmt: skip
NAMES = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyEvent)}
# Three are calls of their own, and one is nothing that a tracker sends.
TRACK_NAMES = sorted({*NAMES, *ALIASES} - {"Identified", "Aliased", "Grouped", "Command Answered"})
CANONICAL_FIELDS: dict[str, Any] = {
    **{kind: f"{kind}-1" for kind in ID_TYPES},
    "message_id": "m1", "timestamp_ms": 1_714_564_800_000, "received_at_ms": 1_714_564_801_000, "previous_id": "a0",
    "command": "erase", "home": "h1",
    "group_id": "g1", "traits": {"a": [1, {"b": None}]}, "product": PRODUCT, "products": [PRODUCT], "order_id": "o1",
    "subscription_id": "s1", "ticket_id": "t1", "request_id": "r1", "shop_id": "shop", "available": 3, "query": "q",
    "case_id": "c1", "state": "assigned", "identifier": "email:x@x.org",
    "price_minor": 100, "order_ids": ["o1"], "complementary": ["p2"], "supply_days": 30,
    "score": 3, "product_id": "p1", "currency": "EUR", "revenue_minor": 100,
    "consent": [{"state": "GRANT", "channel": "email"}], "campaign": {"name": "c"}, "step": 1, "updated_at_ms": 5,
}  # fmt: skip


def fields_of(kind: Any) -> dict[str, Any]:
    """Fields that fit any event of this kind: what is about the shop names no customer."""
    return {
        name: value
        for name, value in CANONICAL_FIELDS.items()
        if not (issubclass(kind, ShopEvent) and name in ID_TYPES)
    }


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all parts of a JSON value."""
    if isinstance(value, dict):
        return [path, *(place for name, item in value.items() for place in places(item, (*path, name)))]
    if isinstance(value, list):
        return [path, *(place for number, item in enumerate(value) for place in places(item, (*path, number)))]
    return [path]


@st.composite
def mutated(draw: st.DrawFn, originals: st.SearchStrategy[dict[str, Any]]) -> bytes:
    """A valid message with up to three of its parts replaced by anything, or left out."""
    message = copy.deepcopy(draw(originals))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(places(message)[1:]))
        holder: Any = message
        for step in path[:-1]:
            holder = holder[step]
        if draw(st.booleans()) and isinstance(holder, dict):
            del holder[path[-1]]
        else:
            holder[path[-1]] = draw(anything)
    return json.dumps(message).encode()


canonical_events = st.sampled_from(sorted(NAMES)).map(lambda name: {"event": name, **fields_of(NAMES[name])})
tracks = st.sampled_from(TRACK_NAMES).map(
    # A consent's state is not one of a case.
    lambda name: {
        "type": "track",
        "event": name,
        "properties": PROPERTIES | ({"state": "assigned"} if name.startswith("Case") else {}),
        **ENVELOPE,
    }
)
calls = st.sampled_from(("identify", "page", "screen", "group", "alias", "merge")).map(
    lambda kind: {"type": kind, "properties": PROPERTIES, **ENVELOPE}
)


def judge(value: bytes, record_ms: int = 1_714_564_803_000) -> Arrival | Problem:
    """Decode, and hold whatever comes out to what is promised of it."""
    found = DECODER.decode(value, record_ms)
    if isinstance(found, Problem):
        assert found.reason in REASONS
        assert found.reason != "decoder_failed", found
        assert 0 < len(found.detail) <= 300
        msgspec.json.encode(found)
    else:
        whole(found)
    return found


def whole(arrival: Arrival) -> None:
    """An arrival can be encoded by both libraries, read again as the same event, and used in a key."""
    event = arrival.event
    encoded = msgspec.json.encode(event)
    assert CANONICAL.decode(encoded) == event
    orjson.loads(orjson.dumps(msgspec.to_builtins(event)))
    assert DECODER.decode(encoded, arrival.received_ms) == arrival

    kind, _, value = arrival.customer.partition(":")
    if arrival.customer == SHOP:
        assert isinstance(event, ShopEvent)
    elif arrival.customer != ANONYMOUS:
        assert kind in ID_TYPES
        assert value == arrival.home == getattr(event, kind)
    assert 0 < len(arrival.home) <= 256
    assert not any(mark < " " for mark in arrival.home)
    arrival.home.encode("utf-8")
    assert 0 <= arrival.time_ms <= arrival.received_ms + 300_000
    assert arrival.received_ms <= 253_402_300_799_999


@given(st.binary(max_size=200), st.integers(-1, 2**63))
def test_any_bytes_become_an_event_or_a_reason(value: bytes, record_ms: int) -> None:
    judge(value, record_ms)


@given(anything)
def test_any_json_becomes_an_event_or_a_reason(value: Any) -> None:
    judge(json.dumps(value).encode())


@given(mutated(canonical_events))
def test_a_damaged_canonical_event_becomes_an_event_or_a_reason(value: bytes) -> None:
    judge(value)


@given(mutated(tracks | calls))
def test_a_damaged_call_becomes_an_event_or_a_reason(value: bytes) -> None:
    judge(value)


@given(mutated(canonical_events | tracks), st.data())
def test_an_event_cut_or_overwritten_becomes_an_event_or_a_reason(value: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(value)))
    judge(value[:start] + data.draw(st.binary(max_size=4)) + value[start + data.draw(st.integers(0, 8)) :])


@given(canonical_events | tracks | calls)
def test_an_undamaged_message_becomes_an_event(message: dict[str, Any]) -> None:
    assert isinstance(judge(json.dumps(message).encode()), Arrival)


@given(mutated(canonical_events | tracks | calls), st.integers(0, 2**40))
def test_the_same_bytes_always_give_the_same_answer(value: bytes, record_ms: int) -> None:
    assert DECODER.decode(value, record_ms) == Decoder("EUR").decode(value, record_ms)
