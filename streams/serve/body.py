"""Reading a request's body: in time, within its size, inflated under the same limit while it comes in.

A body that would inflate beyond the limit is refused at the byte that goes over it; what it would have become is never in
memory. Sizes count against the budget as they arrive.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Final

from streams.serve.answer import Refusal
from streams.serve.budget import Hold

CLOSE: Final = {"Connection": "close"}
"""What is left of a body that was refused is not read: the connection ends with the answer."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_ENCODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip"})
_TYPES: Final = frozenset(
    {
        *("", "application/json"),
        # Browsers send JSON under this name to save a preflight.
        "text/plain",
        # RudderStack's Node library sends gzip so named, and curl anything with -d.
        *("application/x-www-form-urlencoded", "application/octet-stream"),
    }
)


def check_headers(content_type: str, content_encoding: str, content_length: str, *, limit: int) -> bool:
    """Whether the body is gzip. Raises Refusal for a type, an encoding or a stated length that is not taken."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in _TYPES and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Refusal("content_type", f"it is {kind[:64]!r}", headers=CLOSE)
    encoding = content_encoding.strip().lower()
    if encoding not in _ENCODINGS:
        raise Refusal("content_encoding", f"it is {encoding[:64]!r}", headers=CLOSE)
    if content_length.isascii() and content_length.isdigit() and int(content_length[:20]) > limit:
        raise too_large(limit)
    return encoding.endswith("gzip")


def too_large(limit: int) -> Refusal:
    """The refusal of a body beyond `limit` bytes."""
    return Refusal("too_large", f"{limit} bytes are allowed", headers=CLOSE)


async def read_body(chunks: AsyncIterator[bytes], hold: Hold, *, gzipped: bool, limit: int, timeout_ms: int) -> bytes:
    """The whole body, inflated. Raises Refusal: `too_large`, `slow_body`, `bad_encoding`, `busy`."""
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            return await (_inflated(chunks, hold, limit) if gzipped else _plain(chunks, hold, limit))
    except TimeoutError:
        raise Refusal("slow_body", headers=CLOSE) from None


async def _plain(chunks: AsyncIterator[bytes], hold: Hold, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        hold.take(len(chunk))
        parts.append(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _inflated(chunks: AsyncIterator[bytes], hold: Hold, limit: int) -> bytes:
    inflater = zlib.decompressobj(_GZIP)
    parts: list[bytes] = []
    size = received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > limit:
            raise too_large(limit)
        waiting = chunk
        while waiting:
            if inflater.eof:
                raise Refusal("bad_encoding", "there is something after the end", headers=CLOSE)
            try:
                # One byte more than may come shows that there is more.
                part = inflater.decompress(waiting, limit - size + 1)
            except zlib.error:
                raise Refusal("bad_encoding", headers=CLOSE) from None
            size += len(part)
            if size > limit:
                raise too_large(limit)
            hold.take(len(part))
            parts.append(part)
            waiting = inflater.unconsumed_tail or inflater.unused_data
    if not inflater.eof:
        raise Refusal("bad_encoding", "it is cut off", headers=CLOSE)
    return b"".join(parts)
