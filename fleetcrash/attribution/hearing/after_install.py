"""After the install: whether hosts are struck as long after they got an update as a fault would have it, or whenever.

A push reaches everybody within minutes. Whatever else begins then strikes hosts whether they got it a minute ago, five
minutes ago or not yet; a fault strikes each host some time after its own install. So of the hosts that were at risk at
the moment of an event it is asked how likely each was to be the one. However a wave rises and falls, it has no answer
to that.
"""

from __future__ import annotations

import math

import numpy as np

from fleetcrash.arrays import Floats, Mask
from fleetcrash.attribution.expected.baseline import CRASH_AT_BOOT
from fleetcrash.attribution.facts.answers import ByDelay
from fleetcrash.attribution.facts.exposure import LONG_UP
from fleetcrash.attribution.facts.news import News
from fleetcrash.attribution.hypotheses.witnesses import step_below

# The time from an install to the crash is lognormal, with one of these medians; of the hosts that a fault may strike it
# strikes three in ten.
_MEDIAN_S = np.array([20.0, 80.0, 320.0, 1280.0, 5120.0, 20480.0])
_SPREAD = 1.1
_STRUCK = 0.3
# Or, of one fault in seven, a timer runs out: at one of these times, to a twentieth; or at about one, sooner here
# and later there, lognormal as well. Far from it nobody is likelier than another: by so much of what it is at its time.
_TIMER_S, _TO_A_TWENTIETH = np.geomspace(600, 82_000, 167), 1.05
_ABOUT_S = np.concatenate([np.geomspace(600, 72_000, 14), np.geomspace(600, 72_000, 33)])
_ABOUT_SPREAD = np.repeat([0.35, 0.15], [14, 33])
_AT_LEAST = 1e-3
_TIMERS = len(_TIMER_S) + len(_ABOUT_S)
_BY_TIMER = 1 / 7
_LIKELY = 0.2  # of the hosts that were struck, so many were in the time of a timer that is worth asking about
# One event in twenty is of something else, and of the hosts without a record of the install one in ten has it all the
# same: those that crash at once may never tell.
_STRAY = 0.05
_UNRECORDED = 0.1

_WHILE_UP, _WHILE_MINUTES = 1, 10  # from ten minutes on
_MOST_EVENTS = 500  # the first ones tell the most: later all have had it for long
_MINUTES, _AT_MOST_MINUTES = 5, 60  # asked again every so often, and for so long, because installs are told late
_STEP_S = 10.0  # of the ages in ``ByDelay``


def log_by_delay(
    news: News, tick: int, mine: Mask, update: int, released_minute: int, *, among_holders: bool = False
) -> float:
    """Log likelihood ratio of a fault of an update, against anything that strikes hosts whenever they got it.

    Only hosts that were up before the release or for half an hour count: one that comes online late installs what it
    missed, and may crash for having just come online.

    Args:
        mine: (events,) the events. released_minute: of the update.
        among_holders: whether hosts that did not have it say nothing: they may lack what else its hosts have.
    Returns:
        The most that it ever came to as the events became known; an innocent update gets to log(x) one time in x at
        most (Ville's inequality). Zero where there are no events to ask about. Among holders what it comes to now: of
        what strikes them later, for another reason, it is not to speak.
    """
    events = news.events
    since = events.minute - released_minute
    was_up = (events.since_boot >= LONG_UP) | ((events.since_boot == _WHILE_UP) & (since < _WHILE_MINUTES))
    asked = np.flatnonzero(mine & was_up & (since >= 0) & (events.tick <= tick) & (events.outcome != CRASH_AT_BOOT))
    if not len(asked):
        return 0.0
    told = tuple(asked[: min(step_below(len(asked)), _MOST_EVENTS)].tolist())
    last = int(events.tick[told[-1]])
    known = max(last, min(tick - tick % _MINUTES, last + _AT_MOST_MINUTES))
    found = news.ask.by_delay(update, told, known)
    if among_holders:
        found = found.among_holders()
    said = log_of_delays(found, 60.0 * since[found.event].astype(float))
    if not len(said):
        return 0.0
    return float(said[-1]) if among_holders else max(float(said.max()), 0.0)


