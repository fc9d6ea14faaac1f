"""Live load: which record is due when, and what latencies follow, worked out by hand on streams of a few records."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.generator import Record, Scenario, records
from bench.latencies import gathered
from bench.schedule import BACKLOG_TICK, LiveStream, Load, backlog, live_load, stamped
from bench.sender import _ticks
from bench.timetable import Changed, Move, Stretch, Timetable, Told
from bench.watches import as_change, as_order_output
from schemas.decode import Decoder
from schemas.events import Arrival

T = 1_790_000_000_000
SCENARIO = Scenario(events=0, customers=20, partitions=2)


def test_the_stream_is_that_of_the_generator_with_other_times() -> None:
    load = live_load(100.0, 2.0, T)
    live = list(LiveStream(SCENARIO).take(load))
    made = list(records(Scenario(events=200, customers=20, partitions=2)))
    decoder = Decoder("USD")

    assert [(record.partition, record.user) for record in live] == [(record.partition, record.user) for record in made]
    for number, record in enumerate(live):
        arrival = decoder.decode(record.value, T + 10_000)
        assert isinstance(arrival, Arrival)
        assert arrival.time_ms == load.event_ms(number)
        assert arrival.received_ms == load.event_ms(number)
        assert len(record.value) == len(made[number].value)


def test_loads_continue_the_stream_where_the_last_one_ended() -> None:
    stream, whole = LiveStream(SCENARIO), LiveStream(SCENARIO)
    parts = [*stream.take(live_load(10.0, 3.0, T)), *stream.take(backlog(20, 1_000, T))]

    assert [record.user for record in parts] == [record.user for record in whole.take(live_load(10.0, 5.0, T))]


def test_live_event_times_run_with_the_rate_and_those_of_a_backlog_fill_their_span() -> None:
    live, past = live_load(200.0, 10.0, T), backlog(1_000, 60_000, T)

    assert live.count == 2_000
    assert live.event_ms(1_000) - live.event_ms(0) == 5_000
    assert live.event_ms(0) >= T
    assert (past.event_ms(0), past.event_ms(999)) == (T - 60_000, T - 60)


def test_only_the_two_times_of_an_event_are_stamped() -> None:
    value = b'{"event":"x","message_id":"m","timestamp_ms":1704067200000,"received_at_ms":1704067200040,"user_id":"u"}'

    assert stamped(value, T) == value.replace(b"1704067200000", b"%d" % T).replace(b"1704067200040", b"%d" % T)


class FakeBatch:
    """Remembers what was put into it."""

    def __init__(self) -> None:
        self.held: list[bytes] = []

    def append(self, key: bytes, value: bytes, timestamp: None) -> object:
        self.held.append(value)
        return self

    def _build(self) -> None:
        """Nothing to compress."""


def ticks_of(load: Load) -> list[int]:
    producer: Any = SimpleNamespace(create_batch=FakeBatch)
    found: Any = _ticks(producer, LiveStream(SCENARIO), load)
    return [sum(len(batch.held) for batch in batches.values()) for batches in found]


@pytest.mark.parametrize("per_s, seconds", [(1_000.0, 0.1), (30.0, 1.0), (333.0, 0.5)])
def test_a_record_goes_out_at_the_end_of_the_tick_in_which_it_is_due(per_s: float, seconds: float) -> None:
    load = live_load(per_s, seconds, T)
    sent = ticks_of(load)
    due = [math.floor(number / (per_s * load.tick_s) + 1e-9) for number in range(load.count)]

    assert sum(sent) == load.count
    assert sent == [due.count(tick) for tick in range(len(sent))]


def test_a_backlog_goes_out_in_large_batches() -> None:
    assert ticks_of(backlog(2 * BACKLOG_TICK + 5, 1_000, T)) == [BACKLOG_TICK, BACKLOG_TICK, 5]


# --- latencies ----------------------------------------------------------------------------------------------------


def stretch(**changed: Any) -> Stretch:
    """Partition 0: five records from offset 10 on, one a second. It began at 100 s of the clock."""
    given: dict[str, Any] = {
        "load": Load(count=5, first_ms=T, step_ms=1_000.0, per_s=1.0),
        "first": [10],
        "due": [[0.0, 1.0, 2.0, 3.0, 4.0]],
        "began_s": 100.0,
    }
    return Stretch(**given | changed)


def test_a_record_is_durable_when_the_offset_has_passed_it() -> None:
    moves = [Move(99.0, 0, 10), Move(100.5, 0, 11), Move(102.25, 0, 13), Move(104.0, 0, 15)]

    assert stretch().of_profiles(moves, settle_s=0.0) == pytest.approx([500.0, 1_250.0, 250.0, 1_000.0, 0.0])


def test_an_engine_that_stands_still_is_charged_with_all_that_came_meanwhile() -> None:
    stood_still = stretch().of_profiles([Move(99.0, 0, 10), Move(104.5, 0, 15)], settle_s=0.0)

    assert stood_still == pytest.approx([4_500.0, 3_500.0, 2_500.0, 1_500.0, 500.0])


def test_the_first_seconds_do_not_count() -> None:
    assert len(stretch().of_profiles([Move(105.0, 0, 15)], settle_s=2.0)) == 3


def test_an_offset_beyond_the_load_counts_for_what_belongs_to_it() -> None:
    assert len(stretch().of_profiles([Move(110.0, 0, 99), Move(111.0, 0, 120)], settle_s=0.0)) == 5


def test_a_state_shows_all_events_up_to_its_time() -> None:
    seen = stretch(customers={"u": [(T, 0.0), (T + 1_000, 1.0), (T + 3_000, 3.0)], "v": [(T + 2_000, 2.0)]})
    changes = [Changed(101.5, "u", T + 1_000), Changed(101.6, "u", T + 1_000), Changed(103.0, "v", T + 2_000)]

    assert seen.of_changes(changes, settle_s=0.0) == pytest.approx([1_500.0, 500.0, 1_000.0])


def test_an_order_is_answered_by_the_first_record_that_names_it() -> None:
    seen = stretch(orders={"o1": 1.0, "o2": 2.0})
    told = [Told(101.25, "o1"), Told(101.5, "o1"), Told(102.0, "elsewhere")]

    assert seen.of_orders(told, settle_s=0.0) == pytest.approx([250.0])


def test_the_timetable_knows_offsets_orders_and_customers_without_repeats() -> None:
    heard: list[bytes] = []
    timetable = Timetable(SCENARIO, sampled=[0], hear=heard.append)
    load = live_load(1_000.0, 3.0, T)
    first, second = timetable.take(load), timetable.take(load)
    stream = [*LiveStream(SCENARIO).take(live_load(1_000.0, 6.0, T))]
    in_first = stream[:3_000]

    assert first.first == [0, 0]
    assert second.first == first.end == [sum(record.partition == number for record in in_first) for number in (0, 1)]
    assert len(heard) == 6_000
    assert len(first.orders) == len({_order_id(record) for record in in_first if b'"Order Completed"' in record.value})
    assert sum(map(len, first.customers.values())) == len(
        {_message_id(record) for record in in_first if record.partition == 0}
    )


def test_no_repeat_is_a_witness() -> None:
    heard: list[bytes] = []
    scenario = Scenario(events=0, customers=500, partitions=1)
    stretch = Timetable(scenario, hear=heard.append).take(live_load(2_000.0, 10.0, 1_800_000_000_000))
    first_of: dict[str, int] = {}
    for place, value in enumerate(heard):
        first_of.setdefault(value.split(b'"message_id":"')[1][:32].decode(), place)

    assert len(first_of) < len(heard), "the stream has repeats"
    assert stretch.witnesses
    assert {offset - 1 for _, offset in stretch.witnesses} <= set(first_of.values())


def test_record_batches_are_counted_by_tick_and_partition() -> None:
    found = stretch(
        load=Load(count=4, first_ms=T, step_ms=1.0, per_s=1_000.0, tick_s=0.005),
        first=[0, 0],
        due=[[0.001, 0.004, 0.006], [0.012]],
    )

    assert found.record_batches == 3


def _message_id(record: Record) -> bytes:
    return record.value.split(b'"message_id":"')[1][:32]


def _order_id(record: Record) -> bytes:
    return record.value.split(b'"order_id":"')[1].split(b'"')[0]


def test_what_watchers_make_of_records() -> None:
    changed = SimpleNamespace(key=b"user-1", timestamp=T, value=b"binary")
    told = SimpleNamespace(key=b"user-1", timestamp=T, value=b'{"name":"trigger.converted","order_id":"o-1"}')
    other = SimpleNamespace(key=b"user-1", timestamp=T, value=b'{"name":"welcome"}')

    assert as_change(1.0, changed) == Changed(1.0, "user-1", T)
    assert as_order_output(1.0, told) == Told(1.0, "o-1")
    assert as_order_output(1.0, other) is None


@given(
    st.lists(st.floats(min_value=0.02, max_value=1e6), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99, 1.0])
)
def test_quantiles_are_right_to_one_percent(latencies_ms: list[float], q: float) -> None:
    exact = sorted(latencies_ms)[math.ceil(q * len(latencies_ms)) - 1]
    found = gathered(latencies_ms)

    assert found.count == len(latencies_ms)
    assert exact * (1 - 1e-9) <= found.quantile_ms(q) <= exact * 1.0101


def test_no_latencies_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="no latencies"):
        gathered([]).quantile_ms(0.5)
