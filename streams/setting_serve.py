"""The settings of `regulars serve`: the HTTP side, and who may call it.

`Serve` is a section like the others. `Source`, `Webhook` and `Token` are entries: there may be many, each under a name of
the operator's choice, as tables `[sources.web]`, `[webhooks.shop]`, `[tokens.crm]`.
"""

from typing import Annotated, Literal

from msgspec import Meta

from schemas.trust import PROTECTED_TRAITS
from streams.setting import Section, about, form
from streams.setting_raw import Raw
from streams.setting_relay import Relay

Origin = Annotated[
    str,
    form(r"^(\*|https?://[A-Za-z0-9.\-]+(:\d{1,5})?)$", "an origin without a path, such as https://shop.example, or *"),
]
Secret = Annotated[str, Meta(min_length=8, max_length=512)]
Scope = Literal["profiles", "segments", "carts", "next", "privacy"]


class Serve(Section, frozen=True, kw_only=True):
    """The HTTP side: events in, webhooks in, profiles out."""

    host: Annotated[
        str,
        about(
            "Address to listen on.",
            unit="address",
            why="Trackers and shops come from other machines.",
            extremes="127.0.0.1: only this machine, behind a proxy on it.",
        ),
    ] = "0.0.0.0"  # noqa: S104 - a collector is called from outside
    port: Annotated[
        int,
        about(
            "Port to listen on.",
            unit="port",
            ge=0,
            le=65_535,
            why="Beside the worker's pages on 8080.",
            extremes="0: any free port, which the log names; for tests.",
        ),
    ] = 8000
    event_bytes: Annotated[
        int,
        about(
            "Larger events are set aside, or refused where they come alone. What a batch says of all counts for each.",
            unit="bytes",
            ge=1024,
            le=1_000_000,
            why="What Segment and RudderStack allow.",
            extremes="Small: big carts are set aside. Large: a client may fill the log with little effort.",
        ),
    ] = 32 * 1024
    batch_bytes: Annotated[
        int,
        about(
            "Larger request bodies are refused, before and after inflating.",
            unit="bytes",
            ge=1024,
            le=67_108_864,
            why="Segment's limit. RudderStack's is 4,096,000: set it where its libraries send large batches.",
            extremes="Small: batches are refused as a whole. Large: memory, times requests at once.",
        ),
    ] = 512_000
    inflight_bytes: Annotated[
        int,
        about(
            "Bytes of requests and records in memory before further requests are told to come back (429).",
            unit="bytes",
            ge=65_536,
            le=8_589_934_592,
            why="About a second of a busy shop.",
            extremes="Small: 429 in ordinary bursts. Below batch_bytes is refused at start. Large: memory while Kafka is slow.",
        ),
    ] = 64 * 1024 * 1024
    inflight_records: Annotated[
        int,
        about(
            "Records handed to Kafka's client and not yet acknowledged before requests are told to come back (429).",
            unit="records",
            ge=100,
            le=10_000_000,
            why="As inflight_bytes, for small records, whose bookkeeping weighs more than they do.",
            extremes="Small: 429 in ordinary bursts. Large: memory while Kafka is slow.",
        ),
    ] = 50_000
    body_timeout_ms: Annotated[
        int,
        about(
            "How long a client may take to send its request, headers and body each.",
            unit="ms",
            ge=100,
            le=300_000,
            why="A slow phone needs a few seconds for a batch.",
            extremes="Short: slow clients are refused (408). Long: idle connections hold memory.",
        ),
    ] = 10_000
    write_timeout_ms: Annotated[
        int,
        about(
            "How long to wait for Kafka before the client is told to come back (503).",
            unit="ms",
            ge=100,
            le=60_000,
            why="Shopify gives up after five seconds.",
            extremes="Short: 503 while a broker changes its leader. Long: clients hang while Kafka is away.",
        ),
    ] = 4_000
    shutdown_ms: Annotated[
        int,
        about(
            "How long requests under way may take to end when the server is told to stop.",
            unit="ms",
            ge=0,
            le=300_000,
            why="Longer than a request may take to be read and written.",
            extremes="Short: clients see broken connections and send again. Nothing acknowledged is lost.",
        ),
    ] = 15_000
    protected_traits: Annotated[
        tuple[str, ...],
        about(
            "Traits that a client key may not set; case, spaces, dots, dashes and underscores do not matter.",
            unit="names",
            why="Those that give rights, money or a segment.",
            extremes="Empty: anybody with a browser sets any trait of herself.",
        ),
    ] = PROTECTED_TRAITS
    profile_origins: Annotated[
        tuple[Origin, ...],
        about(
            "Web pages that may read profiles with a token (CORS).",
            unit="origins",
            why="None: a token in a web page is a token for everybody.",
            extremes="Only with tokens of the scope `next` and on a network of your own.",
        ),
    ] = ()


