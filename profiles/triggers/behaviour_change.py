"""behaviour.change: a customer comes less or more often, is silent for longer than ever, spends otherwise, buys other things, or
sends more back. Once for each change; what she does from then on is the new normal.

What is watched, and when it is news, is in `profiles.behaviour`. Here an alarm becomes an episode that is due at once, with the
evidence in its details; a silence has a timer of the trigger's own, set anew by each order.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from msgspec.structs import asdict

from profiles.behaviour import note_order, silence, silent_until_ms
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan
from profiles.insight.change import Shift
from profiles.life_rules import BehaviourChangeRule
from profiles.state import Emitted, Episode, RecentOrder
from profiles.turn import Turn

SILENCE: Final = "silence"


class BehaviourChange(TriggerDefinition[BehaviourChangeRule]):
    """The trigger. One episode for each measure and moment; the cooldown is each measure's own."""

    name = "behaviour.change"
    rule_type = BehaviourChangeRule
    reasons: ClassVar[Mapping[str, str]] = {"ordered_again": "Her silence had ended before it was told."}

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        profile, rule = turn.profile, self.rule(turn.book)
        state = profile.behaviour
        before_ms = state.newest_ms
        for shift in note_order(profile, told, turn.book, rule.usual_returns):
            self._plan(turn, shift, turn.time_ms)
        if state.newest_ms == before_ms:
            return
        for waiting in list(profile.episodes.values()):
            if waiting.name == self.name and waiting.data.get("measure") == SILENCE:
                cancel(turn, self, waiting.key, "ordered_again")
        self._set_timer(turn, 0)

    def on_parted(self, turn: Turn) -> None:
        """The newest order may be another customer's."""
        profile = turn.profile
        if profile.has_behaviour:
            profile.behaviour.newest_ms = profile.orders.recent[-1][0] if profile.orders.recent else None
            self._set_timer(turn, turn.at.clock_ms)

    def _set_timer(self, turn: Turn, after_ms: int) -> None:
        """Wait for the silence after her newest order; for none that began by `after_ms`: it was told of in its time."""
        wakes = turn.profile.wakes
        wakes.pop(_WAKE, None)
        wake_ms = silent_until_ms(turn.profile.behaviour, self.rule(turn.book).silence_share)
        if wake_ms is not None and wake_ms > after_ms:
            wakes[_WAKE] = wake_ms

    def on_wake(self, turn: Turn, what: str) -> None:
        shift = silence(turn.profile.behaviour, turn.time_ms)
        if shift is not None:
            self._plan(turn, shift, turn.time_ms)

    def wake_again(self, turn: Turn, what: str, due_ms: int) -> int | None:
        return silent_until_ms(turn.profile.behaviour, self.rule(turn.book).silence_share)

    def cools(self, episode: Episode, sent: Emitted) -> bool:
        return _measure_of(episode.key) == _measure_of(sent.key)

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """She had not been silent since the order that was the last one known then."""
        return _measure_of(sent.key) == SILENCE and (order.at_ms, order.order_id) in turn.profile.orders.recent[-1:]

    def content(self, turn: Turn, episode: Episode) -> Content:
        return Content(
            details=dict(episode.data),
            rule="what she does is unlikely by what she did before; the details tell from which value to which",
        )

    def _plan(self, turn: Turn, shift: Shift, at_ms: int) -> None:
        evidence: dict[str, Any] = {name: value for name, value in asdict(shift).items() if value not in (None, ())}
        if shift.path:
            evidence["path"] = list(shift.path)  # as it comes back from what is stored
        key = f"{turn.profile.id}|{shift.measure}|{at_ms}"
        anchor = turn.cause if turn.cause != "timer" else f"{SILENCE}|{turn.profile.behaviour.newest_ms}"
        plan(turn, self, key, anchor, at_ms, at_ms, data=evidence)


_WAKE: Final = f"behaviour.change|{SILENCE}"


def _measure_of(key: str) -> str:
    """The measure in an episode's key, which ends with it and a time.

    >>> _measure_of("user_id:a|b|order_value|1772409600000")
    'order_value'
    """
    return key.rsplit("|", 2)[-2]


BEHAVIOUR_CHANGE: Final = BehaviourChange()
