"""Forgetting a host: afterwards no file below the lake names it, read byte by byte and row by row."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake.exceptions import DeltaError
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.errors import BadArgument
from fleetcrash.records import COLLECTOR, REPLAYING_COLLECTOR
from fleetcrash.store import Engine, Lake, forgetting, log
from fleetcrash.store.forgetting import forget
from fleetcrash.store.housekeeping import compact
from fleetcrash.store.mentions import Mentions
from fleetcrash.store.rewriting import write_files
from ingest.load import load
from ingest.quarantine import replay
from tests.dashboard.fleet import GUILTY, append_rows, incident, tick
from tests.fleetcrash.worlds import at
from tests.ingest.conftest import NOW, line, write

WEIRD = [
    "it's'; DROP VIEW rows; --",
    'say "hi" back\\slash\\ 100%_of[them]',
    "Zürich-湖-🦀\u2028",
    "$id {x} (a|b)* .+? getvariable('host')",
    "two\nlines\tand a tab",
    "x-" * 64,
    "-",
    "NULL",
]


def fill(lake: Lake, host: str, other: str = "other") -> None:
    """A lake in which a host is everywhere where it can be, in several files, beside another one."""
    for name in (host, other):
        batch = f"batch of {name == host}"
        append_rows(
            lake,
            "crash",
            [
                {"crash_id": f"c{name == host}", "host_id": name, "occurred_at": at(1), "os_type": "linux"},
                {"crash_id": f"d{name == host}", "host_id": other, "occurred_at": at(2), "os_type": "linux",
                 "tags": {"peer": name, "rack": "r1"}, "content": {"291": "31"}},
            ],
            batch_id=batch,
        )  # fmt: skip
        append_rows(lake, "host", [{"host_id": name, "os_type": "linux"}], batch_id=batch)
        append_rows(lake, "install", [{"host_id": name, "update_id": "u", "applied_at": at(0)}], batch_id=batch)
        append_rows(lake, "session", [{"host_id": name, "online_from": at(0)}], batch_id=batch)
        append_rows(lake, "heartbeat", [{"host_id": name, "at": at(0)}], batch_id=batch)
        raws = [json.dumps({"host_id": name}), json.dumps({"host_id": name}, ensure_ascii=False), f"<{name}>\xff"]
        quarantine = {"raw": [raw.encode("latin-1" if raw.isascii() else "utf-8") for raw in raws], "source": ["s"] * 3}
        lake.append("quarantine", pa.table(quarantine), batch_id=batch)
        where = {"site": name, "os_type": "linux"}
        found = {"hosts": [name], "summary": f"All began on {name}, it seems.", "condition": where, "n": None}
        lake.append("incident", pa.table({"document": [json.dumps(found)]}), batch_id=batch)


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory, empty_lake) -> Path:
    """A lake that ``host-7`` is everywhere in. For copying."""
    root: Path = tmp_path_factory.mktemp("filled") / "lake"
    shutil.copytree(empty_lake, root)
    fill(Lake.open(root), "host-7")
    return root


@pytest.fixture(scope="module")
def merged_once(tmp_path_factory, filled_once) -> Path:
    """The same after a merge. For copying."""
    root: Path = tmp_path_factory.mktemp("merged") / "lake"
    shutil.copytree(filled_once, root)
    compact(Lake.open(root))
    return root


@pytest.fixture
def filled(filled_once, tmp_path) -> Lake:
    shutil.copytree(filled_once, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


@pytest.fixture
def merged(merged_once, tmp_path) -> Lake:
    shutil.copytree(merged_once, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


def rows_of(lake: Lake, table: str) -> list[dict[str, Any]]:
    return [row for file in lake.files(table) for row in pq.ParquetFile(file.path).read().to_pylist()]


def texts_in(value: Any) -> list[str]:
    """Every text in a row, however deep."""
    if isinstance(value, str | bytes):
        return [value if isinstance(value, str) else value.decode("utf-8", "replace")]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts_in(part)]
    return [text for part in value for text in texts_in(part)] if isinstance(value, list | tuple) else []


def files_with(lake: Lake, name: str) -> list[str]:
    """Files in which a name is, in their bytes or, of Parquet, in a value. Other hosts' names must not contain it."""
    spellings = {name.encode(), json.dumps(name)[1:-1].encode(), json.dumps(json.dumps(name)[1:-1])[1:-1].encode()}
    found = []
    for path in lake.root.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        texts = texts_in(pq.ParquetFile(path).read().to_pylist()) if path.suffix == ".parquet" else []
        plain = [text for text in texts if any(one.decode() in text for one in spellings)]
        if any(one in data for one in spellings) or plain:
            found.append(path.name)
    return found


