"""Whatever a source sends, its adapter gives events or reasons; money is read or refused; an id tells repeats from others.

The originals are the payloads of tests/golden/adapters, damaged in every way.
"""

import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.adapters import ADAPTERS, OptionsError, configured
from schemas.adapters.adapter import Adapter, Given
from schemas.decode import Decoder, Problem
from schemas.events import AnyEvent, Arrival, Event
from schemas.reasons import REASONS
from schemas.split import Keyed, split
from tests.laws.test_decode_fuzz import anything, places, whole

FOLDER = Path(__file__).parents[1] / "golden" / "adapters"
RECORD_MS = 1_714_565_400_000
PAYLOADS: dict[str, Any] = {
    f"{path.parent.name}/{path.stem}": json.loads(path.read_bytes())
    for path in sorted(FOLDER.glob("*/*.json"))
    if not path.name.endswith(".expected.json")
}
CANONICAL = msgspec.json.Decoder(AnyEvent)
DECODER = Decoder("EUR")

payloads = st.sampled_from(sorted(PAYLOADS)).map(PAYLOADS.__getitem__)
adapters = st.sampled_from(ADAPTERS)


def adapt(adapter: Adapter, message: Any) -> list[Event | Problem]:
    """What an adapter makes of a message, if it is one that the decoder would hand to it: whole JSON, an object."""
    original = json.dumps(message).encode()
    try:
        parsed = msgspec.json.decode(original)
    except msgspec.DecodeError:
        return []
    given = Given(original=original, shop_currency="EUR", record_ms=RECORD_MS)
    return adapter.adapt(parsed, given) if isinstance(parsed, dict) else []


