"""The rules document: every number can be set, and what is wrong is refused with a word on what would be right."""

import re
import tomllib
from itertools import pairwise
from math import inf, nan
from pathlib import Path

import pytest

from profiles import rules
from profiles.book import Book
from profiles.gates import END_REASONS, REASONS
from profiles.rules import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Rules,
    RulesError,
    TriggerRule,
    format_duration,
    parse_duration_ms,
    read_rules,
)
from profiles.triggers import RULE_TYPES, CartAbandonedRule, WelcomeRule
from streams.rules_reference import rules_toml

ROOT = Path(__file__).parents[2]


def test_an_empty_document_gives_the_defaults() -> None:
    assert read_rules({}, RULE_TYPES) == Rules()


def test_the_reference_document_holds_exactly_the_defaults() -> None:
    assert read_rules(tomllib.loads(rules_toml()), RULE_TYPES) == Rules.of(*(kind() for kind in RULE_TYPES))


def test_priorities_stand_in_the_order_in_which_triggers_are_worth_her_attention() -> None:
    order = [
        ["checkout.abandoned"],
        ["cart.abandoned"],
        ["back.in.stock"],
        ["price.dropped"],
        ["replenishment.due", "replenishment.late"],
        ["review.request"],
        ["coupon.expiring", "next.order.coupon"],
        ["wishlist.reminder"],
        ["search.abandoned"],
        ["browse.abandoned"],
        ["birthday", "anniversary"],
        ["cross.sell", "bundle.suggest"],
        ["post.purchase.content"],
        ["winback"],
    ]
    known = {kind.trigger: kind() for kind in RULE_TYPES}
    service = [name for name, rule in known.items() if rule.trigger_class == "service"]
    named = {*service, *(name for names in order for name in names)}
    steps = [service, *order, [name for name in known if name not in named]]

    for before, after in pairwise(steps):
        assert max(known[name].priority for name in before) < min(known[name].priority for name in after), after
    assert known["winback"].priority < TriggerRule().priority


def test_the_reference_document_in_deploy_is_current() -> None:
    assert (ROOT / "deploy" / "rules.toml").read_text(encoding="utf-8") == rules_toml()


def test_every_rule_says_what_it_is() -> None:
    lines = rules_toml().splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            assert re.match(r"^# \S", lines[number - 1]), line


def test_a_changed_number_is_taken() -> None:
    read = read_rules({"cart_abandoned": {"delay": "4h", "max_in_window": 3}, "soft_opt_in": True}, RULE_TYPES)

    assert read == Rules.of(CartAbandonedRule(delay_ms=4 * HOUR_MS, max_in_window=3), soft_opt_in=True)
    assert Book(rules=read).rule(CartAbandonedRule).delay_ms == 4 * HOUR_MS
    assert Book(rules=read).rule(WelcomeRule) == WelcomeRule()


