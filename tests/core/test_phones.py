"""Phone numbers as identifiers. The numbers are those that libphonenumber's own documents and demonstration use, and such as
people type who have none.
"""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.phones import REMEMBERED_MAX, is_region, phone_number


@pytest.mark.parametrize("typed", [
    "+41446681800", "+41 44 668 18 00", " +41 (44) 668-18-00 ", "0041446681800", "tel:+41-44-668-18-00", "+41.44.668.18.00",
    "+410446681800", "+41 (0)44 668 18 00", "\uff0b41 44 668 18 00",
])  # fmt: skip
def test_a_number_is_the_same_however_it_is_typed(typed: str) -> None:
    assert phone_number(typed) == "+41446681800"


@pytest.mark.parametrize("national,region,number", [
    ("044 668 18 00", "CH", "+41446681800"), ("650 253 2222", "US", "+16502532222"), ("(650) 253-2222", "US", "+16502532222"),
    ("020 8366 1177", "GB", "+442083661177"), ("02 3661 8300", "IT", "+390236618300"),
    ("011 15 3435-5353", "AR", "+5491134355353"), ("+44 20 8366 1177", "US", "+442083661177"),
])  # fmt: skip
def test_a_national_number_is_one_of_the_shops_country(national: str, region: str, number: str) -> None:
    assert phone_number(national, region) == number


def test_without_a_country_a_national_number_is_nobodys() -> None:
    assert phone_number("044 668 18 00") is None
    assert phone_number("650 253 2222") is None


@pytest.mark.parametrize("value", [
    "9999999999", "1111111111", "1234567890", "0000000000", "5555555555", "+1 (555) 010-0", "+491", "+49", "+", "12", "911",
    "n/a", "null", "call me", "", "+4930" + "1" * 300, "+999 123456789",
])  # fmt: skip
def test_what_no_line_has_is_nobodys(value: str) -> None:
    assert phone_number(value, "US") is None


def test_a_switchboard_is_nobodys() -> None:
    assert phone_number("+41 44 668 18 00") is not None
    assert phone_number("+41 44 668 18 00 ext. 3") is None


@given(
    st.text(max_size=40) | st.from_regex(r"\+?[0-9 ()./-]{0,20}", fullmatch=True),
    st.sampled_from(("", "US", "DE", "IT", "AR")),
)
def test_whatever_is_typed_becomes_e164_once_and_for_all(typed: str, region: str) -> None:
    number = phone_number(typed, region)

    if number is not None:
        assert number[0] == "+"
        assert number[1:].isascii()
        assert number[1:].isdigit()
        assert len(number) <= 16
        assert phone_number(number) == phone_number(number, region) == number


def test_only_countries_have_numbering_plans() -> None:
    assert is_region("DE")
    assert is_region("GB")
    assert not is_region("UK")
    assert not is_region("XX")


def test_what_is_remembered_is_bounded() -> None:
    assert phone_number.cache_info().maxsize == REMEMBERED_MAX


def test_who_sees_no_phone_number_does_not_load_the_library() -> None:
    seen = """
import json, sys
from schemas.decode import Decoder
from streams.settings import build_settings

build_settings()
decoder = Decoder("EUR", phone_region="DE")
for who in ({"email": "ann@example.org"}, {"phone": "+41446681800"}):
    event = {"event": "Page Viewed", "message_id": "m", "timestamp_ms": 1, **who}
    decoder.decode(json.dumps(event).encode(), 0)
    print("phonenumbers" in sys.modules)
"""

    run = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)

    assert run.stdout.split() == ["False", "True"]
