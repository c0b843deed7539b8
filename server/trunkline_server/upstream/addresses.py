# SPDX-License-Identifier: Apache-2.0
"""Which addresses are public: no machine of the gateway's own network, and no service of its cloud, may be reached by naming it in a request.

An address is judged as the number that it is, so no way of writing it matters. One that stands for another is judged by that one, too: IPv4 inside IPv6 goes
where the IPv4 address goes once a translator of the network has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

_V4_MASK: Final = 0xFFFFFFFF
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL: Final = IPv6Network("64:ff9b:1::/48")  # RFC 8215: whatever the network's own translator makes of it
_COMPATIBLE: Final = IPv6Network("::/96")  # RFC 4291, deprecated
_TRANSLATED: Final = IPv6Network("::ffff:0:0:0/96")  # RFC 2765
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})  # RFC 5214
# Beyond what `is_global` knows: carrier-grade NAT, where clouds keep services, benchmarks, and Azure's own service address.
_REFUSED: Final = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15"),
        *(
            "224.0.0.0/4",
            "240.0.0.0/4",
            "fc00::/7",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
            "100::/64",
            "3fff::/20",
            "5f00::/16",
        ),
    )
)


def is_public(address: str) -> bool:
    """Whether an address, as a look-up gives it, is one of the public network. One with a zone (`fe80::1%eth0`) is not, nor is what is no address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.scope_id is not None:
        return False
    return all(_is_public(one) for one in (parsed, *_embedded(parsed)))


def make_judge(networks: Iterable[str]) -> Callable[[str], bool]:
    """Judges addresses as `is_public` does, but for those of some networks (CIDR), which are allowed as well. Raises ValueError for what is no network."""
    allowed = tuple(ip_network(text) for text in networks)

    def judge(address: str) -> bool:
        return is_public(address) or any(_is_inside(address, network) for network in allowed)

    return judge if allowed else is_public


def _is_inside(address: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        return ip_address(address) in network
    except ValueError:
        return False


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (address in _NAT64 or address.ipv4_mapped is not None):
        return True  # what it stands for decides
    if address in _NAT64_LOCAL or address in _COMPATIBLE or address in _TRANSLATED:
        return False
    if any(address in network for network in _REFUSED):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    if address in _NAT64:
        yield IPv4Address(number & _V4_MASK)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if (number >> 32) & _V4_MASK in _ISATAP:
        yield IPv4Address(number & _V4_MASK)
