"""Kafka Streams and Flink: built by Maven from bench/peers/pom.xml, run by the Java that runs the broker."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from bench.durable import CheckpointFiles, Progress
from bench.engines.engine import Ground, Peer
from bench.processes import REPOSITORY
from bench.servers import folder_bytes
from streams.local.kafka_server import find_java

PEERS = REPOSITORY / "bench" / "peers"
BUILD_TIMEOUT_S = 900.0
# What a library of each needs to reach into on Java 17, as their own start scripts have it.
_OPENED = ("java.lang", "java.util", "java.util.concurrent", "java.nio", "java.time", "java.net", "java.text")
OPENS = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]


class JvmPeer(Peer):
    """A peer in Java."""

    module: str
    main: str
    heap: str
    libraries: ClassVar[Mapping[str, str]]

    def build(self) -> None:
        """Run Maven unless what it made is newer than every source. Raises RuntimeError with the end of its output."""
        sources = [path for path in PEERS.rglob("*") if path.suffix in {".java", ".xml"} and "target" not in path.parts]
        newest = max(path.stat().st_mtime for path in sources)
        jars = list((PEERS / self.module / "target").glob("*.jar"))
        if jars and jars[0].stat().st_mtime >= newest:
            return
        # `clean`: a jar from before a change of the sources must not stay beside the new one.
        done = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(PEERS / "pom.xml"), "clean", "package"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError("Maven could not build the JVM peers:\n" + (done.stdout + done.stderr)[-3000:])

    def versions(self) -> Mapping[str, str]:
        jars = [path.name for path in self._lib().glob("*.jar")]
        shown = subprocess.run([find_java(), "-version"], capture_output=True, text=True, check=True)
        java = re.search(r'version "([^"]+)"', shown.stderr + shown.stdout)
        found = {title: _jar_version(jars, artifact) for title, artifact in self.libraries.items()}
        return found | {"Java": java[1] if java else "?"}

    def commands(self, ground: Ground) -> list[list[str]]:
        target = self._lib().parent
        return [
            [
                *(find_java(), f"-Xms{self.heap}", f"-Xmx{self.heap}", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"),
                *OPENS,
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                *("-cp", f"{target}/*:{target}/lib/*", self.main),
            ]
        ]

    def _lib(self) -> Path:
        return PEERS / self.module / "target" / "lib"


def _jar_version(jars: list[str], artifact: str) -> str:
    pattern = re.compile(rf"^{re.escape(artifact)}-(\d[^/]*)\.jar$")
    return next((match[1] for jar in jars if (match := pattern.match(jar))), "?")


class KafkaStreamsPeer(JvmPeer):
    """Kafka Streams; a study may give it other variables."""

    name = "kafka-streams"
    title = "Kafka Streams"
    durable_state = "RocksDB, changelog topics"
    module = "kafka-streams"
    main = "regulars.bench.streams.KafkaStreamsPeer"
    heap = "3g"
    libraries: ClassVar = {"Kafka Streams": "kafka-streams", "RocksDB": "rocksdbjni"}

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = dict(variables or {})

    @override
    def environment(self, ground: Ground) -> Mapping[str, str]:
        return {**super().environment(ground), **self._variables}


class FlinkPeer(JvmPeer):
    """Flink in one process."""

    durable_state = "checkpoints on disk, each second"
    module = "flink"
    main = "regulars.bench.flink.FlinkPeer"
    heap = "4g"
    libraries: ClassVar = {
        "Flink": "flink-runtime",
        "Flink Kafka connector": "flink-connector-kafka",
        "Kafka clients": "kafka-clients",
    }

    def __init__(self, name: str, title: str, backend: str) -> None:
        self.name, self.title, self.backend = name, title, backend

    @override
    def environment(self, ground: Ground) -> Mapping[str, str]:
        return {**super().environment(ground), "BENCH_BACKEND": self.backend}

    @override
    def progress(self, ground: Ground) -> Progress:
        return CheckpointFiles(ground.state, sum(ground.ends))

    @override
    def state_bytes(self, ground: Ground) -> dict[str, int]:
        found = {"checkpoints": folder_bytes(ground.state / "checkpoints")}
        if self.backend == "rocksdb":
            found["local disk"] = folder_bytes(ground.state / "rocksdb")
        return found


KAFKA_STREAMS = KafkaStreamsPeer()
FLINK_HEAP = FlinkPeer("flink-heap", "Flink, state on the heap", "hashmap")
FLINK_ROCKSDB = FlinkPeer("flink-rocksdb", "Flink, state in RocksDB", "rocksdb")
