"""One turn of the engine: an event being applied to a profile, or its timers being fired. Passed to all that takes part."""

from msgspec import Struct

from profiles.book import Book
from profiles.catalogue import Facts
from profiles.ids import decision_id
from profiles.product_facts import lookup
from profiles.profile import Profile
from profiles.state import DECISIONS_KEPT, DecisionKept, Episode, Moment, OrderEntry
from schemas.events import Event
from schemas.moves import Move
from schemas.outputs import Decision, Export, IdentityChange, State, Trigger, TriggerOutcome


class Mail(Struct, frozen=True, gc=False):
    """An event for another home: `home` is the text whose hash says where that is, `about` the profile it comes from."""

    event: Event
    home: str
    about: str


class Anonymised(Struct, frozen=True, gc=False):
    """What stays of a customer who was anonymised: a profile without an id, which the caller gives it, and its ledger."""

    profile: Profile
    entries: list[OrderEntry]


Output = Trigger | TriggerOutcome | Decision | IdentityChange | Move | Mail | Export | Anonymised


class Turn(Struct, gc=False):
    """The profile, the book, the clocks and the list that outputs are appended to.

    `cause` is the message id of the event, or "timer". `received_ms` and `time_ms` are the event's, and the clock's when
    timers are fired. `imported` says that the event is a fact of the past whose missed reminders are no news.
    """

    profile: Profile
    book: Book
    at: Moment
    out: list[Output]
    cause: str
    time_ms: int
    received_ms: int
    imported: bool = False

    @property
    def now_ms(self) -> int:
        """The wall clock live; in replay the partition's clock, but never before the event's own time."""
        if self.at.wall_ms is not None:
            return self.at.wall_ms
        return max(self.at.clock_ms, self.time_ms)

    def facts(self, product_id: str, category: str | None = None, variant_id: str | None = None) -> Facts:
        """What is known of a product now, by the catalogue's file and by events; `category` is what her events said."""
        return lookup(self.book.catalogue, self.at.facts, product_id, category, variant_id)

    @property
    def too_late(self) -> bool:
        """Whether the event came so late that it may arm only what is still ahead of its arrival."""
        return self.received_ms - self.time_ms > self.book.rules.allowed_lateness_ms

    def decide(
        self,
        episode: Episode,
        trigger_id: str,
        state: State,
        *,
        at_ms: int,
        reason: str | None = None,
        until_ms: int | None = None,
        order_id: str | None = None,
        gates: tuple[str, ...] = (),
    ) -> None:
        """Record a change in the life of an episode, for the decisions topic and for `profile explain`."""
        name, key, due_ms, profile = episode.name, episode.key, episode.due_ms, self.profile
        self.out.append(
            Decision(
                decision_id=decision_id(f"{trigger_id}|{state}|{reason}|{self.cause}|{due_ms}"),
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
        )
        kept = profile.decisions
        kept.append(DecisionKept(at_ms, name, key, state, reason, trigger_id))
        if len(kept) > DECISIONS_KEPT:
            del kept[0]


def counter_of(output: Trigger | TriggerOutcome) -> str:
    """The population's counter of what went out: "trigger:<name>|<what>", what being sent, withheld, converted ...

    They count messages, not customers, and stay when a customer is erased.
    """
    if isinstance(output, Trigger):
        return f"trigger:{output.name}|{'withheld' if output.shadow else 'sent'}"
    return f"trigger:{output.of_name}|{output.name.rpartition('.')[2]}"
