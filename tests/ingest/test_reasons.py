"""Every reason for which a record is put aside, each produced by a record that breaks that one rule."""

from __future__ import annotations

import json

from fleetcrash.records import COLUMNS, TIME, Kind
from tests.ingest.conftest import SOUND, line, quarantined, rows_of

LONG = "x" * 129

BROKEN = [
    (b"{", "not_json"),
    (b'{"record": "crash"', "not_json"),
    (b'{"record": "crash",}', "not_json"),
    (b"[1, 2]", "not_an_object"),
    (b"3", "not_an_object"),
    (b"null", "not_an_object"),
    (b"{}", "unknown_record"),
    (b'{"record": "reboot"}', "unknown_record"),
    (b'{"record": 5}', "unknown_record"),
    (line("crash", os_type="beos"), "bad_value:os_type"),
    (line("crash", time_quality="guess"), "bad_value:time_quality"),
    (line("crash", domain="net"), "bad_value:domain"),
    (line("crash", agent_version=4.10), "bad_value:agent_version"),
    (line("crash", code=True), "bad_value:code"),
    (line("crash", code="a\0b"), "bad_value:code"),
    (line("crash", host_id=5), "bad_value:host_id"),
    (line("crash", module_offset=1.5), "bad_value:module_offset"),
    (line("crash", module_offset=-1), "bad_value:module_offset"),
    (line("crash", module_offset=10**30), "bad_value:module_offset"),
    (line("crash", module_offset="16"), "bad_value:module_offset"),
    (line("crash", uptime_s=-0.1), "bad_value:uptime_s"),
    (line("crash", uptime_s="12"), "bad_value:uptime_s"),
    (line("crash", uptime_s=float("nan")), "bad_value:uptime_s"),
    (line("crash", uptime_s=float("inf")), "bad_value:uptime_s"),
    (line("crash")[:-1] + b', "uptime_s": 1e999}', "not_json"),  # uptime_s stands there twice
    (line("heartbeat").replace(b'"uptime_s": 300', b'"uptime_s": 1e999'), "bad_value:uptime_s"),
    (line("crash", tags={"a": 1}), "bad_value:tags"),
    (line("crash", tags={"a": None}), "bad_value:tags"),
    (line("crash", tags={"a": "\0"}), "bad_value:tags"),
    (line("crash", tags={"\0": "a"}), "bad_value:tags"),
    (line("crash", tags=["a"]), "bad_value:tags"),
    (line("crash", tags="{}"), "bad_value:tags"),
    (line("crash", content={"291": {"version": "31"}}), "bad_value:content"),
    (line("crash", frames={}), "bad_value:frames"),
    (line("crash", frames=["nt!KeBugCheckEx"]), "bad_value:frames"),
    (line("crash", frames=[{"module": 5}]), "bad_value:frames"),
    (line("crash", frames=[{"offset": 0.5}]), "bad_value:frames"),
    (line("host", always_on="yes"), "bad_value:always_on"),
    (line("host", always_on=1), "bad_value:always_on"),
    (line("update", kind="firmware"), "bad_value:kind"),
    (line("install", action="rolled back"), "bad_value:action"),
    (line("crash", crash_id=LONG), "too_long:crash_id"),
    (line("crash", host_id=LONG), "too_long:host_id"),
    (line("install", update_id=LONG), "too_long:update_id"),
    (
        line("crash", occurred_at="2024-07-20T02:12:00.6Z"),
        "future_time:occurred_at",
    ),  # received 02:12:00.5 the day before
    (line("install", applied_at="2024-07-21T00:00:00.000001Z"), "future_time:applied_at"),
    (line("crash", received_at="2024-07-21T00:00:01Z"), "future_time:received_at"),
    (line("session", online_until="2024-07-22T00:00:00Z"), "future_time:online_until"),
    (line("crash", occurred_at="2262-01-01T00:00:00Z"), "future_time:occurred_at"),
    (line("session", online_until="9999-12-31T23:59:59-01:00"), "future_time:online_until"),
    (line("update", received_at="9999-12-31T23:59:59Z"), "future_time:received_at"),
    (line("crash", crash_id=""), "missing_field:crash_id"),
    *(
        (line(kind.value, **{column.name: None}), f"missing_field:{column.name}")
        for kind, columns in COLUMNS.items()
        for column in columns
        if column.required
    ),
    *(
        (line(kind.value, **{column.name: "yesterday"}), f"bad_time:{column.name}")
        for kind, columns in COLUMNS.items()
        for column in columns
        if column.type == TIME
    ),
]


NO_TIMES = [
    "2024-07-19T04:09:00", "2024-07-19", "2024-07-19T04:09Z", "2024-7-19T04:09:00Z", "2024-02-30T04:09:00Z",
    "2024-07-19T24:00:00Z", "2024-07-19T04:09:00+25:00", "2024-07-19T04:09:00 Europe/Berlin",
    "now", "infinity", "epoch", "", "1721362140", 1721362140, "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "2024-07-19T04:09:00Z\n", "٢٠٢٤-07-19T04:09:00Z",
]  # fmt: skip

