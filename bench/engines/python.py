"""The peers in Python: Quix Streams in a venv of its own, stock Faust and the Redis loop in the project's."""

import hashlib
import subprocess
import sys
import venv
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from typing_extensions import override

from bench.engines.engine import Ground, Peer
from bench.processes import REPOSITORY
from bench.redis_state import keys_bytes

VENVS = REPOSITORY / ".bench-cache" / "venvs"


class PythonPeer(Peer):
    """A peer that is a package under bench/peers; as many processes as threads are asked for."""

    package: str
    libraries: tuple[str, ...]

    def build(self) -> None:
        """Nothing: its libraries are those of the project."""

    def interpreter(self) -> Path:
        return Path(sys.executable)

    def versions(self) -> Mapping[str, str]:
        return {name: version(name) for name in self.libraries} | {"Python": sys.version.split()[0]}

    def commands(self, ground: Ground) -> list[list[str]]:
        return [[str(self.interpreter()), "-m", f"bench.peers.{self.package}"] for _ in range(ground.threads)]

    @override
    def environment(self, ground: Ground) -> Mapping[str, str]:
        return {**super().environment(ground), "PYTHONPATH": str(REPOSITORY), "PYTHONHASHSEED": "0"}


class QuixPeer(PythonPeer):
    """Quix Streams."""

    name = "quix-streams"
    title = "Quix Streams"
    durable_state = "RocksDB, changelog topics"
    package = "quix_streams"
    libraries = ("quixstreams", "confluent-kafka", "rocksdict")

    @override
    def build(self) -> None:
        """Make the venv, new when the requirements have changed."""
        wanted = REPOSITORY / "bench" / "peers" / self.package / "requirements.txt"
        digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
        mark = self._folder() / "requirements.sha256"
        if mark.exists() and mark.read_text() == digest:
            return
        venv.create(self._folder(), clear=True, with_pip=True)
        subprocess.run(
            [
                str(self.interpreter()),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
                str(wanted),
            ],
            check=True,
        )
        mark.write_text(digest)

    @override
    def interpreter(self) -> Path:
        return self._folder() / "bin" / "python"

    @override
    def versions(self) -> Mapping[str, str]:
        code = "import sys, importlib.metadata as m; print(*(m.version(name) for name in sys.argv[1:]))"
        shown = subprocess.run(
            [str(self.interpreter()), "-c", code, *self.libraries], capture_output=True, text=True, check=True
        )
        return dict(zip(self.libraries, shown.stdout.split(), strict=True)) | {"Python": sys.version.split()[0]}

    def _folder(self) -> Path:
        return VENVS / self.package


class RedisLoop(PythonPeer):
    """kafka-python and redis-py."""

    name = "redis-loop"
    title = "Loop with kafka-python and redis-py"
    guarantee = "at least once"
    durable_state = "Redis, append-only file"
    needs_redis = True
    package = "redis_loop"
    libraries = ("kafka-python", "redis", "orjson")

    @override
    def state_bytes(self, ground: Ground) -> dict[str, int]:
        assert ground.redis is not None
        return {"Redis keys": keys_bytes(ground.redis)}


class FaustPeer(PythonPeer):
    """Stock Faust."""

    name = "faust"
    title = "Stock Faust"
    guarantee = "at least once"
    durable_state = "memory, changelog topics"
    runs_prefix = True
    package = "faust_table"
    libraries = ("faust-streaming", "aiokafka", "orjson")

    @override
    def topics(self, ground: Ground) -> None:
        # Made by Faust at its start, the changelogs would be unknown to its consumer when the first event changes a table.
        super().topics(ground)
        ground.servers.make_topics(
            [f"{ground.prefix}-{table}-changelog" for table in ("customers", "orders")],
            ground.partitions,
            {"cleanup.policy": "compact"},
        )


QUIX_STREAMS = QuixPeer()
REDIS_LOOP = RedisLoop()
FAUST = FaustPeer()
