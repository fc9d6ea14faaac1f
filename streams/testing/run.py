"""A profile, what a history makes of it, and what comes out: how the laws look at a trigger.

What the engine raises on the way is told as a TriggerFault, with the event it was raised on.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from typing_extensions import override

from profiles.book import Book
from profiles.definition import TriggerDefinition, hears
from profiles.engine import Engine
from profiles.goods import key_of
from profiles.goods_state import UNKNOWN, Good, GoodChange
from profiles.order_state import Ledger
from profiles.profile import Profile, decode_profile
from profiles.state import Moment, encode
from profiles.turn import Output
from schemas.events import Arrival, CatalogueEvent
from streams.careful import look
from streams.testing.faults import LEFT_OUT, LOST, told

_DECIDED: Final = frozenset(
    {"v", "episodes", "wakes", "population", "rewatched", "_emitted", "_decisions", "_exposures", "_memberships"}
)
"""What follows from a trigger's being there: what waits, went out and was decided."""
_TOLD_BY: Final = ("on_cart", "on_consent", "on_good", "on_order", "on_segment", "on_standing")


class Run:
    """A profile and what came out while a history was played to it. `heeding`: what each step leaves is looked at."""

    def __init__(self, book: Book, triggers: Iterable[TriggerDefinition[Any]], *, heeding: bool = False) -> None:
        self.engine = Engine(book, triggers)
        self.profile, self.ledger = Profile("user_id:ada"), Ledger(complete=True)
        self.out: list[Output] = []
        self.goods: dict[str, Good] = {}
        self._heeding = heeding

    def play(self, story: Iterable[Arrival]) -> "Run":
        for one in story:
            at = Moment(one.time_ms, goods=self.goods)
            self._fire(at)
            before = len(self.out)
            with told(f"{one.event.__struct_config__.tag}, {shown(one.time_ms)}", LEFT_OUT):
                if isinstance(one.event, CatalogueEvent):
                    self._hear(one, one.event)
                else:
                    self.engine.step(self.profile, one, at, self.ledger, self.out)
                if self._heeding:
                    look(self.profile, self.out[before:])
        return self

    def _fire(self, at: Moment) -> None:
        before = len(self.out)
        with told(f"a timer that was due by {shown(at.clock_ms)}", LOST):
            self.engine.fire(self.profile, at, self.ledger, self.out)
            if self._heeding:
                look(self.profile, self.out[before:])

    def _hear(self, one: Arrival, event: CatalogueEvent) -> None:
        """The shop tells of a product."""
        change = self.engine.change(self.goods.get(key_of(event), UNKNOWN), one)
        if change is not None:
            self.goods[change.key] = change.after
            if self.engine.wakes(change):
                self.engine.hear(self.profile, change, 0, Moment(one.time_ms, goods=self.goods), self.out)

    def end(self, clock_ms: int) -> "Run":
        self._fire(Moment(clock_ms, goods=self.goods))
        return self

    def moved_by_the_same_rules(self, clock_ms: int) -> dict[str, tuple[int, int | None]]:
        """What waits, episodes and timers, that is due at another time when it is planned anew by the rules as they are: when it
        was, and when it is. Nothing is changed by the question.
        """
        copy = decode_profile(encode(self.profile))
        before = _planned(copy)
        with told("rules that were read anew", LEFT_OUT):
            self.engine.replan(copy, Moment(clock_ms, goods=self.goods))
        after = _planned(copy)
        return {key: (due_ms, after.get(key)) for key, due_ms in before.items() if after.get(key) != due_ms}

    def store(self) -> "Run":
        self.profile = decode_profile(self.profile.pack())
        return self


def _planned(profile: Profile) -> dict[str, int]:
    return {key: episode.due_ms for key, episode in profile.episodes.items()} | profile.wakes


def facts(run: Run) -> Mapping[str, bytes]:
    """What is known of the customer, by the name of the field; and of her orders. Without what triggers decided."""
    run.profile.pack()
    known = {
        name.removeprefix("_"): encode(getattr(run.profile, name))
        for name in Profile.__struct_fields__
        if name not in _DECIDED
    }
    orders = sorted(run.ledger.all(), key=lambda entry: entry.order_id)
    return known | {f"order {entry.order_id}": encode(entry) for entry in orders}


def deaf(trigger: TriggerDefinition[Any]) -> TriggerDefinition[Any]:
    """One for which the engine keeps the same as for this trigger, and that does nothing at all."""

    class Deaf(TriggerDefinition[Any]):
        name, rule_type, version, listens = trigger.name, trigger.rule_type, trigger.version, trigger.listens
        remembers_views = trigger.remembers_views

        @override
        def applies(self, book: Book) -> bool:
            return trigger.applies(book)

        @override
        def wakes(self, book: Book, change: GoodChange) -> bool:
            return False

    for hook in _TOLD_BY:
        if hears(trigger, hook):
            setattr(Deaf, hook, lambda *_: None)
    return Deaf()


def kept_bytes(trigger: TriggerDefinition[Any], profile: Profile) -> int:
    """The most that a trigger keeps about one thing now: of an episode its key and data, of a timer its name."""
    episodes = (
        len(encode(episode.data)) + len(episode.key)
        for episode in profile.episodes.values()
        if episode.name == trigger.name
    )
    timers = (len(wake) for wake in profile.wakes if wake.startswith(f"{trigger.name}|"))
    return max((*episodes, *timers), default=0)


def shown(at_ms: int) -> str:
    """An instant as people read it."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
