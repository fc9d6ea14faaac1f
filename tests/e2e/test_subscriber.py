"""A messaging system of somebody else's making: a plain kafka-python consumer group that drops repeats by ce-id."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.e2e.kit import Shop, triggers_complete, wait_until
from tests.e2e.scenario import Scenario

pytestmark = [pytest.mark.kafka, pytest.mark.redis]

SUBSCRIBER = textwrap.dedent(
    """
    import json, sys
    from kafka import KafkaConsumer

    bootstrap, topic, path = sys.argv[1:]
    try:
        done = {json.loads(line)["id"] for line in open(path)}
    except FileNotFoundError:
        done = set()
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=topic + "-mailer", enable_auto_commit=False,
        auto_offset_reset="earliest", session_timeout_ms=3000, heartbeat_interval_ms=500,
    )
    with open(path, "a") as mails:
        for record in consumer:
            trigger_id = dict(record.headers)["ce-id"].decode()
            trigger = json.loads(record.value)
            if trigger_id not in done and trigger["name"] == "cart.abandoned":
                mails.write(json.dumps({"id": trigger_id, "cart": trigger["episode_key"]}) + "\\n")
                mails.flush()
                done.add(trigger_id)
            if len(done) % 7 == 0:
                consumer.commit()
    """
)


def test_every_reminder_takes_effect_once_though_the_subscriber_is_killed(
    shop: Shop, now_ms: int, tmp_path: Path
) -> None:
    scenario = Scenario(seed=9, customers=80, now_ms=now_ms)
    expected = set().union(*(one.abandoned for one in scenario.expected.values()))
    script, mails = tmp_path / "subscriber.py", tmp_path / "mails.jsonl"
    script.write_text(SUBSCRIBER)
    shop.produce(scenario.records)
    shop.start()

    def subscribe() -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, str(script), shop.bootstrap, shop.topic("triggers"), str(mails)])

    def sent() -> list[str]:
        return [json.loads(line)["cart"] for line in mails.read_text().splitlines()] if mails.exists() else []

    mailer = subscribe()
    try:
        wait_until("some mails are sent", lambda: len(sent()) > 5)
        mailer.kill()
        mailer.wait()
        mailer = subscribe()
        shop.expect(lambda: triggers_complete(shop, scenario), "all reminders are out")
        wait_until("all mails are sent", lambda: set(sent()) >= expected)
    finally:
        mailer.kill()
        mailer.wait()

    assert sorted(expected) == sorted(sent())
