"""Odds: what some events say for each update, each wave and nothing; first of all which update leads.

Mostly that is the one that the evidence says most for. But there is what it does not see: a fault that goes on, waits
for a moment, a date or a boot, strikes at one place alone, or strikes hosts that never tell of the install. There hosts
with an update and those beside them have to say so. ``weigh`` tries these in their order; the first that hosts tell of
holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np

from fleetcrash.arrays import Floats, Mask
from fleetcrash.attribution.evidence import LOG_PRIOR_UPDATE, LOG_THOUSAND
from fleetcrash.attribution.facts.exposure import AGES
from fleetcrash.attribution.hypotheses.suspects import LOG_THRESHOLD
from fleetcrash.attribution.hypotheses.witnesses import enough
from fleetcrash.attribution.weighing.asked import Hosts, of_most, only, told_alone
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
    leader, log_updates = _leading(rivalry, log_updates, hosts)
    at_place = told_at_place(rivalry, leader, log_updates, hosts)
    if at_place is not None:
        return at_place
    odds = of_leader(rivalry, leader, log_updates)
    if _is_half_forgotten(rivalry, leader):
        return replace(odds, lacks_contrast=True)
    if _is_outdone(rivalry, leader, again):
        odds = replace(odds, lacks_contrast=True)
    is_in_doubt = odds.is_tied or odds.lacks_contrast or odds.log_margin < LOG_MARGIN
    if rivalry.contrast is None or not is_in_doubt:
        return odds
    told = _of_foremost_wave(rivalry, leader, log_updates, hosts)
    if told is not None and told.begun_with is None:
        return told
    # One that another update may need yields to the leader, if the time since its installs tells.
    return _by_delay(rivalry, leader, log_updates, hosts) or told or odds


def _of_foremost_wave(rivalry: Rivalry, leader: int, log_updates: Floats, hosts: Hosts) -> Odds | None:
    """The odds, where it shows whose doing the wave is that explains most, by whom it strikes and when.

    Returns:
        None where it shows in none of these ways; the first one counts.
    """
    wave = rivalry.foremost
    if wave is None:
        return None
    return (
        _of_timer(rivalry, wave, log_updates, hosts)  # of its hosts those that got it as long ago as it takes
        or of_place(rivalry, wave, leader, log_updates, hosts)  # its hosts at one place, and none beside them there
        or _told_both_ways(rivalry, wave, log_updates, hosts)  # its hosts when a fault would have it, and no others
        or _of_latent_fault(rivalry, wave, log_updates, hosts)  # its hosts hours after they got it, and no others
    )


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
    known = max(np.flatnonzero(of_most).tolist(), key=lambda row: float(log_updates[row]), default=None)
    if known is None:
        return None
    if hosts.goes_on(rivalry.update(known)):
        odds = of_leader(rivalry, known, only(log_updates, known), is_told=True)
        return replace(odds, is_known=True, goes_on=True)
    says = rivalry.hosts_say(known)
    if says < LOG_MARGIN:
        return None
    close = np.flatnonzero(log_updates > log_updates[known] - LOG_THOUSAND).tolist()
    better = (row for row in close if log_updates[row] > log_updates[known] + LOG_THOUSAND)
    if any(rivalry.hosts_say(row) >= enough(int(events[row])) for row in better):
        return None
    without = log_updates.copy()
    without[[row for row in close if rivalry.hosts_say(row) < says - LOG_MARGIN]] = -np.inf
    if int(np.argmax(without)) != known:
        return None
    is_known = says >= enough(int(events[known]))
    return replace(of_leader(rivalry, known, without, is_told=True), is_known=is_known, lacks_contrast=not is_known)


def _leading(rivalry: Rivalry, log_updates: Floats, hosts: Hosts) -> tuple[int, Floats]:
    """The row of the leading update: that of most evidence, but for one that hosts say far more for.

    Where hosts that are struck never tell of the guilty update, one that everybody got shortly before explains more of
    them. But the hosts beside those that do tell are spared, and they were struck as long after it as a fault would
    have it; for the other one neither is so.

    Returns:
        That row, and the log weights, without those that it outdoes.
    """
    first = int(np.argmax(log_updates))
    by_evidence = first, log_updates
    if rivalry.is_its_own(first):
        return by_evidence
    events = _events_with(rivalry)
    many = np.flatnonzero((events >= TOLD_SHARE * events[first]) & (rivalry.trial.log_test >= LOG_THRESHOLD)).tolist()
    if many == [first]:
        return by_evidence
    said = {row: rivalry.hosts_say(row) for row in many}
    both = {row: most + float(log_updates[row]) for row, most in said.items()}
    told = [row for row in many if said[row] >= enough(int(events[row]))]
    best = max(told, key=lambda row: both[row], default=None)
    if best is None or hosts.by_delay(rivalry.update(best)) < LOG_BY_DELAY:
        return by_evidence
    if best != first and hosts.by_delay(rivalry.update(first)) >= LOG_BY_DELAY:
        return by_evidence  # it may need the other one
    without = log_updates.copy()
    without[[row for row in many if both[row] < both[best] - LOG_THOUSAND]] = -np.inf
    return (best, without) if int(np.argmax(without)) == best else by_evidence


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


def _events_with(rivalry: Rivalry) -> Floats:
    """(U,) how many of the events happened to hosts that had each update: for a day; for longer if it is known."""
    return np.maximum(rivalry.trial.events[:, :, :AGES, 0].sum((0, 2)), rivalry.ever)


def _of_timer(rivalry: Rivalry, wave: tuple[int, int], log_updates: Floats, hosts: Hosts) -> Odds | None:
    """The odds, where of an update's hosts those are struck that got it as long ago as its fault would have it.

    Not every fault strikes soon: one that waits for hours strikes at an age that everything of the day has, by which
    the last to come may seem the likelier. But what begins by itself at such a moment strikes hosts whenever they got
    it.

    Args:
        wave: the foremost.
    Returns:
        None where no update is told so, or not from another one.
    """
    asked, beginning = of_most(rivalry, wave, TOLD_SHARE), rivalry.waves.beginning(wave)
    said = {row: hosts.by_timer(rivalry.update(row), beginning) + min(rivalry.hosts_say(row), 0.0) for row in asked}
    told = told_alone(rivalry, log_updates, said, lambda _: LOG_BY_DELAY + float(np.log(len(asked))))
    if told is None:
        return None
    row, alone = told
    # Hosts that check in every six hours got one a day before another: what follows that one seems to follow both.
    if any(rivalry.hosts_say(other) >= said[row] + LOG_THOUSAND for other in asked if other != row):
        return None
    return of_leader(rivalry, row, alone, is_told=True, share=TOLD_SHARE)


def _told_both_ways(rivalry: Rivalry, wave: tuple[int, int], log_updates: Floats, hosts: Hosts) -> Odds | None:
    """The odds, where hosts without an update are spared, and those with it are struck when a fault would have it.

    What was pushed to nearly all just before they are struck fits the moment better, and a wave that began then fits it
    best; but some of them lack that, and are struck all the same. Where they are not, it may need the one that is told.

    Args:
        wave: the foremost.
    Returns:
        None where no update of most of them, and of the hour before, is told so, or not from another one.
    """
    asked = of_most(rivalry, wave, TOLD_SHARE)
    said = {row: rivalry.hosts_say(row) for row in asked}
    for row in [row for row, most in said.items() if most >= LOG_LATENT]:
        said[row] = min(said[row], hosts.by_delay(rivalry.update(row)))
    told = told_alone(rivalry, log_updates, said, lambda _: LOG_LATENT)
    if told is None:
        return None
    row, alone = told
    if asked[row] < EXPLAINED_SHARE * rivalry.waves.struck(wave) or not rivalry.may_follow(row, wave):
        return None
    if not _is_told_among_alike(rivalry, wave, row, hosts):
        return None
    odds, update = of_leader(rivalry, row, alone, is_told=True), rivalry.update(row)
    if update == rivalry.named_before:
        return odds
    # Those of the hour before that hosts do not speak against.
    beside = {
        rivalry.update(other)
        for other in range(len(log_updates))
        if other != row and rivalry.may_follow(other, wave, TOLD_SHARE) and not rivalry.fares_worse(other)
    }
    if not beside:
        return odds
    needing = next((one for one in others_that_may_need(rivalry, update, hosts) if one in beside), None)
    return None if needing is None else replace(odds, begun_with=needing)


def _of_latent_fault(rivalry: Rivalry, wave: tuple[int, int], log_updates: Floats, hosts: Hosts) -> Odds | None:
    """The odds, where hosts that got an update hours ago are struck from some moment on and those without it are not.

    A fault may wait for a date, or for something to be sent that it cannot bear. By the time since the install nobody
    would suspect that update, and what went out a moment before would be tied with the moment. It is a wave among the
    hosts with the update: as likely as one in the whole fleet, and what hosts say for the update besides. It has to be
    clearly likelier than every other wave, those of what hosts are and where they stand included; or hosts of the same
    build, agent's version or model that lack the update are spared as clearly. Where that moment is the push of another
    update to nearly all of them, that one may do it to hosts with both; so it may where the push was within the hour
    before, and they are struck as long after they got it as a fault of it would have it.

    Args:
        wave: the foremost.
    Returns:
        None where hosts do not say that much for one update alone.
    """
    asked, beginning = of_most(rivalry, wave, EXPLAINED_SHARE), rivalry.waves.beginning(wave)

    def least(row: int) -> float:
        return max(LOG_LATENT, enough(asked[row]))

    said = {row: rivalry.hosts_say(row) - rivalry.log_of_place(rivalry.update(row)) for row in asked}
    told = told_alone(rivalry, log_updates, said, least)
    is_of_kind = not (rivalry.stands_there[beginning.spot] or rivalry.of_strata[beginning.spot])
    if told is None and is_of_kind:
        many = [row for row in asked if rivalry.hosts_say(row) >= least(row)]
        alike = {row: hosts.at_place(rivalry.update(row), beginning) for row in many}
        told = told_alone(rivalry, log_updates, alike, least)
    if told is None:
        return None
    row, alone = told
    if not _is_told_among_alike(rivalry, wave, row, hosts):
        return None
    odds, update = replace(of_leader(rivalry, row, alone, is_told=True), is_latent=True), rivalry.update(row)
    if update == rivalry.named_before:
        return odds
    return replace(odds, begun_with=next(others_that_may_need(rivalry, update, hosts), None))


def others_that_may_need(rivalry: Rivalry, update: int, hosts: Hosts) -> Iterator[int]:
    """Updates, by index, that may have begun the foremost wave in hosts that have another one, and need that as well.

    The wave began with the push of such a one to most of its hosts; or within the hour after it, and they are struck as
    long after they got it as a fault of it would have it. Those come first for which the evidence is most.

    Args:
        update: the one that they may need.
    """
    wave = rivalry.foremost
    if wave is None:
        return
    for row in np.argsort(-rivalry.trial.log_evidence).tolist():
        other = rivalry.update(row)
        if other == update:
            continue
        is_at_once = rivalry.begun_by(row, TOLD_SHARE).at_once[wave]
        if is_at_once or (rivalry.may_follow(row, wave, TOLD_SHARE) and hosts.by_delay(other) >= LOG_MARGIN):
            yield other


def _is_told_among_alike(rivalry: Rivalry, wave: tuple[int, int], row: int, hosts: Hosts) -> bool:
    """Whether hosts of the same build, agent's version or model tell an update that strikes late from what they are.

    What went to one build alone is spared wherever that build is not, whatever strikes it hours later.

    Args:
        wave: the foremost.
    """
    return hosts.among_alike(rivalry.update(row), rivalry.waves.beginning(wave)) >= LOG_THOUSAND


def _by_delay(rivalry: Rivalry, leader: int, log_updates: Floats, hosts: Hosts) -> Odds | None:
    """The odds, where hosts are struck as long after they got the leading update as a fault of it would have it.

    Returns:
        None where they do not say so, or it needs nobody to say so.
    """
    update, wave = rivalry.update(leader), rivalry.foremost
    if hosts.by_delay(update) < LOG_BY_DELAY:
        return None
    if wave is not None and rivalry.strikes_late(update) and not _is_told_among_alike(rivalry, wave, leader, hosts):
        return None
    if rivalry.is_its_own(leader):
        # A wave in all that are struck explains more. Of those that lack it, half at most, the installs were lost then;
        # unless they were struck later than the others, by something else.
        if wave is None or hosts.joined_later(update, rivalry.waves.beginning(wave)):
            return None
        return of_leader(rivalry, leader, log_updates, is_told=True, share=TOLD_SHARE)
    supposed = of_leader(rivalry, leader, log_updates, is_told=True)
    if supposed.probabilities[leader] >= _WORTH_ASKING and not rivalry.fares_worse(leader):
        return supposed
    return of_leader(rivalry, leader, log_updates, share=TOLD_SHARE)
