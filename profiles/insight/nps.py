"""Net promoter score: what a customer's answers add to the counters, kept apart by kind, day of sending and segment.

A score of 0-6 is a detractor's, 7-8 a passive's, 9-10 a promoter's (Reichheld 2003). Relational answers (asked from time to
time) count the customer's last one only, transactional answers (asked after an order) each. Both belong to the day their
survey was sent. Of several answers to one survey the last given counts; so a corrected answer moves one from a counter to
another. Other scales (satisfaction 1-5) are not NPS and have no place here.
"""

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from profiles.insight.tallies import Tally, add

Kind = Literal["relational", "transactional"]
Group = Literal["detractors", "passives", "promoters"]
Outcome = Literal["counted", "corrected", "superseded", "out_of_range"]

ALL: Final = "all"
"""The segment that everybody is in."""
ANSWERS_MAX: Final = 32
"""Transactional answers kept, newest first sent; an older one stays counted and can no longer be corrected."""


class Answer(Struct, array_like=True, omit_defaults=True, gc=False):
    """One answer. `segments` are where it counts besides `all`, such as "carrier:dhl"; days are days since 1970."""

    survey_id: str
    kind: Kind
    score: int
    sent_day: int
    answered_ms: int
    segments: tuple[str, ...] = ()


class Answers(Struct, omit_defaults=True, gc=False):
    """What a customer answered: the last relational answer, and the newest transactional ones."""

    relational: Answer | None = None
    transactional: list[Answer] = []


def group_of(score: int) -> Group:
    """The group of a score from 0 to 10.

    >>> [group_of(score) for score in (0, 6, 7, 8, 9, 10)]
    ['detractors', 'detractors', 'passives', 'passives', 'promoters', 'promoters']
    """
    return "detractors" if score <= 6 else "passives" if score <= 8 else "promoters"


def record(answers: Answers, answer: Answer) -> tuple[Outcome, Tally]:
    """Take in an answer. What became of it, and the change to the counters."""
    if not 0 <= answer.score <= 10:
        return "out_of_range", {}
    if answer.kind == "relational":
        return _record_relational(answers, answer)
    for place, known in enumerate(answers.transactional):
        if known.survey_id == answer.survey_id:
            if not _replaces(answer, known):
                return "superseded", {}
            answers.transactional[place] = answer
            return "corrected", _change(answer, known)
    answers.transactional.append(answer)
    if len(answers.transactional) > ANSWERS_MAX:
        answers.transactional.remove(min(answers.transactional, key=lambda known: (known.sent_day, known.answered_ms)))
    return "counted", _first_answer(answer)


def contribution(answer: Answer) -> Tally:
    """The counters of one answer: kind, segment, day, group."""
    group = group_of(answer.score)
    return {f"{answer.kind}.{answer.sent_day}.{group}.{segment}": 1 for segment in (ALL, *sorted(set(answer.segments)))}


def asked(kind: Kind, sent_day: int, segments: Iterable[str] = ()) -> Tally:
    """The counters of one survey that was sent, for the response rate."""
    return {f"{kind}.{sent_day}.asked.{segment}": 1 for segment in (ALL, *sorted(set(segments)))}


def answered(answer: Answer) -> Tally:
    """The counters of one survey that was answered, for the response rate."""
    return {
        f"{answer.kind}.{answer.sent_day}.answered.{segment}": 1 for segment in (ALL, *sorted(set(answer.segments)))
    }


def latest(answers: Iterable[Answer]) -> Answer | None:
    """The last of a customer's relational answers: the one that counts. None where there is none."""
    return max(answers, key=_age, default=None)


def contribution_of_all(answers: Answers) -> Tally:
    """All counters of a customer as she stands, to take them out (erased) or to move them (merged)."""
    total: Tally = {}
    for answer in (*answers.transactional, *([answers.relational] if answers.relational else ())):
        add(total, contribution(answer))
    return total


def _record_relational(answers: Answers, answer: Answer) -> tuple[Outcome, Tally]:
    known = answers.relational
    if known is None:
        answers.relational = answer
        return "counted", _first_answer(answer)
    if not _age(answer) > _age(known):
        return "superseded", {}
    answers.relational = answer
    change = _change(answer, known)
    same = known.survey_id == answer.survey_id
    if not same:
        add(change, answered(answer))
    return "corrected" if same else "counted", change


def _replaces(answer: Answer, known: Answer) -> bool:
    """The later answer counts; of two at the same moment the lower score, so that the order of arrival leaves no trace."""
    return (answer.answered_ms, -answer.score) > (known.answered_ms, -known.score)


def _age(answer: Answer) -> tuple[int, int, str, int]:
    """By which the last relational answer is the last; beyond the times only so that there is always just one."""
    return answer.sent_day, answer.answered_ms, answer.survey_id, -answer.score


def _first_answer(answer: Answer) -> Tally:
    return contribution(answer) | answered(answer)


def _change(new: Answer, old: Answer) -> Tally:
    change = contribution(new)
    add(change, {name: -value for name, value in contribution(old).items()})
    return change
