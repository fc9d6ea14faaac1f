"""Attributes of structs are found by their names, whatever was at the same place in the code before.

Compiled code remembers where it last found one (deploy/mypyc_attributes.h). These tests pass in any case for modules that were
not compiled; `make test-compiled` runs them on those that were.
"""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typing_extensions import override

from profiles.interests import grown
from profiles.profile import Profile
from profiles.state import Interests, Watch, encode
from profiles.watches import note_price, wish
from schemas.decode import Decoder
from schemas.events import Arrival, Product


def weight(of: object) -> int:
    """What a compiled function makes of `landmark_ms`: 10,000 at the landmark."""
    return grown(cast(Interests, of), 1.0, 0)


@pytest.fixture
def landmark_as_property() -> Iterator[None]:
    """The class is changed after it was used: the slot gives way to a property."""
    slot: Any = Interests.landmark_ms
    try:
        Interests.landmark_ms = property(lambda _: -14 * 86_400_000)  # type: ignore[assignment]
        yield
    finally:
        Interests.landmark_ms = slot


def test_a_slot_is_read_again_and_again() -> None:
    assert [weight(Interests()) for _ in range(3)] == [10_000] * 3


def test_several_types_may_take_turns_at_one_place() -> None:
    others = [type(f"Other{number}", (), {"landmark_ms": 0})() for number in range(4)]
    for _ in range(3):
        assert [weight(one) for one in (Interests(), *others, SimpleNamespace(landmark_ms=0))] == [10_000] * 6


def test_an_attribute_of_the_object_itself_counts_even_where_the_type_has_one() -> None:
    kind = type("Kind", (), {"landmark_ms": 0})
    one, other = kind(), kind()
    assert weight(one) == weight(other) == 10_000
    other.landmark_ms = -14 * 86_400_000
    assert (weight(one), weight(other)) == (10_000, 20_000)


@pytest.mark.usefixtures("landmark_as_property")
def test_a_class_that_was_changed_is_looked_at_anew() -> None:
    assert weight(Interests()) == 20_000


def test_a_class_that_was_changed_back_is_too() -> None:
    assert weight(Interests()) == 10_000


def test_what_is_missing_is_an_attribute_error() -> None:
    assert weight(Interests()) == 10_000
    with pytest.raises(AttributeError, match="landmark_ms"):
        weight(object())


def test_what_can_only_be_read_is_not_written() -> None:
    product = Product(product_id="tent")
    profile = Profile("user:ana")
    wish(profile, product, 5, None)
    assert profile.watches["tent"].wish == (5, True)
    sealed = type("Sealed", (), {"touched_ms": 0, "wish": property(lambda _: None)})()
    profile.watches["tent"] = sealed
    with pytest.raises(AttributeError):
        wish(profile, product, 5, None)


def test_a_class_that_sets_attributes_its_own_way_is_asked_each_time() -> None:
    told: list[str] = []

    class Told(Watch):
        @override
        def __setattr__(self, name: str, value: object) -> None:
            told.append(name)
            super().__setattr__(name, value)

    profile = Profile("user:ana")
    profile.watches["tent"] = Told("tent", None, 0)
    for at_ms in (1, 2, 3):
        wish(profile, Product(product_id="tent"), at_ms, None)
    assert told == ["touched_ms", "wish"] * 3


def test_what_was_there_before_is_let_go_of() -> None:
    class Seen(list[tuple[int, int]]):
        """A list that says when it goes."""

        gone: list[str] = []  # noqa: RUF012

        def __del__(self) -> None:
            self.gone.append("it")

    watch = Watch("tent", None, 100)
    for at_ms in (1, 2):  # by name the first time, by place the second
        watch.seen = Seen()
        note_price(watch, at_ms, 300)
        assert watch.seen == [(at_ms, 300)]
    assert Seen.gone == ["it", "it"]


def test_one_place_may_ask_for_many_names() -> None:
    """Identifiers of an event are read by `getattr`, name by name."""
    decode = Decoder("EUR").decode
    for email, loyalty in (("a@x.example", "L1"), ("b@x.example", "L2")):
        event: dict[str, object] = {"event": "Product Viewed", "message_id": email, "timestamp_ms": 1_767_607_200_000}
        event |= {"user_id": "ana", "email": email, "loyalty_id": loyalty, "product": {"product_id": "tent"}}
        found = decode(encode(event), 1_800_000_000_000)
        assert isinstance(found, Arrival), found
        assert dict(found.others) == {"email": email, "loyalty_id": loyalty}
