"""What programs printed and messages of the kernel in one text."""

from __future__ import annotations

import pytest
from hypothesis import given

from ingest.formats.beside_kernel import BESIDE_KERNEL as FORMAT
from ingest.formats.known import format_of
from ingest.formats.sanitizer import SANITIZER
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives
from tests.ingest.formats.test_kernel_log import OLD_OOPS
from tests.ingest.formats.test_workers import LINES

PANIC = """\
panic: relay: queue is full

goroutine 7 [running]:
example.org/relay.(*Queue).Add(0xc000010018, 0x3)
\t/src/relay/queue.go:21 +0x1d
exit status 2
"""
OOPS = OLD_OOPS.replace("sensor_open", "ring_open").replace("[ 1234.", "[ 4321.")
NOTICE = LINES["nginx"]
SEGFAULT = "relay[78]: segfault at 8 ip 00007f3a5c001b2c sp 00007ffc0000a0b0 error 4 in queue.so[7f3a5c000000+5000]"


@pytest.mark.parametrize("between", ["\n", "```\n\nAnd in dmesg:\n\n```\n"])
def test_a_crash_of_the_kernel_beside_one_of_a_program_counts(between):
    for said in (f"{PANIC}{between}{OOPS}\n", f"{OOPS}\n{between}{PANIC}"):
        assert format_of(head(said.encode())) is FORMAT
        found = crashes_of(FORMAT, said.encode())
        assert sorted((one["domain"], one["code"]) for one in found) == [("kernel", "OOPS"), ("user", "panic")]
        assert [one for one in found if one["domain"] == "user"] == crashes_of(SANITIZER, said.encode())
        assert crashes_of(FORMAT, said.encode(), block_bytes=101) == found


@pytest.mark.parametrize(
    "stamp", ["[132045.964325] ", "[Fri Jul 19 04:10:02 2024] ", "", "2024-07-19T04:10:02Z h kernel: "]
)
def test_a_process_of_which_both_tell_is_told_by_the_kernel(stamp):
    for said in (f"{NOTICE}\n\n{stamp}{SEGFAULT}\n", f"{stamp}{SEGFAULT}\n{NOTICE}\n"):
        assert format_of(head(said.encode())) is FORMAT
        (found,) = crashes_of(FORMAT, said.encode())
        assert (found["code"], found["module"], found["tags"]["comm"]) == ("SIGSEGV", "queue.so", "relay")


def test_a_process_that_may_be_one_of_a_container_is_told_once():
    inside = NOTICE.replace("process 78", "process 7")
    for said in (f"{inside}\n[132045.964325] {SEGFAULT}\n", f"{NOTICE}\n[Sat Jul 20 04:10:02 2024] {SEGFAULT}\n"):
        (found,) = crashes_of(FORMAT, said.encode())
        assert found["module"] == "nginx"
    again = f"{NOTICE}\n{NOTICE.replace(':03 ', ':04 ')}\n{SEGFAULT}\n"
    assert len(crashes_of(FORMAT, again.encode())) == 1, "the master and its log repeat themselves"


@pytest.mark.parametrize("said", [PANIC, OOPS, f"{NOTICE}\n", f"{PANIC}[   10.123456] eth0: link up\n"])
def test_texts_of_one_kind_are_not_of_it(said):
    assert not FORMAT.recognises(head(said.encode()))


@given(changed(f"{PANIC}\n{NOTICE}\n{OOPS}\n{SEGFAULT}\n".encode()))
def test_no_changed_text_breaks_its_reader(data):
    survives(FORMAT, data)
