"""Receipts of messages: counted, dated, and held against what was sent."""

from typing import Any

import pytest

from profiles.rules import Caps, QuietHours
from schemas import events
from schemas.decode import Decoder
from schemas.events import Arrival, Event
from tests.stories.timeline import DAY, Timeline, ms, shop


def test_each_kind_is_counted_and_its_newest_moment_kept_whatever_comes_last() -> None:
    ada = Timeline().tell(events.MessageOpened, 10).tell(events.MessageOpened, 5).tell(events.MessageClicked, 11)
    ada.tell(events.MessageBounced, 12, bounce="hard")

    assert ada.profile.messages == {
        "opened": 2,
        "last_opened_ms": ms(10),
        "clicked": 1,
        "last_clicked_ms": ms(11),
        "bounced": 1,
        "last_bounced_ms": ms(12),
        "hard_bounced": 1,
        "last_hard_bounced_ms": ms(12),
    }


@pytest.mark.parametrize("kind, second", [(events.MessageFailed, "emitted"), (events.MessageSent, "suppressed")])
def test_a_message_that_failed_leaves_the_caps_and_one_that_was_sent_counts(kind: type[Event], second: str) -> None:
    one_a_day = shop(caps=Caps(max_in_24h=1, max_in_7d=9, max_in_day=9), quiet_hours=QuietHours(enabled=False))
    ada = Timeline(one_a_day).tell(events.NpsSubmitted, 0, score=9, survey_id="s1").until(DAY)
    ada.tell(kind, DAY + 1, trigger_id=ada.sent("nps.promoter")[0].trigger_id)
    ada.add("A", DAY + 2).until(DAY + 70)

    assert ada.decisions("cart.abandoned")[-1][0] == second


def decoded(message: dict[str, Any]) -> Event:
    import orjson

    found = Decoder("USD").decode(orjson.dumps(message), 0)
    assert isinstance(found, Arrival)
    return found.event


@pytest.mark.parametrize(
    "properties, bounce",
    [
        ({"bounce_type": "Permanent"}, "hard"),
        ({"type": "HardBounce"}, "hard"),
        ({"bounce": "soft"}, "soft"),
        ({"bounceType": "Transient"}, "soft"),
        ({}, None),
        ({"bounce_type": "who knows"}, None),
    ],
)
def test_the_words_of_mail_systems_for_bounces_are_understood(properties: dict[str, str], bounce: str | None) -> None:
    event = decoded(track("Email Bounced", properties))

    assert isinstance(event, events.MessageBounced)
    assert (event.bounce, event.message_channel) == (bounce, "email")


def track(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "track",
        "event": name,
        "messageId": "m",
        "userId": "ada",
        "timestamp": "2026-03-02T00:00:00Z",
        "properties": properties,
    }


def test_a_step_of_a_case_is_read_from_a_track_call() -> None:
    event = decoded(track("Case Updated", {"case_id": "s1", "status": "Contacted", "assignee": "bob"}))

    assert isinstance(event, events.CaseUpdated)
    assert (event.case_id, event.state, event.owner) == ("s1", "contacted", "bob")


def test_a_survey_says_when_it_was_asked() -> None:
    event = decoded(track("NPS Submitted", {"score": 3, "asked_at": "2026-03-01T00:00:00Z"}))

    assert isinstance(event, events.NpsSubmitted)
    assert event.asked_at_ms == ms(-DAY)
