"""Functions that few conditions use, carried out by the library itself: regular expressions (RE2, whose time is linear in the
text), conversions from and to text, durations. A call costs some 5 us; everything else is done without the library.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NoReturn

from cel_expr_python import cel

from profiles.expressions.errors import Failed
from profiles.expressions.values import Uint, kind_of

DATE_PARTS: Final = (
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
)
METHODS: Final = frozenset({"matches", *DATE_PARTS})
REFUSED: Final = {
    "matches": "this is no regular expression",
    "timestamp": 'an instant is written as in timestamp("2026-03-01T00:00:00Z")',
    "duration": 'a duration has h, m or s, as in duration("36h"); spans of days are for functions: ago("7d"), orders("7d")',
}
"""What is said of a text that a function can't read."""
_TYPES: Final = {
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "uint": cel.Type.UINT,
    "double": cel.Type.DOUBLE,
    "string": cel.Type.STRING,
    "bytes": cel.Type.BYTES,
    "timestamp": cel.Type.TIMESTAMP,
    "duration": cel.Type.DURATION,
}


@lru_cache(maxsize=256)
def carried_out(name: str, types: tuple[str, ...]) -> Callable[..., Any]:
    """A standard function for arguments of these types; those of "dyn" and what else there is are seen when it is called."""
    if not all(kind.removesuffix("?") in _TYPES for kind in types):
        return lambda *values: _as_found(name, values)
    names = [f"a{place}" for place in range(len(types))]
    environment = cel.NewEnv(
        variables={variable: _TYPES[kind.removesuffix("?")] for variable, kind in zip(names, types, strict=True)}
    )
    call = f"{names[0]}.{name}({', '.join(names[1:])})" if name in METHODS else f"{name}({', '.join(names)})"
    try:
        expression = environment.compile(call)
    except RuntimeError:  # there is no such function of what was found
        return lambda *_: _refuse(name)

    def run(*values: Any) -> Any:
        try:
            result = expression.eval(data=dict(zip(names, values, strict=True)))
        except RuntimeError:  # a value that is not of the argument's type: null, or a number beyond it
            _refuse(name)
        kind = result.type().name()
        if kind == "ERROR":
            _refuse(name)
        value = result.plain_value()
        match kind:
            case "UINT":
                return Uint(value)
            case "BYTES":  # they come as bytes that may be changed, which nothing else is
                return bytes(value)
        return value

    return run


def _as_found(name: str, values: tuple[Any, ...]) -> Any:
    """The library takes instants and spans only for what they are: as "dyn" it refuses them."""
    kinds = tuple(map(kind_of, values))
    return carried_out(name, kinds)(*values) if _TYPES.keys() >= set(kinds) else _refuse(name)


def _refuse(name: str) -> NoReturn:
    raise Failed(f"`{name}` can't be done on such a value") from None
