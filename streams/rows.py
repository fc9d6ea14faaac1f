"""Rows of the outbox and of rejects: what the engine decided and what was set aside, as records for output topics."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Raw

from profiles.privacy import home_mark
from profiles.receipts import Case
from schemas.moves import MOVES, Move, encode_move
from schemas.outputs import (
    Decision,
    Export,
    IdentityChange,
    Outgoing,
    Receipt,
    Rejected,
    RulesChanged,
    SegmentsReady,
    Trigger,
    TriggerOutcome,
)
from schemas.topics import TOPICS, TRIGGERS
from streams.record import Record

ROW_BYTES_MAX: Final = 256 * 1024
MOVE_BYTES_MAX: Final = 900_000
"""For the one cart that can't be cut: below what brokers take."""
ORIGINAL_BYTES_MAX: Final = 256 * 1024
OUTCOME_TOPICS: Final = {
    "trigger.cancelled": "trigger-cancelled",
    "trigger.converted": "trigger-converted",
    "cart.recovered": "cart-recovered",
}
KEPT_MS: Final = {
    topic.name: topic.retention_ms for topic in TOPICS if topic.name != "receipts" and topic.retention_ms >= 0
}
"""How long topics that a customer's events come through keep their records, as they are made by default. Those kept for ever
(`spend`, `models`) say nothing of single customers."""
NO_OFFSET: Final = -1
"""Stands in a `Rejected` for what never had an offset: an output that could not be published, a message over HTTP."""

Published = Trigger | TriggerOutcome | Decision | IdentityChange | Export
"""Outputs of the engine that are for others to read."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KEY_BYTES_MAX: Final = 1024
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Outgoing).decode


def encode_row(row: Outgoing) -> bytes:
    """The row as it lies in the outbox."""
    return _encode(row)


def decode_row(stored: bytes) -> Outgoing:
    """A row of the outbox. Raises msgspec.DecodeError for damage."""
    return _decode(stored)


def row_of(output: Published, partition: int, shop_id: str, topics: Mapping[str, str]) -> Outgoing:
    """The record of a decision of the engine: CloudEvents headers for triggers, a record id for everything. `topics` are those
    of triggers that are published apart, by name.
    """
    value = Raw(_encode(output))
    if isinstance(output, Decision):  # by far the most
        return Outgoing("decisions", output.decision_id, output.customer_id, partition, value)
    if isinstance(output, IdentityChange):
        return Outgoing("identity-changes", output.change_id, output.customer_id, partition, value)
    if isinstance(output, Export):
        record_id = f"{output.request_id}/{home_mark(output.request_id, output.customer_id)}/{output.part}"
        return Outgoing("exports", record_id, output.request_id, partition, value)
    if isinstance(output, Trigger):
        topic = "triggers-shadow" if output.shadow else topics.get(output.name, TRIGGERS)
        key = output.customer.id
    else:
        topic, key = OUTCOME_TOPICS[output.name], output.customer_id
    headers = {
        "ce-specversion": "1.0",
        "ce-id": output.trigger_id,
        "ce-type": output.name,
        "ce-source": f"regulars/{shop_id}",
        "ce-time": rfc3339(output.emitted_at_ms),
        "content-type": "application/json",
    }
    return Outgoing(topic, output.trigger_id, key, partition, value, headers)


def receipt_of(request_id: str, case: Case, at_ms: int) -> Receipt:
    """The receipt of a privacy request as it stands."""
    return Receipt(
        request_id=request_id,
        command=case.command,
        final=case.final,
        homes=len(case.answered),
        waiting=case.waiting,
        counts=dict(sorted(case.counts.items())),
        kept_ms=KEPT_MS,
        refused=case.refused,
        orders_not_found=case.orders_not_found if case.final else 0,
        at_ms=at_ms,
    )


def row_of_receipt(request_id: str, case: Case, partition: int, at_ms: int) -> Outgoing:
    """The record of that receipt."""
    record_id = f"{request_id}/{len(case.answered)}/{len(case.named)}/{case.first}"
    return Outgoing("receipts", record_id, request_id, partition, Raw(_encode(receipt_of(request_id, case, at_ms))))


def row_of_move(move: Move, home: int) -> Outgoing:
    """The record that carries a move to the home of its receiver."""
    return Outgoing(MOVES, f"{move.cause}/{move.customer}", move.customer, home, Raw(encode_move(move)))


def row_of_rules(change: RulesChanged | SegmentsReady) -> Outgoing:
    """The record that announces other rules, or that segments are ready, in a partition of the decisions."""
    return Outgoing("decisions", change.decision_id, change.name, change.partition, Raw(_encode(change)))


def reject(record: Record, topic: str, partition: int, reason: str, detail: str) -> Rejected:
    """What is published of a record that is set aside, with at most ORIGINAL_BYTES_MAX of it."""
    value = record.value or b""
    kept = value[:ORIGINAL_BYTES_MAX]
    text: str | None = None
    binary: str | None = None
    try:
        # A character cut in two at the limit is no reason to show the rest as binary.
        text = kept.decode("utf-8") if len(kept) == len(value) else kept.decode("utf-8", "ignore")
        if len(kept) < len(value) and len(kept) - len(text.encode()) > 3:
            text = None
        # Control characters take six bytes each in JSON.
        if text is not None and len(_encode(text)) > 2 * ORIGINAL_BYTES_MAX:
            text = None
    except UnicodeDecodeError:
        text = None
    if text is None:
        kept = value[: ORIGINAL_BYTES_MAX * 3 // 4]
        binary = base64.b64encode(kept).decode("ascii")
    else:
        kept = kept[: len(text.encode())]
    return Rejected(
        reason=reason,
        detail=detail,
        topic=topic,
        partition=partition,
        offset=record.offset,
        key=None if record.key is None else record.key[:_KEY_BYTES_MAX].decode("utf-8", "replace"),
        timestamp_ms=record.timestamp_ms,
        original=text if record.value is not None else None,
        original_base64=binary,
        truncated_bytes=len(value) - len(kept),
    )


def original_bytes(rejected: Rejected) -> bytes | None:
    """The bytes of a record that was set aside, as far as they were kept; None where it had no value."""
    if rejected.original_base64 is not None:
        return base64.b64decode(rejected.original_base64)
    return None if rejected.original is None else rejected.original.encode()


def reject_row(row: Outgoing, reason: str, detail: str) -> Rejected:
    """What is published in place of a row that can't be: the beginning of its value, which is JSON text."""
    value = bytes(row.value)
    return Rejected(
        reason=reason,
        detail=f"{detail}; record id {row.record_id}",
        topic=row.topic,
        partition=row.partition,
        offset=NO_OFFSET,
        key=row.key[:_KEY_BYTES_MAX],
        original=value[: ORIGINAL_BYTES_MAX // 4].decode("utf-8", "ignore"),
        truncated_bytes=max(0, len(value) - ORIGINAL_BYTES_MAX // 4),
    )


def row_of_reject(rejected: Rejected) -> Outgoing:
    """The record of something that was set aside; its id is where it stood, or what it was."""
    record_id = f"{rejected.topic}/{rejected.partition}/{rejected.offset}"
    if rejected.offset == NO_OFFSET:
        record_id = f"{record_id}/{rejected.detail.rpartition(' ')[2]}"
    return Outgoing("rejected", record_id, rejected.key or "", rejected.partition, Raw(_encode(rejected)))


def rfc3339(at_ms: int) -> str:
    """An instant in UTC with milliseconds.

    >>> rfc3339(1_772_409_600_123)
    '2026-03-02T00:00:00.123Z'
    """
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
