"""One run of one engine: fresh topics, fresh state, a fresh process; watched until all is durable, then checked."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench.engines.engine import REPOSITORY, Engine, Ground
from bench.figures import Mark, thinned
from bench.job import Expected
from bench.outcome import Topic, difference, read_triggers
from bench.sampling import Tree
from bench.servers import Servers
from bench.stream_file import Stream

LOOK_EVERY_S: Final = 0.1
STANDSTILL_S: Final = 120.0
STOP_PATIENCE_S: Final = 30.0
LOG_TAIL: Final = 3_000


class Round(Struct, kw_only=True):
    """What one run showed. `moves` counts how often durable progress was seen to move; `marks` are some of those moments.

    `problem` says why it has no speed: it stopped, stood still, or its result is wrong.
    """

    engine: str
    number: int
    records: int
    marks: list[Mark] = []
    moves: int = 0
    rss_peak_bytes: int = 0
    state_bytes: dict[str, int] = {}
    cpu_in_all_s: float = 0.0
    problem: str | None = None
    command: list[str] = []


class EngineStopped(Exception):
    """A process of the engine ended, or durable progress stood still; the end of its log is in the message."""


def run_engine(
    engine: Engine, servers: Servers, stream: Stream, expected: Expected, *, number: int, threads: int
) -> Round:
    """Run an engine over a whole stream. Never raises for what the engine does wrong: that is in the round."""
    prefix = f"{engine.name}-{number}-{os.urandom(3).hex()}"
    found = Round(engine=engine.name, number=number, records=stream.facts.records)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=servers.folder)))
        redis = stack.enter_context(servers.redis()) if engine.needs_redis else None
        ground = Ground(servers=servers, stream=stream, prefix=prefix, state=folder, threads=threads, redis=redis)
        stack.callback(servers.delete_topics, prefix)
        engine.topics(ground)
        servers.fill(ground.topic("clickstream"), stream.blocks())
        found.command = [_without_place(part, folder) for part in engine.commands(ground)[0]]
        log = folder / "engine.log"
        with _started(engine, ground, log) as processes:
            try:
                _watch(engine, ground, processes, found)
                with Topic(servers.kafka.bootstrap, ground.topic("triggers"), ground.partitions) as topic:
                    triggers = read_triggers(topic, expected, engine.trigger)
                found.state_bytes = engine.state_bytes(ground)
                totals = engine.totals(ground, expected)
                found.problem = difference(expected, totals, triggers)
            except EngineStopped as error:
                found.problem = _without_place(
                    f"{error}\n{log.read_text(errors='replace')[-LOG_TAIL:]}".strip(), folder
                )
    return found


def _without_place(text: str, folder: Path) -> str:
    """Without the folders of this machine, since results are shown to others."""
    return text.replace(str(folder), "STATE").replace(str(REPOSITORY), ".")


@contextmanager
def _started(engine: Engine, ground: Ground, log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("REGULARS_", "BENCH_"))}
    environment |= engine.environment(ground)
    processes: list[subprocess.Popen[bytes]] = []
    with log.open("wb") as output:

        def start(command: list[str]) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

        try:
            processes += map(start, engine.commands(ground))
            yield processes
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                try:
                    process.wait(STOP_PATIENCE_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _watch(engine: Engine, ground: Ground, processes: list[subprocess.Popen[bytes]], found: Round) -> None:
    """Take a mark whenever durable progress has moved, until everything is done."""
    began = moved = time.monotonic()
    tree = Tree([process.pid for process in processes])
    kafka = Tree([ground.servers.kafka_pid])
    redis = Tree([pid] if ground.redis is not None and (pid := ground.redis.process.pid) else [])
    done = 0
    marks: list[Mark] = []
    with closing(engine.progress(ground)) as progress:
        while done < found.records:
            time.sleep(LOOK_EVERY_S)
            for process in processes:
                if process.poll() is not None:
                    raise EngineStopped(f"it ended with exit code {process.returncode} at {done:,} records")
            last, done = done, progress.done()
            now = time.monotonic()
            tree.look_at_memory()
            if done > last:
                moved = now
                marks.append(Mark(now - began, done, tree.cpu_s(), kafka.cpu_s(), redis.cpu_s()))
            elif now - moved > STANDSTILL_S:
                raise EngineStopped(f"it stood still for {STANDSTILL_S:g} s at {done:,} of {found.records:,} records")
    found.marks, found.moves = thinned(marks, found.records), len(marks)
    found.rss_peak_bytes = tree.rss_peak_bytes
    found.cpu_in_all_s = tree.cpu_s()
