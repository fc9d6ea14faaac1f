"""The gates between due and sent: what holds back every marketing trigger alike, in which order, and what each counts.

Caps, quiet hours, hold-outs, exclusions and precedence, told with the triggers of carts and sign-ups.
"""

from datetime import UTC, datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from profiles.cart_rules import WishlistReminderRule
from profiles.rules import Caps, Excluded, Holdout, Precedence, QuietHours
from profiles.state import TRAITS_MAX, Privacy
from profiles.triggers import CartAbandonedRule, CheckoutAbandonedRule, WelcomeRule
from schemas import events
from schemas.events import ConsentChange
from schemas.outputs import Decision, Trigger
from tests.stories.timeline import DAY, HOUR, MINUTE_MS, START_MS, Timeline, product, shop

CART = "cart.abandoned"
WELCOME = "welcome"
GRANT = (ConsentChange(state="GRANT", channel="email"),)
ALWAYS = CartAbandonedRule(cooldown_ms=0, max_in_window=0)
CAPS = Caps(max_in_24h=2, max_in_7d=5, max_in_day=2)
MANY = Caps(max_in_24h=1000, max_in_7d=1000, max_in_day=1000)


def gates_of(story: Timeline, state: str) -> list[tuple[str, ...]]:
    return [output.gates for output in story.out if isinstance(output, Decision) and output.state == state]


# --- caps ---------------------------------------------------------------------------------------------------------


def carts(story: Timeline, *minutes: float) -> Timeline:
    """A cart left behind at each of these minutes; each is due an hour later."""
    for number, minute in enumerate(minutes):
        story.add("tea", minute, cart=f"cart-{number}")
    return story


def test_a_customer_gets_no_more_than_two_in_any_twenty_four_hours() -> None:
    ada = carts(Timeline(shop(ALWAYS, caps=Caps(max_in_24h=2))), 12 * HOUR, 14 * HOUR, 33 * HOUR, 36 * HOUR + 1)
    ada.until(3 * DAY)

    assert ada.emitted(CART) == [13 * HOUR, 15 * HOUR, 37 * HOUR + 1]
    assert ("suppressed", "frequency_cap") in ada.decisions(CART)


def test_nor_more_than_two_on_one_day_of_her_own_calendar() -> None:
    # Both days in Auckland (UTC+13) lie across the UTC midnight: three reminders on two UTC days, on one of hers.
    ada = Timeline(shop(ALWAYS, caps=Caps(max_in_24h=1000, max_in_7d=1000, max_in_day=2)))
    ada.tell(events.Identified, 0, timezone="Pacific/Auckland")
    carts(ada, 20 * HOUR, 22 * HOUR, 25 * HOUR, 35 * HOUR).until(3 * DAY)

    assert ada.emitted(CART) == [21 * HOUR, 23 * HOUR, 36 * HOUR]


def test_nor_more_than_five_in_seven_days() -> None:
    days = [day * DAY + 12 * HOUR for day in range(7)]
    ada = carts(Timeline(shop(ALWAYS, caps=CAPS)), *days, 7 * DAY + 13 * HOUR).until(10 * DAY)

    assert ada.emitted(CART) == [*(at + HOUR for at in days[:5]), 7 * DAY + 14 * HOUR]


@pytest.mark.parametrize(
    "rule, caps, days",
    [
        (ALWAYS, replace(MANY, max_in_24h=1), 1),
        (ALWAYS, replace(MANY, max_in_7d=1), 7),
        (CartAbandonedRule(cooldown_ms=3 * DAY * MINUTE_MS), MANY, 3),
        (CartAbandonedRule(cooldown_ms=0, max_in_window=1, window_ms=3 * DAY * MINUTE_MS), MANY, 3),
    ],
)
def test_a_time_is_over_at_its_end_to_the_minute(rule: CartAbandonedRule, caps: Caps, days: int) -> None:
    for later, sent in ((days * DAY - 1, 1), (days * DAY, 2)):
        assert len(carts(Timeline(shop(rule, caps=caps)), 0, later).until(9 * DAY).emitted(CART)) == sent


def test_caps_count_all_marketing_whatever_it_is_about() -> None:
    ada = Timeline(shop(ALWAYS, caps=Caps(max_in_24h=1)), consent=False)
    ada.tell(events.SignedUp, 600, consent=GRANT).add("tea", 630).until(2 * DAY)

    assert ada.emitted(WELCOME) == [605]
    assert ada.decisions(CART)[-1] == ("suppressed", "frequency_cap")


