"""Fleets in which the hosts of one system never tell of their presence, while the others do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.store import Lake
from ingest.load import load
from tests.fleetcrash.live import followed


@pytest.fixture
def unheard(outage, tmp_path) -> Lake:
    """The outage of Channel File 291, of which no Windows host tells a session."""
    folder = tmp_path / "records"
    folder.mkdir()
    hosts = pq.read_table(outage.folder / "host.parquet", columns=["host_id", "os_type"])
    windows = hosts.filter(pc.equal(hosts["os_type"], "windows"))["host_id"]
    for path in outage.folder.glob("*.parquet"):
        table = pq.read_table(path)
        if path.stem == "session":
            table = table.filter(pc.invert(pc.is_in(table["host_id"], value_set=pc.unique(windows))))
        pq.write_table(table, folder / path.name)
    lake = Lake.create(tmp_path / "lake")
    load(lake, [folder], now=datetime.now(UTC))
    return lake


@pytest.mark.slow
def test_the_update_is_named(unheard, outage):
    first, *others = incidents(unheard)["incidents"]
    assert (first["verdict"], first["update_id"]) == ("update", outage.truth["guilty"])
    assert first["condition"] == outage.truth["condition"]
    assert {other["update_id"] for other in others} <= {
        outage.truth["guilty"]
    }  # presence that is assumed lasts for a day


@pytest.mark.slow
def test_a_monitor_that_reads_on_says_the_same(unheard):
    incident, *_ = incidents(unheard)["incidents"]
    alarm = datetime.fromisoformat(incident["alarm_at"])
    moments = [alarm + timedelta(minutes=minutes) for minutes in (-1, 0, 1, 5, 30)]
    for moment, read_on in zip(moments, followed(unheard, moments), strict=True):
        assert read_on == incidents(unheard, as_of=moment)
