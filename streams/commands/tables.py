"""Commands that read the table in Redis: opening it, and running their asynchronous part."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from streams.redis_table import RedisTable
    from streams.settings import Settings

T = TypeVar("T")


def with_table(settings: "Settings", work: Callable[["RedisTable"], Awaitable[T]]) -> T:
    """Run `work` on the installation's table and close it. Raises TableError, also for another number of partitions.

    Where there is no installation yet none is made: a look must not decide how many partitions it will have, and which keys.
    """

    async def run() -> T:
        from streams.protection import key_mark
        from streams.redis_table import RedisTable

        table = RedisTable(
            settings.redis.url,
            prefix=settings.redis.prefix,
            timeout_s=settings.redis.timeout_ms / 1000,
        )
        try:
            await table.check_install(settings.kafka.partitions, key_mark(settings))
            return await work(table)
        finally:
            await table.close()

    return asyncio.run(run())
