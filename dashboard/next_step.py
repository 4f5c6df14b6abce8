"""What to do about an incident and why, as lines: below the facts of its banner, and in the text for a ticket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from dashboard.incidents import HIT, Incident
from dashboard.snapshot import Snapshot
from dashboard.wording import (
    MOST_TIED,
    NOT_TOLD,
    ago,
    and_more,
    clock,
    count,
    counted,
    few,
    hosts_command,
    place_words,
    plain,
    times,
)

CONTROLS = {"window_min", "after", "before", "placebo", "placebo_as_many"}
_AS_MANY_BY_CHANCE = 0.05  # share of random install times that strike as many: from there on they tell little
_NEED_SOMEBODY = ("at_risk", "dark", "crashed")  # states of hosts to reach, first those that may still be spared


@dataclass(frozen=True)
class Line:
    """A line of advice or of reasons.

    Attributes:
        label: what it tells, such as "Now". said: in plain words. command: that helps; may be empty.
    """

    label: str
    said: str
    command: str = ""


def next_lines(incident: Incident, snapshot: Snapshot) -> list[Line]:
    """What to do next, then why no update is named, if known, and what came before."""
    said, command = _next_step(incident, snapshot)
    return [
        Line("Now", said, command),
        *([Line("Why", f"{plain(incident.lacks, 200)}.")] if incident.lacks else []),
        *([Line("Again", before)] if (before := again_words(incident, snapshot)) else []),
    ]


def page_lines(incident: Incident, snapshot: Snapshot) -> list[Line]:
    """The same for the page of an incident, with what the name rests on; of one that is closed, what it left to do."""
    because = because_words(incident, snapshot)
    reasons = [Line("Because", because)] if because else []
    if incident.is_open:
        now, *rest = next_lines(incident, snapshot)
        return [now, *reasons, *rest]
    left = _left_to_do(incident, snapshot)
    return [*([left] if left else []), *reasons]


def next_words(incident: Incident, snapshot: Snapshot) -> str:
    """The lines of ``next_lines`` as markup."""
    return as_markup(next_lines(incident, snapshot))


def as_markup(lines: list[Line]) -> str:
    """Lines, each a paragraph."""
    return "".join(
        f"<p class='fc-next'><b>{escape(line.label)}:</b> {escape(line.said)}{command_markup(line.command)}</p>"
        for line in lines
    )


def command_markup(command: str) -> str:
    """A command as it is typed. Its words stay whole where a line has room, so that no option is torn apart."""
    words = " ".join(f"<span>{escape(word)}</span>" for word in command.split(" "))
    return f" <code>{words}</code>" if command else ""


def because_words(incident: Incident, snapshot: Snapshot) -> str:
    """What a name rests on, as counts that a person can check by hand; empty where none is given."""
    if incident.verdict != "update":
        return ""
    told, controls = incident.evidence, incident.controls
    said = []
    if _tell(controls) and not snapshot.only_crashes:
        within = ago(60 * controls["window_min"])
        crashed = f"{count(controls['after'])} of its hosts crashed within {within} after the install"
        before = f"{count(controls['before'])} in the {within} before it"
        if 2 * controls["placebo"] <= controls["after"]:  # else nearly all got it at once, and it says little
            drawn = f"{few(controls['placebo'])} would have after install times drawn at random"
            said.append(f"{crashed}, {before}, and {drawn}")
        else:
            said.append(f"{crashed} and {before}")
    judged, expected = told.get("events_judged"), told.get("events_expected")
    if isinstance(judged, int | float) and isinstance(expected, int | float):
        what = "went offline" if incident.hosts_left is not None else "crashes and silences"
        ratio = f" ({times(incident.rate_ratio.estimate)})" if incident.rate_ratio is not None else ""
        said.append(f"{count(judged)} {what} where {few(expected)} were to be expected{ratio}")
    return f"{'; '.join(said)}." if said else ""


def summary_words(incident: Incident, snapshot: Snapshot) -> str:
    """The monitor's own sentence, with the time of the alarm in place of the name of an earlier incident."""

    def since(found: re.Match[str]) -> str:
        first = snapshot.judgement.find(found[1]) if snapshot.judgement else None
        if first is None or first.alarm_at is None:
            return found[0]
        return f"known since the alarm of {clock(first.alarm_at, beside=snapshot.as_of)}"

    return re.sub(r"known since (inc-[\w-]+)", since, incident.summary)


def _tell(controls: Mapping[str, float]) -> bool:
    """Whether the controls speak: not where all got it at once, nor where the time before tells more."""
    return (
        controls.keys() >= CONTROLS
        and controls["after"] > controls["before"]
        and controls["placebo_as_many"] < _AS_MANY_BY_CHANCE
    )


def _left_to_do(incident: Incident, snapshot: Snapshot) -> Line | None:
    """What a closed incident that names an update has left to do; None if nothing, or nothing that is known."""
    if incident.verdict != "update" or snapshot.only_crashes:
        return None
    update = snapshot.update(incident.update_id)
    is_withdrawn = update is not None and update.reverted_at is not None
    dark, pending = incident.impact.get("dark", 0), incident.impact.get("pending", 0)
    if is_withdrawn and not dark:
        return None
    if not is_withdrawn and not pending and not any(incident.impact.get(state) for state in _NEED_SOMEBODY):
        return None
    return Line("Left to do", *_next_step(incident, snapshot))


