"""A request as the handlers see it, whatever server and framework brought it."""

from collections.abc import AsyncIterator, Mapping
from urllib.parse import parse_qs

from msgspec import Struct


class Call(Struct, frozen=True):
    """One request. `path` is percent-encoded as it came, header names are in lower case, `body` may be read once.

    `parts` are the values of the path's placeholders, decoded.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]
    parts: dict[str, str] = {}

    def header(self, name: str) -> str:
        """A header's value, "" where it was not sent."""
        return self.headers.get(name, "")

    def asked(self, name: str) -> list[str]:
        """The values of a query parameter."""
        return parse_qs(self.query, max_num_fields=32).get(name, []) if self.query else []
