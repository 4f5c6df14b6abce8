"""Odds: what some events say for each update, each wave and nothing, once it is known which waves an update may be.

One cause is assumed. A wave may begin at any minute, an update acts when its installs say; so of the two the wave
always fits a little better, and one that may be the update's own doing must not outweigh it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.exposure import AGES
from fleetcrash.attribution.suspects import Trial
from fleetcrash.attribution.waves import LENGTHS, LOG_SHAPE, Waves
from fleetcrash.attribution.witnesses import enough

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

Contrast = Callable[[int], float]
"""``evidence.log_contrast`` of an update by its index."""

# About one update in a thousand crashes hosts: a few incidents in some 2,000 content updates a year.
LOG_PRIOR_UPDATE = float(np.log(1e-3))
# One that another incident names is as likely as not behind this one.
_LOG_PRIOR_AGAIN = float(np.log(0.5))
# A wave in a fleet every twenty days.
_LOG_PRIOR_WAVE_A_MINUTE = float(np.log(0.05 / 1440))

# What the events may say more for one beginning of a wave than for another, and nobody could tell the two.
LOG_MARGIN = 3.0

# A wave that begins so close to an update's release, and so many of whose hosts had the update, is not told from it ...
COINCIDENT_MINUTES = 2
_EXPLAINED_SHARE = 0.8
# ... unless it is so small a part of what speaks for the update: then most came later, and the beginning is chance.
_LITTLE = 0.1

# A fault may take an hour to strike; where no installs are on record, its first ring may get the update hours later.
_SOON_MINUTES = 60
_STAGED_MINUTES = 1440

# Hosts with the update must not crash clearly less than those beside them. Where all have it nothing is said, which is
# zero, or less if a few crashed that do not tell of their install, or for something else.
_LOG_NO_CONTRAST = -1.0
# Where a wave began with the push they have to crash so much more: as a ratio of likelihoods, looked at for as long as
# the incident is open, it gets there for an innocent update one time in sixty at most (Ville's inequality).
_LOG_CONTRAST = float(np.log(60))
# Where those do not tell, it may show in how long after their installs hosts are struck: by chance once in a thousand.
LOG_BY_DELAY = LOG_THOUSAND
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
        is_known: another incident names the leader, which is behind these events, too: hosts say so, or it goes on.
        goes_on: they are no more than it was to bring about after that one.
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
    is_known: bool = False
    goes_on: bool = False

    @property
    def best_wave(self) -> tuple[int, int] | None:
        """Row and shape of the strongest wave."""
        return _strongest(self.log_waves)

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


@dataclass(frozen=True)
class _Rivalry:
    """Updates and the waves that each may have begun.

    Attributes:
        trial, waves: of the events.
        of_waves: (n, SHAPES) log weight of each wave, its prior included but for that of its minute.
        released_minute, stands_there, contrast: see ``weigh``.
    """

    trial: Trial
    waves: Waves
    of_waves: Floats
    released_minute: Ints
    stands_there: Mask
    contrast: Contrast | None

    def hosts_say(self, row: int) -> float:
        """What hosts with an update and those beside them say for it."""
        return 0.0 if self.contrast is None else self.contrast(int(self.trial.updates[row]))

    def begun_by(self, row: int) -> tuple[Mask, Mask]:
        """(n, SHAPES) the waves that an update may have begun at its release, and those that it may have later."""
        late = _STAGED_MINUTES if self.contrast is None else _SOON_MINUTES
        released = int(self.released_minute[row])
        at_once, delayed = _begun_by(self.of_waves, self.waves, self.trial, row, released, late)
        delayed &= ~self.stands_there[self.waves.place][:, None]
        if delayed.any() and self.hosts_say(row) < _LOG_NO_CONTRAST:
            delayed[:] = False
        return at_once, delayed

    def among(self, row: int) -> Mask:
        """(n, SHAPES) the waves in hosts that mostly had an update, but for those of long before its release."""
        since = (self.waves.onset - int(self.released_minute[row]))[:, None] >= -_SOON_MINUTES
        return _explained(self.waves, self.trial, row) & since

    def is_its_own(self, row: int) -> bool:
        """Whether a wave that begins with an update is that update, as far as anybody can tell.

        Where exposure goes by releases; and what hosts with it have and those beside them have not, no wave explains.
        """
        return self.contrast is None or self.hosts_say(row) >= LOG_THOUSAND

    def lacks_contrast(self, row: int) -> bool:
        """Whether hosts say too little for an update; where nobody knows which these are, its release."""
        released = int(self.released_minute[row])
        if self.contrast is None:
            # By releases alone, whatever begins within the day would be some update's.
            return _is_long_after(self.waves, _strongest(self.of_waves), released)
        with_push = _begins_with(self.waves, self.trial, row, released)
        return self.hosts_say(row) < (_LOG_CONTRAST if with_push else _LOG_NO_CONTRAST)

    def tie(self, log_waves: Floats, begun: Mask, row: int) -> tuple[Floats, bool]:
        """Let no wave that may be an update's doing be better than the update; whether any was."""
        most = float(self.trial.log_evidence[row])
        excess = np.max(log_waves, where=begun, initial=-np.inf) - most
        if excess <= 0:
            return log_waves, False
        return np.where(begun, np.minimum(log_waves - excess, most), log_waves), True


