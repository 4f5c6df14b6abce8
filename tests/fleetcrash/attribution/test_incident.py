"""What an incident makes of judgements that come one after the other."""

from dataclasses import replace

import numpy as np
import pytest

from fleetcrash.attribution.baseline import LAG_MINUTES, OUTCOMES
from fleetcrash.attribution.exposure import AGES, KEPT_MINUTES
from fleetcrash.attribution.incident import RENAMING_MINUTES, Incident
from fleetcrash.attribution.suspects import Trial
from fleetcrash.attribution.verdict import JUDGING_MINUTES, Judgement, Kind
from fleetcrash.attribution.waves import SHAPES, Waves

FIRST, OTHER = 3, 5
FIRST_OUT_OF_SIGHT = 500
TRIAL = Trial(np.array([FIRST, OTHER]), *(np.zeros((OUTCOMES, 2, AGES, 1)),) * 2, *(np.zeros(2),) * 2, np.zeros((2, 1)))
NO_WAVES = Waves(np.zeros(0, int), np.zeros(0, int), np.zeros((0, SHAPES)), *(np.zeros((OUTCOMES, 0, SHAPES)),) * 2)


def judgement(kind, update=None):
    return Judgement(kind, update, np.array([0.5, 0.5]), None, 0.0)


@pytest.fixture
def named():
    """An incident that names the first update since minute 100."""
    incident = Incident.opened(100, 0)
    incident.record(100, judgement(Kind.UPDATE, FIRST), TRIAL, NO_WAVES, None)
    return incident


@pytest.mark.parametrize("kind", [Kind.NO_UPDATE, Kind.CANNOT_SEPARATE, Kind.UNDETERMINED])
def test_a_name_is_taken_back_after_a_quarter_of_an_hour_of_doubt(named, kind):
    for minute in range(JUDGING_MINUTES):
        held = named.weigh(200 + minute, judgement(kind), TRIAL)
        assert (held.kind, held.update) == (Kind.UPDATE, FIRST)
    assert named.weigh(200 + JUDGING_MINUTES, judgement(kind), TRIAL).kind is kind


def test_doubt_that_is_dispelled_begins_anew(named):
    named.weigh(200, judgement(Kind.NO_UPDATE), TRIAL)
    named.weigh(210, judgement(Kind.UPDATE, FIRST), TRIAL)
    assert named.weigh(200 + JUDGING_MINUTES, judgement(Kind.NO_UPDATE), TRIAL).update == FIRST


def test_after_a_name_was_taken_back_one_has_to_stand_for_a_quarter_of_an_hour(named):
    named.record(200, judgement(Kind.NO_UPDATE), TRIAL, NO_WAVES, None)
    assert named.weigh(300, judgement(Kind.UPDATE, FIRST), TRIAL).kind is Kind.NO_UPDATE
    named.weigh(305, judgement(Kind.CANNOT_SEPARATE), TRIAL)
    for minute in range(JUDGING_MINUTES):
        held = named.weigh(310 + minute, judgement(Kind.UPDATE, FIRST), TRIAL)
        assert (held.kind, held.update) == (Kind.NO_UPDATE, None)
    assert named.weigh(310 + JUDGING_MINUTES, judgement(Kind.UPDATE, FIRST), TRIAL).update == FIRST


@pytest.mark.parametrize("kind", [Kind.CANNOT_SEPARATE, Kind.UNDETERMINED])
def test_so_does_any_other_verdict_but_the_first(kind):
    incident = Incident.opened(100, 0)
    assert incident.weigh(100, judgement(Kind.NO_UPDATE), TRIAL).kind is Kind.NO_UPDATE
    incident.record(100, judgement(Kind.NO_UPDATE), TRIAL, NO_WAVES, None)
    for minute in range(110, 110 + JUDGING_MINUTES):
        assert incident.weigh(minute, judgement(kind), TRIAL).kind is Kind.NO_UPDATE
    incident.weigh(125, judgement(Kind.NO_UPDATE), TRIAL)
    assert incident.weigh(126, judgement(kind), TRIAL).kind is Kind.NO_UPDATE
    assert incident.weigh(127, judgement(Kind.UPDATE, FIRST), TRIAL).update == FIRST, "a name does not wait"
    assert incident.weigh(140, judgement(kind), TRIAL).kind is Kind.NO_UPDATE
    assert incident.weigh(140 + JUDGING_MINUTES, judgement(kind), TRIAL).kind is kind


