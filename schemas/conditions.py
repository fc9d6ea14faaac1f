"""What the condition of a trigger sees of the episode it decides on, beside the public profile document and the event."""

from msgspec import Struct

from schemas.outputs import Item


class EpisodeShown(Struct, frozen=True, kw_only=True, gc=False):
    """The episode that is about to become a trigger: which one, when it opened and is due, and what it is about.

    `key` is its episode key. `opened_ms` is the time of the event that opened it, `occurrence` 1 for the first message and
    2, 3 for reminders. `items`, `value_minor` (minor units of `currency`) and `product_ids` are what the trigger would show.
    """

    name: str
    key: str
    opened_ms: int
    due_ms: int
    occurrence: int
    items: tuple[Item, ...] = ()
    product_ids: tuple[str, ...] = ()
    value_minor: int | None = None
    currency: str | None = None
