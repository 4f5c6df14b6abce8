"""Answers are kept for all viewers, and never more than a bound of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event

import pandas as pd
import pyarrow as pa
import pytest

from dashboard import answers
from dashboard.answers import Answers
from dashboard.data import Feed, feed_of
from dashboard.selection import Filters, Selection
from fleetcrash.attribution.reporting.impact import Impact
from fleetcrash.errors import UnknownName
from fleetcrash.store.kept import Kept, KeptTables
from tests.dashboard.fleet import GUILTY, NOW, outage


def test_those_go_that_were_not_asked_for_the_longest_time():
    kept = Answers(most=3)
    for asked in "abc":
        kept.keep(asked, asked.upper())
    assert kept.get("a") == "A"  # which makes b the one that was asked for the longest time ago
    kept.keep("d", None)
    assert [kept.get(asked, "gone") for asked in "abcd"] == ["A", "gone", "C", None]
    kept.keep("c", "new")
    assert (kept.get("c"), len(kept)) == ("new", 3)
    kept.clear()
    assert (kept.get("a"), len(kept)) == (None, 0)


@pytest.mark.parametrize(
    "large",
    [
        b"x" * 600,
        "x" * 600,
        pd.DataFrame({"host_id": ["x" * 600]}),
        pd.DataFrame({"frames": [["x"]] * 12}, dtype=object),
        Impact(pa.table({"host_id": ["x" * 600]})),
    ],
    ids=["bytes", "text", "table", "table of lists", "hosts"],
)
def test_large_answers_count_by_their_bytes(large):
    kept = Answers(most=10, most_bytes=1000)
    kept.keep("small", 1)
    for asked in "ab":
        kept.keep(asked, large)
    assert [kept.get(asked) is None for asked in ("small", "a", "b")] == [True, True, False]
    for _ in range(5):
        kept.keep("b", b"x" * 900)  # in place of itself, which adds nothing
    kept.keep("c", b"x" * 90)
    assert len(kept) == 2


def test_the_newest_stays_however_large_it_is():
    kept = Answers(most_bytes=1000)
    kept.keep("a", b"x" * 5000)
    assert kept.get("a") is not None
    kept.keep("b", 1)
    assert (kept.get("a"), kept.get("b")) == (None, 1)


def test_many_threads_at_once_keep_no_more_than_one():
    kept = Answers(most=20, most_bytes=1000)

    def ask(thread: int) -> bool:
        for n in range(3000):
            asked = (thread * n) % 50
            if (found := kept.get(asked)) is not None and found != bytes([asked]) * asked:
                return False
            kept.keep(asked, bytes([asked]) * asked)
        return len(kept) <= 20

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, [1, 3, 7, 9]))
    for n in range(20):
        kept.keep(n, b"x" * 50)
    assert len(kept) == 20  # what went was taken off the sum of bytes: twenty times fifty are just what may be


def test_what_is_built_of_answers_is_built_once_for_all_viewers_also_where_it_is_none(tmp_path):
    built: list[str] = []
    met = Event()

    def build() -> None:
        built.append("built")
        met.wait(0.2)  # so that the others ask meanwhile

    with closing(Feed(tmp_path / "none", watch=False)) as feed, ThreadPoolExecutor(4) as viewers:
        assert list(viewers.map(lambda _: feed.kept("chart", build), range(4))) == [None] * 4
        assert feed.kept("chart", build) is None
    assert built == ["built"]


@pytest.mark.slow
def test_ever_new_texts_on_a_lake_that_stands_still_are_bounded_and_answered(tmp_path):
    with closing(Feed(outage(tmp_path).root, watch=False)) as feed:
        feed._answers = Answers(most=10)
        selections = [Selection(NOW - timedelta(hours=1), NOW, Filters(text=f"t{n}")) for n in range(30)]
        first = feed.frame("hosts_affected", selections[0])
        for selection in selections:
            feed.frame("hosts_affected", selection)
            made = [feed.kept(("file", selection), partial(str.upper, selection.filters.text)) for _ in range(2)]
            assert made[0] is made[1]
        assert len(feed._answers) == 10
        assert feed.frame("hosts_affected", selections[-1]) is feed.frame("hosts_affected", selections[-1])
        again = feed.frame("hosts_affected", selections[0])
        assert again is not first
        pd.testing.assert_frame_equal(again, first)


@pytest.mark.slow
def test_a_hundred_pages_fit_beside_one_another(tmp_path, overview):
    root = outage(tmp_path).root
    overview(root)
    asked = len(feed_of(str(root))._answers)
    assert 10 < asked < answers.MOST / 100


def test_tables_that_are_prepared_are_not_made_again_by_the_first_question(tmp_path: Path, monkeypatch):
    made: list[str] = []
    make_anew = KeptTables._make_anew

    def noted(tables: KeptTables, name: str, kept: Kept) -> None:
        made.append(name)
        make_anew(tables, name, kept)

    monkeypatch.setattr(KeptTables, "_make_anew", noted)
    with closing(Feed(outage(tmp_path).root, watch=False)) as feed:
        while feed.prepare():
            pass
        assert {"placed_crashes", "known_exposures", "known_history"} <= set(made)
        made.clear()
        feed.impact(GUILTY, None)
        feed.delay(GUILTY, None)
        with pytest.raises(UnknownName):
            feed.cluster("clu-0000000000")
        assert set(made) <= {"judged_crashes"}  # which holds nothing
