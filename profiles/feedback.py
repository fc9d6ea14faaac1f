"""How feedback events change a profile: survey answers and their cases, tickets, reviews; and how two profiles' are united.

What is open at a moment, and what it holds back, is asked in `profiles.complaints`.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec.structs import replace

from profiles.book import Book
from profiles.feedback_state import (
    REVIEWS_MAX,
    SURVEYS_MAX,
    TICKETS_MAX,
    TOLD_MAX,
    CaseKept,
    Feedback,
    OlderReviews,
    Review,
    Ticket,
)
from profiles.insight.nps import Answer, group_of
from profiles.profile import Profile
from schemas.events import (
    Arrival,
    CaseUpdated,
    NpsSubmitted,
    ProductReviewed,
    TicketEvent,
    TicketOpened,
    TicketResolved,
)

T = TypeVar("T")


def survey_key(event: NpsSubmitted) -> str:
    """By what an answer is known: survey and order as far as they are named, else its message. The same key is a correction."""
    return "|".join(part for part in (event.survey_id, event.order_id) if part) or event.message_id


def is_low(answer: Answer) -> bool:
    """Whether it is a detractor's."""
    return group_of(answer.score) == "detractors"


def newest_answer(profile: Profile) -> Answer | None:
    """The last answer she gave, to whichever survey."""
    if not profile.has_feedback:
        return None
    return max(profile.feedback.surveys.values(), key=lambda one: (one.answered_ms, one.survey_id), default=None)


def was_told(profile: Profile, trigger: str, what: str) -> bool:
    """Whether a trigger went out about a word of hers, to her or to whom she was taken for. `what` is its key without the
    customer.
    """
    key = f"{profile.id}|{what}"
    if profile.has_emitted and any(sent.name == trigger and sent.key == key for sent in profile.emitted):
        return True
    return profile.has_feedback and f"{trigger}|{what}" in profile.feedback.told


def note_told(profile: Profile, taken_for: str, sent: Iterable[tuple[str, str]]) -> None:
    """Keep what went out about words of hers to whom she was taken for, of all that did: keys and names of triggers."""
    kept = profile.feedback
    words = {*kept.surveys, *kept.reviews}
    told = set(kept.told)
    for key, name in sent:
        what = key.removeprefix(f"{taken_for}|")
        if what in words or what.partition("|")[2] in words:
            told.add(f"{name}|{what}")
    kept.told = sorted(told)[-TOLD_MAX:]


# --- events -------------------------------------------------------------------------------------------------------


def note_answer(profile: Profile, arrival: Arrival, book: Book) -> None:
    """Keep an answer unless a later one to the same survey is known; a low one opens a case, anew where it was taken back.

    An answer that names an order is transactional, any other relational. It belongs to the day on which it was asked for,
    where that was told.
    """
    event, feedback = arrival.event, profile.feedback
    assert isinstance(event, NpsSubmitted)
    key = survey_key(event)
    asked_ms = arrival.time_ms if event.asked_at_ms is None else event.asked_at_ms
    answer = Answer(
        key,
        "relational" if event.order_id is None else "transactional",
        event.score,
        book.shop_day(asked_ms),
        arrival.time_ms,
    )
    if is_low(answer):
        case, known = feedback.cases.setdefault(key, CaseKept()), feedback.surveys.get(key)
        if case.taken_back and not case.told and known is not None and not is_low(known):
            if arrival.time_ms > known.answered_ms:
                case.opened_ms = arrival.time_ms
        else:
            case.opened_ms = _earliest(case.opened_ms, arrival.time_ms)
        case.order_id = event.order_id
        _bound(feedback.cases, SURVEYS_MAX, _case_age)
    _keep_answer(feedback, answer)


def note_case(profile: Profile, arrival: Arrival) -> None:
    """Keep when a step of a case was first told, and who has it in hand."""
    event, feedback = arrival.event, profile.feedback
    assert isinstance(event, CaseUpdated)
    case = feedback.cases.setdefault(event.case_id, CaseKept())
    step = f"{event.state}_ms"
    setattr(case, step, _earliest(getattr(case, step), arrival.time_ms))
    if event.owner is not None:
        case.owner = _newest(case.owner, (arrival.time_ms, event.message_id, event.owner))
    _bound(feedback.cases, SURVEYS_MAX, _case_age)


def note_ticket(profile: Profile, arrival: Arrival) -> None:
    """Keep what became of a ticket; the newest word says whether it is open."""
    event = arrival.event
    assert isinstance(event, TicketEvent)
    version = (arrival.time_ms, event.message_id)
    told = Ticket(arrival.time_ms, version, resolved=isinstance(event, TicketResolved))
    if isinstance(event, TicketOpened) or event.topic is not None:
        told.topic = None if event.topic is None else (*version, event.topic)
    if isinstance(event, TicketResolved) and event.satisfaction is not None:
        told.satisfaction = (*version, event.satisfaction)
    _keep_ticket(profile.feedback, event.ticket_id, told)


