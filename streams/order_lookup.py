"""Whose an order is: there is no index of orders, so all ledgers are asked. For the few requests that name an order which lies
with none of a customer's identifiers.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from streams.table import Table

SLICE: Final = 500
"""Ledgers asked in one round trip."""


class Holder(NamedTuple):
    """An order, the profile in whose ledger it is, and the partition of that."""

    order_id: str
    profile_id: str
    partition: int


async def holders(table: Table, partition: int, order_ids: Sequence[str]) -> AsyncIterator[Holder]:
    """The profiles of a partition that have one of these orders. Raises TableError."""
    profiles = await table.profile_ids(partition)
    for at in range(0, len(profiles), SLICE):
        asked = [(profile_id, order_id) for profile_id in profiles[at : at + SLICE] for order_id in order_ids]
        found = (await table.load(partition, [], asked)).entries
        for (profile_id, order_id), entry in found.items():
            if entry is not None:
                yield Holder(order_id, profile_id, partition)
