"""Spend from its topic: corrections replace, repeats change nothing, and what can't be used is set aside by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.book import Book
from profiles.rates import build_rates
from schemas.money import exponent
from schemas.topics import CONSUMED, TOPICS
from streams.record import Record
from streams.reporting.spend_topic import TOPIC, fold
from streams.rows import row_of_reject

BOOK = Book(
    shop_currency="EUR", rates=build_rates([{"date": "2026-03-01", "currency": "USD", "rate": "0.5"}], "EUR", exponent)
)
MARCH = 2026 * 12 + 2


def said(
    offset: int, day: str, channel: str, amount: Any, *, key: str | None = None, **more: Any
) -> tuple[int, Record]:
    value = json.dumps({"day": day, "channel": channel, "amount_minor": amount, **more}).encode()
    return 0, Record(offset, 1_772_409_600_000 + offset, (key or f"{channel}|{day}").encode(), value)


def test_days_of_a_channel_are_added_up_by_month() -> None:
    found = fold(
        [said(0, "2026-03-01", "ads", 150), said(1, "2026-03-31", "ads", 200), said(2, "2026-04-01", "ads", 0)], BOOK
    )

    assert found.by_month == {("ads", MARCH): 350, ("ads", MARCH + 1): 0}
    assert found.rejected == []


def test_a_correction_takes_the_place_of_what_was_said_and_a_repeat_changes_nothing() -> None:
    first, again, correction = (said(n, "2026-03-01", "ads", amount) for n, amount in enumerate((100, 100, 70)))

    assert fold([first, again], BOOK).by_month == {("ads", MARCH): 100}
    assert fold([first, again, correction], BOOK).by_month == {("ads", MARCH): 70}
    assert fold([correction], BOOK) == fold([first, correction], BOOK)  # as compaction leaves it


def test_a_record_without_a_value_takes_back_what_its_key_said() -> None:
    gone = (0, Record(1, 0, b"ads|2026-03-01", None))

    assert fold([said(0, "2026-03-01", "ads", 100), gone], BOOK).by_month == {}
    assert fold([gone], BOOK).by_month == {}


def test_other_currencies_are_converted_at_the_rate_of_the_day() -> None:
    found = fold(
        [said(0, "2026-03-02", "ads", 101, currency="USD"), said(1, "2026-03-01", "ads", 7, currency="EUR")], BOOK
    )

    assert found.by_month == {("ads", MARCH): 57}  # 50.5 is rounded to the even 50


BAD: dict[str, tuple[tuple[int, Record], str]] = {
    "no JSON": ((0, Record(4, 0, b"ads|2026-03-01", b"{no")), "not_json"),
    "JSON nested too deep": (
        (0, Record(4, 0, b"ads|2026-03-01", b'{"x":' + b"[" * 9000 + b"]" * 9000 + b"}")),
        "too_deep",
    ),
    "no day": ((0, Record(4, 0, b"ads|2026-03-01", b'{"channel": "ads", "amount_minor": 1}')), "missing_field"),
    "a day that is none": (said(4, "2026-02-30", "ads", 1), "wrong_type"),
    "an amount in major units": (said(4, "2026-03-01", "ads", 12.5), "wrong_type"),
    "an amount below zero": (said(4, "2026-03-01", "ads", -1), "out_of_bounds"),
    "an empty channel": (said(4, "2026-03-01", "", 1), "out_of_bounds"),
    "no currency": (said(4, "2026-03-01", "ads", 1, currency="euro"), "out_of_bounds"),
    "a currency without a rate": (said(4, "2026-03-01", "ads", 1, currency="JPY"), "no_rate"),
    "another key": (said(4, "2026-03-01", "ads", 1, key="ads"), "wrong_key"),
    "no key": ((0, Record(4, 0, None, said(4, "2026-03-01", "ads", 1)[1].value)), "wrong_key"),
}


@pytest.mark.parametrize("record, reason", BAD.values(), ids=BAD)
def test_what_can_not_be_used_is_set_aside_by_name_and_leaves_what_was_said(
    record: tuple[int, Record], reason: str
) -> None:
    found = fold([said(0, "2026-03-01", "ads", 100), record], BOOK)

    assert found.by_month == {("ads", MARCH): 100}
    (rejected,) = found.rejected
    assert (rejected.reason, rejected.topic, rejected.partition, rejected.offset) == (reason, TOPIC, 0, 4)
    # Read again at the next report it has the id it had, by which the topic's readers drop it.
    assert row_of_reject(rejected).record_id == "spend/0/4"


def test_what_was_corrected_is_not_told_of_any_more() -> None:
    """Kafka may keep the wrong record beside the right one for weeks; nobody has to do anything about it."""
    wrong, right = said(0, "2026-03-01", "ads", 12.5), said(2, "2026-03-01", "ads", 1250)
    beside = said(1, "2026-03-02", "ads", 7.5)
    gone = (0, Record(3, 0, b"ads|2026-03-02", None))

    assert [one.offset for one in fold([wrong, beside, right], BOOK).rejected] == [1]
    assert fold([wrong, beside, right, gone], BOOK) == fold([right], BOOK)
    assert [one.offset for one in fold([right, said(3, "2026-03-01", "ads", -1)], BOOK).rejected] == [3]


@given(
    st.lists(
        st.tuples(st.sampled_from(("ads", "mail")), st.integers(1, 9), st.none() | st.integers(0, 99)), max_size=30
    )
)
def test_the_topic_says_the_same_however_far_it_was_compacted(told: list[tuple[str, int, int | None]]) -> None:
    records = [
        said(n, f"2026-03-0{day}", channel, amount)
        if amount is not None
        else (0, Record(n, 0, f"{channel}|2026-03-0{day}".encode(), None))
        for n, (channel, day, amount) in enumerate(told)
    ]
    newest = {record.key: (partition, record) for partition, record in records}

    assert fold(records, BOOK) == fold(newest.values(), BOOK)


def test_no_worker_reads_the_topic_and_it_is_kept_for_ever() -> None:
    (topic,) = (one for one in TOPICS if one.name == TOPIC)

    assert topic.name not in CONSUMED
    assert (topic.compacted, topic.retention_ms) == (True, -1)
