"""Alerting while somebody edits the file that says who is told, and where it cannot begin yet."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleetcrash.store import Lake
from monitor.alerts import courier, following
from monitor.alerts.following import Following
from monitor.alerts.outbox import Outbox
from tests.fleetcrash.short import short_outage
from tests.ingest.test_faults import small_disk
from tests.monitor.alerts.conftest import PATIENCE_S, Hook, answer, document, incident, named, silent_until

__all__ = ["small_disk"]

ROOT = Path(__file__).parents[3]


def write(path: Path, **hooks: Hook) -> None:
    """The file with these receivers."""
    path.write_text(
        "".join(f'[receivers.{name}]\ntype = "webhook"\nurl = "{hook.address}"\n' for name, hook in hooks.items())
    )


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "alerts.toml"


@pytest.fixture
def followed(tmp_path, monkeypatch) -> Iterator[Following]:
    """Alerting of a folder that has no file yet; a test says when the file is read."""
    monkeypatch.setattr(courier, "_GLANCE_S", 0.01)
    made = Following(tmp_path)
    try:
        yield made
    finally:
        made._began.close()


def until(done: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def settled(one: Following) -> None:
    """The file is read often enough for a change to count."""
    one.step()
    one.step()


def received(tmp_path: Path) -> list[str]:
    """Whom the outbox serves."""
    with Outbox(tmp_path) as outbox:
        return [row["name"] for row in outbox.rows("SELECT name FROM receiver_now ORDER BY name")]


def test_a_receiver_that_is_added_is_told_of_what_is_open_and_of_what_comes(followed, file, hooks):
    old, new = hooks(), hooks()
    write(file, oncall=old)
    settled(followed)
    followed.looked(document(incident()), None)
    old.wait_for(1)
    write(file, oncall=old, second=new)
    settled(followed)
    new.wait_for(1)
    followed.looked(document(named(), minute=11), None)
    old.wait_for(2)
    new.wait_for(2)
    assert old.events == new.events == [("inc-1", "opened"), ("inc-1", "updated")]


def test_one_that_is_taken_out_hears_nothing_more(followed, file, hooks, tmp_path):
    gone, stays = hooks(), hooks()
    write(file, gone=gone, stays=stays)
    settled(followed)
    write(file, stays=stays)
    settled(followed)
    until(lambda: received(tmp_path) == ["stays"])
    followed.looked(document(incident()), None)
    stays.wait_for(1)
    assert gone.got == []


def test_a_file_that_appears_is_as_good_as_one_that_was_there(followed, file, hook):
    settled(followed)
    assert followed.standing() is None
    followed.looked(document(incident()), None)
    write(file, oncall=hook)
    settled(followed)
    hook.wait_for(1)
    assert hook.events == [("inc-1", "opened")]


@pytest.mark.parametrize("broken", ["[receivers.oncall]\ntype = 'pigeon'\n", "[receivers.onc", "", None])
def test_what_cannot_be_understood_is_said_once_and_what_was_read_before_goes_on(followed, file, hook, caplog, broken):
    write(file, oncall=hook)
    settled(followed)
    file.unlink()
    if broken is not None:
        file.write_text(broken)
    for _ in range(3):
        settled(followed)
    assert [str(file) in text for text in caplog.messages] == [True]
    assert "Until that is mended, what it said before goes on." in caplog.text
    assert "Nothing was started" not in caplog.text
    followed.looked(document(incident()), None)
    hook.wait_for(1)
    standing = followed.standing()
    assert standing is not None
    assert (standing.leads, standing.follows) == (True, False)
    write(file, oncall=hook)
    settled(followed)
    standing = followed.standing()
    assert standing is not None
    assert standing.follows


def test_a_file_that_is_being_written_does_not_count(followed, file, hooks, tmp_path, caplog):
    caplog.set_level("INFO")
    first, second = hooks(), hooks()
    write(file, first=first, second=second)
    followed.step()
    write(file, first=first)  # an editor is half way
    followed.step()
    write(file, first=first, second=second)
    followed.step()
    until(lambda: received(tmp_path) == ["first", "second"])  # by a thread of its own
    assert "from now on" not in caplog.text


def test_a_mended_address_is_tried_at_once_and_the_old_thread_is_not_waited_for(followed, file, hooks):
    wrong, right = hooks(), hooks()
    held = threading.Event()
    wrong.answers = [silent_until(held)]
    write(file, oncall=wrong)
    settled(followed)
    followed.looked(document(incident()), None)
    wrong.wait_for(1)
    write(file, oncall=right)
    settled(followed)
    right.wait_for(1)
    held.set()
    assert right.events == [("inc-1", "opened")]


def test_a_receiver_that_was_to_wait_for_minutes_is_tried_at_once_when_it_is_changed(followed, file, hooks, tmp_path):
    wrong, right = hooks(), hooks()
    wrong.answers = [answer(503, Retry_After="3000")]
    write(file, oncall=wrong)
    settled(followed)
    followed.looked(document(incident()), None)
    wrong.wait_for(1)
    with Outbox(tmp_path) as outbox:
        until(lambda: outbox.tries("oncall"))
    write(file, oncall=right)
    settled(followed)
    right.wait_for(1)
    assert right.events == [("inc-1", "opened")]


def test_a_mistake_at_the_start_keeps_nobody_from_watching(followed, file, hook, caplog):
    file.write_text("[receivers.onc")
    settled(followed)
    assert "Until that is mended, nobody is told." in caplog.text
    standing = followed.standing()
    assert standing is not None
    assert (standing.leads, standing.follows) == (False, False)
    followed.looked(document(incident()), None)
    write(file, oncall=hook)
    settled(followed)
    hook.wait_for(1)


def test_threads_and_all_a_change_counts_within_seconds(tmp_path, file, hooks, monkeypatch):
    monkeypatch.setattr(following, "_READ_EVERY_S", 0.01)
    monkeypatch.setattr(courier, "_GLANCE_S", 0.01)
    old, new = hooks(), hooks()
    write(file, oncall=old)
    with Following(tmp_path) as followed:
        followed.looked(document(incident()), None)
        old.wait_for(1)
        write(file, oncall=old, second=new)
        new.wait_for(1)
    assert old.events == new.events == [("inc-1", "opened")]


# -- a disk without room


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(disk).free))
    return filler


@pytest.mark.parametrize("is_new", [True, False])
def test_on_a_full_disk_alerting_begins_when_there_is_room(small_disk, hook, caplog, is_new, monkeypatch):
    monkeypatch.setattr(courier, "_GLANCE_S", 0.01)
    write(small_disk / "alerts.toml", oncall=hook)
    if not is_new:
        Outbox(small_disk).close()
    filler = fill(small_disk)
    followed = Following(small_disk)
    for _ in range(3):
        settled(followed)
    followed.looked(document(incident()), None)
    standing = followed.standing()
    assert standing is not None
    assert not standing.leads
    assert len(caplog.messages) == 1
    assert "outbox.sqlite cannot be used: the disk is full" in caplog.text
    filler.unlink()
    settled(followed)
    hook.wait_for(1)
    followed._began.close()


@pytest.mark.slow
def test_a_monitor_that_is_started_on_a_full_disk_judges_and_tells_when_there_is_room(small_disk, hook, tmp_path):
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    lake: Lake = short_outage(small_disk / "lake")
    write(lake.root / "alerts.toml", oncall=hook)
    filler = fill(small_disk)
    command = [sys.executable, "-m", "cli", "monitor", "--lake", str(lake.root), "--interval", "0.2"]
    with subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        said = iter(running.stderr.readline, "")
        assert any("outbox.sqlite cannot be used" in line for line in said)
        assert any("this look failed, and is tried again: incident" in line for line in said)
        assert hook.got == []
        filler.unlink()
        hook.wait_for(1)
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE_S) == 0
    assert hook.documents[0]["verdict"] == "update"
