"""Feeding a real Kafka and watching its output: right topic, key, partition and time, nothing lost, plain words."""

import json
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import msgspec
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaTimeoutError

from profiles.book import Book
from profiles.state import encode
from schemas.decode import Decoder
from schemas.events import Arrival
from schemas.outputs import RulesChanged, SegmentsReady
from schemas.topics import TOPICS
from streams import cli, looking_on
from streams.commands.tail import AWAY, BACK, readable, usual, values
from streams.feed import UNKNOWN_TOPIC, Noted, as_lines, as_spend, feed, shifted
from streams.kafka_admin import AdminError, create_topics, delete_topics
from streams.local.kafka_server import KafkaServer
from streams.looking_on import read_to
from streams.reporting.spend_topic import read_topic
from streams.settings import Settings, build_settings
from streams.sources import completejourney

PARTITIONS = 3
DAY_MS = 86_400_000

ORDER = {
    "event": "Order Completed",
    "message_id": "m1",
    "timestamp_ms": 1_700_000_000_000,
    "user_id": "21",
    "order_id": "o1",
    "products": [{"product_id": "p", "price_minor": 100}],
}
CART = {
    "type": "track",
    "event": "Product Added",
    "messageId": "m2",
    "userId": "21",
    "timestamp": "2023-11-14T22:00:00.000Z",
    "properties": {"product_id": "p", "price": "1.00", "cart_id": "c"},
}
IDENTIFY = {
    "type": "identify",
    "messageId": "m3",
    "userId": "foobar",
    "timestamp": "2023-11-14T22:00:01.000Z",
    "traits": {"plan": "gold"},
}

# murmur2 (masked to 31 bits) of Kafka's own Java tests: UtilsTest.testMurmur2.
MURMUR2 = {"21": -973932308 & 0x7FFFFFFF, "foobar": -790332482 & 0x7FFFFFFF, "a-little-bit-long-string": -985981536}


def test_spend_goes_out_under_the_keys_it_must_have() -> None:
    lines = [b'{"day": "2026-03-01", "channel": "google / cpc", "amount_minor": 125}', b"{"]

    assert [(line.topic, line.key, line.value) for line in as_spend(lines)] == [
        ("spend", "google / cpc|2026-03-01", lines[0]),
        ("spend", "", b"{"),
    ]


@pytest.fixture
def settings(kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str) -> Iterator[Settings]:
    settings = build_settings(
        {
            "kafka": {
                "bootstrap": kafka_server.bootstrap,
                "topic_prefix": f"{prefix}.",
                "partitions": PARTITIONS,
                "replication": 1,
            }
        }
    )
    create_topics(kafka_admin, settings)
    yield settings
    delete_topics(kafka_admin, settings)


@pytest.fixture
def regulars(settings: Settings) -> Callable[..., int]:
    """Run a command against this test's topics."""
    flags = (
        *("--kafka-bootstrap", settings.kafka.bootstrap),
        *("--kafka-topic-prefix", settings.kafka.topic_prefix),
        *("--kafka-partitions", str(PARTITIONS)),
    )
    return lambda *arguments: cli.run([*arguments, *flags])


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "export.jsonl"
    path.write_text("\n".join([json.dumps(ORDER), json.dumps(CART), json.dumps(IDENTIFY), "no json"]) + "\n")
    return path


def published(settings: Settings, topic: str) -> list[Any]:
    """Everything on a topic, by partition and offset."""
    consumer = KafkaConsumer(**settings.to_kafka_python(), group_id=None, isolation_level="read_committed")
    try:
        every = [TopicPartition(settings.topic(topic), p) for p in range(PARTITIONS)]
        consumer.assign(every)
        consumer.seek_to_beginning(*every)
        ends = consumer.end_offsets(every)
        found: list[Any] = []
        deadline = time.monotonic() + 30
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            assert time.monotonic() < deadline, "the topic could not be read to its end"
            for records in consumer.poll(timeout_ms=200).values():
                found += records
        return found
    finally:
        consumer.close()


