"""Law: whatever two owners of one partition do to each other, state = fold of the log up to the stored offset.

Each owner claims, reads the log from the offset it finds, folds it over what it believes is stored, and commits. Calls
and replies get lost, commits are repeated, the store goes back in time, and either owner may be a zombie and not know.
The fold keeps order and counts everything, so that one record applied twice, left out or in the wrong place shows.
"""

import asyncio
from collections.abc import Sequence
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from streams.memory_table import MemoryTable, Snapshot
from streams.table import Commit, Fenced, Held, RolledBack, Unavailable

P = 0
CUSTOMERS = ("a", "b", "c")
LOG: tuple[tuple[str, int], ...] = tuple((CUSTOMERS[(n * n + n // 3) % 3], n) for n in range(400))


def fold(log: Sequence[tuple[str, int]]) -> dict[str, bytes]:
    """What the profiles must be: each is the list of its own records, in order."""
    profiles: dict[str, bytes] = {}
    for customer, number in log:
        profiles[customer] = profiles.get(customer, b"") + b"%d," % number
    return profiles


class Owner:
    """A worker with a cache. It trusts its cache until the table says otherwise, as a partition loop does."""

    def __init__(self, table: MemoryTable) -> None:
        self.table = table
        self.token = ""
        self.commits = 0
        self.offset = 0
        self.cache: dict[str, bytes] = {}
        self.open: Commit | None = None

    @property
    def claimed(self) -> bool:
        return bool(self.token)

    async def claim(self) -> None:
        self.lose()
        try:
            claim = await self.table.claim(P)
        except Unavailable:
            return
        self.token, self.commits = claim.meta.token, claim.meta.commits
        self.offset = claim.meta.offsets.get("log", 0)

    def lose(self) -> None:
        self.token, self.cache, self.open = "", {}, None

    async def work(self, size: int) -> None:
        """One batch: load what is missing, fold, commit. A commit of unknown outcome stays open for `settle`."""
        batch = LOG[self.offset : self.offset + size]
        missing = [name for name in {customer for customer, _ in batch} if name not in self.cache]
        try:
            loaded = await self.table.load(P, missing, [], held=Held(self.token, self.commits))
        except Unavailable:
            return
        except (Fenced, RolledBack):
            self.lose()
            return
        self.cache.update({name: value for name, value in loaded.profiles.items() if value is not None})
        changed: dict[str, bytes] = {}
        for customer, number in batch:
            changed[customer] = changed.get(customer, self.cache.get(customer, b"")) + b"%d," % number
        self.open = Commit(
            token=self.token,
            expected=self.commits,
            profiles=changed,
            offsets={"log": self.offset + len(batch)},
            outbox=[b"%d" % number for _, number in batch],
            population={"records": len(batch)},
        )
        await self.settle()

    async def settle(self) -> None:
        """Send the open commit, for the first time or again."""
        assert self.open is not None
        try:
            await self.table.commit(P, self.open)
        except Unavailable:
            return
        except (Fenced, RolledBack):
            self.lose()
            return
        # Only a commit that is known to be in keeps the cache.
        self.cache.update(self.open.profiles)
        self.offset = self.open.offsets["log"]
        self.commits += 1
        self.open = None


FAULTS = st.sampled_from((None, None, "before", "after"))
WHO = st.integers(0, 1)
SIZES = st.integers(0, 3)


class TwoOwners(RuleBasedStateMachine):
    """Every interleaving of two owners' steps, lost calls and roll-backs that Hypothesis can think of."""

    def __init__(self) -> None:
        super().__init__()
        self.table = MemoryTable()
        self.owners = (Owner(self.table), Owner(self.table))
        self.past: list[Snapshot] = []
        self.loop = asyncio.Runner()
        self.loop.run(self.owners[0].claim())

    @override
    def teardown(self) -> None:
        self.loop.close()

    def lose(self, call: Literal["claim", "commit"], fault: Literal["before", "after"] | None) -> None:
        if fault is not None:
            self.table.fail_next(call, fault)

    @rule(who=WHO, fault=FAULTS)
    def claim(self, who: int, fault: Literal["before", "after"] | None) -> None:
        self.lose("claim", fault)
        self.loop.run(self.owners[who].claim())

    @rule(who=WHO, size=SIZES, fault=FAULTS)
    def work(self, who: int, size: int, fault: Literal["before", "after"] | None) -> None:
        owner = self.owners[who]
        if owner.claimed:
            self.lose("commit", fault)
            self.loop.run(owner.work(size) if owner.open is None else owner.settle())

    @rule(who=WHO, size=SIZES)
    def forget_the_open_commit_and_go_on(self, who: int, size: int) -> None:
        """A careless owner: it takes a commit without an answer for one that never happened."""
        owner = self.owners[who]
        if owner.open is not None:
            owner.open = None
            self.loop.run(owner.work(size))

    @precondition(lambda self: len(self.past) > 1)
    @rule(data=st.data())
    def go_back_in_time(self, data: st.DataObject) -> None:
        """The store comes up with an older state. What came after is gone for good: it can't come back later, over what was
        done since.
        """
        back_to = data.draw(st.integers(0, len(self.past) - 1))
        del self.past[back_to + 1 :]
        self.table.restore(self.past[-1])

    @invariant()
    def state_is_the_fold_of_the_log_up_to_the_stored_offset(self) -> None:
        meta = self.loop.run(self.table.meta(P))
        offset = meta.offsets.get("log", 0) if meta else 0
        stored = self.loop.run(self.table.load(P, list(CUSTOMERS), [])).profiles
        population = self.loop.run(self.table.population(P))
        self.past = [*self.past[-11:], self.table.snapshot()]
        outbox = self.past[-1].partitions[P].outbox

        assert {name: value for name, value in stored.items() if value is not None} == fold(LOG[:offset])
        assert population.get("records", 0) == offset
        assert outbox == [b"%d" % number for _, number in LOG[:offset]]


TwoOwners.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
test_two_owners_under_any_interleaving = TwoOwners.TestCase


@given(sizes=st.lists(st.integers(1, 7), min_size=1, max_size=20), faults=st.lists(st.sampled_from("br-"), max_size=20))
@settings(max_examples=100, deadline=None)
def test_an_owner_that_repeats_lost_commits_reaches_the_end_of_the_log(sizes: list[int], faults: list[str]) -> None:
    """Progress: lost calls cost time, never a record, and no claim is needed to get over them."""

    async def scenario() -> None:
        table = MemoryTable()
        owner = Owner(table)
        await owner.claim()
        for at, size in enumerate(sizes):
            fault = faults[at] if at < len(faults) else "-"
            if fault != "-":
                table.fail_next("commit", "before" if fault == "b" else "after")
            await owner.work(size)
            while owner.open is not None:
                await owner.settle()

        assert owner.claimed
        assert owner.offset == sum(sizes)
        loaded = await table.load(P, list(CUSTOMERS), [])
        assert {name: value for name, value in loaded.profiles.items() if value} == fold(LOG[: sum(sizes)])

    asyncio.run(scenario())
