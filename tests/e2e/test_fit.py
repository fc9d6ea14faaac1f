"""Workers, fits and the report side by side on real servers: a simulated shop's history, learned from while it comes in.

Kafka and Redis must change nothing: what a fit finds in the counters of four partitions and two workers is what it finds in the
same events read from a file, to the last bit. And workers must take new models as they go, without a restart.
"""

import contextlib
import json
from collections import deque
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiles.book import Book
from profiles.models import Models, decode_models
from profiles.rules import DAY_MS, HOUR_MS
from schemas.decode import Decoder
from schemas.events import PageViewed
from streams.feed import as_lines
from streams.fitting.gather import from_events
from streams.simulation.catalogue import CURRENCY
from streams.simulation.world import World
from tests.e2e.kit import PATIENCE_S, Shop
from tests.e2e.scenario import Record

CUSTOMERS, DAYS = 620, 300
STATISTICS = ("value:", "cohort:", "gaps:")


def timezone_of(now_ms: int) -> str:
    """A zone where it is about noon, so that no run of this test falls on the end of a day of the shop."""
    ahead = 12 - now_ms // HOUR_MS % 24
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def history(now_ms: int) -> tuple[World, list[bytes]]:
    """All that the customers of a simulated shop did, moved so that the last day is yesterday; and somebody who looks in now."""
    world = World(7, CUSTOMERS, DAYS)
    moved_ms = (now_ms - world.end_ms) // DAY_MS * DAY_MS
    lines = []
    for day in range(DAYS):
        for line in world.lines_of(day):
            event = json.loads(line.value or b"")
            event["timestamp_ms"] += moved_ms
            lines.append(json.dumps(event).encode())
    now = PageViewed(
        message_id="now", timestamp_ms=now_ms, user_id="c1", source="simulated", url="https://shop.example/"
    )
    return world, [*lines, msgspec.json.encode(now)]


def counters(shop: Shop) -> dict[str, int]:
    """The counters of all partitions, by a plain client."""
    found: dict[str, int] = {}
    with contextlib.closing(shop.client()) as client:
        for partition in range(shop.partitions):
            for name, count in client.hgetall(f"{shop.prefix}:{{{partition}}}:pop").items():
                found[name.decode()] = found.get(name.decode(), 0) + int(count)
    return {name: count for name, count in found.items() if count}


def used(shop: Shop, models: str) -> bool:
    """Whether every worker said that it works with these models now."""
    return all(models in worker.log() and worker.running for worker in shop.workers)


def banded(shop: Shop) -> int:
    """Customers whose churn band was decided: that takes a model."""
    return sum("band" in json.dumps(profile.get("standing", {})) for profile in shop.profiles().values())


def fit_while_events_come_in(shop: Shop, records: list[Record], out: Path) -> Models:
    """A fit of its own process, while the workers get a few records at a time; then all others. What was learned."""
    fit = shop.start("--out", str(out), command="fit")
    shop.workers.remove(fit)
    left = deque(records)

    def more(count: int) -> bool:
        shop.produce([left.popleft() for _ in range(min(count, len(left)))])
        return not fit.running

    try:
        while not more(5) and len(left) > len(records) // 2:
            pass
        assert fit.process.wait(PATIENCE_S) == 0, fit.log()
    finally:
        fit.close()
    assert 0 < len(left) < len(records)
    models = decode_models(out.read_bytes())
    shop.expect(lambda: used(shop, models.id), "workers took the first models")
    more(len(left))
    shop.wait_caught_up()
    return models


