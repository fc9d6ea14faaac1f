"""Delivery alone: stock Faust against chunked delivery, empty agents, same broker, same topic, same run, alternating.

    python -m bench.delivery [--events N] [--stock-events N] [--rounds N]

Each round starts a fresh process for each side, so that neither profits from the other's warm interpreter. The clock runs
from the first record an agent sees to the last. Prints each round, then median and spread, then the ratio of the medians.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient

from streams.event_loop import new_event_loop
from streams.local.kafka_server import KafkaServer
from streams.settings import build_settings

if TYPE_CHECKING:
    from streams.delivery import ChunkConsumer

TOPIC = "orders"
PARTITIONS = 4
EVENT_BYTES = 320
BATCH = 500
CHILD_TIMEOUT_S = 60.0


async def fill(bootstrap: str, topics: dict[str, int]) -> None:
    """Make the topics and put events of EVENT_BYTES into them, evenly over the partitions."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    names = set(topics) | {f"chunked.{name}" for name in build_settings().consumed()}
    admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1} for name in names})
    admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=1 << 18)
    await producer.start()
    for name, events in topics.items():
        sent = []
        for first in range(0, events, BATCH):
            batch = producer.create_batch()
            for number in range(first, min(first + BATCH, events)):
                body = f'{{"event":"Order Completed","order_id":"o{number}","user_id":"u{number % 10_000}"}}'
                if batch.append(key=None, value=body.ljust(EVENT_BYTES).encode(), timestamp=None) is None:
                    raise RuntimeError("a batch of the generator is larger than the producer's batches")
            sent.append(await producer.send_batch(batch, name, partition=first // BATCH % PARTITIONS))
        await asyncio.gather(*sent)
    await producer.stop()


async def stock(bootstrap: str, events: int) -> float:
    """Seconds that stock Faust takes with an empty agent."""
    import faust

    app = faust.App(
        f"stock-{os.getpid()}",
        broker=f"kafka://{bootstrap}",
        value_serializer="raw",
        key_serializer="raw",
        web_enabled=False,
        topic_partitions=PARTITIONS,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        store="memory://",
        datadir=tempfile.gettempdir(),
    )
    done = asyncio.Event()
    seen = 0
    began = 0.0

    async def empty(stream: Any) -> None:
        nonlocal seen, began
        async for _ in stream:
            seen += 1
            if seen == 1:
                began = time.perf_counter()
            if seen == events:
                done.set()

    app.agent(app.topic(f"stock.{TOPIC}", value_type=bytes))(empty)
    await app.start()
    await asyncio.wait_for(done.wait(), CHILD_TIMEOUT_S)
    return time.perf_counter() - began


async def chunked(bootstrap: str, events: int) -> float:
    """Seconds that chunked delivery takes with agents that only count."""
    from faust.types import TP

    from streams.delivery import Taken
    from streams.faust_app import make_app

    done = asyncio.Event()
    opening: set[asyncio.Task[object]] = set()

    class Counter:
        seen = 0
        began = 0.0

        def take(self, tp: TP, taken: Taken) -> None:
            if not self.seen:
                self.began = time.perf_counter()
            self.seen += len(taken.chunk.records)
            if self.seen >= events:
                done.set()

        def assigned(self, tps: set[TP]) -> None:
            opening.add(asyncio.ensure_future(cast("ChunkConsumer", app.consumer).open(dict.fromkeys(tps, 0))))

        def revoked(self) -> None:
            pass

        async def settled(self) -> None:
            pass

        def lost(self, tp: TP, offset: int) -> None:
            raise AssertionError((tp, offset))

    counter = Counter()
    settings = build_settings(
        {
            "kafka": {
                "bootstrap": bootstrap,
                "partitions": PARTITIONS,
                "group": f"chunked-{os.getpid()}",
                "topic_prefix": "chunked.",
            }
        }
    )
    app = make_app(settings, counter, crash=lambda error: sys.exit(str(error)))
    await app.start()
    await asyncio.wait_for(done.wait(), CHILD_TIMEOUT_S)
    return time.perf_counter() - counter.began


def child(side: str, bootstrap: str, events: int) -> None:
    """Run one side, print its seconds, and leave at once: Faust's farewell takes longer than the measurement."""

    async def run() -> None:
        seconds = await {"stock": stock, "chunked": chunked}[side](bootstrap, events)
        print(json.dumps({"seconds": seconds, "cpu": time.process_time()}), flush=True)
        os._exit(0)

    # Each side on the loop its worker would run on.
    with asyncio.Runner(loop_factory=new_event_loop if side == "chunked" else None) as runner:
        runner.run(run())


def measure(side: str, bootstrap: str, events: int) -> tuple[float, float]:
    """Events per second of one fresh process, and its CPU seconds per million events, start included."""
    run = subprocess.run(
        [sys.executable, "-m", "bench.delivery", "--child", side, "--bootstrap", bootstrap, "--events", str(events)],
        stdout=subprocess.PIPE,
        timeout=CHILD_TIMEOUT_S + 60,
        check=True,
    )
    found = json.loads(run.stdout.splitlines()[-1])
    return events / found["seconds"], found["cpu"] / events * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2_000_000, help="for chunked delivery (default %(default)s)")
    parser.add_argument("--stock-events", type=int, default=60_000, help="for stock Faust (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", choices=["stock", "chunked"])
    parser.add_argument("--bootstrap", default="")
    options = parser.parse_args()
    if options.child:
        child(options.child, options.bootstrap, options.events)
    with tempfile.TemporaryDirectory() as folder:
        server = KafkaServer(Path(folder) / "kafka")
        server.start()
        try:
            asyncio.run(
                fill(server.bootstrap, {f"stock.{TOPIC}": options.stock_events, f"chunked.{TOPIC}": options.events})
            )
            results: dict[str, list[float]] = {"stock": [], "chunked": []}
            for number in range(options.rounds):
                for side, events in (("stock", options.stock_events), ("chunked", options.events)):
                    per_s, cpu = measure(side, server.bootstrap, events)
                    results[side].append(per_s)
                    print(
                        f"round {number + 1} {side:8} {per_s:10,.0f} events/s   {cpu:6.1f} CPU s per million",
                        flush=True,
                    )
        finally:
            server.stop()
    for side, found in results.items():
        print(
            f"{side:8} median {statistics.median(found):10,.0f} events/s   from {min(found):,.0f} to {max(found):,.0f}"
        )
    print(f"ratio of the medians {statistics.median(results['chunked']) / statistics.median(results['stock']):.1f}")


if __name__ == "__main__":
    main()
