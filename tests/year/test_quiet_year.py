"""The engine and a reference that looks at every customer on every day agree about who is likely not to come back."""

import json
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from profiles.models import Models, encode_models, named
from profiles.triggers import BUILT_IN
from profiles.value.absent import Absent
from profiles.value.model import Heuristic
from profiles.value.model import named as named_value
from profiles.value.timing import Timing
from tests.stories.customers import learned
from tests.year import quiet_reference as reference
from tests.year.quiet import END_MS, years
from tests.year.quiet_reference import Judge, Outcome
from tests.year.replayed import records, replayed
from tests.year.shop import SHOP_ZONE, Event

CUSTOMERS = 35
SEED = 1
NAME = "churn.risk"
BANDS = ("low", "medium", "high")
RULES = """
caps = {max_in_24h = 1000, max_in_7d = 1000, max_in_day = 1000}
quiet_hours = {enabled = false}
""" + "".join(f"[{one.name.replace('.', '_')}]\nenabled = false\n" for one in BUILT_IN if one.name != NAME)


def with_model() -> Models:
    """As a fit leaves them."""
    return learned(timing=Timing(r=reference.R, alpha=reference.ALPHA, a=reference.A, b=reference.B))


def with_rules_of_thumb() -> Models:
    """As a fit of a small shop leaves them."""
    models = learned()
    assert models.value is not None
    thumb = Heuristic(
        reason=Absent.FEW_BUYERS,
        interval_days=reference.SHOP_GAP_DAYS,
        repeat_share=0.5,
        order_net_minor=None,
        order_margin_minor=None,
    )
    return named(replace(models, value=named_value(replace(models.value, timing=None, heuristic=thumb))))


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return years(SEED, CUSTOMERS)


@pytest.mark.parametrize(
    "models, judge",
    [
        pytest.param(with_model(), reference.by_model, id="model"),
        pytest.param(with_rules_of_thumb(), reference.by_thumb, id="rules of thumb"),
    ],
)
def test_bands_and_who_is_told_to_have_entered_the_highest_are_what_the_reference_says(
    models: Models, judge: Judge, events: list[Event], tmp_path: Path
) -> None:
    (tmp_path / "models.json").write_bytes(encode_models(models))
    options = ("--models", str(tmp_path / "models.json"), "--shop-timezone", SHOP_ZONE)
    out = replayed(tmp_path, map(json.dumps, events), RULES, END_MS, *options)
    said = Counter(
        Outcome(one["customer_id"].removeprefix("user_id:"), one["at_ms"], one.get("reason"))
        for one in records(out / "decisions.jsonl")
        if one["state"] in {"emitted", "suppressed"}
    )
    lives = reference.lives(events, END_MS, judge)
    expected = Counter(outcome for life in lives for outcome in life.told)

    assert said - expected == Counter()
    assert expected - said == Counter()
    reasons = Counter(one.reason for one in expected)
    assert reasons.keys() == {None, "no_consent", "open_feedback", "cooldown"}
    assert reasons[None] > 50

    shown = {one["id"].removeprefix("user_id:"): one["predicted"]["churn"] for one in records(out / "profiles.jsonl")}
    bands = {life.customer: (None if life.band is None else BANDS[life.band], life.since) for life in lives}
    assert {customer: (churn["band"], churn["since_ms"]) for customer, churn in shown.items()} == bands
    assert {band for band, _ in bands.values()} >= {*BANDS}
