"""Odds: what some events say for each update, each wave and nothing; first of all which update leads.

Mostly that is the one that the evidence says most for. But there is what it does not see: a fault that goes on, waits
for a moment, a date or a boot, strikes at one place alone, or strikes hosts that never tell of the install. There hosts
with an update and those beside them have to say so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np

from fleetcrash.arrays import Floats, Mask
from fleetcrash.attribution.evidence import LOG_PRIOR_UPDATE, LOG_THOUSAND
from fleetcrash.attribution.facts.exposure import AGES
from fleetcrash.attribution.hypotheses.suspects import LOG_THRESHOLD
from fleetcrash.attribution.hypotheses.witnesses import enough
from fleetcrash.attribution.weighing.asked import of_most, told_alone
from fleetcrash.attribution.weighing.at_places import of_place, told_at_place
from fleetcrash.attribution.weighing.posterior import Odds, of_leader, posterior
from fleetcrash.attribution.weighing.rivalry import EXPLAINED_SHARE, LOG_MARGIN, TOLD_SHARE, Rivalry

# One that another incident names is as likely as not behind this one.
_LOG_PRIOR_AGAIN = float(np.log(0.5))

# Where hosts with it and those beside them do not tell, it may show in how long after their installs hosts are struck:
# by chance once in a thousand.
LOG_BY_DELAY = LOG_THOUSAND
# Of a fault that waits for a moment it takes a thousand to one, and what makes it less likely than a wave besides: one
# update in ten thousand has one, at some minute; there are five a day, and a wave every twenty days.
LOG_LATENT = LOG_THOUSAND + float(np.log(0.05 / 1e-4))
_HALF = 0.5  # of what speaks for the leading update
_WORTH_ASKING = 0.5  # of an update that is no likelier nothing is said, whatever the answer


class Hosts(Protocol):
    """What the hosts of the events say of an update, by its index; asked where it matters, for it is dear."""

    def by_delay(self, update: int) -> float:
        """What ``after_install.log_by_delay`` says; asked where hosts beside them say too little."""

    def by_timer(self, update: int, spot: int, onset: int) -> float:
        """The same of the events of a wave, among the hosts that had the update."""

    def joined_later(self, update: int, spot: int, onset: int) -> bool:
        """Whether hosts that lack it are of the wave for something else; see ``missing_installs.joined_later``."""

    def at_place(self, update: int, spot: int, onset: int) -> float:
        """What hosts with it and those beside them at one place, or of one build, say by the events there."""

    def among_alike(self, update: int, spot: int, onset: int) -> float:
        """The least that those of the same build, agent's version or model say by the events of a wave."""

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
        return posterior(rivalry, None, log_updates, rivalry.of_waves)
    known = _of_known_fault(rivalry, log_updates, again, hosts)
    if known is not None:
        return known
    leader = int(np.argmax(log_updates))
    leader, log_updates = _better_told(rivalry, leader, log_updates, hosts) or (leader, log_updates)
    at_place = told_at_place(rivalry, leader, log_updates, hosts.at_place)
    if at_place is not None:
        return at_place
    odds = of_leader(rivalry, leader, log_updates)
    if _is_half_forgotten(rivalry, leader):
        return replace(odds, lacks_contrast=True)
    if not odds.lacks_contrast and _is_outdone(rivalry, leader, again):
        odds = replace(odds, lacks_contrast=True)
    if not (odds.is_tied or odds.lacks_contrast or odds.log_margin < LOG_MARGIN):
        return odds
    told = _of_timer(rivalry, log_updates, hosts) or of_place(rivalry, leader, log_updates, hosts.at_place)
    if told is not None:
        return told
    told = _told_both_ways(rivalry, log_updates, hosts) or _of_latent_fault(rivalry, log_updates, hosts)
    if told is not None and told.begun_with is None:
        return told
    return _by_delay(rivalry, leader, log_updates, hosts) or told or odds


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
        return replace(of_leader(rivalry, known, alone, is_told=True), is_known=True, goes_on=True)
    if said[known] < LOG_MARGIN:
        return None
    close = np.flatnonzero(log_updates > log_updates[known] - LOG_THOUSAND).tolist()
    better = (row for row in close if log_updates[row] > log_updates[known] + LOG_THOUSAND)
    if any(rivalry.hosts_say(row) >= enough(int(events[row])) for row in better):
        return None
    without = log_updates.copy()
    without[[row for row in close if rivalry.hosts_say(row) < said[known] - LOG_MARGIN]] = -np.inf
    if int(np.argmax(without)) != known:
        return None
    odds = of_leader(rivalry, known, without, is_told=True)
    is_known = said[known] >= enough(int(events[known]))
    return replace(odds, is_known=is_known, lacks_contrast=not is_known)


