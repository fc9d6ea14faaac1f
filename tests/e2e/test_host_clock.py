"""The clock of a worker's host is set wrong: the worker ends before it sends anything early, and starts once it is right."""

import time
from pathlib import Path

from tests.e2e.kit import Shop
from tests.e2e.scenario import HOUR_MS, left_cart

SET_WRONG = """
import os, time
from streams import cli, worker

def wall_ms():
    ahead_ms = 8 * 3_600_000 if os.path.exists(os.environ["AHEAD"]) else 0
    return time.time_ns() // 1_000_000 + ahead_ms

worker._wall_ms = wall_ms
cli.main()
"""
"""A worker on a host whose clock jumps ahead by eight hours as soon as a file exists."""


def test_a_worker_whose_clock_jumps_ahead_ends_and_reminds_nobody_early(shop: Shop, tmp_path: Path) -> None:
    ahead = tmp_path / "ahead"
    shop.program = ("-c", SET_WRONG)
    worker = shop.start(AHEAD=str(ahead))
    now_ms = int(time.time() * 1000)
    users = [f"u{number}" for number in range(10)]
    shop.produce([record for user in users for record in left_cart(user, now_ms)])
    shop.wait_caught_up()
    clocks = stored_clocks(shop)
    ahead.touch()

    assert worker.process.wait(30) == 2
    assert "the clock of this host says" in worker.log()
    assert shop.read("triggers") == []
    assert max(stored_clocks(shop)) < max(clocks) + HOUR_MS

    refused = shop.start(AHEAD=str(ahead))
    assert refused.process.wait(30) == 2
    assert "set the wrong one right" in refused.log()

    ahead.unlink()
    right = shop.start(AHEAD=str(ahead))
    shop.expect(lambda: right.metric("regulars_partitions") == shop.partitions, "it works again")
    assert shop.read("triggers") == []


def stored_clocks(shop: Shop) -> list[int]:
    """The clock of each partition as Redis has it."""
    client = shop.client()
    return [int(client.hget(f"{shop.prefix}:{{{p}}}:meta", "clock_ms") or 0) for p in range(shop.partitions)]
