"""What a relay gave up, sent again: the newest word of each, under its own id, and not to who must not be written to now."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from profiles.profile import Profile
from profiles.rules import Rules
from profiles.state import Consent, Emitted, Privacy
from schemas.decode import Decoder
from schemas.events import Arrival, MessageSent
from streams.commands.tail import readable
from streams.relay.again import AWAY_AFTER, Again, Meant, in_the_way, lying
from streams.relay.calls import Call
from streams.relay.delivery import Answer, Delivered, Failure, message_sent
from streams.setting_relay import Relay
from tests.shell.test_relay import START_MS, trigger

MINUTE_MS = 60_000
NOW_MS = START_MS + 60 * MINUTE_MS


def failed(
    trigger_id: str = "t1", minute: int = 0, relay: str = "crm", reason: str = "given_up", **fields: Any
) -> bytes:
    return msgspec.json.encode(
        Failure(
            relay=relay,
            reason=reason,
            detail="HTTP 503",
            tries=9,
            trigger_id=trigger_id,
            name="cart.abandoned",
            failed_at_ms=START_MS + minute * MINUTE_MS,
            original=msgspec.Raw(trigger(trigger_id=trigger_id, **fields)),
        )
    )


def delivered(trigger_id: str = "t1", minute: int = 0, relay: str = "crm") -> bytes:
    at_ms = START_MS + minute * MINUTE_MS
    return msgspec.json.encode(Delivered(relay=relay, trigger_id=trigger_id, name="cart.abandoned", at_ms=at_ms))


def ids(*values: bytes, **meant: Any) -> list[str | None]:
    return [failure.trigger_id for failure in lying(values, Meant(**meant))]


class Receiver:
    """Takes what it is told to take, and notes each call."""

    def __init__(self, *answers: Answer | Exception, **settings: Any) -> None:
        self.answers, self.calls, self.noted = list(answers), [], []  # type: ignore[var-annotated]
        made = {"url": "https://receiver.example", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} | settings
        self.again = Again("crm", Relay(**made), self.post, self.note, now_ms=lambda: NOW_MS)

    async def post(self, url: str, call: Call) -> Answer:
        self.calls.append(call)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def note(self, failure: Failure, again: Failure | None) -> None:
        if again is None:
            self.noted.append(failure.trigger_id)

    def send(self, *values: bytes) -> dict[str, int]:
        outcomes = asyncio.run(self.again.send(lying(values, Meant())))
        return {said: outcomes[said] for said in sorted(outcomes)}


# --- what lies there ---


def test_what_a_relay_gave_up_lies_there_until_it_is_delivered_after_all() -> None:
    assert ids(failed("t1"), failed("t2", 1)) == ["t1", "t2"]
    assert ids(failed("t1"), failed("t2", 1), delivered("t1", 2)) == ["t2"]


def test_partitions_come_one_after_the_other_and_the_newest_word_of_each_trigger_counts() -> None:
    """A relay that was killed sets a trigger aside twice; what another relay took is none of this one's."""
    assert ids(delivered("t1", 2), failed("t1"), failed("t2", 3), delivered("t2", 1)) == ["t2"]
    assert ids(failed("t1", 5), failed("t1", 3), failed("t2", 4)) == ["t2", "t1"]
    assert ids(failed("t1"), delivered("t1", 1, relay="app")) == ["t1"]


@pytest.mark.parametrize(
    "meant, found",
    [
        ({"relay": "app"}, ["t3"]),
        ({"reasons": frozenset({"refused"})}, ["t2"]),
        ({"trigger_ids": frozenset({"t1", "t3"})}, ["t1", "t3"]),
        ({"since_ms": START_MS + MINUTE_MS}, ["t2", "t3"]),
        ({"until_ms": START_MS + MINUTE_MS}, ["t1"]),
    ],
)
def test_one_may_ask_for_an_endpoint_a_reason_a_time_or_an_id(meant: dict[str, Any], found: list[str]) -> None:
    there = (failed("t1"), failed("t2", 1, reason="refused"), failed("t3", 2, relay="app"))

    assert ids(*there, **meant) == found


def test_what_was_refused_later_is_no_longer_given_up() -> None:
    assert ids(failed("t1"), failed("t1", 1, reason="refused"), reasons=frozenset({"given_up"})) == []


def test_what_others_wrote_there_is_passed_over() -> None:
    assert ids(b"no json", b"{}", b"[]", failed("t1")) == ["t1"]


def test_tail_shows_what_was_delivered_after_all() -> None:
    assert readable(delivered("t1")).split() == [
        "2026-03-02", "00:00:00", "UTC", "cart.abandoned", "-", "delivered", "by", "crm", "t1",
    ]  # fmt: skip


