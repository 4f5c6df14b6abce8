"""Who sends, by the address of the connection: one sender must not take what all others need."""

from __future__ import annotations

import ipaddress
from typing import Any


def sender_of(peer: Any) -> str:
    """The sender of a connection by its address; of IPv6 the /64 network, as a machine usually has a whole one."""
    try:
        address = ipaddress.ip_address(peer[0].partition("%")[0])
    except (TypeError, IndexError, ValueError):  # no address, as with a Unix socket
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or ipaddress.ip_network((int(address) >> 64 << 64, 64)).network_address
    return str(address)
