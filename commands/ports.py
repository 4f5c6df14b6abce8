"""Ports that commands listen on: a number is checked as it is read, and whether it is free before anything starts."""

from __future__ import annotations

import argparse
import errno
import re
import socket
from collections.abc import Callable

from fleetcrash.errors import BadArgument

_LAST = 65535  # getaddrinfo would take what is above modulo 65536


def port_from(least: int) -> Callable[[str], int]:
    """A parser for an option that is a port.

    Args:
        least: 0 where that means any free one, else 1.
    """

    def port(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,5}", text) or not least <= int(text) <= _LAST:
            raise argparse.ArgumentTypeError(f"{text!r} is no port; wanted a whole number from {least} to {_LAST}")
        return int(text)

    return port


def check_port(port: int, *, host: str = "127.0.0.1", option: str = "--port") -> int:
    """Check that a port can be listened on.

    Args:
        port: 0 for any free one.
        option: the option that sets it, for the message.
    Returns:
        the port; for 0 one that is free now, for servers that do not tell which one they took.
    Raises:
        BadArgument: it is taken, or may not be used, or there is no such host here.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _no_host(host, error) from error
    refused: list[OSError] = []
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:  # like servers that listen on each address of a host
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address[0], port, *address[2:]))
                port = probe.getsockname()[1]
        except OSError as error:
            refused.append(error)
    # A name may have addresses that this machine lacks, such as with IPv6 off. A port taken on one address is taken.
    serious = [one for one in refused if one.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)]
    if serious or len(refused) == len(found):
        why = (serious or refused)[0]
        raise _not_free(host, port, why, option) from why
    return port


def listening(host: str, port: int) -> socket.socket:
    """The socket on which the collector listens; port 0 takes a free one.

    Raises:
        BadArgument: the port is taken, or may not be used, or there is no such host here.
    """
    from ingest.collector.server import listen

    try:
        return listen(host, port)
    except socket.gaierror as error:
        raise _no_host(host, error) from error
    except OSError as error:
        raise _not_free(host, port, error, "--port") from error


def _no_host(host: str, error: OSError) -> BadArgument:
    return BadArgument(
        f"There is no host {host} ({error.strerror}). Nothing was started. Name an address of this machine with --host."
    )


def _not_free(host: str, port: int, error: OSError, option: str) -> BadArgument:
    return BadArgument(
        f"Port {port} on {host} cannot be used ({error.strerror}). Nothing was started. "
        f"Choose another with {option} {port + 1 if port < _LAST else port - 1}."
    )
