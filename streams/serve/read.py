"""Profiles out: the document, or a part of it, straight from the table. Tokens, scopes and a rate limit guard it.

Finding a profile is `streams.profile_lookup`'s matter alone. An answer's ETag comes from the stored bytes, so an unchanged
profile costs one look-up and no document.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from xxhash import xxh3_64_hexdigest

from profiles.book import Book
from profiles.document import document
from profiles.episodes import Triggers
from profiles.models import Models
from profiles.next_trigger import NextTrigger, next_trigger
from profiles.profile import Profile, UnsupportedVersion
from schemas.events import ID_TYPES
from schemas.profile_document import ProfileDocument
from streams.blame import blamed, said_of
from streams.goods import Stored, split_stored
from streams.identifier_forms import IdentifierForms
from streams.logs import place_of
from streams.product_facts import stored_keys
from streams.profile_lookup import Found, find
from streams.serve.answer import Answer, Refusal, json_answer
from streams.serve.call import Call
from streams.serve.keys import Readers
from streams.setting_serve import Scope
from streams.table import Table, TableError

_log = logging.getLogger(__name__)

FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(ProfileDocument))
STORE_RETRY_S: Final = 2
AS_OF_MS: Final = 3_600_000
"""Decayed scores and rates move with every millisecond, but not so that it matters within an hour: an ETag lasts that long."""

VALUE_MAX: Final = 256


class Reading:
    """Takes requests for profiles.

    `open_all` opens the sealed texts of an answer, None where nothing is protected. `wall_ms` is the wall clock, `mono_s` any
    clock that does not go back.
    """

    def __init__(
        self,
        *,
        readers: Readers,
        table: Table,
        book: Book,
        triggers: Triggers,
        partitions: int,
        forms: IdentifierForms,
        open_all: Callable[[bytes], bytes] | None,
        wall_ms: Callable[[], int],
        mono_s: Callable[[], float],
    ) -> None:
        self._readers = readers
        self._table = table
        self._book = book
        self._triggers = triggers
        self._partitions = partitions
        self._forms = forms
        self._open_all = open_all
        self._wall_ms = wall_ms
        self._mono_s = mono_s

    def renew(self, models: Models) -> None:
        """Predict with these models from now on."""
        self._book = replace(self._book, models=models)

    async def profile(self, call: Call) -> Answer:
        """GET /v1/profiles/<type>:<value>[?fields=orders,ltv]."""
        self._admit(call, "profiles")
        fields = _fields(call)
        return await self._answer(call, ",".join(fields), lambda found, now_ms: self._document(found, fields, now_ms))

    async def segments(self, call: Call) -> Answer:
        """GET /v1/profiles/<type>:<value>/segments."""
        self._admit(call, "segments")
        return await self._answer(
            call, "segments", lambda found, now_ms: self._document(found, ("id", "segments"), now_ms)
        )

    async def cart(self, call: Call) -> Answer:
        """GET /v1/profiles/<type>:<value>/cart: the newest cart with items, null where there is none."""
        self._admit(call, "carts")

        def newest(found: Found, now_ms: int) -> Any:
            shown = document(found.profile, self._book, now_ms)
            return {"id": shown.id, "cart": shown.carts[0] if shown.carts else None}

        return await self._answer(call, "cart", newest)

    async def next(self, call: Call) -> Answer:
        """GET /v1/profiles/<type>:<value>/next: the best trigger now, null where there is none. It is never cached."""
        self._admit(call, "next")
        found = await self._find(call)
        known = await self._known(found) if found.profile.episodes else Stored({}, {}, {})
        shown = {"id": found.profile.id, "trigger": self._next(found.profile, known)}
        return self._told(json_answer(shown, headers={"Cache-Control": "no-store"}))

    def _next(self, profile: Profile, known: Stored) -> NextTrigger | None:
        """The best trigger now, of those that do not fail when they are asked."""
        now_ms, triggers = self._wall_ms(), self._triggers
        while True:
            try:
                return next_trigger(profile, self._book, triggers, now_ms, known.goods, known.facts)
            except Exception as error:
                failed = blamed(error, triggers.values())
                if not failed:
                    raise
                names = ", ".join(sorted(failed))
                line = "%s, by what to show her now; %s is left out of it; at %s"
                _log.error(line, said_of(error), names, place_of(error), extra={"often": True})
                triggers = {name: trigger for name, trigger in triggers.items() if name not in failed}

    def _document(self, found: Found, fields: tuple[str, ...], now_ms: int) -> Any:
        shown = document(found.profile, self._book, now_ms)
        return {name: getattr(shown, name) for name in FIELDS if name in fields} if fields else shown

    def _admit(self, call: Call, scope: Scope) -> None:
        self._readers.admit(call.header("authorization"), scope, self._mono_s())

    async def _answer(self, call: Call, what: str, shape: Callable[[Found, int], Any]) -> Answer:
        found = await self._find(call)
        now_ms = self._wall_ms()
        # Weak: the same profile within the same hour says the same, though a score may differ in its last digit.
        named = xxh3_64_hexdigest(f"{what}|{self._book.models.id}".encode())[:8]
        tag = f'W/"{xxh3_64_hexdigest(found.stored, seed=now_ms // AS_OF_MS)}-{named}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if _matches(call.header("if-none-match"), tag):
            return Answer(304, headers=headers)
        return self._told(json_answer(shape(found, now_ms), headers=headers))

    def _told(self, answer: Answer) -> Answer:
        """The answer with contact details in clear text: whoever has this scope may read them."""
        return answer if self._open_all is None else replace(answer, body=self._open_all(answer.body))

    async def _known(self, found: Found) -> Stored:
        """Price and stock of what she watches, and what was told of that and of what she ordered."""
        profile = found.profile
        watched = list(profile.watches)
        ordered = {line.product_id for delivery in profile.deliveries.values() for line in delivery.lines}
        ordered.update(product_id for order in profile.recent_orders for product_id in order.product_ids)
        ordered.update(supply.product_id for supply in profile.supply.values())
        try:
            stored = await self._table.goods(found.partition, watched + stored_keys(sorted({*watched, *ordered})))
        except TableError:
            raise _store_away() from None
        return split_stored(stored)

    async def _find(self, call: Call) -> Found:
        text = _identifier(call.parts)
        try:
            found = await find(self._table, text, self._partitions, self._forms)
        except (TableError, UnsupportedVersion):
            raise _store_away() from None
        if found is None:
            raise Refusal("no_profile")
        return found


def _store_away() -> Refusal:
    return Refusal("store_away", headers={"Retry-After": str(STORE_RETRY_S)})


def _identifier(parts: Mapping[str, str]) -> str:
    """The "type:value" of a path. Raises Refusal (`bad_id`)."""
    kind, colon, value = parts["id"].partition(":")
    if not colon or kind not in ID_TYPES:
        raise Refusal("bad_id", f"types are {', '.join(ID_TYPES)}")
    if not 0 < len(value.strip()) <= VALUE_MAX or "\ufffd" in value:
        raise Refusal("bad_id", f"a value has 1 to {VALUE_MAX} characters of UTF-8")
    return f"{kind}:{value}"


def _fields(call: Call) -> tuple[str, ...]:
    """The fields asked for, () for all. Raises Refusal (`unknown_field`)."""
    asked = {name.strip() for text in call.asked("fields") for name in text.split(",")} - {""}
    unknown = sorted(asked - set(FIELDS))
    if unknown:
        raise Refusal("unknown_field", f"{unknown[0][:64]!r} is none of {', '.join(FIELDS)}")
    return tuple(name for name in FIELDS if name in asked or name == "id") if asked else ()


def _matches(given: str, tag: str) -> bool:
    """Whether If-None-Match names the tag (weak comparison, RFC 9110 section 13.1.2)."""
    return given.strip() == "*" or tag.removeprefix("W/") in {
        part.strip().removeprefix("W/") for part in given.split(",")
    }
