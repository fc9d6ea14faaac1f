"""Net promoter score: a published example, corrections, response, and no score where there is too little to go by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from profiles.insight import nps
from profiles.insight.nps import ANSWERS_MAX, Answer, Answers, Kind, contribution_of_all, group_of, record
from profiles.insight.tallies import Tally, add, merged
from streams.insight.nps_report import ANSWERS_MIN, read_nps
from streams.insight.nps_report import nps as score_of

DAY = 20_500


def answer(
    score: int,
    survey: str = "s1",
    *,
    kind: Kind = "transactional",
    sent: int = DAY,
    at: int = 1_000,
    segments: tuple[str, ...] = (),
) -> Answer:
    return Answer(survey, kind, score, sent, at, segments)


def test_a_published_example() -> None:
    # 10 x 30, 9 x 20, 8 x 15, 7 x 15, 6 x 8, 5 x 5, 3 x 4, 0 x 3: 50 promoters, 30 passives, 20 detractors.
    counters: Tally = {}
    number = 0
    for score, count in ((10, 30), (9, 20), (8, 15), (7, 15), (6, 8), (5, 5), (3, 4), (0, 3)):
        for _ in range(count):
            number += 1
            add(counters, nps.asked("transactional", DAY))
            add(counters, nps.asked("transactional", DAY))
            add(counters, record(Answers(), answer(score, f"s{number}"))[1])
    found = read_nps(counters, "transactional", DAY, DAY)

    assert (found.promoters, found.passives, found.detractors, found.answers) == (50, 30, 20, 100)
    assert (found.score, found.standard_error, found.low, found.high) == pytest.approx(
        (30, 7.810250, 14.69, 45.31), abs=0.005
    )
    assert (found.asked, found.response_rate) == (200, 0.5)


def test_under_thirty_answers_there_is_no_score() -> None:
    few = score_of(promoters=20, passives=0, detractors=ANSWERS_MIN - 21)

    assert (few.score, few.withheld, few.answers) == (None, "few_answers", 29)
    assert score_of(20, 0, ANSWERS_MIN - 20).withheld is None


def test_an_interval_ends_where_the_scale_does() -> None:
    assert score_of(30, 0, 0).high == 100
    assert score_of(0, 0, 30).low == -100
    assert score_of(29, 0, 1).high == 100


@pytest.mark.parametrize("size", [ANSWERS_MIN, 400])
def test_where_all_say_the_same_the_interval_is_what_so_few_can_miss_by_scipy(size: int) -> None:
    missed = 1 - stats.binomtest(size, size).proportion_ci(0.95, "exact").low
    happy, neither, unhappy = score_of(size, 0, 0), score_of(0, size, 0), score_of(0, 0, size)

    assert (happy.low, happy.high) == pytest.approx((100 - 200 * missed, 100))
    assert (neither.low, neither.high) == pytest.approx((-100 * missed, 100 * missed))
    assert (unhappy.low, unhappy.high) == pytest.approx((-100, -100 + 200 * missed))


def test_without_surveys_sent_there_is_no_response_rate() -> None:
    assert score_of(30, 0, 0).response_rate is None


def test_a_corrected_answer_moves_from_one_counter_to_another() -> None:
    answers, counters = Answers(), dict[str, int]()
    for score, at, outcome in ((3, 10, "counted"), (9, 20, "corrected"), (0, 15, "superseded"), (9, 20, "superseded")):
        found, change = record(answers, answer(score, at=at))
        add(counters, change)
        assert found == outcome

    assert counters == {"transactional.20500.promoters.all": 1, "transactional.20500.answered.all": 1}


def test_only_the_last_relational_answer_counts() -> None:
    answers, counters = Answers(), dict[str, int]()
    for survey, sent, score in (("spring", DAY, 9), ("summer", DAY + 90, 4), ("winter", DAY - 90, 10)):
        add(counters, record(answers, answer(score, survey, kind="relational", sent=sent))[1])

    assert {name: count for name, count in counters.items() if "answered" not in name} == {
        f"relational.{DAY + 90}.detractors.all": 1
    }


def test_kinds_days_and_segments_are_kept_apart() -> None:
    counters = merged(
        record(Answers(), given_answer)[1]
        for given_answer in (
            answer(10, segments=("carrier:dhl",)),
            answer(2, segments=("carrier:ups.express",)),
            answer(2, sent=DAY + 1),
            answer(2, kind="relational"),
        )
    )

    def groups(kind: Kind, first: int, last: int, segment: str = nps.ALL) -> tuple[int, int]:
        found = read_nps(counters, kind, first, last, segment)
        return found.promoters, found.detractors

    assert groups("transactional", DAY, DAY) == (1, 1)
    assert groups("transactional", DAY, DAY + 1) == (1, 2)
    assert groups("transactional", DAY, DAY, "carrier:dhl") == (1, 0)
    assert groups("transactional", DAY, DAY, "carrier:ups.express") == (0, 1)
    assert groups("relational", DAY, DAY) == (0, 1)


def test_a_score_off_the_scale_is_refused() -> None:
    answers = Answers()

    assert record(answers, answer(11)) == ("out_of_range", {})
    assert record(answers, answer(-1)) == ("out_of_range", {})
    assert answers == Answers()


@given(
    told=st.lists(
        st.builds(
            answer,
            st.integers(0, 10),
            st.sampled_from(["a", "b", "c"]),
            kind=st.sampled_from(["relational", "transactional"]),
            sent=st.just(DAY),
            at=st.integers(0, 5),
        ),
        max_size=8,
    ).flatmap(lambda events: st.tuples(st.just(events), st.permutations(events)))
)
def test_the_order_of_answers_leaves_no_trace(told: tuple[list[Answer], list[Answer]]) -> None:
    totals = []
    for events in told:
        answers, counters = Answers(), dict[str, int]()
        for event in events:
            add(counters, record(answers, event)[1])
        kept = {name: count for name, count in counters.items() if "answered" not in name}
        assert kept == contribution_of_all(answers)
        totals.append(kept)

    assert totals[0] == totals[1]


def test_answers_stay_bounded_and_old_ones_stay_counted() -> None:
    answers, counters = Answers(), dict[str, int]()
    for number in range(ANSWERS_MAX + 5):
        add(counters, record(answers, answer(9, f"s{number}", sent=DAY + number))[1])

    assert len(answers.transactional) == ANSWERS_MAX
    assert answers.transactional[0].survey_id == "s5"
    assert read_nps(counters, "transactional", DAY, DAY + 99).promoters == ANSWERS_MAX + 5


def test_the_groups_are_the_usual_ones() -> None:
    assert [group_of(score) for score in range(11)] == ["detractors"] * 7 + ["passives"] * 2 + ["promoters"] * 2
