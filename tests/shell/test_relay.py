"""The way of a trigger to its receiver: tried until taken, in order for each customer, set aside with a reason, never lost."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, Literal, TypeVar

import msgspec
import pytest

from schemas.decode import Decoder
from schemas.events import Arrival, MessageFailed
from streams.commands.tail import readable
from streams.relay.addresses import PrivateAddress
from streams.relay.calls import Call
from streams.relay.delivery import FAILED, Answer, Courier, Disabled, Failure, message_failed
from streams.relay.lanes import Lanes
from streams.relay.run import client, unknown_names
from streams.setting_relay import Relay

T = TypeVar("T")
START_MS = 1_772_409_600_000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def run(what: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(what)


def trigger(**fields: Any) -> bytes:
    record = {
        "trigger_id": "t1",
        "name": "cart.abandoned",
        "customer": {"id": "user_id:ada", "user_id": "ada"},
        "emitted_at_ms": START_MS,
        "expires_at_ms": START_MS + DAY_MS,
    }
    return json.dumps(record | fields).encode()


class Receiver:
    """Answers as it is told; the clock moves with each wait."""

    def __init__(self, *answers: Answer | Exception, **settings: Any) -> None:
        self.now_ms = START_MS
        self.answers, self.calls, self.waits = list(answers), [], []  # type: ignore[var-annotated]
        made = {"url": "https://receiver.example", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} | settings
        self.courier = Courier("crm", Relay(**made), self.post, now_ms=lambda: self.now_ms, sleep=self.sleep)

    async def post(self, url: str, call: Call) -> Answer:
        self.calls.append(call)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_ms += round(seconds * 1000)

    def deliver(self, value: bytes) -> Failure | None:
        return run(self.courier.deliver(value))


OK, BUSY, BROKEN = Answer(204), Answer(429, "120"), Answer(500)


def test_what_is_taken_is_delivered_once() -> None:
    receiver = Receiver(OK)

    assert receiver.deliver(trigger()) is None
    assert (len(receiver.calls), receiver.courier.counts["delivered"]) == (1, 1)


def test_it_is_tried_again_under_the_same_id_until_it_is_taken() -> None:
    receiver = Receiver(BROKEN, OSError("no route"), TimeoutError(), OK)

    assert receiver.deliver(trigger()) is None
    assert {call.headers["webhook-id"] for call in receiver.calls} == {"t1"}
    assert [call.headers["webhook-timestamp"] for call in receiver.calls] == [
        str(round(START_MS / 1000) + seconds) for seconds in (0, 1, 3, 7)
    ]
    assert [round(wait) for wait in receiver.waits] == [1, 2, 4]


def test_the_log_says_why_the_receiver_takes_nothing_and_when_it_does_again(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong key is waited out for an hour, and whoever is to mend it must find it in that hour."""
    receiver = Receiver(Answer(401), OSError("ServerDisconnectedError"), Answer(401), OK)

    with caplog.at_level("INFO"):
        receiver.deliver(trigger())
        receiver.deliver(trigger(trigger_id="t2"))

    assert [(line.levelname, line.getMessage(), line.__dict__["often"]) for line in caplog.records] == [
        ("WARNING", "relay crm: a trigger was not taken (HTTP 401); it is tried again", True),
        ("WARNING", "relay crm: a trigger was not taken (ServerDisconnectedError); it is tried again", True),
        ("WARNING", "relay crm: a trigger was not taken (HTTP 401); it is tried again", True),
        ("INFO", "relay crm: the receiver takes triggers again", True),
    ]


def test_a_receiver_that_asks_for_time_gets_it() -> None:
    """RFC 9110, 10.2.3: Retry-After is a number of seconds or a date."""
    receiver = Receiver(BUSY, Answer(503, "Mon, 02 Mar 2026 00:05:00 GMT"), OK)

    assert receiver.deliver(trigger()) is None
    assert receiver.waits == [120.0, 180.0]


def test_a_trigger_is_delivered_until_the_moment_it_expires_and_one_that_does_not_expire_at_any_time() -> None:
    receiver = Receiver(OK)
    receiver.now_ms += HOUR_MS
    endless = {name: value for name, value in json.loads(trigger()).items() if name != "expires_at_ms"}

    assert receiver.deliver(trigger(expires_at_ms=receiver.now_ms)) is None
    assert receiver.deliver(json.dumps(endless).encode()) is None
    assert receiver.deliver(trigger(expires_at_ms=receiver.now_ms - 1)) is not None
    assert receiver.courier.counts == {**dict.fromkeys(FAILED, 0), "retried": 0, "delivered": 2, "expired": 1}