def test_each_event_goes_to_the_topic_of_its_kind_with_its_customer_as_the_key(
    settings: Settings, regulars: Callable[..., int], export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before_ms = int(time.time() * 1000) - 2000
    assert regulars("feed", str(export)) == 0

    shown = capsys.readouterr()
    assert "4 events published (carts 1, clickstream 1, identities 1, orders 1)" in shown.out
    assert "1 lines are no event we know" in shown.err
    assert "  not_json 1, the first: " in shown.err
    for topic, key, event in (("orders", "21", ORDER), ("carts", "21", CART), ("identities", "foobar", IDENTIFY)):
        (record,) = published(settings, topic)
        assert record.key.decode() == key
        assert json.loads(record.value) == event
        assert record.partition == MURMUR2[key] % PARTITIONS
        assert before_ms <= record.timestamp <= time.time() * 1000 + 2000
    (unknown,) = published(settings, UNKNOWN_TOPIC)
    assert (unknown.key, unknown.value) == (None, b"no json")


def test_why_lines_are_no_events_is_told_by_the_first_of_each_kind() -> None:
    noted = Noted()
    lines = [b"no json", json.dumps(CART | {"properties": {}}).encode(), b"{", json.dumps(ORDER).encode()]

    assert [line.key for line in as_lines(lines, Decoder("USD"), noted)] == ["", "", "", "21"]
    assert noted.refused == {"not_json": 2, "missing_field": 1}
    assert noted.first["missing_field"].startswith("properties.product_id is missing")


def test_what_says_no_time_is_published_as_the_worker_will_take_it() -> None:
    """It was said to be no event, went to a wrong topic without its key, and the worker took it all the same."""
    webhook = {"headers": {"X-Shopify-Topic": "customers/redact"}, "body": {"customer": {"id": 7}}}
    call = {name: value for name, value in CART.items() if name != "timestamp"}
    noted, decoder = Noted(), Decoder("USD")
    lines = [json.dumps(line).encode() for line in (webhook, call, ORDER)]

    found = list(as_lines(lines, decoder, noted, now_ms=1_772_366_400_000))

    assert [(line.time_ms, line.topic, line.key) for line in found] == [
        (0, "commands", "7"),
        (0, "carts", "21"),
        (1_700_000_000_000, "orders", "21"),
    ]
    assert [line.value for line in found] == lines
    assert (noted.timeless, noted.refused) == (2, {})
    assert [line.value for line in shifted(found[:2], DAY_MS, decoder)] == lines[:2]


def test_a_line_of_spend_that_nobody_can_read_does_not_hold_up_the_others(settings: Settings) -> None:
    costs = [b'{"day": "2026-03-01", "channel": "ads", "amount_minor": %d}' % amount for amount in (125, 70)]

    feed(as_spend([costs[0], b'{"day": "2026-03-02", "channel": "ads", "amount_minor": "much"}', costs[1]]), settings)

    keys = sorted(record.key for record in published(settings, "spend"))
    assert keys == [b"", b"ads|2026-03-01", b"ads|2026-03-01"]
    spent = read_topic(settings, Book())
    assert spent is not None
    assert (sum(spent.by_month.values()), [one.reason for one in spent.rejected]) == (70, ["wrong_type"])


def test_a_whole_shop_is_fed_once_and_each_household_stays_in_one_partition(settings: Settings) -> None:
    lines = list(islice(completejourney.orders(), 3000))

    fed = feed(lines, settings)

    assert fed.by_topic == {"orders": 3000}
    records = published(settings, "orders")
    assert sorted(record.value for record in records) == sorted(line.value for line in lines)
    homes: dict[bytes, set[int]] = {}
    for record in records:
        homes.setdefault(record.key, set()).add(record.partition)
    assert all(len(partitions) == 1 for partitions in homes.values())
    assert {partition for partitions in homes.values() for partition in partitions} == set(range(PARTITIONS))


def test_the_rate_is_held(settings: Settings) -> None:
    lines = list(islice(completejourney.orders(), 100))
    began = time.monotonic()

    feed(lines, settings, rate=100)

    assert 0.9 <= time.monotonic() - began < 20


def test_nothing_is_waited_for_after_the_last_event(settings: Settings) -> None:
    line = next(completejourney.orders())
    began = time.monotonic()

    feed([line], settings, rate=0.02)

    assert time.monotonic() - began < 20  # another one would be due after 50 s


@pytest.mark.parametrize("rate", ["nan", "inf", "0", "-1", "1e-9", "fast"])
def test_a_rate_that_is_none_is_refused(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["feed", "-", "--rate", rate]) == 2
    assert "--rate" in capsys.readouterr().err


def test_a_missing_topic_is_told_with_the_remedy(
    kafka_server: KafkaServer, prefix: str, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--kafka-bootstrap", kafka_server.bootstrap, "--kafka-topic-prefix", prefix]

    assert cli.run(["feed", str(export), *flags]) == 2
    assert "regulars topics create" in capsys.readouterr().err
    assert cli.run(["tail", "--no-follow", *flags]) == 2
    assert "regulars topics create" in capsys.readouterr().err


def test_a_topic_of_spend_that_is_missing_is_told_too(
    settings: Settings, regulars: Callable[..., int], kafka_admin: KafkaAdminClient, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Installations from before it have all topics that events go to, and not this one."""
    costs = tmp_path / "costs.jsonl"
    costs.write_text('{"day": "2026-03-01", "channel": "ads", "amount_minor": 125}\n')
    kafka_admin.delete_topics([settings.topic("spend")])
    deadline = time.monotonic() + 30
    while settings.topic("spend") in kafka_admin.list_topics():
        assert time.monotonic() < deadline, "the topic was not deleted"

    assert regulars("feed", str(costs), "--topic", "spend") == 2
    assert f"missing topics: {settings.topic('spend')}. Make them: regulars topics create" in capsys.readouterr().err


def test_nothing_is_fed_to_partitions_that_no_worker_reads(
    settings: Settings, kafka_admin: KafkaAdminClient, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody added partitions to one topic: every topic's partition p belongs to one worker, so the new ones are nobody's."""
    carts, deadline = settings.topic("carts"), time.monotonic() + 30
    kafka_admin.create_partitions({carts: PARTITIONS + 2})
    while len(kafka_admin.describe_topics([carts])[0]["partitions"]) == PARTITIONS:
        assert time.monotonic() < deadline, "the partitions were not added"
    flags = ["--kafka-bootstrap", settings.kafka.bootstrap, "--kafka-topic-prefix", settings.kafka.topic_prefix]

    assert cli.run(["feed", str(export), *flags]) == 2
    assert f"carts has {PARTITIONS + 2} partitions" in capsys.readouterr().err
    assert published(settings, "carts") == []


def test_shifting_moves_every_instant_alike_and_makes_nothing_an_import(settings: Settings) -> None:
    sent = CART | {"originalTimestamp": "2023-11-14T22:00:00.000Z", "sentAt": "2023-11-14T22:00:02.000Z"}
    values = [json.dumps(ORDER).encode(), json.dumps(sent).encode(), b"no json"]
    decoder = Decoder("USD")

    moved = list(shifted(as_lines(values, decoder), DAY_MS, decoder))

    order, cart = (decoder.decode(line.value, 0) for line in moved[:2])
    assert isinstance(order, Arrival)
    assert isinstance(cart, Arrival)
    assert order.event.timestamp_ms == order.event.received_at_ms == order.received_ms == 1_700_086_400_000
    assert cart.event.original_timestamp_ms == 1_699_999_200_000 + DAY_MS
    assert cart.event.sent_at_ms == 1_699_999_202_000 + DAY_MS
    assert [line.topic for line in moved] == ["orders", "carts", UNKNOWN_TOPIC]
    assert moved[2].value == b"no json"


@pytest.mark.parametrize("odd", [b"[" * 9000 + b"]" * 9000, b'"\xff"'], ids=["nested too deep", "no UTF-8"])
def test_an_odd_line_is_fed_as_it_is_and_ends_nothing(odd: bytes) -> None:
    """The worker sets it aside with the reason; feeding ended there as by a fault of ours."""
    line = json.dumps(ORDER).encode()[:-1] + b', "message_id": ' + odd + b"}"
    decoder = Decoder("USD")

    assert [moved.value for moved in shifted(as_lines([line], decoder), DAY_MS, decoder)] == [line]
    assert [spent.key for spent in as_spend([line])] == [""]


def test_shifted_to_now_the_last_event_happens_now(
    settings: Settings, regulars: Callable[..., int], export: Path
) -> None:
    assert regulars("feed", str(export), "--shift-to-now") == 0

    events = [json.loads(record.value) for topic in ("orders", "carts") for record in published(settings, topic)]
    order, cart = events
    assert order["timestamp_ms"] == pytest.approx(time.time() * 1000, abs=60_000)
    assert order["timestamp_ms"] - cart["timestamp_ms"] == 800_000


def test_topics_are_created_once_and_listed_with_their_records(
    settings: Settings,
    regulars: Callable[..., int],
    export: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert regulars("topics", "create") == 0
    assert f"0 topics created, {len(TOPICS)} were there" in capsys.readouterr().out
    assert regulars("feed", str(export)) == 0
    capsys.readouterr()

    assert regulars("topics", "list") == 0
    rows = {line.split()[0]: line.split()[1:4] for line in capsys.readouterr().out.splitlines()[1:]}
    assert rows[settings.topic("orders")] == ["input", "3", "1"]
    assert rows[settings.topic("forwards")] == ["internal", "3", "0"]
    assert rows[settings.topic("triggers")] == ["output", "3", "0"]


def test_tail_shows_each_trigger_once_in_a_line(
    settings: Settings, regulars: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    trigger = {
        "trigger_id": "t-1",
        "name": "cart.abandoned",
        "emitted_at_ms": 1_700_000_000_000,
        "customer": {"id": "user_id:21"},
        "items": [{"product_id": "p", "name": "Tea"}, {"product_id": "q"}],
        "value_minor": 1234,
        "currency": "USD",
        "exponent": 2,
    }
    recovered = {
        "trigger_id": "t-2",
        "name": "cart.recovered",
        "of_name": "cart.abandoned",
        "customer_id": "user_id:21",
        "order_id": "o1",
        "emitted_at_ms": 1_700_000_060_000,
    }
    producer = KafkaProducer(**settings.to_kafka_python())
    producer.send(settings.topic("triggers"), msgspec.json.encode(trigger), partition=0).get(timeout=30)
    producer.send(settings.topic("cart-recovered"), msgspec.json.encode(recovered), partition=1).get(timeout=30)
    producer.close()

    assert regulars("tail", "--from-beginning", "--no-follow") == 0
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "2023-11-14 22:13:20 UTC  cart.abandoned        user_id:21  Tea and 1 more  USD 12.34  t-1",
        "2023-11-14 22:14:20 UTC  cart.recovered        user_id:21  of cart.abandoned  order o1  t-2",
    ]
    assert regulars("tail", "--from-beginning", "--limit", "1", "--topic", "triggers", "--json") == 0
    assert json.loads(capsys.readouterr().out) == trigger
    assert regulars("tail", "--no-follow") == 0
    assert capsys.readouterr().out == "", "without --from-beginning only what comes next"


def test_tail_shows_triggers_that_are_published_apart_too() -> None:
    outputs = ["triggers", "triggers-shadow", "trigger-cancelled", "cart-recovered", "decisions", "triggers-carts"]

    assert usual(outputs) == ["triggers", "trigger-cancelled", "cart-recovered", "triggers-carts"]


PLACE: Final = TopicPartition("triggers", 0)


class Faltering:
    """Stands for Kafka's client: polls bring nothing while the broker is away, and then a record."""

    def __init__(self, answers: list[bool], position: int | None = None) -> None:
        self.answers, self.at = answers, position

    def position(self, _: object, **__: object) -> int | None:
        return self.at

    def assign(self, _: object) -> None: ...

    def seek_to_end(self, *_: object) -> None: ...

    def poll(self, **_: object) -> dict[str, list[Any]]:
        found = SimpleNamespace(timestamp=0, topic="triggers", offset=7, value=b"{}")
        return {} if self.answers else {"a partition": [found]}

    def end_offsets(self, *_: object, **__: object) -> dict[str, int]:
        if not self.answers.pop(0):
            raise KafkaTimeoutError
        return {}


@pytest.mark.parametrize(
    "answers, told",
    [([True, True], []), ([True, False, False, True, True], [AWAY, BACK]), ([False, False], [AWAY, BACK])],
)
def test_tail_says_once_that_kafka_is_away_and_once_that_it_is_back(
    answers: list[bool], told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stood still, and nobody could tell that from a shop where nothing happens."""
    monkeypatch.setattr(looking_on, "QUIET_S", 0.0)
    found = values(Faltering(answers), [PLACE], from_beginning=False, no_follow=False)

    assert next(found) == b"{}"
    assert capsys.readouterr().err.splitlines() == told


@pytest.mark.parametrize("position", [3, None])
def test_who_reads_to_the_end_is_told_when_kafka_goes_away_before_it(
    position: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`rejected list`, `report`, `pairs` and `explain` waited for ever, without a word."""
    monkeypatch.setattr(looking_on, "QUIET_S", 0.0)
    polls = read_to(Faltering([True, True, False], position), {PLACE: 8})

    assert [next(polls), next(polls)] == [{}, {}]
    with pytest.raises(AdminError, match="stopped answering before the end of triggers: not all of it was read"):
        next(polls)


def test_a_line_is_readable_whatever_the_record_is() -> None:
    for odd in (
        b"no json",
        b'{"name":"\xff"}',
        b'{"emitted_at_ms":"noon"}',
        b'{"items":[7]}',
        b'{"customer":"ann"}',
        b'{"value_minor":5,"exponent":"x"}',
        b'{"a":' + b"[" * 9000,
    ):
        assert readable(odd) == repr(odd[:200])
    assert readable(b"{}").startswith("-----------------------  "), "no record of its own says when"
    rejected = b'{"reason":"not_json","detail":"line 1","timestamp_ms":1700000000000,"key":"21"}'
    assert readable(rejected) == "2023-11-14 22:13:20 UTC  not_json              21  line 1"
    receipt = b'{"request_id":"T-1","command":"erase","final":true,"counts":{},"at_ms":1700000000000}'
    assert readable(receipt) == "2023-11-14 22:13:20 UTC  erase                 -  T-1"
    changed = RulesChanged(
        decision_id="d",
        partition=3,
        old_version="winter",
        old_digest="0123456789ab",
        new_version="spring",
        new_digest="fedcba987654",
        at_ms=0,
    )
    told = "rules.changed         -  partition 3  from winter (01234567)  to spring (fedcba98)"
    assert readable(encode(changed)) == f"1970-01-01 00:00:00 UTC  {told}"
    ready = SegmentsReady(decision_id="d", partition=3, version="spring", digest="fedcba987654", at_ms=0)
    assert readable(encode(ready)) == "1970-01-01 00:00:00 UTC  segments.ready        -  partition 3  spring (fedcba98)"
    in_microseconds = rejected.replace(b"1700000000000", b"1700000000000000")
    assert readable(in_microseconds) == "1700000000000000 ms      not_json              21  line 1"


def test_tail_says_which_segment_somebody_entered_or_left() -> None:
    """Whoever tried a new segment saw that somebody entered, and not what."""
    entered = {"name": "segment.entered", "emitted_at_ms": 0, "customer": {"id": "user_id:7"}, "trigger_id": "t1"}
    details = {"segment": "big_spenders", "version": 1, "entered": True}

    told = readable(encode(entered | {"details": details}))
    assert told == "1970-01-01 00:00:00 UTC  segment.entered       user_id:7  big_spenders  t1"
    assert readable(encode(entered | {"details": {}})) == told.replace("  big_spenders", "")
