"""The banner, which is read first: what is wrong, its cause, the hosts hit, how sure we are, what to do."""

from __future__ import annotations

from datetime import datetime
from html import escape

from dashboard.freshness import Freshness
from dashboard.incidents import Incident, Judgement
from dashboard.markup import Fact, facts, text
from dashboard.snapshot import Snapshot, Update
from dashboard.wording import (
    CAUSE_NAMES,
    MOST_TIED,
    NOT_TOLD,
    and_more,
    clock,
    condition_words,
    count,
    counted,
    hosts_command,
    kind_name,
    on_lake,
    one_of,
    percent,
    place_words,
    plain,
    whom,
)

_OF_PLACE = ("region", "site")  # causes that say less than the name of the place
_HIT = ("recovered", "dark", "crashed")  # states of hosts that crashed or went dark while exposed
_NEED_SOMEBODY = ("at_risk", "dark", "crashed")  # states of hosts to reach, first those that may still be spared


def incident_banner(incident: Incident, snapshot: Snapshot) -> str:
    """The banner of an open incident."""
    title = headline(incident, snapshot)
    return _boxed(incident.verdict, title, facts(_facts(incident, snapshot)), next_words(incident, snapshot))


def headline(incident: Incident, snapshot: Snapshot) -> str:
    """What is wrong, or was, where if no update did it, in one sentence of markup."""
    if incident.verdict == "update":
        name = f"<b>{text(incident.update_id)}</b>"
        return f"{name} ({escape(kind_name(incident.update_kind))}) {_does(incident)} {escape(_whom(incident))}"
    if incident.verdict == "cannot_separate":
        return f"{_tie(incident)}{_fits_better(incident, snapshot.as_of)}"
    rose = f"{_rose(incident, module=True)}{_somewhere(incident, snapshot.as_of)}"
    if incident.verdict == "no_update":
        if not snapshot.updates:
            return f"{rose}, and <b>no update is known</b> to be in the fleet{_following(incident)}"
        return f"{rose}, and <b>no update</b> is to blame{_following(incident)}"
    return f"{rose}; <b>what did it {'is being judged' if incident.is_open else 'could not be told'}</b>"


def _tie(incident: Incident) -> str:
    rose = _rose(incident)
    names = [f"<b>{text(each.update_id)}</b>" for each in incident.tied]
    cannot = "cannot be told" if incident.is_open else "could not be told"
    yet = " yet" if incident.is_open else ""
    if len(names) > 1:
        return f"{rose} after an update: {one_of(names)}, which {cannot} apart{yet}"
    after = f" after an update, {names[0]}" if names else ""
    if incident.unconfirmed:
        return f"{rose}{after}: likely, but not confirmed{yet}"
    return f"{rose}{after}; whether {'it' if names else 'an update'} did it {cannot}{yet}"


def _fits_better(incident: Incident, beside: datetime | None) -> str:
    """Of a tie: where there is a rise that explains it better than any of the updates."""
    where = incident.where
    if where is None or not where.name:
        return ""
    fits = "fits better" if incident.is_open else "fitted better"
    return f". A rise{_somewhere(incident, beside)} {fits}"


def _somewhere(incident: Incident, beside: datetime | None) -> str:
    """Where a rise is, and from when on, as markup; empty where nobody can say."""
    where = incident.where
    if where is None:
        return ""
    place = f" <b>{text(place_words(where.name, where.dimension), 80)}</b>" if where.name else ""
    return f"{place} from {escape(clock(where.since, beside=beside))}" if where.since else place


def _following(incident: Incident) -> str:
    """What a rise without an update follows, where its place and its module do not say it."""
    where, cause = incident.where, incident.cause or ""
    said_already = {"module": where.module, "host": ""}.get(cause, where.name) if where else ""
    if said_already and cause in (*_OF_PLACE, "module", "other"):
        return ""
    return f": this follows {escape(CAUSE_NAMES.get(cause, 'something that is no update'))}"


