"""What only a Redis Cluster does: keys in slots, nodes that send elsewhere, replicas that take over."""

import asyncio
import time

import pytest
import redis

from streams.local.redis_cluster import RedisCluster
from streams.local.redis_server import RedisServer
from streams.redis_checks import UnfitRedis, check_redis
from streams.redis_table import RedisTable
from streams.table import Commit, Refused, Unavailable
from tests.conftest import MakeCluster
from tests.contract.table_kit import in_loop

P = 5


def cluster_url(url: str) -> str:
    return url.replace("redis://", "redis+cluster://")


@in_loop
async def test_all_keys_of_a_partition_lie_in_one_slot_and_partitions_spread_over_the_nodes(
    redis_cluster: RedisCluster, prefix: str
) -> None:
    table = RedisTable(cluster_url(redis_cluster.url), prefix=prefix)
    for partition in range(32):
        claim = await table.claim(partition)
        ids = [f"user_id:{number}" for number in range(20)] + ["{1}", "}{2}"]
        await table.commit(
            partition,
            Commit(
                token=claim.meta.token,
                expected=0,
                profiles=dict.fromkeys(ids, b"x"),
                entries={(name, "o1"): b"y" for name in ids},
                due=dict.fromkeys(ids, 1),
                outbox=[b"row"],
                population={"n": 1},
            ),
        )
        assert sorted(await table.profile_ids(partition)) == sorted(ids)

    counts = []
    for node in redis_cluster.masters:
        with node.client() as admin:
            keys = list(admin.scan_iter(f"{prefix}:*"))
            counts.append(len({key.split(b"}")[0] for key in keys}))
    assert sum(counts) == 32, "no partition has keys on two nodes"
    assert min(counts) > 0
    assert await check_redis(table.link) == []
    assert len(await table.memory()) == len(redis_cluster.masters)
    await table.close()


@in_loop
async def test_a_client_with_an_outdated_map_follows_the_nodes(redis_cluster: RedisCluster, prefix: str) -> None:
    table = RedisTable(cluster_url(redis_cluster.url), prefix=prefix)
    claim = await table.claim(P)
    right = await table.link.owner(f"{prefix}:{{{P}}}:meta".encode())
    wrong = next((node.host, node.port) for node in redis_cluster.masters if node.port != right[1])
    table.link._slots = [(0, 16_383, wrong)]

    await table.commit(P, Commit(token=claim.meta.token, expected=0, profiles={"a": b"1"}, population={"n": 1}))
    table.link._slots = [(0, 16_383, wrong)]
    loaded = await table.load(P, ["a"], [("a", "o1")], due_before_ms=5)

    assert loaded.profiles == {"a": b"1"}
    assert await table.population(P) == {"n": 1}
    await table.close()


@in_loop
async def test_a_partition_on_the_move_is_read_from_both_nodes_and_committed_after_the_move(
    own_cluster: MakeCluster, prefix: str
) -> None:
    cluster = own_cluster(masters=3, replicas=0)
    table = RedisTable(cluster_url(cluster.url), prefix=prefix)
    claim = await table.claim(P)
    names = ["a", "b"]
    await table.commit(
        P, Commit(token=claim.meta.token, expected=0, profiles=dict.fromkeys(names, b"1"), entries={("a", "o"): b"2"})
    )
    tag = f"{prefix}:{{{P}}}:"
    source = cluster.owner_of(tag)
    target = next(node for node in cluster.masters if node is not source)
    with source.client() as old, target.client() as new:
        slot = int(old.execute_command("CLUSTER KEYSLOT", tag))
        new_id, old_id = (bytes(node.execute_command("CLUSTER MYID")).decode() for node in (new, old))
        new.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", old_id)
        old.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", new_id)
        old.execute_command("MIGRATE", target.host, target.port, f"{tag}c:a", 0, 5_000)

        assert await table.profile(P, "a") == b"1", "this one is there already"
        assert await table.profile(P, "b") == b"1", "this one not yet"
        loaded = await table.load(P, ["a"], [("a", "o"), ("b", "o")])
        assert loaded.profiles == {"a": b"1"}
        assert loaded.entries == {("a", "o"): b"2", ("b", "o"): None}
        with pytest.raises(Unavailable, match="moving this partition"):
            await table.load(P, ["a", "b"], [])
        commit = Commit(token=claim.meta.token, expected=1, profiles={"a": b"3", "b": b"3"}, population={"n": 1})
        with pytest.raises(Unavailable, match="moving this partition"):
            await table.commit(P, commit)

        for key in list(old.scan_iter(f"{tag}*")):
            old.execute_command("MIGRATE", target.host, target.port, key, 0, 5_000)
        for node in (new, old):
            node.execute_command("CLUSTER SETSLOT", slot, "NODE", new_id)
    await table.commit(P, commit)

    assert (await table.load(P, names, [])).profiles == {"a": b"3", "b": b"3"}
    assert await table.population(P) == {"n": 1}
    await table.close()


@in_loop
async def test_a_promoted_replica_goes_on_where_the_dead_master_stopped(own_cluster: MakeCluster, prefix: str) -> None:
    cluster = own_cluster(masters=3, replicas=1)
    table = RedisTable(cluster_url(cluster.url), prefix=prefix, timeout_s=1.0, connect_timeout_s=0.5)
    claim = await table.claim(P)
    key = f"{prefix}:{{{P}}}:meta"
    await table.commit(P, Commit(token=claim.meta.token, expected=0, profiles={"a": b"1"}, population={"n": 1}))
    owner = cluster.owner_of(key)
    with owner.client() as admin:
        assert admin.wait(1, 5_000) == 1, "the replica has the commit"

    fresh = await asyncio.to_thread(cluster.fail_over, key)

    assert fresh is not owner
    commit = Commit(token=claim.meta.token, expected=1, profiles={"a": b"2"}, population={"n": 1})
    deadline = time.monotonic() + 20
    while True:
        try:
            await table.commit(P, commit)
            break
        except (Unavailable, Refused):
            assert time.monotonic() < deadline, "the table did not find the new master"
    assert await table.profile(P, "a") == b"2"
    assert await table.population(P) == {"n": 2}
    await table.close()


@in_loop
async def test_keys_of_two_slots_in_one_call_are_refused(redis_cluster: RedisCluster, prefix: str) -> None:
    table = RedisTable(cluster_url(redis_cluster.url), prefix=prefix)
    await table.claim(1)

    with pytest.raises(Refused, match="different slots"):
        await table._run(table._claim, [f"{prefix}:{{1}}:meta".encode(), f"{prefix}:{{2}}:outbox".encode()], ["x"])

    await table.close()


@in_loop
async def test_the_wrong_kind_of_address_is_named(
    redis_cluster: RedisCluster, redis_server: RedisServer, redis_client: redis.Redis, prefix: str
) -> None:
    single = RedisTable(redis_cluster.url, prefix=prefix)
    with pytest.raises(UnfitRedis, match=r"use redis\+cluster://"):
        await check_redis(single.link)
    # The node asked owns about a third of them; the others it sends elsewhere.
    answers = await asyncio.gather(*(single.claim(partition) for partition in range(32)), return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, BaseException)]
    assert 0 < len(refusals) < 32
    assert all(isinstance(error, Unavailable) and "use redis+cluster://" in str(error) for error in refusals)
    await single.close()

    clustered = RedisTable(redis_server.url.replace("redis://", "redis+cluster://").removesuffix("/0"), prefix=prefix)
    with pytest.raises(Refused, match="is no cluster: use redis://"):
        await clustered.claim(P)
    await clustered.close()
