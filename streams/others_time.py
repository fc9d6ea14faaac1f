"""How far the partitions of other workers have read: T0 of the whole installation.

While many records are forwarded, an order may wait in a partition of another worker on its way here. The clock of a
partition then follows the slowest of all. Asked of the table only while somebody wants to know.
"""

import asyncio
import logging

from streams.keeper import Keeper
from streams.table import Table, TableError

_log = logging.getLogger(__name__)

EVERY_S = 2.0


class OthersTime:
    """The least T0 of all partitions; 0, which holds clocks back, while that is not known."""

    def __init__(self, table: Table, partitions: int) -> None:
        self._table, self._partitions = table, partitions
        self._wanted = asyncio.Event()
        self._foreign_ms = 0
        self._keepers: dict[int, Keeper] = {}

    def least_t0_ms(self) -> int:
        """What is known now; asking keeps it up to date."""
        self._wanted.set()
        least = self._foreign_ms
        for keeper in self._keepers.values():
            if keeper.held and keeper.partition is not None:
                least = min(least, keeper.partition.t0_ms)
        return least

    async def keep(self, keepers: dict[int, Keeper]) -> None:
        """Read the others' T0 from the table every EVERY_S, for as long as it is asked for."""
        self._keepers = keepers
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                self._foreign_ms = await self._read()
            except TableError as error:
                _log.info("how far others have read is not known: %s", error)
            await asyncio.sleep(EVERY_S)

    async def _read(self) -> int:
        foreign = [n for n in range(self._partitions) if n not in self._keepers or not self._keepers[n].held]
        metas = await asyncio.gather(*(self._table.meta(number) for number in foreign))
        # With nobody else there is nothing to wait for but our own.
        return min((0 if meta is None else meta.t0_ms for meta in metas), default=1 << 62)
