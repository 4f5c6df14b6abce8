"""Whatever is wrong with the lake, the page says what was found and what to run; never a traceback."""

from __future__ import annotations

import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

from dashboard import data
from dashboard.answers import QueryFailed
from dashboard.data import Feed
from dashboard.selection import Filters, Selection
from dashboard.snapshot import LakeState
from fleetcrash.store import Engine, Lake
from fleetcrash.store.schema import SCHEMA_KEY, SCHEMA_VERSION
from tests.dashboard.fleet import NOW, START, append_rows, incident, outage, tick


def test_no_lake(tmp_path: Path, overview):
    page = overview(tmp_path / "nothing")
    assert "No lake here yet" in page.text
    assert "fleetcrash load PATH" in page.text
    assert not page.app.multiselect


def test_a_file_is_no_lake(tmp_path: Path, overview):
    (tmp_path / "file").write_text("x")
    assert "is a file, and a lake is a folder" in overview(tmp_path / "file").text


def test_an_empty_lake(tmp_path: Path, overview):
    Lake.create(tmp_path / "lake")
    assert "The lake is empty" in overview(tmp_path / "lake").text


def test_a_lake_that_cannot_be_read(tmp_path: Path, overview):
    lake = outage(tmp_path / "lake")
    for path in (lake.root / "crash" / "_delta_log").glob("*.json"):
        path.write_text("not json")
    page = overview(lake.root)
    assert "The lake cannot be read" in page.text
    assert "tried again every two seconds" in page.text
    assert "Traceback" not in page.text


def test_a_lake_of_another_version(tmp_path: Path, overview):
    lake = outage(tmp_path / "lake")
    for path in (lake.root / "crash" / "_delta_log").glob("*.json"):
        path.write_text(path.read_text().replace(f'"{SCHEMA_KEY}":"{SCHEMA_VERSION}"', f'"{SCHEMA_KEY}":"99"'))
    assert "written by schema 99" in overview(lake.root).text


def test_a_query_that_fails_leaves_the_banner(tmp_path: Path, overview, monkeypatch: pytest.MonkeyPatch):
    lake = outage(tmp_path / "lake")
    tick(lake, [incident()])
    answer = Engine.frame

    def failing(self: Engine, query: str, **parameters: object) -> object:
        if query == "crash_rate_by_update":
            raise RuntimeError("disk on fire")
        return answer(self, query, **parameters)

    monkeypatch.setattr(Engine, "frame", failing)
    page = overview(lake.root)
    assert "is crashing Windows hosts" in page.text
    assert "this could not be counted" in page.text
    assert "disk on fire" in page.text
    assert "Traceback" not in page.text


@pytest.fixture
def feed(tmp_path: Path):
    lake = outage(tmp_path / "lake")
    feed = Feed(lake.root, watch=False)
    yield feed
    feed.close()


DAY = Selection(START, NOW)


def test_a_lake_that_comes_to_be_is_found(tmp_path: Path):
    feed = Feed(tmp_path / "later", watch=False)
    assert feed.snapshot().state is LakeState.MISSING
    outage(tmp_path / "later")
    feed.refresh()
    assert feed.snapshot().state is LakeState.READY
    feed.close()


def test_an_answer_is_kept_until_the_lake_changes(feed: Feed):
    first = feed.frame("hosts_affected", DAY)
    feed.refresh()
    assert feed.frame("hosts_affected", DAY) is first
    number = feed.snapshot().number
    append_rows(
        Lake.open(feed.snapshot().root),
        "crash",
        [{"crash_id": "new", "host_id": "host-59", "os_type": "linux", "occurred_at": START}],
        batch_id="new",
    )
    feed.refresh()
    assert feed.snapshot().number == number + 1
    assert feed.frame("hosts_affected", DAY).iloc[0]["crashes"] == first.iloc[0]["crashes"] + 1


def test_two_selections_do_not_mix(feed: Feed):
    linux = Selection(START, NOW, Filters(os_types=("linux",)))
    everything = feed.frame("hosts_affected", DAY).iloc[0]["hosts_online"]
    assert (everything, feed.frame("hosts_affected", linux).iloc[0]["hosts_online"]) == (60, 10)
    assert feed.frame("crash_rate_by_agent_version", DAY)["hosts_online"].sum() == 60


def test_a_lake_that_goes_away_keeps_what_was_read_and_says_so(feed: Feed, tmp_path: Path):
    shutil.rmtree(tmp_path / "lake")
    feed.refresh()
    snapshot = feed.snapshot()
    assert snapshot.state is LakeState.READY
    assert "cannot be read" in snapshot.problem or "no table" in snapshot.problem
    with pytest.raises(QueryFailed):
        feed.frame("hosts_affected", Selection(START, NOW, Filters(os_types=("darwin",))))


def test_the_watcher_finds_changes_by_itself_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(data, "REFRESH_S", 0.05)
    feed = Feed(tmp_path / "later")
    outage(tmp_path / "later")
    for _ in range(400):
        if feed.snapshot().state is LakeState.READY:
            break
        feed._stop.wait(0.05)
    assert feed.snapshot().state is LakeState.READY
    feed.close()
    assert not feed._watcher.is_alive()


def test_figures_beside_one_another_are_of_one_look(tmp_path: Path):
    lake = outage(tmp_path / "lake")
    with closing(Feed(lake.root, watch=False)) as feed:
        before = feed.frame("hosts_affected", DAY).iloc[0]["crashes"]
        at = NOW - timedelta(minutes=1)
        crash = {"crash_id": "late", "host_id": "host-01", "os_type": "windows", "occurred_at": at}
        append_rows(lake, "crash", [crash], batch_id="late")
        looker = Thread(target=feed.refresh)
        with feed.still():
            looker.start()
            feed.frame("crash_rate_by_agent_version", DAY)
            assert feed.frame("crash_rate_by_agent_version", DAY)["crashes"].sum() == before
        looker.join()
        assert feed.frame("crash_rate_by_agent_version", DAY)["crashes"].sum() == before + 1
