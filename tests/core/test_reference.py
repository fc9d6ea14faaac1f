"""The generated reference is current, valid by the rules of its formats, and says what the decoder does.

`asyncapi-3.0.0.schema.json` is the official schema (npm package @asyncapi/specs 6.11.1, Apache-2.0) without its
descriptions and examples.
"""

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from schemas import events as e
from schemas import outputs, reference, topics
from schemas.adapters import ADAPTERS
from schemas.decode import Decoder
from schemas.events import Product
from schemas.reasons import REASONS
from schemas.source_reference import sources_page
from streams.reference import PAGES, main, stale, write

ASYNCAPI_SCHEMA = json.loads((Path(__file__).parent / "asyncapi-3.0.0.schema.json").read_text(encoding="utf-8"))
SCHEMAS = reference.json_schemas()


def validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(SCHEMAS[name])


def test_the_reference_in_the_tree_is_what_the_code_says() -> None:
    assert stale() == [], "run: make reference"


def test_the_check_names_what_is_stale_and_writing_mends_it(tmp_path: Path) -> None:
    assert sorted(write(tmp_path)) == sorted(PAGES)
    (tmp_path / "docs/reference/events.md").write_text("old", encoding="utf-8")
    (tmp_path / "docs/reference/schema/event.schema.json").unlink()

    assert stale(tmp_path) == ["docs/reference/events.md", "docs/reference/schema/event.schema.json"]
    assert write(tmp_path) == ["docs/reference/events.md", "docs/reference/schema/event.schema.json"]
    assert stale(tmp_path) == []


def test_the_command_line_takes_only_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert main(["--chekc"]) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_json_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


EVENT: dict[str, Any] = {
    "event": "Product Added",
    "message_id": "m",
    "timestamp_ms": 1_714_564_800_000,
    "product": {"product_id": "p"},
}


@pytest.mark.parametrize("change", [
    {}, {"user_id": "u"}, {"user_id": ""}, {"user_id": 5}, {"event": "Nothing"}, {"event": None}, {"timestamp_ms": -1},
    {"timestamp_ms": "1"}, {"product": {}}, {"product": {"product_id": "p", "quantity": 1.5}}, {"currency": "EUR"},
    {"product": {"product_id": "p", "quantity": -1}}, {"currency": "eur"}, {"currency": None}, {"message_id": "x" * 257},
    {"consent": [{"state": "GRANT"}]}, {"consent": [{"state": "YES"}]}, {"unknown": [1]},
    {"product": {"product_id": "p", "position": 2**31}}, {"imported": "true"},
])  # fmt: skip
def test_the_schema_of_events_takes_what_the_decoder_takes(change: dict[str, Any]) -> None:
    message = EVENT | {"anonymous_id": "v"} | change
    decoded = Decoder("USD").decode(json.dumps(message).encode(), 0)

    assert validator("event").is_valid(message) is isinstance(decoded, e.Arrival)


def test_what_goes_out_fits_its_schema() -> None:
    trigger = outputs.Trigger(
        trigger_id="t",
        name="cart.abandoned",
        version=1,
        episode_key="k",
        priority=2,
        shop_id="s",
        customer=outputs.Customer(id="user_id:u"),
        occurred_at_ms=1,
        due_at_ms=2,
        emitted_at_ms=3,
        expires_at_ms=4,
        items=(outputs.Item(product_id="p"),),
        currency="EUR",
        exponent=2,
        profile=outputs.ProfileSummary(),
        decision=outputs.DecisionTrail(gates=("consent",)),
    )
    rejected = outputs.Rejected(reason="empty", detail="d", topic="carts", partition=0, offset=7)

    validator("trigger").validate(json.loads(msgspec.json.encode(trigger)))
    validator("rejected").validate(json.loads(msgspec.json.encode(rejected)))
    assert not validator("trigger").is_valid({"trigger_id": "t"})


def test_the_asyncapi_document_is_valid() -> None:
    jsonschema.Draft7Validator(ASYNCAPI_SCHEMA).validate(reference.asyncapi())


def test_the_asyncapi_document_points_at_nothing_that_is_not_there() -> None:
    document = reference.asyncapi()

    def targets(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [target for item in value.values() for target in targets(item)]
        return [target for item in value for target in targets(item)] if isinstance(value, list) else []

    for target in targets(document):
        found: Any = document
        for step in target.removeprefix("#/").split("/"):
            found = found[step]


def test_every_topic_is_a_channel_and_every_event_a_message_on_its_topic() -> None:
    document = reference.asyncapi()

    assert list(document["channels"]) == [topic.name for topic in topics.TOPICS]
    for kind in get_args(e.AnyEvent):
        holders = [name for name, channel in document["channels"].items() if kind.__name__ in channel["messages"]]
        assert len(holders) == 1, kind
    assert {op["action"] for name, op in document["operations"].items() if name.endswith("-clickstream")} == {"receive"}
    assert {op["action"] for name, op in document["operations"].items() if name.endswith("-triggers")} == {"send"}
    assert {op["action"] for name, op in document["operations"].items() if name.endswith("-forwards")} == {
        "receive",
        "send",
    }


def test_the_page_of_events_names_every_event_and_every_field() -> None:
    page = reference.events_page()

    for kind in get_args(e.AnyEvent):
        section = page.split(f"\n## {kind.__struct_config__.tag}\n")[1].split("\n## ")[0]
        own = {field.name for field in msgspec.structs.fields(kind)} - {
            field.name for field in msgspec.structs.fields(e.Event)
        }
        assert all(f"| `{name}` |" in section for name in own)
    assert all(f"| `{field.name}` |" in page for field in msgspec.structs.fields(Product))


def test_the_page_of_sources_names_every_source_every_name_and_every_option() -> None:
    page = sources_page()

    for adapter in ADAPTERS:
        section = page.split(f"\n## {adapter.title}\n")[1].split("\n## ")[0]
        assert all(link in section for link in adapter.documents)
        options = {field.name for field in msgspec.structs.fields(type(adapter.options))}
        assert all(f"| `{name}` |" in section and f"`{name}`" in section for name in options)
        canonical = {kind.__struct_config__.tag for kind in get_args(e.AnyEvent)}
        assert all(f"`{name}`" in page for name in adapter.names if name not in canonical)


def test_a_source_stands_in_the_row_of_each_event_it_sends() -> None:
    rows = {
        line.split(" | ")[0].removeprefix("| "): line for line in sources_page().splitlines() if line.startswith("| ")
    }

    for kind in get_args(e.AnyEvent):
        cells = rows[kind.__struct_config__.tag].removesuffix(" |").split(" | ")[1:]
        for adapter, cell in zip(ADAPTERS, cells, strict=True):
            assert bool(cell.strip()) is any(kind in kinds for kinds in adapter.names.values())


def test_the_page_of_reasons_names_every_reason() -> None:
    page = reference.reasons_page()

    assert all(f"| `{code}` |" in page for code in REASONS)
