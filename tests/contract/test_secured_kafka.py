"""A Kafka reached by TLS and login, with users who have no more rights than the docs say."""

import asyncio
import gc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from typing_extensions import override

from schemas.outputs import Outgoing
from streams import kafka_admin
from streams.commands.errors import explain
from streams.feed import feed
from streams.fitting.publish import NotPublished, publish
from streams.kafka_admin import AdminError, admin_client, create_topics, describe_cluster
from streams.kafka_producer import KafkaPublisher
from streams.local.kafka_server import KafkaServer, find_java, kafka_libs
from streams.local.process import free_ports, wait_until
from streams.settings import Settings, build_settings
from streams.sources import Line
from streams.startup import read_topic_ids, written
from tests.conftest import _needs
from tests.contract.certificate_kit import Certificates

pytestmark = pytest.mark.kafka

PASSWORD = "p@ss:w/rd1"
USERS = ("worker", "sender", "stranger", "writer", "reader")
HOW_TO = Path(__file__).parents[2] / "docs/how-to/secure-connections.md"
Right = tuple[ResourceType, str, str]


class Secured:
    """A broker with three doors: plain for its operator, TLS with a client's certificate, TLS with a login."""

    def __init__(self, directory: Path, certificates: Certificates) -> None:
        self.made = certificates
        plain, controller, self.tls, self.sasl = free_ports(4)
        doors = {"PLAINTEXT": plain, "TLS": self.tls, "LOGIN": self.sasl}
        named = ",".join(f"{name}://127.0.0.1:{port}" for name, port in doors.items())
        login = " ".join(f'user_{user}="{PASSWORD}"' for user in USERS)
        self.server = KafkaServer(
            directory,
            port=plain,
            controller_port=controller,
            brief=True,
            config={
                "listeners": f"{named},CONTROLLER://127.0.0.1:{controller}",
                "advertised.listeners": named,
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,LOGIN:SASL_SSL",
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS",
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": certificates.both("server"),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": certificates.pem("ca"),
                "listener.name.tls.ssl.client.auth": "required",
                "listener.name.login.sasl.enabled.mechanisms": "PLAIN",
                "listener.name.login.plain.sasl.jaas.config": (
                    f"org.apache.kafka.common.security.plain.PlainLoginModule required {login};"
                ),
            },
        )

    def settings(self, port: int, protocol: str, **kafka: Any) -> Settings:
        """Settings of a program that comes in by the door at `port`."""
        given = {"ssl_cafile": self.made.pem("ca"), "partitions": 1, "replication": 1} | kafka
        return build_settings({"kafka": {"bootstrap": f"127.0.0.1:{port}", "security_protocol": protocol} | given})

    def as_user(self, user: str, **kafka: Any) -> Settings:
        """Settings of a program that logs in."""
        return self.settings(self.sasl, "SASL_SSL", sasl_username=user, sasl_password=PASSWORD, **kafka)

    def give(self, user: str, rights: list[Right]) -> None:
        """Let the user do this, and wait until the broker goes by it."""
        operator = KafkaAdminClient(bootstrap_servers=self.server.bootstrap)
        operator.create_acls(
            [
                ACL(
                    principal=f"User:{user}",
                    host="*",
                    operation=ACLOperation[operation.upper()],
                    permission_type=ACLPermissionType.ALLOW,
                    resource_pattern=ResourcePattern(kind, name),
                )
                for kind, name, operation in rights
            ]
        )
        of_user = ACLFilter(
            principal=f"User:{user}",
            host=None,
            operation=ACLOperation.ANY,
            permission_type=ACLPermissionType.ANY,
            resource_pattern=ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY),
        )

        def known() -> bool:
            found = {
                (acl.resource_pattern.resource_type, acl.resource_pattern.resource_name, acl.operation.name)
                for acl in operator.describe_acls(of_user)[0]
            }
            return {(kind, name, operation.upper()) for kind, name, operation in rights} <= found

        wait_until(known, timeout_s=20, what="the broker to know the rights")
        operator.close()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    _needs(find_java)
    _needs(kafka_libs)
    made = Secured(
        tmp_path_factory.mktemp("secured-kafka"), Certificates(tmp_path_factory.mktemp("kafka-certificates"))
    )
    made.server.start()
    with admin_client(made.settings(made.server.port, "PLAINTEXT")) as client:
        create_topics(client, made.settings(made.server.port, "PLAINTEXT"))
    yield made
    made.server.kill()


def documented(whom: str) -> list[Right]:
    """The rights on topics and groups in the rows of the how-to's table that begin their last column so."""
    found: list[Right] = []
    for row in re.findall(r"^\| (.*) \| (.*) \| (.*) \|$", HOW_TO.read_text(), re.MULTILINE):
        on, operations, who = row
        if who.startswith(whom):
            kind = ResourceType.GROUP if on.startswith("group") else ResourceType.TOPIC
            names = ["regulars"] if kind is ResourceType.GROUP else re.findall(r"`([a-z-]+)`", on)
            found += [(kind, name, operation) for name in names for operation in re.findall(r"[A-Z]\w+", operations)]
    return [right for right in found if right[2] != "IdempotentWrite"]


def test_a_user_with_the_documented_rights_may_all_that_a_worker_does(secured: Secured) -> None:
    rights = documented("the worker")
    last = (ResourceType.TOPIC, "triggers", "Write")
    assert last in rights
    settings = secured.as_user("worker")

    secured.give("worker", [right for right in rights if right[0] is ResourceType.TOPIC and right != last])
    with pytest.raises(AdminError) as refused:
        read_topic_ids(settings, written=written(settings))
    assert "lacks rights: Write on topic triggers, Read on group regulars." in str(refused.value)

    secured.give("worker", rights)
    assert "triggers" in read_topic_ids(settings, written=written(settings))


