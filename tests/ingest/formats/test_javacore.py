"""Javacores of OpenJ9 and IBM's Java."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.javacore import JAVACORE as FORMAT
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives

CORE = """\
0SECTION       TITLE subcomponent dump routine
NULL           ===============================
1TICHARSET     UTF-8
1TISIGINFO     Dump Event "gpf" (00002000) received
1TIDATETIMEUTC Date: 2024/07/19 at 04:10:02:250 (UTC)
1TIDATETIME    Date: 2024/07/19 at 06:10:02:250
1TITIMEZONE    Timezone: CEST (UTC+2)
0SECTION       GPINFO subcomponent dump routine
2XHOSLEVEL     OS Level         : Linux 6.1.0-21-amd64
3XHCPUARCH       Architecture   : amd64
1XHEXCPCODE    J9Generic_Signal_Number: 00000018
1XHEXCPCODE    Signal_Number: 0000000B
1XHEXCPMODULE  Module: /home/rita/relay/librelay.so
1XHEXCPMODULE  Module_base_address: 00007FFF98A70000
1XHEXCPMODULE  Symbol: Java_relay_Queue_push
2XHREGISTER      RIP: 00007FFF98A71B2C
0SECTION       ENVINFO subcomponent dump routine
1CIJAVAVERSION JRE 11 Linux amd64-64 (build 11.0.28+6)
1CIPRODUCT     Acme Runtime
1CIPROCESSID   Process ID: 4321 (0x10e1)
1CICMDLINE     java -Dpassword=geheim relay.Main
2CIENVVAR      TOKEN=geheim
2CIENVVAR      HOSTNAME=web-1
0SECTION       THREADS subcomponent dump routine
1XMCURTHDINFO  Current thread
3XMTHREADINFO      "relay worker" J9VMThread:0x0000000001B00010, omrthread_t:0x00007F1600000010, state:R, prio=5
3XMTHREADINFO1            (native thread ID:0x54D, native priority:0x5)
4XESTACKTRACE                at relay/Queue.push(Native Method)
4XESTACKTRACE                at relay/Main.main(Main.java:9(Compiled Code))
3XMTHREADINFO3           Native callstack:
4XENATIVESTACK               (0x00007FFF98A71B2C [librelay.so+0x1b2c])
1XMTHDINFO     Thread Details
3XMTHREADINFO      "other" J9VMThread:0x0000000001B00010
4XESTACKTRACE                at relay/Other.run(Other.java:3)
"""


def record(said: str) -> dict[str, Any]:
    (found,) = crashes_of(FORMAT, said.encode())
    return found


def test_a_fault():
    found = record(CORE)
    assert len(found.pop("crash_id")) == 32
    assert found == {
        "record": "crash",
        "host_id": "web-1",
        "occurred_at": "2024-07-19T04:10:02.250Z",
        "os_type": "linux",
        "os_version": "6.1.0-21-amd64",
        "domain": "user",
        "code": "SIGSEGV",
        "module": "librelay.so",
        "module_offset": 0x1B2C,
        "frames": [
            {"module": "librelay.so", "function": "Java_relay_Queue_push", "offset": 0x1B2C},
            {"module": "relay.Queue", "function": "push", "offset": None},
            {"module": "relay.Main", "function": "main", "offset": None},
        ],
        "tags": {
            "message": 'Dump Event "gpf" (00002000) received', "pid": "4321", "thread": "relay worker",
            "jre": "JRE 11 Linux amd64-64 (build 11.0.28+6)", "vm": "Acme Runtime", "architecture": "amd64",
        },
    }  # fmt: skip


def test_it_may_stand_between_marks_of_code():
    quoted = f"It ends each night:\n\n`{CORE}`\n"
    assert FORMAT.recognises(head(quoted.encode()))
    assert record(quoted) == record(CORE)


def test_a_fault_on_windows():
    said = CORE.replace("Linux 6.1.0-21-amd64", "Windows Server 2012 R2 6.3 build 9600")
    said = said.replace("Signal_Number: 0000000B", "ExceptionCode: C0000005").replace("HOSTNAME=", "COMPUTERNAME=")
    said = said.replace("Symbol: Java", "Offset_in_DLL: 00001B2D\n1XHEXCPMODULE  Symbol: Java")
    said = said.replace("/home/rita/relay/librelay.so", "C:\\Users\\rita\\relay.dll")
    found = record(said)
    assert (found["os_type"], found["os_version"], found["code"]) == ("windows", "6.3.9600", "0xc0000005")
    assert (found["module"], found["module_offset"], found["host_id"]) == ("relay.dll", 0x1B2D, "web-1")


def test_an_older_one_tells_a_local_time_alone():
    said = "".join(line for line in CORE.splitlines(keepends=True) if "UTC" not in line)
    assert (record(said)["occurred_at"], record(said)["time_quality"]) == ("2024-07-19T06:10:02.250Z", "log")
    zoned = "".join(line for line in CORE.splitlines(keepends=True) if "(UTC)" not in line)
    assert record(zoned)["occurred_at"] == "2024-07-19T06:10:02.250+02:00"


def test_what_did_not_end_the_machine_is_no_crash():
    for event in ('"user" (00004000)', '"systhrow" (00040000) Detail "java/lang/OutOfMemoryError"', '"vmstop" (0002)'):
        assert crashes_of(FORMAT, CORE.replace('"gpf" (00002000)', event).encode()) == []
    no_registers = "".join(line for line in CORE.splitlines(keepends=True) if "XHEX" not in line and "REGI" not in line)
    aborted = record(no_registers.replace('"gpf"', '"abort"'))
    assert (aborted["code"], aborted["module"]) == ("SIGABRT", "relay.Queue")


def test_cores_one_behind_another_each_count_and_tell_no_secret():
    found = crashes_of(FORMAT, (CORE + CORE.replace("4321", "4322")).encode(), block_bytes=71)
    assert [one["tags"]["pid"] for one in found] == ["4321", "4322"]
    assert not {"geheim", "rita"} & set(str(found).replace("/", " ").replace("=", " ").split())


def test_recognition():
    assert FORMAT.recognises(head(CORE.replace("\n", "\r\n").encode()))
    assert not FORMAT.recognises(head(b"see 0SECTION TITLE subcomponent dump routine\n"))


@given(st.binary(max_size=300) | changed(CORE.encode()))
def test_no_bytes_break_it(data):
    survives(FORMAT, data)


def test_memory_is_bounded_whatever_comes():
    block = b"4XESTACKTRACE      at a/B.c(D.java:1)\n1XHEXCPCODE    A: 1\n" * 4000
    tracemalloc.start()
    found = sum(records.read for records in FORMAT.read(iter([CORE.encode(), *[block] * 3]), TOLD))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 1
    assert peak < 4 << 20, "bytes"


@pytest.mark.parametrize("end", range(0, len(CORE), 97))
def test_it_may_end_anywhere(end):
    survives(FORMAT, CORE[:end].encode())