def test_a_record_that_is_set_aside_says_whose_relay_tried_it_how_often_and_what_was_answered_last() -> None:
    receiver = Receiver(BROKEN, TimeoutError(), Answer(422))
    failure = receiver.deliver(trigger())

    assert json.loads(msgspec.json.encode(failure)) == {
        "relay": "crm", "reason": "refused", "detail": "HTTP 422", "tries": 3, "trigger_id": "t1", "name": "cart.abandoned",
        "failed_at_ms": receiver.now_ms, "original": json.loads(trigger()),
    }  # fmt: skip


def test_tail_shows_when_whose_and_why_a_record_was_set_aside() -> None:
    """It showed 1970 and nobody, for who follows the alert to the topic `relay-failed`."""
    shown = [
        readable(msgspec.json.encode(Receiver(Answer(422)).deliver(value))) for value in (trigger(), b"{}", b"no json")
    ]

    assert shown[0] == "2026-03-02 00:00:00 UTC  cart.abandoned        user_id:ada  (refused)  by crm  HTTP 422  t1"
    assert shown[1].startswith(
        "2026-03-02 00:00:00 UTC  malformed             -  by crm  Object missing required field"
    )
    assert shown[2].startswith("2026-03-02 00:00:00 UTC  malformed             -  by crm  JSON is malformed")


def test_a_trigger_is_given_up_after_as_long_as_the_settings_say_with_what_was_in_the_way_last() -> None:
    receiver = Receiver(*[Answer(503, "600")] * 6, TimeoutError(), give_up_ms=HOUR_MS)
    failure = receiver.deliver(trigger())

    assert failure is not None
    assert (failure.reason, failure.tries, failure.detail) == ("given_up", 7, "TimeoutError")
    assert failure.failed_at_ms == START_MS + HOUR_MS


def test_a_receiver_that_takes_some_triggers_is_not_away() -> None:
    receiver = Receiver(BROKEN, OK, BROKEN, OK)

    for trigger_id in ("t1", "t2"):
        assert receiver.deliver(trigger(trigger_id=trigger_id)) is None
    assert receiver.courier.counts["delivered"] == 2
    assert receiver.courier.taken_ms == receiver.now_ms


