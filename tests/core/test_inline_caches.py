"""Attributes, methods and what modules hold are found by their names, whatever was at the same place in the code before.

Compiled code remembers what it last found there (deploy/mypyc_caches.h). These tests pass in any case for modules that were
not compiled; `make test-compiled` runs them on those that were.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from msgspec import Raw
from typing_extensions import override

from profiles import ids, interests
from profiles.ids import decision_id
from profiles.interests import grown
from profiles.parts import open_part
from profiles.profile import Profile
from profiles.state import Interests, Watch, encode
from profiles.triggers.category_interest import CATEGORY_INTEREST
from profiles.watches import mentioned, note_price, wish
from schemas import events
from schemas.decode import Decoder
from schemas.events import Arrival, Product, ProductEvent


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


def test_more_types_than_a_place_remembers_may_take_turns_and_change() -> None:
    kinds = [
        msgspec.defstruct(f"Kind{number}", [*((f"other{n}", int, 0) for n in range(number)), ("landmark_ms", int, 0)])
        for number in range(6)
    ]
    for _ in range(3):
        assert [weight(kind()) for kind in kinds] == [10_000] * 6
    doubled: Any = property(lambda _: -14 * 86_400_000)
    kinds[3].landmark_ms = doubled  # type: ignore[attr-defined]
    for _ in range(3):
        assert [weight(kind()) for kind in kinds] == [10_000] * 3 + [20_000] + [10_000] * 2


def test_a_getter_may_change_its_class() -> None:
    class Turns:
        @property
        def landmark_ms(self) -> int:
            Turns.landmark_ms = 0  # type: ignore[assignment,method-assign]
            return -14 * 86_400_000

    one = Turns()
    assert [weight(one) for _ in range(3)] == [20_000, 10_000, 10_000]


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


# --- methods, what modules hold, and instances ----------------------------------------------------------------------


class Reads:
    """Stands for a decoder: `open_part` calls its `decode`."""

    def __init__(self, says: object) -> None:
        self.says = says

    def decode(self, text: bytes) -> object:
        return self.says


class ReadsItsOwnWay(Reads):
    __slots__ = ()

    @override
    def decode(self, text: bytes) -> object:
        return ("its own way", self.says)


class Sealed:
    """Without a dict of its own: its methods can't be hidden by it."""

    __slots__ = ()

    def decode(self, text: bytes) -> object:
        return "sealed"


def opened(decoder: object) -> object:
    return open_part(Raw(b"1"), (cast(Any, decoder), dict))


def test_several_types_may_be_called_at_one_place() -> None:
    for _ in range(3):
        assert opened(Reads(1)) == 1
        assert opened(ReadsItsOwnWay(2)) == ("its own way", 2)
        assert opened(Sealed()) == "sealed"
        assert opened(msgspec.json.Decoder(int)) == 1


def test_a_method_that_an_object_hides_is_not_called() -> None:
    one, other = Reads(1), Reads(2)
    assert (opened(one), opened(other)) == (1, 2)
    one.decode = lambda text: "hidden"  # type: ignore[method-assign]
    assert (opened(one), opened(other)) == ("hidden", 2)


def test_a_method_that_was_changed_is_called_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    assert opened(Sealed()) == opened(Sealed()) == "sealed"
    monkeypatch.setattr(Sealed, "decode", lambda self, text: "changed")
    assert opened(Sealed()) == opened(Sealed()) == "changed"
    monkeypatch.undo()
    assert opened(Sealed()) == opened(Sealed()) == "sealed"


def test_a_method_may_take_itself_away() -> None:
    class Once:
        __slots__ = ()

        def decode(self, text: bytes) -> object:
            del Once.decode
            return "once"

    assert opened(Once()) == "once"
    with pytest.raises(AttributeError, match="decode"):
        opened(Once())


def test_what_a_method_raises_comes_through() -> None:
    class Broken:
        __slots__ = ()

        def decode(self, text: bytes) -> object:
            raise LookupError("broken")

    for _ in range(3):
        with pytest.raises(LookupError, match="broken"):
            opened(Broken())


def test_what_a_module_holds_is_looked_at_anew_when_it_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = decision_id("one")
    assert decision_id("one") == before
    for said in ("first", "second"):
        monkeypatch.setattr(ids, "xxh3_128_hexdigest", lambda text, said=said: said)
        assert decision_id("one") == decision_id("two") == said
    monkeypatch.delattr(ids, "xxh3_128_hexdigest")
    with pytest.raises((NameError, KeyError), match="xxh3_128_hexdigest"):  # the latter by compiled code
        decision_id("one")
    monkeypatch.undo()
    assert decision_id("one") == before


def test_so_is_what_another_module_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event about a list names its category itself; of any other it is looked for at its product."""

    class Ours:
        def __init__(self) -> None:
            self.category, self.asked = None, False

        @property
        def product(self) -> Any:
            self.asked = True
            return SimpleNamespace(category=None)

    def product_asked() -> bool:
        event = Ours()
        CATEGORY_INTEREST.on_event(cast(Any, None), cast(Any, SimpleNamespace(event=event)))
        return event.asked

    assert [product_asked() for _ in range(3)] == [True] * 3
    monkeypatch.setattr(events, "ListEvent", Ours)
    assert [product_asked() for _ in range(3)] == [False] * 3
    monkeypatch.undo()
    assert product_asked()


def test_an_instance_is_one_of_its_class_or_a_derived_one() -> None:
    class Ours(ProductEvent, frozen=True, kw_only=True):
        pass

    tent = Product(product_id="tent", variant_id="red")
    for _ in range(3):
        for kind in (ProductEvent, events.ProductViewed, Ours):
            assert mentioned(kind(message_id="m", timestamp_ms=0, product=tent)) == ["tent/red"]
        assert mentioned(events.ProductListViewed(message_id="m", timestamp_ms=0)) == []


def test_what_says_of_itself_that_it_is_an_instance_is_believed() -> None:
    class Says:
        product = Product(product_id="tent")

        def __init__(self, kind: type) -> None:
            self.kind = kind

        @property  # type: ignore[misc]  # mocks and proxies do the same
        @override
        def __class__(self) -> type:
            return self.kind

    for _ in range(2):
        assert mentioned(cast(Any, Says(ProductEvent))) == ["tent"]
        assert mentioned(cast(Any, Says(Says))) == []


# --- that it takes hold ---------------------------------------------------------------------------------------------


def looked_up() -> int:
    """How often compiled code has looked something up by its name; 0 where nothing is compiled."""
    counts = [0]
    for name, module in list(sys.modules.items()):
        if name.endswith("__mypyc") and module.__file__ is not None:
            with suppress(ValueError):  # another project's
                counts.append(ctypes.c_ulong.in_dll(ctypes.CDLL(module.__file__), "regulars_looked_up").value)
    return sum(counts)


def test_what_was_found_once_is_not_looked_up_again() -> None:
    """Of the same kinds of things; where the count goes up with each call, the header does nothing on this Python."""
    of, profile, product = Interests(), Profile("user:ana"), Product(product_id="tent")

    def work() -> None:
        weight(of)
        wish(profile, product, 5, None)
        opened(Sealed())
        decision_id("one")

    for _ in range(5):
        work()
    before = looked_up()
    compiled = str(interests.__file__).endswith(".so")
    assert (before > 0) == compiled, "the count of a compiled release was not found"
    for _ in range(100):
        work()
    assert looked_up() - before < 100
