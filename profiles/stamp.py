"""Which rules these are: the shop's own name of them, and a digest that changes with anything they say."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct
from xxhash import xxh3_64_hexdigest

from profiles.book import Book
from profiles.definition import TriggerDefinition


class RulesStamp(Struct, frozen=True):
    """`version` is what the shop calls its rules, `digest` 16 characters by which two sets of rules are told apart; `segments`
    changes with any segment or condition over a time, and with whatever else of the shop gives one another meaning, "" where
    there is none; `visitors` is "forgotten" where those who do not come back are, else "".
    """

    version: str
    digest: str
    segments: str = ""
    visitors: str = ""


def stamp_of(book: Book, triggers: Iterable[TriggerDefinition[Any]]) -> RulesStamp:
    """The stamp of a book's rules, defaults and segments included; costs, rates and goods are no part of it."""
    rules, segments = book.rules, book.segments
    said = (
        msgspec.structs.replace(rules, triggers={}),
        sorted((trigger.name, msgspec.to_builtins(trigger.rule(book))) for trigger in triggers),
        "" if segments is None else segments.of_rules,
    )
    return RulesStamp(
        rules.version,
        xxh3_64_hexdigest(msgspec.json.encode(said)),
        "" if segments is None else segments.fingerprint,
        "forgotten" if rules.visitors.forget_after_ms else "",
    )
