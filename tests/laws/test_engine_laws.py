"""Laws of the engine: what holds for every history, whatever it is."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from profiles import dedupe, deliveries, feedback_state, state
from profiles.book import Book
from profiles.conditions import compile_conditions
from profiles.engine import Engine
from profiles.insight.pair_table import Partner
from profiles.order_state import Ledger
from profiles.profile import Profile, decode_profile
from profiles.rates import Rates
from profiles.rules import Caps, Precedence, QuietHours, Rules
from profiles.state import Moment
from profiles.triggers import CartAbandonedRule, CheckoutAbandonedRule
from profiles.turn import Output
from schemas.events import (
    Arrival,
    MessageBounced,
    NpsSubmitted,
    OrderCancelled,
    OrderCompleted,
    OrderDelivered,
    Unsubscribed,
)
from schemas.outputs import Decision, Trigger
from tests.laws.histories import MINUTE_MS, START_MS, histories, one_event
from tests.stories.test_replenishment_learned import learned

DAY_MIN = 24 * 60
RULES = Rules.of(
    CartAbandonedRule(cooldown_ms=0, max_in_window=0, condition='episode.value_minor != 700 || views("1h") >= 1'),
    CheckoutAbandonedRule(cooldown_ms=0),
    soft_opt_in=True,
    caps=Caps(max_in_24h=1000, max_in_7d=1000, max_in_day=1000),
    quiet_hours=QuietHours(enabled=False),
    precedence=Precedence(block_ms=0),
)
SEGMENTS = {
    "looking": {"when": 'views("90m") >= 1'},
    "spending": {"when": 'spend_minor("2d") > 1000'},
    "lapsing": {"when": 'profile.last_seen_ms < ago("1d")'},
    "full_cart": {"when": "profile.carts.exists(c, c.value_minor > 1000)"},
    "reminded": {"when": 'profile.triggers.exists(t, t.state == "emitted" && !t.name.startsWith("segment."))'},
}
CONDITIONS, KEPT = compile_conditions(RULES, SEGMENTS)
EAGER = Book(rules=RULES, conditions=CONDITIONS, segments=KEPT)
"""A shop that sends whatever it may: more triggers for the laws to look at."""
BY_MODELS = {
    name: {"when": f'size(profile.{name}) > 0 || profile.last_seen_ms < ago("2d")'}
    for name in ("recommended", "replenishment")
}
CONDITIONS, KEPT = compile_conditions(RULES, BY_MODELS | SEGMENTS)
LEARNED = Book(
    rules=RULES,
    conditions=CONDITIONS,
    segments=KEPT,
    models=replace(learned(tea=30).models, together={"A": [Partner("B", 30, 2.0, 0.5, 0.4, 100.0)]}),
)
"""The same shop, with segments by what was learned of its orders."""
PARTS = [name[1:] for name in Profile.__struct_fields__ if name[0] == "_" and name != "_behaviour"]
"""What is opened when it is asked for, but for the one that does not begin empty."""


class Run:
    """A profile and what came out while a history was played to it under a simulated clock."""

    def __init__(self, book: Book) -> None:
        self.engine, self.profile, self.orders = Engine(book), Profile("user_id:ada"), Ledger(complete=True)
        self.out: list[Output] = []
        self.clock_ms = START_MS - 1

    def play(self, story: list[Arrival], *, timers: bool = True, until: int | None = None) -> "Run":
        for told in story:
            if timers:
                self.clock_ms = max(self.clock_ms, told.time_ms)
                self.engine.fire(self.profile, Moment(self.clock_ms), self.orders, self.out)
            self.engine.step(self.profile, told, Moment(self.clock_ms), self.orders, self.out)
        if until is not None:
            self.clock_ms = START_MS + until * MINUTE_MS
            self.engine.fire(self.profile, Moment(self.clock_ms), self.orders, self.out)
        return self

    def facts(self) -> dict[str, Any]:
        """Ledger, cart, money, parcels and what she said: what no order of arrival may change."""
        profile = self.profile
        return {
            "ledger": {entry.order_id: msgspec.to_builtins(entry) for entry in self.orders.all()},
            "carts": {key: msgspec.to_builtins(cart.lines) for key, cart in profile.carts.items() if cart.lines},
            "ltv": msgspec.to_builtins(profile.ltv),
            "by_currency": msgspec.to_builtins(profile.by_currency),
            "orders": msgspec.to_builtins(profile.orders),
            "deliveries": msgspec.to_builtins(profile.deliveries),
            "feedback": {**msgspec.to_builtins(profile.feedback), "cases": told_apart(profile)},
            "wishes": {key: (wish.adds, wish.removed_ms) for key, wish in sorted(profile.wishes.items())},
            "coupons": {key: replace(coupon, told_ms=-1) for key, coupon in sorted(profile.coupons.items())},
            "viewed": [(view.at_ms, view.message_id, view.product_id) for view in profile.browsing.views],
            "searches": msgspec.to_builtins(profile.browsing.searches),
        }


def told_apart(profile: Profile) -> dict[str, Any]:
    """Cases without what was told of them: that is the triggers', and a matter of the clock."""
    return {
        key: msgspec.to_builtins(msgspec.structs.replace(case, told=False, overdue=False))
        for key, case in profile.feedback.cases.items()
    }


