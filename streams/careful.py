"""An engine that leaves a trigger out of what it fails on; and whether what a step left can be stored, read again and published.

A trigger may raise, keep in an episode or say in its details what no message can hold. The engine itself watches for neither:
that would cost every event. A batch in which something was raised, or of which something can't be stored, runs once more with
the `Careful` engine, whose steps are several times dearer.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from profiles.definition import Endless, TriggerDefinition
from profiles.engine import FIRED_MAX
from profiles.episodes import id_of
from profiles.goods_state import GoodChange
from profiles.moving import cause_of
from profiles.needs import Need
from profiles.order_state import Ledger
from profiles.privacy import is_closed
from profiles.profile import Profile, decode_profile
from profiles.state import Episode, Moment, encode
from profiles.turn import Output, Turn
from schemas.events import SHOP, Arrival
from schemas.moves import Move
from schemas.outputs import Decision, Trigger, TriggerOutcome
from streams.blame import Unkeepable, blamed, hook_of, said_of
from streams.logs import place_of
from streams.terms import Steps

T = TypeVar("T")

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


class Failure(Struct):
    """A trigger was left out: what was raised, by what it was told or asked of, on whose profile first, where, how often."""

    trigger: str
    said: str
    by: str
    profile_id: str
    place: str
    times: int = 0


class Careful:
    """An engine that takes each step anew without the triggers that fail on it, as if they were not there; on profile, orders and
    outputs as they were before. What no trigger is to blame for is raised.

    `failures` are those since its user last emptied it. Nothing goes by them: the same step comes out the same each time.
    """

    def __init__(self, engine: Steps) -> None:
        self.engine = engine
        self.failures: dict[tuple[str, str, str], Failure] = {}
        self._engines = {frozenset[str](): engine}

    def __getattr__(self, name: str) -> Any:
        """What asks no trigger is as it was."""
        return getattr(self.engine, name)

    def step(self, profile: Profile, arrival: Arrival, at: Moment, orders: Ledger, out: list[Output]) -> None:
        turn = self._turn(profile, at, out, arrival.event.message_id, arrival.time_ms)
        self._do(lambda engine: engine.step(profile, arrival, at, orders, out), turn, orders, "an event")

    def move(self, profile: Profile, what: Move, at: Moment, orders: Ledger, out: list[Output]) -> bool:
        turn = self._turn(profile, at, out, cause_of(what), what.at_ms)
        return self._do(lambda engine: engine.move(profile, what, at, orders, out), turn, orders, "a merge")

    def take_up(self, profile: Profile, at: Moment, orders: Ledger, out: list[Output]) -> bool:
        turn = self._turn(profile, at, out, "rules", at.clock_ms)
        return self._do(lambda engine: engine.take_up(profile, at, orders, out), turn, orders, "new segments")

    def replan(self, profile: Profile, at: Moment) -> bool:
        turn = self._turn(profile, at, [], "rules", at.clock_ms)
        moved = self._do(lambda engine: engine.replan(profile, at), turn, Ledger(), "new rules")
        return moved or bool(turn.out)

    def hear(self, profile: Profile, change: GoodChange, place: int, at: Moment, out: list[Output]) -> None:
        turn = self._turn(profile, at, out, change.message_id, change.time_ms)
        self._do(lambda engine: engine.hear(profile, change, place, at, out), turn, Ledger(), "news of a product")

    def wakes(self, change: GoodChange) -> bool:
        turn = self._turn(Profile(SHOP), Moment(change.time_ms), [], change.message_id, change.time_ms)
        return self._do(lambda engine: engine.wakes(change), turn, Ledger(), "news of a product")

    def fire(self, profile: Profile, at: Moment, orders: Ledger, out: list[Output]) -> int | None:
        """All timers at once while nothing fails; else one by one, so that a trigger loses the one it failed on, and no other.
        Where they never end, those of the trigger that plans again and again what just fired are lost at once.
        """

        def fire(engine: Steps, timers: int = FIRED_MAX) -> int | None:
            return engine.fire(profile, at, orders, out, timers)

        before, due_ms, one_by_one = _Before(profile, orders, out), profile.next_due_ms(), FIRED_MAX
        try:
            return before.looked_at(partial(fire, self.engine))
        except Need:
            raise
        except Endless:
            one_by_one = 0
        except Exception:  # noqa: BLE001, S110 -- whatever it is, it comes again
            pass
        before.restore()
        turn = self._at_timer(profile, at, out, due_ms)
        for _ in range(one_by_one):
            if due_ms is None or due_ms >= at.clock_ms:
                return due_ms
            due_ms = self._do(partial(fire, timers=1), self._at_timer(profile, at, out, due_ms), orders, "a timer")
        if one_by_one:
            before.restore()
        return self._do(fire, turn, orders, "a timer")

    def _turn(self, profile: Profile, at: Moment, out: list[Output], cause: str, at_ms: int) -> Turn:
        return Turn(profile, self.engine.book, at, out, cause, at_ms, at_ms)

    def _at_timer(self, profile: Profile, at: Moment, out: list[Output], due_ms: int | None) -> Turn:
        """In replay the clock stops at each due time."""
        due_ms = at.clock_ms if due_ms is None else due_ms
        return self._turn(profile, at if at.wall_ms is not None else Moment(due_ms), out, "timer", due_ms)

    def _do(self, act: Callable[[Steps], T], turn: Turn, orders: Ledger, by: str) -> T:
        """Take a step with all triggers, then without those that failed, then without those that failed without these ..."""
        profile, failed = turn.profile, dict[str, str]()
        before = _Before(profile, orders, turn.out)
        while True:
            names = frozenset(failed)
            engine = self._engines.get(names) or self._engines.setdefault(names, self.engine.without(names))
            waiting = profile.episodes | _wakes(profile, turn.cause)
            try:
                done = before.looked_at(partial(act, engine))
            except Need:
                # Segments may have turned by then, and a trigger be left out of that: all of the step comes again, as one.
                before.restore()
                raise
            except Exception as error:
                more = blamed(error, engine.triggers.values())
                if not more:
                    raise
                for name in more:
                    failed[name] = self._note(name, error, by, profile.id)
                before.restore()
            else:
                break
        if not _is_nobody(profile):
            left = profile.episodes.keys() | profile.wakes.keys()
            for name, said in failed.items():
                gone = [one for place, one in waiting.items() if one.name == name and place not in left]
                self._tell(turn, self.engine.triggers[name], gone, said)
        return done

    def _note(self, name: str, error: Exception, by: str, profile_id: str) -> str:
        """Count a failure; gives what is said of it."""
        said = said_of(error)
        key = (name, said, by)
        if key not in self.failures:
            self.failures[key] = Failure(name, said, by, profile_id, place_of(error))
        self.failures[key].times += 1
        return said

    def _tell(self, turn: Turn, trigger: TriggerDefinition[Any], gone: list[Episode], said: str) -> None:
        """Put down that a trigger failed: about what is `gone` by it, else about what it failed on, which may be told again."""
        cause = Episode(trigger.name, turn.cause, turn.cause, turn.time_ms, turn.time_ms)
        for episode in gone or [cause]:
            trigger_id = id_of(turn, trigger, episode)
            if gone or ("failed", trigger_id) not in (
                (kept.state, kept.trigger_id) for kept in turn.profile.last_decisions()
            ):
                turn.decide(episode, trigger_id, "failed", at_ms=turn.now_ms, reason=said)


class _Before:
    """A profile, its orders and what had come out, before a step."""

    def __init__(self, profile: Profile, orders: Ledger, out: list[Output]) -> None:
        self._profile, self._orders, self._out = profile, orders, out
        self._kept, self._ledger, self._outputs = profile.copy(), orders.copy(), len(out)

    def looked_at(self, act: Callable[[], T]) -> T:
        """Take the step. Raises Unkeepable for what it left, also where it failed and nobody is named: that may be why."""
        known = False
        try:
            return act()
        except Exception as error:
            known = not isinstance(error, Need) and hook_of(error) is not None
            raise
        finally:
            if not known:
                look(self._profile, self._out[self._outputs :])

    def restore(self) -> None:
        """Make them as they were."""
        self._profile.become(self._kept.copy())
        self._orders.become(self._ledger.copy())
        del self._out[self._outputs :]


def _wakes(profile: Profile, cause: str) -> dict[str, Episode]:
    """Triggers' own timers, as if they were episodes."""
    split = {wake: (wake.partition("|"), at_ms) for wake, at_ms in profile.wakes.items()}
    return {wake: Episode(name, what, cause, at_ms, at_ms) for wake, ((name, _, what), at_ms) in split.items()}


def _is_nobody(profile: Profile) -> bool:
    """Whether there is nobody to tell of: the profile is none, is no customer's any more, or was erased."""
    return profile.is_blank or bool(profile.redirect) or is_closed(profile)
