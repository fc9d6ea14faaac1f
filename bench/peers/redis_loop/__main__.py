"""The job as a loop that many shops write for themselves: poll a batch, read its customers, work, write, send, commit.

Tuned: customers and orders of a batch are read with one pipeline and written with one transaction, orjson, batches of up to
5,000 records of one partition, lz4 for output. At least once: state is written before the offset is committed, and what is
read again is known by its message id; a trigger may go out twice after a crash. One process; a second one would join
the group and take half of the partitions.
"""

import signal
from os import environ
from typing import Any

import orjson
import redis
from kafka import KafkaConsumer, KafkaProducer

from bench.peers import python_job as job

BATCH = 5_000


class Loop:
    """Works on the records of one partition at a time."""

    def __init__(self) -> None:
        self.stopping = False
        self.redis = redis.Redis.from_url(environ["BENCH_REDIS"])
        self.producer = KafkaProducer(
            bootstrap_servers=environ["BENCH_BOOTSTRAP"], compression_type="lz4", linger_ms=20, acks="all"
        )
        self.consumer = KafkaConsumer(
            environ["BENCH_INPUT"],
            bootstrap_servers=environ["BENCH_BOOTSTRAP"],
            group_id=environ["BENCH_GROUP"],
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_poll_records=BATCH,
            max_partition_fetch_bytes=4 << 20,
        )

    def run(self) -> None:
        """Poll until told to stop."""
        while not self.stopping:
            for tp, records in self.consumer.poll(timeout_ms=200).items():
                self.work(tp.partition, [orjson.loads(record.value) for record in records])
                self.consumer.commit()
        self.consumer.close()

    def work(self, partition: int, events: list[dict[str, Any]]) -> None:
        """One batch: two reads, one transaction, and what has to be sent."""
        due_key = f"due:{partition}"
        now_ms = max(event["timestamp_ms"] for event in events)
        users = {event["user_id"] for event in events}
        orders = {f"o:{event['user_id']}|{event['order_id']}" for event in events if event["event"] in job.WITH_ORDER}
        reads = self.redis.pipeline(transaction=False)
        reads.mget([f"c:{user}" for user in users])
        reads.mget(list(orders) or ["o:"])
        reads.zrangebyscore(due_key, 0, now_ms)
        found, known_orders, due = reads.execute()
        customers = {user: _loaded(text, job.new_customer) for user, text in zip(users, found, strict=True)}
        ledger = {key: _loaded(text, job.new_order) for key, text in zip(orders, known_orders, strict=False)}
        for event in events:
            user = event["user_id"]
            if event["event"] == job.TOTALS_ASKED:
                answer = job.totals(customers[user], user, event["timestamp_ms"])
                self._send("BENCH_TOTALS", user, answer)
                continue
            order = ledger[f"o:{user}|{event['order_id']}"] if event["event"] in job.WITH_ORDER else None
            job.apply(customers[user], event, order, self._trigger)
        waiting = [name for name in map(bytes.decode, due) if name not in customers]
        if waiting:
            texts: list[Any] = self.redis.mget([f"c:{user}" for user in waiting])
            customers |= {user: orjson.loads(text) for user, text in zip(waiting, texts, strict=True)}
        writes = self.redis.pipeline(transaction=True)
        for user, customer in customers.items():
            job.send_due(customer, user, now_ms + 1, self._trigger)
            timer_ms = job.next_due_ms(customer)
            if timer_ms != customer["timer_ms"]:
                if timer_ms:
                    writes.zadd(due_key, {user: timer_ms})
                else:
                    writes.zrem(due_key, user)
                customer["timer_ms"] = timer_ms
        writes.mset({f"c:{user}": orjson.dumps(customer) for user, customer in customers.items()})
        if ledger:
            writes.mset({key: orjson.dumps(order) for key, order in ledger.items()})
        self.producer.flush()
        writes.execute()

    def _trigger(self, trigger: dict[str, Any]) -> None:
        self._send("BENCH_TRIGGERS", trigger["customer"], trigger)

    def _send(self, topic: str, user: str, value: dict[str, Any]) -> None:
        self.producer.send(environ[topic], key=user.encode(), value=orjson.dumps(value))


def _loaded(text: bytes | None, new: Any) -> dict[str, Any]:
    found: dict[str, Any] = new() if text is None else orjson.loads(text)
    return found


def main() -> None:
    """Run until SIGTERM."""
    loop = Loop()

    def stop(*_: object) -> None:
        loop.stopping = True

    signal.signal(signal.SIGTERM, stop)
    loop.run()


if __name__ == "__main__":
    main()
