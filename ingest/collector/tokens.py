"""Who may send: tokens, of which only hashes are kept, in a file of the lake's folder.

A token is 256 random bits, so that a plain hash of it cannot be turned round and needs no salt.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from fleetcrash.errors import BadArgument, LakeError, UnknownName
from fleetcrash.times import time_text

FILE = "_tokens.json"
_PREFIX = "fc_"  # so that a scanner for leaked secrets can tell one


@dataclass(frozen=True)
class Token:
    """A token as it is kept.

    Attributes:
        name: who uses it.
        sha256: of the token, in hex.
        created_at: RFC 3339.
    """

    name: str
    sha256: str
    created_at: str


class Tokens:
    """The tokens of a lake. Not for two writers at once.

    Once a file of tokens is there, nobody may send without one, even after the last was revoked.
    """

    def __init__(self, lake_root: Path) -> None:
        self._path = lake_root / FILE
        self._seen: tuple[int, int] | None = None
        self._names: dict[str, str] = {}

    @property
    def configured(self) -> bool:
        """Whether senders need a token."""
        return self._path.exists()

    def listed(self) -> list[Token]:
        """All tokens, oldest first.

        Raises:
            LakeError: the file cannot be read.
        """
        try:
            return [Token(**one) for one in json.loads(self._path.read_text(encoding="utf-8"))["tokens"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LakeError(f"{self._path} cannot be read: {error}. Until it can, nobody may send.") from error

    def add(self, name: str, *, now: datetime) -> str:
        """Make a token and return it; it is nowhere else.

        Raises:
            BadArgument: there is one of this name.
            LakeError: the file cannot be read or written.
        """
        known = self.listed()
        if any(one.name == name for one in known):
            raise BadArgument(f"There is a token {name} already. Nothing was changed. Revoke it, or use another name.")
        token = _PREFIX + secrets.token_hex(32)  # letters and digits: Sentry's clients take no other key
        self._write([*known, Token(name, _hashed(token), time_text(now.replace(microsecond=0)))])
        return token

    def revoke(self, name: str) -> None:
        """Let nobody send with a token any more.

        Raises:
            UnknownName: there is no such token.
            LakeError: the file cannot be read or written.
        """
        known = self.listed()
        kept = [one for one in known if one.name != name]
        if len(kept) == len(known):
            raise UnknownName(f"There is no token {name}. `fleetcrash token list` says which there are.")
        self._write(kept)

    def sender(self, token: str | None) -> str | None:
        """The name of who sends with a token; None where that may not send.

        Changes of the file are seen at once.

        Raises:
            LakeError: the file cannot be read.
        """
        if not token:
            return None
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return None
        if (stat.st_mtime_ns, stat.st_ino) != self._seen:
            # By hash: to look one up in a dict tells by its time nothing of use about a token.
            self._names = {one.sha256: one.name for one in self.listed()}
            self._seen = (stat.st_mtime_ns, stat.st_ino)
        return self._names.get(_hashed(token))

    def _write(self, tokens: list[Token]) -> None:
        text = json.dumps({"schema": 1, "tokens": [asdict(one) for one in tokens]}, indent=1)
        try:
            descriptor, scratch = tempfile.mkstemp(dir=self._path.parent, prefix=FILE)  # only we may read it
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(scratch, self._path)
        except OSError as error:
            raise LakeError(f"{self._path} cannot be written: {error.strerror}. Nothing was changed.") from error


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
