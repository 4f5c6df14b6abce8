"""Where a rise is that no update is named for."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.hypotheses.waves import Beginning
from fleetcrash.attribution.reporting.where import where_of
from fleetcrash.attribution.weighing.judgement import Kind
from fleetcrash.store.mentions import Mentions
from fleetcrash.times import tick_text, time_text
from tests.fleetcrash import dark_site
from tests.fleetcrash.worlds import at, lake_of

AMER, LAB = 1, 2
ONSET = 610


class Told(SimpleNamespace):
    """Events, as far as a place is asked of them."""

    def __len__(self):
        return len(self.minute)


def said(
    kind: Kind, *, log_margin: float = -5.0, wave: bool = True, claims: bool = True, late: int = 0, alarm: int = 620
) -> Any:
    """Where an incident of forty crashes is, whose best wave is in region amer, though site lab was said once."""
    minute = np.arange(600, 640)
    events = Told(
        minute=minute,
        tick=minute + late,
        host=np.array([f"h{number}" for number in range(40)], dtype=object),
        outcome=np.zeros(40, np.int64),
        module=np.array(["third.sys"] * 40, dtype=object),
    )
    names = {AMER: ("region", "amer"), LAB: ("site", "lab")}
    detector: Any = SimpleNamespace(
        news=SimpleNamespace(events=events),
        spots=SimpleNamespace(name=names.__getitem__, describe=lambda spot: " ".join(names[spot])),
    )
    incident: Any = SimpleNamespace(
        kind=kind,
        opened_tick=alarm,
        wave_spot=LAB,
        onset_minute=ONSET - 5,
        judgement=SimpleNamespace(wave=(0, 0) if wave else None, log_margin=log_margin),
        waves=SimpleNamespace(beginning=lambda _: Beginning(AMER, ONSET)),
        claim=lambda size: np.full(size, claims),
    )
    return where_of(detector, incident)


@pytest.mark.parametrize("kind", [Kind.UNDETERMINED, Kind.CANNOT_SEPARATE])
def test_what_is_open_is_where_a_rise_explains_it_better_than_any_update(kind):
    assert said(kind) == {
        "kind": "wave",
        "name": "region amer",
        "dimension": "region",
        "since": tick_text(ONSET),
        "module": "third.sys",
    }
    assert said(kind, log_margin=0.1) is None
    assert said(kind, wave=False) is None


def test_no_update_is_where_it_was_said_to_be():
    where = said(Kind.NO_UPDATE, log_margin=5.0)
    assert (where["name"], where["since"]) == ("site lab", tick_text(ONSET - 5))
    assert said(Kind.NO_UPDATE, wave=False) == where


def test_nothing_begins_after_its_alarm():
    assert said(Kind.UNDETERMINED, alarm=ONSET - 2)["since"] == tick_text(ONSET - 2)


def test_late_reports_are_nowhere():
    where = said(Kind.NO_UPDATE, late=300)
    assert (where["name"], where["dimension"], where["module"]) == (None, None, "third.sys")


def test_a_named_update_is_told_by_its_condition_and_nothing_is_nowhere():
    assert said(Kind.UPDATE) is None
    assert said(Kind.NO_UPDATE, claims=False) is None


def test_a_site_that_went_dark_is_told_with_its_first_minute(empty_lake):
    with lake_of(dark_site.world(), empty_lake) as lake:
        (incident,) = incidents(lake)["incidents"]
    where = incident["where"]
    assert (where["name"], where["dimension"], where["module"]) == ("site lab", "site", None)
    assert where["since"] == time_text(at(dark_site.DARK))
    assert where["name"] in incident["summary"]
    cleaned = json.loads(
        Mentions("lab-of-one-host").without(json.dumps({"where": {**where, "name": "site lab-of-one-host"}}))
    )
    assert "lab-of-one-host" not in cleaned["where"]["name"]  # a site may have the name of its only host
