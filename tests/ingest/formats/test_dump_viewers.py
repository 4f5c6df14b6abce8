"""Lists of crashes that viewers of Windows' dumps save as text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.crashes import Told
from ingest.formats.dump_viewers import DUMP_VIEWERS as FORMAT
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives

RULE = "=" * 50
VALUES = {
    "Dump File": "070824-1234-01.dmp",
    "Crash Time": "7/8/2024 4:10:02 PM",
    "Bug Check String": "PAGE_FAULT_IN_NONPAGED_AREA",
    "Bug Check Code": "0x00000050",
    "Parameter 1": "ffff8a8e`00000018",
    "Parameter 2": "00000000`00000000",
    "Parameter 3": "fffff806`2f5a1234",
    "Parameter 4": "00000000`00000002",
    "Caused By Driver": "relay.sys",
    "Caused By Address": "relay.sys+e14",
    "File Description": "Relay, a driver",
    "Product Name": "Relay",
    "Company": "Acme",
    "File Version": "3.2.1.0",
    "Processor": "x64",
    "Crash Address": "ntoskrnl.exe+416b40",
    "Stack Address 1": "",
    "Stack Address 2": "",
    "Stack Address 3": "",
    "Computer Name": "",
    "Full Path": r"\\PC-17\C$\Windows\Minidump\070824-1234-01.dmp",
    "Processors Count": "8",
    "Major Version": "15",
    "Minor Version": "22631",
}
REPORT = {
    "Process File": "relay.exe",
    "Event Name": "APPCRASH",
    "Event Time": "19.07.2024 04:10:02",
    "User Name": "bobbyt",
    "Exception Code": "0xc0000005",
    "Exception Offset": "0x00001234",
    "Fault Module Name": "queue.dll",
    "Fault Module Version": "1.2.0.0",
}
WHOCRASHED = """\
Computer name: PC-17
Windows version: Windows 10, 10.0, build: 19045 (x64)

On Mon 7/8/2024 4:10:02 PM your computer crashed or a problem was reported
crash dump file: C:\\Windows\\Minidump\\070824-1234-01.dmp
This was probably caused by the following module: relay.sys (relay+0xE14)
Bugcheck code: 0x50 (0xFFFF8A8E00000018, 0x0, 0xFFFFF8062F5A1234, 0x2)
Error: PAGE_FAULT_IN_NONPAGED_AREA

On Mon 7/8/2024 4:10:02 PM your computer crashed or a problem was reported
crash dump file: C:\\Windows\\MEMORY.DMP
This was probably caused by the following module: relay.sys (relay+0xE14)
Bugcheck code: 0x50 (0xFFFF8A8E00000018, 0x0, 0xFFFFF8062F5A1234, 0x2)
"""
NEWER = """\
On Mon 8/7/2024 16:10:02 your computer crashed or a problem was reported

