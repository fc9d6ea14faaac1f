"""Fixtures for all tests: a clean environment, and real servers that are started when a test first asks for one.

- `kafka_server`, `redis_server`, `redis_cluster`: one each for the whole run, or for each of its processes, shared. Use
  `prefix` in every topic, group and key, and leave the server running and configured as it was.
- `own_kafka`, `own_redis`, `own_cluster`: factories for tests that stop, kill, freeze or restart a server; each call
  starts a new one, and all are gone when the test ends.

Where Redis, Java or Maven is missing, such a test is skipped with what to install; with CI=true it fails.
"""

import os

# As `streams.fitting` says it; here before any test loads scipy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import phonenumbers  # noqa: F401 -- loaded before the first example that meets a number: its time limit is not for that
import pytest
import redis
from hypothesis import settings
from kafka import KafkaAdminClient

from streams.local.kafka_server import LIBS_VARIABLE, KafkaServer, find_java, kafka_libs
from streams.local.process import LocalServiceError
from streams.local.redis_cluster import RedisCluster
from streams.local.redis_server import RedisServer, find_redis_server
from tests.needed import missing

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("regulars", deadline=None)
settings.load_profile("regulars")

# Settings of the shell that runs the tests must not reach them. The place of Kafka's jars is no setting of a worker.
for _name in [name for name in os.environ if name.startswith(("REGULARS_", "KAFKA_", "REDIS_", "FAUST_"))]:
    if _name != LIBS_VARIABLE:
        del os.environ[_name]

_KAFKA_FIXTURES = {"kafka_server", "kafka_admin", "own_kafka"}
_REDIS_FIXTURES = {"redis_server", "redis_client", "redis_cluster", "own_redis", "own_cluster"}


class MakeRedis(Protocol):
    def __call__(self, *, config: Mapping[str, str] | None = None) -> RedisServer: ...


class MakeKafka(Protocol):
    def __call__(self, *, config: Mapping[str, str] | None = None) -> KafkaServer: ...


class MakeCluster(Protocol):
    def __call__(self, *, masters: int = 3, replicas: int = 1) -> RedisCluster: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the servers their fixtures need, so that `-m "not kafka"` is always right."""
    for item in items:
        needed = set(getattr(item, "fixturenames", ()))
        if needed & _KAFKA_FIXTURES:
            item.add_marker("kafka")
        if needed & _REDIS_FIXTURES:
            item.add_marker("redis")


@pytest.fixture
def prefix() -> str:
    """A name no other test has, fit for the start of a topic, a consumer group and a Redis key."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """The broker all tests share."""
    _needs(find_java)
    _needs(kafka_libs)
    server = KafkaServer(tmp_path_factory.mktemp("kafka"), brief=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kafka_admin(kafka_server: KafkaServer) -> Iterator[KafkaAdminClient]:
    """An administration client of the shared broker."""
    admin = KafkaAdminClient(bootstrap_servers=kafka_server.bootstrap)
    yield admin
    admin.close()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis all tests share."""
    _needs(find_redis_server)
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A blocking client of the shared Redis; bytes in and out, no retries."""
    with redis_server.client() as client:
        yield client


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """Three masters without replicas, shared. A test of failover starts its own with `own_cluster`."""
    _needs(find_redis_server)
    cluster = RedisCluster(tmp_path_factory.mktemp("cluster"), replicas=0)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeRedis]:
    """Start a Redis of this test's own: `server = own_redis(config={"maxmemory": "8mb"})`."""
    _needs(find_redis_server)
    servers: list[RedisServer] = []

    def make(*, config: Mapping[str, str] | None = None) -> RedisServer:
        server = RedisServer(tmp_path_factory.mktemp("own-redis"), config=config)
        servers.append(server)
        server.start()
        return server

    yield make
    for server in servers:
        server.kill()


@pytest.fixture
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeKafka]:
    """Start a broker of this test's own (about 5 seconds): `server = own_kafka()`."""
    _needs(find_java)
    _needs(kafka_libs)
    servers: list[KafkaServer] = []

    def make(*, config: Mapping[str, str] | None = None) -> KafkaServer:
        server = KafkaServer(tmp_path_factory.mktemp("own-kafka"), config=config, brief=True)
        servers.append(server)
        server.start()
        return server

    yield make
    for server in servers:
        server.kill()


@pytest.fixture
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeCluster]:
    """Start a Redis Cluster of this test's own, with a replica for each master."""
    _needs(find_redis_server)
    clusters: list[RedisCluster] = []

    def make(*, masters: int = 3, replicas: int = 1) -> RedisCluster:
        cluster = RedisCluster(tmp_path_factory.mktemp("own-cluster"), masters=masters, replicas=replicas)
        clusters.append(cluster)
        cluster.start()
        return cluster

    yield make
    for cluster in clusters:
        cluster.stop()


def _needs(find: Callable[[], object]) -> None:
    """Skip the test with the advice of `find` when it does not find its program; in CI fail it."""
    try:
        find()
    except LocalServiceError as error:
        missing(str(error))
