"""What is left to do in a partition after its rules have changed, a little with each batch: first whoever has a timer is planned
anew, then, where segments are new or visitors were not forgotten before, every profile is looked at.

It is a job in the background: a page of ids is asked for when the partition turns anyway, and at most PROFILES_MAX profiles go
through one commit. The commit that ends a part notes by which rules it was done. Whoever takes the partition over finds that
note missing and begins the part again, which changes nothing for those who were through.
"""

from typing import Final, Literal

from msgspec import Struct

from streams.table import Table

PROFILES_MAX: Final = 200
"""Profiles that go through one commit."""
PAGE: Final = 1000
"""Keys the store looks at for one page of all profiles; few of them may be profiles of this partition."""
PAGES_MAX: Final = 10
"""Pages without any profile before the partition gets its turn again."""

Part = Literal["timers", "visitors", "segments"]


class Task(Struct, frozen=True):
    """The profiles that are next in a part, and whether they are its last ones."""

    part: Part
    profile_ids: list[str]
    ends: bool


class AfterRules:
    """Where the job stands in one partition. `next` and `done` take turns; what was not done comes again."""

    def __init__(self, partition: int, table: Table) -> None:
        self._partition, self._table = partition, table
        self._left: list[Part] = []
        self._found: list[str] = []
        self._cursor: str | None = None

    @property
    def pending(self) -> bool:
        """Whether there is anything left to do."""
        return bool(self._left)

    def begin(self, *, timers: bool = False, visitors: bool = False, segments: bool = False) -> None:
        """The rules have changed: these parts begin anew. What was left of others stays to be done."""
        again = {"timers": timers, "visitors": visitors, "segments": segments}
        parts: tuple[Part, ...] = ("timers", "visitors", "segments")
        self._left = [part for part in parts if again[part] or part in self._left]
        self._found, self._cursor = [], None

    async def next(self) -> Task | None:
        """The next profiles, None where there is nothing to do or none was found yet."""
        if not self._left:
            return None
        part = self._left[0]
        for _ in range(PAGES_MAX):
            if self._found or self._cursor == "":
                break
            await self._turn_page(part)
        first = self._found[:PROFILES_MAX]
        ends = self._cursor == "" and len(first) == len(self._found)
        return Task(part, first, ends) if first or ends else None

    async def _turn_page(self, part: Part) -> None:
        cursor = self._cursor or ""
        if part == "timers":
            page = await self._table.waiting(self._partition, cursor, PROFILES_MAX)
        else:
            page = await self._table.everybody(self._partition, cursor, PAGE)
        self._found, self._cursor = page.profile_ids, page.cursor

    def done(self, task: Task) -> None:
        """They are committed."""
        del self._found[: len(task.profile_ids)]
        if task.ends:
            del self._left[0]
            self._found, self._cursor = [], None