Crash dump file:           C:\\Windows\\Minidump\\070824-1234-01.dmp (Minidump)
Bugcheck code:             0x50(0xFFFF8A8E00000018, 0x0, 0xFFFFF8062F5A1234, 0x2)
Bugcheck name:             PAGE_FAULT_IN_NONPAGED_AREA
Driver or module in which error occurred: relay.sys (relay+0xE14)
"""


def listed(values: dict[str, str]) -> str:
    return "\n".join((RULE, *(f"{name:18}: {value}" for name, value in values.items()), RULE, ""))


def row(values: list[str], mark: str) -> str:
    return mark.join(f'"{one}"' if mark in one else one for one in values)


TABLE = f"{row(list(VALUES), ',')}\n{row(list(VALUES.values()), ',')}\n"
TABS = f"{row(list(VALUES.values()), chr(9))}\n" * 2
LISTS = {"list": listed(VALUES), "table": TABLE, "tabs": TABS, "reports": listed(REPORT), "whocrashed": WHOCRASHED,
         "newer": NEWER}  # fmt: skip


@pytest.mark.parametrize("said", [LISTS["list"], TABLE, TABS, WHOCRASHED, NEWER])
def test_a_bugcheck_is_told_with_its_driver(said):
    assert FORMAT.recognises(head(said.encode()))
    crash, *again = crashes_of(FORMAT, said.replace("\n", "\r\n").encode())
    assert all(one["crash_id"] == crash["crash_id"] for one in again)
    assert (crash["code"], crash["domain"], crash["os_type"]) == ("0x50", "kernel", "windows")
    assert (crash["module"], crash["module_offset"]) == ("relay.sys", 0xE14)
    assert (crash["occurred_at"], crash["time_quality"]) == ("2024-07-08T16:10:02Z", "log")
    assert [crash["tags"][f"argument{number}"] for number in range(1, 5)] == [
        "0xffff8a8e00000018",
        "0x0",
        "0xfffff8062f5a1234",
        "0x2",
    ]
    assert crash["tags"]["dump"] == "070824-1234-01.dmp"
    assert crash["host_id"] == ("h-told" if said == NEWER else "PC-17")
    assert crash.get("module_version") == ("3.2.1.0" if "3.2.1.0" in said else None)


def test_the_system_is_told():
    assert [crashes_of(FORMAT, said.encode())[0]["os_version"] for said in (LISTS["list"], WHOCRASHED)] == [
        "10.0.22631",
        "10.0.19045",
    ]


def test_a_report_of_a_process():
    (crash,) = crashes_of(FORMAT, listed(REPORT).encode())
    assert (crash["code"], crash["domain"], crash["occurred_at"]) == ("0xc0000005", "user", "2024-07-19T04:10:02Z")
    assert (crash["module"], crash["module_version"], crash["module_offset"]) == ("queue.dll", "1.2.0.0", 0x1234)
    assert "bobbyt" not in str(crash)


def test_which_number_is_the_day_other_dates_tell():
    unnamed = {**VALUES, "Dump File": "MEMORY.DMP", "Crash Time": "07/08/2024 16:10:02"}
    other = {**VALUES, "Crash Time": "13/08/2024 16:10:02", "Dump File": "MEMORY.DMP"}
    told = Told(datetime(2026, 11, 25, tzinfo=UTC), "log")
    alone = crashes_of(FORMAT, listed(unnamed).encode(), told=told)
    both = crashes_of(FORMAT, (listed(unnamed) + listed(other)).encode(), told=told)
    assert [one["occurred_at"][:10] for one in alone] == ["2026-11-25"]
    assert [one["occurred_at"][:10] for one in both] == ["2024-08-07", "2024-08-13"]


def test_each_crash_of_a_list_is_one():
    days = [{**VALUES, "Dump File": f"0708{at}-1-01.dmp", "Crash Time": f"7/8/20{at} 4:10:02 PM"} for at in (22, 23)]
    found = crashes_of(FORMAT, "\n".join(map(listed, days)).encode())
    assert [one["occurred_at"][:4] for one in found] == ["2022", "2023"]
    assert len({one["crash_id"] for one in found}) == 2


@pytest.mark.parametrize(
    "said",
    [
        listed({**VALUES, "Bug Check Code": "0x00000141"}),  # a live dump
        listed({**VALUES, "Bug Check Code": ""}),
        listed({**REPORT, "Event Name": "RADAR_PRE_LEAK_64"}).replace("Exception", "Other"),
        listed({"Product Name": "Relay", "File Version": "1.2"}),
        "On Monday your computer crashed.\nBugcheck code: see the manual\n",
        WHOCRASHED.partition("This was")[0],
        "a.dmp,b,c,d,e\n",
    ],
)
def test_what_is_no_crash(said):
    assert crashes_of(FORMAT, said.encode()) == []


@given(st.sampled_from(list(LISTS.values())).flatmap(lambda said: changed(said.encode())))
def test_no_changed_list_breaks_its_reader(data):
    survives(FORMAT, data)
