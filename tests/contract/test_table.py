"""What every table does: the same tests hold the one in memory, a real Redis and a real Redis Cluster to it."""

import asyncio

import pytest

from streams.memory_table import MemoryTable
from streams.redis_table import RedisTable
from streams.table import (
    INTEGER_MAX,
    Claim,
    Commit,
    Fenced,
    Held,
    Meta,
    Refused,
    RolledBack,
    Table,
    WrongInstall,
)
from tests.contract.table_kit import in_loop

P = 7
REDIS_URL = "redis+cluster://"


@pytest.fixture(
    params=["memory", pytest.param("redis", marks=pytest.mark.redis), pytest.param("cluster", marks=pytest.mark.redis)]
)
def table(request: pytest.FixtureRequest, prefix: str) -> Table:
    match request.param:
        case "redis":
            return RedisTable(request.getfixturevalue("redis_server").url, prefix=prefix, compressed=True)
        case "cluster":
            url = request.getfixturevalue("redis_cluster").url.removesuffix("/0")
            return RedisTable(url.replace("redis://", REDIS_URL), prefix=prefix)
        case _:
            return MemoryTable()


def after(claim: Claim, **changes: object) -> Commit:
    """The first commit after a claim."""
    return Commit(token=claim.meta.token, expected=claim.meta.commits, **changes)  # type: ignore[arg-type]


def then(commit: Commit, **changes: object) -> Commit:
    """The commit that follows another one of the same owner."""
    return Commit(token=commit.token, expected=commit.expected + 1, **changes)  # type: ignore[arg-type]


@in_loop
async def test_the_newest_document_of_models_stays(table: Table) -> None:
    assert await table.models() is None

    await table.put_models(b'{"v":1}')
    await table.put_models(b'{"v":2}')

    assert await table.models() == b'{"v":2}'


@in_loop
async def test_a_partition_never_seen_has_nothing(table: Table) -> None:
    assert await table.meta(P) is None
    assert await table.profile(P, "user_id:1") is None
    assert await table.ledger(P, "user_id:1") == {}
    assert await table.population(P) == {}
    assert await table.profile_ids(P) == []

    loaded = await table.load(P, ["user_id:1"], [("user_id:1", "o1")], whole=["user_id:1"], due_before_ms=10)

    assert loaded.profiles == {"user_id:1": None}
    assert loaded.entries == {("user_id:1", "o1"): None}
    assert loaded.whole == {"user_id:1": {}}
    assert loaded.due == []


@in_loop
async def test_a_load_that_asks_for_nothing_gives_nothing(table: Table) -> None:
    loaded = await table.load(P, [], [])

    assert (loaded.profiles, loaded.entries, loaded.whole, loaded.due) == ({}, {}, {}, [])


@in_loop
async def test_an_owner_reads_only_what_it_goes_by(table: Table) -> None:
    with pytest.raises(RolledBack):
        await table.load(P, ["a"], [], held=Held("never claimed", 0))
    first = await table.claim(P)
    held = Held(first.meta.token, 0)
    assert (await table.load(P, ["a"], [], held=held)).profiles == {"a": None}

    await table.commit(P, after(first, profiles={"a": b"1"}))
    with pytest.raises(RolledBack):
        await table.load(P, ["a"], [], held=held)
    assert (await table.load(P, ["a"], [], held=Held(held.token, 1))).profiles == {"a": b"1"}

    second = await table.claim(P)
    with pytest.raises(Fenced):
        await table.load(P, ["a"], [], held=Held(held.token, 1))
    loaded = await table.load(P, ["a"], [], due_before_ms=10, held=Held(second.meta.token, 1))
    assert (loaded.profiles, loaded.due) == ({"a": b"1"}, [])


@in_loop
async def test_the_first_claim_is_fresh_and_the_next_ones_count_the_epoch(table: Table) -> None:
    first = await table.claim(P)
    second = await table.claim(P)

    assert (first.fresh, first.meta.epoch, first.meta.commits, first.outbox) == (True, 1, 0, [])
    assert (second.fresh, second.meta.epoch) == (False, 2)
    assert first.meta.token != second.meta.token
    assert len(first.meta.token) == 32


