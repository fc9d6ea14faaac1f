"""segment.entered and segment.exited: told once each, in turns, with the event or in the millisecond of the window's end."""

from typing import Any

import pytest
from msgspec.structs import replace

from profiles.cart_rules import CartAbandonedRule
from profiles.catalogue import build_catalogue
from profiles.engine import Engine
from profiles.expressions.errors import ExpressionError
from profiles.insight.pair_table import Partner
from profiles.life_rules import SegmentEnteredRule, SegmentExitedRule
from profiles.rules import DAY_MS, OpenFeedback
from profiles.segments import WAKE
from schemas import events
from schemas.outputs import Trigger
from tests.stories.customers import buys, learned, shop_that_learned
from tests.stories.test_replenishment_learned import learned as fitted
from tests.stories.timeline import DAY, HOUR, MINUTE_MS, START_MS, Timeline, ms, product, shop

ENTERED, EXITED = "segment.entered", "segment.exited"
BIG = {"when": "profile.ltv.net_minor > 30000", "version": 3, "description": "More than 300 in all"}
LOOKING = {"when": 'views("30m") >= 2'}


def big_order(ada: Timeline, order_id: str, minute: float) -> Timeline:
    return ada.order(order_id, minute, product("A", 40_000))


def told(ada: Timeline) -> list[tuple[str, str, float]]:
    return [
        (found.name, found.details["segment"], (found.occurred_at_ms - START_MS) / MINUTE_MS)
        for found in ada.triggers
        if found.name in {ENTERED, EXITED}
    ]


def the_one(ada: Timeline, name: str) -> Trigger:
    (found,) = [trigger for trigger in ada.triggers if trigger.name == name]
    return found


def test_an_order_brings_her_in_and_the_trigger_says_what_it_is_about() -> None:
    ada = big_order(Timeline(shop(segments={"big": BIG})), "o1", 10).until(11)
    found = the_one(ada, ENTERED)

    assert found.details == {"segment": "big", "version": 3, "since_ms": ms(10), "entered": True}
    assert (found.occurred_at_ms, found.due_at_ms, found.emitted_at_ms) == (ms(10), ms(10), ms(10))
    assert found.decision.rule == "segment big: More than 300 in all"
    assert found.evidence == ("m2",)
    assert found.profile.segments == ("big",)
    assert (found.trigger_class, found.episode_key) == ("service", "user_id:ada|big")


def test_a_refund_takes_her_out_again() -> None:
    ada = big_order(Timeline(shop(segments={"big": BIG})), "o1", 10)
    ada.tell(events.OrderRefunded, 20, order_id="o1", refund_id="r1", amount_minor=15_000).until(30)

    assert told(ada) == [(ENTERED, "big", 10), (EXITED, "big", 20)]
    assert the_one(ada, EXITED).details == {"segment": "big", "version": 3, "since_ms": ms(10), "entered": False}
    assert the_one(ada, EXITED).profile.segments == ()


def test_she_leaves_in_the_millisecond_in_which_the_window_ends_and_nobody_does_anything() -> None:
    ada = Timeline(shop(segments={"looking": LOOKING}))
    ada.tell(events.ProductViewed, 0, product=product("A")).tell(events.ProductViewed, 5, product=product("A"))
    ada.until(DAY)

    assert told(ada) == [(ENTERED, "looking", 5), (EXITED, "looking", 30)]
    assert the_one(ada, EXITED).emitted_at_ms == ms(30)


def test_she_complains_until_her_case_expires_and_her_ticket_is_forgotten() -> None:
    rule = OpenFeedback(expires_ms=30 * DAY_MS, ticket_ms=40 * DAY_MS)
    segments = {
        "unhappy": {"when": "profile.feedback.complains"},
        "given_up": {"when": 'profile.feedback.cases.exists(c, c.state == "expired")'},
    }
    ada = Timeline(shop(segments=segments, open_feedback=rule))
    ada.tell(events.NpsSubmitted, 0, score=2, survey_id="s1").tell(events.TicketOpened, 10, ticket_id="t1")
    ada.until(90 * DAY)

    assert told(ada) == [
        (ENTERED, "unhappy", 0),
        (ENTERED, "given_up", 30 * DAY),
        (EXITED, "unhappy", 40 * DAY + 10),
    ]


