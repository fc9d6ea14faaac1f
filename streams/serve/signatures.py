"""Signatures of webhooks, checked over the raw bytes and in constant time: Shopify's, Standard Webhooks' and Customer.io's.

Of a sender that can't sign (Braze's Currents) a token is compared.

Pure: the present is an argument. While a secret is exchanged two are live, and either may have signed.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from streams.serve.answer import Refusal

SKEW_S: Final = 300
"""Standard Webhooks: a signed time further than five minutes from now is refused, so that nothing can be replayed later."""

RETRIED_S: Final = 8 * 86_400
"""Customer.io tries again for seven days, and does not say whether it signs each time anew. A replay within this time changes
nothing while its id is remembered."""

SIGNATURES_MAX: Final = 16
_ID_MAX: Final = 200


def standard_secret(text: str) -> bytes:
    """The key that a Standard Webhooks secret stands for. Raises ValueError where it is not base64.

    >>> standard_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")[:3].hex()
    '31f290'
    """
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:  # binascii.Error, or a letter beyond ASCII
        raise ValueError("a Standard Webhooks secret is base64, with or without whsec_ before it") from None


def check_standard(headers: Mapping[str, str], body: bytes, keys: tuple[bytes, ...], now_s: float) -> str:
    """The message id of a Standard Webhooks call. Raises Refusal: `bad_signature`, `stale`.

    `webhook-signature` may hold several, separated by spaces; one that fits one of the keys is enough. What is signed is
    "id.timestamp.body" (https://www.standardwebhooks.com, HMAC-SHA256 as version v1).
    """
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (_is_id(message_id) and stamp.isascii() and stamp.isdigit()):
        raise Refusal("bad_signature", "webhook-id or webhook-timestamp is missing or malformed")
    signed = b"%s.%s.%s" % (message_id.encode(), stamp.encode(), body)
    wanted = [hmac.digest(key, signed, sha256) for key in keys]
    fits = False
    for part in headers.get("webhook-signature", "").split(" ")[:SIGNATURES_MAX]:
        version, _, value = part.partition(",")
        given = _decoded(value) if version == "v1" else b""
        for digest in wanted:
            fits |= hmac.compare_digest(given, digest)
    if not fits:
        raise Refusal("bad_signature")
    # After the signature: who can't sign learns nothing of our clock.
    if len(stamp) > 15 or abs(now_s - int(stamp)) > SKEW_S:
        raise Refusal("stale")
    return message_id


def check_shopify(headers: Mapping[str, str], body: bytes, keys: tuple[bytes, ...]) -> str:
    """The delivery id of a Shopify webhook. Raises Refusal (`bad_signature`).

    `X-Shopify-Hmac-SHA256` is base64 of the HMAC-SHA256 of the raw body under the app's client secret. The id is the same
    for every repeat of one delivery.
    """
    given = _decoded(headers.get("x-shopify-hmac-sha256", ""))
    fits = False
    for key in keys:
        fits |= hmac.compare_digest(given, hmac.digest(key, body, sha256))
    if not fits:
        raise Refusal("bad_signature")
    delivery = headers.get("x-shopify-webhook-id", "")
    if not _is_id(delivery):
        raise Refusal("wrong_shape", "X-Shopify-Webhook-Id is missing or malformed")
    return delivery


def check_customerio(headers: Mapping[str, str], body: bytes, keys: tuple[bytes, ...], now_s: float) -> None:
    """Whether Customer.io sent a reporting webhook. Raises Refusal: `bad_signature`, `stale`.

    `X-CIO-Signature` is the HMAC-SHA256 of "v0:timestamp:body" in hexadecimal, with `X-CIO-Timestamp`.
    """
    stamp, given = headers.get("x-cio-timestamp", ""), headers.get("x-cio-signature", "")[:128].removeprefix("v0=")
    if not (0 < len(stamp) <= 15 and stamp.isascii() and stamp.isdigit()):
        raise Refusal("bad_signature", "X-CIO-Timestamp is missing or malformed")
    fits = False
    for key in keys:
        wanted = hmac.new(key, b"v0:%s:%s" % (stamp.encode(), body), sha256).hexdigest()
        fits |= hmac.compare_digest(given.lower().encode("utf-8", "surrogatepass"), wanted.encode())
    if not fits:
        raise Refusal("bad_signature")
    if abs(now_s - int(stamp)) > RETRIED_S:
        raise Refusal("stale")


def check_bearer(headers: Mapping[str, str], keys: tuple[bytes, ...]) -> None:
    """Whether a call carries one of the tokens (Authorization: Bearer). Raises Refusal (`bad_signature`)."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    given = sha256(token.strip().encode("utf-8", "surrogatepass")).digest()
    fits = False
    for key in keys:
        fits |= hmac.compare_digest(given, sha256(key).digest())
    if scheme.lower() != "bearer" or not fits:
        raise Refusal("bad_signature", "the token of the Authorization header is missing or another one")


def _is_id(text: str) -> bool:
    return 0 < len(text) <= _ID_MAX and text.isascii() and text.isprintable()


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value[:128], validate=True)
    except (binascii.Error, ValueError):
        return b""