# -- nothing is left


def test_nothing_names_the_host_afterwards_and_the_rest_is_there(filled):
    append_rows(filled, "crash", [{"crash_id": "e", "host_id": "host-77", "occurred_at": at(3), "os_type": "linux"}])
    receipt = forget(filled, "host-7")
    told = receipt.as_json()
    assert told["rows"] == {
        "crash": 1, "install": 1, "update": 0, "host": 1, "heartbeat": 1, "session": 1, "batch": 0,
    }  # fmt: skip
    assert (told["entries"], told["quarantined"], told["documents"]) == (1, 3, 1)
    assert (told["found"], told["remaining"]) == (True, [])
    assert told["files"] > 6
    hits = [
        path
        for path in filled.root.rglob("*")
        if path.is_file() and b"host-7" in path.read_bytes().replace(b"host-77", b"")
    ]
    assert hits == []
    crashes = sorted(rows_of(filled, "crash"), key=lambda row: row["crash_id"])
    assert [row["host_id"] for row in crashes] == ["other", "other", "other", "host-77"]
    assert crashes[2]["tags"] == [("rack", "r1")]
    assert crashes[2]["content"] == [("291", "31")]
    assert crashes[3]["tags"] is None
    documents = [json.loads(row["document"]) for row in rows_of(filled, "incident")]
    assert {
        "hosts": ["forgotten host"],
        "summary": "All began on forgotten host, it seems.",
        "condition": {"site": "forgotten host", "os_type": "linux"},
        "n": None,
    } in documents
    assert len(rows_of(filled, "quarantine")) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", WEIRD)
def test_no_name_is_more_than_a_name(lake, name):
    fill(lake, name)
    receipt = forget(lake, name)
    assert receipt.as_json()["rows"]["crash"] == 1
    assert {row["host_id"] for row in rows_of(lake, "crash")} == {"other"}
    assert len(rows_of(lake, "quarantine")) == 3
    if Mentions(name).is_distinctive:  # what a tag of another crash says otherwise need not be the host
        assert files_with(lake, name) == []


@pytest.mark.slow
@settings(max_examples=4, deadline=None, derandomize=True)
@given(name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8))
def test_any_name_can_be_forgotten(empty_lake, tmp_path_factory, name):
    root = tmp_path_factory.mktemp("any") / "lake"
    shutil.copytree(empty_lake, root)
    lake = Lake.open(root)
    fill(lake, name, other="somebody else altogether")
    forget(lake, name)
    for table in ("crash", "host", "install", "session", "heartbeat"):
        assert {row["host_id"] for row in rows_of(lake, table)} == {"somebody else altogether"}
    assert all(row["content"] == [("291", "31")] for row in rows_of(lake, "crash") if row["content"] is not None)
    assert not forget(lake, name).found


@pytest.mark.slow
def test_names_that_merely_contain_it_stay(lake):
    names = ["host-10", "my-host-1", "host-1.example.com", "host-1-a", "HOST-1", "x_host-1"]
    for name in names:
        append_rows(lake, "host", [{"host_id": name, "os_type": "linux"}], batch_id=name)
        lake.append("quarantine", pa.table({"raw": [json.dumps({"host_id": name}).encode()]}), batch_id=name)
        lake.append("incident", pa.table({"document": [json.dumps([name, f"on {name}."])]}), batch_id=name)
    assert not forget(lake, "host-1").found
    assert sorted(row["host_id"] for row in rows_of(lake, "host")) == sorted(names)
    assert len(rows_of(lake, "quarantine")) == len(names)
    assert not any("forgotten" in row["document"] for row in rows_of(lake, "incident"))


