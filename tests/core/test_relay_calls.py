"""What is posted for a trigger: signed so that Standard Webhooks' own check accepts it, or as a messaging system's API asks.

The bodies of the systems are written by hand after their public documentation (Braze: Event Object of /users/track; Klaviyo:
Create Event; Customer.io: Track API v2, entity).
"""

import base64
import json
from typing import Any

import msgspec
import pytest

from streams.relay.addresses import PrivateAddress, check_host, is_public
from streams.relay.attempts import meaning, pause_s
from streams.relay.calls import Call, NobodyNamed, call_of
from streams.serve.answer import Refusal
from streams.serve.signatures import check_standard, standard_secret
from streams.setting_relay import Relay

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW_S = 1_772_409_600
TRIGGER: dict[str, Any] = {
    "trigger_id": "59073e75-1c3c-5151-9e9d-b2b260357f60",
    "name": "cart.abandoned",
    "occurrence": 1,
    "episode_key": "c1",
    "customer": {"id": "user_id:ada", "user_id": "ada", "email": "ada@example.org", "phone": "+49301234"},
    "emitted_at_ms": 1_772_409_600_250,
    "expires_at_ms": 1_772_496_000_000,
    "items": [{"product_id": "tea", "name": "Tea", "price_minor": 450, "price_at_add_minor": 500, "quantity": 2}],
    "value_minor": 900,
    "currency": "EUR",
    "recovery_url": "https://shop.example/cart/c1",
    "details": {"cart_id": "c1"},
}
PROPERTIES = {
    "trigger_id": TRIGGER["trigger_id"],
    "occurrence": 1,
    "episode_key": "c1",
    "recovery_url": "https://shop.example/cart/c1",
    "currency": "EUR",
    "value": 9.0,
    "items": [{"product_id": "tea", "name": "Tea", "quantity": 2, "price": 4.5, "price_at_add": 5.0}],
    "details": {"cart_id": "c1"},
}


def relay(**fields: Any) -> Relay:
    return Relay(**{"url": "https://receiver.example/hook", "secret": SECRET, **fields})


def call(record: dict[str, Any] | None = None, **fields: Any) -> Call:
    return call_of(relay(**fields), json.dumps(TRIGGER if record is None else record).encode(), NOW_S)


def body(made: Call) -> Any:
    return json.loads(made.body)


def test_a_receiver_accepts_the_signature_and_gets_the_record_as_it_stands_in_the_log() -> None:
    value = json.dumps(TRIGGER).encode()
    made = call_of(relay(), value, NOW_S)

    assert made.body == value
    key = standard_secret(SECRET)
    assert check_standard(made.headers, made.body, (key,), NOW_S) == TRIGGER["trigger_id"]
    with pytest.raises(Refusal):
        check_standard(made.headers, made.body + b" ", (key,), NOW_S)


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    """https://github.com/standard-webhooks/standard-webhooks: the example of the specification's libraries."""
    record = b'{"trigger_id":"msg_p5jXN8AQM9LWM0D4loKWxJek","name":"n"}'
    made = call_of(relay(), record, 1614265330)

    import hashlib
    import hmac

    raw = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + record
    digest = base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
    assert made.headers["webhook-signature"] == f"v1,{digest}"


def test_while_its_secret_is_exchanged_receivers_with_the_old_and_with_the_new_one_accept_a_call() -> None:
    new = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    made = call(secret=new, secret_before=SECRET)

    for known in (new, SECRET):
        assert check_standard(made.headers, made.body, (standard_secret(known),), NOW_S) == TRIGGER["trigger_id"]
    assert len(made.headers["webhook-signature"].split(" ")) == 2
    with pytest.raises(Refusal):
        check_standard(call(secret=new).headers, made.body, (standard_secret(SECRET),), NOW_S)


def test_braze_gets_a_custom_event() -> None:
    made = call(format="braze", secret="braze-key")

    assert made.headers["authorization"] == "Bearer braze-key"
    assert body(made) == {
        "events": [
            {
                "external_id": "ada",
                "name": "cart.abandoned",
                "time": "2026-03-02T00:00:00.250Z",
                "properties": PROPERTIES,
            }
        ]
    }


