"""The monitor on a lake that grows: it says what a whole run says, however it is stopped and started."""

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.errors import BadArgument
from fleetcrash.store import Engine, Lake
from ingest.load import append_tables
from monitor.children import ChildEnded, Children, check_port
from monitor.loop import Monitor
from sample_data.replay import records_known_by, replay
from sample_data.simulator import simulate


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("fleet") / "records"
    simulate("channel-file-291", out, hosts=1200, seed=2, days=1)
    return out


def feed(lake: Lake, tables, name: str) -> None:
    append_tables(lake, tables, batch_id=name, source="test", now=datetime.now(UTC))


def newest(lake: Lake) -> dict:
    with Engine(lake) as engine:
        document: dict = json.loads(engine.rows("incident_now")[0]["document"])
    return document


def test_a_monitor_that_follows_and_one_that_starts_late_say_what_a_whole_run_says(folder, tmp_path):
    lake = Lake.create(tmp_path / "lake")
    start = datetime(2024, 7, 19, 4, 5, tzinfo=UTC)
    feed(lake, records_known_by(folder, start), "history")
    monitor = Monitor(lake)
    assert monitor.look() is not None
    assert monitor.look() is None, "nothing new: nothing to say"
    step = timedelta(minutes=4)
    for instant, tables in replay(folder, start, step=step, until=start + 6 * step):
        feed(lake, tables, f"at-{instant}")
        monitor.look()
    followed = newest(lake)
    assert followed == incidents(lake)
    assert followed["incidents"][0]["verdict"] == "update"
    late = Monitor(Lake.open(tmp_path / "lake"))
    assert late.look() == followed


def test_children_are_ended_with_the_command(tmp_path):
    with Children() as beside:
        beside.start("sleeper", [sys.executable, "-c", "input()"], environment={}, quiet=True)
        with pytest.raises(ChildEnded, match="sleeper"):
            beside.wait()


def test_a_child_that_goes_on_is_interrupted(tmp_path):
    forever = "import signal; signal.pause()"
    with Children() as beside:
        beside.start("loop", [sys.executable, "-c", forever], environment={}, quiet=True)
        beside.check()
        process = beside._running["loop"]
    assert process.returncode is not None


def test_a_port_in_use_is_refused_with_another_to_try():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadArgument, match=f"--port {port + 1}"):
            check_port(port)
