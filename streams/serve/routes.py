"""Every path there is, in one table: what answers it, who may call it, and what it answers. The OpenAPI document is made of it.

A placeholder of a path stands for one part between slashes, percent-decoded.
"""

from collections.abc import Iterable
from typing import Final, Literal
from urllib.parse import unquote

from msgspec import Struct

Guard = Literal["none", "key", "signature", "token"]
Body = Literal["", "call", "batch", "webhook", "shopify", "asked", "splitAsked"]


class Route(Struct, frozen=True, kw_only=True):
    """One path. `operation` names the handler (group.method), `answers` the schema of what is answered with `status`."""

    method: Literal["GET", "POST"]
    path: str
    operation: str
    summary: str
    guard: Guard = "none"
    body: Body = ""
    answers: str = ""
    status: int = 200


def _call(name: str, what: str) -> Route:
    return Route(
        method="POST", path=f"/v1/{name}", operation="collect.track", summary=what, guard="key", body="call",
        answers="Success",
    )  # fmt: skip


def _batch(path: str, what: str) -> Route:
    return Route(
        method="POST", path=path, operation="collect.batch", summary=what, guard="key", body="batch", answers="Success"
    )


def _profile(tail: str, operation: str, summary: str, answers: str) -> Route:
    path = f"/v1/profiles/{{id}}{tail}"
    return Route(method="GET", path=path, operation=operation, summary=summary, guard="token", answers=answers)


def _privacy(name: str, summary: str, body: Body = "asked") -> Route:
    return Route(
        method="POST", path=f"/v1/privacy/{name}", operation="privacy.ask", summary=summary, guard="token", body=body,
        answers="Accepted", status=202,
    )  # fmt: skip


ROUTES: Final[tuple[Route, ...]] = (
    _call("identify", "Who a visitor is."),
    _call("track", "Something a visitor did."),
    _call("page", "A page was seen."),
    _call("screen", "A screen of an app was seen."),
    _call("group", "A visitor belongs to a company."),
    _call("alias", "Two ids are one customer. Server keys only."),
    _call("merge", "Identifiers that are one customer's, as RudderStack says it; it counts as identify."),
    _call("i", "identify, as Segment's browser library calls it."),
    _call("t", "track, as Segment's browser library calls it."),
    _call("p", "page, as Segment's browser library calls it."),
    _call("s", "screen, as Segment's browser library calls it."),
    _call("g", "group, as Segment's browser library calls it."),
    _call("a", "alias, as Segment's browser library calls it."),
    _batch("/v1/batch", "Many calls at once."),
    _batch("/v1/import", "Many calls at once, as older Segment libraries call it."),
    _batch("/v1/b", "Many calls at once, as Segment's browser library calls it."),
    _batch("/beacon/v1/batch", "Many calls at once, sent as a page is left; the key is the parameter `writeKey`."),
    Route(
        method="POST", path="/v1/webhooks/shopify/{source}", operation="collect.shopify", guard="signature",
        summary="A webhook of Shopify.", body="shopify", answers="Success",
    ),
    Route(
        method="POST", path="/v1/webhooks/{source}", operation="collect.webhook", guard="signature",
        summary="A webhook signed as Standard Webhooks or Customer.io say, or with a token.", body="webhook", answers="Success",
    ),
    _profile("", "read.profile", "A customer's profile document, or the fields asked for.", "ProfileDocument"),
    _profile("/segments", "read.segments", "The segments a customer is in.", "Segments"),
    _profile("/cart", "read.cart", "A customer's newest cart with items, or null.", "Cart"),
    _profile("/next", "read.next", "The best trigger for a customer who is in the shop now, or null.", "Next"),
    _privacy("suppress", "Collect nothing more about a customer and send nothing."),
    _privacy("unsuppress", "Take a suppression or an erasure back."),
    _privacy("erase", "Erase everything that is known of a customer."),
    _privacy("export", "Hand out everything that is known of a customer, on the topic `exports`."),
    _privacy("anonymise", "Erase who a customer is; the shop's figures stay."),
    _privacy("split", "Take an identifier out of a customer's profile: they were united by mistake.", "splitAsked"),
    Route(
        method="GET", path="/v1/privacy/requests/{request}", operation="privacy.receipt", guard="token",
        summary="What has become of a privacy request.", answers="Receipt",
    ),
    Route(method="GET", path="/health", operation="status.health", summary="Whether the process runs.", answers="Health"),
    Route(
        method="GET", path="/ready", operation="status.ready", summary="Whether it takes events now.", answers="Health"
    ),
    Route(method="GET", path="/metrics", operation="status.metrics", summary="Figures for Prometheus."),
    Route(method="GET", path="/openapi.json", operation="status.openapi", summary="This document."),
)  # fmt: skip
"""Every path, the more special before the more general."""


class Found(Struct, frozen=True):
    """The route of a path, the values of its placeholders, and the methods the path takes."""

    route: Route | None
    parts: dict[str, str]
    methods: tuple[str, ...]


class Router:
    """Finds the route of a request: by the path as it is, else by its parts."""

    def __init__(self, routes: Iterable[Route] = ROUTES) -> None:
        self._plain: dict[str, list[Route]] = {}
        self._with_parts: list[tuple[list[str], Route]] = []
        for route in routes:
            if "{" in route.path:
                self._with_parts.append((route.path.split("/"), route))
            else:
                self._plain.setdefault(route.path, []).append(route)

    def find(self, method: str, path: str) -> Found | None:
        """What answers `method` on a percent-encoded path; None where the path does not exist."""
        plain = self._plain.get(path)
        if plain is not None:
            return _of(plain, method, {})
        parts = path.split("/")
        for pattern, route in self._with_parts:
            values = _values(pattern, parts)
            if values is not None:
                return _of([route], method, values)
        return None


def _of(routes: list[Route], method: str, parts: dict[str, str]) -> Found:
    wanted = "GET" if method == "HEAD" else method
    route = next((route for route in routes if route.method == wanted), None)
    return Found(route, parts, tuple(route.method for route in routes))


def _values(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    values: dict[str, str] = {}
    for want, part in zip(pattern, parts, strict=True):
        if want.startswith("{"):
            if not part:
                return None
            values[want[1:-1]] = unquote(part)
        elif want != part:
            return None
    return values
