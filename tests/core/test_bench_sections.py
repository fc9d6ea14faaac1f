"""The sections of the further studies, from small results whose figures are worked out by hand."""

import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.capacity.coefficients import Load
from bench.engines.run import Round
from bench.figures import Mark
from bench.generator import Scenario
from bench.guard.counting import PARTS, REFERENCE, Counts
from bench.latencies import gathered
from bench.machine import Machine
from bench.memory import Memory
from bench.observed_worker import FIELDS, Observed, Sheet
from bench.processes import EngineStopped, Processes
from bench.results import Result
from bench.stream_file import StreamFacts
from bench.studies import STUDIES
from bench.studies.capacity import CapacityData, TriggerCost
from bench.studies.coalescing import CoalescingData, OfScenario, Writes
from bench.studies.collector import Calls, CollectorData
from bench.studies.latency import LatencyData, LatencyRound, Lengths, Level
from bench.studies.memory import MemoryData
from bench.studies.profile import ProfileData, RedisWork, Stretch
from bench.studies.profile_section import HALF, SATURATED, us_by_stage
from bench.studies.scale import Runs, ScaleData, Variant
from bench.studies.takeover.handover import Handover, HandoverData, longest_standstill_s
from bench.studies.takeover.outage import Outage, OutageData
from bench.studies.takeover.restore import AGAIN, RestoreData, Start
from bench.studies.triggers import TriggersData
from bench.timetable import Move

SCENARIO = Scenario(events=0, customers=100_000)


def section(study: str, case: str, data: Any) -> str:
    """The section as it comes out of a result file."""
    machine = Machine(
        cpu="x", cores=2, memory_gb=1.0, system="x", kafka="x", redis="x", java="x", python="x", commit="x"
    )
    written = Result(study=study, case=case, label="x", began="x", command="x", machine=machine, data=data)
    read = msgspec.json.decode(msgspec.json.encode(written), type=Result)
    return STUDIES[study].section([read])


