"""What the lake holds is found by hashes in memory: every file is looked through once, and nothing is missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.records import Kind
from fleetcrash.store.housekeeping import compact
from fleetcrash.store.lake import File
from fleetcrash.store.workbench import Workbench
from ingest import known_keys, ndjson
from ingest.commit import Intake
from ingest.known_keys import KnownKeys
from tests.ingest.conftest import NOW, SOUND, line


def batch(number: int, lines: list[bytes]) -> ndjson.Lines:
    return ndjson.Lines(f"batch {number}", "source", b"".join(each + b"\n" for each in lines), 1)


def crashes(numbers: range) -> list[bytes]:
    return [line("crash", crash_id=f"c{number}") for number in numbers]


@pytest.mark.slow
def test_a_record_of_any_kind_that_comes_again_in_a_later_batch_is_a_duplicate(lake):
    everything = [line(kind) for kind in SOUND]
    with Workbench(lake) as bench:
        intake = Intake(lake, bench, now=NOW)
        found = [intake.take(batch(number, everything)) for number in range(4)]
    assert [(counts.accepted, counts.duplicates) for counts in found] == [(6, 0), (0, 6), (0, 6), (0, 6)]


@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 25, 1 << 25])
def test_what_a_load_has_brought_is_found_whether_it_is_held_or_not(lake, monkeypatch, room):
    monkeypatch.setattr(known_keys, "_HELD", room)
    with Workbench(lake) as bench:
        intake = Intake(lake, bench, now=NOW)
        found = [intake.take(batch(number, crashes(range(8 * number, 8 * number + 10)))) for number in range(9)]
    assert [(counts.accepted, counts.duplicates) for counts in found] == [(10, 0)] + [(8, 2)] * 8


@pytest.fixture
def looked_at(lake, monkeypatch) -> list[str]:
    """The files of three batches of ten crashes, each time that one is looked through from now on."""
    with Workbench(lake) as bench:
        before = Intake(lake, bench, now=NOW)
        for number in range(3):
            before.take(batch(number, crashes(range(10 * number, 10 * number + 10))))
    looked_at: list[str] = []
    view = Workbench.lake_view

    def seen(bench, table, paths=None):
        looked_at.extend(paths or ())
        return view(bench, table, paths)

    monkeypatch.setattr(Workbench, "lake_view", seen)
    return looked_at


@pytest.mark.slow
def test_a_file_is_looked_through_once_and_what_the_load_has_brought_not_at_all(lake, looked_at):
    there = {file.path for file in lake.files("crash")}
    with Workbench(lake) as bench:
        intake = Intake(lake, bench, now=NOW)
        for number in range(3, 8):
            intake.take(batch(number, crashes(range(10 * number, 10 * number + 10))))
        assert (len(looked_at), set(looked_at)) == (3, there)
        last = intake.take(batch(8, crashes(range(20, 90))))
    assert (last.accepted, last.duplicates) == (10, 60)


def test_of_more_files_than_there_is_room_for_only_the_rest_is_looked_through_again(lake, looked_at, monkeypatch):
    monkeypatch.setattr(known_keys, "_HELD", 25)
    with Workbench(lake) as bench:
        intake = Intake(lake, bench, now=NOW)
        for number, looks in enumerate([3, 1, 1], 3):
            assert intake.take(batch(number, crashes(range(30)))).duplicates == 30
            assert len(looked_at) == looks
            looked_at.clear()


@pytest.mark.slow
def test_what_others_bring_and_rewrite_meanwhile_is_found(lake):
    with Workbench(lake) as bench, Workbench(lake) as other:
        intake, another = Intake(lake, bench, now=NOW), Intake(lake, other, now=NOW)
        assert intake.take(batch(1, crashes(range(10)))).accepted == 10
        assert another.take(batch(2, crashes(range(5, 20)))).accepted == 10
        assert intake.take(batch(3, crashes(range(15, 30)))).accepted == 10
        compact(lake)
        assert intake.take(batch(4, crashes(range(40)))).accepted == 10
        assert another.take(batch(5, crashes(range(40)))).accepted == 0


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5), max_size=9),
            st.booleans(),
        ),
        max_size=6,
    ),
    st.lists(st.integers(-6, 6) | st.sampled_from([-(2**63), 2**63 - 1]), max_size=9),
    st.sampled_from([0, 12, 1 << 25]),
)
@settings(deadline=None, derandomize=True)
def test_the_hashes_that_are_held_are_those_of_all_files(batches, asked, room):
    known, there, looked_at = KnownKeys(), dict[str, list[int]](), list[str]()

    class Bench:
        """The files of a lake that grows by one each time it is looked at."""

        def lake_view(self, _table: str, paths: Sequence[str]) -> None:
            self._paths = paths
            looked_at.extend(paths)

        def reader(self, _query: str) -> Iterator[pa.RecordBatch]:
            for path in self._paths:
                yield pa.record_batch({"key_hash": pa.array(there[path], pa.int64())})

    bench, wanted = cast(Workbench, Bench()), set[int]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_keys, "_HELD", room)
        for number, (hashes, is_ours) in enumerate(batches):
            there[str(number)] = hashes
            wanted |= set(hashes)
            if is_ours:
                known.bring(Kind.CRASH, f"batch {number}", np.sort(np.array(hashes, np.int64)))
            files = [File(path, f"batch {path}", 0, len(hashes)) for path, hashes in there.items()]
            found = known.among(bench, Kind.CRASH, np.sort(np.array(asked, np.int64)), files)
            assert set(found.tolist()) == wanted & set(asked)
            assert room < 1 << 25 or is_ours is (str(number) not in looked_at)
            looked_at.clear()
