"""The settings of an installation: one frozen object, built by a pure function from mappings.

Three sources, the later wins: a TOML file, variables REGULARS_<SECTION>_<NAME>, flags given as {"section.name": value}.
Unknown names are refused with a suggestion. What can be set stands in `streams.setting_sections` and
`streams.setting_kafka`; `SETTINGS` is the table of it, printed into the reference. How triggers behave is not set here
but in the rules document (`files.rules`).
"""

import re
import ssl
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from schemas.topics import CONSUMED
from streams.setting import ENV_PREFIX, Setting, items
from streams.setting_kafka import Kafka
from streams.setting_sections import Clock, Files, Health, Http, Limits, Log, Redis, Shop


class SettingsError(ValueError):
    """A setting is unknown, of the wrong type or out of bounds. The message names it and what would be right.

    Nothing was started. Operator action: correct the file, the variable or the flag that the message names.
    """


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything an operator may set."""

    shop: Shop = Shop()
    files: Files = Files()
    kafka: Kafka = Kafka()
    redis: Redis = Redis()
    clock: Clock = Clock()
    limits: Limits = Limits()
    http: Http = Http()
    health: Health = Health()
    log: Log = Log()

    def topic(self, name: str) -> str:
        """The name on the broker of a logical topic."""
        return self.kafka.topic_prefix + name

    def consumed(self) -> dict[str, str]:
        """Name on the broker -> logical name, of every topic a worker reads."""
        return {self.topic(name): name for name in CONSUMED}

    def bootstrap_servers(self) -> list[str]:
        """Broker addresses as a list."""
        return [server.strip() for server in self.kafka.bootstrap.split(",") if server.strip()]

    def ssl_context(self) -> ssl.SSLContext | None:
        """What TLS to the brokers needs, None without TLS. Raises OSError for files that can't be read."""
        kafka = self.kafka
        if kafka.security_protocol not in {"SSL", "SASL_SSL"}:
            return None
        context = ssl.create_default_context(cafile=kafka.ssl_cafile or None)
        context.check_hostname = kafka.ssl_check_hostname
        if kafka.ssl_certfile:
            context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile or None, kafka.ssl_password or None)
        return context

    def to_aiokafka(self) -> dict[str, Any]:
        """Connection arguments of aiokafka's clients."""
        return self._connection() | {"ssl_context": self.ssl_context()}

    def to_kafka_python(self) -> dict[str, Any]:
        """Connection arguments of kafka-python's clients."""
        arguments = self._connection()
        context = self.ssl_context()
        return arguments if context is None else arguments | {"ssl_context": context}

    def _connection(self) -> dict[str, Any]:
        kafka = self.kafka
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers(),
            "security_protocol": kafka.security_protocol,
        }
        if kafka.security_protocol.startswith("SASL"):
            arguments["sasl_mechanism"] = kafka.sasl_mechanism
            if kafka.sasl_mechanism != "GSSAPI":
                arguments |= {"sasl_plain_username": kafka.sasl_username, "sasl_plain_password": kafka.sasl_password}
        return arguments


SETTINGS: tuple[Setting, ...] = tuple(
    item for section in msgspec.structs.fields(Settings) for item in items(section.type, section.name)
)
"""Every setting, in the order of the reference."""

_BY_PATH = {setting.path: setting for setting in SETTINGS}


def build_settings(
    document: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Make the settings from a parsed file, an environment and flags ({"kafka.bootstrap": ...}); the later wins.

    Flags that are None are not given. Raises SettingsError for anything unknown, mistyped or out of bounds.

    >>> build_settings({"kafka": {"partitions": 4}}, {"REGULARS_KAFKA_PARTITIONS": "8"}).kafka.partitions
    8
    >>> build_settings({"kafka": {"partition": 4}})
    Traceback (most recent call last):
    streams.settings.SettingsError: unknown setting kafka.partition; did you mean kafka.partitions?
    """
    merged: dict[str, dict[str, Any]] = {}
    for path, value in _from_document(document or {}):
        _put(merged, path, value)
    for path, text in _from_environment(environment or {}):
        _put(merged, path, _parse(_BY_PATH[path], text))
    for path, value in (flags or {}).items():
        if value is not None:
            _known(path, "flag " + "--" + path.replace(".", "-").replace("_", "-"))
            _put(merged, path, _parse(_BY_PATH[path], value) if isinstance(value, str) else value)
    try:
        settings = msgspec.convert(merged, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(_readable(str(error))) from None
    if settings.kafka.session_timeout_ms > settings.kafka.request_timeout_ms:
        raise SettingsError("kafka.session_timeout_ms must not be above kafka.request_timeout_ms")
    if 3 * settings.kafka.heartbeat_ms > settings.kafka.session_timeout_ms:
        raise SettingsError("kafka.heartbeat_ms must be at most a third of kafka.session_timeout_ms")
    return settings


def load_settings(
    path: Path | None, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Settings:
    """Read the file (None: no file) and make the settings. Raises SettingsError, also for a file that can't be read."""
    if path is None:
        return build_settings(None, environment, flags)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"settings file {path} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} is not valid TOML: {error}") from None
    return build_settings(document, environment, flags)


def _from_document(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    sections = [field.name for field in msgspec.structs.fields(Settings)]
    for section, table in document.items():
        if section not in sections:
            raise SettingsError(f"unknown section [{section}]{_suggest(section, sections)}")
        if not isinstance(table, Mapping):
            raise SettingsError(f"{section} must be a table: [{section}]")
        for name, value in table.items():
            path = f"{section}.{name}"
            _known(path, path)
            yield path, value


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    by_env = {setting.env: setting.path for setting in SETTINGS}
    for variable, text in environment.items():
        # The place of the local broker's jars is no setting of an installation.
        if not variable.startswith(ENV_PREFIX) or variable in _FOREIGN_VARIABLES:
            continue
        if variable not in by_env:
            raise SettingsError(f"unknown setting in the environment: {variable}{_suggest(variable, list(by_env))}")
        yield by_env[variable], text


_FOREIGN_VARIABLES = {"REGULARS_KAFKA_LIBS", "REGULARS_CONFIG", "REGULARS_FAULTS"}


def _known(path: str, shown: str) -> None:
    if path not in _BY_PATH:
        raise SettingsError(f"unknown setting {shown}{_suggest(path, list(_BY_PATH))}")


def _suggest(given: str, known: list[str]) -> str:
    close = get_close_matches(given, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _put(merged: dict[str, dict[str, Any]], path: str, value: Any) -> None:
    section, name = path.split(".", 1)
    merged.setdefault(section, {})[name] = value


def _parse(setting: Setting, text: str) -> Any:
    """The value a text from the environment or the command line stands for; wrong ones are left for the check."""
    if setting.type is bool:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower(), text)
    for number in (int, float):
        if setting.type is number:
            try:
                return number(text)
            except ValueError:
                return text
    return text


def _readable(message: str) -> str:
    """The message of msgspec with the setting's path first: `kafka.partitions: Expected int >= 1`."""
    found = re.match(r"(.*) - at `\$\.(.*)`$", message)
    return f"{found[2]}: {found[1]}" if found else message
