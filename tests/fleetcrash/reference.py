"""The contract read out loud: slow, plain answers for one host at a time, to hold the queries against.

Nothing here is shared with the code under test but the records. Where the contract leaves something open the queries
were followed, and the place says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from tests.fleetcrash.worlds import Row, World, known_at

FOREVER = datetime.max.replace(tzinfo=datetime.fromisoformat("2026-01-01T00:00:00Z").tzinfo)
TEN_MINUTES = timedelta(minutes=10)
HALF_AN_HOUR = timedelta(minutes=30)
SILENCE = timedelta(seconds=750)  # two and a half intervals of five minutes

Interval = tuple[datetime, datetime]


class Known:
    """What was known of a small world as of an instant."""

    def __init__(self, world: World, instant: datetime) -> None:
        self.instant = instant
        self._rows = {kind: [row for row in rows if known_at(kind, row) <= instant] for kind, rows in world.items()}

    def _of(self, kind: str) -> list[Row]:
        return self._rows.get(kind, [])

    # -- updates and inventory: the newest known row counts

    def update(self, update_id: str) -> Row | None:
        rows = [row for row in self._of("update") if row["update_id"] == update_id]
        return max(rows, key=lambda row: known_at("update", row), default=None)

    def listed(self, update_id: str, known: datetime) -> Row | None:
        """What an install that was known at an instant brings: what was said of it by then, or first after that."""
        rows = sorted(
            (row for row in self._of("update") if row["update_id"] == update_id),
            key=lambda row: known_at("update", row),
        )
        by_then = [row for row in rows if known_at("update", row) <= known]
        return by_then[-1] if by_then else next(iter(rows), None)

    def reverted(self, update_id: str) -> bool:
        row = self.update(update_id)
        return row is not None and row["reverted_at"] is not None and row["reverted_at"] <= self.instant

    def host_row(self, host_id: str) -> Row | None:
        rows = [row for row in self._of("host") if row["host_id"] == host_id]
        return max(rows, key=lambda row: known_at("host", row), default=None)

    def inventory(self) -> list[str]:
        return sorted({row["host_id"] for row in self._of("host")})

    def attributes(self, host_id: str, moment: datetime) -> Row | None:
        """What a host was: the newest of host row and agent or OS patch install; nothing is applied backwards."""
        rows = [row for row in self._of("host") if row["host_id"] == host_id and known_at("host", row) <= moment]
        if not rows:
            return None
        newest = max(rows, key=lambda row: known_at("host", row))
        found = {**dict.fromkeys(("os_type", "os_build", "agent_version", "region", "always_on")), **newest}
        changes = [
            (placed, known, update)
            for update, placed, known, action in self.installs(host_id)
            if action == "installed" and known_at("host", newest) <= placed <= moment
        ]
        # Of two agents installed at one instant the contract says nothing; the query lets the lesser id have it.
        for _, known, update in sorted(changes, key=lambda change: (change[0], _descending(change[2]))):
            listed = self.listed(update, known)
            if listed is not None and listed["version"] is not None:
                name = {"agent": "agent_version", "os_patch": "os_build"}.get(listed["kind"])
                if name is not None:
                    found[name] = listed["version"]
        return found

    # -- installs and exposure

    def installs(self, host_id: str) -> list[tuple[str, datetime, datetime, str]]:
        """(update, placed at, known at, action), each told once however often it was."""
        first: dict[tuple[str, datetime, str], datetime] = {}
        for row in self._of("install"):
            if row["host_id"] == host_id:
                key = (row["update_id"], row["applied_at"], row["action"])
                first[key] = min(first.get(key, FOREVER), known_at("install", row))
        return [(update, min(applied, known), known, action) for (update, applied, action), known in first.items()]

    def slot(self, update_id: str) -> tuple[Any, Any]:
        """What a later install must share to replace this one. An update that is not listed is alone in its slot."""
        row = self.update(update_id)
        return (update_id, "is not listed") if row is None else (row["kind"], row["channel"])

    def slot_known(self, update_id: str) -> datetime:
        """From when the slot was told; long ago of an update that is not listed."""
        rows = [row for row in self._of("update") if row["update_id"] == update_id]
        known = datetime.fromisoformat("1970-01-01T00:00:00Z")
        slot = None
        for row in sorted(rows, key=lambda row: known_at("update", row)):
            if slot != (row["kind"], row["channel"]):
                slot, known = (row["kind"], row["channel"]), known_at("update", row)
        return known

    def exposures(self, host_id: str, update_id: str) -> list[tuple[datetime, datetime]]:
        """From applied_at until removed, or until a later install of the same kind and channel."""
        return [(begins, ends) for begins, ends, _ in self.exposures_with_known_end(host_id, update_id)]

    def exposures_with_known_end(
        self, host_id: str, update_id: str
    ) -> Iterator[tuple[datetime, datetime, datetime | None]]:
        """Exposure, and when the record that ended it was known; None where nothing did."""
        told = self.installs(host_id)
        for update, placed, known, action in told:
            if update != update_id or action != "installed":
                continue
            ends = [
                (when, heard)
                for other, when, heard, what in told
                if what == "removed" and other == update and when >= placed
            ]
            ends += [
                (when, heard if other == update else max(heard, self.slot_known(other), self.slot_known(update)))
                for other, when, heard, what in told
                if what == "installed"
                and self.slot(other) == self.slot(update)
                # Of two at one instant the later known, then the greater id, is the one that stays.
                and (when, heard, other) > (placed, known, update)
            ]
            until, heard_of_it = min(ends, default=(FOREVER, None))
            if placed < until:
                yield placed, until, heard_of_it

    # -- presence

    def online(self, host_id: str) -> list[tuple[datetime, datetime | None]]:
        """Stretches online in order; an end is looked at ten minutes after it, until then it is None."""
        by_start: dict[datetime, Row] = {}
        for row in self._of("session"):
            if row["host_id"] == host_id:
                other = by_start.get(row["online_from"])
                if other is None or _standing(row) > _standing(other):
                    by_start[row["online_from"]] = row
        found = [(begins, row["online_until"]) for begins, row in by_start.items()]
        found += self._heard(host_id)
        seen = self.instant - TEN_MINUTES
        return sorted((begins, ends if ends is not None and ends <= seen else None) for begins, ends in found)

    def _heard(self, host_id: str) -> list[tuple[datetime, datetime | None]]:
        beats: dict[datetime, datetime] = {}
        for row in self._of("heartbeat"):
            if row["host_id"] == host_id:
                beats[row["at"]] = min(beats.get(row["at"], FOREVER), known_at("heartbeat", row))
        stretches: list[list[datetime]] = []
        for moment in sorted(min(stated, known) for stated, known in beats.items()):
            if stretches and moment - stretches[-1][-1] <= SILENCE:
                stretches[-1].append(moment)
            else:
                stretches.append([moment])
        return [
            (beats_of[0], beats_of[-1] if beats_of[-1] + SILENCE <= self.instant else None) for beats_of in stretches
        ]

    # -- crashes

    def crashes(self, host_id: str | None = None) -> list[Row]:
        """Of two reports with one id the earlier known counts."""
        first: dict[str, Row] = {}
        for row in self._of("crash"):
            other = first.get(row["crash_id"])
            if other is None or known_at("crash", row) < known_at("crash", other):
                first[row["crash_id"]] = row
        return [row for row in first.values() if host_id in (None, row["host_id"])]

    def _judged_at(self, crash: Row) -> datetime:
        """When exposure is judged: for a crash noticed at the next boot, at the end of the session before."""
        placed = min(crash["occurred_at"], known_at("crash", crash))
        if crash["time_quality"] != "reboot":
            return placed
        stretches = self.online(crash["host_id"])
        before = None
        for number, (_, ends) in enumerate(stretches):
            # A session that another one follows is over, even while its end is not looked at.
            over = ends or (stretches[number + 1][0] if number + 1 < len(stretches) else FOREVER)
            if over <= placed:
                before = ends or placed
        return before or placed

    # -- states

    def hits(self, host_id: str, update_id: str) -> tuple[list[datetime], list[datetime], bool]:
        """Crashes while exposed, silences while exposed, and whether the last silence lasts."""
        exposed = self.exposures(host_id, update_id)
        crashes = [
            min(crash["occurred_at"], known_at("crash", crash))
            for crash in self.crashes(host_id)
            if _within(exposed, self._judged_at(crash))
        ]
        row = self.host_row(host_id)
        silences, dark = [], False
        if row is not None and row["always_on"]:
            stretches = self.online(host_id)
            for number, (_, ends) in enumerate(stretches):
                follows = stretches[number + 1][0] if number + 1 < len(stretches) else None
                # A server that boots again within ten minutes never was seen dark at any T, so it has not gone dark.
                if ends is not None and _within(exposed, ends) and (follows is None or follows > ends + TEN_MINUTES):
                    silences.append(ends)
                    dark |= follows is None
        return crashes, silences, dark

    def state(self, host_id: str, update_id: str) -> str | None:
        """The first state of the contract that fits; None of a host that has not been exposed."""
        exposed = self.exposures(host_id, update_id)
        if not exposed:
            return None
        crashes, silences, dark = self.hits(host_id, update_id)
        if (crashes or silences) and self._online_since(host_id, max(crashes + silences)):
            return "recovered"
        if dark:
            return "dark"
        if crashes:
            return "crashed"
        if all(ends <= self.instant for _, ends in exposed) and not silences:
            return "cleared"
        return "at_risk"

    def pending(self, update_id: str) -> set[str]:
        """Hosts never exposed, with an OS that some exposed host has, while the update is not withdrawn."""
        if self.reverted(update_id):
            return set()
        exposed = {host for host in self.everyone() if self.exposures(host, update_id)}
        systems = {row["os_type"] for host in exposed if (row := self.host_row(host)) is not None}
        return {
            host
            for host in self.inventory()
            if host not in exposed and (row := self.host_row(host)) is not None and row["os_type"] in systems
        }

    def everyone(self) -> list[str]:
        return sorted({row["host_id"] for rows in self._rows.values() for row in rows if "host_id" in row})

    def _online_since(self, host_id: str, moment: datetime) -> bool:
        return any(
            min(ends or self.instant, self.instant) - max(begins, moment) >= HALF_AN_HOUR
            for begins, ends in self.online(host_id)
        )


def _standing(row: Row) -> tuple[Any, ...]:
    """Of session rows the newest known counts; of those known at one time the one with an end."""
    return known_at("session", row), row["online_until"] is not None, row["online_until"] or row["online_from"]


def _within(intervals: list[Interval], moment: datetime) -> bool:
    return any(begins <= moment < ends for begins, ends in intervals)


def _descending(text: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in text)
