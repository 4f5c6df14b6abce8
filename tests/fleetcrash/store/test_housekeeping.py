"""Compaction: the same rows in fewer files, hosts side by side, and nobody is kept from reading or writing."""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.errors import LakeError
from fleetcrash.store import Engine, Lake, housekeeping, log
from fleetcrash.store.forgetting import forget
from fleetcrash.store.housekeeping import compact
from fleetcrash.store.log import Log, NewFile, replace
from fleetcrash.store.rewriting import SPILL, write_files
from tests.dashboard.fleet import book, versions
from tests.fleetcrash.worlds import at

HOUR = 3600.0


def crashes(*hosts: str | None, batch: str = "b") -> pa.Table:
    """A crash of each host."""
    minutes = [at(number) for number in range(len(hosts))]
    names = [f"{batch}-{number}" for number in range(len(hosts))]
    return pa.table(
        {
            "crash_id": names,
            "host_id": pa.array(hosts, pa.string()),
            "occurred_at": minutes,
            "known_at": minutes,
            "tags": pa.array([[("rack", "r1")] for _ in hosts], pa.map_(pa.string(), pa.string())),
            "batch_id": [batch] * len(hosts),
        }
    )


def append(lake: Lake, *hosts: str | None, batch: str) -> None:
    lake.append("crash", crashes(*hosts, batch=batch), batch_id=batch)


def hosts_in(lake: Lake) -> list[list[Any]]:
    """The hosts of each file of the crash table, in the order of its rows."""
    return [pq.ParquetFile(file.path).read()["host_id"].to_pylist() for file in lake.files("crash")]


def parquet_files(lake: Lake, table: str = "crash") -> set[str]:
    return {path.name for path in lake.folder(table).glob("*.parquet")}


def grow_old(path: Path, age_s: float = 25 * HOUR) -> None:
    then = time.time() - age_s
    os.utime(path, (then, then))


# -- what it makes of the files


@pytest.mark.slow
@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=5), max_size=5))
def test_rows_stay_the_same_and_hosts_lie_side_by_side(empty_lake, tmp_path_factory, batches):
    lake = Lake.create(tmp_path_factory.mktemp("rows") / "lake")
    for number, hosts in enumerate(batches):
        append(lake, *hosts, batch=f"b{number}")

    def all_rows() -> list[str]:
        tables = [pq.ParquetFile(file.path).read() for file in lake.files("crash")]
        return sorted(str(row) for table in tables for row in table.to_pylist())

    before = all_rows()
    compact(lake, "crash")
    assert all_rows() == before
    (hosts,) = hosts_in(lake) or ([],)
    assert hosts == sorted(hosts, key=lambda host: (host is None, host))


def test_files_are_written_as_the_lake_writes_them_and_the_log_says_what_is_in_them(lake):
    append(lake, "a", "b", batch="one")
    lake.append("crash", crashes("c", batch="one"), batch_id="one, second part")
    compact(lake, "crash")
    (file,) = lake.files("crash")
    assert (file.rows, file.size_bytes, file.only_batch) == (3, Path(file.path).stat().st_size, "one")
    parquet = pq.ParquetFile(file.path)
    assert parquet.metadata.row_group(0).column(0).compression == "ZSTD"
    assert parquet.schema_arrow.equals(lake.schemas["crash"])
    added = pa.table(DeltaTable(str(lake.folder("crash"))).get_add_actions(flatten=True)).to_pylist()[0]
    assert (added["min.host_id"], added["max.host_id"], added["null_count.host_id"]) == ("a", "c", 0)
    assert added["null_count.code"] == 3
    assert added["min.occurred_at"] == at(0)


def test_other_readers_of_delta_tables_read_them(lake):
    append(lake, "b", "a", batch="one")
    append(lake, "c", batch="two")
    compact(lake, "crash")
    read = DeltaTable(str(lake.folder("crash"))).to_pyarrow_table()
    assert read["host_id"].to_pylist() == ["a", "b", "c"]
    assert read["tags"].to_pylist() == [[("rack", "r1")]] * 3


def test_a_full_file_is_ended_and_left_alone_from_then_on(lake, monkeypatch):
    monkeypatch.setattr("fleetcrash.store.rewriting.TARGET_BYTES", 1)
    monkeypatch.setattr("fleetcrash.store.rewriting.ROW_GROUP_ROWS", 2)
    append(lake, "c", "a", "e", batch="one")
    append(lake, "b", "d", batch="two")
    (done,) = compact(lake, "crash")
    assert (done.merged, done.into) == (2, 3)
    assert sorted(hosts_in(lake), key=str) == [["a", "b"], ["c", "d"], ["e"]]
    monkeypatch.setattr("fleetcrash.store.housekeeping.TARGET_BYTES", 2)
    append(lake, "a", batch="three")
    full = {file.path for file in lake.files("crash")}
    (done,) = compact(lake, "crash")
    assert (done.merged, done.into) == (1, 1)
    assert len(full & {file.path for file in lake.files("crash")}) == 3