@pytest.mark.parametrize(
    ("raw", "mentioned"),
    [
        (b'{"host_id":"h\\u00fc/1"}', True), (b'{"host_id":"h\\u00FC\\/1"}', True), ('x "hü/1" y'.encode(), True),
        ("hü/1".encode("utf-16"), True), (b'"\\u201ch\\u00fc/1\\u201d"', True), (b'"line\\nh\\u00fc/1"', True),
        ("hü/12".encode(), False), (b"", False), (b"h\\u00fb/1", False), ("xhü/1".encode("utf-16-le"), False),
    ],
)  # fmt: skip
def test_however_it_is_spelled(raw, mentioned):
    mentions = Mentions("hü/1")
    assert mentions.in_bytes(raw) == mentioned
    beside = [b"hidden", None, raw, "hü".encode(), b"/1"]
    assert mentions.in_column(pa.array(beside).slice(1)).tolist() == [False, mentioned, False, False]


@pytest.mark.parametrize("name", ['a"b', 'a"' * 150])
def test_a_quotation_mark_that_csv_doubles_is_found(name):
    doubled = f'"c1","{name.replace(chr(34), chr(34) * 2)}",linux'.encode()
    assert Mentions(name).in_bytes(doubled)
    assert Mentions(name).in_column(pa.array([doubled, b"c1,another,linux"])).tolist() == [True, False]


# -- where records came from


@pytest.mark.slow
def test_a_file_that_is_called_as_the_host_is_named_nowhere_and_loads_once_all_the_same(lake, tmp_path):
    lines = [line("crash", host_id="other"), b"nonsense"]
    file = write(tmp_path / "host-1.ndjson", lines)
    load(lake, [file], now=NOW)
    assert len(files_with(lake, "host-1.ndjson")) >= 2
    told = forget(lake, "host-1").as_json()
    assert (told["found"], told["sources"], told["quarantined"], told["remaining"]) == (True, 2, 0, [])
    assert files_with(lake, "host-1") == []
    struck = str(tmp_path / "[forgotten host].ndjson")
    assert {row["source"] for table in ("batch", "quarantine") for row in rows_of(lake, table)} == {struck}
    assert [row["raw"] for row in rows_of(lake, "quarantine")] == [b"nonsense"]
    again = load(lake, [file], now=NOW)
    assert (again.read, again.accepted, again.duplicates, again.quarantined) == (2, 0, 1, 1)
    assert files_with(lake, "host-1") == [], "a second load of the same bytes writes nothing"
    assert not forget(lake, "host-1").found


@pytest.mark.parametrize(
    ("source", "struck"),
    [
        ("/in/host-1/crash.ndjson", "/in/[forgotten host]/crash.ndjson"),
        ("crash-host-1.csv.gz", "crash-[forgotten host].csv.gz"), ("/in/host-1.csv", "/in/host-[forgotten host].csv"),
        ("host-1_07-19.json", "[forgotten host]_07-19.json"),
        ("/api/h%C3%BC/envelope/, batch 7", "/api/[forgotten host]/envelope/, batch 7"),
        ("host-10.csv", None), ("myhost-1.csv", None), (None, None),
    ],
)  # fmt: skip
def test_a_name_is_struck_out_of_a_source_between_whatever_is_no_letter_or_digit(source, struck):
    mentions = Mentions("hü" if source and "%" in source else "host-1")
    told = pa.array(["another", source, None])
    assert mentions.in_sources(told).tolist() == [False, struck is not None, False]
    if struck is not None:
        assert mentions.struck_in_source(source) == struck
        assert not mentions.in_sources(pa.array([struck])).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["crash-lab", "crash", "csv", "forgotten", "host"])
