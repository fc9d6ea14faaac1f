"""An installation on real servers for end-to-end tests: topics, worker processes, and what an outsider sees of it.

Checks read Redis and Kafka with the plain clients, not with our own code.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from schemas.topics import CONSUMED, TOPICS
from streams.home import home_partition
from streams.packing import unpack
from tests.e2e.scenario import BRISK_RULES, BRISK_SETTINGS, RULES, Record, Scenario, last_words

PATIENCE_S = 60.0


def wait_until(what: str, done: Callable[[], bool], patience_s: float = PATIENCE_S, every_s: float = 0.1) -> None:
    """Ask again and again until it is so; fails with `what` and never waits longer than it must."""
    deadline = time.monotonic() + patience_s
    while not done():
        assert time.monotonic() < deadline, f"after {patience_s:.0f} s still not: {what}"
        time.sleep(every_s)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Worker:
    """A worker process; its log goes to a file that is shown when a check fails."""

    def __init__(self, shop: "Shop", number: int, command: tuple[str, ...], extra: dict[str, str]) -> None:
        self.port = free_port()
        self.log_path = shop.folder / f"worker-{number}.log"
        environment = {**os.environ, **shop.environment(), "REGULARS_HTTP_PORT": str(self.port), **extra}
        self._log = self.log_path.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, *shop.program, *command],
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL, and gone."""
        self.process.kill()
        self.process.wait()

    def stop(self, patience_s: float = 30.0) -> int:
        """SIGTERM, and its exit code."""
        self.process.terminate()
        return self.process.wait(patience_s)

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def page(self, path: str) -> str | None:
        """A page of its HTTP server, also one with an error status; None where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return str(error.read().decode())
        except OSError:
            return None

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        page = self.page("/metrics") or ""
        lines = [line for line in page.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def log(self) -> str:
        self._log.flush()
        return self.log_path.read_text(errors="replace")

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
        if self.running:
            self.kill()
        self._log.close()


@dataclass
class Shop:
    """One installation with a prefix of its own on running servers."""

    prefix: str
    bootstrap: str
    redis_url: str
    folder: Path
    partitions: int = 4
    settings: dict[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = ("-m", "streams")
    """What the interpreter is told to run as `regulars`."""
    workers: list[Worker] = field(default_factory=list)
    _reader: Any = None
    _producer: Any = None

    def __post_init__(self) -> None:
        rules = self.folder / "rules.toml"
        rules.write_text(RULES)
        self.settings.setdefault("REGULARS_FILES_RULES", str(rules))

    def environment(self) -> dict[str, str]:
        return {
            "REGULARS_KAFKA_BOOTSTRAP": self.bootstrap,
            "REGULARS_KAFKA_TOPIC_PREFIX": f"{self.prefix}.",
            "REGULARS_KAFKA_GROUP": self.prefix,
            "REGULARS_KAFKA_PARTITIONS": str(self.partitions),
            "REGULARS_KAFKA_SESSION_TIMEOUT_MS": "2000",
            "REGULARS_KAFKA_HEARTBEAT_MS": "400",
            "REGULARS_REDIS_URL": self.redis_url,
            "REGULARS_REDIS_PREFIX": self.prefix,
            "REGULARS_CLOCK_GRACE_MS": "1000",
            "PYTHONUNBUFFERED": "1",
            **self.settings,
        }

    def topic(self, name: str) -> str:
        return f"{self.prefix}.{name}"

    def make_topics(self) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            admin.create_topics(
                {
                    self.topic(topic.name): {"num_partitions": self.partitions, "replication_factor": 1}
                    for topic in TOPICS
                }
            )
        finally:
            admin.close()

    def start(self, *arguments: str, command: str = "worker", **extra: str) -> Worker:
        """A worker, or another command that runs on, with further arguments and variables."""
        worker = Worker(self, len(self.workers), (command, *arguments), extra)
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        self.close_clients()

    def close_clients(self) -> None:
        """Let go of our own connections to Kafka; the next call makes new ones."""
        for client in (self._reader, self._producer):
            if client is not None:
                client.close()
        self._reader = self._producer = None

    def command(self, *arguments: str, patience_s: float = 60.0, code: int = 0) -> str:
        """Run `regulars ...` as an operator would; gives what it printed. Fails unless it ends with this exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "streams", *arguments],
            env={**os.environ, **self.environment()},
            capture_output=True,
            text=True,
            timeout=patience_s,
            check=False,
        )
        assert done.returncode == code, f"regulars {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    # --- events in ------------------------------------------------------------------------------------------------

    def brisk(self) -> None:
        """Set it up for `stories`; to be called before the first worker starts."""
        (self.folder / "rules.toml").write_text(BRISK_RULES)
        self.settings |= BRISK_SETTINGS

    def produce(self, records: list[Record]) -> list[tuple[str, int, int]]:
        """Produce records to the home partitions of their keys (or where they say), stamped now, and wait for all.

        Gives where each one went: logical topic, partition, offset.
        """
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self.bootstrap, acks="all", compression_type="lz4", linger_ms=5
            )
        sent = [
            self._producer.send(
                self.topic(record.topic),
                key=None if record.key is None else record.key.encode(),
                value=record.value,
                partition=home_partition(record.key or "", self.partitions)
                if record.partition is None
                else record.partition,
            )
            for record in records
        ]
        self._producer.flush()
        found = [future.get(timeout=60) for future in sent]
        return [(record.topic, told.partition, told.offset) for record, told in zip(records, found, strict=True)]

    # --- what came of it ------------------------------------------------------------------------------------------

    def client(self) -> Any:
        """A plain client; untyped, as its library types every answer as text or bytes."""
        return redis.Redis.from_url(self.redis_url, socket_timeout=10)

    def stored_offsets(self) -> dict[tuple[str, int], int]:
        """Next offset by (logical topic, partition), as Redis holds it."""
        found = {}
        with contextlib.closing(self.client()) as client:
            for partition in range(self.partitions):
                meta = client.hgetall(f"{self.prefix}:{{{partition}}}:meta")
                for name, value in meta.items():
                    text = name.decode()
                    topic = text.removeprefix("offset:")
                    if text.startswith("offset:") and topic in CONSUMED:
                        found[topic, partition] = int(value)
        return found

    def _consumer(self) -> Any:
        """A plain consumer without a group, kept: making one takes longer than asking it."""
        if self._reader is None:
            self._reader = KafkaConsumer(
                bootstrap_servers=self.bootstrap, isolation_level="read_committed", enable_auto_commit=False
            )
        return self._reader

    def ends(self) -> dict[tuple[str, int], int]:
        """End of the log by (logical topic, partition)."""
        tps = {
            TopicPartition(self.topic(name), partition): (name, partition)
            for name in CONSUMED
            for partition in range(self.partitions)
        }
        return {tps[tp]: end for tp, end in self._consumer().end_offsets(list(tps)).items()}

    def group_offsets(self) -> dict[tuple[str, int], int]:
        """What the consumer group has committed in Kafka, by (name on the broker, partition)."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            (found,) = admin.list_group_offsets([self.prefix]).values()
            return {(tp.topic, tp.partition): told.offset for tp, told in found.items()}
        finally:
            admin.close()

    def caught_up(self) -> bool:
        """Whether Redis holds everything the logs have."""
        stored = self.stored_offsets()
        return all(stored.get(place, 0) >= end for place, end in self.ends().items())

    def wait_caught_up(self, patience_s: float = PATIENCE_S) -> None:
        self.expect(self.caught_up, "caught up", patience_s)

    def expect(self, done: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until it is so; on failure the workers' logs are shown."""
        try:
            wait_until(what, done, patience_s, every_s=0.3)
        except AssertionError as error:
            logs = "\n".join(f"--- {worker.log_path.name}\n{worker.log()[-4000:]}" for worker in self.workers)
            raise AssertionError(f"{error}\n{logs}") from None

    def homes(self) -> list[tuple[int, str]]:
        """Partition and id of every stored profile; identifiers that lead to one are none."""
        with contextlib.closing(self.client()) as client:
            found = list(client.scan_iter(match=f"{self.prefix}:*:c:*", count=1000))
            keys = [key.decode() for key in found if not json.loads(unpack(client.get(key))).get("redirect")]
        parts = [key.removeprefix(f"{self.prefix}:{{").partition("}:c:") for key in keys]
        return [(int(partition), profile_id) for partition, _, profile_id in parts]

    def profiles(self) -> dict[str, dict[str, Any]]:
        """Every stored profile by id."""
        return {name: found for name, found in self._stored().items() if "redirect" not in found}

    def redirects(self) -> dict[str, str]:
        """Every identifier that leads to a profile, with the one it leads to now."""
        return {name: found["redirect"][-1][1] for name, found in self._stored().items() if "redirect" in found}

    def _stored(self) -> dict[str, dict[str, Any]]:
        found = {}
        with contextlib.closing(self.client()) as client:
            for key in client.scan_iter(match=f"{self.prefix}:*:c:*", count=1000):
                stored = client.get(key)
                if stored is not None:
                    profile = json.loads(unpack(stored))
                    found[profile["id"]] = profile
        return found

    def read(self, name: str) -> list[tuple[dict[str, str], dict[str, Any]]]:
        """All records of an output topic: (headers, value)."""
        return [
            ({key: value.decode() for key, value in record.headers}, json.loads(record.value))
            for record in self.records(name)
        ]

    def records(self, name: str) -> list[Any]:
        """All records of a topic, as the client gives them."""
        consumer = self._consumer()
        tps = [TopicPartition(self.topic(name), partition) for partition in range(self.partitions)]
        ends = consumer.end_offsets(tps)
        consumer.assign(tps)
        consumer.seek_to_beginning(*tps)
        found = []
        while any(consumer.position(tp) < ends[tp] for tp in tps):
            for records in consumer.poll(timeout_ms=200).values():
                found += records
        return found

    def outbox_empty(self) -> bool:
        with contextlib.closing(self.client()) as client:
            return all(client.llen(f"{self.prefix}:{{{p}}}:outbox") == 0 for p in range(self.partitions))


