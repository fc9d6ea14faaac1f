"""Which addresses are of the public internet, and which of private networks, of this machine, or of no use."""

import ipaddress
import socket
from typing import Final

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
        try:  # an address in short, octal or hexadecimal: the system connects to it without resolving anything
            public = is_public(socket.inet_ntoa(socket.inet_aton(host)))
        except OSError:
            return
    if not public:
        raise PrivateAddress(f"{host} is no public address; if the receiver is your own, set allow_private")
