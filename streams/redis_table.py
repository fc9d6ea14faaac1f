"""The table in Redis: one round trip for a load, one script for a commit.

All keys of partition 7 carry the hash tag `{7}`, so one script may touch them on a cluster too, and one server (one
append-only file, one replication stream) holds them: whatever Redis loses, it loses state and input offsets together,
and reading on from the offsets heals it. Scripts lie beside this module in lua/; streams.redis_layout lists the keys, and
says how a commit is handed to its script.

Start reading at `commit`, then lua/commit.lua. Connections and error replies are streams.redis_link's matter.
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from typing import Any

from redis.exceptions import NoScriptError, ResponseError

from streams.packing import DICTIONARY_ID, dictionary, pack, pack_all
from streams.redis_checks import memory_of
from streams.redis_layout import MAPS, as_bytes, as_text, commit_arguments, in_pairs, read_ledger, read_meta, read_text
from streams.redis_link import (
    CONNECT_TIMEOUT_S,
    CONNECTIONS_MAX,
    TIMEOUT_S,
    Address,
    Arg,
    Command,
    RedisLink,
    Reply,
    Unanswered,
    as_table_error,
)
from streams.table import (
    NO_COUNTERS,
    SCHEMA,
    SCHEMA_OF_TEXTS,
    Claim,
    Commit,
    Fenced,
    Held,
    Loaded,
    Meta,
    Refused,
    RolledBack,
    Unavailable,
    Waiting,
    WrongInstall,
    broken_number,
    check_held,
    meta_is_gone,
)

READ_ATTEMPTS = 2
"""Reads and claims are asked again once: a connection that Redis closed while it was idle is no trouble to report."""

COMMIT_ATTEMPTS = 3
"""Times a commit is sent before Unavailable is raised; the partition then repeats the call after longer pauses."""

COMMIT_PAUSE_S = 0.1
"""Pause before a commit of unknown outcome is looked at; doubled each time."""

APART = 100
"""So many texts are compressed in a thread of their own. For fewer the way there takes longer than it saves: about 1 ms."""

SCAN_COUNT = 1000
WIPE_SLICE = 500


_PREFIX = re.compile(r"[A-Za-z0-9._:-]{1,100}")


class _Script:
    """A Lua file of this package and the SHA-1 that Redis knows it by."""

    def __init__(self, name: str) -> None:
        self.text = files("streams").joinpath("lua", name).read_bytes()
        # Redis names scripts so; nothing is protected by it.
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest()


class RedisTable:
    """The table in the Redis at `url` (see RedisLink for its forms), all keys under `prefix`.

    With `compressed` profiles and ledger entries are written as frames (streams.packing); either form is read. `prefix` is
    letters, digits and . _ : - only; braces would take the place of the partition's hash tag. Raises ValueError for a
    malformed URL or prefix. Nothing connects before the first call. Use it from one event loop.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str,
        compressed: bool = False,
        timeout_s: float = TIMEOUT_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        connections_max: int = CONNECTIONS_MAX,
        options: dict[str, Any] | None = None,
    ) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise ValueError(f"the prefix {prefix!r} may have letters, digits and . _ : - only, at most 100")
        self._prefix, self._compressed = prefix, compressed
        self.link = RedisLink(
            url,
            timeout_s=timeout_s,
            connect_timeout_s=connect_timeout_s,
            connections_max=connections_max,
            options=options,
        )
        self._claim, self._commit, self._seize = (_Script(f"{name}.lua") for name in ("claim", "commit", "seize"))
        # Commits whose outcome is open, with the nonce they were sent under: sent again, they must be recognised.
        self._open: dict[int, tuple[Commit, str]] = {}

    async def ensure_install(self, partitions: int, key_mark: str = "") -> None:
        """Note the number of partitions and the key's mark at the first start, or raise WrongInstall.

        What is noted already is only read: a Redis that is full takes no writes, and workers start on it and wait.
        """
        key = f"{self._prefix}:install".encode()
        look: Command = ("HMGET", key, "partitions", "schema", "identifiers")
        (found,) = await self._read(key, [look])
        if found[0] is not None and (found[2] or b"") != key_mark.encode():
            raise WrongInstall.of_keys()
        if found[0] is None or found[1] is None:
            # The key's mark first: who finds the partitions noted finds it as well.
            notes: list[Command] = [("HSETNX", key, "identifiers", key_mark)] if key_mark else []
            schema = SCHEMA if self._compressed else SCHEMA_OF_TEXTS
            notes += [("HSETNX", key, "partitions", partitions), ("HSETNX", key, "schema", schema)]
            found = (await self._read(key, [*notes, look]))[-1]
        schema = _judge_install(found, partitions, key_mark)
        if self._compressed:
            await self._tell_of_frames(key, schema)

    async def check_install(self, partitions: int, key_mark: str = "") -> bool:
        """Whether there is an installation under the prefix. Notes nothing, so a command that looks at a wrong place, or before
        the first start, decides nothing for good. Raises WrongInstall where there is another one.
        """
        key = f"{self._prefix}:install".encode()
        (found,) = await self._read(key, [("HMGET", key, "partitions", "schema", "identifiers")])
        if found[0] is None or found[1] is None:
            return False
        _judge_install(found, partitions, key_mark)
        return True

    async def _tell_of_frames(self, install: bytes, schema: int) -> None:
        """Before the first frame is written: releases that can't read any start no more, and everybody else finds with what."""
        if schema < SCHEMA:
            await self._read(install, [("HSET", install, "schema", SCHEMA)])
        key = f"{self._prefix}:dictionaries".encode()
        if not (await self._read(key, [("HEXISTS", key, DICTIONARY_ID)]))[0]:
            await self._read(key, [("HSETNX", key, DICTIONARY_ID, dictionary())])

    async def claim(self, partition: int) -> Claim:
        """Take ownership with a fresh random token and epoch + 1. Raises Refused when a wipe was left half done."""
        keys = [self._key(partition, "meta"), self._key(partition, "outbox")]
        token = secrets.token_hex(16)
        for attempt in range(READ_ATTEMPTS):
            try:
                # The same token each time: a claim that did arrive the first time is only confirmed.
                answer = await self._run(self._claim, keys, [token])
                break
            except Unanswered:
                if attempt + 1 == READ_ATTEMPTS:
                    raise
        if answer[0] != b"ok":
            raise Refused(f"partition {partition} can't be claimed: {answer[1].decode()}")
        meta = read_meta(answer[2], keys[0])
        assert meta is not None
        self._open.pop(partition, None)
        return Claim(meta=meta, outbox=answer[3], fresh=answer[1] == b"1")

    async def load(
        self,
        partition: int,
        profiles: list[str],
        entries: list[tuple[str, str]],
        *,
        whole: list[str] | None = None,
        due_before_ms: int | None = None,
        due_limit: int = 1000,
        watchers_of: str | None = None,
        watchers_limit: int = 0,
        held: Held | None = None,
    ) -> Loaded:
        """Read what is asked for in one round trip. Raises Refused where a key holds a wrong type, and Unavailable; with `held`
        also Fenced and RolledBack.
        """
        orders: dict[str, list[str]] = {}
        for profile_id, order_id in entries:
            orders.setdefault(profile_id, []).append(order_id)
        head = self._key(partition, "")
        commands: list[Command] = []
        if profiles:
            commands.append(("MGET", *(head + b"c:" + as_bytes(profile_id) for profile_id in profiles)))
        for profile_id, order_ids in orders.items():
            commands.append(("HMGET", head + b"l:" + as_bytes(profile_id), *map(as_bytes, order_ids)))
        commands.extend(("HGETALL", head + b"l:" + as_bytes(profile_id)) for profile_id in whole or ())
        if due_before_ms is not None:
            span: list[Arg] = ["-inf", f"({due_before_ms}", "BYSCORE", "LIMIT", 0, due_limit, "WITHSCORES"]
            commands.append(("ZRANGE", head + b"due", *span))
        if watchers_limit:
            source = head + (b"queue" if watchers_of is None else b"w:" + as_bytes(watchers_of))
            commands.append(("ZRANGE", source, 0, watchers_limit - 1, "WITHSCORES"))
        loaded = Loaded()
        if not commands:
            return loaded
        if held is not None:
            # Last, so that whoever wrote what was read before shows.
            commands.append(("HMGET", head + b"meta", "token", "commits", "epoch"))
        replies = iter(await self._read(head, commands))
        if profiles:
            for profile_id, stored in zip(profiles, next(replies), strict=True):
                loaded.profiles[profile_id] = None if stored is None else read_text(stored, head, "c:", profile_id)
        for profile_id, order_ids in orders.items():
            for order_id, stored in zip(order_ids, next(replies), strict=True):
                entry = None if stored is None else read_text(stored, head, "l:", profile_id)
                loaded.entries[profile_id, order_id] = entry
        for profile_id in whole or ():
            loaded.whole[profile_id] = read_ledger(next(replies), head, profile_id)
        if due_before_ms is not None:
            loaded.due = [(as_text(member), int(float(score))) for member, score in in_pairs(next(replies))]
        if watchers_limit:
            loaded.watchers = [(as_text(member), int(float(score))) for member, score in in_pairs(next(replies))]
        if held is not None:
            token, commits, epoch = next(replies)
            found = None if token is None else Meta(token=as_text(token), commits=int(commits), epoch=int(epoch))
            check_held(partition, found, held)
        return loaded

    async def waiting(self, partition: int, cursor: str, count: int) -> Waiting:
        """Profiles with timers, page by page (ZSCAN)."""
        key = self._key(partition, "due")
        ((after, pairs),) = await self._read(key, [("ZSCAN", key, cursor or "0", "COUNT", count)])
        found = [as_text(member) for member, _ in in_pairs(pairs)]
        return Waiting(found, "" if after == b"0" else bytes(after).decode())

    async def everybody(self, partition: int, cursor: str, count: int) -> Waiting:
        """Profiles page by page (SCAN). Of a partition that went to another node of a cluster they begin anew: a cursor is of
        one node.
        """
        start = self._key(partition, "c:")
        address: Address = await self.link.owner(start)
        node, _, at = cursor.rpartition("|")
        at = at if node == str(address) else "0"
        (reply,) = await self.link.call_node(address, [("SCAN", at, "MATCH", start + b"*", "COUNT", count)])
        if isinstance(reply, ResponseError):
            raise as_table_error(reply) from reply
        after, keys = reply
        found = [as_text(key[len(start) :]) for key in keys]
        return Waiting(found, "" if after == b"0" else f"{address}|{bytes(after).decode()}")

    async def commit(self, partition: int, commit: Commit) -> None:
        """Apply a commit whole or not at all, exactly once however often the call had to be repeated.

        Raises Fenced, RolledBack, Refused or Unavailable. A script whose reply did not come may have run, may yet run
        or may never run. So the stored counter is looked at, and the script sent again only when it still stands where
        it stood; a first copy that arrives later finds it moved and changes nothing.
        """
        problem = broken_number(commit)
        if problem:
            raise Refused(problem)
        pending = self._open.get(partition)
        nonce = pending[1] if pending is not None and pending[0] == commit else secrets.token_hex(8)
        stored = await self._stored([*commit.profiles.values(), *commit.entries.values()])
        keys, args = commit_arguments(self._key(partition, ""), commit, nonce, stored)
        for attempt in range(COMMIT_ATTEMPTS):
            try:
                if attempt:
                    await asyncio.sleep(COMMIT_PAUSE_S * 2 ** (attempt - 1))
                    if await self._was_applied(partition, commit, nonce):
                        break
                self._open[partition] = (commit, nonce)
                answer = await self._run(self._commit, keys, args)
            except Unanswered as error:
                lost = error
                continue
            self._judge(partition, commit, answer)
            break
        else:
            raise Unavailable(
                f"Redis did not say whether commit {commit.expected + 1} of partition {partition} was applied, "
                f"asked {COMMIT_ATTEMPTS} times: {lost}"
            ) from lost
        self._open.pop(partition, None)

    async def meta(self, partition: int) -> Meta | None:
        """The partition's meta as it stands, None if it was never claimed."""
        key = self._key(partition, "meta")
        return read_meta((await self._read(key, [("HGETALL", key)]))[0], key)

    async def set_offsets(self, partition: int, offsets: dict[str, int | None]) -> None:
        """Move or (None) forget stored offsets; whoever holds the partition loses it."""
        await self._take_away(
            partition,
            {f"offset:{topic}": offset for topic, offset in offsets.items() if offset is not None},
            [f"offset:{topic}" for topic, offset in offsets.items() if offset is None]
            + [f"topic_id:{topic}" for topic in offsets],
        )

    async def wipe(
        self, partition: int, *, spared: Collection[str] = (), population: Mapping[str, int] = NO_COUNTERS
    ) -> int:
        """Delete everything except what is spared, the notes and the fence (token, epoch, commits, outbox_base); gives the number
        of keys deleted.
        """
        meta_key, pop_key = self._key(partition, "meta"), self._key(partition, "pop")
        stay = {meta_key, pop_key, self._key(partition, "notes")}
        stay |= {self._key(partition, kind) + as_bytes(name) for name in spared for kind in ("c:", "l:")}
        meta = await self.meta(partition)
        trimmed = 0 if meta is None else meta.outbox_base
        (rows,) = await self._read(meta_key, [("LLEN", self._key(partition, "outbox"))])
        # First nobody may commit or claim any more, then the keys go, and last the offsets: stopped at any point in
        # between, no worker can read on from offsets whose state is half gone.
        await self._take_away(partition, {"wiping": 1, "outbox_base": trimmed + rows}, [])
        keys = [key for key in await self._scan(partition, "") if key not in stay]
        for at in range(0, len(keys), WIPE_SLICE):
            await self._read(meta_key, [("UNLINK", *keys[at : at + WIPE_SLICE])])
        counters = [arg for name, count in population.items() for arg in (as_bytes(name), count)]
        again: list[Command] = [("HSET", pop_key, *counters)] if counters else []
        gone, *_ = await self._read(meta_key, [("UNLINK", pop_key), *again])
        maps = [f"{name}:*" for name in MAPS]
        await self._take_away(partition, {}, [*maps, "clock_ms", "t0_ms", "wake", "wiping"])
        return len(keys) + int(gone)

    async def remove(self, partitions: int) -> int:
        """Delete what `wipe` leaves and what all partitions share: the installation is gone. Gives the number of keys."""
        keys = [self._key(partition, kind) for partition in range(partitions) for kind in ("meta", "notes")]
        keys += [f"{self._prefix}:{name}".encode() for name in ("models", "dictionaries", "install")]
        return sum([(await self._read(key, [("UNLINK", key)]))[0] for key in keys])

    async def models(self) -> bytes | None:
        """The document of models that is in use, None before the first fit."""
        key = f"{self._prefix}:models".encode()
        (reply,) = await self._read(key, [("GET", key)])
        return None if reply is None else bytes(reply)

    async def put_models(self, document: bytes) -> None:
        """Put another document of models in its place."""
        key = f"{self._prefix}:models".encode()
        await self._read(key, [("SET", key, document)])

    async def population(self, partition: int) -> dict[str, int]:
        """The partition's population counters that are not 0."""
        key = self._key(partition, "pop")
        (reply,) = await self._read(key, [("HGETALL", key)])
        return {as_text(name): int(total) for name, total in in_pairs(reply)}

    async def notes(self, partition: int) -> dict[str, bytes]:
        """All notes of the partition."""
        key = self._key(partition, "notes")
        (reply,) = await self._read(key, [("HGETALL", key)])
        return {as_text(name): bytes(value) for name, value in in_pairs(reply)}

    async def note(self, partition: int, name: str) -> bytes | None:
        """One of them."""
        key = self._key(partition, "notes")
        (reply,) = await self._read(key, [("HGET", key, as_bytes(name))])
        return None if reply is None else bytes(reply)

    async def goods(self, partition: int, keys: list[str] | None = None) -> dict[str, bytes]:
        """What is kept of the products that are watched in the partition: of these, or of all."""
        key = self._key(partition, "goods")
        if keys is not None:
            (reply,) = await self._read(key, [("HMGET", key, *map(as_bytes, keys))]) if keys else ([],)
            return {name: bytes(good) for name, good in zip(keys, reply, strict=True) if good is not None}
        (reply,) = await self._read(key, [("HGETALL", key)])
        return {as_text(name): good for name, good in in_pairs(reply)}

    async def profile(self, partition: int, profile_id: str) -> bytes | None:
        """One stored profile."""
        head = self._key(partition, "")
        (reply,) = await self._read(head, [("GET", head + b"c:" + as_bytes(profile_id))])
        return None if reply is None else read_text(reply, head, "c:", profile_id)

    async def ledger(self, partition: int, profile_id: str) -> dict[str, bytes]:
        """All stored ledger entries of one profile."""
        head = self._key(partition, "")
        (reply,) = await self._read(head, [("HGETALL", head + b"l:" + as_bytes(profile_id))])
        return read_ledger(reply, head, profile_id)

    async def profile_ids(self, partition: int) -> list[str]:
        """Ids of all profiles of the partition. Looks at every key of its server: for audits, not for the hot path."""
        skip = len(self._key(partition, "c:"))
        return [as_text(key[skip:]) for key in await self._scan(partition, "c:")]

    async def memory(self) -> dict[str, tuple[int, int]]:
        """By Redis master: the bytes it uses and those it may use, 0 without a bound."""
        return await memory_of(self.link)

    async def close(self) -> None:
        """Close all connections."""
        await self.link.close()

    # --- Commit, in parts ------------------------------------------------------------------------------------------

    async def _stored(self, texts: list[bytes]) -> Sequence[bytes]:
        """Profiles and ledger entries as they lie in Redis. While many are compressed, other partitions go on."""
        if not self._compressed:
            return texts
        return await asyncio.to_thread(pack_all, texts) if len(texts) >= APART else [pack(text) for text in texts]

    def _judge(self, partition: int, commit: Commit, answer: list[Reply]) -> None:
        """Raise what the script's answer means, unless the commit was applied."""
        code = bytes(answer[0]).decode()
        detail = bytes(answer[1]).decode("utf-8", "replace") if len(answer) > 1 else ""
        if code in {"ok", "done"}:
            return
        self._open.pop(partition, None)
        if code == "fenced":
            raise Fenced(f"partition {partition} was claimed by another worker (epoch {detail})")
        if code == "moved":
            raise RolledBack(f"partition {partition} is at commit {detail}, not at {commit.expected}")
        if code == "missing":
            raise meta_is_gone(partition)
        raise Refused(f"the commit of partition {partition} was refused: {detail}")

    async def _was_applied(self, partition: int, commit: Commit, nonce: str) -> bool:
        """Whether a commit of unknown outcome is in; False when it may be sent again. Raises Fenced, RolledBack."""
        key = self._key(partition, "meta")
        ((token, commits, last, epoch),) = await self._replies(
            key, [("HMGET", key, "token", "commits", "last", "epoch")]
        )
        if token is None:
            answer: list[Reply] = [b"missing"]
        elif bytes(token).decode() != commit.token:
            answer = [b"fenced", epoch]
        elif int(commits) == commit.expected + 1 and last == nonce.encode():
            return True
        elif int(commits) == commit.expected:
            return False
        else:
            answer = [b"moved", commits]
        self._judge(partition, commit, answer)
        return True

    # --- Asking Redis ----------------------------------------------------------------------------------------------

    def _key(self, partition: int, rest: str) -> bytes:
        return f"{self._prefix}:{{{partition}}}:{rest}".encode()

    async def _replies(self, key: bytes, commands: Sequence[Command]) -> list[Reply]:
        """The replies, none of them an error. Sent once."""
        replies = await self.link.call(key, commands)
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, ResponseError):
                raise as_table_error(reply, command[1]) from reply
        return replies

    async def _read(self, key: bytes, commands: Sequence[Command]) -> list[Reply]:
        """As `_replies`, asked again when nothing came back: for what may be carried out twice."""
        for _ in range(READ_ATTEMPTS - 1):
            try:
                return await self._replies(key, commands)
            except Unanswered:
                continue
        return await self._replies(key, commands)

    async def _run(self, script: _Script, keys: Sequence[Arg], args: Sequence[Arg]) -> list[Reply]:
        """A script's answer, itself sent along where Redis does not know it (any more). Sent once."""
        key = keys[0]
        assert isinstance(key, bytes)
        (reply,) = await self.link.call(key, [("EVALSHA", script.sha, len(keys), *keys, *args)])
        if isinstance(reply, NoScriptError):
            # After a restart, a failover or SCRIPT FLUSH. It did not run, so this is still its first run.
            (reply,) = await self.link.call(key, [("EVAL", script.text, len(keys), *keys, *args)])
        if isinstance(reply, ResponseError):
            raise as_table_error(reply) from reply
        answer: list[Reply] = reply
        return answer

    async def _take_away(self, partition: int, sets: dict[str, int], removals: list[str]) -> None:
        token = f"operator-{secrets.token_hex(16)}"
        pairs = [arg for field, value in sets.items() for arg in (field, value)]
        args: list[Arg] = [token, len(sets), len(removals), *pairs, *removals]
        answer = await self._run(self._seize, [self._key(partition, "meta")], args)
        if answer[0] != b"ok":
            raise Refused(f"partition {partition} can't be changed: {answer[1].decode()}")

    async def _scan(self, partition: int, rest: str) -> list[bytes]:
        """All keys that start so, in no order, from the one node that has them."""
        start = self._key(partition, rest)
        # Nothing in a prefix is special to Redis's patterns.
        pattern = start + b"*"
        address: Address = await self.link.owner(start)
        found: dict[bytes, None] = {}
        cursor = b"0"
        while True:
            (reply,) = await self.link.call_node(address, [("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_COUNT)])
            if isinstance(reply, ResponseError):
                raise as_table_error(reply) from reply
            cursor, keys = reply
            # A key may come more than once while Redis grows or shrinks its table.
            found.update(dict.fromkeys(keys))
            if cursor == b"0":
                return list(found)


def _judge_install(found: list[bytes | None], partitions: int, key_mark: str) -> int:
    """The version of what lies in the store. Raises WrongInstall where its partitions, schema or mark do not fit."""
    *numbers, mark = found
    try:
        stored, schema = (int(value or 0) for value in numbers)
    except ValueError:
        raise WrongInstall.unreadable() from None
    if (mark or b"") != key_mark.encode():
        raise WrongInstall.of_keys()
    if schema > SCHEMA:
        raise WrongInstall(
            f"the data in Redis have key layout {schema}, this release knows {SCHEMA}: a later release ran here. "
            f"Install that release again"
        )
    if stored != partitions:
        raise WrongInstall.of_partitions(stored, partitions)
    return schema
