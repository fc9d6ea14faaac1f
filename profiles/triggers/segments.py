"""segment.entered and segment.exited: from now on a customer is in a segment of the rules, or is not any more.

They tell other systems who is in, so they are of class service: neither consent nor caps hold them back. Of each segment
they come in turns: one that is taken back before it went out takes its counterpart with it.
"""

from collections.abc import Mapping
from typing import ClassVar, Final, TypeVar

from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, waiting
from profiles.life_rules import SegmentEnteredRule, SegmentExitedRule, _SegmentRule
from profiles.segments import SegmentChange
from profiles.state import Episode
from profiles.turn import Turn
from profiles.watch import TIMER

R = TypeVar("R", bound=_SegmentRule)


class _SegmentTrigger(TriggerDefinition[R]):
    """What both share. One episode of a customer and segment; its anchor is the event that made the change, or the instant."""

    entered: bool
    speaks = False
    reasons: ClassVar[Mapping[str, str]] = {
        "taken_back": "The customer was back where she had been before it went out, or was there before a device joined her."
    }

    def on_segment(self, turn: Turn, change: SegmentChange) -> None:
        if change.entered is not self.entered:
            return
        told_of = self.rule(turn.book).segments
        if told_of and change.segment not in told_of:
            return
        key = f"{turn.profile.id}|{change.segment}"
        other = SEGMENT_EXITED if self.entered else SEGMENT_ENTERED
        waits = waiting(turn.profile, other, key)
        if waits is not None:
            cancel(turn, other, key, "taken_back")
            if self.entered or waits.data["since_ms"] == change.since_ms:
                return
            # What another profile had brought along to be told of is not what she leaves: that was told.
        anchor = str(change.at_ms) if turn.cause == TIMER else turn.cause
        data = {"segment": change.segment, "version": change.version, "since_ms": change.since_ms}
        plan(turn, self, key, anchor, change.at_ms, change.at_ms, data=data)

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        since_ms = turn.profile.memberships.inside_ms.get(episode.data["segment"])
        if self.entered:
            # One that another profile brought along is no news where she was in it already.
            return None if since_ms == episode.data["since_ms"] else "taken_back"
        return None if since_ms is None else "taken_back"

    def content(self, turn: Turn, episode: Episode) -> Content:
        segments, name = turn.book.segments, episode.data["segment"]
        segment = None if segments is None else segments.named(name)
        said = "" if segment is None or not segment.description else f": {segment.description}"
        return Content(rule=f"segment {name}{said}", details={**episode.data, "entered": self.entered})


class SegmentEntered(_SegmentTrigger[SegmentEnteredRule]):
    """She is in it."""

    name = "segment.entered"
    rule_type = SegmentEnteredRule
    entered = True


class SegmentExited(_SegmentTrigger[SegmentExitedRule]):
    """She is out of it."""

    name = "segment.exited"
    rule_type = SegmentExitedRule
    entered = False


SEGMENT_ENTERED: Final = SegmentEntered()
SEGMENT_EXITED: Final = SegmentExited()
