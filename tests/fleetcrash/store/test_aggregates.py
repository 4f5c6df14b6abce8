"""Answers kept beside the facts: with them, without them, and whatever became of them, every answer is the same."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dashboard.selection import TABLES_OF_A_CURVE, TABLES_OF_A_SELECTION, TABLES_OF_THE_LAKE, Selection
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.clustering import Clusters
from fleetcrash.errors import LakeError
from fleetcrash.store import Engine, Lake, aggregates
from fleetcrash.store.aggregates import AGGREGATES, FOLDER, Aggregates
from fleetcrash.store.forgetting import forget
from fleetcrash.store.housekeeping import compact
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.worlds import HOSTS, LAST_MINUTE, at, lake_of, worlds

DAY = Selection(at(0), at(LAST_MINUTE))
OF_THE_DETECTOR = {name for name in AGGREGATES if name.startswith("detection/")}


def parameters_of(query: str, window: Selection) -> dict[str, Any]:
    """What an aggregate is asked with."""
    buckets = {"since": window.since, "until": window.until, "bucket_s": 600}
    asked: dict[str, dict[str, Any]] = {
        "blast_radius_by_os_agent_version": {"update_id": "a1"},
        "clustering/counts_by_cluster": {"cluster_id": None},
        "clustering/counts_by_variant_os": {"cluster_id": None},
        "clustering/seen_by_cluster": {"cluster_id": None, "since": window.since},
        "crashes_by_cluster_bucket": {"since": window.since, "bucket_s": 600},
        "crash_rate_by_minute_agent_version": buckets,
        "crash_rate_by_minute_os": buckets,
        "earlier_rate_by_hour": {"since": window.since, "until": window.until},
        "crash_rate_by_minute_update": {**buckets, "shown": ["a1", "agent"]},
        "filter_values": {"most": 8},
    }
    return asked.get(query, {})


def ask(engine: Engine, query: str, window: Selection = DAY) -> Any:
    """The answer of an aggregate, asked as its users do."""
    if query in OF_THE_DETECTOR:
        news: Any = read_news(engine)
        return astuple(replace(news, ask=None))  # that is questions, not answers
    Clusters(engine).keep()
    for name in TABLES_OF_THE_LAKE:
        engine.keep(name, name)
    kept = [*window.kept(TABLES_OF_A_SELECTION), *window.kept(TABLES_OF_A_CURVE, bucket_s=600)]
    for name, text, parameters in [*kept, *window.kept_of_baseline()]:
        engine.keep(name, text, **parameters)
    return engine.rows(query, **parameters_of(query, window))


@pytest.fixture
def filled(lake: Lake) -> Lake:
    append_rows(lake, "crash", [{"crash_id": f"c{n}", "host_id": "h", "os_type": "linux", "occurred_at": at(n)}
                                for n in range(50)])  # fmt: skip
    return lake


def kept_files(root: Path) -> list[Path]:
    return sorted((root / FOLDER).glob("*"))


# -- the same answers


def _damage(path: Path, random: Random) -> None:
    whole = bytearray(path.read_bytes())
    whole[random.randrange(len(whole))] ^= 1 << random.randrange(8)
    path.write_bytes(whole[: random.choice([len(whole), len(whole), random.randrange(len(whole))])])


def _change(lake: Lake, world: dict[str, list[Any]], number: int, random: Random) -> None:
    """Something that happens to a lake: a load, housekeeping, or damage to what is kept."""
    match random.choice(["load", "load", "compact", "forget", "delete", "damage", "clear"]):
        case "load":
            for kind, rows in world.items():
                part = random.sample(rows, len(rows) // 2)  # many of them for the second time
                if part:
                    append_rows(lake, kind, part, batch_id=f"again-{number}")
        case "compact":
            compact(lake, "crash", "host")
        case "forget":
            forget(lake, random.choice(HOSTS))
        case "delete":
            for path in kept_files(lake.root):
                if random.random() < 0.5:
                    path.unlink()
        case "damage":
            for path in kept_files(lake.root):
                _damage(path, random)
        case "clear":
            shutil.rmtree(lake.root / FOLDER, ignore_errors=True)


@pytest.mark.slow
@settings(max_examples=2, deadline=None, derandomize=True, phases=[Phase.generate])  # shrinking takes minutes
@given(worlds(), st.randoms(use_true_random=False))
def test_every_answer_is_the_one_without_what_is_kept(empty_lake, world, random: Random):
    questions = [*(AGGREGATES - OF_THE_DETECTOR), min(OF_THE_DETECTOR)]
    with (
        lake_of(world, empty_lake) as lake,
        Engine(lake, threads=1, cache_from_s=None) as counting,
        Engine(lake.for_another_thread(), threads=1, cache_from_s=0) as keeping,
    ):
        for number in range(4):
            _change(Lake.open(lake.root), world, number, random)
            instant = at(random.randrange(0, LAST_MINUTE + 60, 5))
            window = Selection(at(random.randrange(0, 60)), at(LAST_MINUTE))
            for engine in (counting, keeping):
                engine.refresh()
                engine.as_of = instant
            for query in sorted(random.sample(sorted(questions), 3)):
                for asked in (window, window, DAY):  # the first time counted, and kept from then on
                    np.testing.assert_equal(ask(keeping, query, asked), ask(counting, query, asked), err_msg=query)
        assert kept_files(lake.root)


@pytest.mark.slow
def test_no_kept_answer_has_a_row_of_one_host_or_one_crash(filled):
    with Engine(filled) as engine:
        read_news(engine)
        for query in AGGREGATES:
            if query not in OF_THE_DETECTOR:
                ask(engine, query)
            parameters = {"after_tick": -1} if query in OF_THE_DETECTOR else parameters_of(query, DAY)
            found = engine.table(query, **parameters).column_names
            assert not {"host_id", "crash_id", "event", "event_id", "frames", "tags", "raw", "document"} & set(found)


# -- what it spares


def test_what_was_kept_is_answered_without_reading_a_crash(filled):
    with Engine(filled, as_of=at(30), cache_from_s=0) as engine:
        expected = ask(engine, "hosts_affected"), ask(engine, "fleet_now")
    for file in filled.files("crash"):
        whole = Path(file.path).read_bytes()
        footer = int.from_bytes(whole[-8:-4], "little") + 8
        Path(file.path).write_bytes(bytes(len(whole) - footer) + whole[-footer:])  # no row is left to read
    with Engine(Lake.open(filled.root), as_of=at(30)) as engine:
        assert (ask(engine, "hosts_affected"), ask(engine, "fleet_now")) == expected
    with Engine(filled, as_of=at(30), cache_from_s=None) as engine, pytest.raises(LakeError):
        ask(engine, "hosts_affected")


def test_what_is_soon_counted_is_not_kept(filled):
    with Engine(filled, cache_from_s=60) as engine:
        ask(engine, "hosts_affected")
    assert kept_files(filled.root) == []


def test_what_a_kept_table_takes_counts_for_every_question_that_reads_it(filled):
    with Engine(filled, cache_from_s=0) as engine:
        ask(engine, "hosts_affected")
        ask(engine, "crash_rate_by_agent_version")
        longest_s = engine._kept._tables["fleet_sums"].took_s
        assert engine._kept._tables["placed_crashes"].took_s < longest_s
        assert engine._count("hosts_affected", {})[1] > longest_s


def test_a_moved_lake_takes_along_what_is_kept(filled, tmp_path):
    with Engine(filled, cache_from_s=0) as engine:
        expected = ask(engine, "hosts_affected")
    shutil.move(filled.root, tmp_path / "elsewhere")
    before = kept_files(tmp_path / "elsewhere")
    with Engine(Lake.open(tmp_path / "elsewhere"), cache_from_s=0) as engine:
        assert ask(engine, "hosts_affected") == expected
    assert kept_files(tmp_path / "elsewhere") == before


def test_a_kept_table_follows_the_lake_and_the_instant(filled):
    with Engine(filled, as_of=at(9)) as engine:
        assert ask(engine, "hosts_affected")[0]["crashes"] == 10
        engine.as_of = at(19)
        assert engine.rows("hosts_affected")[0]["crashes"] == 20
        append_rows(Lake.open(filled.root), "crash", [
            {"crash_id": "late", "host_id": "h", "os_type": "linux", "occurred_at": at(1), "received_at": at(15)}
        ], batch_id="late")  # fmt: skip
        assert engine.refresh()
        assert engine.rows("hosts_affected")[0]["crashes"] == 21


# -- what is not believed

ANSWER = pa.table({"crashes": [1, 2], "os_type": ["linux", None]})
OTHER = pa.table({"crashes": [3, 4], "os_type": ["linux", None]})


@pytest.fixture
def kept(tmp_path: Path) -> Aggregates:
    return Aggregates(tmp_path)


def _put(kept: Aggregates, answer: pa.Table = ANSWER, key: str = "key") -> Path:
    before = set(kept._folder.glob("*"))
    kept.put(key, answer, rests_on=())
    (path,) = set(kept._folder.glob("*")) - before
    return path


def _as_link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere.parquet")
    path.symlink_to(path.parent.parent / "elsewhere.parquet")


def _as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


HOSTILE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "lengthened": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "garbage": lambda path: path.write_bytes(b"\xfe\x01" * 500),
    "one bit": lambda path: path.write_bytes(path.read_bytes().replace(b"linux", b"linuy", 1)),
    "other columns": lambda path: pq.write_table(pa.table({"host_id": ["h"]}), path),
    "other rows": lambda path: pq.write_table(OTHER, path),
    "a link": _as_link,
    "a pipe": _as_pipe,
    "a folder": _as_folder,
    "too large": lambda path: os.truncate(path, aggregates.MOST_BYTES + 1),
}


@pytest.mark.parametrize("harm", HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_not_as_it_was_written_is_not_believed_and_written_anew(kept, harm):
    path = _put(kept)
    assert kept.find("key") == ANSWER
    harm(path)
    assert kept.find("key") is None
    kept.put("key", ANSWER, rests_on=())
    assert path.is_dir() or (kept.find("key") == ANSWER and not path.is_symlink())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_no_damage_is_believed(tmp_path_factory, random: Random):
    kept = Aggregates(tmp_path_factory.mktemp("lake"))
    path = _put(kept)
    whole = path.read_bytes()
    _damage(path, random)
    assert kept.find("key") is None or path.read_bytes() == whole


def test_an_answer_under_the_name_of_another_is_not_believed(kept):
    path = _put(kept)
    path.rename(path.with_name(path.name.replace("key", "yek")))
    assert kept.find("yek") is None


def test_an_answer_comes_back_as_it_was(kept):
    answer = pa.table(
        {
            "at": pa.array([None, 1], pa.timestamp("us", tz="UTC")),
            "sum": pa.array([None, 10**30], pa.decimal128(38, 0)),
            "rate": [float("nan"), -0.0],
            "text": ["", "\N{SNOWMAN}"],
        }
    )
    _put(kept, answer)
    found = kept.find("key")
    assert found is not None
    assert found.schema.equals(answer.schema, check_metadata=True)
    np.testing.assert_equal(found.to_pylist(), answer.to_pylist())


# -- where nothing can be kept


def test_where_the_folder_is_a_file_or_leads_elsewhere_nothing_is_kept(tmp_path):
    for number, make in enumerate([lambda path: path.write_text(""), lambda path: path.symlink_to(tmp_path)]):
        root = tmp_path / str(number)
        root.mkdir()
        make(root / FOLDER)
        kept = Aggregates(root)
        kept.put("key", ANSWER, rests_on=())
        assert kept.find("key") is None
        assert kept.clear() == []
    assert not list(tmp_path.glob("*.parquet"))


def test_a_folder_that_may_not_be_read_or_written_keeps_nothing(kept, monkeypatch):
    path = _put(kept)

    def refused(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refused)
    kept.put("other", ANSWER, rests_on=())
    monkeypatch.setattr(Path, "read_bytes", refused)
    assert kept.find("key") is None
    assert list(kept._folder.glob("*")) == [path]


def test_a_disk_that_is_nearly_full_is_left_to_the_facts(kept, monkeypatch):
    room = SimpleNamespace(free=aggregates.MOST_BYTES - 1)
    monkeypatch.setattr("fleetcrash.store.aggregates.shutil.disk_usage", lambda _: room)
    kept.put("key", ANSWER, rests_on=())
    assert kept.find("key") is None


def test_an_answer_whose_files_went_meanwhile_is_not_kept(kept, tmp_path):
    kept.put("key", ANSWER, rests_on=[str(tmp_path), str(tmp_path / "gone")])
    assert list(kept._folder.glob("*")) == []


# -- bounds


def _age(path: Path, seconds: int) -> Path:
    os.utime(path, (seconds, seconds))
    return path


def test_the_oldest_make_room_for_the_newest(kept, monkeypatch):
    monkeypatch.setattr(aggregates, "MOST_FILES", 3)
    kept._folder.mkdir()
    (kept._folder / "killed.tmp").write_bytes(b"half")
    _age(kept._folder / "killed.tmp", 1)
    paths = [_age(_put(kept, key=f"key{number}"), number + 2) for number in range(2)]
    newest = _put(kept, key="key2")
    assert sorted(kept._folder.glob("*")) == sorted([*paths, newest])


def test_what_is_kept_stays_within_its_size(kept, monkeypatch):
    size = _put(kept).stat().st_size
    monkeypatch.setattr(aggregates, "MOST_BYTES", int(2.5 * size))
    for number in range(4):
        kept.put(f"key{number}", ANSWER, rests_on=())
    assert len(list(kept._folder.glob("*"))) == 2
    monkeypatch.setattr(aggregates, "MOST_BYTES", int(1.5 * size))
    kept.put("larger than its share", ANSWER, rests_on=())
    assert kept.find("larger than its share") is None


def test_a_forgotten_host_takes_all_that_is_kept_along(filled):
    append_rows(filled, "host", [{"host_id": "h", "os_type": "linux", "site": "h"}], batch_id="hosts")
    with Engine(filled, cache_from_s=0) as engine:
        ask(engine, "filter_values")
    assert kept_files(filled.root)
    (filled.root / FOLDER / "killed.tmp").write_bytes(b"h")
    assert forget(filled, "h").remaining == []
    assert kept_files(filled.root) == []
