"""Fixtures of the end-to-end tests: an installation of its own on the shared real servers."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.local.kafka_server import KafkaServer
from streams.local.redis_server import RedisServer
from tests.e2e.kit import Shop, running


@pytest.fixture(autouse=True)
def _quiet_clients() -> Iterator[None]:
    """What the plain clients say of themselves would bury the workers' logs when a check fails."""
    level = logging.getLogger("kafka").level
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("kafka").setLevel(level)


@pytest.fixture
def shop(kafka_server: KafkaServer, redis_server: RedisServer, prefix: str, tmp_path: Path) -> Iterator[Shop]:
    """A shop on the session's Kafka and Redis."""
    yield from running(Shop(prefix, kafka_server.bootstrap, redis_server.url, tmp_path))


@pytest.fixture
def now_ms() -> int:
    """The wall clock, for stories that live workers are to catch up with."""
    return int(time.time() * 1000)
