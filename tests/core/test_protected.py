"""Contact data in protected form: what becomes of an event, and what is believed of a sender."""

from schemas.events import Identified
from schemas.protected import distrust, is_token, protect

TOKEN = "k1." + "0f" * 16


class Shouting:
    """Protects nothing, and shows what it was asked."""

    def token(self, kind: str, value: str) -> str:
        return f"<{kind}:{value}>"

    def seal(self, value: str) -> str:
        return f"[{value}]"


def told(**fields: object) -> Identified:
    return Identified(message_id="m1", timestamp_ms=1, **fields)  # type: ignore[arg-type] # fields of an event


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
        "E-Mail": "x", "phone_number": 5, "first_name": "Ann", "backup": " ann@old.example ", "line": "+4144", "at": "10 @ noon",
        "company": {"mobile": "1", "name": "Tea", "people": ["bob@tea.example", {"email": "c@tea.example", "role": "cook"}]},
    }  # fmt: skip

    kept = protect(told(traits=traits, phone="+41 44"), None, "+4144", Shouting()).traits

    expected = {"first_name": "Ann", "at": "10 @ noon", "company": {"name": "Tea", "people": [{"role": "cook"}]}}
    assert kept == expected


def test_a_sender_has_no_tokens() -> None:
    assert distrust(told(email=TOKEN, sealed_email="s1.x", phone="+41", sealed_phone="s1.y")) == told(phone="+41")


def test_a_token_is_a_mark_and_128_bits() -> None:
    assert is_token(TOKEN)
    assert not is_token(TOKEN + "0")
    assert not is_token(TOKEN.upper())
    assert not is_token("ann@example.org")
