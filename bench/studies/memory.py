"""Bytes for each customer in Redis: typical buyers (bench/typical_buyer.py), with the job's trigger and with all of them."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from bench.engines import ENGINES
from bench.engines.regulars import Regulars
from bench.memory import Memory, measure_memory
from bench.results import Result
from bench.servers import Servers
from bench.studies.study import Case, Session
from bench.tables import table
from bench.typical_buyer import CATEGORIES, ORDERS
from profiles.triggers import BUILT_IN

BUYERS: Final = 60_000
"""Enough that what is kept of each product, once in every partition, is spread over many customers."""
QUICK_BUYERS: Final = 2_000
BUDGET: Final = 2_000
MANY: Final = 10_000_000
KINDS: Final = {
    "c": "profile",
    "l": "order ledger",
    "w": "who watches a product",
    "goods": "price and stock of what is watched",
    "due": "its timer",
    "pop": "population counts, of all customers together",
}


class MemoryData(Struct, kw_only=True):
    """What a result file of this study holds: bytes by the triggers that are on."""

    by_triggers: dict[str, Memory]

    @property
    def most(self) -> float:
        """Bytes for each customer of all keys, with the triggers that take most."""
        return max(memory.keys_per_customer for memory in self.by_triggers.values())


class MemoryStudy:
    """The study."""

    name = "memory"

    def options(self, parser: ArgumentParser) -> None:
        """It has none of its own."""

    def run(self, session: Session, chosen: Namespace) -> Iterator[Case]:
        ENGINES["regulars"].build()
        sides = {"cart.abandoned alone": Regulars(), f"all {len(BUILT_IN)}": Regulars(rules="")}
        found: dict[str, Memory] = {}
        servers = Servers(session.folder)
        try:
            for name, engine in sides.items():
                found[name] = measure_memory(servers, QUICK_BUYERS if session.quick else BUYERS, engine)
                print(f"  {name:22} {found[name].keys_per_customer:,.0f} bytes for a typical buyer", flush=True)
        finally:
            servers.stop()
        yield Case(name="quick" if session.quick else "typical-buyer", data=MemoryData(by_triggers=found))

    def section(self, results: list[Result]) -> str:
        parts = ["## Bytes in Redis\n"]
        for result in results:
            sides = msgspec.convert(result.data, MemoryData).by_triggers
            job = next(iter(sides.values()))
            kinds = sorted(
                {kind for memory in sides.values() for kind in memory.keys}, key=lambda kind: -job.keys.get(kind, 0)
            )
            rows = [
                [
                    KINDS.get(kind, kind or "everything else"),
                    *(f"{memory.keys.get(kind, 0) / memory.customers:,.0f}" for memory in sides.values()),
                ]
                for kind in kinds
            ]
            rows.append(["all keys", *(f"{memory.keys_per_customer:,.0f}" for memory in sides.values())])
            rows.append(["what the server grew by", *(f"{memory.used_per_customer:,.0f}" for memory in sides.values())])
            parts.append(
                f"{job.customers:,} typical buyers ({ORDERS} orders, {CATEGORIES} categories), taken in by a worker; "
                f"`MEMORY USAGE` of all keys, bytes for each customer. The budget is {BUDGET:,}.\n\n"
                + table(["triggers that are on", *sides], rows)
                + f"\nFor {MANY:,} such customers that is {job.keys_per_customer * MANY / 1e9:.1f} GB by keys, "
                f"{job.used_per_customer * MANY / 1e9:.1f} GB by what the server grew, with the first of them alone "
                "(extrapolated, not measured).\n"
            )
        return "\n".join(parts)


STUDY: Final = MemoryStudy()
