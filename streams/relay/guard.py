"""No calls to private addresses: who may set a URL must not reach what is behind the firewall.

The check is made of the addresses that a name resolves to, in the moment of the connection: a name that changes its address
between a check and a call is of no use to anybody.
"""

import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from typing_extensions import override

from streams.relay.addresses import PrivateAddress, is_public


class PublicOnly(AbstractResolver):
    """Resolves names to public addresses only."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The public addresses of a name. Raises PrivateAddress where it has others only."""
        found = await self._inner.resolve(host, port, family)
        public = [one for one in found if is_public(one["host"])]
        if found and not public:
            raise PrivateAddress(f"{host} has no public address; if the receiver is your own, set allow_private")
        return public

    @override
    async def close(self) -> None:
        await self._inner.close()


def as_error(error: BaseException) -> Any:
    """The refusal behind an error of the HTTP client, None if there is none."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PrivateAddress):
            return seen
        seen = seen.__cause__ or getattr(seen, "os_error", None)
    return None
