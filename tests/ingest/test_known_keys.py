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
from fleetcrash.store.workbench import Workbench
from ingest import known_keys, ndjson
from ingest.commit import Intake
from ingest.known_keys import KnownKeys
from tests.ingest.conftest import NOW, SOUND, line


def batch(number: int, lines: list[bytes]) -> ndjson.Lines:
    return ndjson.Lines(f"batch {number}", "source", b"".join(each + b"\n" for each in lines), 1)


def crashes(numbers: range) -> list[bytes]:
    return [line("crash", crash_id=f"c{number}") for number in numbers]


def test_a_record_of_any_kind_that_comes_again_in_a_later_batch_is_a_duplicate(lake):
    everything = [line(kind) for kind in SOUND]
    with Workbench(lake) as bench:
        intake = Intake(lake, bench, now=NOW)
        found = [intake.take(batch(number, everything)) for number in range(4)]
    assert [(counts.accepted, counts.duplicates) for counts in found] == [(6, 0), (0, 6), (0, 6), (0, 6)]


@pytest.mark.parametrize("room", [0, 25, 1 << 25])
def test_what_a_load_has_brought_is_found_whether_it_is_held_or_not(lake, monkeypatch, room):
    monkeypatch.setattr(known_keys, "_HELD", room)
    with Workbench(lake) as bench:
        intake = Intake(lake, bench, now=NOW)
        found = [intake.take(batch(number, crashes(range(8 * number, 8 * number + 10)))) for number in range(9)]
    assert [(counts.accepted, counts.duplicates) for counts in found] == [(10, 0)] + [(8, 2)] * 8


def test_a_file_is_looked_through_once(lake, monkeypatch):
    looked_at: list[str] = []
    view = Workbench.lake_view

    def seen(bench, table, paths=None):
        looked_at.extend(paths or ())
        return view(bench, table, paths)

    monkeypatch.setattr(Workbench, "lake_view", seen)
    with Workbench(lake) as bench:
        intake = Intake(lake, bench, now=NOW)
        for number in range(5):
            intake.take(batch(number, crashes(range(10 * number, 10 * number + 10))))
    assert len(looked_at) == len(set(looked_at)) == 4


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
    st.lists(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5), max_size=9), max_size=6),
    st.lists(st.integers(-6, 6) | st.sampled_from([-(2**63), 2**63 - 1]), max_size=9),
)
@settings(deadline=None, derandomize=True)
def test_the_hashes_that_are_held_are_those_of_all_files(files, asked):
    known, there = KnownKeys(), {str(number): hashes for number, hashes in enumerate(files)}

    class Bench:
        """The files of a lake that grows by one each time it is looked at."""

        def __init__(self) -> None:
            self.count = 0
            self.looked_at: Sequence[str] = ()

        def lake_files(self, _table: str) -> list[str]:
            self.count += 1
            return list(there)[: self.count]

        def lake_view(self, _table: str, paths: Sequence[str]) -> None:
            self.looked_at = paths

        def reader(self, _query: str) -> Iterator[pa.RecordBatch]:
            for path in self.looked_at:
                yield pa.record_batch({"key_hash": pa.array(there[path], pa.int64())})

    bench, wanted = Bench(), set[int]()
    for hashes in files:
        wanted |= set(hashes)
        found = known.among(cast(Workbench, bench), Kind.CRASH, np.sort(np.array(asked, np.int64)))
        assert set(found.tolist()) == wanted & set(asked)
