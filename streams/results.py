"""The files a replay leaves behind: one JSON document a line, and a summary.

profiles.jsonl   the public document of every customer, sorted by id
triggers.jsonl   triggers and what became of them, in the order they were decided
decisions.jsonl  every change in the life of a trigger, with its reason
identities.jsonl who turned out to be whom: merges, identifiers refused, conflicts
rejected.jsonl   records that were set aside, with the reason
summary.json     `streams.report.Summary`
"""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec
from msgspec import Struct

from profiles.book import Book
from profiles.document import document
from profiles.profile import Profile
from schemas.events import ANONYMOUS
from schemas.topics import holds_triggers
from streams.report import Summary, Sums, Tally

FILE_OF = {
    "trigger-cancelled": "triggers",
    "trigger-converted": "triggers",
    "cart-recovered": "triggers",
    "decisions": "decisions",
    "identity-changes": "identities",
    "rejected": "rejected",
}
"""Output topic -> file, besides those of triggers. Records on internal topics are no results."""

_BUFFER_BYTES = 1 << 20


class _Named(Struct):
    """What is counted of a record."""

    name: str = ""
    state: str = ""
    reason: str | None = None


class Results:
    """Writes results into a folder as they come, and counts them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tally = Tally()
        self._stack = ExitStack()
        self._files: dict[str, IO[bytes]] = {}
        self._decode = msgspec.json.Decoder(_Named).decode

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in sorted(set(FILE_OF.values())):
            file = (self.folder / f"{name}.jsonl").open("wb", buffering=_BUFFER_BYTES)
            self._files[name] = self._stack.enter_context(file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def take(self, topic: str, value: bytes) -> None:
        """Write one output record, given as JSON."""
        name = FILE_OF.get(topic)
        if name is None:
            if not holds_triggers(topic):
                return
            name = "triggers"
        file = self._files[name]
        file.write(value)
        file.write(b"\n")
        if name == "rejected":
            self.tally.rejected += 1
            self.tally.reasons[self._decode(value).reason or ""] += 1
        elif name == "decisions":
            self.tally.decisions[self._decode(value).state] += 1
        elif name == "identities":
            self.tally.identities[self._decode(value).name] += 1
        else:
            self.tally.triggers[self._decode(value).name] += 1

    def write_profiles(self, profiles: Iterable[Profile], book: Book, now_ms: int) -> Sums:
        """Write every customer's document, in the order given, and add them up."""
        sums = Sums()
        encode = msgspec.json.Encoder().encode
        with (self.folder / "profiles.jsonl").open("wb", buffering=_BUFFER_BYTES) as file:
            for profile in profiles:
                sums.add(profile)
                if profile.id != ANONYMOUS:
                    file.write(encode(document(profile, book, now_ms)))
                    file.write(b"\n")
        return sums

    def write_summary(self, summary: Summary) -> None:
        """Write the summary, readable."""
        text = msgspec.json.format(msgspec.json.encode(summary), indent=2)
        (self.folder / "summary.json").write_bytes(text + b"\n")