def test_what_goes_with_her_cart_is_asked_for_anew_when_her_cart_changes() -> None:
    lamp = Partner("lamp", 30, 2.0, 0.5, 0.4, 100.0)
    book = shop_that_learned(
        models=replace(learned(), together={"tent": [lamp]}),
        segments={"wants_a_lamp": {"when": '"lamp" in profile.recommended'}},
    )
    ada = Timeline(book).add("tent", 0).remove("tent", 10).order("o1", 20, "tent").order("o2", 30, "lamp").until(DAY)

    name = "wants_a_lamp"
    assert told(ada) == [(ENTERED, name, 0), (EXITED, name, 10), (ENTERED, name, 20), (EXITED, name, 30)]


def test_she_may_be_written_to_until_the_very_millisecond_in_which_her_consent_ends() -> None:
    willing = {"when": 'profile.consent["email.marketing"] == "GRANT"'}
    ada = Timeline(shop(segments={"willing": willing}), consent=False)
    granted = events.ConsentChange(state="GRANT", channel="email", expires_ms=ms(90))
    ada.tell(events.ConsentChanged, 0, consent=(granted,)).until(200)

    assert told(ada) == [(ENTERED, "willing", 0), (EXITED, "willing", 90)]


def test_whom_a_release_before_left_in_it_though_her_consent_had_ended_is_out_with_the_first_look() -> None:
    willing = {"when": 'profile.consent["email.marketing"] == "GRANT"'}
    ada = Timeline(shop(segments={"willing": willing}), consent=False)
    granted = events.ConsentChange(state="GRANT", channel="email", expires_ms=ms(90))
    ada.tell(events.ConsentChanged, 0, consent=(granted,)).until(10)
    book = ada.engine.book
    assert book.segments is not None
    ada.profile.definitions = book.segments.of_rules
    del ada.profile.wakes[WAKE]
    ada.until(100).new_rules(book).until(101)

    assert [name for name, _, _ in told(ada)] == [ENTERED, EXITED]


def test_a_cart_of_hers_counts_until_the_very_millisecond_in_which_it_is_dropped() -> None:
    full = {"when": "profile.carts.exists(c, c.value_minor > 0)"}
    ada = Timeline(shop(CartAbandonedRule(forget_ms=7 * DAY_MS), segments={"full": full}))
    ada.add("tent", 0).add("rope", 2 * DAY, cart="c2").until(20 * DAY)

    assert told(ada) == [(ENTERED, "full", 0), (EXITED, "full", pytest.approx(9 * DAY, abs=1e-4))]
    assert the_one(ada, EXITED).occurred_at_ms == ms(9 * DAY) + 1


def test_what_is_foretold_of_her_is_looked_at_again_with_each_day_of_the_shop() -> None:
    """Of who never ordered nothing is foretold, so nothing changes by itself."""
    unlikely = {"when": 'profile.predicted.p_order["30"] < 0.3'}
    ada = buys(buys(Timeline(shop_that_learned(segments={"unlikely": unlikely})), 0), 10).until(300 * DAY)
    bob = Timeline(ada.engine.book, customer="user_id:bob").view("A", 0)

    assert told(ada) == [(ENTERED, "unlikely", 0), (EXITED, "unlikely", 10 * DAY), (ENTERED, "unlikely", 22 * DAY)]
    assert WAKE in ada.profile.wakes
    assert WAKE not in bob.profile.wakes


def test_who_is_silent_is_in_a_segment_by_predictions_the_day_after_the_first_fit() -> None:
    segments = {
        "foretold": {"when": "profile.predicted.historic_net_minor > 0"},
        "wants_a_lamp": {"when": '"lamp" in profile.recommended'},
    }
    before, lamp = shop(segments=segments), Partner("lamp", 30, 2.0, 0.5, 0.4, 100.0)
    ada = Timeline(before).order("o1", 0, product("tent")).until(10 * DAY + HOUR)
    ada.engine = Engine(replace(before, models=replace(learned(), together={"tent": [lamp]})))
    ada.until(11 * DAY)

    assert told(ada) == [(ENTERED, "foretold", 11 * DAY), (ENTERED, "wants_a_lamp", 11 * DAY)]


