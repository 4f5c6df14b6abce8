"""The course of an incident: what a judgement makes of its condition, where it is watched, when it ends and closes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from fleetcrash.arrays import Ints, Mask
from fleetcrash.attribution.conditions.finding import LEAST_EVENTS, cells_that_may_meet, find_condition
from fleetcrash.attribution.conditions.grammar import Condition
from fleetcrash.attribution.detection.claims import Claims
from fleetcrash.attribution.detection.late_strikes import in_late_versions
from fleetcrash.attribution.detection.places import places_struck
from fleetcrash.attribution.detection.system_rates import as_usual_beside
from fleetcrash.attribution.expected.baseline import DARK, LAG_MINUTES
from fleetcrash.attribution.facts.exposure import AGES
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.suspects import LOG_THRESHOLD
from fleetcrash.attribution.incidents.case import Found
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.weighing.judgement import JUDGING_MINUTES, Judgement, Kind
from fleetcrash.attribution.weighing.rivalry import LOG_MARGIN
from fleetcrash.counts import clearly_more, poisson_interval
from fleetcrash.times import DAY

# A condition is looked for again once its events have grown by this factor.
_CONDITION_GROWTH = 1.02

# Where so many more events were to come than usual, and by fifty to one did not, it is over: of a few that are usual
# there may be one or two. Of many that are usual, those that stray by chance are no sign either.
_MISSED = 8.0
_STRAYS = 4.0  # standard deviations of a Poisson count
_LOG_OVER = 4.0
_KEPT = 0.5  # of what the test of an update takes for an alarm, for it to go on
_LEAST_USUAL = 1e-6  # in a part of the fleet of which nobody is online

# Who has been dark for two weeks is not waited for any more: nobody tells of hosts that were given up.
_MISSED_MINUTES = 14 * DAY

# Of an incident's hosts so many have to crash again in an hour for it to go on: a quarter in a day is no baseline ...
_LEAST_AGAIN = 0.01
# ... nor is what hosts did in fewer hours than this.
_LEAST_HOST_HOURS = 24.0


def condition_of(inquiry: Inquiry, incident: Incident, judgement: Judgement, tick: int, mine: Mask) -> Condition | None:
    """The condition of what a judgement names: looked for anew as its events grow in number.

    While what it leaves out may be another update's, the one that was found stays for a quarter of an hour.
    """
    if judgement.kind is not Kind.UPDATE or judgement.update is None:
        return None
    is_new = judgement.update != incident.update
    if not is_new and incident.contested.is_younger(tick, JUDGING_MINUTES):
        return incident.condition
    departures, portion, dormant = incident.by_departures, inquiry.portion(incident.rise), judgement.dormant
    of_cells = partial(inquiry.by_cell, judgement.update, tick, departures=departures, portion=portion)
    events, expected = of_cells(mine) if dormant is None else (dormant.events, dormant.expected)
    if not is_new and int(events.sum()) <= incident.condition_events * _CONDITION_GROWTH:
        return incident.condition
    incident.condition_events = int(events.sum())
    is_followed = dormant is None and not departures  # from each install on, so that it is known what came with it
    if is_followed:
        late = in_late_versions(inquiry, judgement.update, tick, mine)
        if late.any():
            mine = mine & ~late
            events, expected = of_cells(mine)
    total = int(events.sum())
    if is_followed and incident.rise is None:
        expected = expected * np.repeat(as_usual_beside(inquiry, judgement.update, tick, mine), AGES, axis=0)
    may_need_another = is_followed and total >= LEAST_EVENTS
    companions = inquiry.companions(judgement.update, tick, mine) if may_need_another else []
    places = places_struck(inquiry, judgement.update, tick, mine) if may_need_another else []
    given = None if is_new else incident.condition
    found = find_condition(inquiry.news.cells, events, expected, companions, places, given)
    return found if is_new else incident.said.weigh_condition(tick, found)


def is_still_weak(inquiry: Inquiry, incident: Incident, tick: int, mine: Mask, found: Found) -> bool:
    """Whether what is found is still less than a name, or a rise without one, takes; see ``Incident``.

    Args:
        mine: (events,) those that it is judged by.
    """
    judgement, trial, _ = found
    if judgement.update is not None or incident.by_departures or incident.rise is not None:
        return False
    return not trial.passed().any() and not inquiry.is_a_rise(tick, mine)


def watch(inquiry: Inquiry, incident: Incident, claims: Claims, tick: int, found: Found) -> None:
    """Note where to watch the incident, and since when, after a judgement."""
    judgement, trial, waves = found
    incident.claims_all = not incident.is_understood
    leader = judgement.leader(trial.updates)
    if judgement.dormant is not None:
        incident.suspected_minute = judgement.dormant.onset
    elif leader is not None:
        incident.suspected_minute = inquiry.released(leader)
    elif judgement.wave is not None:
        incident.suspected_minute = int(waves.onset[judgement.wave[0]])
    incident.spot = 0
    if judgement.kind is Kind.UPDATE and judgement.update is not None:
        row = trial.row_of(judgement.update)
        incident.spot = inquiry.spots.whole_system(trial.likeliest_slice(row), tick)
        is_wider = incident.is_everywhere or claims.is_of_systems(incident)
        if incident.spot == 0 or incident.by_departures or is_wider:
            incident.spot = inquiry.spots.only_system(trial.expected[:, row, :AGES].sum((0, 1)))
    elif judgement.kind is Kind.NO_UPDATE and judgement.wave is not None:
        row = judgement.wave[0]
        incident.wave_spot = int(waves.spot[row])
        incident.spot = inquiry.spots.whole_system(incident.wave_spot, tick)
        incident.onset_minute = min(int(waves.onset[row]), incident.onset_minute)


def maybe_end(inquiry: Inquiry, incident: Incident, claimed: Mask, tick: int) -> None:
    """End after an hour at the baseline with nobody dark because of it.

    With some dark still, one without an answer keeps it from then on: what rises anew is another incident.

    Args:
        claimed: (events,) those of any incident.
    """
    raised = inquiry.is_raised(incident.spot, tick) if incident.rise is None else not _is_over(inquiry, incident, tick)
    if incident.by_departures and (suspect := _suspect(incident)) is not None:
        raised |= inquiry.departures.is_raised(suspect, tick)
    if raised and (incident.is_understood or not incident.settled):
        incident.last_raised_minute = tick
    if tick < incident.calm_tick:
        return
    if not incident.is_understood and not incident.settled and _may_go_on(inquiry, incident, claimed, tick):
        incident.last_raised_minute = tick
        return
    if not _is_any_dark(inquiry, incident, tick):
        incident.end(tick)
    elif not incident.is_understood:
        incident.settle()


def _suspect(incident: Incident) -> int | None:
    """The update that an incident names; or else the likeliest."""
    if incident.update is not None or incident.judgement is None or incident.trial is None:
        return incident.update
    return incident.judgement.leader(incident.trial.updates)


def _is_over(inquiry: Inquiry, incident: Incident, tick: int) -> bool:
    """Whether a module had about as many crashes as usual for as long as eight more take, at the pace so far."""
    events, portion = inquiry.news.events, inquiry.portion(incident.rise)
    if portion is None:
        return True

    def usual(minutes: int) -> float:
        since = inquiry.expected.since(incident.spot, tick - minutes + 1)
        return float((since * portion.of_spots[:, incident.spot]).sum())

    return _are_over(events.minute[incident.claim(len(events)) & (events.tick <= tick)], usual, tick)


def _may_go_on(inquiry: Inquiry, incident: Incident, claimed: Mask, tick: int) -> bool:
    """Whether hosts with the update whose test says most go on crashing, though nothing is named and no hour is raised.

    What crashes a few hosts an hour more is told by a day's; by those beside them, or a rise of all would do as well.
    """
    trial, news = incident.trial, inquiry.news
    if trial is None or not len(trial.updates) or incident.by_departures or incident.rise is not None:
        return False
    if not news.installs_told or not news.presence_told:  # who lacks it may be offline else
        return False
    row = int(np.argmax(trial.log_test))
    if trial.log_test[row] < _KEPT * LOG_THRESHOLD:
        return False
    update, events = int(trial.updates[row]), news.events
    claim = incident.claim(len(events))
    mine = claim & inquiry.events_with(update, tick) & (events.outcome != DARK)
    everywhere = np.ones(len(news.cells), bool)
    if _are_over(events.minute[mine], inquiry.usual_with(update, everywhere, tick), tick):
        return False
    return inquiry.moments(tick, ~claimed | claim).of(update).log_with_it() >= LOG_MARGIN


def _has_stopped(inquiry: Inquiry, incident: Incident, free: Mask, tick: int) -> bool:
    """Whether hosts with a named update had about as many crashes as usual for as long as eight more take.

    A fault that strikes a few hosts an hour is not seen in all crashes of a system, and no hour without one ends it.

    Args:
        free: (events,) those that no other incident explains.
    """
    if incident.update is None or incident.by_departures or incident.rise is not None:
        return True
    events = inquiry.news.events
    cells = cells_that_may_meet(inquiry.news.cells, incident.condition or {})
    mine = free & inquiry.events_with(incident.update, tick) & cells[events.cell]
    mine &= (events.outcome != DARK) & (events.minute >= incident.since)

    return _are_over(events.minute[mine], inquiry.usual_with(incident.update, cells, tick), tick)


def _are_over(crashes: Ints, usual: Callable[[int], float], tick: int) -> bool:
    """Whether about as many as usual came for an hour, or for as long as it takes to see that at the pace so far.

    Args:
        crashes: (n,) their minutes. usual: how many come at the baseline in the last minutes, one day at most.
    """
    if not len(crashes):
        return True
    a_minute = usual(DAY) / DAY
    more = max(len(crashes) / max(int(crashes.max() - crashes.min()), 1) - a_minute, _MISSED / DAY)
    minutes = int(np.clip(max(_MISSED / more, _STRAYS**2 * a_minute / more**2), LAG_MINUTES, DAY))
    as_usual = max(usual(minutes), _LEAST_USUAL)
    missed = max(_MISSED, _STRAYS * float(np.sqrt(as_usual)))
    return int((crashes > tick - minutes).sum()) * float(np.log1p(missed / as_usual)) <= missed - _LOG_OVER


def _is_any_dark(inquiry: Inquiry, incident: Incident, tick: int) -> bool:
    """Whether more of its hosts have gone dark and are not back than go dark in as long of themselves.

    Servers are retired every week, and never come back: they would keep an incident for a fortnight.
    """
    events = inquiry.news.events
    dark = incident.claim(len(events)) & (events.outcome == DARK) & (events.tick <= tick) & (events.back_tick > tick)
    minutes = min(tick - (incident.alarm_tick - LAG_MINUTES), _MISSED_MINUTES)
    seen = int((dark & (events.tick >= tick - minutes) & (events.minute > tick - _MISSED_MINUTES)).sum())
    if not seen:
        return False
    a_day = float(inquiry.expected.since(incident.spot, tick - min(minutes, DAY - 1))[DARK])
    return poisson_interval(seen)[0] > a_day * max(minutes / DAY, 1.0)


def maybe_close(inquiry: Inquiry, incident: Incident, claims: Claims, tick: int) -> None:
    """Close what ended, unless its fault goes on.

    In hosts that it struck: clearly more of them crashed again in the last hour than twice what is usual. Only the
    first crash of a host is an event: what goes on in the hosts of a loop raises no rate. Or in others with its update,
    though an incident that nobody understands may be of that.
    """
    events, again = inquiry.news.events, inquiry.news.again
    if incident.ended_tick == tick:
        incident.crash_again = _usually_again(inquiry, ~claims.taken, incident.since, tick)
    mine = incident.claim(len(events)) & (events.outcome != DARK)
    lately = slice(*np.searchsorted(again.tick, [tick - LAG_MINUTES, tick], side="right"))
    followed = again.event[lately][again.minute[lately] > tick - LAG_MINUTES]
    seen, hosts = len(np.unique(followed[mine[followed]])), int(mine.sum())
    mean = 2.0 * incident.crash_again * hosts
    goes_on = clearly_more(seen, mean) and seen >= _LEAST_AGAIN * hosts
    if goes_on or _is_any_dark(inquiry, incident, tick):
        return
    if _has_stopped(inquiry, incident, ~claims.explained | incident.claim(len(events)), tick):
        incident.closed_tick = tick


def _usually_again(inquiry: Inquiry, free: Mask, since: int, tick: int) -> float:
    """The share of hosts that crash again in an hour of the day after a crash, by those of the day before a minute.

    Args:
        free: (events,) those of no incident.
    """
    events, again = inquiry.news.events, inquiry.news.again
    usual = free & (events.outcome != DARK) & (events.tick <= tick)
    usual &= (events.minute > since - DAY) & (events.minute <= since)
    host_hours = float((since - events.minute[usual]).sum()) / LAG_MINUTES
    rows = slice(*np.searchsorted(again.tick, [since - DAY, tick], side="right"))
    event, minute = again.event[rows], again.minute[rows]
    counted = usual[event] & (minute <= since)
    hours = (minute[counted] - events.minute[event[counted]]) // LAG_MINUTES
    return len(np.unique(event[counted] * LAG_MINUTES + hours)) / (host_hours + _LEAST_HOST_HOURS)
