"""What an incident claims and disturbs while it is open, and when it is resumed."""

from dataclasses import replace

import numpy as np
import pytest

from fleetcrash.attribution.expected.baseline import LAG_MINUTES, OUTCOMES
from fleetcrash.attribution.facts.exposure import AGES, KEPT_MINUTES
from fleetcrash.attribution.hypotheses.suspects import Trial
from fleetcrash.attribution.hypotheses.waves import SHAPES, Waves
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.weighing.judgement import Judgement, Kind

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


@pytest.mark.parametrize(("opened", "is_there"), [(99, True), (100, False), (200, False)])
def test_one_that_opened_before_another_named_anything_may_be_of_the_same_fault(named, opened, is_there):
    assert Incident.opened(opened, 0).was_there_before(named) == is_there
    assert not Incident.opened(opened, 0).was_there_before(Incident.opened(300, 0))


def test_only_a_wave_that_began_an_hour_after_a_name_is_none_of_its_doing(named):
    assert not named.began_after(100 + LAG_MINUTES)
    assert named.began_after(101 + LAG_MINUTES)
    assert not Incident.opened(100, 0).began_after(500)


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


def test_what_is_resumed_goes_on_without_the_hours_between(named):
    named.scope.within, named.scope.without = {"os_type": "linux"}, ({"os_type": "windows"},)
    named.end(200)
    named.resume(500, elsewhere=False)
    assert (named.ended_tick, named.settled, named.is_everywhere) == (None, False, False)
    assert named.pauses == [(200, 500 - LAG_MINUTES)]
    assert (named.scope.within, named.scope.without) == (None, ())
    named.resume(600, elsewhere=True)
    assert (named.pauses, named.is_everywhere) == ([(200, 500 - LAG_MINUTES)], True)