@in_loop
async def test_notes_are_kept_and_struck_with_a_commit(table: Table) -> None:
    claim = await table.claim(P)
    await table.commit(P, after(claim, notes={"salt": b"abc", "erased:1": b"{}", "request:r": b"[]"}))
    second = await table.claim(P)
    await table.commit(P, after(second, notes={"request:r": None, "erased:1": b"[1]", "never:there": None}))

    assert await table.notes(P) == {"salt": b"abc", "erased:1": b"[1]"}
    assert await table.note(P, "salt") == b"abc"
    assert await table.note(P, "request:r") is None
    assert await table.notes(P + 1) == {}


@in_loop
async def test_more_notes_than_a_script_takes_at_once_are_kept_too(table: Table) -> None:
    claim = await table.claim(P)
    many = {f"erased:{number}": b"{}" for number in range(9000)}
    await table.commit(P, after(claim, notes=dict(many)))
    assert await table.notes(P) == many

    await table.commit(P, after(await table.claim(P), notes=dict.fromkeys(many)))
    assert await table.notes(P) == {}


@in_loop
async def test_everything_of_a_commit_is_read_back(table: Table) -> None:
    claim = await table.claim(P)
    await table.commit(
        P,
        after(
            claim,
            profiles={"user_id:1": b'{"v":1}', "user_id:2": b"two"},
            entries={("user_id:1", "o1"): b"first", ("user_id:1", "o2"): b"second", ("user_id:2", "o1"): b"other"},
            due={"user_id:1": 2_000, "user_id:2": 1_000},
            outbox=[b"row 0", b"row 1"],
            offsets={"orders": 41, "clickstream": 7},
            clock_ms=1_700_000_000_000,
            t0_ms=1_700_000_000_001,
            tails={"triggers": 3},
            origins={"forwards/4": 99},
            topic_ids={"orders": "xYz-1"},
            rules={"version": "spring", "digest": "00ff"},
            population={"x:1": 2, "y": -1},
        ),
    )

    loaded = await table.load(
        P,
        ["user_id:1", "user_id:2", "user_id:3"],
        [("user_id:1", "o2"), ("user_id:1", "o3"), ("user_id:2", "o1")],
        whole=["user_id:1"],
        due_before_ms=5_000,
    )
    meta = await table.meta(P)

    assert loaded.profiles == {"user_id:1": b'{"v":1}', "user_id:2": b"two", "user_id:3": None}
    assert loaded.entries == {
        ("user_id:1", "o2"): b"second",
        ("user_id:1", "o3"): None,
        ("user_id:2", "o1"): b"other",
    }
    assert loaded.whole == {"user_id:1": {"o1": b"first", "o2": b"second"}}
    assert loaded.due == [("user_id:2", 1_000), ("user_id:1", 2_000)]
    assert meta == Meta(
        token=claim.meta.token,
        epoch=1,
        commits=1,
        offsets={"orders": 41, "clickstream": 7},
        clock_ms=1_700_000_000_000,
        t0_ms=1_700_000_000_001,
        tails={"triggers": 3},
        origins={"forwards/4": 99},
        topic_ids={"orders": "xYz-1"},
        rules={"version": "spring", "digest": "00ff"},
        outbox_base=0,
    )
    assert await table.population(P) == {"x:1": 2, "y": -1}
    assert await table.profile(P, "user_id:2") == b"two"
    assert await table.ledger(P, "user_id:2") == {"o1": b"other"}
    assert sorted(await table.profile_ids(P)) == ["user_id:1", "user_id:2"]


@in_loop
async def test_the_next_owner_finds_what_was_committed(table: Table) -> None:
    first = await table.claim(P)
    await table.commit(
        P, after(first, outbox=[b"a", b"b"], offsets={"orders": 5}, clock_ms=9, topic_ids={"orders": "i"})
    )

    second = await table.claim(P)

    assert second.outbox == [b"a", b"b"]
    assert second.meta.offsets == {"orders": 5}
    assert (second.meta.clock_ms, second.meta.commits, second.meta.topic_ids) == (9, 1, {"orders": "i"})


