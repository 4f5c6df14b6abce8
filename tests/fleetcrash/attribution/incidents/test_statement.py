"""What is said of an incident while judgements come one after the other."""

from dataclasses import replace

import numpy as np
import pytest

from fleetcrash.attribution.expected.baseline import LAG_MINUTES
from fleetcrash.attribution.facts.exposure import KEPT_MINUTES
from fleetcrash.attribution.incidents.statement import RENAMING_MINUTES, Statement
from fleetcrash.attribution.weighing.judgement import JUDGING_MINUTES, Judgement, Kind

FIRST, OTHER = 3, 5
FIRST_OUT_OF_SIGHT = 500
ON_TRIAL = np.array([FIRST, OTHER])


def judgement(kind, update=None):
    return Judgement(kind, update, np.array([0.5, 0.5]), None, 0.0)


@pytest.fixture
def named():
    """A statement that names the first update since minute 100."""
    said = Statement()
    said.record(100, judgement(Kind.UPDATE, FIRST), None)
    return said


@pytest.mark.parametrize("kind", [Kind.NO_UPDATE, Kind.CANNOT_SEPARATE, Kind.UNDETERMINED])
def test_a_name_is_taken_back_after_a_quarter_of_an_hour_of_doubt(named, kind):
    for minute in range(JUDGING_MINUTES):
        held = named.weigh(200 + minute, judgement(kind), ON_TRIAL)
        assert (held.kind, held.update) == (Kind.UPDATE, FIRST)
    assert named.weigh(200 + JUDGING_MINUTES, judgement(kind), ON_TRIAL).kind is kind


def test_doubt_that_is_dispelled_begins_anew(named):
    named.weigh(200, judgement(Kind.NO_UPDATE), ON_TRIAL)
    named.weigh(210, judgement(Kind.UPDATE, FIRST), ON_TRIAL)
    assert named.weigh(200 + JUDGING_MINUTES, judgement(Kind.NO_UPDATE), ON_TRIAL).update == FIRST


def test_after_a_name_was_taken_back_one_has_to_stand_for_a_quarter_of_an_hour(named):
    named.record(200, judgement(Kind.NO_UPDATE), None)
    assert named.weigh(300, judgement(Kind.UPDATE, FIRST), ON_TRIAL).kind is Kind.NO_UPDATE
    named.weigh(305, judgement(Kind.CANNOT_SEPARATE), ON_TRIAL)
    for minute in range(JUDGING_MINUTES):
        held = named.weigh(310 + minute, judgement(Kind.UPDATE, FIRST), ON_TRIAL)
        assert (held.kind, held.update) == (Kind.NO_UPDATE, None)
    assert named.weigh(310 + JUDGING_MINUTES, judgement(Kind.UPDATE, FIRST), ON_TRIAL).update == FIRST


@pytest.mark.parametrize("kind", [Kind.CANNOT_SEPARATE, Kind.UNDETERMINED])
def test_so_does_any_other_verdict_but_the_first(kind):
    said = Statement()
    assert said.weigh(100, judgement(Kind.NO_UPDATE), ON_TRIAL).kind is Kind.NO_UPDATE
    said.record(100, judgement(Kind.NO_UPDATE), None)
    for minute in range(110, 110 + JUDGING_MINUTES):
        assert said.weigh(minute, judgement(kind), ON_TRIAL).kind is Kind.NO_UPDATE
    said.weigh(125, judgement(Kind.NO_UPDATE), ON_TRIAL)
    assert said.weigh(126, judgement(kind), ON_TRIAL).kind is Kind.NO_UPDATE
    assert said.weigh(127, judgement(Kind.UPDATE, FIRST), ON_TRIAL).update == FIRST, "a name does not wait"
    assert said.weigh(140, judgement(kind), ON_TRIAL).kind is Kind.NO_UPDATE
    assert said.weigh(140 + JUDGING_MINUTES, judgement(kind), ON_TRIAL).kind is kind


@pytest.mark.parametrize(
    ("stood", "released", "named"),
    [(JUDGING_MINUTES, 90, None), (JUDGING_MINUTES - 1, 90, FIRST), (JUDGING_MINUTES, 101, FIRST)],
    ids=["it was there", "it was said for a short time only", "it was released later"],
)
@pytest.mark.parametrize("kind", [Kind.NO_UPDATE, Kind.CANNOT_SEPARATE])
def test_what_was_there_when_no_update_was_to_blame_is_not_named_later(stood, released, named, kind):
    said = Statement()
    said.record(100, judgement(Kind.NO_UPDATE), None)
    said.record(100 + stood, judgement(kind), None)
    told = said.weigh(100 + stood, judgement(Kind.UPDATE, FIRST), ON_TRIAL, released)
    assert (told.kind, told.update) == ((kind, None) if named is None else (Kind.UPDATE, named))


