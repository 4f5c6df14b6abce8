"""Silences: no alerts about something, until when, by whom and why. Kept in the outbox; none is ever deleted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from fleetcrash.errors import BadArgument, UnknownName
from monitor.alerts.outbox import Outbox

# Instead of a silence of more than a quarter, take the receiver out of the file.
LONGEST_S = 90 * 86_400.0
_LONGEST_TEXT = 500


class Scope(StrEnum):
    """What a silence covers."""

    ALL = "all"
    UPDATE = "update"
    INCIDENT = "incident"


@dataclass(frozen=True)
class Silence:
    """A silence.

    Attributes:
        number: identifies it in commands.
        name: of the update or incident; empty for all.
        made_at, ends_at, ended_at: seconds since 1970; ended_at only if somebody ended it early.
    """

    number: int
    scope: Scope
    name: str
    reason: str
    made_by: str
    made_at: float
    ends_at: float
    ended_by: str | None
    ended_at: float | None

    def is_active(self, now: float) -> bool:
        """Whether it is in force."""
        return self.ended_at is None and self.made_at <= now < self.ends_at


def add(outbox: Outbox, scope: Scope, name: str, *, for_s: float, reason: str, by: str, now: float) -> Silence:
    """Begin a silence.

    Raises:
        BadArgument: it has no reason, would last too long, or covers nothing that has a name.
    """
    if not reason.strip():
        raise BadArgument("A silence takes a reason, for whoever asks later. Nothing was silenced. Say --reason TEXT.")
    if scope is not Scope.ALL and not name:
        raise BadArgument(f"The name of the {scope} is empty, as of a variable that is not set. Nothing was silenced.")
    if len(reason) > _LONGEST_TEXT or len(name) > _LONGEST_TEXT:
        raise BadArgument(f"A reason or a name has at most {_LONGEST_TEXT} characters. Nothing was silenced.")
    if not 0 < for_s <= LONGEST_S:
        raise BadArgument(f"A silence lasts {LONGEST_S / 86_400:.0f} days at most. Nothing was silenced.")
    with outbox.transaction() as file:
        number = file.execute(
            "INSERT INTO silence (scope, name, reason, made_by, made_at, ends_at) VALUES (?, ?, ?, ?, ?, ?)",
            (scope, name, reason.strip(), by, now, now + for_s),
        ).lastrowid
    return Silence(int(number or 0), scope, name, reason.strip(), by, now, now + for_s, None, None)


def listed(outbox: Outbox) -> list[Silence]:
    """All silences that ever were, newest first."""
    return [Silence(**{**row, "scope": Scope(row["scope"])}) for row in
            outbox.rows("SELECT * FROM silence ORDER BY number DESC")]  # fmt: skip


def end(outbox: Outbox, number: int, *, by: str, now: float) -> Silence:
    """End a silence early.

    Raises:
        UnknownName: there is no such silence, or it is over.
    """
    found = next((one for one in listed(outbox) if one.number == number), None)
    if found is None or not found.is_active(now):
        said = f"There is no silence {number}" if found is None else f"Silence {number} is over already"
        raise UnknownName(f"{said}. `fleetcrash silence list` says which hold.")
    with outbox.transaction() as file:
        file.execute("UPDATE silence SET ended_by = ?, ended_at = ? WHERE number = ?", (by, now, number))
    return replace(found, ended_by=by, ended_at=now)
