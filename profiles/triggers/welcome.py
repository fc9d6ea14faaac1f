"""welcome: somebody signed up, or agreed to hear from the shop, for the first time. Once per customer."""

from typing import Final

from profiles.book import Book
from profiles.definition import Content
from profiles.episodes import plan
from profiles.profile import Profile
from profiles.rules import WelcomeRule
from profiles.state import Emitted, Episode, RecentOrder
from profiles.turn import Turn


class Welcome:
    """The trigger. There is one episode a customer at a time."""

    name = "welcome"
    version = 1

    def rule(self, book: Book) -> WelcomeRule:
        return book.rules.welcome

    def replan(self, turn: Turn) -> None:
        """Arm by the earliest opening since the last try; nothing once she was welcomed."""
        profile, rule = turn.profile, self.rule(turn.book)
        past = profile.milestones
        if not rule.enabled or past.welcomed_ms is not None:
            return
        since_ms = past.welcome_ended_ms
        openings = [
            opening
            for opening in (past.signed_up, past.granted)
            if opening is not None and (since_ms is None or opening[0] > since_ms)
        ]
        if openings:
            opened_ms, message_id = min(openings)
            plan(turn, self, profile.id, message_id, opened_ms, opened_ms + rule.delay_ms)

    def check(self, profile: Profile, episode: Episode, book: Book, now_ms: int) -> str | None:
        if profile.milestones.imported:
            return "imported"
        first = profile.orders.first
        if first is not None and first[0] < episode.due_ms - book.rules.welcome.existing_after_ms:
            return "existing_customer"
        return None

    def superseded(self, profile: Profile, episode: Episode, book: Book, now_ms: int) -> bool:
        return False

    def content(self, profile: Profile, episode: Episode, book: Book) -> Content:
        return Content(rule="first consent or sign-up of a customer who has not bought before")

    def covers(self, profile: Profile, order: RecentOrder, emitted: Emitted) -> bool:
        return False

    def converts(self, profile: Profile, order: RecentOrder, emitted: Emitted) -> bool:
        return True

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        past = turn.profile.milestones
        if state == "emitted":
            past.welcomed_ms = now_ms
        past.welcome_ended_ms = now_ms


WELCOME: Final = Welcome()
