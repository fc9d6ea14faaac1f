"""The shop's tracking plan: what it wants of its events beyond what every event must be, as JSON Schemas by event name.

A plan is a JSON document:

    {"unplanned": "accept",
     "events": {"Order Completed": {"required": ["email"], "properties": {"currency": {"const": "EUR"}}}}}

Each schema (draft 2020-12) is held against the event in its canonical form, after its adapter, so one plan is for all
sources. What breaks it is set aside with the reason `plan_violation`, the record whole. Schemas are compiled once; without a
plan nothing of this is loaded, and no event is looked at.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Struct

from schemas.events import AnyEvent, CommandEvent, Event, ShopEvent
from schemas.nearest import nearest, wrong_in
from schemas.reasons import DETAIL_MAX, Problem

REASON: Final = "plan_violation"
KINDS: Final[dict[str, type[Event]]] = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyEvent)}
_LISTED_MAX: Final = 3


class PlanError(ValueError):
    """A tracking plan can't be used. The message names file, event and remedy; nothing was started.

    Operator action: mend the file at the place named, or install the extra it asks for.
    """


class PlanDocument(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document. With `unplanned` "reject" an event without a schema breaks the plan too; commands never do."""

    events: dict[str, dict[str, Any]]
    unplanned: Literal["accept", "reject"] = "accept"
    title: str = ""


class TrackingPlan:
    """A compiled plan. Raises PlanError for an unknown event, a field that no such event has, or a schema that is none."""

    def __init__(self, document: PlanDocument) -> None:
        self._reject_unplanned = document.unplanned == "reject"
        self._validators = {KINDS[name]: _compiled(name, schema) for name, schema in _checked(document.events)}

    def check(self, event: Event) -> Problem | None:
        """Why the event breaks the plan, None where it keeps to it. The detail names places and rules, no values."""
        kind = type(event)
        validator = self._validators.get(kind)
        if validator is None:
            if self._reject_unplanned and not issubclass(kind, CommandEvent | ShopEvent):
                return Problem(REASON, f"{kind.__struct_config__.tag} is not in the plan")
            return None
        errors = list(validator.iter_errors(msgspec.to_builtins(event)))
        if not errors:
            return None
        listed = "; ".join(f"{_path(error.instance_path)}: {error.message}" for error in errors[:_LISTED_MAX])
        more = f"; and {len(errors) - _LISTED_MAX} more" if len(errors) > _LISTED_MAX else ""
        return Problem(REASON, f"{kind.__struct_config__.tag}: {listed}{more}"[:DETAIL_MAX])


def load_plan(path: str) -> TrackingPlan | None:
    """The plan of a file, None for no file. Raises PlanError."""
    if not path:
        return None
    try:
        document = msgspec.json.decode(Path(path).read_bytes(), type=PlanDocument)
    except OSError as error:
        raise PlanError(f"tracking plan {path} can't be read: {error.strerror}") from None
    except msgspec.ValidationError as error:
        raise PlanError(f"tracking plan {path}: {wrong_in(PlanDocument, error)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"tracking plan {path} is no JSON: {error}") from None
    try:
        return TrackingPlan(document)
    except PlanError as error:
        raise PlanError(f"tracking plan {path}: {error}") from None


def _checked(schemas: Mapping[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    for name, schema in schemas.items():
        if name not in KINDS:
            raise PlanError(f"there is no event {name!r}{_meant(name, list(KINDS))}")
        known = (*KINDS[name].__struct_fields__, "event")
        named = [*_names(schema.get("required")), *_names(schema.get("properties"))]
        for field in named:
            if field not in known:
                raise PlanError(f"{name} has no field {field!r}{_meant(field, list(known))}")
    return list(schemas.items())


def _names(value: object) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list | dict) else []


def _meant(given: str, known: list[str]) -> str:
    meant = nearest(given, known)
    return f"; did you mean {meant!r}?" if meant else ""


def _compiled(name: str, schema: dict[str, Any]) -> Any:
    try:
        import jsonschema_rs
    except ImportError:
        raise PlanError("it needs the extra `plan`: pip install 'regulars[plan]'") from None
    try:
        # Values stay out of the messages: they are customers' data. And a plan never makes a worker ask the network.
        made = jsonschema_rs.Draft202012Validator(schema, mask="the value", retriever=_no_network)
    except ValueError as error:
        first = str(error).partition("\n")[0]
        raise PlanError(f"the schema of {name} is no JSON Schema (draft 2020-12): {first}") from None
    if unknown := list(jsonschema_rs.Draft202012Validator(_STRICT).iter_errors(schema)):
        # What lies around an unknown keyword is complained of as well.
        inmost: Any = max(unknown, key=lambda error: len(error.instance_path))
        raise PlanError(
            f"the schema of {name}, {_path(inmost.instance_path)}: {inmost.kind.unexpected[0]!r} is no keyword of JSON "
            "Schema (draft 2020-12), so nothing would be checked by it; words of your own begin with x-"
        )
    return made


_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_STRICT: Final = {
    "$schema": _DIALECT,
    "$id": "urn:regulars:tracking-plan",
    "$dynamicAnchor": "meta",
    "$ref": _DIALECT,
    "patternProperties": {"^x-": True},
    "unevaluatedProperties": False,
}
"""What a schema of a plan keeps to: JSON Schema, each of whose schemas knows its keywords and no other word, at every depth."""


def _no_network(uri: str) -> Any:
    raise ValueError(f"a plan stands in one file, so {uri} can't be referred to")


def _path(parts: list[str | int]) -> str:
    """A place in an event.

    >>> _path(["products", 0, "sku"])
    '$.products[0].sku'
    """
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
