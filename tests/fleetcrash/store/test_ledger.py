"""Ledgers: nothing that was added is lost, and of a name that is struck out no byte is left."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.store import ledger
from fleetcrash.store.mentions import Mentions

ROOT = Path(__file__).parents[3]
FIELDS = ("reason", "by")


@pytest.fixture
def book(tmp_path) -> Path:
    return tmp_path / "book.ndjson"


def entries(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in ledger.lines(path)]


def test_the_name_is_struck_out_and_the_entry_stays(book):
    ledger.add(book, {"update_id": "u1", "reason": "host-7 is mine, host-70 is not", "by": "ann", "n": 1})
    ledger.add(book, {"update_id": "u2", "reason": "a customer rang", "by": "host-7"})
    ledger.add(book, {"update_id": "u3", "reason": "as agreed", "by": "bob"})
    before = book.stat()
    assert ledger.strike(book, Mentions("host-7"), FIELDS) == 2
    assert entries(book) == [
        {"update_id": "u1", "reason": "[forgotten host] is mine, host-70 is not", "by": "ann", "n": 1},
        {"update_id": "u2", "reason": "a customer rang", "by": "[forgotten host]"},
        {"update_id": "u3", "reason": "as agreed", "by": "bob"},
    ]
    assert b"host-7" not in book.read_bytes().replace(b"host-70", b"")
    assert (book.stat().st_mode, book.stat().st_uid) == (before.st_mode, before.st_uid)


@pytest.mark.parametrize("name", ["host-7", "forgotten", "host", "[forgotten host]"])
def test_striking_out_twice_is_striking_out_once(book, name):
    ledger.add(book, {"reason": f"{name} and host-7 burn"})
    ledger.strike(book, Mentions(name), FIELDS)
    ledger.strike(book, Mentions("host-7"), FIELDS)
    once = book.read_bytes()
    assert ledger.strike(book, Mentions(name), FIELDS) == 0
    assert ledger.strike(book, Mentions("host-7"), FIELDS) == 0
    assert book.read_bytes() == once


def test_what_is_added_behind_half_a_line_is_a_line_of_its_own(book):
    ledger.add(book, {"n": 1})
    with book.open("ab") as file:
        file.write(b'{"n": 2, "rea')  # all that a power cut left
    ledger.add(book, {"n": 3})
    assert ledger.lines(book) == ['{"n": 1}', '{"n": 2, "rea', '{"n": 3}']


def test_what_an_entry_is_found_by_stays(book):
    ledger.add(book, {"update_id": "host-7", "reason": "-"})
    assert ledger.strike(book, Mentions("host-7"), FIELDS) == 0
    assert entries(book) == [{"update_id": "host-7", "reason": "-"}]


def test_what_is_no_entry_stays_as_it_is(book):
    others = b'host-7 \xff\n["host-7"]\n{"reason":7,"by":null,"host-7":1}\n{"reason":"host-7'
    book.write_bytes(b'{"reason":"host-7"}\n' + others)
    assert ledger.strike(book, Mentions("host-7"), FIELDS) == 1
    assert book.read_bytes() == b'{"reason": "[forgotten host]"}\n' + others


def test_where_there_is_no_book_nothing_is_made(book):
    assert ledger.strike(book, Mentions("host-7"), FIELDS) == 0
    assert ledger.lines(book) == []
    assert not book.exists()


@given(reasons=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
def test_whatever_was_written_is_read(tmp_path_factory, reasons):
    book = tmp_path_factory.mktemp("any") / "book.ndjson"
    for reason in reasons:
        ledger.add(book, {"reason": reason})
    assert [one["reason"] for one in entries(book)] == reasons


def test_of_a_line_that_the_disk_has_no_room_for_nothing_stays(book, monkeypatch):
    ledger.add(book, {"reason": "first"})
    write = os.write

    def full(file: int, data: memoryview) -> int:
        if len(data) > 9:
            return write(file, data[:9])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        ledger.add(book, {"reason": "x" * 9})
    monkeypatch.undo()
    ledger.add(book, {"reason": "last"})
    assert [one["reason"] for one in entries(book)] == ["first", "last"]


def test_who_adds_and_who_strikes_out_at_the_same_time_lose_nothing(book):
    def add_all(writer: int) -> None:
        for number in range(100):
            ledger.add(book, {"n": f"{writer}/{number}", "reason": f"host-{number % 5} again"})

    ledger.add(book, {"n": "first", "reason": "host-0"})
    writers = [threading.Thread(target=add_all, args=(writer,)) for writer in range(3)]
    for thread in writers:
        thread.start()
    struck = 0
    while any(thread.is_alive() for thread in writers):
        struck += ledger.strike(book, Mentions("host-0"), FIELDS)
    for thread in writers:
        thread.join()
    struck += ledger.strike(book, Mentions("host-0"), FIELDS)
    assert struck == 61
    assert sorted(str(one["n"]) for one in entries(book)) == sorted(
        ["first", *(f"{writer}/{number}" for writer in range(3) for number in range(100))]
    )
    assert b"host-0" not in book.read_bytes()


@pytest.mark.parametrize("step", ["fchmod", "fsync", "replace"])
def test_killed_at_any_step_the_book_is_whole_and_the_next_one_does_the_rest(book, step):
    for number in range(3):
        ledger.add(book, {"n": number, "reason": "host-7"})
    dying = (
        "import os, pathlib, signal, sys\n"
        "from fleetcrash.store import ledger\n"
        "from fleetcrash.store.mentions import Mentions\n"
        "die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"setattr(pathlib.Path if {step!r} == 'replace' else os, {step!r}, die)\n"
        f"ledger.strike(pathlib.Path(sys.argv[1]), Mentions('host-7'), {FIELDS!r})\n"
    )
    ended = subprocess.run([sys.executable, "-c", dying, str(book)], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [one["n"] for one in entries(book)] == [0, 1, 2]
    ledger.add(book, {"n": 3, "reason": "host-7"})
    assert ledger.strike(book, Mentions("host-7"), FIELDS) == 4
    assert [one["n"] for one in entries(book)] == [0, 1, 2, 3]
    assert not any(b"host-7" in path.read_bytes() for path in book.parent.iterdir())
