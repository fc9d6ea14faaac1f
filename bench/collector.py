"""`regulars serve` under load: a serving process with a real Kafka and a real Redis behind it, and its callers."""

import asyncio
import os
import random
import subprocess
import sys
import time
from hashlib import sha256
from typing import Final

import msgspec
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from profiles.profile import Profile
from profiles.state import encode
from schemas.topics import TOPICS
from streams.home import home_partition
from streams.local.kafka_server import KafkaServer
from streams.local.process import wait_until
from streams.local.redis_server import RedisServer

PARTITIONS: Final = 8
EVENTS_PER_CALL: Final = 100
PROFILES: Final = 2_000
READ_CONNECTIONS: Final = 64
TOKEN: Final = "a-token-of-the-benchmark"
KEY: Final = "sk_benchmark"


def batch_request(number: int) -> bytes:
    """POST /v1/batch with EVENTS_PER_CALL events of this call's own."""
    events = [
        {
            "type": "track",
            "messageId": f"m{number}-{place}",
            "userId": f"u{(number * 7 + place) % 5000}",
            "timestamp": "2026-11-27T01:59:59.000Z",
            "event": "Product Viewed" if place % 3 else "Order Completed",
            "properties": {
                "order_id": f"o{number}-{place}",
                "product_id": f"p{place}",
                "name": "A fine product of a good brand",
                "currency": "EUR",
                "products": [{"product_id": "p1", "price": "3.10", "quantity": 2}],
            },
            "context": {"page": {"url": "https://shop.example/p", "referrer": "https://search.example"}},
        }
        for place in range(EVENTS_PER_CALL)
    ]
    body = msgspec.json.encode({"batch": events, "sentAt": "2026-11-27T02:00:00.000Z", "writeKey": KEY})
    head = (
        f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    """One request and its whole answer; the status line."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return head.partition(b"\r\n")[0]


async def send_batches(port: int, requests: list[bytes], connections: int) -> tuple[list[float], int]:
    """Latencies in ms, and how many calls were told to come back (and did)."""
    latencies: list[float] = []
    busy = 0
    waiting = iter(requests)

    async def one() -> None:
        nonlocal busy
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            while True:
                began = time.perf_counter()
                status = await exchange(reader, writer, request)
                if b" 200" in status:
                    latencies.append((time.perf_counter() - began) * 1000)
                    break
                assert b" 429" in status, status
                busy += 1
                await asyncio.sleep(0.05)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return latencies, busy


async def read_at(port: int, rate: int, seconds: float) -> list[float]:
    """Latencies in ms of reads sent `rate` a second by the clock, measured from when each was due."""
    rng = random.Random(rate)
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(READ_CONNECTIONS):
        idle.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    latencies: list[float] = []

    async def one(due_s: float) -> None:
        reader, writer = await idle.get()
        path = f"/v1/profiles/user_id:{rng.randrange(PROFILES)}"
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        status = await exchange(reader, writer, request.encode())
        assert b" 200" in status, status
        latencies.append((time.perf_counter() - due_s) * 1000)
        idle.put_nowait((reader, writer))

    began = time.perf_counter()
    tasks = []
    for number in range(int(rate * seconds)):
        due_s = began + number / rate
        if (ahead_s := due_s - time.perf_counter()) > 0:
            await asyncio.sleep(ahead_s)
        tasks.append(asyncio.create_task(one(due_s)))
    await asyncio.gather(*tasks)
    while not idle.empty():
        idle.get_nowait()[1].close()
    return latencies


def fill_profiles(redis: RedisServer, prefix: str) -> None:
    """PROFILES profiles of a usual size straight into Redis."""
    with redis.client() as client:
        for number in range(PROFILES):
            profile = Profile(f"user_id:{number}", ids={"user_id": [str(number)], "email": [f"u{number}@example.org"]})
            profile.traits = {f"trait{place}": (place, "a value of some length") for place in range(10)}
            profile.orders.count, profile.ltv.gross, profile.ltv.net = 3, 9900, 9900
            partition = home_partition(str(number), PARTITIONS)
            client.set(f"{prefix}:{{{partition}}}:c:{profile.id}", encode(profile))


def count_records(bootstrap: str, prefix: str) -> int:
    """Records in the topics that the batches go to."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    targets = [TopicPartition(f"{prefix}.{name}", p) for name in ("clickstream", "orders") for p in range(PARTITIONS)]
    count: int = sum(consumer.end_offsets(targets).values())
    consumer.close()
    return count


def start(kafka: KafkaServer, redis: RedisServer, prefix: str, port: int) -> subprocess.Popen[bytes]:
    """The serving process, ready."""
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.create_topics(
        {f"{prefix}.{topic.name}": {"num_partitions": PARTITIONS, "replication_factor": 1} for topic in TOPICS}
    )
    admin.close()
    settings = {
        "KAFKA_BOOTSTRAP": kafka.bootstrap,
        "KAFKA_TOPIC_PREFIX": f"{prefix}.",
        "KAFKA_PARTITIONS": str(PARTITIONS),
        "REDIS_URL": redis.url,
        "REDIS_PREFIX": prefix,
        "SERVE_HOST": "127.0.0.1",
        "SERVE_PORT": str(port),
        "SOURCES_BACK_KEY": KEY,
        "SOURCES_BACK_KIND": "server",
        "TOKENS_BENCH_SHA256": sha256(TOKEN.encode()).hexdigest(),
        "TOKENS_BENCH_SCOPES": "profiles",
        "TOKENS_BENCH_PER_SECOND": "100000",
        "LOG_LEVEL": "WARNING",
    }
    environment = {**os.environ, **{f"REGULARS_{name}": value for name, value in settings.items()}}
    server = subprocess.Popen([sys.executable, "-m", "streams", "serve"], env=environment)

    async def ready() -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        status = await exchange(reader, writer, b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
        writer.close()
        return b" 200" in status

    wait_until(lambda: asyncio.run(ready()), timeout_s=30, what="the serving process")
    return server
