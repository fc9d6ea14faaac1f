"""The inbox takes chunks of its own session, in order, and says when it is full."""

from streams.inbox import EARLY_MAX, Inbox
from streams.record import Chunk, Record


def chunk(*offsets: int, session: int = 1) -> Chunk:
    return Chunk("orders", 0, session, [Record(offset, 0, None, b"") for offset in offsets])


def opened(offset: int = 0, end: int = 0, bound: int = 100) -> Inbox:
    inbox = Inbox("orders", bound=bound)
    inbox.open(1, offset, end)
    return inbox


def offsets(inbox: Inbox) -> list[int]:
    found = []
    while (records := inbox.pop()) is not None:
        found += [record.offset for record in records]
    return found


def test_a_chunk_of_an_old_session_is_refused() -> None:
    inbox = opened(5)
    inbox.append(chunk(0, 1, session=0), 1, 2)

    assert inbox.empty
    assert inbox.refused == 1
    assert not inbox.gap


def test_what_lies_below_the_expected_offset_is_cut_off() -> None:
    inbox = opened(2)
    inbox.append(chunk(0, 1, 2, 3), 1, 4)

    assert offsets(inbox) == [2, 3]


def test_a_hole_in_the_offsets_is_accepted() -> None:
    inbox = opened()
    inbox.append(chunk(0, 7), 1, 8)
    inbox.append(chunk(12), 2, 13)

    assert not inbox.gap
    assert offsets(inbox) == [0, 7, 12]


def test_a_lost_chunk_is_noticed_and_nothing_behind_it_taken() -> None:
    inbox = opened()
    inbox.append(chunk(0), 1, 1)
    inbox.append(chunk(2), 3, 3)

    assert inbox.gap
    assert offsets(inbox) == [0]


def test_chunks_that_overtake_the_number_of_their_session_are_kept() -> None:
    inbox = Inbox("orders")
    inbox.append(chunk(0, 1, session=4), 1, 2)
    inbox.append(chunk(3, session=5), 1, 4)
    inbox.append(chunk(4, session=5), 2, 5)
    inbox.open(5, 3, 9)

    assert offsets(inbox) == [3, 4]
    assert inbox.behind


def test_more_of_them_than_there_is_room_for_are_lost_and_that_is_noticed() -> None:
    inbox = Inbox("orders")
    for number in range(1, EARLY_MAX + 2):
        inbox.append(chunk(number), number, number + 1)
    inbox.open(1, 0, EARLY_MAX + 3)
    kept = inbox.waiting
    inbox.append(chunk(EARLY_MAX + 2), EARLY_MAX + 2, EARLY_MAX + 3)

    assert (kept, inbox.gap) == (EARLY_MAX, True)


def test_how_far_a_topic_was_in_an_old_session_says_nothing_of_the_new_one() -> None:
    inbox = opened(end=10)
    inbox.reached(0, 0, 10, 20)

    assert (inbox.position, inbox.end) == (0, 10)


def test_a_topic_that_is_opened_behind_its_end_holds_nothing_more() -> None:
    inbox = opened(7, end=5)

    assert (inbox.end, inbox.behind) == (7, False)


def test_trailing_markers_count_as_read_only_once_all_chunks_are_here() -> None:
    inbox = opened(end=10)
    inbox.reached(1, 1, 10, 10)
    before = inbox.behind
    inbox.append(chunk(0), 1, 1)
    inbox.reached(1, 1, 10, 10)

    assert (before, inbox.behind) == (True, False)


def test_full_is_told_once_and_half_once() -> None:
    told: list[str] = []
    inbox = Inbox("orders", bound=4, on_full=lambda _: told.append("full"), on_half=lambda _: told.append("half"))
    inbox.open(1, 0, 0)
    fullness = [inbox.append(chunk(n), n + 1, n + 1) for n in range(6)]
    left = []
    while inbox.pop() is not None:
        left.append((inbox.waiting, told[-1]))

    assert fullness == [False, False, False, True, True, True]
    assert told == ["full", "half"]
    assert left[2:4] == [(3, "full"), (2, "half")]


def test_a_dropped_inbox_is_empty_and_waits_for_a_session() -> None:
    inbox = opened()
    inbox.append(chunk(0), 1, 1)
    inbox.drop()
    inbox.append(chunk(1), 2, 2)

    assert inbox.empty
    assert inbox.session is None
