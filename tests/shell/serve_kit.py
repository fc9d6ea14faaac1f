"""The HTTP side without a server: requests go straight into the app, the log and the table are in memory, the clock stands."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec

from profiles.book import Book
from profiles.goods_state import Good
from profiles.profile import Profile
from profiles.state import encode
from streams.home import home_partition
from streams.memory_table import MemoryTable
from streams.serve.answer import Answer
from streams.serve.build import Served, build, make_budget
from streams.serve.call import Call
from streams.serve.memory_event_log import MemoryEventLog
from streams.settings import build_settings
from streams.table import Commit

NOW_MS = 1_772_409_600_000  # 2026-03-02T00:00:00Z
PARTITIONS = 8
WEB_KEY = "wk_web_12345678"
BACK_KEY = "sk_back_1234567"
PAGE = "https://shop.example"
TOKEN = "a-token-of-thirty-two-random-bytes"
DESK_TOKEN = "the-token-of-who-answers-customers"
SHOPIFY_SECRETS = ("shpss_the_new_one", "shpss_the_old_one")
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

DOCUMENT: dict[str, Any] = {
    "shop": {"currency": "EUR"},
    "kafka": {"partitions": PARTITIONS},
    "sources": {
        "web": {"key": WEB_KEY, "kind": "client", "origins": [PAGE]},
        "back": {"key": BACK_KEY, "kind": "server"},
    },
    "webhooks": {
        "myshop": {"scheme": "shopify", "secrets": list(SHOPIFY_SECRETS)},
        "old_till": {"scheme": "shopify", "secrets": [SHOPIFY_SECRETS[0]], "format": "segment"},
        "partner": {"scheme": "standard", "secrets": [STANDARD_SECRET]},
        "currents": {"scheme": "standard", "secrets": [STANDARD_SECRET], "format": "braze"},
    },
    "tokens": {
        "crm": {"sha256": sha256(TOKEN.encode()).hexdigest(), "scopes": ["profiles", "segments", "carts", "next"]},
        "desk": {"sha256": sha256(DESK_TOKEN.encode()).hexdigest(), "scopes": ["privacy"]},
        "page": {"sha256": sha256(b"next-only-token").hexdigest(), "scopes": ["next"], "per_second": 2},
    },
}


@dataclass
class Site:
    """A running app. `ask` is a request; `rows` is what was written to the log."""

    served: Served
    log: MemoryEventLog
    table: MemoryTable
    now_ms: int = NOW_MS
    mono_s: float = 1000.0
    headers: dict[str, str] = field(default_factory=dict)

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        path, _, query = path.partition("?")
        chunks = [body] if isinstance(body, bytes) else body

        async def parts() -> AsyncIterator[bytes]:
            for chunk in chunks:
                if chunk:
                    yield chunk

        given = {name.lower(): value for name, value in (self.headers | dict(headers or {})).items()}
        return await self.served.app.answer(Call(method, path, query, given, parts()))

    def ask(
        self,
        method: str,
        path: str,
        body: Any = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return asyncio.run(self.call(method, path, raw, headers))

    def post(self, path: str, body: Any, key: str = BACK_KEY, **headers: str) -> Answer:
        """A tracking call with a write key."""
        return self.ask("POST", path, body, {**basic(key), **{k.replace("_", "-"): v for k, v in headers.items()}})

    def get(self, path: str, token: str = TOKEN, **headers: str) -> Answer:
        return self.ask(
            "GET",
            path,
            headers={"Authorization": f"Bearer {token}", **{k.replace("_", "-"): v for k, v in headers.items()}},
        )

    @property
    def events(self) -> list[dict[str, Any]]:
        """Values of the rows that are events, in their order."""
        return [json.loads(row.value) for row in self.log.rows if row.topic != "rejected"]

    @property
    def rejected(self) -> list[dict[str, Any]]:
        return [json.loads(row.value) for row in self.log.rows if row.topic == "rejected"]

    def store(self, *profiles: Profile) -> None:
        for profile in profiles:
            self._commit(
                home_partition(profile.id.partition(":")[2], PARTITIONS), profiles={profile.id: encode(profile)}
            )

    def know(self, product: str, good: Good) -> None:
        """Every partition has heard this of a product."""
        for partition in range(PARTITIONS):
            self._commit(partition, goods={product: encode(good)})

    def _commit(self, partition: int, **changes: Any) -> None:
        async def commit() -> None:
            claim = await self.table.claim(partition)
            meta = claim.meta
            await self.table.commit(partition, Commit(token=meta.token, expected=meta.commits, **changes))

        asyncio.run(commit())

    def metric(self, name: str, **labels: str) -> float:
        return self.served.metrics.value(name, **labels)


def site(book: Book | None = None, **sections: Mapping[str, Any]) -> Site:
    """An app by DOCUMENT; `sections` are added to it, name by name."""
    document = {**DOCUMENT, **{name: {**DOCUMENT.get(name, {}), **table} for name, table in sections.items()}}
    settings = build_settings(document)
    log, table = MemoryEventLog(), MemoryTable()
    made: Site
    served = build(
        settings,
        book=book or Book(shop_currency="EUR"),
        log=log,
        table=table,
        budget=make_budget(settings),
        now_ms=lambda: made.now_ms,
        mono_s=lambda: made.mono_s,
    )
    made = Site(served, log, table)
    return made


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def told(answer: Answer) -> dict[str, Any]:
    """The JSON of an answer."""
    found: dict[str, Any] = msgspec.json.decode(answer.body)
    return found


def refused(answer: Answer) -> tuple[int, str]:
    """Status and reason of a refusal, whose form is checked."""
    problem = told(answer)
    assert answer.content_type == "application/problem+json"
    assert problem["status"] == answer.status
    assert problem["title"]
    assert problem["detail"]
    assert (problem["code"], bool(problem["message"])) == (problem["reason"], True)
    return answer.status, problem["reason"]


def unread() -> Iterator[bytes]:
    """A body that must not be read."""
    return map(_complain, ("x",))


def _complain(_: str) -> bytes:
    raise AssertionError("the body was read")


def viewed(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A track call: a product was viewed."""
    return {
        "type": "track",
        "event": "Product Viewed",
        "messageId": f"m{number}",
        "userId": "u1",
        "properties": {"product_id": f"p{number}", "price": "9.90", "currency": "EUR"},
        **fields,
    }
