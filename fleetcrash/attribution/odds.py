"""Odds: what some events say for each update, each wave and nothing, once it is known which waves an update may be.

One cause is assumed. A wave may begin at any minute, an update acts when its installs say; so of the two the wave
always fits a little better, and one that may be the update's own doing must not outweigh it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.exposure import AGES
from fleetcrash.attribution.rivalry import (
    EXPLAINED_SHARE,
    LOG_MARGIN,
    TOLD_SHARE,
    Rivalry,
    strongest,
)
from fleetcrash.attribution.suspects import LOG_THRESHOLD, Trial
from fleetcrash.attribution.waves import Waves
from fleetcrash.attribution.witnesses import enough

# About one update in a thousand crashes hosts: a few incidents in some 2,000 content updates a year.
LOG_PRIOR_UPDATE = float(np.log(1e-3))
# One that another incident names is as likely as not behind this one.
_LOG_PRIOR_AGAIN = float(np.log(0.5))
# A wave in a fleet every twenty days.
_LOG_PRIOR_WAVE_A_MINUTE = float(np.log(0.05 / 1440))

# Where hosts with it and those beside them do not tell, it may show in how long after their installs hosts are struck:
# by chance once in a thousand.
LOG_BY_DELAY = LOG_THOUSAND
# Of a fault that waits for a moment it takes a thousand to one, and what makes it less likely than a wave besides: one
# update in ten thousand has one, at some minute; there are five a day, and a wave every twenty days.
LOG_LATENT = LOG_THOUSAND + float(np.log(0.05 / 1e-4))
_WORTH_ASKING = 0.5  # of an update that is no likelier nothing is said, whatever the answer


@dataclass(frozen=True)
class Odds:
    """What the events say for each hypothesis.

    Attributes:
        trial, waves: of the events.
        leader: row in the trial of the likeliest update; None where none is on trial.
        log_updates: (U,) log weight of each update, its prior included; nothing weighs zero.
        log_waves: (n, SHAPES) of each wave, without the prior of its minute; one that may be the doing of the leader,
            or of an update hardly told from it, weighs no more than what speaks for that.
        probabilities: (U,) posterior of each update. of_any_wave: that of all waves together; the rest is nothing.
        log_margin: how much better the leader explains the events than the best wave that is not its own beginning.
        is_tied: a wave that may be the leader's doing, or that of an update hardly told from it, explains them better.
        lacks_contrast: hosts with the leader and those beside them say too little for it; where it is not known which
            these are, the time of its release does.
        begins_with_leader: the best wave begins within an hour after the leader's release, in hosts that mostly had it.
        foremost: row and shape of the wave that explains most, whoever may have begun it.
        log_of_place: of an update by its index, see ``Rivalry``.
        is_known: another incident names the leader, which is behind these events, too: hosts say so, or it goes on.
        goes_on: they are no more than it was to bring about after that one.
        is_latent: they struck long after the leader was installed, and hosts say so of it; see ``_of_latent_fault``.
        begun_with: the update, by its index, with the push of which a latent fault began, if it did with one.
    """

    trial: Trial
    waves: Waves
    leader: int | None
    log_updates: Floats
    log_waves: Floats
    probabilities: Floats
    of_any_wave: float
    log_margin: float
    is_tied: bool
    lacks_contrast: bool
    begins_with_leader: bool
    foremost: tuple[int, int] | None
    log_of_place: Callable[[int], float]
    is_known: bool = False
    goes_on: bool = False
    is_latent: bool = False
    begun_with: int | None = None

    @property
    def best_wave(self) -> tuple[int, int] | None:
        """Row and shape of the strongest wave."""
        return strongest(self.log_waves)

    @property
    def onset(self) -> int | None:
        """The minute in which the strongest wave began."""
        best = self.best_wave
        return None if best is None else int(self.waves.onset[best[0]])

    @property
    def log_acquittal(self) -> float:
        """How much better the best wave, or nothing, explains the events than the leader."""
        if self.leader is None:
            return -np.inf
        return float(self.log_waves.max(initial=0.0)) - float(self.trial.log_evidence[self.leader])

    @property
    def near(self) -> Ints:
        """Rows of the updates that the evidence hardly tells from the leader, which is one of them."""
        return _near(self.log_updates)


class Hosts(Protocol):
    """What the hosts of the events say of an update, by its index; asked where it matters, for it is dear."""

    def by_delay(self, update: int) -> float:
        """What ``after_install.log_by_delay`` says; asked where hosts beside them say too little."""

    def by_timer(self, update: int, spot: int, onset: int) -> float:
        """The same of the events of a wave, among the hosts that had the update."""

    def goes_on(self, update: int) -> bool:
        """What ``Toll.goes_on`` says, where an ended incident names it."""


def weigh(rivalry: Rivalry, hosts: Hosts, named_elsewhere: Collection[int]) -> Odds:
    """Weigh the hypotheses.

    Args:
        rivalry: the updates on trial and the waves beside them.
        named_elsewhere: updates that other incidents name.
    """
    trial = rivalry.trial
    again = np.isin(trial.updates, list(named_elsewhere))
    log_updates = trial.log_evidence + np.where(again, _LOG_PRIOR_AGAIN, LOG_PRIOR_UPDATE)
    if not len(trial.updates):
        return _odds(rivalry, None, log_updates, rivalry.of_waves)
    known = _of_known_fault(rivalry, log_updates, again, hosts)
    if known is not None:
        return known
    ageing = _of_ageing_name(rivalry, log_updates)
    if ageing is not None:
        return ageing
    leader = int(np.argmax(log_updates))
    odds = _of_leader(rivalry, leader, log_updates)
    if not odds.lacks_contrast and _is_outdone(rivalry, leader, again):
        odds = replace(odds, lacks_contrast=True)
    is_open = odds.is_tied or odds.lacks_contrast or odds.log_margin < LOG_MARGIN
    if not is_open:
        return odds
    told = _of_timer(rivalry, log_updates, hosts)
    if told is not None:
        return told
    latent = _of_latent_fault(rivalry, log_updates)
    if latent is not None and latent.begun_with is None:
        return latent
    if rivalry.is_its_own(leader) or hosts.by_delay(int(trial.updates[leader])) < LOG_BY_DELAY:
        return latent or odds
    supposed = _of_leader(rivalry, leader, log_updates, is_told=True)
    if supposed.probabilities[leader] >= _WORTH_ASKING and not rivalry.fares_worse(leader):
        return supposed
    return _of_leader(rivalry, leader, log_updates, share=TOLD_SHARE)


def _of_known_fault(rivalry: Rivalry, log_updates: Floats, again: Mask, hosts: Hosts) -> Odds | None:
    """The odds, where an update that other hosts have shown to be guilty is behind these events, too.

    What waits for a boot strikes a region in its morning, as a wave does, and with the boots come the installs of all
    that was sent out meanwhile, which may fit the time better. But the hosts beside them that lack the guilty one are
    spared. Where they say so, no wave explains it, and what they do not say it for weighs nothing beside it. For a name
    they have to say so much an event that a good part of them must lack it. They may say so of another one as well,
    which explains it better: that is a second fault.

    Args:
        again: (U,) whether another incident names it.
    Returns:
        None where no update that is named elsewhere leads then.
    """
    events = _events_with(rivalry)
    of_most = again & (events > 0) & (events >= EXPLAINED_SHARE * events[np.argmax(log_updates)])
    said = {row: rivalry.hosts_say(row) for row in np.flatnonzero(of_most).tolist()}
    known = max(said, key=lambda row: float(log_updates[row]), default=None)
    if known is None:
        return None
    if hosts.goes_on(int(rivalry.trial.updates[known])):
        alone = np.where(np.arange(len(again)) == known, log_updates, -np.inf)
        return replace(_of_leader(rivalry, known, alone, is_told=True), is_known=True, goes_on=True)
    if said[known] < LOG_MARGIN:
        return None
    near = np.flatnonzero(log_updates > log_updates[known] - LOG_THOUSAND).tolist()
    better = (row for row in near if log_updates[row] > log_updates[known] + LOG_THOUSAND)
    if any(rivalry.hosts_say(row) >= enough(int(events[row])) for row in better):
        return None
    without = log_updates.copy()
    without[[row for row in near if rivalry.hosts_say(row) < said[known] - LOG_MARGIN]] = -np.inf
    if int(np.argmax(without)) != known:
        return None
    odds = _of_leader(rivalry, known, without, is_told=True)
    is_known = said[known] >= enough(int(events[known]))
    return replace(odds, is_known=is_known, lacks_contrast=not is_known)


def _of_ageing_name(rivalry: Rivalry, log_updates: Floats) -> Odds | None:
    """The odds, where hosts leave at boots, and the update that this was put down to was sent out more than a day ago.

    Installs are followed for a day. From then on it seems to strike fewer of the hosts that boot, while what the same
    hosts got hours later, and have to the full, seems to strike more.

    Returns:
        None where it is not so, or its own test has not passed.
    """
    trial = rivalry.trial
    row = np.flatnonzero(trial.updates == rivalry.named_before)
    if not trial.by_departures or not len(row) or trial.log_test[row[0]] < LOG_THRESHOLD:
        return None
    if int(rivalry.pushed(int(trial.updates[row[0]]))[0]) >= rivalry.known_from:
        return None
    alone = np.where(np.arange(len(log_updates)) == row[0], log_updates, -np.inf)
    return _of_leader(rivalry, int(row[0]), alone, is_told=True)


def _is_outdone(rivalry: Rivalry, leader: int, again: Mask) -> bool:
    """Whether hosts say far more for an update that is known to be guilty, which half of the struck have as well.

    What a known fault goes on to do, together with what else happens, fits whatever everybody got that day.

    Args:
        again: (U,) whether another incident names it.
    """
    events = _events_with(rivalry)
    many = np.flatnonzero(again & (events >= TOLD_SHARE * events[leader])).tolist()
    said = max((rivalry.hosts_say(row) for row in many if row != leader), default=-np.inf)
    return said >= rivalry.hosts_say(leader) + LOG_THOUSAND


def _events_with(rivalry: Rivalry) -> Floats:
    """(U,) how many of the events happened to hosts that had each update: for a day; for longer if it is known."""
    return np.maximum(rivalry.trial.events[:, :, :AGES, 0].sum((0, 2)), rivalry.ever)


def _of_latent_fault(rivalry: Rivalry, log_updates: Floats) -> Odds | None:
    """The odds, where hosts that got an update hours ago are struck from some moment on and those without it are not.

    A fault may wait for a date, or for something to be sent that it cannot bear. By the time since the install nobody
    would suspect that update, and what went out a moment before would be tied with the moment. It is a wave among the
    hosts with the update: as likely as one in the whole fleet, and what hosts say for the update besides. It has to be
    clearly likelier than every other wave, those of what hosts are and where they stand included. Where that moment is
    the push of another update to nearly all of them, that one may do it to hosts with both.

    Returns:
        None where hosts do not say that much for one update alone.
    """
    trial, foremost = rivalry.trial, rivalry.foremost
    if rivalry.contrast is None or foremost is None:
        return None
    asked = _of_most(rivalry, foremost, EXPLAINED_SHARE)
    said = {row: rivalry.hosts_say(row) - rivalry.log_of_place(int(trial.updates[row])) for row in asked}
    told = _told_alone(rivalry, log_updates, said, lambda row: max(LOG_LATENT, enough(asked[row])))
    if told is None:
        return None
    latent = int(trial.updates[told[0]])
    others = [row for row in np.argsort(-log_updates).tolist() if row != told[0]]
    pushed = (int(trial.updates[row]) for row in others if rivalry.begun_by(row, TOLD_SHARE)[0][foremost])
    begun_with = None if latent == rivalry.named_before else next(pushed, None)
    return replace(_of_leader(rivalry, *told, is_told=True), is_latent=True, begun_with=begun_with)


def _of_timer(rivalry: Rivalry, log_updates: Floats, hosts: Hosts) -> Odds | None:
    """The odds, where of an update's hosts those are struck that got it as long ago as its fault would have it.

    Not every fault strikes soon: one that waits for hours strikes at an age that everything of the day has, by which
    the last to come may seem the likelier. But what begins by itself at such a moment strikes hosts whenever they got
    it.

    Returns:
        None where no update is told so, or not from another one.
    """
    trial, foremost = rivalry.trial, rivalry.foremost
    if rivalry.contrast is None or foremost is None:
        return None
    asked = _of_most(rivalry, foremost, TOLD_SHARE)
    wave = int(rivalry.waves.spot[foremost[0]]), int(rivalry.waves.onset[foremost[0]])
    said = {row: hosts.by_timer(int(trial.updates[row]), *wave) + min(rivalry.hosts_say(row), 0.0) for row in asked}
    told = _told_alone(rivalry, log_updates, said, lambda _: LOG_BY_DELAY + float(np.log(len(asked))))
    return None if told is None else _of_leader(rivalry, *told, is_told=True, share=TOLD_SHARE)


def _of_most(rivalry: Rivalry, foremost: tuple[int, int], share: float) -> dict[int, int]:
    """The rows of the updates whose test passed and whose hosts had such a share of a wave's events; how many each."""
    trial, most = rivalry.trial, float(rivalry.waves.events.sum(0)[foremost])
    events = trial.events[:, :, :AGES, 0].sum((0, 2))
    asked = np.flatnonzero((events >= share * most) & (trial.log_test >= LOG_THRESHOLD))
    return {row: int(events[row]) for row in asked.tolist()}


