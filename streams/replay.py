"""Replay: lines of events through the embedded engine into files of results. The demo is a replay of made-ready lines."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files as resources
from pathlib import Path

from profiles.book import Book
from profiles.engine import Engine
from schemas.decode import Decoder
from schemas.outputs import Outgoing
from schemas.reasons import Problem
from schemas.split import unfold
from streams.book_files import make_decoder
from streams.embedded import ARRIVALS, Embedded, Pace
from streams.report import Summary, summarise
from streams.reporting.snapshot import EarlierKeeper, snapshot, write_snapshot
from streams.results import Results
from streams.settings import Settings, build_settings
from streams.sources import Line, files
from streams.sources.completejourney import CURRENCY, TIMEZONE
from streams.trigger_registry import all_triggers

_COLLECT_EVERY = 20
"""Batches between two looks for garbage in cycles. Profiles make none, and looking at them all costs an eighth of a run."""


def replay(
    lines: Iterable[Line],
    book: Book,
    settings: Settings,
    results: Results,
    *,
    until_ms: int | None = None,
    decoder: Decoder | None = None,
    progress: Callable[[Pace], None] | None = None,
    watch: Callable[[Outgoing], None] | None = None,
) -> Summary:
    """Run the lines through the engine in the order given, each received at its `time_ms`; write and sum up the results.

    They are read by `decoder`, else by the one of the settings. `watch` sees every row that goes out. At the end the clock
    stands at the last event less the disorder allowed for, and is moved on to `until_ms` if given.
    """
    began = time.monotonic()
    was_collecting, batches = gc.isenabled(), 0
    keeper = EarlierKeeper(book.shop_day)
    gc.disable()

    def take(row: Outgoing) -> None:
        results.take(row.topic, bytes(row.value))
        if watch is not None:
            watch(row)

    def after_batch(pace: Pace) -> None:
        nonlocal batches
        batches += 1
        if batches % _COLLECT_EVERY == 0:
            gc.collect()
        keeper.see(pace.clock_ms, embedded.population)
        if progress is not None:
            progress(pace)

    try:
        decoder = decoder or make_decoder(settings)
        disorder_ms = settings.clock.disorder_ms
        with Embedded(
            Engine(book, all_triggers()), decoder, on_row=take, shop_id=book.shop_id, disorder_ms=disorder_ms
        ) as embedded:
            # No record times: an event was received when it says so, or else when it happened.
            embedded.feed(((line.value, 0) for line in lines), after_batch)
            clock_ms = embedded.pace.clock_ms
            now_ms = clock_ms + disorder_ms if clock_ms else 0  # the newest event's time, where there is one
            if until_ms is not None:
                embedded.advance_to(until_ms, after_batch)
                now_ms = max(now_ms, until_ms)
            results.tally.events = embedded.pace.events
            sums = results.write_profiles(embedded.profiles(), book, now_ms)
            counters = embedded.population()
            earlier = keeper.before(book.shop_day(now_ms))
            write_snapshot(snapshot(book, all_triggers(), counters, now_ms, earlier), results.folder)
        summary = summarise(sums, results.tally, time.monotonic() - began)
        results.write_summary(summary)
        return summary
    finally:
        if was_collecting:
            gc.enable()


def file_lines(paths: Iterable[Path], decoder: Decoder, *, sort: bool = False) -> Iterator[Line]:
    """The lines of files in arrival order, or with `sort` in the order of their event times (then all are in memory).

    An event that does not say when it was received was received when it happened; a line that can't be decoded, when the
    line before it was.
    """
    lines = _timed(files.read(paths), decoder)
    if not sort:
        yield from (line for _, line in lines)
        return
    # Sorting is stable: lines of equal times keep the order of the file.
    yield from (line for _, line in sorted(lines, key=lambda timed: timed[0]))


def _timed(values: Iterable[bytes], decoder: Decoder) -> Iterator[tuple[int, Line]]:
    """Each line with the time of its event, corrected by its own stamps."""
    last_ms = 0
    for value in values:
        for found, record in unfold(value, decoder):
            if isinstance(found, Problem):
                yield last_ms, Line(last_ms, ARRIVALS, "", record)
            else:
                last_ms = found.event.timestamp_ms
                yield found.time_ms, Line(last_ms, ARRIVALS, found.home, record)


def demo_settings() -> Settings:
    """The settings of the demo: the grocer's currency and zone, and a catalogue of how long its goods last."""
    catalogue = resources("streams.sources").joinpath("data", "supply_days.csv")
    return build_settings(
        {
            "shop": {"id": "completejourney", "currency": CURRENCY, "timezone": TIMEZONE},
            "files": {"catalogue": str(catalogue)},
        }
    )