@in_loop
async def test_what_a_commit_does_not_name_stays(table: Table) -> None:
    one = after(await table.claim(P), profiles={"a": b"1"}, offsets={"orders": 1, "carts": 1}, due={"a": 5})
    await table.commit(P, one)
    await table.commit(P, then(one, profiles={"b": b"2"}, offsets={"carts": 2}))

    loaded = await table.load(P, ["a", "b"], [], due_before_ms=100)
    meta = await table.meta(P)

    assert loaded.profiles == {"a": b"1", "b": b"2"}
    assert loaded.due == [("a", 5)]
    assert meta is not None
    assert meta.offsets == {"orders": 1, "carts": 2}


@in_loop
async def test_partitions_do_not_touch_each_other(table: Table) -> None:
    here, there = await table.claim(1), await table.claim(11)
    await table.commit(1, after(here, profiles={"a": b"1"}, due={"a": 1}, outbox=[b"x"], population={"n": 1}))

    assert await table.profile_ids(11) == []
    assert await table.population(11) == {}
    assert (await table.claim(11)).outbox == []
    assert there.meta.epoch == 1
    assert await table.wipe(11) == 0
    assert await table.profile(1, "a") == b"1"


@in_loop
async def test_a_commit_under_an_older_token_is_fenced_and_changes_nothing(table: Table) -> None:
    zombie = await table.claim(P)
    owner = await table.claim(P)

    with pytest.raises(Fenced, match="another worker"):
        await table.commit(P, after(zombie, profiles={"a": b"zombie"}, outbox=[b"x"], offsets={"orders": 1}))

    assert await table.profile(P, "a") is None
    await table.commit(P, after(owner, profiles={"a": b"owner"}))
    assert await table.profile(P, "a") == b"owner"


@in_loop
async def test_a_commit_that_was_answered_is_not_applied_again(table: Table) -> None:
    commit = after(await table.claim(P), population={"n": 1}, outbox=[b"row"], offsets={"orders": 1})
    await table.commit(P, commit)

    with pytest.raises(RolledBack, match="at commit 1, not at 0"):
        await table.commit(P, commit)

    meta = await table.meta(P)
    assert meta is not None
    assert meta.commits == 1
    assert await table.population(P) == {"n": 1}
    assert (await table.claim(P)).outbox == [b"row"]


@in_loop
async def test_another_commit_under_a_used_counter_is_a_roll_back(table: Table) -> None:
    claim = await table.claim(P)
    await table.commit(P, after(claim, population={"n": 1}))

    with pytest.raises(RolledBack, match="at commit 1, not at 0"):
        await table.commit(P, after(claim, population={"n": 5}))

    assert await table.population(P) == {"n": 1}


@in_loop
async def test_a_counter_ahead_of_the_stored_one_is_a_roll_back(table: Table) -> None:
    claim = await table.claim(P)

    with pytest.raises(RolledBack, match="at commit 0, not at 3"):
        await table.commit(P, Commit(token=claim.meta.token, expected=3, profiles={"a": b"1"}))

    assert await table.profile(P, "a") is None


@in_loop
async def test_a_commit_without_any_meta_is_a_roll_back(table: Table) -> None:
    with pytest.raises(RolledBack, match="no meta any more"):
        await table.commit(P, Commit(token="0" * 32, expected=0, profiles={"a": b"1"}))

    assert await table.meta(P) is None


@in_loop
async def test_deleted_profiles_go_with_ledger_and_timer(table: Table) -> None:
    one = after(
        await table.claim(P),
        profiles={"a": b"1", "b": b"2"},
        entries={("a", "o1"): b"x", ("b", "o1"): b"y"},
        due={"a": 1, "b": 2},
    )
    await table.commit(P, one)
    await table.commit(P, then(one, deleted=["a", "never there", "a"]))

    loaded = await table.load(P, ["a", "b"], [], whole=["a", "b"], due_before_ms=10)

    assert loaded.profiles == {"a": None, "b": b"2"}
    assert loaded.whole == {"a": {}, "b": {"o1": b"y"}}
    assert loaded.due == [("b", 2)]


