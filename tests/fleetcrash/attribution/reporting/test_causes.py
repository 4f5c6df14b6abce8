"""What a rise without an update is said to follow."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fleetcrash.attribution.reporting.causes import cause_of
from fleetcrash.attribution.weighing.judgement import Kind

SOON, HOUR = 2, 60


class Told(SimpleNamespace):
    """Events, as far as a cause is asked of them."""

    def __len__(self):
        return len(self.minute)


def said(
    *, place="os_type", module=None, mostly=8, hosts=40, happened=range(600, 640), known=None, kind=Kind.NO_UPDATE
):
    """The cause of an incident of forty events, one a minute, each told two minutes after it happened."""
    happened = np.array(happened)
    events = Told(
        minute=happened,
        tick=happened + SOON if known is None else np.array(known),
        host=np.array([f"h{number % hosts}" for number in range(len(happened))], dtype=object),
        outcome=np.zeros(len(happened), np.int64),
        module=np.array([module if number % 10 < mostly else None for number in range(len(happened))], dtype=object),
    )
    detector: Any = SimpleNamespace(
        news=SimpleNamespace(events=events),
        spots=SimpleNamespace(name=lambda spot: (place, "x")),
    )
    everything = np.ones(len(happened), bool)
    incident: Any = SimpleNamespace(kind=kind, wave_spot=0, claim=lambda size: everything)
    return cause_of(detector, incident)


@pytest.mark.parametrize(
    ("place", "cause"), [("region", "region"), ("site", "site"), ("group", "site"), ("customer", "site")]
)
def test_a_place_is_named_as_the_contract_names_it(place, cause):
    assert said(place=place, module="third.sys") == cause


def test_elsewhere_it_is_a_module_or_something_else():
    assert said(module="third.sys") == "module"
    assert said(module="third.sys", mostly=7) == "other"
    assert said() == "other"


def test_what_one_or_two_hosts_do_is_theirs():
    assert said(hosts=2, place="region", module="third.sys") == "host"
    assert said(hosts=3, module="third.sys") == "module"


def test_hours_of_reports_within_minutes_are_a_backlog_and_a_constant_delay_is_a_clock():
    hours = range(0, 40 * HOUR, HOUR)
    assert said(happened=hours, known=[40 * HOUR + n % 5 for n in range(40)]) == "backlog"
    assert said(known=[minute + 3 * HOUR for minute in range(600, 640)]) == "clock"


def test_a_backlog_is_one_though_some_crash_as_usual_for_hours_after():
    happened, later = range(0, 40 * HOUR, HOUR), range(41 * HOUR, 45 * HOUR, 15)
    known = [40 * HOUR + n % 5 for n in range(40)] + [minute + 1 for minute in later]
    assert said(happened=[*happened, *later], known=known) == "backlog"


@pytest.mark.parametrize("kind", [Kind.UPDATE, Kind.CANNOT_SEPARATE, Kind.UNDETERMINED])
def test_only_a_rise_without_an_update_has_a_cause(kind):
    assert said(kind=kind) is None
