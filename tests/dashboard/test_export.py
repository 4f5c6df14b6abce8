"""What is downloaded is all there is, harmless in a spreadsheet, and traced to its query."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from dashboard.export import csv_bytes, parquet_bytes, slug, traced
from dashboard.selection import Filters, Selection

NOW = datetime(2026, 3, 4, 14, tzinfo=UTC)


def _cells(frame: pd.DataFrame) -> list[list[str]]:
    return list(csv.reader(io.StringIO(csv_bytes(frame).decode(), newline="")))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", '=HYPERLINK("http://x")', "-"],
)
def test_a_formula_is_text(text: str):
    assert _cells(pd.DataFrame({"host_id": [text]}))[1] == [f"'{text}"]


@pytest.mark.parametrize("text", ["plain", "a=b", "7.11.200", "-12", "+3.5", "-1e-7", "", "'quoted", "שלום, עולם"])
def test_other_text_is_left_alone(text: str):
    assert _cells(pd.DataFrame({"host_id": [text], "n": [1]}))[1] == [text, "1"]


def test_text_of_several_lines_is_one_cell():
    frame = pd.DataFrame({"a": ["x\r=1", "x\r\n=2", "x\n=3"], "b": ["y", "y", "y"]})
    assert _cells(frame)[1:] == [["x\r=1", "y"], ["x\r\n=2", "y"], ["x\n=3", "y"]]


def test_numbers_times_lists_maps_and_bytes_can_be_read_back():
    frame = pd.DataFrame(
        {
            "=rate": [-0.25],
            "crashes": [-3],
            "at": pd.to_datetime([NOW]),
            "never": pd.to_datetime([None], utc=True),
            "names": [np.array(["a", "=b"], dtype=object)],
            "content": [[("291", "v1"), ("k", "=1")]],
            "raw": [b"\xff=1"],
            "missing": [None],
        }
    )
    assert _cells(frame) == [
        ["'=rate", "crashes", "at", "never", "names", "content", "raw", "missing"],
        ["-0.25", "-3", "2026-03-04T14:00:00Z", "", '["a", "=b"]', '{"291": "v1", "k": "=1"}', "ff3d31", ""],
    ]


def test_parquet_holds_every_row_as_it_is():
    frame = pd.DataFrame({"host_id": ["=1", None, "-x"], "at": pd.to_datetime([NOW, None, NOW])})
    read = pq.read_table(io.BytesIO(parquet_bytes(frame))).to_pylist()
    assert read == [{"host_id": "=1", "at": NOW}, {"host_id": None, "at": None}, {"host_id": "-x", "at": NOW}]


def test_a_question_is_traced_through_the_tables_that_it_reads():
    selection = Selection(NOW.replace(hour=0), NOW, Filters(os_types=("linux",), updates=("it's\n; DROP",)))
    text = traced("crash_rate_by_update", selection, {}, as_of=NOW)
    files = [line for line in text.splitlines() if line.startswith("-- fleetcrash/store/sql/")]
    assert files[0] == "-- fleetcrash/store/sql/crash_rate_by_update.sql"
    assert {line.split("/")[-1].split(".")[0] for line in files[1:]} == {
        "known_exposures",
        "known_presence",
        "known_spans",
        "crashes_by_update",
        "exposed_crashes",
        "exposed_time",
        "exposures_in_window",
        "host_kinds",
        "online_stretches",
        "placed_crashes",
        "selected_crashes_of_update",
        "selected_kinds",
        "selected_time_of_update",
        "time_by_update",
        "worded_crashes",
    }
    assert "-- as of '2026-03-04T14:00:00Z'" in text
    assert "-- $since = '2026-03-04T00:00:00Z'" in text
    assert "-- $os_types = ['linux']" in text
    assert "-- $updates = ['it''s\ufffd; DROP']" in text  # one line, so that none of it leaves the comment
    assert "$agent_versions = " not in text


def test_several_questions_have_each_its_own_parameters():
    asked = {"update_id": "u", "shown": ["u"], "bucket_s": 60}
    text = traced(("hosts_exposed_by_minute", "crash_rate_by_minute_update"), None, asked)
    first, _, second = text.partition("-- fleetcrash/store/sql/crash_rate_by_minute_update.sql")
    assert "-- $update_id = 'u'" in first
    assert "-- $shown = " not in first
    assert "-- $shown = ['u']" in second
    assert "-- $update_id = " not in second.partition("-- fleetcrash/store/sql/")[0]
    assert text.count("/selected_time.sql") == 1


def test_what_is_read_by_a_name_without_being_kept_is_traced_as_well():
    text = traced("host_states", None, {"update_id": "u"})
    assert "judged_crashes_placed.sql, which is read as judged_crashes" in text
    assert all(f"/{name}.sql, which is kept" in text for name in ("placed_crashes", "known_history"))


def test_a_question_of_the_lake_alone_reads_no_selection():
    assert "selected" not in traced("blast_radius_by_os_agent_version", None, {"update_id": "u"})


@pytest.mark.parametrize(("title", "name"), [("Crash rate by update", "crash-rate-by-update"), ("= …", "data")])
def test_a_file_is_named_by_its_title(title: str, name: str):
    assert slug(title) == name
