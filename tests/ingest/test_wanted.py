"""What is wanted is said of every reason that there is."""

from __future__ import annotations

import re
from pathlib import Path

import ingest
from fleetcrash.records import COLUMNS
from ingest.reasons import wanted_by_reason
from ingest.rules import _rules
from tests.ingest.test_reasons import BROKEN

SQL = Path(ingest.__file__).parent / "sql"


def test_every_reason_of_the_rules_says_what_it_wants():
    of_columns = {
        reason for columns in COLUMNS.values() for _, reason in _rules(columns, is_whole=False)
    }  # and those of lines and rows
    of_lines = set(re.findall(r"THEN '(\w+(?::\w+)?)'", (SQL / "staged_lines.sql").read_text()))
    assert of_columns | of_lines | {reason for _, reason in BROKEN} | {"not_csv"} == set(wanted_by_reason())


def test_it_is_said_by_the_columns():
    wanted = wanted_by_reason()
    assert wanted["bad_value:os_type"] == "one of windows, darwin, linux"
    assert wanted["bad_time:occurred_at"].startswith("RFC 3339 time with an offset")
    assert wanted["missing_field:host_id"] == "host_id, text of at most 128 characters"
    assert wanted["bad_value:uptime_s"] == "a number from 0"