@pytest.mark.timeout(400)
def test_what_is_fitted_beside_the_workers_is_what_the_file_gives_and_workers_take_it_as_they_go(
    shop: Shop, now_ms: int, tmp_path: Path
) -> None:
    shop.settings |= {"REGULARS_SHOP_CURRENCY": CURRENCY, "REGULARS_SHOP_TIMEZONE": timezone_of(now_ms)}
    world, lines = history(now_ms)
    first, both = tmp_path / "first.jsonl", tmp_path / "all.jsonl"
    cut = len(lines) * 9 // 10
    first.write_bytes(b"\n".join(lines[:cut]) + b"\n")
    both.write_bytes(b"\n".join(lines) + b"\n")
    rest = [Record(line.topic, line.key, line.value or b"", 0) for line in as_lines(lines[cut:], Decoder(CURRENCY))]
    pids = [shop.start().process.pid for _ in range(2)]
    shop.command("feed", str(first), patience_s=120)
    shop.wait_caught_up()
    assert banded(shop) == 0

    early = fit_while_events_come_in(shop, rest, tmp_path / "early.json")
    # Nobody started anew, and those who ordered since have a band, which nobody had before.
    assert [worker.process.pid for worker in shop.workers] == pids
    assert banded(shop) > 50
    assert early.value is not None
    assert early.value.timing is not None

    shop.command("fit", "--out", str(tmp_path / "live.json"), patience_s=120)
    shop.command(
        "fit", str(both), "--last", str(tmp_path / "early.json"), "--out", str(tmp_path / "file.json"), patience_s=120
    )
    live, file = (decode_models((tmp_path / name).read_bytes()) for name in ("live.json", "file.json"))

    check_same_counters(shop, both, now_ms)
    check_parameters(live, file)
    assert live == file, "equal parameters, and equal to the last bit in all else"
    with contextlib.closing(shop.client()) as client:
        assert decode_models(client.get(f"{shop.prefix}:models")) == live
    shop.expect(lambda: used(shop, live.id), "workers took the second models")
    of_day = {worker.metric("regulars_models_as_of_timestamp_seconds") for worker in shop.workers}
    assert of_day == {live.as_of_day * DAY_MS // 1000}
    profile = json.loads(shop.command("profile", "show", "user_id:c1", "--json"))
    assert profile["predicted"]["model_version"] == live.id

    check_report(shop, world, tmp_path)


def check_same_counters(shop: Shop, events: Path, now_ms: int) -> None:
    """The population of the stream is that of the file, counter for counter."""
    book = Book(shop_currency=CURRENCY, shop_timezone=timezone_of(now_ms))
    batch = from_events(events.read_bytes().splitlines(), book, Decoder(CURRENCY), lambda _: None).counters
    stream = counters(shop)

    for start in STATISTICS:
        of_batch, of_stream = (
            {name: count for name, count in found.items() if name.startswith(start) and count}
            for found in (batch, stream)
        )
        assert of_stream == of_batch, start
    assert stream["customers"] == CUSTOMERS


def check_parameters(live: Models, file: Models) -> None:
    """What is fitted, named one by one, so that a difference is seen where it is."""
    assert live.value is not None
    assert file.value is not None
    assert live.value.timing is not None
    assert live.value.timing == file.value.timing
    assert live.value.spend == file.value.spend
    assert live.value.margin == file.value.margin
    assert live.repurchase == file.repurchase
    assert 500 < live.value.buyers <= CUSTOMERS  # some have all their orders cancelled


def check_report(shop: Shop, world: World, folder: Path) -> None:
    """The report on the live stores, with what channels cost from the topic."""
    spent = folder / "spend.jsonl"
    spent.write_bytes(b"\n".join(msgspec.json.encode(one) for one in world.spend()))
    shop.command("feed", str(spent), "--topic", "spend")
    page, figures = folder / "report.html", folder / "report.json"
    shop.command("report", "--json", str(figures), "--page", str(page), patience_s=120)

    document: dict[str, Any] = json.loads(figures.read_text())
    by_channel = {one["channel"]: one for one in document["channels"]["channels"]}
    total: dict[str, int] = {}
    for one in world.spend():
        total[one.channel] = total.get(one.channel, 0) + one.amount_minor
    assert {name: by_channel[name]["spend"] for name in total} == total
    assert by_channel["direct"]["reason"] == "no_spend"
    assert document["outlook"]["orders"] > 0
    assert "Average customer lifetime value over time" in page.read_text()
    shop.command("audit")