def weigh(
    trial: Trial,
    waves: Waves,
    *,
    released_minute: Ints,
    place_log_weight: Floats,
    stands_there: Mask,
    named_elsewhere: Collection[int] = (),
    contrast: Contrast | None = None,
    by_delay: Callable[[int], float] = lambda _: 0.0,
    goes_on: Callable[[int], bool] = lambda _: False,
) -> Odds:
    """Weigh the hypotheses.

    Args:
        released_minute: (U,) minute in which each update of the trial was released.
        place_log_weight: (places,) log prior of each slice or place of a wave.
        stands_there: (places,) whether a place is one where hosts stand, such as a region: an update that strikes after
            a while strikes what hosts are, so that a wave there is none of its doing.
        named_elsewhere: updates that other incidents name.
        contrast: None where no installs are on record, so that exposure goes by releases and nothing sets hosts apart.
        by_delay: of an update what ``after_install.log_by_delay`` says; asked where hosts say too little.
        goes_on: of an update that an ended incident names what ``Toll.goes_on`` says.
    """
    again = np.isin(trial.updates, list(named_elsewhere))
    log_updates = trial.log_evidence + np.where(again, _LOG_PRIOR_AGAIN, LOG_PRIOR_UPDATE)
    of_waves = waves.log_evidence + place_log_weight[waves.place][:, None] + LOG_SHAPE
    rivalry = _Rivalry(trial, waves, of_waves, released_minute, stands_there, contrast)
    if not len(trial.updates):
        return _odds(rivalry, None, log_updates, of_waves)
    known = _of_known_fault(rivalry, log_updates, again, goes_on)
    if known is not None:
        return known
    leader = int(np.argmax(log_updates))
    odds = _of_leader(rivalry, leader, log_updates)
    is_open = odds.is_tied or odds.lacks_contrast or odds.log_margin < LOG_MARGIN
    if not is_open or rivalry.is_its_own(leader):
        return odds
    supposed = _of_leader(rivalry, leader, log_updates, is_told=True)
    is_worth_asking = supposed.probabilities[leader] >= _WORTH_ASKING and rivalry.hosts_say(leader) >= _LOG_NO_CONTRAST
    return supposed if is_worth_asking and by_delay(int(trial.updates[leader])) >= LOG_BY_DELAY else odds


def _of_known_fault(rivalry: _Rivalry, log_updates: Floats, again: Mask, goes_on: Callable[[int], bool]) -> Odds | None:
    """The odds, where an update that other hosts have shown to be guilty is behind these events, too.

    What waits for a boot strikes a region in its morning, as a wave does, and with the boots come the installs of all
    that was sent out meanwhile, which may fit the time better. But the hosts beside them that lack the guilty one are
    spared. Where they say so, no wave explains it, and what they do not say it for weighs nothing beside it. For a name
    they have to say so much an event that a good part of them must lack it.

    Args:
        again: (U,) whether another incident names it.
    Returns:
        None where no update that is named elsewhere leads then.
    """
    events = rivalry.trial.events[:, :, :AGES, 0].sum((0, 2))
    of_most = again & (events > 0) & (events >= _EXPLAINED_SHARE * events[np.argmax(log_updates)])
    said = {row: rivalry.hosts_say(row) for row in np.flatnonzero(of_most).tolist()}
    known = max(said, key=lambda row: float(log_updates[row]), default=None)
    if known is None:
        return None
    if goes_on(int(rivalry.trial.updates[known])):
        alone = np.where(np.arange(len(again)) == known, log_updates, -np.inf)
        return replace(_of_leader(rivalry, known, alone, is_told=True), is_known=True, goes_on=True)
    if said[known] < LOG_MARGIN:
        return None
    near = np.flatnonzero(log_updates > log_updates[known] - LOG_THOUSAND).tolist()
    without = log_updates.copy()
    without[[row for row in near if rivalry.hosts_say(row) < said[known] - LOG_MARGIN]] = -np.inf
    if int(np.argmax(without)) != known:
        return None
    odds = _of_leader(rivalry, known, without, is_told=True)
    is_known = said[known] >= enough(int(events[known]))
    return replace(odds, is_known=is_known, lacks_contrast=not is_known)