def test_as_many_calls_are_under_way_at_a_time_as_the_settings_say_and_to_wait_is_no_call() -> None:
    waiting: list[asyncio.Future[Answer]] = []

    async def post(url: str, call: Call) -> Answer:
        waiting.append(asyncio.get_running_loop().create_future())
        return await waiting[-1]

    async def settle() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def story() -> None:
        pause = asyncio.Event()

        async def sleep(_seconds: float) -> None:
            await pause.wait()

        relay = Relay(url="https://receiver.example", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", at_once=2)
        courier = Courier("crm", relay, post, now_ms=lambda: START_MS, sleep=sleep)
        all_of = asyncio.gather(*(courier.deliver(trigger(trigger_id=f"t{number}")) for number in range(3)))
        await settle()
        assert len(waiting) == 2
        waiting[0].set_result(BROKEN)
        await settle()
        assert len(waiting) == 3, "the first waits to be tried again, and the third is called meanwhile"
        for call in waiting[1:]:
            call.set_result(OK)
        pause.set()
        await settle()
        waiting[3].set_result(OK)
        assert await all_of == [None, None, None]

    run(asyncio.wait_for(story(), 20))


NOT_TAKEN = b'{"message":"success","errors":["the event has no valid time"]}'


def test_what_braze_takes_and_leaves_out_is_set_aside_with_what_it_says() -> None:
    """https://www.braze.com/docs/api/errors/: with non-fatal errors the answer is a success that names them."""
    failure = Receiver(Answer(201, None, NOT_TAKEN), format="braze").deliver(trigger())

    assert failure is not None
    assert (failure.reason, failure.detail) == ("refused", "HTTP 201: the event has no valid time")
    for taken in (
        b'{"message":"success","events_processed":1,"errors":["an attribute has no name"]}',
        b'{"message":"success","errors":[]}',
        b"[]",
        b"<html>",
    ):
        assert Receiver(Answer(201, None, taken), format="braze").deliver(trigger()) is None


@pytest.mark.parametrize(
    "answers,settings,fields,reason",
    [
        ((Answer(422),), {}, {}, "refused"),
        ((BROKEN,), {"give_up_ms": 10_000}, {}, "given_up"),
        ((BROKEN,), {}, {"expires_at_ms": START_MS + 60_000}, "expired"),
        ((OK,), {}, {"expires_at_ms": START_MS - 1}, "expired"),
        ((OK,), {"format": "braze"}, {"customer": {"id": "anonymous_id:a"}}, "nobody_named"),
    ],
)
def test_what_cannot_be_delivered_is_set_aside_with_its_reason(
    answers: tuple[Answer, ...], settings: dict[str, Any], fields: dict[str, Any], reason: str
) -> None:
    receiver = Receiver(*answers, **settings)
    failure = receiver.deliver(trigger(**fields))

    assert failure is not None
    assert (failure.reason, failure.trigger_id) == (reason, "t1")
    assert reason in FAILED
    assert json.loads(bytes(failure.original))["trigger_id"] == "t1"
    assert receiver.courier.counts[reason] == 1


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"[]",
        b'{"trigger_id": null, "name": "welcome"}',
        trigger(trigger_id=7),
        trigger(name=["welcome"]),
        trigger(expires_at_ms="tomorrow"),
        trigger(expires_at_ms=None),
        trigger(customer="ada"),
        trigger(details="\u00ff").replace(b"\\u00ff", b"\xff"),
        trigger(trigger_id="t1\r\nx-admin: yes"),
        b"[" * 100_000,
        b"\x01" * 900_000,
    ],
    ids=range(13),
)
@pytest.mark.parametrize("system", ["standard", "braze", "klaviyo", "customerio"])
def test_what_only_looks_like_a_trigger_ends_no_relay(value: Any, system: str) -> None:
    failure = Receiver(OK, format=system).deliver(value)

    assert failure is not None
    assert failure.reason == "malformed"
    assert message_failed(failure) is None
    assert len(msgspec.json.encode(failure)) < 1_000_000
    msgspec.json.decode(msgspec.json.encode(failure))


@pytest.mark.parametrize("system", ["braze", "klaviyo", "customerio"])
def test_a_record_that_a_messaging_systems_event_cannot_be_made_of_is_malformed(system: str) -> None:
    for fields in ({"emitted_at_ms": None}, {"currency": 7, "value_minor": "5"}, {"items": [7]}):
        failure = Receiver(OK, format=system).deliver(trigger(**fields))
        assert failure is not None
        assert failure.reason == "malformed", fields


@pytest.mark.parametrize("system", ["braze", "klaviyo"])
def test_a_time_outside_of_all_calendars_is_malformed_where_it_has_to_be_written_as_a_date(system: str) -> None:
    failure = Receiver(OK, format=system).deliver(trigger(emitted_at_ms=10**18))

    assert failure is not None
    assert failure.reason == "malformed"


def test_what_is_no_trigger_is_set_aside_whole() -> None:
    failure = Receiver(OK).deliver(b"{broken \xff")

    assert failure is not None
    assert (failure.reason, failure.tries) == ("malformed", 0)
    assert message_failed(failure) is None


def test_a_wrong_key_is_waited_out_and_sets_nothing_aside() -> None:
    receiver = Receiver(Answer(401), Answer(401), OK)

    assert receiver.deliver(trigger()) is None
    assert receiver.courier.counts["retried"] == 2


def test_a_receiver_that_is_away_for_days_is_tried_every_five_minutes_all_the_time() -> None:
    """The pause was doubled on paper with each try, until floats ended after three and a half days, and the relay with them."""
    week_ms = 7 * DAY_MS
    away = Receiver(BROKEN, give_up_ms=week_ms, disable_after_ms=2 * week_ms)
    failure = away.deliver(trigger(expires_at_ms=START_MS + 2 * week_ms))

    assert failure is not None
    assert failure.reason == "given_up"
    assert 300 <= min(away.waits[10:]) <= max(away.waits) <= 330


