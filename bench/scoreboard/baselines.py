"""Methods that others use, on the same records: a score for every minute, and the update that would be blamed in it.

Each alarms when its score reaches a threshold, which is tuned on quiet fleets, and blames one update an episode: that
of the minute in which the score got there. An episode is over after an hour below the threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erfc, lgamma, log, log10, pi, sqrt

import numpy as np

from bench.scoreboard.seen import Seen, counted
from fleetcrash.arrays import Floats, Ints

WARM_UP_MINUTES = 6 * 60  # without a few hours of history there is nothing to chart or to forecast from
EPISODE_MINUTES = 60
DAY = 1440

EWMA_WEIGHT = 0.1
FORECAST_WINDOW = 10  # minutes that are forecast at once
VOTE_WINDOWS = (60, 24 * 60, 72 * 60)  # minutes; the fourth is since the deployment
SPATIAL_SHARE = 0.5
DECAY = (0.1, 1.0, 24 * 60)  # from, to, and the minutes in which it falls by e


@dataclass(frozen=True)
class Course:
    """A method's minutes: (T,) its score, and (T,) the update that it blames, -1 for none."""

    score: Floats
    update: Ints

    @property
    def highest(self) -> float:
        """The highest score of all."""
        return float(self.score.max(initial=0.0))

    def episodes(self, threshold: float) -> list[tuple[int, int]]:
        """The minute in which each episode begins, and the update that it is blamed on."""
        raised = np.flatnonzero(self.score >= threshold)
        begins = raised[np.diff(raised, prepend=-EPISODE_MINUTES - 1) > EPISODE_MINUTES]
        return [(int(minute), int(self.update[minute])) for minute in begins]


def control_chart(seen: Seen) -> Course:
    """EWMA control chart of the fleet's crashes, and the latest update.

    z(t) = w a(t) + (1 - w) z(t-1), with a(t) the events known in minute t and w = 0.1. In control its mean is
    m(t) = w r n(t) + (1 - w) m(t-1) and its variance v(t) = w² r n(t) + (1 - w)² v(t-1), for n(t) hosts online and the
    rate r of all minutes up to an hour ago. Score: (z - m) / √v. Blamed: the update that was released last.
    Source: Roberts 1959; for Poisson counts Borror, Champ and Rigdon 1998; for a changing population Dong, Hedayat and
    Sinha 2008.
    """
    arrivals = seen.arrivals()
    expected = _rate_so_far(seen, arrivals) * seen.online
    score = np.zeros(seen.ticks)
    chart = mean = variance = 0.0
    for minute in range(seen.ticks):
        chart += EWMA_WEIGHT * (arrivals[minute] - chart)
        mean += EWMA_WEIGHT * (expected[minute] - mean)
        variance = EWMA_WEIGHT**2 * expected[minute] + (1 - EWMA_WEIGHT) ** 2 * variance
        if minute >= WARM_UP_MINUTES and variance > 0:
            score[minute] = max(chart - mean, 0.0) / sqrt(variance)
    return Course(score, seen.latest())


