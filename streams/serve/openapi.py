"""The OpenAPI document of everything served, made of the table of routes and the types that are answered.

`make reference` writes it to docs/reference/openapi.json, and the server shows it at /openapi.json.
"""

from typing import Any, Final

import msgspec

from profiles.next_trigger import NextTrigger
from schemas.adapters.segment import CALLS
from schemas.events import ID_TYPES
from schemas.outputs import Receipt
from schemas.profile_document import CartShown, ProfileDocument
from streams.serve.answer import PROBLEM_TYPE, REASONS, Problem
from streams.serve.envelope import MESSAGES_MAX
from streams.serve.privacy import Asked, SplitAsked
from streams.serve.read import FIELDS, VALUE_MAX
from streams.serve.routes import ROUTES, Body, Guard, Route

_JSON: Final = "application/json"
_REF: Final = "#/components/schemas/"
_PROFILE_ID: Final = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "type:value, percent-encoded, such as user_id:2375 or email:ann%40example.org.",
    "schema": {"type": "string", "pattern": f"^({'|'.join(ID_TYPES)}):[^\\s\\x00-\\x1f].{{0,{VALUE_MAX - 1}}}$"},
}
_SOURCE: Final = {
    "name": "source",
    "in": "path",
    "required": True,
    "description": "The webhook's name in the settings.",
    "schema": {"type": "string"},
}
_REQUEST: Final = {
    "name": "request",
    "in": "path",
    "required": True,
    "description": "The request's number.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 256},
}
_SECURITY: Final[dict[Guard, list[dict[str, list[str]]]]] = {
    "none": [],
    # An empty requirement is "or nothing": the key may stand in the body instead.
    "key": [{"writeKey": []}, {"writeKeyInQuery": []}, {}],
    "signature": [],
    "token": [{"token": []}],
}
_REFUSALS: Final[dict[Guard, tuple[int, ...]]] = {
    "none": (),
    "key": (400, 401, 403, 408, 413, 415, 429, 503),
    "signature": (400, 401, 404, 408, 413, 415, 429, 501, 503),
    "token": (400, 401, 403, 404, 429, 503),
}
_PLAIN: Final[dict[str, str]] = {"status.metrics": "text/plain"}

_CALL: Final = {
    "type": "object",
    "description": "A call of Segment's or RudderStack's libraries. Further fields are taken as those libraries send them.",
    "properties": {
        "writeKey": {"type": "string", "description": "Where the header does not carry it."},
        "type": {"type": "string", "enum": list(CALLS)},
        "event": {"type": "string", "description": "The event's name, for track."},
        "messageId": {"type": "string", "maxLength": 256, "description": "Repeats are known by it."},
        "userId": {"type": ["string", "number", "null"]},
        "anonymousId": {"type": ["string", "number", "null"]},
        "timestamp": {"type": ["string", "number", "null"], "description": "ISO-8601, by the sender's clock."},
        "originalTimestamp": {"type": ["string", "number", "null"]},
        "sentAt": {"type": ["string", "number", "null"]},
        "properties": {"type": ["object", "null"]},
        "traits": {"type": ["object", "null"]},
        "context": {"type": ["object", "null"]},
        "previousId": {"type": ["string", "number", "null"]},
        "groupId": {"type": ["string", "number", "null"]},
    },
}
_BATCH: Final = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": {
            "type": "array",
            "minItems": 1,
            "maxItems": MESSAGES_MAX,
            "items": {"$ref": f"{_REF}Call"},
        },
        "writeKey": {"type": "string"},
        "context": {"type": "object", "description": "Merged into each message, whose own fields win."},
        "integrations": {"type": "object"},
        "sentAt": {"type": ["string", "number", "null"]},
    },
}


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Regulars",
            "version": "1",
            "description": "Events in, as Segment's and RudderStack's libraries and signed webhooks send them; profiles out.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": _SCHEMES},
    }


_SCHEMES: Final = {
    "writeKey": {"type": "http", "scheme": "basic", "description": "The write key as user name, no password."},
    "writeKeyInQuery": {
        "type": "apiKey",
        "in": "query",
        "name": "writeKey",
        "description": "For beacons, which send no header.",
    },
    "token": {"type": "http", "scheme": "bearer"},
}


