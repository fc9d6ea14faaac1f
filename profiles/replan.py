"""New rules and what waits already: when an armed episode is due by the rules as they are now."""

from profiles.episodes import Triggers
from profiles.turn import Turn


def replan(turn: Turn, triggers: Triggers) -> bool:
    """Ask for each waiting episode when it is due by the present rules, and move those whose time has changed.

    One that is past due by now is due at once, and measured from now. What waits for nothing that rules say stays as it is,
    and so do episodes of triggers that were switched off: they end when they come due. Whether any was moved.
    """
    moved = False
    for episode in turn.profile.episodes.values():
        definition = triggers.get(episode.name)
        if definition is None or not definition.rule(turn.book).enabled:
            continue
        due_ms = definition.due_again(turn, episode)
        if due_ms is None or due_ms == episode.due_ms:
            continue
        episode.due_ms = due_ms
        # It may have waited for the end of quiet hours, or to be reached: both are asked again at its new time.
        episode.wait = episode.wait_ms = None
        episode.measured_from_ms = turn.now_ms if due_ms < turn.at.clock_ms else None
        moved = True
    return moved
