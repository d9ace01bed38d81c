"""Which hosts Muster asks because an organization says so: its owner must not look into the network that Muster runs in."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

_Address = IPv4Address | IPv6Address


class Reach:
    """What can be asked from where people reach Muster, ``base_url``: nothing that is further inside than Muster itself.

    From a public address that is what is public; from a private network its private addresses as well, but neither the
    machine itself nor its neighbours by link (where clouds hand out credentials); from loopback, everything.
    """

    def __init__(self, base_url: str) -> None:
        self._home = urlsplit(base_url).hostname

    async def allows(self, address: str) -> bool:
        """Whether this URL may be asked: every address that its host has must be in reach, and there must be one.

        Raises:
            ValueError: it is no URL.
        """
        parts = urlsplit(address)
        found = await _addresses(parts.hostname)
        secure = parts.scheme == "https"
        if not found:
            return False
        if secure and all(map(_is_public, found)):
            return True
        home = await _addresses(self._home)
        if not home:
            return False
        if all(each.is_loopback for each in home):
            return True
        return secure and all(map(_is_inside, home)) and all(_is_inside(each) or _is_public(each) for each in found)


def _is_public(address: _Address) -> bool:
    return address.is_global and not address.is_multicast


def _is_inside(address: _Address) -> bool:
    """Whether it is an address of a private network, which more than one machine can have."""
    other = address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast or address.is_reserved
    return address.is_private and not other


async def _addresses(host: str | None) -> list[_Address]:
    """Every address of a host; none when it is not known."""
    if not host:
        return []
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [_plain(ip_address(entry[4][0])) for entry in found]


def _plain(address: _Address) -> _Address:
    """An IPv4 address that is written as an IPv6 one is what it stands for."""
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
