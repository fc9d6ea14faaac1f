"""The counters of a whole shop: from the partitions of a table, or from events in files."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from profiles.book import Book
from profiles.engine import Engine
from profiles.insight.tallies import Tally, add
from schemas.decode import Decoder
from schemas.split import unfold
from streams.embedded import Embedded, Pace
from streams.table import Meta


class Counted(NamedTuple):
    """All partitions' counters added up, the newest moment (epoch ms) that any of them has seen, and events set aside."""

    counters: Tally
    until_ms: int
    rejected: int = 0


class CountingTable(Protocol):
    """What is asked of a table here."""

    async def population(self, partition: int) -> dict[str, int]: ...
    async def meta(self, partition: int) -> Meta | None: ...


async def from_table(table: CountingTable, partitions: int, progress: Callable[[int, int], None]) -> Counted:
    """The counters that the workers keep. `progress` is told of partitions read and counters found.

    Partitions are read one after the other while workers go on: each is whole in itself, and a customer is in one only.
    """
    total: Tally = {}
    until_ms = 0
    for partition in range(partitions):
        add(total, await table.population(partition))
        meta = await table.meta(partition)
        until_ms = max(until_ms, meta.clock_ms if meta is not None else 0)
        progress(partition + 1, len(total))
    return Counted(total, until_ms)


def from_events(values: Iterable[bytes], book: Book, decoder: Decoder, progress: Callable[[Pace], None]) -> Counted:
    """The counters that a worker would have after the events of these lines. No trigger is looked at, and nothing is written."""
    records = ((record, 0) for value in values for _, record in unfold(value, decoder))
    with Embedded(Engine(book, ()), decoder, on_row=lambda _: None, shop_id=book.shop_id, disorder_ms=0) as embedded:
        embedded.feed(records, progress)
        return Counted(embedded.population(), embedded.pace.clock_ms, embedded.pace.rejected)
