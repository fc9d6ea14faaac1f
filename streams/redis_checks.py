"""Is this Redis fit to hold the only copy of the profiles? Asked once at start, answered in plain words.

A Redis that evicts keys, or forgets everything when it restarts, works well until the day it loses customers. Every
master is asked by INFO, and by CONFIG GET for what INFO leaves out; managed services forbid the latter, and then there
is a warning instead of an answer.
"""

import re
from datetime import UTC, datetime
from typing import Final

from redis.exceptions import ResponseError

from schemas.times import FUTURE_TOLERANCE_MS
from streams.redis_link import Address, RedisLink, Reply, as_table_error
from streams.table import TableError

VERSION_MIN = (6, 2)
"""ZRANGE with BYSCORE and LIMIT came with 6.2."""

VERSION_TESTED = (7, 0)
"""What the tests run against; older ones work, with less precise words when a script is refused."""

CLOCKS_APART_MS: Final = FUTURE_TOLERANCE_MS
"""Clocks of two hosts that differ by more are no drift: one of them was set wrong."""


class UnfitRedis(TableError):
    """Redis is set up so that it would lose profiles, is none that can be written to, or has another time than this host.

    The worker does not start; nothing was changed. Operator action: the message lists what to change, node by node.
    """


async def check_redis(link: RedisLink, *, durable_elsewhere: bool = False, now_ms: int | None = None) -> list[str]:
    """Warnings about the Redis behind `link`; raises UnfitRedis, listing everything at once, when it is not fit.

    `durable_elsewhere` accepts a Redis without append-only file, for managed services that keep a log of their own. `now_ms` is
    what this host's clock says: where it and Redis' are far apart, one of them is wrong.
    """
    problems: list[str] = []
    warnings: list[str] = []
    for address in await link.masters():
        where = f"Redis at {address[0]}:{address[1]}"
        info, unseen = await _facts(link, address)
        warnings.extend(f"{where}: {what} can't be read here, so nobody checked it" for what in unseen)
        problems.extend(f"{where}: {problem}" for problem in problems_of(info, link.clustered, durable_elsewhere))
        if now_ms is not None and (apart := clocks_apart(info, now_ms)):
            problems.append(f"{where}: {apart}")
        version = _version(info)
        if version and VERSION_MIN <= version < VERSION_TESTED:
            warnings.append(f"{where} has version {info['redis_version']}; tests run with 7.0 and later")
        if _full(info):
            warnings.append(f"{where} has used all memory it may use (maxmemory): commits wait until it has more")
        if durable_elsewhere and info.get("aof_enabled") == "0":
            warnings.append(f"{where} has no append-only file, which the settings accept")
    if problems:
        raise UnfitRedis("\n".join(problems))
    return warnings


async def memory_of(link: RedisLink) -> dict[str, tuple[int, int]]:
    """By master ("127.0.0.1:6379"): the bytes it uses, and those it may use, 0 for as many as there are. One that may not be
    asked is left out. Raises TableError while one does not answer.
    """
    found = {}
    for address in await link.masters():
        (reply,) = await link.call_node(address, [("INFO", "memory")])
        if not isinstance(reply, ResponseError):
            info = _fields(reply)
            found[f"{address[0]}:{address[1]}"] = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    return found


def problems_of(info: dict[str, str], clustered: bool, durable_elsewhere: bool) -> list[str]:
    """What is wrong with a server that reports `info` (fields of INFO). What it does not report is not wrong."""
    problems = []
    version = _version(info)
    if version and version < VERSION_MIN:
        problems.append(f"version {info['redis_version']} is too old: Regulars needs 6.2 or later")
    policy = info.get("maxmemory_policy")
    if policy and policy != "noeviction":
        problems.append(
            f"maxmemory-policy is {policy}, so it would delete profiles when memory is short: "
            f"set `maxmemory-policy noeviction`"
        )
    if info.get("aof_enabled") == "0" and not durable_elsewhere:
        problems.append(
            "the append-only file is off, so a restart would lose profiles: "
            "set `appendonly yes` (and `appendfsync everysec`)"
        )
    if info.get("role") == "slave":
        problems.append("it is a read-only replica: point the Redis URL to its master")
    if info.get("cluster_enabled") == "1" and not clustered:
        problems.append(
            "it is a node of a Redis Cluster: use redis+cluster://host:port (with TLS rediss+cluster://) as the Redis URL"
        )
    return problems


def clocks_apart(info: dict[str, str], now_ms: int) -> str:
    """What to say where the clock of this host and that of a server (field of INFO) are too far apart, "" where they are not.

    A worker's clock that is ahead would have timers fire early, and the clocks of partitions never go back.
    """
    theirs_ms = int(info.get("server_time_usec", now_ms * 1000)) // 1000
    if abs(now_ms - theirs_ms) <= CLOCKS_APART_MS:
        return ""
    ours, theirs = (datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds") for ms in (now_ms, theirs_ms))
    return f"the clock of this host says {ours}, its own {theirs}: set the wrong one right; triggers would go out at wrong times"


async def _facts(link: RedisLink, address: Address) -> tuple[dict[str, str], list[str]]:
    """Fields of INFO, and the names of settings that could not be found out."""
    reply, policy, aof = await link.call_node(
        address,
        [("INFO",), ("CONFIG", "GET", "maxmemory-policy"), ("CONFIG", "GET", "appendonly")],
    )
    info: dict[str, str] = {}
    if not isinstance(reply, ResponseError):
        info = _fields(reply)
    elif "NOPERM" not in str(getattr(reply, "status_code", "")) and "unknown command" not in str(reply):
        raise as_table_error(reply)
    # CONFIG is what counts where both answer; a proxy may leave fields of INFO out.
    if not isinstance(policy, ResponseError) and len(policy) == 2:
        info["maxmemory_policy"] = bytes(policy[1]).decode()
    if not isinstance(aof, ResponseError) and len(aof) == 2:
        info["aof_enabled"] = "1" if bytes(aof[1]) == b"yes" else "0"
    names = {"maxmemory_policy": "maxmemory-policy", "aof_enabled": "appendonly", "redis_version": "its version"}
    return info, [name for field, name in names.items() if field not in info]


def _fields(reply: Reply) -> dict[str, str]:
    """What INFO answered."""
    lines = bytes(reply).decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def _full(info: dict[str, str]) -> bool:
    """Whether it has reached its bound; no fault of how it is set up, and where it is close to it, over in a moment."""
    bound = int(info.get("maxmemory", 0))
    return 0 < bound <= int(info.get("used_memory", 0))


def _version(info: dict[str, str]) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", info.get("redis_version", ""))
    return (int(found[1]), int(found[2])) if found else None
