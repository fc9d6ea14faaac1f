"""The sections of the settings but Kafka's, which has a module of its own."""

from typing import Annotated, Literal

from streams.setting import Section, about, form


class Shop(Section, frozen=True, kw_only=True):
    """Whose events these are. One installation serves one shop."""

    id: Annotated[
        str,
        about(
            "Name of the shop in triggers and trigger ids.",
            why="A single shop needs no other name.",
            extremes="Changing it changes every future trigger id: subscribers can then not recognise repeats.",
        ),
    ] = "shop"
    currency: Annotated[
        str,
        form("^[A-Z]{3}$", "three capital letters, such as EUR"),
        about(
            "ISO 4217 code of the currency in which lifetime value is kept.",
            unit="currency code",
            why="The most common one in sample data.",
            extremes="Changing it on a running installation needs a rebuild: totals are kept in minor units of it.",
        ),
    ] = "USD"
    timezone: Annotated[
        str,
        about(
            "IANA time zone for customers whose own is unknown.",
            unit="zone name",
            why="Neutral where nothing is known.",
            extremes="An unknown name is refused at start.",
        ),
    ] = "UTC"
    phone_region: Annotated[
        str,
        form("^([A-Z]{2})?$", "two capital letters, such as DE"),
        about(
            "Country whose phone numbers customers type without a country code (ISO 3166-1: two capital letters, GB and not UK).",
            unit="country code",
            why="Empty: only international numbers identify somebody, since a guessed country would join strangers.",
            extremes="A code without a numbering plan is refused at start. Changing it changes whom a national number names.",
        ),
    ] = ""
    fold_emails: Annotated[
        bool,
        about(
            "Take two spellings of one mailbox for one address: name+anything is name at providers who deliver it so (Gmail, "
            "Outlook, iCloud, Fastmail, Proton), and Gmail's dots do not count.",
            why="Off: whoever gives two addresses may want to be two customers.",
            extremes="On, the address known and written to is the shorter one. Changing it makes strangers of those it concerns.",
        ),
    ] = False


class Files(Section, frozen=True, kw_only=True):
    """Documents read at start; workers take changed rules while they run. Paths are relative to the working directory."""

    rules: Annotated[
        str,
        about(
            "The rules document (TOML): which triggers there are and how they behave.",
            unit="path",
            why="Empty: the built-in rules.",
            extremes="A document with an unknown name is refused at start.",
        ),
    ] = ""
    catalogue: Annotated[
        str,
        about(
            "Product facts (CSV or JSON lines: product_id, name, url, cost, category, supply_days ...).",
            unit="path",
            why="Empty: no product is known but by events of the catalogue.",
            extremes="All products are held in memory, about 1 KB each. Other columns are left alone; one that is almost one of "
            "these is told of in the log.",
        ),
    ] = ""
    models: Annotated[
        str,
        about(
            "A document of models made by `regulars fit --out FILE`, for runs in memory.",
            unit="path",
            why="Empty: workers and `regulars serve` take those that `regulars fit` left in Redis.",
            extremes="Models in Redis win over the file.",
        ),
    ] = ""
    rates: Annotated[
        str,
        about(
            "Dated exchange rates into the shop currency (CSV: date, currency, rate).",
            unit="path",
            why="Empty: orders in other currencies are kept in theirs and not converted.",
            extremes="An order older than the first rate of its currency is not converted.",
        ),
    ] = ""
    sources: Annotated[
        str,
        about(
            "How the shop fills in what its trackers send (TOML: a table for each source, see the reference of sources).",
            unit="path",
            why="Empty: as the documents of each tracker ask for.",
            extremes="A document with an unknown source or option is refused at start.",
        ),
    ] = ""
    tracking_plan: Annotated[
        str,
        about(
            "What the shop wants of its events beyond what every event must be (JSON: a JSON Schema for each event's name).",
            unit="path",
            why="Empty: events are held against their canonical form alone, and nothing more is paid for.",
            extremes="Each planned event costs some microseconds; a document that is no plan is refused at start.",
        ),
    ] = ""


