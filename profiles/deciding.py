"""What a turn of the engine can be asked, and how it puts decisions down.

A part of `profiles.turn` that is compiled (structs themselves can't be, see docs/decisions/0009).
"""

from typing import Any

from msgspec.structs import replace

from profiles.catalogue import Facts
from profiles.ids import decision_id
from profiles.mixed_in import mixed_in
from profiles.product_facts import lookup
from profiles.state import DECISIONS_KEPT, DecisionKept, Episode, Moment
from schemas.outputs import Decision, State


@mixed_in
class Deciding:
    """Methods of `Turn`."""

    __slots__ = ()

    @property
    def now_ms(self: Any) -> int:
        """The wall clock live; in replay the partition's clock, but never before the event's own time."""
        at: Moment = self.at
        time_ms: int = self.time_ms
        if at.wall_ms is not None:
            return at.wall_ms
        return time_ms if time_ms > at.clock_ms else at.clock_ms

    def facts(self: Any, product_id: str, category: str | None = None, variant_id: str | None = None) -> Facts:
        """What is known of a product now, by the catalogue's file and by events; `category` is what her events said."""
        return lookup(self.book.catalogue, self.at.facts, product_id, category, variant_id)

    @property
    def too_late(self: Any) -> bool:
        """Whether the event came so late that it may arm only what is still ahead of its arrival."""
        late_ms: int = self.received_ms - self.time_ms
        return late_ms > self.book.rules.allowed_lateness_ms  # type: ignore[no-any-return]

    def decide(
        self: Any,
        episode: Episode,
        trigger_id: str,
        state: State,
        *,
        at_ms: int,
        reason: str | None = None,
        until_ms: int | None = None,
        order_id: str | None = None,
        gates: tuple[str, ...] = (),
        renamed_to: str | None = None,
    ) -> None:
        """Record a change in the life of an episode, for the decisions topic and for `profile explain`."""
        name, key, due_ms, profile = episode.name, episode.key, episode.due_ms, self.profile
        text = f"{trigger_id}|{state}|{reason}|{self.cause}|{due_ms}"
        if until_ms is not None:
            text = f"{text}|{until_ms}"  # it may be put off twice
        decision = Decision(
            decision_id=decision_id(text),
            name=name,
            episode_key=key,
            customer_id=profile.id,
            state=state,
            reason=reason,
            trigger_id=trigger_id,
            occurrence=episode.occurrence,
            due_at_ms=due_ms,
            at_ms=at_ms,
            until_ms=until_ms,
            order_id=order_id,
            gates=gates,
            evidence=(episode.anchor, *episode.evidence) if episode.evidence else (episode.anchor,),
            rules=self.book.rules.version,
        )
        if renamed_to is not None:
            # Rare. With a sixteenth name above, Python would make a dict of all of them for each decision.
            decision = replace(decision, renamed_to=renamed_to)
        self.out.append(decision)
        kept = profile.decisions
        kept.append(DecisionKept(at_ms, name, key, state, reason, trigger_id))
        if len(kept) > DECISIONS_KEPT:
            del kept[0]
