"""What a customer's survey answers and cases add to the counters of the population: "nps:<counter>" and "cases:<counter>".

Both are functions of the feedback as the profile keeps it, so a corrected answer, a merged customer and an erased one are a
difference of two tallies. An answer or a case that the profile lets go of (it keeps the newest SURVEYS_MAX) leaves the
counters too. The arithmetic and the names are those of `profiles.insight.nps` and `profiles.insight.cases`.

What depends on now or on the rules (expired, in time) is no counter: the report works it out from days and waits.
"""

from profiles.book import Book
from profiles.complaints import case_of
from profiles.insight import cases
from profiles.insight.nps import ALL, Answers, answered, contribution_of_all, latest
from profiles.insight.tallies import Tally, add
from profiles.profile import Profile
from schemas.outputs import Trigger, TriggerOutcome


def nps_counters(profile: Profile, _: Book) -> Tally:
    """Groups by kind and day of sending: of her relational answers the last, of the others each; and all as answered."""
    if not profile.has_feedback:
        return {}
    kept = list(profile.feedback.surveys.values())
    answers = Answers(
        latest(answer for answer in kept if answer.kind == "relational"),
        [answer for answer in kept if answer.kind == "transactional"],
    )
    tally = contribution_of_all(answers)
    for answer in kept:
        add(tally, answered(answer))
    return {f"nps:{name}": count for name, count in tally.items()}


def case_counters(profile: Profile, book: Book) -> Tally:
    """Her cases by the day they were opened, as far as anybody told."""
    if not profile.has_feedback:
        return {}
    tally: Tally = {}
    for key, kept in profile.feedback.cases.items():
        # As of the moment it was opened: expiry is a matter of today, and counters know no today.
        case = None if kept.opened_ms is None else case_of(profile, key, book, kept.opened_ms)
        if case is not None:
            add(tally, cases.contribution(case))
    return {f"cases:{name}": count for name, count in tally.items()}


def counters(profile: Profile, book: Book) -> Tally:
    """Both."""
    return nps_counters(profile, book) | case_counters(profile, book)


def asked(output: Trigger | TriggerOutcome, book: Book) -> str | None:
    """The counter of a survey that goes out, "asked:<kind>.<day>.asked.all"; None for any other output.

    It counts messages, not customers, and stays when a customer is erased.
    """
    if not isinstance(output, Trigger) or output.name != "nps.survey" or output.shadow:
        return None
    return f"asked:{output.details['kind']}.{book.shop_day(output.emitted_at_ms)}.asked.{ALL}"
