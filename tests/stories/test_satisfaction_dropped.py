"""She is less content than she used to be: each customer against her own past, each scale by itself."""

from schemas import events
from tests.stories.timeline import DAY, Timeline

DROPPED = "satisfaction.dropped"


def scores(*values: int, about_orders: bool = False) -> Timeline:
    """One answer a day, from day 0 on."""
    ada = Timeline()
    for day, score in enumerate(values):
        order_id = f"o{day}" if about_orders else None
        ada.tell(events.NpsSubmitted, day * DAY, score=score, survey_id=f"s{day}", order_id=order_id)
    return ada


def ratings(*values: float) -> Timeline:
    ada = Timeline()
    for day, rating in enumerate(values):
        ada.tell(events.ProductReviewed, day * DAY, product_id=f"p{day}", review_id=f"r{day}", rating=rating)
    return ada


def test_a_score_clearly_below_her_own_mean_is_told_once_it_is_final() -> None:
    ada = scores(10, 10, 7).until(9 * DAY)

    assert ada.emitted(DROPPED) == [2 * DAY + 5]
    assert ada.sent(DROPPED)[0].details == {"scale": "relational", "value": 7.0, "usual": 10.0}
    assert ada.sent(DROPPED)[0].trigger_class == "service"


def test_somebody_who_always_says_seven_has_not_dropped() -> None:
    assert scores(7, 7, 7).until(9 * DAY).decisions(DROPPED) == []


def test_two_and_a_half_below_her_mean_is_a_drop_and_what_she_said_long_ago_is_not_in_it() -> None:
    assert scores(10, 9, 7).until(9 * DAY).emitted(DROPPED) == [2 * DAY + 5]
    assert scores(*[7] * 5, *[10] * 10, 7).until(20 * DAY).emitted(DROPPED) == [15 * DAY + 5]


def test_one_earlier_word_is_not_yet_a_habit() -> None:
    assert scores(10, 7).until(9 * DAY).decisions(DROPPED) == []


def test_a_low_score_is_left_to_the_detractor() -> None:
    ada = scores(10, 10, 2).until(3 * DAY)

    assert ada.emitted(DROPPED) == []
    assert ada.emitted("nps.detractor") == [2 * DAY]


def test_answers_about_orders_and_about_the_shop_are_not_mixed() -> None:
    ada = scores(10, 10, about_orders=True).tell(events.NpsSubmitted, 5 * DAY, score=7, survey_id="shop").until(9 * DAY)

    assert ada.decisions(DROPPED) == []


def test_ratings_have_their_own_scale() -> None:
    assert ratings(5, 5, 3).until(9 * DAY).emitted(DROPPED) == [2 * DAY + 5]
    assert ratings(5, 4, 3.5).until(9 * DAY).emitted(DROPPED) == []


def test_a_correction_within_five_minutes_takes_it_back() -> None:
    ada = scores(10, 10, 7).tell(events.NpsSubmitted, 2 * DAY + 3, score=9, survey_id="s2").until(9 * DAY)

    assert ada.decisions(DROPPED) == [("armed", None), ("cancelled", "recovered")]


def test_an_older_answer_that_comes_late_is_weighed_in() -> None:
    ada = scores(10, 10, 7)
    for number in range(3):
        ada.tell(events.NpsSubmitted, DAY + 60 + number, score=7, survey_id=f"late{number}", arrives=2 * DAY + 1)
    ada.until(9 * DAY)

    assert ada.decisions(DROPPED) == [("armed", None), ("cancelled", "recovered")]


def test_it_is_told_at_most_once_in_thirty_days() -> None:
    ada = scores(10, 10, 7).until(4 * DAY).tell(events.NpsSubmitted, 10 * DAY, score=7, survey_id="t1")
    ada.tell(events.NpsSubmitted, 11 * DAY, score=10, survey_id="t2")
    ada.tell(events.NpsSubmitted, 12 * DAY, score=10, survey_id="t3")
    ada.tell(events.NpsSubmitted, 13 * DAY, score=7, survey_id="t4", arrives=13 * DAY).until(20 * DAY)

    assert len(ada.emitted(DROPPED)) == 1