@pytest.mark.parametrize("field", ["recommended", "replenishment"])
def test_who_has_nothing_that_changes_with_the_day_is_not_looked_at_each_day(field: str) -> None:
    """Nor once she was looked at before: a profile that stayed at hand waits for what one that was read anew waits for."""
    models = replace(fitted(tea=30).models, together={"tent": [Partner("lamp", 30, 2.0, 0.5, 0.4, 100.0)]})
    when = f'size(profile.{field}) > 0 || profile.first_seen_ms < ago("1h")'
    ada = Timeline(shop_that_learned(models=models, segments={"any": {"when": when}}), customer="anonymous_id:v")
    ada.tell(events.PageViewed, 0).until(2 * HOUR)

    assert set(ada.profile.memberships.inside_ms) == {"any"}
    assert WAKE not in ada.profile.wakes


def test_the_hour_of_her_next_purchase_moves_with_her_to_another_zone() -> None:
    catalogue = build_catalogue([{"product_id": "tea", "supply_days": "10"}])
    morning = {"when": "profile.replenishment.exists(r, r.due_ms / 3600000 % 24 < 12)"}
    ada = Timeline(shop(catalogue=catalogue, segments={"morning": morning}))
    ada.order("o1", 8 * HOUR, "tea").order("o2", 10 * DAY + 22 * HOUR, "tea").until(11 * DAY)

    assert told(ada) == [(ENTERED, "morning", 8 * HOUR)]

    # There she orders at seven in the morning, which is at ten in the evening here.
    ada.tell(events.PageViewed, 12 * DAY, timezone="Asia/Tokyo").until(12 * DAY + 1)

    assert told(ada)[1:] == [(EXITED, "morning", 12 * DAY)]


def test_a_segment_by_what_was_sent_to_her_sees_what_other_segments_had_sent() -> None:
    ended = {"when": 'profile.triggers.exists(t, t.name == "segment.entered" && t.state == "cancelled")'}
    ada = Timeline(shop(segments={"big": BIG, "ended": ended}), customer="anonymous_id:v")
    big_order(ada, "o1", 10).until(20).tell(events.OrderCancelled, 30, order_id="o1")

    assert set(ada.profile.memberships.inside_ms) == {"ended"}


def test_a_segment_by_what_was_sent_to_her_sees_what_new_definitions_ended() -> None:
    ended = {"when": 'profile.triggers.exists(t, t.name == "segment.entered" && t.state == "cancelled")'}
    ada = big_order(Timeline(shop(segments={"big": BIG, "ended": ended}), customer="anonymous_id:v"), "o1", 10).until(
        20
    )
    ada.new_rules(shop(segments={"big": {"when": "profile.ltv.net_minor > 90000"}, "ended": ended}))

    assert set(ada.profile.memberships.inside_ms) == {"ended"}


def test_whoever_may_be_written_to_again_is_looked_at_as_a_whole_and_time_goes_on_for_her() -> None:
    segments = {"looking": LOOKING, "lapsing": {"when": 'profile.last_seen_ms < ago("2d")'}}
    ada = Timeline(shop(segments=segments))
    ada.tell(events.ProductViewed, 0, product=product("A")).tell(events.ProductViewed, 5, product=product("A")).until(6)
    ada.tell(events.SuppressCustomer, 10, request_id="r1").until(60)

    assert told(ada) == [(ENTERED, "looking", 5)]

    ada.tell(events.UnsuppressCustomer, 90, request_id="r2").until(4 * DAY)

    assert told(ada)[1:] == [(EXITED, "looking", 90), (ENTERED, "lapsing", 2 * DAY + 5 + 1 / MINUTE_MS)]


def test_what_was_told_late_while_she_was_to_be_left_alone_shows_when_she_may_be_written_to_again() -> None:
    ada = Timeline(shop(segments={"big": BIG, "looking": {"when": 'views("2d") >= 1'}}))
    big_order(ada, "o1", 5).until(8).tell(events.SuppressCustomer, 10, request_id="r1")
    ada.tell(events.OrderCancelled, 8, order_id="o1", arrives=60)
    ada.tell(events.ProductViewed, 9, arrives=60, product=product("A")).until(80)

    assert told(ada) == [(ENTERED, "big", 5)]

    ada.tell(events.UnsuppressCustomer, 90, request_id="r2").until(120)

    assert sorted(told(ada)[1:]) == [(ENTERED, "looking", 90), (EXITED, "big", 90)]