def test_service_messages_neither_count_nor_are_counted() -> None:
    rules = shop(ALWAYS, WelcomeRule(trigger_class="service"), caps=Caps(max_in_24h=1))
    ada = Timeline(rules, consent=False)
    ada.tell(events.SignedUp, 600, consent=GRANT).add("tea", 630).add("pot", 640, cart="c2").until(2 * DAY)

    assert ada.emitted(WELCOME) == [605]
    assert ada.emitted(CART) == [690]


def test_what_goes_out_by_one_channel_says_that_the_grant_for_another_one_has_ended() -> None:
    text = ConsentChange(state="GRANT", channel="sms")
    mail = ConsentChange(state="GRANT", channel="email", expires_ms=START_MS + 50 * MINUTE_MS)
    ada = Timeline(shop(ALWAYS), consent=False)
    ada.tell(events.ConsentChanged, 0, consent=(mail, text)).add("tea", 1).until(DAY)
    (reminder,) = [found for found in ada.triggers if found.name == CART]

    assert reminder.customer.consent == {"email.marketing": "EXPIRED", "sms.marketing": "GRANT"}


def test_what_was_suppressed_does_not_count() -> None:
    ada = Timeline(shop(ALWAYS, caps=Caps(max_in_24h=1)), consent=False)
    ada.add("tea", 0).until(90).tell(events.ConsentChanged, 120, consent=GRANT).until(125).add("pot", 130).until(DAY)

    assert ada.decisions(CART)[:2] == [("armed", None), ("suppressed", "no_consent")]
    assert ada.emitted(WELCOME) == [125]


# --- quiet hours --------------------------------------------------------------------------------------------------

QUIET = QuietHours()


def local(minute: float, zone: str) -> datetime:
    return datetime.fromtimestamp((START_MS + minute * MINUTE_MS) / 1000, tz=ZoneInfo(zone))


def asleep(zone: str = "UTC") -> Timeline:
    ada = Timeline(shop(ALWAYS, quiet_hours=QUIET))
    return ada.tell(events.Identified, 0, timezone=zone)


def test_what_is_due_at_night_goes_out_in_the_morning_with_the_same_id() -> None:
    ada = asleep().add("tea", 21.5 * HOUR)
    (armed,) = [output.trigger_id for output in ada.out if isinstance(output, Decision)]
    ada.until(3 * DAY)

    (sent,) = ada.triggers
    assert sent.trigger_id == armed
    assert sent.due_at_ms == START_MS + 22.5 * HOUR * MINUTE_MS
    assert DAY + 8 * HOUR <= ada.emitted(CART)[0] <= DAY + 8 * HOUR + 15
    assert ada.decisions(CART) == [("armed", None), ("deferred", "quiet_hours"), ("emitted", None)]


def test_the_night_is_the_one_where_she_lives() -> None:
    ada = asleep("America/New_York").add("tea", 2 * HOUR).until(3 * DAY)  # 22:00 there

    morning = local(ada.emitted(CART)[0], "America/New_York")
    assert (morning.day, morning.hour) == (2, 8)
    assert morning.minute <= 15


def test_who_turns_out_to_live_where_the_night_goes_on_is_let_sleep_by_a_decision_of_its_own() -> None:
    ada = asleep().add("tea", 21.5 * HOUR)
    ada.tell(events.Identified, DAY + 2 * HOUR, timezone="America/New_York").until(3 * DAY)

    decided = [output for output in ada.out if isinstance(output, Decision)]
    assert [one.state for one in decided] == ["armed", "deferred", "deferred", "emitted"]
    assert len({one.decision_id for one in decided}) == 4
    assert local(ada.emitted(CART)[0], "America/New_York").hour == 8


def test_customers_are_spread_over_the_quarter_of_an_hour() -> None:
    minutes = set()
    for name in ("ada", "bob", "cyd", "dan", "eve"):
        story = Timeline(shop(ALWAYS, quiet_hours=QUIET), customer=f"user_id:{name}")
        minutes.add(story.add("tea", 0, cart=f"{name}-cart").until(DAY).emitted(CART)[0])

    assert len(minutes) == 5
    assert all(8 * HOUR <= minute <= 8 * HOUR + 15 for minute in minutes)


