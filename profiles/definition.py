"""What a trigger is: the questions the engine asks of each one. Built-in triggers are one module each in `profiles.triggers`.

A trigger plans episodes when events change the profile, is asked again when one comes due, and says what to send.
"""

from typing import Any, Protocol

from msgspec import Struct

from profiles.book import Book
from profiles.profile import Profile
from profiles.rules import TriggerRule
from profiles.state import Emitted, Episode, RecentOrder
from profiles.turn import Turn
from schemas.outputs import Item


class Content(Struct, kw_only=True):
    """What an emitted trigger carries beyond its envelope. Amounts in minor units of `currency` (None: the shop's)."""

    items: tuple[Item, ...] = ()
    value_minor: int | None = None
    currency: str | None = None
    recovery_url: str | None = None
    details: dict[str, Any] = {}
    cart_id: str | None = None
    checkout_id: str | None = None
    rule: str = ""


class TriggerDefinition(Protocol):
    """A built-in trigger. `version` is the definition's major version: raising it gives new ids."""

    name: str
    version: int

    def rule(self, book: Book) -> TriggerRule:
        """Its settings in this book."""

    def check(self, profile: Profile, episode: Episode, book: Book, now_ms: int) -> str | None:
        """Asked when due: None if it still holds, otherwise the reason why not."""

    def superseded(self, profile: Profile, episode: Episode, book: Book, now_ms: int) -> bool:
        """Whether a trigger of higher precedence stands in its way."""

    def content(self, profile: Profile, episode: Episode, book: Book) -> Content:
        """What to send."""

    def covers(self, profile: Profile, order: RecentOrder, emitted: Emitted) -> bool:
        """Whether an order is what this emission was about: at or before the emission it takes it back."""

    def converts(self, profile: Profile, order: RecentOrder, emitted: Emitted) -> bool:
        """Whether an order after the emission counts as its conversion."""

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """Called after an episode ended in any way, to mark state or plan what follows."""
