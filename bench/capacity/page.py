"""Writes the tables of docs/explanation/capacity.md between their marks; the words around them are written by hand."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.capacity.plan import GB_WITH_VCPU, Basis, Plan
from bench.tables import table

PAGE: Final = Path(__file__).parents[2] / "docs" / "explanation" / "capacity.md"
_BLOCK: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, blocks: Mapping[str, str]) -> str:
    r"""A page with its blocks written anew. Raises ValueError where page and blocks do not have the same names.

    >>> filled("a\n<!-- generated: x -->\nold\n<!-- end -->\nb\n", {"x": "new"})
    'a\n<!-- generated: x -->\nnew\n<!-- end -->\nb\n'
    """
    names = [match[2] for match in _BLOCK.finditer(text)]
    if sorted(names) != sorted(blocks):
        raise ValueError(f"the page has blocks {sorted(names)}, there is something to write for {sorted(blocks)}")
    return _BLOCK.sub(lambda match: f"{match[1]}{blocks[match[2]].strip()}\n{match[3]}", text)


def needs(plans: Sequence[Plan]) -> str:
    """What each rate needs."""
    rows = [
        [
            f"{plan.per_s:,}",
            f"{plan.customers / 1e6:,.0f} million",
            f"{plan.workers:,}",
            f"{plan.partitions:,}",
            f"{plan.shards:,} ({plan.shard_because})",
            f"{plan.redis_gb:,.0f} GB",
            f"{plan.redis_mb_s:,.1f} MB/s",
            f"{plan.brokers:,}",
            f"{plan.disk_gb:,.0f} GB",
        ]
        for plan in plans
    ]
    head = [
        "events/s at the peak",
        "customers",
        "workers",
        "partitions",
        "Redis shards",
        "in Redis",
        "written to Redis",
    ]
    return table([*head, "brokers", "on disks"], rows)


def simulated(plans: Sequence[Plan]) -> str:
    """How each plan fares in the simulation."""
    rows = [
        [
            f"{plan.per_s:,}",
            f"{plan.worker_load:.0%}",
            f"{plan.outcome.worker_mean:.0%}, {plan.outcome.worker_most:.0%}",
            f"{plan.outcome.shard_mean:.0%}, {plan.outcome.shard_most:.0%}",
            f"{plan.outcome.commit_mean:,.0f}",
            f"{plan.outcome.p50_ms:,.0f} ms",
            f"{plan.outcome.p99_ms:,.0f} ms",
        ]
        for plan in plans
    ]
    head = ["events/s", "workers needed, in full batches", "workers busy: mean, most", "shards busy: mean, most"]
    return table([*head, "events a commit", "p50", "p99"], rows)


def money(plans: Sequence[Plan], basis: Basis) -> str:
    """What each plan costs."""
    currency = basis.prices.currency
    rows = [
        [
            f"{plan.per_s:,}",
            *(f"{part:,.0f}" for part in (plan.money.workers, plan.money.redis, plan.money.kafka, plan.money.disks)),
            f"{plan.money.total:,.0f}",
            f"{plan.per_million:.2f}",
        ]
        for plan in plans
    ]
    return table(
        ["events/s", f"{currency} a month: workers", "Redis", "Kafka", "disks", "together", "for a million events"],
        rows,
    )


def given(basis: Basis, customer_bytes: float) -> str:
    """Prices and assumptions in words."""
    prices, taken = basis.prices, basis.assumptions
    return (
        f"{prices.vcpu_hour:g} {prices.currency} for an hour of one processor thread with {GB_WITH_VCPU:g} GB, "
        f"{prices.ram_gb_hour:g} for an hour of each GB more, {prices.disk_gb_month:g} for a month of a GB of disk. "
        f"Rates are those of the peak hour, {taken.peak_to_mean:g} times the mean, which fills the disks. "
        f"{taken.customers_per_event_s:,.0f} customers are known for each event a second, and Redis holds {customer_bytes:,.0f} "
        "bytes for each: a typical buyer, with all triggers on. At the peak workers are loaded to "
        f"{taken.worker_load:.0%}, Redis to {taken.redis_load:.0%}, brokers to {taken.kafka_load:.0%}. A shard holds at most "
        f"{taken.shard_gb:g} GB and takes {taken.shard_mb_s:g} MB/s, has {taken.redis_copies - 1} replica and "
        f"{taken.redis_headroom:g} times the memory of its data. Kafka keeps {taken.kafka_copies} copies for "
        f"{taken.retention_days:g} days, in brokers of {taken.cores_per_broker} threads; a record batch holds "
        f"{taken.record_batch_events:g} events. Customers are Zipf (s = 1), but none makes more than "
        f"{taken.hot_events_s:g} events/s. {taken.partitions_per_worker} partitions a worker, at least {taken.partitions_min} "
        "in all, a power of two."
    )