def seasonal_forecast(seen: Seen) -> Course:
    """Seasonal forecast from the same hour of past days, and the latest update.

    The rate of minute t is (A + r H) / (M + H): A events in M host-minutes within half an hour of the same minute of
    all past days, r the rate of all minutes up to an hour ago, and H = 60 n(t) host-minutes, an hour's worth, so that
    a single past day does not decide alone. The mean of ten minutes is the sum of rate times hosts online. Score:
    -log10 of the Poisson chance of as many events as were known in these ten minutes. Blamed: the update that was
    released last. Source: seasonal naive forecast (Hyndman and Athanasopoulos, Forecasting), with a Gamma prior.
    """
    arrivals = seen.arrivals()
    far = _rate_so_far(seen, arrivals)
    hours_events, hours_time = (_sum_around(values) for values in (arrivals, seen.online))
    past_events, past_time = np.zeros(seen.ticks), np.zeros(seen.ticks)
    for days in range(1, seen.ticks // DAY + 1):
        past_events[days * DAY :] += hours_events[: seen.ticks - days * DAY]
        past_time[days * DAY :] += hours_time[: seen.ticks - days * DAY]
    prior = 60.0 * np.maximum(seen.online, 1.0)
    mean = _sum_of_last((past_events + far * prior) / (past_time + prior) * seen.online, FORECAST_WINDOW)
    count = _sum_of_last(arrivals, FORECAST_WINDOW)
    score = np.zeros(seen.ticks)
    for minute in np.flatnonzero(count > mean):
        if minute >= WARM_UP_MINUTES:
            score[minute] = -_log10_at_least(round(count[minute]), float(mean[minute]))
    return Course(score, seen.latest())


def votes_and_vetoes(seen: Seen) -> Course:
    """Gandalf's votes, vetoes and decay.

    For a fault signature e, here the faulting module, and a deployment c, here an update: P_i counts the hosts that had
    e within the window WD_i after they got c, WD = 1 h, 24 h, 72 h and since the deployment; B those that had e within
    72 h before they got it. Temporal: ST(e, c) = Σ_i w_i log((P_i - B + 1) / (B + 1)) over the i with P_i > B. Spatial:
    SS(e, c) = N_f / N_df, of the hosts with e since the release those that have c; below a threshold c is left out.
    e is blamed on the c with the greatest ST, decayed exponentially with the age of the deployment to a share
    within [a, b]. Source: Li et al., Gandalf, NSDI 2020, by its first author's notes
    (github.com/lize1985/documentation) and a reader's summary; the paper itself was not at hand. Chosen here, for
    want of the published figures: w_i = 1/4, threshold 0.5, a = 0.1, b = 1, a decay by e in 24 h. Left out: the 30
    days of Holt-Winters before it, and the trained classifier after it, in whose place stands the tuned threshold
    on the score, the greatest of any signature.
    """
    best = np.zeros(seen.ticks)
    blamed = np.full(seen.ticks, -1, np.int64)
    minutes = np.arange(seen.ticks)
    signature = seen.signature[seen.pair_event]
    for module in np.unique(seen.signature):
        arrived = np.cumsum(counted(seen.arrived[seen.signature == module], seen.ticks))
        for update, released in enumerate(seen.released):
            mine = (signature == module) & (seen.pair_update == update)
            if not mine.any():
                continue
            age, tick = seen.pair_age[mine], seen.pair_tick[mine]
            vetoes = np.cumsum(counted(tick[age < 0], seen.ticks))
            after = np.cumsum(counted(tick[age >= 0], seen.ticks))
            windows = [np.cumsum(counted(tick[(age >= 0) & (age < length)], seen.ticks)) for length in VOTE_WINDOWS]
            temporal = np.zeros(seen.ticks)
            for votes in (*windows, after):
                temporal += np.where(votes > vetoes, np.log(np.maximum(votes - vetoes + 1, 1) / (vetoes + 1)), 0.0) / 4
            since = arrived - (arrived[released - 1] if released > 0 else 0.0)
            near = after >= SPATIAL_SHARE * np.maximum(since, 1.0)
            low, high, falls_in = DECAY
            decay = low + (high - low) * np.exp(-np.maximum(minutes - released, 0) / falls_in)
            score = np.where(near & (minutes >= max(released, WARM_UP_MINUTES)), temporal * decay, 0.0)
            better = score > best
            best, blamed = np.where(better, score, best), np.where(better, update, blamed)
    return Course(best, blamed)


def chi_square(seen: Seen) -> Course:
    """Pooled chi-square of exposed against unexposed, per update, with Bonferroni.

    Since the release of u: x events in m host-minutes of hosts that have had u for less than a day, X events in M
    host-minutes in all. χ² = (|x - X m/M| - 1/2)² / (X (m/M) (1 - m/M)), one degree of freedom, where x is above what
    is expected. Score: -log10 of its chance times the number of updates on trial. Blamed: the update with the highest
    score. Source: Pearson 1900, Yates 1934, for person-time Rothman, Modern Epidemiology.
    """
    arrivals, time = np.cumsum(seen.arrivals()), np.cumsum(seen.online)
    scores = np.zeros((max(len(seen.updates), 1), seen.ticks))
    tried = np.maximum((np.cumsum(seen.exposed, axis=1) > 0).sum(0), 1) if len(seen.updates) else np.ones(seen.ticks)
    for update, released in enumerate(seen.released):
        begin = max(int(released), 0)
        if begin >= seen.ticks:
            continue
        before = (arrivals[begin - 1], time[begin - 1]) if begin else (0.0, 0.0)
        events, minutes = arrivals[begin:] - before[0], np.maximum(time[begin:] - before[1], 1.0)
        share = np.clip(np.cumsum(seen.exposed[update, begin:]) / minutes, 0.0, 1.0)
        mine = np.minimum(np.cumsum(seen.exposed_arrived[update, begin:]), events)
        variance = events * share * (1.0 - share)
        excess = np.maximum(mine - events * share - 0.5, 0.0)
        root = np.divide(excess, np.sqrt(variance), out=np.zeros(len(excess)), where=variance > 0)
        scores[update, begin:] = [_log10_two_sided(float(each)) for each in root]
    scores = np.maximum(-scores - np.log10(tried), 0.0)
    scores[:, :WARM_UP_MINUTES] = 0.0
    return Course(scores.max(0), np.where(scores.max(0) > 0, scores.argmax(0), -1))


BASELINES: dict[str, Callable[[Seen], Course]] = {
    "EWMA chart": control_chart,
    "Seasonal forecast": seasonal_forecast,
    "Gandalf's vote": votes_and_vetoes,
    "Chi-square": chi_square,
}


def _rate_so_far(seen: Seen, arrivals: Floats) -> Floats:
    """(T,) events a host-minute in all minutes up to an hour ago; half an event is taken to have come."""
    events = np.concatenate([np.zeros(60), np.cumsum(arrivals)])[: seen.ticks]
    time = np.concatenate([np.zeros(60), np.cumsum(seen.online)])[: seen.ticks]
    return (events + 0.5) / np.maximum(time, np.maximum(seen.online, 1.0) * 60.0)


def _sum_around(values: Floats) -> Floats:
    """(T,) sums of the half hours before and after each minute."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    minutes = np.arange(len(values))
    return total[np.minimum(minutes + 31, len(values))] - total[np.maximum(minutes - 30, 0)]


def _sum_of_last(values: Floats, number: int) -> Floats:
    """(T,) sums of so many minutes, up to each."""
    total = np.concatenate([np.zeros(number), np.cumsum(values)])
    return total[number:] - total[:-number]


def _log10_at_least(count: int, mean: float) -> float:
    """log10 of the Poisson chance of at least so many, more than the mean."""
    term = total = 1.0
    for above in range(1, 1000):
        term *= mean / (count + above)
        total += term
        if term < 1e-12 * total:
            break
    return (count * log(mean) - mean - lgamma(count + 1) + log(total)) / log(10.0)


def _log10_two_sided(deviations: float) -> float:
    """log10 of the chance that a normal variable is so many standard deviations off."""
    if deviations < 30.0:
        return log10(erfc(deviations / sqrt(2.0)))
    return (-(deviations**2) / 2.0 - log(deviations * sqrt(pi / 2.0))) / log(10.0)