def _of_leader(rivalry: _Rivalry, leader: int, log_updates: Floats, *, is_told: bool = False) -> Odds:
    """The odds, once it is known which waves the leading update may have begun.

    Args:
        is_told: that it is the update, and not the moment: no wave among its hosts says why these are struck.
    """
    at_once, later = (rivalry.among(leader),) * 2 if is_told else rivalry.begun_by(leader)
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


def _odds(rivalry: _Rivalry, leader: int | None, log_updates: Floats, log_waves: Floats) -> Odds:
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
        begins_with_leader=_is_soon_after(waves, _strongest(log_waves), trial, leader, rivalry.released_minute),
    )


def _near(log_updates: Floats) -> Ints:
    return np.flatnonzero(log_updates > log_updates.max(initial=-np.inf) - LOG_THOUSAND)


def _strongest(log_waves: Floats) -> tuple[int, int] | None:
    if not len(log_waves):
        return None
    row, shape = np.unravel_index(int(np.argmax(log_waves)), log_waves.shape)
    return int(row), int(shape)


def _is_long_after(waves: Waves, best: tuple[int, int] | None, released_minute: int) -> bool:
    """Whether the best wave begins more than an hour after a release."""
    return best is not None and int(waves.onset[best[0]]) - released_minute > _SOON_MINUTES


def _is_soon_after(
    waves: Waves, best: tuple[int, int] | None, trial: Trial, leader: int | None, released_minute: Ints
) -> bool:
    """Whether the best wave begins within an hour after the leading update's release, in hosts that mostly had it."""
    if best is None or leader is None:
        return False
    after = int(waves.onset[best[0]]) - int(released_minute[leader])
    return -COINCIDENT_MINUTES <= after <= _SOON_MINUTES and bool(_explained(waves, trial, leader)[best])


def _explained(waves: Waves, trial: Trial, leader: int) -> Mask:
    """(n, SHAPES) whether most of the events of a wave happened to hosts that had the leading update."""
    share: Mask = trial.events[:, leader, :AGES].sum((0, 1)).max() >= _EXPLAINED_SHARE * waves.events.sum(0)
    return share


def _begins_with(waves: Waves, trial: Trial, leader: int, released_minute: int) -> bool:
    """Whether a wave from the leading update's release on, in hosts that mostly had it, rose within the hour.

    Once a push has reached everybody, what follows it and what began beside it look alike, however many hosts crash:
    only hosts without the update, at the same moment, can tell. What is little beside all that followed later, as the
    first of the boots that a fault waits for, is no such wave.
    """
    least = max(LOG_MARGIN, _LITTLE * float(trial.log_evidence[leader]))
    rose = waves.log_evidence[:, : int(np.searchsorted(LENGTHS, _SOON_MINUTES, side="right"))] >= least
    with_release = np.abs(waves.onset - released_minute) <= COINCIDENT_MINUTES
    return bool((with_release[:, None] & rose & _explained(waves, trial, leader)[:, : rose.shape[1]]).any())


def _begun_by(
    of_waves: Floats, waves: Waves, trial: Trial, leader: int, released_minute: int, late: int
) -> tuple[Mask, Mask]:
    """(n, SHAPES) which waves, in hosts that mostly had the leading update, may have begun with its release.

    One that begins with the release, or whose beginning the events can hardly tell from it, does not acquit the update.

    Args:
        late: minutes after the release in which hosts may first be struck.
    Returns:
        Those, and those that begin within so many minutes after.
    """
    explained = _explained(waves, trial, leader)
    after = (waves.onset - released_minute)[:, None]
    from_release = np.full(waves.place.max(initial=0) + 1, -np.inf)
    best = np.max(of_waves, axis=1, where=explained & (np.abs(after) <= COINCIDENT_MINUTES), initial=-np.inf)
    np.maximum.at(from_release, waves.place, best)
    same = explained & (of_waves <= from_release[waves.place][:, None] + LOG_MARGIN)
    return same, explained & (after >= -COINCIDENT_MINUTES) & (after <= late)
