"""Many small files are a few batches, and each record is told by its own file all the same."""

from __future__ import annotations

import gzip

import pytest

from fleetcrash.store.doctor import examine
from fleetcrash.store.findings import Severity
from ingest import small_files
from ingest.joined import Joined
from ingest.load import load
from ingest.ndjson import Lines
from ingest.report import IncompleteLoad
from tests.ingest.conftest import NOW, line, quarantined, rows_of, write


def folder_of(path, count):
    path.mkdir()
    for number in range(count):
        write(path / f"{number:03}.ndjson", [line("crash", crash_id=f"c{number}"), b"bad"])
    return path


def test_many_are_one_batch_whose_records_name_their_file_and_line(lake, tmp_path):
    folder = folder_of(tmp_path / "in", small_files.MANY)
    report = load(lake, [folder], now=NOW)
    names = [str(each) for each in sorted(folder.iterdir())]
    assert (report.read, report.accepted, report.quarantined) == (32, 16, 16)
    assert list(report.sources) == names
    assert [row["source"] for row in rows_of(lake, "batch")] == [f"{names[0]} and 15 other files"]
    assert sorted((row["source"], row["line"]) for row in quarantined(lake)) == [(name, 2) for name in names]


def test_what_many_brought_is_known_when_they_are_loaded_again(lake, tmp_path):
    folder = folder_of(tmp_path / "in", small_files.MANY)
    load(lake, [folder], now=NOW)
    again = load(lake, [folder.rename(tmp_path / "elsewhere")], now=NOW)
    assert (again.accepted, again.duplicates, again.quarantined) == (0, 16, 16)
    assert len(quarantined(lake)) == 16


def test_of_a_folder_that_has_grown_what_was_put_aside_stays_so_once(lake, tmp_path):
    folder = folder_of(tmp_path / "in", small_files.MANY)
    load(lake, [folder], now=NOW)
    write(folder / "000-more.ndjson", [b"bad", line("crash", crash_id="more"), b"bad"])
    grown = load(lake, [folder], now=NOW)
    again = load(lake, [folder], now=NOW)
    assert (grown.accepted, grown.duplicates, grown.quarantined) == (1, 16, 18)
    assert (again.accepted, again.quarantined, again.reasons) == (0, 18, grown.reasons) == (0, 18, {"not_json": 18})
    assert len(quarantined(lake)) == small_files.MANY + 2
    assert not [one for one in examine(lake) if one.severity is Severity.BROKEN]


@pytest.mark.slow
def test_a_few_have_a_batch_each(lake, tmp_path):
    load(lake, [folder_of(tmp_path / "in", small_files.MANY - 1)], now=NOW)
    assert len(rows_of(lake, "batch")) == small_files.MANY - 1


def test_of_many_each_that_is_damaged_is_named_and_all_else_is_loaded(lake, tmp_path):
    folder = folder_of(tmp_path / "in", small_files.MANY)
    whole = gzip.compress(line("crash", crash_id="packed") + b"\n")
    (folder / "cut.ndjson.gz").write_bytes(whole[:-4])
    with pytest.raises(IncompleteLoad) as raised:
        load(lake, [folder], now=NOW)
    assert [problem.partition(" cannot")[0] for problem in raised.value.problems] == [str(folder / "cut.ndjson.gz")]
    assert raised.value.report.accepted == small_files.MANY + 1


def test_one_that_has_grown_since_it_was_found_is_numbered_on():
    first, second = Lines("a", "grown", b"1\n2\n", 1), Lines("b", "grown", b"3\n", 3)
    files = [
        small_files.SmallFile("x", 2, lambda: iter([Lines("x", "x", b"0\n", 1)])),
        small_files.SmallFile("grown", 4, lambda: iter([first, second])),
    ]
    joined, rest = small_files.batches(files)
    assert isinstance(joined, Joined)
    assert list(zip(joined.names, joined.counts, strict=True)) == [("x", 1), ("grown", 2)]
    assert rest is second


def test_with_more_files_behind_them_full_batches_keep_their_names(monkeypatch):
    monkeypatch.setattr(small_files, "_MOST_FILES", 2)

    def file(name):
        return small_files.SmallFile(name, 2, lambda: iter([Lines(name, name, b"1\n", 1)]))

    def named(names):
        return [batch.batch_id for batch in small_files.batches([file(name) for name in names])]

    assert named("abcde")[:2] == named("abcd")
