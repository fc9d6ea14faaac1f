"""`regulars fit` on real servers: counters out of Redis, the models into Redis and onto their topic."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from profiles.models import decode_models
from streams import cli
from streams.local.redis_server import RedisServer
from streams.redis_table import RedisTable
from streams.settings import Settings
from streams.table import Commit
from tests.models import cdnow
from tests.shell.test_feed import PARTITIONS, published, settings

__all__ = ["settings"]

DAY_MS = 86_400_000


@pytest.fixture
def regulars(settings: Settings, redis_server: RedisServer, prefix: str) -> Callable[..., int]:
    """Run a command against this test's topics and keys."""
    flags = (
        *("--kafka-bootstrap", settings.kafka.bootstrap),
        *("--kafka-topic-prefix", settings.kafka.topic_prefix),
        *("--kafka-partitions", str(PARTITIONS)),
        *("--redis-url", redis_server.url),
        *("--redis-prefix", prefix),
    )
    return lambda *arguments: cli.run([*arguments, *flags])


async def count(url: str, prefix: str) -> None:
    """Leave CDNOW's sample in Redis as the workers of all partitions would."""
    table = RedisTable(url, prefix=prefix)
    try:
        await table.ensure_install(PARTITIONS)
        for partition in range(PARTITIONS):
            claim = await table.claim(partition)
            part = [
                item for n, item in enumerate(sorted(cdnow.counters("sample").items())) if n % PARTITIONS == partition
            ]
            await table.commit(
                partition,
                Commit(
                    token=claim.meta.token,
                    expected=claim.meta.commits,
                    population={f"value:{name}": amount for name, amount in part},
                    clock_ms=cdnow.CALIBRATED_UNTIL * DAY_MS + partition,
                ),
            )
    finally:
        await table.close()


async def install(url: str, prefix: str) -> None:
    """What the first worker notes."""
    table = RedisTable(url, prefix=prefix)
    try:
        await table.ensure_install(PARTITIONS)
    finally:
        await table.close()


async def stored(url: str, prefix: str) -> bytes | None:
    table = RedisTable(url, prefix=prefix)
    try:
        return await table.models()
    finally:
        await table.close()


def test_a_fit_from_redis_is_the_published_one_and_goes_to_redis_and_the_topic(
    regulars: Callable[..., int],
    settings: Settings,
    redis_server: RedisServer,
    prefix: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert regulars("fit") == 2
    assert "no worker has started on it yet" in capsys.readouterr().err
    asyncio.run(install(redis_server.url, prefix))
    assert regulars("fit") == 1
    assert "nobody has bought yet" in capsys.readouterr().err
    assert asyncio.run(stored(redis_server.url, prefix)) is None

    asyncio.run(count(redis_server.url, prefix))
    out = tmp_path / "models.json"
    assert regulars("fit", "--family", "bg_nbd", "--out", str(out)) == 0

    document = asyncio.run(stored(redis_server.url, prefix))
    assert document is not None
    models = decode_models(document)
    assert models.as_of_day == cdnow.CALIBRATED_UNTIL
    assert models.value is not None
    assert models.value.timing is not None
    found = models.value.timing.parameters
    # BTYD 2.4.3 and CLVTools 0.12.1 on the same customers.
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx((0.242595, 4.413602, 0.792922, 2.425907), rel=1e-4)
    (record,) = published(settings, "models")
    assert (record.key, record.value) == (b"shop", document)
    assert out.read_bytes().strip() == document
    assert f"models {models.id}, from 2,357 buyers" in capsys.readouterr().out
