"""What a batch is given, what it may ask for, and how it says that the engine failed."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from msgspec import Struct

from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.goods_state import Good, GoodChange
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.stamp import RulesStamp
from profiles.state import Moment
from profiles.told import Word
from profiles.turn import Output
from schemas.events import Arrival
from schemas.moves import Move
from schemas.outputs import Trigger, TriggerOutcome
from streams.blame import said_of

PROFILES_MAX: Final = 1000
BYTES_MAX: Final = 4 * 1024 * 1024
DUE_MAX: Final = 1000
ANONYMISED: Final = "anonymised:"
"""How the id of what stays of an anonymised customer begins; a name made by chance follows."""
"""Timers asked for at once. When there are more, the batch ends where the known ones end."""


class Steps(Protocol):
    """The engine: `profiles.engine.Engine`."""

    def step(self, profile: Profile, arrival: Arrival, at: Moment, orders: Ledger, out: list[Output]) -> None: ...

    def is_news(self, profile: Profile, arrival: Arrival, orders: Ledger) -> bool: ...

    def fire(
        self, profile: Profile, at: Moment, orders: Ledger, out: list[Output], timers: int = ...
    ) -> int | None: ...

    def move(self, profile: Profile, what: Move, at: Moment, orders: Ledger, out: list[Output]) -> bool: ...

    def holder_at(self, profile: Profile, at_ms: int) -> str | None: ...

    def replan(self, profile: Profile, at: Moment) -> bool: ...

    def take_up(self, profile: Profile, at: Moment, orders: Ledger, out: list[Output]) -> bool: ...

    def without(self, left_out: frozenset[str]) -> "Steps": ...

    @property
    def triggers(self) -> Mapping[str, TriggerDefinition[Any]]: ...

    @property
    def book(self) -> Book: ...

    @property
    def stamp(self) -> RulesStamp: ...

    @property
    def topics(self) -> Mapping[str, str]: ...

    def counters_of(self, output: Trigger | TriggerOutcome) -> list[str]: ...

    def change(self, good: Good, arrival: Arrival) -> GoodChange | None: ...

    def wakes(self, change: GoodChange) -> bool: ...

    def words(self, arrival: Arrival) -> Iterator[tuple[str, Word]]: ...

    def hear(self, profile: Profile, change: GoodChange, place: int, at: Moment, out: list[Output]) -> None: ...


class Need(Struct, frozen=True):
    """What to load before going on: profiles, single ledger entries (profile id, order id), whole ledgers."""

    profiles: list[str] = []
    entries: list[tuple[str, str]] = []
    whole: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.profiles or self.entries or self.whole)


class Faulty(Exception):
    """The engine raised. `place` is the record's place in the batch, None when a timer of `profile_id` was fired.

    The batch is thrown away and runs again, with a careful engine; where that raises too, with the record set aside, or the timer
    left alone. `what` says what was raised, and by which trigger if it was one.
    """

    def __init__(self, place: int | None, profile_id: str, error: Exception) -> None:
        self.what, kind = said_of(error), type(error).__name__
        where = "a timer" if place is None else "an event"
        super().__init__(f"{self.what} in {where}" if self.what == kind else f"{self.what}, by {where}")
        self.place, self.profile_id, self.error = place, profile_id, error


def _random_name() -> str:
    return secrets.token_hex(16)


class Terms(Struct, frozen=True, kw_only=True):
    """What all batches of a partition have in common. Bounds are of one batch. `new_name` names the anonymised: by chance, so
    that nothing leads back from it. `marks` tell each topic from others of its name (`streams.forwards.mark_of`).
    """

    engine: Steps
    partition: int
    partitions: int
    shop_id: str
    disorder_ms: int
    profiles_max: int = PROFILES_MAX
    bytes_max: int = BYTES_MAX
    due_max: int = DUE_MAX
    new_name: Callable[[], str] = _random_name
    marks: Mapping[str, str] = {}
