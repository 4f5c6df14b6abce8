"""Tokens: who may send to the collector."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from commands.options import Commands, lake_of
from commands.output import Exit, print_json

if TYPE_CHECKING:
    from ingest.collector.tokens import Tokens


def add_to(commands: Commands) -> None:
    """Add the group of commands."""
    group = commands.group("token", "Who may send to the collector")
    one = group.add(add, "--lake", example="fleetcrash token add edge-eu --lake lake")
    one.add_argument("name", metavar="NAME", help="who will use it")
    group.add(list_, "--lake", "--json", example="fleetcrash token list")
    one = group.add(revoke, "--lake", example="fleetcrash token revoke edge-eu --lake lake")
    one.add_argument("name", metavar="NAME", help="as it was added")


def add(chosen: argparse.Namespace) -> int:
    """Make a token and show it once; from the first one on nobody may send without."""
    token = _tokens(chosen, create=True).add(chosen.name, now=datetime.now(UTC))
    print(f"Token {chosen.name}, for a header `Authorization: Bearer ...`; only its hash is kept:", file=sys.stderr)
    print(token)
    return Exit.DONE


def list_(chosen: argparse.Namespace) -> int:
    """List the tokens by name."""
    listed = _tokens(chosen).listed()
    if chosen.json:
        print_json({"schema": 1, "tokens": [{"name": one.name, "created_at": one.created_at} for one in listed]})
        return Exit.DONE
    for one in listed:
        print(f"{one.name}  since {one.created_at}")
    return Exit.DONE


def revoke(chosen: argparse.Namespace) -> int:
    """Let nobody send with a token any more, from this moment on."""
    tokens = _tokens(chosen)
    tokens.revoke(chosen.name)
    left = len(tokens.listed())
    print(f"Revoked {chosen.name}. " + (f"{left} left." if left else "None is left, so that nobody may send."))
    return Exit.DONE


def _tokens(chosen: argparse.Namespace, *, create: bool = False) -> Tokens:
    from ingest.collector.tokens import Tokens

    return Tokens(lake_of(chosen, create=create).root)