def _is_half_forgotten(rivalry: Rivalry, leader: int) -> bool:
    """Whether hosts leave, and of what speaks for their doing so half goes by installs of which some are forgotten.

    Installs are followed for a day. Of two updates that the same hosts got in the course of a day the older one seems
    to strike fewer of those that boot the next morning, or only those that got it late, which may be others.
    """
    trial = rivalry.trial
    if not trial.by_departures:
        return False
    half = (trial.log_test >= LOG_THRESHOLD) & (trial.log_evidence >= _HALF * trial.log_evidence[leader])
    sent_out = (int(rivalry.pushed(update)[0]) for update in trial.updates[half].tolist())
    return any(minute < rivalry.known_from for minute in sent_out)


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


def _better_told(rivalry: Rivalry, leader: int, log_updates: Floats, hosts: Hosts) -> tuple[int, Floats] | None:
    """An update that hosts say far more for than the evidence says less, and the log weights without those it outdoes.

    Where hosts that are struck never tell of the guilty update, one that everybody got shortly before explains more of
    them. But the hosts beside those that do tell are spared, and they were struck as long after it as a fault would
    have it; for the other one neither is so.

    Args:
        leader: row of the one that the evidence says most for.
    Returns:
        None where there is none.
    """
    if rivalry.is_its_own(leader):
        return None
    events = _events_with(rivalry)
    many = np.flatnonzero((events >= TOLD_SHARE * events[leader]) & (rivalry.trial.log_test >= LOG_THRESHOLD))
    if many.tolist() == [leader]:
        return None
    of_hosts = {row: rivalry.hosts_say(row) for row in many.tolist()}
    told = {row: most + float(log_updates[row]) for row, most in of_hosts.items() if most >= enough(int(events[row]))}
    best = max(told, key=lambda row: told[row], default=None)
    if best is None or hosts.by_delay(int(rivalry.trial.updates[best])) < LOG_BY_DELAY:
        return None
    if best != leader and hosts.by_delay(int(rivalry.trial.updates[leader])) >= LOG_BY_DELAY:
        return None  # it may need the other one
    outdone = [row for row in many.tolist() if of_hosts[row] + log_updates[row] < told[best] - LOG_THOUSAND]
    without = log_updates.copy()
    without[outdone] = -np.inf
    return (best, without) if int(np.argmax(without)) == best else None


def _events_with(rivalry: Rivalry) -> Floats:
    """(U,) how many of the events happened to hosts that had each update: for a day; for longer if it is known."""
    return np.maximum(rivalry.trial.events[:, :, :AGES, 0].sum((0, 2)), rivalry.ever)


