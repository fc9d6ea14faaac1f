"""What chunked delivery overrides or calls in Faust and aiokafka is what it was when delivery was written.

Private names may change in any release. When one of these tests fails after an upgrade: read the new source of the name it
gives, see whether `streams.delivery` still fits (its docstrings say what each override is for), run `tests/e2e` and
`python -m bench.delivery`, and only then put the new fingerprint into the table.
"""

import hashlib
import inspect
from collections.abc import Callable
from importlib.metadata import entry_points, version
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.producer.sender import SendProduceReqHandler
from faust.app.base import App, BootStrategy
from faust.tables.recovery import Recovery
from faust.transport import by_url
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.consumer import ConsumerThread, ThreadDelegateConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer

from streams.delivery import ChunkConsumer, ChunkConsumerThread, ChunkTransport

WATCHED: dict[str, tuple[Callable[..., Any], str]] = {
    # overridden by us
    "Consumer.__init__": (BaseConsumer.__init__, "302410d59e6972d1"),
    "Consumer._to_message": (Consumer._to_message, "7c24f6511b2fcef7"),
    "Consumer._new_consumer_thread": (Consumer._new_consumer_thread, "0870ec53dea75083"),
    "Consumer._new_offset": (BaseConsumer._new_offset, "1d2c7ea89a7ad4f1"),
    "Consumer.verify_event_path": (Consumer.verify_event_path, "a17e8f0610e1abcb"),
    "Consumer.on_partitions_revoked": (BaseConsumer.on_partitions_revoked, "d04b7ae72c6fc206"),
    "Consumer.on_partitions_assigned": (BaseConsumer.on_partitions_assigned, "29ce96596f05a18c"),
    "ConsumerThread.on_partitions_revoked": (ConsumerThread.on_partitions_revoked, "c44013f1259ca964"),
    "ConsumerThread.on_partitions_assigned": (ConsumerThread.on_partitions_assigned, "e59e8dda43724bd4"),
    "AIOKafkaConsumerThread.__post_init__": (AIOKafkaConsumerThread.__post_init__, "913dc7c0d9578e2d"),
    "AIOKafkaConsumerThread._create_worker_consumer": (
        AIOKafkaConsumerThread._create_worker_consumer,
        "c2701bfc3e6f6cad",
    ),
    "AIOKafkaConsumerThread._fetch_records": (AIOKafkaConsumerThread._fetch_records, "39a2c6c79fc1455a"),
    "AIOKafkaConsumerThread._commit": (AIOKafkaConsumerThread._commit, "932852ce7a23f658"),
    "AIOKafkaConsumerThread.seek_to_committed": (AIOKafkaConsumerThread.seek_to_committed, "775ab0adc4b052ab"),
    # relied upon: where chunks pass, and what could drop one
    "Consumer.getmany": (BaseConsumer.getmany, "4b168d84882a70d6"),
    "Consumer._wait_next_records": (BaseConsumer._wait_next_records, "6218e1969a636b3f"),
    "Consumer._drain_messages": (BaseConsumer._drain_messages, "44a2500309e83c63"),
    "Consumer.ack": (BaseConsumer.ack, "5fcf41cf45153475"),
    "Consumer.perform_seek": (BaseConsumer.perform_seek, "0e8c130ff4b0afd8"),
    "Consumer.on_buffer_full": (BaseConsumer.on_buffer_full, "c8961679e0bcdce5"),
    "Consumer.on_buffer_drop": (BaseConsumer.on_buffer_drop, "4b57e8a418d5ad9c"),
    "Consumer._filter_committable_offsets": (BaseConsumer._filter_committable_offsets, "dc5e9baf5d994485"),
    "Consumer._filter_tps_with_pending_acks": (BaseConsumer._filter_tps_with_pending_acks, "f6f9239774234e7e"),
    "Consumer._commit_offsets": (BaseConsumer._commit_offsets, "1a69799041188441"),
    "ThreadDelegateConsumer.__init__": (ThreadDelegateConsumer.__init__, "7072ae80eac1ff62"),
    "App._on_partitions_revoked": (App._on_partitions_revoked, "d5c895bbe57dc73a"),
    "App._on_partitions_assigned": (App._on_partitions_assigned, "de932b7927db85b3"),
    "Recovery._resume_streams": (Recovery._resume_streams, "d986a6710c1aca98"),
    "BootStrategy.server": (BootStrategy.server, "97e47ea1dec34b55"),
    # aiokafka's insides that are read or relied upon
    "aiokafka Fetcher.fetched_records": (Fetcher.fetched_records, "be4348896b9b66af"),
    "aiokafka Fetcher._create_fetch_waiter": (Fetcher._create_fetch_waiter, "61d840568746477e"),
    "aiokafka Fetcher.seek_to": (Fetcher.seek_to, "f0ba6aba6c22ef83"),
    "aiokafka FetchResult.getall": (FetchResult.getall, "3e717e30de5068d5"),
    "aiokafka FetchResult.check_assignment": (FetchResult.check_assignment, "b5340df67e3f330f"),
    "aiokafka FetchResult.__init__": (FetchResult.__init__, "126a3e45763bd404"),
    "aiokafka PartitionRecords._unpack_records": (PartitionRecords._unpack_records, "b803e6d46480732c"),
    "aiokafka PartitionRecords._consumer_record": (PartitionRecords._consumer_record, "e668541600b047ab"),
    "aiokafka Fetcher._update_fetch_positions": (Fetcher._update_fetch_positions, "d7774d8241dc6a7e"),
    "aiokafka TopicPartitionState.seek": (TopicPartitionState.seek, "c20b56d7ba7b2872"),
    "aiokafka GroupCoordinator._do_commit_offsets": (GroupCoordinator._do_commit_offsets, "c3a3ea5613f39cac"),
    "aiokafka AIOKafkaConsumer.seek": (AIOKafkaConsumer.seek, "a9430f1f3b9ac419"),
    "aiokafka AIOKafkaClient._md_synchronizer": (AIOKafkaClient._md_synchronizer, "e0421bffa9a7735a"),
    "aiokafka AIOKafkaClient._metadata_update": (AIOKafkaClient._metadata_update, "06dc51ed3e0d38b8"),
    "aiokafka AIOKafkaClient.bootstrap": (AIOKafkaClient.bootstrap, "198943b004e55849"),
    "aiokafka ClusterMetadata.update_metadata": (ClusterMetadata.update_metadata, "6c2cce8f96dcc199"),
    "aiokafka sender _can_retry": (SendProduceReqHandler._can_retry, "7ff5d491d977aacf"),
}


