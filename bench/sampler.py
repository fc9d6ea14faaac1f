"""py-spy around a running worker: its stacks, many times a second, and which stage of the work each of them is in.

https://github.com/benfred/py-spy. It reads the worker's memory from outside, so the worker runs the code that it always runs;
it is stopped for each sample, which costs some of its speed.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

MAIN: Final = "MainThread"
FETCHING: Final = "fetch: the client's thread"
OTHER: Final = "everything else"
LOOP: Final = "event loop"
_LINE: Final = re.compile(r"thread \(\d+\): ([^;]+)")

STAGES: Final[tuple[tuple[str, str], ...]] = (
    # (stage, pattern of "function (file:line)"). From the innermost frame outwards the first one that fits any pattern decides.
    ("step: carts", r"^Engine\._cart |^_checkout \(profiles/handlers\.py"),
    ("step: orders and refunds", r"^Engine\._order "),
    ("step: views", r"\bviewed \(profiles/handlers\.py|^_list_interest \(profiles/handlers\.py"),
    ("step: what all events have", r"^Engine\._remember |^Engine\.step "),
    ("timers", r"^Engine\.fire |^Batch\._fire "),
    ("encode", r"^Batch\._pack |\.pack \(profiles/|^Outputs\.add_to |^Batch\.changes "),
    ("load", r"^Planned\.add |^decode_profile |^Tenure\._load |^RedisTable\.load |^Tenure\._prepare "),
    ("decode and merge", r"\(schemas/decode\.py|\(schemas/adapters/|\(streams/merge\.py"),
    ("batch", r"\(streams/batch\.py|\(streams/planned\.py|\(streams/cache\.py"),
    ("publish", r"\(streams/outbox\.py|\(streams/kafka_producer\.py|\(aiokafka/producer/|\(streams/rows\.py"),
    ("commit", r"^Tenure\._(commit|send|settle)|\(streams/claimed\.py|\(streams/redis_|\(redis/"),
    ("fetch: hand-over", r"\(streams/delivery\.py|\(streams/inbox\.py|\(faust/|\(mode/|\(streams/keeper\.py"),
    ("metrics", r"\(streams/worker_stats\.py|\(streams/metrics\.py|\(prometheus_client/|^Tenure\._tell "),
    ("turns", r"\(streams/tenure\.py|\(streams/partition\.py|\(streams/turnstile\.py"),
    (LOOP, r"\(asyncio/|\(streams/event_loop\.py|\(aiokafka/|\(uvloop/"),
)
"""Where a frame fits several, the first of them."""
_RULES: Final = [(stage, re.compile(pattern)) for stage, pattern in STAGES]


class Sample(NamedTuple):
    """One stack, outermost frame first, and how often it was seen."""

    thread: str
    frames: tuple[str, ...]
    times: int


class NotAllowed(Exception):
    """py-spy is missing, or may not look at the process. The message says what would help."""


def record(pid: int, seconds: float, rate: int, *, idle: bool = False, native: bool = False) -> list[Sample]:
    """Sample a process. Threads that do not run are left out unless `idle`; with `native` frames of C code are there, too.

    Raises NotAllowed.
    """
    program = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if program is None:
        raise NotAllowed("py-spy is not installed: `make setup` brings it")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stacks"
        options = ["--threads", *(["--idle"] if idle else []), *(["--native"] if native else [])]
        done = subprocess.run(
            [
                *(program, "record", "--pid", str(pid), "--rate", str(rate), "--duration", str(max(1, round(seconds)))),
                *("--format", "raw", "--output", str(path), *options),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not path.exists():
            reason = (done.stderr or done.stdout).strip().splitlines()
            raise NotAllowed(
                f"py-spy could not look at the worker: {reason[-1] if reason else 'it did not say why'}. It needs the right to "
                "trace: root, or the capability SYS_PTRACE in a container"
            )
        return parse(path.read_text())


def parse(text: str) -> list[Sample]:
    """Samples of py-spy's raw format: `thread (pid): name;frame;frame 12` a line."""
    found = []
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        head, *frames = stack.split(";")
        match = _LINE.match(head)
        # With one thread only it leaves out whose stack it is.
        thread, frames = (match[1], frames) if match else (MAIN, [head, *frames])
        found.append(Sample(thread, tuple(frames), int(count)))
    return found


def stage_of(sample: Sample) -> str | None:
    """The stage that a stack is in; None for a thread that has no part in the work."""
    if sample.thread != MAIN:
        return FETCHING if any("(mode/" in frame or "(aiokafka/" in frame for frame in sample.frames) else None
    for frame in reversed(sample.frames):
        for stage, pattern in _RULES:
            if pattern.search(frame):
                return stage
    return OTHER


def by_stage(samples: Iterable[Sample]) -> Counter[str]:
    """How many samples each stage has."""
    found: Counter[str] = Counter()
    for sample in samples:
        stage = stage_of(sample)
        if stage is not None:
            found[stage] += sample.times
    return found


def waits(samples: Iterable[Sample]) -> tuple[int, int]:
    """Of samples of the main thread taken whether it ran or not: those in which it waited in the event loop, and all."""
    standing = total = 0
    for thread, frames, count in samples:
        if thread == MAIN:
            total += count
            standing += count if frames[-1].startswith("Runner.run ") else 0
    return standing, total
