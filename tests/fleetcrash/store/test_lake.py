"""The lake: made, opened, refused; a batch once, whoever writes it and however they die."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.errors import FleetcrashError, LakeError
from fleetcrash.records import table_columns
from fleetcrash.store import Engine, Lake
from fleetcrash.store.housekeeping import compact
from tests.dashboard.fleet import versions
from tests.fleetcrash.store.another_user import closed
from tests.fleetcrash.worlds import at

ROOT = Path(__file__).parents[3]


def crashes(*names: str) -> pa.Table:
    """Rows of the crash table; the columns that are left out are null."""
    minutes = [at(number) for number in range(len(names))]
    rows = {"crash_id": names, "host_id": ["h"] * len(names), "occurred_at": minutes, "known_at": minutes}
    return pa.table({name: pa.array(values) for name, values in rows.items()})


def names_in(lake: Lake) -> list[str]:
    """The crash ids of the lake, as often as they are there."""
    return sorted(name for file in lake.files("crash") for name in pq.read_table(file.path)["crash_id"].to_pylist())


# -- making and opening


def test_a_lake_that_was_made_can_be_opened_and_made_again(tmp_path):
    made = Lake.create(tmp_path / "deep" / "lake")
    made.append("crash", crashes("a"), batch_id="1")
    assert names_in(Lake.create(made.root)) == names_in(Lake.open(made.root)) == ["a"]


def test_creating_the_object_touches_nothing(tmp_path):
    assert not Lake(tmp_path / "lake").exists
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a lake", "Übersee", "湖", "a+b,c=d", "it's", "star*", "q?", "{a}", "#1", "~"])
def test_a_lake_may_have_any_ordinary_name(tmp_path, name):
    lake = Lake.create(tmp_path / name / "lake")
    for number in range(3):
        lake.append("crash", crashes(f"c{number}"), batch_id=f"b{number}")
    compact(lake, "crash")
    with Engine(Lake.open(lake.root)) as engine:
        assert len(engine.rows("crashes_known_since", since=at(-1))) == 3
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a%41", "[prod]", "a|b", "a^b", "back\\slash", "two\nlines", "x" * 300])
def test_a_name_that_no_lake_can_have_is_refused_before_anything_is_made(tmp_path, name):
    for way in (Lake.create, Lake.open):
        with pytest.raises(LakeError, match="Nothing was changed"):
            way(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["s3://bucket/lake", "file:///{}/lake", "abfss://x@y.example/lake"])
def test_a_url_is_no_lake(tmp_path, monkeypatch, url):
    monkeypatch.chdir(tmp_path)
    for way in (Lake.create, Lake.open, lambda root: Lake(Path(root)).check_present()):
        with pytest.raises(LakeError, match=r"is a URL, and a lake is a folder .*Nothing was changed"):
            way(url.format(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_lake_and_stays_as_it_was(tmp_path):
    (tmp_path / "lake").write_text("mine")
    for way in (Lake.create, Lake.open):
        with pytest.raises(LakeError, match="is a file"):
            way(tmp_path / "lake")
    assert (tmp_path / "lake").read_text() == "mine"
    with pytest.raises(LakeError, match=r"Choose another --lake\.$"):  # a load would be told the same
        Lake.open(tmp_path / "lake")


def test_where_there_is_no_lake_it_says_how_to_make_one(tmp_path):
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "nothing" / "at all"):
        with pytest.raises(LakeError, match=r"holds no lake.*fleetcrash load"):
            Lake.open(path)
    assert list(tmp_path.iterdir()) == []


def test_the_command_that_makes_a_lake_can_be_pasted_wherever_it_is_to_be(tmp_path):
    with pytest.raises(LakeError, match=r"--lake '.*/my lake'` to make one"):
        Lake.open(tmp_path / "my lake")


def test_a_lake_that_lacks_a_table_is_none_to_read_says_which_and_is_mended_by_making_it(lake):
    lake.append("crash", crashes("a"), batch_id="1")
    shutil.rmtree(lake.root / "quarantine")
    with pytest.raises(LakeError, match=r"lacks its table quarantine\. .*`fleetcrash doctor --lake "):
        Lake.open(lake.root)
    assert names_in(Lake.create(lake.root)) == ["a"]
    Lake.open(lake.root)


@pytest.mark.parametrize("table", ["crash", "incident"])
def test_a_lake_of_another_schema_is_left_alone(lake, table):
    DeltaTable(str(lake.root / table)).alter.set_table_properties({"fleetcrash.schema": "3"}, raise_if_not_exists=False)
    before = sorted(path for path in lake.root.rglob("*"))
    for way in (Lake.open, Lake.create):
        with pytest.raises(LakeError, match=rf"schema 3 \({table}\); this version reads 2\. Nothing was changed"):
            way(lake.root)
    assert sorted(path for path in lake.root.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_said_to_be_one(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(LakeError, match="cannot be written"):
        Lake.create(tmp_path / "lake")


@pytest.mark.parametrize("shut", ["crash", "crash/_delta_log", "*", ""])
def test_a_lake_of_which_a_part_is_closed_to_us_says_whom_to_be(lake, shut):
    Lake.open(lake.root)  # so that all is imported that is in a folder of root's
    with closed(lake.root, shut) as root:
        for way in (Lake.open, Lake.create):
            with pytest.raises(
                LakeError, match=rf"lake{'/crash' if shut else ''}\S* may not be read by this user.*sudo -u"
            ):
                way(root)


@pytest.mark.parametrize("ask", [Lake.open, lambda root: Lake(root).check_present()])
def test_a_lake_that_may_not_be_read_is_not_said_to_be_none(lake, monkeypatch, ask):
    def is_dir(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "access", lambda *_, **__: False)  # as whoever is not root sees a folder of others
    monkeypatch.setattr(Path, "is_dir", is_dir)
    monkeypatch.setattr(Lake, "has", lambda *_: False)
    with pytest.raises(LakeError, match="may not be read by this user"):
        ask(lake.root)


def test_a_lake_that_is_read_only_is_said_to_be_so_and_what_it_has_is_known(lake, monkeypatch):
    lake.append("crash", crashes("a"), batch_id="1")
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)  # as on a file system that is mounted so
    with pytest.raises(LakeError, match=r"crash in the lake at .* is read-only to us\. What is in the lake is whole"):
        lake.append("crash", crashes("b"), batch_id="2")
    assert not lake.append("crash", crashes("a"), batch_id="1")
    assert names_in(lake) == ["a"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a place where nobody may write, root included")
def test_a_place_that_nobody_may_write_is_said_to_be_one():
    with pytest.raises(LakeError, match="cannot be written"):
        Lake.create("/proc/fleetcrash/lake")


def test_a_lake_below_a_file_is_said_to_be_impossible(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LakeError, match="cannot be written"):
        Lake.create(tmp_path / "file" / "lake")


def test_a_damaged_log_is_said_to_be_unreadable(lake):
    (lake.root / "crash" / "_delta_log" / f"{0:020}.json").write_text("nonsense")
    with pytest.raises(LakeError, match=r"crash in the lake at .* cannot be read"):
        Lake.open(lake.root)


def test_errors_fit_on_a_terminal(lake):
    (lake.root / "crash" / "_delta_log" / f"{0:020}.json").write_text("nonsense\n" * 100)
    with pytest.raises(FleetcrashError) as raised:
        Lake.open(lake.root)
    assert len(str(raised.value)) < 600
    assert "\n" not in str(raised.value)


# -- appending


def test_a_batch_is_committed_once_to_each_table(lake):
    assert lake.append("crash", crashes("a"), batch_id="1")
    assert not lake.append("crash", crashes("a"), batch_id="1")
    assert not Lake.open(lake.root).append("crash", crashes("something else"), batch_id="1")
    assert lake.append("host", pa.table({"host_id": ["h"]}), batch_id="1")
    assert names_in(lake) == ["a"]
    assert lake.committed("crash", "1")
    assert not lake.committed("install", "1")


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_of_a_writer_that_goes_on_for_ever_only_a_higher_number_is_committed(empty_lake, tmp_path_factory, sequence):
    root = tmp_path_factory.mktemp("sequence") / "lake"
    shutil.copytree(empty_lake, root)
    lake = Lake.open(root)
    newest = 0
    for place, number in enumerate(sequence):
        # The same writer in a new process now and then.
        lake = Lake.open(root) if place % 3 == 2 else lake
        committed = lake.append("crash", crashes(f"c{place}"), batch_id="writer", sequence=number)
        assert committed == (number > newest)
        newest = max(newest, number)


def test_compaction_forgets_no_batch(lake):
    for number in range(4):
        lake.append("crash", crashes(f"c{number}"), batch_id=f"b{number}")
    compact(lake)
    for number in range(4):
        assert not Lake.open(lake.root).append("crash", crashes("again"), batch_id=f"b{number}")
    assert names_in(lake) == ["c0", "c1", "c2", "c3"]
    assert len(lake.files("crash")) == 1


def test_of_a_batch_that_is_retired_the_log_forgets_the_name_and_of_no_other(lake):
    for name in "abc":
        lake.append("crash", crashes(name), batch_id=name)
    lake.append("host", pa.table({"host_id": ["h"]}), batch_id="b")
    lake.retire("a")
    lake.retire("b")
    assert lake.committed("crash", "a"), "until something is appended there"
    lake.append("crash", crashes("d"), batch_id="d")
    compact(lake, "crash")
    (checkpoint,) = (lake.folder("crash") / "_delta_log").glob("*.checkpoint.parquet")
    told = pq.read_table(checkpoint, columns=["txn"])["txn"].drop_null().to_pylist()
    assert sorted(one["appId"] for one in told) == ["c", "d"]
    found = Lake.open(lake.root)
    assert [found.committed("crash", name) for name in "abcd"] == [False, False, True, True]
    assert found.committed("host", "b")
    assert names_in(lake) == ["a", "b", "c", "d"]


def test_columns_may_come_in_any_order_and_some_not_at_all(lake):
    rows = crashes("a", "b").select(["known_at", "occurred_at", "crash_id"])
    lake.append("crash", rows, batch_id="1")
    (file,) = lake.files("crash")
    stored = pq.read_table(file.path)
    assert stored.column_names == [column.name for column in table_columns()["crash"]]
    assert sorted(stored["crash_id"].to_pylist()) == ["a", "b"]
    assert stored["frames"].null_count == 2


def test_an_unknown_table_is_said_to_be_one(lake):
    with pytest.raises(LakeError, match="no table nonsense"):
        lake.append("nonsense", crashes("a"), batch_id="1")


def test_equal_versions_mean_equal_answers(lake):
    before = versions(lake)
    assert versions(lake) == before
    lake.append("crash", crashes("a"), batch_id="1")
    after = versions(lake)
    assert {name for name in after if after[name] != before[name]} == {"crash"}


# -- many processes at once

WRITER = """
import sys
import pyarrow as pa
from fleetcrash.store import Lake
lake = Lake.open(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    name = line.strip()
    print(lake.append("crash", pa.table({"crash_id": [name], "host_id": ["h"]}), batch_id=name), flush=True)
"""


class Writer:
    """A process that appends a batch for each name that it is told."""

    def __init__(self, lake: Lake) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(lake.root)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def tell(self, *names: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{name}\n" for name in names))
        self.process.stdin.flush()

    def answers(self) -> list[str]:
        """What became of each batch, once all are done."""
        return self.process.communicate(timeout=60)[0].split()


@pytest.mark.slow
def test_two_processes_that_append_at_once_lose_nothing_and_commit_what_both_have_once(lake):
    writers = [Writer(lake), Writer(lake)]
    for writer in writers:
        writer.wait_until_ready()
    shared = [f"shared-{number}" for number in range(8)]
    own = [[f"own-{which}-{number}" for number in range(8)] for which in range(2)]
    for writer, mine in zip(writers, own, strict=True):
        writer.tell(*(name for pair in zip(shared, mine, strict=True) for name in pair))
    first, second = (writer.answers() for writer in writers)
    assert names_in(lake) == sorted(shared + own[0] + own[1])
    assert first[1::2] == second[1::2] == ["True"] * 8
    assert [{one, other} for one, other in zip(first[::2], second[::2], strict=True)] == [{"True", "False"}] * 8


@pytest.mark.slow
def test_a_writer_that_is_killed_and_started_again_commits_each_batch_once(lake):
    batches = [f"b{number}" for number in range(40)]
    killed = Writer(lake)
    killed.wait_until_ready()
    killed.tell(*batches)
    assert killed.process.stdout is not None
    for _ in range(5):
        killed.process.stdout.readline()  # five are in; it is at the sixth or a later one
    killed.process.send_signal(signal.SIGKILL)
    killed.process.communicate()
    there = names_in(Lake.open(lake.root))
    assert set(batches[:5]) <= set(there) < set(batches)
    again = [Lake.open(lake.root).append("crash", crashes(name), batch_id=name) for name in batches]
    assert sorted(name for name, committed in zip(batches, again, strict=True) if not committed) == there
    assert names_in(lake) == sorted(batches)


@pytest.mark.slow
def test_a_reader_goes_on_while_the_lake_is_compacted(lake):
    done = threading.Event()
    troubles: list[BaseException] = []

    def write_and_compact() -> None:
        try:
            writer = Lake.open(lake.root)
            for number in range(30):
                writer.append("crash", crashes(f"c{number}"), batch_id=f"b{number}")
                if number % 3 == 2:
                    compact(writer, "crash")
        except BaseException as error:
            troubles.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=write_and_compact)
    thread.start()
    seen = [0]
    with Engine(lake, as_of=at(1000)) as engine:
        while not done.is_set():
            engine.refresh()
            seen.append(len(engine.rows("crashes_known_since", since=at(-1))))
            # The snapshot at hand can be read on, although its files have been merged into others.
            assert len(engine.rows("crashes_known_since", since=at(-1))) == seen[-1]
        thread.join()
        engine.refresh()
        seen.append(len(engine.rows("crashes_known_since", since=at(-1))))
    assert not troubles
    assert seen == sorted(seen)
    assert seen[-1] == 30
    assert len(seen) > 4  # it looked while that went on