TIMES = {
    "2024-07-19T04:09:00Z": "2024-07-19T04:09:00+00:00",
    "2024-07-19t04:10:00z": "2024-07-19T04:10:00+00:00",
    "2024-07-19 04:09:00.25+05:30": "2024-07-18T22:39:00.250000+00:00",
    "2024-07-19T04:09:00.123456789-00:00": "2024-07-19T04:09:00.123456+00:00",
    "1970-01-01T00:00:00Z": "1970-01-01T00:00:00+00:00",
}


def test_a_time_that_is_not_rfc_3339_with_an_offset_is_bad(load_lines):
    report = load_lines(*(line("crash", occurred_at=time) for time in NO_TIMES))
    assert report.reasons == {"bad_time:occurred_at": len(NO_TIMES)}


def test_times_are_stored_in_utc_to_the_microsecond(load_lines, lake):
    load_lines(*(line("install", update_id=time, applied_at=time) for time in TIMES))
    assert {row["update_id"]: row["applied_at"].isoformat() for row in rows_of(lake, "install")} == TIMES


def test_each_rule_gives_its_reason_and_keeps_the_bytes(load_lines, lake):
    report = load_lines(*(raw for raw, _ in BROKEN))
    found = quarantined(lake)
    assert [(row["line"], row["reason"], row["raw"]) for row in found] == [
        (number, reason, raw) for number, (raw, reason) in enumerate(BROKEN, start=1)
    ]
    assert report.read == report.quarantined == sum(report.reasons.values()) == len(BROKEN)
    assert report.accepted == report.duplicates == 0


def test_the_first_reason_in_order_is_given(load_lines, lake):
    fields = {"crash_id": LONG, "host_id": None, "occurred_at": "never", "os_type": "beos"}
    mended = [
        {"host_id": "h"},
        {"occurred_at": "2030-01-01T00:00:00Z"},
        {"os_type": "linux"},
        {"crash_id": "c"},
    ]
    lines = [line("crash", **fields)]
    for change in mended:
        fields |= change
        lines.append(line("crash", **fields))
    load_lines(*lines)
    assert [row["reason"] for row in quarantined(lake)] == [
        "missing_field:host_id",
        "bad_time:occurred_at",
        "bad_value:os_type",
        "too_long:crash_id",
        "future_time:occurred_at",
    ]


def test_a_key_that_comes_twice_makes_no_json(load_lines):
    report = load_lines(
        b'{"record": "crash", "record": "crash"}',
        line("host")[:-1] + b', "\\u0067roup": "other"}',
        line("crash").replace(b'{"rack": "r7"}', b'{"a": "1", "a": "2"}'),
        line("crash").replace(b'{"module": "nt", ', b'{"module": "nt", "module": "nt", '),
    )
    assert report.reasons == {"not_json": 4}


def test_what_breaks_no_rule_is_stored_as_it_was_given(load_lines, lake):
    report = load_lines(*(line(kind) for kind in SOUND))
    assert (report.read, report.accepted, report.reasons) == (6, 6, {})
    (crash,) = rows_of(lake, "crash")
    assert crash["frames"] == [
        {"module": "nt", "function": "KeBugCheckEx", "offset": 0},
        {"module": "csagent.sys", "function": None, "offset": None},
    ]
    assert crash["tags"] == [("rack", "r7")]
    assert crash["content"] == [("291", "31")]
    assert (crash["time_quality"], crash["domain"], crash["uptime_s"]) == ("exact", "kernel", 31.5)
    assert crash["known_at"] == crash["received_at"]
    assert rows_of(lake, "install")[0]["action"] == "installed"
    assert rows_of(lake, "install")[0]["known_at"].isoformat() == "2024-07-19T04:05:00+00:00"
    assert rows_of(lake, "host")[0]["known_at"].isoformat() == "1970-01-01T00:00:00+00:00"
    assert rows_of(lake, "heartbeat")[0]["uptime_s"] == 300.0
    assert {name for kind in Kind for row in rows_of(lake, kind) for name in [row["batch_id"]]} == {
        rows_of(lake, "batch")[0]["batch_id"]
    }


def test_odd_but_sound_values_are_accepted(load_lines, lake):
    report = load_lines(
        line(
            "crash",
            crash_id="1",
            host_id="x" * 128,
            module_offset=4.0,
            uptime_s=0,
            frames=[],
            tags={},
            content=None,
        ),
        line(
            "crash",
            crash_id="2",
            host_id="ü" * 128,
            frames=[None, {"else": [1]}],
            code="a\\u0000, ]",
            module="",
        ),
        line("crash", crash_id="3", tags={"": "", "ключ": "значение \U0001f4a5"}),
    )
    assert report.reasons == {}
    first, second, third = sorted(rows_of(lake, "crash"), key=lambda row: row["crash_id"])
    assert (first["module_offset"], first["frames"], first["tags"], first["content"]) == (4, [], [], None)
    nothing = {"module": None, "function": None, "offset": None}
    assert (second["frames"], second["code"], second["module"]) == ([nothing, nothing], "a\\u0000, ]", "")
    assert third["tags"] == [("", ""), ("ключ", "значение \U0001f4a5")]


def test_unknown_fields_are_ignored_and_listed_once(load_lines):
    report = load_lines(
        line("crash", colour="red", crash_id="1"),
        line("crash", colour=1, crash_id="2"),
        line("host", Region={}),
        json.dumps({"record": "reboot", "why": 1}).encode(),
    )
    assert (report.accepted, report.unknown_fields) == (3, ("Region", "colour"))
