"""How what clients send is read, and how records are written for the rules."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleetcrash.times import parse_time
from ingest.formats.crashes import (
    Frame,
    NotJson,
    Records,
    Told,
    Unfit,
    base_name,
    document_of,
    parsed,
    tags_of,
    time_of,
)
from ingest.formats.stack_steps import short_path
from tests.ingest.formats.conftest import AT

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def plainly(data):
    """What the standard library reads, with nothing for NaN and the infinities."""
    return json.loads(data.decode(), parse_constant=lambda _: None)


@given(DOCUMENTS, st.booleans())
@example("\ud800 is half a character", True)
@example([float("nan"), float("-inf"), 2**70, 1e308 * 10], True)
def test_a_document_is_read_as_the_standard_library_reads_it(document, escaped):
    data = json.dumps(document, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    try:
        wanted = plainly(data)
    except ValueError:
        with pytest.raises(NotJson):
            parsed(data)
    else:
        assert repr(parsed(memoryview(bytearray(data)))) == repr(wanted)


@given(st.text('[]{}",:0123456789.eE+-\\untrfals \n\t\x00\ufeff\xe9', max_size=12))
@example("1e400")
@example("[" * 100_000)
@example('{"a": 1, "a": 2}')
def test_what_only_looks_like_a_document_is_refused_as_the_standard_library_refuses_it(said):
    try:
        wanted = repr(plainly(said.encode()))
    except (ValueError, RecursionError):
        with pytest.raises(NotJson):
            parsed(said.encode())
    else:
        assert repr(parsed(said.encode())) == wanted


@given(st.text(st.characters(), min_size=1, max_size=20), st.integers(0, 2**63 - 1))
@example("half \ud800", 1)
def test_a_record_says_what_its_fields_said(name, number):
    records = Records()
    records.crash(host_id=name, uptime_s=number, os_type=None, tags={}, frames=[Frame("a", None, 1)])
    (line,) = bytes(records.lines).splitlines()
    assert json.loads(line) == {"record": "crash", "host_id": name, "uptime_s": number,
                                "frames": [{"module": "a", "function": None, "offset": 1}]}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "time"),
    [
        (1795777200, "2026-11-27T11:00:00Z"),
        (1795777200.5, "2026-11-27T11:00:00.500000Z"),
        (1795777200.981, "2026-11-27T11:00:00.981000Z"),
        (1795777200.123457, "2026-11-27T11:00:00.123457Z"),
        (1795777200123, "2026-11-27T11:00:00.123000Z"),
        (1795777200123.0, "2026-11-27T11:00:00.123000Z"),
        (1795777200123456, "2026-11-27T11:00:00.123456Z"),
        (1795777200123456789, "2026-11-27T11:00:00.123456Z"),
        ("1795777200", "2026-11-27T11:00:00Z"),
        ("1795777200.25", "2026-11-27T11:00:00.250000Z"),
        ("1795777200.981", "2026-11-27T11:00:00.981000Z"),
        ("1795777200123", "2026-11-27T11:00:00.123000Z"),
        ("1795777200123456789", "2026-11-27T11:00:00.123456Z"),
        ("2026-11-27T11:00:00.000+0000", "2026-11-27T11:00:00.000+00:00"),
        ("2026-11-27T04:00:00-0700", "2026-11-27T04:00:00-07:00"),
        ("2026-11-27 12:00:00 +0100", "2026-11-27 12:00:00+01:00"),
        ("2026-11-27T12:00:00+01:00", "2026-11-27T12:00:00+01:00"),
        ("2026-11-27T11:00:00Z", "2026-11-27T11:00:00Z"),
        ("2026-11-27T11:00:00", "2026-11-27T11:00:00Z"),
    ],
)
def test_a_time_is_told_whatever_unit_and_offset_a_client_writes(said, time):
    assert time_of(said) == time
    known = parse_time(time)
    assert known == parse_time("2026-11-27T11:00:00Z").replace(microsecond=known.microsecond)


@pytest.mark.parametrize("said", ["20261127", "20261127110000", "20261127110000123", "+0000", "Nov 27 11:00:00", "1e9"])
def test_what_tells_no_time_goes_to_the_rules_as_it_came(said):
    assert time_of(said) == said


@pytest.mark.parametrize(
    ("number", "unit", "time"),
    [
        (1795777200123, 1_000_000, "1970-01-21T18:49:37.200123Z"),  # a journal's, of a machine without a clock
        (1795777200123456, 1_000_000_000, "1970-01-21T18:49:37.200123Z"),
        (1795777200123, 1, "1795777200123"),
    ],
)
def test_a_unit_that_the_format_fixes_is_not_guessed(number, unit, time):
    assert time_of(number, unit=unit) == time


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/opt/agent/libscan.so.1 (deleted)", "libscan.so.1"),
        ("C:\\Program Files\\Agent\\scan.dll", "scan.dll"),
        ("/opt/copy (deleted).so", "copy (deleted).so"),
        ("/opt/" + "x" * 2000 + "/libscan.so (deleted)", "libscan.so"),
        (7, None),
    ],
)
def test_a_library_is_named_by_the_end_of_its_path(path, name):
    assert base_name(path) == name


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("panic: open /home/rita/x: no such file", "panic: open ~/x: no such file"),
        ("/Users/Rita/a.c:3 and /home/rita", "~/a.c:3 and ~"),
        (r"C:\Users\Rita Ros\AppData\x.dll", r"~\AppData\x.dll"),
        (r"at c:\\users\\rita\\x.cs, D:\Documents and Settings\rita", r"at ~\\x.cs, ~"),
        ("_home_rita_relay_main.py.1000.crash", "~_relay_main.py.1000.crash"),
        ("/srv/homepage/x, E:\\Program Files\\Users", "/srv/homepage/x, E:\\Program Files\\Users"),
    ],
)
def test_homes_of_people_are_in_no_tag(said, kept):
    assert tags_of([("message", said)]) == {"message": kept}


def test_homes_of_people_are_in_no_code():
    records = Records()
    records.crash(code="kernel BUG at /home/rita/linux/fs/relay.c:12")
    assert json.loads(bytes(records.lines))["code"] == "kernel BUG at ~/linux/fs/relay.c:12"


def test_a_file_in_a_home_is_named_without_whose_it_is():
    assert short_path("/home/rita/main.py") == short_path("C:\\Users\\tom\\main.py") == "~/main.py"
    assert short_path("/home/rita/relay/src/main.py") == "src/main.py"


def test_a_document_may_stand_in_a_block_of_code_with_prose_behind_it():
    data = b'{"a": [1]}\n```\nSeen on two hosts.\n'
    assert document_of(data, Told(AT), code="bad", what="It") == {"a": [1]}
    for other in (b'{"a": [1]}\nSeen on two hosts.\n', b'{"a": [1]}\n```\n{"a": [2]}\n', b'{"a": [1\n```\n'):
        with pytest.raises(Unfit):
            document_of(other, Told(AT), code="bad", what="It")


@pytest.mark.parametrize("at", ["1970-01-01T00:00:12Z", "1970-01-01 08:00:12+08:00", "1969-12-31T16:00:12-08:00"])
def test_a_clock_that_was_not_set_tells_no_time(at):
    records = Records(Told(AT, "log"))
    records.crash(crash_id="c", occurred_at=at, time_quality="exact")
    found = json.loads(records.lines)
    assert (parse_time(found["occurred_at"]), found["time_quality"]) == (AT, "log")
