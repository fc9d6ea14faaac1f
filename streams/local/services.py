"""`regulars services start | stop | status`: one Kafka and one Redis under ./.services, on their usual ports.

Also `python -m streams.local.services`, which is what `make services` calls.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from streams.local.kafka_server import KafkaServer, kafka_libs
from streams.local.process import LocalServiceError, port_taken
from streams.local.redis_server import RedisServer

STATE_FOLDER = Path(".services")
KAFKA_PORT = 9092
REDIS_PORT = 6379
EXIT_OK = 0
EXIT_FAILED = 1
EXIT_NOT_RUNNING = 3  # what `systemctl status` and init scripts answer for a service that does not run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the verbs and return the exit status; what went wrong is printed to standard error."""
    options = _parser().parse_args(arguments)
    kafka = KafkaServer(options.dir / "kafka", port=options.kafka_port, controller_port=options.kafka_port + 1)
    redis_server = RedisServer(options.dir / "redis", port=options.redis_port)
    chosen: list[KafkaServer | RedisServer] = [
        server for name, server in (("redis", redis_server), ("kafka", kafka)) if name in options.only
    ]
    try:
        match options.verb:
            case "start":
                return _start(chosen)
            case "stop":
                return _stop(chosen, wipe=options.wipe)
            case "status":
                return _status(chosen)
            case _:
                print(f"Kafka's jars are in {kafka_libs()}")
                return EXIT_OK
    except LocalServiceError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="regulars services", description="A local Kafka and Redis without Docker.")
    parser.add_argument("verb", choices=["start", "stop", "status", "jars"], help="jars: only fetch Kafka's jars")
    parser.add_argument("--dir", type=Path, default=STATE_FOLDER, help="where data and logs lie (default %(default)s)")
    parser.add_argument(
        "--kafka-port", type=int, default=KAFKA_PORT, help="default %(default)s; the next one is used too"
    )
    parser.add_argument("--redis-port", type=int, default=REDIS_PORT, help="default %(default)s")
    parser.add_argument(
        "--only", nargs="+", choices=["kafka", "redis"], default=["kafka", "redis"], help="default: both"
    )
    parser.add_argument("--wipe", action="store_true", help="with stop: remove the data as well")
    return parser


def _start(servers: Sequence[KafkaServer | RedisServer]) -> int:
    for server in servers:
        name = server.process.name
        if server.running:
            print(f"{name} already runs on {_address(server)}")
            continue
        if port_taken(server.port):
            raise LocalServiceError(
                f"{name} can't start: another program listens on port {server.port} of this machine.\n"
                f"  Stop that one, use it instead of a new one, or choose another port: "
                f"regulars services start --{name.lower()}-port {server.port + 10_000}"
            )
        print(f"Starting {name} ...", flush=True)
        server.start()
        print(f"{name} runs on {_address(server)}, log in {server.process.log_path}")
    return EXIT_OK


def _stop(servers: Sequence[KafkaServer | RedisServer], *, wipe: bool) -> int:
    for server in servers:
        was_running = server.running
        server.stop()
        print(f"{server.process.name} {'stopped' if was_running else 'was not running'}")
        if wipe:
            shutil.rmtree(server.directory, ignore_errors=True)
    return EXIT_OK


def _status(servers: Sequence[KafkaServer | RedisServer]) -> int:
    for server in servers:
        print(f"{server.process.name}: {'runs on ' + _address(server) if server.running else 'does not run'}")
    return EXIT_OK if all(server.running for server in servers) else EXIT_NOT_RUNNING


def _address(server: KafkaServer | RedisServer) -> str:
    return server.bootstrap if isinstance(server, KafkaServer) else server.url


if __name__ == "__main__":
    sys.exit(main())
