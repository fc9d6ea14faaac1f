"""What an HTTP answer is here, and the one form of every refusal: a problem document (RFC 9457).

A refusal is raised as `Refusal` wherever it is found and becomes an answer in `streams.serve.app`.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

PROBLEM_TYPE: Final = "application/problem+json"
JSON_TYPE: Final = "application/json"


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A refusal as JSON. `reason` is a stable code for programs, `detail` is for people.

    `code` and `message` say the same once more, where the libraries of Segment and RudderStack for Python look for it:
    without them some take a refusal for a network failure and repeat it.
    """

    title: str
    status: int
    reason: str
    detail: str
    code: str
    message: str


class Reason(Struct, frozen=True):
    """Why a request is refused: HTTP status, title, and what the caller can do."""

    status: int
    title: str
    remedy: str


REASONS: Final[dict[str, Reason]] = {
    "not_json": Reason(400, "The body is not JSON", "Send one UTF-8 JSON document made by a JSON library."),
    "wrong_shape": Reason(400, "The request has not the shape of this call", "See the OpenAPI document."),
    "empty_batch": Reason(400, "The batch holds no message", "Do not send it."),
    "bad_encoding": Reason(400, "The body is not what Content-Encoding says", "Send whole gzip data, or none."),
    "cut_off": Reason(400, "The body ended early", "Send it again."),
    "unknown_field": Reason(400, "A field that was asked for does not exist", "See the profile schema."),
    "bad_id": Reason(400, "The path names no identifier", "Write type:value, percent-encoded, such as user_id:2375."),
    "no_key": Reason(401, "No valid write key", "Send it as user name of Basic authentication or as writeKey."),
    "no_token": Reason(401, "No valid token", "Send it as Authorization: Bearer."),
    "bad_signature": Reason(401, "The signature does not fit", "Compare the signing secret; sign the raw bytes."),
    "stale": Reason(401, "The signed time is not now", "Set the sender's clock; signatures are good for five minutes."),
    "origin": Reason(403, "This web page may not send with this key", "Add its origin to the source's `origins`."),
    "server_key_in_page": Reason(
        403, "A server key was sent from a web page", "Exchange the key: it is public now. Use a client key in pages."
    ),
    "scope": Reason(403, "The token may not read this", "Add the scope to the token's settings."),
    "not_found": Reason(404, "There is nothing here", "Look at the path."),
    "no_profile": Reason(404, "No such customer", "Look at the identifier's type and spelling."),
    "nobody": Reason(404, "These identifiers name nobody", "Send the values as your trackers send them."),
    "no_request": Reason(404, "No such request", "It has not been answered yet: ask again, or look at the number."),
    "method": Reason(405, "This path does not take this method", "See the OpenAPI document."),
    "slow_body": Reason(408, "The body did not arrive in time", "Send again, or smaller batches."),
    "too_large": Reason(413, "The body is too large", "Send smaller batches; events have at most 32 KB by default."),
    "too_many": Reason(413, "The batch holds too many messages", "Send at most 2,500 in one batch."),
    "content_type": Reason(415, "The body's type is not taken", "Send application/json."),
    "content_encoding": Reason(415, "The body's encoding is not taken", "Send gzip or no encoding."),
    "busy": Reason(429, "Too much is under way", "Send again after Retry-After."),
    "rate": Reason(429, "This token asks too often", "Ask again after Retry-After."),
    "fault": Reason(500, "The collector failed", "Send again; report it if it stays."),
    "kafka_away": Reason(503, "The log does not take events now", "Send again after Retry-After."),
    "store_away": Reason(503, "The profile store does not answer", "Ask again after Retry-After."),
    "stopping": Reason(503, "This process is stopping", "Send again: another process answers."),
}
"""Every reason why a request is refused as a whole. Label of a metric, and `reason` in the problem document."""


class Refusal(Exception):
    """A request that is answered with a problem document. `headers` are added to the answer."""

    def __init__(self, reason: str, detail: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.headers = dict(headers or {})


class Answer(Struct, frozen=True):
    """Status, body and headers of an answer."""

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: dict[str, str] = {}
    reason: str = ""


def json_answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer of JSON."""
    return Answer(status, msgspec.json.encode(value), headers=dict(headers or {}))


def problem_answer(refusal: Refusal) -> Answer:
    """The answer that a refusal becomes."""
    known = REASONS[refusal.reason]
    detail = f"{refusal.detail}. {known.remedy}" if refusal.detail else known.remedy
    problem = Problem(
        title=known.title,
        status=known.status,
        reason=refusal.reason,
        detail=detail,
        code=refusal.reason,
        message=f"{known.title}: {detail}",
    )
    headers = refusal.headers
    if known.status == 401 and refusal.reason in {"no_key", "no_token"}:
        scheme = "Basic" if refusal.reason == "no_key" else "Bearer"
        headers = {"WWW-Authenticate": f'{scheme} realm="regulars"'} | headers
    return Answer(known.status, msgspec.json.encode(problem), PROBLEM_TYPE, headers, refusal.reason)