def test_a_receiver_that_is_gone_ends_the_relay() -> None:
    with pytest.raises(Disabled, match="410"):
        Receiver(Answer(410)).deliver(trigger())


def test_a_receiver_that_takes_nothing_for_a_day_ends_it_too() -> None:
    receiver = Receiver(BROKEN, give_up_ms=7 * DAY_MS, disable_after_ms=DAY_MS)

    with pytest.raises(Disabled, match="HTTP 500"):
        receiver.deliver(trigger(expires_at_ms=START_MS + 30 * DAY_MS))
    assert DAY_MS <= receiver.now_ms - START_MS < DAY_MS + 600_000


def test_quiet_days_without_a_trigger_are_no_outage() -> None:
    receiver = Receiver(OK, BROKEN, OK, disable_after_ms=DAY_MS)
    assert receiver.deliver(trigger()) is None

    receiver.now_ms += 3 * DAY_MS
    assert receiver.deliver(trigger(trigger_id="t2", expires_at_ms=START_MS + 4 * DAY_MS)) is None
    assert (len(receiver.calls), receiver.courier.counts["retried"]) == (3, 1)


def test_quiet_days_after_a_trigger_that_was_given_up_are_none_either() -> None:
    """The hour of then and one failing call days later were taken for an outage of days."""
    receiver = Receiver(*[BROKEN] * 30, OK, give_up_ms=HOUR_MS, disable_after_ms=DAY_MS)
    given_up = receiver.deliver(trigger(expires_at_ms=START_MS + DAY_MS))
    assert given_up is not None
    assert given_up.reason == "given_up"

    receiver.now_ms += 3 * DAY_MS
    assert receiver.deliver(trigger(trigger_id="t2", expires_at_ms=receiver.now_ms + HOUR_MS)) is None


def test_a_receiver_that_gives_up_one_trigger_every_few_hours_takes_nothing_all_the_time() -> None:
    receiver = Receiver(BROKEN, give_up_ms=HOUR_MS, disable_after_ms=DAY_MS)

    for hours in (0, 6, 12, 18):
        receiver.now_ms = START_MS + hours * HOUR_MS
        given_up = receiver.deliver(trigger(trigger_id=f"t{hours}", expires_at_ms=START_MS + 3 * DAY_MS))
        assert given_up is not None
    receiver.now_ms = START_MS + DAY_MS
    with pytest.raises(Disabled, match="HTTP 500"):
        receiver.deliver(trigger(trigger_id="t24", expires_at_ms=START_MS + 3 * DAY_MS))


def test_an_hour_that_a_receiver_asks_for_is_no_quiet_time() -> None:
    """With an hour to be failing in, an hour's wait (the longest there is) would begin that hour anew each time."""
    receiver = Receiver(Answer(503, "3600"), give_up_ms=DAY_MS, disable_after_ms=HOUR_MS)

    with pytest.raises(Disabled, match="HTTP 503"):
        receiver.deliver(trigger())
    assert receiver.now_ms == START_MS + HOUR_MS


def test_a_relay_with_a_quiet_beginning_waits_out_the_first_error_too() -> None:
    receiver = Receiver(BROKEN, OK, disable_after_ms=DAY_MS)

    receiver.now_ms += 2 * DAY_MS
    assert receiver.deliver(trigger(expires_at_ms=START_MS + 3 * DAY_MS)) is None


def test_a_private_address_is_not_called_again_and_again() -> None:
    refused = OSError("connection")
    refused.__cause__ = PrivateAddress("10.0.0.1 is no public address; if the receiver is your own, set allow_private")

    with pytest.raises(Disabled, match="allow_private"):
        Receiver(refused).deliver(trigger())


def test_a_name_that_no_trigger_has_is_told_when_a_relay_starts() -> None:
    wanted = ("cart.abandonned", "cart.recovered", "welcome", "xyz")

    assert unknown_names(Relay(url="https://crm.shop.example", secret="whsec_12345678", only=wanted)) == [
        "'cart.abandonned', which no trigger here is called (did you mean 'cart.abandoned'?)",
        "'xyz', which no trigger here is called",
    ]


