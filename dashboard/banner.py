"""The banner, which is read first: what is wrong, its cause, the hosts hit, how sure we are, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from dashboard import links
from dashboard.freshness import Freshness
from dashboard.incidents import Incident, Judgement
from dashboard.markup import Fact, facts, text
from dashboard.next_step import command_markup, earlier_ones, hit_in_all, next_words
from dashboard.snapshot import Snapshot
from dashboard.wording import (
    CAUSE_NAMES,
    MOST_TIED,
    clock,
    condition_words,
    count,
    kind_name,
    on_lake,
    one_of,
    percent,
    place_words,
    plain,
    whom,
)

_MOST_ALSO = 6  # links to other incidents in a banner
_OF_PLACE = ("region", "site")  # causes that say less than the name of the place


def incident_banner(incident: Incident, snapshot: Snapshot, also: Sequence[Incident] = ()) -> str:
    """The banner of an open incident.

    Args:
        also: other open incidents about the same update; the banner leads to them.
    """
    title = headline(incident, snapshot)
    more = next_words(incident, snapshot) + _also_open(also, snapshot.as_of)
    return _boxed(incident.verdict, title, facts(_facts(incident, snapshot)), more)


def _also_open(also: Sequence[Incident], beside: datetime | None) -> str:
    """Links to other open incidents about the same update, each by its alarm, as markup."""
    if not also:
        return ""
    shown = [
        links.link("incident", f"alarm {clock(each.alarm_at, beside=beside)}", id=each.incident_id)
        + ("" if each.verdict == "update" else ", not confirmed")
        for each in also[:_MOST_ALSO]
    ]
    if len(also) > len(shown):
        shown.append(f"{count(len(also) - len(shown))} more")
    return f"<p class='fc-next'><b>Also open about it:</b> {'; '.join(shown)}</p>"


def headline(incident: Incident, snapshot: Snapshot) -> str:
    """What is wrong, or was, where if no update did it, in one sentence of markup."""
    if incident.verdict == "update":
        name = f"<b>{text(incident.update_id)}</b>"
        return f"{name} ({escape(kind_name(incident.update_kind))}) {_does(incident)} {escape(_whom(incident))}"
    if incident.verdict == "cannot_separate":
        return f"{_tie(incident)}{_fits_better(incident, snapshot.as_of)}"
    inside = f"<b>{text(incident.where.module)}</b>" if incident.where and incident.where.module else ""
    rose = f"{_rose(incident, inside=inside)}{_somewhere(incident, snapshot.as_of)}"
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


def _rose(incident: Incident, *, inside: str = "") -> str:
    """What happened to hosts, whatever did it.

    Args:
        inside: the module in which they crashed, as it is to be shown; empty not to name it.
    """
    if incident.hosts_left is not None:
        return "Hosts went offline"
    if incident.is_silence:
        return "Servers went dark"
    both = " and servers went dark" if incident.hosts_dark > incident.hosts_crashed else ""
    return f"Crashes{f' in {inside}' if inside else ''} rose{both}"


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
        is_somewhere = incident.where is not None and (incident.where.name or incident.where.module)
        followed = "" if is_somewhere else f": {followed_words(incident)}"
        return f"{rise_words(incident)}, put down to no update{followed}"
    return f"{_rose(incident)}; {'being judged' if incident.is_open else 'what did it could not be told'}"


def rise_words(incident: Incident) -> str:
    """What happened, and in which module and where if that is known, without markup and whatever did it."""
    where = incident.where
    place = f" {place_words(where.name, where.dimension)}" if where and where.name else ""
    return f"{_rose(incident, inside=plain(where.module) if where else '')}{place}"


def followed_words(incident: Incident) -> str:
    """What a rise without an update is or follows, without markup: where it is, if that is known."""
    where, cause = incident.where, incident.cause or ""
    if where is not None and where.name and cause in (*_OF_PLACE, "other"):
        return f"a rise {place_words(where.name, where.dimension)}"
    if where is not None and where.module and cause == "module":
        return f"crashes in {plain(where.module)}"
    return f"this follows {CAUSE_NAMES.get(cause, 'another cause')}"


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
    return _boxed("notice", escape(title), "", f"<p class='fc-next'>{escape(said)}{command_markup(command)}</p>")


def _boxed(kind: str, title: str, figures: str, more: str) -> str:
    titled = f'<p class="fc-title">{title}</p>'
    return f'<div class="fc fc-banner fc-{kind}" role="status">{titled}{figures}{more}</div>'


def _facts(incident: Incident, snapshot: Snapshot) -> list[Fact]:
    impact, evidence = incident.impact, incident.evidence
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
    in_all = hit_in_all(incident, snapshot)
    hit = [Fact("Hit in all", in_all) if in_all else Fact("Hosts crashed", count(crashed) + of_all)]
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
    shown.append(Fact("Since", _since(incident, snapshot)))
    return shown


def _since(incident: Incident, snapshot: Snapshot) -> str:
    beside, update = snapshot.as_of, snapshot.update(incident.update_id)
    if incident.verdict == "update" and update is not None:
        earlier = earlier_ones(incident, snapshot)
        word, alarm_at = ("first alarm", earlier[0].alarm_at) if earlier else ("alarm", incident.alarm_at)
        released = clock(update.released_at, beside=beside).removesuffix(" UTC")
        return f"released {released}, {word} {clock(alarm_at, beside=update.released_at)}"
    return f"alarm {clock(incident.alarm_at, beside=beside)}"
