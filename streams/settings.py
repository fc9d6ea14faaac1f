"""The settings of an installation: one frozen object, built by a pure function from mappings.

Three sources, the later wins: a TOML file, variables REGULARS_<SECTION>_<NAME>, flags given as {"section.name": value}.
Unknown names are refused with a suggestion. What can be set stands in `streams.setting_sections`,
`streams.setting_kafka` and `streams.setting_serve`; `SETTINGS` is the table of it, printed into the reference, and
`ENTRY_SETTINGS` that of the named entries (sources, webhooks, tokens), which have no flags. How triggers behave is not
set here but in the rules document (`files.rules`).
"""

import re
import ssl
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct

from profiles.zones import find_zone
from schemas.nearest import nearest
from schemas.phones import is_region
from schemas.topics import CONSUMED, INTERNAL
from streams.certificates import Names, tls_context
from streams.setting import ENV_PREFIX, FORMS, Setting, items
from streams.setting_kafka import Kafka
from streams.setting_raw import Raw
from streams.setting_relay import Relay
from streams.setting_sections import Clock, Files, Health, Http, Limits, Log, Protection, Redis, Shop
from streams.setting_serve import ENTRIES, Serve, Source, Token, Webhook

T = TypeVar("T", bound=Struct)

_KAFKA_TLS = Names("kafka.ssl_cafile", "kafka.ssl_certfile", "kafka.ssl_keyfile", "kafka.ssl_password")


class SettingsError(ValueError):
    """A setting is unknown, of the wrong type or out of bounds. The message names it and what would be right.

    Nothing was started. Operator action: correct the file, the variable or the flag that the message names.
    """


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything an operator may set."""

    shop: Shop = Shop()
    files: Files = Files()
    kafka: Kafka = Kafka()
    protection: Protection = Protection()
    redis: Redis = Redis()
    clock: Clock = Clock()
    limits: Limits = Limits()
    http: Http = Http()
    health: Health = Health()
    log: Log = Log()
    serve: Serve = Serve()
    sources: dict[str, Source] = {}
    webhooks: dict[str, Webhook] = {}
    tokens: dict[str, Token] = {}
    relays: dict[str, Relay] = {}
    raw: dict[str, Raw] = {}

    def topic(self, name: str) -> str:
        """The name on the broker of a logical topic."""
        own = self.kafka.internal_prefix
        return (own if own and name in INTERNAL else self.kafka.topic_prefix) + name

    def consumed(self) -> dict[str, str]:
        """Name on the broker -> logical name, of every topic a worker reads."""
        return {self.topic(name): name for name in CONSUMED}

    def bootstrap_servers(self) -> list[str]:
        """Broker addresses as a list."""
        return [server.strip() for server in self.kafka.bootstrap.split(",") if server.strip()]

    def ssl_context(self) -> ssl.SSLContext | None:
        """What TLS to the brokers needs, None without TLS. Raises CertificateError for files that can't be used."""
        kafka = self.kafka
        if kafka.security_protocol not in {"SSL", "SASL_SSL"}:
            return None
        context = tls_context(_KAFKA_TLS, kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile, kafka.ssl_password)
        context.check_hostname = kafka.ssl_check_hostname
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
    item
    for section in msgspec.structs.fields(Settings)
    if section.name not in ENTRIES
    for item in items(section.type, section.name)
)
"""Every setting, in the order of the reference."""

ENTRY_SETTINGS: tuple[Setting, ...] = tuple(
    item for table, kind in ENTRIES.items() for item in items(kind, f"{table}.<name>")
)
"""What an entry of each table may say."""

