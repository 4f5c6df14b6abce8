"""The book of changes to tokens: who did what to which, and when.

It has one JSON object a line, in ``_audit/tokens.ndjson`` in the lake's folder, beside the tables, so that neither
compaction nor a migration touches it. Lines are added and never changed, except that a forgotten host is struck out of
names of tokens. No line has a token or its hash.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from fleetcrash.errors import LakeError, one_line
from fleetcrash.store import ledger
from fleetcrash.store.mentions import Mentions

BOOK: Final = Path("_audit") / "tokens.ndjson"


@dataclass(frozen=True)
class Entry:
    """One change.

    Attributes:
        at: by the clock of the machine, RFC 3339.
        by: user name on the machine.
        action: add, rotate or revoke.
        name: of the token.
        scope: of the token.
        rate: of the token, records a second; None: unlimited.
        overlap_until: until when the old secret is accepted after a rotation, RFC 3339; None for other changes.
    """

    at: str
    by: str
    action: str
    name: str
    scope: str
    rate: float | None = None
    overlap_until: str | None = None


def add(root: Path, entry: Entry) -> None:
    """Write an entry, which is on disk durably once this returns.

    Raises:
        LakeError: the book cannot be written.
    """
    path = root / BOOK
    try:
        ledger.add(path, asdict(entry), mode=0o700)
    except OSError as error:
        raise LakeError(f"{path} cannot be written: {one_line(error)}. Nothing was changed.") from error


def entries(root: Path) -> list[Entry]:
    """All entries, oldest first.

    Raises:
        LakeError: the book cannot be read, or a line of it is no entry: an audit skips nothing.
    """
    return ledger.entries(root / BOOK, _entry, called="change of a token")


def _entry(told: Any) -> Entry:
    return Entry(**{field.name: told[field.name] for field in fields(Entry)})


def strike(root: Path, mentions: Mentions) -> int:
    """Strike a forgotten host out of the names of tokens, as some fleets name a token after each host.

    Returns:
        how many entries were changed.
    Raises:
        LakeError: the book cannot be written.
    """
    return ledger.strike(root / BOOK, mentions, ("name",))