def test_what_a_file_of_csv_holds_is_told_by_its_name_afterwards_as_well(lake, tmp_path, name):
    soon = "2024-07-21T12:00:00Z"  # too far ahead of NOW, and no longer so a day later
    file = tmp_path / "crash-lab.csv"
    write(file, [b"crash_id,host_id,occurred_at,os_type", f"c1,other,{soon},linux".encode()])
    assert load(lake, [file], now=NOW).quarantined == 1
    forget(lake, name)
    assert not forget(lake, name).found
    report, stay = replay(lake, now=NOW + timedelta(days=2))
    assert (report.accepted, stay) == (1, 0)


@pytest.mark.parametrize("ours", [COLLECTOR, REPLAYING_COLLECTOR])
def test_what_we_call_a_collector_is_no_hosts_name(lake, ours):
    entry = pa.table({"source": [ours], "batch_id": ["b"], "read": [0]})
    lake.append("batch", entry, batch_id="b")
    receipt = forget(lake, COLLECTOR)
    assert (receipt.found, receipt.remaining) == (False, [])
    assert [row["source"] for row in rows_of(lake, "batch")] == [ours]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "row", "column"),
    [
        ("crash", {"crash_id": "c", "tags": {"seen": "beside host-7, twice"}}, "tags"),
        ("crash", {"crash_id": "c", "frames": [{"module": "C:/host-7/a.dll"}]}, "frames"),
        ("host", {"site": "host-7"}, "site"),
    ],
)  # fmt: skip
def test_what_rows_of_others_say_of_it_is_theirs_and_is_reported(filled, table, row, column):
    own = {"crash": {"occurred_at": at(1)}, "host": {}}[table]
    append_rows(filled, table, [{"host_id": "other", "os_type": "linux", **own, **row}])
    before = len(rows_of(filled, table))
    (left,) = forget(filled, "host-7").remaining
    assert (left.path, column in left.why) == (str(filled.folder(table)), True)
    assert len(rows_of(filled, table)) == before - 1


@pytest.mark.parametrize("name", ["32", "prod"])
def test_what_is_a_value_as_well_stays_in_the_crashes_of_others_and_is_reported(lake, name):
    told = {"tags": {"retries": name, "peer": f"{name}-1"}, "content": {"channel-291": name, name: "1"}}
    for host in (name, "other"):
        row = {"crash_id": host, "host_id": host, "occurred_at": at(1), "os_type": "linux", **told}
        append_rows(lake, "crash", [row], batch_id=f"batch of {host == name}")
    receipt = forget(lake, name)
    (crash,) = rows_of(lake, "crash")
    assert (crash["host_id"], dict(crash["tags"]), dict(crash["content"])) == ("other", told["tags"], told["content"])
    assert (receipt.removed["crash"].rows, receipt.as_json()["entries"]) == (1, 0)
    (left,) = receipt.remaining
    assert left.path == str(lake.folder("crash"))
    assert "rows of others say the same, be it of the host or not, in content, tags," in left.why
    assert not forget(lake, name).found


def test_no_content_of_others_goes_whatever_the_host_is_called(lake):
    told = {"content": {"host-7": "1", "291": "host-7"}, "tags": {"peer": "host-7", "host-7": "up", "rack": "r1"}}
    row = {"crash_id": "c", "host_id": "other", "occurred_at": at(1), "os_type": "linux", **told}
    append_rows(lake, "crash", [row])
    (left,) = forget(lake, "host-7").remaining
    (crash,) = rows_of(lake, "crash")
    assert (dict(crash["content"]), crash["tags"]) == (told["content"], [("rack", "r1")])
    assert "name the host in content," in left.why


