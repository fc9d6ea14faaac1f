"""No calls to private addresses: who may set a URL must not reach what is behind the firewall.

The check is made of the addresses that a name resolves to, in the moment of the connection: a name that changes its address
between a check and a call is of no use to anybody.
"""

import ipaddress
import socket
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from typing_extensions import override

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that is assigned of the public IPv6 internet (RFC 4291, 2.4; IANA's registry)."""


class PrivateAddress(OSError):
    """The endpoint's address is of a private network, of this machine, or otherwise not of the public internet."""


def is_public(address: str) -> bool:
    """Whether an IP address is of the public internet.

    >>> is_public("93.184.216.34"), is_public("10.0.0.1"), is_public("::ffff:127.0.0.1"), is_public("169.254.169.254")
    (True, False, False, False)
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found not in _UNICAST and found not in _NAT64:
        return False
    return all(one.is_global and not one.is_multicast for one in (found, *_carried(found)))


def _carried(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses inside an IPv6 one: mapped, 6to4, Teredo's client, NAT64."""
    if isinstance(found, ipaddress.IPv4Address):
        return []
    inside = [found.ipv4_mapped, found.sixtofour, None if found.teredo is None else found.teredo[1]]
    if found in _NAT64:
        inside.append(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
    return [one for one in inside if one is not None]


def check_host(host: str) -> None:
    """Refuse a host that is itself a private address. Raises PrivateAddress; a name passes, it is checked when resolved."""
    try:
        public = is_public(host)
    except ValueError:
        return
    if not public:
        raise PrivateAddress(f"{host} is no public address; if the receiver is your own, set allow_private")


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
