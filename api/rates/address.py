"""Where a request came from, as far as can be believed."""

import ipaddress
from typing import Final

_NETWORK_BITS: Final = 64
"""What one household or host is given of IPv6, at least: whoever has it can use all of its addresses."""


def client(peer: str, forwarded: str, *, hops: int) -> str:
    """Return the address to count a request by.

    Args:
        peer: who is connected.
        forwarded: the header `X-Forwarded-For` as it came: the client's own claims, then what each proxy saw.
        hops: how many proxies of the company stand before this server. What the first of them saw is believed, and
            nothing that stands before it; a request that passed fewer is counted by who is connected.

    >>> client("10.0.0.2", "203.0.113.9, 198.51.100.7", hops=1)
    '198.51.100.7'
    >>> client("2001:db8:1:2:3::4", "", hops=0)
    '2001:db8:1:2::/64'
    """
    seen = [part.strip() for part in forwarded.split(",")] if forwarded and hops else []
    return _network(seen[-hops]) if len(seen) >= hops > 0 else _network(peer)


def _network(written: str) -> str:
    """Return an address without its port; of IPv6 its network."""
    host = written.partition("]")[0].lstrip("[") if written.startswith("[") else written
    host = host.partition(":")[0] if host.count(":") == 1 else host
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:_NETWORK_BITS]
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((address, _NETWORK_BITS), strict=False))
    return str(address)
