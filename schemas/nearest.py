"""What was probably meant by a name that there is not, and what is wrong in a document that holds one."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final

from msgspec import Struct, inspect


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """The known name that is most like this one; "" where none is that much like it (1.0: the same). Small letters are tried too.

    >>> nearest("cart.abandonned", ["welcome", "cart.abandoned"]), nearest("Welcome", ["welcome"]), nearest("x", ["welcome"])
    ('cart.abandoned', 'welcome', '')
    """
    names = list(known)
    close = get_close_matches(name, names, 1, likeness) or get_close_matches(name.lower(), names, 1, likeness)
    return close[0] if close else ""


def near(key: str, known: Iterable[str]) -> str:
    """A word on what was probably meant, or on what there is."""
    names = sorted(known)
    if not names:
        return "there are none"
    meant = nearest(key, names)
    return f"did you mean {meant!r}?" if meant else f"known are {', '.join(names)}"


def wrong_in(kind: type[Struct], error: Exception) -> str:
    """What msgspec says is wrong in a document of a kind, with a word on a field that there is not."""
    found = _UNKNOWN.fullmatch(str(error))
    if found is None:
        return str(error)
    name, place = found[1], found[2] or ""
    return f"unknown field ${place}.{name}; {near(name, _fields_at(kind, place))}"


def _fields_at(kind: type[Struct], place: str) -> list[str]:
    at: Any = inspect.type_info(kind)
    for name in _STEP.findall(place):
        at = _inside(at, name)
    return [field.encode_name for field in at.fields]


def _inside(at: Any, name: str) -> Any:
    """The type of a field, or without a name of what a list or a mapping holds."""
    if name:
        at = next(field.type for field in at.fields if field.encode_name == name)
    else:
        at = at.value_type if isinstance(at, inspect.DictType) else at.item_type
    if isinstance(at, inspect.UnionType):  # with null
        at = next(one for one in at.types if not isinstance(one, inspect.NoneType))
    return at


_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.+?)`(?: - at `\$(.+)`)?")
_STEP: Final = re.compile(r"\.(\w+)|\[")
