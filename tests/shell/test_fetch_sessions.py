"""Fetch sessions against a broker that keeps them by the protocol's rules (KIP-227), and loses them."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.fetch import (
    FetchRequest,
    FetchRequest_v4,
    FetchRequest_v11,
    FetchResponse_v4,
    FetchResponse_v11,
)
from hypothesis import given
from hypothesis import strategies as st

from streams.fetch_sessions import FetchSessions

NOT_FOUND, WRONG_EPOCH = 70, 71
Wanted = Mapping[tuple[str, int], int]
"""Offset by topic and partition."""


class Broker:
    """One broker: `ends` holds where logs end (0 if not named). `before` and `after` are raised once, around the next fetch."""

    def __init__(self, *, version: int = 11, sessions: bool = True) -> None:
        self.version, self.keeps = version, sessions
        self.ends: dict[tuple[str, int], int] = {}
        self.session: dict[tuple[str, int], int] | None = None
        self.id = self.epoch = 0
        self.named: list[int] = []
        self.before: BaseException | None = None
        self.after: BaseException | None = None

    def forget(self) -> None:
        """It restarts, or gives the session's place to somebody else."""
        self.session = None

    async def send(self, node_id: int, request: Any) -> Any:
        assert node_id == 1
        if not isinstance(request, FetchRequest):
            return "something else"
        lost, self.before = self.before, None
        if lost is not None:
            raise lost
        answer = self.answer_old(request) if self.version < 7 else self.answer(request)
        lost, self.after = self.after, None
        if lost is not None:
            raise lost
        return answer

    def answer_old(self, request: FetchRequest) -> FetchResponse_v4:
        struct = request.build(FetchRequest_v4)
        return FetchResponse_v4(
            0, [(topic, [(p, 0, 0, 0, [], b"") for p, *_ in found]) for topic, found in struct.topics]
        )

    def answer(self, request: FetchRequest) -> FetchResponse_v11:
        struct = request.build(FetchRequest_v11)
        struct.encode()
        named = {(topic, p[0]): p[2] for topic, partitions in struct.topics for p in partitions}
        self.named.append(len(named))
        if struct.session_epoch == 0:
            self.session = dict(named) if self.keeps else None
            self.id += 1
            self.epoch = 1
            return self.told(named, all_of_them=True)
        if self.session is None or struct.session_id != self.id:
            return FetchResponse_v11(0, NOT_FOUND, 0, [])
        if struct.session_epoch != self.epoch:
            return FetchResponse_v11(0, WRONG_EPOCH, 0, [])
        self.epoch += 1
        self.session |= named
        for topic, partitions in struct.forgotten_topics_data:
            for partition in partitions:
                del self.session[topic, partition]
        return self.told(self.session, all_of_them=False)

    def told(self, asked: Wanted, *, all_of_them: bool) -> FetchResponse_v11:
        topics: dict[str, list[tuple[Any, ...]]] = {}
        for (topic, partition), offset in asked.items():
            news = self.ends.get((topic, partition), 0) > offset
            if news or all_of_them:
                values = b"news" if news else b""
                topics.setdefault(topic, []).append((partition, 0, 0, 0, 0, [], -1, values))
        return FetchResponse_v11(0, 0, 0 if self.session is None else self.id, list(topics.items()))


class Client:
    """What aiokafka does: names all it wants each time, and looks at what the answer lists."""

    def __init__(self, broker: Broker, *, linger_ms: int = 0) -> None:
        self.sessions = FetchSessions(broker.send, linger_ms=linger_ms)

    def fetch(self, wanted: Wanted) -> set[tuple[str, int]]:
        """The partitions that had news."""
        by_topic: dict[str, list[tuple[int, int, int]]] = {}
        for (topic, partition), offset in wanted.items():
            by_topic.setdefault(topic, []).append((partition, offset, 1_000))
        request = FetchRequest(20, 1, 1_000_000, 1, list(by_topic.items()))
        answer = asyncio.run(self.sessions.send(1, request))
        assert request.topics == list(by_topic.items())
        return {(topic, found[0]) for topic, partitions in answer.topics for found in partitions if found[-1]}


ALL: Wanted = {("orders", 0): 10, ("orders", 1): 20, ("carts", 0): 0}


