"""By which rules a partition is worked on: what the table has noted of them, and what is left to do since they changed.

The table notes their version and digest, by which digest all timers were planned, and by which segments and which time of
visitors every profile was looked at.
"""

from collections.abc import Mapping
from typing import Final

from profiles.ids import decision_id
from profiles.stamp import RulesStamp
from schemas.outputs import RulesChanged, SegmentsReady
from streams.after_rules import AfterRules, Task
from streams.table import Table

UNDER_WAY: Final = "under way"
"""Noted in place of the segments that all profiles were looked at by, before the first of them is looked at by others: who goes
back to the old ones half way looks at everybody again.
"""


class RulesInForce:
    """The notes of one partition. `after` is the work that a change of the rules has left.

    A change takes three steps: `new_notes` and `change` say what the next commit has to have, `follow` is told once it is in.
    """

    def __init__(self, partition: int, table: Table) -> None:
        self._partition = partition
        self._noted: dict[str, str] = {}
        self.after = AfterRules(partition, table)

    def begin(self, noted: Mapping[str, str]) -> None:
        """Go on from what the table has noted."""
        self._noted = dict(noted)
        if noted.get("replanned") != noted.get("digest"):
            # Whoever had the partition did not get to the end of it.
            self.after.begin(timers=True)

    @staticmethod
    def of_fresh(stamp: RulesStamp) -> dict[str, str]:
        """What is noted of a partition in which there is nobody yet: all of it was done by these rules."""
        notes = {"version": stamp.version, "digest": stamp.digest, "replanned": stamp.digest}
        if stamp.segments:
            notes["segments"] = stamp.segments
        if stamp.visitors:
            notes["visitors"] = stamp.visitors
        return notes

    def noted(self, notes: Mapping[str, str]) -> None:
        """The table has these notes now."""
        self._noted.update(notes)

    def new_notes(self, stamp: RulesStamp) -> dict[str, str]:
        """What is to be noted before anything is worked on by the rules of `stamp`; nothing where they are those in force."""
        known = self._noted.get("digest")
        if known == stamp.digest:
            # Another catalogue, or the first models, may give segments another meaning, even while everybody is looked at.
            again = self._segments_are_new(stamp) and self._noted.get("segments") != UNDER_WAY
            return {"segments": UNDER_WAY} if again else {}
        notes = {"version": stamp.version, "digest": stamp.digest}
        if known is None:
            # Whoever claimed it first died before there was any profile.
            return notes | {"segments": stamp.segments, "visitors": stamp.visitors}
        if not stamp.visitors and self._noted.get("visitors"):
            notes["visitors"] = ""
        if self._segments_are_new(stamp):
            notes["segments"] = UNDER_WAY
        return notes

    def change(self, stamp: RulesStamp, *, mark: str, at_ms: int) -> RulesChanged | None:
        """The change to announce with these notes; None where no others were in force. `mark` names the commit."""
        known = self._noted.get("digest")
        if known is None or known == stamp.digest:
            return None
        return RulesChanged(
            decision_id=decision_id(f"rules|{self._partition}|{known}|{stamp.digest}|{mark}"),
            partition=self._partition,
            old_version=self._noted["version"],
            old_digest=known,
            new_version=stamp.version,
            new_digest=stamp.digest,
            at_ms=at_ms,
        )

    def follow(self, stamp: RulesStamp, before: RulesStamp, notes: Mapping[str, str]) -> None:
        """The notes are committed, and the rules of `stamp` in force, after those of `before`: see what that leaves to do."""
        changed = self._noted.get("digest") != stamp.digest
        self._noted.update(notes)
        if changed or not self.after.pending or before.segments != stamp.segments:
            self.after.begin(
                timers=changed, visitors=self._visitors_are_new(stamp), segments=self._segments_are_new(stamp)
            )

    def at_the_end_of(self, task: Task | None, stamp: RulesStamp) -> dict[str, str]:
        """What the commit notes where a part of the work after new rules ends with it."""
        if task is None or not task.ends:
            return {}
        if task.part == "timers":
            return {"replanned": self._noted["digest"]}
        return {task.part: stamp.visitors if task.part == "visitors" else stamp.segments}

    def ready(self, *, mark: str, at_ms: int) -> SegmentsReady:
        """That every profile was looked at by the segments of these rules. `mark` names the commit."""
        digest = self._noted["digest"]
        return SegmentsReady(
            decision_id=decision_id(f"segments|{self._partition}|{digest}|{mark}"),
            partition=self._partition,
            version=self._noted["version"],
            digest=digest,
            at_ms=at_ms,
        )

    def _visitors_are_new(self, stamp: RulesStamp) -> bool:
        """Whether there may be visitors whom nobody has planned to look at."""
        return bool(stamp.visitors) and self._noted.get("visitors") != stamp.visitors

    def _segments_are_new(self, stamp: RulesStamp) -> bool:
        return self._noted.get("segments", "") != stamp.segments
