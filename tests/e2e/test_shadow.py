"""Rules tried beside the live installation: a year of a shop through real servers by two workers, both of which are
killed on the way, gives the triggers that the run in memory gives, and nobody but the shadow topic hears of it.
"""

import json
import time
from collections import Counter
from pathlib import Path

from schemas.decode import Decoder
from schemas.events import Arrival
from schemas.routing import topic_of
from schemas.topics import TOPICS
from streams import cli
from streams.rows import rfc3339
from tests.e2e.kit import Shop
from tests.e2e.scenario import Record, last_words
from tests.year.shop import SUPPLIES, YEAR_MS, Event, year

CUSTOMERS = 250
SEED = 7
RULES = "[cart_abandoned]\nholdout = 0.1\n"


def record_of(event: Event) -> Record:
    """The event on its topic, received when it happened."""
    value = json.dumps(event | {"received_at_ms": event["timestamp_ms"]}).encode()
    arrival = Decoder("USD").decode(value, 0)
    assert isinstance(arrival, Arrival)
    return Record(topic_of(arrival.event), event["user_id"], value, event["timestamp_ms"])


def in_memory(events: list[Event], folder: Path, arguments: list[str]) -> Counter[str]:
    """The ids of the triggers of a replay, those of held-out customers too."""
    export = folder / "year.jsonl"
    export.write_text("".join(json.dumps(event) + "\n" for event in events))
    assert cli.run(["replay", str(export), "--out", str(folder / "out"), *arguments]) == 0
    decisions = [json.loads(line) for line in (folder / "out" / "decisions.jsonl").read_text().splitlines()]
    return Counter(
        one["trigger_id"] for one in decisions if one["state"] == "emitted" or one.get("reason") == "holdout"
    )


def test_a_year_through_two_workers_and_kills_gives_what_the_replay_gives(shop: Shop, tmp_path: Path) -> None:
    events = year(SEED, CUSTOMERS, int(time.time() * 1000) - YEAR_MS - 3_600_000)
    rules, catalogue = tmp_path / "tried.toml", tmp_path / "catalogue.csv"
    rules.write_text(RULES)
    catalogue.write_text("product_id,supply_days\n" + "".join(f"{name},{days}\n" for name, days in SUPPLIES.items()))
    arguments = ["--rules", str(rules), "--catalogue", str(catalogue), "--clock-disorder-ms", "0"]
    end_ms = events[-1]["timestamp_ms"] + 60_000
    expected = in_memory(events, tmp_path, [*arguments, "--until", rfc3339(end_ms)])
    assert len(expected) > 1000

    shop.settings |= {
        "REGULARS_FILES_RULES": str(rules),
        "REGULARS_FILES_CATALOGUE": str(catalogue),
        "REGULARS_CLOCK_DISORDER_MS": "0",
        # Small ones, so that there is work left for whoever takes over.
        "REGULARS_LIMITS_BATCH_RECORDS": "10",
    }
    shop.command("topics", "create", "--shadow", "tried")
    shop.produce([record_of(event) for event in events])
    shadow = ("--shadow", "tried", "--stream-time")
    first, second = shop.start(*shadow), shop.start(*shadow)
    shop.expect(lambda: first.metric("regulars_commits_total") > 5, "the first one works")
    shop.expect(lambda: second.metric("regulars_commits_total") > 5, "the second one works")
    second.kill()
    third = shop.start(*shadow)
    shop.expect(lambda: third.metric("regulars_commits_total") > 5, "the third one has taken over")
    first.kill()
    shop.start(*shadow)
    shop.produce(last_words(shop.partitions, end_ms + 1))

    shop.expect(lambda: set(_published(shop)) >= set(expected), "every trigger of the replay is out")
    found = _published(shop)
    assert set(found) == set(expected)
    assert not [name for name in _heard(shop) if name != "triggers-shadow"], "nobody else hears of it"
    assert shop.profiles() == {}, "it leaves nothing among the keys of the live installation"


def _published(shop: Shop) -> Counter[str]:
    """Trigger ids on the shadow topic. One that was on its way when its worker was killed may stand there twice."""
    told = [value for _, value in shop.read("triggers-shadow")]
    assert all(value["shadow"] for value in told)
    return Counter(value["trigger_id"] for value in told)


def _heard(shop: Shop) -> list[str]:
    """Outputs that have records."""
    return [topic.name for topic in TOPICS if topic.role == "output" and shop.records(topic.name)]
