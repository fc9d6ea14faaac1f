"""What a customer said, as a profile keeps it: survey answers, the cases they opened, tickets, reviews.

Mutable like the rest of `profiles.state`, and bounded by the constants below. Nothing here depends on the order in which
events came: of two that tell of the same thing the later (time, message id) counts, and first moments are the earliest.
"""

from msgspec import Struct

from profiles.insight.nps import Answer

SURVEYS_MAX = 32
TICKETS_MAX = 16
REVIEWS_MAX = 32
TOLD_MAX = 64


class CaseKept(Struct, omit_defaults=True, gc=False):
    """What was done about a low score, by the key of its survey. Moments are the earliest at which each was told.

    `opened_ms` is the first low answer, of those since it was taken back (None: a step was told before the answer came).
    `owner` is who was last named, with the time and message id of the word. `told` and `overdue`: nps.detractor told of it, and
    feedback.overdue did. `taken_back`: how often what nps.detractor told was.
    """

    opened_ms: int | None = None
    order_id: str | None = None
    assigned_ms: int | None = None
    contacted_ms: int | None = None
    resolved_ms: int | None = None
    verified_ms: int | None = None
    owner: tuple[int, str, str] | None = None
    told: bool = False
    overdue: bool = False
    taken_back: int = 0


class Ticket(Struct, omit_defaults=True, gc=False):
    """A question to the shop's service. `changed` is (time, message id) of the newest word, which says whether it is resolved.

    `topic` and `satisfaction` each carry the time and message id of the event that told them last.
    """

    opened_ms: int
    changed: tuple[int, str]
    resolved: bool = False
    topic: tuple[int, str, str] | None = None
    satisfaction: tuple[int, str, float] | None = None


class Review(Struct, array_like=True, gc=False):
    """The newest version of a review. `rating` is on the shop's own scale."""

    at_ms: int
    message_id: str
    product_id: str
    rating: float | None = None


class OlderReviews(Struct, omit_defaults=True, gc=False):
    """Reviews beyond REVIEWS_MAX: how many, how many of them with a rating, and the sum of those."""

    count: int = 0
    rated: int = 0
    rating_sum: float = 0.0


class Feedback(Struct, omit_defaults=True, gc=False):
    """All of it. `asked_ms` is when nps.survey last went out. `told` is what went out about her words while she was taken for
    another customer, who remembers it herself: "<trigger>|<what>".
    """

    surveys: dict[str, Answer] = {}
    cases: dict[str, CaseKept] = {}
    tickets: dict[str, Ticket] = {}
    reviews: dict[str, Review] = {}
    older_reviews: OlderReviews | None = None
    asked_ms: int | None = None
    told: list[str] = []