class Source(Section, frozen=True, kw_only=True):
    """A sender of events: `[sources.web]`. Its name is the namespace of its message ids."""

    key: Annotated[
        str,
        form("^[!-9;-~]{8,128}$", "8 to 128 characters without spaces and colons"),
        about(
            "Write key, the user name of Basic authentication or `writeKey` in the body.",
            secret=True,
            why="None is given: make a long random one.",
            extremes="8 to 128 characters without spaces and colons. Whoever has it may send as this source.",
        ),
    ]
    kind: Annotated[
        Literal["client", "server"],
        about(
            "`client`: the key stands in a web page or an app. `server`: it is a secret of yours.",
            why="None is given: the wrong one is a hole or a loss.",
            extremes="A client key may not alias, set protected traits or report refunds; see the trust model.",
        ),
    ]
    origins: Annotated[
        tuple[Origin, ...],
        about(
            "Web origins that may send with this key (https://shop.example), `*` for all.",
            unit="origins",
            why="None: no web page.",
            extremes="It keeps other people's pages out, not programs. A server key takes none at all.",
        ),
    ] = ()


class Webhook(Section, frozen=True, kw_only=True):
    """A sender of signed webhooks: `[webhooks.shop]`. Its name stands in the URL and is the source of its events."""

    scheme: Annotated[
        Literal["shopify", "standard", "customerio", "bearer"],
        about(
            "How a sender shows who it is: it signs bodies as Shopify, Standard Webhooks or Customer.io do, or sends a token.",
            why="None is given.",
            extremes="It decides the URL: /v1/webhooks/shopify/<name>, for all others /v1/webhooks/<name>. A token "
            "(Authorization: Bearer) vouches for the sender, not for the body.",
        ),
    ]
    secrets: Annotated[
        tuple[Secret, ...],
        Meta(min_length=1, max_length=2),
        about(
            "Signing secrets, one or (while they are exchanged) two.",
            secret=True,
            why="None is given.",
            extremes="Standard Webhooks: base64, with or without `whsec_`. Remove the old one when the change is over.",
        ),
    ]
    format: Annotated[
        str,
        about(
            "What the bodies are, by the name of a source that is known.",
            why="Empty: `shopify` and `customerio` for these schemes, else `segment` (one call or a batch).",
            extremes="Another name is refused at start.",
        ),
    ] = ""


class Token(Section, frozen=True, kw_only=True):
    """Who may read profiles: `[tokens.crm]`. The token itself is not kept, only its hash."""

    sha256: Annotated[
        str,
        form("^[0-9a-f]{64}$", "64 digits of 0-9 and a-f, as sha256sum prints them"),
        about(
            "SHA-256 of the token in lower-case hexadecimal.",
            why="None is given. `printf %s TOKEN | sha256sum` tells it.",
            extremes="Of a token with 32 random bytes nobody finds the token; of a short one anybody does.",
        ),
    ]
    scopes: Annotated[
        tuple[Scope, ...],
        Meta(min_length=1),
        about(
            "What it may read: `profiles` (all of a document), `segments`, `carts`, `next`; with `privacy` it may have "
            "customers suppressed, erased, anonymised or exported, and read the receipts.",
            unit="names",
            why="None is given: as few as will do.",
            extremes="`profiles` includes e-mail and phone. Who has `privacy` can erase everybody, one by one.",
        ),
    ]
    per_second: Annotated[
        int,
        about(
            "Requests a second it may make, per process.",
            unit="requests/s",
            ge=1,
            le=100_000,
            why="A few pages at once for each visitor of a busy shop.",
            extremes="Beyond it requests are answered with 429; up to a second's worth may come at once.",
        ),
    ] = 1000


ENTRIES: dict[str, type[Section]] = {
    "sources": Source, "webhooks": Webhook, "tokens": Token, "relays": Relay, "raw": Raw,
}  # fmt: skip
"""The tables of named entries, by the name of the table."""
