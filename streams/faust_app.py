"""The Faust app of a worker: its settings, and one agent for each consumed topic that hands on what it gets."""

import logging
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import faust
from faust.app.base import BootStrategy

from streams.delivery import ChunkScheduler, Receiver
from streams.settings import Settings

_log = logging.getLogger(__name__)


class _OnlyConsuming(BootStrategy):
    """Of Faust's services those that consume. Publishing is done by our own idempotent producer, pages by our server."""

    enable_kafka_producer = False
    enable_web = False


class ChunkApp(faust.App):
    """A Faust app whose agents get chunks."""

    BootStrategy = _OnlyConsuming
    shop_settings: Settings
    receiver: Receiver
    chunked: Mapping[str, str]


def make_app(settings: Settings, receiver: Receiver, *, crash: Callable[[BaseException], None]) -> ChunkApp:
    """The Faust app: one agent for each consumed topic, which hands its chunks to `receiver`.

    `crash` is told if `receiver` raises all the same: an exception that left an agent would lose its chunk silently.
    """
    kafka = settings.kafka
    app = ChunkApp(
        kafka.group,
        broker=[f"regulars://{server}" for server in settings.bootstrap_servers()],
        autodiscover=False,
        web_enabled=False,
        store="memory://",
        # Faust makes a folder for tables, which we have none of; never in the folder the worker was started in.
        datadir=Path(tempfile.gettempdir()) / "regulars-faust",
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=kafka.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        # 0 would silently mean round-robin, which tears clicks and orders of one customer apart.
        table_standby_replicas=1,
        ConsumerScheduler=ChunkScheduler,
        broker_commit_interval=kafka.offset_commit_every_ms / 1000,
        broker_session_timeout=kafka.session_timeout_ms / 1000,
        broker_heartbeat_interval=kafka.heartbeat_ms / 1000,
        broker_request_timeout=kafka.request_timeout_ms / 1000,
        broker_rebalance_timeout=kafka.rebalance_timeout_ms / 1000,
        # Chunks in a queue of Faust are acknowledged nowhere and read again by the next owner: nothing to wait for.
        stream_wait_empty=False,
        stream_buffer_maxsize=4096,
    )
    app.shop_settings = settings
    app.receiver = receiver
    app.chunked = settings.consumed()

    async def take_in(stream: Any) -> None:
        async for event in stream.events():
            try:
                receiver.take(event.message.tp, event.message.value)
            except Exception as error:  # noqa: BLE001 - what leaves an agent is acknowledged by Faust, and lost
                _log.exception("a chunk could not be taken in")
                crash(error)

    for topic, name in app.chunked.items():
        app.agent(app.topic(topic, value_type=bytes), name=f"take_in_{name}")(take_in)
    return app