def test_partitions_are_named_once_and_again_only_when_something_about_them_changed() -> None:
    broker = Broker()
    client = Client(broker)

    client.fetch(ALL)
    client.fetch(ALL)
    broker.ends["orders", 1] = 25
    news = client.fetch(ALL)
    client.fetch({("orders", 0): 10, ("carts", 0): 0})  # what came is still being worked on
    assert broker.session == {("orders", 0): 10, ("carts", 0): 0}
    client.fetch({**ALL, ("orders", 1): 25})

    assert news == {("orders", 1)}
    assert broker.named == [3, 0, 0, 0, 1]
    assert broker.session == {**ALL, ("orders", 1): 25}


def test_a_broker_that_lost_the_session_is_asked_in_full_at_once() -> None:
    broker = Broker()
    client = Client(broker)
    client.fetch(ALL)
    broker.forget()
    broker.ends["carts", 0] = 1

    news = client.fetch(ALL)

    assert news == {("carts", 0)}
    assert broker.named == [3, 0, 3]


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("lost", [KafkaConnectionError("gone"), asyncio.CancelledError()])
def test_after_an_answer_that_never_came_all_is_named_anew(where: str, lost: BaseException) -> None:
    broker = Broker()
    client = Client(broker)
    client.fetch(ALL)
    setattr(broker, where, lost)

    with pytest.raises(type(lost)):
        client.fetch({})
    client.fetch(ALL)

    assert broker.named[-1] == 3
    assert broker.session == ALL


def test_a_broker_without_room_for_sessions_is_asked_in_full_each_time() -> None:
    broker = Broker(sessions=False)
    client = Client(broker)
    broker.ends["carts", 0] = 1

    assert [client.fetch(ALL), client.fetch(ALL)] == [{("carts", 0)}] * 2
    assert broker.named == [3, 3]


def test_a_broker_of_before_sessions_is_asked_in_full() -> None:
    broker = Broker(version=4)
    client = Client(broker)

    client.fetch(ALL)
    client.fetch(ALL)

    assert broker.named == []


def test_a_broker_that_refuses_even_a_full_fetch_is_not_asked_in_a_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    asked: list[int] = []

    def refuse(request: FetchRequest) -> FetchResponse_v11:
        asked.append(1)
        return FetchResponse_v11(0, WRONG_EPOCH, 0, [])

    monkeypatch.setattr(broker, "answer", refuse)

    with pytest.raises(KafkaError, match="broker 1 refuses a fetch of 3 partitions"):
        Client(broker).fetch(ALL)

    assert len(asked) == 2


def test_after_a_fetch_that_brought_records_the_next_one_waits_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    client = Client(broker, linger_ms=5_000)
    rests: list[float] = []

    async def rest(delay_s: float) -> None:
        rests.append(delay_s)

    monkeypatch.setattr(asyncio, "sleep", rest)

    client.fetch(ALL)
    broker.ends["carts", 0] = 1
    client.fetch(ALL)
    assert rests == []
    broker.ends.clear()
    client.fetch(ALL)
    client.fetch(ALL)

    assert rests == [5.0]


def test_other_requests_pass_unseen() -> None:
    sessions = FetchSessions(Broker().send, linger_ms=0)

    assert asyncio.run(sessions.send(1, object())) == "something else"


partitions = st.tuples(st.sampled_from(["orders", "carts"]), st.integers(0, 2))
wanted = st.dictionaries(partitions, st.integers(0, 3), max_size=6)
faults = st.sampled_from(["none", "none", "forgotten", "before", "after", "full"])


@given(st.lists(st.tuples(wanted, faults, wanted), max_size=12))
def test_the_broker_looks_at_what_is_wanted_now_whatever_was_lost_before(
    steps: list[tuple[dict[tuple[str, int], int], str, dict[tuple[str, int], int]]],
) -> None:
    broker = Broker()
    client = Client(broker)
    for want, fault, ends in steps:
        broker.ends = ends
        broker.keeps = fault != "full"
        if fault == "forgotten":
            broker.forget()
        if fault in {"before", "after"}:
            setattr(broker, fault, KafkaConnectionError("gone"))
            with pytest.raises(KafkaConnectionError):
                client.fetch(want)
            continue

        news = client.fetch(want)

        assert news == {tp for tp, offset in want.items() if ends.get(tp, 0) > offset}
        assert broker.session in (None, want)
