"""One real redis-server on a loopback port, kept the way Regulars needs it: append-only file on, nothing evicted."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streams.local.process import LOOPBACK, LocalServiceError, ServerProcess, free_ports, wait_until

START_TIMEOUT_S = 20.0
# What `maxmemory-policy` and `appendonly` must be for a worker to start at all; the rest keeps a local server small.
DEFAULT_CONFIG: Mapping[str, str] = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    # No snapshots beside the append-only file: one source on disk, and restoring a copy of it is one folder.
    "save": '""',
    # The command line then keeps naming the configuration file, by which the process is recognised.
    "set-proc-title": "no",
    "bind": LOOPBACK,
    "databases": "1",
    # As in deploy/redis.conf: compressed ledger entries are larger than the 64 bytes that a compact hash takes by default.
    "hash-max-listpack-value": "512",
}
_AOF_FOLDER = "appendonlydir"


def find_redis_server() -> str:
    """The path of redis-server. Raises LocalServiceError saying how to install it."""
    program = shutil.which("redis-server")
    if program is None:
        raise LocalServiceError(
            "redis-server was not found.\n"
            "  Debian, Ubuntu: apt-get install redis-server    macOS: brew install redis    (7.0 or later)"
        )
    return program


class RedisServer:
    """A redis-server in `directory`; `config` is added to, or replaces, entries of DEFAULT_CONFIG.

    The port stays the same over stops, kills and restarts, and so does the data. Left out, a free port is taken.
    """

    def __init__(self, directory: Path, *, port: int | None = None, config: Mapping[str, str] | None = None) -> None:
        self.host = LOOPBACK
        self.port = port if port is not None else free_ports(1)[0]
        self.process = ServerProcess("Redis", directory)
        self.directory = self.process.directory
        self._config = dict(DEFAULT_CONFIG) | dict(config or {})

    @property
    def url(self) -> str:
        """`redis://host:port/0`, as the setting for Redis takes it."""
        return f"redis://{self.host}:{self.port}/0"

    @property
    def running(self) -> bool:
        """Whether its process exists."""
        return self.process.pid is not None

    def client(self, *, timeout_s: float = 10.0) -> redis.Redis:
        """A new blocking client; bytes in and out, no retries, so that tests see every error once. Close it."""
        return redis.Redis(host=self.host, port=self.port, socket_timeout=timeout_s, retry=Retry(NoBackoff(), 0))

    def start(self, *, config: Mapping[str, str] | None = None) -> None:
        """Start and wait until it answers, the append-only file read. `config` overrides entries from now on."""
        self._config |= dict(config or {})
        self.directory.mkdir(parents=True, exist_ok=True)
        lines = [
            f"port {self.port}",
            f'dir "{self.directory}"',
            *(f"{key} {value}" for key, value in self._config.items()),
        ]
        conf_path = self.directory / "redis.conf"
        conf_path.write_text("\n".join(lines) + "\n")
        self.process.spawn([find_redis_server(), str(conf_path)])
        self.process.wait_ready(self.answers, timeout_s=START_TIMEOUT_S)

    def stop(self) -> None:
        """End it in good order: everything acknowledged is on disk."""
        self.process.stop()

    def kill(self) -> None:
        """End it with SIGKILL. What was written to the file survives, since the machine itself did not stop."""
        self.process.kill()

    def restart(self, *, config: Mapping[str, str] | None = None) -> None:
        """Stop and start on the same port and data."""
        self.stop()
        self.start(config=config)

    def answers(self) -> bool:
        """Whether it replies to PING now (a server still loading its file does not count)."""
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def copy_data(self, target: Path) -> None:
        """Copy the append-only file as it stands, holding every write acknowledged so far, to a new folder."""
        with self.client() as client:

            def settled() -> bool:
                info = client.info("persistence")
                # A write may wait in memory for a running fsync; a rewrite would swap files under the copy.
                return bool(info["aof_buffer_length"] == 0 and info["aof_rewrite_in_progress"] == 0)

            wait_until(settled, timeout_s=10.0, what="Redis to write its append-only file")
        shutil.copytree(self.directory / _AOF_FOLDER, target)

    def restore_data(self, source: Path) -> None:
        """Put an earlier copy back, as an operator would after losing the disk. The server must be stopped."""
        if self.running:
            raise LocalServiceError("stop Redis before its data are replaced")
        shutil.rmtree(self.directory / _AOF_FOLDER, ignore_errors=True)
        shutil.copytree(source, self.directory / _AOF_FOLDER)
