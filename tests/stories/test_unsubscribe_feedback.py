"""She is lost to a channel: the shop is told at once, and what waited for her is dropped."""

from typing import Any

import pytest

from profiles.feedback_rules import UnsubscribeFeedbackRule
from schemas import events
from schemas.events import ConsentChange
from tests.stories.timeline import DAY, Timeline, shop

FEEDBACK = "unsubscribe.feedback"
CART = "cart.abandoned"
GRANT = (ConsentChange(state="GRANT", channel="email"),)


@pytest.mark.parametrize(
    "kind, fields, what",
    [
        (events.Unsubscribed, {}, "unsubscribed"),
        (events.MessageMarkedAsSpam, {}, "spam"),
        (events.MessageBounced, {"bounce": "hard"}, "bounced"),
    ],
)
def test_it_is_told_at_once_and_marketing_that_waited_is_dropped(
    kind: type[events.Event], fields: dict[str, Any], what: str
) -> None:
    ada = Timeline().add("A", 0).tell(kind, 30, message_channel="email", trigger_id="t9", reason="no", **fields)
    ada.until(DAY)

    assert ada.emitted(FEEDBACK) == [30]
    assert ada.sent(FEEDBACK)[0].details == {"what": what, "channel": "email", "reason": "no", "of_trigger_id": "t9"}
    assert ada.decisions(CART) == [("armed", None), ("cancelled", "bounced" if what == "bounced" else "unsubscribed")]


@pytest.mark.parametrize(
    "kind, fields",
    [(events.Unsubscribed, {}), (events.MessageMarkedAsSpam, {}), (events.MessageBounced, {"bounce": "hard"})],
)
def test_heard_of_late_it_drops_nothing_of_what_she_did_since(kind: type[events.Event], fields: dict[str, Any]) -> None:
    """Messaging systems may tell of it hours later. By then she had agreed anew, and left a cart."""
    ada = Timeline().add("A", 0, cart="c1").tell(events.ConsentChanged, 20, consent=GRANT).add("B", 30, cart="c2")
    ada.tell(kind, 10, arrives=40, **fields).until(DAY)

    assert [trigger.items[0].product_id for trigger in ada.sent(CART)] == ["B"]
    assert ada.emitted(CART) == [90]


def test_a_request_for_a_review_of_a_parcel_on_its_way_is_dropped_too() -> None:
    ada = Timeline().order("o1", 0, "tea").tell(events.OrderFulfilled, DAY, order_id="o1")
    ada.tell(events.Unsubscribed, 2 * DAY, message_channel="email").tell(events.ConsentChanged, 3 * DAY, consent=GRANT)

    assert ada.decisions("review.request") == [("armed", None), ("cancelled", "unsubscribed")]


@pytest.mark.parametrize("bounce", ["soft", None])
def test_a_bounce_that_may_pass_changes_nothing(bounce: str | None) -> None:
    ada = Timeline().add("A", 0).tell(events.MessageBounced, 30, bounce=bounce).until(DAY)

    assert ada.decisions(FEEDBACK) == []
    assert ada.emitted(CART) == [60]


def test_marketing_is_dropped_even_where_this_trigger_is_off() -> None:
    ada = Timeline(shop(UnsubscribeFeedbackRule(enabled=False))).add("A", 0)
    ada.tell(events.MessageBounced, 30, bounce="hard").until(DAY)

    assert ada.triggers == []
    assert ada.decisions(CART)[-1] == ("cancelled", "bounced")


def test_one_channel_is_told_of_once_and_another_by_itself() -> None:
    ada = Timeline().tell(events.Unsubscribed, 0).tell(events.MessageMarkedAsSpam, 5)
    ada.tell(events.Unsubscribed, 10, message_channel="sms").until(DAY)

    assert ada.emitted(FEEDBACK) == [0, 10]
    assert [trigger.details["channel"] for trigger in ada.sent(FEEDBACK)] == ["email", "sms"]


def test_of_two_words_that_came_at_once_the_earlier_is_told() -> None:
    ada = Timeline()
    ada.tell(events.MessageMarkedAsSpam, 5, message_id="b").tell(events.Unsubscribed, 5, message_id="a").until(DAY)

    assert [trigger.details["what"] for trigger in ada.sent(FEEDBACK)] == ["unsubscribed"]


def test_who_comes_back_and_leaves_again_after_a_month_is_asked_again() -> None:
    ada = Timeline().tell(events.Unsubscribed, 0).tell(events.Unsubscribed, 31 * DAY).until(40 * DAY)

    assert ada.emitted(FEEDBACK) == [0, 31 * DAY]
