"""What an operator runs against a real Kafka and a real Redis: doctor, profile, audit, offsets, rebuild."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import TopicAuthorizationFailedError

from profiles.order_state import Contribution, OrderEntry, Totals
from profiles.profile import Profile
from profiles.state import Emitted, OrderStats, encode
from streams import cli
from streams.commands import doctor
from streams.home import home_partition
from streams.kafka_admin import create_topics, delete_topics, drop
from streams.local.kafka_server import KafkaServer
from streams.local.redis_server import RedisServer
from streams.redis_table import RedisTable
from streams.settings import Settings, build_settings
from streams.shadow import shadowed
from streams.table import Commit
from tests.conftest import MakeRedis
from tests.e2e.kit import wait_until

PARTITIONS = 2
ANN = home_partition("ann", PARTITIONS)

Regulars = Callable[..., int]


@pytest.fixture
def settings(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, redis_server: RedisServer, prefix: str
) -> Iterator[Settings]:
    made = build_settings(
        {
            "kafka": {
                "bootstrap": kafka_server.bootstrap,
                "topic_prefix": f"{prefix}.",
                "partitions": PARTITIONS,
                "replication": 1,
            },
            "redis": {"url": redis_server.url, "prefix": prefix},
        }
    )
    create_topics(kafka_admin, made)
    yield made
    delete_topics(kafka_admin, made)


@pytest.fixture
def regulars(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Regulars:
    """Run a command on this test's topics and keys; settings come from the environment here."""
    monkeypatch.setenv("COLUMNS", "200")
    for name, value in (
        ("KAFKA_BOOTSTRAP", settings.kafka.bootstrap),
        ("KAFKA_TOPIC_PREFIX", settings.kafka.topic_prefix),
        ("KAFKA_PARTITIONS", str(PARTITIONS)),
        ("REDIS_URL", settings.redis.url),
        ("REDIS_PREFIX", settings.redis.prefix),
    ):
        monkeypatch.setenv(f"REGULARS_{name}", value)
    return lambda *arguments: cli.run(arguments)


@pytest.fixture
def ann(settings: Settings) -> Profile:
    """A customer with one order, stored together with an offset."""
    totals = Totals(gross=1000, discount=100, net=900, margin=900)
    profile = Profile("user_id:ann", ids={"user_id": ["ann"]})
    profile.orders = OrderStats(1, 1, (1_700_000_000_000, "o1"), [(1_700_000_000_000, "o1")])
    profile.ltv, profile.by_currency = totals, {"USD": totals}
    part = Contribution("USD", counted=True, valued=True, amounts=totals, shop=totals, rate="1")
    entry = OrderEntry("o1", placed_ms=1_700_000_000_000, completed=True, contribution=part)
    store(settings, profile, {"o1": entry}, {"orders": 1})
    return profile


def store(settings: Settings, profile: Profile, entries: dict[str, OrderEntry], offsets: dict[str, int]) -> None:
    async def work() -> None:
        table = RedisTable(settings.redis.url, prefix=settings.redis.prefix)
        await table.ensure_install(PARTITIONS)
        claim = await table.claim(ANN)
        await table.commit(
            ANN,
            Commit(
                token=claim.meta.token,
                expected=claim.meta.commits,
                profiles={profile.id: profile.pack()},
                entries={(profile.id, order_id): encode(entry) for order_id, entry in entries.items()},
                offsets=offsets,
            ),
        )
        await table.close()

    asyncio.run(work())


def produce(settings: Settings, topic: str, count: int) -> None:
    producer = KafkaProducer(**settings.to_kafka_python())
    for _ in range(count):
        producer.send(settings.topic(topic), b"{}", partition=ANN)
    producer.flush()
    producer.close()


