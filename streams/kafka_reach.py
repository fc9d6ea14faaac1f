"""Why no broker answers, and what a broker does not let this user do, in words that name the setting to look at.

Clients try again until their time is up and then say no more than that; what went wrong each time goes to their logs. So
each address is asked once more, by one connection that ends with its own error. Only after a client gave up.
"""

import asyncio
import socket
import ssl
from typing import Any

from streams.settings import Settings

PATIENCE_S = 5.0
"""From connecting to the answer to the login."""

DEFAULT_PORT = 9092


def why_silent(settings: Settings) -> str:
    """What is wrong with each address of `kafka.bootstrap`, "" where nothing listens at any. Blocking, outside of event loops."""
    return asyncio.run(_reasons(settings))


def denied(error: Exception) -> str | None:
    """What a broker said where this user lacks a right, None for any other error. Both clients call these errors alike."""
    name = type(error).__name__
    if "AuthorizationFailed" not in name:
        return None
    about = str(error).rpartition(f"{name}: ")[2] if f"{name}: " in str(error) else ""
    return (
        f"Kafka does not let this user do that: {name}{f' ({about})' if about else ''}\n"
        f"  The rights (ACLs) that each command needs: docs/how-to/secure-connections.md"
    )


def taken(error: Exception, settings: Settings) -> str | None:
    """What it means that the group takes no member of our kind, None for any other error."""
    if type(error).__name__ != "InconsistentGroupProtocolError":
        return None
    return (
        f"another program reads as the consumer group {settings.kafka.group}, so it takes no worker in. Stop that one, or give "
        "one of the two a name of its own (kafka.group; offsets lie in Redis, so nothing is lost). Until then the worker waits"
    )


async def _reasons(settings: Settings) -> str:
    servers = settings.bootstrap_servers()
    found = await asyncio.gather(*(_reason(settings, server) for server in servers))
    told = {server: reason for server, reason in zip(servers, found, strict=True) if reason}
    return "\n".join(f"{server}: {reason}" for server, reason in told.items())


async def _reason(settings: Settings, server: str) -> str:
    """One address; "" where nobody listens."""
    from aiokafka.conn import create_conn

    kafka = settings.kafka
    arguments: dict[str, Any] = settings.to_aiokafka()
    del arguments["bootstrap_servers"]
    host, _, port = server.partition("://")[2].rpartition(":") if "://" in server else server.rpartition(":")
    if not host:
        host, port = port, str(DEFAULT_PORT)
    try:
        async with asyncio.timeout(PATIENCE_S):
            connection = await create_conn(host.strip("[]"), int(port), **arguments)
    except TimeoutError:
        return f"no answer within {PATIENCE_S:g} s. Does it speak {kafka.security_protocol} there (kafka.security_protocol)?"
    except ConnectionRefusedError:
        return ""
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return _told(error, settings)
    connection.close()
    if kafka.security_protocol.startswith("SASL"):
        return "it takes the login, and then does not answer: look at its log, and at its advertised.listeners"
    return (
        "it takes the connection, and then does not answer. Does it ask for a login, and is kafka.security_protocol "
        f"({kafka.security_protocol}) right?"
    )


def _told(error: Exception, settings: Settings) -> str:
    kafka, name = settings.kafka, type(error).__name__
    cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not accepted: {cause.verify_message}. kafka.ssl_cafile names whom to trust"
            f"{'' if kafka.ssl_cafile else '; it is empty, so those that the system trusts'}"
        )
    if isinstance(cause, ssl.SSLError):
        if "CERTIFICATE" in (cause.reason or ""):
            return f"it does not accept the certificate of this client, or asks for one ({cause.reason}): kafka.ssl_certfile"
        return f"TLS failed ({cause.reason}). Does it speak {kafka.security_protocol} there (kafka.security_protocol)?"
    if name.startswith("SaslAuthenticationFailed"):
        return f"it refuses this login by {kafka.sasl_mechanism}: kafka.sasl_username, kafka.sasl_password, kafka.sasl_mechanism"
    if name.startswith("UnsupportedSaslMechanism"):
        return f"it knows no login by {kafka.sasl_mechanism}: kafka.sasl_mechanism"
    if name.startswith("IllegalSaslState"):
        return f"it asks for no login there: kafka.security_protocol ({kafka.security_protocol})"
    if isinstance(error, AssertionError) and "gssapi" in str(error):
        return "a login by GSSAPI needs a package here: pip install gssapi"
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    told = f"it hung up. Does it speak {kafka.security_protocol} there (kafka.security_protocol)"
    if "SSL" in kafka.security_protocol and not kafka.ssl_certfile:
        told += ", and ask for a certificate of this client (kafka.ssl_certfile)"
    return f"{told}?"
