"""What typical buyers take in Redis, written there by a worker."""

import time
from contextlib import closing
from typing import Final

from msgspec import Struct

from bench.engines import ENGINES
from bench.engines.engine import Engine, new_ground
from bench.generator import Record
from bench.processes import EngineStopped, Processes
from bench.redis_state import bytes_by_kind, key_batches
from bench.servers import Servers
from bench.typical_buyer import buyers

PARTITIONS: Final = 8
LOOK_EVERY_S: Final = 0.1
PATIENCE_S: Final = 900.0
OUTBOXES: Final = "*}:outbox"


class Memory(Struct, kw_only=True):
    """Bytes. `keys` is MEMORY USAGE of all keys by their kind (bench/redis_state.py); `used` what INFO says of the whole server,
    before and after, allocator and tables of keys included.
    """

    customers: int
    keys: dict[str, int]
    used_before: int
    used_after: int

    @property
    def keys_per_customer(self) -> float:
        """All keys, by MEMORY USAGE."""
        return sum(self.keys.values()) / self.customers

    @property
    def used_per_customer(self) -> float:
        """What the server grew by."""
        return (self.used_after - self.used_before) / self.customers


def measure_memory(servers: Servers, customers: int, engine: Engine | None = None) -> Memory:
    """Let a worker, with the job's trigger unless another one is given, take in so many typical buyers, and weigh.

    Raises EngineStopped where it does not get there.
    """
    engine = engine or ENGINES["regulars"]
    ends = [0] * PARTITIONS
    blocks: list[Record] = list(buyers(customers, PARTITIONS))
    for record in blocks:
        ends[record.partition] += 1
    with new_ground(engine, servers, ends, name="memory") as ground:
        assert ground.redis is not None
        with ground.redis.client() as client:
            before = int(client.info("memory")["used_memory"])
            servers.fill(ground.topic("clickstream"), [blocks])
            with (
                Processes(engine.environment(ground), ground.log) as processes,
                closing(engine.progress(ground)) as progress,
            ):
                for command in engine.commands(ground):
                    processes.start(command)
                deadline_s = time.monotonic() + PATIENCE_S
                # What waits to be published is no part of a customer, and there is much of it when a machine is busy.
                while progress.done() < sum(ends) or any(key_batches(client, OUTBOXES)):
                    processes.check("while it took in typical buyers")
                    if time.monotonic() > deadline_s:
                        raise EngineStopped(f"typical buyers were not taken in within {PATIENCE_S:g} s")
                    time.sleep(LOOK_EVERY_S)
            after = int(client.info("memory")["used_memory"])
        return Memory(customers=customers, keys=bytes_by_kind(ground.redis), used_before=before, used_after=after)
