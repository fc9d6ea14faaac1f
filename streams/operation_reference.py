"""Reference pages for who runs the workers: settings, metrics, errors, topics, Redis keys. Made from the tables in the code."""

import inspect
from collections.abc import Sequence
from typing import Any

from profiles.catalogue import CatalogueError
from profiles.costs import CostsError
from profiles.profile import UnsupportedVersion
from profiles.rates import RatesError
from profiles.rules import RulesError
from schemas.topics import TOPICS
from streams.book_files import BookError
from streams.certificates import CertificateError
from streams.engine_errors import EngineErrors
from streams.kafka_admin import AdminError, TopicMismatch
from streams.local.process import LocalServiceError
from streams.log import LogError, NotAllowed
from streams.lost_state import LostState
from streams.metrics import METRICS
from streams.redis_checks import UnfitRedis
from streams.redis_layout import REDIS_KEYS
from streams.serve.answer import REASONS
from streams.serve.event_log import LogAway
from streams.setting import Setting
from streams.settings import ENTRY_SETTINGS, SETTINGS, SettingsError
from streams.sources.errors import SourceError
from streams.table import Fenced, NotInstalled, Refused, RolledBack, Unavailable, WrongInstall
from streams.tracking_plan import PlanError
from streams.trigger_registry import TriggerLoadError
from streams.watchdog import Stalled

ERRORS: tuple[type[Exception], ...] = (
    SettingsError,
    CertificateError,
    BookError,
    PlanError,
    TriggerLoadError,
    RulesError,
    CostsError,
    CatalogueError,
    RatesError,
    SourceError,
    LocalServiceError,
    AdminError,
    TopicMismatch,
    UnfitRedis,
    WrongInstall,
    NotInstalled,
    LostState,
    UnsupportedVersion,
    Fenced,
    RolledBack,
    Refused,
    Unavailable,
    LogError,
    NotAllowed,
    LogAway,
    EngineErrors,
    Stalled,
)
"""What a person who runs Regulars may meet, from the start of a worker to its running."""

GENERATED = "Generated from the code."


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return lines + [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]


def _page(title: str, words: str, lines: list[str]) -> str:
    return "\n".join([f"# {title}", "", f"{GENERATED} {words}", "", *lines]) + "\n"


def _shown(value: Any) -> str:
    if value in ("", None, ()):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def settings_page() -> str:
    """docs/reference/settings.md."""
    words = (
        "Each can stand in the settings file (`[section]` and `name`), in its variable, or be given as a flag; the later"
        " wins. `deploy/regulars.toml` holds all of them."
    )
    lines = _table(_SETTING_HEAD, [_setting_row(one, _shown(one.shown(one.default))) for one in SETTINGS])
    entry_words = (
        "Entries, as many as there are: `[sources.web]`, `[webhooks.shop]`, `[tokens.crm]`. The name is yours: small letters,"
        " digits and `_`; in variables it stands in capitals. Lists are separated by commas there. There are no flags."
    )
    entries = _table(
        _SETTING_HEAD,
        [
            _setting_row(one, _shown(one.shown(one.default)) if one.default is not None else "required")
            for one in ENTRY_SETTINGS
        ],
    )
    return _page("Settings", words, [*lines, "", "## Sources, webhooks and tokens", "", entry_words, "", *entries])


_SETTING_HEAD = ("setting", "variable", "default", "unit", "meaning")


def _setting_row(one: Setting, default: str) -> tuple[str, ...]:
    return f"`{one.path}`", f"`{one.env}`", default, one.unit, f"{one.meaning} {one.why} {one.extremes}"


def metrics_page() -> str:
    """docs/reference/metrics.md."""
    words = (
        "Shown at `/metrics` by each worker (counted once for each batch) or by `regulars serve` (once for each request)."
        " Beside them stand those of the process itself, under the names that Prometheus' clients share (on Linux):"
        " `process_resident_memory_bytes`, `process_cpu_seconds_total`, `process_open_fds`, `process_max_fds`,"
        " `process_virtual_memory_bytes` and `process_start_time_seconds`."
    )
    rows = [
        (
            f"`{one.name}`",
            one.of,
            one.kind,
            one.unit,
            ", ".join(f"`{label}`" for label in one.labels),
            one.meaning,
            one.remedy,
        )
        for one in METRICS
    ]
    return _page("Metrics", words, _table(("metric", "of", "kind", "unit", "labels", "meaning", "what to do"), rows))


def errors_page() -> str:
    """docs/reference/errors.md."""
    lines = []
    for error in ERRORS:
        lines += [f"## {error.__name__}", "", inspect.cleandoc(error.__doc__ or ""), ""]
    return _page("Errors", "What happened, what the system does now, what you can do.", lines[:-1])


def refusals_page() -> str:
    """docs/reference/http-refusals.md."""
    words = (
        "Why `regulars serve` refuses a request as a whole; the answer is a problem document (RFC 9457) whose `reason` is one"
        " of these. Problems of single events are no refusals: they go to the topic `rejected`."
    )
    rows = [
        (f"`{code}`", str(one.status), f"{one.title}.", one.remedy)
        for code, one in sorted(REASONS.items(), key=lambda item: item[1].status)
    ]
    return _page("Refusals over HTTP", words, _table(("reason", "status", "what happened", "what to do"), rows))


def topics_page() -> str:
    """docs/reference/topics.md."""
    words = (
        "Every topic has the installation's number of partitions, and stands under the prefix `kafka.topic_prefix`."
        " `regulars topics create` makes them."
    )
    rows = [
        (
            f"`{one.name}`",
            one.role,
            one.holds,
            "for ever" if one.retention_ms < 0 else f"{one.retention_ms // 86_400_000} d",
        )
        for one in TOPICS
    ]
    return _page("Topics", words, _table(("topic", "role", "holds", "kept"), rows))


def redis_keys_page() -> str:
    """docs/reference/redis-keys.md."""
    words = (
        "`<prefix>` is the setting `redis.prefix`. `{p}` is the partition number in literal braces, Redis' hash tag: all keys"
        " of a partition lie on one node of a cluster, so one script may change them together."
    )
    rows = [(f"`{one.key}`", one.type, one.fields, one.meaning) for one in REDIS_KEYS]
    return _page("Redis keys", words, _table(("key", "type", "holds", "meaning"), rows))
