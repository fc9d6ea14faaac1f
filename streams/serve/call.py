"""A request as the handlers see it, whatever server and framework brought it."""

from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import parse_qs

from msgspec import Struct

from streams.serve.answer import Refusal
from streams.serve.body import CLOSE

PARAMETERS_MAX: Final = 32
"""Parameters in a query."""


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
        """The values of a query parameter. Raises Refusal (`wrong_shape`) for a query of more than PARAMETERS_MAX."""
        if not self.query:
            return []
        try:
            return parse_qs(self.query, max_num_fields=PARAMETERS_MAX).get(name, [])
        except ValueError:
            raise Refusal(
                "wrong_shape", f"the query has more than {PARAMETERS_MAX} parameters", headers=CLOSE
            ) from None
