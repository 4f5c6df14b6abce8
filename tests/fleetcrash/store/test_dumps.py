"""Raw dumps: kept once, within a bound, under names that no client chooses, until their host is forgotten."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from fleetcrash.store import Lake, dumps
from fleetcrash.store.dumps import Dump, Dumps
from fleetcrash.store.forgetting import forget
from fleetcrash.store.mentions import Mentions

BLOCK_BYTES = 4096
SMALL_BYTES = 2 * BLOCK_BYTES  # on disk, of a dump of up to a block with what was said of it
MANY = 1000


def kept(root: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in (root / dumps.FOLDER).glob("*.dmp"))


def names(root: Path) -> set[str]:
    return {path.name for path in (root / dumps.FOLDER).iterdir()}


def test_a_dump_is_kept_as_it_came_with_what_was_said(tmp_path):
    dump = Dump("../../c1", "../h1", b"MDMP\x00", {"prod": "agent"})
    for _ in range(2):
        Dumps(tmp_path, SMALL_BYTES, MANY).keep(dump)
    assert names(tmp_path) == {f"{dump.name}.dmp", f"{dump.name}.json"}
    assert kept(tmp_path) == [b"MDMP\x00"]
    about = json.loads((tmp_path / dumps.FOLDER / f"{dump.name}.json").read_text())
    assert about == {"crash_id": "../../c1", "host_id": "../h1", "form": {"prod": "agent"}}


def test_the_oldest_make_room_also_after_a_restart(tmp_path):
    size_bytes = 1000
    first = Dumps(tmp_path, 3 * SMALL_BYTES, MANY)
    for n in range(3):
        dump = Dump(f"c{n}", "h1", bytes([n]) * size_bytes)
        first.keep(dump)
        for suffix in (".dmp", ".json"):
            os.utime(tmp_path / dumps.FOLDER / f"{dump.name}{suffix}", (n, n))
    restarted = Dumps(tmp_path, 3 * SMALL_BYTES, MANY)
    for n in range(3, 5):
        restarted.keep(Dump(f"c{n}", "h1", bytes([n]) * size_bytes))
    assert [data[0] for data in kept(tmp_path)] == [2, 3, 4]
    assert len(names(tmp_path)) == 6
    restarted.keep(Dump("large", "h1", bytes(5 * BLOCK_BYTES + 1)))
    assert [data[0] for data in kept(tmp_path)] == [2, 3, 4], "one that is too large pushes nobody out"


def test_a_dump_that_is_forgotten_while_they_are_counted_keeps_no_other_out(tmp_path):
    (tmp_path / dumps.FOLDER).mkdir()
    (tmp_path / dumps.FOLDER / "gone.dmp").symlink_to(tmp_path / "nowhere")  # listed, but not there
    Dumps(tmp_path, SMALL_BYTES, MANY).keep(Dump("c1", "h1", b"MDMP"))
    assert f"{Dump('c1', 'h1', b'MDMP').name}.dmp" in names(tmp_path)


def test_a_dump_counts_as_the_blocks_that_its_files_take(tmp_path):
    keeper = Dumps(tmp_path, 5 * BLOCK_BYTES, MANY)
    keeper.keep(Dump("c0", "h1", bytes(BLOCK_BYTES + 1)))
    for n in range(1, 4):
        keeper.keep(Dump(f"c{n}", "h1", b"MDMP" + bytes([n]) * 28))
        restarted = Dumps(tmp_path, 5 * BLOCK_BYTES, MANY)
        restarted.keep(Dump(f"c{n}", "h1", b"MDMP" + bytes([n]) * 28))
        assert len(kept(tmp_path)) == 2, "again after a restart it is the same one"
    assert [data[4] for data in kept(tmp_path)] == [2, 3]


def test_there_are_never_more_than_so_many(tmp_path):
    keeper = Dumps(tmp_path, MANY * SMALL_BYTES, 3)
    for n in range(5):
        keeper.keep(Dump(f"c{n}", "h1", bytes([n])))
    assert kept(tmp_path) == [b"\x02", b"\x03", b"\x04"]
    keeper.keep(Dump("c4", "h1", b"\x04"))
    assert len(kept(tmp_path)) == 3, "one that is sent again pushes nobody out"


def test_halves_that_a_killed_write_left_make_room_like_any_dump(tmp_path):
    first = Dumps(tmp_path, 7 * BLOCK_BYTES, MANY)
    dump, killed = Dump("c0", "h1", bytes(1000)), Dump("c1", "h1", bytes(1000))
    first.keep(dump)
    folder = tmp_path / dumps.FOLDER
    for n, suffix in enumerate((".dmp-", ".json-", ".json")):
        half = folder / f"{killed.name}{suffix}"
        half.write_bytes(bytes(400))
        os.utime(half, (n, n))
    restarted = Dumps(tmp_path, 7 * BLOCK_BYTES, MANY)
    restarted.keep(Dump("c2", "h1", bytes(1000)))
    assert len(names(tmp_path)) == 7, "all of it is within the bound"
    restarted.keep(Dump("c3", "h1", bytes(1000)))
    assert not [name for name in names(tmp_path) if name.startswith(killed.name)]
    assert len(names(tmp_path)) == 6


def test_what_could_not_be_written_leaves_no_half_and_is_counted(tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "x")

    keeper = Dumps(tmp_path, 2 * SMALL_BYTES, MANY)
    keeper.keep(Dump("c0", "h1", bytes([0]) * 1000))
    with monkeypatch.context() as patch:
        patch.setattr("fleetcrash.store.dumps.os.fsync", full)
        for n in range(1, 4):
            with pytest.raises(OSError, match="x"):
                keeper.keep(Dump(f"c{n}", "h1", bytes([n]) * 1000))
    assert not [name for name in names(tmp_path) if name.endswith("-")]
    keeper.keep(Dump("c4", "h1", bytes([4]) * 1000))
    assert len(kept(tmp_path)) <= 2


def test_files_that_somebody_deleted_are_no_trouble(tmp_path):
    keeper = Dumps(tmp_path, 2 * SMALL_BYTES, MANY)
    for n in range(4):
        keeper.keep(Dump(f"c{n}", "h1", bytes([n]) * 1000))
        dumps.forget(tmp_path, Mentions("h1"))
    assert names(tmp_path) == set()


def test_a_dump_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / dumps.FOLDER).write_text("in the way")
    with pytest.raises(OSError, match="File exists"):
        Dumps(tmp_path, SMALL_BYTES, MANY).keep(Dump("c1", "h1", b""))


def test_forgetting_a_host_takes_its_dumps_and_those_that_name_it(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    keeper = Dumps(lake.root, 10 * SMALL_BYTES, MANY)
    keeper.keep(Dump("c1", "h1", b"mine"))
    keeper.keep(Dump("c2", "h2", b"memory of " + "h1".encode("utf-16-le") + b"\0\0"))
    keeper.keep(Dump("c3", "h2", b"of h10"))
    keeper.keep(Dump("c4", "h3", b"form", {"peer": "h1"}))
    scratch = lake.root / dumps.FOLDER / "cut.dmp-"
    scratch.write_bytes(b"half of a dump of h1")
    nameless = Dump("c5", "h1", b"half of a dump that names nobody")
    keeper.keep(nameless)
    whole = lake.root / dumps.FOLDER / f"{nameless.name}.dmp"
    whole.rename(whole.with_suffix(".dmp-"))
    receipt = forget(lake, "h1")
    assert kept(lake.root) == [b"of h10"]
    assert not [name for name in names(lake.root) if name.endswith("-")]
    assert receipt.remaining == []
    assert receipt.swept.files >= 7


def test_a_lake_without_dumps_has_none_to_forget(tmp_path):
    assert dumps.forget(tmp_path, Mentions("h1")).files == 0