def fingerprint(original: Callable[..., Any]) -> str:
    """A short hash of a method's source, comments and blank space included: what was read is what is fingerprinted."""
    return hashlib.sha256(inspect.getsource(inspect.unwrap(original)).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", WATCHED)
def test_the_source_that_delivery_was_written_against_has_not_changed(name: str) -> None:
    original, expected = WATCHED[name]

    found = fingerprint(original)

    assert found == expected, (
        f"{name} changed (faust-streaming {version('faust-streaming')}, aiokafka {version('aiokafka')}): "
        f"fingerprint {found}. Read the docstring of this file before writing it down"
    )


def test_faust_is_of_the_release_line_that_was_read() -> None:
    assert version("faust-streaming").startswith("0.15.")
    assert version("aiokafka").startswith("0.14.")


@pytest.mark.parametrize(
    "ours,name",
    [
        (cls, name)
        for cls in (ChunkConsumer, ChunkConsumerThread)
        for name, member in vars(cls).items()
        if callable(member) and getattr(member, "__override__", False) and name != "__init__"
    ],
)
def test_every_override_has_the_signature_of_its_original(ours: type, name: str) -> None:
    theirs = next(vars(parent)[name] for parent in ours.__mro__[1:] if name in vars(parent))

    expected = list(inspect.signature(inspect.unwrap(theirs)).parameters)

    assert list(inspect.signature(vars(ours)[name]).parameters) == expected


def test_the_url_scheme_finds_our_transport() -> None:
    assert [point.value for point in entry_points(group="faust.transports") if point.name == "regulars"] == [
        "streams.delivery:ChunkTransport"
    ]
    assert by_url("regulars://127.0.0.1:9092") is ChunkTransport
