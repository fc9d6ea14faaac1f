"""Commands that read the table in Redis: opening it, and running their asynchronous part."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from streams.redis_table import RedisTable
    from streams.settings import Settings

T = TypeVar("T")


def with_table(
    settings: "Settings", work: Callable[["RedisTable"], Awaitable[T]], *, may_be_missing: bool = False
) -> T:
    """Run `work` on the installation's table and close it. Raises TableError, also for another number of partitions, and
    NotInstalled where no worker ever started, unless it `may_be_missing`. Notes nothing of an installation itself.
    """

    async def run() -> T:
        from streams.protection import key_mark
        from streams.redis_table import RedisTable
        from streams.table import NotInstalled

        table = RedisTable(
            settings.redis.url,
            prefix=settings.redis.prefix,
            timeout_s=settings.redis.timeout_ms / 1000,
        )
        try:
            if not await table.check_install(settings.kafka.partitions, key_mark(settings)) and not may_be_missing:
                raise NotInstalled(
                    f"there is nothing under the prefix {settings.redis.prefix!r} at {table.link.where}: no worker has started "
                    f"on it yet. Are redis.prefix and redis.url (server and database) those of the workers?"
                )
            return await work(table)
        finally:
            await table.close()

    return asyncio.run(run())