@in_loop
async def test_a_profile_deleted_and_written_in_one_commit_starts_anew(table: Table) -> None:
    one = after(await table.claim(P), profiles={"a": b"old"}, entries={("a", "o1"): b"old"}, due={"a": 1})
    await table.commit(P, one)
    await table.commit(P, then(one, deleted=["a"], profiles={"a": b"new"}, entries={("a", "o2"): b"new"}, due={"a": 9}))

    loaded = await table.load(P, ["a"], [], whole=["a"], due_before_ms=10)

    assert loaded.profiles == {"a": b"new"}
    assert loaded.whole == {"a": {"o2": b"new"}}
    assert loaded.due == [("a", 9)]


@in_loop
async def test_timers_come_strictly_before_the_moment_in_order_and_no_more_than_asked_for(table: Table) -> None:
    due = {"c": 30, "b": 20, "a": 20, "ü": 20, "z": 20, "late": 40, "negative": -5}
    one = after(await table.claim(P), due=due)
    await table.commit(P, one)

    assert (await table.load(P, [], [], due_before_ms=30)).due == [
        ("negative", -5),
        ("a", 20),
        ("b", 20),
        ("z", 20),
        ("ü", 20),
    ]
    assert (await table.load(P, [], [], due_before_ms=1_000, due_limit=2)).due == [("negative", -5), ("a", 20)]

    await table.commit(P, then(one, due={"negative": None, "a": 50, "never there": None}))

    assert (await table.load(P, [], [], due_before_ms=51, due_limit=9)).due == [
        ("b", 20),
        ("z", 20),
        ("ü", 20),
        ("c", 30),
        ("late", 40),
        ("a", 50),
    ]


@in_loop
async def test_a_timer_moved_away_and_back_is_listed_once(table: Table) -> None:
    commit = after(await table.claim(P), due={"a": 10})
    await table.commit(P, commit)
    for due_ms in (20, 10, 30, 10):
        commit = then(commit, due={"a": due_ms})
        await table.commit(P, commit)

    assert (await table.load(P, [], [], due_before_ms=100)).due == [("a", 10)]
    assert (await table.load(P, [], [], due_before_ms=100)).due == [("a", 10)]


@in_loop
async def test_all_profiles_with_timers_are_listed_page_by_page_while_timers_move(table: Table) -> None:
    claim = await table.claim(P)
    many = {f"user_id:{number}": number for number in range(1_000)}
    commit = after(claim, profiles=dict.fromkeys(many, b"{}"), due=dict(many))
    await table.commit(P, commit)
    found: list[str] = []
    cursor, pages = "", 0
    while pages == 0 or cursor:
        page = await table.waiting(P, cursor, 100)
        commit = then(commit, due=dict.fromkeys(page.profile_ids, 5000 + pages))
        await table.commit(P, commit)
        found += page.profile_ids
        cursor, pages = page.cursor, pages + 1

    assert set(found) == set(many)
    assert 1 < pages <= 100
    assert (await table.waiting(P + 1, "", 100)).profile_ids == []


@in_loop
async def test_all_profiles_are_listed_page_by_page_whether_they_have_a_timer_or_not(table: Table) -> None:
    claim, other = await table.claim(P), await table.claim(P + 1)
    many = [f"user_id:{number}" for number in range(1_000)]
    await table.commit(P, after(claim, profiles=dict.fromkeys(many, b"{}"), due={many[0]: 1}))
    await table.commit(P + 1, after(other, profiles={"user_id:elsewhere": b"{}"}))
    found: list[str] = []
    # How many pages there are, of which some are empty, goes by all keys of the server, others' too.
    cursor, begun = "", False
    while cursor or not begun:
        page = await table.everybody(P, cursor, 100)
        assert len(page.profile_ids) < 500
        found += page.profile_ids
        cursor, begun = page.cursor, True

    assert set(found) == set(many)
    assert (await table.everybody(P + 1, "", 10_000)).profile_ids == ["user_id:elsewhere"]