def test_klaviyo_gets_an_event_with_its_metric_and_profile() -> None:
    """https://developers.klaviyo.com/en/v2026-07-15/reference/create_event; that revision is supported until July 2028."""
    made = call(format="klaviyo", secret="klaviyo-key")

    assert made.headers["authorization"] == "Klaviyo-API-Key klaviyo-key"
    assert made.headers["revision"] == "2026-07-15"
    attributes = body(made)["data"]["attributes"]
    assert body(made)["data"]["type"] == "event"
    assert attributes == {
        "unique_id": TRIGGER["trigger_id"],
        "time": "2026-03-02T00:00:00.250Z",
        "properties": PROPERTIES,
        "metric": {"data": {"type": "metric", "attributes": {"name": "cart.abandoned"}}},
        "profile": {
            "data": {
                "type": "profile",
                "attributes": {"external_id": "ada", "email": "ada@example.org", "phone_number": "+49301234"},
            }
        },
        "value": 9.0,
        "value_currency": "EUR",
    }


def test_customer_io_gets_an_event_of_a_person() -> None:
    made = call(format="customerio", secret="cio-secret", user="site")

    assert made.headers["authorization"] == "Basic " + base64.b64encode(b"site:cio-secret").decode()
    assert body(made) == {
        "type": "person",
        "action": "event",
        "identifiers": {"id": "ada"},
        "name": "cart.abandoned",
        "timestamp": 1_772_409_600,
        "attributes": PROPERTIES,
    }


@pytest.mark.parametrize("system", ["braze", "klaviyo", "customerio"])
def test_an_address_stands_in_where_there_is_no_user_id_and_an_anonymous_visitor_is_nobody(system: str) -> None:
    mailed = TRIGGER | {"customer": {"id": "email:ada@example.org", "email": "ada@example.org"}}
    assert "ada@example.org" in call(mailed, format=system).body.decode()

    visitor = TRIGGER | {"customer": {"id": "anonymous_id:a1", "anonymous_ids": ["a1"]}}
    with pytest.raises(NobodyNamed):
        call(visitor, format=system)


@pytest.mark.parametrize("system, known", [("braze", True), ("klaviyo", True), ("customerio", False)])
def test_braze_and_klaviyo_know_who_has_a_phone_alone_and_customer_io_does_not(system: str, known: bool) -> None:
    """Braze: User identifiers of /users/track; Klaviyo: identifiers of a profile; Customer.io: identifiers of a person."""
    called = TRIGGER | {"customer": {"id": "phone:+49301234", "phone": "+49301234"}}

    if not known:
        with pytest.raises(NobodyNamed):
            call(called, format=system)
        return
    sent = body(call(called, format=system))
    who = sent["events"][0] if system == "braze" else sent["data"]["attributes"]["profile"]["data"]["attributes"]
    assert who["phone" if system == "braze" else "phone_number"] == "+49301234"


@pytest.mark.parametrize(
    "system, content_type",
    [("braze", "application/json"), ("klaviyo", "application/vnd.api+json"), ("customerio", "application/json")],
)
def test_a_call_says_what_it_is_and_what_answer_it_takes(system: str, content_type: str) -> None:
    headers = call(format=system).headers

    assert (headers["content-type"], headers["accept"]) == (content_type, content_type)
    assert call().headers["content-type"] == "application/json"


def test_amounts_without_a_currency_and_prices_that_are_not_known_are_left_out() -> None:
    unpriced = [{"product_id": "tea", "price_minor": None, "price_at_add_minor": 500}]
    sent = body(call(TRIGGER | {"items": unpriced, "coupon": "TEA"}, format="braze"))["events"][0]["properties"]
    silent = body(call(TRIGGER | {"currency": None}, format="klaviyo"))["data"]["attributes"]

    assert (sent["items"], sent["coupon"]) == ([{"product_id": "tea", "price_at_add": 5.0}], "TEA")
    assert "value" not in silent
    assert "value" not in silent["properties"]
    assert silent["properties"]["items"] == [{"product_id": "tea", "name": "Tea", "quantity": 2}]