_BY_PATH = {setting.path: setting for setting in SETTINGS}
_BY_ENTRY = {setting.path: setting for setting in ENTRY_SETTINGS}
_ENTRY_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SERVER = re.compile(r"(?:[A-Za-z_]+://)?(?:[^\s:/\[\]]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_PORT_MAX = 65_535


def build_settings(
    document: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    *,
    file: str = "",
) -> Settings:
    """Make the settings from a parsed file, an environment and flags ({"kafka.bootstrap": ...}); the later wins.

    Flags that are None are not given; `file` is what the file is called where something in it is wrong. Raises SettingsError
    for anything unknown, mistyped or out of bounds.

    >>> build_settings({"kafka": {"partitions": 4}}, {"REGULARS_KAFKA_PARTITIONS": "8"}).kafka.partitions
    8
    >>> build_settings({"kafka": {"partition": 4}})
    Traceback (most recent call last):
    streams.settings.SettingsError: unknown setting kafka.partition; did you mean kafka.partitions?
    """
    merged: dict[str, Any] = {}
    given_by: dict[str, str] = {}
    try:
        for path, value in _from_document(document or {}):
            _put(merged, path, value)
            given_by[path] = file
    except SettingsError as error:
        raise SettingsError(f"{file}: {error}" if file else str(error)) from None
    for path, setting, text, variable in _from_environment(environment or {}):
        _put(merged, path, _parse(setting, text, variable))
        given_by[path] = variable
    for path, value in (flags or {}).items():
        if value is not None:
            flag = "--" + path.replace(".", "-").replace("_", "-")
            _known(path, f"flag {flag}")
            _put(merged, path, _parse(_BY_PATH[path], value, flag) if isinstance(value, str) else value)
            given_by[path] = flag
    for table, kind in ENTRIES.items():
        for name, entry in merged.get(table, {}).items():
            _convert(entry, kind, given_by, f"{table}.{name}")
    settings = _convert(merged, Settings, given_by)
    _refuse_unusable(settings, given_by)
    if settings.kafka.session_timeout_ms > settings.kafka.request_timeout_ms:
        raise SettingsError("kafka.session_timeout_ms must not be above kafka.request_timeout_ms")
    if 3 * settings.kafka.heartbeat_ms > settings.kafka.session_timeout_ms:
        raise SettingsError("kafka.heartbeat_ms must be at most a third of kafka.session_timeout_ms")
    if settings.serve.batch_bytes > settings.serve.inflight_bytes:
        raise SettingsError("serve.batch_bytes must not be above serve.inflight_bytes")
    _refuse_equal_secrets(settings)
    _refuse_unusable_entries(settings, given_by)
    return settings


def load_settings(
    path: Path | None, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Settings:
    """Read the file (None: no file) and make the settings. Raises SettingsError, also for a file that can't be read."""
    if path is None:
        return build_settings(None, environment, flags)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"settings file {path} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} is not valid TOML: {error}") from None
    return build_settings(document, environment, flags, file=f"settings file {path}")


def _from_document(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    sections = [field.name for field in msgspec.structs.fields(Settings)]
    for section, table in document.items():
        if section not in sections:
            raise SettingsError(f"unknown section [{section}]{_suggest(section, sections)}")
        if not isinstance(table, Mapping):
            raise SettingsError(f"{section} must be a table: [{section}]")
        for name, value in table.items():
            path = f"{section}.{name}"
            if section in ENTRIES:
                yield from _from_entry(section, name, value)
            else:
                _known(path, path)
                yield path, value


def _from_entry(table: str, name: str, entry: Any) -> Iterator[tuple[str, Any]]:
    if not _ENTRY_NAME.fullmatch(name):
        raise SettingsError(f"[{table}.{name}]: a name is small letters, digits and _, and begins with a letter")
    if not isinstance(entry, Mapping):
        raise SettingsError(f"{table}.{name} must be a table: [{table}.{name}]")
    known = [setting.name for setting in ENTRY_SETTINGS if setting.path.startswith(f"{table}.")]
    for field, value in entry.items():
        if field not in known:
            raise SettingsError(f"unknown setting {table}.{name}.{field}{_suggest(field, known)}")
        yield f"{table}.{name}.{field}", value


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, Setting, str, str]]:
    """Path, setting, text and name of each variable."""
    by_env = {setting.env: setting for setting in SETTINGS}
    for variable, text in environment.items():
        # The place of the local broker's jars is no setting of an installation.
        if not variable.startswith(ENV_PREFIX) or variable in _FOREIGN_VARIABLES:
            continue
        entry = _entry_variable(variable)
        if entry is not None:
            yield *entry, text, variable
        elif variable in by_env:
            yield by_env[variable].path, by_env[variable], text, variable
        else:
            raise SettingsError(f"unknown setting in the environment: {variable}{_suggest(variable, list(by_env))}")


def _entry_variable(variable: str) -> tuple[str, Setting] | None:
    """Path and setting of a variable such as REGULARS_SOURCES_WEB_KEY, None where it names no entry's field."""
    for setting in ENTRY_SETTINGS:
        table, _, field = setting.path.split(".")
        start, end = f"{ENV_PREFIX}{table.upper()}_", f"_{field.upper()}"
        if variable.startswith(start) and variable.endswith(end):
            name = variable[len(start) : -len(end)].lower()
            if _ENTRY_NAME.fullmatch(name):
                return f"{table}.{name}.{field}", setting
    return None


_FOREIGN_VARIABLES = {"REGULARS_KAFKA_LIBS", "REGULARS_CONFIG", "REGULARS_FAULTS"}


def _known(path: str, shown: str) -> None:
    if path not in _BY_PATH:
        raise SettingsError(f"unknown setting {shown}{_suggest(path, list(_BY_PATH))}")


def _suggest(given: str, known: list[str]) -> str:
    meant = nearest(given, known)
    return f"; did you mean {meant}?" if meant else ""


def _put(merged: dict[str, Any], path: str, value: Any) -> None:
    *tables, name = path.split(".")
    for table in tables:
        merged = merged.setdefault(table, {})
    merged[name] = value