@in_loop
async def test_the_outbox_is_trimmed_at_its_head_while_rows_are_added_at_its_end(table: Table) -> None:
    one = after(await table.claim(P), outbox=[b"0", b"1", b"2"])
    await table.commit(P, one)
    two = then(one, outbox=[b"3"], trim=2)
    await table.commit(P, two)

    claim = await table.claim(P)
    assert claim.outbox == [b"2", b"3"]
    assert claim.meta.outbox_base == 2

    await table.commit(P, after(claim, trim=2))
    claim = await table.claim(P)
    assert (claim.outbox, claim.meta.outbox_base) == ([], 4)


@in_loop
async def test_more_rows_than_there_are_can_not_be_trimmed(table: Table) -> None:
    one = after(await table.claim(P), outbox=[b"0"])
    await table.commit(P, one)

    with pytest.raises(Refused, match="outbox has 1 rows, 2 can't be trimmed"):
        await table.commit(P, then(one, outbox=[b"1", b"2"], trim=2, profiles={"a": b"1"}))

    assert await table.profile(P, "a") is None
    assert (await table.claim(P)).outbox == [b"0"]


@in_loop
async def test_clock_and_t0_only_move_forward(table: Table) -> None:
    one = after(await table.claim(P), clock_ms=100, t0_ms=200)
    await table.commit(P, one)
    two = then(one, clock_ms=99, t0_ms=0)
    await table.commit(P, two)
    meta = await table.meta(P)
    assert meta is not None
    assert (meta.clock_ms, meta.t0_ms) == (100, 200)

    await table.commit(P, then(two, clock_ms=101, t0_ms=201))
    meta = await table.meta(P)
    assert meta is not None
    assert (meta.clock_ms, meta.t0_ms) == (101, 201)


@in_loop
async def test_population_is_added_up_and_a_counter_at_zero_is_gone(table: Table) -> None:
    one = after(await table.claim(P), population={"a": 5, "b": 2, "c": 0})
    await table.commit(P, one)
    await table.commit(P, then(one, population={"a": -7, "b": -2}))

    assert await table.population(P) == {"a": -2}


@in_loop
async def test_numbers_beyond_the_exact_integers_are_refused_whole(table: Table) -> None:
    one = after(await table.claim(P), population={"n": INTEGER_MAX - 1}, due={"a": INTEGER_MAX}, profiles={"a": b"1"})
    await table.commit(P, one)
    assert (await table.load(P, [], [], due_before_ms=INTEGER_MAX)).due == []

    for change in (
        {"population": {"m": 2**63}},
        {"due": {"a": INTEGER_MAX + 1}},
        {"offsets": {"orders": 2**64}},
        {"clock_ms": 2**53},
        {"trim": -1},
    ):
        with pytest.raises(Refused):
            await table.commit(P, then(one, profiles={"a": b"2"}, **change))

    assert await table.profile(P, "a") == b"1"
    assert await table.population(P) == {"n": INTEGER_MAX - 1}
    # A refusal does not use up the counter.
    await table.commit(P, then(one, population={"n": 1}))
    assert await table.population(P) == {"n": INTEGER_MAX}


@in_loop
async def test_a_counter_that_is_full_stays_full_and_stops_nothing(table: Table) -> None:
    one = after(await table.claim(P), population={"n": INTEGER_MAX - 1, "m": 1 - INTEGER_MAX})
    await table.commit(P, one)
    two = then(one, population={"n": INTEGER_MAX, "m": -INTEGER_MAX}, profiles={"a": b"1"})
    await table.commit(P, two)

    assert await table.population(P) == {"n": INTEGER_MAX, "m": -INTEGER_MAX}
    assert await table.profile(P, "a") == b"1"

    await table.commit(P, then(two, population={"n": -5, "m": 5}))

    assert await table.population(P) == {"n": INTEGER_MAX - 5, "m": 5 - INTEGER_MAX}


