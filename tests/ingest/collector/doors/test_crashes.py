"""How what clients send is read, and how records are written for the rules."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.collector.doors.crashes import Frame, NotJson, Records, parsed

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