@given(histories(), st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_events_gives_the_same_facts(story: list[Arrival], random: Any) -> None:
    shuffled = story + story[::2]
    random.shuffle(shuffled)

    assert Run(EAGER).play(story, timers=False).facts() == Run(EAGER).play(shuffled, timers=False).facts()


@given(histories(span_minutes=20 * DAY_MIN))
def test_a_profile_cut_into_bytes_anywhere_goes_on_as_if_nothing_had_happened(story: list[Arrival]) -> None:
    whole = Run(EAGER).play(story, until=40 * DAY_MIN)
    cut = Run(EAGER)
    for told in story:
        cut.play([told])
        cut.profile = decode_profile(cut.profile.pack())
    cut.play([], until=40 * DAY_MIN)

    assert whole.profile.pack() == cut.profile.pack()
    assert whole.out == cut.out


@given(histories(span_minutes=20 * DAY_MIN))
def test_a_part_of_a_profile_that_was_opened_says_no_more_than_one_that_was_not(story: list[Arrival]) -> None:
    """Nor where nothing is known of it: a profile that stays at hand was asked for much that it does not have."""
    kept, anew = Run(LEARNED), Run(LEARNED)
    for told in story:
        for part in PARTS:
            getattr(kept.profile, part)
        kept.play([told])
        anew.play([told])
        anew.profile = decode_profile(anew.profile.pack())

        assert kept.profile.pack() == anew.profile.pack()
    for run in (kept, anew):
        run.play([], until=40 * DAY_MIN)

    assert kept.out == anew.out


ORDERING = (OrderCompleted, OrderCompleted, OrderDelivered, OrderCancelled, Unsubscribed, MessageBounced, NpsSubmitted)


@given(
    st.lists(st.sampled_from(range(9)).flatmap(lambda n: one_event(60 * n, f"m{n}", ORDERING)), max_size=9), st.data()
)
def test_what_is_told_again_within_a_day_brings_up_nothing(told: list[Arrival], data: st.DataObject) -> None:
    """Senders send again what they believe lost. What it had been waited for may have ended by then. An order is placed once."""
    at_once = {one.time_ms: one for one in told}.values()
    placed = {one.event.order_id if isinstance(one.event, OrderCompleted) else one.time_ms: one for one in at_once}
    story = sorted(placed.values(), key=lambda one: one.time_ms)
    once, again = Run(EAGER).play(story, until=601), Run(EAGER).play(story, until=601)
    again.play([replace(one, received_ms=again.clock_ms) for one in data.draw(st.permutations(story))])

    assert waiting(once.profile) == waiting(again.profile)
    assert once.out == again.out


def waiting(profile: Profile) -> dict[str, tuple[int, int]]:
    """What she waits for, since when and until when."""
    return {place: (episode.opened_ms, episode.due_ms) for place, episode in profile.episodes.items()}


@given(histories(span_minutes=20 * DAY_MIN))
def test_the_same_history_gives_the_same_bytes_and_outputs(story: list[Arrival]) -> None:
    first, again = Run(EAGER).play(story, until=40 * DAY_MIN), Run(EAGER).play(story, until=40 * DAY_MIN)

    assert first.profile.pack() == again.profile.pack()
    assert first.out == again.out


@given(histories(span_minutes=20 * DAY_MIN))
def test_no_two_triggers_share_an_id_and_none_is_sent_twice(story: list[Arrival]) -> None:
    out = Run(EAGER).play(story, until=40 * DAY_MIN).out
    sent = [output.trigger_id for output in out if isinstance(output, Trigger)]
    decided = [output.decision_id for output in out if isinstance(output, Decision)]

    assert len(sent) == len(set(sent))
    assert len(decided) == len(set(decided))


@given(histories(span_minutes=20 * DAY_MIN))
def test_no_marketing_is_sent_without_consent(story: list[Arrival]) -> None:
    strict = Run(Book())
    for told in story:
        before = len(strict.out)
        consent = dict(strict.profile.consent)
        strict.play([told])
        new = strict.out[before:]
        sent = [one for one in new if isinstance(one, Trigger) and one.trigger_class == "marketing"]
        if not any(one.state == "GRANT" for one in consent.values()):
            assert [trigger.name for trigger in sent if trigger.trigger_class == "marketing"] == []


@given(histories(span_minutes=20 * DAY_MIN))
def test_every_episode_that_is_armed_ends_in_exactly_one_way(story: list[Arrival]) -> None:
    run = Run(EAGER).play(story, until=400 * DAY_MIN)
    ends = ("emitted", "suppressed", "cancelled", "expired")
    life: dict[str, list[str]] = {}
    for output in run.out:
        if isinstance(output, Decision) and output.state in ("armed", *ends):
            life.setdefault(output.trigger_id, []).append(output.state)

    for states in life.values():
        armed = [one for one in states if one == "armed"]
        ended = [one for one in states if one in ends]
        assert len(ended) >= len(armed)
    assert run.profile.episodes == {}


@settings(max_examples=30)
@given(st.lists(histories(span_minutes=3 * DAY_MIN), min_size=2, max_size=12))
def test_a_profile_stays_bounded(stories: list[list[Arrival]]) -> None:
    run = Run(EAGER)
    for number, story in enumerate(stories):
        for told in story:
            event = msgspec.structs.replace(told.event, message_id=f"{number}-{told.event.message_id}")
            run.play([msgspec.structs.replace(told, event=event)])
    profile = run.profile

    assert len(profile.carts) <= state.CARTS_MAX
    assert len(profile.checkouts) <= state.CHECKOUTS_MAX
    assert len(profile.episodes) <= state.EPISODES_MAX
    assert len(profile.emitted) <= state.EMITTED_MAX
    assert len(profile.deliveries) <= deliveries.DELIVERIES_MAX
    assert len(profile.feedback.surveys) <= feedback_state.SURVEYS_MAX
    assert len(profile.feedback.cases) <= feedback_state.SURVEYS_MAX
    assert len(profile.feedback.tickets) <= feedback_state.TICKETS_MAX
    assert len(profile.feedback.reviews) <= feedback_state.REVIEWS_MAX
    assert len(profile.decisions) <= state.DECISIONS_KEPT
    assert len(profile.browsing.views) <= state.VIEWS_MAX
    assert len(profile.browsing.visits) <= state.VISITS_MAX
    assert len(profile.browsing.searches) <= state.SEARCHES_MAX
    assert len(profile.wishes) <= state.WISHES_MAX
    assert len(profile.coupons) <= state.COUPONS_MAX
    assert dedupe.remembered(profile) <= state.SEEN_MAX
    assert all(len(cart.ops) <= state.CART_OPS_MAX for cart in profile.carts.values())


@given(histories())
def test_totals_are_the_sum_of_what_each_order_contributes(story: list[Arrival]) -> None:
    run = Run(Book(rates=Rates())).play(story)
    counted = [entry.contribution for entry in run.orders.all() if entry.contribution is not None]

    assert run.profile.ltv.net == sum(one.shop.net for one in counted)
    assert run.profile.ltv.gross == sum(one.shop.gross for one in counted)
    assert run.profile.ltv.net == run.profile.ltv.gross - run.profile.ltv.discount - run.profile.ltv.refund
    assert run.profile.orders.count == sum(one.counted for one in counted)