def test_but_one_that_was_named_before_may_be_again():
    said = Statement()
    said.record(100, judgement(Kind.UPDATE, FIRST), None)
    said.record(150, judgement(Kind.NO_UPDATE), None)
    for tick in range(200, 200 + JUDGING_MINUTES):
        assert said.weigh(tick, judgement(Kind.UPDATE, FIRST), ON_TRIAL, 90).update is None
    assert said.weigh(200 + JUDGING_MINUTES, judgement(Kind.UPDATE, FIRST), ON_TRIAL, 90).update == FIRST


@pytest.mark.parametrize("known", ["is_known", "is_told_by_hosts", "is_told_by_delay"])
def test_so_may_one_that_another_incident_names_or_that_hosts_tell(known):
    said = Statement()
    said.record(100, judgement(Kind.NO_UPDATE), None)
    said.record(150, judgement(Kind.CANNOT_SEPARATE), None)
    assert said.weigh(200, replace(judgement(Kind.UPDATE, FIRST), **{known: True}), ON_TRIAL, 90).update == FIRST


def test_another_name_is_taken_after_five_minutes(named):
    for minute in range(RENAMING_MINUTES):
        assert named.weigh(101 + minute, judgement(Kind.UPDATE, OTHER), ON_TRIAL).update == FIRST
    assert named.weigh(101 + RENAMING_MINUTES, judgement(Kind.UPDATE, OTHER), ON_TRIAL).update == OTHER


def test_a_name_that_is_no_longer_on_trial_is_not_held(named):
    assert named.weigh(101, judgement(Kind.NO_UPDATE), np.array([OTHER])).kind is Kind.NO_UPDATE


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
    said = Statement()
    said.keep_tied(tied_at, {FIRST: FIRST_OUT_OF_SIGHT - KEPT_MINUTES, OTHER: released}, minutes_open=tied_at - 100)
    told = said.weigh(FIRST_OUT_OF_SIGHT + 10, judgement(Kind.UPDATE, OTHER), ON_TRIAL, released)
    assert (told.kind, told.update) == ((Kind.UPDATE, OTHER) if named else (Kind.CANNOT_SEPARATE, None))


def test_but_the_named_one_is_where_hosts_without_it_fare_so_much_better_that_it_cannot_be_the_other():
    said = Statement()
    said.keep_tied(300, {FIRST: FIRST_OUT_OF_SIGHT - KEPT_MINUTES, OTHER: 90}, minutes_open=200)
    by_hosts = replace(judgement(Kind.UPDATE, OTHER), is_told_by_hosts=True)
    assert said.weigh(FIRST_OUT_OF_SIGHT + 10, by_hosts, ON_TRIAL, 90).update == OTHER


def test_what_is_told_apart_while_both_are_in_sight_is_tied_no_longer():
    older = FIRST_OUT_OF_SIGHT - KEPT_MINUTES
    said = Statement()
    said.keep_tied(300, {FIRST: older, OTHER: 90}, minutes_open=200)
    said.keep_tied(310, {OTHER: 90}, minutes_open=200)
    assert said.weigh(310, judgement(Kind.UPDATE, OTHER), ON_TRIAL, 90).update == OTHER
    said.keep_tied(320, {FIRST: older, OTHER: 90}, minutes_open=200)
    said.keep_tied(FIRST_OUT_OF_SIGHT - LAG_MINUTES + 1, {OTHER: 90}, minutes_open=200)  # too late to tell
    assert said.weigh(FIRST_OUT_OF_SIGHT, judgement(Kind.UPDATE, OTHER), ON_TRIAL, 90).update is None


def test_a_name_that_was_not_given_for_its_witnesses_has_to_stand_for_a_quarter_of_an_hour():
    said = Statement()
    said.weigh(100, replace(judgement(Kind.UNDETERMINED), is_doubted=True), ON_TRIAL)
    for minute in range(JUDGING_MINUTES):
        held = said.weigh(101 + minute, judgement(Kind.UPDATE, FIRST), ON_TRIAL)
        assert (held.kind, held.update) == (Kind.UNDETERMINED, None)
    assert said.weigh(101 + JUDGING_MINUTES, judgement(Kind.UPDATE, FIRST), ON_TRIAL).update == FIRST


def test_how_long_a_name_has_stood_is_told_from_the_turn_that_gave_it(named):
    named.record(110, judgement(Kind.UPDATE, FIRST), {"os_type": "windows"})
    assert named.has_named(FIRST, 160, 60)
    assert not named.has_named(FIRST, 159, 60)
    assert not named.has_named(OTHER, 900, 0)
    named.record(200, judgement(Kind.CANNOT_SEPARATE), None)
    named.record(300, judgement(Kind.UPDATE, FIRST), None)
    assert named.has_named(FIRST, 315, 15)
    assert not named.has_named(FIRST, 315, 16)
