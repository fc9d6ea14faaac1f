"""The wire as documents for others: JSON Schemas, an AsyncAPI document of all topics, and pages for people.

Everything is computed from the types, so a document can't say what the code does not do. Nothing is written here;
`python -m streams.reference` does that.
"""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import fields as fields_of

from schemas import events as e
from schemas import outputs, topics
from schemas.adapters.segment import CALLS
from schemas.profile_document import ProfileDocument
from schemas.reasons import REASONS
from schemas.routing import TOPIC_OF
from schemas.spend import ChannelSpend

DRAFT = "https://json-schema.org/draft/2020-12/schema"
GENERATED = "Generated from the code by `make reference`; changes belong there."

_OUTPUT_MESSAGES: dict[str, tuple[type[Struct], ...]] = {
    "triggers": (outputs.Trigger,),
    "trigger-cancelled": (outputs.TriggerOutcome,),
    "trigger-converted": (outputs.TriggerOutcome,),
    "cart-recovered": (outputs.TriggerOutcome,),
    "decisions": (outputs.Decision, outputs.RulesChanged, outputs.SegmentsReady),
    "receipts": (outputs.Receipt,),
    "exports": (outputs.Export,),
    "rejected": (outputs.Rejected,),
    "spend": (ChannelSpend,),
}

_SEGMENT_CALL: dict[str, Any] = {
    "title": "SegmentCall",
    "description": "A call of Segment's or RudderStack's libraries; it becomes the canonical event of its name.",
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": list(CALLS)},
        "event": {"type": "string", "description": "The event's name, for track calls."},
        "messageId": {"type": "string", "maxLength": 256},
        "userId": {"type": ["string", "number", "null"]},
        "anonymousId": {"type": ["string", "number", "null"]},
        "timestamp": {"type": ["string", "number", "null"], "description": "ISO-8601, or epoch s, ms or us."},
        "originalTimestamp": {"type": ["string", "number", "null"]},
        "sentAt": {"type": ["string", "number", "null"]},
        "receivedAt": {"type": ["string", "number", "null"]},
        "properties": {"type": ["object", "null"]},
        "traits": {"type": ["object", "null"]},
        "context": {"type": ["object", "null"]},
    },
}


# --- JSON Schemas -------------------------------------------------------------------------------------------------


def json_schema(kind: Any, title: str, description: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a wire type."""
    found = _tidy(msgspec.json.schema(kind))
    # `discriminator` is a word of OpenAPI; JSON Schema tells the events apart by the constant in `event`.
    found.pop("discriminator", None)
    return {"$schema": DRAFT, "title": title, "description": description, **found}


def json_schemas() -> dict[str, dict[str, Any]]:
    """Every JSON Schema by the name of its wire type."""
    return {
        "event": json_schema(e.AnyEvent, "Event", "A canonical event, told apart by `event`."),
        "trigger": json_schema(outputs.Trigger, "Trigger", "The data of an emitted trigger."),
        "trigger-outcome": json_schema(outputs.TriggerOutcome, "TriggerOutcome", "What became of an emitted trigger."),
        "decision": json_schema(outputs.Decision, "Decision", "One change in the life of a trigger."),
        "receipt": json_schema(outputs.Receipt, "Receipt", "What became of a privacy command."),
        "export": json_schema(outputs.Export, "Export", "A part of what is known of a customer."),
        "rules-changed": json_schema(
            outputs.RulesChanged, "RulesChanged", "Other rules from here on, in one partition."
        ),
        "segments-ready": json_schema(
            outputs.SegmentsReady, "SegmentsReady", "Every customer of a partition was looked at by new segments."
        ),
        "rejected": json_schema(outputs.Rejected, "Rejected", "A record that was set aside, with the reason."),
        "profile": json_schema(ProfileDocument, "ProfileDocument", "The public document of one customer."),
    }


def _tidy(value: Any) -> Any:
    """Descriptions on one line: they are docstrings, indented as code."""
    if isinstance(value, dict):
        return {
            name: " ".join(item.split()) if name == "description" and isinstance(item, str) else _tidy(item)
            for name, item in value.items()
        }
    return [_tidy(item) for item in value] if isinstance(value, list) else value


# --- AsyncAPI -----------------------------------------------------------------------------------------------------


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document of all topics: what Regulars receives and sends, with keys, headers and payloads."""
    kinds = [*get_args(e.AnyEvent), *dict.fromkeys(kind for kinds in _OUTPUT_MESSAGES.values() for kind in kinds)]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    messages: dict[str, Any] = {kind.__name__: _message(kind) for kind in kinds}
    messages["SegmentCall"] = {
        "name": "SegmentCall",
        "title": "Segment or RudderStack call",
        "summary": "Any event above, as Segment's and RudderStack's libraries send it.",
        "payload": {"$ref": "#/components/schemas/SegmentCall"},
        "bindings": {"kafka": {"key": {"type": "string", "description": _KEY}}},
    }
    messages["AnyRecord"] = {
        "name": "AnyRecord",
        "summary": "A record of the installation's own, not for others.",
        "payload": {"type": "object"},
    }
    channels = {topic.name: _channel(topic) for topic in topics.TOPICS}
    operations: dict[str, Any] = {}
    for topic in topics.TOPICS:
        if topic.role != "output":
            operations[f"receive-{topic.name}"] = _operation("receive", topic)
        if topic.role not in ("input", "books"):
            operations[f"send-{topic.name}"] = _operation("send", topic)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Regulars",
            "version": "1",
            "description": "Living customer profiles and timely marketing triggers from a shop's event stream.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": {**_tidy(schemas), "SegmentCall": _SEGMENT_CALL}},
    }


