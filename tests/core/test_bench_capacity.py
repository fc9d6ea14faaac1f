"""The plan: costs that are fitted, a simulation held against queueing theory, arithmetic that is worked out by hand."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench import report
from bench.capacity.arrivals import Arrival, arrivals, harmonic, poisson, shares_of_partitions
from bench.capacity.check import calibrated, compare, one_worker
from bench.capacity.coefficients import Coefficients, Cost, Load, fitted, nonnegative_least_squares
from bench.capacity.page import PAGE, filled
from bench.capacity.plan import Assumptions, Basis, Prices, plan_for, read_basis
from bench.capacity.simulation import Model, Outcome, Times, simulate
from streams.home import home_partition

FREE = Cost(base=0.0)
BASIS = Basis(
    prices=Prices(currency="EUR", vcpu_hour=0.1, ram_gb_hour=0.01, disk_gb_month=0.05),
    assumptions=Assumptions(
        customers_per_event_s=1_000.0,
        peak_to_mean=2.0,
        worker_load=0.5,
        redis_load=0.5,
        kafka_load=0.5,
        redis_copies=2,
        redis_headroom=1.5,
        shard_gb=20.0,
        shard_mb_s=100.0,
        record_batch_events=20.0,
        kafka_copies=3,
        retention_days=7.0,
        hot_events_s=50.0,
        partitions_per_worker=4,
        partitions_min=32,
        cores_per_broker=4,
    ),
)
COSTS = Coefficients(
    worker=Cost(base=0.0, commit_s=1e-3, record_batch_s=1e-4, event_s=14e-6),
    redis=Cost(base=0.0, commit_s=1e-4, event_s=2e-6),
    kafka=Cost(base=0.0, event_s=3e-6),
    commit_max=1_000.0,
    trigger_s=100e-6,
    triggers_per_event=0.01,
    redis_bytes_per_event=500.0,
    log_bytes_per_event=100.0,
)


# --- costs --------------------------------------------------------------------------------------------------------


def load(per_s: float, commits_per_s: float, batches_per_s: float, cost: Cost, seconds: float = 10.0) -> Load:
    """A load in which the worker spends exactly what the cost says."""
    spent_s = cost.base + cost.commit_s * commits_per_s + cost.record_batch_s * batches_per_s + cost.event_s * per_s
    return Load(
        name="x",
        seconds=seconds,
        events=round(per_s * seconds),
        record_batches=round(batches_per_s * seconds),
        commits=round(commits_per_s * seconds),
        cpu_s=(spent_s * seconds, 0.0, 0.0),
    )


def loads(cost: Cost) -> list[Load]:
    rates = [(1_000, 500, 800), (10_000, 700, 1_600), (30_000, 300, 1_600), (10_000, 250, 320), (60_000, 50, 900)]
    return [load(*rate, cost) for rate in rates]


@pytest.mark.parametrize(
    "cost",
    [
        Cost(base=0.03, commit_s=600e-6, record_batch_s=100e-6, event_s=14e-6),
        Cost(base=0.0, commit_s=0.0, record_batch_s=50e-6, event_s=10e-6),
        Cost(base=0.1, commit_s=1e-3, record_batch_s=0.0, event_s=5e-6),
    ],
)
def test_costs_are_found_again_from_what_loads_spent(cost: Cost) -> None:
    found = fitted(cost.base, loads(cost), 0)

    assert (found.commit_s, found.record_batch_s, found.event_s) == pytest.approx(
        (cost.commit_s, cost.record_batch_s, cost.event_s), rel=1e-6, abs=1e-9
    )


def test_two_loads_do_not_tell_three_costs_apart() -> None:
    with pytest.raises(ValueError, match="three loads"):
        fitted(0.0, loads(COSTS.worker)[:2], 0)


@given(
    st.lists(st.lists(st.floats(0.1, 10.0), min_size=3, max_size=3), min_size=4, max_size=8),
    st.lists(st.floats(-5.0, 5.0), min_size=8, max_size=8),
)
def test_the_best_nonnegative_solution_meets_the_conditions_of_karush_kuhn_tucker(
    rows: list[list[float]], wanted: list[float]
) -> None:
    targets = wanted[: len(rows)]
    x = nonnegative_least_squares(rows, targets)
    rest = [sum(a * b for a, b in zip(row, x, strict=True)) - target for row, target in zip(rows, targets, strict=True)]
    gradient = [sum(row[column] * error for row, error in zip(rows, rest, strict=True)) for column in range(3)]
    size = max(1.0, *(abs(target) for target in targets)) * 100 * len(rows)

    assert all(value >= 0 for value in x)
    assert all(slope >= -1e-5 * size for slope in gradient)
    assert all(abs(slope) <= 1e-5 * size for slope, value in zip(gradient, x, strict=True) if value > 0)


# --- what comes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number, expected", [(1, 1.0), (10, 7381 / 2520), (100, 5.187377517639621), (10**6, 14.392726722865724)]
)
def test_harmonic_numbers_are_those_of_the_tables(number: int, expected: float) -> None:
    assert harmonic(number) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("mean", [0.2, 3.0, 25.0, 80.0])
def test_poisson_numbers_have_their_mean_as_variance(mean: float) -> None:
    rng = Random(7)
    found = [poisson(rng, mean) for _ in range(20_000)]
    average = sum(found) / len(found)
    variance = sum((number - average) ** 2 for number in found) / len(found)

    assert average == pytest.approx(mean, rel=0.03)
    assert variance == pytest.approx(mean, rel=0.05)


def test_arrivals_come_at_their_rate_and_by_their_shares() -> None:
    coming = list(arrivals(1_000.0, [0.75, 0.25], seconds=20.0, seed=3, tick_s=0.01))
    by_partition = [sum(arrival.events for arrival in coming if arrival.partition == number) for number in (0, 1)]

    assert by_partition == pytest.approx([15_000, 5_000], rel=0.03)
    assert coming == sorted(coming, key=lambda arrival: arrival.at_s)


def test_shares_follow_zipf_and_the_homes_of_customers() -> None:
    shares = shares_of_partitions(4, 3)
    wanted = [0.0] * 4
    for rank in (1, 2, 3):
        wanted[home_partition(f"user-{rank}", 4)] += (1 / rank) / (11 / 6)

    assert shares == pytest.approx(wanted)


def test_nobody_has_more_than_the_bound_and_nothing_is_lost() -> None:
    shares = shares_of_partitions(64, 10**9, most=1e-4)

    assert sum(shares) == pytest.approx(1.0)
    assert max(shares) < 1.5 / 64


# --- the simulation -----------------------------------------------------------------------------------------------


def single(per_s: float, count: int) -> Iterator[Arrival]:
    """Poisson arrivals one by one."""
    rng, at_s = Random(11), 0.0
    for _ in range(count):
        at_s += rng.expovariate(per_s)
        yield Arrival(at_s, 0, 1)


@pytest.mark.parametrize("use", [0.3, 0.5, 0.8])
def test_one_event_at_a_time_waits_as_pollaczek_and_khinchine_say(use: float) -> None:
    """M/D/1: mean time in the system = service + use x service / (2 (1 - use)); Khinchine 1932."""
    service_s = 1e-3
    model = Model(
        partitions=1,
        workers=1,
        shards=1,
        worker=replace(FREE, event_s=service_s),
        redis=FREE,
        commit_max=1,
        slice_records=1,
    )
    count = 60_000
    found = simulate(model, single(use / service_s, count), until_s=count * service_s / use)

    assert found.worker_mean == pytest.approx(use, rel=0.02)
    assert found.mean_ms == pytest.approx((service_s + use * service_s / (2 * (1 - use))) * 1e3, rel=0.06)


def steady(model: Model, per_s: float, seconds: float = 4.0) -> Outcome:
    coming = arrivals(per_s, [1 / model.partitions] * model.partitions, seconds=seconds, seed=1, tick_s=0.005)
    return simulate(model, coming, until_s=seconds, settle_s=0.5)


def model_of(partitions: int = 8, workers: int = 1, shards: int = 1, core: float = 1.0, fetch_s: float = 1e-3) -> Model:
    return Model(
        partitions=partitions,
        workers=workers,
        shards=shards,
        worker=COSTS.worker,
        redis=COSTS.redis,
        commit_max=1_000,
        times=Times(fetch_s=fetch_s),
        core=core,
    )


def test_commits_grow_with_the_load_until_the_worker_can_do_no_more() -> None:
    sizes = [steady(model_of(), per_s) for per_s in (2_000.0, 20_000.0, 40_000.0, 90_000.0)]

    assert [round(found.commit_mean) for found in sizes] == sorted(round(found.commit_mean) for found in sizes)
    assert sizes[0].commit_mean < 10
    assert sizes[-1].commit_mean > 500
    assert sizes[1].unfinished < 1_000 < sizes[-1].unfinished


def test_two_workers_do_what_one_can_not() -> None:
    one, two = steady(model_of(workers=1), 90_000.0), steady(model_of(workers=2), 90_000.0)

    assert one.unfinished > 50_000
    assert two.unfinished < 10_000
    assert two.p99_ms < one.p99_ms / 4


def test_a_hot_partition_makes_its_worker_the_busiest() -> None:
    shares = [0.65, *[0.05] * 7]
    coming = arrivals(60_000.0, shares, seconds=3.0, seed=1, tick_s=0.005)
    found = simulate(model_of(workers=4), coming, until_s=3.0, settle_s=0.5)

    assert found.worker_most > 1.2 * found.worker_mean


def test_nothing_is_lost_or_done_twice() -> None:
    coming = list(arrivals(20_000.0, [1 / 8] * 8, seconds=1.0, seed=5, tick_s=0.005))
    total = sum(arrival.events for arrival in coming)
    found = simulate(model_of(), coming, until_s=30.0)
    spent_s = (found.worker_mean - COSTS.worker.base) * 30.0
    least_s = COSTS.worker.event_s * total + COSTS.worker.record_batch_s * len(coming)

    assert found.unfinished == 0
    assert least_s < spent_s <= least_s + COSTS.worker.commit_s * total / found.commit_mean * 1.001


def test_the_way_to_kafka_only_makes_all_latencies_longer() -> None:
    near, far = model_of(), replace(model_of(), times=Times(fetch_s=1e-3, way_s=0.1))

    assert steady(far, 10_000.0).p99_ms == pytest.approx(steady(near, 10_000.0).p99_ms + 100.0)


def test_the_check_finds_its_own_worker_again() -> None:
    """Loads that the simulation itself made must hold, with the times that made them."""
    times = Times(fetch_s=0.004, way_s=0.003)
    measured = []
    for per_s in (5_000.0, 20_000.0, 40_000.0):
        made = steady(one_worker(COSTS, 8, 0.9, times), per_s, seconds=10.0)
        measured.append(
            Load(
                name="x",
                seconds=10.0,
                events=round(per_s * 10),
                record_batches=0,
                commits=round(per_s * 10 / made.commit_mean),
                cpu_s=(made.worker_mean * 10.0, 0.0, 0.0),
                p50_ms=made.p50_ms,
                p99_ms=made.p99_ms,
                offered_per_s=per_s,
            )
        )
    found = calibrated(COSTS, measured, 8, 0.9)
    told = compare(COSTS, measured, 8, 0.9)

    assert found.fetch_s == pytest.approx(times.fetch_s, abs=0.002)
    assert all(one.use_holds and one.latency_holds for one in told)
    assert [one.calibrates for one in told] == [True, False, False]


def test_the_check_tells_what_does_not_hold() -> None:
    slow = [
        Load(
            name="x",
            seconds=10.0,
            events=round(per_s * 10),
            record_batches=0,
            commits=1_000,
            cpu_s=(1.0, 0.0, 0.0),
            p50_ms=900.0,
            p99_ms=9_000.0,
            offered_per_s=per_s,
        )
        for per_s in (2_000.0, 4_000.0)
    ]
    lowest, other = compare(COSTS, slow, 8, 1.0)

    assert not lowest.use_holds
    assert not other.latency_holds


# --- the plan -----------------------------------------------------------------------------------------------------


def test_a_plan_by_hand() -> None:
    plan = plan_for(100_000, COSTS, 5_000.0, BASIS, Times())
    # 14 us + 1 ms / 1,000 + 100 us / 20 + 1 % x 100 us = 21 us an event: 2.1 cores, 4.2 at half load.
    assert plan.workers == 5
    assert plan.worker_load == pytest.approx(2.1 / 5)
    assert plan.partitions == 32
    # 100 million customers of 5,000 bytes are 500 GB: 25 shards of 20 GB, far more than processor or bytes ask for.
    assert (plan.shards, plan.shard_because) == (25, "memory")
    assert plan.redis_mb_s == pytest.approx(50.0)
    # 3 us x 3 copies x 100,000 = 0.9 cores, 1.8 at half load: three brokers for three copies.
    assert plan.brokers == 3
    # 50,000 a second x 7 days x 100 bytes x 3 copies, and three times two copies of 500 GB.
    assert plan.disk_gb == pytest.approx(50_000 * 7 * 86_400 * 300 / 1e9 + 3_000)
    assert plan.money.workers == pytest.approx(5 * 0.1 * 730)
    assert plan.money.kafka == pytest.approx(12 * 0.1 * 730)
    # 50 threads, and 1,500 GB of which 200 come with them.
    assert plan.money.redis == pytest.approx(50 * 0.1 * 730 + 1_300 * 0.01 * 730)
    assert plan.money.disks == pytest.approx(plan.disk_gb * 0.05)
    assert plan.per_million == pytest.approx(plan.money.total / (50_000 * 730 * 3_600 / 1e6))


def test_more_events_never_need_less() -> None:
    plans = [plan_for(per_s, COSTS, 5_000.0, BASIS, Times()) for per_s in (1_000, 10_000, 100_000)]

    for name in ("workers", "partitions", "shards", "brokers", "redis_gb", "disk_gb"):
        values = [getattr(plan, name) for plan in plans]
        assert values == sorted(values), name


def test_what_asks_for_most_shards_is_named() -> None:
    few = replace(BASIS, assumptions=replace(BASIS.assumptions, customers_per_event_s=1.0))
    busy = replace(COSTS, redis=replace(COSTS.redis, event_s=50e-6))
    wordy = replace(COSTS, redis_bytes_per_event=50_000.0)

    assert plan_for(100_000, busy, 5_000.0, few, Times()).shard_because == "processor"
    assert plan_for(100_000, wordy, 5_000.0, few, Times()).shard_because == "bytes written"
    assert plan_for(1_000, COSTS, 5_000.0, few, Times()).shard_because == "one is enough"


def test_the_file_of_prices_is_read_and_a_wrong_name_in_it_is_an_error(tmp_path: Path) -> None:
    text = (Path(report.__file__).parent / "capacity" / "prices.toml").read_text()
    wrong = tmp_path / "prices.toml"
    wrong.write_text(text.replace("vcpu_hour", "cpu_hour"))

    assert 0 < read_basis().assumptions.worker_load < 1
    with pytest.raises(msgspec.ValidationError, match="cpu_hour"):
        read_basis(wrong)


# --- the page -----------------------------------------------------------------------------------------------------


def test_a_page_keeps_its_words_and_gets_its_tables() -> None:
    page = "words\n<!-- generated: a -->\nold\nrows\n<!-- end -->\nmore\n<!-- generated: b -->\n<!-- end -->\n"

    assert filled(page, {"a": "A\n", "b": "B"}) == (
        "words\n<!-- generated: a -->\nA\n<!-- end -->\nmore\n<!-- generated: b -->\nB\n<!-- end -->\n"
    )
    with pytest.raises(ValueError, match=r"\['a', 'b'\]"):
        filled(page, {"a": "A"})


def test_the_page_in_the_docs_is_the_one_of_the_committed_results() -> None:
    """Figures of the simulation may differ in the last digit between C libraries, so they are left out."""
    text = PAGE.read_text()
    anew = report.capacity_page(text)

    assert anew is not None
    assert without_simulated_figures(anew) == without_simulated_figures(text)


def without_simulated_figures(text: str) -> str:
    return re.sub(
        r"(<!-- generated: (?:simulated|check) -->\n)(.*?)(?=<!-- end -->)",
        lambda block: block[1] + re.sub(r"[\d.,]+|yes|no", "#", block[2]),
        text,
        flags=re.DOTALL,
    )


def test_a_partition_is_never_split() -> None:
    """The hottest customer bounds what a partition gets at least, however many partitions there are."""
    shares = shares_of_partitions(1_024, 1_000_000)

    assert max(shares) > 1 / harmonic(1_000_000)
    assert math.isclose(sum(shares), 1.0)
