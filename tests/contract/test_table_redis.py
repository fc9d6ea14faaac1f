"""What happens to the table when a real Redis is full, restored, restarted, misconfigured or written to by others."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from streams.local.process import wait_until
from streams.local.redis_server import RedisServer
from streams.packing import DICTIONARY_ID, dictionary, unpack
from streams.redis_checks import CLOCKS_APART_MS, UnfitRedis, check_redis, clocks_apart, memory_of, problems_of
from streams.redis_layout import REDIS_KEYS
from streams.redis_link import RedisLink
from streams.redis_table import APART, RedisTable
from streams.table import (
    SCHEMA,
    SCHEMA_OF_TEXTS,
    Claim,
    Commit,
    Fenced,
    Refused,
    RolledBack,
    TableError,
    Unavailable,
    WrongInstall,
)
from tests.conftest import MakeRedis
from tests.contract.table_kit import in_loop

P = 7


@pytest.fixture
def table(redis_server: RedisServer, prefix: str) -> RedisTable:
    return RedisTable(redis_server.url, prefix=prefix, compressed=True)


def everything(claim: Claim, mark: bytes) -> Commit:
    """A commit that writes every kind of key."""
    return Commit(
        token=claim.meta.token,
        expected=claim.meta.commits,
        profiles={"a": mark, "b": mark},
        entries={("a", "o1"): mark, ("b", "o1"): mark},
        deleted=["c"],
        due={"a": 1, "b": None},
        outbox=[mark],
        offsets={"orders": claim.meta.commits + 1},
        clock_ms=claim.meta.commits,
        population={"n": 1},
        notes={"salt": mark, "gone": None},
        goods={"tent": mark, "boat": None},
        watchers={("tent", "a"): claim.meta.commits, ("tent", "b"): None},
        queue=("tent", 0),
        wake="who is told",
    )


def dump(client: redis.Redis, prefix: str) -> dict[bytes, bytes | None]:
    """Every key of the test, as Redis would move it to another server."""
    return {key: client.dump(key) for key in client.scan_iter(f"{prefix}:*")}


def text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


@pytest.mark.parametrize(
    "kind", ["due", "outbox", "pop", "notes", "c:a", "c:b", "l:a", "l:b", "goods", "queue", "w:tent"]
)
def test_a_key_of_a_wrong_type_refuses_the_commit_whole(
    table: RedisTable, redis_client: redis.Redis, prefix: str, kind: str
) -> None:
    @in_loop
    async def scenario(table: RedisTable) -> None:
        claim = await table.claim(P)
        await table.commit(P, everything(claim, b"old"))
        claim = await table.claim(P)
        key = f"{prefix}:{{{P}}}:{kind}"
        redis_client.delete(key)
        # A set is none of ours. SET would have overwritten it without a word.
        redis_client.sadd(key, "not ours")
        before = dump(redis_client, prefix)

        with pytest.raises(Refused, match="holds a set, not a"):
            await table.commit(P, everything(claim, b"new"))
        assert dump(redis_client, prefix) == before

        redis_client.delete(key)
        await table.commit(P, everything(claim, b"new"))
        assert await table.profile(P, "a") == b"new"

    scenario(table=table)


@in_loop
async def test_meta_of_a_wrong_type_refuses_claim_and_commit(
    table: RedisTable, redis_client: redis.Redis, prefix: str
) -> None:
    claim = await table.claim(P)
    redis_client.set(f"{prefix}:{{{P}}}:meta", "not ours")

    with pytest.raises(Refused, match="holds a string, not a hash"):
        await table.commit(P, everything(claim, b"x"))
    with pytest.raises(Refused, match="holds a string, not a hash"):
        await table.claim(P)
    with pytest.raises(Refused, match="holds a string, not a hash"):
        await table.set_offsets(P, {"orders": 1})
    with pytest.raises(Refused, match="holds another type of value"):
        await table.meta(P)


@in_loop
async def test_a_population_counter_that_is_no_integer_refuses_the_commit_whole(
    table: RedisTable, redis_client: redis.Redis, prefix: str
) -> None:
    claim = await table.claim(P)
    redis_client.hset(f"{prefix}:{{{P}}}:pop", "n", "1.5")
    before = dump(redis_client, prefix)

    with pytest.raises(Refused, match="population counter n is no integer"):
        await table.commit(P, everything(claim, b"x"))

    assert dump(redis_client, prefix) == before


@in_loop
async def test_a_forgotten_script_is_sent_along_again(table: RedisTable, redis_client: redis.Redis) -> None:
    claim = await table.claim(P)
    commit = everything(claim, b"1")
    for expected in range(5):
        redis_client.script_flush()
        commit = Commit(token=claim.meta.token, expected=expected, population={"n": 1})
        await table.commit(P, commit)

    assert await table.population(P) == {"n": 5}
    redis_client.script_flush()
    assert (await table.claim(P)).meta.commits == 5


@in_loop
async def test_a_full_redis_refuses_whole_and_takes_the_same_commit_when_it_has_room(
    own_redis: MakeRedis, prefix: str
) -> None:
    server = own_redis()
    table = RedisTable(server.url, prefix=prefix)
    with server.client() as admin:
        claim = await table.claim(P)
        await table.commit(P, everything(claim, b"old"))
        claim = await table.claim(P)
        before = dump(admin, prefix)
        admin.config_set("maxmemory", admin.info("memory")["used_memory"] // 2)
        commit = everything(claim, b"new")
        commit.profiles.update({f"user_id:{number}": b"x" * 600 for number in range(1_000)})

        for _ in range(3):
            with pytest.raises(Refused, match="maxmemory"):
                await table.commit(P, commit)
        with pytest.raises(Refused, match="maxmemory"):
            await table.claim(P)

        assert dump(admin, prefix) == before
        assert await table.profile(P, "a") == b"old", "reading goes on"

        # What only takes away is let through, so that a full Redis can be relieved.
        relief = Commit(token=commit.token, expected=commit.expected, trim=1, due={"a": None})
        await table.commit(P, relief)
        assert (await table.load(P, [], [], due_before_ms=9)).due == []

        admin.config_set("maxmemory", 0)
        commit.expected += 1
        await table.commit(P, commit)
        assert await table.profile(P, "user_id:999") == b"x" * 600
        assert await table.population(P) == {"n": 2}
    await table.close()


@in_loop
async def test_a_restored_older_copy_is_a_roll_back_and_heals_by_reading_on(
    own_redis: MakeRedis, prefix: str, tmp_path: Path
) -> None:
    server = own_redis()
    table = RedisTable(server.url, prefix=prefix)
    claim = await table.claim(P)
    token = claim.meta.token
    for number in range(3):
        await table.commit(P, Commit(token=token, expected=number, offsets={"orders": number + 1}, population={"n": 1}))
    server.copy_data(tmp_path / "copy")
    for number in range(3, 6):
        await table.commit(P, Commit(token=token, expected=number, offsets={"orders": number + 1}, population={"n": 1}))

    server.stop()
    server.restore_data(tmp_path / "copy")
    server.start()

    with pytest.raises(RolledBack, match="at commit 3, not at 6"):
        await table.commit(P, Commit(token=token, expected=6, offsets={"orders": 7}, population={"n": 1}))
    claim = await table.claim(P)
    assert (claim.meta.offsets, claim.meta.commits) == ({"orders": 3}, 3)
    for number in range(3, 7):
        await table.commit(
            P, Commit(token=claim.meta.token, expected=number, offsets={"orders": number + 1}, population={"n": 1})
        )
    assert await table.population(P) == {"n": 7}
    await table.close()


@in_loop
async def test_an_older_owner_brought_back_by_a_roll_back_fences_the_newer(
    own_redis: MakeRedis, prefix: str, tmp_path: Path
) -> None:
    server = own_redis()
    table = RedisTable(server.url, prefix=prefix)
    older = await table.claim(P)
    server.copy_data(tmp_path / "copy")
    newer = await table.claim(P)

    server.kill()
    server.restore_data(tmp_path / "copy")
    server.start()

    with pytest.raises(Fenced):
        await table.commit(P, everything(newer, b"newer"))
    await table.commit(P, everything(older, b"older"))
    assert await table.profile(P, "a") == b"older"
    await table.close()


@in_loop
async def test_a_redis_that_comes_back_empty_is_a_roll_back(own_redis: MakeRedis, prefix: str) -> None:
    server = own_redis()
    table = RedisTable(server.url, prefix=prefix)
    claim = await table.claim(P)
    with server.client() as admin:
        admin.flushall()

    with pytest.raises(RolledBack, match="no meta any more"):
        await table.commit(P, everything(claim, b"x"))

    assert await table.meta(P) is None
    assert (await table.claim(P)).fresh
    await table.close()


@in_loop
async def test_a_restart_of_redis_costs_no_commit(own_redis: MakeRedis, prefix: str) -> None:
    server = own_redis()
    table = RedisTable(server.url, prefix=prefix)
    claim = await table.claim(P)
    await table.commit(P, everything(claim, b"1"))
    commit = Commit(token=claim.meta.token, expected=1, population={"n": 1})

    server.kill()
    with pytest.raises(Unavailable):
        await table.commit(P, commit)
    server.start()
    await table.commit(P, commit)

    assert await table.population(P) == {"n": 2}
    await table.close()


@in_loop
async def test_a_replica_refuses_writes_and_says_what_to_do(own_redis: MakeRedis, prefix: str) -> None:
    server = own_redis()
    table = RedisTable(server.url, prefix=prefix)
    claim = await table.claim(P)
    commit = everything(claim, b"x")
    with server.client() as admin:
        admin.replicaof("127.0.0.1", "1")
        with pytest.raises(Refused, match="is a replica and can't be written"):
            await table.commit(P, commit)
        with pytest.raises(UnfitRedis, match="read-only replica"):
            await check_redis(table.link)
        admin.replicaof("NO", "ONE")
    await table.commit(P, commit)

    assert await table.population(P) == {"n": 1}
    await table.close()


@in_loop
async def test_too_few_replicas_refuse_the_commit_whole(own_redis: MakeRedis, prefix: str) -> None:
    server = own_redis()
    table = RedisTable(server.url, prefix=prefix)
    claim = await table.claim(P)
    with server.client() as admin:
        admin.config_set("min-replicas-to-write", 1)
        before = dump(admin, prefix)
        with pytest.raises(Refused, match="min-replicas-to-write"):
            await table.commit(P, everything(claim, b"x"))
        assert dump(admin, prefix) == before
    await table.close()


@in_loop
async def test_a_wipe_left_half_done_can_not_be_claimed_until_it_is_wiped_again(
    table: RedisTable, redis_client: redis.Redis, prefix: str
) -> None:
    claim = await table.claim(P)
    await table.commit(P, everything(claim, b"x"))
    # Where a wipe stands when it is killed after its first step.
    redis_client.hset(f"{prefix}:{{{P}}}:meta", "wiping", "1")

    with pytest.raises(Refused, match="wiped half"):
        await table.claim(P)
    await table.wipe(P)

    claim = await table.claim(P)
    assert claim.meta.offsets == {}
    assert await table.profile_ids(P) == []


@in_loop
async def test_a_wipe_leaves_other_prefixes_and_partitions_alone(
    table: RedisTable, redis_server: RedisServer, redis_client: redis.Redis, prefix: str
) -> None:
    other = RedisTable(redis_server.url, prefix=f"{prefix}x")
    await other.commit(P, everything(await other.claim(P), b"other"))
    await table.commit(P, everything(await table.claim(P), b"x"))
    await table.commit(P + 10, everything(await table.claim(P + 10), b"y"))

    await table.wipe(P)

    assert await other.profile(P, "a") == b"other"
    assert await table.profile(P + 10, "a") == b"y"
    await other.close()


@in_loop
async def test_a_damaged_meta_is_refused_by_name(table: RedisTable, redis_client: redis.Redis, prefix: str) -> None:
    redis_client.hset(f"{prefix}:{{{P}}}:meta", mapping={"token": "t", "epoch": "1", "commits": "many"})

    with pytest.raises(Refused, match=rf"key {prefix}:\{{{P}\}}:meta is damaged"):
        await table.meta(P)
    with pytest.raises(Refused, match="is damaged"):
        await table.claim(P)


@in_loop
async def test_who_only_looks_whether_there_is_an_installation_notes_nothing(
    table: RedisTable, redis_client: redis.Redis, prefix: str
) -> None:
    assert not await table.check_install(8)
    assert list(redis_client.scan_iter(f"{prefix}*")) == []

    await table.ensure_install(8)
    assert await table.check_install(8)
    with pytest.raises(WrongInstall, match="made with 8 partitions, but 16"):
        await table.check_install(16)
    with pytest.raises(WrongInstall, match="protected under another key"):
        await table.check_install(8, "0123456789abcdef")
    redis_client.hset(f"{prefix}:install", "schema", SCHEMA + 1)
    with pytest.raises(WrongInstall, match="a later release ran here"):
        await table.check_install(8)


@in_loop
async def test_every_key_written_is_documented(table: RedisTable, redis_client: redis.Redis, prefix: str) -> None:
    await table.ensure_install(8)
    for _ in range(2):  # the queue is filled with those who watched before
        await table.commit(P, everything(await table.claim(P), b"x"))
    await table.put_models(b"{}")
    kinds = {"string": "string", "hash": "hash", "list": "list", "zset": "sorted set"}

    found = set()
    for raw in redis_client.scan_iter(f"{prefix}:*"):
        name = text(raw).replace(prefix, "<prefix>", 1).replace(f"{{{P}}}", "{p}")
        for kind in ("c", "l"):
            if name.startswith(f"<prefix>:{{p}}:{kind}:"):
                name = f"<prefix>:{{p}}:{kind}:<id>"
        if name.startswith("<prefix>:{p}:w:"):
            name = "<prefix>:{p}:w:<product>"
        found.add((name, kinds[text(redis_client.type(raw))]))

    assert found == {(doc.key, doc.type) for doc in REDIS_KEYS}
    fields = {text(field).split(":")[0] for field in redis_client.hkeys(f"{prefix}:{{{P}}}:meta")}
    documented = next(doc.fields for doc in REDIS_KEYS if doc.key.endswith(":meta"))
    assert fields <= {word.strip().split(":")[0] for word in documented.split(",")}


@in_loop
async def test_data_of_a_later_release_are_refused(table: RedisTable, redis_client: redis.Redis, prefix: str) -> None:
    await table.ensure_install(8)
    redis_client.hset(f"{prefix}:install", "schema", SCHEMA + 1)

    with pytest.raises(WrongInstall, match="a later release ran here"):
        await table.ensure_install(8)


# --- Start-up checks -----------------------------------------------------------------------------------------------


@in_loop
async def test_a_redis_set_up_as_the_docs_say_passes_without_a_warning(table: RedisTable) -> None:
    assert await check_redis(table.link) == []


@in_loop
async def test_everything_wrong_is_named_at_once_with_what_to_set(own_redis: MakeRedis, prefix: str) -> None:
    server = own_redis(config={"appendonly": "no", "maxmemory-policy": "allkeys-lru"})
    table = RedisTable(server.url, prefix=prefix)

    with pytest.raises(UnfitRedis) as raised:
        await check_redis(table.link)
    assert "set `maxmemory-policy noeviction`" in str(raised.value)
    assert "set `appendonly yes`" in str(raised.value)
    assert f"{server.host}:{server.port}" in str(raised.value)

    with server.client() as admin:
        admin.config_set("maxmemory-policy", "noeviction")
    assert any("no append-only file" in warning for warning in await check_redis(table.link, durable_elsewhere=True))
    await table.close()


@in_loop
async def test_a_full_redis_is_named_before_anybody_waits_for_it(own_redis: MakeRedis, prefix: str) -> None:
    server = own_redis()
    table = RedisTable(server.url, prefix=prefix)
    with server.client() as admin:
        admin.config_set("maxmemory", admin.info("memory")["used_memory"] // 2)

    (warning,) = await check_redis(table.link)
    await table.close()

    assert f"{server.host}:{server.port} has used all memory" in warning


def replica_without_master(server: RedisServer) -> None:
    """A master that a failover made a replica, of one that is not there."""
    with server.client() as admin:
        admin.config_set("replica-serve-stale-data", "yes")
        admin.replicaof("127.0.0.1", 1)


def stale_replica(server: RedisServer) -> None:
    with server.client() as admin:
        admin.config_set("replica-serve-stale-data", "no")
        admin.replicaof("127.0.0.1", 1)


def too_few_replicas(server: RedisServer) -> None:
    with server.client() as admin:
        admin.config_set("min-replicas-to-write", 1)


def disk_that_takes_nothing(server: RedisServer) -> None:
    """Redis can't save, as on a full disk: there is a folder in the file's place. Then it refuses all writes
    (stop-writes-on-bgsave-error).
    """
    with server.client() as admin:
        admin.config_set("appendonly", "no")
        admin.config_set("save", "3600 1")
        (server.directory / admin.config_get("dbfilename")["dbfilename"]).mkdir()
        admin.bgsave()
        wait_until(
            lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "err", timeout_s=10, what="a failed save"
        )


@pytest.mark.parametrize(
    "trouble,kind,told",
    [
        (replica_without_master, Refused, "this Redis is a replica and can't be written"),
        (stale_replica, Unavailable, "a replica that lost its master"),
        (too_few_replicas, Refused, "bring its replicas back"),
        (disk_that_takes_nothing, Refused, "make room on the disk"),
    ],
)
def test_a_redis_that_takes_no_writes_keeps_what_it_has_and_the_error_says_what_to_do(
    own_redis: MakeRedis, prefix: str, trouble: Callable[[RedisServer], None], kind: type[TableError], told: str
) -> None:
    server = own_redis()

    @in_loop
    async def scenario() -> None:
        table = RedisTable(server.url, prefix=prefix)
        claim = await table.claim(P)
        await table.commit(P, everything(claim, b"old"))
        trouble(server)

        with pytest.raises(kind, match=told):
            await table.commit(P, Commit(token=claim.meta.token, expected=1, profiles={"a": b"new"}))
        with pytest.raises(kind, match=told):
            await table.claim(P)
        await table.close()

    scenario()
    with server.client() as admin:
        admin.config_set("replica-serve-stale-data", "yes")
        assert admin.hget(f"{prefix}:{{{P}}}:meta", "commits") == b"1"


@in_loop
async def test_on_a_full_redis_a_worker_starts_and_waits(own_redis: MakeRedis, prefix: str) -> None:
    server = own_redis()
    table = RedisTable(server.url, prefix=prefix)
    await table.ensure_install(4)
    with server.client() as admin:
        admin.config_set("maxmemory", "1")

        await table.ensure_install(4)
        with pytest.raises(Refused, match="maxmemory"):
            await table.claim(0)

        admin.config_set("maxmemory", "0")
    assert (await table.claim(0)).fresh
    await table.close()


@in_loop
async def test_a_redis_says_how_much_memory_it_uses_and_may_use(own_redis: MakeRedis, prefix: str) -> None:
    server = own_redis(config={"maxmemory": "100mb"})
    table = RedisTable(server.url, prefix=prefix)
    ((node, (used, most)),) = (await table.memory()).items()
    server.stop()
    with pytest.raises(Unavailable):
        await table.memory()
    await table.close()

    assert (node, most) == (f"{server.host}:{server.port}", 100 * 2**20)
    assert 0 < used < most


@pytest.mark.parametrize(
    "rules, warned", [("-config", []), ("-config -info", ["maxmemory-policy", "appendonly", "its version"])]
)
def test_forbidden_questions_are_warnings_only_where_nothing_else_answers(
    redis_server: RedisServer, redis_client: redis.Redis, prefix: str, rules: str, warned: list[str]
) -> None:
    @in_loop
    async def scenario() -> None:
        redis_client.execute_command("ACL", "SETUSER", prefix, "on", ">secret", "~*", "&*", "+@all", *rules.split())
        url = redis_server.url.replace("redis://", f"redis://{prefix}:secret@")
        link = RedisLink(url)
        try:
            warnings = await check_redis(link)
            told = await memory_of(link)
        finally:
            await link.close()
            redis_client.acl_deluser(prefix)

        assert [warning.split(": ", 1)[1].split(" can't")[0] for warning in warnings] == warned
        assert len(told) == ("-info" not in rules)

    scenario()


@in_loop
async def test_a_host_whose_clock_is_far_from_that_of_redis_is_refused_with_both(table: RedisTable) -> None:
    now_ms = int(time.time() * 1000)
    assert await check_redis(table.link, now_ms=now_ms) == []

    for apart_ms in (2 * CLOCKS_APART_MS, -2 * CLOCKS_APART_MS):
        with pytest.raises(UnfitRedis, match=r"the clock of this host says .*, its own .*: set the wrong one right"):
            await check_redis(table.link, now_ms=now_ms + apart_ms)


def test_a_server_that_does_not_tell_its_time_has_none_that_is_wrong() -> None:
    assert clocks_apart({}, 1_700_000_000_000) == ""


def test_old_versions_and_cluster_nodes_are_named() -> None:
    assert "6.2 or later" in problems_of({"redis_version": "6.0.16"}, False, False)[0]
    assert problems_of({"redis_version": "6.2.0"}, False, False) == []
    assert "redis+cluster://" in problems_of({"cluster_enabled": "1"}, False, False)[0]
    assert problems_of({"cluster_enabled": "1"}, True, False) == []
    assert problems_of({}, False, False) == []


@pytest.mark.parametrize("field, value", [("partitions", b"many"), ("schema", b"\xff"), ("identifiers", b"\xff")])
@in_loop
async def test_notes_of_the_installation_that_somebody_else_wrote_are_refused(
    redis_server: RedisServer, redis_client: redis.Redis, prefix: str, field: str, value: bytes
) -> None:
    table = RedisTable(redis_server.url, prefix=prefix)
    await table.ensure_install(32)
    redis_client.hset(f"{prefix}:install", field, value)

    for look in (table.check_install, table.ensure_install):
        with pytest.raises(WrongInstall):
            await look(32)
    await table.close()


# --- Addresses and logins ------------------------------------------------------------------------------------------


@in_loop
async def test_a_wrong_password_is_named_without_being_shown(own_redis: MakeRedis, prefix: str) -> None:
    server = own_redis()
    with server.client() as admin:
        admin.config_set("requirepass", "right")
    for login in ("", ":wrong-secret@"):
        table = RedisTable(server.url.replace("redis://", f"redis://{login}"), prefix=prefix)
        with pytest.raises(Refused, match="password") as raised:
            await table.claim(P)
        assert "wrong-secret" not in str(raised.value)
        await table.close()
    table = RedisTable(server.url.replace("redis://", "redis://:right@"), prefix=prefix)
    assert (await table.claim(P)).fresh
    await table.close()


@pytest.mark.parametrize("prefix", ["", "a{b", "a}b", "a*", "a b", "ä", "x" * 101])
def test_a_prefix_that_could_hide_the_hash_tag_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        RedisTable("redis://localhost", prefix=prefix)


@pytest.mark.parametrize(
    "url, clustered, seeds",
    [
        ("redis://h:1/2", False, [("h", 1)]),
        ("rediss://u:p@h", False, [("h", 6379)]),
        ("redis+cluster://h1:1,h2:2", True, [("h1", 1), ("h2", 2)]),
        ("rediss+cluster://u:p@h1:1,h2:2?ssl_ca_certs=/ca.pem", True, [("h1", 1), ("h2", 2)]),
    ],
)
def test_addresses_are_read_from_the_url(url: str, clustered: bool, seeds: list[tuple[str, int]]) -> None:
    link = RedisLink(url)

    assert (link.clustered, link._seeds) == (clustered, seeds)
    assert link._options.get("password") == ("p" if "u:p@" in url else None)


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "redis://h1:1,h2:2",
        "redis+cluster://h:1/3",
        "redis://h/shop",
        "redis://h/1/2",
        "unix:///run/redis.sock",
    ],
)
def test_malformed_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|cluster"):
        RedisLink(url)


# --- Compressed, or not --------------------------------------------------------------------------------------------


@pytest.fixture
def plain(redis_server: RedisServer, prefix: str) -> RedisTable:
    """The same table, opened by somebody who would not write frames."""
    return RedisTable(redis_server.url, prefix=prefix)


def raw(value: bytes | str | None) -> bytes:
    assert isinstance(value, bytes)
    return value


PROFILE = b'{"id":"user_id:ana","v":2,"ids":{"user_id":["ana"]},"activity":{"events":21,"sessions":4,"views":12}}'


@in_loop
async def test_profiles_and_ledgers_are_compressed_and_read_by_those_who_would_not_write_them_so(
    table: RedisTable, plain: RedisTable, redis_client: redis.Redis, prefix: str
) -> None:
    await table.ensure_install(8)
    await table.commit(P, everything(await table.claim(P), PROFILE))
    stored = raw(redis_client.get(f"{prefix}:{{{P}}}:c:a"))

    assert len(stored) < len(PROFILE) / 2
    assert len(raw(redis_client.hget(f"{prefix}:{{{P}}}:l:a", "o1"))) < len(PROFILE) / 2
    for reader in (table, plain):
        assert await reader.profile(P, "a") == PROFILE
        assert await reader.ledger(P, "a") == {"o1": PROFILE}
        loaded = await reader.load(P, ["a", "z"], [("a", "o1"), ("a", "o2")], whole=["b"])
        assert loaded.profiles == {"a": PROFILE, "z": None}
        assert loaded.entries == {("a", "o1"): PROFILE, ("a", "o2"): None}
        assert loaded.whole == {"b": {"o1": PROFILE}}
    assert unpack(stored) == PROFILE
    assert redis_client.hgetall(f"{prefix}:dictionaries") == {str(DICTIONARY_ID).encode(): dictionary()}


@in_loop
async def test_a_commit_of_many_profiles_and_entries_puts_each_where_it_belongs(
    table: RedisTable, redis_client: redis.Redis, prefix: str
) -> None:
    claim = await table.claim(P)
    profiles = {f"{number}": b'{"id":"user_id:%d"}' % number for number in range(APART)}
    entries = {(f"{number}", "o1"): b'{"order_id":"o1","of":%d}' % number for number in range(0, APART, 2)}
    await table.commit(P, Commit(token=claim.meta.token, expected=0, profiles=profiles, entries=entries))
    loaded = await table.load(P, list(profiles), list(entries))

    assert loaded.profiles == profiles
    assert loaded.entries == entries
    assert unpack(raw(redis_client.get(f"{prefix}:{{{P}}}:c:7"))) == profiles["7"]


@in_loop
async def test_texts_and_frames_lie_side_by_side(
    table: RedisTable, plain: RedisTable, redis_client: redis.Redis, prefix: str
) -> None:
    first = everything(await plain.claim(P), PROFILE)
    await plain.commit(P, first)
    assert redis_client.get(f"{prefix}:{{{P}}}:c:a") == PROFILE

    await table.commit(P, Commit(token=first.token, expected=first.expected + 1, profiles={"a": PROFILE}))

    assert (await table.load(P, ["a", "b"], [])).profiles == {"a": PROFILE, "b": PROFILE}


@in_loop
async def test_a_frame_that_can_not_be_read_is_refused_by_its_key(
    table: RedisTable, redis_client: redis.Redis, prefix: str
) -> None:
    await table.commit(P, everything(await table.claim(P), PROFILE))
    key = f"{prefix}:{{{P}}}:c:a"
    redis_client.set(key, raw(redis_client.get(key))[:-4])

    with pytest.raises(Refused, match=rf"{P}}}:c:a can't be read: it is damaged .*`regulars rebuild`"):
        await table.load(P, ["a"], [])
    with pytest.raises(Refused, match="can't be read"):
        await table.profile(P, "a")


@in_loop
async def test_earlier_releases_may_go_on_until_the_first_frame(
    table: RedisTable, plain: RedisTable, redis_client: redis.Redis, prefix: str
) -> None:
    await plain.ensure_install(8)
    assert redis_client.hget(f"{prefix}:install", "schema") == str(SCHEMA_OF_TEXTS).encode()

    await table.ensure_install(8)

    assert redis_client.hget(f"{prefix}:install", "schema") == str(SCHEMA).encode()
    await plain.ensure_install(8)  # this release reads both
    assert redis_client.hget(f"{prefix}:install", "schema") == str(SCHEMA).encode()