def test_new_rules_leave_her_alone_too_until_she_may_be_written_to_again() -> None:
    lapsing, lately = {"when": 'profile.last_seen_ms < ago("2d")'}, {"when": 'spend_minor("90d") > 1000'}
    ada = Timeline(shop(segments={"big": BIG, "lapsing": lapsing}))
    big_order(ada, "o1", 5).until(8).tell(events.SuppressCustomer, 10, request_id="r1").until(20)
    dearer = {"when": "profile.ltv.net_minor > 90000"}
    ada.new_rules(shop(segments={"big": dearer, "lapsing": lapsing, "lately": lately})).until(9 * DAY)

    assert set(ada.profile.memberships.inside_ms) == {"big"}

    ada.tell(events.UnsuppressCustomer, 10 * DAY, request_id="r2").until(11 * DAY)

    assert told(ada) == [(ENTERED, "big", 5), (EXITED, "big", 10 * DAY)]
    assert set(ada.profile.memberships.inside_ms) == {"lapsing", "lately"}


def test_what_new_rules_find_is_no_news_because_a_device_joins_her_before_she_was_looked_at() -> None:
    buyers = {"when": "profile.orders.count >= 1"}
    first, second = shop(segments={"big": BIG}), shop(segments={"big": BIG, "buyers": buyers})
    ada = Timeline(first).order("o1", 0, "A").until(5)
    phone = Timeline(second, customer="anonymous_id:phone", consent=False).tell(events.PageViewed, 10).until(11)
    ada.engine = phone.engine
    ada.becomes_one_with(phone).tell(events.PageViewed, 20).until(60)

    assert told(ada) == []
    assert set(ada.profile.memberships.inside_ms) == {"buyers"}


def test_who_became_one_with_a_device_while_she_was_to_be_left_alone_is_told_of_later() -> None:
    book = shop(segments={"big": BIG})
    ada, phone = Timeline(book), Timeline(book, customer="anonymous_id:phone", consent=False)
    ada.tell(events.SuppressCustomer, 10, request_id="r1")
    ada.becomes_one_with(big_order(phone, "o1", 5).until(20)).until(60)
    ada.tell(events.UnsuppressCustomer, 90, request_id="r2").until(120)

    assert told(ada) == [(ENTERED, "big", 90)]


def test_whoever_was_in_it_is_not_told_of_once_more_because_a_device_of_hers_was_too() -> None:
    book = shop(segments={"looking": {"when": 'views("2d") >= 1'}, "few": {"when": "profile.orders.count < 2"}})
    ada, phone = Timeline(book, consent=False), Timeline(book, customer="anonymous_id:phone", consent=False)
    for minute, shopper in ((0, ada), (10, phone)):
        shopper.tell(events.ProductViewed, minute, product=product("A")).order(f"o{minute}", minute + 1, "A")
    ada.until(20)

    assert sorted(told(ada)) == [(ENTERED, "few", 0), (ENTERED, "looking", 0)]

    ada.tell(events.PageViewed, 30).becomes_one_with(phone.until(29)).until(40)

    assert told(ada)[2:] == [(EXITED, "few", 30)]


def test_the_rules_may_tell_of_some_segments_only_or_of_entering_alone() -> None:
    rules = SegmentEnteredRule(segments=("big",)), SegmentExitedRule(enabled=False)
    ada = Timeline(shop(*rules, segments={"big": BIG, "buyers": {"when": "profile.orders.count >= 1"}}))
    big_order(ada, "o1", 10).tell(events.OrderCancelled, 20, order_id="o1").until(30)

    assert told(ada) == [(ENTERED, "big", 10)]
    assert ada.profile.memberships.inside_ms == {}