def row(text: str, begins: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {begins}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def ms_of(cell: str) -> list[float]:
    """The figures of `30 ms (20 ms to 40 ms)`."""
    return [float(figure) for figure in re.findall(r"([\d.]+) ms", cell)]


# --- latency ------------------------------------------------------------------------------------------------------


def level(share: float, ms: float) -> Level:
    return Level(
        share=share,
        per_s=share * 40_000,
        behind_s=0.1,
        profiles=gathered([ms] * 99 + [10 * ms]),
        outputs=gathered([2 * ms] * 100),
        orders=125,
        acknowledged=gathered([1.0]),
        cpu=(0.5, 0.25, 0.1),
        witnesses=10,
        blind=0,
    )


def latency(**changed: Any) -> str:
    rounds = [
        LatencyRound(
            engine="regulars",
            number=number,
            saturation_per_s=40_000.0,
            levels=[level(share, ms) for share in (0.1, 0.5)],
            **changed,
        )
        for number, ms in ((1, 20.0), (2, 30.0), (3, 40.0))
    ]
    lengths = Lengths(backlog=1, saturate_s=1.0, level_s=40.0, settle_s=5.0, rounds=3)
    return section("latency", "live", LatencyData(scenario=SCENARIO, lengths=lengths, rounds=rounds, versions={}))


def test_latencies_are_shown_by_load_with_their_spread_over_rounds() -> None:
    text = latency()

    (title, *cells) = row(text, "Regulars, 50%")

    assert title == "Regulars, 50% of 40,000"
    # Buckets are one percent wide.
    assert [ms_of(cell) for cell in cells[:6]] == [
        *(pytest.approx(wanted, rel=0.015) for wanted in ([30, 20, 40], [30, 20, 40], [300, 200, 400])),
        *[pytest.approx([60, 40, 80], rel=0.015)] * 3,
    ]
    assert cells[6:] == ["0.50", "0.10", "0.25", "0.1 s"]
    assert "Of 60 profiles read in Redis when the offset had just passed an event of theirs, 0 did not show it." in text
    assert "every load lasts 40 s, of which the first 5 s do not count; 3 rounds, engines in turn" in text
    assert "Regulars: 600 of 750 orders led to a record." in text
    assert "totals and interests were right" in text


def test_a_round_with_a_wrong_result_is_named_and_shows_no_latency() -> None:
    text = latency(problem="totals of 1 customers: user-1: orders 1, right is 2\nlog")

    assert "Regulars, round 1: totals of 1 customers" in text
    assert "were right" not in text
    assert "| Regulars, 50%" not in text


# --- takeover -----------------------------------------------------------------------------------------------------


def test_a_standstill_lasts_from_the_last_move_before_to_the_next_one() -> None:
    moves = [Move(1.0, 0, 5), Move(2.0, 0, 6), Move(2.5, 1, 9), Move(9.0, 0, 7), Move(9.5, 0, 8), Move(12.0, 0, 9)]

    assert longest_standstill_s(moves, 0, 2.2, 10.0) == pytest.approx(7.0)
    assert longest_standstill_s(moves, 0, 9.1, 9.6) == pytest.approx(0.5)
    assert longest_standstill_s(moves, 0, 9.6, 11.0) == pytest.approx(2.5)
    assert longest_standstill_s(moves, 1, 2.6, 10.0) == float("inf")


def test_hand_overs_are_shown_by_what_happened_and_by_session() -> None:
    events = [
        Handover(kind="kill", session_ms=10_000, round=1, taken_s=[10.5, 10.7], kept_s=[0.5]),
        Handover(kind="kill", session_ms=10_000, round=2, taken_s=[10.9], kept_s=[0.3, 0.4]),
        Handover(kind="join", session_ms=10_000, round=1, taken_s=[0.2], kept_s=[]),
    ]
    text = section("takeover", "handover", HandoverData(scenario=SCENARIO, per_s=2_000.0, events=events))

    assert row(text, "a worker is killed")[1:] == ["10.70 s (10.50 s to 10.90 s)", "0.40 s (0.30 s to 0.50 s)", "2"]
    assert row(text, "a worker joins")[1:] == ["0.20 s", "–", "1"]
    assert "the kill included, every customer's totals and interests were right" in text


def test_an_outage_is_shown_with_the_rate_of_catching_up() -> None:
    outage = Outage(round=1, backlog=3_600_000, first_commit_s=3.0, caught_up_s=83.0, worked_off=4_000_000)
    text = section("takeover", "outage", OutageData(scenario=SCENARIO, per_s=1_000.0, outages=[outage]))

    assert row(text, "3,600,000") == ["3,600,000", "3.0 s", "83.0 s", "50,000", "1"]


def test_starts_are_shown_by_engine_and_what_it_finds() -> None:
    starts = [Start(engine="regulars", round=1, lost=AGAIN["regulars"][0], first_s=2.5, all_s=2.6)]
    starts += [
        Start(engine="kafka-streams", round=number, lost=lost, first_s=first_s, all_s=first_s + 1)
        for number, first_s in ((1, 20.0), (2, 24.0))
        for lost in AGAIN["kafka-streams"][1:]
    ]
    text = section("takeover", "restore", RestoreData(customers=1_000_000, starts=starts, redis_s=[3.0]))

    assert row(text, "Regulars, a new process")[1:] == ["2.5 s", "2.6 s", "1"]
    assert row(text, "Kafka Streams, a new process on an empty disk")[1:3] == [
        "22.0 s (20.0 s to 24.0 s)",
        "23.0 s (21.0 s to 25.0 s)",
    ]
    assert "was back after 3.0 s" in text


# --- scale --------------------------------------------------------------------------------------------------------


def facts_of(records: int, customers: int) -> StreamFacts:
    return StreamFacts(
        records=records,
        by_partition=[records],
        mix={},
        mean_bytes=320.0,
        customers=customers,
        days=1.0,
        orders=1,
        triggers=1,
    )


def runs(per_s: float, customers: int, problem: str | None = None) -> Runs:
    records = 1_000_000
    marks = [Mark(0.0, 0, 0.0, 0.0, 0.0), Mark(records / per_s, records, 15.0, 3.0, 2.0)]
    told = Round(
        engine="regulars", number=1, records=records, marks=marks, moves=2, rss_peak_bytes=200_000_000, problem=problem
    )
    return Runs(variant=Variant(scenario=SCENARIO), facts=facts_of(records, customers), rounds=[told])


def test_scale_is_shown_as_a_ratio_to_the_first_variant() -> None:
    data = ScaleData(
        runs={"base": runs(50_000.0, 100_000), "many": runs(40_000.0, 500_000), "wrong": runs(1.0, 10, "lost\nlog")}
    )
    text = section("scale", "regulars", data)

    assert row(text, "many") == ["many", "500,000", "2.0", "40,000", "0.80", "15.0", "2.0", "3.0", "200 MB"]
    assert row(text, "wrong")[2:] == ["–"] * 7
    assert "- wrong, round 1: lost\n" in text


# --- coalescing ---------------------------------------------------------------------------------------------------


def test_coalescing_is_events_for_each_profile_written() -> None:
    rounds = [Writes(events=6_000, commits=4, profiles=count) for count in (3_000, 4_000, 2_000)]
    told = OfScenario(scenario=SCENARIO, facts=facts_of(6_000, 90_000), rounds=rounds)
    text = section("coalescing", "regulars", CoalescingData(scenarios=[told]))

    assert row(text, "uniform")[1:] == ["90,000", "6,000", "1,500", "750 (500 to 1,000)", "2.00 (1.50 to 3.00)"]


# --- memory -------------------------------------------------------------------------------------------------------


def test_memory_is_shown_by_kind_and_by_the_triggers_that_are_on() -> None:
    one = Memory(
        customers=1_000, keys={"c": 3_000_000, "l": 2_000_000, "": 1_000}, used_before=1_000_000, used_after=7_000_000
    )
    every = Memory(customers=1_000, keys={"c": 4_000_000, "w": 500_000}, used_before=1_000_000, used_after=8_000_000)
    text = section("memory", "typical-buyer", MemoryData(by_triggers={"one": one, "all": every}))

    assert row(text, "triggers that are on") == ["triggers that are on", "one", "all"]
    assert row(text, "profile") == ["profile", "3,000", "4,000"]
    assert row(text, "who watches a product") == ["who watches a product", "0", "500"]
    assert row(text, "all keys") == ["all keys", "5,001", "4,500"]
    assert row(text, "what the server grew by") == ["what the server grew by", "6,000", "7,000"]
    assert "For 10,000,000 such customers that is 50.0 GB by keys, 60.0 GB by what the server grew" in text


# --- capacity -----------------------------------------------------------------------------------------------------


def capacity_load(name: str, per_s: float, commits: int, p50_ms: float) -> Load:
    """Ten seconds in which an event cost 14 us and a commit 600 us, and a quarter of that in Redis and Kafka each."""
    spent_s = per_s * 10 * 14e-6 + commits * 600e-6
    return Load(
        name=name,
        seconds=10.0,
        events=round(per_s * 10),
        record_batches=round(per_s),
        commits=commits,
        cpu_s=(spent_s, spent_s / 4, spent_s / 4),
        p50_ms=p50_ms,
        p99_ms=2 * p50_ms,
        offered_per_s=per_s,
    )


def test_capacity_shows_costs_and_the_simulation_beside_what_was_measured() -> None:
    nothing = Load(name="idle", seconds=10.0, events=0, record_batches=0, commits=0, cpu_s=(0.0, 0.0, 0.0))
    data = CapacityData(
        scenario=SCENARIO,
        loads=[
            capacity_load("backlog", 50_000.0, 300, 0.0),
            capacity_load("saturated", 45_000.0, 300, 0.0),
            capacity_load("10%", 5_000.0, 8_000, 15.0),
            capacity_load("50%", 22_000.0, 4_000, 30.0),
            nothing,
        ],
        triggers=[TriggerCost(triggers=1_000, events=100_000, cpu_with_s=2.1, cpu_without_s=2.0)],
        redis_bytes_per_event=400.0,
        log_bytes_per_event=85.0,
    )
    text = section("capacity", "regulars", data)

    assert row(text, "worker")[1:] == ["14.0", "0.0", "600.0", "0"]
    assert row(text, "Redis")[1] == "3.5"
    assert "Under full load a commit has 1,667 events. A trigger, with its timer and decisions, takes 100 us" in text
    assert "there is one for 100 events" in text
    assert row(text, "5,000 (calibrates)")[1] == "0.55"
    assert row(text, "22,000")[3] == "55.0"


# --- where the time goes ------------------------------------------------------------------------------------------


def observed(**changed: int) -> Observed:
    return Observed(**dict.fromkeys(FIELDS, 0) | changed)


def sampled(name: str) -> Stretch:
    return Stretch(
        name=name,
        seconds=2.0,
        events=100_000,
        cpu_s=2.0,
        samples={"encode": 300, "step: views": 500, "fetch: the client's thread": 200},
        ticks=1_000,
        waiting=50,
        waiting_of=1_000,
        redis=RedisWork(
            calls={"evalsha": 100, "mset": 400, "hset": 500, "mget": 100},
            used_us={"evalsha": 150_000},
            bytes_in=40_000_000,
            bytes_out=100_000,
            cpu_s=0.2,
        ),
        before=observed(pause_ns=1_000_000, blocks=1_000),
        after=observed(
            pause_ns=31_000_000,
            longest_pause_ns=12_000_000,
            collections_0=7,
            collections_2=1,
            tracked=5_000,
            blocks=3_500,
        ),
        native={"json_decode (msgspec)": 40},
    )


def test_processor_time_is_shared_out_by_samples() -> None:
    us = us_by_stage(sampled(SATURATED))

    assert sum(us.values()) == pytest.approx(20.0)
    assert us["encode"] == pytest.approx(6.0)
    assert us["step: views"] == pytest.approx(10.0)


def test_where_the_time_goes_is_shown_for_worker_redis_and_collector() -> None:
    text = section("profile", "regulars", ProfileData(scenario=SCENARIO, stretches=[sampled(SATURATED), sampled(HALF)]))

    assert row(text, "encode")[1:] == ["6.00", "30%", "6.00", "30%"]
    assert row(text, "**all**")[1] == "**20.0**"
    assert row(text, "saturated, 50,000 events/s")[1:] == ["80%", "5%", "15%", "20%"]
    redis, collector = text.split("### Redis")[1].split("### Garbage collector")

    assert row(redis, "saturated")[1:] == [
        "50",
        "0.002",
        "0.01",
        "1.50",
        "1.50",
        "400",
        "1",
        "2.00",
    ]
    assert row(collector, "saturated")[1:] == [
        *("7 / 0 / 1", "30 ms", "12 ms", "0", "5,000", "0", "3,500 (+2,500)"),
    ]
    assert "`json_decode (msgspec)` 40" in text


def test_numbers_of_a_worker_are_seen_by_the_harness(tmp_path: Path) -> None:
    sheet, same = Sheet.make(tmp_path / "sheet"), Sheet(tmp_path / "sheet")
    same.numbers[FIELDS.index("freed")] = 12_345

    assert sheet.read() == observed(freed=12_345)
    with pytest.raises(TimeoutError):
        sheet.ask(patience_s=0.0)


# --- the guard ----------------------------------------------------------------------------------------------------


def test_instructions_are_shown_as_they_are_and_in_loops() -> None:
    counts = Counts(
        python="3.11.7", valgrind="3.19.0", instructions=dict.fromkeys(PARTS, 75_000.0) | {REFERENCE: 50_000.0}
    )
    text = section("guard", "instructions", counts)

    assert row(text, "core, an order")[1:] == ["75,000", "1.50"]
    assert row(text, "the reference loop")[1:] == ["50,000", "1"]


# --- processes ----------------------------------------------------------------------------------------------------


def test_a_process_that_ends_by_itself_is_noticed_and_its_words_are_kept(tmp_path: Path) -> None:
    with Processes({"SAID": "good-bye"}, tmp_path / "log") as processes:
        ended = processes.start([sys.executable, "-c", "import os, sys; print(os.environ['SAID']); sys.exit(3)"])
        ended.wait()

        with pytest.raises(EngineStopped, match="exit code 3 at the beginning"):
            processes.check("at the beginning")
        assert processes.log_tail() == "good-bye\n"


def test_processes_are_stopped_killed_and_none_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_REDIS_URL", "redis://production")
    waits = [
        sys.executable,
        "-c",
        "import os, time; print('REGULARS_REDIS_URL' in os.environ, flush=True); time.sleep(60)",
    ]
    with Processes({}, tmp_path / "log") as processes:
        first, second, third = (processes.start(waits) for _ in range(3))
        processes.stop(first)
        processes.kill(second)

        assert processes.pids == [third.pid]
        processes.check("now")
    assert (first.returncode, second.returncode, third.returncode) == (-15, -9, -15)
    assert "True" not in (tmp_path / "log").read_text()


# --- triggers -----------------------------------------------------------------------------------------------------


def test_the_cost_of_triggers_is_the_median_of_ratios_of_rounds() -> None:
    data = TriggersData(
        events=1_000_000, customers=9, triggers=37, job=[10.0, 20.0, 10.0], everything=[30.0, 30.0, 20.0]
    )
    text = section("triggers", "all-built-in", data)

    assert row(text, "cart.abandoned alone")[1] == "10.0 (10.0 to 20.0)"
    assert row(text, "all 37")[1] == "30.0 (20.0 to 30.0)"
    assert "Ratio, round by round: 2.00 (1.50 to 3.00)" in text


# --- collector ----------------------------------------------------------------------------------------------------


def calls(asked_per_s: int, per_s: float, ms: list[float], cpu_s: float) -> Calls:
    return Calls(asked_per_s=asked_per_s, per_s=per_s, calls=len(ms), took=gathered(ms), cpu_s=cpu_s)


def test_reads_stand_in_one_row_for_each_rate_with_the_spread_over_rounds() -> None:
    data = CollectorData(
        batches=[calls(0, 30_000.0, [5.0] * 100, 0.4)],
        reads=[calls(1000, rate, [1.0] * 98 + [9.0] * 2, 0.1) for rate in (990.0, 1000.0)]
        + [calls(250, 250.0, [1.0], 0.1)],
    )
    text = section("collector", "one-process", data)

    assert row(text, "/v1/batch")[1:] == ["30,000", *["5.0"] * 3, "4.00"]
    assert row(text, "profile read, 250 a second")[1] == "250"
    read = row(text, "profile read, 1,000 a second")
    assert read[1] == "995 (990 to 1,000)"
    assert read[2].startswith("1.0")
    assert float(read[3]) == pytest.approx(9.0, rel=0.02)
