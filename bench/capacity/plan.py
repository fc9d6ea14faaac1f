"""From coefficients, prices and assumptions to what a rate needs: workers, partitions, shards, brokers, money, and what the
simulation says of it.
"""

import tomllib
from math import ceil
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench.capacity.arrivals import arrivals, shares_of_partitions
from bench.capacity.coefficients import Coefficients
from bench.capacity.simulation import Model, Outcome, Times, simulate

PRICES: Final = Path(__file__).parent / "prices.toml"
RATES: Final = (1_000, 10_000, 100_000, 1_000_000)
HOURS_OF_MONTH: Final = 730.0
DAY_S: Final = 86_400.0
SIMULATED_S: Final = 4.0
SETTLE_S: Final = 1.0
GB_WITH_VCPU: Final = 4.0
TICK_MOST_S: Final = 0.05
"""Senders wait at most this long for a record batch to become as full as is assumed."""


class Prices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unit prices; see prices.toml."""

    currency: str
    vcpu_hour: float
    ram_gb_hour: float
    disk_gb_month: float


class Assumptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a plan takes for granted; see prices.toml."""

    customers_per_event_s: float
    peak_to_mean: float
    worker_load: float
    redis_load: float
    kafka_load: float
    redis_copies: int
    redis_headroom: float
    shard_gb: float
    shard_mb_s: float
    record_batch_events: float
    kafka_copies: int
    retention_days: float
    hot_events_s: float
    partitions_per_worker: int
    partitions_min: int
    cores_per_broker: int


class Basis(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    prices: Prices
    assumptions: Assumptions


class Money(Struct, frozen=True, kw_only=True):
    """A month's cost by what it is for, in the currency of the prices."""

    workers: float
    redis: float
    kafka: float
    disks: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.workers + self.redis + self.kafka + self.disks


class Plan(Struct, frozen=True, kw_only=True):
    """What one rate needs. `worker_load` is the share of the workers' cores that the rate takes in full batches;
    `shard_because` is what asks for so many shards; `per_million` is money for a million events at the mean rate.
    """

    per_s: int
    customers: float
    workers: int
    partitions: int
    shards: int
    shard_because: str
    brokers: int
    redis_gb: float
    redis_mb_s: float
    disk_gb: float
    worker_load: float
    outcome: Outcome
    money: Money
    per_million: float


def read_basis(path: Path = PRICES) -> Basis:
    """Prices and assumptions. Raises msgspec.ValidationError for a name that is unknown or missing, or a wrong type."""
    return msgspec.convert(tomllib.loads(path.read_text()), Basis)


def plan_for(
    per_s: int, coefficients: Coefficients, customer_bytes: float, basis: Basis, times: Times, *, seed: int = 1
) -> Plan:
    """What a rate needs, and how that fares in the simulation. `customer_bytes` is what Redis holds for each customer."""
    given, found = basis.assumptions, coefficients
    trigger_s = found.trigger_s * found.triggers_per_event
    full = (found.commit_max, given.record_batch_events)
    worker_s = found.worker.full_s(*full) + trigger_s
    redis_s, kafka_s = found.redis.full_s(*full), found.kafka.full_s(*full)
    customers = per_s * given.customers_per_event_s

    free = 1.0 - found.worker.base
    workers = ceil(per_s * worker_s / (given.worker_load * free))
    partitions = _power_of_two(max(given.partitions_min, workers * given.partitions_per_worker))
    redis_gb = customers * customer_bytes / 1e9
    redis_mb_s = per_s * found.redis_bytes_per_event / 1e6
    wanted = {
        "processor": ceil(per_s * redis_s / given.redis_load),
        "memory": ceil(redis_gb / given.shard_gb),
        "bytes written": ceil(redis_mb_s / given.shard_mb_s),
    }
    shards = min(max(1, *wanted.values()), partitions)
    cores = max(2.0, per_s * kafka_s * given.kafka_copies / given.kafka_load)
    brokers = max(given.kafka_copies, ceil(cores / given.cores_per_broker))
    mean_per_s = per_s / given.peak_to_mean
    log_gb = mean_per_s * DAY_S * given.retention_days * found.log_bytes_per_event * given.kafka_copies / 1e9
    disk_gb = log_gb + 3 * redis_gb * given.redis_copies  # an append-only file and its rewrite

    model = Model(
        partitions=partitions,
        workers=workers,
        shards=shards,
        worker=msgspec.structs.replace(found.worker, event_s=found.worker.event_s + trigger_s),
        redis=found.redis,
        commit_max=max(1, round(found.commit_max)),
        times=times,
    )
    shares = shares_of_partitions(partitions, max(1, round(customers)), most=given.hot_events_s / per_s)
    money = _money(basis, workers, shards, brokers, redis_gb, disk_gb)
    tick_s = min(TICK_MOST_S, given.record_batch_events * partitions / per_s)
    coming = arrivals(per_s, shares, seconds=SIMULATED_S, seed=seed, tick_s=tick_s)
    return Plan(
        per_s=per_s,
        customers=customers,
        workers=workers,
        partitions=partitions,
        shards=shards,
        shard_because=max(wanted, key=wanted.__getitem__) if shards > 1 else "one is enough",
        brokers=brokers,
        redis_gb=redis_gb,
        redis_mb_s=redis_mb_s,
        disk_gb=disk_gb,
        worker_load=per_s * worker_s / (workers * free),
        outcome=simulate(model, coming, until_s=SIMULATED_S, settle_s=SETTLE_S),
        money=money,
        per_million=money.total / (mean_per_s * HOURS_OF_MONTH * 3_600 / 1e6),
    )


def _money(basis: Basis, workers: int, shards: int, brokers: int, redis_gb: float, disk_gb: float) -> Money:
    prices, given = basis.prices, basis.assumptions
    thread = prices.vcpu_hour * HOURS_OF_MONTH
    redis_threads = shards * given.redis_copies
    more_gb = max(0.0, redis_gb * given.redis_headroom * given.redis_copies - redis_threads * GB_WITH_VCPU)
    return Money(
        workers=workers * thread,
        redis=redis_threads * thread + more_gb * prices.ram_gb_hour * HOURS_OF_MONTH,
        kafka=brokers * given.cores_per_broker * thread,
        disks=disk_gb * prices.disk_gb_month,
    )


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()
