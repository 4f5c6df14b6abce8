"""The quick way for plain lines: it is taken, and it says what a close look would say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.records import Kind
from fleetcrash.store import Lake
from fleetcrash.store.workbench import Workbench
from ingest import ndjson, plain_lines
from ingest.commit import Intake
from ingest.rules import filled, judge
from tests.ingest.conftest import NOW, SOUND, line, rows_of
from tests.ingest.test_duplicates import FEW

STACK = SOUND["crash"]["frames"]

# Lines whose values are as they should be, whatever the rules say of them.
PLAIN = [
    *(line(kind) for kind in SOUND if kind != "session"),
    line("session", online_until="2024-07-19T04:05:00Z"),
    json.dumps({"record": "crash", **SOUND["crash"]}, separators=(",", ":")).encode(),
    line("crash") + b"\r",
    line("crash", tags={'say "hi"': "a\\b\\", "p": "C:\\Windows\\"}, content={}, frames=[]),
    line("crash", host_id="ü", code=": ,{[", module=""),
    line("crash").replace(b": ", b"\t :\n".replace(b"\n", b"")).replace(b'"record"\t :', b'"record":'),
    line("crash", os_type="beos", crash_id="x" * 129, received_at="2030-01-01T00:00:00Z"),
    line("heartbeat", uptime_s=-1e-3),
]

# Lines that need a close look, some of which the parser would take for sound.
ODD = [
    line("crash", agent_version=7.11, module_offset="16"),
    line("crash", agent_version=7.11, colour="red"),
    line("crash", code=["x"], os_build=None),
    line("crash", code={"a": 5}),
    line("crash", code=[[]]),
    line("crash", frames=[5]),
    line("crash", frames=["x"], code=5),
    line("crash", frames=[{"module": 5, "offset": "5"}]),
    line("crash", frames=[{"offset": 1.5}]),
    line("crash", tags={"a": None}),
    line("crash", tags={"a": 5}),
    line("crash", uptime_s=float("nan")),
    line("crash", module_offset=4.5),
    line("crash", code="a\0b"),
    line("crash", occurred_at=20240719),
    line("host", always_on="true"),
    line("crash")[:-1] + b',"code":"0x50"}',
    line("crash")[:-1] + b",}",
    line("crash") + b" {}",
    line("crash", frames=STACK).replace(b"}, {", b"},, {"),
    line("crash").replace(b'{"rack": "r7"}', b'{"a": "1", "a": "2"}'),
    line("crash").replace(b'{"module": "nt", ', b'{"module": "nt", "module": "nt", '),
    line("crash")[:-1],
    *(
        line("crash", host_id="h").replace(b'"h"', b'"%s"' % no_utf8)
        for no_utf8 in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80")
    ),
    b'{"record": "crashes"}',
    b"",
    b'"',
    b"\\",
]


def found_plain(lake: Lake, lines: list[bytes]) -> set[int]:
    """Where in ``lines`` plain ones stand."""
    batch = ndjson.Lines("batch", "source", b"".join(each + b"\n" for each in lines), 0)
    with Workbench(lake) as bench:
        bench.run(filled("macros"))
        found = [judge(bench, kind, given, now=NOW) for kind, given in batch.plain(bench).items()]
        return {number for rows in found for number in rows["line"].to_pylist()}


def test_plain_lines_are_taken_the_quick_way_and_no_others(lake):
    mixed = [each for pair in zip(PLAIN, ODD, strict=False) for each in pair] + ODD[len(PLAIN) :]
    found = found_plain(lake, mixed)
    assert [mixed[place] for place in sorted(found)] == PLAIN


def test_lines_of_a_kind_that_is_rare_are_judged_all_the_same(load_lines):
    lines = [line("heartbeat", at=f"2024-07-19T04:{n // 60:02}:{n % 60:02}Z") for n in range(300)]
    lines[7] = line("host")
    assert load_lines(*lines).accepted == 300


def test_a_comma_in_a_string_where_nearly_none_is_makes_a_line_odd_and_changes_nothing(load_lines, lake):
    lines = [line("crash", crash_id=f"c{n}") for n in range(1000)]
    lines[7] = line("crash", crash_id="c7", module="std::pair<int, int>")
    lines[8] = line("crash", crash_id="c8", module="a,b").replace(b', "code": "0x50"', b"")  # as many as without both
    assert found_plain(lake, lines) == {*range(1000)} - {7, 8}
    assert load_lines(*lines).accepted == 1000
    kept = {row["crash_id"]: (row["module"], row["code"]) for row in rows_of(lake, "crash")}
    assert (kept["c7"], kept["c8"]) == (("std::pair<int, int>", "0x50"), ("a,b", None))


def test_fields_that_few_lines_have_are_judged_all_the_same(load_lines, lake):
    bare = {name: SOUND["crash"][name] for name in ("host_id", "occurred_at", "os_type")}
    records: list[dict[str, Any]] = [{"record": "crash", "crash_id": f"c{n}", **bare} for n in range(1000)]
    records[7] |= {"tags": {"a": "b"}, "domain": "user"}
    records[8] |= {"domain": "moon"}
    report = load_lines(*(json.dumps(record).encode() for record in records))
    assert (report.accepted, dict(report.reasons)) == (999, {"bad_value:domain": 1})
    kept = {row["crash_id"]: (row["domain"], row["tags"]) for row in rows_of(lake, "crash")}
    assert kept.pop("c7") == ("user", [("a", "b")])
    assert set(map(str, kept.values())) == {"('kernel', None)"}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats(-2, 2)
    | st.sampled_from([2**70, float("nan"), "16", "7.11", "true", "", "2024-07-19T04:09:00Z", "2024-07-19"])
    | st.text('":,{[}] \\\0a', max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["module", "offset", "a", '"']), inner, max_size=2)
    ),
    max_leaves=4,
)
EDITS = st.sampled_from([b'"', b"\\", b",", b":", b"{", b"}", b"[", b"]", b" ", b"", b"null", b'"code":"x",', b'","'])


@st.composite
def almost_plain_lines(draw: st.DrawFn) -> bytes:
    """A record with a few fields of it changed to anything, and perhaps an edit of its text."""
    kind = draw(st.sampled_from(["crash", "crash", "crash", "host", "heartbeat"]))
    names = [*SOUND[kind], "colour", "Code"]
    changes: dict[str, Any] = draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=3))
    raw = line(kind, **changes)
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(EDITS) + raw[at + draw(st.integers(0, 1)) :]
    return raw


@pytest.mark.slow
@FEW
@given(st.lists(almost_plain_lines(), min_size=100, max_size=150))
def test_the_quick_way_says_what_a_close_look_says(tmp_path_factory, lines):
    lake = Lake.create(tmp_path_factory.mktemp("lake"))
    quick, found_quick = outcome(lake, lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_lines, "kinds_of", lambda _data, _ends: {})
        close, found_close = outcome(lake, lines)
    assert quick == close
    assert found_quick == found_close


def outcome(lake: Lake, lines: list[bytes]) -> tuple[list[Any], Any]:
    """What becomes of each line, and what is counted."""
    batch = ndjson.Lines("batch", "source", b"".join(each + b"\n" for each in lines), 1)
    with Workbench(lake) as bench:
        judged = Intake(lake, bench, now=NOW).judge(batch)
    rows = [
        (row["line"], kind, str(row))
        for kind in Kind
        if kind in judged.tables
        for row in judged.tables[kind].to_pylist()
    ]
    refused = [] if judged.refused is None else judged.refused.to_pylist()
    return sorted(rows + [(row["line"], "refused", str(row)) for row in refused]), judged.counts