class Protection(Section, frozen=True, kw_only=True):
    """Whether e-mail addresses and phone numbers are kept in clear text."""

    key_file: Annotated[
        str,
        about(
            "Keys (TOML: `identifiers`, `contacts`) under which e-mail addresses and phone numbers are hashed and encrypted.",
            unit="path",
            why="Empty: they are kept as they come. Keys are read from a file alone, so that none stands in settings or in an "
            "environment.",
            extremes="It is for a new installation: one that was made without it, or with another key, refuses to start. Lost "
            "keys make addresses unreadable for ever, and known customers strangers.",
        ),
    ] = ""
    ids: Annotated[
        Literal["addresses", "all"],
        about(
            "Which identifiers of other types (user, loyalty and device ids, cart tokens) are protected too: those that hold an "
            "e-mail address or are a phone number with its + or leading zero, or `all`.",
            why="Ids that tell nobody anything stay readable in keys and topics.",
            extremes="`all` is for shops whose ids are phone numbers written otherwise, or tell of a person in another way; each "
            "event costs some microseconds more. Like the keys it can't be changed on a running installation.",
        ),
    ] = "addresses"


class Redis(Section, frozen=True, kw_only=True):
    """The table of profiles."""

    url: Annotated[
        str,
        about(
            "Where Redis is: redis://[user:password@]host:port/db, rediss:// for TLS, redis+cluster:// for a cluster.",
            unit="URL",
            why="A Redis on this machine.",
            extremes="TLS settings are parameters of the URL (ssl_ca_certs=..., ssl_certfile=..., ssl_keyfile=...).",
        ),
    ] = "redis://127.0.0.1:6379/0"
    durable_elsewhere: Annotated[
        bool,
        about(
            "Accept a Redis without append-only file, because the service keeps a log of its own.",
            why="An ordinary Redis without it forgets customers at each restart.",
            extremes="True with an ordinary Redis: profiles of the last snapshot at best.",
        ),
    ] = False
    prefix: Annotated[
        str,
        form("^[A-Za-z0-9._:-]{1,100}$", "1 to 100 letters, digits, `.`, `_`, `:` and `-`"),
        about(
            "First part of every key.",
            why="The product's name.",
            extremes="Two installations on one Redis need two prefixes. Braces would break the hash tags.",
        ),
    ] = "regulars"
    compressed: Annotated[
        bool,
        about(
            "Write profiles and ledgers compressed (zstd).",
            why="They take a third of the memory, and what it costs the worker Redis saves. Both forms are read, so it can "
            "be changed at any time.",
            extremes="False: 5 % more events/s for a worker, anybody reads them with `GET`, a third as many customers in "
            "Redis.",
        ),
    ] = True
    timeout_ms: Annotated[
        int,
        about(
            "How long to wait for Redis before asking what became of a call.",
            unit="ms",
            ge=50,
            le=60_000,
            why="Far above any healthy answer, and below the session timeout.",
            extremes="Short: healthy pauses (a fork, an fsync) look like trouble. Long: slow to notice a dead Redis.",
        ),
    ] = 5000


class Clock(Section, frozen=True, kw_only=True):
    """How order and time are judged."""

    disorder_ms: Annotated[
        int,
        about(
            "How far the clock stays behind the newest event.",
            unit="ms",
            ge=0,
            le=3_600_000,
            why="Trackers deliver within a minute.",
            extremes="0: an event a second late finds its timers fired. Long: everything fires that much later.",
        ),
    ] = 60_000
    grace_ms: Annotated[
        int,
        about(
            "How far a quiet partition's clock stays behind the wall clock.",
            unit="ms",
            ge=0,
            le=3_600_000,
            why="As disorder_ms: events of the last minute may still be on their way to Kafka.",
            extremes="0: a timer may fire before an event that was already sent. Long: timers fire that much later.",
        ),
    ] = 60_000


