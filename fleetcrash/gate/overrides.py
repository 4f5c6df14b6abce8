"""The book of overrides: what people decided against the gate, with reasons.

It has one JSON object a line, in ``_gate/overrides.ndjson`` in the lake's folder, beside the tables, so that neither
compaction nor a migration touches it. Lines are added and never changed, except that a forgotten host is struck out of
reasons. An entry holds from the instant of the answer that it overrules: as of an earlier instant it does not exist.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fleetcrash.errors import BadArgument, LakeError, one_line
from fleetcrash.store import ledger
from fleetcrash.store.mentions import Mentions
from fleetcrash.times import parse_time

BOOK: Final = Path("_gate") / "overrides.ndjson"
TAKEN_BACK: Final = "none"  # instead of a decision: from then on the gate's own answer holds again
_DECISIONS = ("go", "halt", TAKEN_BACK)
_ANSWERS = ("go", "hold", "halt")  # the gate's own answers
_MOST_CHARACTERS = 2000  # in a reason, which should be read at a glance


@dataclass(frozen=True)
class Override:
    """One entry.

    Attributes:
        decision: what was decided, go or halt; none takes back what was.
        reason: why, in the words of whoever decided.
        by: their name on the machine.
        as_of: the instant of the answer that was overruled, RFC 3339.
        overruled: that answer, without any override; of one that takes back, the answer that holds again.
        written_at: by the clock of the machine, RFC 3339.
    """

    update_id: str
    decision: str
    reason: str
    by: str
    as_of: str
    overruled: str
    written_at: str


def check_reason(reason: str | None) -> str:
    """The reason, without blanks around it.

    Raises:
        BadArgument: there is none, or it is too long.
    """
    text = (reason or "").strip()
    if not text:
        raise BadArgument("An override needs a reason, which is kept: add --reason TEXT. Nothing was written.")
    if len(text) > _MOST_CHARACTERS:
        raise BadArgument(
            f"The reason has {len(text):,} characters; the most are {_MOST_CHARACTERS:,}. Nothing was written."
        )
    return text


def add(root: Path, entry: Override) -> None:
    """Write an entry, which is on disk durably once this returns.

    Raises:
        LakeError: the book cannot be written.
    """
    path = root / BOOK
    try:
        ledger.add(path, asdict(entry))
    except OSError as error:
        raise LakeError(f"The override was not written: {path} cannot be ({one_line(error)}).") from error


def newest(root: Path, update_id: str, as_of: datetime) -> Override | None:
    """The last written of the entries that hold for an update at an instant.

    Raises:
        LakeError: the book cannot be read, or a line of it is no entry: an audit skips nothing.
    """
    entries = ledger.entries(root / BOOK, _entry, called="override", then="Nothing was decided.")
    stand = [one for one in entries if one.update_id == update_id and parse_time(one.as_of) <= as_of]
    return stand[-1] if stand else None


def _entry(told: Any) -> Override:
    """An entry from the JSON of its line; every field that matters is checked.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    entry = Override(**{field.name: str(told[field.name]) for field in fields(Override)})
    parse_time(entry.as_of)
    for name, known in (("decision", _DECISIONS), ("overruled", _ANSWERS)):
        if getattr(entry, name) not in known:
            raise ValueError(f"its {name} is {getattr(entry, name)!r}; wanted {' or '.join(known)}")
    return entry


def strike(root: Path, mentions: Mentions) -> int:
    """Strike a forgotten host out of the reasons; decision, name and time stay.

    Returns:
        how many entries were changed.
    Raises:
        LakeError: the book cannot be written.
    """
    return ledger.strike(root / BOOK, mentions, ("reason",))