def _rose(incident: Incident, *, module: bool = False) -> str:
    """What happened to hosts, whatever did it, as markup.

    Args:
        module: whether to name the one in which they crashed.
    """
    if incident.hosts_left is not None:
        return "Hosts went offline"
    if incident.is_silence:
        return "Servers went dark"
    inside = f" in <b>{text(incident.where.module)}</b>" if module and incident.where and incident.where.module else ""
    both = " and servers went dark" if incident.hosts_dark > incident.hosts_crashed else ""
    return f"Crashes{inside} rose{both}"


def _does(incident: Incident) -> str:
    """What the update does to hosts, or did until the incident closed."""
    if incident.is_open:
        return "is silencing" if incident.is_silence else "is crashing"
    return "silenced" if incident.is_silence else "crashed"


def _whom(incident: Incident) -> str:
    return whom(incident.condition, is_open=incident.is_open)


def plain_headline(incident: Incident) -> str:
    """What is wrong, or was, without markup, for titles and links."""
    if incident.verdict == "update":
        return f"{plain(incident.update_id)} {_does(incident)} {_whom(incident)}"
    if incident.verdict == "cannot_separate":
        names = [plain(each.update_id) for each in incident.tied]
        cannot = "cannot be told yet" if incident.is_open else "could not be told"
        other = "something that is no update" if names else f"{_rose(incident)}; whether an update did it {cannot}"
        return one_of(names if len(names) > 1 else [*names, other])
    if incident.verdict == "no_update":
        return f"No update to blame: {followed_words(incident)}"
    return f"{_rose(incident)}; {'being judged' if incident.is_open else 'what did it could not be told'}"


def followed_words(incident: Incident) -> str:
    """What a rise without an update follows, without markup: where it is, if that is known."""
    where, cause = incident.where, incident.cause or ""
    if where is not None and where.name and cause in (*_OF_PLACE, "other"):
        return plain(where.name, 60)
    if where is not None and where.module and cause == "module":
        return plain(where.module)
    return CAUSE_NAMES.get(cause, "another cause")


def quiet_banner(judgement: Judgement, age: Freshness) -> str:
    """The banner when no incident is open; it claims no quiet that nobody has looked for.

    Args:
        age: of the data that was judged.
    """
    said = f"Judged as of {clock(judgement.as_of)}; {age.words}."
    if judgement.closed:
        last = judgement.closed[0]
        said += f" The last incident ({plain_headline(last)}) closed {clock(last.closed_at)}."
    if not (age.silent or age.behind):
        return _boxed("quiet", "<b>All quiet.</b> No open incident", "", f"<p class='fc-next'>{escape(said)}</p>")
    since = "nothing has come in since" if age.silent else "what has come in since is not judged"
    title = f"No incident was open at {escape(clock(judgement.as_of))}; {since}"
    return _boxed("notice", title, "", f"<p class='fc-next'>{escape(said)}</p>")


def unjudged_banner(snapshot: Snapshot) -> str:
    """The banner when the monitor has never judged this lake, or its document cannot be read."""
    judgement = snapshot.judgement
    if judgement is not None and judgement.unreadable:
        title = "The monitor's last judgement cannot be read"
        said = f"Found: {plain(judgement.unreadable, 160)}. The curves come from the crashes themselves. Run:"
    else:
        title = "Not judged yet: no monitor has ticked on this lake"
        said = "The curves are what was received. A monitor just started judges the past first; without one, run:"
    command = on_lake("fleetcrash monitor", snapshot.root)
    return _boxed("notice", escape(title), "", f"<p class='fc-next'>{escape(said)} <code>{escape(command)}</code></p>")


def _boxed(kind: str, title: str, figures: str, more: str) -> str:
    titled = f'<p class="fc-title">{title}</p>'
    return f'<div class="fc fc-banner fc-{kind}" role="status">{titled}{figures}{more}</div>'


