"""One record to its receiver: call after call until it is taken, refused, too late, or given up."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from streams.relay import guard
from streams.relay.attempts import RETRY_AFTER_MAX_S, left_out, meaning, pause_s
from streams.relay.calls import Call, NobodyNamed, call_of
from streams.setting_relay import Relay

_log = logging.getLogger(__name__)

FAILED: Final = {
    "refused": "The receiver answered that it does not want this record (400, 413 or 422), or (Braze) that it left it out.",
    "nobody_named": "The customer has no identifier that the messaging system knows.",
    "expired": "It could not be delivered before it expired.",
    "given_up": "It was tried again and again for as long as the settings say.",
    "malformed": "The record is no trigger.",
}
"""Why a record is set aside on `relay-failed`."""
SILENCE_MS: Final = 2 * RETRY_AFTER_MAX_S * 1000
"""A receiver that nobody called for this long, and for half of `disable_after_ms`, has not been failing meanwhile."""
KEPT_BYTES_MAX: Final = 128 * 1024
"""So much is kept of a record that is no JSON: as text in JSON it may be six times as long, and a broker takes a megabyte."""


class Answer(NamedTuple):
    """What a receiver said."""

    status: int
    retry_after: str | None = None
    body: bytes = b""
    """The beginning of it, where a system tells there what it did not take."""


class Post(Protocol):
    """Makes a call. Raises OSError or TimeoutError where no answer came."""

    async def __call__(self, url: str, call: Call) -> Answer: ...


class Failure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record that could not be delivered, on the topic `relay-failed`: why, after how many tries, and the record."""

    relay: str
    reason: str
    detail: str
    tries: int
    trigger_id: str | None = None
    name: str | None = None
    failed_at_ms: int
    original: msgspec.Raw
    schema: str = "regulars/relay-failure/1"


class Delivered(Struct, frozen=True, kw_only=True):
    """On the topic `relay-failed`, after the failure: a record was sent again by hand, and taken."""

    relay: str
    trigger_id: str | None
    name: str | None
    at_ms: int
    state: Literal["delivered"] = "delivered"
    schema: str = "regulars/relay-delivered/1"


class _Head(Struct, frozen=True, kw_only=True):
    """What a relay itself reads of a record."""

    trigger_id: Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]+$")]  # it travels as a header
    name: str
    of_name: str | None = None
    expires_at_ms: int | msgspec.UnsetType = msgspec.UNSET
    customer: dict[str, Any] = {}


class Disabled(Exception):
    """The receiver is gone, or has taken nothing for too long; or it must not be called. The message says what to do."""