@pytest.mark.parametrize(
    ("stood", "released", "named"),
    [(JUDGING_MINUTES, 90, None), (JUDGING_MINUTES - 1, 90, FIRST), (JUDGING_MINUTES, 101, FIRST)],
    ids=["it was there", "it was said for a short time only", "it was released later"],
)
@pytest.mark.parametrize("kind", [Kind.NO_UPDATE, Kind.CANNOT_SEPARATE])
def test_what_was_there_when_no_update_was_to_blame_is_not_named_later(stood, released, named, kind):
    incident = Incident.opened(100, 0)
    incident.record(100, judgement(Kind.NO_UPDATE), TRIAL, NO_WAVES, None)
    incident.record(100 + stood, judgement(kind), TRIAL, NO_WAVES, None)
    told = incident.weigh(100 + stood, judgement(Kind.UPDATE, FIRST), TRIAL, released)
    assert (told.kind, told.update) == ((kind, None) if named is None else (Kind.UPDATE, named))


def test_but_one_that_was_named_before_may_be_again():
    incident = Incident.opened(100, 0)
    incident.record(100, judgement(Kind.UPDATE, FIRST), TRIAL, NO_WAVES, None)
    incident.record(150, judgement(Kind.NO_UPDATE), TRIAL, NO_WAVES, None)
    for tick in range(200, 200 + JUDGING_MINUTES):
        assert incident.weigh(tick, judgement(Kind.UPDATE, FIRST), TRIAL, 90).update is None
    assert incident.weigh(200 + JUDGING_MINUTES, judgement(Kind.UPDATE, FIRST), TRIAL, 90).update == FIRST


@pytest.mark.parametrize(("opened", "is_there"), [(99, True), (100, False), (200, False)])
def test_one_that_opened_before_another_named_anything_may_be_of_the_same_fault(named, opened, is_there):
    assert Incident.opened(opened, 0).was_there_before(named) == is_there
    assert not Incident.opened(opened, 0).was_there_before(Incident.opened(300, 0))


def test_another_name_is_taken_after_five_minutes(named):
    for minute in range(RENAMING_MINUTES):
        assert named.weigh(101 + minute, judgement(Kind.UPDATE, OTHER), TRIAL).update == FIRST
    assert named.weigh(101 + RENAMING_MINUTES, judgement(Kind.UPDATE, OTHER), TRIAL).update == OTHER


def test_a_name_that_is_no_longer_on_trial_is_not_held(named):
    trial = Trial(np.array([OTHER]), *(np.zeros((OUTCOMES, 1, AGES, 1)),) * 2, *(np.zeros(1),) * 2, np.zeros((1, 1)))
    assert named.weigh(101, judgement(Kind.NO_UPDATE), trial).kind is Kind.NO_UPDATE


def test_a_condition_is_taken_back_after_a_quarter_of_an_hour_without_one_and_another_taken_at_once(named):
    named.condition = {"os_type": "windows"}
    for minute in range(JUDGING_MINUTES):
        assert named.weigh_condition(200 + minute, None) == {"os_type": "windows"}
    assert named.weigh_condition(200 + JUDGING_MINUTES, None) is None
    assert named.weigh_condition(201, {"ring": "pilot"}) == {"ring": "pilot"}
    assert named.weigh_condition(200 + JUDGING_MINUTES, None) == {"os_type": "windows"}  # doubt begins anew


@pytest.mark.parametrize(
    ("tied_at", "released", "named"),
    [
        (100 + JUDGING_MINUTES - 1, 90, True),
        (300, 90, False),
        (300, FIRST_OUT_OF_SIGHT - KEPT_MINUTES - 1, False),
        (FIRST_OUT_OF_SIGHT - 30, 90, False),
    ],
    ids=["just after the alarm", "before its day is over", "and is the older", "when part of it is over"],
)
def test_of_two_that_cannot_be_told_apart_neither_is_named_once_one_is_out_of_sight(tied_at, released, named):
    incident = Incident.opened(100, 0)
    incident.keep_tied(tied_at, {FIRST: FIRST_OUT_OF_SIGHT - KEPT_MINUTES, OTHER: released})
    told = incident.weigh(FIRST_OUT_OF_SIGHT + 10, judgement(Kind.UPDATE, OTHER), TRIAL, released)
    assert (told.kind, told.update) == ((Kind.UPDATE, OTHER) if named else (Kind.CANNOT_SEPARATE, None))


