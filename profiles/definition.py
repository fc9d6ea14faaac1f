"""What a trigger is: the questions the engine asks of each one, and what it tells them.

A trigger plans episodes when it is told that something happened (`on_...`), is asked again when one comes due (`check`), and
says what to send (`content`). It keeps nothing itself: what it has to remember lies in the profile. Built-in triggers are one
module for each family in `profiles.triggers`; a company's own are loaded beside them and held to the same laws.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, Generic, TypeVar

from typing_extensions import override

from profiles.book import Book
from profiles.content import Content, OrderTold
from profiles.goods_state import GoodChange
from profiles.profile import Profile
from profiles.rules import TriggerRule
from profiles.segments import SegmentChange
from profiles.standing import StandingChange
from profiles.state import Cart, Emitted, Episode, RecentOrder, Watch
from profiles.turn import Turn
from schemas.events import Arrival, Event

R = TypeVar("R", bound=TriggerRule)


class BadTrigger(Exception):
    """A trigger does what none may do. The message names it, and says nothing of the customer.

    A worker leaves it out of what it did that on. Operator action: mend the trigger.
    """

    def __init__(self, trigger: str, said: str) -> None:
        super().__init__(said)
        self.trigger = trigger


class BadAnswer(BadTrigger):
    """A hook answers what nobody can go by."""

    def __init__(self, trigger: str, hook: str, answer: object, wanted: str) -> None:
        super().__init__(trigger, f"{trigger}.{hook} answers {type(answer).__name__}, and not {wanted}")


class Endless(BadTrigger):
    """A trigger plans again and again what just fired."""

    def __init__(self, trigger: str) -> None:
        super().__init__(trigger, f"{trigger} plans again and again what just fired")


class TriggerDefinition(Generic[R]):
    """A trigger. Subclasses name it, say which rules it has and which events it wants to hear of, and answer `content`.

    `version` is the definition's major version: raising it gives new trigger ids. Methods get the profile with the event
    already in it and may change only what is theirs. Everything else has a default that does nothing.
    """

    name: str = ""
    version: int = 1
    rule_type: type[R]
    listens: frozenset[type[Event]] = frozenset()
    """Kinds of events that `on_event` is called for."""
    speaks: bool = True
    """Whether it says something to the customer; others tell systems about her, and are no answer to what to show her now."""
    remembers_views: bool = False
    """Whether it goes by what was viewed and searched for in the last days: that is kept only while such a trigger is on."""
    follows_order: bool = False
    """Whether what waits is about the order it is anchored in, or something else of `grounds`, such as a wish: where that turns
    out to be another customer's, so does this.
    """
    waits_apart: bool = False
    """Whether it plans for each side of a customer who may turn out to be two (`profiles.sides`) as well, by what is told of that
    one alone: for what can't be planned anew from what is remembered of a side. Sides have no orders' figures, and no timers.
    """
    reasons: ClassVar[Mapping[str, str]] = {}
    """Reason codes of its own that `check` and `recheck` return, or that it cancels with, and what they mean."""

    @override
    def __init_subclass__(cls, **options: Any) -> None:
        """Raises TypeError for a hook that is none, so that a slip of the pen does not make a trigger deaf."""
        super().__init_subclass__(**options)
        for told in vars(cls):
            if told.startswith("on_") and not hasattr(TriggerDefinition, told):
                hooks = ", ".join(name for name in vars(TriggerDefinition) if name.startswith("on_"))
                raise TypeError(f"{cls.__name__}.{told} is never called; triggers are told by {hooks}")

    _known: tuple[Book | None, Any] = (None, None)

    def rule(self, book: Book) -> R:
        """Its rules in this book. Those of the book asked last are at hand: nearly everything here begins with this question."""
        asked, rule = self._known
        if asked is not book:
            rule = book.rule(self.rule_type)
            self._known = (book, rule)
        return rule  # type: ignore[no-any-return] # of `rule_type`

    def applies(self, book: Book) -> bool:
        """Whether it can do anything at all with what it is told under this book. Where it can't it is told nothing, so that an
        event that comes often costs it no call; of what it planned under another book it is still asked.
        """
        return True

    # --- what it is told, after the profile has taken it in ---

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        """An event of a kind in `listens`, never the same one twice."""

    def on_consent(self, turn: Turn, arrival: Arrival) -> None:
        """An event carried consent decisions, or took consent back."""

    def on_cart(self, turn: Turn, cart: Cart) -> None:
        """A cart changed, or was looked at."""

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        """An order event was applied to the ledger; it may be one that changed nothing."""

    def wakes(self, book: Book, change: GoodChange) -> bool:
        """Whether it wants the customers who watch a product to hear of this change. Each of them is loaded for it."""
        return False

    def on_good(self, turn: Turn, change: GoodChange, watch: Watch, place: int) -> None:
        """A product she watches changed, as `wakes` asked for. `place` counts the stock alerts before hers."""

    def on_standing(self, turn: Turn, change: StandingChange) -> None:
        """Her churn band, tier or value was looked at again; the band and tier before are in `change`."""

    def on_united(self, turn: Turn, brought: Profile) -> None:
        """Another profile became part of hers: both together may be ground for what neither was. The carts that it brought are
        told of by `on_cart`.
        """

    def on_joined(self, turn: Turn, episode: Episode, other: Episode) -> None:
        """Two profiles that became one had both waited for the same. The one that was opened first goes on as `episode`; what is
        known by the `other` may be newer.
        """

    def on_parted(self, turn: Turn) -> None:
        """Something was taken out of her profile, or came back to her from another customer's; or she may be written to again,
        after a suppression that had ended all that waited.
        """

    def on_segment(self, turn: Turn, change: SegmentChange) -> None:
        """She entered a segment or left one; the turn's time is that of the change."""

    def on_wake(self, turn: Turn, what: str) -> None:
        """A timer of its own in `profile.wakes` ("<name>|<what>") has come; it is taken out before."""

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """One of its episodes ended in any way: emitted, cancelled, suppressed or expired."""

    # --- what it is asked ---

    def order_of(self, what: str) -> str | None:
        """The order that a timer of its own waits for and goes with; None where it waits for none."""
        return None

    def grounds(self, profile: Profile) -> Iterable[str] | None:
        """What of a profile its episodes may be about, as their keys name it (without the customer) or the messages that they
        are anchored in. None: its orders, carts and checkouts. Asked when a wrong merge is taken apart, of before and after.
        """
        return None

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        """Asked when due: None if it still holds, otherwise the reason why not."""
        return None

    def foreseen_ms(self, turn: Turn, what: str) -> int | None:
        """When what a waiting timer of its own will plan is due, as far as is known; None: nothing, or it is not known.

        For triggers that arm only once they are due: less important ones that are due within the minute before give way.
        """
        return None

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        """When a waiting episode is due by the present rules; None where its time stands. Asked when the rules changed."""
        return None

    def wake_again(self, turn: Turn, what: str, due_ms: int) -> int | None:
        """When a timer of its own is due by the present rules; None where its time stands. Asked when the rules changed."""
        return None

    def recheck(self, turn: Turn, episode: Episode) -> str | None:
        """The last question before hold-outs: whether what it offers can still be had; the reason why not."""
        return None

    def cools(self, episode: Episode, sent: Emitted) -> bool:
        """Whether an earlier emission of this trigger counts for its cooldown."""
        return True

    def content(self, turn: Turn, episode: Episode) -> Content:
        """What to send."""
        return Content(rule=self.name)

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """Whether an order placed at or before the emission would have ended this, had it been known in time: it then takes it
        back. From when on orders count is said here too; for most it is `sent.opened_ms`.
        """
        return False

    def converts(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """Whether an order after the emission counts as its conversion."""
        return True


REASON: Final = "None or the reason why not"
MOMENT: Final = "None or whole milliseconds (int)"
"""What hooks answer."""

Definitions = Sequence[TriggerDefinition[Any]]
"""Triggers in the order in which they are told of things."""


def hears(trigger: TriggerDefinition[Any], what: str) -> bool:
    """Whether a trigger does anything with what it is told by the method of this name."""
    return getattr(type(trigger), what) is not getattr(TriggerDefinition, what)