def bytes_of(message: Any) -> bytes:
    return json.dumps(message).encode()


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A payload with up to three of its parts replaced by anything, or left out."""
    message = copy.deepcopy(draw(payloads))
    for _ in range(draw(st.integers(1, 3))):
        ways = places(message)[1:]
        if not ways:
            break
        path = draw(st.sampled_from(ways))
        holder: Any = message
        for step in path[:-1]:
            holder = holder[step]
        if draw(st.booleans()) and isinstance(holder, dict):
            del holder[path[-1]]
        else:
            holder[path[-1]] = draw(anything)
    return message


def judge(found: list[Event | Problem]) -> None:
    """Every problem has a reason that is explained, and every event is a canonical one that can go everywhere."""
    for what in found:
        if isinstance(what, Problem):
            assert what.reason in REASONS
            assert what.reason not in {"decoder_failed", "engine_error"}
            assert 0 < len(what.detail) <= 300
            continue
        encoded = msgspec.json.encode(what)
        assert msgspec.json.encode(CANONICAL.decode(encoded)) == encoded
        arrival = DECODER.decode(encoded, RECORD_MS)
        if isinstance(arrival, Problem):
            assert arrival.reason in {"no_customer", "missing_field"}
        else:
            whole(arrival)


@given(adapters, st.dictionaries(st.text(max_size=12), anything, max_size=6))
def test_any_object_becomes_events_or_reasons_whatever_adapter_reads_it(
    adapter: Adapter, message: dict[str, Any]
) -> None:
    assert adapter.fits(message) in {True, False}
    judge(adapt(adapter, message))


@given(adapters, damaged())
def test_a_damaged_payload_becomes_events_or_reasons_whatever_adapter_reads_it(adapter: Adapter, message: Any) -> None:
    judge(adapt(adapter, message))


@given(damaged())
def test_a_damaged_payload_never_makes_the_decoder_fail(message: Any) -> None:
    for what in DECODER.decode_all(bytes_of(message), RECORD_MS):
        if isinstance(what, Problem):
            assert what.reason != "decoder_failed"
        else:
            whole(what)


@given(damaged())
def test_the_same_message_always_becomes_the_same_events(message: Any) -> None:
    first = DECODER.decode_all(bytes_of(message), RECORD_MS)

    assert Decoder("EUR").decode_all(bytes_of(message), RECORD_MS) == first


@given(payloads, st.integers(0, 1))
def test_a_record_made_by_splitting_is_the_event_it_was_made_of(message: Any, received: int) -> None:
    for record in split(bytes_of(message), DECODER, received * RECORD_MS):
        if isinstance(record, Keyed):
            assert DECODER.decode(record.value, received * RECORD_MS) == record.arrival
            assert record.key == record.arrival.home


# --- ids ----------------------------------------------------------------------------------------------------------


def events_by_id(message: Any) -> dict[str, Event]:
    found = [what.event for what in DECODER.decode_all(bytes_of(message), RECORD_MS) if isinstance(what, Arrival)]
    made = {event.message_id: event for event in found}
    assert len(made) == len(found), "two events of one message share an id"
    return made


@pytest.mark.parametrize("name", sorted(PAYLOADS))
def test_the_events_of_one_message_have_different_ids(name: str) -> None:
    events_by_id(PAYLOADS[name])


@given(damaged(), damaged())
def test_two_messages_share_an_id_only_where_they_say_the_same(one: Any, other: Any) -> None:
    """Where the source gives ids, equal ids are its own word; so only ids that are made here are held to this."""
    first, second = events_by_id_or_none(one), events_by_id_or_none(other)
    for message_id in first.keys() & second.keys():
        if "content:" in message_id and "#" not in message_id:
            assert msgspec.structs.replace(first[message_id], message_id="") == msgspec.structs.replace(
                second[message_id], message_id=""
            )


def events_by_id_or_none(message: Any) -> dict[str, Event]:
    found = [what.event for what in DECODER.decode_all(bytes_of(message), RECORD_MS) if isinstance(what, Arrival)]
    return {event.message_id: event for event in found}


def purchase(**params: Any) -> dict[str, Any]:
    return {"name": "add_to_cart", "params": {"items": [{"item_id": "tea", "price": 4.5}], **params}}


def ga4(*events: dict[str, Any], **more: Any) -> list[str]:
    return list(events_by_id({"client_id": "c1", "timestamp_micros": 1714564800000000, "events": [*events], **more}))


def test_a_request_sent_again_has_the_same_ids_whatever_else_travels_with_it() -> None:
    alone = ga4(purchase())
    again = ga4({"name": "page_view"}, purchase(), {"name": "scroll"})

    assert alone[0] in again


@pytest.mark.parametrize("other", [
    {"client_id": "c2"}, {"user_id": "u1"}, {"timestamp_micros": 1714564800001000},
    {"events": [purchase(value=1)]}, {"events": [{**purchase(), "name": "remove_from_cart"}]},
    {"events": [{**purchase(), "timestamp_micros": 1714564801000000}]},
])  # fmt: skip
def test_whatever_tells_two_clicks_apart_tells_their_ids_apart(other: dict[str, Any]) -> None:
    assert set(ga4(purchase())).isdisjoint(ga4(*other.get("events", [purchase()]), **other))


def test_equal_clicks_of_one_request_are_two() -> None:
    assert len(set(ga4(purchase(), purchase(), purchase()))) == 3


def test_a_webhook_is_the_same_over_every_subscription_and_other_products_of_one_action_are_others() -> None:
    def product(number: int, webhook: str) -> str:
        headers = {"X-Shopify-Topic": "products/update", "X-Shopify-Event-Id": "ev", "X-Shopify-Webhook-Id": webhook}
        body = {"id": number, "title": "Tea", "updated_at": "2024-05-01T12:00:00Z"}
        (message_id,) = events_by_id({"headers": headers, "body": body})
        return message_id

    assert product(1, "w1") == product(1, "w2")
    assert product(1, "w1") != product(2, "w1")


# --- money --------------------------------------------------------------------------------------------------------

_MONEY = frozenset(
    {
        *("price", "discount", "value", "tax", "shipping", "revenue", "total", "total_value", "subtotal_value"),
        *("total_discounts", "list_price", "discount_amount", "refund_amount", "subtotal", "amount", "total_tax"),
        *("subtotal_price", "total_price", "original_price", "total_discount", "discounted_price", "tax_amount"),
    }
)


_NO_AMOUNTS: tuple[Any, ...] = ("a lot", True, [], {"much": 1}, "1e400")


def money_places(message: Any) -> list[tuple[Any, ...]]:
    """The paths to all amounts, some of which nobody reads."""
    found = []
    for path in places(message):
        if not path or path[-1] not in _MONEY or isinstance(at(message, path), dict | list):
            continue
        # `value` is also what attributes and properties of users have.
        if path[-1] != "value" or len(path) == 1 or path[-2] in {"params", "ecommerce", "2"}:
            found.append(path)
    return found


def at(message: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        message = message[step]
    return message


def with_(message: Any, path: tuple[Any, ...], value: Any) -> Any:
    made = copy.deepcopy(message)
    holder = made
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return made


def told(message: Any) -> list[Any]:
    """The events but for their ids, which may be made of the message's spelling."""
    return [
        what if isinstance(what, Problem) else msgspec.structs.replace(what.event, message_id="")
        for what in DECODER.decode_all(bytes_of(message), RECORD_MS)
    ]


