"""When the last hour of a named incident is asked for another update's doing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fleetcrash.attribution.detection import second_faults
from fleetcrash.attribution.detection.second_faults import SecondFaults
from fleetcrash.attribution.expected.baseline import CRASH, CRASH_AT_BOOT, LAG_MINUTES
from fleetcrash.attribution.incidents.case import Case
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.incidents.toll import Toll
from fleetcrash.attribution.weighing.judgement import Judgement, Kind

FIRST, LATER, ALARM, TICK = 3, 5, 500, 800
EARLY, LATELY = 10, 20  # events


class Events(SimpleNamespace):
    """Some at the alarm, and some in the last hour."""

    def __len__(self) -> int:
        return EARLY + LATELY


@pytest.mark.parametrize(
    ("early", "lately", "asked"),
    [
        (CRASH, [CRASH] * LATELY, range(EARLY, EARLY + LATELY)),
        (CRASH, [CRASH_AT_BOOT] * LATELY, range(EARLY, EARLY + LATELY)),
        (CRASH_AT_BOOT, [CRASH] * LATELY, range(EARLY, EARLY + LATELY)),
        (CRASH_AT_BOOT, [CRASH_AT_BOOT] * LATELY, None),
        (CRASH_AT_BOOT, [CRASH_AT_BOOT] * 15 + [CRASH] * 5, range(EARLY + 15, EARLY + LATELY)),
    ],
    ids=["no boots", "boots now", "boots before", "boots", "boots, and something else"],
)
def test_what_comes_at_boots_is_more_of_a_fault_that_waits_for_them(monkeypatch, early, lately, asked):
    minute = np.repeat([ALARM, TICK - LAG_MINUTES // 2], [EARLY, LATELY])
    events = Events(minute=minute, tick=minute + 1, outcome=np.array([early] * EARLY + lately))
    inquiry: Any = SimpleNamespace(
        news=SimpleNamespace(events=events, installs_told=True),
        expected=SimpleNamespace(time=SimpleNamespace(by_update={LATER: None})),
        released=lambda _: ALARM + 100,
        events_with=lambda *_: np.ones(len(events), bool),
    )
    more = SimpleNamespace(goes_on=lambda *_: False)
    monkeypatch.setattr(Toll, "until", lambda *_: more)
    answer = Judgement(Kind.UPDATE, LATER, np.ones(1), None, 0.0), None, None
    monkeypatch.setattr(second_faults, "judged", lambda *_: answer)
    first = Incident.opened(ALARM, 0)
    first.said.update, first.said.named_tick = FIRST, ALARM + 1
    first.set_claim(np.ones(len(events), bool))
    case: Any = Case(
        None,
        TICK,
        events=np.zeros(0, bool),
        cells=np.zeros(0, bool),
        but=frozenset(),
        known_faults=(),
        tolls={},
        blamed=frozenset(),
        unsettled_until=-1,
        of_no_update=np.zeros(0, bool),
    )
    claims: Any = SimpleNamespace(cells_of=lambda _: np.ones(1, bool))
    weighed: list[list[int]] = []

    def case_of(mine: Any, _: Any) -> Case:
        weighed.append(np.flatnonzero(mine).tolist())
        return case

    found = SecondFaults(inquiry, claims).later(first, TICK, {FIRST}, case_of)
    assert found == (None if asked is None else LATER)
    assert weighed == ([] if asked is None else [list(asked)])