@in_loop
async def test_odd_ids_and_any_bytes_come_back_as_they_went(table: Table) -> None:
    odd = [
        "user_id:",
        "email:ä@ö.de",
        "a b\n\r\tc",
        "{7}",
        "}{",
        "*?[a]\\",
        ":l:x",
        "nul\0",
        "😀",
        "\ud800",
        "x" * 5_000,
    ]
    value = bytes(range(256))
    one = after(
        await table.claim(P),
        profiles=dict.fromkeys(odd, value),
        entries={(name, name): value for name in odd},
        due={name: number for number, name in enumerate(odd)},
        outbox=[value, b""],
        population=dict.fromkeys(odd, 1),
    )
    await table.commit(P, one)

    loaded = await table.load(P, odd, [(name, name) for name in odd], whole=odd, due_before_ms=100)

    assert loaded.profiles == dict.fromkeys(odd, value)
    assert loaded.entries == {(name, name): value for name in odd}
    assert loaded.whole == {name: {name: value} for name in odd}
    assert loaded.due == [(name, number) for number, name in enumerate(odd)]
    assert sorted(await table.profile_ids(P)) == sorted(odd)
    assert await table.population(P) == dict.fromkeys(odd, 1)
    assert (await table.claim(P)).outbox == [value, b""]


@in_loop
async def test_twenty_thousand_profiles_in_one_commit_work(table: Table) -> None:
    count = 20_000
    names = [f"user_id:{number}" for number in range(count)]
    one = after(
        await table.claim(P),
        profiles=dict.fromkeys(names, b"p" * 100),
        entries={(name, "o1"): b"e" for name in names} | {(names[0], f"o{number}"): b"e" for number in range(2_000)},
        due={name: number for number, name in enumerate(names)},
        outbox=[b"row"] * 3_000,
        population={f"c{number}": 1 for number in range(3_000)},
        origins={f"forwards/{number}": number for number in range(1_000)},
    )
    await table.commit(P, one)

    loaded = await table.load(P, names, [(name, "o1") for name in names], due_before_ms=count, due_limit=count)
    assert all(value == b"p" * 100 for value in loaded.profiles.values())
    assert all(value == b"e" for value in loaded.entries.values())
    assert loaded.due == [(name, number) for number, name in enumerate(names)]
    assert len(await table.ledger(P, names[0])) == 2_000
    assert len(await table.population(P)) == 3_000
    meta = await table.meta(P)
    assert meta is not None
    assert meta.origins["forwards/999"] == 999

    await table.commit(P, then(one, deleted=names, trim=3_000, population={f"c{n}": -1 for n in range(3_000)}))

    assert await table.profile_ids(P) == []
    assert await table.population(P) == {}
    assert (await table.claim(P)).outbox == []


@in_loop
async def test_set_offsets_moves_and_forgets_offsets_and_takes_ownership_away(table: Table) -> None:
    one = after(
        await table.claim(P),
        offsets={"orders": 5, "carts": 6, "messages": 7},
        topic_ids={"orders": "o", "carts": "c", "messages": "m"},
        profiles={"a": b"1"},
    )
    await table.commit(P, one)

    await table.set_offsets(P, {"orders": 50, "carts": None, "feedback": 3, "never there": None})

    with pytest.raises(Fenced):
        await table.commit(P, then(one, profiles={"a": b"2"}))
    claim = await table.claim(P)
    assert claim.meta.offsets == {"orders": 50, "messages": 7, "feedback": 3}
    assert claim.meta.topic_ids == {"messages": "m"}
    assert (claim.meta.epoch, claim.meta.commits) == (3, 1)
    assert await table.profile(P, "a") == b"1"


@in_loop
async def test_offsets_can_be_set_before_the_first_claim(table: Table) -> None:
    await table.set_offsets(P, {"orders": 50})

    claim = await table.claim(P)

    assert (claim.meta.offsets, claim.meta.commits, claim.fresh) == ({"orders": 50}, 0, False)