# --- sending it ---


def test_it_is_sent_under_the_id_it_had_once_and_noted() -> None:
    receiver = Receiver(Answer(204))

    assert receiver.send(failed("t1"), failed("t1", 1)) == {"delivered": 1}
    assert [call.headers["webhook-id"] for call in receiver.calls] == ["t1"]
    assert receiver.noted == ["t1"]


def test_what_is_not_taken_stays_and_is_tried_once_and_what_has_expired_is_not_sent() -> None:
    receiver = Receiver(Answer(503), Answer(422), OSError("no route"), Answer(204))
    outcomes = receiver.send(*(failed(f"t{n}", n) for n in range(4)), failed("late", 9, expires_at_ms=NOW_MS - 1))

    assert outcomes == {"delivered": 1, "expired": 1, "given_up": 2, "refused": 1}
    assert (len(receiver.calls), receiver.noted) == (4, ["t3"])


def test_what_its_relay_wanted_then_is_sent_though_it_delivers_other_triggers_now() -> None:
    """To pass one by would look as if it was taken."""
    receiver = Receiver(Answer(204), only=("welcome",))

    assert receiver.send(failed("t1")) == {"delivered": 1}
    assert len(receiver.calls) == 1


def test_of_one_customer_they_go_out_one_after_the_other_in_the_order_in_which_they_were_given_up() -> None:
    receiver = Receiver(Answer(204))
    receiver.send(failed("t3", 3), failed("t1", 1), failed("t2", 2))

    assert [call.headers["webhook-id"] for call in receiver.calls] == ["t1", "t2", "t3"]


def test_a_receiver_that_is_still_away_is_not_called_for_all_of_them() -> None:
    receiver = Receiver(Answer(503))
    outcomes = receiver.send(*(failed(f"t{n:03}", n) for n in range(100)))

    assert outcomes == {"given_up": AWAY_AFTER, "left": 100 - AWAY_AFTER}
    assert receiver.again.ended == "the receiver takes nothing; last: HTTP 503"


def test_one_that_is_gone_for_good_says_so() -> None:
    receiver = Receiver(Answer(204), Answer(410))

    assert receiver.send(*(failed(f"t{n}", n) for n in range(4))) == {"delivered": 1, "left": 3}
    assert "410" in receiver.again.ended
    assert receiver.noted == ["t0"]


def test_the_worker_hears_that_it_went_out_after_all_with_a_moment_after_that_of_its_failing() -> None:
    """Whose clock is right, this host's or the relay's, does not matter to the customer's caps."""
    (failure,) = lying([failed("t1", 7)], Meant())

    for now_ms in (NOW_MS, START_MS):
        told = message_sent(failure, now_ms)
        assert told is not None
        home, event = told
        found = Decoder("EUR").decode(json.dumps(event).encode(), NOW_MS)
        assert isinstance(found, Arrival)
        assert isinstance(found.event, MessageSent)
        assert (home, found.event.user_id, found.event.trigger_id) == ("ada", "ada", "t1")
        assert found.event.timestamp_ms > failure.failed_at_ms


# --- to whom ---


def willing() -> Profile:
    ada = Profile("user_id:ada", ids={"user_id": ["ada"]})
    ada.consent = {"email.marketing": Consent("GRANT", START_MS)}
    return ada


def against(profile: Profile | None, **fields: Any) -> str | None:
    (failure,) = lying([failed("t1", **fields)], Meant())
    return in_the_way(failure, profile, Rules(), NOW_MS)


def test_who_agrees_is_written_to() -> None:
    assert against(willing()) is None


def test_who_was_erased_or_asked_to_be_left_alone_is_not_written_to_by_any_class() -> None:
    alone = willing()
    alone.privacy = Privacy(suppressed_ms=NOW_MS)

    for trigger_class in ("marketing", "service"):
        assert against(None, trigger_class=trigger_class) == "erased"
        assert against(alone, trigger_class=trigger_class) == "suppressed"


def test_who_unsubscribed_since_gets_no_marketing_but_what_is_of_service() -> None:
    ada = willing()
    ada.consent = {"email.marketing": Consent("REVOKED", NOW_MS)}

    assert against(ada) == "no_consent"
    assert against(ada, trigger_class="service") is None
    assert against(ada, of_trigger_id="t0", of_name="cart.abandoned") is None, "what became of a trigger, to systems"


def test_what_was_taken_back_since_is_not_sent() -> None:
    ada = willing()
    ada.emitted.append(Emitted("t1", "cart.abandoned", "k", START_MS, START_MS))
    assert against(ada) is None
    ada.emitted[0].outcome = "retracted"

    assert against(ada) == "taken_back"
