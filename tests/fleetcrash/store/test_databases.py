"""Names in SQLite files: found wherever a value begins, struck out so that no byte is left."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

from fleetcrash.store import databases
from fleetcrash.store.databases import Texts
from fleetcrash.store.mentions import Mentions

HOST = Mentions("host-7")
TEXTS = {"note": Texts(plain=("reason",), documents=("body",))}


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "notes.sqlite"


@pytest.fixture
def open_elsewhere(path):
    """A connection of a process that goes on writing."""
    file = sqlite3.connect(path, isolation_level=None)
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("CREATE TABLE note (name TEXT, reason TEXT, body TEXT)")
    yield file
    file.close()


def add(file: sqlite3.Connection, reason: str | None, body: str = "{}", name: str = "all") -> None:
    file.execute("INSERT INTO note VALUES (?, ?, ?)", (name, reason, body))


def bytes_beside(path: Path) -> bytes:
    return b"".join(one.read_bytes() for one in path.parent.iterdir())


def test_why_a_file_cannot_be_used_is_said_where_sqlite_does_not(path, monkeypatch):
    error = sqlite3.OperationalError("disk I/O error")
    assert databases.why_unusable(path, error) == "disk I/O error"
    with monkeypatch.context() as patch:
        patch.setattr("fleetcrash.store.databases.shutil.disk_usage", lambda _: SimpleNamespace(free=4096))
        assert databases.why_unusable(path, error) == "the disk is full"
        assert databases.why_unusable(path.parent / "not yet" / "x.sqlite", error) == "the disk is full"
        patch.setattr("fleetcrash.store.databases.os.access", lambda *_: False)
        assert databases.why_unusable(path, error) == "its folder or file system is read-only to us"


def test_a_name_is_found_where_nothing_stands_between_two_values(path, open_elsewhere):
    add(open_elsewhere, "host-7 burns")
    assert b"allhost-7" in bytes_beside(path), "as bytes it is the end of a longer name"
    assert databases.holds(path, HOST)
    assert not databases.holds(path, Mentions("host-70"))


def test_it_is_struck_out_of_what_may_be_changed_to_the_last_byte(path, open_elsewhere):
    add(open_elsewhere, "host-7 burns", '{"summary": "it follows host-7", "n": 1}')
    add(open_elsewhere, None, "x" * 5000 + " host-7")
    add(open_elsewhere, "host-70 does not")
    add(open_elsewhere, "host-7 was here, and went")
    open_elsewhere.execute("DELETE FROM note WHERE reason LIKE '%went'")
    assert databases.strike(path, HOST, TEXTS) == 2
    assert open_elsewhere.execute("SELECT reason, substr(body, -30) FROM note").fetchall() == [
        ("[forgotten host] burns", 'llows forgotten host", "n": 1}'),
        (None, "x" * 15 + " forgotten host"),
        ("host-70 does not", "{}"),
    ]
    assert b"host-7" not in bytes_beside(path).replace(b"host-70", b"")
    assert not databases.holds(path, HOST)
    assert databases.strike(path, HOST, TEXTS) == 0
    add(open_elsewhere, "and it goes on")


def test_what_was_deleted_before_leaves_no_byte(path, open_elsewhere):
    add(open_elsewhere, "host-7 was here")
    open_elsewhere.execute("DELETE FROM note")
    assert b"host-7" in bytes_beside(path)
    assert databases.strike(path, HOST, TEXTS) == 0
    assert b"host-7" not in bytes_beside(path)


def test_a_key_stays_and_is_told(path, open_elsewhere):
    add(open_elsewhere, "-", name="host-7")
    assert databases.strike(path, HOST, TEXTS) == 0
    assert databases.holds(path, HOST)


def test_while_somebody_reads_on_it_is_said_and_once_more_does_the_rest(path, open_elsewhere, monkeypatch):
    monkeypatch.setattr(databases, "_PATIENCE_S", 0.01)
    add(open_elsewhere, "host-7 burns")
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM note").fetchone() == (1,)
    with pytest.raises(sqlite3.OperationalError):
        databases.strike(path, HOST, TEXTS)
    reader.close()
    assert databases.strike(path, HOST, TEXTS) == 0
    assert b"host-7" not in bytes_beside(path)
