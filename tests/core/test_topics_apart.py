"""Triggers that the rules publish apart: each to a topic of its own, which is made with the others."""

from pathlib import Path

import pytest

from profiles.book import Book
from profiles.engine import Engine
from profiles.life_rules import WelcomeRule
from profiles.rules import Rules, RulesError, read_rules
from profiles.triggers import RULE_TYPES
from schemas.outputs import Customer, DecisionTrail, ProfileSummary, Trigger
from schemas.topics import TOPICS
from streams.kafka_admin import installed
from streams.rows import row_of
from streams.settings import build_settings


def trigger(name: str, *, shadow: bool = False) -> Trigger:
    return Trigger(
        trigger_id="t1",
        name=name,
        version=1,
        episode_key="k",
        priority=1,
        shop_id="shop",
        customer=Customer(id="user_id:ada"),
        occurred_at_ms=0,
        due_at_ms=0,
        emitted_at_ms=0,
        expires_at_ms=1,
        currency="EUR",
        exponent=2,
        profile=ProfileSummary(),
        shadow=shadow,
        decision=DecisionTrail(),
    )


def test_a_trigger_goes_where_its_rules_say_and_the_others_where_they_always_go() -> None:
    topics = Engine(Book(rules=Rules.of(WelcomeRule(topic="triggers-welcome")))).topics

    assert row_of(trigger("welcome"), 0, "shop", topics).topic == "triggers-welcome"
    assert row_of(trigger("cart.abandoned"), 0, "shop", topics).topic == "triggers"


def test_what_is_not_sent_stays_on_the_shadow_topic() -> None:
    assert (
        row_of(trigger("welcome", shadow=True), 0, "shop", {"welcome": "triggers-welcome"}).topic == "triggers-shadow"
    )


def test_topics_apart_are_made_with_the_others(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[welcome]\ntopic = "triggers-mail"\n[cart_abandoned]\ntopic = "triggers-mail"\n')

    made = installed(build_settings({"files": {"rules": str(rules)}}))
    assert [topic.name for topic in made] == [*(topic.name for topic in TOPICS), "triggers-mail"]
    assert installed(build_settings()) == TOPICS


@pytest.mark.parametrize("name", ["decisions", "triggers-shadow", "triggers-", "Triggers-x", "triggers-" + "x" * 80])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(RulesError, match="topic"):
        read_rules({"welcome": {"topic": name}}, RULE_TYPES)