def _facts(incident: Incident, snapshot: Snapshot) -> list[Fact]:
    impact, evidence = incident.impact, incident.evidence
    beside = snapshot.as_of
    shown = []
    if incident.verdict == "update":
        shown += [
            Fact("How sure", percent(incident.probability)),
            Fact("Whom", condition_words(incident.condition)),
        ]
    elif incident.unconfirmed:
        shown.append(Fact("How sure", f"{percent(incident.tied[0].probability)}, not confirmed"))
    elif incident.verdict == "cannot_separate":
        shown += [Fact(plain(each.update_id, 32), percent(each.probability)) for each in incident.tied[:MOST_TIED]]
    crashed = evidence.get("hosts_crashed")
    exposed = evidence.get("hosts_exposed")
    of_all = f" of {count(exposed)} {'exposed' if incident.verdict == 'update' else 'concerned'}" if exposed else ""
    if incident.hosts_left is not None:
        shown.append(Fact("Went offline", count(incident.hosts_left)))
    hit = [Fact("Hosts crashed", count(crashed) + of_all)]
    if snapshot.only_crashes:
        hit.append(Fact("At risk, dark", "not known"))
    elif incident.verdict == "update":
        hit.append(Fact("At risk", count(impact.get("at_risk"))))
    dark = impact.get("dark") if incident.verdict == "update" else evidence.get("hosts_dark")
    if dark is not None and not snapshot.only_crashes:
        # What happened to most of them is read first. Of a named update it is told how many are dark now.
        if incident.verdict == "update":
            hit.append(Fact("Dark", count(dark)))
        else:
            hit.insert(0 if incident.is_silence else len(hit), Fact("Went dark", count(dark)))
    shown += hit
    shown.append(Fact("Since", _since(incident, snapshot.update(incident.update_id), beside)))
    return shown


def _since(incident: Incident, update: Update | None, beside: datetime | None) -> str:
    alarm = f"alarm {clock(incident.alarm_at, beside=beside)}"
    if incident.verdict == "update" and update is not None:
        released = clock(update.released_at, beside=beside).removesuffix(" UTC")
        return f"released {released}, alarm {clock(incident.alarm_at, beside=update.released_at)}"
    return alarm


def next_words(incident: Incident, snapshot: Snapshot) -> str:
    """Why no update is named, if known, and what to do next, as markup."""
    said, command = _next_step(incident, snapshot)
    run = f" <code>{escape(command)}</code>" if command else ""
    why = f"<b>Why:</b> {text(incident.lacks, 200)}. " if incident.lacks else ""
    again = f"<b>Again:</b> {escape(before)} " if (before := again_words(incident, snapshot)) else ""
    return f"<p class='fc-next'>{again}{why}<b>Now:</b> {escape(said)}{run}</p>"


def again_words(incident: Incident, snapshot: Snapshot) -> str:
    """That earlier incidents are about the same update, since when, and whom it hit in all; empty if none are."""
    others = snapshot.judgement.about_the_same(incident) if snapshot.judgement else ()
    earlier = [each for each in others if each.alarm_at and incident.alarm_at and each.alarm_at < incident.alarm_at]
    if not earlier:
        return ""
    about = f"{counted(len(earlier), 'earlier incident')} {'is' if len(earlier) == 1 else 'are'} about"
    first = f"the first alarm was at {clock(earlier[0].alarm_at, beside=snapshot.as_of)}"
    named = sum(each.verdict == "update" for each in earlier)
    known = "" if incident.verdict == "update" or not named else f", and it is named in {count(named)} of them"
    said = f"{about} {plain(incident.suspect)}, {first}{known}."
    if incident.verdict == "update" and (exposed := incident.impact.get("exposed")) and not snapshot.only_crashes:
        hit = sum(incident.impact.get(state, 0) for state in _HIT)
        said += f" In all it hit {count(hit)} of {counted(exposed, 'exposed host')}."
    return said


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
        what = "withdrawing an update would not help." if snapshot.updates else "load releases or installs as well."
        return f"{what} {plain(incident.summary, 300)}".strip()
    return "wait for the next tick before you withdraw anything; hold rollouts that are under way."


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
