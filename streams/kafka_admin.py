"""Topic administration with kafka-python: making, describing and checking the topics of an installation.

Blocking calls; inside an event loop run them in a thread.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError, NoError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code
from msgspec import Struct

from profiles.rules import topics_apart
from schemas.topics import TOPICS, Topic, topic_apart
from streams.book_files import BookError, read_rules_file
from streams.certificates import CertificateError
from streams.kafka_reach import denied, why_silent
from streams.settings import Settings
from streams.shadow import topics_command

REQUEST_TIMEOUT_MS = 15_000
BOOTSTRAP_TIMEOUT_MS = 10_000
SAID_MAX = 300
NOBODY = "nobody, asked after by the check of rights"
"""The id of a member that no group has."""


class AdminError(Exception):
    """Kafka can't be reached or refused an administrative call. The message says which and what to do."""


class TopicMismatch(AdminError):
    """A topic exists with another number of partitions than the installation has.

    Nothing was changed. Operator action: delete the topic if it is empty, or set `kafka.partitions` to the number it has. Where
    somebody added partitions to it, docs/how-to/operate.md says what to do.
    """


class TopicState(Struct, frozen=True, kw_only=True):
    """A topic as the broker has it. `topic_id` changes when a topic is deleted and made anew. `allowed` is what this user may do
    with it, by Kafka's names; empty where the broker does not tell.
    """

    name: str
    partitions: int
    topic_id: str
    allowed: frozenset[str] = frozenset()


class Cluster(Struct, frozen=True, kw_only=True):
    """The Kafka cluster: its id and how many brokers answered."""

    cluster_id: str
    brokers: int


@contextmanager
def admin_client(settings: Settings) -> Iterator[KafkaAdminClient]:
    """A connected administration client. Raises AdminError where no broker answers, saying why."""
    try:
        client = KafkaAdminClient(
            **settings.to_kafka_python(),
            client_id=f"{settings.kafka.group}-admin",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS,
        )
    except CertificateError as error:
        raise AdminError(str(error)) from error
    except (KafkaError, OSError) as error:
        why = why_silent(settings)
        raise AdminError(
            f"no Kafka broker answers at {why}"
            if why
            else f"no Kafka broker answers at {settings.kafka.bootstrap} ({type(error).__name__}). "
            "Is it running, and is kafka.bootstrap right? A local one: regulars services start"
        ) from error
    try:
        yield client
    except KafkaError as error:
        raise AdminError(denied(error) or _refusal(error)) from error
    finally:
        client.close()


def _refusal(error: KafkaError) -> str:
    """What Kafka said, cut short: of hundreds of partitions that have no leader yet its client names each."""
    said = f"Kafka refused: {type(error).__name__}: {error}"
    said = said if len(said) <= SAID_MAX else said[:SAID_MAX] + " ..."
    return f"{said}\n  Try again in a moment" if error.retriable else said


def installed(settings: Settings) -> tuple[Topic, ...]:
    """All topics of an installation, with those to which its rules publish triggers apart."""
    if not settings.files.rules:
        return TOPICS
    try:
        apart = set(topics_apart(read_rules_file(Path(settings.files.rules)).rules).values())
    except BookError:
        return TOPICS  # whoever goes by the rules says what is wrong with them
    return (*TOPICS, *(topic_apart(name) for name in sorted(apart)))


def topic_config(topic: Topic) -> dict[str, str]:
    """The broker's configuration of a topic."""
    return {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "retention.ms": str(topic.retention_ms),
        # Records are stamped with the time of production by the broker: one stamped in the past by its producer would be
        # deleted by the broker's retention before it was read.
        "message.timestamp.type": "LogAppendTime",
    }