@in_loop
async def test_wipe_leaves_the_fence_and_the_notes_alone(table: Table) -> None:
    one = after(
        await table.claim(P),
        profiles={"a": b"1", "b": b"2"},
        entries={("a", "o1"): b"x"},
        due={"a": 1},
        outbox=[b"r", b"s"],
        population={"n": 1},
        offsets={"orders": 5},
        clock_ms=7,
        t0_ms=8,
        tails={"triggers": 1},
        origins={"forwards/1": 2},
        topic_ids={"orders": "id"},
        notes={"salt": b"abc", "erased:1": b"{}"},
    )
    await table.commit(P, one)

    # Two profiles, one ledger, due index, outbox, population.
    assert await table.wipe(P) == 6

    with pytest.raises(Fenced):
        await table.commit(P, then(one, profiles={"a": b"2"}))
    claim = await table.claim(P)
    assert claim.outbox == []
    assert not claim.fresh
    assert claim.meta.epoch > 2
    assert claim.meta == Meta(token=claim.meta.token, epoch=claim.meta.epoch, commits=1, outbox_base=2)
    assert await table.profile_ids(P) == []
    assert (await table.load(P, ["a"], [], whole=["a"], due_before_ms=100)).due == []
    assert await table.population(P) == {}
    assert await table.notes(P) == {"salt": b"abc", "erased:1": b"{}"}


@in_loop
async def test_what_a_wipe_spares_stays_and_the_counters_become_what_is_said(table: Table) -> None:
    one = after(
        await table.claim(P),
        profiles={"a": b"1", "b": b"2"},
        entries={("a", "o1"): b"x", ("b", "o2"): b"y"},
        population={"n": 5, "m": 1},
    )
    await table.commit(P, one)

    # A profile, its ledger, the counters.
    assert await table.wipe(P, spared=["b"], population={"n": 2}) == 3
    assert await table.profile_ids(P) == ["b"]
    assert await table.ledger(P, "a") == {}
    assert await table.ledger(P, "b") == {"o2": b"y"}
    assert await table.population(P) == {"n": 2}


@in_loop
async def test_an_installation_keeps_its_number_of_partitions(table: Table) -> None:
    await table.ensure_install(32)
    await table.ensure_install(32)

    with pytest.raises(WrongInstall, match="made with 32 partitions, but 16 are configured"):
        await table.ensure_install(16)


@in_loop
async def test_an_installation_keeps_the_key_of_its_identifiers(table: Table) -> None:
    await table.ensure_install(32, "0123456789abcdef")
    await table.ensure_install(32, "0123456789abcdef")

    for mark in ("", "fedcba9876543210"):
        with pytest.raises(WrongInstall, match="under another key, or not at all"):
            await table.ensure_install(32, mark)


@in_loop
async def test_an_installation_in_clear_text_stays_one(table: Table) -> None:
    await table.ensure_install(32)

    with pytest.raises(WrongInstall, match="under another key, or not at all"):
        await table.ensure_install(32, "0123456789abcdef")
    await table.ensure_install(32)


@in_loop
async def test_partitions_commit_side_by_side(table: Table) -> None:
    async def life(partition: int) -> None:
        claim = await table.claim(partition)
        for number in range(10):
            await table.commit(
                partition,
                Commit(
                    token=claim.meta.token,
                    expected=number,
                    profiles={f"{partition}-{number}": b"%d" % partition},
                    offsets={"orders": number + 1},
                ),
            )
            loaded = await table.load(partition, [f"{partition}-{number}"], [])
            assert loaded.profiles == {f"{partition}-{number}": b"%d" % partition}

    await asyncio.gather(*(life(partition) for partition in range(32)))

    for partition in range(32):
        meta = await table.meta(partition)
        assert meta is not None
        assert (meta.commits, meta.offsets) == (10, {"orders": 10})


# --- goods and who watches them -----------------------------------------------------------------------------------


