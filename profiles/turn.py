"""One turn of the engine: an event being applied to a profile, or its timers being fired. Passed to all that takes part."""

from msgspec import Struct

from profiles.book import Book
from profiles.deciding import Deciding
from profiles.order_state import Ledger, OrderEntry
from profiles.profile import Profile
from profiles.state import Moment
from schemas.events import Event
from schemas.moves import Move
from schemas.outputs import Decision, Export, IdentityChange, Trigger, TriggerOutcome


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


class Turn(Deciding, Struct, gc=False):
    """The profile, the book, the clocks and the list that outputs are appended to.

    `cause` is the message id of the event, or "timer". `received_ms` and `time_ms` are the event's, and the clock's when
    timers are fired. `imported` says that the event is a fact of the past whose missed reminders are no news.
    `orders` are hers, as far as they are loaded, where `on_parted` is called; None elsewhere.
    """

    profile: Profile
    book: Book
    at: Moment
    out: list[Output]
    cause: str
    time_ms: int
    received_ms: int
    imported: bool = False
    orders: Ledger | None = None


def counter_of(output: Trigger | TriggerOutcome) -> str:
    """The population's counter of what went out: "trigger:<name>|<what>", what being sent, withheld, converted ...

    They count messages, not customers, and stay when a customer is erased.
    """
    if isinstance(output, Trigger):
        return f"trigger:{output.name}|{'withheld' if output.shadow else 'sent'}"
    return f"trigger:{output.of_name}|{output.name.rpartition('.')[2]}"
