"""What a reader sees of batches under way: nothing, until they are in the books."""

import threading

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.store import Engine, Lake, snapshot
from fleetcrash.store.housekeeping import compact
from fleetcrash.store.reading import rows_of
from tests.dashboard.fleet import book
from tests.fleetcrash.worlds import at


def crashes(batch: str | None, *names: str) -> pa.Table:
    minutes = [at(0)] * len(names)
    rows = {"crash_id": names, "host_id": names, "occurred_at": minutes, "known_at": minutes}
    return pa.table({**rows, "batch_id": pa.array([batch] * len(names), pa.string())})


def write(lake: Lake, batch: str, *, crash: tuple[str, ...] = (), booked: bool) -> None:
    """One crash and one install a name; the books last."""
    lake.append("crash", crashes(batch, *crash), batch_id=batch)
    installs = pa.table({"host_id": crash, "applied_at": [at(0)] * len(crash), "batch_id": [batch] * len(crash)})
    lake.append("install", installs, batch_id=batch)
    if booked:
        book(lake, batch)


def seen(engine: Engine) -> tuple[list[str], list[str]]:
    """Hosts in the crash table and in the install table."""
    engine.refresh()
    con = engine._con
    both = (con.sql(f"SELECT host_id FROM lake_{name} ORDER BY ALL").fetchall() for name in ("crash", "install"))
    crash, install = ([host for (host,) in rows] for rows in both)
    return crash, install


@pytest.mark.parametrize("compacted", [False, True])
def test_a_batch_is_seen_once_it_is_in_the_books(lake, compacted):
    write(lake, "one", crash=("a", "b"), booked=True)
    write(lake, "two", crash=("c",), booked=False)
    if compacted:
        compact(lake)
    with Engine(lake) as engine:
        assert seen(engine) == (["a", "b"], ["a", "b"])
        book(lake, "two")
        assert seen(engine) == (["a", "b", "c"], ["a", "b", "c"])


def test_rows_of_no_batch_are_seen(lake):
    lake.append("crash", crashes(None, "a"), batch_id="by hand")
    write(lake, "two", crash=("c",), booked=False)
    compact(lake)
    with Engine(lake) as engine:
        assert seen(engine)[0] == ["a"]


def test_a_batch_that_another_leans_on_is_seen(lake):
    write(lake, "dead", crash=("a",), booked=False)
    entry = {"batch_id": ["next"], "leans_on": [["dead"]]}
    with Engine(lake) as engine:
        assert seen(engine)[0] == []
        lake.append("batch", pa.table(entry), batch_id="next")
        assert seen(engine)[0] == ["a"]


def test_names_of_batches_are_only_names(lake):
    write(lake, "it's", crash=("a",), booked=True)
    write(lake, "'); DROP VIEW lake_crash; --", crash=("b",), booked=False)
    compact(lake)
    with Engine(lake) as engine:
        assert seen(engine)[0] == ["a"]


@pytest.mark.slow
def test_of_the_books_only_what_is_new_is_read_and_no_batch_is_remembered(lake, monkeypatch):
    read: list[int] = []

    def counting(con, table, paths):
        if table == "batch":
            read.append(len(paths))
        return rows_of(con, table, paths)

    for number in range(5):
        write(lake, f"early-{number}", crash=(f"a{number}",), booked=True)
    with Engine(lake) as engine:
        monkeypatch.setattr(snapshot, "rows_of", counting)
        for number in range(3):
            write(lake, f"late-{number}", crash=(f"b{number}",), booked=True)
            assert len(seen(engine)[0]) == 6 + number
        assert read == [1, 1, 1]
        assert not engine._snapshots._held
        compact(lake)
        write(lake, "under way", crash=("c",), booked=False)
        assert seen(engine)[0] == [*(f"a{number}" for number in range(5)), "b0", "b1", "b2"]
        assert [one.unbooked for one in engine._snapshots._held.values()] == [{"under way"}] * 2
        compact(lake)
        write(lake, "last", crash=("d",), booked=True)
        assert seen(engine)[0] == [*(f"a{number}" for number in range(5)), "b0", "b1", "b2", "d"]
        book(lake, "under way")
        assert seen(engine)[0][-2:] == ["c", "d"]
        assert not engine._snapshots._held


@pytest.mark.slow
@settings(max_examples=7, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["write", "book", "compact", "look"]), max_size=12))
def test_whatever_happens_in_which_order_both_tables_show_the_booked_batches(tmp_path_factory, steps):
    lake = Lake.create(tmp_path_factory.mktemp("steps") / "lake")
    written, booked = 0, 0
    with Engine(lake) as engine:
        for step in [*steps, "look"]:
            if step == "write":
                write(lake, f"batch-{written}", crash=(f"h{written:02}",), booked=False)
                written += 1
            elif step == "book" and booked < written:
                book(lake, f"batch-{booked}")
                booked += 1
            elif step == "compact":
                compact(lake)
            else:
                names = [f"h{number:02}" for number in range(booked)]
                assert seen(engine) == (names, names)


@pytest.mark.slow
def test_a_reader_beside_writers_and_a_compactor_sees_whole_batches_only(lake):
    done = threading.Event()
    troubles: list[BaseException] = []

    def write_all(which: int) -> None:
        try:
            mine = Lake.open(lake.root)
            for number in range(25):
                write(mine, f"{which}-{number}", crash=(f"{which}-{number}", f"{which}-{number}+"), booked=True)
        except BaseException as error:
            troubles.append(error)

    def compact_all() -> None:
        mine = Lake.open(lake.root)
        while not done.is_set():
            try:
                compact(mine)
            except BaseException as error:
                troubles.append(error)
                return

    writers = [threading.Thread(target=write_all, args=(which,)) for which in range(2)]
    compactor = threading.Thread(target=compact_all)
    for thread in (*writers, compactor):
        thread.start()
    looks = 0
    with Engine(lake) as engine:
        while any(writer.is_alive() for writer in writers):
            crash, install = seen(engine)
            assert crash == install
            assert len(crash) % 2 == 0
            looks += 1
        done.set()
        compactor.join()
        assert len(seen(engine)[0]) == 100
    assert not troubles
    assert looks > 4
