"""Waiting episodes under changed rules: planned anew they are due as if the new rules had held all along."""

from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.engine import Engine
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.rules import HOUR_MS, MINUTE_MS, TriggerRule
from profiles.state import Moment
from profiles.triggers import CartAbandonedRule, CheckoutAbandonedRule, WelcomeRule
from schemas.events import Arrival
from tests.laws.histories import START_MS, histories
from tests.stories.timeline import shop

CLOCK_MS = START_MS - 1
"""Before everything: no timer fires, so that what waits can be compared."""


def rules(minutes: list[int]) -> list[TriggerRule]:
    cart, checkout, welcome = (minute * MINUTE_MS for minute in minutes)
    return [CartAbandonedRule(delay_ms=cart), CheckoutAbandonedRule(delay_ms=checkout), WelcomeRule(delay_ms=welcome)]


def played(engine: Engine, story: list[Arrival]) -> Profile:
    profile, orders = Profile("user_id:ada"), Ledger(complete=True)
    for told in story:
        engine.step(profile, told, Moment(CLOCK_MS), orders, [])
    return profile


def waiting(profile: Profile) -> dict[str, tuple[int, int]]:
    return {place: (episode.opened_ms, episode.due_ms) for place, episode in profile.episodes.items()}


DELAYS = st.lists(st.integers(601, 2000), min_size=3, max_size=3)
"""Longer than the stories: nothing is past due while they are told."""


@settings(max_examples=200)
@given(histories(span_minutes=600), DELAYS)
def test_the_same_rules_move_nothing(story: list[Arrival], delays: list[int]) -> None:
    engine = Engine(shop(*rules(delays)))
    profile = played(engine, story)
    before = profile.pack()

    assert not engine.replan(profile, Moment(START_MS + 100 * HOUR_MS))
    assert profile.pack() == before


@settings(max_examples=200)
@given(histories(span_minutes=600), DELAYS, DELAYS)
def test_what_waits_is_due_as_if_the_new_rules_had_held_all_along(
    story: list[Arrival], old: list[int], new: list[int]
) -> None:
    profile = played(Engine(shop(*rules(old))), story)
    engine = Engine(shop(*rules(new)))
    before = waiting(profile)
    moved = engine.replan(profile, Moment(CLOCK_MS))

    assert waiting(profile) == waiting(played(engine, story))
    assert moved is (before != waiting(profile))


@settings(max_examples=200)
@given(histories(span_minutes=600))
def test_a_trigger_that_is_switched_off_keeps_its_time_and_ends_then(story: list[Arrival]) -> None:
    off = [CartAbandonedRule(enabled=False, delay_ms=HOUR_MS * 9), CheckoutAbandonedRule(), WelcomeRule()]
    profile = played(Engine(shop()), story)
    before = waiting(profile)

    assert not Engine(shop(*off)).replan(profile, Moment(CLOCK_MS))
    assert waiting(profile) == before
