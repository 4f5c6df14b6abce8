"""Judging a case: what all hypotheses make of its events; also those that hide behind what only made hosts boot."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.expected.portion import Portion
from fleetcrash.attribution.facts.exposure import KEPT_MINUTES
from fleetcrash.attribution.hearing import backlog, doubts
from fleetcrash.attribution.hearing.missing_installs import patches_behind, sent_meanwhile, untold
from fleetcrash.attribution.hearing.older import StruckHosts, behind, dormant_fault, may_be_latent
from fleetcrash.attribution.hearing.testimony import Testimony
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.suspects import Trial
from fleetcrash.attribution.hypotheses.waves import Waves
from fleetcrash.attribution.incidents.case import Case, Found
from fleetcrash.attribution.weighing.judgement import JUDGING_MINUTES, Judgement, Kind, Lack
from fleetcrash.attribution.weighing.odds import others_that_may_need, weigh
from fleetcrash.attribution.weighing.posterior import Odds
from fleetcrash.attribution.weighing.rivalry import LOG_MARGIN, Rivalry, strongest
from fleetcrash.attribution.weighing.verdict import judge
from fleetcrash.counts import MOSTLY

# What waits for boots strikes at those that another update did not bring about as often. Where it seems to by far less,
# those may be boots of hosts whose install of the other was not told: then neither is named.
_AS_OFTEN = 0.5


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
    rivalry = _rivalry(inquiry, case, trial, said, portion)
    odds = weigh(rivalry, said, case.named_elsewhere)
    judgement = judge(
        odds,
        said,
        minutes_open=case.minutes_open,
        before=Kind.UNDETERMINED if incident is None else incident.kind,
        named_before=case.named_before,
        contrast=rivalry.contrast,
    )
    if incident is not None and incident.by_outage:
        wave = _of_outage(inquiry, case, odds.waves, rivalry.of_waves)
        return judgement.put_down_to_place(wave), trial, odds.waves
    struck = StruckHosts(inquiry, tick, _struck_by(inquiry, case, odds.waves, odds.foremost))
    judgement = _questioned(inquiry, case, odds, judgement, said, struck)
    dormant = dormant_fault(case, odds, judgement.unweighed, struck)
    if dormant is not None and next(others_that_may_need(rivalry, dormant.update, said), None) is None:
        trial = dormant.beside(trial, inquiry, tick)
        judgement = judgement.put_down_to(dormant, trial.updates)
    elif judgement.is_left_to_older:
        judgement = judgement.beside(_may_need_older(rivalry, odds))
    return judgement, trial, odds.waves


def _rivalry(inquiry: Inquiry, case: Case, trial: Trial, said: Testimony, portion: Portion | None) -> Rivalry:
    """The updates on trial and the waves beside them, with what is known of both.

    Args:
        portion: see ``Inquiry.trial``.
    """
    tick = case.tick
    likeliest = int(trial.updates[np.argmax(trial.log_evidence)]) if len(trial.updates) else None
    also_from = None if likeliest is None else int(said.pushed(likeliest)[-1])
    waves = inquiry.waves(tick, case.events, caution=False, also_from=also_from, portion=portion)
    of_waves = waves.weighed(inquiry.spots.log_weights(tick)[0])
    struck, apart = _struck_by(inquiry, case, waves, strongest(of_waves)), inquiry.stands_apart(tick)
    known_from = tick - KEPT_MINUTES + 1
    return Rivalry(
        trial,
        waves,
        of_waves=of_waves,
        pushed=said.pushed,
        stands_there=apart,
        acquitting=inquiry.acquitting(tick, apart, struck),
        of_strata=inquiry.spots.of_strata(tick) & inquiry.news.presence_told,  # who lacks an update may be offline else
        contrast=said.of_hosts if inquiry.news.installs_told else None,
        of_rollout=inquiry.spots.of_rollout,
        known_from=known_from,
        settled_from=max(known_from, case.unsettled_until),
        strikes_late=said.strikes_late,
        booted_before=partial(inquiry.booted_before, tick),
        ever=_ever_with(inquiry, case, trial),
        named_before=case.named_before,
    )


def _struck_by(inquiry: Inquiry, case: Case, waves: Waves, wave: tuple[int, int] | None) -> Mask:
    """(events,) the events of a case that are of a wave, as known by now; where there is none, all."""
    return case.events if wave is None else inquiry.struck_by_wave(case.events, waves.beginning(wave), case.tick)


def _of_outage(inquiry: Inquiry, case: Case, waves: Waves, of_waves: Floats) -> tuple[int, int] | None:
    """The strongest wave at the place that fell silent, if one is of the last day.

    Args:
        of_waves: see ``Rivalry``.
    """
    there = waves.spot == inquiry.absences.place_of(case.events, inquiry.spots.at_place)
    return strongest(np.where(there[:, None], of_waves, -np.inf)) if there.any() else None


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


def _questioned(
    inquiry: Inquiry, case: Case, odds: Odds, judgement: Judgement, said: Testimony, struck: StruckHosts
) -> Judgement:
    """The judgement, once that is asked which the odds do not weigh: backlogs, untold installs, and older updates."""
    tick, incident, is_early = case.tick, case.incident, case.minutes_open < JUDGING_MINUTES
    if judgement.update is not None and judgement.update != case.named_before:
        judgement = _new_name_questioned(inquiry, case, odds, judgement, judgement.update, said, struck)
    if incident is not None and not judgement.kind.is_answer:
        likely = judgement.candidates(odds.trial.updates)
        if backlog.is_behind(inquiry, tick, case.events, incident.alarm_tick, likely):
            return replace(judgement, kind=Kind.NO_UPDATE, wave=None)
    if judgement.kind is Kind.NO_UPDATE and judgement.wave is not None and inquiry.news.installs_told:
        wave = odds.waves.beginning(judgement.wave)
        if open_to := untold(inquiry, tick, case.events, wave, is_early=is_early):
            judgement = judgement.left_open(open_to, case.minutes_open)
    if judgement.kind is Kind.NO_UPDATE and (spoken_for := _spoken_for(inquiry, case, odds, judgement, said)):
        judgement = judgement.left_open(spoken_for, case.minutes_open, Lack.STRUCK_TOO)
    if judgement.kind is Kind.NO_UPDATE and may_be_latent(case, odds, struck):
        judgement = replace(judgement, kind=Kind.UNDETERMINED)
    if older := behind(case, odds, judgement, struck):
        judgement = judgement.left_to_older(older, case.minutes_open)
    return judgement


def _spoken_for(inquiry: Inquiry, case: Case, odds: Odds, judgement: Judgement, said: Testimony) -> tuple[int, ...]:
    """The likeliest updates that hosts speak for, of those that a wave acquits.

    A slow rise that the baseline does not know explains most of what happens, whoever has what, and one of a kind of
    host or place most of what happens there. It does not say why hosts of the same kind and place are spared that lack
    an update: while they are, more than the wave strikes the others. Once no update was said to do it, hosts have to
    say so a thousand to one.

    Args:
        judgement: no update.
    """
    if judgement.wave is None or not inquiry.news.installs_told:
        return ()
    wave = odds.waves.beginning(judgement.wave)
    was_acquitted = case.incident is not None and case.incident.kind is Kind.NO_UPDATE
    least = LOG_THOUSAND if was_acquitted else LOG_MARGIN
    likely = [one for one in odds.trial.updates[odds.near].tolist() if said.of_hosts(one) >= least]
    if inquiry.spots.is_whole(wave.spot):
        return tuple(likely)
    return tuple(one for one in likely if min(said.at_place(one, wave), said.among_alike(one, wave)) >= least)


def _new_name_questioned(
    inquiry: Inquiry, case: Case, odds: Odds, judgement: Judgement, named: int, said: Testimony, struck: StruckHosts
) -> Judgement:
    """The judgement, without a name that was not given before, where something else may be behind it."""
    tick, minutes_open = case.tick, case.minutes_open
    if backlog.may_be_behind(inquiry, tick, case.events, named):
        return judgement.taken_back(minutes_open, Lack.IN_TIME)
    if doubts.is_as_ever_at_boots(inquiry, named, tick, case.events, odds.trial, said.of_hosts):
        return judgement.taken_back(minutes_open, Lack.AS_EVER)
    if restarting := patches_behind(inquiry, tick, case.events, named, said.of_hosts):
        return judgement.left_open(restarting, minutes_open)
    if odds.foremost is not None and said.strikes_late(named):
        onset = odds.waves.beginning(odds.foremost).onset
        if meanwhile := sent_meanwhile(inquiry, tick, struck.of_wave, onset, named):
            return judgement.left_open(meanwhile, minutes_open)
    return judgement