def test_the_doctor_ticks_off_everything_and_names_what_is_missing(
    settings: Settings, regulars: Regulars, kafka_admin: KafkaAdminClient, capsys: pytest.CaptureFixture[str]
) -> None:
    assert regulars("doctor") == 0
    ticks = [line.split()[:2] for line in capsys.readouterr().out.splitlines() if line.startswith("✓")]
    assert ticks == [["✓", "settings"], ["✓", "documents"], ["✓", "Kafka"], ["✓", "topics"], ["✓", "Redis"]]

    assert regulars("doctor", "--redis-url", "redis://127.0.0.1:1", "--files-rules", "none.toml") == 2
    shown = capsys.readouterr()
    crosses = [line.split()[1] for line in shown.out.splitlines() if line.startswith("✗")]
    assert crosses == ["documents", "Redis"]
    assert "2 of 5 checks failed" in shown.err

    assert regulars("doctor", "--kafka-topic-prefix", f"{settings.redis.prefix}-other.") == 2
    assert "regulars topics create" in capsys.readouterr().out


def test_a_relay_and_a_bridge_name_the_topic_that_is_missing(
    settings: Settings, regulars: Regulars, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REGULARS_RELAYS_CRM_URL", "https://crm.shop.example/hook")
    monkeypatch.setenv("REGULARS_RELAYS_CRM_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    monkeypatch.setenv("REGULARS_RELAYS_CRM_TOPICS", "triggers,triggers-servce")
    monkeypatch.setenv("REGULARS_RAW_WEB_TOPIC", "nobody-writes-this")
    monkeypatch.setenv("REGULARS_RAW_WEB_FORMAT", "snowplow")

    assert regulars("relay", "crm") == 2
    told = capsys.readouterr().err
    assert f"missing topics: {settings.topic('triggers-servce')}. " in told
    assert "relays.crm.topics" in told
    assert regulars("bridge") == 2
    assert "missing topics: nobody-writes-this. " in capsys.readouterr().err

    assert regulars("doctor") == 2
    (cross,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("✗")]
    assert cross.split()[1] == "topics"
    assert settings.topic("triggers-servce") in cross
    monkeypatch.setenv("REGULARS_RELAYS_CRM_TOPICS", "triggers")
    monkeypatch.setenv("REGULARS_RELAYS_CRM_ONLY", "wellcome")
    assert regulars("doctor") == 2
    shown = capsys.readouterr().out
    assert "missing topics: nobody-writes-this. " in shown
    assert "note: relays.crm.only names 'wellcome', which no trigger here is called (did you mean 'welcome'?)" in shown


def test_a_topic_apart_can_be_watched(
    settings: Settings,
    regulars: Regulars,
    kafka_admin: KafkaAdminClient,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[welcome]\ntopic = "triggers-mail"\n')

    assert regulars("topics", "create", "--files-rules", str(rules)) == 0
    try:
        assert regulars("tail", "--topic", "triggers-mail", "--no-follow", "--files-rules", str(rules)) == 0
        assert regulars("tail", "--topic", "triggers-mail", "--no-follow") == 2
        assert "no output topic 'triggers-mail'" in capsys.readouterr().err
    finally:
        kafka_admin.delete_topics([settings.topic("triggers-mail")])


def test_a_look_before_the_first_start_decides_nothing_about_the_installation(
    settings: Settings, regulars: Regulars, redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    assert regulars("doctor") == 0
    assert regulars("profile", "show", "ann") != 0
    capsys.readouterr()

    assert list(redis_client.scan_iter(f"{settings.redis.prefix}:*")) == []


@pytest.mark.parametrize(
    "wrong", [("--files-sources", "[nobody]"), ("--files-tracking-plan", '{"events": 3}')], ids=["sources", "plan"]
)
def test_the_doctor_looks_at_every_document_that_a_worker_reads(
    regulars: Regulars, capsys: pytest.CaptureFixture[str], tmp_path: Path, wrong: tuple[str, str]
) -> None:
    flag, text = wrong
    file = tmp_path / "wrong"
    file.write_text(text)

    assert regulars("doctor", flag, str(file)) == 2
    (cross,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("✗")]
    assert cross.split()[1] == "documents"
    assert str(file) in cross


def test_the_doctor_does_not_claim_what_redis_does_not_show(
    regulars: Regulars, own_redis: MakeRedis, capsys: pytest.CaptureFixture[str]
) -> None:
    forgetful = own_redis(config={"appendonly": "no"})

    assert regulars("doctor", "--redis-url", forgetful.url, "--redis-durable-elsewhere", "true") == 0
    shown = capsys.readouterr().out
    assert "has no append-only file, which the settings accept" in shown
    assert "append-only file on" not in shown


def test_a_profile_is_shown_as_a_page_and_as_json(
    regulars: Regulars, ann: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert regulars("profile", "show", "ann") == 0
    assert "USD 9.00" in capsys.readouterr().out
    assert regulars("profile", "show", "user_id:ann", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["id"], shown["ltv"]["net_minor"], shown["orders"]["count"]) == ("user_id:ann", 900, 1)
    assert regulars("profile", "explain", "ann") == 0
    assert "nothing happened that would bring a message" in capsys.readouterr().out
    assert regulars("profile", "show", "bob") == 2
    assert "no profile of 'bob'; looked for user_id:bob, email:bob" in capsys.readouterr().err


def test_a_shadow_workers_keys_are_told_from_those_of_what_was_sent(
    settings: Settings, regulars: Regulars, ann: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    ann.emitted.append(Emitted("t-1", "welcome", "user_id:ann", 0, 0))
    beside = shadowed(settings, "autumn")
    for one in (settings, beside):
        store(one, ann, {}, {})

    assert regulars("profile", "explain", "ann") == 0
    assert "welcome about user_id:ann was sent at 1970-01-01 00:00:00 UTC" in capsys.readouterr().out
    assert regulars("profile", "explain", "ann", "--redis-prefix", beside.redis.prefix) == 0
    shown = capsys.readouterr().out
    assert "welcome about user_id:ann would have been sent at 1970-01-01 00:00:00 UTC" in shown
    assert "was sent" not in shown


def test_the_life_of_a_trigger_is_told_on_the_clock_of_whom_it_is_about(
    settings: Settings, regulars: Regulars, ann: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    ann.traits["timezone"] = (1, "America/New_York")
    store(settings, ann, {}, {})
    producer = KafkaProducer(**settings.to_kafka_python())
    for customer, trigger_id in (("user_id:ann", "t-ann"), ("user_id:gone", "t-gone")):
        about = {"name": "welcome", "episode_key": customer, "customer_id": customer, "trigger_id": trigger_id}
        armed = about | {"decision_id": trigger_id, "state": "armed", "at_ms": 0, "due_at_ms": 300_000}
        producer.send(settings.topic("decisions"), json.dumps(armed).encode(), partition=ANN)
    producer.flush()
    producer.close()

    assert regulars("explain", "t-ann", "--shop-timezone", "Asia/Tokyo") == 0
    told = capsys.readouterr().out
    assert "Times are of her zone, America/New_York." in told
    assert "1969-12-31 19:00:00 EST: it was planned for 1969-12-31 19:05:00 EST." in told
    assert regulars("explain", "t-gone", "--shop-timezone", "Asia/Tokyo") == 0
    told = capsys.readouterr().out
    assert "Times are of the shop's zone, Asia/Tokyo." in told
    assert "It waits no more: nothing of it is kept, as when she was erased." in told
    # Decisions are in Kafka: that the profile can't be looked at is no reason to keep them back.
    assert regulars("explain", "t-ann", "--redis-url", "redis://127.0.0.1:1/0") == 0
    assert "Times are of the shop's zone, UTC." in capsys.readouterr().out


def test_the_audit_passes_sound_profiles_and_exits_with_1_for_others(
    settings: Settings, regulars: Regulars, ann: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert regulars("audit") == 0
    assert "1 profiles, 0 disagree" in capsys.readouterr().out

    ann.ltv.net += 1
    store(settings, ann, {}, {})
    assert regulars("audit") == 1
    shown = capsys.readouterr().out
    assert f"user_id:ann (partition {ANN}): ltv.net: profile has 901, ledger gives 900" in shown
    assert "0 counters disagree" in shown
    assert regulars("audit", "--partition", str(1 - ANN)) == 0
    assert regulars("audit", "--partition", "2") == 2


@pytest.fixture
def elsewhere(redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Regulars:
    """Commands on a prefix under which nothing lies, and without a Kafka."""
    monkeypatch.setenv("REGULARS_REDIS_URL", redis_server.url)
    monkeypatch.setenv("REGULARS_REDIS_PREFIX", prefix)
    monkeypatch.setenv("REGULARS_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    return lambda *arguments: cli.run(arguments)


@pytest.mark.parametrize(
    "command", [("audit",), ("profile", "show", "ann"), ("offsets", "show"), ("privacy", "orders", "o1"), ("fit",)]
)
def test_where_no_worker_ever_started_commands_say_so_and_decide_nothing_for_good(
    command: tuple[str, ...],
    elsewhere: Regulars,
    prefix: str,
    redis_client: redis.Redis,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert elsewhere(*command) == 2
    told = capsys.readouterr().err
    assert f"nothing under the prefix '{prefix}' at 127.0.0.1:" in told
    assert "Are redis.prefix and redis.url" in told
    assert list(redis_client.scan_iter(f"{prefix}*")) == []


def test_a_doctor_who_comes_before_the_first_worker_leaves_the_number_of_partitions_open(
    elsewhere: Regulars,
    prefix: str,
    redis_client: redis.Redis,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"Redis": doctor.CHECKS["Redis"]})
    assert elsewhere("doctor") == 0
    assert "✓ Redis" in capsys.readouterr().out
    assert list(redis_client.scan_iter(f"{prefix}*")) == []


def test_what_only_reads_works_on_a_full_redis_too(
    own_redis: MakeRedis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = own_redis()
    asyncio.run(_installed(server.url))
    with server.client() as client:
        client.config_set("maxmemory", "1")
    monkeypatch.setenv("REGULARS_REDIS_URL", server.url)

    assert cli.run(["audit"]) == 0
    assert "0 profiles" in capsys.readouterr().out


async def _installed(url: str) -> None:
    table = RedisTable(url, prefix="regulars")
    await table.ensure_install(32)
    await table.close()


def test_another_number_of_partitions_is_refused(
    regulars: Regulars, ann: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert regulars("audit", "--kafka-partitions", "3") == 2
    assert "partitions" in capsys.readouterr().err


def test_offsets_are_shown_and_a_gap_is_accepted_only_when_told_to(
    settings: Settings, regulars: Regulars, ann: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    produce(settings, "orders", 3)
    assert regulars("offsets", "accept-gap", "--partition", "99") == 2
    assert "numbered from 0" in capsys.readouterr().err
    assert regulars("offsets", "show") == 0
    (row,) = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("orders ")]
    assert row == ["orders", str(ANN), "1", "0", "3", "2"]
    assert regulars("offsets", "accept-gap", "--yes") == 0
    assert "no gap" in capsys.readouterr().out

    store(settings, ann, {}, {"orders": 10})  # as if another log had been read up to 10
    assert regulars("offsets", "show") == 0
    assert "the log ends 7 records before" in capsys.readouterr().out
    assert regulars("offsets", "accept-gap", "--yes") == 0
    assert "would read on at 3" in capsys.readouterr().out
    assert regulars("offsets", "show") == 0
    (row,) = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("orders ")]
    assert row == ["orders", str(ANN), "3", "0", "3", "0"]


def test_no_gap_is_accepted_while_somebody_has_added_partitions_to_a_topic(
    settings: Settings,
    regulars: Regulars,
    ann: Profile,
    kafka_admin: KafkaAdminClient,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Workers would not read on: first the topic is made anew."""
    carts, added = settings.topic("carts"), PARTITIONS + 2
    kafka_admin.create_partitions({carts: added})
    wait_until("added", lambda: len(kafka_admin.describe_topics([carts])[0]["partitions"]) == added)

    assert regulars("offsets", "accept-gap", "--yes") == 2
    assert f"carts has {added} partitions" in capsys.readouterr().err


def test_rebuild_deletes_profiles_and_offsets_after_asking(
    regulars: Regulars, ann: Profile, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.confirm", _no)
    assert regulars("rebuild") == 130
    assert regulars("profile", "show", "ann") == 0

    assert regulars("rebuild", "--yes", "--partition", str(ANN)) == 0
    assert f"keys of 1 of {PARTITIONS} partitions deleted" in capsys.readouterr().out
    assert regulars("profile", "show", "ann") == 2
    assert regulars("audit") == 0


def test_a_long_rebuild_says_how_far_it_is(
    regulars: Regulars, ann: Profile, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.commands.display.PLAIN_EVERY_S", 0)

    assert regulars("rebuild", "--yes") == 0
    shown = capsys.readouterr().err.splitlines()
    assert [line.partition("rebuild: ")[2].partition("keys ")[2] for line in shown] == [
        f"of {done} partitions deleted" for done in range(PARTITIONS)
    ]


def test_whose_an_order_is_can_be_asked(regulars: Regulars, ann: Profile, capsys: pytest.CaptureFixture[str]) -> None:
    assert regulars("privacy", "orders", "o1") == 0
    assert capsys.readouterr().out == f"o1: user_id:ann (partition {ANN})\n"
    assert regulars("privacy", "orders", "o1", "o9") == 1
    assert capsys.readouterr().out.splitlines()[1] == "o9: not here"


def test_a_whole_shop_is_erased_and_not_while_a_worker_runs(
    settings: Settings,
    regulars: Regulars,
    ann: Profile,
    kafka_admin: KafkaAdminClient,
    redis_server: RedisServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REGULARS_KAFKA_GROUP", settings.redis.prefix)
    produce(settings, "orders", 1)
    client = redis.Redis.from_url(redis_server.url)
    client.set(f"{settings.redis.prefix}-other:install", "theirs")
    worker = KafkaConsumer(
        settings.topic("orders"),
        **settings.to_kafka_python(),
        group_id=settings.redis.prefix,
        auto_offset_reset="earliest",
    )
    while not worker.poll(timeout_ms=500):
        pass

    assert regulars("privacy", "erase-shop", "--yes") == 2
    assert "members of the group" in capsys.readouterr().err
    assert regulars("profile", "show", "ann") == 0
    worker.close()
    capsys.readouterr()

    assert regulars("privacy", "erase-shop", "--yes", "--keep-inputs") == 0
    gone = json.loads(capsys.readouterr().out)
    assert (gone["command"], gone["keys"] >= 4) == ("erase_shop", True)
    assert settings.topic("triggers") in gone["topics"]
    assert settings.topic("orders") in gone["kept"]
    assert list(client.scan_iter(f"{settings.redis.prefix}:*")) == []
    assert regulars("privacy", "erase-shop", "--yes") == 0
    wait_until(
        "the broker has let go of the topics",
        lambda: not any(name.startswith(settings.kafka.topic_prefix) for name in kafka_admin.list_topics()),
    )
    assert client.get(f"{settings.redis.prefix}-other:install") == b"theirs"
    client.delete(f"{settings.redis.prefix}-other:install")
    client.close()


def test_a_topic_that_a_broker_still_lists_after_its_end_holds_up_no_erasure(
    settings: Settings, kafka_admin: KafkaAdminClient
) -> None:
    """Brokers go on listing it for a moment: an erasure that was run again then ended by an error, with the others deleted."""
    orders = settings.topic("orders")

    drop(kafka_admin, [f"{settings.redis.prefix}-gone", orders])
    wait_until("the broker has let go of it", lambda: orders not in kafka_admin.list_topics())


def test_a_topic_that_may_not_be_deleted_is_named() -> None:
    refused = [{"name": "shop.orders", "error_code": 29, "error_message": None}]
    broker: Any = SimpleNamespace(delete_topics=lambda _, **__: {"topics": refused})

    with pytest.raises(TopicAuthorizationFailedError, match=r"topic shop\.orders"):
        drop(broker, ["shop.orders"])


def _no(*_: object, **__: object) -> bool:
    import click

    raise click.Abort
