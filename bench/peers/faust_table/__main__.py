"""The job on stock Faust: one agent, a table of customers and a table of orders, their changelogs in Kafka.

Tuned: raw values read with orjson, the memory store (a dict in front of the changelog; the quickest there is), offsets
committed once a second, larger buffers and fetches, no assignor leader topic, no web server. Due times are kept in a heap
beside the table, filled anew from it when partitions change hands, and looked at with each event of the partition: a table may
only be changed while an event of its partition is at work, so a Faust timer could not do it. At least once (its exactly-once
is not finished); a repeat is known by its message id.
"""

import logging
import sys
from collections import defaultdict
from heapq import heappop, heappush
from os import environ
from typing import Any

import faust
import orjson

from bench.peers import python_job as job

app = faust.App(
    environ["BENCH_GROUP"],
    broker=f"kafka://{environ['BENCH_BOOTSTRAP']}",
    store="memory://",
    datadir=environ["BENCH_STATE"],
    topic_partitions=int(environ["BENCH_PARTITIONS"]),
    topic_replication_factor=1,
    topic_disable_leader=True,
    web_enabled=False,
    broker_commit_interval=1.0,
    broker_commit_every=100_000,
    consumer_auto_offset_reset="earliest",
    producer_linger=0.02,
    producer_max_batch_size=1 << 20,
    producer_threaded=True,
    producer_compression_type="lz4",
)
events = app.topic(environ["BENCH_INPUT"], key_type=str, key_serializer="raw", value_type=bytes, value_serializer="raw")
triggers = app.topic(environ["BENCH_TRIGGERS"], value_serializer="json")
totals = app.topic(environ["BENCH_TOTALS"], value_serializer="json")
customers = app.Table("customers", key_type=str)
orders = app.Table("orders", key_type=str)
waiting: dict[int, list[tuple[int, str]]] = defaultdict(list)
"""By partition a heap of (due, customer). An entry may be out of date; whether something is due the customer tells."""


@app.agent(events)
async def work(stream: Any) -> None:
    """Take the events one by one."""
    async for event in stream.events():
        record, partition = orjson.loads(event.value), event.message.partition
        user: str = record["user_id"]
        out: list[dict[str, Any]] = []
        customer = customers.get(user) or job.new_customer()
        if record["event"] == job.TOTALS_ASKED:
            _ = await totals.send(key=user, value=job.totals(customer, user, record["timestamp_ms"]))
            continue
        order_id = f"{user}|{record['order_id']}" if record["event"] in job.WITH_ORDER else None
        order = (orders.get(order_id) or job.new_order()) if order_id else None
        if job.apply(customer, record, order, out.append):
            if order_id:
                orders[order_id] = order
            _set_timer(customer, user, partition)
            customers[user] = customer
        heap = waiting[partition]
        while heap and heap[0][0] <= record["timestamp_ms"]:
            due_ms, name = heappop(heap)
            quiet = customers[name]
            quiet["timer_ms"] = 0
            job.send_due(quiet, name, due_ms + 1, out.append)
            _set_timer(quiet, name, partition)
            customers[name] = quiet
        for trigger in out:
            _ = await triggers.send(key=trigger["customer"], value=trigger)


def _set_timer(customer: job.Customer, user: str, partition: int) -> None:
    """A timer that is set stays: it comes up at the latest when it must, and is then set anew."""
    if not customer["timer_ms"] and (due_ms := job.next_due_ms(customer)):
        customer["timer_ms"], customer["partition"] = due_ms, partition
        heappush(waiting[partition], (due_ms, user))


@customers.on_recover
async def fill_heaps() -> None:
    """Find again what waits in the partitions that were recovered from the changelog."""
    waiting.clear()
    for user, customer in customers.items():
        if customer["timer_ms"]:
            heappush(waiting[customer["partition"]], (customer["timer_ms"], user))


if __name__ == "__main__":
    # Its producer writes a debug line for each record, and --loglevel does not stop the making of it.
    logging.disable(logging.INFO)
    sys.argv = ["faust", "worker", "--loglevel=warn", "--without-web"]
    app.main()
