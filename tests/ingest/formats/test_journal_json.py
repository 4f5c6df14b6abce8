"""journalctl's JSON, in each of its forms, says what its export format says."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import journal_json
from ingest.formats.format import BrokenOff
from ingest.formats.journal import JOURNAL, Entries
from ingest.formats.journal_json import JOURNAL_JSON
from ingest.formats.known import format_of
from tests.ingest.conftest import line
from tests.ingest.formats.conftest import TOLD, crashes_before_damage, crashes_of, head
from tests.ingest.formats.test_journal import COREDUMP, OTHER, entry
from tests.ingest.formats.test_kernel_log import OLD_OOPS

FORMS: dict[str, Callable[[list[dict[str, str]]], str]] = {
    "json": lambda entries: "".join(json.dumps(one) + "\n" for one in entries),
    "json-pretty": lambda entries: "".join(json.dumps(one, indent="\t") + "\n" for one in entries),
    "json-seq": lambda entries: "".join(f"\x1e{json.dumps(one)}\n" for one in entries),
    "list": json.dumps,
    "list of jq": lambda entries: json.dumps(entries, indent=2),
    "json-sse": lambda entries: "".join(f"data: {json.dumps(one)}\n\n" for one in entries),
}


def kernel_entries(text: str, at_us: int = 1721362203000000, **fields: str) -> list[dict[str, str]]:
    """Entries that a journal makes of what a kernel says."""
    found = []
    for said in text.splitlines():
        clock, _, message = said.removeprefix("[").partition("] ")
        clock_us = round(float(clock) * 1e6)
        found.append({"__CURSOR": "s=1", "__REALTIME_TIMESTAMP": str(at_us), "_TRANSPORT": "kernel",
                      "_MACHINE_ID": "m1", "_SOURCE_MONOTONIC_TIMESTAMP": str(clock_us), "MESSAGE": message,
                      **fields})  # fmt: skip
    return found


ENTRIES = [OTHER, COREDUMP, *kernel_entries(OLD_OOPS), OTHER]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_says_what_the_export_format_says(form):
    data = FORMS[form](ENTRIES).encode()
    assert format_of(head(data)) is JOURNAL_JSON
    crashes = crashes_of(JOURNAL_JSON, data, block_bytes=1000)
    assert crashes == crashes_of(JOURNAL, b"".join(entry(one) for one in ENTRIES))
    process, kernel = crashes
    assert (process["host_id"], process["code"], process["module"]) == ("m1", "SIGSEGV", "scan")
    assert (kernel["host_id"], kernel["domain"], kernel["module"]) == ("m1", "kernel", "sensor_lsm")
    assert (kernel["occurred_at"], kernel["time_quality"]) == ("2024-07-19T04:10:03Z", "log")
    assert kernel["uptime_s"] == 1234.567893
    assert len(kernel["frames"]) == 3


def test_values_that_are_no_text_are_read_as_journalctl_writes_them():
    odd = {**COREDUMP, "_HOSTNAME": list(b"web-1"), "COREDUMP_EXE": ["/opt/x/first", "/opt/x/second"],
           "MESSAGE": None, "_MACHINE_ID": [], "COREDUMP_COMM": {"a": 1}, "COREDUMP_UNIT": [700]}  # fmt: skip
    (crash,) = crashes_of(JOURNAL_JSON, json.dumps(odd).encode())
    assert (crash["host_id"], crash["module"]) == ("web-1", "first")
    assert crash["tags"].keys() == {"exe", "hostname", "boot_id"}


def test_numbers_of_other_tools_say_what_their_texts_say():
    told = {name: int(said) if said.isdecimal() else said for name, said in COREDUMP.items()}
    assert any(isinstance(one, int) for one in told.values())
    expected = crashes_of(JOURNAL_JSON, json.dumps(COREDUMP).encode())
    assert crashes_of(JOURNAL_JSON, json.dumps(told).encode()) == expected


def test_what_is_no_entry_is_left_to_the_rules_and_the_others_are_read(monkeypatch):
    monkeypatch.setattr(journal_json, "_LONGEST_ENTRY_BYTES", 1000)
    good = json.dumps(COREDUMP).encode()
    data = b"\n".join([good, b'{"cut": ', b"[1]", b'{"long": "' + b"x" * 2000 + b'"}'])
    crash, *left = crashes_of(JOURNAL_JSON, data)
    assert crash["host_id"] == "m1"
    assert [one[:8] for one in left] == [b'{"cut":', b"[1]", b'{"long":']


def test_what_a_kernel_said_waits_for_no_more_than_what_it_says_at_once():
    entries = Entries()
    for one in kernel_entries(OLD_OOPS):
        entries.add(one)
    assert entries.taken()[0].read == 0
    entries.add({**OTHER, "__REALTIME_TIMESTAMP": "1721362206000000"})
    records, not_read = entries.taken()
    assert (records.read, not_read) == (1, 1)


def test_a_stream_that_breaks_off_tells_what_came_before():
    def blocks():
        yield FORMS["json"](ENTRIES).encode()
        yield b'{"__CURSOR": '
        raise BrokenOff

    found = list(JOURNAL_JSON.read(blocks(), TOLD))
    assert sum(records.read for records in found) == 2


@pytest.mark.parametrize("data", [b"", b"{}", line("crash"), b'{"message": "x"}', b"__CURSOR=s=1\n", b"[{}]"])
def test_other_files_are_none(data):
    assert not JOURNAL_JSON.recognises(head(data))


@given(st.binary(max_size=200) | st.builds(lambda raw: json.dumps({**COREDUMP, "MESSAGE": list(raw)}).encode(),
                                           st.lists(st.integers(-1, 300))))  # fmt: skip
def test_no_bytes_break_it(data):
    JOURNAL_JSON.recognises(head(data))
    b"".join(bytes(one.lines) for one in JOURNAL_JSON.read(iter([data]), TOLD))


def test_a_list_that_breaks_off_gives_the_entries_before():
    data = json.dumps([COREDUMP, {**COREDUMP, "COREDUMP_PID": "9"}, OTHER]).encode()
    found, damage = crashes_before_damage(JOURNAL_JSON, data[: data.rindex(b"{") - 30])
    assert (len(found), damage.code) == (1, "bad_journal")
    found, damage = crashes_before_damage(JOURNAL_JSON, b'[{"a":' * 300)
    assert (found, damage.code) == ([], "bad_json")


@pytest.mark.parametrize("behind", ["```\n", "\0" * 512], ids=["a fence", "padding"])
@pytest.mark.parametrize("form", ["json", "json-pretty"])
def test_the_end_of_a_block_of_code_and_padding_are_no_entries(form, behind):
    data = FORMS[form]([COREDUMP])
    assert crashes_of(JOURNAL_JSON, (data + behind).encode()) == crashes_of(JOURNAL_JSON, data.encode())
