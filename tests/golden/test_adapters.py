"""What each source sends, and the canonical events it must become, both written by hand.

The payloads are made after the public examples of the formats; none is a copy. `<case>.expected.json` lists what becomes
of `<case>.json`: topic, customer and canonical JSON of each event, or the problem in its place. Digests in message ids are
written "…": that they differ where they must is a law (tests/laws/test_adapter_laws.py).
"""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.adapters import ADAPTERS
from schemas.decode import Decoder, Problem
from schemas.events import AnyEvent
from schemas.routing import topic_of

FOLDER = Path(__file__).parent / "adapters"
CASES = sorted(path for path in FOLDER.glob("*/*.json") if not path.name.endswith(".expected.json"))
RECORD_MS = 1_714_565_400_000  # 2024-05-01T12:10:00Z, ten minutes after most of what is told here
_DIGEST = re.compile(r"[0-9a-f]{32}")


def become(payload: bytes) -> list[dict[str, Any]]:
    """What becomes of a payload, in the form of the expected files."""
    found: list[dict[str, Any]] = []
    for what in Decoder("EUR").decode_all(payload, RECORD_MS):
        if isinstance(what, Problem):
            found.append({"problem": {"reason": what.reason, "detail": what.detail}})
            continue
        event: dict[str, Any] = msgspec.to_builtins(what.event)
        event["message_id"] = _DIGEST.sub("…", event["message_id"])
        for name in ("request_id", "refund_id"):
            if name in event:
                event[name] = _DIGEST.sub("…", event[name])
        found.append({"topic": topic_of(what.event), "customer": what.customer, "event": event})
    return found


def whole(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with each event as its canonical type, where it does not matter whether a default is written."""
    return [{**one, "event": msgspec.convert(one["event"], AnyEvent)} if "event" in one else one for one in found]


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_payload_becomes_the_events_that_were_written_down_for_it(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text(encoding="utf-8"))

    assert whole(expected) == whole(become(path.read_bytes()))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_payload_is_recognised_as_its_sources_alone(path: Path) -> None:
    message = json.loads(path.read_bytes())
    fitting = [adapter.name for adapter in ADAPTERS if adapter.fits(message)]

    # The first that fits reads it; Segment stands last, since it takes any object with a `type`.
    assert fitting[0] == path.parent.name
    assert set(fitting[1:]) <= {"segment"}


def test_every_source_has_payloads_and_every_payload_its_expectation() -> None:
    assert {path.parent.name for path in CASES} == {adapter.name for adapter in ADAPTERS}
    assert all(path.with_suffix(".expected.json").exists() for path in CASES)


def shown_by(source: str) -> set[str]:
    return {
        one["event"]["event"]
        for path in CASES
        if path.parent.name == source
        for one in become(path.read_bytes())
        if "event" in one
    }


@pytest.mark.parametrize("name", [adapter.name for adapter in ADAPTERS if adapter.name != "segment"])
def test_every_event_a_source_is_said_to_become_is_shown_in_a_payload(name: str) -> None:
    """Segment's names are the canonical ones; tests/core/test_segment.py shows them. The data layer reads GA4's table."""
    (adapter,) = (adapter for adapter in ADAPTERS if adapter.name == name)
    promised = {str(kind.__struct_config__.tag) for kinds in adapter.names.values() for kind in kinds}
    shown = shown_by(name)

    assert shown <= promised
    assert promised <= (shown | shown_by("ga4") if name == "data_layer" else shown)
