"""Contact data in protected form: what becomes of an event, and what is believed of a sender."""

import pytest

from schemas.events import Aliased, CheckoutStarted, Identified, SplitProfile
from schemas.protected import distrust, is_token, protect

TOKEN = "k1." + "0f" * 16


class Shouting:
    """Protects nothing, and shows what it was asked."""

    def __init__(self, *, all_ids: bool = False) -> None:
        self.all_ids = all_ids

    def token(self, kind: str, value: str) -> str:
        return f"<{kind}:{value}>"

    def seal(self, value: str) -> str:
        return f"[{value}]"


def told(**fields: object) -> Identified:
    return Identified(**({"message_id": "m1", "timestamp_ms": 1} | fields))  # type: ignore[arg-type] # fields of an event


def test_an_address_becomes_a_token_and_a_sealed_text() -> None:
    event = protect(told(email="Ann@Example.org", phone="+41 44"), "ann@example.org", "+4144", Shouting())

    assert (event.email, event.sealed_email) == ("<email:ann@example.org>", "[ann@example.org]")
    assert (event.phone, event.sealed_phone) == ("<phone:+4144>", "[+4144]")


def test_what_is_no_address_leaves_nothing_behind() -> None:
    event = protect(told(email="guest", sealed_email="s1.x"), None, None, Shouting())

    assert (event.email, event.sealed_email, event.phone, event.sealed_phone) == (None, None, None, None)


def test_a_token_from_another_home_stays_with_what_is_sealed_beside_it() -> None:
    event = told(email=TOKEN, sealed_email="s1.x")

    assert protect(event, TOKEN, None, Shouting()) == event


def test_traits_that_tell_an_address_are_left_out_however_deep() -> None:
    traits = {
        "E-Mail": "x", "phone_number": 5, "first_name": "Ann", "backup": " ann@old.example ", "line": "+41 44 668 18 00",
        "at": "10 @ noon",
        "company": {"mobile": "1", "name": "Tea", "people": ["bob@tea.example", {"email": "c@tea.example", "role": "cook"}]},
    }  # fmt: skip

    kept = protect(told(traits=traits, phone="+41 44"), None, "+41446681800", Shouting()).traits

    expected = {"first_name": "Ann", "at": "10 @ noon", "company": {"name": "Tea", "people": [{"role": "cook"}]}}
    assert kept == expected


def test_a_sender_has_no_tokens_of_addresses_and_a_server_may_name_a_customer_by_hers() -> None:
    event = told(
        email=TOKEN,
        sealed_email="s1.x",
        phone="+41",
        sealed_phone="s1.y",
        user_id=TOKEN,
        sealed_ids={"user_id": "s1.z"},
    )

    assert distrust(event, ids=True) == told(phone="+41")
    assert distrust(event, ids=False) == told(phone="+41", user_id=TOKEN)


@pytest.mark.parametrize("kind", ["user_id", "loyalty_id", "anonymous_id", "cart_token"])
@pytest.mark.parametrize(
    "value", ["Ann@Example.org", "crm:ann@example.org", "+41 44 668 18 00", "044 668 18 00", "tel:+41446681800"]
)
def test_an_id_that_is_an_address_becomes_a_token_of_its_own(kind: str, value: str) -> None:
    event = protect(told(**{kind: f" {value}"}), None, None, Shouting(), "CH")

    assert getattr(event, kind) == f"<id:{value}>"
    assert event.sealed_ids == {kind: f"[{value}]"}


@pytest.mark.parametrize(
    "value", ["2375", "41446681800", "0000-0017", "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", "ann@home", TOKEN]
)
def test_other_ids_stay_as_they_are(value: str) -> None:
    event = told(user_id=value)

    assert protect(event, None, None, Shouting(), "CH") == event


def test_where_all_ids_are_protected_each_is() -> None:
    event = protect(told(user_id="2375", anonymous_id="9b1d", loyalty_id="guest"), None, None, Shouting(all_ids=True))

    assert (event.user_id, event.anonymous_id, event.loyalty_id) == ("<id:2375>", "<id:9b1d>", "guest")
    assert event.sealed_ids == {"user_id": "[2375]", "anonymous_id": "[9b1d]"}
    assert protect(told(user_id=TOKEN), None, None, Shouting(all_ids=True)) == told(user_id=TOKEN)


def test_the_earlier_id_of_an_alias_call_has_the_token_it_has_as_a_user_id_or_a_device() -> None:
    event = Aliased(message_id="m1", timestamp_ms=1, user_id="2375", previous_id="ann@example.org")

    assert protect(event, None, None, Shouting()).previous_id == "<id:ann@example.org>"


def test_an_identifier_to_be_split_off_gets_the_form_it_is_kept_in() -> None:
    def form(identifier: str) -> str:
        event = SplitProfile(message_id="m", timestamp_ms=1, request_id="r", user_id="1", identifier=identifier)
        return protect(event, None, None, Shouting(), "CH").identifier

    assert form("email:Ann@Example.org") == "email:<email:ann@example.org>"
    assert form("phone:044 668 18 00") == "phone:<phone:+41446681800>"
    assert form("user_id:ann@example.org") == "user_id:<id:ann@example.org>"
    assert form("user_id:2375") == "user_id:2375"


def test_other_ids_that_hold_an_address_become_tokens_and_in_texts_it_is_cut_out() -> None:
    event = CheckoutStarted(
        message_id="c-ann@example.org", timestamp_ms=1, cart_id="ann@example.org", order_id="7",
        url="https://shop.example/c?email=ann%40example.org&key=1",
    )  # fmt: skip
    kept = protect(event, None, None, Shouting())

    assert (kept.message_id, kept.cart_id, kept.order_id) == ("<id:c-ann@example.org>", "<id:ann@example.org>", "7")
    assert (
        protect(told(user_id="+41446681800", message_id="x+41446681800"), None, None, Shouting()).message_id[:4]
        == "<id:"
    )
    assert kept.url == "https://shop.example/c?email=&key=1"


def test_a_token_is_a_mark_and_128_bits() -> None:
    assert is_token(TOKEN)
    assert not is_token(TOKEN + "0")
    assert not is_token(TOKEN.upper())
    assert not is_token("ann@example.org")