def test_only_the_triggers_that_are_wanted_go_out() -> None:
    receiver = Receiver(OK, only=("welcome",))

    for trigger_id, names in (
        ("t1", {}),
        ("t2", {"name": "trigger.cancelled", "of_name": "welcome"}),
        ("t3", {"name": "trigger.cancelled", "of_name": "cart.abandoned"}),
        ("t4", {"name": "welcome"}),
    ):
        assert receiver.deliver(trigger(trigger_id=trigger_id, **names)) is None
    assert [call.headers["webhook-id"] for call in receiver.calls] == ["t2", "t4"]


def test_the_worker_hears_that_a_message_never_went_out() -> None:
    failure = Receiver(Answer(400)).deliver(trigger())
    assert failure is not None
    told = message_failed(failure)
    assert told is not None
    home, event = told
    arrival = Decoder("EUR").decode(json.dumps(event).encode(), START_MS)

    assert home == "ada"
    assert isinstance(arrival, Arrival)
    assert isinstance(arrival.event, MessageFailed)
    assert (arrival.customer, arrival.event.trigger_id, arrival.event.reason) == ("user_id:ada", "t1", "refused")
    assert (arrival.event.message_id, arrival.event.timestamp_ms) == ("relay-crm-t1", START_MS)


def test_the_worker_hears_of_a_customer_by_whatever_she_is_known_by_and_of_nobody_else() -> None:
    def told(customer: dict[str, Any]) -> tuple[str, Any] | None:
        failure = Receiver(Answer(400)).deliver(trigger(customer=customer))
        assert failure is not None
        return message_failed(failure)

    by_mail = told({"id": "email:ada@example.com"})
    assert by_mail is not None
    assert (by_mail[0], by_mail[1]["email"]) == ("ada@example.com", "ada@example.com")
    assert (told({}), told({"id": "email:"}), told({"id": None})) == (None, None, None)

    nobodys = Receiver(Answer(400)).deliver(b'{"trigger_id": "t1", "name": "welcome"}')
    assert nobodys is not None
    assert message_failed(nobodys) is None


# --- lanes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system, read", [("braze", NOT_TAKEN), ("standard", b"")])
def test_an_answer_is_read_where_it_says_what_was_left_out_though_it_comes_in_pieces_or_breaks_off(
    system: Literal["braze", "standard"], read: bytes
) -> None:
    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % (len(NOT_TAKEN) + 1))
        for piece in (NOT_TAKEN[:20], NOT_TAKEN[20:]):
            await writer.drain()
            writer.write(piece)
        writer.close()

    async def work() -> None:
        async with await asyncio.start_server(receive, "127.0.0.1", 0) as server:
            url = f"http://localhost:{server.sockets[0].getsockname()[1]}/"
            relay = Relay(url=url, secret="whsec_bXkgc2VjcmV0", allow_private=True, format=system)
            async with client(relay) as post:
                assert await post(url, Call({}, b"{}")) == Answer(201, None, read)

    run(work())


def test_a_receivers_cookies_are_not_kept() -> None:
    heads: list[bytes] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: seen=1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def work() -> None:
        async with await asyncio.start_server(receive, "127.0.0.1", 0) as server:
            url = f"http://localhost:{server.sockets[0].getsockname()[1]}/"
            async with client(Relay(url=url, secret="whsec_bXkgc2VjcmV0", allow_private=True)) as post:
                for _ in range(2):
                    assert (await post(url, Call({}, b"{}"))).status == 200

    run(work())

    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


def test_one_customers_records_follow_each_other_and_others_pass_by() -> None:
    async def story() -> list[str]:
        order: list[str] = []
        held, both = asyncio.Event(), asyncio.Event()

        async def work(record: str) -> None:
            if record == "ada-1":
                await held.wait()
            order.append(record)
            if len(order) == 2:
                both.set()

        lanes = Lanes(work, 8)
        for offset, record in enumerate(("ada-1", "bob-1", "ada-2", "cy-1")):
            lanes.put("p0", offset, record[:3].encode(), record)
        await both.wait()
        assert lanes.done() == {"p0": 0}, "nothing before the first one may be committed"
        held.set()
        await lanes.idle()
        assert lanes.done() == {"p0": 4}
        await lanes.stop()
        return order

    order = run(story())
    assert order.index("ada-1") < order.index("ada-2")
    assert set(order[:2]) == {"bob-1", "cy-1"}


