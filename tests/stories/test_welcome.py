"""A welcome: once, to somebody new, and only with consent."""

from schemas import events
from schemas.events import ConsentChange
from tests.stories.timeline import DAY, Timeline

WELCOME = "welcome"
GRANT = (ConsentChange(state="GRANT", channel="email"),)


def newcomer() -> Timeline:
    return Timeline(consent=False)


def test_the_first_identify_with_consent_is_welcomed_five_minutes_later() -> None:
    ada = newcomer().tell(events.Identified, 0, consent=GRANT).until(5)

    assert ada.emitted(WELCOME) == [5]


def test_she_is_welcomed_only_once() -> None:
    ada = newcomer().tell(events.Identified, 0, consent=GRANT).tell(events.Identified, DAY, consent=GRANT)
    ada.tell(events.SignedUp, 2 * DAY).until(30 * DAY)

    assert ada.emitted(WELCOME) == [5]


def test_a_sign_up_without_consent_is_not_written_to_but_a_later_consent_is() -> None:
    ada = newcomer().tell(events.SignedUp, 0).until(10)

    assert ada.decisions(WELCOME) == [("armed", None), ("suppressed", "no_consent")]

    ada.tell(events.ConsentChanged, 60, consent=GRANT).until(65)

    assert ada.emitted(WELCOME) == [65]


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