def earlier_ones(incident: Incident, snapshot: Snapshot) -> list[Incident]:
    """The incidents about the same update that had their alarm before, the first one first."""
    others = snapshot.judgement.about_the_same(incident) if snapshot.judgement else ()
    return [each for each in others if each.alarm_at and incident.alarm_at and each.alarm_at < incident.alarm_at]


def hit_in_all(incident: Incident, snapshot: Snapshot) -> str:
    """Whom an update hit since its release, where its incident counts only from its own alarm on; else empty."""
    exposed = incident.impact.get("exposed")
    if incident.verdict != "update" or not exposed or snapshot.only_crashes or not earlier_ones(incident, snapshot):
        return ""
    return f"{count(sum(incident.impact.get(state, 0) for state in HIT))} of {count(exposed)} exposed"


def again_words(incident: Incident, snapshot: Snapshot) -> str:
    """That earlier incidents are about the same update, and since when; empty if none are."""
    earlier = earlier_ones(incident, snapshot)
    if not earlier:
        return ""
    about = f"{counted(len(earlier), 'earlier incident')} {'is' if len(earlier) == 1 else 'are'} about"
    first = f"the first alarm was at {clock(earlier[0].alarm_at, beside=snapshot.as_of)}"
    named = sum(each.verdict == "update" for each in earlier)
    known = "" if incident.verdict == "update" or not named else f", and it is named in {count(named)} of them"
    return f"{about} {plain(incident.suspect)}, {first}{known}."


def _next_step(incident: Incident, snapshot: Snapshot) -> tuple[str, str]:
    """What to do next, and a command that helps, which may be empty."""
    if incident.verdict != "update" or incident.update_id is None:
        said = _without_a_name(incident, snapshot)
        some = incident.hosts_crashed or incident.hosts_dark
        command = hosts_command(incident.incident_id, snapshot.root) if some else ""
        return f"{said} Its hosts:" if command else said, command
    name = plain(incident.update_id)
    update = snapshot.update(incident.update_id)
    pending, dark = incident.impact.get("pending", 0), incident.impact.get("dark", 0)
    if update is not None and update.reverted_at is not None:
        withdrawn = clock(update.reverted_at, beside=snapshot.as_of)
        said = f"{name} was withdrawn {withdrawn}; hosts keep it until it is removed."
        if dark:
            said += f" {count(dark)} dark hosts may need hands on site."
    else:
        said = f"withdraw {name}."
        if pending:
            said += f" {count(pending)} more hosts would match and have not received it."
    if snapshot.only_crashes:
        return f"{said} Which hosts have it is not known: {NOT_TOLD}.", ""
    order = ("dark", "at_risk", "crashed") if update is not None and update.reverted_at is not None else _NEED_SOMEBODY
    state = next((name for name in order if incident.impact.get(name)), None)
    command = hosts_command(incident.update_id, snapshot.root, state=state) if state else ""
    return f"{said} Hosts to reach:" if command else said, command


def _without_a_name(incident: Incident, snapshot: Snapshot) -> str:
    """What to do next where no update is named."""
    if incident.verdict == "cannot_separate":
        return _until_told(incident, snapshot)
    if incident.verdict == "no_update":
        if not snapshot.updates:
            return f"load releases or installs as well. {plain(summary_words(incident, snapshot), 300)}".strip()
        return f"{_look_for(incident, snapshot)} Withdrawing an update would not help."
    return "wait for the next tick before you withdraw anything; hold rollouts that are under way."


def _look_for(incident: Incident, snapshot: Snapshot) -> str:
    """Where to look for the cause of a rise that follows no update."""
    where, cause = incident.where, incident.cause or ""
    since = f" from {clock(where.since, beside=snapshot.as_of)} on" if where is not None and where.since else ""
    place = f" {place_words(where.name, where.dimension)}" if where is not None and where.name else ""
    if cause == "backlog":
        return "old reports came all at once: look at why they were late (Data health tells the lag by feed)."
    if cause == "clock":
        return "look at the clocks of its hosts: they tell times at which nothing crashed."
    if cause == "host":
        return f"look at these hosts one by one, at their hardware first{since}."
    if cause == "module":
        module = plain(where.module) if where is not None and where.module else "that module"
        return f"find out what brought or changed {module}{place}{since}: no known update did."
    what = "power, network or a shared service" if cause in ("region", "site") else "what else changed"
    return f"look for {what}{place}{since}."


def _until_told(incident: Incident, snapshot: Snapshot) -> str:
    """What to do while it cannot be told which of the tied updates did it; what is withdrawn needs no pause."""
    tied = incident.tied
    wait = (
        "the next hosts to install one without another will tell."
        if len(tied) > 1
        else "the next hosts to install it, or to crash without it, will tell."
    )
    known = {each.update_id: snapshot.update(each.update_id) for each in tied}
    gone = {name: update.reverted_at for name, update in known.items() if update is not None and update.reverted_at}
    if not gone:
        which = {0: "", 1: "", 2: " of both"}.get(len(tied), " of all of them")
        return f"pause the rollout{which}; {wait}"
    at = snapshot.as_of
    withdrawn = [f"{plain(name)} was withdrawn {clock(when, beside=at)}" for name, when in gone.items()]
    said = f"{'; '.join(withdrawn[:MOST_TIED])}; hosts keep {'it' if len(gone) == 1 else 'them'} until removed."
    rolling = [plain(name) for name in known if name not in gone]
    if rolling:
        return f"pause the rollout of {and_more(rolling)}; {wait} {said}"
    return f"{said} What crashes hosts without {'it' if len(tied) == 1 else 'any of them'} is something else."
