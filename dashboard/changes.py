"""What changed, newest first: alarms, turns of the verdict, withdrawals, ends. For who comes back to the pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from dashboard import links
from dashboard.banner import plain_headline, rise_words
from dashboard.incidents import Incident
from dashboard.markup import Column, Link, Row, table
from dashboard.snapshot import Snapshot
from dashboard.wording import clock, condition_words, count, plain

_LATELY = timedelta(hours=24)  # a shift, and the one before
_MOST_LATELY = 3  # in a line
_MOST_LISTED = 50


@dataclass(frozen=True)
class Change:
    """Something that changed.

    Attributes:
        at: as of when it is known. said: what, in plain words. incident: of which; it is the newest state of it.
    """

    at: datetime
    said: str
    incident: Incident

    @property
    def words(self) -> str:
        """What changed, with what its incident is about."""
        about = plain(self.incident.suspect, 32) if self.incident.suspect else rise_words(self.incident)
        return self.said if about in self.said else f"{self.said} ({about})"


def changes(snapshot: Snapshot) -> list[Change]:
    """All changes of all incidents; of one instant those that come last first."""
    incidents = snapshot.judgement.incidents if snapshot.judgement else ()
    found = [change for incident in incidents for change in _of(incident)] + list(_withdrawals(snapshot, incidents))
    return sorted(found, key=lambda change: change.at)[::-1]


def lately_line(snapshot: Snapshot) -> str:
    """The newest changes of the last day as a line of markup; empty without any."""
    found = changes(snapshot)
    newest = [each for each in found if snapshot.as_of is not None and snapshot.as_of - each.at <= _LATELY]
    if not newest:
        return ""
    said = "; ".join(
        f"{escape(clock(each.at, beside=snapshot.as_of))} "
        + links.link("incident", each.words, limit=90, id=each.incident.incident_id)
        for each in newest[:_MOST_LATELY]
    )
    more = f"All {count(len(found))} changes" if len(found) > _MOST_LATELY else "All incidents"
    every = f'<a href="{escape(links.address("incident"))}">{more}</a>'
    return f'<div class="fc"><p class="fc-note">Latest changes: {said}. {every}</p></div>'


def changes_table(snapshot: Snapshot) -> str:
    """All changes as a table; empty without any."""
    found = changes(snapshot)
    if not found:
        return ""
    leading_to = links.leading("incident", "id")
    rows = [
        Row(
            [
                clock(each.at, beside=snapshot.as_of).removesuffix(" UTC"),
                Link(plain(each.words, 90), leading_to(each.incident.incident_id)),
                plain_headline(each.incident),
            ]
        )
        for each in found[:_MOST_LISTED]
    ]
    columns = [Column("At, UTC", time=True), Column("Change"), Column("Incident as it is now", wide=True)]
    note = "newest first"
    if len(found) > len(rows):
        note += f"; the first {len(rows)} of {count(len(found))}"
    return table("What changed", columns, rows, note=note)


def _of(incident: Incident) -> Iterator[Change]:
    """The changes of one incident, in their order."""
    told_at_once = [
        each for each in incident.history if each.at == incident.alarm_at and each.verdict != "undetermined"
    ]
    if incident.alarm_at is not None and not told_at_once:
        yield Change(incident.alarm_at, "alarm", incident)
    named, verdict = None, "undetermined"
    for turn in incident.history:
        if turn.at is not None and (turn.verdict, turn.update_id) != (verdict, named):
            alarm = "alarm: " if turn in told_at_once else ""
            yield Change(turn.at, f"{alarm}{_turned(turn.verdict, turn.update_id)}", incident)
        elif turn.at is not None and turn.verdict == "update":
            yield Change(turn.at, f"{plain(turn.update_id)} hits: {condition_words(turn.condition)}", incident)
        verdict, named = turn.verdict, turn.update_id
    if incident.closed_at is not None:
        yield Change(incident.closed_at, "closed: back at the usual rate", incident)


def _turned(verdict: str, update_id: str | None) -> str:
    if verdict == "update":
        return f"{plain(update_id)} named"
    return {
        "no_update": "put down to no update",
        "cannot_separate": "cannot be told apart",
    }.get(verdict, "taken back: being judged again")


def _withdrawals(snapshot: Snapshot, incidents: tuple[Incident, ...]) -> Iterator[Change]:
    """When updates that incidents are about were withdrawn, each once, under the newest of these."""
    about = {each.suspect: each for each in incidents if each.suspect is not None}
    for update_id, incident in about.items():
        update = snapshot.update(update_id)
        if update is not None and update.reverted_at is not None:
            yield Change(update.reverted_at, f"{plain(update_id)} withdrawn", incident)
