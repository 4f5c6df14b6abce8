"""The verdict: which one change did it, or that none did, or that the data cannot tell.

An update is named only when its odds are good, when its own sequential test has passed as well, and when the events
themselves, without the prior's help, prefer it to every wave: a wave that happens to start with a push must not become
the push's fault. Whatever was said before is kept by lower odds than it took, so that the page does not flap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from fleetcrash.arrays import Floats
from fleetcrash.attribution.evidence import LOG_THOUSAND, TEST_RATIOS, log_likeliest
from fleetcrash.attribution.expected.baseline import CRASH, DARK
from fleetcrash.attribution.facts.exposure import AGE_MINUTES, AGES
from fleetcrash.attribution.hypotheses import suspects
from fleetcrash.attribution.hypotheses.departures import AGES as LEFT_AGES
from fleetcrash.attribution.hypotheses.suspects import Trial
from fleetcrash.attribution.weighing.judgement import (
    JUDGING_MINUTES,
    KEEPING_PROBABILITY,
    NAMING_PROBABILITY,
    TIED_FROM,
    Judgement,
    Kind,
    Lack,
)
from fleetcrash.attribution.weighing.posterior import Odds
from fleetcrash.attribution.weighing.rivalry import COINCIDENT_MINUTES, LOG_MARGIN, LOG_NO_CONTRAST, Contrast
from fleetcrash.counts import MOSTLY, upper_tail

# The events must prefer the best wave to an update two thousand to one to acquit it: the wave was chosen from as many
# onsets and lengths. Once the two were not told apart it takes the square of that.
_LOG_ACQUITTAL = 7.6

_ALIKE = 0.1  # at most so many of the events are at another age ...
_NEARLY_ALIKE = 0.2  # ... or so many, where hosts with either alone are struck: the other's install is not told
_PAIR = 2  # twins, mostly
_UNTOLD = 0.3  # of those that a fault strikes so many may never tell of the install
_LOG_OF_ONE = float(np.log(TEST_RATIOS.max()))  # ... and each of them says no more
# A fault that strikes within ten minutes shows which of two pushes it follows; not one that strikes at a boot: it may
# wait for it, and comes after whatever made the host boot.
_EARLY_AGES = int(np.searchsorted(AGE_MINUTES, 10, side="right"))
_EARLY_LEFT = LEFT_AGES - 1  # the last is an hour
# What strikes at a boot hours after an update may be of one of more than a day ago as well, which is not on trial any
# more: then hosts without the update have to tell, and by so much an event, which takes that two in five of the hosts
# beside lack it: those that lack what everybody got who was online then were not, and boot less often, whatever strikes
# at boots. Or they tell it from all that the struck hosts have.
LOG_PER_LATE_BOOT = 0.5
# By so much an event they tell that it was none of before: of an update that most hosts have, those that lack it were
# not online yesterday either, and lack whatever else came then.
_LOG_PER_EVENT = 0.2
_LOG_BY_DELAY = 2.0 * LOG_THOUSAND  # by how long after their installs hosts are struck, against "no update"
# Of two updates that the struck hosts have both, the one that hosts had for a tenth less time seems likelier by so much
# an event; how a fault's rate goes as hosts crash and are gone may make as much.
_LOG_PER_EVENT_IN_TIME = 0.1

# Where nobody tells who has which update, hosts get it some time after its release, and how the events fit the time
# since then says little: the more events, the more by chance.
_AS_MUCH_BY_RELEASES = 0.9


class Hosts(Protocol):
    """What is asked of the hosts of the events about an update, by its index, before it is named; it is dear."""

    def is_doubtful(self, update: int, onset: int | None) -> bool:
        """Whether some of its hosts alone tell what speaks for it.

        Args:
            onset: the minute in which the best wave began, if there is one.
        """

    def by_delay(self, update: int) -> float:
        """What it says for the update how long after its install each host was struck."""

    def is_alone_at_boots(self, update: int) -> bool:
        """Of one that strikes at boots hours later, whether hosts tell it from all else that the struck ones have."""

    def struck_with_one(self, update: int, other: int) -> int:
        """How many events happened to hosts that tell of it, and not of another one."""


def judge(
    odds: Odds,
    hosts: Hosts,
    *,
    minutes_open: int,
    before: Kind,
    named_before: int | None,
    contrast: Contrast | None,
) -> Judgement:
    """Say what the odds come to.

    Args:
        minutes_open: minutes since the alarm.
        before, named_before: the verdict so far, and the update that it names.
        contrast: None where no installs are on record.
    """
    is_acquitted = odds.log_acquittal > _LOG_ACQUITTAL * (2.0 if before is Kind.CANNOT_SEPARATE else 1.0)
    named, lacks, twins = None, None, _twins(odds, contrast, hosts)
    rivals = [] if twins or is_acquitted else _rivals_in_time(odds, named_before, contrast)
    if odds.leader is not None and not is_acquitted:
        named, lacks = _named(odds, odds.leader, twins or rivals, named_before, contrast, hosts)
    near = tuple(odds.trial.updates[np.union1d(odds.near, rivals).astype(int)].tolist())
    if named is not None:
        is_new = named_before is None and before is not Kind.UNDETERMINED
        return Judgement(
            Kind.UPDATE,
            named,
            odds.probabilities,
            odds.best_wave,
            odds.log_margin,
            near,
            is_known=odds.is_known,
            is_told_by_hosts=contrast is not None and _is_told_by_hosts(odds.trial, named, contrast, hosts),
            is_told_by_delay=contrast is not None and is_new and hosts.by_delay(named) >= _LOG_BY_DELAY,
        )
    kind = _without_name(odds, minutes_open, before, is_acquitted, hosts)
    probabilities = odds.probabilities.copy()
    if contrast is not None and (alike := twins or _alike_if_all_told(odds)):
        probabilities[alike] = probabilities[alike].mean()
    elif odds.leader is not None and rivals:
        _spread_out(probabilities, odds, odds.leader, rivals)
    is_over = _is_faint(odds) and not is_acquitted and odds.of_any_wave < KEEPING_PROBABILITY
    wave = None if kind is Kind.NO_UPDATE and is_over else odds.best_wave
    is_doubted = lacks is Lack.WITNESSES
    return Judgement(kind, None, probabilities, wave, odds.log_margin, near, is_doubted=is_doubted, lacks=lacks)


def _named(
    odds: Odds,
    leader: int,
    alike: Sequence[int],
    named_before: int | None,
    contrast: Contrast | None,
    hosts: Hosts,
) -> tuple[int | None, Lack | None]:
    """The update to name, None if none; and why the leading one is not, if there is more to say than how likely it is.

    Args:
        leader: its row. alike: rows of others that hosts do not tell from it; see ``_twins``, ``_rivals_in_time``.
    """
    trial, update = odds.trial, int(odds.trial.updates[leader])
    is_kept = update == named_before
    if is_kept or odds.goes_on or (not alike and _is_apart(odds, leader, contrast, hosts)):
        return _alone_named(odds, leader, contrast, hosts, is_kept=is_kept)
    if odds.probabilities[odds.near].sum() >= KEEPING_PROBABILITY:
        nearly = _behind(odds, leader, is_in_time=bool(alike)) < LOG_MARGIN
        if named_before in trial.updates[nearly & (trial.log_test >= suspects.LOG_THRESHOLD)]:
            return named_before, None  # it was told apart before, and is not now
    if contrast is not None and (alike or len(odds.near) > 1):
        return None, Lack.ALONE
    return None, _lack_of_contrast(update, contrast)


def _alone_named(
    odds: Odds, leader: int, contrast: Contrast | None, hosts: Hosts, *, is_kept: bool
) -> tuple[int | None, Lack | None]:
    """The same, where no other update may be behind it as well.

    Args:
        is_kept: whether the leading one is named already.
    """
    trial, update = odds.trial, int(odds.trial.updates[leader])
    # What happens meanwhile for another reason counts against its test as well; but that passed once.
    has_passed = is_kept or odds.is_known or trial.log_test[leader] >= suspects.LOG_THRESHOLD
    is_likely = odds.probabilities[leader] >= _enough(is_kept)
    is_told = is_kept or (odds.log_margin >= LOG_MARGIN and not odds.lacks_contrast)
    if not (has_passed and is_likely and is_told):
        return None, _lack_of_contrast(update, contrast) if odds.lacks_contrast else None
    # By releases alone every host has it: that the struck ones are all of one place may show later.
    is_settled = is_kept and contrast is not None
    if is_settled or odds.goes_on or trial.by_departures or not hosts.is_doubtful(update, odds.onset):
        return update, None
    return None, Lack.WITNESSES


def _lack_of_contrast(update: int, contrast: Contrast | None) -> Lack:
    """What keeps hosts from telling an update from a rise that began when it came."""
    if contrast is None:
        return Lack.INSTALLS
    return Lack.STRUCK_TOO if contrast(update) < LOG_NO_CONTRAST else Lack.BESIDE


def _without_name(
    odds: Odds,
    minutes_open: int,
    before: Kind,
    is_acquitted: bool,
    hosts: Hosts,
) -> Kind:
    """What to say where no update is named."""
    # Until the installs of the last minutes are told, a wave after a release has hosts that the update lacks. And of
    # hosts that boot together those that crash do so before the others have been up for as long.
    may_come = odds.begins_with_leader or (odds.leader is not None and odds.trial.waits_for_boots(odds.leader))
    is_early = minutes_open < JUDGING_MINUTES and may_come
    if not is_early and (is_acquitted or odds.of_any_wave >= _enough(before is Kind.NO_UPDATE)):
        return Kind.NO_UPDATE
    leader = None if odds.leader is None else int(odds.trial.updates[odds.leader])
    if before is Kind.NO_UPDATE and leader is not None and hosts.is_doubtful(leader, odds.onset):
        return Kind.NO_UPDATE
    if _is_faint(odds) and before is not Kind.CANNOT_SEPARATE:
        # That hosts say too little for one is no tie where nobody would believe it, whatever they said.
        return Kind.NO_UPDATE if before is Kind.NO_UPDATE else Kind.UNDETERMINED
    by_some_update = odds.probabilities.sum() >= _enough(before is Kind.CANNOT_SEPARATE)
    if minutes_open >= JUDGING_MINUTES and (odds.is_tied or odds.lacks_contrast or by_some_update):
        return Kind.CANNOT_SEPARATE
    return Kind.UNDETERMINED


def _is_faint(odds: Odds) -> bool:
    """Whether hardly anything speaks for an update."""
    return float(odds.probabilities.sum()) < TIED_FROM


def _enough(kept: bool) -> float:
    """The probability that a verdict needs, which is less for the one that is given already."""
    return KEEPING_PROBABILITY if kept else NAMING_PROBABILITY


def _is_apart(odds: Odds, leader: int, contrast: Contrast | None, hosts: Hosts) -> bool:
    """Whether the leading update is told from those that are not on trial; by releases alone, from any other.

    Args:
        leader: its row.
    """
    trial = odds.trial
    if contrast is None:
        as_much = trial.log_evidence >= _AS_MUCH_BY_RELEASES * trial.log_evidence[leader]
        return len(odds.near) == 1 and int(as_much.sum()) == 1
    if not trial.waits_for_boots(leader):
        return True
    update, events = int(trial.updates[leader]), float(trial.events_of(leader).sum())
    return contrast(update) >= max(LOG_MARGIN, LOG_PER_LATE_BOOT * events) or hosts.is_alone_at_boots(update)


def _rivals_in_time(odds: Odds, named_before: int | None, contrast: Contrast | None) -> list[int]:
    """The rows of other updates that are told from a leading one by no more than how long a fault takes to strike.

    Where hosts do not tell two updates apart, because all have both, only the time after each is left. How long a fault
    waits nobody knows beforehand, so the one that only seems to fit better must not be named; nor the one that the few
    hosts with but one of the two speak for a little, at one of many looks. What is named already has no such rivals.
    """
    trial, leader = odds.trial, odds.leader
    if contrast is None or leader is None or odds.goes_on or trial.updates[leader] == named_before:
        return []
    events = trial.events_of(leader)
    is_early = events[[CRASH, DARK], :_EARLY_AGES].sum() >= MOSTLY * events.sum()
    if is_early and not trial.by_departures:
        return []
    likely = np.flatnonzero(_behind(odds, leader, is_in_time=True) < LOG_THOUSAND).tolist()
    says = contrast(int(trial.updates[leader]))
    return [row for row in likely if row != leader and says - contrast(int(trial.updates[row])) < LOG_THOUSAND]


def _behind(odds: Odds, leader: int, *, is_in_time: bool) -> Floats:
    """(U,) how much more the events say for the leading update than for each one.

    Args:
        is_in_time: as much of it as that may be worth where only the time after each tells: of many events not all.
    """
    answer: Floats = odds.log_updates[leader] - odds.log_updates
    if not is_in_time:
        return answer
    return answer * (LOG_THOUSAND / max(LOG_THOUSAND, _LOG_PER_EVENT_IN_TIME * odds.trial.events_of(leader).sum()))


def _spread_out(probabilities: Floats, odds: Odds, leader: int, rivals: list[int]) -> None:
    """Share the probability of updates that only time tells apart by as much of what it says as that may be worth."""
    rows = [leader, *rivals]
    log_weights = -_behind(odds, leader, is_in_time=True)[rows]
    probabilities[rows] = probabilities[rows].sum() * np.exp(log_weights - np.logaddexp.reduce(log_weights))


def _twins(odds: Odds, contrast: Contrast | None, hosts: Hosts) -> list[int]:
    """The rows of a leading update that strikes within minutes and of those that went out together with it, if any did.

    They are installed seconds apart, and which host was struck at which second says little. Nor do the few struck hosts
    that have but one of them say anything: as many installs are never told. The hosts beside them that lack one may.
    More such hosts say nothing where some of them have but the other one, as often as a coin would have it.
    """
    trial, leader = odds.trial, odds.leader
    if leader is None or contrast is None or odds.is_known:
        return []
    by_age = trial.by_age()
    struck, early = by_age[leader].sum(), trial.events[:, leader, :_EARLY_AGES, 0].sum()
    if trial.left is not None:
        early += trial.left[leader, :_EARLY_LEFT].sum()
    # Of more than two each may be unlikely, where one of them is likely.
    near = odds.near if len(odds.near) > _PAIR else leader
    if odds.probabilities[near].sum() < KEEPING_PROBABILITY or early < MOSTLY * struck:
        return []
    unlike, update = _unlike(odds, leader, by_age), int(trial.updates[leader])
    alike = [
        row
        for row in np.flatnonzero(by_age.any(1) & (unlike <= _NEARLY_ALIKE * struck)).tolist()
        if unlike[row] <= _ALIKE * struck or _is_untold(hosts, update, int(trial.updates[row]))
    ]
    if len(alike) < _PAIR:
        return []
    says = {row: contrast(int(trial.updates[row])) for row in alike}
    twins = [row for row in alike if says[leader] - says[row] < LOG_THOUSAND + _LOG_OF_ONE * unlike[row]]
    return twins if len(twins) >= _PAIR else []


def _unlike(odds: Odds, leader: int, by_age: Floats) -> Floats:
    """(U,) how many events set each update apart from the leading one, by the ages of the installs at which they came.

    That are twice those at another age, and those of hosts with but one of the two. Of what was first pushed within two
    minutes the latter alone count, while fewer than half of the hosts seem to be struck at another age.

    Args:
        by_age: see ``Trial.by_age``.
    """
    unlike = np.abs(by_age - by_age[leader]).sum(1)
    with_one = np.abs(by_age.sum(1) - by_age[leader].sum())
    pushed = np.array([int(odds.pushed(update)[0]) for update in odds.trial.updates.tolist()])
    are_together = np.abs(pushed - pushed[leader]) <= COINCIDENT_MINUTES
    return np.where(are_together & (unlike - with_one < by_age[leader].sum()), with_one, unlike)


def _alike_if_all_told(odds: Odds) -> list[int]:
    """The rows of a leading update and of those that would lead, had all hosts of the best wave told of every install.

    Whom a fault strikes at once, and again, may never tell of it; of what went out before it they do tell.
    """
    leader, foremost, trial = odds.leader, odds.foremost, odds.trial
    if leader is None or foremost is None:
        return []
    struck = odds.waves.struck(foremost)
    rows, slices = np.arange(len(trial.updates)), np.argmax(trial.log_by_slice, axis=1)
    told, expected = (of[:, rows, :AGES, slices].sum((1, 2)) for of in (trial.events, trial.expected))
    untold = log_likeliest(np.maximum(told, struck), expected) - log_likeliest(told, expected)
    as_likely = trial.log_evidence + untold >= trial.log_evidence[leader] + untold[leader]
    alike = np.flatnonzero(as_likely & (told >= (1.0 - _UNTOLD) * struck))
    return sorted({leader, *alike.tolist()})


def _is_untold(hosts: Hosts, update: int, other: int) -> bool:
    """Whether struck hosts tell of one of two updates alone because the other is not told: now of this, now of that."""
    alone, beside = hosts.struck_with_one(update, other), hosts.struck_with_one(other, update)
    if not beside:
        return False
    return alone <= beside or upper_tail(alone, alone + beside, 0.5) >= np.exp(-LOG_THOUSAND)


def _is_told_by_hosts(trial: Trial, update: int, contrast: Contrast, hosts: Hosts) -> bool:
    """Whether by the crashes, for who leaves was online just before, hosts without the update fare that much better."""
    row = trial.row_of(update)
    if trial.by_departures:
        return False
    if contrast(update) >= max(LOG_THOUSAND, _LOG_PER_EVENT * float(trial.events_of(row).sum())):
        return True
    return trial.waits_for_boots(row) and hosts.is_alone_at_boots(update)