def money_of(profile: dict[str, Any]) -> tuple[int, int, int, int, int]:
    """Orders, gross, discount, refund and net of a stored profile."""
    ltv = profile.get("ltv", {})
    names = ("gross", "discount", "refund", "net")
    return (profile.get("orders", {}).get("count", 0), *(ltv.get(name, 0) for name in names))


def check_money_and_carts(shop: Shop, scenario: Scenario) -> None:
    """Redis equals what the story says, for every customer."""
    profiles = shop.profiles()
    told = {f"user_id:{user}" for user in scenario.expected}
    assert told == {profile_id for profile_id in profiles if not profile_id.startswith("~")} & told
    for user, expected in scenario.expected.items():
        profile = profiles[f"user_id:{user}"]
        found = money_of(profile)
        assert (expected.orders, expected.gross, expected.discount, expected.refund, expected.net) == found, user
        carts = {
            cart_id: {key: quantity for key, (_, _, quantity, *_) in cart.get("lines", {}).items()}
            for cart_id, cart in profile.get("carts", {}).items()
            if cart.get("lines")
        }
        assert expected.in_cart == carts, user


def check_triggers(shop: Shop, scenario: Scenario, *, repeats: bool = False) -> None:
    """Every abandoned cart was reminded of, no other, and none twice; late buyers' reminders were settled once.

    With `repeats` the same trigger id may stand on the topic twice (a frozen owner, a store that went back in time).
    """
    sent = [value for _, value in shop.read("triggers") if value["name"] == "cart.abandoned"]
    ids = Counter(value["trigger_id"] for value in sent)
    if not repeats:
        assert [trigger_id for trigger_id, count in ids.items() if count > 1] == []
    by_cart = Counter(value["episode_key"] for value in {value["trigger_id"]: value for value in sent}.values())
    expected = set().union(*(one.abandoned for one in scenario.expected.values()))
    late = set().union(*(one.bought_late for one in scenario.expected.values()))
    settled = {value["episode_key"] for topic in OUTCOMES for _, value in shop.read(topic)}

    missing, surplus = expected - set(by_cart), set(by_cart) - expected
    assert not missing, f"carts without a reminder: {sorted(missing)}"
    assert not surplus, f"reminders of carts that need none: {sorted(surplus)}"
    assert [cart for cart, count in by_cart.items() if count > 1] == []
    assert settled == late


OUTCOMES = ("trigger-cancelled", "trigger-converted")


def triggers_complete(shop: Shop, scenario: Scenario) -> bool:
    """Whether the last expected reminder has been published."""
    expected = set().union(*(one.abandoned for one in scenario.expected.values()))
    return expected <= {value["episode_key"] for _, value in shop.read("triggers")} and shop.outbox_empty()


def end_of_stories(shop: Shop, scenario: Scenario, patience_s: float = PATIENCE_S) -> None:
    """Wait until stories that were told to workers that run have come to their end."""
    shop.wait_caught_up(patience_s)
    shop.produce(last_words(shop.partitions, int(time.time() * 1000)))
    shop.wait_caught_up()
    shop.expect(lambda: triggers_complete(shop, scenario), "all reminders are out")


def running(shop: Shop) -> Iterator[Shop]:
    """For fixtures: a shop with its topics, whose workers are gone in the end."""
    shop.make_topics()
    try:
        yield shop
    finally:
        shop.close()
