"""Older updates: those that hosts have had for more than a day, which are not on trial any more.

A certificate expires, a quota runs out, a date comes that the code cannot bear, a patch of Friday strikes at Monday's
boot: what strikes then goes by hosts that have some update, and by nothing that came lately. Whoever got it when does
not matter, so there is no rate to learn; but the hosts beside them that lack it are spared, and what is to be said is
that this update may be ``behind`` it, and nothing of today. Only where hosts tell it from all else is it named for a
``dormant_fault``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fleetcrash.arrays import Ints, Mask
from fleetcrash.attribution.evidence import LOG_THOUSAND, log_contrast_of_each
from fleetcrash.attribution.expected.baseline import CRASH_AT_BOOT, LAG_MINUTES
from fleetcrash.attribution.facts.news import News
from fleetcrash.attribution.hypotheses.dormant import Dormant
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.witnesses import (
    at_their_places,
    enough,
    log_among_alike,
    log_within,
    to_look_at,
)
from fleetcrash.attribution.incidents.case import Case
from fleetcrash.attribution.weighing.judgement import JUDGING_MINUTES, Judgement, Kind
from fleetcrash.attribution.weighing.odds import LOG_LATENT
from fleetcrash.attribution.weighing.posterior import Odds
from fleetcrash.attribution.weighing.rivalry import EXPLAINED_SHARE, LOG_HINT, LOG_MARGIN, LOG_NO_CONTRAST
from fleetcrash.attribution.weighing.verdict import LOG_PER_LATE_BOOT
from fleetcrash.counts import MOSTLY

_LEAST_EVENTS = 5
_MOST_EVENTS = 500  # who is struck first tells as much as who is struck later

_LEAST_TOLD = 5  # crashes of a known fault that tell their module; fewer do not show where it crashes hosts
_LOG_HINT_AN_EVENT = 0.1  # of the first few struck hosts so much each is a hint that they are struck for an update
_MOST_ALIKE = 5  # updates of which hosts of one build or version are asked: those that hosts at large say most for


@dataclass(frozen=True)
class StruckHosts:
    """The hosts that the foremost wave struck, and what they and those beside them say for whatever they have.

    Attributes:
        inquiry, tick: as of which it is known.
        of_wave: (events,) the events of the wave.
    """

    inquiry: Inquiry
    tick: int
    of_wave: Mask

    @cached_property
    def events(self) -> Ints:
        """The same by their numbers."""
        return np.flatnonzero(self.of_wave)

    @cached_property
    def asked(self) -> Ints:
        """Those that are asked about."""
        return to_ask(self.events)

    @cached_property
    def said(self) -> Mapping[int, float]:
        """What they say for each update that most of them had, by its index."""
        return log_by_holders(self.inquiry.news, self.asked)

    @property
    def younger(self) -> frozenset[int]:
        """Those of these updates that most of them had for less than a day."""
        return frozenset(update for update in self.said if self.lately_got(update))

    @property
    def are_at_boots(self) -> bool:
        """Whether most were struck at boots."""
        outcome = self.inquiry.news.events.outcome[self.events]
        return bool((outcome == CRASH_AT_BOOT).sum() > MOSTLY * len(self.events))

    def lately_got(self, update: int) -> bool:
        """Whether most of them had an update, for less than a day."""
        with_it = self.inquiry.events_with(update, self.tick)[self.events]
        return bool(with_it.sum() > MOSTLY * len(self.events))


def behind(case: Case, odds: Odds, judgement: Judgement, struck: StruckHosts) -> tuple[int, ...]:
    """Updates of long before that may be behind what none on trial seems to have done, or only one that came at a boot.

    Hosts get what they missed as they boot, so that what crashes them at a boot seems to follow that. And where they
    say of an update of hours ago that its fault was latent they may say so of those that the same hosts got before it,
    or of what nearly all of them got just then, which may do it to hosts with both.
    """
    named = judgement.update
    if case.incident is None or odds.foremost is None:
        return ()
    if named is not None and odds.begun_with is not None:
        return named, odds.begun_with
    if judgement.kind is Kind.NO_UPDATE and (again := _again(case, odds.waves.beginning(odds.foremost).spot, struck)):
        return again
    if named is not None and not (odds.is_latent or struck.are_at_boots):
        return ()
    leader = judgement.leader(odds.trial.updates) if named is None else named
    if leader is not None and leader not in struck.said:  # many of the struck hosts lack it
        return are_behind(struck.said, struck.younger, LOG_MARGIN + float(np.log(max(len(struck.said), 1))))
    if named is None:
        return _behind_no_name(case, odds, judgement.kind, struck, leader)
    if not odds.is_latent:
        return ()
    return _beside_latent(named, struck, is_kept=named == case.named_before)


def dormant_fault(case: Case, odds: Odds, older: tuple[int, ...], struck: StruckHosts) -> Dormant | None:
    """The fault of the one update of long before that may be behind it, where hosts tell it from all else.

    No rate of its hosts is known, so that they have to say twice as much as of a latent fault, at a boot so much that
    two in five beside lack it, and nearly nothing for any other update that the struck ones have. And those alike in
    whatever is known of hosts have to say so, each by itself: who got it long ago got it for what he is.

    Args:
        older: the updates that it is left to.
    """
    if len(older) != 1 or odds.foremost is None or case.minutes_open < JUDGING_MINUTES:
        return None
    update, inquiry = older[0], struck.inquiry
    if struck.lately_got(update):
        return None
    says, count = struck.said.get(update, -np.inf), len(struck.asked)
    is_kept = update == case.named_before
    least = max(LOG_LATENT if is_kept else 2.0 * LOG_LATENT, enough(count))
    if says < (max(least, LOG_PER_LATE_BOOT * count) if struck.are_at_boots else least):
        return None
    of_others = max((most for one, most in struck.said.items() if one != update), default=0.0)
    if says - of_others < (LOG_THOUSAND if is_kept else LOG_LATENT):
        return None
    if log_among_alike(inquiry.news, update, struck.of_wave, or_near=True) < LOG_THOUSAND:
        return None
    onset = odds.waves.beginning(odds.foremost).onset
    return Dormant.of(inquiry, update, onset, case.tick, struck.of_wave, says - LOG_LATENT)


def may_be_latent(case: Case, odds: Odds, struck: StruckHosts) -> bool:
    """Whether the first few hosts that are struck say a little for an update that they have had for hours.

    There are not enough of them to say so by, or so few that none is asked; but once no update is said to do it, one
    that was there is not named.
    """
    incident, news = case.incident, struck.inquiry.news
    if incident is None or incident.kind is Kind.NO_UPDATE or case.minutes_open >= JUDGING_MINUTES:
        return False
    if odds.foremost is None or not news.installs_told or not news.presence_told:
        return False
    if not len(struck.asked):
        return True
    most = max(struck.said.values(), default=0.0)
    return most >= min(LOG_HINT, _LOG_HINT_AN_EVENT * len(struck.asked))


def _behind_no_name(case: Case, odds: Odds, kind: Kind, struck: StruckHosts, leader: int | None) -> tuple[int, ...]:
    """The updates of long before that may be behind it, where none is named.

    Args:
        leader: the likeliest on trial; None where none is likely: it struck too late for that to tell.
    """
    news, least = struck.inquiry.news, max(LOG_LATENT, enough(len(struck.asked)))
    said = _but_place(odds, struck, least)
    known = {one: most for one, most in said.items() if one in case.named_elsewhere}
    again = are_behind(known, frozenset(), LOG_MARGIN)
    if kind is Kind.NO_UPDATE and again:  # that they crash hosts is known already
        return again
    if leader is None:
        found = are_behind(said, frozenset(), least)
    else:  # that one may strike hosts by what an agent's or an OS's version made of them
        found = are_behind(_but_attributes(news, said), struck.younger, least)
    return tuple(one for one in found if one in known or log_among_alike(news, one, struck.of_wave) >= LOG_THOUSAND)


def _beside_latent(named: int, struck: StruckHosts, *, is_kept: bool) -> tuple[int, ...]:
    """The updates that a latent fault may be of, the named one among them; none where it is told from all others.

    Args:
        is_kept: whether the name was given before.
    """
    inquiry, minute = struck.inquiry, struck.inquiry.news.events.minute
    since = struck.events[minute[struck.events] >= int(inquiry.pushed(named)[0])]  # the wave may have begun before
    at_first = log_by_holders(inquiry.news, to_ask(of_first_hour(since, minute)))
    if at_first and at_first.get(named, 0.0) < LOG_MARGIN:
        least = LOG_MARGIN if is_kept else LOG_LATENT
        others = tuple(one for one, most in at_first.items() if most >= least and one != named)
        # A name that was given for something else stands where the first ones say nothing at all.
        says_nothing = not others and at_first.get(named, -np.inf) >= LOG_NO_CONTRAST
        return () if is_kept and says_nothing else (named, *others)
    said = _but_attributes(inquiry.news, struck.said) | {named: struck.said[named]}
    return are_as_likely(said, named, struck.younger, LOG_MARGIN if is_kept else LOG_THOUSAND)


def _but_place(odds: Odds, struck: StruckHosts, least: float) -> dict[int, float]:
    """What hosts say for updates, more than for where the foremost wave is.

    Where that is of a build, say, or an agent's version, hosts of the same one that lack the update may say as much.

    Args:
        least: what has to be said of one.
    """
    more = {one: most - odds.log_of_place(one) for one, most in struck.said.items()}
    if odds.foremost is None or max(more.values(), default=least) >= least:
        return more
    spot, spots = odds.waves.beginning(odds.foremost).spot, struck.inquiry.spots
    if spot >= len(spots.slices):
        return more
    many = sorted((one for one, most in struck.said.items() if most >= least), key=lambda one: -struck.said[one])
    for one in many[:_MOST_ALIKE]:
        alike = log_within(at_their_places(struck.inquiry.news, one, struck.of_wave), spots.name(spot)[0])
        more[one] = max(more[one], alike)
    return more


def _but_attributes(news: News, said: Mapping[int, float]) -> dict[int, float]:
    """What is said of updates that set none of what hosts are told apart by."""
    return {one: most for one, most in said.items() if news.told_by(one) is None}


def _again(case: Case, spot: int, struck: StruckHosts) -> tuple[int, ...]:
    """Updates that other incidents name, and that may go on: most of the struck have had one for days.

    Once everybody has had an update for a day nothing tells that it did it, but that hosts crash where it crashed them:
    in the module in which most of its crashes were that tell theirs. Where no crash tells its module, nothing tells it
    from a rise of a whole system.

    Args:
        spot: where the wave is.
    """
    modules, events_ever_with = struck.inquiry.modules, struck.inquiry.events_ever_with
    of_struck = modules.of_event[struck.events]
    of_struck = of_struck[of_struck >= 0]
    found = set()
    for fault in case.known_faults:
        counts = modules.count(fault.events)
        told = int(counts.sum())
        if told == len(of_struck) == 0:
            may_be = struck.inquiry.spots.is_whole(spot)
        else:
            is_of_one = told >= _LEAST_TOLD and counts.max() > MOSTLY * told
            may_be = is_of_one and len(of_struck) > 0 and (of_struck == int(np.argmax(counts))).mean() > MOSTLY
        if may_be and events_ever_with(fault.guilty, case.tick)[struck.events].mean() >= EXPLAINED_SHARE:
            found.add(fault.guilty)
    return tuple(sorted(found))


def to_ask(struck: Ints) -> Ints:
    """Which of some events, by their numbers, to ask about: the same ones until there are clearly more."""
    return to_look_at(struck[: min(len(struck), _MOST_EVENTS)]) if len(struck) >= _LEAST_EVENTS else struck[:0]


def of_first_hour(struck: Ints, minute: Ints) -> Ints:
    """Those of some events, by their numbers, that came within an hour of the first.

    Who is struck later was offline, and lacks by then what others got meanwhile, whatever it is that strikes.

    Args:
        minute: (events,) in which each event happened.
    """
    first = minute[struck].min(initial=np.iinfo(np.int64).max - LAG_MINUTES)
    return struck[minute[struck] <= first + LAG_MINUTES]


@dataclass(frozen=True)
class Held:
    """What some events say for an update that most of their hosts had.

    Attributes:
        log_ratio: by the hosts beside them that lacked it: what ``evidence.log_contrast`` says.
        lacking: how many of their own hosts lacked it.
    """

    log_ratio: float
    lacking: int


def log_by_holders(news: News, told: Ints) -> Mapping[int, float]:
    """What some events say for each update that most of their hosts had, by its index; see ``Held``.

    Args:
        told: the events, by their numbers.
    """
    return {update: held.log_ratio for update, held in held_by(news, told).items()}


def held_by(news: News, told: Ints) -> Mapping[int, Held]:
    """The same, and how many of their hosts lacked each.

    Args:
        told: the events, by their numbers.
    """
    if not len(told) or not news.installs_told or not news.presence_told:  # who lacks one may be offline else
        return {}
    found = news.ask.holders(tuple(told.tolist()), int(news.events.tick[told].max()))
    is_count = found.update < 0
    hosts = np.zeros(int(told.max()) + 1, np.int64)
    hosts[found.event[is_count]] = found.hosts[is_count]
    held = {}
    for update in np.unique(found.update[~is_count]).tolist():
        rows = found.update == update
        log_ratio = log_contrast_of_each(found.had[rows], found.hosts[rows], hosts[found.event[rows]])
        held[update] = Held(log_ratio, int((~found.had[rows]).sum()))
    return held


def are_behind(said: Mapping[int, float], younger: frozenset[int], least: float) -> tuple[int, ...]:
    """The older updates that hosts say it of, where they do not say so of a younger one nearly as clearly.

    Args:
        said: of each update. younger: those that are on trial. least: what has to be said.
    """
    most = max(said.values(), default=-np.inf)
    near = [update for update, one in said.items() if one > most - LOG_THOUSAND]
    return tuple(near) if most >= least and not younger.intersection(near) else ()


def are_as_likely(said: Mapping[int, float], update: int, younger: frozenset[int], apart: float) -> tuple[int, ...]:
    """An update whose fault seems to have been latent, and the older ones that hosts say so of nearly as clearly.

    Whoever gets one update first mostly gets the next one first, too: which of them waited nobody can tell then.

    Args:
        said: of each update. younger: those that are on trial. apart: by how much that one has to be clearer.
    Returns:
        An empty tuple where no older one is near.
    """
    least = said.get(update, -np.inf) - apart
    near = [one for one in said if one not in younger and one != update and said[one] > least]
    return (update, *near) if near else ()