def test_who_may_write_events_alone_may_feed_them(secured: Secured) -> None:
    with pytest.raises(AdminError, match="without the right to describe them"):
        read_topic_ids(secured.as_user("sender"))
    inputs = [
        name for kind, name, operation in documented("the worker") if (kind, operation) == (ResourceType.TOPIC, "Read")
    ]
    secured.give("sender", [(ResourceType.TOPIC, name, "Write") for name in inputs[:9]])

    fed = feed([Line(0, "orders", "ana", b"{}")], secured.as_user("sender"))

    assert fed.by_topic == {"orders": 1}


def test_models_that_a_user_may_not_publish_are_refused_in_plain_words(secured: Secured) -> None:
    secured.give("stranger", [(ResourceType.TOPIC, "models", "Describe"), (ResourceType.TOPIC, "orders", "Write")])

    with pytest.raises(NotPublished) as refused:
        asyncio.run(publish(secured.as_user("stranger"), "m1", b"{}"))

    assert explain(refused.value) == (
        "the broker refuses the models on topic models for good (TopicAuthorizationFailedError), and those in use stay: "
        "give this user Write on it"
    )


def output(topic: str, number: int) -> Outgoing:
    return Outgoing(topic, f"id-{number}", "user_id:ada", 0, msgspec.Raw(b"{}"))


def test_rows_of_a_topic_that_is_closed_to_this_user_are_named_at_once_and_taken_when_it_may(secured: Secured) -> None:
    """Each was tried by a producer of its own, and then set aside as if it were at fault."""
    settings = secured.as_user("writer")
    secured.give("writer", [(ResourceType.TOPIC, name, "Describe") for name in ("triggers", "decisions")])
    secured.give("writer", [(ResourceType.TOPIC, "decisions", "Write")])
    rows = [output(topic, number) for number in range(20) for topic in ("triggers", "receipts", "decisions")]
    made: list[object] = []

    class Counting(KafkaPublisher):
        @override
        async def _new_producer(self) -> Any:
            made.append(None)
            return await super()._new_producer()

    async def work() -> tuple[list[str | None], list[str | None], int]:
        publisher = Counting(settings)
        await publisher.start()
        try:
            before = await publisher.publish(rows)
            producers = len(made)
            await asyncio.to_thread(secured.give, "writer", [(ResourceType.TOPIC, "triggers", "Write")])
            return before, await publisher.publish(rows), producers
        finally:
            await publisher.stop()

    before, after, producers = asyncio.run(work())

    denied = "TopicAuthorizationFailedError"
    assert before == [denied, denied, None] * 20
    assert after == [None, denied, None] * 20
    assert producers == 2


def test_a_worker_is_told_before_it_starts_that_it_may_see_its_group_and_not_join_it(secured: Secured) -> None:
    rights = [right for right in documented("the worker") if right[0] is ResourceType.TOPIC]
    secured.give("reader", [*rights, (ResourceType.GROUP, "regulars", "Describe")])
    settings = secured.as_user("reader")

    with pytest.raises(AdminError, match="lacks rights: Read on group regulars"):
        read_topic_ids(settings, written=written(settings))

    secured.give("reader", [(ResourceType.GROUP, "regulars", "Read")])
    assert "triggers" in read_topic_ids(settings, written=written(settings))


def test_a_client_certificate_is_enough_where_the_broker_knows_it(secured: Secured) -> None:
    made = secured.made
    for key in (
        {"ssl_keyfile": made.key("client")},
        {"ssl_keyfile": made.key("sealed"), "ssl_password": "key-password"},
    ):
        with admin_client(secured.settings(secured.tls, "SSL", ssl_certfile=made.pem("client"), **key)) as client:
            assert describe_cluster(client).brokers == 1


def refusal(settings: Settings) -> str:
    """Why no client comes about; nothing of it stays."""
    try:
        with admin_client(settings):
            return ""
    except AdminError as error:
        return str(error)


# kafka-python leaves a socket to the garbage collector where TLS fails.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "door, protocol, given, told",
    [
        (
            "sasl",
            "SASL_SSL",
            {"sasl_username": "worker", "sasl_password": "wrong-secret"},
            "refuses this login by PLAIN",
        ),
        ("sasl", "SASL_SSL", {"sasl_mechanism": "SCRAM-SHA-512"}, "knows no login by SCRAM-SHA-512"),
        ("sasl", "SSL", {}, "Does it ask for a login"),
        ("sasl", "SASL_SSL", {"ssl_cafile": "other-ca"}, "its certificate is not accepted"),
        ("tls", "SSL", {}, "certificate of this client"),
        ("tls", "PLAINTEXT", {}, "Does it speak PLAINTEXT there"),
        ("plain", "SASL_PLAINTEXT", {}, "asks for no login there"),
        ("tls", "SSL", {"ssl_cafile": "nowhere"}, "nowhere.pem can't be read: No such file or directory"),
        ("tls", "SSL", {"ssl_certfile": "client"}, "no certificate with its key"),
    ],
)
def test_what_is_wrong_with_a_secured_connection_is_said_by_the_setting(
    secured: Secured, monkeypatch: pytest.MonkeyPatch, door: str, protocol: str, given: dict[str, str], told: str
) -> None:
    monkeypatch.setattr(kafka_admin, "BOOTSTRAP_TIMEOUT_MS", 500)
    port = {"sasl": secured.sasl, "tls": secured.tls, "plain": secured.server.port}[door]
    files = {name: secured.made.pem(value) for name, value in given.items() if name.startswith("ssl_")}

    message = refusal(secured.settings(port, protocol, **(given | files)))
    gc.collect()

    assert told in message
    assert "kafka." in message
    assert "wrong-secret" not in message
