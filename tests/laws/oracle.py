"""The library's own evaluation of an expression, to hold ours against: the profile document as its messages, nothing of ours."""

from typing import Any

import msgspec
from cel_expr_python import cel
from google.protobuf import json_format, message_factory

from profiles.expressions.library import message_pool
from profiles.expressions.shapes import PROFILE, every_shape
from schemas.profile_document import ProfileDocument

_POOL = message_pool(tuple(every_shape(PROFILE)))
_MESSAGE = message_factory.GetMessageClass(_POOL.FindMessageTypeByName("regulars.ProfileDocument"))
_ENVIRONMENT = cel.NewEnv(_POOL, variables={"profile": cel.Type("regulars.ProfileDocument"), "now_ms": cel.Type.INT})


def _without_null(value: Any) -> Any:
    """The document as JSON without what has no value; free-form traits stay as they are."""
    if isinstance(value, dict):
        return {
            name: part if name == "traits" else _without_null(part) for name, part in value.items() if part is not None
        }
    if isinstance(value, list):
        return [_without_null(part) for part in value]
    return value


def outcome(text: str, shown: ProfileDocument, now_ms: int) -> object:
    """True, False, another value, or the word "failed"."""
    message = json_format.ParseDict(_without_null(msgspec.json.decode(msgspec.json.encode(shown))), _MESSAGE())
    result = _ENVIRONMENT.compile(text).eval(data={"profile": message, "now_ms": now_ms})
    return "failed" if result.type().name() == "ERROR" else result.plain_value()