@pytest.mark.parametrize(
    ("name", "is_distinctive"),
    [
        ("host-7", True), ("pc-0042", True), ("h9e3779b1-1", True), ("h00000000-0", True), ("host_07", True),
        ("db01.example.com", True), ("Zürich-湖-🦀", True),
        ("3f2b8c4a-77d1-4e0b-9c55-0a1b2c3d4e5f", True), ("00:1a:2b:3c:4d:5e", True), ("-", False), ("h1", False),
        ("32", False), ("10045", False), ("7.11.18110", False), ("v1.2.3-beta", False), ("2024-07-19", False),
        ("windows", False), ("no_update", False), ("x86_64", False), ("0x50", False),
    ],
)  # fmt: skip
def test_a_name_is_distinctive_where_it_is_hardly_anything_else(name, is_distinctive):
    assert Mentions(name).is_distinctive == is_distinctive


def test_no_verdict_condition_or_key_of_a_document_is_a_hosts_name(lake):
    told = incident(rivals=[{"name": GUILTY, "kind": "update"}], lacks="7 hosts or more crashed at once")
    tick(lake, [told])
    (before,) = rows_of(lake, "incident")
    for name in ("named_at", "at", "update", "windows", "verdict", "hosts", "7", "no_update"):
        assert Mentions(name).without(before["document"]) == before["document"]
    receipt = forget(lake, "windows")
    assert (rows_of(lake, "incident"), receipt.found) == ([before], False)
    (left,) = (one.why for one in receipt.remaining if one.path == str(lake.folder("incident")))
    assert "in document, which is theirs to say" in left
    assert forget(lake, GUILTY).removed["incident"].documents == 1
    (said,) = json.loads(rows_of(lake, "incident")[0]["document"])["incidents"]
    assert said == {**told, "summary": "forgotten host crashes Windows hosts with agent 7.11 and later."}


def test_a_host_field_loses_whatever_a_host_is_called():
    document = json.dumps({"hosts": ["32", "132"], "host_id": "32", "summary": "32 hosts crashed", "n": 32})
    assert json.loads(Mentions("32").without(document)) == {
        "hosts": ["forgotten host", "132"], "host_id": "forgotten host", "summary": "32 hosts crashed", "n": 32,
    }  # fmt: skip
    rivals = json.dumps([{"name": "site pc-0042 from 4:09", "kind": "wave"}, {"name": "pc-0042", "kind": "update"}])
    assert [one["name"] for one in json.loads(Mentions("pc-0042").without(rivals))] == [
        "site forgotten host from 4:09", "pc-0042",
    ]  # fmt: skip


# -- what no log names


def orphan(lake: Lake, name: str, host: str | None, *, age_s: float) -> Path:
    path = lake.folder("crash") / name
    if host is None:
        path.write_bytes(b"PAR1 half a file")
    else:
        pq.write_table(pa.table({"host_id": [host], "deep": [[{"m": host}]]}), path)
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


@pytest.mark.slow
def test_files_in_no_log_go_when_they_hold_it_and_are_nobodys_work_any_more(filled):
    gone = [orphan(filled, "a.parquet", "host-7", age_s=700), orphan(filled, "b.parquet", None, age_s=700)]
    stay = [orphan(filled, "c.parquet", "other", age_s=700), orphan(filled, "d.parquet", "other", age_s=0)]
    young = [orphan(filled, "e.parquet", "host-7", age_s=0), orphan(filled, "f.parquet", None, age_s=0)]
    receipt = forget(filled, "host-7")
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in stay + young)
    assert [one.path for one in receipt.remaining] == [str(path) for path in young]
    assert "ten minutes" in receipt.remaining[0].why


def test_what_is_nobodys_is_reported(lake):
    (lake.root / "notes.txt").write_text("host-7 is mine")
    (lake.root / "empty.txt").write_text("")
    (lake.root / "crash" / "_delta_log" / f"{9:020}.json#1").write_text('{"add":"host-7"}')
    assert [Path(one.path).name for one in forget(lake, "host-7").remaining] == [f"{9:020}.json#1", "notes.txt"]
    (left,) = forget(lake, "mine").remaining
    assert left.why.startswith("has this name in it, be it the host's or not,")


