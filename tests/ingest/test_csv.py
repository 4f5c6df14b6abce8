"""CSV: the same rules on cells of text, and what is said of rows and files that are no CSV."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fleetcrash.records import COLUMNS, Kind
from fleetcrash.store import Lake
from ingest import csv_rows
from ingest.load import load
from ingest.report import IncompleteLoad
from tests.ingest.conftest import NOW, SOUND, answers, line, quarantined, rows_of, write
from tests.ingest.crashes_as_csv import AT, HEADER, NAMES, as_csv, load_csv, row

# Each example makes a lake on disk; shrinking one takes minutes.
FEW = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
def test_records_of_every_kind_are_those_of_ndjson(lake, tmp_path):
    files = []
    for kind, record in SOUND.items():
        files.append(tmp_path / f"{kind}s-2024.CSV")
        files[-1].write_bytes(as_csv([record]))
    report = load(lake, files, now=NOW)
    assert (report.read, report.accepted, report.reasons, report.unknown_fields) == (6, 6, {}, ())
    again = load(lake, [write(tmp_path / "same.ndjson", [line(kind) for kind in SOUND])], now=NOW)
    assert (again.accepted, again.duplicates) == (0, 6)


def test_a_column_tells_the_kind_of_each_row_or_else_the_name_of_the_file(lake, tmp_path):
    data = b"record," + HEADER + b",x\n" + b"\n".join(
        [b"crash," + row() + b",1", b"," + row(b"c2") + b",", b"reboot," + row() + b",", b"host,," + row()[3:] + b","]
    )  # fmt: skip
    report = load_csv(lake, tmp_path, data, "export.csv")
    assert (report.read, report.accepted, report.reasons) == (4, 2, {"unknown_record": 2})
    assert report.unknown_fields == ("code", "crash_id", "occurred_at", "tags", "x")
    assert [kept["line"] for kept in quarantined(lake)] == [3, 4]
    report = load_csv(lake, tmp_path, data, "Crash-export.csv")
    assert (report.accepted, report.duplicates, report.reasons) == (1, 2, {"unknown_record": 1})


def test_a_field_in_quotes_holds_commas_quotes_and_newlines_and_an_empty_one_is_null(lake, tmp_path):
    cells = {b"c1": b'"a,b",', b"c2": b'"say ""no""",""', b"c3": b'"one\r\ntwo\n",', b"c4": b'"""",', b"c5": b'"",""'}
    report = load_csv(lake, tmp_path, b"\n".join([HEADER, *(row(*cell) for cell in cells.items())]))
    assert report.accepted == 5
    assert {crash["crash_id"]: crash["code"] for crash in rows_of(lake, "crash")} == {
        "c1": "a,b", "c2": 'say "no"', "c3": "one\r\ntwo\n", "c4": '"', "c5": None,
    }  # fmt: skip


NO_CSV = [
    row(b"c2", b'a"b,'),  # a quote within a field
    row(b"c2", b'"a"b,'),  # text behind a closing quote
    row(b"c2", b'"open,'),  # a quote that is never closed
    row(b"c2", b'"a" ,'),
    row(b"c2", b",,"),  # a field too many
    row(b"c2", b""),  # a field too few
    b"c2",
    row(b"c2", b"\xff,"),
    row(b"c2", b'"\xc3",'),
]


def test_a_row_that_is_no_csv_costs_no_other(lake, tmp_path):
    lines = [HEADER, row(b"first")]
    for number, bad in enumerate(NO_CSV):
        lines += [bad, row(b"%d" % number, b'"two\nlines",')]
    report = load_csv(lake, tmp_path, b"\n".join(lines))
    assert (report.read, report.accepted) == (len(lines) - 1, 1 + len(NO_CSV))
    assert report.reasons == {"not_csv": len(NO_CSV)}
    found = quarantined(lake)
    assert [kept["raw"] for kept in found] == [HEADER + b"\n" + bad for bad in NO_CSV]
    assert [kept["line"] for kept in found] == [3 + 3 * number for number in range(len(NO_CSV))]


CELLS = [
    ("module_offset", ["4", "4.0", "0", "4e3", "", '"4"'], ["4.5", "-1", "1e400", " 4", "4 ", "0x10", "1_000", "four",
                                                     "NaN", "9" * 30, "true", "٤"]),
    ("uptime_s", ["31.5", "0", "4e-1", "1E+05", ""], ["NaN", "inf", "-inf", "-0.1", "1e999", "1,5".join('""'), "1.",
                                              ".5", "+1", " 1", "1 ", "1d", "1_0", "2024-07-19T04:09:00Z"]),
    ("received_at", ["2024-07-19T04:09:00Z", "2024-07-19 06:09:00.5+02:00", ""], []),
    ("os_type", ["windows"], ["beos", "Windows", " windows"]),
    ("code", ["0x50", "4.10", "true", "NULL", " a "], ["a\0b"]),
    ("tags", ['"{""a"": ""b""}"', '"{""a"":""b"",""c"":"",]""}"', "{}", '"{""\\u0061"": ""\\n""}"'],
     ["a", "[]", "3", "null", "true", '"{""a"": 1}"', '"{""a"": ""b"",}"', '"{""a"": null}"', '"{""a"": ""\\u0000""}"',
      '"{""a"": ""b"", ""a"": ""c""}"', '"{""a"": ""\0""}"', "{a:b}", "{}x"]),
    ("frames", ["[]", "[null]", '"[{""module"": ""nt"", ""function"": null, ""offset"": 5}, {}]"',
                '"[{""offset"":5,""x"":[1],""module"":""n\\""t""}]"'],
     ["{}", "nt!f", '"[{""module"": 5}]"', '"[{""offset"": 0.5}]"', '"[{""module"":""a""},]"',
      '"[{""module"":""a"" ""b""}]"',
      '"[{""module"" : ""a"", ""module"": ""b""}]"']),
]  # fmt: skip


@pytest.mark.slow
def test_cells_are_text_of_what_is_due_and_others_are_bad(lake, tmp_path):
    for name, sound, bad in CELLS:
        names = [*[column for column in NAMES if column != name][:4], name]
        values = dict(zip(NAMES, row().decode().split(","), strict=False))
        rows = []
        for number, cell in enumerate([*sound, *bad]):
            values |= {"crash_id": f"{name}{number}", name: cell}
            rows.append(",".join(values[column] for column in names))
        report = load_csv(lake, tmp_path, "\n".join([",".join(names), *rows]).encode(), f"crash-{name}.csv")
        refused = [kept["raw"].decode().split("\n")[1] for kept in quarantined(lake) if name in kept["source"]]
        assert refused == rows[len(sound) :], name
        assert report.reasons == ({f"bad_value:{name}": len(bad)} if bad else {})
    stored = {crash["crash_id"]: crash for crash in rows_of(lake, "crash")}
    assert [stored[f"module_offset{n}"]["module_offset"] for n in range(6)] == [4, 4, 0, 4000, None, 4]
    assert [stored[f"uptime_s{n}"]["uptime_s"] for n in range(5)] == [31.5, 0, 0.4, 1e5, None]
    assert [stored[f"code{n}"]["code"] for n in range(5)] == ["0x50", "4.10", "true", "NULL", " a "]
    assert [stored[f"tags{n}"]["tags"] for n in range(4)] == [
        [("a", "b")],
        [("a", "b"), ("c", ",]")],
        [],
        [("a", "\n")],
    ]
    assert stored["frames3"]["frames"] == [{"module": 'n"t', "function": None, "offset": 5}]


def test_what_nests_too_deep_is_refused_in_a_cell_as_it_is_in_a_line(lake, tmp_path):
    stacks = {f"{levels}": [{"x": json.loads("[" * levels + "]" * levels), "]": "]"}] for levels in (61, 62)}
    records = [{**SOUND["crash"], "crash_id": name, "frames": stack} for name, stack in stacks.items()]
    assert load_csv(lake, tmp_path, as_csv(records)).reasons == {"bad_value:frames": 1}
    lines = [line("crash", **record) for record in records]
    report = load(lake, [write(tmp_path / "same.ndjson", lines)], now=NOW)
    assert (report.duplicates, report.reasons) == (1, {"not_json": 1})


def test_a_flag_may_be_spelled_in_any_case(lake, tmp_path):
    spelled = ["true", "True", "TRUE", "false", "False", "", "1", "yes", "t", "true "]
    rows = [f"h{number},linux,{flag}" for number, flag in enumerate(spelled)]
    report = load_csv(lake, tmp_path, "\n".join(["host_id,os_type,always_on", *rows]).encode(), "host.csv")
    assert report.reasons == {"bad_value:always_on": 4}
    stored = {host["host_id"]: host["always_on"] for host in rows_of(lake, "host")}
    assert list(dict(sorted(stored.items())).values()) == [True, True, True, False, False, False]


def test_every_rule_gives_the_reason_that_it_gives_elsewhere(lake, tmp_path):
    long = b"x" * 129
    broken = {
        b",h1," + AT + b",windows,,": "missing_field:crash_id",
        b"c1,h1,2024-07-19T04:09:00,windows,,": "bad_time:occurred_at",
        b"c1,h1," + AT + b" ,windows,,": "bad_time:occurred_at",
        b"c1,h1,,windows,,": "missing_field:occurred_at",
        b"c1," + long + b"," + AT + b",windows,,": "too_long:host_id",
        b"c1,h1,2024-07-22T00:00:00Z,windows,,": "future_time:occurred_at",
        b",,,,,": "missing_field:crash_id",
    }
    load_csv(lake, tmp_path, b"\n".join([HEADER, *broken]))
    assert [kept["reason"] for kept in quarantined(lake)] == list(broken.values())


def test_what_is_put_aside_reads_as_a_small_file(lake, tmp_path):
    bad = row(b"c1", b'"a\r\nb","{""k"": ""v""}"').replace(b"windows", b"beos")
    load_csv(lake, tmp_path, HEADER + b"\r\n" + bad + b"\r\n" + row(b"c2") + b"\r\n")
    (kept,) = quarantined(lake)
    assert (kept["line"], kept["reason"], kept["raw"]) == (2, "bad_value:os_type", HEADER + b"\n" + bad)
    mended = kept["raw"].replace(b"beos", b"linux")
    assert load_csv(lake, tmp_path, mended, "crash-mended.csv").accepted == 1


TEXT = st.text(st.sampled_from("a\",\n\r;'\\ é💥0"), min_size=1, max_size=6)
TIMES = st.sampled_from(["2024-07-19T04:05:00Z", "2024-07-19T06:05:00.25+02:00", None])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "VARCHAR": TEXT,
    "TIMESTAMPTZ": TIMES,
    "DOUBLE": st.sampled_from([0, 1.5, 300, -1, "x"]),
    "BIGINT": st.sampled_from([0, 4, 4.0, 1.5]),
    "BOOLEAN": st.booleans(),
    "MAP(VARCHAR, VARCHAR)": st.dictionaries(TEXT, TEXT, max_size=2),
}


@st.composite
def some_records(draw: st.DrawFn, kind: Kind) -> dict[str, Any]:
    """A record of a kind with some of its fields changed to what any text may be."""
    record = dict(SOUND[kind])
    for column in COLUMNS[kind]:
        if column.type in VALUES and not column.values and draw(st.integers(0, 3)) == 0:
            record[column.name] = draw(VALUES[column.type])
    if kind is Kind.HOST:
        record["region"] = record.get("seen_at")  # of two rows of a host known at one instant, neither is the newest
    return record


@pytest.mark.slow
@FEW
@given(st.sampled_from(list(Kind)), st.data(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_the_same_records_as_ndjson_give_the_same_answers(kind, data, line_end, quote_all):
    records = data.draw(st.lists(some_records(kind), min_size=5, max_size=20))
    with TemporaryDirectory() as name:
        folder = Path(name)
        of_lines, of_rows = Lake.create(folder / "lines"), Lake.create(folder / "rows")
        lines = [json.dumps({"record": kind.value, **record}).encode() for record in records]
        first = load(of_lines, [write(folder / "x.ndjson", lines)], now=NOW)
        second = load_csv(of_rows, folder, as_csv(records, line_end=line_end, quote_all=quote_all), f"{kind}.csv")
        assert (first.read, first.accepted, first.reasons) == (second.read, second.accepted, second.reasons)
        assert answers(of_lines) == answers(of_rows)


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=8),
        st.sampled_from([b'"', b",", b"\n", b"\r\n", b",,,,,", b'""', row() + b"\n", row(b"c2", b'"x') + b"\n"]),
    ),
    max_size=30,
).map(b"".join)


@pytest.mark.slow
@FEW
@given(st.sampled_from([b"", HEADER + b"\n", b"record," + HEADER + b"\n", b"host_id\n"]), PIECES, st.integers(1, 3000))
def test_any_bytes_are_read_to_the_end_or_are_an_unreadable_source(head, rest, batch_bytes):
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_rows, "BATCH_BYTES", batch_bytes)
        lake = Lake.create(Path(folder) / "lake")
        try:
            report = load_csv(lake, Path(folder), head + rest)
        except IncompleteLoad as error:
            report = error.report
        assert report.read == report.accepted + report.duplicates + report.quarantined
        assert report.quarantined == sum(report.reasons.values()) == len(rows_of(lake, "quarantine"))
        lines = [kept["line"] for kept in quarantined(lake)]
        assert len(set(lines)) == len(lines)