class Limits(Section, frozen=True, kw_only=True):
    """Bounds of memory and of one unit of work."""

    inbox_records: Annotated[
        int,
        about(
            "Records waiting in memory for one partition of one topic before it is paused.",
            unit="records",
            ge=1,
            le=1_000_000,
            why="Several chunks, so that work never waits for a fetch.",
            extremes="1: each chunk is waited for. Large: memory, times topics and partitions.",
        ),
    ] = 8000
    batch_records: Annotated[
        int,
        about(
            "Most records in one commit.",
            unit="records",
            ge=1,
            le=100_000,
            why="Under load several events of a customer share one write; a commit holds at most 1,000 profiles anyway.",
            extremes="1: a round trip for each event. Large: a slow script stalls everybody on that Redis.",
        ),
    ] = 4000
    cache_profiles: Annotated[
        int,
        about(
            "Profiles kept decoded in memory, over all partitions of a worker.",
            unit="profiles",
            ge=100,
            le=10_000_000,
            why="About 3 GB of typical buyers, at 16 KB each.",
            extremes="Small: more loads. Large: memory.",
        ),
    ] = 200_000
    record_bytes: Annotated[
        int,
        about(
            "Larger events are set aside.",
            unit="bytes",
            ge=1024,
            le=67_108_864,
            why="Brokers refuse more than about 1 MB by default.",
            extremes="Small: big orders are set aside.",
        ),
    ] = 1_000_000


class Http(Section, frozen=True, kw_only=True):
    """The worker's own pages: /health, /live and /metrics."""

    host: Annotated[
        str,
        about(
            "Address to listen on.",
            unit="address",
            why="Probes and Prometheus come from other machines.",
            extremes="127.0.0.1: only this machine. Nothing there names a customer.",
        ),
    ] = "0.0.0.0"  # noqa: S104 - containers are probed from outside
    port: Annotated[
        int,
        about(
            "Port to listen on.",
            unit="port",
            ge=0,
            le=65_535,
            why="The usual one for such pages.",
            extremes="0: none of these pages.",
        ),
    ] = 8080


class Health(Section, frozen=True, kw_only=True):
    """When /health says no, or says `degraded`."""

    stall_ms: Annotated[
        int,
        about(
            "A partition with lag but without progress for this long makes /health fail.",
            unit="ms",
            ge=1000,
            le=3_600_000,
            why="Longer than a rebalance and a restart of Redis.",
            extremes="Short: restarts during ordinary pauses. Long: a stuck worker stays unnoticed.",
        ),
    ] = 60_000
    exit_ms: Annotated[
        int,
        about(
            "A worker that is stalled for this long although Kafka and Redis answer ends itself, so that it is restarted.",
            unit="ms",
            ge=0,
            le=86_400_000,
            why="Stuck consumers of this kind are cured by a restart.",
            extremes="0: never. Short: restarts of workers that a little patience would have brought on.",
        ),
    ] = 600_000
    rejected_share: Annotated[
        float,
        about(
            "Share of records set aside within five minutes above which /health says `degraded`.",
            unit="share",
            gt=0,
            le=1,
            why="A healthy tracker stays far below; a broken one is far above.",
            extremes="1: never. Small: a single bad client shows.",
        ),
    ] = 0.05


class Log(Section, frozen=True, kw_only=True):
    """What the worker writes to standard error."""

    level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        about(
            "Least level written.",
            why="INFO tells of assignments and little else; there is no line per event.",
            extremes="DEBUG includes the libraries, but of Kafka's clients no requests: these hold passwords and customer data.",
        ),
    ] = "INFO"
    format: Annotated[
        Literal["text", "json"],
        about(
            "One line of text, or one JSON object a line.",
            why="Text is for eyes.",
            extremes="json is for log stores.",
        ),
    ] = "text"