@pytest.mark.slow
def test_what_this_user_may_not_look_into_is_not_taken_for_clean(empty_lake):
    mine = os.geteuid()
    other = mine or 65534  # root may look into anything
    with TemporaryDirectory() as folder:
        root, dumps = Path(folder) / "lake", Path(folder) / "lake" / "_dumps"
        shutil.copytree(empty_lake, root)
        dumps.mkdir()
        (dumps / "a.dmp").write_bytes(b"MDMP host-7")
        (root / "notes.txt").write_text("host-7 is mine")
        for path in (Path(folder), root, *root.rglob("*")):
            os.chown(path, other, -1)
        for path in (dumps, root / "notes.txt"):
            path.chmod(0)
        forget(Lake.open(root), "host-8")  # so that all is imported that is in a folder of root's
        os.seteuid(other)
        try:
            remaining = forget(Lake.open(root), "host-7").remaining
        finally:
            os.seteuid(mine)
            dumps.chmod(0o700)
        assert [Path(one.path).name for one in remaining] == ["_dumps", "notes.txt"]
        assert {one.why.partition(",")[0] for one in remaining} == {"may not be read by this user"}
        (root / "notes.txt").unlink()
        receipt = forget(Lake.open(root), "host-7")
        assert (receipt.begun_before, receipt.swept.files, receipt.remaining) == (True, 1, [])


@pytest.mark.parametrize("name", ["", "\udcff"])
def test_what_nobody_can_be_called_is_refused(lake, name):
    with pytest.raises(BadArgument, match="Nothing was changed"):
        forget(lake, name)


# -- whatever happens meanwhile


@pytest.mark.slow
@pytest.mark.parametrize("step", ["write_files", "replace", "checkpoint", "delete", "redact", "prune", "sweep_spills"])
def test_killed_at_any_step_the_next_one_does_the_rest(merged, monkeypatch, step):
    place = log.Log if step in ("redact", "prune") else forgetting
    real = getattr(place, step)
    for dies_at in (0, 1, 3):
        calls: list[bool] = []

        def dying(*arguments, calls=calls, dies_at=dies_at, **named):
            calls.append(True)
            if len(calls) > dies_at:
                raise KeyboardInterrupt
            return real(*arguments, **named)

        monkeypatch.setattr(place, step, dying)
        try:
            forget(merged, "host-7")
        except KeyboardInterrupt:
            merged = Lake.open(merged.root)
        monkeypatch.setattr(place, step, real)
    for path in merged.root.rglob("*.parquet"):  # what it wrote in vain
        os.utime(path, (0, 0))
    assert forget(merged, "host-7").remaining == []
    assert files_with(merged, "host-7") == []
    assert len(rows_of(merged, "host")) == 1


@pytest.mark.slow
def test_a_merge_in_between_is_no_trouble(filled, monkeypatch):
    other = Lake.open(filled.root)
    met: list[str] = []

    def meet(lake_, table, *arguments, **named):
        if table not in met:
            met.append(table)
            compact(other, table)
        return log.replace(lake_, table, *arguments, **named)

    monkeypatch.setattr(forgetting, "replace", meet)
    assert forget(filled, "host-7").as_json()["rows"]["crash"] == 1
    assert "crash" in met
    assert files_with(filled, "host-7") == []
    assert len(rows_of(filled, "crash")) == 3


@pytest.mark.slow
def test_another_host_that_is_forgotten_in_between_is_no_trouble(filled, monkeypatch):
    other = Lake.open(filled.root)
    met: list[bool] = []

    def meet(lake_, table, *arguments, **named):
        if table == "crash" and not met:
            met.append(True)
            assert forget(other, "other").found
        return write_files(lake_, table, *arguments, **named)

    monkeypatch.setattr(forgetting, "write_files", meet)
    assert forget(filled, "host-7").as_json()["rows"]["crash"] == 1
    assert met
    assert files_with(filled, "host-7") == []
    assert rows_of(filled, "crash") == []


