"""Tokens, which say who may do what; only hashes are kept, in a file of the lake's folder.

A token has 256 random bits, so its plain hash cannot be reversed and needs no salt.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from fleetcrash.errors import BadArgument, LakeError, UnknownName
from fleetcrash.store.durable import sync_folder
from fleetcrash.store.ownership import give
from fleetcrash.times import parse_time, time_text
from ingest.collector import token_book
from ingest.collector.token_book import Entry

FILE = "_tokens.json"

_LOCK = "_tokens.lock"
_PREFIX = "fc_"  # so that a scanner for leaked secrets recognises one


class Scope(StrEnum):
    """What a token permits."""

    SEND = "send"
    READ = "read"
    ADMIN = "admin"

    def allows(self, wanted: Scope) -> bool:
        """Whether this scope is enough; admin permits everything."""
        return self in (wanted, Scope.ADMIN)


@dataclass(frozen=True)
class Former:
    """A secret that a rotation replaced.

    Attributes:
        sha256: of the token, in hex.
        until: it is not accepted after this, RFC 3339.
    """

    sha256: str
    until: str


@dataclass(frozen=True)
class Token:
    """A token as stored.

    Attributes:
        name: who uses it.
        sha256: of the token, in hex.
        created_at: RFC 3339.
        rate: records a second that it may bring; None: the collector's default.
        former: secrets before rotations.
    """

    name: str
    sha256: str
    created_at: str
    scope: Scope = Scope.SEND
    rate: float | None = None
    former: tuple[Former, ...] = ()


class Tokens:
    """The tokens of a lake. Commands that change them wait for one another.

    Once there is a file of tokens, nobody may send without one, even after the last was revoked, or while the disk with
    the file cannot be reached.
    """

    def __init__(self, lake_root: Path) -> None:
        self._path = lake_root / FILE
        self._was_there = False
        self._seen: tuple[int, int] | None = None
        self._known: dict[str, tuple[Token, datetime | None]] = {}

    @property
    def configured(self) -> bool:
        """Whether senders need a token."""
        self._was_there = self._was_there or self._path.exists()
        return self._was_there

    def listed(self) -> list[Token]:
        """All tokens, oldest first.

        Raises:
            LakeError: the file cannot be read.
        """
        try:
            return [_token(one) for one in json.loads(self._path.read_text(encoding="utf-8"))["tokens"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LakeError(f"{self._path} cannot be read: {error}. Until it can, nobody may send.") from error

    def add(
        self, name: str, *, now: datetime, scope: Scope = Scope.SEND, rate: float | None = None, by: str = ""
    ) -> str:
        """Make a token and return it; it is not stored.

        Args:
            by: who does this, for the book.
        Raises:
            BadArgument: there is one of this name, or it is blank.
            LakeError: the file or the book cannot be read or written.
        """
        if not name.strip():
            raise BadArgument("A token needs a name, which says whose it is. Nothing was changed.")
        with self._changing():
            known = self.listed()
            if any(one.name == name for one in known):
                raise BadArgument(
                    f"There is a token {name} already. Nothing was changed. Revoke it, or use another name."
                )
            secret = _new_secret()
            made = Token(name, _hashed(secret), _text(now), scope, rate)
            self._write([*known, made], Entry(_text(now), by, "add", name, scope, rate))
        return secret

    def rotate(self, name: str, *, now: datetime, overlap: timedelta, by: str = "") -> str:
        """Give a token a new secret and return it.

        Args:
            overlap: how long the old one is still accepted, so that senders can change.
            by: who does this, for the book.
        Raises:
            UnknownName: there is no such token.
            LakeError: the file or the book cannot be read or written.
        """
        with self._changing():
            known, old = self._named(name)
            secret, until = _new_secret(), _text(now + overlap)
            still = tuple(one for one in old.former if parse_time(one.until) > now)
            new = replace(old, sha256=_hashed(secret), former=(*still, Former(old.sha256, until)))
            self._write(
                [new if one is old else one for one in known],
                Entry(_text(now), by, "rotate", name, old.scope, old.rate, until),
            )
        return secret

    def revoke(self, name: str, *, now: datetime, by: str = "") -> None:
        """Revoke a token, including its secrets before rotations.

        Raises:
            UnknownName: there is no such token.
            LakeError: the file or the book cannot be read or written.
        """
        with self._changing():
            known, old = self._named(name)
            self._write(
                [one for one in known if one is not old], Entry(_text(now), by, "revoke", name, old.scope, old.rate)
            )

    def find(self, secret: str | None, *, now: datetime) -> Token | None:
        """The token of a secret; None if there is none, or no longer.

        Changes of the file take effect at once.

        Raises:
            LakeError: the file cannot be read.
        """
        if not secret:
            return None
        try:
            stat = self._path.stat()
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not self._was_there:
                return None
            said = f"{self._path} cannot be read: {error.strerror}. Until it can, nobody may send."
            raise LakeError(said) from error
        self._was_there = True
        if (stat.st_mtime_ns, stat.st_ino) != self._seen:
            # By hash: the time of a dict look-up then tells nothing useful about a token.
            self._known = dict(_by_hash(self.listed()))
            self._seen = (stat.st_mtime_ns, stat.st_ino)
        found, until = self._known.get(_hashed(secret), (None, None))
        return found if until is None or now < until else None

    def _named(self, name: str) -> tuple[list[Token], Token]:
        known = self.listed()
        for one in known:
            if one.name == name:
                return known, one
        raise UnknownName(f"There is no token {name}. `fleetcrash token list` says which there are.")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Exclude other commands: of two changes at once the second would undo the first."""
        try:
            lock = os.open(self._path.with_name(_LOCK), os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise LakeError(f"{self._path} cannot be written: {error.strerror}. Nothing was changed.") from error
        try:
            give(lock, like=self._path.parent)
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, tokens: list[Token], entry: Entry) -> None:
        """Write the change to the book, then make it.

        The new file is whole on disk before, so that a full disk leaves no entry about a change that was not made.
        """
        text = json.dumps({"schema": 1, "tokens": [asdict(one) for one in tokens]}, indent=1)
        folder, scratch = self._path.parent, ""
        try:
            descriptor, scratch = tempfile.mkstemp(dir=folder, prefix=FILE)  # only we may read it
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                give(descriptor, like=folder)
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            token_book.add(folder, entry)
            os.replace(scratch, self._path)
        except OSError as error:
            if scratch:
                Path(scratch).unlink(missing_ok=True)  # the disk may be full
            if isinstance(error, LakeError):
                raise
            raise LakeError(f"{self._path} cannot be written: {error.strerror}. Nothing was changed.") from error
        with suppress(OSError):  # the change is made, and counts
            sync_folder(folder)  # a revoked secret must not come back after a power cut


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _token(kept: dict[str, Any]) -> Token:
    """A token from the file; older files have neither scope nor rate.

    Raises:
        ValueError, TypeError: it is not valid.
    """
    found = Token(
        **{
            **kept,
            "scope": Scope(kept.get("scope", Scope.SEND)),
            "former": tuple(Former(**one) for one in kept.get("former", ())),
        }
    )
    for one in found.former:
        parse_time(one.until)
    if found.rate is not None and not found.rate > 0:
        raise ValueError(f"a rate of {found.rate}")
    return found


def _by_hash(tokens: list[Token]) -> Iterator[tuple[str, tuple[Token, datetime | None]]]:
    """Each secret with its token, and the time after which it is not accepted."""
    for token in tokens:
        yield from ((one.sha256, (token, parse_time(one.until))) for one in token.former)
        yield token.sha256, (token, None)


def _new_secret() -> str:
    return _PREFIX + secrets.token_hex(32)  # letters and digits, as Sentry's clients accept no other keys


def _text(instant: datetime) -> str:
    return time_text(instant.replace(microsecond=0))
