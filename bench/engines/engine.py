"""What the harness wants to know of an engine."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from bench.durable import GroupOffsets, Progress
from bench.generator import Record
from bench.job import TOTALS_ASKED, CartTrigger, Expected, Totals
from bench.outcome import Topic, peer_trigger, read_totals
from bench.sampling import Meter
from bench.servers import Servers, folder_bytes
from streams.home import home_partition
from streams.local.redis_server import RedisServer


class Ground(Struct, kw_only=True):
    """Where one run takes place. `prefix` begins the names of its topics and is its consumer group; `threads` is what it may
    use: threads or task slots of one process, or as many processes of an engine in Python.

    `ends` says up to which offset of each partition of the input progress counts.
    """

    servers: Servers
    prefix: str
    state: Path
    ends: list[int]
    threads: int = 1
    redis: RedisServer | None = None

    @property
    def partitions(self) -> int:
        return len(self.ends)

    def topic(self, name: str) -> str:
        """A topic of the run."""
        return f"{self.prefix}.{name}"

    @property
    def log(self) -> Path:
        """Where its processes write."""
        return self.state / "engine.log"

    def meter(self, pids: Iterable[int]) -> Meter:
        """Measures the engine's processes and the servers of the run."""
        return Meter(pids, self.servers.kafka_pid, self.redis.process.pid if self.redis is not None else None)


class Engine(Protocol):
    """One engine. `runs_prefix`: it is so slow that it gets a shorter prefix of the same stream."""

    name: str
    title: str
    guarantee: str
    durable_state: str
    needs_redis: bool
    runs_prefix: bool

    def build(self) -> None:
        """Make it ready to start, once; nothing where it is."""
        ...

    def versions(self) -> Mapping[str, str]:
        """Its own version and those of what it stands on."""
        ...

    def commands(self, ground: Ground) -> list[list[str]]:
        """The processes to start."""
        ...

    def environment(self, ground: Ground) -> Mapping[str, str]:
        """What the processes find in their environment, beside the harness's own."""
        ...

    def topics(self, ground: Ground) -> None:
        """Make the topics it needs; the input is one of them."""
        ...

    def progress(self, ground: Ground) -> Progress:
        """How far it has come."""
        ...

    def state_bytes(self, ground: Ground) -> dict[str, int]:
        """What its state takes, by place."""
        ...

    def trigger(self, value: bytes) -> CartTrigger | None:
        """A record of its output topic; None for what is not compared."""
        ...

    def totals(self, ground: Ground, expected: Expected) -> dict[str, Totals]:
        """What it holds of each customer, asked after everything else."""
        ...


@contextmanager
def new_ground(engine: Engine, servers: Servers, ends: list[int], *, name: str, threads: int = 1) -> Iterator[Ground]:
    """Fresh topics, a fresh state folder and, where the engine needs one, a fresh Redis; all gone afterwards."""
    prefix = f"{engine.name}-{name}-{os.urandom(3).hex()}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=servers.folder)))
        redis = stack.enter_context(servers.redis()) if engine.needs_redis else None
        ground = Ground(servers=servers, prefix=prefix, state=folder, ends=ends, threads=threads, redis=redis)
        stack.callback(servers.delete_topics, prefix)
        engine.topics(ground)
        yield ground


class Peer:
    """What all peers have in common: their variables, a consumer group, and totals that are asked for by records."""

    name: str
    title: str
    guarantee = "exactly once"
    durable_state: str
    needs_redis = False
    runs_prefix = False

    def environment(self, ground: Ground) -> Mapping[str, str]:
        return {
            "BENCH_BOOTSTRAP": ground.servers.kafka.bootstrap,
            "BENCH_INPUT": ground.topic("clickstream"),
            "BENCH_TRIGGERS": ground.topic("triggers"),
            "BENCH_TOTALS": ground.topic("totals"),
            "BENCH_GROUP": ground.prefix,
            "BENCH_STATE": str(ground.state),
            "BENCH_PARTITIONS": str(ground.partitions),
            "BENCH_THREADS": str(ground.threads),
            **({"BENCH_REDIS": ground.redis.url} if ground.redis else {}),
        }

    def topics(self, ground: Ground) -> None:
        names = [ground.topic(name) for name in ("clickstream", "triggers", "totals")]
        ground.servers.make_topics(names, ground.partitions)

    def progress(self, ground: Ground) -> Progress:
        return GroupOffsets(ground.servers.admin, ground.prefix, ground.topic("clickstream"), ground.ends)

    def state_bytes(self, ground: Ground) -> dict[str, int]:
        own = [ground.topic(name) for name in ("clickstream", "triggers", "totals")]
        return {
            "local disk": folder_bytes(ground.state),
            "changelogs in Kafka": ground.servers.bytes_on_disk(ground.prefix, without=own),
        }

    def trigger(self, value: bytes) -> CartTrigger | None:
        return peer_trigger(value)

    def totals(self, ground: Ground, expected: Expected) -> dict[str, Totals]:
        asked = [
            Record(
                home_partition(user, ground.partitions),
                user,
                msgspec.json.encode(
                    {
                        "event": TOTALS_ASKED,
                        "message_id": f"totals-{user}",
                        "timestamp_ms": expected.end_ms,
                        "user_id": user,
                    }
                ),
            )
            for user in expected.totals
        ]
        ground.servers.fill(ground.topic("clickstream"), [asked])
        with Topic(ground.servers.kafka.bootstrap, ground.topic("totals"), ground.partitions) as topic:
            return read_totals(topic, len(expected.totals))