def test_in_the_morning_everything_is_asked_again() -> None:
    ada = asleep().add("tea", 21.5 * HOUR).until(DAY)
    ada.tell(events.Unsubscribed, DAY + HOUR, message_channel="email").until(3 * DAY)
    assert ada.decisions(CART)[-1] == ("cancelled", "unsubscribed")

    bea = asleep().add("tea", 21.5 * HOUR).order("o1", DAY + HOUR, "tea").until(3 * DAY)
    assert bea.decisions(CART)[-1] == ("cancelled", "ordered")


def test_a_change_of_the_cart_at_night_moves_it_on_as_by_day() -> None:
    ada = asleep().add("tea", 21.5 * HOUR).add("pot", DAY + 9 * HOUR - 70).until(3 * DAY)

    assert ada.emitted(CART) == [DAY + 9 * HOUR - 10]
    assert len(ada.triggers[0].items) == 2


def test_what_is_too_late_in_the_morning_expires() -> None:
    brief = CartAbandonedRule(max_lateness_ms=6 * HOUR * MINUTE_MS)
    ada = Timeline(shop(brief, quiet_hours=QUIET)).add("tea", 21 * HOUR).until(3 * DAY)

    assert ada.decisions(CART)[-1] == ("expired", "max_lateness")


def test_service_messages_know_no_night() -> None:
    ada = Timeline(shop(CartAbandonedRule(trigger_class="service"), quiet_hours=QUIET)).add("tea", 23 * HOUR)

    assert ada.until(2 * DAY).emitted(CART) == [24 * HOUR]