@in_loop
async def test_goods_are_kept_and_taken_out(table: Table) -> None:
    claim = await table.claim(P)
    first = after(claim, goods={"tent": b"[1]", "lamp/red": b"[2]"})
    await table.commit(P, first)
    await table.commit(P, then(first, goods={"tent": None, "lamp/red": b"[3]"}))

    assert await table.goods(P) == {"lamp/red": b"[3]"}
    assert await table.goods(P, ["tent", "lamp/red", "never told"]) == {"lamp/red": b"[3]"}
    assert await table.goods(P, []) == await table.goods(P + 1) == await table.goods(P + 1, ["tent"]) == {}


@in_loop
async def test_watchers_come_by_score_then_by_id(table: Table) -> None:
    claim = await table.claim(P)
    first = after(
        claim, watchers={("tent", "c"): 5, ("tent", "b"): INTEGER_MAX, ("tent", "a"): INTEGER_MAX, ("lamp", "a"): 1}
    )
    await table.commit(P, first)
    await table.commit(P, then(first, watchers={("tent", "c"): None, ("tent", "b"): 7}))
    some = await table.load(P, [], [], watchers_of="tent", watchers_limit=1)
    all_ = await table.load(P, [], [], watchers_of="tent", watchers_limit=10)
    nobody = await table.load(P, [], [], watchers_of="boat", watchers_limit=10)

    assert some.watchers == [("b", 7)]
    assert all_.watchers == [("b", 7), ("a", INTEGER_MAX)]
    assert nobody.watchers == []


@in_loop
async def test_the_queue_is_filled_with_watchers_as_they_were_and_taken_from_its_head(table: Table) -> None:
    claim = await table.claim(P)
    first = after(claim, watchers={("tent", name): place for place, name in enumerate("abcde")})
    await table.commit(P, first)
    fills = then(first, queue=("tent", 2), watchers={("tent", "d"): None, ("tent", "z"): 9}, wake="who is told")
    await table.commit(P, fills)
    queued = await table.load(P, [], [], watchers_limit=10)
    await table.commit(P, then(fills, unqueue=2, wake=""))
    left = await table.load(P, [], [], watchers_limit=10)
    meta = await table.meta(P)

    assert queued.watchers == [("c", 2), ("d", 3), ("e", 4)]
    assert left.watchers == [("e", 4)]
    assert meta is not None
    assert meta.wake == ""


@in_loop
async def test_a_claim_tells_of_a_change_that_not_all_have_heard_of(table: Table) -> None:
    claim = await table.claim(P)
    await table.commit(P, after(claim, wake="who is told"))

    assert (await table.claim(P)).meta.wake == "who is told"


@in_loop
async def test_more_than_the_queue_has_can_t_be_taken_off_and_nothing_changes(table: Table) -> None:
    claim = await table.claim(P)
    with pytest.raises(Refused, match="taken off"):
        await table.commit(P, after(claim, unqueue=1, goods={"tent": b"[1]"}))

    assert await table.goods(P) == {}


@in_loop
async def test_many_goods_and_watchers_fit_into_one_commit(table: Table) -> None:
    claim = await table.claim(P)
    goods = {f"p{number}": b"[]" for number in range(1500)}
    watchers = {(f"p{number % 3}", f"user_id:{number}"): number for number in range(3000)}
    first = after(claim, goods=goods, watchers=watchers)
    await table.commit(P, first)
    await table.commit(P, then(first, goods=dict.fromkeys(goods), watchers=dict.fromkeys(watchers)))

    assert await table.goods(P) == {}
    assert (await table.load(P, [], [], watchers_of="p1", watchers_limit=10)).watchers == []


@in_loop
async def test_a_wipe_takes_goods_watchers_and_queue_along(table: Table) -> None:
    claim = await table.claim(P)
    first = after(claim, goods={"tent": b"[]"}, watchers={("tent", "a"): 1, ("tent", "b"): 2})
    await table.commit(P, first)
    await table.commit(P, then(first, queue=("tent", 0), wake="who is told"))

    assert await table.wipe(P) == 3
    assert await table.goods(P) == {}
    assert (await table.load(P, [], [], watchers_limit=10)).watchers == []
    assert (await table.claim(P)).meta.wake == ""
