"""welcome: somebody signed up, or agreed to hear from the shop, for the first time. Once per customer, and once more for who
comes back long after she had unsubscribed.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from profiles.consent import grants, may_market
from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.episodes import plan
from profiles.identity import reachable
from profiles.life_rules import WelcomeRule
from profiles.state import Episode
from profiles.turn import Turn
from schemas.events import Arrival, SignedUp

BACK: Final = "back"
"""In the data of an episode: she comes back after she had unsubscribed."""


class Welcome(TriggerDefinition[WelcomeRule]):
    """The trigger. There is one episode a customer at a time."""

    name = "welcome"
    rule_type = WelcomeRule
    waits_apart = True
    listens = frozenset({SignedUp})
    reasons: ClassVar[Mapping[str, str]] = {"welcomed": "She was welcomed before, as is known now under another name."}

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        self.replan(turn)

    def on_consent(self, turn: Turn, arrival: Arrival) -> None:
        self.replan(turn)
        past, again_ms = turn.profile.milestones, self.rule(turn.book).again_after_ms
        left_ms = past.left_ms
        if past.welcomed_ms is None or left_ms is None or left_ms > arrival.time_ms or not grants(arrival.event):
            return
        past.left_ms = None  # she is back, whether welcomed or not: her further words of consent are no news
        if again_ms and past.welcomed_ms < left_ms <= arrival.time_ms - again_ms:
            due_ms = arrival.time_ms + self.rule(turn.book).delay_ms
            plan(turn, self, turn.profile.id, turn.cause, arrival.time_ms, due_ms, data={BACK: True})

    def replan(self, turn: Turn) -> None:
        """Arm by the earliest opening since the last try; nothing once she was welcomed."""
        profile = turn.profile
        past = profile.milestones
        if past.welcomed_ms is not None:
            return
        since_ms = past.welcome_ended_ms
        openings = [
            opening
            for opening in (past.signed_up, past.granted)
            if opening is not None and (since_ms is None or opening[0] > since_ms)
        ]
        if openings:
            opened_ms, message_id = min(openings)
            plan(turn, self, profile.id, message_id, opened_ms, opened_ms + self.rule(turn.book).delay_ms)

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        return episode.opened_ms + self.rule(turn.book).delay_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        past = turn.profile.milestones
        if past.imported:
            return "imported"
        if past.welcomed_ms is not None and BACK not in episode.data:
            return "welcomed"
        first = turn.profile.orders.first
        if first is not None and first[0] < episode.due_ms - self.rule(turn.book).existing_after_ms:
            return "existing_customer"
        return None

    def content(self, turn: Turn, episode: Episode) -> Content:
        return Content(rule="first consent or sign-up of a customer who has not bought before")

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        past = turn.profile.milestones
        if state == "emitted":
            past.welcomed_ms = now_ms
        past.welcome_ended_ms = now_ms
        unheard = state == "expired" and not reachable(turn.profile)
        if unheard or not may_market(turn.profile, now_ms, soft_opt_in=turn.book.rules.soft_opt_in):
            # Nobody was there to be welcomed, or wanted to be: her next word of consent is her first.
            past.granted = None


WELCOME: Final = Welcome()