@pytest.mark.slow
def test_writers_readers_and_compactors_beside_it_lose_nothing(lake):
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
        for number in range(20):
            row = {"crash_id": f"c{number}", "host_id": f"h{number:02}", "occurred_at": at(1), "os_type": "linux"}
            append_rows(mine, "crash", [row], batch_id=f"b{number}")
        done.set()

    old = [{"crash_id": f"o{n}", "host_id": f"a{n:02}", "occurred_at": at(1), "os_type": "linux"} for n in range(5)]
    append_rows(lake, "crash", old, batch_id="old")

    def forget_all(mine: Lake) -> None:
        for number in range(5):
            forget(mine, f"a{number:02}")  # by name the first of all that are left, so that the log names it

    def compact_all(mine: Lake) -> None:
        while not done.is_set():
            compact(mine, "crash", "batch")

    def read_all(mine: Lake) -> None:
        with Engine(mine, as_of=at(1000)) as engine:
            while not done.is_set():
                engine.refresh()

    threads = [guarded(work) for work in (write_all, forget_all, compact_all, read_all)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles
    assert sorted(row["host_id"] for row in rows_of(lake, "crash")) == [f"h{number:02}" for number in range(20)]
    receipt = forget(lake, "h07")
    assert receipt.found
    assert len(rows_of(lake, "crash")) == 19
    # An append that met a compaction is refused and made anew; what it wrote at first is in no log, and young.
    assert set(files_with(lake, "h07")) == {Path(left.path).name for left in receipt.remaining}


@pytest.mark.slow
def test_a_lake_that_is_open_elsewhere_goes_on(filled):
    others = [Lake.open(filled.root) for _ in range(2)]
    with Engine(others[0], as_of=at(1000)) as engine:
        assert len(engine.rows("crashes_known_since", since=at(-1))) == 4
        forget(filled, "host-7")
        compact(filled, keep=timedelta(0))
        engine.refresh()
        assert len(engine.rows("crashes_known_since", since=at(-1))) == 3
    assert others[1].committed("crash", "batch of True")
    append_rows(others[1], "crash", [{"crash_id": "n", "host_id": "new", "occurred_at": at(9), "os_type": "linux"}])
    assert len(rows_of(Lake.open(filled.root), "crash")) == 4


def test_a_table_that_cannot_be_brought_up_to_date_is_opened_again(filled):
    class Stale:
        def update_incremental(self) -> None:
            raise DeltaError("the log is gone")

    tables: dict[str, Any] = filled._tables
    tables["crash"] = Stale()
    assert len(rows_of(filled, "crash")) == 4


@pytest.mark.slow
def test_the_log_says_that_rows_went_and_of_a_merge_that_none_did(filled, monkeypatch):
    monkeypatch.setattr(log.Log, "redact", lambda _: None)
    said = []
    for change in (lambda: compact(filled, "crash"), lambda: forget(filled, "host-7")):
        change()
        newest = max(log.Log(filled.folder("crash")).commits().values())
        actions = [json.loads(entry) for entry in newest.read_text().splitlines()]
        said.append({one["dataChange"] for action in actions for one in action.values() if "dataChange" in one})
    assert said == [{False}, {True}]


def test_loading_the_same_file_again_brings_nobody_back(lake, tmp_path):
    lines = [line("crash"), line("host"), line("host", host_id="h2"), b'{"record":"host","host_id":"h1"}']
    file = write(tmp_path / "r.ndjson", lines)
    first = load(lake, [file], now=NOW)
    assert (first.accepted, first.quarantined) == (3, 1)
    receipt = forget(lake, "h1").as_json()
    assert (receipt["rows"]["crash"], receipt["rows"]["host"], receipt["quarantined"]) == (1, 1, 1)
    again = load(lake, [file], now=NOW)
    assert (again.read, again.accepted) == (4, 0)
    assert rows_of(lake, "crash") == []
    assert [row["host_id"] for row in rows_of(lake, "host")] == ["h2"]
    assert files_with(lake, "h1") == []
