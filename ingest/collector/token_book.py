"""The book of changes to tokens: who did what to which, and when. Lines are added, never changed, but that a
forgotten host is struck out of the names of tokens.

One JSON object a line in ``_audit/tokens.ndjson`` in the lake's folder, beside the tables, so that neither compaction
nor a migration touches it. No line holds a token or its hash.
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
        by: their name on the machine.
        action: add, rotate or revoke.
        name: of the token.
        scope: of the token.
        rate: of the token, records a second; None for as many as come.
        overlap_until: until when the secret before a rotation is taken, RFC 3339; None for other changes.
    """

    at: str
    by: str
    action: str
    name: str
    scope: str
    rate: float | None = None
    overlap_until: str | None = None


def add(root: Path, entry: Entry) -> None:
    """Write an entry, on disk for good once this returns.

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
        LakeError: the book cannot be read, or a line of it is no entry: an audit passes over nothing.
    """
    return ledger.entries(root / BOOK, _entry, called="change of a token")


def _entry(told: Any) -> Entry:
    return Entry(**{field.name: told[field.name] for field in fields(Entry)})


def strike(root: Path, mentions: Mentions) -> int:
    """Strike a forgotten host out of the names of tokens: some fleets give each host a token called after it.

    Returns:
        how many entries were changed.
    Raises:
        LakeError: the book cannot be written.
    """
    return ledger.strike(root / BOOK, mentions, ("name",))