def test_a_customer_whose_record_is_tried_for_an_hour_holds_up_nobody_else() -> None:
    async def story() -> int:
        delivered = 0
        held = asyncio.Event()

        async def work(record: str) -> None:
            nonlocal delivered
            if record == "ada":
                await held.wait()
            delivered += 1

        lanes = Lanes(work, 8)
        lanes.put("p0", 0, b"ada", "ada")
        for offset in range(1, 501):
            while not lanes.room:
                await lanes.moved(5)
            lanes.put("p0", offset, f"customer-{offset}".encode(), "other")
        while delivered < 500:
            await lanes.moved(5)
        assert lanes.done() == {"p0": 0}, "hers is still to be delivered"
        held.set()
        await lanes.idle()
        assert lanes.done() == {"p0": 501}
        return delivered

    assert run(asyncio.wait_for(story(), 20)) == 501


def test_a_customer_who_comes_again_after_her_records_are_done_has_a_lane_again() -> None:
    async def story() -> list[str]:
        done: list[str] = []

        async def work(record: str) -> None:
            done.append(record)

        lanes = Lanes(work, 8)
        for offset, record in enumerate(("first", "second")):
            lanes.put("p0", offset, b"ada", record)
            await lanes.idle()
        assert (lanes.room, lanes.done()) == (8, {"p0": 2})
        return done

    assert run(asyncio.wait_for(story(), 20)) == ["first", "second"]


def test_to_wait_for_something_to_be_done_is_to_wait_for_something_new() -> None:
    async def story() -> None:
        async def work(record: str) -> None:
            pass

        lanes = Lanes(work, 8)
        lanes.put("p0", 0, b"ada", "first")
        await lanes.idle()
        waiting = asyncio.create_task(lanes.moved(60))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        lanes.put("p0", 1, b"ada", "second")
        await waiting

    run(asyncio.wait_for(story(), 20))


def test_what_is_done_of_one_partition_says_nothing_of_another() -> None:
    async def story() -> None:
        held = asyncio.Event()

        async def work(record: str) -> None:
            if record == "held":
                await held.wait()

        lanes = Lanes(work, 8)
        lanes.put("p0", 70, b"ada", "held")
        lanes.put("p1", 5, b"bob", "other")
        while lanes.room < 7:
            await lanes.moved(5)
        assert lanes.done() == {"p0": 70, "p1": 6}
        await lanes.stop()
        held.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert lanes.done() == {"p0": 70, "p1": 6}, "what is ended on the way is not done, and goes on no more"

    run(asyncio.wait_for(story(), 20))


def test_no_more_than_ten_thousand_records_are_taken_in_behind_one_that_is_held_up() -> None:
    async def story() -> None:
        done = 0
        held = asyncio.Event()

        async def work(record: str) -> None:
            nonlocal done
            if record == "held":
                await held.wait()
            done += 1

        lanes = Lanes(work, 20_000)
        lanes.put("p0", 0, b"ada", "held")
        for offset in range(1, 9_999):
            lanes.put("p0", offset, b"bob", "other")
        while done < 9_998:
            await lanes.moved(5)
        assert lanes.room == 1, "all but hers are done, and none of them may be committed"
        held.set()
        await lanes.idle()
        assert lanes.room == 10_000

    run(asyncio.wait_for(story(), 20))


def test_no_more_is_taken_in_than_there_is_room_for_and_putting_never_waits() -> None:
    async def story() -> None:
        away = asyncio.Event()

        async def work(record: str) -> None:
            await away.wait()

        lanes = Lanes(work, 3)
        for offset in range(3):
            lanes.put("p0", offset, b"%d" % offset, "r")
        assert lanes.room == 0
        await lanes.moved(0.0)
        away.set()
        await lanes.idle()
        assert (lanes.room, lanes.done()) == (3, {"p0": 3})

    run(story())


def test_an_error_of_one_lane_is_told_and_its_record_is_not_done() -> None:
    async def story() -> None:
        async def work(record: str) -> None:
            if record == "bad":
                raise Disabled("gone")

        lanes = Lanes(work, 4)
        lanes.put("p0", 5, b"a", "good")
        lanes.put("p0", 6, b"b", "bad")
        await asyncio.wait([lanes.failed], timeout=5)
        assert lanes.done()["p0"] in {5, 6}
        with pytest.raises(Disabled):
            lanes.failed.result()
        await lanes.stop()

    run(story())