@pytest.mark.parametrize("name", sorted(name for name, message in PAYLOADS.items() if money_places(message)))
def test_an_amount_that_can_not_be_read_is_refused_or_was_never_read(name: str) -> None:
    message = PAYLOADS[name]
    before = [what for what in told(message) if not isinstance(what, Problem)]
    for path in money_places(message):
        for value in _NO_AMOUNTS:
            after = told(with_(message, path, value))
            events = [what for what in after if not isinstance(what, Problem)]
            # Each event is as it was, or gone, with a reason in its place: none is left with less money in it.
            assert all(_without_request(what) in map(_without_request, before) for what in events), (path, value)
            assert len(events) == len(before) or any(isinstance(what, Problem) for what in after), (path, value)


def _without_request(event: Any) -> Any:
    """Without the number of a privacy request that is made of the message's content."""
    return msgspec.structs.replace(event, request_id="r") if hasattr(event, "request_id") else event


@pytest.mark.parametrize("name", sorted(name for name, message in PAYLOADS.items() if money_places(message)))
def test_an_amount_is_the_same_written_as_text_or_as_a_number(name: str) -> None:
    message = PAYLOADS[name]
    expected = told(message)
    for path in money_places(message):
        value: Any = at(message, path)
        if isinstance(value, bool) or value is None:
            continue
        try:
            number = float(value)
        except ValueError:
            continue
        for spelling in (number, repr(number), f" {number:.2f} "):
            assert told(with_(message, path, spelling)) == expected, (path, spelling)


# --- identity -----------------------------------------------------------------------------------------------------

_IDS = frozenset(
    {
        *(
            "userId",
            "anonymousId",
            "client_id",
            "app_instance_id",
            "user_id",
            "domain_userid",
            "external_id",
            "clientId",
        ),
        *("external_user_id", "cart_token", "token", "cartToken", "email", "phone"),
    }
)


@pytest.mark.parametrize("nobody", ["undefined", "null", "guest", "00000000-0000-0000-0000-000000000000", " "])
@pytest.mark.parametrize("name", sorted(PAYLOADS))
def test_an_identifier_that_identifies_nobody_makes_no_customer(name: str, nobody: str) -> None:
    message = PAYLOADS[name]
    for path in places(message):
        if path and path[-1] in _IDS:
            for what in DECODER.decode_all(bytes_of(with_(message, path, nobody)), RECORD_MS):
                if isinstance(what, Arrival):
                    assert what.customer.partition(":")[2] != nobody
                    assert what.event.user_id != nobody
                    assert what.event.anonymous_id != nobody
                    assert what.event.cart_token != nobody


# --- options ------------------------------------------------------------------------------------------------------


def test_options_that_do_not_exist_are_refused_by_name() -> None:
    with pytest.raises(OptionsError, match="no source 'ga5'; there are shopify, "):
        configured({"ga5": {}})
    with pytest.raises(OptionsError, match="value_includes_vat"):
        configured({"ga4": {"value_includes_vat": True}})
    with pytest.raises(OptionsError, match="'shipped'"):
        configured({"shopify": {"completed_on": "shipped"}})
    with pytest.raises(OptionsError, match="bool"):
        configured({"ga4": {"value_includes_tax": "yes"}})


def test_no_options_are_the_vendors_own() -> None:
    assert configured({}) == ADAPTERS