def create_topics(client: KafkaAdminClient, settings: Settings) -> list[str]:
    """Make every topic that is missing; the names made. Raises TopicMismatch where one has another partition count."""
    found = describe_topics(client, settings)
    for state in found.values():
        _check_count(state, settings.kafka.partitions)
    missing = {
        settings.topic(topic.name): {
            "num_partitions": settings.kafka.partitions,
            "replication_factor": settings.kafka.replication,
            "configs": topic_config(topic),
        }
        for topic in installed(settings)
        if topic.name not in found
    }
    if missing:
        try:
            client.create_topics(missing, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            check_topics(client, settings)  # somebody else made them in the same moment: the same ones?
    return list(missing)


def describe_topics(client: KafkaAdminClient, settings: Settings) -> dict[str, TopicState]:
    """The installation's topics that exist, by logical name."""
    wanted = {settings.topic(topic.name): topic.name for topic in installed(settings)}
    there = wanted.keys() & set(client.list_topics())
    states: dict[str, TopicState] = {}
    if not there:
        return states
    for found in client.describe_topics(sorted(there)):
        if found.get("error_code"):
            continue
        states[wanted[found["name"]]] = TopicState(
            name=found["name"],
            partitions=len(found["partitions"]),
            topic_id=str(found.get("topic_id", "")),
            allowed=frozenset(found.get("authorized_operations") or ()),
        )
    return states


def check_topics(client: KafkaAdminClient, settings: Settings) -> dict[str, TopicState]:
    """All topics of the installation. Raises AdminError naming what is missing, TopicMismatch for a wrong count."""
    found = describe_topics(client, settings)
    refuse_missing(settings, found, [topic.name for topic in installed(settings)])
    for state in found.values():
        _check_count(state, settings.kafka.partitions)
    return found


def refuse_missing(settings: Settings, found: Mapping[str, TopicState], names: Iterable[str]) -> None:
    """Raise AdminError where some of the topics of these logical names were not found, and say what makes them."""
    if missing := [settings.topic(name) for name in names if name not in found]:
        raise AdminError(
            f"missing topics: {', '.join(missing)}. Make them: {topics_command(settings)}{_unseen(settings)}"
        )


def check_rights(
    client: KafkaAdminClient,
    settings: Settings,
    topics: Mapping[str, TopicState],
    *,
    read: Iterable[str],
    written: Iterable[str],
) -> None:
    """Raise AdminError where this user may not read or write some of the topics, or not use the installation's group."""
    lacking = [
        f"{operation} on topic {state.name}"
        for operation, names in (("Read", read), ("Write", written))
        for name in names
        if (state := topics[name]).allowed and operation.upper() not in state.allowed
    ]
    try:
        # Who may look at a group may not yet join it. That is asked by the leave of a member: it needs the same right, and nobody
        # is that member.
        client.remove_group_members(settings.kafka.group, [MemberToRemove(member_id=NOBODY)])
    except KafkaError as error:
        # A group without a coordinator yet is found when it is joined.
        if denied(error):
            lacking.append(f"Read on group {settings.kafka.group}")
    if lacking:
        raise AdminError(
            f"this Kafka user lacks rights: {', '.join(lacking)}. All that are needed: docs/how-to/secure-connections.md"
        )


def need_topics(settings: Settings, names: Iterable[str], remedy: str) -> None:
    """Raise AdminError where a topic of these whole names is not there, and what to do then. Blocking."""
    with admin_client(settings) as client:
        there = set(client.list_topics())
    if missing := [name for name in dict.fromkeys(names) if name not in there]:
        raise AdminError(f"missing topics: {', '.join(missing)}. {remedy}{_unseen(settings)}")


def describe_cluster(client: KafkaAdminClient) -> Cluster:
    """Id and size of the cluster."""
    found = client.describe_cluster()
    return Cluster(cluster_id=str(found.get("cluster_id", "")), brokers=len(found.get("brokers", ())))


def delete_topics(client: KafkaAdminClient, settings: Settings) -> list[str]:
    """Delete the installation's topics, with everything in them; the names deleted."""
    names = [state.name for state in describe_topics(client, settings).values()]
    drop(client, names)
    return names


def drop(client: KafkaAdminClient, names: Sequence[str]) -> None:
    """Delete topics by their names on the broker. Raises KafkaError.

    One that is not there is as good as deleted: brokers list a topic for a while after it went.
    """
    if not names:
        return
    for answer in client.delete_topics(names, raise_errors=False)["topics"]:
        error = for_code(answer["error_code"])
        if error not in {NoError, UnknownTopicOrPartitionError}:
            raise error(f"topic {answer['name']}: {answer['error_message'] or error.description}")


def _unseen(settings: Settings) -> str:
    """A word of rights where the broker knows who asks: it hides topics from who may not describe them."""
    if settings.kafka.security_protocol == "PLAINTEXT":
        return ""
    return (
        ". Topics look missing, too, to a user without the right to describe them (docs/how-to/secure-connections.md)"
    )


def _check_count(state: TopicState, wanted: int) -> None:
    if state.partitions != wanted:
        raise TopicMismatch(
            f"topic {state.name} has {state.partitions} partitions, the installation has {wanted} (kafka.partitions). "
            "The number is fixed for the life of an installation: correct the setting, delete the topic if it is empty, or, "
            "where somebody added partitions, do as docs/how-to/operate.md says"
        )
