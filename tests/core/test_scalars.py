"""Single values of foreign JSON: what is read, what is left out, what is refused."""

from typing import Any

import pytest

from schemas.scalars import (
    AdapterError,
    Fields,
    boolean_of,
    consent_state_of,
    email_address,
    identifier,
    number_of,
    storable,
    text_of,
)


def test_of_several_names_the_first_that_holds_something_counts() -> None:
    fields = Fields({"a": None, "b": "", "c": "x", "d": "y"}, "properties")

    assert fields.find("a", "b", "c", "d") == ("c", "x")
    assert (fields.text("a", "b", "d"), fields.ident("b", "c"), fields.find("a", "b")) == ("y", "x", None)


def test_a_path_leads_to_the_field() -> None:
    fields = Fields({"inner": {"list": [{"id": {}}]}}, "")

    (item,) = fields.inner("inner").objects("list")

    with pytest.raises(AdapterError, match="inner\\.list\\[0\\]\\.id is no text") as refusal:
        item.ident("id")
    assert refusal.value.reason == "wrong_type"


@pytest.mark.parametrize("value", [None, [], 5, "text"])
def test_an_object_that_is_none_is_empty(value: Any) -> None:
    assert Fields({"inner": value}, "").inner("inner").values == {}


def test_a_single_object_counts_as_a_list_of_one() -> None:
    assert [item.values for item in Fields({"p": {"id": 1}}, "").objects("p")] == [{"id": 1}]


@pytest.mark.parametrize(
    "value,text", [(1e300, "1e+300"), (0.5, "0.5"), (-0.0, "0"), (2**53 * 4.0, "3.602879701896397e+16")]
)
def test_numbers_as_text_lose_nothing(value: float, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    "value", ["1_000", "٣", "0x1", "1e9999", "NaN", "inf", "", "+", ".", "1" * 50, None, [], True, 1e400]
)
def test_what_is_no_plain_number_is_none(value: Any) -> None:
    assert number_of(value) is None


@pytest.mark.parametrize("value", [2, -1, 1.0, "2", "", None, [], "ja"])
def test_what_is_neither_true_nor_false_is_none(value: Any) -> None:
    assert boolean_of(value) is None


@pytest.mark.parametrize("value", [None, 1, [], {}, "", "maybe"])
def test_no_consent_state_is_guessed(value: Any) -> None:
    assert consent_state_of(value) is None


def test_an_address_that_grows_beyond_the_bound_when_lowered_is_nobodys() -> None:
    assert email_address("İ" * 200) is None
    assert email_address("GUEST") is None


def test_an_identifier_keeps_its_case() -> None:
    assert identifier(" Ann-1 ") == "Ann-1"


@pytest.mark.parametrize("trait,kept", [
    ("x" * 1022, True), ("x" * 1023, False), ([[[[[[[[1]]]]]]]], True), ([[[[[[[[[1]]]]]]]]], False),
    ({"a": {"b": 2**63 - 1}}, True), ({"a": {"b": 2**63}}, False), (-(2**63), True), (None, True),
])  # fmt: skip
def test_a_trait_is_kept_while_it_is_short_and_shallow(trait: Any, kept: bool) -> None:
    assert storable("name", trait) is kept


def test_a_trait_with_an_endless_name_is_not_kept() -> None:
    assert not storable("n" * 257, 1)


@pytest.mark.parametrize(
    "text, folded",
    [
        ("Ann.Lee+Shop@Gmail.com", "annlee@gmail.com"),
        ("ann.lee@googlemail.com", "annlee@gmail.com"),
        ("ann.lee+shop@icloud.com", "ann.lee@icloud.com"),
        ("ann.lee+shop@shop.example", "ann.lee+shop@shop.example"),
        ("+shop@gmail.com", "+shop@gmail.com"),
        ("no address", "no address"),
    ],
)
def test_two_spellings_of_one_mailbox_are_one_address_only_where_that_is_asked_for(text: str, folded: str) -> None:
    assert email_address(text, fold=True) == folded
    assert email_address(folded, fold=True) == folded
    assert email_address(text) == text.lower()


def test_the_values_that_identify_nobody_are_those_of_segment_and_posthog_together() -> None:
    """From Segment's documentation of blocked values and PostHog's list of illegal distinct ids."""
    segments = {"-1", "null", "anonymous", "unknown", "0000", "000-000", "00000000-0000-0000-0000-000000000000"}
    posthogs = {
        *("anonymous", "guest", "distinctid", "distinct_id", "id", "not_authenticated", "email", "undefined", "true"),
        *("false", "[object Object]", "NaN", "None", "none", "null", "0"),
    }

    assert [value for value in sorted(segments | posthogs) if identifier(value) is not None] == []


def test_a_number_that_describes_is_kept_within_thirty_two_bits() -> None:
    stated = Fields({"most": 2**31 - 1, "least": -(2**31) + 1, "more": 2**31, "less": -(2**31), "half": 0.5}, "p")

    assert (stated.small("most"), stated.small("least")) == (2**31 - 1, -(2**31) + 1)
    assert [stated.small(name) for name in ("more", "less", "half")] == [None, None, None]


def test_a_link_is_text_that_leads_somewhere() -> None:
    stated = Fields({"empty": "", "number": 7, "long": "x" * 2049, "short": "/", "longest": "x" * 2048}, "p")

    assert [stated.link(name) for name in ("empty", "number", "long")] == [None, None, None]
    assert (stated.link("empty", "short"), stated.link("longest")) == ("/", "x" * 2048)


def test_eight_digits_are_a_date_nine_are_seconds_and_true_is_no_instant() -> None:
    stated = Fields({"date": "20240501", "seconds": "999999999", "true": True, "list": [1]}, "p")

    assert (stated.instant("date"), stated.instant("seconds")) == (1_714_521_600_000, 999_999_999_000)
    for name in ("true", "list"):
        with pytest.raises(AdapterError) as refusal:
            stated.instant(name)
        assert (refusal.value.reason, refusal.value.detail) == ("wrong_type", f"p.{name} is no instant")


def test_an_amount_is_text_or_a_number_and_an_id_may_hold_what_can_not_be_printed_but_no_control_character() -> None:
    stated = Fields({"amount": [1], "joined": "a\u200db", "broken": "a\nb"}, "p")

    assert stated.ident("joined") == "a\u200db"
    for read, reason in (
        (lambda: stated.amount("EUR", "amount"), "wrong_type"),
        (lambda: stated.ident("broken"), "bad_id"),
    ):
        with pytest.raises(AdapterError) as refusal:
            read()
        assert refusal.value.reason == reason
