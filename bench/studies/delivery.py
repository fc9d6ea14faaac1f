"""Delivery alone (bench/delivery.py): stock Faust against chunked delivery with empty agents, alternating."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from bench.delivery import EVENT_BYTES, PARTITIONS, TOPIC, fill, measure
from bench.figures import spread
from bench.results import Result
from bench.studies.study import Case, Session
from bench.tables import table
from streams.local.kafka_server import KafkaServer

SIDES: Final = {"stock": "stock Faust", "chunked": "chunked delivery"}


class DeliveryRound(Struct, kw_only=True):
    """One fresh process: events per second, and CPU seconds per million events with its start."""

    side: str
    per_s: float
    cpu_s_per_million: float


class DeliveryData(Struct, kw_only=True):
    """What a result file of this study holds."""

    events: dict[str, int]
    rounds: list[DeliveryRound]


class Delivery:
    """The study."""

    name = "delivery"

    def options(self, parser: ArgumentParser) -> None:
        """It has none of its own; `python -m bench.delivery` has."""

    def run(self, session: Session, chosen: Namespace) -> Iterator[Case]:
        events = {"stock": 20_000, "chunked": 400_000} if session.quick else {"stock": 60_000, "chunked": 2_000_000}
        rounds: list[DeliveryRound] = []
        server = KafkaServer(session.folder / "kafka-delivery")
        server.start()
        try:
            asyncio.run(fill(server.bootstrap, {f"{side}.{TOPIC}": count for side, count in events.items()}))
            for number in range(1, (1 if session.quick else 5) + 1):
                for side, count in events.items():
                    per_s, cpu = measure(side, server.bootstrap, count)
                    rounds.append(DeliveryRound(side=side, per_s=per_s, cpu_s_per_million=cpu))
                    print(
                        f"  round {number}  {side:8} {per_s:10,.0f} events/s   {cpu:6.1f} CPU s per million", flush=True
                    )
        finally:
            server.stop()
        yield Case(name="quick" if session.quick else "empty-agents", data=DeliveryData(events=events, rounds=rounds))

    def section(self, results: list[Result]) -> str:
        parts = ["## Delivery alone\n"]
        for result in results:
            data = msgspec.convert(result.data, DeliveryData)
            rows, medians = [], {}
            for side, title in SIDES.items():
                found = [told for told in data.rounds if told.side == side]
                speed = spread([told.per_s for told in found])
                medians[side] = speed.median
                cpu = spread([told.cpu_s_per_million for told in found])
                rows.append([title, f"{data.events[side]:,}", speed.show("{:,.0f}".format), cpu.show("{:.1f}".format)])
            parts.append(
                f"Empty agents, {EVENT_BYTES} bytes an event, {PARTITIONS} partitions, fresh processes in turn "
                f"({len(data.rounds) // 2} rounds; median, least and most).\n\n"
                + table(["", "events", "events/s", "CPU s per million, start included"], rows)
                + f"\nRatio of the medians: {medians['chunked'] / medians['stock']:.1f}.\n"
            )
        return "\n".join(parts)


STUDY: Final = Delivery()