def _operation(route: Route) -> dict[str, Any]:
    group = route.operation.partition(".")[0]
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{route.path.replace('/', '_').replace('{', '').replace('}', '')}",
        "summary": route.summary,
        "tags": [group],
        "security": _SECURITY[route.guard],
        "responses": _responses(route),
    }
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    if route.body:
        operation["requestBody"] = _body(route.body)
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if "{id}" in route.path:
        found.append(_PROFILE_ID)
    if "{source}" in route.path:
        found.append(_SOURCE)
    if "{request}" in route.path:
        found.append(_REQUEST)
    if route.operation == "read.profile":
        found.append(
            {
                "name": "fields",
                "in": "query",
                "required": False,
                "style": "form",
                "explode": False,
                "description": "Only these fields of the document; `id` is always there.",
                "schema": {"type": "array", "items": {"type": "string", "enum": list(FIELDS)}},
            }
        )
    if route.body == "webhook":
        # Which of them has to be there is a matter of the webhook's scheme.
        names = ("webhook-id", "webhook-timestamp", "webhook-signature", "X-CIO-Timestamp", "X-CIO-Signature")
        found += [_header(name, required=False) for name in names]
    if route.body == "shopify":
        found += [_header(name) for name in ("X-Shopify-Hmac-SHA256", "X-Shopify-Webhook-Id")]
    return found


def _header(name: str, *, required: bool = True) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": {"type": "string"}}


def _body(body: Body) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    if body in {"call", "batch", "asked", "splitAsked"}:
        schema = {"$ref": f"{_REF}{body[0].upper()}{body[1:]}"}
    content = {_JSON: {"schema": schema}}
    if body in {"call", "batch"}:
        # Browsers send JSON under this name to save a preflight.
        content["text/plain"] = {"schema": schema}
    return {"required": True, "content": content, "description": "Plain or, with Content-Encoding, gzip."}


def _responses(route: Route) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done." if route.status == 200 else "Taken; it is carried out soon."}
    responses: dict[str, Any] = {str(route.status): good}
    if route.answers:
        good["content"] = {_JSON: {"schema": {"$ref": f"{_REF}{route.answers}"}}}
    elif route.operation in _PLAIN:
        good["content"] = {_PLAIN[route.operation]: {"schema": {"type": "string"}}}
    else:
        good["content"] = {_JSON: {"schema": {"type": "object"}}}
    if route.operation in {"read.profile", "read.segments", "read.cart"}:
        responses["304"] = {"description": "Unchanged: If-None-Match names the present ETag."}
    if route.operation == "status.ready":
        responses["503"] = {
            "description": "Not now.",
            "content": {_JSON: {"schema": {"$ref": f"{_REF}{route.answers}"}}},
        }
    refusals = _REFUSALS[route.guard]
    if route.guard == "token" and route.body:
        refusals = tuple(sorted({*refusals, *_REFUSALS["key"]}))
    for status in refusals:
        reasons = [f"`{reason}`" for reason, known in REASONS.items() if known.status == status]
        responses[str(status)] = {
            "description": f"Refused: {', '.join(reasons)}.",
            "content": {PROBLEM_TYPE: {"schema": {"$ref": f"{_REF}Problem"}}},
        }
        if status in {429, 503}:
            responses[str(status)]["headers"] = {
                "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
            }
    return responses


def _schemas() -> dict[str, Any]:
    kinds = [Problem, ProfileDocument, CartShown, NextTrigger, Asked, SplitAsked, Receipt]
    _, made = msgspec.json.schema_components(kinds, ref_template=_REF + "{name}")
    for asked in ("Asked", "SplitAsked"):
        made[asked] |= {"anyOf": [{"required": [kind]} for kind in ID_TYPES]}
    segments = {"type": "array", "items": {"type": "string"}}
    customer = {"type": "string", "description": "The profile's id, type:value."}
    return {
        **{name: _tidy(schema) for name, schema in made.items()},
        "Call": _CALL,
        "Batch": _BATCH,
        "Success": {"type": "object", "required": ["success"], "properties": {"success": {"const": True}}},
        "Accepted": _object({"request_id": {"type": "string"}}),
        "Health": {
            "type": "object",
            "required": ["status", "reason"],
            "properties": {"status": {"enum": ["ok", "away", "stopping"]}, "reason": {"type": "string"}},
        },
        "Segments": _object({"id": customer, "segments": segments}),
        "Cart": _object({"id": customer, "cart": _or_null("CartShown")}),
        "Next": _object({"id": customer, "trigger": _or_null("NextTrigger")}),
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _or_null(name: str) -> dict[str, Any]:
    return {"anyOf": [{"$ref": f"{_REF}{name}"}, {"type": "null"}]}


def _tidy(value: Any) -> Any:
    """Descriptions on one line: they are docstrings, indented as code."""
    if isinstance(value, dict):
        return {
            name: " ".join(item.split()) if name == "description" and isinstance(item, str) else _tidy(item)
            for name, item in value.items()
        }
    return [_tidy(item) for item in value] if isinstance(value, list) else value
