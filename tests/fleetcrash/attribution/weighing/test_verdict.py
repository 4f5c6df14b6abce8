"""The rule of the verdict: an update against a wave that begins with its release, or later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from fleetcrash.arrays import Floats
from fleetcrash.attribution.expected.baseline import CRASH, CRASH_AT_BOOT, OUTCOMES
from fleetcrash.attribution.facts.exposure import AGES
from fleetcrash.attribution.hypotheses.suspects import LOG_THRESHOLD, Trial
from fleetcrash.attribution.hypotheses.waves import SHAPES, Waves
from fleetcrash.attribution.weighing import odds as weighing
from fleetcrash.attribution.weighing import verdict
from fleetcrash.attribution.weighing.asked import Hosts
from fleetcrash.attribution.weighing.judgement import (
    JUDGING_MINUTES,
    NAMING_PROBABILITY,
    TIED_FROM,
    Judgement,
    Kind,
    Lack,
)
from fleetcrash.attribution.weighing.odds import LOG_LATENT
from fleetcrash.attribution.weighing.posterior import Odds
from fleetcrash.attribution.weighing.rivalry import COINCIDENT_MINUTES, Contrast, Rivalry

UPDATE, OTHER, RELEASED, EVENTS = 7, 9, 1000, 100.0


def weigh(
    trial: Trial,
    waves: Waves,
    *,
    spot_log_weight: Floats,
    named_elsewhere: Sequence[int] = (),
    by_delay: Callable[[int], float] = lambda _: 0.0,
    by_timer: Callable[[int], float] = lambda _: 0.0,
    joined_later: bool = False,
    at_place: Callable[[int], float] = lambda _: 0.0,
    among_alike: float = np.inf,
    goes_on: Callable[[int], bool] = lambda _: False,
    **rivals: Any,
) -> Odds:
    """The odds, where hosts say nothing of when they were struck and no fault goes on, unless it says so."""
    of_waves = waves.weighed(spot_log_weight)
    none: dict[str, Any] = {
        "of_rollout": lambda _: np.zeros(2, bool),
        "known_from": 0,
        "settled_from": 0,
        "strikes_late": lambda _: False,
        "booted_before": lambda _, minutes: np.ones(len(minutes)),
        "ever": np.zeros(len(trial.updates), np.int64),
        "acquitting": rivals["stands_there"],
    }
    rivalry = Rivalry(trial, waves, of_waves, **(none | rivals))
    hosts = SimpleNamespace(
        by_delay=by_delay,
        by_timer=lambda update, *_: by_timer(update),
        joined_later=lambda *_: joined_later,
        at_place=lambda update, *_: at_place(update),
        among_alike=lambda *_: among_alike,
        goes_on=goes_on,
    )
    return weighing.weigh(rivalry, cast(Hosts, hosts), named_elsewhere)


def judge(
    odds,
    *,
    is_doubtful=lambda *_: False,
    by_delay=lambda _: 0.0,
    is_alone_at_boots=lambda _: False,
    with_one=lambda *_: 0,
    **case,
) -> Judgement:
    hosts = SimpleNamespace(
        is_doubtful=is_doubtful, by_delay=by_delay, is_alone_at_boots=is_alone_at_boots, struck_with_one=with_one
    )
    return verdict.judge(odds, cast(verdict.Hosts, hosts), **case)


def _judged(
    *,
    update_says: float,
    wave_says: float,
    onset: int,
    had_update: float = EVENTS,
    named: bool = False,
    minutes: int = 0,
    contrast: float | None = 100.0,
    by_delay: float = 0.0,
    joined_later: bool = False,
    stands_there: bool = False,
    slow: bool = False,
    doubtful: bool = False,
    before: Kind = Kind.UNDETERMINED,
    pushed: Sequence[int] = (RELEASED,),
) -> Judgement:
    """One update, and one wave of EVENTS events of which ``had_update`` happened to hosts with the update."""
    events = np.zeros((OUTCOMES, 1, AGES, 1))
    events[0, 0, 0, 0] = had_update
    evidence = np.array([update_says])
    trial = Trial(np.array([UPDATE]), events, events / 10, evidence, evidence, evidence[:, None])
    counted = np.zeros((OUTCOMES, 1, SHAPES))
    counted[0] = EVENTS
    wave = Waves(np.array([0]), np.array([onset]), np.full((1, SHAPES), wave_says), counted, counted / 10)
    of_hosts = None if contrast is None else {UPDATE: contrast}.__getitem__
    odds = weigh(
        trial,
        wave,
        pushed=lambda _: np.array(pushed),
        spot_log_weight=np.zeros(1),
        stands_there=np.array([stands_there]),
        of_strata=np.array([False]),
        contrast=of_hosts,
        by_delay=lambda _: by_delay,
        joined_later=joined_later,
        known_from=RELEASED if slow else 0,
        settled_from=RELEASED if slow else 0,
        strikes_late=lambda _: True,
        named_before=UPDATE if named else None,
    )
    return judge(
        odds,
        minutes_open=minutes,
        before=Kind.UPDATE if named else before,
        named_before=UPDATE if named else None,
        contrast=of_hosts,
        is_doubtful=lambda update, _: {UPDATE: doubtful}[update],
    )


@pytest.mark.parametrize(("lack", "kind"), [(2, Kind.CANNOT_SEPARATE), (3, Kind.NO_UPDATE)])
def test_a_wave_acquits_by_hosts_that_lack_the_update_only_if_these_are_more_than_a_few(lack, kind):
    told = _judged(
        update_says=100.0,
        wave_says=150.0,
        onset=RELEASED + 30,
        had_update=EVENTS - lack,
        contrast=-2.0,
        minutes=JUDGING_MINUTES,
    )
    assert (told.kind, told.update) == (kind, None)


def _without_waves(
    trial: Trial,
    *,
    contrast: Contrast | None = None,
    named_elsewhere: Sequence[int] = (),
    **how: Any,
) -> Judgement:
    """Updates of one release, against nothing; named by nobody before, unless it says how."""
    none = np.zeros((OUTCOMES, 0, SHAPES))
    usual: dict[str, Any] = {"minutes_open": 0, "before": Kind.UNDETERMINED, "named_before": None}
    odds = weigh(
        trial,
        Waves(np.zeros(0, int), np.zeros(0, int), np.zeros((0, SHAPES)), none, none),
        pushed=lambda _: np.array([RELEASED]),
        spot_log_weight=np.zeros(0),
        stands_there=np.zeros(0, bool),
        of_strata=np.zeros(0, bool),
        named_elsewhere=named_elsewhere,
        contrast=contrast,
    )
    return judge(odds, contrast=contrast, **(usual | how))


@pytest.mark.parametrize("onset", [RELEASED - COINCIDENT_MINUTES, RELEASED, RELEASED + COINCIDENT_MINUTES])
def test_a_wave_that_begins_with_the_release_does_not_acquit_the_update(onset):
    named = _judged(update_says=100.0, wave_says=150.0, onset=onset, named=True)
    assert (named.kind, named.update) == (Kind.UPDATE, UPDATE)


@pytest.mark.parametrize(
    ("before", "kind", "of_wave"),
    [
        (Kind.UNDETERMINED, Kind.UNDETERMINED, True),
        (Kind.NO_UPDATE, Kind.NO_UPDATE, False),
        (Kind.CANNOT_SEPARATE, Kind.CANNOT_SEPARATE, True),
    ],
)
def test_an_update_that_hardly_anything_speaks_for_is_tied_with_nothing(before, kind, of_wave):
    faint = {"wave_says": 3.5, "onset": RELEASED, "contrast": 0.0, "minutes": JUDGING_MINUTES, "before": before}
    told, likelier = (_judged(update_says=says, **faint) for says in (0.0, 5.0))
    assert told.probabilities[0] < TIED_FROM < likelier.probabilities[0]
    assert (told.kind, likelier.kind) == (kind, Kind.CANNOT_SEPARATE)
    assert (told.wave is not None) == of_wave, "a rise that is over is not looked for elsewhere"


@pytest.mark.parametrize(
    ("contrast", "onset", "slow", "named"),
    [(2.0, 30, False, UPDATE), (2.0, 30, True, None), (5.0, 30, True, UPDATE), (2.0, 90, True, UPDATE)],
    ids=["a wave of the day", "as old as any that is known", "hosts say so", "it began later"],
)
def test_where_a_rise_may_be_older_than_waves_are_known_hosts_have_to_say_so(contrast, onset, slow, named):
    told = _judged(update_says=100.0, wave_says=20.0, onset=RELEASED + onset, contrast=contrast, slow=slow)
    assert told.update == named


@pytest.mark.parametrize("contrast", [0.0, 6.0])
def test_nor_does_it_let_the_update_be_named_anew(contrast):
    early = _judged(update_says=100.0, wave_says=150.0, onset=RELEASED, contrast=contrast)
    late = _judged(update_says=100.0, wave_says=150.0, onset=RELEASED, contrast=contrast, minutes=JUDGING_MINUTES)
    assert (early.kind, late.kind) == (Kind.UNDETERMINED, Kind.CANNOT_SEPARATE)
    assert late.probabilities[0] > 0.5


def test_but_where_hosts_with_it_crash_and_those_beside_them_do_not_no_wave_that_begins_with_it_explains_that():
    assert _judged(update_says=100.0, wave_says=150.0, onset=RELEASED, contrast=8.0).kind is Kind.UPDATE


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    ("onset", "had_update"),
    [(RELEASED + 61, EVENTS), (RELEASED - COINCIDENT_MINUTES - 1, EVENTS), (RELEASED, EVENTS / 2)],
    ids=["it begins long after", "it begins before", "half of its hosts had not got the update"],
)
def test_any_other_wave_that_explains_the_events_better_does(onset, had_update, named):
    told = _judged(
        update_says=100.0, wave_says=150.0, onset=onset, had_update=had_update, named=named, minutes=JUDGING_MINUTES
    )
    assert (told.kind, told.update) == (Kind.NO_UPDATE, None)


AGAIN = RELEASED + 900


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    ("after", "kind"),
    [(-61, Kind.NO_UPDATE), (-3, Kind.NO_UPDATE), (-2, None), (0, None), (2, None), (60, None), (61, Kind.NO_UPDATE)],
)
def test_a_wave_that_begins_with_a_later_push_or_within_the_hour_after_it_acquits_the_update_as_little(
    after, kind, named
):
    """None: as with the release, it is a tie, or the name that was given before."""
    with_push = partial(_judged, update_says=100.0, wave_says=150.0, named=named, minutes=JUDGING_MINUTES, contrast=0.0)
    told = with_push(onset=AGAIN + after, pushed=[RELEASED, AGAIN])
    of_release = with_push(onset=RELEASED + after)
    assert told.kind is of_release.kind
    assert told.kind is (kind or (Kind.UPDATE if named else Kind.CANNOT_SEPARATE))
    assert with_push(onset=AGAIN + after).kind is Kind.NO_UPDATE, "it was not pushed again"


def test_what_rose_with_a_later_push_is_the_updates_only_where_hosts_without_it_fared_better():
    with_push = partial(_judged, update_says=160.0, wave_says=150.0, minutes=JUDGING_MINUTES, contrast=4.0)
    assert with_push(onset=AGAIN, pushed=[RELEASED, AGAIN]).kind is Kind.CANNOT_SEPARATE
    assert with_push(onset=AGAIN).kind is Kind.UPDATE


def test_without_installs_what_begins_an_hour_after_a_later_push_is_not_the_updates():
    late = partial(_judged, update_says=160.0, wave_says=150.0, contrast=None, minutes=JUDGING_MINUTES)
    for after, kind in ((60, Kind.UPDATE), (61, Kind.CANNOT_SEPARATE)):
        assert late(onset=AGAIN + after, pushed=[RELEASED, AGAIN]).kind is kind


@pytest.mark.parametrize(
    ("named", "stands_there", "contrast", "kind"),
    [
        (False, False, 0.0, Kind.CANNOT_SEPARATE),
        (False, False, -1.1, Kind.NO_UPDATE),
        (False, True, 0.0, Kind.NO_UPDATE),
        (True, False, 0.0, Kind.CANNOT_SEPARATE),
        (True, False, -6.8, Kind.CANNOT_SEPARATE),
        (True, False, -1.1, Kind.CANNOT_SEPARATE),
        (True, False, -7.0, Kind.NO_UPDATE),
        (True, True, 0.0, Kind.NO_UPDATE),
    ],
    ids=[
        "hosts of a kind, all of whom had it",
        "hosts without it are hit as well",
        "a region",
        "named, and all of whom had it",
        "named, and a few do not tell of it",
        "named, and hardly anybody does not",
        "named, and hosts without it are hit as well",
        "named, and a region",
    ],
)
def test_an_update_that_strikes_after_a_while_is_not_acquitted_by_a_wave_among_hosts_of_a_kind(
    stands_there, contrast, kind, named
):
    told = _judged(
        update_says=100.0,
        wave_says=150.0,
        onset=RELEASED + 20,
        had_update=EVENTS if contrast == 0.0 else 0.95 * EVENTS,
        minutes=JUDGING_MINUTES,
        named=named,
        contrast=contrast,
        stands_there=stands_there,
    )
    kept = named and kind is Kind.CANNOT_SEPARATE
    assert (told.kind, told.update) == ((Kind.UPDATE, UPDATE) if kept else (kind, None))
    assert (told.probabilities[0] > 0.5) == (kind is Kind.CANNOT_SEPARATE)


@pytest.mark.parametrize(
    ("spot", "earlier_says", "kind"),
    [
        (0, 140.0, Kind.CANNOT_SEPARATE),
        (0, 152.9, Kind.CANNOT_SEPARATE),
        (0, 153.1, Kind.NO_UPDATE),
        (1, 140.0, Kind.NO_UPDATE),
    ],
    ids=["says less", "says hardly more", "says more", "elsewhere"],
)
def test_nor_by_one_that_reaches_back_to_before_the_release_and_says_no_more_by_it(spot, earlier_says, kind):
    """Half an hour before the release, in the same hosts or in others; the later one begins half an hour after it."""
    events = np.zeros((OUTCOMES, 1, AGES, 1))
    events[0, 0, 2, 0] = EVENTS
    evidence = np.array([100.0])
    counted = np.zeros((OUTCOMES, 2, SHAPES))
    counted[0] = EVENTS
    says = np.repeat([[150.0], [earlier_says]], SHAPES, axis=1)
    odds = weigh(
        Trial(np.array([UPDATE]), events, events / 10, evidence, evidence, evidence[:, None]),
        Waves(np.array([0, spot]), np.array([RELEASED + 30, RELEASED - 30]), says, counted, counted / 10),
        pushed=lambda _: np.array([RELEASED]),
        spot_log_weight=np.zeros(2),
        stands_there=np.array([False, False]),
        of_strata=np.array([False, False]),
        contrast=lambda _: 0.0,
    )
    how = {"minutes_open": JUDGING_MINUTES, "before": Kind.UNDETERMINED, "named_before": None}
    assert judge(odds, contrast=lambda _: 0.0, **how).kind is kind


@pytest.mark.parametrize(("had_update", "kind"), [(0.96 * EVENTS, Kind.UPDATE), (0.94 * EVENTS, Kind.NO_UPDATE)])
def test_a_name_is_kept_against_hosts_that_say_little_only_where_few_of_the_struck_lack_it(had_update, kind):
    says = partial(_judged, update_says=100.0, wave_says=150.0, contrast=-1.1, minutes=JUDGING_MINUTES, named=True)
    assert says(onset=RELEASED + 20, had_update=had_update).kind is kind


@pytest.mark.parametrize(
    ("onset", "says", "is_place", "kind"),
    [
        (RELEASED + 10, 140.0, True, Kind.CANNOT_SEPARATE),
        (RELEASED + 10, 152.0, True, Kind.NO_UPDATE),
        (RELEASED - 30, 140.0, True, Kind.NO_UPDATE),
        (RELEASED + 10, 140.0, False, Kind.NO_UPDATE),
    ],
    ids=["says less", "says more", "began before the push", "beside one of a kind"],
)
def test_nor_by_one_at_a_place_that_began_after_its_push_and_says_less_than_one_that_it_may_have_begun(
    onset, says, is_place, kind
):
    """As of a site of the customer whose hosts it strikes.

    Args:
        is_place: whether what it may have begun is at a place as well.
    """
    events = np.zeros((OUTCOMES, 1, AGES, 1))
    events[0, 0, 2, 0] = EVENTS
    evidence = np.array([100.0])
    counted = np.zeros((OUTCOMES, 2, SHAPES))
    counted[0] = EVENTS
    odds = weigh(
        Trial(np.array([UPDATE]), events, events / 10, evidence, evidence, evidence[:, None]),
        Waves(
            np.array([0, 1]),
            np.array([RELEASED, onset]),
            np.repeat([[150.0], [says]], SHAPES, axis=1),
            counted,
            counted / 10,
        ),
        pushed=lambda _: np.array([RELEASED]),
        spot_log_weight=np.zeros(2),
        stands_there=np.array([is_place, True]),
        acquitting=np.array([False, True]),
        of_strata=np.array([False, False]),
        contrast=lambda _: 0.0,
    )
    how = {"minutes_open": JUDGING_MINUTES, "before": Kind.UNDETERMINED, "named_before": None}
    assert judge(odds, contrast=lambda _: 0.0, **how).kind is kind


@pytest.mark.parametrize(
    ("after", "stands_there", "kind"),
    [(300, False, Kind.CANNOT_SEPARATE), (300, True, Kind.NO_UPDATE), (1441, False, Kind.NO_UPDATE)],
    ids=["five hours later", "in a region", "a day later"],
)
def test_without_installs_no_wave_within_the_day_acquits_an_update_that_may_be_rolled_out_in_stages(
    after, stands_there, kind
):
    told = _judged(
        update_says=100.0,
        wave_says=150.0,
        onset=RELEASED + after,
        minutes=JUDGING_MINUTES,
        contrast=None,
        stands_there=stands_there,
    )
    assert told.kind is kind


def test_while_installs_are_still_being_told_a_wave_soon_after_the_release_acquits_nobody():
    early = _judged(update_says=100.0, wave_says=150.0, onset=RELEASED + 10)
    other = _judged(update_says=100.0, wave_says=150.0, onset=RELEASED + 10, had_update=EVENTS / 2)
    before = _judged(update_says=100.0, wave_says=150.0, onset=RELEASED - 10)
    assert (early.kind, other.kind, before.kind) == (Kind.UNDETERMINED, Kind.NO_UPDATE, Kind.NO_UPDATE)


@pytest.mark.parametrize(("elsewhere", "named"), [((), OTHER), ((UPDATE,), UPDATE)])
def test_of_two_that_explain_the_events_the_one_that_did_it_before_is_named(elsewhere, named):
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    evidence = np.array([100.0, 103.0])
    trial = Trial(np.array([UPDATE, OTHER]), events, events, evidence, evidence, evidence[:, None])
    told = _without_waves(
        trial,
        named_elsewhere=elsewhere,
        contrast={UPDATE: 0.0, OTHER: 0.0}.__getitem__,
    )
    assert (told.kind, told.update) == (Kind.UPDATE, named)


@pytest.mark.parametrize(("told", "is_alike"), [(1.0, False), (0.8, True), (0.6, False)])
def test_in_a_tie_an_update_that_would_lead_had_all_the_struck_told_of_it_is_as_likely_as_the_leader(told, is_alike):
    """Of what went out before the fault they tell all; who crashes at once may never tell of the guilty one."""
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    events[CRASH, :, 2, 0] = EVENTS * told, EVENTS
    evidence = np.array([160.0, 200.0])
    expected = events * np.array([0.05, 0.1])[:, None, None]
    trial = Trial(np.array([UPDATE, OTHER]), events, expected, evidence, evidence, evidence[:, None])
    counted = np.zeros((OUTCOMES, 1, SHAPES))
    counted[CRASH] = EVENTS
    contrast = {UPDATE: 0.0, OTHER: 0.0}.__getitem__
    odds = weigh(
        trial,
        Waves(np.array([0]), np.array([RELEASED]), np.full((1, SHAPES), 199.0), counted, counted / 10),
        pushed=lambda _: np.array([RELEASED]),
        spot_log_weight=np.zeros(1),
        stands_there=np.array([False]),
        of_strata=np.array([False]),
        contrast=contrast,
    )
    found = judge(odds, minutes_open=JUDGING_MINUTES, before=Kind.UNDETERMINED, named_before=None, contrast=contrast)
    assert (found.kind, found.update) == (Kind.CANNOT_SEPARATE, None)
    assert found.probabilities == pytest.approx([0.5, 0.5] if is_alike else [0.0, 1.0], abs=0.05)


def _beside_a_known_fault(
    *,
    says: float,
    other: float,
    elsewhere: Sequence[int] = (UPDATE,),
    share: float = 1.0,
    test: float = 100.0,
    wave_says: float = 580.0,
    goes_on: bool = False,
    ever: float = 0.0,
) -> Judgement:
    """EVENTS events that another update, and a region's wave, fit better than one that most of the hosts struck had.

    Args:
        says, other: what the hosts beside say for the one and for the other. share: of the events, those of hosts that
            had the one for less than a day; ever: for however long. test: of it. goes_on: whether it was to strike as
            many. Its witnesses are doubted if asked.
    """
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    events[CRASH_AT_BOOT, :, 0, 0] = EVENTS * share, EVENTS
    evidence = np.array([500.0, 540.0])
    trial = Trial(np.array([UPDATE, OTHER]), events, events / 10, evidence, np.array([test, 100.0]), evidence[:, None])
    counted = np.zeros((OUTCOMES, 1, SHAPES))
    counted[CRASH_AT_BOOT] = EVENTS
    contrast = {UPDATE: says, OTHER: other}.__getitem__
    odds = weigh(
        trial,
        Waves(np.array([0]), np.array([RELEASED + 600]), np.full((1, SHAPES), wave_says), counted, counted / 10),
        pushed=lambda _: np.array([RELEASED]),
        spot_log_weight=np.zeros(1),
        stands_there=np.array([True]),
        of_strata=np.array([False]),
        named_elsewhere=elsewhere,
        contrast=contrast,
        goes_on=lambda update: goes_on and update == UPDATE,
        ever=np.array([int(EVENTS * ever), 0]),
    )
    return judge(
        odds,
        minutes_open=JUDGING_MINUTES,
        before=Kind.UNDETERMINED,
        named_before=None,
        contrast=contrast,
        is_doubtful=lambda *_: goes_on,
    )


@pytest.mark.parametrize("test", [100.0, 0.0])
def test_a_known_fault_that_hosts_tell_is_no_regions_wave_and_none_of_what_came_with_the_boots(test):
    told = _beside_a_known_fault(says=0.2 * EVENTS + 0.1, other=0.0, test=test)
    assert (told.kind, told.update) == (Kind.UPDATE, UPDATE)


@pytest.mark.parametrize(
    ("says", "other", "how"),
    [(21.0, 0.0, {"elsewhere": ()}), (21.0, 18.1, {}), (21.0, 0.0, {"share": 0.7})],
    ids=["nobody named it", "they say as much for another", "some struck hosts lack it"],
)
def test_but_not_where_nobody_knew_it_or_hosts_do_not_say_it_of_it_alone(says, other, how):
    told = _beside_a_known_fault(says=says, other=other, **how)
    assert (told.kind, told.update) == (Kind.NO_UPDATE, None)


@pytest.mark.parametrize(("ever", "named"), [(0.9, UPDATE), (0.7, None)])
def test_it_is_of_one_that_most_of_the_struck_have_had_for_days(ever, named):
    told = _beside_a_known_fault(says=21.0, other=0.0, share=0.3, ever=ever)
    assert (told.update, told.is_known) == (named, named is not None)


@pytest.mark.parametrize(
    ("says", "other", "share", "named"),
    [(21.0, 0.0, 0.6, None), (21.0, 14.2, 0.6, OTHER), (21.0, 0.0, 0.4, OTHER)],
    ids=["half have it", "they say as much of the other", "it is not of half"],
)
def test_nothing_else_is_named_while_hosts_say_far_more_of_a_known_fault(says, other, share, named):
    told = _beside_a_known_fault(says=says, other=other, share=share, wave_says=0.0)
    assert told.update == named


@pytest.mark.parametrize("wave_says", [580.0, 0.0])
@pytest.mark.parametrize("says", [3.1, 0.2 * EVENTS - 0.1])
def test_while_hosts_say_too_little_for_a_known_fault_neither_it_nor_what_came_with_the_boots_is_named(says, wave_says):
    told = _beside_a_known_fault(says=says, other=0.0, wave_says=wave_says)
    assert (told.kind, told.update) == (Kind.CANNOT_SEPARATE, None)


@pytest.mark.parametrize("says", [-0.5, 0.0, 30.0])
def test_what_a_known_fault_was_to_bring_about_is_its_doing_whatever_hosts_say(says):
    told = _beside_a_known_fault(says=says, other=0.0, test=0.0, goes_on=True)
    assert (told.kind, told.update) == (Kind.UPDATE, UPDATE)
    assert told.probabilities[1] == 0.0


@pytest.mark.parametrize(
    "how", [{"elsewhere": ()}, {"share": 0.7}], ids=["nobody named it", "some struck hosts lack it"]
)
def test_but_not_where_nobody_knew_it_or_some_of_the_struck_lack_it(how):
    told = _beside_a_known_fault(says=0.0, other=0.0, goes_on=True, **how)
    assert told.update is None


@pytest.mark.parametrize(("elsewhere", "named"), [((UPDATE,), UPDATE), ((), None)], ids=["known", "told by nobody"])
def test_of_two_that_went_out_together_a_known_one_is_named_where_hosts_say_it_of_it(elsewhere, named):
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    events[CRASH, :, 0, 0] = EVENTS
    evidence = np.array([500.0, 499.0])
    trial = Trial(np.array([UPDATE, OTHER]), events, events / 10, evidence, evidence, evidence[:, None])
    says = 0.2 * EVENTS + 1.0
    told = _without_waves(trial, named_elsewhere=elsewhere, contrast={UPDATE: says, OTHER: says - 4.0}.__getitem__)
    assert told.update == named


def test_nor_does_a_known_fault_stand_in_for_one_whose_installs_are_told_late():
    told = _beside_a_known_fault(says=0.0, other=-4.0, wave_says=0.0)
    assert told.update is None
    assert told.probabilities == pytest.approx([0.5, 0.5], abs=0.01)


def _latent(
    *,
    says: float,
    other: float = 0.0,
    at_place: float = 0.0,
    of_strata: bool = True,
    alike: float = 0.0,
    count: float = EVENTS,
    share: float = 1.0,
    test: float = 100.0,
    named: int | None = None,
    contrast: bool = True,
) -> Judgement:
    """A wave that begins with the release of OTHER, in hosts all of which got UPDATE five hours before.

    Args:
        says, other: what the hosts beside say for UPDATE and for OTHER. at_place: how much better a wave at a place
            explains the events than one everywhere. of_strata: whether the latter is of whole strata; else alike: what
            the hosts that are alike in what it is of say for UPDATE.
        count: how many there are. share: of them, those of hosts that had UPDATE. test: of it. named: the one so far.
        contrast: whether installs are told.
    """
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    events[CRASH, 0, 4, 0], events[CRASH, 1, 0, 0] = count * share, count
    evidence = np.array([60.0, 150.0])
    trial = Trial(np.array([UPDATE, OTHER]), events, events / 10, evidence, np.array([test, 100.0]), evidence[:, None])
    counted = np.zeros((OUTCOMES, 2, SHAPES))
    counted[CRASH] = count
    log_waves = np.full((2, SHAPES), 100.0)
    log_waves[:, 0] = 155.0, 155.0 + at_place
    said = {UPDATE: says, OTHER: other}.__getitem__ if contrast else None
    odds = weigh(
        trial,
        Waves(np.array([0, 1]), np.array([RELEASED, RELEASED]), log_waves, counted, counted / 10),
        pushed={UPDATE: np.array([RELEASED - 300]), OTHER: np.array([RELEASED])}.__getitem__,
        spot_log_weight=np.zeros(2),
        stands_there=np.array([False, True]),
        of_strata=np.array([of_strata, False]),
        named_before=named,
        contrast=said,
        at_place={UPDATE: alike, OTHER: 0.0}.__getitem__,
    )
    return judge(
        odds,
        minutes_open=JUDGING_MINUTES,
        before=Kind.UNDETERMINED if named is None else Kind.UPDATE,
        named_before=named,
        contrast=said,
    )


ENOUGH = 0.2 * EVENTS


@pytest.mark.parametrize(
    "how",
    [
        {"says": ENOUGH + 0.1},
        {"says": ENOUGH + 0.1, "other": ENOUGH - 6.9},
        {"says": ENOUGH + 10.1, "at_place": 10.0},
        {"says": ENOUGH + 0.1, "of_strata": False, "alike": ENOUGH + 0.1},
        {"says": 3.1, "named": UPDATE},
        {"says": 20.0, "other": 16.9, "named": UPDATE},
    ],
    ids=[
        "everywhere",
        "they say less for the other",
        "more than for a place",
        "alike of one build",
        "named before",
        "both were told apart",
    ],
)
def test_a_latent_fault_is_named_where_hosts_say_it_of_its_update_alone_and_of_no_place(how):
    told = _latent(**how)
    assert (told.kind, told.update) == (Kind.UPDATE, UPDATE)
    assert told.probabilities[1] == 0.0


@pytest.mark.parametrize(
    "how",
    [
        {"says": ENOUGH - 0.1},
        {"says": ENOUGH + 0.1, "other": ENOUGH - 6.7},
        {"says": ENOUGH + 9.9, "at_place": 10.0},
        {"says": ENOUGH + 10.0, "of_strata": False, "alike": ENOUGH - 0.1},
        {"says": ENOUGH - 0.1, "of_strata": False, "alike": ENOUGH + 10.0},
        {"says": ENOUGH + 10.0, "share": 0.79},
        {"says": ENOUGH + 10.0, "test": 8.0},
        {"says": 2.9, "named": UPDATE},
        {"says": 20.0, "other": 17.1, "named": UPDATE},
        {"says": 3.1, "named": OTHER},
        {"says": ENOUGH + 10.0, "contrast": False},
    ],
    ids=[
        "they say too little",
        "they say as much of the other",
        "a place explains it",
        "they say too little where they are alike",
        "they say it where they are alike alone",
        "many of the struck lack it",
        "its own test has not passed",
        "they say hardly anything any more",
        "they say as much of the other by now",
        "another is named",
        "no installs are told",
    ],
)
def test_but_not_where_they_say_less_than_the_moment_the_place_or_another_update_would(how):
    told = _latent(**how)
    assert told.update != UPDATE
    assert told.probabilities[1] > 0.0, "the other is weighed as ever"


@pytest.mark.parametrize(
    ("more", "named", "kept"), [(2.0, UPDATE, True), (20.0, UPDATE, False), (2.0, None, False)],
    ids=["hardly any before it", "some before it", "not named so far"],
)  # fmt: skip
def test_a_name_that_hosts_told_stands_though_a_wave_of_before_it_fits_the_end_of_the_fault_better(more, named, kept):
    """Sixty waves fit better than the update; they began an hour and a half before it was sent out."""
    events = np.zeros((OUTCOMES, 1, AGES, 1))
    events[CRASH, 0, 3, 0] = EVENTS
    evidence = np.array([900.0])
    trial = Trial(np.array([UPDATE]), events, events / 10, evidence, evidence, evidence[:, None])
    onset = np.array([RELEASED - 90] * 60 + [RELEASED])
    counted = np.zeros((OUTCOMES, 61, SHAPES))
    counted[CRASH] = EVENTS
    counted[CRASH, :60] += more
    log_waves = np.full((61, SHAPES), 905.0)
    log_waves[60] = 800.0
    said = {UPDATE: 2.0 * ENOUGH}.__getitem__
    odds = weigh(
        trial,
        Waves(np.zeros(61, np.int64), onset, log_waves, counted, counted / 10),
        pushed={UPDATE: np.array([RELEASED])}.__getitem__,
        spot_log_weight=np.zeros(1),
        stands_there=np.array([False]),
        of_strata=np.array([True]),
        named_before=named,
        contrast=said,
    )
    assert (odds.probabilities[0] > NAMING_PROBABILITY) == kept


@pytest.mark.parametrize(("count", "least"), [(20.0, LOG_LATENT), (60.0, LOG_LATENT), (100.0, ENOUGH), (200.0, 40.0)])
def test_few_events_have_to_say_that_it_is_likelier_than_a_wave_and_many_so_much_each(count, least):
    assert _latent(count=count, says=least + 0.1).update == UPDATE
    assert _latent(count=count, says=least - 0.1).update is None


@pytest.mark.parametrize(
    ("minutes", "kind"), [(JUDGING_MINUTES - 1, Kind.UNDETERMINED), (JUDGING_MINUTES, Kind.CANNOT_SEPARATE)]
)
def test_what_is_left_to_older_updates_names_nobody_and_nothing_on_trial_is_likely(minutes, kind):
    named = _judged(update_says=160.0, wave_says=10.0, onset=RELEASED)
    left = named.left_to_older((3, 4), minutes)
    assert (named.update, left.update, left.kind, left.unweighed) == (UPDATE, None, kind, (3, 4))
    assert not left.probabilities.any()
    assert left.leader(np.array([UPDATE])) is None


def test_an_update_that_explains_the_events_twenty_times_better_is_named():
    assert _judged(update_says=160.0, wave_says=150.0, onset=RELEASED).kind is Kind.UPDATE


@pytest.mark.parametrize(
    ("named", "before", "wave_says", "kind"),
    [
        (False, Kind.UNDETERMINED, 150.0, Kind.CANNOT_SEPARATE),
        (False, Kind.CANNOT_SEPARATE, 150.0, Kind.CANNOT_SEPARATE),
        (False, Kind.NO_UPDATE, 150.0, Kind.NO_UPDATE),
        (False, Kind.NO_UPDATE, 158.0, Kind.NO_UPDATE),
        (True, Kind.UPDATE, 150.0, Kind.UPDATE),
    ],
    ids=["not said before", "not told apart before", "no update before", "no update, and it is a tie", "named before"],
)
def test_but_not_where_only_some_of_its_hosts_are_struck_who_have_something_else_in_common(
    named, before, wave_says, kind
):
    how = {"onset": RELEASED + 100, "minutes": JUDGING_MINUTES, "named": named, "before": before}
    assert _judged(update_says=160.0, wave_says=wave_says, doubtful=True, **how).kind is kind


@pytest.mark.parametrize(
    ("contrast", "kind"), [(-1.0, Kind.CANNOT_SEPARATE), (4.0, Kind.CANNOT_SEPARATE), (4.2, Kind.UPDATE)]
)
def test_what_rose_with_the_release_is_the_updates_only_where_hosts_without_it_fared_better(contrast, kind):
    told = _judged(update_says=160.0, wave_says=150.0, onset=RELEASED, minutes=JUDGING_MINUTES, contrast=contrast)
    assert told.kind is kind


@pytest.mark.parametrize(
    ("how", "lacks"),
    [
        ({"contrast": 4.2}, None),
        ({"contrast": 4.0}, Lack.BESIDE),
        ({"contrast": -1.1}, Lack.STRUCK_TOO),
        ({"onset": RELEASED + 70, "contrast": None}, Lack.INSTALLS),
        ({"onset": RELEASED + 100, "doubtful": True}, Lack.WITNESSES),
        ({"wave_says": 158.0, "onset": RELEASED + 100}, None),
    ],
    ids=["nothing", "hosts beside them", "hosts beside them that are struck, too", "installs", "witnesses", "events"],
)
def test_of_an_update_that_is_not_named_it_is_said_what_that_would_take(how, lacks):
    usual = {"update_says": 160.0, "wave_says": 150.0, "onset": RELEASED, "minutes": JUDGING_MINUTES}
    assert _judged(**(usual | how)).lacks is lacks


@pytest.mark.parametrize(
    ("contrast", "lead", "lacks"),
    [(0.0, 2.0, Lack.ALONE), (0.0, 4.0, Lack.ALONE), (None, 2.0, Lack.INSTALLS)],
    ids=["hosts with one alone", "hardly as likely", "installs"],
)
def test_of_two_that_the_same_hosts_have_too_few_have_only_one(contrast, lead, lacks):
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    events[CRASH, :, 3, 0] = EVENTS
    evidence = np.array([100.0, 100.0 + lead])
    trial = Trial(np.array([UPDATE, OTHER]), events, events, evidence, evidence, evidence[:, None])
    of_hosts = None if contrast is None else {UPDATE: contrast, OTHER: contrast}.__getitem__
    assert _without_waves(trial, minutes_open=JUDGING_MINUTES, contrast=of_hosts).lacks is lacks


@pytest.mark.parametrize(
    ("older", "lacks"), [((UPDATE, 3), Lack.ALONE), ((UPDATE,), Lack.BESIDE), ((3, 4), Lack.LATELY)]
)
def test_what_is_left_to_older_updates_lacks_hosts_with_one_alone_or_without_it_or_a_time(older, lacks):
    named = _judged(update_says=160.0, wave_says=10.0, onset=RELEASED)
    assert (named.update, named.left_to_older(older, 0).lacks) == (UPDATE, lacks)


@pytest.mark.parametrize(("by_delay", "kind"), [(6.8, Kind.CANNOT_SEPARATE), (7.0, Kind.UPDATE)])
@pytest.mark.parametrize("wave_says", [150.0, 170.0], ids=["fits worse", "fits better"])
def test_what_strikes_as_long_after_the_install_as_a_fault_does_is_no_wave(by_delay, kind, wave_says):
    with_release = partial(_judged, onset=RELEASED, minutes=JUDGING_MINUTES, contrast=0.0, by_delay=by_delay)
    assert with_release(update_says=160.0, wave_says=wave_says).kind is kind


@pytest.mark.parametrize(("contrast", "kind"), [(-0.9, Kind.UPDATE), (-1.1, Kind.CANNOT_SEPARATE)])
def test_that_says_nothing_where_hosts_without_the_update_clearly_fare_worse(contrast, kind):
    with_release = partial(_judged, onset=RELEASED, minutes=JUDGING_MINUTES, contrast=contrast, by_delay=100.0)
    assert with_release(update_says=160.0, wave_says=150.0).kind is kind


@pytest.mark.parametrize(("contrast", "by_hosts"), [(19.0, False), (21.0, True)])
def test_hosts_without_the_update_have_to_say_so_much_an_event_before_it_is_told_by_them(contrast, by_hosts):
    told = _judged(update_says=160.0, wave_says=10.0, onset=RELEASED, contrast=contrast)
    assert (told.update, told.is_told_by_hosts) == (UPDATE, by_hosts)


@pytest.mark.parametrize(
    ("onset", "had_update", "kind"),
    [(-30, EVENTS, Kind.UPDATE), (-30, 0.7 * EVENTS, Kind.NO_UPDATE), (-61, EVENTS, Kind.NO_UPDATE)],
    ids=["in its hosts", "in others as well", "long before"],
)
def test_how_long_after_the_install_hosts_crash_explains_no_wave_in_others_or_of_before(onset, had_update, kind):
    of_wave = partial(_judged, update_says=160.0, wave_says=190.0, onset=RELEASED + onset, had_update=had_update)
    assert of_wave(contrast=0.0, by_delay=0.0).kind is Kind.NO_UPDATE
    assert of_wave(contrast=0.0, by_delay=100.0).kind is kind


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ({}, Kind.UPDATE),
        ({"onset": RELEASED + 60, "named": True}, Kind.UPDATE),
        ({"onset": RELEASED + 61, "named": True}, Kind.NO_UPDATE),
        ({"had_update": 0.4 * EVENTS, "named": True}, Kind.NO_UPDATE),
        ({"by_delay": 6.8, "named": True}, Kind.NO_UPDATE),
        ({"joined_later": True, "named": True}, Kind.NO_UPDATE),
    ],
    ids=[
        "half tell",
        "within the hour",
        "later",
        "most do not tell",
        "the time since the install says little",
        "those that do not tell came later",
    ],
)
def test_of_hosts_that_the_wave_strikes_half_may_not_tell_of_an_update_that_the_others_tell_twice(how, kind):
    usual = {"onset": RELEASED, "had_update": 0.6 * EVENTS, "by_delay": 7.0, "contrast": 100.0}
    told = _judged(update_says=100.0, wave_says=150.0, minutes=JUDGING_MINUTES, **(usual | how))
    assert told.kind is kind


def test_what_rose_long_after_the_release_needs_no_hosts_without_the_update_but_none_that_fared_worse():
    later = partial(_judged, update_says=160.0, wave_says=150.0, onset=RELEASED + 60)
    assert later(contrast=0.0).kind is Kind.UPDATE
    assert later(contrast=-1.1).kind is Kind.UNDETERMINED


@pytest.mark.parametrize(
    ("contrast", "named", "kind"),
    [(0.9, False, Kind.CANNOT_SEPARATE), (0.9, True, Kind.UPDATE), (1.1, False, Kind.UPDATE)],
    ids=["nobody lacks it", "nobody does, and it was named", "hosts give a hint"],
)
def test_what_a_wave_explains_nearly_as_well_is_the_updates_only_where_hosts_without_it_say_so_a_little(
    contrast, named, kind
):
    later = partial(_judged, update_says=160.0, wave_says=154.0, onset=RELEASED + 90, minutes=JUDGING_MINUTES)
    assert later(contrast=contrast, named=named).kind is kind


@pytest.mark.parametrize(
    ("before", "delay", "told"),
    [
        (Kind.NO_UPDATE, 14.0, True),
        (Kind.CANNOT_SEPARATE, 14.0, True),
        (Kind.NO_UPDATE, 13.0, False),
        (Kind.UNDETERMINED, 14.0, False),
    ],
    ids=["after no update", "after a tie", "hardly", "at first, when it matters nothing"],
)
def test_that_hosts_are_struck_as_long_after_their_installs_as_others_is_kept_in_mind_against_no_update(
    before, delay, told
):
    evidence, events = np.array([100.0]), np.zeros((OUTCOMES, 1, AGES, 1))
    events[0, 0, 3, 0] = EVENTS
    trial = Trial(np.array([UPDATE]), events, events / 10, evidence, evidence, evidence[:, None])
    judged = _without_waves(trial, before=before, by_delay=lambda _: delay, contrast=lambda _: 0.0)
    assert (judged.update, judged.is_told_by_delay) == (UPDATE, told)


def test_without_installs_what_rose_with_the_release_is_the_updates():
    told = _judged(update_says=100.0, wave_says=150.0, onset=RELEASED, contrast=None)
    assert (told.kind, told.update) == (Kind.UPDATE, UPDATE)
    assert told.probabilities[0] < 0.99


@pytest.mark.parametrize(("after", "kind"), [(60, Kind.UPDATE), (61, Kind.CANNOT_SEPARATE)])
def test_without_installs_what_rose_more_than_an_hour_after_the_release_may_be_anybodys(after, kind):
    how = {"onset": RELEASED + after, "minutes": JUDGING_MINUTES}
    assert _judged(update_says=100.0, wave_says=90.0, contrast=None, **how).kind is kind


@pytest.mark.parametrize(
    ("outcome", "age", "contrast", "alone", "named"),
    [
        (CRASH_AT_BOOT, 4, 0.5 * EVENTS - 0.1, False, False),
        (CRASH_AT_BOOT, 4, 0.5 * EVENTS + 0.1, False, True),
        (CRASH_AT_BOOT, 4, 10.0, True, True),
        (CRASH_AT_BOOT, 3, 0.0, False, True),
        (CRASH, 4, 0.0, False, True),
    ],
    ids=["hosts hardly tell", "hosts tell", "told from all that they have", "within four hours", "long after a boot"],
)
def test_what_strikes_at_a_boot_hours_later_may_be_of_an_update_of_the_day_before(outcome, age, contrast, alone, named):
    events = np.zeros((OUTCOMES, 1, AGES, 1))
    events[outcome, 0, age, 0] = EVENTS
    evidence = np.array([100.0])
    told = _without_waves(
        Trial(np.array([UPDATE]), events, events / 10, evidence, evidence, evidence[:, None]),
        contrast={UPDATE: contrast}.__getitem__,
        is_alone_at_boots={UPDATE: alone}.__getitem__,
    )
    assert told.update == (UPDATE if named else None)
    assert told.is_told_by_hosts == (named and (alone or contrast > 0.0))


@pytest.mark.parametrize(
    ("onset", "kind"), [(RELEASED, Kind.CANNOT_SEPARATE), (RELEASED - 30, Kind.NO_UPDATE)], ids=["with it", "before it"]
)
def test_a_wave_that_begins_with_one_of_two_that_are_hardly_told_apart_acquits_neither(onset, kind):
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    events[0, :, 3, 0] = EVENTS
    evidence = np.array([100.0, 103.0])
    counted = np.zeros((OUTCOMES, 1, SHAPES))
    counted[0] = EVENTS
    odds = weigh(
        Trial(np.array([UPDATE, OTHER]), events, events / 10, evidence, evidence, evidence[:, None]),
        Waves(np.array([0]), np.array([onset]), np.full((1, SHAPES), 140.0), counted, counted / 10),
        pushed={UPDATE: np.array([RELEASED]), OTHER: np.array([RELEASED - 200])}.__getitem__,
        spot_log_weight=np.zeros(1),
        stands_there=np.array([False]),
        of_strata=np.array([False]),
        contrast=lambda _: 0.0,
    )
    told = judge(
        odds,
        minutes_open=JUDGING_MINUTES,
        before=Kind.UNDETERMINED,
        named_before=None,
        contrast=lambda _: 0.0,
    )
    assert told.kind is kind


@pytest.mark.parametrize(
    ("other", "lead", "contrast", "named"),
    [
        (50.0, 6.0, 0.0, True),
        (50.0, 6.0, None, False),
        (50.0, 8.0, None, True),
        (100.0, 8.0, None, False),
        (100.0, 12.0, None, True),
    ],
    ids=["by installs", "hardly", "by a thousand to one", "but the other explains nine tenths", "and by a ninth"],
)
def test_of_two_that_go_by_release_one_must_be_far_ahead(other, lead, contrast, named):
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    evidence = np.array([other, other + lead])
    trial = Trial(np.array([UPDATE, OTHER]), events, events, evidence, evidence, evidence[:, None])
    told = _without_waves(
        trial,
        contrast=None if contrast is None else {UPDATE: 0.0, OTHER: contrast}.__getitem__,
    )
    assert told.update == (OTHER if named else None)


@pytest.mark.parametrize(
    ("outcome", "age", "contrasts", "named"),
    [
        (CRASH, (2, 0), (0.0, 0.0), True),
        (CRASH, (1, 0), (0.0, 0.0), True),
        (CRASH, (0, 0), (0.0, 0.0), False),
        (CRASH, (0, 0), (0.0, 8.0), True),
        (CRASH, (3, 3), (0.0, 0.0), False),
        (CRASH, (3, 3), (1.0, 5.0), False),
        (CRASH, (3, 3), (1.0, 8.5), True),
        (CRASH_AT_BOOT, (0, 0), (0.0, 0.0), False),
    ],
    ids=[
        "at once, and an hour after the other",
        "at once, and minutes after the other",
        "at once, after both",
        "at once, after both, while hosts beside them that lack one fare better",
        "hours later, in hosts that have both",
        "hours later, in hosts a few of which lack one",
        "hours later, in hosts that mostly lack one",
        "at a boot",
    ],
)
def test_of_two_whose_hosts_are_the_same_a_fault_tells_one_by_striking_soon_after_it_alone(
    outcome, age, contrasts, named
):
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    events[outcome, (0, 1), age, 0] = EVENTS
    evidence = np.array([100.0, 104.0])
    trial = Trial(np.array([UPDATE, OTHER]), events, events, evidence, evidence, evidence[:, None])
    told = _without_waves(
        trial,
        minutes_open=JUDGING_MINUTES,
        contrast=dict(zip((UPDATE, OTHER), contrasts, strict=True)).__getitem__,
    )
    assert (told.kind, told.update) == ((Kind.UPDATE, OTHER) if named else (Kind.CANNOT_SEPARATE, None))


@pytest.mark.parametrize("outcome", [CRASH, CRASH_AT_BOOT], ids=["at once", "as they come online"])
@pytest.mark.parametrize(("lack", "contrast", "named"), [(0, 8.0, True), (2, 8.0, False), (2, 22.0, True)])
def test_the_few_struck_hosts_that_have_but_one_of_two_do_not_tell_which(outcome, lack, contrast, named):
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    events[outcome, :, 0, 0] = EVENTS - lack, EVENTS
    evidence = np.array([100.0, 120.0])
    trial = Trial(np.array([UPDATE, OTHER]), events, events, evidence, evidence, evidence[:, None])
    told = _without_waves(trial, minutes_open=JUDGING_MINUTES, contrast={UPDATE: 0.0, OTHER: contrast}.__getitem__)
    assert told.update == (OTHER if named else None)
    assert (told.probabilities[0] > 0.1) == (not named)


@pytest.mark.parametrize(
    ("alone", "beside", "named"),
    [(13, 0, True), (13, 3, False), (30, 3, True), (3, 13, False)],
    ids=["all with one", "by a coin", "mostly with one", "mostly with the other"],
)
def test_nor_do_more_where_others_have_but_the_other_one(alone, beside, named):
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    events[CRASH, :, 0, 0] = 0.85 * EVENTS, EVENTS
    evidence = np.array([100.0, 120.0])
    trial = Trial(np.array([UPDATE, OTHER]), events, events, evidence, evidence, evidence[:, None])
    told = _without_waves(
        trial,
        minutes_open=JUDGING_MINUTES,
        contrast={UPDATE: 0.0, OTHER: 22.0}.__getitem__,
        with_one=lambda update, _: alone if update == OTHER else beside,
    )
    assert told.update == (OTHER if named else None)


@pytest.mark.parametrize(
    ("lead", "contrast", "events", "named"),
    [
        (8.0, 0.0, EVENTS / 2, True),
        (8.0, 0.0, EVENTS, False),
        (12.0, 0.0, EVENTS, True),
        (12.0, 0.0, 10 * EVENTS, False),
        (12.0, 8.0, 10 * EVENTS, True),
    ],
    ids=["of few", "of many", "of many by far", "of very many", "of very many, as hosts have it"],
)
def test_of_many_events_the_time_after_two_updates_is_to_tell_more(lead, contrast, events, named):
    seen = np.zeros((OUTCOMES, 2, AGES, 1))
    seen[CRASH, :, 3, 0] = events
    evidence = np.array([1000.0, 1000.0 + lead])
    trial = Trial(np.array([UPDATE, OTHER]), seen, seen, evidence, evidence, evidence[:, None])
    told = _without_waves(trial, minutes_open=JUDGING_MINUTES, contrast={UPDATE: 0.0, OTHER: contrast}.__getitem__)
    assert told.update == (OTHER if named else None)
    assert set(told.near) == ({OTHER} if named else {UPDATE, OTHER})
    assert (told.probabilities[0] > 0.001) == (not named)


@pytest.mark.parametrize(
    ("lead", "named"), [(4.0, UPDATE), (6.0, None), (12.0, OTHER)], ids=["hardly", "by some", "far ahead"]
)
@pytest.mark.parametrize("by_departures", [False, True])
def test_a_name_is_kept_while_another_that_is_not_told_from_it_is_hardly_likelier(by_departures, lead, named):
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    events[CRASH, :, 0 if by_departures else 3, 0] = EVENTS
    evidence = np.array([100.0, 100.0 + lead])
    trial = Trial(np.array([UPDATE, OTHER]), events, events, evidence, evidence, evidence[:, None])
    if by_departures:  # hosts left minutes after they got the one, and at once after they got the other
        left = np.array([[0.0, EVENTS, 0.0], [EVENTS, 0.0, 0.0]])
        trial = replace(trial, by_departures=True, left=left)
    told = _without_waves(
        trial,
        minutes_open=JUDGING_MINUTES,
        before=Kind.UPDATE,
        named_before=UPDATE,
        contrast={UPDATE: 0.0, OTHER: 0.0}.__getitem__,
    )
    assert (told.kind, told.update) == (Kind.CANNOT_SEPARATE if named is None else Kind.UPDATE, named)


@pytest.mark.parametrize("named", [True, False])
def test_a_name_is_kept_though_its_test_falls_for_what_happens_elsewhere(named):
    events = np.zeros((OUTCOMES, 1, AGES, 1))
    events[CRASH, :, 0, 0] = EVENTS
    evidence = np.array([100.0])
    trial = Trial(np.array([UPDATE]), events, events, evidence, np.array([LOG_THRESHOLD - 2.0]), evidence[:, None])
    told = _without_waves(
        trial,
        minutes_open=JUDGING_MINUTES,
        before=Kind.UPDATE if named else Kind.UNDETERMINED,
        named_before=UPDATE if named else None,
        contrast={UPDATE: 50.0}.__getitem__,
    )
    assert told.update == (UPDATE if named else None)


def test_of_two_that_hosts_got_in_one_go_neither_is_named_because_they_left():
    """Though a few more tell of one; unless those that have but that one left so clearly more often."""
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    evidence = np.array([400.0, 420.0])
    trial = Trial(np.array([UPDATE, OTHER]), events, events, evidence, evidence, evidence[:, None])
    left = np.array([[60.0, 38.0, 1.0], [62.0, 39.0, 1.0]])
    trial = replace(trial, by_departures=True, left=left)
    for more, named in ((10.0, None), (40.0, OTHER)):
        contrast = {UPDATE: 50.0, OTHER: 50.0 + more}.__getitem__
        told = _without_waves(trial, minutes_open=JUDGING_MINUTES, contrast=contrast)
        assert (told.update, told.lacks) == (named, None if named else Lack.ALONE)


@pytest.mark.parametrize(
    ("by_departures", "ago", "evidence", "test", "named"),
    [
        (True, 1, 60.0, 50.0, None),
        (True, 0, 60.0, 50.0, OTHER),
        (False, 1, 60.0, 50.0, OTHER),
        (True, 1, 40.0, 50.0, OTHER),
        (True, 1, 60.0, 1.0, OTHER),
    ],
    ids=["a day ago", "within the day", "hosts crash", "much less speaks for it", "its test has not passed"],
)
def test_of_hosts_that_leave_none_is_named_where_installs_of_another_one_are_not_followed_any_more(
    by_departures, ago, evidence, test, named
):
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    events[CRASH, :, 3, 0] = EVENTS
    said, tests = np.array([evidence, 100.0]), np.array([test, 100.0])
    none = np.zeros((OUTCOMES, 0, SHAPES))
    contrast = {UPDATE: 0.0, OTHER: 100.0}.__getitem__
    odds = weigh(
        Trial(np.array([UPDATE, OTHER]), events, events, said, tests, said[:, None], by_departures),
        Waves(np.zeros(0, int), np.zeros(0, int), np.zeros((0, SHAPES)), none, none),
        pushed={UPDATE: np.array([RELEASED - ago]), OTHER: np.array([RELEASED])}.__getitem__,
        spot_log_weight=np.zeros(0),
        stands_there=np.zeros(0, bool),
        of_strata=np.zeros(0, bool),
        contrast=contrast,
        known_from=RELEASED,
    )
    told = judge(odds, minutes_open=0, before=Kind.UNDETERMINED, named_before=None, contrast=contrast)
    assert told.update == named


@pytest.mark.parametrize(("evidence", "kind"), [(100.0, Kind.UPDATE), (7.0, Kind.UNDETERMINED)], ids=["much", "little"])
def test_but_not_where_nothing_is_likelier_than_either(evidence, kind):
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    events[CRASH, :, 3, 0] = EVENTS
    said = np.array([evidence, evidence + 1.0])
    told = _without_waves(
        Trial(np.array([UPDATE, OTHER]), events, events, said, said, said[:, None]),
        before=Kind.UPDATE,
        named_before=UPDATE,
        contrast={UPDATE: 0.0, OTHER: 0.0}.__getitem__,
    )
    assert told.kind is kind


@pytest.mark.parametrize("sums_to", [0.0, 0.05, 0.99])
def test_where_no_update_is_to_blame_no_change_is_as_likely_as_that_takes(sums_to):
    judgement = Judgement(Kind.CANNOT_SEPARATE, None, np.array([0.75, 0.25]) * sums_to, None, 0.0)
    assert judgement.stated(Kind.CANNOT_SEPARATE) is judgement.probabilities
    stated = judgement.stated(Kind.NO_UPDATE)
    assert stated.sum() == pytest.approx(min(sums_to, 1.0 - NAMING_PROBABILITY))
    assert stated[0] == pytest.approx(3.0 * stated[1])


@pytest.mark.parametrize(
    ("made", "more"),
    [((False, False), 4.0), ((False, True), 0.0), ((True, False), 4.0), ((True, True), 0.0)],
    ids=["of neither", "a ring", "the fleet", "nothing beside it"],
)
def test_how_much_more_a_place_explains_is_asked_of_the_waves_that_no_rollout_made(made, more):
    none = np.zeros((OUTCOMES, 2, SHAPES))
    says = np.repeat([[5.0], [9.0]], SHAPES, axis=1)  # the fleet, and a part of it
    rivalry = Rivalry(
        cast(Trial, None),
        Waves(np.array([0, 1]), np.array([RELEASED, RELEASED]), says, none, none),
        says,
        pushed=lambda _: np.array([RELEASED]),
        stands_there=np.array([False, False]),
        acquitting=np.array([False, False]),
        of_strata=np.array([True, False]),
        contrast=None,
        of_rollout=lambda _: np.array(made),
        known_from=0,
        settled_from=0,
        strikes_late=lambda _: False,
        booted_before=lambda _, minutes: np.ones(len(minutes)),
        ever=np.zeros(1, np.int64),
    )
    assert rivalry.log_of_place(0) == more


def _of_two(
    *,
    leads_by: float,
    contrasts: tuple[float, float],
    at_place: tuple[float, float] = (0.0, 0.0),
    named: bool = False,
    stands_there: bool = True,
    onset: int = RELEASED + 15,
    wave_says: float = 150.0,
    **said: Any,
) -> Judgement:
    """UPDATE, and OTHER of which the evidence says more; a wave of EVENTS events in hosts that had both."""
    events = np.zeros((OUTCOMES, 2, AGES, 1))
    events[CRASH, :, 2, 0] = EVENTS
    evidence = np.array([100.0, 100.0 + leads_by])
    counted = np.zeros((OUTCOMES, 1, SHAPES))
    counted[0] = EVENTS
    of_hosts = dict(zip((UPDATE, OTHER), contrasts, strict=True)).__getitem__
    odds = weigh(
        Trial(np.array([UPDATE, OTHER]), events, events / 10, evidence, evidence, evidence[:, None]),
        Waves(np.array([0]), np.array([onset]), np.full((1, SHAPES), wave_says), counted, counted / 10),
        pushed=lambda _: np.array([RELEASED]),
        spot_log_weight=np.zeros(1),
        stands_there=np.array([stands_there]),
        of_strata=np.array([False]),
        contrast=of_hosts,
        at_place=dict(zip((UPDATE, OTHER), at_place, strict=True)).__getitem__,
        named_before=UPDATE if named else None,
        **said,
    )
    return judge(
        odds,
        minutes_open=0,
        before=Kind.UPDATE if named else Kind.UNDETERMINED,
        named_before=UPDATE if named else None,
        contrast=of_hosts,
    )


DELAY = {UPDATE: 30.0, OTHER: 0.0}.__getitem__


@pytest.mark.parametrize(
    ("leads_by", "contrasts", "by_delay", "named"),
    [
        (12.0, (47.0, -0.4), DELAY, UPDATE),
        (45.0, (47.0, -0.4), DELAY, OTHER),
        (12.0, (47.0, 46.0), DELAY, OTHER),
        (12.0, (19.0, -0.4), DELAY, OTHER),
        (12.0, (47.0, -0.4), lambda _: 0.0, OTHER),
        (12.0, (47.0, -0.4), lambda _: 30.0, OTHER),
    ],
    ids=[
        "far more",
        "hardly more than the evidence",
        "of both",
        "too little for so many events",
        "not by the delay",
        "both by the delay, so that the other one may need it",
    ],
)
def test_what_hosts_say_far_more_for_is_named_before_what_everybody_got_shortly_before(
    leads_by, contrasts, by_delay, named
):
    told = _of_two(leads_by=leads_by, contrasts=contrasts, by_delay=by_delay, wave_says=0.0)
    assert (told.kind, told.update) == (Kind.UPDATE, named)


@pytest.mark.parametrize(("contrast", "named"), [(47.0, None), (10.0, OTHER)], ids=["far more", "hardly more"])
def test_no_timer_is_believed_where_hosts_say_far_more_for_another_update(contrast, named):
    told = _of_two(
        leads_by=0.0,
        contrasts=(contrast, 0.0),
        by_timer={UPDATE: 0.0, OTHER: 12.0}.__getitem__,
        stands_there=False,
        onset=RELEASED + 120,
    )
    assert told.update == named


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({}, True),
        ({"at_place": (19.0, 0.0)}, False),
        ({"at_place": (19.0, 0.0), "named": True}, True),
        ({"at_place": (2.0, 0.0), "named": True}, False),
        ({"at_place": (50.0, 70.0)}, False),
        ({"contrasts": (6.0, 0.0)}, False),
        ({"stands_there": False, "onset": RELEASED + 90, "at_place": (19.0, 0.0)}, False),
        ({"onset": RELEASED + 90}, False),
        ({"onset": RELEASED - 90}, False),
    ],
    ids=[
        "hosts there say enough",
        "too little for so many events",
        "enough to keep a name",
        "too little to keep a name",
        "more for another one",
        "too little at large",
        "no place",
        "long after the push",
        "long before it",
    ],
)
def test_what_begins_at_a_place_soon_after_a_push_is_the_updates_doing_where_hosts_there_say_so(how, named):
    usual: dict[str, Any] = {"leads_by": -5.0, "contrasts": (30.0, 0.0), "at_place": (25.0, 0.0)}
    told = _of_two(**(usual | how))
    assert told.update == (UPDATE if named else None)
