"""A tracking call's body into its messages: one for a single call, many for a batch, what the batch says merged into each.

Messages stay apart: one that can't be read spoils no other. What is refused here is only what makes the whole request
unreadable.
"""

import json
import re
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from streams.serve.answer import Refusal

MESSAGES_MAX: Final = 2500
"""Messages in one batch, as Segment allows."""

WHOLE_ADDS: Final = 256
"""Room for the type of a call, the moment its batch was sent, and an id."""

CALLS: Final = {
    **{name: name for name in ("identify", "track", "page", "screen", "group", "alias", "merge")},
    # What Segment's browser library calls them.
    "i": "identify",
    "t": "track",
    "p": "page",
    "s": "screen",
    "g": "group",
    "a": "alias",
}
"""The type of call by the last part of the path."""

BATCH_PATHS: Final = ("batch", "b", "import")


class Message(Struct, frozen=True):
    """One message: its fields, or None where it could not be read, and its own bytes as they came.

    `said` is what its path (`type`) or its batch says of it; the fields have it already. `shared_bytes` is the size of what
    the batch says of all its messages.
    """

    fields: dict[str, Any] | None
    original: bytes
    shared_bytes: int = 0
    said: dict[str, Any] = {}

    def whole(self, message_id: str = "") -> bytes:
        """Its own bytes, with what was said of it elsewhere, and the id made for it: sent again alone, it means the same. At most
        WHOLE_ADDS bytes more than it and `shared_bytes`.
        """
        if self.fields is None or not (self.said or message_id):
            return self.original
        try:
            fields = _any(self.original)
            _join(fields, self.said)
            if message_id:
                fields["messageId"] = message_id
            return msgspec.json.encode(fields)
        except RecursionError:  # nested so deeply that the stack of before just held it
            return self.original


class Envelope(Struct, frozen=True):
    """What came in one request. `write_key` is the one in the body, None where there is none."""

    write_key: object
    messages: list[Message]


class _Batch(Struct, gc=False):
    batch: list[Raw] | None = None
    write_key: Any = msgspec.field(name="writeKey", default=None)
    context: Any = None
    integrations: Any = None
    sent_at: Any = msgspec.field(name="sentAt", default=None)


_KEY: Final = re.compile(rb'("writeKey"\s*:\s*)"[^"]*"')
"""A key in what can't be read as a whole."""

_batch = msgspec.json.Decoder(_Batch).decode
_any = msgspec.json.Decoder().decode


def read_calls(body: bytes) -> Envelope:
    """The messages of a body that is a batch or one call that says its own type. Raises as `read_call` and `read_batch`."""
    try:
        batched = _batch(body).batch is not None
    except (ValueError, RecursionError):
        batched = False
    return read_batch(body) if batched else read_call(body, None)


def read_call(body: bytes, kind: str | None) -> Envelope:
    """The one message of a call of this type (None: as it says itself). Raises Refusal: `not_json`, `wrong_shape`."""
    try:
        fields = _any(body)
    except (ValueError, RecursionError) as error:
        raise Refusal("not_json", _words(error)) from None
    if not isinstance(fields, dict):
        raise Refusal("wrong_shape", "a call is a JSON object")
    write_key = fields.pop("writeKey", None)
    said = {} if kind is None or fields.get("type") == kind else {"type": kind}
    fields.update(said)
    # The key is taken out of what may be kept: a server's key is a secret.
    original = body if write_key is None else msgspec.json.encode(fields)
    return Envelope(write_key, [Message(fields, original, said=said)])


def read_batch(body: bytes) -> Envelope:
    """The messages of a batch. Raises Refusal: `not_json`, `wrong_shape`, `empty_batch`, `too_many`."""
    try:
        found = _batch(body)
    except msgspec.ValidationError as error:
        raise Refusal("wrong_shape", _words(error)) from None
    except (ValueError, RecursionError) as error:
        found = _leniently(body, error)
    if found.batch is None:
        raise Refusal("wrong_shape", "`batch` is missing")
    if not found.batch:
        raise Refusal("empty_batch")
    if len(found.batch) > MESSAGES_MAX:
        raise Refusal("too_many", f"it holds {len(found.batch)}")
    shared = {
        name: value
        for name, value in (("context", found.context), ("integrations", found.integrations))
        if isinstance(value, dict)
    }
    try:
        shared_bytes = len(msgspec.json.encode(shared)) if shared else 0
    except RecursionError as error:
        raise Refusal("not_json", _words(error)) from None
    # When the batch left: a message that is sent again carries its first time at best.
    said = shared if found.sent_at is None else {**shared, "sentAt": found.sent_at}
    return Envelope(found.write_key, [_message(bytes(raw), said, shared_bytes) for raw in found.batch])


def _leniently(body: bytes, error: Exception) -> _Batch:
    """The batch as Python's own JSON reader takes it.

    It lets through NaN and half a surrogate pair (a browser that cuts a text inside an emoji sends that). The message that
    holds it stays unreadable, but must not cost the others of its batch. In what the batch says of all its messages the half
    becomes the sign for what can't be read.
    """
    try:
        found = json.loads(body)
        if not isinstance(found, dict) or not isinstance(found.get("batch"), list):
            raise Refusal("not_json", _words(error))
        batch = [Raw(json.dumps(item).encode()) for item in found.pop("batch")]
        shared = json.loads(_whole(json.dumps(found, ensure_ascii=False)))
    except (ValueError, RecursionError):
        raise Refusal("not_json", _words(error)) from None
    return _Batch(
        batch=batch,
        write_key=shared.get("writeKey"),
        context=shared.get("context"),
        integrations=shared.get("integrations"),
        sent_at=shared.get("sentAt"),
    )


def _whole(text: str) -> str:
    r"""A text with U+FFFD for each half of a surrogate pair.

    >>> ascii(_whole("tea \ud83d, tea \U0001f375"))
    "'tea \\ufffd, tea \\U0001f375'"
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _message(original: bytes, said: dict[str, Any], shared_bytes: int) -> Message:
    try:
        fields = _any(original)
        if isinstance(fields, dict) and fields.pop("writeKey", None) is not None:
            original = msgspec.json.encode(fields)
    except (ValueError, RecursionError):
        return Message(None, _KEY.sub(rb'\1""', original))
    if not isinstance(fields, dict):
        return Message(None, original)
    _join(fields, said)
    return Message(fields, original, shared_bytes, said)


def _join(fields: dict[str, Any], said: dict[str, Any]) -> None:
    """Add what was said of a message elsewhere. Of what is a table the message's own word wins, field by field."""
    for name, common in said.items():
        own = fields.get(name)
        fields[name] = common | own if isinstance(common, dict) and isinstance(own, dict) else common


def _words(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