def log_of_delays(found: ByDelay, since_release_s: Floats) -> Floats:
    """(events,) what they said together, one after the other.

    Args:
        since_release_s: (n,) seconds from the release of the update to the event of each row.
    Source: partial likelihood of Cox (1972).
    """
    if not found.struck.any():
        return np.zeros(0)
    age_s = np.where(found.had, found.age_s + _STEP_S / 2, since_release_s)
    by_timer = _of_timers(age_s, age_s[found.struck > 0])
    of_host = np.where(found.had, 1.0, _UNRECORDED)[:, None] * np.hstack([hazard(age_s, _MEDIAN_S, _SPREAD), by_timer])
    starts = np.flatnonzero(np.diff(found.event, prepend=-1))
    struck = np.add.reduceat(of_host * found.struck[:, None], starts)
    beside = np.add.reduceat(of_host * found.hosts[:, None], starts)
    hosts = np.add.reduceat(found.hosts, starts)[:, None]
    # Where no host is in its time, a timer says nothing of the event.
    more = np.divide(struck * hosts, beside, out=np.ones_like(struck), where=beside > 0)
    said = np.cumsum(np.log(_STRAY + (1.0 - _STRAY) * more), axis=0)
    of_medians = np.full(len(_MEDIAN_S), np.log((1.0 - _BY_TIMER) / len(_MEDIAN_S)))
    of_timers = np.full(by_timer.shape[1], np.log(_BY_TIMER / _TIMERS))
    return np.logaddexp.reduce(said + np.append(of_medians, of_timers), axis=1)


def _of_timers(age_s: Floats, struck_at_s: Floats) -> Floats:
    """(n, timers) how each of the timers that are worth asking about strikes hosts at each age, against its other ages.

    Args:
        struck_at_s: (events,) ages of those that were struck.
    """
    from_s = np.append(_TIMER_S, _ABOUT_S * np.exp(-_ABOUT_SPREAD))
    until_s = np.append(_TIMER_S * _TO_A_TWENTIETH, _ABOUT_S * np.exp(_ABOUT_SPREAD))
    in_time = (struck_at_s[:, None] >= from_s) & (struck_at_s[:, None] < until_s)
    exact, about = np.split(in_time.mean(0) >= _LIKELY, [len(_TIMER_S)])
    at_once = (age_s[:, None] >= _TIMER_S[exact]) & (age_s[:, None] < _TIMER_S[exact] * _TO_A_TWENTIETH)
    at, spread = _ABOUT_S[about], _ABOUT_SPREAD[about]
    some_time = hazard(age_s, at, spread) + _AT_LEAST * hazard(at, at, spread).diagonal()
    return np.hstack([at_once, some_time])


def hazard(age_s: Floats, median_s: Floats, spread: Floats | float) -> Floats:
    """(n, medians) rate at which hosts are struck so many seconds after the install, per second."""
    few, which = np.unique(np.maximum(age_s, _STEP_S / 2), return_inverse=True)  # they come in steps
    age = few[:, None]
    deviation = np.log(age / median_s) / spread
    density = np.exp(-0.5 * deviation**2) / (age * spread * math.sqrt(2.0 * math.pi))
    struck = 0.5 * (1.0 + np.interp(deviation / math.sqrt(2.0), _ERF_AT, _ERF))
    answer: Floats = _STRUCK * density / (1.0 - _STRUCK * struck)
    return answer[which]


# Beyond these deviations the error function is one, as far as it matters here.
_ERF_AT = np.linspace(-4.0, 4.0, 4001)
_ERF = np.array([math.erf(at) for at in _ERF_AT.tolist()])