def _of_latent_fault(rivalry: Rivalry, log_updates: Floats, hosts: Hosts) -> Odds | None:
    """The odds, where hosts that got an update hours ago are struck from some moment on and those without it are not.

    A fault may wait for a date, or for something to be sent that it cannot bear. By the time since the install nobody
    would suspect that update, and what went out a moment before would be tied with the moment. It is a wave among the
    hosts with the update: as likely as one in the whole fleet, and what hosts say for the update besides. It has to be
    clearly likelier than every other wave, those of what hosts are and where they stand included; or hosts of the same
    build, agent's version or model that lack the update are spared as clearly. Where that moment is the push of another
    update to nearly all of them, that one may do it to hosts with both; so it may where the push was within the hour
    before, and they are struck as long after they got it as a fault of it would have it.

    Returns:
        None where hosts do not say that much for one update alone.
    """
    trial, foremost = rivalry.trial, rivalry.foremost
    if rivalry.contrast is None or foremost is None:
        return None
    asked = of_most(rivalry, foremost, EXPLAINED_SHARE)
    said = {row: rivalry.hosts_say(row) - rivalry.log_of_place(int(trial.updates[row])) for row in asked}

    def least(row: int) -> float:
        return max(LOG_LATENT, enough(asked[row]))

    told = told_alone(rivalry, log_updates, said, least)
    spot, onset = int(rivalry.waves.spot[foremost[0]]), int(rivalry.waves.onset[foremost[0]])
    if told is None and not (rivalry.stands_there[spot] or rivalry.of_strata[spot]):
        many = [row for row in asked if rivalry.hosts_say(row) >= least(row)]
        alike = {row: hosts.at_place(int(trial.updates[row]), spot, onset) for row in many}
        told = told_alone(rivalry, log_updates, alike, least)
    if told is None or not _is_told_among_alike(rivalry, told[0], hosts):
        return None

    latent = int(trial.updates[told[0]])
    with_it = None if latent == rivalry.named_before else begun_with(rivalry, latent, hosts)
    return replace(of_leader(rivalry, *told, is_told=True), is_latent=True, begun_with=with_it)


def begun_with(rivalry: Rivalry, update: int, hosts: Hosts) -> int | None:
    """Another update, by its index, that may have begun the foremost wave in hosts with an update, and need that.

    The wave began with its push to most of them, or within the hour after it, and they are struck as long after they
    got it as a fault of it would have it.
    """
    return next(_begun_with(rivalry, update, hosts), None)


def _begun_with(rivalry: Rivalry, update: int, hosts: Hosts) -> Iterator[int]:
    """All such updates; those first for which the evidence is most."""
    foremost = rivalry.foremost
    if foremost is None:
        return

    def may_begin_it(row: int) -> bool:
        if rivalry.begun_by(row, TOLD_SHARE)[0][foremost]:
            return True
        is_soon = rivalry.may_follow(row, foremost, TOLD_SHARE)
        return is_soon and hosts.by_delay(int(rivalry.trial.updates[row])) >= LOG_MARGIN

    rows = np.argsort(-rivalry.trial.log_evidence).tolist()
    others = ((row, int(rivalry.trial.updates[row])) for row in rows)
    yield from (other for row, other in others if other != update and may_begin_it(row))


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
    asked = of_most(rivalry, foremost, TOLD_SHARE)
    wave = int(rivalry.waves.spot[foremost[0]]), int(rivalry.waves.onset[foremost[0]])
    said = {row: hosts.by_timer(int(trial.updates[row]), *wave) + min(rivalry.hosts_say(row), 0.0) for row in asked}
    told = told_alone(rivalry, log_updates, said, lambda _: LOG_BY_DELAY + float(np.log(len(asked))))
    # Hosts that check in every six hours got one a day before another: what follows that one seems to follow both.
    if told is None or any(rivalry.hosts_say(row) >= said[told[0]] + LOG_THOUSAND for row in asked if row != told[0]):
        return None
    return of_leader(rivalry, *told, is_told=True, share=TOLD_SHARE)