@pytest.mark.parametrize(
    "day, expected",
    [
        # Berlin changes on 29 March 2026 at 02:00 to 03:00, and on 25 October 2026 at 03:00 to 02:00.
        ("2026-03-28", "2026-03-29T06:00:00+00:00"),
        ("2026-10-24", "2026-10-25T07:00:00+00:00"),
    ],
)
def test_eight_in_the_morning_is_eight_on_the_clock_when_the_clock_was_changed(day: str, expected: str) -> None:
    evening = datetime.fromisoformat(f"{day}T22:00:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    minute = (evening.timestamp() * 1000 - START_MS) / MINUTE_MS
    quiet = QuietHours(jitter_ms=0)
    ada = Timeline(shop(ALWAYS, quiet_hours=quiet)).tell(events.Identified, 0, timezone="Europe/Berlin")
    ada.add("tea", minute - HOUR).until(minute + 2 * DAY)

    (sent,) = ada.triggers
    assert datetime.fromtimestamp(sent.emitted_at_ms / 1000, tz=UTC).isoformat() == expected


def test_quiet_hours_that_end_in_the_hour_that_comes_twice_end_when_it_is_over_for_good() -> None:
    # Berlin has 02:00 to 03:00 twice on 25 October 2026: what is due at the second 02:10 is due in quiet hours still.
    due = datetime.fromisoformat("2026-10-25T01:10:00+00:00")
    quiet = QuietHours(end_at="02:30", jitter_ms=0)
    ada = Timeline(shop(ALWAYS, quiet_hours=quiet)).tell(events.Identified, 0, timezone="Europe/Berlin")
    minute = (due.timestamp() * 1000 - START_MS) / MINUTE_MS
    ada.add("tea", minute - HOUR).until(minute + DAY)

    assert ada.emitted(CART) == [minute + 20]


def test_quiet_hours_may_lie_within_one_day() -> None:
    siesta = QuietHours(start_at="13:00", end_at="16:00", jitter_ms=0)
    ada = carts(Timeline(shop(ALWAYS, quiet_hours=siesta)), 11 * HOUR + 59, 12 * HOUR, 15 * HOUR).until(2 * DAY)

    assert ada.emitted(CART) == [12 * HOUR + 59, 16 * HOUR, 16 * HOUR]


@pytest.mark.parametrize(
    "due, sent",
    [
        (22 * HOUR - 1, 22 * HOUR - 1),
        (22 * HOUR, DAY + 8 * HOUR),
        (DAY + 8 * HOUR - 1, DAY + 8 * HOUR),
        (DAY + 8 * HOUR, DAY + 8 * HOUR),
    ],
)
def test_the_night_begins_and_ends_at_its_minute(due: int, sent: int) -> None:
    night = QuietHours(start_at="22:00", end_at="08:00", jitter_ms=0)
    ada = Timeline(shop(ALWAYS, quiet_hours=night)).add("tea", due - HOUR)

    assert ada.until(3 * DAY).emitted(CART) == [sent]


def test_quiet_hours_that_end_as_they_begin_are_none() -> None:
    ada = Timeline(shop(ALWAYS, quiet_hours=QuietHours(start_at="08:00", end_at="08:00"))).add("tea", 0)

    assert ada.until(DAY).emitted(CART) == [HOUR]


# --- who is left out ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("traits", [{"tags": ["vip", "employee"]}, {"tags": "vip, employee"}, {"employee": True}])
def test_staff_get_nothing(traits: dict[str, object]) -> None:
    ada = Timeline().tell(events.Identified, 0, traits=traits).add("tea", 10).until(DAY)

    assert ada.decisions(CART)[-1] == ("suppressed", "excluded")


@pytest.mark.parametrize("traits", [{"tags": ["vip"]}, {"tags": "former employee"}, {"employee": False}])
def test_who_is_said_to_be_none_of_the_staff_gets_all(traits: dict[str, object]) -> None:
    assert Timeline().tell(events.Identified, 0, traits=traits).add("tea", 10).until(DAY).emitted(CART) == [70]


def test_which_customers_are_left_out_is_a_rule() -> None:
    ada = Timeline(shop(excluded=Excluded(tags=("press",)))).tell(events.Identified, 0, traits={"employee": True})

    assert ada.add("tea", 10).until(DAY).emitted(CART) == [70]


def test_who_asked_not_to_be_contacted_gets_no_service_message_either() -> None:
    ada = Timeline(shop(CartAbandonedRule(trigger_class="service"))).add("tea", 10)
    ada.profile.privacy = Privacy(suppressed_ms=0)

    assert ada.until(DAY).decisions(CART)[-1] == ("suppressed", "suppressed")


# --- hold-outs ----------------------------------------------------------------------------------------------------


def place(salt: str, customer: str) -> float:
    """The formula of the hold-outs, written down a second time."""
    return int.from_bytes(sha256(f"{salt}:{customer}".encode()).digest()[:8], "big") / 2**64


def held_out_story(share: float) -> Timeline:
    return Timeline(shop(CartAbandonedRule(holdout=share, max_in_window=0))).add("tea", 0).until(DAY)


def test_a_held_out_customer_gets_a_shadow_trigger_and_no_other() -> None:
    bucket = place("cart.abandoned", "ada")
    out, treated = held_out_story(bucket + 1e-9), held_out_story(bucket)

    (ghost,) = out.triggers
    assert ghost.shadow
    assert ghost.holdout is not None
    assert (ghost.holdout.group, ghost.holdout.bucket) == ("cart.abandoned", bucket)
    assert out.decisions(CART)[-1] == ("suppressed", "holdout")
    (sent,) = treated.triggers
    assert not sent.shadow
    assert sent.trigger_id == ghost.trigger_id
    assert sent.holdout == ghost.holdout


def test_hold_out_is_the_very_last_gate() -> None:
    assert gates_of(held_out_story(1.0), "suppressed") == [
        ("reachable", "consent", "included", "precedence", "cooldown", "frequency_cap", "quiet_hours", "availability")
    ]


def test_a_ghost_counts_for_cooldown_and_caps_as_a_message_would() -> None:
    stories = [carts(held_out_story(share), 120, 180, DAY + 120) for share in (0.0, 1.0)]
    sent, ghosts = ([trigger.emitted_at_ms for trigger in story.until(4 * DAY).triggers] for story in stories)

    assert sent == ghosts
    assert len(sent) == 2


def test_an_order_after_a_ghost_is_no_conversion_anybody_is_told_of() -> None:
    out = held_out_story(1.0).order("o1", 2 * DAY, "tea").until(3 * DAY)

    assert out.outcomes == []
    assert out.profile.emitted[0].outcome == "converted"


def test_triggers_of_one_group_hold_out_the_same_customers() -> None:
    share = 0.5
    for name in ("ada", "bob", "cyd", "dan", "eve", "fay"):
        rules = shop(
            CartAbandonedRule(holdout=share, holdout_group="leavers"),
            CheckoutAbandonedRule(holdout=share, holdout_group="leavers"),
            precedence=Precedence(block_ms=0),
        )
        story = Timeline(rules, customer=f"user_id:{name}")
        story.add("tea", 0).tell(events.CheckoutStarted, DAY, checkout_id="k1", cart_id="c1").until(DAY + 60)

        assert {trigger.shadow for trigger in story.triggers} == {place("leavers", name) < share}


def test_who_is_held_out_of_everything_gets_no_marketing_but_every_service_message() -> None:
    bucket = place("global", "ada")
    rules = shop(WelcomeRule(trigger_class="service"), holdout=Holdout(share=bucket + 1e-9))
    ada = Timeline(rules, consent=False).tell(events.SignedUp, 0, consent=GRANT).add("tea", 10).until(DAY)

    assert [(trigger.name, trigger.shadow) for trigger in ada.triggers] == [(WELCOME, False), (CART, True)]
    assert ada.triggers[1].holdout is not None
    assert ada.triggers[1].holdout.group == "global"


def test_where_that_is_the_only_hold_out_whoever_is_not_held_out_is_told_of_with_her_place_in_it() -> None:
    bucket = place("global", "ada")
    ada = Timeline(shop(WelcomeRule(trigger_class="service"), holdout=Holdout(share=bucket)), consent=False)
    ada.tell(events.SignedUp, 0, consent=GRANT).add("tea", 10).until(DAY)

    service, marketing = ada.triggers
    assert service.holdout is None
    assert marketing.holdout is not None
    assert (marketing.holdout.group, marketing.holdout.bucket, marketing.shadow) == ("global", bucket, False)


def test_the_zone_that_is_shown_is_the_one_that_was_gone_by() -> None:
    ada = Timeline().tell(events.Identified, 0, traits={"timezone": "Mars/Olympus_Mons"}, timezone="Asia/Tokyo")
    (reminder,) = ada.add("tea", 1).until(DAY).triggers

    assert reminder.customer.timezone == "Asia/Tokyo"


def test_staff_are_known_as_such_and_birthdays_kept_however_many_traits_a_shop_tells() -> None:
    ada = Timeline().tell(events.Identified, 0, traits={f"audience {number}": True for number in range(TRAITS_MAX)})
    ada.tell(events.Identified, 1, traits={"employee": True, "birthday": "03-10", "one more": True})
    ada.add("tea", 2).until(DAY)

    assert ada.decisions(CART)[-1] == ("suppressed", "excluded")
    assert ada.profile.traits.keys() - {f"audience {number}" for number in range(TRAITS_MAX)} == {
        "employee",
        "birthday",
    }


# --- several at once ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("later", [0.5, 1])
def test_of_triggers_due_within_a_minute_the_more_important_goes_first(later: float) -> None:
    rules = shop(ALWAYS, WelcomeRule(delay_ms=60 * MINUTE_MS), caps=Caps(max_in_24h=1))
    ada = (
        Timeline(rules, consent=False).tell(events.SignedUp, 600, consent=GRANT).add("tea", 600 + later).until(2 * DAY)
    )

    # The welcome (priority 810) is due up to a minute before the cart (priority 200), and there is room for one.
    assert [trigger.name for trigger in ada.triggers] == [CART]
    assert ada.emitted(CART) == [660 + later]
    assert ada.decisions(WELCOME)[-1] == ("suppressed", "frequency_cap")


def test_what_is_due_more_than_a_minute_later_comes_too_late_for_that() -> None:
    rules = shop(ALWAYS, WelcomeRule(delay_ms=60 * MINUTE_MS), caps=Caps(max_in_24h=1))
    ada = Timeline(rules, consent=False).tell(events.SignedUp, 600, consent=GRANT).add("tea", 601.01).until(2 * DAY)

    assert [trigger.name for trigger in ada.triggers] == [WELCOME]


def test_where_there_is_room_for_both_both_go_out() -> None:
    rules = shop(ALWAYS, WelcomeRule(delay_ms=60 * MINUTE_MS))
    ada = Timeline(rules, consent=False).tell(events.SignedUp, 600, consent=GRANT).add("tea", 600.5).until(2 * DAY)

    assert [trigger.name for trigger in ada.triggers] == [CART, WELCOME]


def test_further_reminders_hold_back_nothing_less_important_and_are_held_back_by_no_cooldown() -> None:
    rules = shop(ALWAYS, CheckoutAbandonedRule(cooldown_ms=30 * DAY * MINUTE_MS))
    ada = Timeline(rules).add("tea", 0).tell(events.CheckoutStarted, 10, checkout_id="k1", cart_id="c1")
    # The first reminder goes out at 70, the second a day and the third three days after it; its block is two days long.
    ada.add("pot", 2 * DAY + 20, cart="c2").until(10 * DAY)

    assert ada.emitted(CART) == [2 * DAY + 80]
    assert ada.emitted("checkout.abandoned") == [70, DAY + 70, 3 * DAY + 70]


@pytest.mark.parametrize("later, sent", [(2 * DAY - 1, []), (2 * DAY, [2 * DAY + 70])])
def test_a_higher_one_blocks_for_two_days_to_the_minute(later: int, sent: list[int]) -> None:
    ada = Timeline(shop(ALWAYS)).add("tea", 0).tell(events.CheckoutStarted, 10, checkout_id="k1", cart_id="c1")
    ada.add("pot", 10 + later, cart="c2").until(3 * DAY)

    assert ada.emitted(CART) == sent


def test_every_decision_names_its_evidence_and_the_version_of_the_rules() -> None:
    ada = Timeline(shop(version="spring")).add("tea", 0).add("pot", 10).remove("pot", 20).until(DAY)

    emitted = [output for output in ada.out if isinstance(output, (Trigger, Decision))][-2:]
    assert all(output.evidence == ("m2", "m3", "m4") for output in emitted)
    assert isinstance(emitted[0], Trigger)
    assert emitted[0].decision.rules == "spring"
    assert isinstance(emitted[1], Decision)
    assert emitted[1].rules == "spring"


@pytest.mark.parametrize("failed", [True, False])
def test_a_message_that_could_not_be_sent_counts_towards_no_cap(failed: bool) -> None:
    ada = Timeline(shop(caps=Caps(max_in_24h=1))).add("A", 0, cart="c1").until(60)
    kind = events.MessageFailed if failed else events.MessageSent
    ada.tell(kind, 61, trigger_id=ada.triggers[0].trigger_id)
    ada.tell(events.CheckoutStarted, 70, checkout_id="k").until(DAY)

    assert ada.emitted("checkout.abandoned") == ([130] if failed else [])


def test_of_failure_and_success_the_newest_word_holds() -> None:
    ada = Timeline().add("A", 0).until(60)
    told = ada.triggers[0].trigger_id
    ada.tell(events.MessageFailed, 61, trigger_id=told).tell(events.MessageSent, 63, trigger_id=told)
    ada.tell(events.MessageFailed, 62, arrives=64, trigger_id=told)

    assert not ada.profile.emitted[0].failed

    ada.tell(events.MessageFailed, 65, trigger_id=told)

    assert ada.profile.emitted[0].failed


@pytest.mark.parametrize("cap", ["max_in_24h", "max_in_7d", "max_in_day"])
def test_a_cap_of_none_lets_nothing_through(cap: str) -> None:
    caps = Caps(**{"max_in_24h": 5, "max_in_7d": 5, "max_in_day": 5, cap: 0})
    ada = Timeline(shop(caps=caps)).add("A", 0).until(HOUR)

    assert ada.decisions(CART)[-1] == ("suppressed", "frequency_cap")


def test_a_higher_trigger_that_was_switched_off_while_it_waits_stands_in_nobodys_way() -> None:
    ada = (
        Timeline()
        .add("A", 0)
        .tell(events.CheckoutStarted, 30, checkout_id="k1", cart_id="c2", products=(product("B"),))
    )
    ada.until(40).new_rules(shop(CheckoutAbandonedRule(enabled=False))).until(2 * HOUR)

    assert ada.emitted(CART) == [HOUR]


@pytest.mark.parametrize("number", range(8))
def test_of_what_a_night_held_back_the_most_important_goes_first(number: int) -> None:
    caps = Caps(max_in_24h=1, max_in_7d=5, max_in_day=2)
    ada = Timeline(shop(WishlistReminderRule(), caps=caps, precedence=Precedence(ladder=()), quiet_hours=QuietHours()))
    ada.wish(f"wish {number}", 22 * HOUR - 3 * DAY).search("B", 20 * HOUR + number, results=0)
    ada.add("A", 21 * HOUR, cart=f"cart {number}").until(2 * DAY)

    assert ada.triggers[0].name == CART
