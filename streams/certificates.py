"""Certificates that settings name: read before anything connects, so that a wrong file is told as such and by its setting.

OpenSSL says of a file that is not there neither its name nor which of three it was, and asks the terminal for the password
of an encrypted key.
"""

import ssl
from pathlib import Path

from msgspec import Struct


class CertificateError(OSError):
    """A certificate or key that the settings name can't be used. The message names setting and file; nothing was sent.

    Operator action: correct the path, or give the password of the key.
    """


class Names(Struct, frozen=True):
    """What the settings are called: the authorities, this client's certificate, its key, the password of that."""

    authorities: str
    certificate: str
    key: str
    password: str


def tls_context(names: Names, authorities: str, certificate: str, key: str, password: str) -> ssl.SSLContext:
    """What TLS needs of these files (PEM); "" is a file not given. Raises CertificateError."""
    for name, path in ((names.authorities, authorities), (names.certificate, certificate), (names.key, key)):
        if path:
            _readable(name, path)
    try:
        context = ssl.create_default_context(cafile=authorities or None)
    except ssl.SSLError:
        raise CertificateError(f"{names.authorities}: {authorities} holds no certificates (PEM)") from None
    if key and not certificate:
        raise CertificateError(f"{names.key} is the key of a certificate: give {names.certificate}, too")
    if certificate:
        try:
            # A password that is not None, for without one OpenSSL would ask the terminal and wait.
            context.load_cert_chain(certificate, key or None, password)
        except (ssl.SSLError, OSError) as error:
            if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
                what = "the key is not that of the certificate"
            else:
                what = (
                    f"no certificate with its key (PEM), or the key is encrypted and {names.password} does not open it"
                )
            files = (
                f"{names.certificate}, {names.key}: {certificate}, {key}"
                if key
                else f"{names.certificate}: {certificate}"
            )
            raise CertificateError(f"{files}: {what}") from None
    return context


def _readable(name: str, path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise CertificateError(f"{name}: {path} can't be read: {error.strerror}") from None