_KEY = (
    "The value of the strongest identifier (user id, e-mail, phone, loyalty id, anonymous id, cart token), or of the "
    "product; the partition is its murmur2 hash. Records elsewhere are forwarded."
)
_CUSTOMER_KEY = "The customer's profile id, type:value."


def _message(kind: type[Struct]) -> dict[str, Any]:
    tag = kind.__struct_config__.tag
    message: dict[str, Any] = {
        "name": str(tag or kind.__name__),
        "title": str(tag or kind.__name__),
        "summary": one_line(kind).split(". ")[0].rstrip(".") + ".",
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
        "bindings": {"kafka": {"key": {"type": "string", "description": _KEY if tag else _CUSTOMER_KEY}}},
    }
    if kind is outputs.Rejected:
        message["bindings"] = {"kafka": {"key": {"type": "string", "description": "The key of the original record."}}}
    elif kind is ChannelSpend:
        message["bindings"] = {
            "kafka": {"key": {"type": "string", "description": "The channel and the day, <channel>|<day>."}}
        }
    elif kind in {outputs.Receipt, outputs.Export}:
        message["bindings"] = {"kafka": {"key": {"type": "string", "description": "The request id."}}}
    elif kind in {outputs.RulesChanged, outputs.SegmentsReady}:
        name = "rules.changed" if kind is outputs.RulesChanged else "segments.ready"
        message["bindings"] = {"kafka": {"key": {"type": "string", "description": f"Always {name}."}}}
    elif kind is outputs.Trigger:
        message["headers"] = _headers(
            {
                "ce-specversion": "Always 1.0.",
                "ce-id": "The trigger id: drop what you have already seen.",
                "ce-type": "The trigger's name.",
                "ce-source": "The shop.",
                "ce-time": "When it was emitted, RFC 3339.",
            }
        )
    elif not tag:
        message["headers"] = _headers({"record-id": "The record's id: drop what you have already seen."})
    return message


def _headers(texts: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(texts),
        "properties": {name: {"type": "string", "description": text} for name, text in texts.items()},
    }


def _names_on(topic: topics.Topic) -> list[str]:
    """The messages of a topic."""
    if topic.name in _OUTPUT_MESSAGES:
        return [kind.__name__ for kind in _OUTPUT_MESSAGES[topic.name]]
    found = [kind.__name__ for kind, name in TOPIC_OF.items() if name == topic.name]
    return [*found, "SegmentCall"] if found else ["AnyRecord"]


def _channel(topic: topics.Topic) -> dict[str, Any]:
    configuration: dict[str, Any] = {"cleanup.policy": ["compact" if topic.compacted else "delete"]}
    configuration["retention.ms"] = topic.retention_ms
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"{topic.holds} The installation's topic prefix stands before the name.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _names_on(topic)},
        "bindings": {"kafka": {"topicConfiguration": configuration, "bindingVersion": "0.5.0"}},
    }


def _operation(action: str, topic: topics.Topic) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.holds,
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in _names_on(topic)],
    }


# --- pages --------------------------------------------------------------------------------------------------------


