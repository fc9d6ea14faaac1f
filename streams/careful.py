"""Whether what a step left can be stored, read again and published; and an engine that asks itself so after each step.

A company's own trigger may keep in an episode, or say in its details, what no message can hold. A batch finds that out at its
end, where nothing says any more which record it was; it then runs once more with the `careful` engine, by which the record
(or the customer's timers) can be set aside while everybody else's go on. Otherwise only tests ask: it makes steps many times
dearer.
"""

from collections.abc import Iterable
from typing import Any, Final, cast

import msgspec

from profiles.goods_state import GoodChange
from profiles.order_state import Ledger
from profiles.profile import Profile, decode_profile
from profiles.state import Episode, Moment, encode
from profiles.turn import Output
from schemas.events import Arrival
from schemas.moves import Move
from schemas.outputs import Decision, Trigger, TriggerOutcome
from streams.blame import Unkeepable
from streams.terms import Steps

PROBLEMS: Final = (TypeError, ValueError, OverflowError, RecursionError)
"""What msgspec raises for what it can't write (TypeError, UnicodeEncodeError ...) or read (ValidationError)."""


def look(profile: Profile, told: Iterable[Output]) -> None:
    """Look at what a step left. Raises Unkeepable, which names the trigger."""
    try:
        decode_profile(encode(profile))
    except PROBLEMS as error:
        raise _kept_by(profile, error) from error
    for output in told:
        if isinstance(output, Trigger | TriggerOutcome | Decision):
            try:
                msgspec.json.decode(msgspec.json.encode(output), type=type(output))
            except PROBLEMS as error:
                kind = "trigger" if isinstance(output, Trigger) else "decision"
                name = output.of_name if isinstance(output, TriggerOutcome) else output.name
                raise Unkeepable(name, f"what it says in a {kind} can't be published", error) from error


def _kept_by(profile: Profile, error: Exception) -> Unkeepable:
    """Whose episode or timer can't be stored, or not be read again."""
    for episode in profile.episodes.values():
        try:
            msgspec.json.decode(encode(episode), type=Episode)
        except PROBLEMS as problem:
            return Unkeepable(str(episode.name), "its episode can't be stored", problem)
    for wake, at_ms in profile.wakes.items():
        if type(at_ms) is not int:
            name, _, what = str(wake).partition("|")
            return Unkeepable(
                name, f"its timer {what!r} can't be stored", TypeError(f"{at_ms!r} is no int, in milliseconds")
            )
    return Unkeepable("", "the profile can't be stored", error)


def careful(engine: Steps) -> Steps:
    """The same engine, whose steps raise Unkeepable."""
    return cast("Steps", _Careful(engine))


class _Careful:
    def __init__(self, engine: Steps) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        """What changes no profile is as it was."""
        return getattr(self._engine, name)

    def step(self, profile: Profile, arrival: Arrival, at: Moment, orders: Ledger, out: list[Output]) -> None:
        before = len(out)
        self._engine.step(profile, arrival, at, orders, out)
        look(profile, out[before:])

    def fire(self, profile: Profile, at: Moment, orders: Ledger, out: list[Output]) -> int | None:
        before = len(out)
        due_ms = self._engine.fire(profile, at, orders, out)
        look(profile, out[before:])
        return due_ms

    def move(self, profile: Profile, what: Move, at: Moment, orders: Ledger, out: list[Output]) -> bool:
        before = len(out)
        left = self._engine.move(profile, what, at, orders, out)
        look(profile, out[before:])
        return left

    def replan(self, profile: Profile, at: Moment) -> bool:
        moved = self._engine.replan(profile, at)
        look(profile, ())
        return moved

    def take_up(self, profile: Profile, at: Moment, orders: Ledger, out: list[Output]) -> bool:
        before = len(out)
        taken = self._engine.take_up(profile, at, orders, out)
        look(profile, out[before:])
        return taken

    def hear(self, profile: Profile, change: GoodChange, place: int, at: Moment, out: list[Output]) -> None:
        before = len(out)
        self._engine.hear(profile, change, place, at, out)
        look(profile, out[before:])
