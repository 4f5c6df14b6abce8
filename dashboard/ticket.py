"""An incident as plain text, for a ticket or a chat: what its page says first, with whole names and dates."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

from dashboard.banner import headline
from dashboard.incidents import STATES, Incident
from dashboard.next_step import hit_in_all, page_lines
from dashboard.snapshot import Snapshot
from dashboard.wording import STATE_NAMES, clock, count, counted, kind_name, percent, plain

_WHOLE = 128  # characters of an id
_THIN_SPACE = "\u202f"


def ticket_text(incident: Incident, snapshot: Snapshot, address: str = "") -> str:
    """What somebody who has no dashboard open must know.

    Args:
        address: of the page of incidents; empty if nobody knows it.
    """
    title = unescape(re.sub(r"<[^>]+>", "", headline(incident, snapshot)))
    lines = [title, f"Incident: {plain(incident.incident_id, _WHOLE)}, {_times(incident)}"]
    lines += _who(incident, snapshot) + _hosts(incident, snapshot)
    for line in page_lines(incident, snapshot):
        lines += [f"{line.label}: {line.said}", *([f"    {line.command}"] if line.command else [])]
    judged = snapshot.judgement.as_of if snapshot.judgement else None
    lines.append(f"Judged by fleetcrash as of {clock(judged)}.")
    if address:
        lines.append(f"{address.partition('?')[0]}?id={quote(incident.incident_id)}")
    return "\n".join(lines).replace(_THIN_SPACE, ",")


def _times(incident: Incident) -> str:
    state = "open" if incident.is_open else f"closed {clock(incident.closed_at)}"
    named = f", named {clock(incident.named_at)}" if incident.named_at else ""
    return f"{state}; alarm {clock(incident.alarm_at)}{named}"


def _who(incident: Incident, snapshot: Snapshot) -> list[str]:
    if incident.verdict == "cannot_separate":
        tied = [f"{plain(each.update_id, _WHOLE)} {percent(each.probability)}" for each in incident.tied]
        return [f"In question: {', '.join(tied)}"] if tied else []
    if incident.update_id is None:
        return []
    update = snapshot.update(incident.update_id)
    said = f"Update: {plain(incident.update_id, _WHOLE)} ({kind_name(incident.update_kind)})"
    if update is None:
        return [f"{said}, not in the catalogue", f"How sure: {percent(incident.probability)}"]
    withdrawn = f"withdrawn {clock(update.reverted_at)}" if update.reverted_at else "not withdrawn"
    return [f"{said}, released {clock(update.released_at)}, {withdrawn}", f"How sure: {percent(incident.probability)}"]


def _hosts(incident: Incident, snapshot: Snapshot) -> list[str]:
    evidence, impact = incident.evidence, incident.impact
    exposed = evidence.get("hosts_exposed") if incident.verdict == "update" else None
    of_all = f" of {count(exposed)} exposed" if exposed else ""
    said = f"Hosts crashed: {count(evidence.get('hosts_crashed'))}{of_all}, {counted(evidence.get('crashes'), 'crash')}"
    if in_all := hit_in_all(incident, snapshot):
        said += f"; hit in all since the release: {in_all}"
    if snapshot.only_crashes:
        return [said]
    if incident.verdict != "update":
        return [f"{said}; servers went dark: {count(evidence.get('hosts_dark'))}"]
    states = " + ".join(f"{count(impact.get(state))} {STATE_NAMES[state].lower()}" for state in STATES[:-1])
    pending = f"; {count(impact.get('pending'))} may still get it"
    return [said, f"By state: {count(impact.get('exposed'))} exposed = {states}{pending}"]
