"""The job on Quix Streams: stateful functions on RocksDB with changelog topics, exactly once.

Quix has no timers, but windows that close as the partition's event time goes on. A change of a cart falls into the window
of its minute, which closes the delay later (its grace); what then waits in the customer's state is sent. So a trigger goes
out at most a minute late. Session windows do it to the moment, but made the whole job more than twice as costly.

Tuned: a checkpoint each second (5 s is the default), no fsync of RocksDB (the changelog is what is durable), a larger
write buffer, orjson (its own default), larger fetches and queues, lz4.
"""

from collections.abc import Iterator
from os import environ
from typing import Any, Final

from quixstreams import Application, State
from quixstreams.state.rocksdb import RocksDBOptions

from bench.peers import python_job as job

CART_EVENTS: Final = frozenset({"Product Added", "Product Removed"})
MINUTE_MS: Final = 60_000


def on_event(event: dict[str, Any], state: State) -> Iterator[dict[str, Any]]:
    """Apply an event; what comes out is told apart by `what`."""
    customer = state.get("customer") or job.new_customer()
    user, kind = event["user_id"], event["event"]
    if kind == job.TOTALS_ASKED:
        yield {"what": "totals", **job.totals(customer, user, event["timestamp_ms"])}
        return
    order_key = f"order:{event['order_id']}" if kind in job.WITH_ORDER else None
    order = (state.get(order_key) or job.new_order()) if order_key else None
    out: list[dict[str, Any]] = []
    if job.apply(customer, event, order, out.append):
        if order_key:
            state.set(order_key, order)
        state.set("customer", customer)
        if kind in CART_EVENTS:
            yield {"what": "change"}
    for trigger in out:
        yield {"what": "trigger", **trigger}


def on_closed(
    window: dict[str, Any], key: str, _timestamp: int, _headers: Any, state: State
) -> Iterator[dict[str, Any]]:
    """The delay has passed since the end of a window in which the customer changed a cart."""
    customer = state.get("customer")
    out: list[dict[str, Any]] = []
    job.send_due(customer, key, window["end"] + job.CART_DELAY_MS, out.append)
    if out:
        state.set("customer", customer)
    for trigger in out:
        yield {"what": "trigger", **trigger}


def main() -> None:
    """Run until SIGTERM."""
    app = Application(
        broker_address=environ["BENCH_BOOTSTRAP"],
        consumer_group=environ["BENCH_GROUP"],
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=1.0,
        state_dir=environ["BENCH_STATE"],
        rocksdb_options=RocksDBOptions(use_fsync=False, write_buffer_size=128 << 20),
        consumer_extra_config={
            "fetch.wait.max.ms": 100,
            "max.partition.fetch.bytes": 4 << 20,
            "queued.max.messages.kbytes": 256 << 10,
        },
        producer_extra_config={"compression.type": "lz4", "linger.ms": 50},
        loglevel="WARNING",
    )
    events = app.topic(
        environ["BENCH_INPUT"],
        key_deserializer="string",
        timestamp_extractor=lambda event, _headers, _timestamp, _type: event["timestamp_ms"],
    )
    triggers = app.topic(environ["BENCH_TRIGGERS"], key_serializer="string")
    totals = app.topic(environ["BENCH_TOTALS"], key_serializer="string")
    applied = app.dataframe(events).apply(on_event, stateful=True, expand=True)
    applied.filter(lambda out: out["what"] == "trigger").to_topic(triggers)
    applied.filter(lambda out: out["what"] == "totals").to_topic(totals)
    (
        applied.filter(lambda out: out["what"] == "change")
        .tumbling_window(duration_ms=MINUTE_MS, grace_ms=job.CART_DELAY_MS, name="cart-changes")
        .count()
        .final(closing_strategy="partition")
        .apply(on_closed, stateful=True, expand=True, metadata=True)
        .to_topic(triggers)
    )
    app.run()


if __name__ == "__main__":
    main()