def _told_alone(
    rivalry: Rivalry,
    log_updates: Floats,
    said: Mapping[int, float],
    least: Callable[[int], float],
) -> tuple[int, Floats] | None:
    """The row of the one update that most is said of, and the log weights with it alone.

    Args:
        said: of some rows. least: what has to be said of one that is not named yet, by its row.
    Returns:
        None where too little is said of it, or nearly as much of another one.
    """
    row = max(said, key=lambda one: said[one], default=None)
    if row is None:
        return None
    is_kept = int(rivalry.trial.updates[row]) == rivalry.named_before
    if said[row] < (LOG_MARGIN if is_kept else least(row)):
        return None
    apart = LOG_MARGIN if is_kept else LOG_THOUSAND
    if any(said[one] > said[row] - apart for one in said if one != row):
        return None
    return row, np.where(np.arange(len(log_updates)) == row, log_updates, -np.inf)


def _of_leader(
    rivalry: Rivalry, leader: int, log_updates: Floats, *, is_told: bool = False, share: float = EXPLAINED_SHARE
) -> Odds:
    """The odds, once it is known which waves the leading update may have begun.

    Args:
        is_told: that it is the update, and not the moment: no wave among its hosts says why these are struck.
        share: of the events of a wave that begins with it so many happened to its hosts.
    """
    at_once, later = (rivalry.among(leader, share),) * 2 if is_told else rivalry.begun_by(leader, share)
    beside, with_release = rivalry.tie(rivalry.of_waves, at_once, leader)
    log_waves, with_delay = rivalry.tie(beside, later, leader)
    is_tied = with_release or with_delay
    # Nor does a wave acquit an update that is hardly told from the leader, and may have begun it.
    for row in (row for row in _near(log_updates).tolist() if row != leader and len(rivalry.waves)):
        log_waves, is_its = rivalry.tie(log_waves, np.logical_or(*rivalry.begun_by(row)), row)
        is_tied |= is_its
    best_beside = float(beside[~at_once if is_told or rivalry.is_its_own(leader) else ...].max(initial=0.0))
    return replace(
        _odds(rivalry, leader, log_updates, log_waves),
        log_margin=float(rivalry.trial.log_evidence[leader]) - best_beside,
        is_tied=is_tied,
        lacks_contrast=not is_told and rivalry.lacks_contrast(leader),
    )


def _odds(rivalry: Rivalry, leader: int | None, log_updates: Floats, log_waves: Floats) -> Odds:
    """The posterior, before anything is asked about the leader."""
    trial, waves = rivalry.trial, rivalry.waves
    log_any_wave = float(np.logaddexp.reduce(log_waves, axis=None, initial=-np.inf)) + _LOG_PRIOR_WAVE_A_MINUTE
    total = np.logaddexp.reduce(np.concatenate([log_updates, [log_any_wave, 0.0]]))
    return Odds(
        trial,
        waves,
        leader,
        log_updates,
        log_waves,
        probabilities=np.exp(log_updates - total),
        of_any_wave=float(np.exp(log_any_wave - total)),
        log_margin=-np.inf,
        is_tied=False,
        lacks_contrast=False,
        begins_with_leader=leader is not None and rivalry.begins_soon_after(leader, log_waves),
        foremost=rivalry.foremost,
        log_of_place=rivalry.log_of_place,
    )


def _near(log_updates: Floats) -> Ints:
    return np.flatnonzero(log_updates > log_updates.max(initial=-np.inf) - LOG_THOUSAND)