def events_page() -> str:
    """Every event with its fields."""
    kinds: list[type[e.Event]] = list(get_args(e.AnyEvent))
    common = [field.name for field in fields_of(e.Event)]
    lines = [
        "# Events",
        "",
        GENERATED,
        "",
        "An event is a JSON object; the field `event` names it. Amounts are integers in minor units of `currency`",
        "(the shop's where there is none), instants are UTC epoch milliseconds. `schema/event.schema.json` is the same",
        "for programs. Unknown fields are ignored. At least one identifier is needed, except for orders; events about the",
        "shop itself (its catalogue, and Erase Shop) have none.",
        "",
        "What trackers and shop systems send is taken as it is: [sources.md](sources.md) says which, and under which names.",
        "",
        "## Every event",
        "",
        one_line(e.Event),
        "",
        *field_table(e.Event, common),
        "",
    ]
    for kind in kinds:
        own = [field.name for field in fields_of(kind) if field.name not in common]
        bases = [one_line(base) for base in kind.__mro__[1:] if base not in e.Event.__mro__ and base is not e.Event]
        lines += [f"## {kind.__struct_config__.tag}", "", one_line(kind), *bases, f"Topic: `{TOPIC_OF[kind]}`.", ""]
        if own:
            lines += [*field_table(kind, own), ""]
    for part in (e.Product, e.ConsentChange, e.Campaign):
        lines += [f"## Part: {part.__name__}", "", one_line(part), ""]
        lines += [*field_table(part, [field.name for field in fields_of(part)]), ""]
    return "\n".join(lines)


def reasons_page() -> str:
    """Every reason why a record is set aside, with what to do."""
    lines = [
        "# Why a record was set aside",
        "",
        GENERATED,
        "",
        "A record that can't be taken goes to the topic `rejected` with one of these reasons, the place of the fault in",
        "`detail`, and up to 256 KB of the original. It never stops a worker.",
        "",
        "| reason | what happened | what to do |",
        "|---|---|---|",
        *(f"| `{code}` | {reason.happened} | {reason.remedy} |" for code, reason in REASONS.items()),
        "",
    ]
    return "\n".join(lines)


def one_line(kind: type) -> str:
    """A type's docstring on one line."""
    return " ".join((kind.__doc__ or "").split())


def field_table(kind: type[Struct], names: list[str]) -> list[str]:
    """A table of these fields of a type."""
    hints = get_type_hints(kind, include_extras=True)
    lines = ["| field | type | default |", "|---|---|---|"]
    lines += [
        f"| `{field.name}` | {describe(hints[field.name])} | {_default(field)} |"
        for field in fields_of(kind)
        if field.name in names
    ]
    return lines


def _default(field: Any) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return "" if value is None or value in ("", (), {}) else f"`{msgspec.json.encode(value).decode()}`"


_NAMES: tuple[tuple[Any, str], ...] = (
    (e.Id, "id (1 to 256 characters)"),
    (e.Text, "text (up to 1024)"),
    (e.Instant, "instant (ms)"),
    (e.Minor, "minor units"),
    (e.Currency, "currency (ISO 4217)"),
    (e.Small, "small integer"),
    (e.Days, "days (above 0, up to 3650)"),
    (e.Quantity, "quantity (0 to 10^9)"),
    (e.Products, "list of Product (up to 500)"),
)


def describe(hint: Any) -> str:
    """A type as the pages name it.

    >>> describe(e.Id | None), describe(bool), describe(e.Quantity)
    ('id (1 to 256 characters)', 'true or false', 'quantity (0 to 10^9)')
    """
    for known, name in _NAMES:
        if hint == known:
            return name
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(part) for part in get_args(hint) if part is not type(None))
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(hint))
    if origin is Annotated:
        base, *metas = get_args(hint)
        return describe(base) + "".join(_bounds(meta) for meta in metas if isinstance(meta, Meta))
    if origin is tuple:
        return f"list of {describe(get_args(hint)[0])}"
    if origin is dict:
        return "object"
    return {str: "text", int: "integer", float: "number", bool: "true or false", Any: "anything"}.get(
        hint, getattr(hint, "__name__", str(hint))
    )


def _bounds(meta: Meta) -> str:
    if meta.max_length is not None:
        return f" (up to {meta.max_length})"
    return f" ({meta.ge} to {meta.le})" if meta.ge is not None and meta.le is not None else ""