@pytest.mark.parametrize("work", [compact, lambda lake: forget(lake, "h-0")], ids=["compact", "forget"])
def test_damage_in_the_middle_of_a_file_is_said_to_be_that_and_nothing_is_changed(lake, monkeypatch, work):
    """It shows after the first rows were read: then Arrow raises an error of its own."""
    monkeypatch.setattr("fleetcrash.store.rewriting.ROW_GROUP_ROWS", 2048)  # what DuckDB has at once
    for batch in ("one", "two"):
        append(lake, *[f"h-{number}" for number in range(5_000)], batch=batch)
    compact(lake, "crash")
    (file,) = lake.files("crash")
    path = Path(file.path)
    last = pq.ParquetFile(path).metadata.row_group(4).column(0)
    whole = bytearray(path.read_bytes())
    whole[last.data_page_offset + 40 : last.data_page_offset + 60] = b"\xff" * 20
    path.write_bytes(whole)
    append(lake, "h-0", "h-1", batch="three")
    before = parquet_files(lake)
    with pytest.raises(LakeError, match=r"crash in the lake at .* cannot be read: .*fleetcrash doctor"):
        work(lake)
    assert parquet_files(lake) == before


def test_what_has_had_nothing_new_is_left_as_it_is(lake):
    append(lake, "a", batch="one")
    lake.append("update", pa.table({"update_id": ["u"]}), batch_id="one")
    compact(lake)
    before = {path: path.stat().st_mtime_ns for path in lake.root.rglob("*")}
    assert {one.merged for one in compact(lake)} == {0}
    assert {path: path.stat().st_mtime_ns for path in lake.root.rglob("*")} == before
    append(lake, "b", batch="two")
    assert {one.table for one in compact(lake) if one.merged} == {"crash"}


@pytest.mark.slow
def test_sorting_more_than_fits_into_memory_leaves_nothing_behind(lake, monkeypatch):
    monkeypatch.setattr("fleetcrash.store.rewriting._MEMORY_LIMIT", "100MiB")
    for number in range(3):
        names = [f"{(row * 7919) % 200_000:032}" for row in range(200_000)]
        rows = pa.table({"crash_id": names, "host_id": names, "code": names, "module": names})
        lake.append("crash", rows, batch_id=f"b{number}")
    compact(lake, "crash")
    hosts = [host for file in hosts_in(lake) for host in file]
    assert len(hosts) == 600_000
    assert hosts == sorted(hosts)
    assert not list(lake.root.glob(f"{SPILL}*"))


# -- what it deletes


def test_replaced_files_stay_for_their_readers_and_then_go(lake):
    for batch, host in (("one", "a"), ("two", "b")):
        append(lake, host, batch=batch)
        book(lake, batch)
    with Engine(lake, as_of=at(1000)) as engine:
        compact(lake, "crash")
        assert len(parquet_files(lake)) == 3
        assert len(engine.rows("crashes_known_since", since=at(-1))) == 2
    (done,) = compact(lake, "crash", keep=timedelta(0))
    assert done.swept.files == 2
    assert parquet_files(lake) == {Path(file.path).name for file in lake.files("crash")}
    assert hosts_in(lake) == [["a", "b"]]


def test_a_file_in_no_log_goes_when_its_writer_must_be_dead(lake):
    append(lake, "a", batch="one")
    for name, age_s in (("young.parquet", 0.0), ("old.parquet", 25 * HOUR)):
        (lake.folder("crash") / name).write_bytes(b"half a file")
        grow_old(lake.folder("crash") / name, age_s)
    compact(lake, "crash")
    assert "old.parquet" not in parquet_files(lake)
    compact(lake, "crash", keep=timedelta(0))
    assert "young.parquet" in parquet_files(lake)


def test_old_log_entries_go_and_everything_still_works(lake):
    stale = Lake.open(lake.root)
    stale.files("crash")
    for number in range(5):
        append(lake, "a", batch=f"b{number}")
    compact(lake, "crash")
    append(lake, "b", batch="new")
    newest = versions(lake)["crash"]
    for path in (lake.folder("crash") / "_delta_log").glob("*"):
        grow_old(path)
    compact(lake, "crash")
    log_now = Log(lake.folder("crash"))
    assert sorted(log_now.commits()) == [newest + 1]
    assert sorted(log_now.checkpoints()) == [newest + 1]
    for again in (lake, stale, Lake.open(lake.root)):
        assert hosts_in(again) == [["a"] * 5 + ["b"]]
        assert not again.append("crash", crashes("x", batch="b2"), batch_id="b2")
    assert stale.append("crash", crashes("c", batch="newer"), batch_id="newer")
    assert sorted(chain(*hosts_in(lake))) == ["a"] * 5 + ["b", "c"]