def _refuse_unusable(settings: Settings, given_by: Mapping[str, str]) -> None:
    """What is of the right type and yet no place, no zone, no country."""
    shop = settings.shop
    if shop.phone_region and not is_region(shop.phone_region):
        raise SettingsError(
            f"{_named('shop.phone_region', given_by)}: {shop.phone_region} is no country with phone numbers; the United "
            "Kingdom is GB"
        )
    if find_zone(shop.timezone) is None:
        raise SettingsError(
            f"{_named('shop.timezone', given_by)}: {shop.timezone!r} is no IANA time zone such as Europe/Berlin"
        )
    servers = settings.bootstrap_servers()
    wrong = [server for server in servers if not _SERVER.fullmatch(server) or _port(server) > _PORT_MAX]
    if wrong or not servers:
        # A login has no place there, and is not told.
        told = repr(wrong[0].rpartition("@")[2]) if wrong else "nothing"
        raise SettingsError(
            f"{_named('kafka.bootstrap', given_by)}: {told} is no address; brokers are "
            "named host:port, separated by commas"
        )
    if settings.redis.url != Redis().url:
        from streams.redis_link import read_url

        try:
            read_url(settings.redis.url)
        except ValueError as error:
            # Without the URL, which may hold a password.
            raise SettingsError(
                f"{_named('redis.url', given_by)}: {error} (redis://host:port/db, rediss:// with TLS, redis+cluster:// for a "
                "cluster)"
            ) from None


def _refuse_unusable_entries(settings: Settings, given_by: Mapping[str, str]) -> None:
    if not (settings.webhooks or settings.relays or settings.raw):
        return
    from streams.setting_entries import unusable_entries

    for path, why in unusable_entries(settings):
        raise SettingsError(f"{_named(path, given_by)}: {why}")


def _port(server: str) -> int:
    found = re.search(r":([0-9]+)$", server, re.ASCII)
    return int(found[1]) if found else 0


def _named(path: str, given_by: Mapping[str, str]) -> str:
    """A setting and where its value came from: `kafka.partitions (REGULARS_KAFKA_PARTITIONS)`."""
    source = given_by.get(path.partition("[")[0], "")
    return f"{path} ({source})" if source else path


def _refuse_equal_secrets(settings: Settings) -> None:
    """Two sources with one key, or two tokens with one hash: which of them a caller is could not be told."""
    for table, field, values in (
        ("sources", "key", {name: source.key for name, source in settings.sources.items()}),
        ("tokens", "sha256", {name: token.sha256 for name, token in settings.tokens.items()}),
    ):
        names: dict[str, str] = {}
        for name, value in values.items():
            if value in names:
                raise SettingsError(f"{table}.{names[value]}.{field} and {table}.{name}.{field} must differ")
            names[value] = name
    if equal := sorted(settings.sources.keys() & settings.webhooks.keys()):
        raise SettingsError(
            f"sources.{equal[0]} and webhooks.{equal[0]} must have different names: it is their events' source"
        )


def _parse(setting: Setting, text: str, source: str) -> Any:
    """The value a text from the environment or the command line stands for; wrong ones are left for the check.

    Raises SettingsError for a text that is no UTF-8: it could be written nowhere.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SettingsError(f"{setting.path} ({source}): this is not UTF-8 text") from None
    if setting.type is bool:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower(), text)
    if get_origin(setting.type) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    for number in (int, float):
        if setting.type is number:
            try:
                return number(text)
            except ValueError:
                return text
    return text


def _convert(values: Any, kind: type[T], given_by: Mapping[str, str], at: str = "") -> T:
    """Values as a struct. Raises SettingsError with the setting's path first: `kafka.partitions: Expected int >= 1`."""
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        found = re.match(r"(.*) - at `\$\.?(.*)`$", str(error))
        message, place = (found[1], found[2]) if found else (str(error), "")
        path = ".".join(part for part in (at, place) if part)
        if pattern := re.fullmatch(r"Expected `str` matching regex (.*)", message):
            message = f"Expected {FORMS[pattern[1]]}"
        if missing := re.fullmatch(r"Object missing required field `(.*)`", message):
            # A secret that is kept out of the file is missing wherever its variable is not given.
            variable = f"{ENV_PREFIX}{path}_{missing[1]}".replace(".", "_").upper()
            message = f"{missing[1]} is missing; give it there, or as {variable}"
        if message.startswith("Invalid enum value") and (allowed := _words(path)):
            message += f"; allowed are {', '.join(allowed)}"
        raise SettingsError(f"{_named(path, given_by)}: {message}" if path else message) from None


def _words(path: str) -> list[str]:
    """The words that a setting may say, where it is one of some, or a list of them."""
    table, *_, field = path.partition("[")[0].split(".")
    setting = _BY_PATH.get(path) or _BY_ENTRY.get(f"{table}.<name>.{field}")
    kinds = [] if setting is None else [setting.type, *get_args(setting.type)]
    return [str(word) for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