class Courier:
    """Delivers the records of one relay. Times are epoch ms by `now_ms`."""

    def __init__(
        self,
        name: str,
        relay: Relay,
        post: Post,
        *,
        now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._name, self._relay, self._post, self._now_ms, self._sleep = name, relay, post, now_ms, sleep
        self._calls = asyncio.Semaphore(relay.at_once)
        self.taken_ms = now_ms()
        """When a receiver last took something; the start before that."""
        self._failing_ms: int | None = None
        """Since when it takes nothing though it is called."""
        self._failed_ms = 0
        self._silence_ms = max(relay.disable_after_ms // 2, SILENCE_MS)
        self.counts: dict[str, int] = dict.fromkeys(("delivered", "retried", *FAILED), 0)

    async def deliver(self, value: bytes | None) -> Failure | None:
        """Deliver a record of an output topic: None once it is taken, or passed by; else why not.

        Raises Disabled.
        """
        value = value or b""
        try:
            head = msgspec.convert(msgspec.json.decode(value), _Head)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            kept = value[:KEPT_BYTES_MAX].decode("utf-8", "replace")
            return self._failure("malformed", str(error), 0, msgspec.json.encode(kept))
        if self._relay.only and head.name not in self._relay.only and head.of_name not in self._relay.only:
            return None
        began_ms, tries = self._now_ms(), 0
        while True:
            async with self._calls:
                now_ms = self._now_ms()
                if head.expires_at_ms is not msgspec.UNSET and now_ms > head.expires_at_ms:
                    return self._failure("expired", f"expired after {tries} tries", tries, value, head)
                try:
                    call = call_of(self._relay, value, now_ms // 1000)
                except NobodyNamed as nobody:
                    return self._failure("nobody_named", str(nobody), tries, value, head)
                except (KeyError, TypeError, AttributeError, OverflowError) as error:
                    return self._failure("malformed", repr(error), tries, value)
                tries += 1
                said, trouble = await self._try(call)
            match "again" if said is None else meaning(said.status, said.body):
                case "delivered":
                    if self._failing_ms is not None:
                        _log.info("relay %s: the receiver takes triggers again", self._name, extra={"often": True})
                    self.taken_ms, self._failing_ms = self._now_ms(), None
                    self.counts["delivered"] += 1
                    return None
                case "gone":
                    raise Disabled(f"relay {self._name}: the receiver says that it is gone (410); it is called no more")
                case "refused":
                    return self._failure("refused", trouble, tries, value, head)
            now_ms = self._now_ms()
            if self._failing_ms is None or now_ms - self._failed_ms > self._silence_ms:
                self._failing_ms = now_ms
            self._failed_ms = now_ms
            if now_ms - self._failing_ms >= self._relay.disable_after_ms:
                raise Disabled(f"relay {self._name}: the receiver has taken nothing for too long; last: {trouble}")
            if now_ms - began_ms >= self._relay.give_up_ms:
                return self._failure("given_up", trouble, tries, value, head)
            self.counts["retried"] += 1
            _log.warning(
                "relay %s: a trigger was not taken (%s); it is tried again", self._name, trouble, extra={"often": True}
            )
            asked = None if said is None else said.retry_after
            await self._sleep(pause_s(tries, head.trigger_id, asked, now_ms / 1000))

    async def _try(self, call: Call) -> tuple[Answer | None, str]:
        try:
            said = await self._post(self._relay.url, call)
        except (OSError, TimeoutError) as error:
            if (private := guard.as_error(error)) is not None:
                raise Disabled(f"relay {self._name}: {private}") from None
            return None, str(error) or type(error).__name__
        why = left_out(said.body)
        return said, f"HTTP {said.status}" if why is None else f"HTTP {said.status}: {why}"

    def _failure(self, reason: str, detail: str, tries: int, value: bytes, head: _Head | None = None) -> Failure:
        self.counts[reason] += 1
        return Failure(
            relay=self._name,
            reason=reason,
            detail=detail,
            tries=tries,
            trigger_id=None if head is None else head.trigger_id,
            name=None if head is None else head.name,
            failed_at_ms=self._now_ms(),
            original=msgspec.Raw(value),
        )


def message_failed(failure: Failure) -> tuple[str, dict[str, Any]] | None:
    """The customer's identifier, and the event by which the worker learns that a trigger never went out: it then does not
    count towards the caps. None where the record is no trigger of a customer.
    """
    message_id = f"relay-{failure.relay}-{failure.trigger_id}"
    told = {"event": "Message Failed", "message_id": message_id, "timestamp_ms": failure.failed_at_ms}
    return _of_customer(failure, told | {"reason": failure.reason})


def message_sent(failure: Failure, now_ms: int) -> tuple[str, dict[str, Any]] | None:
    """The same by which it learns that the trigger went out after all. Of two words the newest holds, so this one is newer, by
    whichever clock.
    """
    message_id = f"relay-{failure.relay}-{failure.trigger_id}-sent"
    at_ms = max(now_ms, failure.failed_at_ms + 1)
    return _of_customer(failure, {"event": "Message Sent", "message_id": message_id, "timestamp_ms": at_ms})


def _of_customer(failure: Failure, told: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    if failure.trigger_id is None:
        return None
    customer = msgspec.json.decode(failure.original).get("customer", {})
    kind, _, value = str(customer.get("id", "")).partition(":")
    return (value, told | {"trigger_id": failure.trigger_id, kind: value}) if value else None