def test_what_a_killed_sort_left_goes(lake):
    for name, age_s in (("a", 0.0), ("b", HOUR)):
        (lake.root / f"{SPILL}{name}").mkdir()
        grow_old(lake.root / f"{SPILL}{name}", age_s)
    compact(lake)
    assert [path.name for path in lake.root.glob(f"{SPILL}*")] == [f"{SPILL}a"]


# -- in company


def written(lake: Lake, *hosts: str) -> list[NewFile]:
    rows = crashes(*hosts)
    columns = [rows[name] if name in rows.column_names else pa.nulls(len(rows)) for name in lake.schemas["crash"].names]
    whole = pa.table(columns, names=lake.schemas["crash"].names).cast(lake.schemas["crash"])
    return write_files(lake, "crash", whole.to_batches(), settled=False)


def test_the_same_files_are_replaced_once_only(lake):
    append(lake, "a", batch="one")
    old = [Path(file.path).name for file in lake.files("crash")]
    other = Lake.open(lake.root)
    other.files("crash")
    assert replace(lake, "crash", old, written(lake, "a"), same_rows=True)
    assert not replace(other, "crash", old, written(lake, "a"), same_rows=True)
    assert hosts_in(other) == [["a"]]


def test_a_merge_that_finds_its_files_replaced_begins_again(lake, monkeypatch):
    append(lake, "a", batch="one")
    append(lake, "b", batch="two")
    other = Lake.open(lake.root)
    met: list[bool] = []

    def meet(*arguments, **named):
        if not met:
            met.append(True)
            compact(other, "crash")
        return log.replace(*arguments, **named)

    monkeypatch.setattr(housekeeping, "replace", meet)
    compact(lake, "crash")
    assert met
    assert hosts_in(lake) == [["a", "b"]]
    assert not [path for path in parquet_files(lake) if path not in {Path(f.path).name for f in lake.files("crash")}][
        2:
    ]


def test_a_merge_whose_files_are_replaced_and_deleted_while_it_reads_begins_again(lake, monkeypatch):
    append(lake, "a", batch="one")
    append(lake, "b", batch="two")
    met: list[bool] = []

    def meet(*arguments, **named):
        if not met:
            met.append(True)
            forget(Lake.open(lake.root), "a")
        return write_files(*arguments, **named)

    monkeypatch.setattr(housekeeping, "write_files", meet)
    compact(lake, "crash")
    assert hosts_in(lake) == [["b"]]
    monkeypatch.undo()
    (file,) = lake.files("crash")
    append(lake, "c", batch="three")
    Path(file.path).unlink()
    with pytest.raises(LakeError, match="cannot be read"):  # nobody has replaced it
        compact(lake, "crash")


def test_merging_in_vain_over_and_over_is_said_in_one_line(lake, monkeypatch):
    append(lake, "a", batch="one")
    monkeypatch.setattr(housekeeping, "replace", lambda *_, **__: False)
    with pytest.raises(LakeError, match="is being compacted by somebody else") as raised:
        compact(lake)
    assert "\n" not in str(raised.value)
    assert hosts_in(lake) == [["a"]]


@pytest.mark.slow
def test_two_compactors_a_writer_and_a_reader_at_once(lake):
    done = threading.Event()
    troubles: list[BaseException] = []

    def guarded(work) -> threading.Thread:
        def run() -> None:
            try:
                work(Lake.open(lake.root))
            except BaseException as error:
                troubles.append(error)
                done.set()

        return threading.Thread(target=run)

    def write_all(mine: Lake) -> None:
        for number in range(30):
            append(mine, f"h{number}", f"g{number}", batch=f"b{number}")
            book(mine, f"b{number}")
        done.set()

    def compact_all(mine: Lake) -> None:
        while not done.is_set():
            try:
                compact(mine)
            except LakeError as error:
                assert "compacted by somebody else" in str(error)  # noqa: PT017 - may be, need not be

    counts = [0]

    def read_all(mine: Lake) -> None:
        with Engine(mine, as_of=at(1000)) as engine:
            while not done.is_set():
                engine.refresh()
                counts.append(len(engine.rows("crashes_known_since", since=at(-1))))

    threads = [guarded(work) for work in (write_all, compact_all, compact_all, read_all)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles
    compact(lake)
    assert sorted(chain(*hosts_in(lake))) == sorted(f"{letter}{n}" for letter in "gh" for n in range(30))
    assert counts == sorted(counts)
    assert all(count % 2 == 0 for count in counts)
    assert len(counts) > 3
