"""Tokens: who may send to the collector, and who may read its metrics."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from commands.options import Commands, duration, lake_of, positive, who
from commands.output import Exit, print_json
from fleetcrash.terminal import readable
from fleetcrash.times import time_text

if TYPE_CHECKING:
    from ingest.collector.token_book import Entry
    from ingest.collector.tokens import Token, Tokens

_SCOPES = ("send", "read", "admin")


def add_to(commands: Commands) -> None:
    """Add the group of commands."""
    group = commands.group("token", "Who may send to the collector", example="fleetcrash token add edge-eu --lake lake")
    one = group.add(add, "--lake", example="fleetcrash token add edge-eu --rate 500 --lake lake")
    one.add_argument("name", metavar="NAME", help="who will use it")
    one.add_argument(
        "--scope", choices=_SCOPES, default="send",
        help="send records (default), read /metrics and the details of /healthz, or admin: both",
    )  # fmt: skip
    one.add_argument("--rate", type=positive, metavar="N", help="records a second that it may bring (default: serve's)")
    group.add(list_, "--lake", "--json", example="fleetcrash token list")
    one = group.add(rotate, "--lake", example="fleetcrash token rotate edge-eu --overlap 2h --lake lake")
    one.add_argument("name", metavar="NAME", help="as it was added")
    one.add_argument(  # a day has a night in which nobody deploys anything
        "--overlap", type=duration(), default="1d", metavar="TIME",
        help="how long the old secret is taken as well, such as 30m, 2h, 1d (default: %(default)s)",
    )  # fmt: skip
    one = group.add(revoke, "--lake", example="fleetcrash token revoke edge-eu --lake lake")
    one.add_argument("name", metavar="NAME", help="as it was added")
    group.add(log, "--lake", "--json", example="fleetcrash token log")


def add(chosen: argparse.Namespace) -> int:
    """Make a token and show it once; from the first one on nobody may send without."""
    from ingest.collector.tokens import Scope

    token = _tokens(chosen, create=True).add(
        chosen.name, now=datetime.now(UTC), scope=Scope(chosen.scope), rate=chosen.rate, by=who()
    )
    name = readable(chosen.name)
    print(f"Token {name}, for a header `Authorization: Bearer ...`; only its hash is kept:", file=sys.stderr)
    print(token)
    return Exit.DONE


def list_(chosen: argparse.Namespace) -> int:
    """List the tokens by name."""
    tokens = _tokens(chosen)
    listed = tokens.listed()
    if chosen.json:
        print_json({"schema": 1, "tokens": [_as_json(one) for one in listed]})
        return Exit.DONE
    for one in listed:
        rate = "" if one.rate is None else f", {one.rate:g} records/s"
        former = f", the secret before it until {one.former[-1].until}" if one.former else ""
        print(readable(f"{one.name}  since {one.created_at}, {one.scope}{rate}{former}"))
    if not listed:
        print("There is no token" + (", so that nobody may send." if tokens.configured else ": senders need none."))
    return Exit.DONE


def rotate(chosen: argparse.Namespace) -> int:
    """Give a token a new secret and show it once; the old one is taken for a while as well."""
    overlap = timedelta(seconds=chosen.overlap)
    tokens, now = _tokens(chosen), datetime.now(UTC)
    token = tokens.rotate(chosen.name, now=now, overlap=overlap, by=who())
    until = time_text((now + overlap).replace(microsecond=0))
    print(f"Token {readable(chosen.name)} has a new secret; the old one is taken until {until}:", file=sys.stderr)
    print(token)
    return Exit.DONE


def revoke(chosen: argparse.Namespace) -> int:
    """Let nobody use a token any more, from this moment on."""
    tokens = _tokens(chosen)
    tokens.revoke(chosen.name, now=datetime.now(UTC), by=who())
    left = len(tokens.listed())
    others = f"{left} left." if left else "None is left, so that nobody may send."
    print(f"Revoked {readable(chosen.name)}. {others}")
    return Exit.DONE


def log(chosen: argparse.Namespace) -> int:
    """List who added, rotated and revoked which token, and when."""
    from ingest.collector.token_book import entries

    found = entries(lake_of(chosen).root)
    if chosen.json:
        print_json({"schema": 1, "changes": [asdict(one) for one in found]})
        return Exit.DONE
    for one in found:
        print(readable(_line(one)))
    return Exit.DONE


def _line(one: Entry) -> str:
    until = "" if one.overlap_until is None else f", the old secret until {one.overlap_until}"
    return f"{one.at}  {one.by}  {one.action} {one.name} ({one.scope}){until}"


def _as_json(one: Token) -> dict[str, object]:
    former = [each.until for each in one.former]
    return {
        "name": one.name, "created_at": one.created_at, "scope": one.scope, "rate": one.rate, "former_until": former
    }  # fmt: skip


def _tokens(chosen: argparse.Namespace, *, create: bool = False) -> Tokens:
    from ingest.collector.tokens import Tokens

    return Tokens(lake_of(chosen, create=create).root)
