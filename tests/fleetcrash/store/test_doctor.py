"""Doctor: names what is broken, whatever is broken, and says nothing of a sound lake."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.errors import LakeError
from fleetcrash.records import table_columns
from fleetcrash.store import Lake, doctor
from fleetcrash.store.aggregates import FOLDER
from fleetcrash.store.doctor import examine
from fleetcrash.store.findings import Finding, Severity
from fleetcrash.store.forgetting import forget
from fleetcrash.store.housekeeping import compact
from fleetcrash.store.log import Log
from fleetcrash.store.paths import DAMAGED, SPOOL
from ingest.load import load
from tests.fleetcrash.store.another_user import closed
from tests.ingest.conftest import NOW, line, write


@pytest.fixture(autouse=True)
def room_on_the_disk(monkeypatch):
    monkeypatch.setattr(doctor, "_LEAST_FREE_BYTES", 0)


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """A loaded lake, with a checkpoint in one table. For copying."""
    folder: Path = tmp_path_factory.mktemp("sound")
    lake = Lake.create(folder / "lake")
    for number in range(3):
        lines = [line("crash", crash_id=f"c{number}"), line("host", host_id=f"h{number}"), line("install"), b"nonsense"]
        load(lake, [write(folder / f"{number}.ndjson", lines)], now=NOW)
    lake.append("incident", pa.table({"document": ["{}"]}), batch_id="monitor")
    compact(lake, "crash", "quarantine")
    load(lake, [write(folder / "last.ndjson", [line("crash", crash_id="last")])], now=NOW)
    return lake.root


@pytest.fixture
def lake(sound, tmp_path) -> Lake:
    shutil.copytree(sound, tmp_path / "lake")
    return Lake(tmp_path / "lake")


def broken(found: list[Finding]) -> list[Finding]:
    return [one for one in found if one.severity is Severity.BROKEN]


@pytest.mark.parametrize(
    ("shut", "where"),
    [("crash", "crash"), ("crash/_delta_log", "_delta_log"), ("crash/*.parquet", ".parquet"),
     ("crash/_delta_log/*.json", ".json"), ("crash/_delta_log/*.checkpoint*", ".parquet"),
     ("crash/_delta_log/_last*", "_last_checkpoint")],
)  # fmt: skip
def test_what_this_user_may_not_read_is_not_said_to_be_damaged_or_lost(lake, shut, where):
    examine(lake)  # so that all is imported that is in a folder of root's
    with closed(lake.root, shut) as root:
        found = examine(Lake(root))
    assert found == broken(found)
    assert {Path(one.where).name.endswith(where) for one in found} == {True}
    assert {one.found for one in found} == {"This user may not read it."}
    assert not any("lost" in one.means or "backup" in one.todo for one in found)


def test_a_new_lake_of_which_a_table_is_closed_is_not_said_to_be_half_made(empty_lake):
    examine(Lake(empty_lake))
    with closed(empty_lake, "crash") as root:
        (found,) = examine(Lake(root))
    assert (Path(found.where).name, found.severity) == ("crash", Severity.BROKEN)


def relevant_files(root: Path) -> list[Path]:
    """Files that a lake needs: of the log, those from the newest checkpoint on; of the rows, those in the snapshot."""
    lake = Lake(root)
    active = [Path(file.path) for table in table_columns() for file in lake.files(table)]
    logs = []
    for table in table_columns():
        log = Log(lake.folder(table))
        newest = log.newest_checkpoint() or 0
        logs += [path for version, path in log.commits().items() if version >= newest]
        logs += [*log.checkpoints().values(), *([log.hint_path] if log.hint_path.exists() else [])]
    return sorted(path.relative_to(root) for path in (*active, *logs))


# -- a sound lake


@pytest.mark.slow
def test_nothing_is_wrong_with_a_lake_that_was_just_made_loaded_merged_or_freed_of_a_host(lake, tmp_path):
    assert examine(Lake.create(tmp_path / "new")) == []
    assert examine(lake) == []
    compact(lake)
    assert examine(lake) == []
    assert forget(lake, "h1").found
    assert examine(lake) == []


def test_looking_changes_nothing(lake):
    before = {path: (path.stat().st_mtime_ns, path.is_dir()) for path in lake.root.rglob("*")}
    examine(lake)
    assert {path: (path.stat().st_mtime_ns, path.is_dir()) for path in lake.root.rglob("*")} == before


def test_where_there_is_no_lake_it_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path, tmp_path / "nothing"):
        with pytest.raises(LakeError, match="Nothing was changed"):
            examine(Lake(path))


# -- damage

DAMAGE: dict[str, Any] = {
    "deleted": lambda path: path.unlink(),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "overwritten": lambda path: path.write_bytes(b"\xfe\x01garbage" * (path.stat().st_size // 9)),
    "lengthened": lambda path: path.write_bytes(path.read_bytes() + b"\n]more"),
    "another's": lambda path: path.write_bytes(b"[1,2]\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", DAMAGE)
def test_each_damaged_file_is_named(sound, tmp_path, how):
    turn = list(DAMAGE).index(how) % 2  # every other file, and the rest in another kind's turn
    for number, name in enumerate(relevant_files(sound)[turn::2]):
        newest_commit = name.suffix == ".json" and not (sound / name.parent / f"{int(name.stem) + 1:020}.json").exists()
        log = Log(sound / name.parts[0])
        if how == "deleted" and newest_commit and int(name.stem or 0) != log.newest_checkpoint() and int(name.stem):
            continue  # the log of an earlier moment is a whole log
        root = tmp_path / str(number)
        shutil.copytree(sound, root)
        DAMAGE[how](root / name)
        found = broken(examine(Lake(root)))
        assert any(name.name in one.where or name.name in one.found for one in found), (how, name, found)
        assert all("\n" not in text for one in found for text in one.as_json().values())
        shutil.rmtree(root)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data())
def test_no_bytes_anywhere_make_it_fail(sound, tmp_path_factory, data):
    root = tmp_path_factory.mktemp("fuzz") / "lake"
    shutil.copytree(sound, root)
    for _ in range(data.draw(st.integers(1, 3))):
        path = root / data.draw(st.sampled_from(relevant_files(sound)))
        content = bytearray(path.read_bytes())
        if content:
            place = data.draw(st.integers(0, len(content) - 1))
            length = data.draw(st.integers(0, 40))
            content[place : place + length] = data.draw(st.binary(max_size=40))
        path.write_bytes(content)
    for finding in examine(Lake(root)):
        assert finding.todo
    shutil.rmtree(root)


def test_a_table_that_is_missing_is_named_and_the_others_are_looked_at(lake):
    shutil.rmtree(lake.root / "session")
    Path(lake.files("crash")[0].path).unlink()
    found = broken(examine(lake))
    assert [Path(one.where).name for one in found][-1] == "session"
    assert len(found) == 2


@pytest.mark.parametrize("log_is_begun", [False, True])
def test_a_lake_whose_making_was_cut_short_is_not_broken_and_the_next_load_makes_the_rest(tmp_path, log_is_begun):
    lake = Lake.create(tmp_path / "new")
    for name in list(table_columns())[2:]:
        shutil.rmtree(lake.folder(name))
    if log_is_begun:
        (lake.folder("quarantine") / "_delta_log").mkdir(parents=True)
    (finding,) = examine(lake)
    assert (finding.severity, "session" in finding.found, "cut short" in finding.means) == (Severity.NOTE, True, True)
    with pytest.raises(LakeError, match="lacks its table"):
        Lake.open(lake.root)
    assert examine(Lake.create(lake.root)) == []


def test_what_a_checkpoint_has_replaced_may_be_damaged(lake):
    (lake.folder("crash") / "_delta_log" / f"{1:020}.json").write_text("nonsense")
    (found,) = examine(lake)
    assert (found.severity, "replaced" in found.means) == (Severity.NOTE, True)


def test_rows_that_are_not_as_many_as_the_log_says(lake):
    path = Path(lake.files("install")[0].path)
    log = lake.folder("install") / "_delta_log"
    for commit in log.glob("*.json"):
        commit.write_text(commit.read_text().replace('\\"numRecords\\":1', '\\"numRecords\\":5'))
    (found,) = broken(examine(Lake(lake.root)))
    assert (found.where, "1 rows; the log says 5" in found.found) == (str(path), True)


def test_columns_of_another_kind(lake):
    table = str(lake.folder("update"))
    shutil.rmtree(table)
    schema = pa.schema([("update_id", pa.int64()), ("more", pa.int64())])
    DeltaTable.create(table, schema, configuration={"fleetcrash.schema": "2"}, raise_if_key_not_exists=False)
    found = examine(lake)
    assert [one.severity for one in found] == [Severity.BROKEN, Severity.NOTE]
    assert "missing ['batch_id', 'channel'" in found[0].found
    assert "another type ['update_id']" in found[0].found
    assert "['more']" in found[1].found


@pytest.mark.parametrize(
    ("version", "advice"), [("1", "--migrate"), ("9", "Use the version"), ("x", "Use the version")]
)
def test_tables_of_another_schema(lake, version, advice):
    DeltaTable(str(lake.folder("host"))).alter.set_table_properties(
        {"fleetcrash.schema": version}, raise_if_not_exists=False
    )
    (found,) = broken(examine(lake))
    assert (Path(found.where).name, advice in found.todo) == ("host", True)


# -- worth knowing


def test_files_in_no_log_are_counted(lake):
    (lake.folder("crash") / "orphan.parquet").write_bytes(b"12345")
    (found,) = examine(lake)
    assert found.severity is Severity.NOTE
    assert "1 Parquet file(s) of 5 bytes" in found.found


def test_batches_that_are_in_no_books(lake):
    rows = {"crash_id": ["x", "y"], "batch_id": ["dead", "dead"]}
    lake.append("crash", pa.table(rows), batch_id="dead")
    (found,) = examine(lake)
    assert found.severity is Severity.NOTE
    assert "1 batch(es) are not in the books, with 2 rows: dead" in found.found
    lake.append("batch", pa.table({"batch_id": ["next"], "leans_on": [["dead"]]}), batch_id="next")
    assert examine(lake) == []


def test_books_that_do_not_add_up(lake):
    entry = {"batch_id": ["wrong"], "read": [3], "accepted": [1], "duplicates": [1], "quarantined": [0]}
    lake.append("batch", pa.table(entry), batch_id="wrong")
    (found,) = examine(lake)
    assert (found.severity, "wrong" in found.found) == (Severity.BROKEN, True)


def test_a_quarantine_of_more_or_fewer_rows_than_the_books_say(lake):
    for name, said in (("more", 0), ("fewer", 2)):
        lake.append("quarantine", pa.table({"raw": [b"x"], "batch_id": [name]}), batch_id=name)
        entry = {"batch_id": [name], "read": [said], "accepted": [0], "duplicates": [0], "quarantined": [said]}
        lake.append("batch", pa.table(entry), batch_id=name)
    more, fewer = examine(lake)
    assert (more.severity, ": more." in more.found) == (Severity.BROKEN, True)
    assert (fewer.severity, ": fewer." in fewer.found, "forget" in fewer.means) == (Severity.NOTE, True, True)


def test_a_file_where_answers_would_be_kept(lake):
    (lake.root / FOLDER).mkdir()
    assert examine(lake) == []
    (lake.root / FOLDER).rmdir()
    (lake.root / FOLDER).write_text("")
    (found,) = examine(lake)
    assert (found.severity, found.where) == (Severity.NOTE, str(lake.root / FOLDER))


def test_what_a_collector_could_not_read_of_its_spool(lake):
    (lake.root / SPOOL).mkdir()
    (lake.root / SPOOL / "1-a.segment").write_bytes(b"waits")
    assert examine(lake) == []
    (lake.root / SPOOL / f"1-b{DAMAGED}").write_bytes(b"is kept")
    (found,) = examine(lake)
    assert (found.severity, Path(found.where).name) == (Severity.BROKEN, f"1-b{DAMAGED}")


def test_a_disk_that_is_nearly_full(lake, monkeypatch):
    monkeypatch.setattr(doctor, "_LEAST_FREE_BYTES", 1 << 62)
    monkeypatch.setattr(doctor, "_LEAST_FREE_SHARE", 1.0)
    (found,) = examine(lake)
    assert "MiB free" in found.found


def test_a_column_may_be_spelled_as_other_writers_of_delta_do(lake):
    fields = Schema.from_arrow(lake.schemas["crash"]).to_arrow()
    assert all(doctor._alike(lake.schemas["crash"].field(one.name).type, one.type) for one in pa.schema(fields))
