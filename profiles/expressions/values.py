"""What the expression language's operators do to values, where its types allow more than one thing or something can fail.

An int has 64 bits and fails beyond; a uint is an int of a kind of its own; numbers of different kinds compare by value, and
true is no number. Whatever is not defined (null in a comparison, a key that is not there) raises Failed.
Source: the language definition, https://github.com/google/cel-spec/blob/master/doc/langdef.md.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from math import copysign, inf, isnan, nan
from operator import ge, gt, le, lt
from typing import Any, Final

from profiles.expressions.errors import Failed

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
UINT_MAX: Final = 2**64 - 1
MISSING: Final = object()


class Uint(int):
    """A whole number without sign, written 5u."""

    __slots__ = ()


class TypeName(str):
    """The name of a type as a value: what `type(x)` gives."""

    __slots__ = ()


COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {"_<_": lt, "_<=_": le, "_>_": gt, "_>=_": ge}


def kind_of(value: Any) -> str:
    """The type of a value, as the language names it."""
    for kind, name in _KINDS:
        if isinstance(value, kind):
            return name
    return "null_type" if value is None else type(value).__name__


def null_or_kind(value: Any) -> str:
    """How a value is called in the reason of a failure."""
    return "null" if value is None else kind_of(value)


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same: numbers by value, lists and maps by what they hold; of unlike kinds they are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    if isinstance(one, list | tuple):
        return (
            isinstance(other, list | tuple)
            and len(one) == len(other)
            and all(equal(ours, theirs) for ours, theirs in zip(one, other, strict=True))
        )
    if isinstance(one, Mapping):
        return (
            isinstance(other, Mapping)
            and len(one) == len(other)
            and all((theirs := look_up(other, key)) is not MISSING and equal(ours, theirs) for key, ours in one.items())
        )
    return kind_of(one) == kind_of(other) and bool(one == other)


def contains(items: Any, value: Any) -> bool:
    """`value in items`: an element of a list, or a key of a map."""
    if isinstance(items, list | tuple):
        return any(equal(item, value) for item in items)
    if isinstance(items, Mapping):
        return look_up(items, value) is not MISSING
    raise Failed(f"`in` {null_or_kind(items)}")


def look_up(found: Mapping[Any, Any], key: Any) -> Any:
    """The value of a key, or MISSING. A number finds the key of equal value; true is not the key 1."""
    if isinstance(key, str):
        return found.get(key, MISSING)
    if key is None or isinstance(key, list | tuple | Mapping | bytes):
        raise Failed(f"a key that is {null_or_kind(key)}")
    value = found.get(key, MISSING)
    if value is not MISSING and any(
        other == key and isinstance(other, bool) is not isinstance(key, bool) for other in found
    ):
        return MISSING
    return value


def index(found: Any, key: Any) -> Any:
    """`found[key]`: an element by its place from 0, or the value of a key."""
    if isinstance(found, Mapping):
        value = look_up(found, key)
        if value is MISSING:
            raise Failed("a key that is not there")
        return value
    if isinstance(found, list | tuple):
        if isinstance(key, float) and key.is_integer():
            key = int(key)
        if isinstance(key, bool) or not isinstance(key, int):
            raise Failed(f"an element by {null_or_kind(key)}")
        if not 0 <= key < len(found):
            raise Failed("an element that is not there")
        return found[key]
    raise Failed(f"an element of {null_or_kind(found)}")


def compare(sign: str, one: Any, other: Any) -> bool:
    """`one < other` and its like, for values whose types are known only now."""
    if not _comparable(one, other):
        raise Failed(f"`{sign.strip('_')}` on {null_or_kind(one)} and {null_or_kind(other)}")
    return COMPARISONS[sign](one, other)


def _comparable(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool)
    if isinstance(one, int | float):
        return isinstance(other, int | float)
    return isinstance(one, str | bytes | datetime | timedelta) and kind_of(one) == kind_of(other)


def calculate(sign: str, one: Any, other: Any) -> Any:
    """`one + other` and its like. Raises Failed for an int beyond 64 bits, a division of ints by zero, or other types."""
    kind = kind_of(one)
    if kind == kind_of(other):
        if kind == "int":
            return in_range(_whole(sign, one, other))
        if kind == "double":
            return _broken(sign, one, other)
        if kind == "uint":
            return in_range_unsigned(_whole(sign, one, other))
        if sign == "_+_" and kind in ("string", "bytes"):
            return one + other
        if sign == "_+_" and kind == "list":
            return [*one, *other]
    try:
        if (kind, sign, kind_of(other)) in _TIMES:
            return one + other if sign == "_+_" else one - other
    except OverflowError:
        raise Failed("a time beyond the calendar") from None
    raise Failed(f"`{sign.strip('_')}` on {null_or_kind(one)} and {null_or_kind(other)}")


_TIMES: Final = {
    ("timestamp", "_+_", "duration"),
    ("duration", "_+_", "timestamp"),
    ("duration", "_+_", "duration"),
    ("timestamp", "_-_", "duration"),
    ("timestamp", "_-_", "timestamp"),
    ("duration", "_-_", "duration"),
}


def in_range(value: int) -> int:
    """An int of 64 bits. Raises Failed beyond."""
    if not INT_MIN <= value <= INT_MAX:
        raise Failed("a number beyond 64 bits")
    return value


def in_range_unsigned(value: int) -> Uint:
    """A uint of 64 bits. Raises Failed beyond."""
    if not 0 <= value <= UINT_MAX:
        raise Failed("a number beyond 64 bits")
    return Uint(value)


def _whole(sign: str, one: int, other: int) -> int:
    match sign:
        case "_+_":
            return one + other
        case "_-_":
            return one - other
        case "_*_":
            return one * other
    if other == 0:
        raise Failed("a division by zero")
    # Towards zero, and the rest has the sign of the dividend: not what Python's // and % do.
    quotient = abs(one) // abs(other)
    quotient = quotient if (one < 0) == (other < 0) else -quotient
    return quotient if sign == "_/_" else one - quotient * other


def _broken(sign: str, one: float, other: float) -> float:
    match sign:
        case "_+_":
            return one + other
        case "_-_":
            return one - other
        case "_*_":
            return one * other
        case "_/_":
            if other != 0:
                return one / other
            return nan if one == 0 or isnan(one) else copysign(inf, one) * copysign(1.0, other)
    raise Failed(f"`{sign.strip('_')}` on double and double")


def negative(value: Any) -> Any:
    """`-value`."""
    match kind_of(value):
        case "int":
            return in_range(-value)
        case "double":
            return -value
    raise Failed(f"`-` on {null_or_kind(value)}")


def size(value: Any) -> int:
    """How many characters, bytes, elements or entries."""
    if isinstance(value, str | bytes | list | tuple | Mapping):
        return len(value)
    raise Failed(f"`size` of {null_or_kind(value)}")


def text_test(name: str) -> Callable[[Any, Any], bool]:
    """`contains`, `startsWith` or `endsWith` of strings."""
    test: Callable[[str, str], bool] = _TEXT_TESTS[name]

    def tested(text: Any, part: Any) -> bool:
        if not isinstance(text, str) or not isinstance(part, str):
            raise Failed(f"`{name}` of {null_or_kind(text)} and {null_or_kind(part)}")
        return test(text, part)

    return tested


_TEXT_TESTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "contains": str.__contains__,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}

# bool and Uint are ints to Python, so they stand first.
_KINDS: Final[tuple[tuple[Any, str], ...]] = (
    (bool, "bool"),
    (Uint, "uint"),
    (int, "int"),
    (float, "double"),
    (TypeName, "type"),
    (str, "string"),
    (bytes, "bytes"),
    ((list, tuple), "list"),
    (Mapping, "map"),
    (datetime, "timestamp"),
    (timedelta, "duration"),
)
