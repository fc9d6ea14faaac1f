"""The clock of a partition: by events while there is a backlog, by the wall once everything was read, never back."""

from hypothesis import given
from hypothesis import strategies as st

from streams.clock import ASKED_MAX, Clock

TOPICS = ("carts", "orders")


def clock(disorder_ms: int = 60, grace_ms: int = 10) -> Clock:
    return Clock(TOPICS, disorder_ms=disorder_ms, grace_ms=grace_ms)


def test_the_wall_counts_only_up_to_where_every_topic_was_read() -> None:
    subject = clock()
    subject.asked("carts", 1000, 5)
    subject.asked("orders", 1000, 7)
    subject.passed("carts", 5)
    held = subject.wall_reach_ms()
    subject.passed("orders", 6)
    almost = subject.wall_reach_ms()
    subject.passed("orders", 7)

    assert (held, almost, subject.wall_reach_ms()) == (-10, -10, 990)


def test_after_an_outage_the_clock_waits_for_the_queue() -> None:
    subject = clock()
    for topic in TOPICS:
        subject.asked(topic, 1000, 0)
        subject.passed(topic, 0)
    subject.asked("orders", 9000, 500)
    subject.asked("carts", 9000, 0)
    subject.passed("carts", 0)
    subject.passed("orders", 499)

    assert subject.wall_reach_ms() == 990


def test_a_silent_partition_follows_the_wall() -> None:
    subject = clock()
    reached = []
    for wall_ms in range(1000, 5000, 1000):
        for topic in TOPICS:
            subject.asked(topic, wall_ms, 3)
            subject.passed(topic, 3)
        reached.append(subject.wall_reach_ms())

    assert reached == [990, 1990, 2990, 3990]


def test_other_partitions_hold_it_back_only_downwards() -> None:
    subject = clock()
    subject.start(0, 5000)

    assert (subject.wall_reach_ms(3000), subject.wall_reach_ms(9000)) == (2990, 4990)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("asked"), st.sampled_from(TOPICS), st.integers(0, 10_000), st.integers(0, 50)),
        st.tuples(st.just("passed"), st.sampled_from(TOPICS), st.just(0), st.integers(0, 60)),
        st.tuples(st.just("advance"), st.just(""), st.integers(0, 10_000), st.just(0)),
    ),
    max_size=60,
)


@given(STEPS)
def test_it_never_goes_back_whatever_walls_and_logs_say(steps: list[tuple[str, str, int, int]]) -> None:
    subject = clock()
    seen = [(subject.now_ms, subject.t0_ms)]
    for kind, topic, at_ms, offset in steps:
        if kind == "asked":
            subject.asked(topic, at_ms, offset)
        elif kind == "passed":
            subject.passed(topic, offset)
        else:
            subject.advance(at_ms)
        seen.append((subject.now_ms, subject.t0_ms))

    assert [now for now, _ in seen] == sorted(now for now, _ in seen)
    assert [t0 for _, t0 in seen] == sorted(t0 for _, t0 in seen)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=400), st.integers(0, 2000))
def test_forgetting_questions_only_makes_it_slower(grown: list[int], passed: int) -> None:
    """However many questions were asked while the log grew, T0 is never later than the truth."""
    subject = Clock(("orders",), disorder_ms=0, grace_ms=0)
    end, truth = 0, 0
    for number, more in enumerate(grown):
        end += more
        subject.asked("orders", 1000 + number, end)
        if end <= passed:
            truth = 1000 + number
    subject.passed("orders", passed)

    assert subject.t0_ms <= truth
    if len(grown) <= ASKED_MAX:
        assert subject.t0_ms == truth
