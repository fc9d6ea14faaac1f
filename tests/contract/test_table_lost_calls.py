"""Calls and replies that get lost: a commit is counted once, and nobody else's state is touched."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streams.local.process import free_ports
from streams.local.redis_server import RedisServer
from streams.memory_table import MemoryTable
from streams.redis_link import Unanswered
from streams.redis_table import RedisTable
from streams.table import Commit, Fenced, RolledBack, Unavailable
from tests.contract.table_kit import Proxy, in_loop

P = 3
TIMEOUT_S = 0.3


@asynccontextmanager
async def through_a_proxy(server: RedisServer, prefix: str) -> AsyncIterator[tuple[Proxy, RedisTable, RedisTable]]:
    """A proxy, a table behind it, and a second worker's table that has a good connection."""
    async with Proxy(server.port) as proxy:
        far = RedisTable(proxy.url, prefix=prefix, timeout_s=TIMEOUT_S)
        near = RedisTable(server.url, prefix=prefix)
        try:
            # Known to Redis beforehand, so that the first request lost is the commit and not the look for its script.
            scripts = [("SCRIPT", "LOAD", script.text) for script in (near._claim, near._commit)]
            assert await near.link.call(b"", scripts) == [near._claim.sha.encode(), near._commit.sha.encode()]
            yield proxy, far, near
        finally:
            await far.close()
            await near.close()


def first(token: str, **changes: object) -> Commit:
    return Commit(token=token, expected=0, population={"n": 1}, outbox=[b"row"], **changes)  # type: ignore[arg-type]


async def counted(table: RedisTable | MemoryTable) -> tuple[int, dict[str, int], list[bytes]]:
    """(commits, population, outbox); takes ownership."""
    claim = await table.claim(P)
    return claim.meta.commits, await table.population(P), claim.outbox


ONCE = (1, {"n": 1}, [b"row"])
NEVER: tuple[int, dict[str, int], list[bytes]] = (0, {}, [])


# --- In memory: the injected failures behave as the real ones below ------------------------------------------------


@in_loop
async def test_in_memory_a_request_that_got_lost_may_be_sent_again() -> None:
    table = MemoryTable()
    commit = first((await table.claim(P)).meta.token)
    table.fail_next("commit", "before", times=2)

    for _ in range(2):
        with pytest.raises(Unavailable):
            await table.commit(P, commit)
    await table.commit(P, commit)

    assert await counted(table) == ONCE


@in_loop
async def test_in_memory_a_reply_that_got_lost_is_recognised() -> None:
    table = MemoryTable()
    commit = first((await table.claim(P)).meta.token)
    table.fail_next("commit", "after")

    with pytest.raises(Unavailable):
        await table.commit(P, commit)
    await table.commit(P, commit)

    assert await counted(table) == ONCE


@in_loop
async def test_in_memory_another_commit_after_a_lost_reply_is_a_roll_back() -> None:
    table = MemoryTable()
    token = (await table.claim(P)).meta.token
    table.fail_next("commit", "after")

    with pytest.raises(Unavailable):
        await table.commit(P, first(token))
    with pytest.raises(RolledBack):
        await table.commit(P, first(token, profiles={"a": b"different"}))

    assert await counted(table) == ONCE


@in_loop
async def test_in_memory_a_lost_claim_fences_the_older_owner_nevertheless() -> None:
    table = MemoryTable()
    token = (await table.claim(P)).meta.token
    table.fail_next("claim", "after")

    with pytest.raises(Unavailable):
        await table.claim(P)
    with pytest.raises(Fenced):
        await table.commit(P, first(token))


@in_loop
async def test_in_memory_a_restored_snapshot_is_a_roll_back_and_may_revive_an_older_owner() -> None:
    table = MemoryTable()
    older = (await table.claim(P)).meta.token
    before = table.snapshot()
    await table.commit(P, first(older))
    owner = await table.claim(P)

    table.restore(before, partition=P)

    # The owner's token is not there any more, the older one is: whoever holds another token is a zombie.
    with pytest.raises(Fenced):
        await table.commit(P, Commit(token=owner.meta.token, expected=1, profiles={"a": b"1"}))
    with pytest.raises(RolledBack):
        await table.commit(P, Commit(token=older, expected=1, profiles={"a": b"1"}))
    assert await counted(table) == NEVER


@in_loop
async def test_in_memory_going_back_before_the_first_claim_leaves_no_meta() -> None:
    table = MemoryTable()
    before = table.snapshot()
    commit = first((await table.claim(P)).meta.token)

    table.restore(before)

    with pytest.raises(RolledBack, match="no meta"):
        await table.commit(P, commit)


# --- Real Redis behind a proxy that spoils the connection ----------------------------------------------------------


@in_loop
async def test_a_reply_beyond_the_time_out_is_recognised_by_reading_back(
    redis_server: RedisServer, prefix: str
) -> None:
    async with through_a_proxy(redis_server, prefix) as (proxy, far, near):
        commit = first((await far.claim(P)).meta.token)
        await proxy.become("hold replies")

        with pytest.raises(Unavailable, match="asked 3 times"):
            await far.commit(P, commit)
        assert (await near.population(P)) == {"n": 1}

        await proxy.become("fine")
        await far.commit(P, commit)

        assert await counted(near) == ONCE


@in_loop
async def test_a_slow_script_is_counted_once_within_one_call(redis_server: RedisServer, prefix: str) -> None:
    async with through_a_proxy(redis_server, prefix) as (proxy, far, near):
        commit = first((await far.claim(P)).meta.token)
        send, times = far.link.call, 0

        async def answer_the_first_too_late(*args: object) -> object:
            nonlocal times
            times += 1
            await proxy.become("hold replies" if times == 1 else "fine")
            return await send(*args)  # type: ignore[arg-type]

        far.link.call = answer_the_first_too_late  # type: ignore[method-assign,assignment]
        await far.commit(P, commit)

        assert times == 2, "the script once, then the reading back alone"
        assert await counted(near) == ONCE


