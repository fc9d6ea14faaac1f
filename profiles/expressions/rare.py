"""Functions that few conditions use, carried out by the library itself: regular expressions (RE2, whose time is linear in the
text), conversions from and to text, durations. A call costs some 5 us; everything else is done without the library.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from cel_expr_python import cel

from profiles.expressions.errors import Failed
from profiles.expressions.values import Uint

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
    """A standard function for arguments of these types ("dyn" and what else there is are looked at when it is called)."""
    names = [f"a{place}" for place in range(len(types))]
    environment = cel.NewEnv(
        variables={
            variable: _TYPES.get(kind.removesuffix("?"), cel.Type.DYN)
            for variable, kind in zip(names, types, strict=True)
        }
    )
    call = f"{names[0]}.{name}({', '.join(names[1:])})" if name in METHODS else f"{name}({', '.join(names)})"
    expression = environment.compile(call)

    def run(*values: Any) -> Any:
        try:
            result = expression.eval(data=dict(zip(names, values, strict=True)))
        except RuntimeError:  # a value that is not of the argument's type: null, or a number beyond it
            raise Failed(f"`{name}` can't be done on such a value") from None
        kind = result.type().name()
        if kind == "ERROR":
            raise Failed(f"`{name}` can't be done on such a value")
        value = result.plain_value()
        match kind:
            case "UINT":
                return Uint(value)
            case "BYTES":  # they come as bytes that may be changed, which nothing else is
                return bytes(value)
        return value

    return run
