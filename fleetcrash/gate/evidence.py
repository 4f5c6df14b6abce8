"""The arithmetic of the gate: what host-time and events say about an excess, valid at any look.

A host is *hit* when it crashes or goes dark for the first time with the update. Without the update, hosts of its kind
are hit at a known rate; an update that hits a further share m of its hosts adds ``m * density(age of the install)``.
The likelihood ratio of "no excess" to "an excess of m" is a martingale under the latter, so by Ville's inequality the
chance that it ever reaches 20 is at most one in twenty, however often one looks. The bound is made of all m that are
ruled out in this way; the inverse ratio, averaged over shares and windows, is the test that halts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.expected.baseline import CRASH, DARK
from fleetcrash.counts import clearly_more

# Minutes after the install within which an excess may fall; hosts are followed for the longest. The detector looks at
# four hours as well.
WINDOWS = (2, 10, 60, 1440)

AGES = len(WINDOWS)
EARLY_AGES = 3  # the ages within the first hour
# (windows, ages) share of an excess per minute, evenly spread within its window.
_DENSITY = np.array([[1 / window if age <= number else 0.0 for age in range(AGES)]
                     for number, window in enumerate(WINDOWS)])  # fmt: skip

# (ages,) the course of an excess that the bound assumes: nearly all of it right after the install, and a little in each
# longer window, so that a hit an hour later, which is mostly chance, costs little. How far the bound holds for
# slower faults is measured in bench/gate.py; docs/adr/20261125-gate.md says what else guards against them.
_CURVE = np.array([0.94, 0.03, 0.02, 0.01]) @ _DENSITY

_FIRST_HOUR = float(_CURVE[:EARLY_AGES] @ np.diff((0, *WINDOWS[:EARLY_AGES])))  # share of an excess

_SHARES = np.array([3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3])  # shares of hosts hit over which the halting test averages
_MOST_LOOKS = 100  # at which the bound is computed; fewer looks only make it wider
_HALVINGS = 40
_MOST_RATIO = 1e6
# The rate ratio that must be ruled out before an update leaves its second ring: three, with a baseline off by a fifth.
RISE = 2.5

# Where silences are rare, 2.5 times as many are too few to be detected or to matter: a quarter of the usual number of
# crashes is a sixth of the excess of crashes that is let pass.
_BESIDE_CRASHES = 0.25


@dataclass(frozen=True)
class Hits:
    """Hosts that were hit, one entry per host, in the order of the minutes.

    Attributes:
        minute: of the event, on the grid of the evidence.
        outcome: 0 a crash, 1 gone dark.
        age: index into WINDOWS of the install's age.
        rate: events per minute of one host of its kind, by the baseline.
        beside: hits at that time of hosts around it without the update, over their baseline; at least 1.
        weight: of the host's customer in the bounds, at most 1.
        witness: False where the host's site or customer had enough witnesses at that time, or an OS patch restarted the
            host: some restarts take long, and these halt no rollout.
    """

    minute: Ints
    outcome: Ints
    age: Ints
    rate: Floats
    beside: Floats
    weight: Floats
    witness: Mask

    def __len__(self) -> int:
        return len(self.minute)


@dataclass(frozen=True)
class Evidence:
    """What is known of one ring, or of several together.

    Attributes:
        time: (minutes, AGES) hosts at risk in each minute of the rollout in which any was, by the age of their install.
        weighted: (minutes, AGES) the same with each host weighted by its customer; without the newest minutes, in which
            hosts may have been hit that are not known to be yet.
        expected: (2,) weighted crashes and silences expected by the baseline in the minutes of ``weighted``.
        hits: those that happened.
        heads: weighted number of hosts that have, or had, the update.
        exposed: hosts that have, or had, the update.
        excess: how many more of them were hit in their first hour than expected, and than hosts beside them.
        surplus: the same of all the time for which they are followed.
    """

    time: Floats
    weighted: Floats
    expected: Floats
    hits: Hits
    heads: float
    exposed: int
    excess: float
    surplus: float

    @property
    def seen(self) -> float:
        """Share of its hosts that were hit in the first hour, beyond the expected; or in all, if that is more."""
        return max(self.excess, self.surplus, 0.0) / max(self.exposed, 1)


def is_chance(evidence: Evidence, share: float) -> bool:
    """Whether more than the share were hit, but not in the first hour, and no more than chance brings in a day."""
    hits = float((1.0 / evidence.hits.beside).sum())
    early, late = (max(count, 0.0) / max(evidence.exposed, 1) for count in (evidence.excess, evidence.surplus))
    return early < share <= late and not clearly_more(hits, max(hits - evidence.surplus, 0.0))


def upper_bound(evidence: Evidence, *, alpha: float) -> float:
    """Upper bound on the share of hosts that the update hits beyond the baseline: the least bound at any look so far.

    Once ruled out, an excess stays ruled out as long as hosts are hit along the curve. The bound is never below the
    excess that was seen, or a fault that is slower than that would be told as ruled out beside its own hits.

    Args:
        alpha: chance that it is ever below the true share, if hosts are hit along the curve.
    Returns:
        Between 0 and 1; 1 where nothing is known.
    """
    hits = evidence.hits
    # The bound falls between events and rises at each: it is least just before an event, or now.
    looks = np.unique(np.linspace(0, len(hits), min(len(hits) + 1, _MOST_LOOKS)).astype(np.int64))
    risk = np.concatenate([[0.0], np.cumsum(evidence.weighted @ _CURVE)])
    until = np.append(hits.minute, len(evidence.weighted))[looks]
    exposure = risk[np.minimum(until, len(evidence.weighted))]
    counted = (np.arange(len(hits)) < looks[:, None]) * hits.weight
    low, high = np.zeros(len(looks)), np.ones(len(looks))
    for _ in range(_HALVINGS):
        share = (low + high) / 2
        gain = np.log1p(share[:, None] * (_CURVE[hits.age] / (hits.rate * hits.beside)))
        ruled_out = share * exposure - (counted * gain).sum(1) >= -log(alpha)
        low, high = np.where(ruled_out, low, share), np.where(ruled_out, share, high)
    return float(min(1.0, max(high.min(), evidence.seen)))


def log_evidence(evidence: Evidence, *, caution: float) -> float:
    """The largest logarithm of an e-value against "no excess" at any look so far; 0 without an event.

    Without an excess the chance that it ever reaches ``log(1 / alpha)`` is at most alpha, as long as no rate is more
    than ``caution`` times the given one.
    """
    hits = evidence.hits
    if not len(hits):
        return 0.0
    risk = np.concatenate([np.zeros((1, AGES)), np.cumsum(evidence.time @ _DENSITY.T, axis=0)])
    # The minute of the event counts: some hosts that got the update in it were at risk before the event.
    lived = risk[np.minimum(hits.minute + 1, len(evidence.time))]
    density = _DENSITY[:, hits.age].T / (hits.rate * hits.beside * caution)[:, None]
    gain = np.log1p(density[:, :, None] * _SHARES) * hits.witness[:, None, None]
    ratio = np.cumsum(gain, axis=0) - lived[:, :, None] * _SHARES
    flat = ratio.reshape(len(hits), -1)
    top = flat.max(1)
    mean = top + np.log(np.exp(flat - top[:, None]).mean(1))
    return float(max(mean.max(), 0.0))


def ratio_bound(evidence: Evidence, *, alpha: float) -> float:
    """Upper bound on the rate of crashes over their baseline, or on that of silences; the larger of the two.

    Args:
        alpha: chance, for each of the two, that its bound is ever below the truth.
    Returns:
        Infinite where nothing is known. An outcome that is expected of no host and did not happen is left out.
    """
    return max((_ratio_bound(evidence, outcome, alpha) for outcome in _outcomes(evidence)), default=1.0)


def _outcomes(evidence: Evidence) -> list[int]:
    told, nothing = set(evidence.hits.outcome.tolist()), not evidence.expected.any()
    return [outcome for outcome, expected in enumerate(evidence.expected) if expected or outcome in told or nothing]


def _ratio_bound(evidence: Evidence, outcome: int, alpha: float) -> float:
    low, high = 1.0, _MOST_RATIO
    for _ in range(_HALVINGS):
        ratio = (low * high) ** 0.5
        ruled_out = (ratio - 1.0) * evidence.expected[outcome] - _gain(evidence, outcome, ratio) >= -log(alpha)
        low, high = (low, ratio) if ruled_out else (ratio, high)
    return float(high) if high < _MOST_RATIO else float("inf")


def _gain(evidence: Evidence, outcome: int, ratio: float) -> float:
    of_it = evidence.hits.outcome == outcome
    return float((evidence.hits.weight[of_it] * np.log1p((ratio - 1.0) / evidence.hits.beside[of_it])).sum())


@dataclass(frozen=True)
class SlowFault:
    """An outcome that an update may make too frequent in the long run.

    Attributes:
        outcome: as in ``Hits``.
        hits: hosts to which it happened.
        expected: hosts to which it would have happened by the baseline.
        ratio: anytime bound on its rate over the baseline; infinite where nothing is known.
        limit: the ratio must be below it.
        host_hours: how many more without another hit would suffice; infinite where nothing is known.
    """

    outcome: int
    hits: int
    expected: float
    ratio: float
    limit: float
    host_hours: float


def slow_fault(evidence: Evidence, max_excess: float, *, alpha: float) -> SlowFault | None:
    """The outcome of which too many in the long run are not ruled out yet; of two, the one that takes longer; or None.

    An outcome may be up to RISE times as frequent as usual. It may be more frequent as long as the excess per day is
    below the share of hosts, or, for silences, below a quarter of the usual crashes.

    Args:
        max_excess: share of hosts that may be hit beyond the baseline.
        alpha: see ``ratio_bound``.
    """
    found = []
    host_hours, hosts = float(evidence.weighted.sum()) / 60.0, evidence.exposed / max(evidence.heads, 1e-9)
    for outcome in _outcomes(evidence):
        expected = float(evidence.expected[outcome])
        let_pass = max((RISE - 1.0) * expected, max_excess * host_hours / 24.0)
        if outcome == DARK:
            let_pass = max(let_pass, _BESIDE_CRASHES * float(evidence.expected[CRASH]))
        limit, more = RISE, float("inf")
        if expected:
            limit = 1.0 + let_pass / expected
            more = ((_gain(evidence, outcome, limit) - log(alpha)) / let_pass - 1.0) * host_hours * hosts
        ratio = _ratio_bound(evidence, outcome, alpha)
        if ratio >= limit:
            hits = int((evidence.hits.outcome == outcome).sum())
            found.append(SlowFault(outcome, hits, expected * hosts, ratio, limit, more))
    return max(found, key=lambda one: one.host_hours, default=None)


def hosts_wanted(max_excess: float, *, alpha: float) -> float:
    """How many hosts must come through without a hit for the bound to fall below a share."""
    return -log(alpha) / max_excess


@dataclass(frozen=True)
class Shortfall:
    """What would bring the bound below a share if nothing more happened.

    Attributes:
        host_hours: of hosts that have the update, in their first hour; None where those cannot suffice.
        hosts: alternatively, how many more hosts through their first hour.
    """

    host_hours: float | None
    hosts: float


def shortfall(evidence: Evidence, share: float, *, alpha: float) -> Shortfall:
    """What is missing to rule out a share.

    Args:
        alpha: see ``upper_bound``.
    """
    hits = evidence.hits
    gain = (hits.weight * np.log1p(share * (_CURVE[hits.age] / (hits.rate * hits.beside)))).sum()
    missing = (float(gain) - log(alpha)) / share - float((evidence.weighted @ _CURVE).sum())
    ahead = evidence.heads * _FIRST_HOUR - float((evidence.weighted[:, :EARLY_AGES] @ _CURVE[:EARLY_AGES]).sum())
    if missing <= ahead:
        hours_ahead = evidence.heads - float(evidence.weighted[:, :EARLY_AGES].sum()) / 60.0
        return Shortfall(max(missing / ahead * hours_ahead, 0.0), 0.0)
    return Shortfall(None, (missing - max(ahead, 0.0)) / _FIRST_HOUR)


def together(parts: Sequence[Evidence]) -> Evidence:
    """The evidence of several rings as one. All are on one grid of minutes."""
    joined = [np.concatenate([getattr(part.hits, name) for part in parts]) for name in Hits.__dataclass_fields__]
    order = np.argsort(joined[0], kind="stable")
    return Evidence(
        time=np.sum([part.time for part in parts], axis=0),
        weighted=np.sum([part.weighted for part in parts], axis=0),
        expected=np.sum([part.expected for part in parts], axis=0),
        hits=Hits(*(values[order] for values in joined)),
        heads=sum(part.heads for part in parts),
        exposed=sum(part.exposed for part in parts),
        excess=sum(part.excess for part in parts),
        surplus=sum(part.surplus for part in parts),
    )
