"""The profile job on real servers: one worker process reads events from Kafka and keeps profiles in Redis.

    python -m bench.profile_job [--events N] [--customers N] [--draw uniform|zipf] [--rounds N]

All events lie in Kafka before the worker starts (lz4), so it runs at saturation. The clock runs from its first commit to
the moment Redis holds the last offset. Prints events/s for the whole run and for its second half, CPU seconds of worker
and Redis per million events, and how many events fall on one profile write (coalescing). At the end the orders and net
revenue in Redis are compared with those sent: a wrong result has no speed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from kafka import KafkaAdminClient, KafkaProducer

from bench.events import Draw, shop_events
from schemas.topics import CONSUMED, TOPICS
from streams.home import home_partition
from streams.local.kafka_server import KafkaServer
from streams.local.redis_server import RedisServer

PARTITIONS = 8
PATIENCE_S = 600.0
PORT = 18_080


def fill(bootstrap: str, prefix: str, events: int, customers: int, draw: Draw) -> tuple[int, int]:
    """Make the topics and fill them; orders and net revenue (cents) sent."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics(
        {f"{prefix}.{topic.name}": {"num_partitions": PARTITIONS, "replication_factor": 1} for topic in TOPICS}
    )
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type="lz4", linger_ms=50, batch_size=1 << 17)
    orders = net = 0
    for topic, user, value in shop_events(events, customers, now_ms=int(time.time() * 1000), draw=draw):
        if topic == "orders":
            orders += 1
            net += int(value.split(b'"price_minor":', 1)[1].split(b",", 1)[0])
        producer.send(f"{prefix}.{topic}", value=value, partition=home_partition(user, PARTITIONS))
    producer.flush()
    producer.close()
    return orders, net


def read_offsets(client: Any, prefix: str) -> int:
    """Records whose effects are in Redis."""
    done = 0
    for partition in range(PARTITIONS):
        meta = client.hgetall(f"{prefix}:{{{partition}}}:meta")
        done += sum(int(meta.get(f"offset:{topic}".encode(), 0)) for topic in CONSUMED)
    return done


def measure(kafka: KafkaServer, redis: RedisServer, prefix: str, events: int) -> dict[str, float]:
    """Run one worker until everything is in Redis."""
    environment = {
        **os.environ,
        "REGULARS_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "REGULARS_KAFKA_TOPIC_PREFIX": f"{prefix}.",
        "REGULARS_KAFKA_GROUP": prefix,
        "REGULARS_KAFKA_PARTITIONS": str(PARTITIONS),
        "REGULARS_REDIS_URL": redis.url,
        "REGULARS_REDIS_PREFIX": prefix,
        "REGULARS_HTTP_PORT": str(PORT),
        "REGULARS_LOG_LEVEL": "WARNING",
    }
    redis_process = psutil.Process(redis.process.pid)
    redis_before = sum(redis_process.cpu_times()[:2])
    worker = subprocess.Popen([sys.executable, "-m", "streams", "worker"], env=environment)
    process = psutil.Process(worker.pid)
    try:
        with redis.client() as client:
            first = half = None
            deadline = time.monotonic() + PATIENCE_S
            cpu_start = memory = 0.0
            while (done := read_offsets(client, prefix)) < events:
                if worker.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the worker stopped or stood still at {done:,} of {events:,} events")
                now = time.perf_counter()
                if first is None and done:
                    first, first_done = now, done
                    cpu_start = sum(process.cpu_times()[:2])
                if half is None and done >= events // 2:
                    half, half_done = now, done
                memory = max(memory, process.memory_info().rss)
                time.sleep(0.05)
            end = time.perf_counter()
            cpu = sum(process.cpu_times()[:2]) - cpu_start + sum(redis_process.cpu_times()[:2]) - redis_before
            commits = sum(
                int(client.hget(f"{prefix}:{{{partition}}}:meta", "commits") or 0) for partition in range(PARTITIONS)
            )
            writes = page_metric("regulars_profiles_written_total")
    finally:
        worker.terminate()
        worker.wait(60)
    assert first is not None
    assert half is not None
    return {
        "events_per_s": (events - first_done) / (end - first),
        "second_half_per_s": (events - half_done) / (end - half),
        "cpu_s_per_million": cpu / events * 1e6,
        "events_per_commit": events / max(1, commits),
        "events_per_write": events / writes if writes else 0.0,
        "worker_mb": memory / 1e6,
    }


def page_metric(name: str) -> float:
    """The sum of a metric on the worker's page, 0 where it is not shown."""
    import urllib.request

    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5) as page:
            lines = page.read().decode().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + " ", name + "{")))


def check(redis: RedisServer, prefix: str, orders: int, net: int) -> int:
    """Compare Redis with what was sent; bytes that all keys of the run take. Raises RuntimeError for a wrong result."""
    import json

    found_orders = found_net = size = 0
    with redis.client() as client:
        keys = list(client.scan_iter(match=f"{prefix}:*", count=5000))
        for key in keys:
            size += int(client.memory_usage(key) or 0)
            if b"}:c:" in key:
                profile = json.loads(client.get(key))
                found_orders += profile.get("orders", {}).get("count", 0)
                found_net += profile.get("ltv", {}).get("net", 0)
    if (found_orders, found_net) != (orders, net):
        raise RuntimeError(f"wrong result: {found_orders} orders of {found_net} cents, sent were {orders} of {net}")
    return size


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--draw", choices=("uniform", "zipf"), default="uniform")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kafka = KafkaServer(Path(folder) / "kafka")
        redis = RedisServer(Path(folder) / "redis", config={"save": ""})
        kafka.start()
        redis.start()
        try:
            results = []
            for number in range(chosen.rounds):
                prefix = f"bench{number}"
                orders, net = fill(kafka.bootstrap, prefix, chosen.events, chosen.customers, chosen.draw)
                result = measure(kafka, redis, prefix, chosen.events)
                result["redis_bytes_per_customer"] = check(redis, prefix, orders, net) / chosen.customers
                results.append(result)
                print("  ".join(f"{name} {value:,.1f}" for name, value in result.items()), flush=True)
            print(f"\n{chosen.events:,} events, {chosen.customers:,} customers ({chosen.draw}), {chosen.rounds} rounds")
            for name in results[0]:
                values = [result[name] for result in results]
                print(
                    f"{name:>26}: median {statistics.median(values):>12,.1f}   {min(values):,.1f} to {max(values):,.1f}"
                )
        finally:
            redis.stop()
            kafka.stop()


if __name__ == "__main__":
    main()
