"""New rules and what waits already: when an armed episode, or a trigger's own timer, is due by the rules as they are now."""

from typing import Any

from profiles.definition import MOMENT, BadAnswer, TriggerDefinition
from profiles.episodes import Triggers
from profiles.turn import Turn


def replan(turn: Turn, triggers: Triggers) -> bool:
    """Ask for each waiting episode when it is due by the present rules, and move those whose time has changed.

    One that is past due by now is due at once, and measured from now. What waits for nothing that rules say stays as it is,
    and so do episodes of triggers that were switched off: they end when they come due. Timers of triggers' own are asked the
    same. Whether any was moved.
    """
    moved = False
    for episode in turn.profile.episodes.values():
        definition = _asked(turn, triggers, episode.name)
        if definition is None:
            continue
        due_ms = definition.due_again(turn, episode)
        if due_ms is None or due_ms == episode.due_ms:
            continue
        if type(due_ms) is not int:
            raise BadAnswer(definition.name, "due_again", due_ms, MOMENT)
        episode.due_ms = due_ms
        # It may have waited for the end of quiet hours, or to be reached: both are asked again at its new time.
        episode.wait = episode.wait_ms = None
        episode.measured_from_ms = turn.now_ms if due_ms < turn.at.clock_ms else None
        moved = True
    return _replan_wakes(turn, triggers) or moved


def _replan_wakes(turn: Turn, triggers: Triggers) -> bool:
    """The same for timers of triggers' own. One that comes to lie in the past is due at once, never later than it was."""
    wakes, clock_ms = turn.profile.wakes, turn.at.clock_ms
    moved = False
    for wake, due_ms in list(wakes.items()):
        name, _, what = wake.partition("|")
        definition = _asked(turn, triggers, name)
        if definition is None:
            continue
        again_ms = definition.wake_again(turn, what, due_ms)
        if again_ms is not None and type(again_ms) is not int:
            raise BadAnswer(definition.name, "wake_again", again_ms, MOMENT)
        if again_ms is not None and again_ms < due_ms:
            again_ms = min(due_ms, max(again_ms, clock_ms))
        if again_ms is not None and again_ms != due_ms:
            wakes[wake] = again_ms
            moved = True
    return moved


def _asked(turn: Turn, triggers: Triggers, name: str) -> TriggerDefinition[Any] | None:
    """The trigger of that name; None where there is none, or it is switched off."""
    definition = triggers.get(name)
    return definition if definition is not None and definition.rule(turn.book).enabled else None
