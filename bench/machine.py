"""On what a benchmark ran: hardware, operating system, servers, and which commit."""

import os
import platform
import re
import subprocess
from pathlib import Path

import psutil
from msgspec import Struct

from streams.local.kafka_server import find_java, kafka_libs
from streams.local.redis_server import find_redis_server


class Machine(Struct, frozen=True, kw_only=True):
    """What a reader needs to compare figures with those of another machine."""

    cpu: str
    cores: int
    memory_gb: float
    system: str
    kafka: str
    redis: str
    java: str
    python: str
    commit: str


def this_machine() -> Machine:
    """The machine at hand."""
    return Machine(
        cpu=_cpu_name(),
        cores=os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {platform.release()}, {_distribution()}",
        kafka=_kafka_version(),
        redis=_first_match(r"v=(\S+)", [find_redis_server(), "--version"]),
        java=_first_match(r'version "([^"]+)"', [find_java(), "-version"]),
        python=platform.python_version(),
        commit=_commit(),
    )


def _cpu_name() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "?")
    except OSError:
        return platform.platform(terse=True)


def _kafka_version() -> str:
    names = [path.name for path in kafka_libs().glob("kafka-clients-*.jar")]
    return next((name.removeprefix("kafka-clients-").removesuffix(".jar") for name in names), "?")


def _first_match(pattern: str, command: list[str]) -> str:
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(pattern, shown.stdout + shown.stderr)
    return found[1] if found else "?"


def _commit() -> str:
    """The commit, with a mark where files differ from it; "?" outside of a checkout."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = git("rev-parse", "--short=12", "HEAD")
    changed = git("status", "--porcelain", "--", "schemas", "profiles", "streams", "bench", ":!bench/results")
    return (commit + (" with local changes" if changed else "")) or "?"