def note_review(profile: Profile, arrival: Arrival) -> None:
    """Keep the newest version of a review."""
    event = arrival.event
    assert isinstance(event, ProductReviewed)
    # As a float, since a whole number would come back from storage as one, and be other bytes than before.
    rating = None if event.rating is None else float(event.rating)
    told = Review(arrival.time_ms, event.message_id, event.product_id, rating)
    _keep_review(profile.feedback, event.review_id or event.message_id, told)


# --- two profiles -------------------------------------------------------------------------------------------------


def unite(into: Profile, other: Profile, *, again: bool) -> None:
    """Take over what another profile of the customer holds. Reviews that are only counted are added once."""
    ours, theirs = into.feedback, other.feedback
    for key, case in theirs.cases.items():
        ours.cases[key] = _united_case(ours.cases.get(key, CaseKept()), case)
    _bound(ours.cases, SURVEYS_MAX, _case_age)
    for answer in theirs.surveys.values():
        _keep_answer(ours, answer)
    for ticket_id, ticket in theirs.tickets.items():
        _keep_ticket(ours, ticket_id, ticket)
    for review_id, review in theirs.reviews.items():
        _keep_review(ours, review_id, review)
    if not again:
        _add_older(ours, theirs.older_reviews)
    ours.asked_ms = max((ms for ms in (ours.asked_ms, theirs.asked_ms) if ms is not None), default=None)
    ours.told = sorted({*ours.told, *theirs.told})[-TOLD_MAX:]


# --- keeping one of each ------------------------------------------------------------------------------------------


def _keep_answer(feedback: Feedback, answer: Answer) -> None:
    known = feedback.surveys.get(answer.survey_id)
    # Of two at the same moment the lower score, then the later asked for, so that the order of arrival leaves no trace.
    if known is None or (answer.answered_ms, -answer.score, answer.sent_day) > (
        known.answered_ms,
        -known.score,
        known.sent_day,
    ):
        feedback.surveys[answer.survey_id] = answer
        _bound(feedback.surveys, SURVEYS_MAX, lambda kept: kept.answered_ms)


def _keep_ticket(feedback: Feedback, ticket_id: str, told: Ticket) -> None:
    known = feedback.tickets.get(ticket_id)
    if known is not None:
        newest = max(known, told, key=lambda ticket: ticket.changed)
        told = replace(
            newest,
            opened_ms=min(known.opened_ms, told.opened_ms),
            topic=_newest(known.topic, told.topic),
            satisfaction=_newest(known.satisfaction, told.satisfaction),
        )
    feedback.tickets[ticket_id] = told
    _bound(feedback.tickets, TICKETS_MAX, lambda kept: kept.changed[0])


def _keep_review(feedback: Feedback, review_id: str, told: Review) -> None:
    known = feedback.reviews.get(review_id)
    if known is not None and (known.at_ms, known.message_id) >= (told.at_ms, told.message_id):
        return
    feedback.reviews[review_id] = told
    gone = _bound(feedback.reviews, REVIEWS_MAX, lambda kept: kept.at_ms)
    if gone is not None:
        _add_older(feedback, OlderReviews(1) if gone.rating is None else OlderReviews(1, 1, gone.rating))


def _add_older(feedback: Feedback, more: OlderReviews | None) -> None:
    if more is not None:
        old = feedback.older_reviews or OlderReviews()
        feedback.older_reviews = OlderReviews(
            old.count + more.count, old.rated + more.rated, old.rating_sum + more.rating_sum
        )


def _united_case(ours: CaseKept, theirs: CaseKept) -> CaseKept:
    return CaseKept(
        opened_ms=_earliest(ours.opened_ms, theirs.opened_ms),
        order_id=ours.order_id or theirs.order_id,
        assigned_ms=_earliest(ours.assigned_ms, theirs.assigned_ms),
        contacted_ms=_earliest(ours.contacted_ms, theirs.contacted_ms),
        resolved_ms=_earliest(ours.resolved_ms, theirs.resolved_ms),
        verified_ms=_earliest(ours.verified_ms, theirs.verified_ms),
        owner=_newest(ours.owner, theirs.owner),
        told=ours.told or theirs.told,
        overdue=ours.overdue or theirs.overdue,
        taken_back=max(ours.taken_back, theirs.taken_back),
    )


def _case_age(case: CaseKept) -> int:
    steps = (case.opened_ms, case.assigned_ms, case.contacted_ms, case.resolved_ms, case.verified_ms)
    return min(ms for ms in steps if ms is not None)


def _earliest(one: int | None, two: int | None) -> int | None:
    return min((ms for ms in (one, two) if ms is not None), default=None)


def _newest(one: T | None, two: T | None) -> T | None:
    """Of two words that begin with their time and message id the later one."""
    return max((word for word in (one, two) if word is not None), default=None)  # type: ignore[type-var] # tuples compare


def _bound(kept: dict[str, T], most: int, age: Callable[[T], int]) -> T | None:
    """Let go of the oldest where there is one too many, and hand it back."""
    if len(kept) <= most:
        return None
    return kept.pop(min(kept, key=lambda key: (age(kept[key]), key)))
