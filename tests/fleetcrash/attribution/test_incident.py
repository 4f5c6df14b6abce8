"""What an incident makes of judgements that come one after the other."""

import numpy as np
import pytest

from fleetcrash.attribution.baseline import OUTCOMES
from fleetcrash.attribution.exposure import AGES
from fleetcrash.attribution.incident import RENAMING_MINUTES, Incident
from fleetcrash.attribution.suspects import Trial
from fleetcrash.attribution.verdict import JUDGING_MINUTES, Judgement, Kind
from fleetcrash.attribution.waves import SHAPES, Waves

FIRST, OTHER = 3, 5
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