def test_what_became_of_a_trigger_names_the_customer_by_her_id() -> None:
    outcome = {
        "trigger_id": "t",
        "name": "trigger.cancelled",
        "of_trigger_id": TRIGGER["trigger_id"],
        "of_name": "cart.abandoned",
        "customer_id": "user_id:ada",
        "emitted_at_ms": 0,
        "reason": "late_conversion",
        "order_id": "o1",
    }
    made = body(call(outcome, format="customerio"))

    assert (made["identifiers"], made["attributes"]) == (
        {"id": "ada"},
        {
            "trigger_id": "t",
            "of_trigger_id": TRIGGER["trigger_id"],
            "of_name": "cart.abandoned",
            "reason": "late_conversion",
            "order_id": "o1",
        },
    )


@pytest.mark.parametrize("system", ["braze", "klaviyo", "customerio"])
def test_the_token_of_a_protected_address_or_number_is_none_to_send_to(system: str) -> None:
    told = {"trigger_id": "t", "name": "trigger.converted", "emitted_at_ms": 0}

    for kind in ("email", "phone"):
        with pytest.raises(NobodyNamed):
            call(told | {"customer_id": f"{kind}:k1." + "0" * 32}, format=system)
    assert "ada@example.org" in call(told | {"customer_id": "email:ada@example.org"}, format=system).body.decode()
    assert "k1.0" in call(told | {"customer_id": "user_id:k1." + "0" * 32}, format=system).body.decode()


def test_amounts_are_whole_units_of_their_own_currency() -> None:
    yen = TRIGGER | {"currency": "JPY", "value_minor": 900, "items": []}

    assert body(call(yen, format="klaviyo"))["data"]["attributes"]["value"] == 900


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
        ),
        *("::1", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1", "::", "64:ff9b::7f00:1"),
        # site-local, IPv4-compatible, IPv4-translated, and NAT64 of a network's own
        *("fec0::1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1"),
    ],
)
def test_addresses_behind_the_firewall_are_not_public(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(PrivateAddress, match="allow_private"):
        check_host(address)


@pytest.mark.parametrize("written", ["127.1", "2130706433", "0x7f.1", "017700000001", "10.1", "0"])
def test_a_private_address_is_one_however_it_is_written(written: str) -> None:
    """No name is resolved on the way to these, so nothing but this looks at them."""
    with pytest.raises(PrivateAddress, match="allow_private"):
        check_host(written)


def test_public_addresses_and_names_pass() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")
    assert is_public("64:ff9b::5db8:d822")
    for host in ("receiver.example", "bücher.example", "7.example", "134744072"):
        check_host(host)


def test_waits_double_up_to_five_minutes_and_spread() -> None:
    waits = [pause_s(tries, "t") for tries in range(1, 12)]

    assert all(2.0 ** min(n, 8) <= wait for n, wait in enumerate(waits))
    assert all(wait <= 330 for wait in waits)
    assert len({round(pause_s(5, f"t{n}"), 3) for n in range(50)}) > 40
    assert pause_s(1, "t", "999999999") == 3600.0
    assert pause_s(1, "t", "soon") < 1.2
    assert pause_s(9, "t", "0") >= 256.0


def test_a_date_to_come_back_at_counts_like_the_seconds_until_then() -> None:
    assert pause_s(1, "t", "Mon, 02 Mar 2026 00:10:00 GMT", NOW_S) == 600.0
    assert pause_s(1, "t", "Mon, 02 Mar 2026 00:10:00 -0000", NOW_S) == 600.0
    assert pause_s(1, "t", "Mon, 01 Jan 2029 00:00:00 GMT", NOW_S) == 3600.0
    assert pause_s(1, "t", "Sun, 01 Mar 2026 00:00:00 GMT", NOW_S) < 1.2
    assert pause_s(1, "t", "Mon, 99 Foo 99999 00:10:00 GMT", NOW_S) < 1.2


def test_only_this_records_own_faults_set_it_aside_at_once() -> None:
    assert {status for status in range(200, 600) if meaning(status) == "refused"} == {400, 413, 422}
    assert {status for status in range(200, 600) if meaning(status) == "gone"} == {410}
    assert all(meaning(status) == "delivered" for status in range(200, 300))


def test_a_secret_is_not_shown_among_settings() -> None:
    assert msgspec.json.decode(msgspec.json.encode(relay()), type=Relay) == relay()
