"""A welcome: once, to somebody new, and only with consent."""

import pytest

from profiles.life_rules import WelcomeRule
from profiles.rules import QuietHours
from schemas import events
from schemas.events import ConsentChange
from tests.stories.timeline import DAY, HOUR, Timeline, shop

WELCOME = "welcome"
GRANT = (ConsentChange(state="GRANT", channel="email"),)


def newcomer() -> Timeline:
    return Timeline(consent=False)


def test_the_first_identify_with_consent_is_welcomed_five_minutes_later() -> None:
    ada = newcomer().tell(events.Identified, 0, consent=GRANT).until(5)

    assert ada.emitted(WELCOME) == [5]


def test_who_consented_days_before_she_told_who_she_is_is_welcomed_then() -> None:
    ada = Timeline(customer="anonymous_id:a1", consent=False).tell(events.ConsentChanged, 0, consent=GRANT)
    ada.until(2 * DAY).tell(events.Identified, 3 * DAY, email="ada@example.org", consent=GRANT)
    ada.tell(events.Identified, 4 * DAY, consent=GRANT).until(5 * DAY)

    assert ada.emitted(WELCOME) == [3 * DAY + 5]
    assert ("expired", "unreachable") in ada.decisions(WELCOME)


def test_she_is_welcomed_only_once() -> None:
    ada = newcomer().tell(events.Identified, 0, consent=GRANT).tell(events.Identified, DAY, consent=GRANT)
    ada.tell(events.SignedUp, 2 * DAY).until(30 * DAY)

    assert ada.emitted(WELCOME) == [5]


def test_a_sign_up_without_consent_is_not_written_to_but_a_later_consent_is() -> None:
    ada = newcomer().tell(events.SignedUp, 0).until(10)

    assert ada.decisions(WELCOME) == [("armed", None), ("suppressed", "no_consent")]

    ada.tell(events.ConsentChanged, 60, consent=GRANT).until(65)

    assert ada.emitted(WELCOME) == [65]


def test_a_sign_up_that_came_to_nothing_at_once_is_not_tried_again_when_it_is_told_again() -> None:
    ada = Timeline(shop(WelcomeRule(delay_ms=0)), consent=False).tell(events.SignedUp, 0).until(1)
    ada.tell(events.SignedUp, 10).until(20)

    assert ada.decisions(WELCOME) == [("armed", None), ("suppressed", "no_consent")]


def test_a_customer_with_an_older_order_is_no_newcomer() -> None:
    ada = newcomer().order("o1", -3 * DAY, "A").tell(events.Identified, 0, consent=GRANT).until(DAY)

    assert ada.decisions(WELCOME) == [("armed", None), ("cancelled", "existing_customer")]


def test_imported_customers_are_not_welcomed() -> None:
    ada = newcomer().tell(events.Identified, 0, consent=GRANT, imported=True).until(DAY)

    assert ada.emitted(WELCOME) == []


def test_consent_taken_back_within_the_five_minutes_holds() -> None:
    ada = newcomer().tell(events.Identified, 0, consent=GRANT)
    ada.tell(events.Unsubscribed, 2, message_channel="email").until(DAY)

    assert ada.emitted(WELCOME) == []


@pytest.mark.parametrize("by_message", [True, False])
def test_who_takes_her_consent_back_before_she_was_welcomed_is_welcomed_when_she_agrees_again(by_message: bool) -> None:
    """She signed up at night, and changed her mind twice before the morning."""
    night = QuietHours(start_at="21:00", end_at="08:00", jitter_ms=0)
    ada = Timeline(shop(quiet_hours=night), consent=False).tell(events.Identified, 22 * HOUR, consent=GRANT)
    if by_message:
        left(ada, 23 * HOUR)
    else:
        ada.tell(events.ConsentChanged, 23 * HOUR, consent=(ConsentChange(state="REVOKED", channel="email"),))
    ada.tell(events.ConsentChanged, DAY + 9 * HOUR, consent=GRANT)
    ada.tell(events.Identified, DAY + 10 * HOUR, consent=GRANT).until(3 * DAY)

    assert ada.emitted(WELCOME) == [DAY + 9 * HOUR + 5]


def left(story: Timeline, minute: float) -> Timeline:
    return story.tell(events.Unsubscribed, minute, message_channel="email")


def welcomed_and_gone() -> Timeline:
    return left(newcomer().tell(events.Identified, 0, consent=GRANT).until(5), 10 * DAY)


def test_who_agrees_again_half_a_year_after_unsubscribing_is_welcomed_back_under_another_id() -> None:
    ada = welcomed_and_gone().tell(events.ConsentChanged, 190 * DAY, consent=GRANT).until(200 * DAY)
    first, again = ada.sent(WELCOME)

    assert ada.emitted(WELCOME) == [5, 190 * DAY + 5]
    assert first.trigger_id != again.trigger_id


