"""Instants are read in the forms senders use, and the client's wrong clock is taken out of the event time."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import INSTANT_MAX_MS, InstantError, event_time, parse_epoch, parse_iso

NOON_MS = 1_714_564_800_000  # 2024-05-01T12:00:00Z


@pytest.mark.parametrize(
    "text,at_ms",
    [
        ("2024-05-01T12:00:00Z", NOON_MS),
        ("2024-05-01T12:00:00.000Z", NOON_MS),
        ("2024-05-01T12:00:00.1Z", NOON_MS + 100),
        ("2024-05-01T12:00:00.123456789Z", NOON_MS + 123),
        ("2024-05-01T12:00:00.999999999999Z", NOON_MS + 999),
        ("2024-05-01T12:00:00,5Z", NOON_MS + 500),
        ("2024-05-01T14:00:00+02:00", NOON_MS),
        ("2024-05-01T14:00:00+0200", NOON_MS),
        ("2024-05-01T06:30:00-05:30", NOON_MS),
        ("2024-05-01T12:00:00", NOON_MS),
        ("2024-05-01 12:00:00", NOON_MS),
        (" 2024-05-01T12:00Z ", NOON_MS),
        ("2024-05-01t12:00:00.5z", NOON_MS + 500),
        ("2024-05-01", NOON_MS - 12 * 3_600_000),
        ("20240501", NOON_MS - 12 * 3_600_000),
        ("1970-01-01T00:00:00Z", 0),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("2016-12-31T23:59:60.500Z", 1_483_228_800_500),
        ("9999-12-31T23:59:59.999Z", INSTANT_MAX_MS),
    ],
)
def test_text_is_read_as_utc(text: str, at_ms: int) -> None:
    assert parse_iso(text) == at_ms


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2024-13-01", "2024-02-30", "2024-05-01T25:00:00Z", "Wed, 01 May 2024 12:00:00 GMT", "01/05/2024",
     "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-05:00", "2024-05-01T12:00:61Z", "2" * 100],
)  # fmt: skip
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(InstantError):
        parse_iso(text)


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)))  # noqa: DTZ001 -- Hypothesis wants naive bounds
def test_every_instant_is_read_as_the_standard_library_counts_it(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    days = aware.toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()
    at_ms = ((days * 24 + aware.hour) * 60 + aware.minute) * 60_000 + aware.second * 1000 + aware.microsecond // 1000

    assert parse_iso(aware.isoformat()) == at_ms


@pytest.mark.parametrize(
    "number,at_ms",
    [
        (1_714_564_800, NOON_MS),
        (1_714_564_800.25, NOON_MS + 250),
        (1_714_564_800_000, NOON_MS),
        (1_714_564_800_000.0, NOON_MS),
        (1_714_564_800_000_999, NOON_MS),
        (100_000_000, 100_000_000_000),
        (99_999_999_999, 99_999_999_999_000),
        (100_000_000_000, 100_000_000_000),
    ],
)
def test_numbers_are_seconds_milliseconds_or_microseconds_by_their_size(number: float, at_ms: int) -> None:
    assert parse_epoch(number) == at_ms


@pytest.mark.parametrize(
    "number",
    [0, 1, -1, -1_714_564_800_000, 99_999_999, 10**17, 2**64, 10**400, 1e300, float("nan"), float("inf"), True],
)
def test_numbers_no_unit_makes_plausible_are_refused(number: float) -> None:
    with pytest.raises(InstantError):
        parse_epoch(number)


def test_a_clock_an_hour_ahead_is_taken_out() -> None:
    hour = 3_600_000
    # made at 12:00, sent at 12:05 and received 12:05:01, by a client whose clock is an hour ahead
    found = event_time(NOON_MS + hour, NOON_MS + hour, NOON_MS + hour + 300_000, NOON_MS + 301_000, 0)

    assert found == (NOON_MS + 1000, NOON_MS + 301_000)


def test_an_event_of_a_device_whose_clock_was_set_only_before_it_was_sent_happened_when_it_was_received() -> None:
    received = NOON_MS + 1000

    assert event_time(7_000, 7_000, NOON_MS, received, 0) == (received, received)
    # A clock that was never set runs all the same, and one that runs ahead of the times is no better.
    assert event_time(7_000, 7_000, 67_000, received, 0) == (received - 60_000, received)
    assert event_time(NOON_MS + 10**12, NOON_MS + 10**12, NOON_MS, received, 0) == (received, received)
    # History from before the shop's tracker.
    assert event_time(852_076_800_000, 852_076_800_000, NOON_MS, NOON_MS, 0) == (852_076_800_000, NOON_MS)


@pytest.mark.parametrize("missing", ["original", "sent", "received"])
def test_the_timestamp_holds_unless_all_three_clocks_are_known(missing: str) -> None:
    clocks: dict[str, int | None] = {"original": NOON_MS - 9_000, "sent": NOON_MS - 5_000, "received": NOON_MS}
    clocks[missing] = None

    assert event_time(NOON_MS - 1, clocks["original"], clocks["sent"], clocks["received"], NOON_MS)[0] == NOON_MS - 1


def test_the_future_becomes_the_time_of_receipt() -> None:
    tolerated, too_far = NOON_MS + 300_000, NOON_MS + 300_001

    assert event_time(tolerated, None, None, NOON_MS, 0) == (tolerated, NOON_MS)
    assert event_time(too_far, None, None, NOON_MS, 0) == (NOON_MS, NOON_MS)
    assert event_time(too_far, None, None, None, NOON_MS) == (NOON_MS, NOON_MS)


@pytest.mark.parametrize("record_ms", [0, -1, INSTANT_MAX_MS + 1])
def test_without_any_time_of_receipt_the_event_was_received_when_it_happened(record_ms: int) -> None:
    assert event_time(NOON_MS, None, None, None, record_ms) == (NOON_MS, NOON_MS)


_INSTANTS = st.integers(0, INSTANT_MAX_MS)


@given(_INSTANTS, st.none() | _INSTANTS, st.none() | _INSTANTS, st.none() | _INSTANTS, st.integers(-1, 2**63))
def test_event_time_stays_in_bounds_and_never_runs_ahead(
    timestamp: int, original: int | None, sent: int | None, received: int | None, record: int
) -> None:
    time_ms, received_ms = event_time(timestamp, original, sent, received, record)

    assert 0 <= time_ms <= INSTANT_MAX_MS
    assert 0 <= received_ms <= INSTANT_MAX_MS
    assert time_ms <= received_ms + 300_000
