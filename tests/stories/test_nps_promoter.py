"""Who would recommend the shop is asked to, a day later."""

from schemas import events
from tests.stories.timeline import DAY, Timeline

PROMOTER = "nps.promoter"


def answer(score: int, day: float = 0, survey: str = "s1", ada: Timeline | None = None) -> Timeline:
    return (ada or Timeline()).tell(events.NpsSubmitted, day * DAY, score=score, survey_id=survey)


def test_nine_and_ten_are_asked_a_day_later_and_eight_is_not() -> None:
    assert answer(9).until(2 * DAY).emitted(PROMOTER) == [DAY]
    assert answer(10).until(2 * DAY).sent(PROMOTER)[0].details == {"score": 10}
    assert answer(8).until(2 * DAY).decisions(PROMOTER) == []


def test_a_score_corrected_downwards_is_not_acted_upon() -> None:
    ada = answer(7, 0.5, ada=answer(9))

    assert ada.decisions(PROMOTER) == [("armed", None), ("cancelled", "score_corrected")]


def test_while_she_complains_of_something_else_she_is_not_asked() -> None:
    ada = answer(9).tell(events.TicketOpened, 60, ticket_id="t1").until(2 * DAY)

    assert ada.decisions(PROMOTER) == [("armed", None), ("cancelled", "open_complaint")]


def test_she_is_asked_at_most_every_ninety_days() -> None:
    ada = answer(9)
    answer(10, 30, "s2", ada)
    answer(10, 100, "s3", ada).until(200 * DAY)

    assert ada.emitted(PROMOTER) == [DAY, 101 * DAY]
    assert ("suppressed", "cooldown") in ada.decisions(PROMOTER)


def test_the_same_answer_again_does_not_ask_her_again() -> None:
    ada = answer(10, 40, ada=answer(9).until(2 * DAY)).until(200 * DAY)

    assert ada.emitted(PROMOTER) == [DAY]


def test_without_consent_she_is_not_asked() -> None:
    ada = answer(9, ada=Timeline(consent=False)).until(2 * DAY)

    assert ada.decisions(PROMOTER) == [("armed", None), ("suppressed", "no_consent")]