def test_sooner_than_that_she_is_not_nor_where_the_rules_say_never() -> None:
    early = welcomed_and_gone().tell(events.ConsentChanged, 190 * DAY - 1, consent=GRANT).until(200 * DAY)
    never = left(
        Timeline(shop(WelcomeRule(again_after_ms=0)), consent=False).tell(events.Identified, 0, consent=GRANT), DAY
    )
    never.tell(events.ConsentChanged, 300 * DAY, consent=GRANT).until(400 * DAY)

    assert early.emitted(WELCOME) == [5]
    assert never.emitted(WELCOME) == [5]


def test_who_was_welcomed_back_is_not_welcomed_again_with_each_further_word_of_consent() -> None:
    ada = welcomed_and_gone()
    for day in (190, 191, 380):
        ada.tell(events.ConsentChanged, day * DAY, consent=GRANT)
    ada.until(400 * DAY)

    assert ada.emitted(WELCOME) == [5, 190 * DAY + 5]


def test_who_had_come_back_sooner_is_not_welcomed_by_her_next_word_of_consent_half_a_year_after() -> None:
    ada = welcomed_and_gone().tell(events.ConsentChanged, 12 * DAY, consent=GRANT)
    ada.tell(events.Identified, 200 * DAY, consent=GRANT).until(300 * DAY)

    assert ada.emitted(WELCOME) == [5]


def test_her_further_words_of_consent_do_not_put_the_welcome_off() -> None:
    ada = welcomed_and_gone().tell(events.ConsentChanged, 200 * DAY, consent=GRANT)
    ada.tell(events.Identified, 200 * DAY + 3, consent=GRANT).until(300 * DAY)

    assert ada.emitted(WELCOME) == [5, 200 * DAY + 5]


def test_who_unsubscribes_again_may_be_welcomed_again() -> None:
    ada = left(welcomed_and_gone().tell(events.ConsentChanged, 200 * DAY, consent=GRANT), 300 * DAY)
    ada.tell(events.ConsentChanged, 500 * DAY, consent=GRANT).until(600 * DAY)

    assert ada.emitted(WELCOME) == [5, 200 * DAY + 5, 500 * DAY + 5]


def test_a_newsletter_reader_who_turns_out_to_be_a_customer_welcomed_long_ago_is_not_welcomed() -> None:
    ada = newcomer().tell(events.Identified, 0, consent=GRANT).until(400 * DAY)
    reader = Timeline(customer="email:ada@example.com", consent=False).tell(events.Identified, 400 * DAY, consent=GRANT)
    ada.becomes_one_with(reader).until(401 * DAY)

    assert ada.emitted(WELCOME) == [5]
    assert ada.decisions(WELCOME)[-1] == ("cancelled", "welcomed")


def test_who_came_back_and_has_ordered_before_is_no_newcomer() -> None:
    ada = welcomed_and_gone().order("o1", 20 * DAY, "A").tell(events.ConsentChanged, 200 * DAY, consent=GRANT)
    ada.until(201 * DAY)

    assert ada.decisions(WELCOME)[-1] == ("cancelled", "existing_customer")


def test_an_order_of_one_day_before_is_that_of_a_newcomer_and_an_older_one_is_not() -> None:
    for minute, welcomed in ((5 - DAY, [5]), (4 - DAY, [])):
        ada = newcomer().order("o1", minute, "A").tell(events.Identified, 0, consent=GRANT).until(DAY)

        assert ada.emitted(WELCOME) == welcomed


def test_a_word_of_consent_from_before_she_left_that_comes_late_does_not_say_that_she_is_back() -> None:
    ada = welcomed_and_gone().tell(events.ConsentChanged, 9 * DAY, arrives=11 * DAY, consent=GRANT)
    ada.tell(events.ConsentChanged, 190 * DAY, consent=GRANT).until(200 * DAY)

    assert ada.emitted(WELCOME) == [5, 190 * DAY + 5]


def test_a_sign_up_that_becomes_known_two_days_late_is_not_welcomed() -> None:
    ada = newcomer().tell(events.Identified, 0, arrives=2 * DAY, consent=GRANT).until(3 * DAY)

    assert ada.emitted(WELCOME) == []


def test_an_order_within_the_week_is_her_success_though_it_is_heard_of_hours_after_that_and_more_was_sent_since() -> (
    None
):
    ada = newcomer().tell(events.Identified, 0, consent=GRANT)
    ada.add("A", 7 * DAY, cart="c1").until(7 * DAY + 60)

    ada.order("o1", 7 * DAY - HOUR, "Z", cart_id="c2", arrives=7 * DAY + 2 * HOUR)

    assert ada.emitted("cart.abandoned") == [7 * DAY + 60]
    assert ada.outcomes == [("trigger.converted", None)]
