"""`regulars serve` under load: events accepted a second, and how long the read of a profile takes at rising rates.

First `/v1/batch` with 100 events a call (40 KB, a third of them orders, 100 customers a call) over 16 connections, as fast as
it is answered; every answer means that Kafka has the records, and at the end the records in Kafka are counted: a wrong count
has no speed. Then reads of different profiles: requests are sent by the clock whether or not earlier ones were answered, so
waiting counts.
"""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Final

import msgspec
import psutil
import uvloop
from msgspec import Struct

from bench.collector import (
    EVENTS_PER_CALL,
    PROFILES,
    batch_request,
    count_records,
    fill_profiles,
    read_at,
    send_batches,
    start,
)
from bench.figures import spread
from bench.latencies import Latencies, gathered
from bench.results import Result
from bench.studies.study import Case, Session
from bench.tables import table
from streams.local.kafka_server import KafkaServer
from streams.local.process import free_ports
from streams.local.redis_server import RedisServer

CONNECTIONS: Final = 16
RATES: Final = (250, 500, 1000, 2000)
ROUNDS: Final = 3
PREFIX: Final = "bench"
QUANTILES: Final = (0.5, 0.99, 0.999)
GOAL_MS: Final = 10
"""What 99 of 100 reads may take at 1,000 a second."""


class Calls(Struct, kw_only=True):
    """One stretch of calls: how many were asked for a second (0: as many as were answered), how many events or reads a second
    came of it, how long each took, and the CPU seconds of the serving process.
    """

    asked_per_s: int
    per_s: float
    calls: int
    took: Latencies
    cpu_s: float
    sent_back: int = 0


class CollectorData(Struct, kw_only=True):
    """What a result file of this study holds: of each round the batches, then the reads by rising rate."""

    batches: list[Calls]
    reads: list[Calls]
    profiles: int = PROFILES


class Collector:
    """The study."""

    name = "collector"

    def options(self, parser: ArgumentParser) -> None:
        """It has none of its own."""

    def run(self, session: Session, chosen: Namespace) -> Iterator[Case]:
        data = CollectorData(batches=[], reads=[])
        calls, seconds = (200, 1.0) if session.quick else (2_000, 5.0)
        rounds = chosen.rounds or (1 if session.quick else ROUNDS)
        kafka, redis = KafkaServer(session.folder / "kafka-collector"), RedisServer(session.folder / "redis-collector")
        server = None
        try:
            kafka.start()
            redis.start()
            fill_profiles(redis, PREFIX)
            (port,) = free_ports(1)
            server = start(kafka, redis, PREFIX, port)
            process = psutil.Process(server.pid)
            warm = [batch_request(-number) for number in range(1, 101)]
            uvloop.run(send_batches(port, warm, CONNECTIONS))
            sent = len(warm)
            for number in range(rounds):
                requests = [batch_request(number * calls + place) for place in range(calls)]
                data.batches.append(_batches(port, requests, process))
                sent += calls
                data.reads += [_reads(port, rate, seconds, process) for rate in RATES]
                for told in (data.batches[-1], *data.reads[-len(RATES) :]):
                    print(f"  round {number + 1}  {_line(told)}", flush=True)
            found = count_records(kafka.bootstrap, PREFIX)
            if found != sent * EVENTS_PER_CALL:
                raise RuntimeError(f"{found} records are in Kafka, {sent * EVENTS_PER_CALL} were acknowledged")
        finally:
            if server is not None:
                server.terminate()
                server.wait(30)
            redis.stop()
            kafka.stop()
        yield Case(name="quick" if session.quick else "one-process", data=data)

    def section(self, results: list[Result]) -> str:
        parts = ["## Collector and profile read\n"]
        for result in results:
            data = msgspec.convert(result.data, CollectorData)
            rows = [_row(f"/v1/batch, {EVENTS_PER_CALL} events a call", data.batches)]
            for rate in sorted({told.asked_per_s for told in data.reads}):
                found = [told for told in data.reads if told.asked_per_s == rate]
                rows.append(_row(f"profile read, {rate:,} a second asked for", found))
            parts.append(
                f"One `regulars serve`, with Kafka, Redis and the callers on the same machine; {len(data.batches)} rounds, "
                f"median, least and most. Batches come over {CONNECTIONS} connections as fast as they are answered, and an "
                "answer means that Kafka has the events; afterwards as many records lay there as had been acknowledged. "
                f"Reads, of {data.profiles:,} profiles, are sent by the clock, so those that wait count from when they were "
                f"due. The goal is a p99 of {GOAL_MS} ms at 1,000 reads a second.\n\n"
                + table(["", "events or reads/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU ms a call"], rows)
            )
        return "\n".join(parts)


def _batches(port: int, requests: list[bytes], process: psutil.Process) -> Calls:
    cpu_s, began = _cpu_s(process), time.perf_counter()
    latencies, sent_back = uvloop.run(send_batches(port, requests, CONNECTIONS))
    took_s = time.perf_counter() - began
    return Calls(
        asked_per_s=0,
        per_s=len(latencies) * EVENTS_PER_CALL / took_s,
        calls=len(latencies),
        took=gathered(latencies),
        cpu_s=_cpu_s(process) - cpu_s,
        sent_back=sent_back,
    )


def _reads(port: int, rate: int, seconds: float, process: psutil.Process) -> Calls:
    cpu_s, began = _cpu_s(process), time.perf_counter()
    latencies = uvloop.run(read_at(port, rate, seconds))
    return Calls(
        asked_per_s=rate,
        per_s=len(latencies) / (time.perf_counter() - began),
        calls=len(latencies),
        took=gathered(latencies),
        cpu_s=_cpu_s(process) - cpu_s,
    )


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _line(told: Calls) -> str:
    what = f"reads at {told.asked_per_s:,}/s" if told.asked_per_s else "batches"
    quantiles = "   ".join(f"p{100 * q:g} {told.took.quantile_ms(q):7.2f} ms" for q in QUANTILES)
    return f"{what:18} {told.per_s:9,.0f}/s   {quantiles}   {told.sent_back} sent back"


def _row(what: str, rounds: list[Calls]) -> list[str]:
    quantiles = [spread([told.took.quantile_ms(q) for told in rounds]).show("{:.1f}".format) for q in QUANTILES]
    return [
        what,
        spread([told.per_s for told in rounds]).show("{:,.0f}".format),
        *quantiles,
        spread([told.cpu_s / told.calls * 1000 for told in rounds]).show("{:.2f}".format),
    ]


STUDY: Final = Collector()
