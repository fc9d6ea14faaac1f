"""Which errors are the user's to mend, and in what words they are told."""

import errno
import sys
from typing import Final

import click

EXIT_USER: Final = 2
EXIT_FAULT: Final = 70  # EX_SOFTWARE of sysexits.h


def told(error: Exception) -> tuple[str, int]:
    """What is said of an error, and the exit code."""
    message = explain(error)
    if message is not None:
        return message, EXIT_USER
    unexpected = f"unexpected {type(error).__name__}: {error}"
    # Without the arguments, one of which may be a password.
    return (
        f"{unexpected}\n  This is a fault of ours. To see where it came from: the same once more, as regulars --traceback ...",
        EXIT_FAULT,
    )


def explain(error: Exception) -> str | None:
    """The message for an error a user can mend; None for a fault of ours."""
    if isinstance(error, click.ClickException):
        return error.format_message()
    from profiles.profile import UnsupportedVersion
    from profiles.value.model import ModelError
    from streams.book_files import BookError
    from streams.certificates import CertificateError
    from streams.kafka_admin import AdminError
    from streams.local.process import LocalServiceError
    from streams.pairing.state import PairStateError
    from streams.reporting.snapshot import SnapshotError
    from streams.reporting.spend import SpendError
    from streams.settings import SettingsError
    from streams.sources.errors import SourceError
    from streams.table import TableError
    from streams.tracking_plan import PlanError
    from streams.trigger_registry import TriggerLoadError

    if isinstance(
        error,
        AdminError
        | BookError
        | CertificateError
        | LocalServiceError
        | ModelError
        | PairStateError
        | PlanError
        | SettingsError
        | SnapshotError
        | SourceError
        | SpendError
        | TableError
        | TriggerLoadError
        | UnsupportedVersion,
    ):
        return str(error) or type(error).__name__
    if "AuthorizationFailed" in type(error).__name__:
        from streams.kafka_reach import denied

        return denied(error)
    # These are recognised only where their module is loaded: nothing else can have raised them.
    if _is(error, "streams.fitting.publish", "NotPublished"):
        return str(error)
    if _is(error, "kafka.errors", "KafkaError") or _is(error, "aiokafka.errors", "KafkaError"):
        return (
            f"Kafka: {str(error) or type(error).__name__}\n"
            f"  Is it running, and is kafka.bootstrap right? `regulars doctor` looks at everything; "
            f"`regulars services start` starts a local one."
        )
    if _is(error, "redis.exceptions", "RedisError"):
        return (
            f"Redis: {str(error) or type(error).__name__}\n"
            f"  Is it running, and is redis.url right? `regulars doctor` looks at everything; "
            f"`regulars services start` starts a local one."
        )
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        # The text of this one, with the address in it, is asyncio's or uvloop's.
        return (
            f"{error.strerror or error}\n"
            "  Another program listens there, perhaps another one of ours. Stop it, or choose another port: "
            "--http-port, or --serve-port for `regulars serve`"
        )
    if isinstance(error, OSError) and error.strerror is not None:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return None


def _is(error: Exception, module: str, name: str) -> bool:
    loaded = sys.modules.get(module)
    kind = getattr(loaded, name, None)
    return isinstance(kind, type) and isinstance(error, kind)
