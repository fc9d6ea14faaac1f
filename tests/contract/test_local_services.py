"""The local servers that development and these tests stand on: they start, keep their data and come back."""

import socket
from pathlib import Path

import pytest
import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaTimeoutError
from redis.exceptions import ClusterCrossSlotError

from streams.local import services
from streams.local.kafka_server import KafkaServer
from streams.local.process import LOOPBACK, LocalServiceError, ServerProcess, free_ports, port_taken
from streams.local.redis_cluster import RedisCluster
from streams.local.redis_server import RedisServer
from tests.conftest import MakeCluster, MakeKafka, MakeRedis


def produce_and_read(bootstrap: str, topic: str, values: list[bytes]) -> list[bytes]:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for value in values:
        producer.send(topic, value=value).get(timeout=10)
    producer.close()
    return read_all(bootstrap, topic, len(values))


def read_all(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=20_000, group_id=None
    )
    read: list[bytes] = []
    for record in consumer:
        read.append(record.value)
        if len(read) == count:
            break
    consumer.close()
    return read


def test_what_is_produced_to_the_broker_can_be_read_back(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    topic = f"{prefix}-orders"
    kafka_admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)

    assert produce_and_read(kafka_server.bootstrap, topic, [b"one", b"two"]) == [b"one", b"two"]


def test_a_topic_is_not_created_by_writing_to_it(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka_server.bootstrap, max_block_ms=500)

    with pytest.raises(KafkaTimeoutError):
        producer.send(f"{prefix}-typo", value=b"lost")
    producer.close()
    assert f"{prefix}-typo" not in kafka_admin.list_topics()


def test_a_killed_broker_comes_back_on_its_port_with_its_records(own_kafka: MakeKafka) -> None:
    server = own_kafka()
    admin = KafkaAdminClient(bootstrap_servers=server.bootstrap)
    admin.create_topics({"kept": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    produce_and_read(server.bootstrap, "kept", [b"before"])
    address = server.bootstrap

    server.kill()
    assert not server.running
    server.start()

    assert server.bootstrap == address
    assert read_all(server.bootstrap, "kept", 1) == [b"before"]


def test_redis_keeps_what_it_acknowledged_over_kill_and_restart(own_redis: MakeRedis) -> None:
    server = own_redis()
    with server.client() as client:
        client.set("profile", "a")
    port = server.port

    server.kill()
    server.start()

    assert server.port == port
    with server.client() as client:
        assert client.get("profile") == b"a"


def test_redis_goes_back_in_time_when_an_older_copy_is_restored(own_redis: MakeRedis, tmp_path: Path) -> None:
    server = own_redis()
    with server.client() as client:
        client.set("commits", "1")
        server.copy_data(tmp_path / "copy")
        client.set("commits", "2")

    server.kill()
    server.restore_data(tmp_path / "copy")
    server.start()

    with server.client() as client:
        assert client.get("commits") == b"1"


def test_redis_runs_with_append_only_file_and_without_eviction(redis_client: redis.Redis) -> None:
    settings = redis_client.config_get("appendonly", "maxmemory-policy")

    assert settings == {"appendonly": "yes", "maxmemory-policy": "noeviction"}


def test_a_restart_may_change_the_configuration(own_redis: MakeRedis) -> None:
    server = own_redis(config={"maxmemory": "8mb"})

    server.restart(config={"maxmemory": "16mb"})

    with server.client() as client:
        assert client.config_get("maxmemory") == {"maxmemory": str(16 * 1024 * 1024)}


def test_a_frozen_redis_holds_connections_and_answers_again_when_thawed(own_redis: MakeRedis) -> None:
    server = own_redis()
    with server.client(timeout_s=0.2) as client:
        client.ping()
        server.process.freeze()

        with pytest.raises(redis.TimeoutError):
            client.ping()
        server.process.thaw()
    assert server.answers()


def test_the_cluster_refuses_keys_of_two_slots_in_one_command(redis_cluster: RedisCluster, prefix: str) -> None:
    owner = redis_cluster.owner_of(f"{prefix}:{{1}}:a")
    with owner.client() as client, pytest.raises(ClusterCrossSlotError):
        client.execute_command("MSET", f"{prefix}:{{1}}:a", "1", f"{prefix}:{{2}}:a", "2")


def test_a_replica_takes_over_when_its_master_dies(own_cluster: MakeCluster) -> None:
    cluster = own_cluster()
    with cluster.client() as client:
        client.set("{7}:profile", "a")
        master = cluster.owner_of("{7}:profile")
        with master.client() as on_master:
            on_master.execute_command("WAIT", 1, 5_000)

    successor = cluster.fail_over("{7}:profile")

    assert successor is not master
    with cluster.client() as client:
        assert client.get("{7}:profile") == b"a"


def test_a_server_that_ends_while_starting_shows_the_end_of_its_log(tmp_path: Path, own_redis: MakeRedis) -> None:
    server = RedisServer(tmp_path / "bad", config={"no-such-directive": "1"})

    with pytest.raises(LocalServiceError, match="no-such-directive"):
        server.start()
    assert not server.running


def test_a_foreign_process_with_our_old_process_id_is_never_taken_for_ours(tmp_path: Path) -> None:
    process = ServerProcess("Redis", tmp_path)
    # Process 1 exists on every machine and is none of ours.
    (tmp_path / "server.pid").write_text("1")

    assert process.pid is None
    process.stop()


def test_free_ports_are_free_and_all_different() -> None:
    ports = free_ports(20)

    assert len(set(ports)) == 20
    assert not any(port_taken(port) for port in ports)


def test_services_refuse_a_port_that_another_program_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]

        status = services.main(["start", "--only", "redis", "--redis-port", str(port), "--dir", str(tmp_path)])

    assert status == services.EXIT_FAILED
    assert f"another program listens on port {port}" in capsys.readouterr().err


def test_services_are_found_again_by_a_later_command_and_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], own_redis: MakeRedis
) -> None:
    only_redis = ["--only", "redis", "--redis-port", str(free_ports(1)[0]), "--dir", str(tmp_path)]

    assert services.main(["start", *only_redis]) == services.EXIT_OK
    try:
        assert services.main(["status", *only_redis]) == services.EXIT_OK
        assert services.main(["start", *only_redis]) == services.EXIT_OK
        assert "already runs" in capsys.readouterr().out
    finally:
        assert services.main(["stop", "--wipe", *only_redis]) == services.EXIT_OK
    assert services.main(["status", *only_redis]) == services.EXIT_NOT_RUNNING
    assert not (tmp_path / "redis").exists()