@pytest.mark.parametrize(
    "document, message",
    [
        ({"cart_abandonned": {}}, "cart_abandonned: unknown key; did you mean 'cart_abandoned'?"),
        (
            {"cart": {"abandoned": {"delay": "1h"}}},
            "cart.abandoned: unknown table; did you mean [cart_abandoned], at the top?",
        ),
        (
            {"triggers": {"cart.abandoned": {}}},
            "triggers.cart.abandoned: unknown table; did you mean [cart_abandoned], at the top?",
        ),
        (
            {"triggers": {"cart_abandoned": {}}},
            "triggers.cart_abandoned: unknown table; did you mean [cart_abandoned], at the top?",
        ),
        ({"cart_abandoned": {"delays": "1h"}}, "cart_abandoned.delays: unknown key; did you mean 'delay'?"),
        ({"cart_abandoned": {"delay": 3600}}, "cart_abandoned.delay: 3600 is no duration"),
        ({"cart_abandoned": {"delay": "1 hour"}}, "cart_abandoned.delay: '1 hour' is no duration"),
        (
            {"cart_abandoned": {"enabled": "yes"}},
            "cart_abandoned.enabled: 'yes' does not do; write true or false, without quotation marks",
        ),
        ({"visitors": {"forget_after": "29d"}}, "visitors.forget_after: 29d is less than 30d"),
        ({"visitors": {"forget": "40d"}}, "visitors.forget: unknown key; did you mean 'forget_after'?"),
        ({"cart_abandoned": 5}, "cart_abandoned: expected a table [cart_abandoned]"),
        (
            {"welcome": {"trigger_class": "spam"}},
            "welcome.trigger_class: Invalid enum value 'spam'; allowed are marketing, service",
        ),
        (
            {"welcome": {"holdout": 1.5}},
            "welcome.holdout: 1.5 does not do; write a number of at most 1, such as 0.1 for one in ten",
        ),
        ({"welcome": {"delay": "4000d"}}, "welcome.delay: '4000d' is longer than ten years"),
        (
            {"welcome": {"holdout": "10%"}},
            "welcome.holdout: '10%' does not do; write a number, such as 0.1 for one in ten",
        ),
        (
            {"welcome": {"max_in_window": -1}},
            "welcome.max_in_window: -1 does not do; write a whole number of at least 0",
        ),
        ({"quiet_hours": {"start": "24:00"}}, "quiet_hours.start: '24:00' is no time of day; write \"08:00\""),
        ({"quiet_hours": {"begin": "21:00"}}, "quiet_hours.begin: unknown key; known are enabled, end, jitter, start"),
        ({"caps": {"max_in_24h": "two"}}, "caps.max_in_24h: 'two' does not do; write a whole number"),
        (
            {"precedence": {"ladder": ["cart.abandonned"]}},
            "precedence.ladder: 'cart.abandonned' is no trigger; did you mean 'cart.abandoned'?",
        ),
        (
            {"precedence": {"ladder": ["cart.abandoned", "checkout.abandoned", "cart.abandoned"]}},
            "precedence.ladder: 'cart.abandoned' stands twice",
        ),
        ({"segment": {}}, "segment: unknown key; did you mean 'segments'?"),
        ({"welcome": {"delay": "-5min"}}, "welcome.delay: '-5min' is no duration"),
        ({"welcome": {"delay": "6min"}}, "welcome.delay: 6min is more than 5min"),
        ({"welcome": {"max_lateness": "30s"}}, "welcome.max_lateness: 30s is less than a minute"),
        ({"welcome": {"max_in_window": 1, "window": "0s"}}, "welcome.window: 0ms is no time at all"),
        (
            {"welcome": {"holdout_group": "global"}},
            "welcome.holdout_group: 'global' is what all marketing together is called",
        ),
        (
            {"cart_abandoned": {"delay": "31d"}},
            "cart_abandoned.delay: 31d is not before the cart is dropped, after 30d (forget)",
        ),
        (
            {"checkout_abandoned": {"second_after": "4d"}},
            "checkout_abandoned.third_after: 3d is not after the second reminder, which comes after 4d",
        ),
        ({"nps_survey": {"every": "0d"}}, "nps_survey.every: 0ms is less than a day"),
        ({"winback": {"after": "0d"}}, "winback.after: 0ms is less than a day"),
        ({"birthday": {"days_before": 365}}, "birthday.days_before: 365 is more than half a year"),
        ({"quiet_hours": {"jitter": "13h"}}, "quiet_hours.jitter: 13h is more than 12 h"),
        ({"welcome": {"delay": f"{'9' * 400}d"}}, "welcome.delay: '999"),
        ({"welcome": {"priority": 10**30}}, "welcome.priority: a number beyond 64 bits"),
        ({"vip_entered": {"limits": [100, 10**30]}}, "vip_entered.limits: a number beyond 64 bits"),
        ({"category_interest": {"points": nan}}, "category_interest.points: nan does not do; write a number above 0"),
        ({"category_interest": {"points": 0.0}}, "category_interest.points: 0.0 does not do; write a number above 0"),
        (
            {"next_order_coupon": {"margin_floor": nan}},
            "next_order_coupon.margin_floor: nan does not do; write a number of at least -100",
        ),
        ({"browse_abandoned": {"again_within": "30d"}}, "browse_abandoned.again_within: 30d is more than 7d"),
        ({"browse_abandoned": {"after_purchase": "31d"}}, "browse_abandoned.after_purchase: 31d is more than 30d"),
        ({"winback": {"tries": 4}}, "winback.tries: 4 does not do; write a whole number of at most 3"),
        (
            {"delivery": {"home_countries": ["de"]}},
            "delivery.home_countries: 'de' is no country; write its two capital letters (ISO 3166-1), such as \"AT\"",
        ),
        (
            {"welcome": {"topic": "Hellos"}},
            'welcome.topic: \'Hellos\' is no topic of triggers; write "triggers", or for one apart "triggers-" and a name of',
        ),
        ({"welcome": {"topic": "triggers-shadow"}}, "welcome.topic: 'triggers-shadow' is no topic of triggers; write"),
        ({"welcome": {"topic": 5}}, "welcome.topic: 5 does not do; write a text in quotation marks"),
        ({"excluded": {"tags": ["b2b", 5]}}, "excluded.tags: 5 does not do; write a text in quotation marks"),
        ({"excluded": {"tags": "b2b"}}, "excluded.tags: 'b2b' does not do; write a list in square brackets"),
        ({"winback": {"intervals": -1}}, "winback.intervals: -1 does not do; write a number of at least 0"),
        ({"winback": {"intervals": inf}}, "winback.intervals: inf does not do; write a number of at most 1000"),
        (
            {"acquisition": {"by": "last"}},
            "acquisition.by: Invalid enum value 'last'; allowed are first_touch, last_touch",
        ),
        (
            {"repurchase": {"by_key": {"tea": {"lead_day": 1}}}},
            "repurchase.by_key.tea.lead_day: unknown key; did you mean 'lead_days'?",
        ),
        (
            {"repurchase": {"by_key": {"tea": {"lead_days": "1d"}}}},
            "repurchase.by_key.tea.lead_days: '1d' does not do; write a whole number",
        ),
        ({"repurchase": {"by_key": ["tea"]}}, "repurchase.by_key: expected tables such as [repurchase.by_key.NAME]"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(document: dict[str, object], message: str) -> None:
    with pytest.raises(RulesError, match=f"^{re.escape(message)}"):
        read_rules(document, RULE_TYPES)


@pytest.mark.parametrize(
    "text, ms",
    [("90s", 90_000), ("30 min", 30 * MINUTE_MS), ("1h", HOUR_MS), ("14d", 14 * DAY_MS), ("0.5h", 1_800_000)],
)
def test_durations_are_a_number_with_a_unit(text: str, ms: int) -> None:
    assert parse_duration_ms(text, "here") == ms


@pytest.mark.parametrize("ms", [0, 1, 1500, 90_000, MINUTE_MS, HOUR_MS, 36 * HOUR_MS, DAY_MS])
def test_a_duration_survives_being_written(ms: int) -> None:
    assert parse_duration_ms(format_duration(ms), "here") == ms


def test_every_reason_the_code_can_give_is_explained() -> None:
    sources = [*(ROOT / "profiles").glob("*.py"), *(ROOT / "profiles" / "triggers").glob("*.py")]
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    used = set(re.findall(r'return "([a-z_]+)"$', code, re.MULTILINE)) & (set(REASONS) | set(END_REASONS))

    for reason in {**REASONS, **END_REASONS}:
        assert f'"{reason}"' in code.replace(f'"{reason}":', ""), f"{reason} is explained but never given"
    assert used


def test_negative_or_unknown_units_are_no_durations() -> None:
    for text in ("-1h", "1w", "h", ""):
        with pytest.raises(RulesError):
            rules.parse_duration_ms(text, "here")
