"""Privacy requests over HTTP: a command into the log, and what has become of it. Tokens with the scope `privacy` alone."""

import secrets
from collections.abc import Callable
from typing import Final, cast

import msgspec
from msgspec import UNSET, Struct, UnsetType

from schemas.events import ID_TYPES, CommandName, Id, Text
from schemas.reasons import DETAIL_MAX
from streams.home import home_partition
from streams.identifier_forms import IdentifierForms
from streams.privacy_request import BadIdentifiers, Request, by_type, receipt, request, split_request
from streams.serve.answer import Answer, Refusal, json_answer
from streams.serve.body import check_headers, read_body
from streams.serve.budget import Budget, Hold
from streams.serve.call import Call
from streams.serve.collect import AWAY_RETRY_S
from streams.serve.event_log import EventLog, LogAway
from streams.serve.intake import Row
from streams.serve.keys import Readers
from streams.serve.read import STORE_RETRY_S
from streams.setting_serve import Serve
from streams.table import Table, TableError

COMMANDS_TOPIC: Final = "commands"


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A privacy request about the customer whom the identifiers name; give all you know, one at least.

    `request_id` is the number you know it by; one is made where you have none. Repeats of a number are one request.
    """

    user_id: Id | UnsetType = UNSET
    email: Id | UnsetType = UNSET
    phone: Id | UnsetType = UNSET
    loyalty_id: Id | UnsetType = UNSET
    anonymous_id: Id | UnsetType = UNSET
    cart_token: Id | UnsetType = UNSET
    request_id: Id | UnsetType = UNSET
    reason: Text | UnsetType = UNSET


class SplitAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to take `identifier`, as "type:value", out of the profile of the customer whom the others name: they were united
    by mistake.
    """

    identifier: Text


_read: Final = msgspec.json.Decoder(Asked).decode
_reads: Final[dict[CommandName, Callable[[bytes], Asked]]] = {"split": msgspec.json.Decoder(SplitAsked).decode}


class PrivacyDesk:
    """Takes privacy requests. `wall_ms` is the wall clock, `mono_s` any clock that does not go back."""

    def __init__(
        self,
        settings: Serve,
        *,
        readers: Readers,
        log: EventLog,
        table: Table,
        budget: Budget,
        partitions: int,
        forms: IdentifierForms,
        wall_ms: Callable[[], int],
        mono_s: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._readers = readers
        self._log = log
        self._table = table
        self._budget = budget
        self._partitions = partitions
        self._forms = forms
        self._wall_ms = wall_ms
        self._mono_s = mono_s

    async def ask(self, call: Call) -> Answer:
        """POST /v1/privacy/<command>: it is in the log when this answers, and carried out soon after."""
        self._admit(call)
        name = cast(CommandName, call.path.rpartition("/")[2])
        limit = self._settings.event_bytes
        with Hold(self._budget) as hold:
            gzipped = check_headers(
                call.header("content-type"), call.header("content-encoding"), call.header("content-length"), limit=limit
            )
            body = await read_body(
                call.body, hold, gzipped=gzipped, limit=limit, timeout_ms=self._settings.body_timeout_ms
            )
            made = self._request(name, _asked(body, _reads.get(name, _read)))
            partition = home_partition(made.home, self._partitions)
            try:
                await self._log.write(
                    [Row(COMMANDS_TOPIC, partition, made.home.encode(), made.value, made.event.request_id)]
                )
            except LogAway:
                raise Refusal("kafka_away", headers={"Retry-After": str(AWAY_RETRY_S)}) from None
        return json_answer({"request_id": made.event.request_id}, status=202)

    async def receipt(self, call: Call) -> Answer:
        """GET /v1/privacy/requests/<request id>."""
        self._admit(call)
        try:
            found = await receipt(self._table, call.parts["request"], self._partitions, self._wall_ms())
        except TableError:
            raise Refusal("store_away", headers={"Retry-After": str(STORE_RETRY_S)}) from None
        if found is None:
            raise Refusal("no_request")
        return json_answer(found, headers={"Cache-Control": "no-store"})

    def _request(self, name: CommandName, asked: Asked) -> Request:
        named = {kind: value for kind in ID_TYPES if (value := getattr(asked, kind)) is not UNSET}
        if not named:
            raise Refusal("wrong_shape", f"it names none of {', '.join(ID_TYPES)}")
        request_id = secrets.token_hex(16) if asked.request_id is UNSET else asked.request_id
        reason = None if asked.reason is UNSET else asked.reason
        now_ms, forms = self._wall_ms(), self._forms
        try:
            if isinstance(asked, SplitAsked):
                taken = by_type([asked.identifier])
                return split_request(named, taken, request_id=request_id, now_ms=now_ms, reason=reason, forms=forms)
            return request(name, named, request_id=request_id, now_ms=now_ms, reason=reason, forms=forms)
        except BadIdentifiers as error:
            raise Refusal("nobody", str(error)[:DETAIL_MAX]) from None

    def _admit(self, call: Call) -> None:
        self._readers.admit(call.header("authorization"), "privacy", self._mono_s())


def _asked(body: bytes, read: Callable[[bytes], Asked]) -> Asked:
    try:
        return read(body)
    except msgspec.ValidationError as error:
        raise Refusal("wrong_shape", str(error)[:DETAIL_MAX]) from None
    except (ValueError, RecursionError) as error:
        raise Refusal("not_json", str(error)[:DETAIL_MAX]) from None
