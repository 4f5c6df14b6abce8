"""Evidence: how much the crashes say for a hypothesis, as natural logarithms of likelihood ratios.

All ratios are against the same rival: nothing changed, hosts crash at their baseline rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fleetcrash.arrays import Floats
from fleetcrash.counts import poisson_interval

RATIOS = np.geomspace(1.5, 1e5, 14)
"""Rate ratios that a fault may have, equally likely on a log scale: from hardly visible to a boot loop."""

TEST_RATIOS = np.array([1.5, 2.0, 4.0, 16.0, 128.0, 1024.0])
"""Rate ratios of the sequential tests."""

LOG_PRIOR_UPDATE = float(np.log(1e-3))
"""About one update in a thousand crashes hosts: a few incidents in some 2,000 content updates a year."""

LOG_THOUSAND = float(np.log(999))
"""How much has to be said where a chance resemblance is to be ruled out: a thousand to one."""

LEAST_EXPECTED = 1e-3
"""Expected events are taken to be at least this many where some were seen."""


_LOST = -40.0


def log_mean_exp(values: Floats, axis: int | tuple[int, ...] = -1, weights: Floats | None = None) -> Floats:
    """log of the (weighted) mean of exp(values), without overflow.

    Args:
        weights: broadcast against values; they need not sum to one along the axis: they are used as given.
    """
    top = values.max(axis=axis, keepdims=True)
    top[~np.isfinite(top)] = 0.0
    below = values - top
    if weights is None:  # what is lost in the rounding of the largest is left out, for it would take longest
        total = np.exp(below, where=below > _LOST, out=np.zeros_like(below)).mean(axis=axis)
    else:
        total = (np.exp(below) * weights).sum(axis=axis)
    with np.errstate(divide="ignore"):
        answer: Floats = np.log(total) + top.squeeze(axis=axis)
    return answer


def log_poisson_ratio(events: ArrayLike, expected: ArrayLike, ratios: Floats = RATIOS) -> Floats:
    """Log likelihood ratio of a rate raised by each ratio, against the baseline.

    Args:
        events: (...) events counted, >= 0.
        expected: (...) events expected at the baseline, >= 0.
    Returns:
        (ratios, ...) values of ``events * log(r) - (r - 1) * expected``. Ratios come first: what is to be averaged lies
        apart, and all that stands side by side is averaged at once.
    Source: Poisson process likelihood; the factor that the counts alone decide cancels.
    """
    count, mean = _grounded(events, expected)
    answer: Floats = np.multiply.outer(np.log(ratios), count)
    answer -= np.multiply.outer(ratios - 1.0, mean)
    return answer


def log_raised_since(events: Floats, expected: Floats, before: Floats, expected_before: Floats) -> Floats:
    """Log likelihood ratio of a rate raised by each of TEST_RATIOS over what it was before, which the counts then tell.

    Args:
        events, expected: (...) as in log_poisson_ratio.
        before, expected_before: the same of a past in which nothing was raised; broadcast against the others.
    Returns:
        (ratios, ...) values of ``events * log(r) - (before + 1 + events) * log(1 + (r - 1) p)``, p being the share of
        all that was expected; where nothing was seen a little less, which takes no logarithm.
    Source: Poisson process, its rate integrated out under a flat prior: of two samples the second has more than its
    share. Of a long past it is log_poisson_ratio at the rate that was seen then.
    """
    count, mean = _grounded(events, expected)
    past, over = np.broadcast_to(before + 1.0, mean.shape), np.broadcast_to(expected_before, mean.shape)
    share = mean / (mean + over)
    answer: Floats = np.multiply.outer(1.0 - TEST_RATIOS, share * past)
    seen = count > 0
    of_one = np.log1p(np.multiply.outer(TEST_RATIOS - 1.0, share[seen]))
    answer[:, seen] = np.multiply.outer(np.log(TEST_RATIOS), count[seen]) - (past[seen] + count[seen]) * of_one
    return answer


def _grounded(events: ArrayLike, expected: ArrayLike) -> tuple[Floats, Floats]:
    """Events that have host-time to be held against, and no less than a sliver expected.

    Events of hosts that nothing else is known of have no rate. And installs and presence are not told to the second:
    three events in a thousandth of one expected are evidence, in a millionth they are hardly more.
    """
    mean = np.asarray(expected, float)
    count = np.where(mean > 0, np.asarray(events, float), 0.0)
    return count, np.where(count > 0, np.maximum(mean, LEAST_EXPECTED), mean)


def log_raised(events: ArrayLike, expected: ArrayLike) -> Floats:
    """Log Bayes factor that the rate was raised at all, the ratio unknown, or was not, each as likely.

    Args:
        events, expected: (...) as in log_poisson_ratio.
    Returns:
        (...) values; slightly below zero where nothing speaks for a rise, never below log(1/2).
    """
    raised = log_mean_exp(log_poisson_ratio(events, expected), axis=0)
    return np.logaddexp(raised, 0.0) - np.log(2.0)


def log_contrast(events: Floats, had: Floats, share: Floats) -> float:
    """Log likelihood ratio that hosts with an update crash more than the hosts beside them without it.

    Whatever raises the rate of all hosts alike cancels; where all have the update, nothing is left.

    Args:
        events: (n,) how many there were at each moment.
        had: (n,) those whose host had the update, no matter for how long: a host that has just come online installs
            what it missed, and may crash for having just come online.
        share: (n,) of the hosts at risk at that moment that had it.
    Source: partial likelihood of Cox (1972), the ratio unknown among TEST_RATIOS.
    """
    terms = events @ np.log1p((TEST_RATIOS - 1.0) * share[:, None])
    return float(log_mean_exp(had.sum() * np.log(TEST_RATIOS) - terms))


def log_contrast_of_each(had: NDArray[np.bool_], with_it: NDArray[np.int64], hosts: NDArray[np.int64]) -> float:
    """The same of some events, each with the hosts that it could have happened to.

    Args:
        had: (n,) whether its host had the update. with_it, hosts: (n,) how many hosts had it, of how many.
    """
    return log_contrast(np.ones(len(had)), had.astype(float), with_it / hosts)


def log_contrast_by_age(events: Floats, of_age: Floats, shares: Floats) -> float:
    """Log likelihood ratio that hosts crash more for some time after they got an update than the hosts beside them.

    Once all have it, those that got it last still differ from those that got it first. Whatever raises the rate of all
    hosts alike cancels.

    Args:
        events: (n,) how many there were at each moment.
        of_age: (n, ages) those whose host had the update, by the age of the install.
        shares: (n, ages) of the hosts at risk at that moment that had an install younger than each age.
    Source: partial likelihood of Cox (1972), time after the install and ratio unknown.
    """
    terms = np.tensordot(events, np.log1p((TEST_RATIOS - 1.0) * shares[..., None]), axes=1)
    hits = np.cumsum(of_age.sum(0))[:, None] * np.log(TEST_RATIOS)
    return float(log_mean_exp(hits - terms, axis=(0, 1)))


UNRECORDED_SHARES = np.array([0.0, 0.03, 0.2])
UNRECORDED_WEIGHTS = np.array([0.5, 0.3, 0.2])
"""How many of the hosts without an install record may have the update all the same: acknowledgements are late or lost,
above all those of a host that crashes before it can send one."""

_UNRECORDED_AT_MOST = 1.0
"""So many times those that have it on record: of what hardly anybody got yet no share of the whole fleet has it."""


def log_raised_by_update(events: Floats, expected: Floats, other_events: Floats, other_expected: Floats) -> Floats:
    """Log Bayes factor that an update raised the rate, where not every install is on record.

    Hosts that have it on record crash at r times the baseline; of the others a small, unknown share has it too.

    Args:
        events, expected: (...) of hosts with the update on record.
        other_events, other_expected: (...) of the other hosts of the slice since the release.
    Returns:
        (...) values, as log_raised.
    """
    recorded = log_poisson_ratio(events, expected)
    by_share = [recorded + np.log(UNRECORDED_WEIGHTS[0])]
    count, mean = _grounded(other_events, other_expected)
    most = np.divide(_UNRECORDED_AT_MOST * expected, mean, out=np.ones_like(mean), where=mean > 0)
    for share, weight in zip(UNRECORDED_SHARES[1:], UNRECORDED_WEIGHTS[1:], strict=True):
        raised_by = np.multiply.outer(RATIOS - 1.0, np.minimum(share, most))
        others = count * np.log1p(raised_by) - raised_by * mean
        by_share.append(recorded + others + np.log(weight))
    raised = np.logaddexp.reduce(np.stack(by_share), axis=0)
    return np.logaddexp(log_mean_exp(raised, axis=0), 0.0) - np.log(2.0)


def log_likeliest(events: Floats, expected: Floats) -> Floats:
    """Log likelihood ratio at the best ratio of all, zero where the rate did not rise: a quick upper bound."""
    count, mean = _grounded(events, expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        best = count * np.log(count / mean) - (count - mean)
    return np.where(count > mean, best, 0.0)


def rate_interval(events: int, expected: float) -> tuple[float, float, float | None]:
    """How many times the baseline: (low, estimate, high), 95 % two-sided; high is None when nothing was expected.

    Args:
        events: counted, >= 0. expected: at the baseline, >= 0.
    """
    if expected <= 0:
        return 0.0, 0.0, None
    low, high = poisson_interval(events)
    return low / expected, events / expected, high / expected
