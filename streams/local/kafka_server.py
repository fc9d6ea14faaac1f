"""One real Apache Kafka broker (KRaft: broker and controller in one process) on loopback ports.

The jars come from Maven by the pinned deploy/kafka/pom.xml; Java 17 or later runs them. Start-up takes about 5 seconds.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaConfigurationError, KafkaError

from streams.local.process import LOOPBACK, LocalServiceError, ServerProcess, free_ports, port_taken

LIBS_VARIABLE = "REGULARS_KAFKA_LIBS"
JAVA_MAJOR_MIN = 17
START_TIMEOUT_S = 90.0
MAVEN_TIMEOUT_S = 900.0
HEAP_MB = 768
_POM = Path(__file__).parents[2] / "deploy" / "kafka" / "pom.xml"
_MARK = "pom.sha256"

# For a long run: short pauses, and code compiled as well as Java can.
_LASTING = ("-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")
# For minutes: compiled quickly, and collected by one thread. Half of the processor time, until it gets really busy.
_BRIEF = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

# Numbers for one broker on one machine: every internal topic has one copy, few partitions so that start-up and group
# joins take no time, and short sessions are allowed so that a test of a frozen worker takes seconds.
DEFAULT_CONFIG: Mapping[str, str] = {
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    # The default of 128 MB would be a sixth of the heap.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    # After a crash the controller takes a broker back only when its old session has ended (9 s by default).
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
}


def find_java() -> str:
    """The path of a Java of at least JAVA_MAJOR_MIN. Raises LocalServiceError saying how to install it."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=f"{home}/bin") if home else None
    program = program or shutil.which("java")
    if program is not None:
        shown = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
        version = re.search(r'version "(\d+)', shown.stderr + shown.stdout)
        if version is not None and int(version[1]) >= JAVA_MAJOR_MIN:
            return program
    found = f"the one found ({program}) is older" if program else "none was found"
    raise LocalServiceError(
        f"A local Kafka needs Java {JAVA_MAJOR_MIN} or later; {found}.\n"
        "  Debian, Ubuntu: apt-get install openjdk-17-jre-headless    macOS: brew install openjdk@17"
    )


def kafka_libs() -> Path:
    """The folder with the broker's jars: $REGULARS_KAFKA_LIBS, or deploy/kafka/libs, fetched by Maven when not there.

    Raises LocalServiceError when Maven is missing or can't reach its repository.
    """
    given = os.environ.get(LIBS_VARIABLE)
    if given:
        if not any(Path(given).glob("kafka-server-*.jar")):
            raise LocalServiceError(f"{LIBS_VARIABLE}={given} holds no Kafka jars")
        return Path(given)
    if not _POM.exists():
        raise LocalServiceError(
            "A local Kafka is started from a checkout of Regulars (deploy/kafka/pom.xml names its jars).\n"
            f"  From an installed package: point {LIBS_VARIABLE} to the libs folder of a Kafka 4 download."
        )
    libs = _POM.parent / "libs"
    digest = hashlib.sha256(_POM.read_bytes()).hexdigest()
    libs.mkdir(exist_ok=True)
    # Two commands at once (tests and `make services`) must not both fetch.
    with (libs / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = libs / _MARK
        if not mark.exists() or mark.read_text() != digest:
            for old in libs.glob("*.jar"):
                old.unlink()
            _fetch(libs)
            mark.write_text(digest)
    return libs


def _fetch(libs: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise LocalServiceError(
            "The jars of the local Kafka are fetched with Maven, and mvn was not found.\n"
            "  Debian, Ubuntu: apt-get install maven    macOS: brew install maven\n"
            f"  Or point {LIBS_VARIABLE} to the libs folder of a Kafka 4 download."
        )
    done = subprocess.run(
        [maven, "-q", "-B", "-f", str(_POM), "package", f"-Dregulars.libs={libs}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MAVEN_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise LocalServiceError("Maven could not fetch Kafka's jars:\n" + (done.stdout + done.stderr)[-1500:])


class KafkaServer:
    """A broker in `directory`; `config` is added to, or replaces, entries of DEFAULT_CONFIG.

    Ports and data stay the same over stops, kills and restarts. A port left out is a free one. A `brief` one is for a few
    minutes: it starts with half of the processor time, and is slower under load.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        controller_port: int | None = None,
        heap_mb: int = HEAP_MB,
        config: Mapping[str, str] | None = None,
        brief: bool = False,
    ) -> None:
        some = free_ports(2)
        self.host = LOOPBACK
        self.port = port if port is not None else some[0]
        self.heap_mb = heap_mb
        self._java_options = _BRIEF if brief else _LASTING
        self.process = ServerProcess("Kafka", directory)
        self.directory = self.process.directory
        self._controller_port = controller_port if controller_port is not None else some[1]
        self._config = dict(DEFAULT_CONFIG) | dict(config or {})

    @property
    def bootstrap(self) -> str:
        """`host:port`, as clients take it."""
        return f"{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether its process exists."""
        return self.process.pid is not None

    def start(self) -> None:
        """Start and wait until a client gets an answer. A new directory is formatted first (about 2 seconds)."""
        java, libs = find_java(), kafka_libs()
        self.directory.mkdir(parents=True, exist_ok=True)
        properties = self._write_properties()
        if not (self.directory / "data" / "meta.properties").exists():
            self._format(java, libs, properties)
        self.process.spawn(
            [
                *(java, f"-Xms{min(256, self.heap_mb)}m", f"-Xmx{self.heap_mb}m", *self._java_options),
                # A log of warnings only: a broker's INFO fills a disk in a long run.
                *("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"),
                *("-cp", f"{libs}/*", "kafka.Kafka", str(properties)),
            ]
        )
        self.process.wait_ready(self.answers, timeout_s=START_TIMEOUT_S)

    def stop(self) -> None:
        """End it in good order."""
        self.process.stop()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()

    def restart(self) -> None:
        """Stop and start on the same ports and data."""
        self.stop()
        self.start()

    def answers(self) -> bool:
        """Whether a client can connect and is told of a broker."""
        if not port_taken(self.port):
            return False  # spares the client's patient tries, and its log lines about them
        try:
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=1_000)
        except KafkaConfigurationError:
            raise  # our own mistake, not a broker that is not there yet
        except (KafkaError, OSError):
            return False
        try:
            return bool(admin.describe_cluster()["brokers"])
        except (KafkaError, OSError):
            return False
        finally:
            admin.close()

    def _write_properties(self) -> Path:
        controller = f"{self.host}:{self._controller_port}"
        fixed = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.directory / "data"),
        }
        path = self.directory / "server.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in (fixed | self._config).items()))
        return path

    def _format(self, java: str, libs: Path, properties: Path) -> None:
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # A leading "-" would be read as an option.
        cluster_id = "R" + cluster_id[1:]
        done = subprocess.run(
            [
                *(java, *_BRIEF, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"),
                *("-cp", f"{libs}/*", "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties)),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise LocalServiceError("Kafka could not format its directory:\n" + (done.stdout + done.stderr)[-1500:])
