"""Judging a case: what all hypotheses make of its events; also those that hide behind what only made hosts boot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from fleetcrash.arrays import Ints, Mask
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.expected.baseline import CRASH_AT_BOOT
from fleetcrash.attribution.facts.exposure import KEPT_MINUTES
from fleetcrash.attribution.facts.news import News
from fleetcrash.attribution.hearing import backlog, doubts
from fleetcrash.attribution.hearing.missing_installs import patches_behind, sent_meanwhile, untold
from fleetcrash.attribution.hearing.older import are_as_likely, are_behind, log_by_holders, of_first_hour, to_ask
from fleetcrash.attribution.hearing.testimony import Testimony
from fleetcrash.attribution.hypotheses.dormant import Dormant
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.suspects import Trial
from fleetcrash.attribution.hypotheses.waves import Waves
from fleetcrash.attribution.hypotheses.witnesses import at_their_places, enough, log_among_alike, log_within
from fleetcrash.attribution.incidents.case import Case, Found
from fleetcrash.attribution.weighing.judgement import JUDGING_MINUTES, Judgement, Kind, Lack
from fleetcrash.attribution.weighing.odds import LOG_LATENT, others_that_may_need, weigh
from fleetcrash.attribution.weighing.posterior import Odds
from fleetcrash.attribution.weighing.rivalry import (
    EXPLAINED_SHARE,
    LOG_HINT,
    LOG_MARGIN,
    LOG_NO_CONTRAST,
    Rivalry,
    strongest,
)
from fleetcrash.attribution.weighing.verdict import LOG_PER_LATE_BOOT, judge
from fleetcrash.counts import MOSTLY

# Crashes of a known fault that tell their module; fewer do not show where it crashes hosts.
_LEAST_TOLD = 5
# Of the first few struck hosts so much each is a hint that they are struck for an update.
_LOG_HINT_AN_EVENT = 0.1

# What waits for boots strikes at those that another update did not bring about as often. Where it seems to by far less,
# those may be boots of hosts whose install of the other was not told: then neither is named.
_AS_OFTEN = 0.5
_MOST_ALIKE = 5  # updates of which hosts of one build or version are asked: those that hosts at large say most for


def judged(inquiry: Inquiry, case: Case) -> Found:
    """Weigh all hypotheses on some events, together with those of a known fault that they seem to be more of.

    A fault that needs two updates strikes whoever gets the second of them, so that this one seems to have done it.
    Where the struck hosts do not tell of the first one, it may be told late: the second one is not named for a quarter
    of an hour.
    """
    judgement, trial, found = _not_of_boots(inquiry, case)
    leader = None if judgement.dormant is not None else judgement.leader(trial.updates)
    known = None if leader is None else case.needed_by(leader)
    if leader is None or known is None:
        return judgement, trial, found
    since = inquiry.news.events.minute >= int(inquiry.pushed(known.guilty)[0])  # what came before needed nothing of it
    mine = case.events & since & inquiry.events_with(leader, case.tick)
    if (mine & inquiry.events_with(known.guilty, case.tick)).sum() < MOSTLY * mine.sum():
        if judgement.update == leader != case.named_before and case.minutes_open < JUDGING_MINUTES:
            judgement = judgement.taken_back(case.minutes_open, Lack.TOLD)
        return judgement, trial, found
    return _not_of_boots(inquiry, replace(case, events=case.events | known.events))


def _not_of_boots(inquiry: Inquiry, case: Case) -> Found:
    """What is found on some events; if what leads may only have made hosts boot, what is found without it."""
    judgement, trial, found = _weighed(inquiry, case)
    leader = judgement.leader(trial.updates)
    if leader is None or judgement.dormant is not None:
        return judgement, trial, found
    waiting = doubts.waiting_for_boots_of(inquiry, leader, case.tick, case.events, trial, case.named_before)
    if not waiting or judgement.update in waiting:
        return judgement, trial, found
    again, tried, beside = _weighed(inquiry, replace(case, but=case.but | {leader}))
    if again.update in waiting and (again.update == case.named_before or waiting[again.update] >= _AS_OFTEN):
        return again.widened_to(trial.updates, tried.updates), trial, beside
    return judgement.taken_back(case.minutes_open, Lack.BOOTS), trial, found


def _weighed(inquiry: Inquiry, case: Case) -> Found:
    """The judgement on some events, and the weights that it rests on."""
    tick, incident = case.tick, case.incident
    by_departures = incident is not None and incident.by_departures
    portion = None if incident is None else inquiry.portion(incident.rise)
    trial = inquiry.trial(tick, case.events, case.cells, but=case.but, departures=by_departures, portion=portion)
    said = Testimony(inquiry, case, trial)
    likeliest = int(trial.updates[np.argmax(trial.log_evidence)]) if len(trial.updates) else None
    also_from = None if likeliest is None else int(said.pushed(likeliest)[-1])
    found = inquiry.waves(tick, case.events, caution=False, also_from=also_from, portion=portion)
    contrast = said.of_hosts if inquiry.news.installs_told else None
    of_waves = found.weighed(inquiry.spots.log_weights(tick)[0])
    foremost = strongest(of_waves)
    struck = case.events if foremost is None else _struck_by_wave(inquiry, case, foremost, found)
    apart = inquiry.stands_apart(tick)
    rivalry = Rivalry(
        trial,
        found,
        of_waves=of_waves,
        pushed=said.pushed,
        stands_there=apart,
        acquitting=inquiry.acquitting(tick, apart, struck),
        of_strata=inquiry.spots.of_strata(tick) & inquiry.news.presence_told,  # who lacks an update may be offline else
        contrast=contrast,
        of_rollout=inquiry.spots.of_rollout,
        known_from=tick - KEPT_MINUTES + 1,
        settled_from=max(tick - KEPT_MINUTES + 1, case.unsettled_until),
        strikes_late=said.strikes_late,
        booted_before=partial(inquiry.booted_before, tick),
        ever=_ever_with(inquiry, case, trial),
        named_before=case.named_before,
    )
    odds = weigh(rivalry, said, case.named_elsewhere)
    judgement = judge(
        odds,
        said,
        minutes_open=case.minutes_open,
        before=Kind.UNDETERMINED if incident is None else incident.kind,
        named_before=case.named_before,
        contrast=contrast,
    )
    judgement = _questioned(inquiry, case, odds, judgement, said)
    dormant = _dormant(inquiry, case, odds, judgement.unweighed)
    if dormant is not None and next(others_that_may_need(rivalry, dormant.update, said), None) is None:
        trial = dormant.beside(trial, inquiry, tick)
        judgement = judgement.put_down_to(dormant, trial.updates)
    elif judgement.is_left_to_older:
        judgement = judgement.beside(_may_need_older(rivalry, odds))
    return judgement, trial, found


def _may_need_older(rivalry: Rivalry, odds: Odds) -> tuple[int, ...]:
    """The likeliest updates on trial that may have begun the foremost wave, in hosts with an older one."""
    if odds.foremost is None:
        return ()
    near = [row for row in odds.near.tolist() if rivalry.may_follow(row, odds.foremost)]
    return tuple(rivalry.trial.updates[near].tolist())


def _ever_with(inquiry: Inquiry, case: Case, trial: Trial) -> Ints:
    """(U,) how many events happened to hosts that had each update for however long; of those that others name."""
    known = case.events & case.cells[inquiry.news.events.cell] & (inquiry.news.events.tick <= case.tick)
    return np.array(
        [
            int((known & inquiry.events_ever_with(update, case.tick)).sum()) if update in case.named_elsewhere else 0
            for update in trial.updates.tolist()
        ],
        np.int64,
    )


def _questioned(inquiry: Inquiry, case: Case, odds: Odds, judgement: Judgement, said: Testimony) -> Judgement:
    """The judgement, once that is asked which the odds do not weigh: backlogs, untold installs, and older updates."""
    tick, incident, found, named = case.tick, case.incident, odds.waves, judgement.update
    if named is not None and named != case.named_before:
        if backlog.may_be_behind(inquiry, tick, case.events, named):
            judgement = judgement.taken_back(case.minutes_open, Lack.IN_TIME)
        elif doubts.only_made_boot(inquiry, named, tick, case.events, odds.trial, said.of_hosts):
            judgement = judgement.taken_back(case.minutes_open, Lack.AS_EVER)
        elif restarting := patches_behind(inquiry, tick, case.events, named):
            judgement = judgement.left_open(restarting, case.minutes_open)
        elif odds.foremost is not None and said.strikes_late(named):
            of_wave = _struck_by_wave(inquiry, case, odds.foremost, found)
            if meanwhile := sent_meanwhile(inquiry, tick, of_wave, found.beginning(odds.foremost).onset, named):
                judgement = judgement.left_open(meanwhile, case.minutes_open)
    if incident is not None and not judgement.kind.is_answer:
        likely = judgement.candidates(odds.trial.updates)
        if backlog.is_behind(inquiry, tick, case.events, incident.alarm_tick, likely):
            return replace(judgement, kind=Kind.NO_UPDATE, wave=None)
    if judgement.kind is Kind.NO_UPDATE and judgement.wave is not None and inquiry.news.installs_told:
        wave, is_early = found.beginning(judgement.wave), case.minutes_open < JUDGING_MINUTES
        if open_to := untold(inquiry, tick, case.events, wave, is_early=is_early):
            judgement = judgement.left_open(open_to, case.minutes_open)
    if judgement.kind is Kind.NO_UPDATE and _may_be_latent(inquiry, case, odds):
        judgement = replace(judgement, kind=Kind.UNDETERMINED)
    if behind := _older(inquiry, case, odds, judgement):
        judgement = judgement.left_to_older(behind, case.minutes_open)
    return judgement


def _may_be_latent(inquiry: Inquiry, case: Case, odds: Odds) -> bool:
    """Whether the first few hosts that are struck say a little for an update that they have had for hours.

    There are not enough of them to say so by, or so few that none is asked; but once no update is said to do it, one
    that was there is not named.
    """
    incident, is_late = case.incident, case.minutes_open >= JUDGING_MINUTES
    if incident is None or incident.kind is Kind.NO_UPDATE or is_late or odds.foremost is None:
        return False
    struck = np.flatnonzero(_struck_by_wave(inquiry, case, odds.foremost, odds.waves))
    if not inquiry.news.installs_told or not inquiry.news.presence_told:
        return False
    asked = to_ask(struck)
    if not len(asked):
        return True
    most = max(log_by_holders(inquiry.news, asked).values(), default=0.0)
    return most >= min(LOG_HINT, _LOG_HINT_AN_EVENT * len(asked))


def _struck_by_wave(inquiry: Inquiry, case: Case, wave: tuple[int, int], waves: Waves) -> Mask:
    """(events,) the events of a case that are of a wave, as known by now."""
    return inquiry.struck_by_wave(case.events, waves.beginning(wave), case.tick)


def _older(inquiry: Inquiry, case: Case, odds: Odds, judgement: Judgement) -> tuple[int, ...]:
    """Updates of long before that may be behind what none on trial seems to have done, or only one that came at a boot.

    Hosts get what they missed as they boot, so that what crashes them at a boot seems to follow that. And where they
    say of an update of hours ago that its fault was latent they may say so of those that the same hosts got before it,
    or of what nearly all of them got just then, which may do it to hosts with both.
    """
    news, named = inquiry.news, judgement.update
    if case.incident is None or odds.foremost is None:
        return ()
    if named is not None and odds.begun_with is not None:
        return named, odds.begun_with
    of_wave = _struck_by_wave(inquiry, case, odds.foremost, odds.waves)
    struck = np.flatnonzero(of_wave)
    if judgement.kind is Kind.NO_UPDATE and (again := _again(inquiry, case, struck)):
        return again
    is_at_boots = (news.events.outcome[struck] == CRASH_AT_BOOT).sum() > MOSTLY * len(struck)
    if named is not None and not (is_at_boots or odds.is_latent):
        return ()
    said = log_by_holders(news, to_ask(struck))
    with_it = (inquiry.events_with(one, case.tick)[struck].sum() for one in said)
    younger = frozenset(one for one, held in zip(said, with_it, strict=True) if held > MOSTLY * len(struck))
    leader = judgement.leader(odds.trial.updates) if named is None else named
    if leader is not None and leader not in said:  # many of the struck hosts lack it
        return are_behind(said, younger, LOG_MARGIN + float(np.log(max(len(said), 1))))
    if named is None:
        least = max(LOG_LATENT, enough(len(to_ask(struck))))
        said = _but_place(inquiry, case, odds, said, least)
        behind = _behind_no_name(news, case, judgement.kind, said, younger if leader is not None else None, least)
        known = case.named_elsewhere
        return tuple(one for one in behind if one in known or log_among_alike(news, one, of_wave) >= LOG_THOUSAND)
    if not odds.is_latent:
        return ()
    struck = struck[news.events.minute[struck] >= int(inquiry.pushed(named)[0])]  # the wave may have begun before
    return _beside_latent(news, named, struck, said, younger, is_kept=named == case.named_before)


def _dormant(inquiry: Inquiry, case: Case, odds: Odds, behind: tuple[int, ...]) -> Dormant | None:
    """The fault of the one update of long before that may be behind it, where hosts tell it from all else.

    No rate of its hosts is known, so that they have to say twice as much as of a latent fault, at a boot so much that
    two in five beside lack it, and nearly nothing for any other update that the struck ones have. And those alike in
    whatever is known of hosts have to say so, each by itself: who got it long ago got it for what he is.

    Args:
        behind: the updates that it is left to.
    """
    if len(behind) != 1 or odds.foremost is None or case.minutes_open < JUDGING_MINUTES:
        return None
    update, news = behind[0], inquiry.news
    of_wave = _struck_by_wave(inquiry, case, odds.foremost, odds.waves)
    struck = np.flatnonzero(of_wave)
    if inquiry.events_with(update, case.tick)[struck].sum() > MOSTLY * len(struck):
        return None  # most have had it for less than a day
    asked = to_ask(struck)
    said = dict(log_by_holders(news, asked))
    says = said.pop(update, -np.inf)
    is_at_boots = (news.events.outcome[struck] == CRASH_AT_BOOT).sum() > MOSTLY * len(struck)
    an_event = LOG_PER_LATE_BOOT if is_at_boots else 0.0
    is_kept = update == case.named_before
    if says < max(LOG_LATENT if is_kept else 2.0 * LOG_LATENT, enough(len(asked)), an_event * len(asked)):
        return None
    if says - max(said.values(), default=0.0) < (LOG_THOUSAND if is_kept else LOG_LATENT):
        return None
    if log_among_alike(news, update, of_wave, or_near=True) < LOG_THOUSAND:
        return None
    onset = odds.waves.beginning(odds.foremost).onset
    return Dormant.of(inquiry, update, onset, case.tick, of_wave, says - LOG_LATENT)


def _but_place(inquiry: Inquiry, case: Case, odds: Odds, said: Mapping[int, float], least: float) -> dict[int, float]:
    """What hosts say for updates, more than for where the foremost wave is.

    Where that is of a build, say, or an agent's version, hosts of the same one that lack the update may say as much.

    Args:
        said: what they say at large. least: what has to be said of one.
    """
    more = {one: most - odds.log_of_place(one) for one, most in said.items()}
    if odds.foremost is None or max(more.values(), default=least) >= least:
        return more
    spot = odds.waves.beginning(odds.foremost).spot
    if spot >= len(inquiry.spots.slices):
        return more
    struck = _struck_by_wave(inquiry, case, odds.foremost, odds.waves)
    for one in sorted((one for one, most in said.items() if most >= least), key=lambda one: -said[one])[:_MOST_ALIKE]:
        alike = log_within(at_their_places(inquiry.news, one, struck), inquiry.spots.name(spot)[0])
        more[one] = max(more[one], alike)
    return more


def _again(inquiry: Inquiry, case: Case, struck: Ints) -> tuple[int, ...]:
    """Updates that other incidents name, and that may go on: most of the struck have had one for days.

    Once everybody has had an update for a day nothing tells that it did it, but that hosts crash where it crashed them:
    in the module in which most of its crashes were that tell theirs.

    Args:
        struck: the events, by their numbers.
    """
    modules = inquiry.modules
    found = []
    for fault in case.known_faults:
        counts = modules.count(fault.events)
        of_struck = modules.of_event[struck]
        told, told_of_struck = int(counts.sum()), of_struck[of_struck >= 0]
        if told < _LEAST_TOLD or not len(told_of_struck) or counts.max() <= MOSTLY * told:
            continue
        if (told_of_struck == int(np.argmax(counts))).mean() <= MOSTLY:
            continue
        if inquiry.events_ever_with(fault.guilty, case.tick)[struck].mean() >= EXPLAINED_SHARE:
            found.append(fault.guilty)
    return tuple(sorted(set(found)))


def _behind_no_name(
    news: News, case: Case, kind: Kind, said: Mapping[int, float], younger: frozenset[int] | None, least: float
) -> tuple[int, ...]:
    """The updates of long before that may be behind it, where none is named.

    Args:
        said: what hosts say for each, more than for the place where it strikes.
        younger: those of the last day; None where no update on trial is likely: it struck too late for that to tell.
        least: what has to be said of one.
    """
    known = {one: most for one, most in said.items() if one in case.named_elsewhere}
    again = are_behind(known, frozenset(), LOG_MARGIN)
    if kind is Kind.NO_UPDATE and again:  # that they crash hosts is known already
        return again
    if younger is None:
        return are_behind(said, frozenset(), least)
    # The likely one may strike hosts by what an agent's or an OS's version made of them.
    return are_behind(_but_attributes(news, said), younger, least)


def _beside_latent(
    news: News, named: int, struck: Ints, said: Mapping[int, float], younger: frozenset[int], *, is_kept: bool
) -> tuple[int, ...]:
    """The updates that a latent fault may be of, the named one among them; none where it is told from all others.

    Args:
        struck: the events, by their numbers. said: what their hosts say for each update.
        younger: those of the last day.
        is_kept: whether the name was given before.
    """
    at_first = log_by_holders(news, to_ask(of_first_hour(struck, news.events.minute)))
    if at_first and at_first.get(named, 0.0) < LOG_MARGIN:
        least = LOG_MARGIN if is_kept else LOG_LATENT
        others = tuple(one for one, most in at_first.items() if most >= least and one != named)
        # A name that was given for something else stands where the first ones say nothing at all.
        says_nothing = not others and at_first.get(named, -np.inf) >= LOG_NO_CONTRAST
        return () if is_kept and says_nothing else (named, *others)
    beside = _but_attributes(news, said) | {named: said[named]}
    return are_as_likely(beside, named, younger, LOG_MARGIN if is_kept else LOG_THOUSAND)


def _but_attributes(news: News, said: Mapping[int, float]) -> dict[int, float]:
    """What is said of updates that set none of what hosts are told apart by."""
    return {one: most for one, most in said.items() if news.told_by(one) is None}