def _told_both_ways(rivalry: Rivalry, log_updates: Floats, hosts: Hosts) -> Odds | None:
    """The odds, where hosts without an update are spared, and those with it are struck when a fault would have it.

    What was pushed to nearly all just before they are struck fits the moment better, and a wave that began then fits it
    best; but some of them lack that, and are struck all the same. Where they are not, it may need the one that is told.

    Returns:
        None where no update of most of them, and of the hour before, is told so, or not from another one.
    """
    trial, foremost = rivalry.trial, rivalry.foremost
    if rivalry.contrast is None or foremost is None:
        return None
    asked = of_most(rivalry, foremost, TOLD_SHARE)
    said = {row: rivalry.hosts_say(row) for row in asked}
    for row in [row for row, most in said.items() if most >= LOG_LATENT]:
        said[row] = min(said[row], hosts.by_delay(int(trial.updates[row])))
    told = told_alone(rivalry, log_updates, said, lambda _: LOG_LATENT)
    if told is None or asked[told[0]] < EXPLAINED_SHARE * float(rivalry.waves.events.sum(0)[foremost]):
        return None
    if not rivalry.may_follow(told[0], foremost) or not _is_told_among_alike(rivalry, told[0], hosts):
        return None
    odds, update = of_leader(rivalry, *told, is_told=True), int(trial.updates[told[0]])
    others = (row for row in range(len(trial.updates)) if row != told[0])
    meanwhile = [
        row for row in others if rivalry.may_follow(row, foremost, TOLD_SHARE) and not rivalry.fares_worse(row)
    ]
    if update == rivalry.named_before or not meanwhile:
        return odds
    may_need_it = (one for one in _begun_with(rivalry, update, hosts) if trial.row_of(one) in meanwhile)
    with_it = next(may_need_it, None)
    return None if with_it is None else replace(odds, begun_with=with_it)


def _is_told_among_alike(rivalry: Rivalry, row: int, hosts: Hosts) -> bool:
    """Whether hosts of the same build, agent's version or model tell an update that strikes late from what they are.

    What went to one build alone is spared wherever that build is not, whatever strikes it hours later.
    """
    if rivalry.foremost is None:
        return True
    wave = int(rivalry.waves.spot[rivalry.foremost[0]]), int(rivalry.waves.onset[rivalry.foremost[0]])
    return hosts.among_alike(int(rivalry.trial.updates[row]), *wave) >= LOG_THOUSAND


def _by_delay(rivalry: Rivalry, leader: int, log_updates: Floats, hosts: Hosts) -> Odds | None:
    """The odds, where hosts are struck as long after they got the leading update as a fault of it would have it.

    Returns:
        None where they do not say so, or it needs nobody to say so.
    """
    update = int(rivalry.trial.updates[leader])
    if rivalry.contrast is None or hosts.by_delay(update) < LOG_BY_DELAY:
        return None
    if rivalry.strikes_late(update) and not _is_told_among_alike(rivalry, leader, hosts):
        return None
    if rivalry.is_its_own(leader):
        return _of_lost_installs(rivalry, leader, log_updates, hosts)
    supposed = of_leader(rivalry, leader, log_updates, is_told=True)
    if supposed.probabilities[leader] >= _WORTH_ASKING and not rivalry.fares_worse(leader):
        return supposed
    return of_leader(rivalry, leader, log_updates, share=TOLD_SHARE)


def _of_lost_installs(rivalry: Rivalry, leader: int, log_updates: Floats, hosts: Hosts) -> Odds | None:
    """The odds, where hosts tell of the leading update in both ways, and a wave in all that are struck explains more.

    Of those that lack it the installs were lost then, of half of them at most; unless they were struck later than the
    others, by something else.
    """
    foremost = rivalry.foremost
    if foremost is None:
        return None
    wave = int(rivalry.waves.spot[foremost[0]]), int(rivalry.waves.onset[foremost[0]])
    if hosts.joined_later(int(rivalry.trial.updates[leader]), *wave):
        return None
    return of_leader(rivalry, leader, log_updates, is_told=True, share=TOLD_SHARE)
