"""Whether a customer complains at a moment: cases opened by low scores, and open tickets; and what that holds back.

A case runs through opened, assigned, contacted, resolved, verified; or it expires, if nobody resolved it in time. A later
good score verifies a resolved case by itself. A score that was corrected upwards has no case.
"""

from collections.abc import Iterator

from profiles.book import Book
from profiles.feedback import is_low
from profiles.feedback_state import Ticket
from profiles.insight.cases import Case
from profiles.profile import Profile
from profiles.rules import OpenFeedback


def case_of(profile: Profile, key: str, book: Book, now_ms: int) -> Case | None:
    """The case of a survey as it stands at `now_ms` (epoch ms); None where there is none."""
    feedback = profile.feedback
    kept, answer = feedback.cases.get(key), feedback.surveys.get(key)
    if kept is None or answer is None or kept.opened_ms is None or not is_low(answer):
        return None
    verified_ms, expired_ms = kept.verified_ms, None
    if kept.resolved_ms is not None:
        better = [
            other.answered_ms
            for other in feedback.surveys.values()
            if other.answered_ms > kept.resolved_ms and not is_low(other)
        ]
        verified_ms = min((ms for ms in (verified_ms, *better) if ms is not None), default=None)
    elif verified_ms is None and now_ms >= kept.opened_ms + book.rules.open_feedback.expires_ms:
        expired_ms = kept.opened_ms + book.rules.open_feedback.expires_ms
    return Case(
        opened_day=book.shop_day(kept.opened_ms),
        opened_ms=kept.opened_ms,
        assigned_ms=kept.assigned_ms,
        contacted_ms=kept.contacted_ms,
        resolved_ms=kept.resolved_ms,
        verified_ms=verified_ms,
        expired_ms=expired_ms,
    )


def cases(profile: Profile, book: Book, now_ms: int) -> Iterator[tuple[str, Case]]:
    """Every case with its key."""
    for key in profile.feedback.cases:
        case = case_of(profile, key, book, now_ms)
        if case is not None:
            yield key, case


def is_open(ticket: Ticket, rule: OpenFeedback, now_ms: int) -> bool:
    """Whether somebody still waits for an answer; a ticket that nobody touched for long was forgotten, not left open."""
    return not ticket.resolved and now_ms - ticket.changed[0] < rule.ticket_ms


def has_open_ticket(profile: Profile, rule: OpenFeedback, now_ms: int) -> bool:
    """Whether one of her tickets is open."""
    return any(is_open(ticket, rule, now_ms) for ticket in profile.feedback.tickets.values())


def complains(profile: Profile, book: Book, now_ms: int) -> bool:
    """Whether a case or a ticket of hers is open."""
    if not profile.has_feedback:
        return False
    return has_open_ticket(profile, book.rules.open_feedback, now_ms) or any(
        case.is_open for _, case in cases(profile, book, now_ms)
    )


def holds_marketing(profile: Profile, book: Book, now_ms: int) -> bool:
    """Whether marketing is held back: a case is open or was opened within `block`, or a ticket is and the rules say so."""
    if not profile.has_feedback:
        return False
    rule = book.rules.open_feedback
    for _, case in cases(profile, book, now_ms):
        if case.is_open or now_ms < case.opened_ms + rule.block_ms:
            return True
    return rule.tickets and has_open_ticket(profile, rule, now_ms)


def changes_ms(profile: Profile, book: Book, now_ms: int) -> int | None:
    """When the next of her cases and tickets expires by itself, None if none will."""
    if not profile.has_feedback:
        return None
    rule = book.rules.open_feedback
    open_cases = [case.opened_ms + rule.expires_ms for _, case in cases(profile, book, now_ms) if case.is_open]
    open_tickets = [
        ticket.changed[0] + rule.ticket_ms
        for ticket in profile.feedback.tickets.values()
        if is_open(ticket, rule, now_ms)
    ]
    return min((*open_cases, *open_tickets), default=None)


def low_score_since(profile: Profile, since_ms: int) -> bool:
    """Whether she gave a low score at or after `since_ms`."""
    if not profile.has_feedback:
        return False
    return any(is_low(answer) and answer.answered_ms >= since_ms for answer in profile.feedback.surveys.values())