def test_but_the_named_one_is_where_hosts_without_it_fare_so_much_better_that_it_cannot_be_the_other():
    incident = Incident.opened(100, 0)
    incident.keep_tied(300, {FIRST: FIRST_OUT_OF_SIGHT - KEPT_MINUTES, OTHER: 90})
    by_hosts = replace(judgement(Kind.UPDATE, OTHER), is_told_by_hosts=True)
    assert incident.weigh(FIRST_OUT_OF_SIGHT + 10, by_hosts, TRIAL, 90).update == OTHER


def test_what_is_told_apart_while_both_are_in_sight_is_tied_no_longer():
    older = FIRST_OUT_OF_SIGHT - KEPT_MINUTES
    incident = Incident.opened(100, 0)
    incident.keep_tied(300, {FIRST: older, OTHER: 90})
    incident.keep_tied(310, {OTHER: 90})
    assert incident.weigh(310, judgement(Kind.UPDATE, OTHER), TRIAL, 90).update == OTHER
    incident.keep_tied(320, {FIRST: older, OTHER: 90})
    incident.keep_tied(FIRST_OUT_OF_SIGHT - LAG_MINUTES + 1, {OTHER: 90})  # too late to tell
    assert incident.weigh(FIRST_OUT_OF_SIGHT, judgement(Kind.UPDATE, OTHER), TRIAL, 90).update is None


def test_only_a_wave_that_began_an_hour_after_a_name_is_none_of_its_doing(named):
    assert not named.began_after(100 + LAG_MINUTES)
    assert named.began_after(101 + LAG_MINUTES)
    assert not Incident.opened(100, 0).began_after(500)


def test_a_name_that_was_not_given_for_its_witnesses_has_to_stand_for_a_quarter_of_an_hour():
    incident = Incident.opened(100, 0)
    incident.weigh(100, replace(judgement(Kind.UNDETERMINED), is_doubted=True), TRIAL)
    for minute in range(JUDGING_MINUTES):
        held = incident.weigh(101 + minute, judgement(Kind.UPDATE, FIRST), TRIAL)
        assert (held.kind, held.update) == (Kind.UNDETERMINED, None)
    assert incident.weigh(101 + JUDGING_MINUTES, judgement(Kind.UPDATE, FIRST), TRIAL).update == FIRST


def test_no_minute_is_learned_from_while_an_incident_claims_what_happens():
    incident = Incident.opened(1000, 0)
    assert incident.disturbs(2000), "nobody understands it, so it claims everything"
    incident.record(1000, judgement(Kind.NO_UPDATE), TRIAL, NO_WAVES, None)
    incident.settle()
    incident.last_raised_minute = 1100
    assert [incident.disturbs(minute) for minute in (939, 940, 1160, 1161)] == [False, True, True, False]


def test_nor_in_the_day_after_the_release_of_the_update_that_it_names(named):
    named.settle()
    named.suspected_minute, named.last_raised_minute = 90, 200
    assert named.disturbs(90 + KEPT_MINUTES)
    assert not named.disturbs(91 + KEPT_MINUTES)


def test_the_wave_beside_it_is_the_same_once_spots_are_numbered_anew():
    incident = Incident.opened(100, 0)
    waves = replace(NO_WAVES, spot=np.array([1, 0, 1]))
    incident.record(100, judgement(Kind.NO_UPDATE), TRIAL, waves, None)
    incident.move(np.array([4, 7]))
    assert incident.waves is not None
    assert incident.waves.spot.tolist() == [7, 4, 7]


def test_how_long_a_name_has_stood_is_told_from_the_turn_that_gave_it(named):
    named.record(110, judgement(Kind.UPDATE, FIRST), TRIAL, NO_WAVES, {"os_type": "windows"})
    assert named.has_named(FIRST, 160, 60)
    assert not named.has_named(FIRST, 159, 60)
    assert not named.has_named(OTHER, 900, 0)
    named.record(200, judgement(Kind.CANNOT_SEPARATE), TRIAL, NO_WAVES, None)
    named.record(300, judgement(Kind.UPDATE, FIRST), TRIAL, NO_WAVES, None)
    assert named.has_named(FIRST, 315, 15)
    assert not named.has_named(FIRST, 315, 16)


def test_what_is_resumed_goes_on_without_the_hours_between(named):
    named.within, named.without = {"os_type": "linux"}, ({"os_type": "windows"},)
    named.end(200)
    named.resume(500, elsewhere=False)
    assert (named.ended_tick, named.settled, named.is_everywhere) == (None, False, False)
    assert named.pauses == [(200, 500 - LAG_MINUTES)]
    assert (named.within, named.without) == (None, ())
    named.resume(600, elsewhere=True)
    assert (named.pauses, named.is_everywhere) == ([(200, 500 - LAG_MINUTES)], True)
