"""The settings of the log: how brokers are reached and how records are fetched and published."""

from typing import Annotated, Literal

from msgspec import Meta

from streams.setting import Section, about, form


class Kafka(Section, frozen=True, kw_only=True):
    """The log: where events come from and triggers go to."""

    bootstrap: Annotated[
        str,
        about(
            "Brokers to ask first, host:port, separated by commas.",
            unit="addresses",
            why="A broker on this machine.",
            extremes="One is enough while it answers; name three in production.",
        ),
    ] = "127.0.0.1:9092"
    group: Annotated[
        str,
        Meta(min_length=1),
        about(
            "Consumer group of the workers.",
            why="One installation has one group.",
            extremes="Two installations with one group tear each other's partitions away.",
        ),
    ] = "regulars"
    topic_prefix: Annotated[
        str,
        form("^[A-Za-z0-9._-]*$", "letters, digits, `.`, `_` and `-`"),
        about(
            "Put before every topic name.",
            why="Empty: the topic names of the reference as they are.",
            extremes="Prefix and name together may have 249 characters.",
        ),
    ] = ""
    internal_prefix: Annotated[
        str,
        form("^[A-Za-z0-9._-]*$", "letters, digits, `.`, `_` and `-`"),
        about(
            "Put before the names of internal topics in place of `topic_prefix`.",
            why="Empty: as before all names.",
            extremes="A run beside the live one needs internal topics of its own; `regulars worker --shadow` sees to it.",
        ),
    ] = ""
    partitions: Annotated[
        int,
        about(
            "Partitions of every input and internal topic; fixed for the life of an installation.",
            unit="partitions",
            why="Up to 32 workers, and few enough for one.",
            ge=1,
            le=1024,
            extremes="1: one worker does all. Above 256 the idle cost of fetching from empty partitions shows.",
        ),
    ] = 32
    replication: Annotated[
        int,
        about(
            "Copies of each topic that `regulars topics create` asks for.",
            unit="copies",
            ge=-1,
            le=15,
            why="-1: the broker's own default.",
            extremes="1: a lost broker disk is lost triggers. 3 is usual.",
        ),
    ] = -1
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        about(
            "How to talk to the brokers.",
            why="A local broker speaks plain text.",
            extremes="Anything but SASL_SSL or SSL shows customer data to the network.",
        ),
    ] = "PLAINTEXT"
    ssl_cafile: Annotated[
        str,
        about(
            "Certificates of the authorities to trust (PEM).",
            unit="path",
            why="Empty: those of the system.",
            extremes="A file that is not there is refused at start.",
        ),
    ] = ""
    ssl_certfile: Annotated[
        str,
        about(
            "This client's certificate (PEM), where brokers ask for one.",
            unit="path",
            why="Most brokers do not ask.",
            extremes="Needs ssl_keyfile unless the key is in the same file.",
        ),
    ] = ""
    ssl_keyfile: Annotated[
        str,
        about(
            "Key of this client's certificate (PEM).",
            unit="path",
            why="As ssl_certfile.",
            extremes="As ssl_certfile.",
        ),
    ] = ""
    ssl_password: Annotated[
        str,
        about(
            "Password of the key.",
            secret=True,
            why="Empty: the key is not encrypted.",
            extremes="Give it by environment rather than by file.",
        ),
    ] = ""
    ssl_check_hostname: Annotated[
        bool,
        about(
            "Whether the broker's certificate must name its host.",
            why="Else anyone with a certificate could answer.",
            extremes="Off only where brokers are reached by address.",
        ),
    ] = True
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI"],
        about(
            "How to log in, with a SASL protocol.",
            why="Kafka's own default.",
            extremes="PLAIN sends the password as it is: only with SASL_SSL.",
        ),
    ] = "PLAIN"
    sasl_username: Annotated[
        str,
        about(
            "User name to log in with.",
            why="Empty without SASL.",
            extremes="Needs the rights named in the how-to on ACLs.",
        ),
    ] = ""
    sasl_password: Annotated[
        str,
        about(
            "Password to log in with.",
            secret=True,
            why="Empty without SASL.",
            extremes="Give it by environment rather than by file.",
        ),
    ] = ""
    session_timeout_ms: Annotated[
        int,
        about(
            "A worker that is silent for this long loses its partitions.",
            unit="ms",
            ge=1000,
            le=300_000,
            why="Ten seconds of standstill after a crash, and a long pause does not yet look like one.",
            extremes="Brokers refuse less than group.min.session.timeout.ms (6 s). Long: slow takeover.",
        ),
    ] = 10_000
    heartbeat_ms: Annotated[
        int,
        about(
            "How often a worker says it is alive.",
            unit="ms",
            ge=100,
            le=100_000,
            why="Five within a session.",
            extremes="Above a third of the session a lost one may cost the partitions.",
        ),
    ] = 2_000
    rebalance_timeout_ms: Annotated[
        int,
        about(
            "How long the group waits for a worker to rejoin.",
            unit="ms",
            ge=1000,
            le=600_000,
            why="Giving up partitions here takes milliseconds.",
            extremes="Long: one stuck worker stalls all.",
        ),
    ] = 30_000
    request_timeout_ms: Annotated[
        int,
        about(
            "How long to wait for a broker's answer.",
            unit="ms",
            ge=1000,
            le=600_000,
            why="Longer than the session, as the group protocol asks.",
            extremes="Below session_timeout_ms is refused at start.",
        ),
    ] = 40_000
    fetch_linger_ms: Annotated[
        int,
        about(
            "How long a worker lets records gather after a fetch that brought some before it asks for more.",
            unit="ms",
            ge=0,
            le=5000,
            why="Part of every latency; measured against others (docs/decisions/0012, 0015).",
            extremes="0: each event is fetched by itself, and a tenth of the load keeps the worker busy. Long: events wait.",
        ),
    ] = 20
    fetch_wait_ms: Annotated[
        int,
        about(
            "How long a broker holds a fetch that finds nothing. It is answered as soon as something comes.",
            unit="ms",
            ge=1,
            le=5000,
            why="Ten empty answers a second cost next to nothing.",
            extremes="Long: partitions just claimed, and such as were busy, wait. Short: an idle worker and its broker work.",
        ),
    ] = 100
    fetch_bytes: Annotated[
        int,
        about(
            "Most bytes of one partition in one fetch.",
            unit="bytes",
            ge=65_536,
            le=67_108_864,
            why="Kafka's own default; about 3,000 events.",
            extremes="A single record above it is still delivered. Large: memory, times all partitions.",
        ),
    ] = 1_048_576
    chunk_records: Annotated[
        int,
        about(
            "Most records of one partition handed over at once.",
            unit="records",
            ge=1,
            le=100_000,
            why="Under load a partition has a batch's worth at hand when its turn comes.",
            extremes="1: delivery as slow as stock Faust. Large: memory, times all partitions.",
        ),
    ] = 4000
    end_offsets_every_ms: Annotated[
        int,
        about(
            "How often the ends of all partitions are asked for.",
            unit="ms",
            ge=50,
            le=60_000,
            why="A quiet partition's clock then runs at most this far behind.",
            extremes="Short: one request a broker each time. Long: timers of quiet partitions fire late.",
        ),
    ] = 1000
    offset_commit_every_ms: Annotated[
        int,
        about(
            "How often Kafka is told what Redis holds, for lag tools only.",
            unit="ms",
            ge=100,
            le=600_000,
            why="Lag graphs move every few seconds.",
            extremes="Changes nothing but what lag tools see.",
        ),
    ] = 3000
    compression: Annotated[
        Literal["none", "gzip", "snappy", "lz4", "zstd"],
        about(
            "Compression of what is published.",
            why="A sixth of the bytes in a large batch, and a quarter of the time of lz4, which the client packs as "
            "tightly as it can.",
            extremes="Subscribers must know the codec (zstd: brokers and clients since Kafka 2.1); gzip is the most widely "
            "known and the slowest.",
        ),
    ] = "zstd"

    @property
    def codec(self) -> str | None:
        """The compression as clients name it: None where there is none."""
        return None if self.compression == "none" else self.compression
