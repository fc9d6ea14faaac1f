"""Joining a group: a relay or a bridge that may not, or is told to stop before it has, ends at once and leaves nothing open."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError
from typing_extensions import override

from streams import bridge
from streams.relay import run as relay_run
from streams.settings import Settings, build_settings


class Client:
    """Stands for a producer or consumer of aiokafka; `joins` is what becomes of a consumer's start."""

    made: list["Client"]
    client = _client = SimpleNamespace(
        _metadata_update=None, send=None, bootstrap=None, cluster=SimpleNamespace(update_metadata=None)
    )

    def __init__(self, *_: Any, **options: Any) -> None:
        self.reads = "group_id" in options
        self.open = True
        self.made.append(self)

    def subscribe(self, *_: Any, **__: Any) -> None: ...

    def assignment(self) -> set[Any]:
        return set()

    async def joins(self) -> None: ...

    async def start(self) -> None:
        if self.reads:
            await self.joins()

    async def stop(self) -> None:
        self.open = False


class Refused(Client):
    @override
    async def joins(self) -> None:
        raise GroupAuthorizationFailedError("regulars-bridge")


class Stopped(Client):
    """Another member of the group keeps it waiting, and somebody loses patience."""

    @override
    async def joins(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()


def relay(settings: Settings) -> Coroutine[Any, Any, Any]:
    return relay_run._Running(settings, "crm", settings.relays["crm"]).run()


def bridged(settings: Settings) -> Coroutine[Any, Any, Any]:
    return bridge._Bridge(settings, bridge.readers(settings)).run()


Program = Callable[[Settings], Coroutine[Any, Any, Any]]


@pytest.fixture(params=[relay, bridged], ids=["relay", "bridge"])
def program(request: pytest.FixtureRequest) -> Program:
    chosen: Program = request.param
    return chosen


def ended(program: Program, client: type[Client], monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Run a program with this kind of client; which of those it made it left open."""
    client.made = []
    for module in (relay_run, bridge):
        monkeypatch.setattr(module, "AIOKafkaConsumer", client)
        monkeypatch.setattr(module, "AIOKafkaProducer", client)
    settings = build_settings(
        {
            "http": {"port": 0},
            "raw": {"web": {"topic": "their.topic", "format": "segment"}},
            "relays": {
                "crm": {"url": "https://crm.shop.example/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
            },
        }
    )

    async def work() -> None:
        async with asyncio.timeout(10):
            await program(settings)

    try:
        asyncio.run(work())
    finally:
        left = [one.open for one in client.made]
    return left


def test_who_may_not_join_its_group_ends_and_leaves_no_client_open(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the sentence that helps stood "Unclosed AIOKafkaConsumer"."""
    with pytest.raises(GroupAuthorizationFailedError):
        ended(program, Refused, monkeypatch)

    assert [one.open for one in Refused.made] == [False, False]


def test_who_is_told_to_stop_while_its_group_lets_it_wait_ends_at_once(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ended(program, Stopped, monkeypatch) == [False, False]