def test_nobody_hears_of_what_is_taken_back_before_it_went_out() -> None:
    ada = Timeline(shop(segments={"big": BIG}), customer="anonymous_id:v")
    big_order(ada, "o1", 10).until(20)

    assert ada.decisions(ENTERED) == [("armed", None), ("unreachable", "unreachable")]

    ada.tell(events.OrderCancelled, 30, order_id="o1").tell(events.Identified, 40, email="ada@example.com").until(DAY)

    assert ada.decisions(ENTERED)[2:] == [("cancelled", "taken_back")]
    assert told(ada) == []


def test_a_login_releases_what_waited_for_it() -> None:
    ada = Timeline(shop(segments={"big": BIG}), customer="anonymous_id:v")
    big_order(ada, "o1", 10).tell(events.Identified, 40, email="ada@example.com").until(DAY)

    assert told(ada) == [(ENTERED, "big", 10)]
    assert the_one(ada, ENTERED).emitted_at_ms == ms(40)


def test_neither_consent_nor_caps_hold_it_back_but_a_condition_of_the_trigger_does() -> None:
    segments = {f"s{number}": {"when": f"profile.orders.count >= {number}"} for number in range(1, 5)}
    condition = SegmentEnteredRule(condition='!episode.key.endsWith("|s3")')
    ada = Timeline(shop(condition, segments=segments), consent=False)
    for number in range(1, 5):
        ada.order(f"o{number}", number, "A")
    ada.until(10)

    assert [segment for _, segment, _ in told(ada)] == ["s1", "s2", "s4"]
    assert ("cancelled", "condition") in ada.decisions(ENTERED)


def test_who_enters_again_is_told_of_under_another_id() -> None:
    ada = Timeline(shop(segments={"looking": LOOKING}))
    for minute in (0, 5, 100, 105):
        ada.tell(events.ProductViewed, minute, product=product("A"))
    ada.until(DAY)
    ids = [trigger.trigger_id for trigger in ada.triggers]

    assert [name for name, _, _ in told(ada)] == [ENTERED, EXITED, ENTERED, EXITED]
    assert len(set(ids)) == 4


def test_a_very_late_order_is_news_of_the_moment_in_which_it_arrives() -> None:
    ada = Timeline(shop(segments={"big": BIG}))
    ada.order("o1", 0, product("A", 40_000), arrives=3 * DAY).until(3 * DAY + 1)

    assert told(ada) == [(ENTERED, "big", 3 * DAY)]


def test_repeats_count_once() -> None:
    ada = Timeline(shop(segments={"looking": LOOKING}))
    for minute in (0, 5):
        ada.tell(events.ProductViewed, minute, product=product("A"), message_id="same")
    ada.until(DAY)

    assert told(ada) == []


def test_however_often_others_are_told_of_her_what_she_was_sent_herself_is_not_forgotten_for_it() -> None:
    ada = Timeline(shop(segments={"looking": LOOKING}))
    for quarter in range(40):
        ada.view("A", quarter * DAY / 4).view("B", quarter * DAY / 4 + 1)
    ada.until(11 * DAY)

    assert len(ada.sent(ENTERED)) == len(ada.sent(EXITED)) == 40
    assert ada.emitted("browse.abandoned") == [61]  # once in 14 days

    ada.order("o1", 11 * DAY, "A").until(11 * DAY + 1)
    assert "browse.abandoned" in {sent.name for sent in ada.profile.emitted}


@pytest.mark.parametrize(
    "tables, said",
    [
        ({"Big": BIG}, "segments.Big: a segment's name has small letters, digits and _, at most 64"),
        ({"big": {"wen": "true"}}, "segments.big.wen: unknown key; did you mean `when`?"),
        ({"big": "profile.ltv.net_minor > 1"}, "segments.big: expected a table [segments.big] with a condition `when`"),
        ({"big": {"description": "spends a lot"}}, "segments.big: the condition `when` is missing"),
        ({"big": {**BIG, "description": 7}}, "segments.big.description: expected a text, got 7"),
        (
            {"big": {"when": "profile.ltv.nett_minor > 1"}},
            "there is no field `nett_minor` in `profile.ltv`; did you mean `net_minor`?",
        ),
    ],
)
def test_a_wrong_definition_is_refused_with_what_is_near(tables: dict[str, Any], said: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        shop(segments=tables)

    assert said in str(refused.value)