@in_loop
async def test_a_commit_that_arrives_late_and_again_is_counted_once(redis_server: RedisServer, prefix: str) -> None:
    async with through_a_proxy(redis_server, prefix) as (proxy, far, near):
        commit = first((await far.claim(P)).meta.token)
        await proxy.become("swallow requests")

        with pytest.raises(Unavailable):
            await far.commit(P, commit)
        assert await near.population(P) == {}

        # All copies that were held up now reach Redis, and one more.
        await proxy.become("fine")
        await far.commit(P, commit)

        assert await counted(near) == ONCE


@in_loop
async def test_a_late_commit_does_not_pass_for_another_one(redis_server: RedisServer, prefix: str) -> None:
    async with through_a_proxy(redis_server, prefix) as (proxy, far, near):
        token = (await far.claim(P)).meta.token
        await proxy.become("hold replies")
        with pytest.raises(Unavailable):
            await far.commit(P, first(token))
        await proxy.become("fine")

        with pytest.raises(RolledBack):
            await far.commit(P, first(token, profiles={"a": b"not this"}))

        assert await near.profile(P, "a") is None
        assert await counted(near) == ONCE


@in_loop
async def test_a_late_commit_of_a_worker_that_was_replaced_is_refused(redis_server: RedisServer, prefix: str) -> None:
    async with through_a_proxy(redis_server, prefix) as (proxy, far, near):
        commit = first((await far.claim(P)).meta.token)
        await proxy.become("swallow requests")
        with pytest.raises(Unavailable):
            await far.commit(P, commit)
        await near.claim(P)
        await proxy.become("fine")

        with pytest.raises(Fenced):
            await far.commit(P, commit)

        assert await counted(near) == NEVER


@pytest.mark.parametrize("cut_after_bytes", [0, 1, 3, 7])
def test_a_connection_reset_in_the_middle_of_a_reply_is_survived(
    redis_server: RedisServer, prefix: str, cut_after_bytes: int
) -> None:
    @in_loop
    async def scenario() -> None:
        async with through_a_proxy(redis_server, prefix) as (proxy, far, near):
            proxy.cut_after_bytes = cut_after_bytes
            commit = first((await far.claim(P)).meta.token)
            await proxy.become("cut replies")
            with pytest.raises(Unavailable):
                await far.commit(P, commit)

            await proxy.become("fine")
            await far.commit(P, commit)

            assert await counted(near) == ONCE

    scenario()


@in_loop
async def test_replies_in_single_bytes_are_read_whole(redis_server: RedisServer, prefix: str) -> None:
    async with through_a_proxy(redis_server, prefix) as (proxy, far, _near):
        far.link._timeout_s = 10.0
        await proxy.become("slow")
        token = (await far.claim(P)).meta.token
        await far.commit(P, first(token, profiles={"a": b"x" * 500}, due={"a": 5}))

        loaded = await far.load(P, ["a", "b"], [("a", "o1")], due_before_ms=9)

        assert loaded.profiles == {"a": b"x" * 500, "b": None}
        assert loaded.due == [("a", 5)]


@in_loop
async def test_after_a_timeout_no_reply_is_taken_for_another_ones(redis_server: RedisServer, prefix: str) -> None:
    async with through_a_proxy(redis_server, prefix) as (proxy, far, near):
        owner = await near.claim(P)
        await near.commit(P, first(owner.meta.token, profiles={"a": b"A", "b": b"B"}))
        await proxy.become("hold replies")
        with pytest.raises(Unanswered):
            await far.profile(P, "a")

        await proxy.become("fine")

        assert await far.profile(P, "b") == b"B"
        assert await far.profile(P, "a") == b"A"


@in_loop
async def test_a_claim_whose_reply_got_lost_counts_one_epoch_for_both_tries(
    redis_server: RedisServer, prefix: str
) -> None:
    async with through_a_proxy(redis_server, prefix) as (proxy, far, near):
        send, times = far.link.call, 0

        async def answer_the_first_too_late(*args: object) -> object:
            nonlocal times
            times += 1
            await proxy.become("hold replies" if times == 1 else "fine")
            return await send(*args)  # type: ignore[arg-type]

        far.link.call = answer_the_first_too_late  # type: ignore[method-assign,assignment]
        claim = await far.claim(P)

        assert times == 2
        assert (claim.fresh, claim.meta.epoch) == (True, 1)
        assert (await near.claim(P)).meta.epoch == 2


@in_loop
async def test_a_redis_that_does_not_run_is_named_with_what_to_do(prefix: str) -> None:
    (port,) = free_ports(1)
    table = RedisTable(f"redis://127.0.0.1:{port}/0", prefix=prefix, timeout_s=TIMEOUT_S)

    with pytest.raises(Unavailable, match=rf"no connection to Redis at 127\.0\.0\.1:{port}: .*111") as told:
        await table.claim(P)

    assert str(told.value).endswith(". Is it running, and is redis.url right? A local one: regulars services start")
    await table.close()


@in_loop
async def test_redis_that_is_not_there_is_unavailable(prefix: str) -> None:
    async with Proxy(1) as proxy:
        table = RedisTable(proxy.url, prefix=prefix, timeout_s=TIMEOUT_S)
        with pytest.raises(Unavailable, match="no connection to Redis at"):
            await table.claim(P)
        with pytest.raises(Unavailable):
            await table.commit(P, first("0" * 32))
        with pytest.raises(Unavailable):
            await table.load(P, ["a"], [])
        await table.close()
