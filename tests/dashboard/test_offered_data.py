"""Whatever data a page offers can be opened."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dashboard import views
from fleetcrash.clustering import Clusters
from fleetcrash.store import Engine, Lake
from tests.dashboard.fleet import GUILTY, NOW, append_rows, incident, outage, tick

HEALTH = {"what-became-of-the-records", "batches", "lag-by-feed", "gaps", "quarantine-by-reason", "samples"}
OFFERED = {
    "overview": ({}, {"crash-rate", "by-agent-version", "by-update"}),
    "overview by update": ({"by": "update"}, {"crash-rate", "by-agent-version", "by-update"}),
    "clusters": ({}, {"crash-clusters"}),
    "cluster": ({}, {"crash-rate", "shares", "hosts", "crashes"}),
    "host": ({"id": "host-08"}, {"crashes"}),
    "crash": ({"id": "noise-1"}, set()),
    "incident": ({"id": "inc-0001"}, {"blast-radius", "hosts-at-risk", "what-waiting-cost"}),
    "updates": ({}, {"updates"}),
    "updates, one of them": ({"id": GUILTY}, {"spread-and-crashes", "hosts", "blast-radius"}),
    "health": ({}, HEALTH),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = outage(tmp_path_factory.mktemp("offered") / "lake")
    aside = {"source": "tests", "line": 1, "reason": "not_json", "raw": b"nonsense", "known_at": NOW}
    append_rows(lake, "quarantine", [aside], batch_id="aside")
    tick(lake, [incident()])
    return lake


@pytest.mark.parametrize(
    "shown", [name if name == "overview" else pytest.param(name, marks=pytest.mark.slow) for name in OFFERED]
)
def test_all_data_that_a_page_offers_can_be_opened(shown: str, lake: Lake, view):
    parameters, offered = OFFERED[shown]
    name = re.split(r"\W", shown)[0]
    if name == "cluster":
        with Engine(lake) as engine:
            parameters = {"id": Clusters(engine).list()[0].cluster_id}
    page = view(name, lake.root, **parameters)
    assert page.offered == offered
    for one in offered:
        page.app.session_state[f"data-{one}"] = True
    page.app.run()
    assert not page.app.exception, [each.value for each in page.app.exception]
    files = {str(each.key) for each in page.app.get("download_button")}
    assert files == {f"{kind}-{one}" for one in offered for kind in ("csv", "parquet")}


def test_no_page_offers_data_that_nothing_opens_here():
    texts = [file.read_text(encoding="utf-8") for file in Path(*views.__path__).glob("*.py")]
    titles = {one for _, offered in OFFERED.values() for one in offered}
    elsewhere = 1  # the hosts that an incident without an update hit: test_incident_hosts
    two_of_them_twice = len(titles) + 2
    assert sum(len(re.findall(r"\bexport\(", text)) for text in texts) == two_of_them_twice + elsewhere
