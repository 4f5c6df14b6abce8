"""Oopses without a number: of old kernels, and as people quote them."""

from __future__ import annotations

import pytest

from ingest.formats import kernel_lines, kernel_log
from ingest.formats.kernel_file import KERNEL_FILE
from tests.ingest.formats.conftest import crashes_of, head

HEAD = "Unable to handle kernel NULL pointer dereference at virtual address 00000004"
STEPS = ["sensor!ring_write", "kernel!vfs_write", "kernel!ksys_write"]
KSYMOOPS = f"""\
{HEAD}
c88a1f2c
*pde = 00000000
Oops: 0002
CPU:    0
EIP:    0010:[<c88a1f2c>]    Not tainted
Call Trace: [<c0133793>] [<c0133c16>]
Code: 89 42 04

>>EIP; c88a1f2c <[sensor]ring_write+14/158>   <=====
Trace; c0133792 <vfs_write+26/80>
Trace; c0133c16 <ksys_write+16/b8>"""
KLOGD = f"""\
{HEAD}
 printing eip:
c88a1f2c
Oops: 0002
EIP:    0010:[sensor:ring_write+20/344]    Not tainted
Call Trace:    [vfs_write+27/52]
   [ksys_write+107/136]
Code: 89 42 04"""
RED_HAT = """\
kernel BUG at ring.c:130!
invalid operand: 0000
EIP:    0010:[<c88a1f2c>]    Not tainted
EIP is at ring_write [sensor] 0x5e (2.4.18-19.7)
Call Trace: [<c012cdfc>] vfs_write [kernel] 0x18c (0xe0ff5e94))
[<c012d2f0>] ksys_write [kernel] 0x50 (0xe0ff5ee4))"""
TWO_A_LINE = f"""\
{HEAD}
Oops: 0002 [#1]
EFLAGS: 00010202   (2.6.16-git20 #3)
EIP is at ring_write+0x14/0x158 [sensor]
Call Trace:
 <c020bb5d> vfs_write+0x10d/0x210   <c020ba50> ksys_write+0x0/0x210"""
QUOTED = f"""\
{HEAD}
[...]
Call trace:
 ring_write+0x14/0x74 [sensor] (P)
 vfs_write+0x78/0xac
 ksys_write+0x7c/0xac
---[ end trace 0000000000000000 ]---"""
OF_A_PAGE = f"""\
{HEAD}
Oops: 0002 [#1]
EIP: 0060:[] Not tainted VLI
EFLAGS: 00210286 (2.6.9-11.EL)
EIP is at ring_write+0×14/0x74 [sensor]
Call Trace:
[] vfs_write+0×78/0xac
[] ksys_write+0x7c/0×ac"""
BROKEN = """\
general protection fault, probably for non-canonical address
0xdffffc000000001b: 0000 [#1] PREEMPT SMP
CPU: 0 PID: 5064 Comm: scan Not tainted
6.7.0-12348-gd47b9f68d289 #0
RIP: 0010:ring_write+0x26/0x80 [sensor]
Call Trace:
 vfs_write+0x26/0x80
 ksys_write+0x12/0x34"""
BROKEN_RED_HAT = """\
kernel BUG at ring.c:130!
invalid operand: 0000
EIP:    0010:[<c88a1f2c>]    Not tainted
EIP is at ring_write [sensor]
0x5e (2.4.18-19.7)
Call Trace: [<c012cdfc>] vfs_write [kernel]
0x18c
[<c012d2f0>] ksys_write [kernel] 0x50"""
BROKEN_RELEASE = """\
Oops: 0010 ilc:2 [#1] SMP
CPU: 3 PID: 17 Comm: scan Not tainted 6.10.0-rc4-
g8aadb00f495e #11
Krnl PSW : 0704c00180000000 000003ffe288975a (ring_write+0x3a/0xa0
[sensor])
Call Trace:
 [<000003ffe288975a>] vfs_write+0x3a4/0x4c0
 [<000003ffe2889100>] ksys_write+0x0/0x1c"""
BROKEN_ARM = f"""\
{HEAD}
[<7f15a69c>] (ring_write [sensor])
from [<7f15a874>] (vfs_write+0x3c/0x50)
[<7f15a874>] (vfs_write) from
[<7f2889a4>] (ksys_write+0x104/0x2a8)"""
HEADLESS = """\
Oops: 0000
CPU:    0
EIP:    0010:[sensor:ring_write+201/428]
Call Trace: [vfs_write+101/132] [ksys_write+76/136]"""
BRACES = """\
Unable to handle kernel paging request at ffff8100deadbeef RIP:
<ffffffff880a1f2c>{:sensor:ring_write+20}
Oops: 0002 [1] SMP
RIP: 0010:[<ffffffff880a1f2c>] <ffffffff880a1f2c>{:sensor:ring_write+20}
Call Trace:<ffffffff80133793>{vfs_write+27} <ffffffff80133c16>{ksys_write+107}"""
COLONS = """\
Unable to handle kernel paging request at ffff8100deadbeef RIP:
 [<ffffffff880a1f2c>] :sensor:ring_write+0x14/0x74
Oops: 0002 [1] SMP
Pid: 10352, comm: scan Tainted: P      2.6.18 #1
RIP: 0010:[<ffffffff880a1f2c>]  [<ffffffff880a1f2c>] :sensor:ring_write+0x14/0x74
Call Trace:
 [<ffffffff80133793>] vfs_write+0x78/0xac
 [<ffffffff80133c16>] ksys_write+0x7c/0xac"""
BROKEN_COLONS = COLONS.replace("1f2c>] :s", "1f2c>]\n:s").replace(" #1\n", "\n").replace(" [1] SMP", "")
NO_HEAD = COLONS[COLONS.index("Oops:") :].replace("Oops: 0002", "general protection fault: 0000")
KLOGD_64 = """\
Unable to handle kernel paging request at 00000000deadbeef RIP:
 [sensor:ring_write+0x14/0x74] :sensor:ring_write+0x14/0x74
Oops: 0000 [1] SMP
RIP: 0010:[sensor:ring_write+0x14/0x74]  [sensor:ring_write+0x14/0x74] :sensor:ring_write+0x14/0x74
Call Trace:
 [vfs_write+0x78/0xac] vfs_write+0x78/0xac
 [ksys_write+0x7c/0xac] ksys_write+0x7c/0xac"""
RISC_V = """\
Oops - illegal instruction [#1]
epc : ring_write+0x112/0x15a [sensor]
 ra : vfs_write+0x74/0x15a
status: 0000000200000120 badaddr: 0000000010a79073 cause: 0000000000000002
    ring_write+0x112/0x15a [sensor]
    vfs_write+0x352/0x73c
    ksys_write+0x17c/0x20c"""
UNALIGNED = """\
Unhandled kernel unaligned access[#1]:
epc   : ffffffff8008c588 ring_write+0xe8/0x218 [sensor]
Call Trace:
[<ffffffff80089f04>] vfs_write+0x3a4/0x4c0
[<ffffffff80081e28>] ksys_write+0x0/0x1c"""


def faults(said: str) -> list[kernel_log.Fault]:
    return list(kernel_log.faults(kernel_lines.lines_of(said, 0, 1000)))


@pytest.mark.parametrize(
    ("said", "code", "release"),
    [
        (KSYMOOPS, "OOPS", None),
        (KLOGD, "OOPS", None),
        (RED_HAT, "kernel BUG at ring.c:130", "2.4.18-19.7"),
        (TWO_A_LINE, "OOPS", "2.6.16-git20"),
        (QUOTED, "OOPS", None),
        (OF_A_PAGE, "OOPS", "2.6.9-11.EL"),
        (BROKEN, "general protection fault", "6.7.0-12348-gd47b9f68d289"),
        (BROKEN_RED_HAT, "kernel BUG at ring.c:130", "2.4.18-19.7"),
        (BROKEN_RELEASE, "OOPS", "6.10.0-rc4-g8aadb00f495e"),
        (BROKEN_ARM, "OOPS", None),
        (HEADLESS, "OOPS", None),
        (HEADLESS.replace("Oops: 0000", "invalid operand: 0000"), "invalid operand", None),
        (BRACES, "OOPS", None),
        (COLONS, "OOPS", "2.6.18"),
        (BROKEN_COLONS, "OOPS", "2.6.18"),
        (NO_HEAD, "general protection fault", "2.6.18"),
        (KLOGD_64, "OOPS", None),
        (RISC_V, "Oops - illegal instruction", None),
        (UNALIGNED, "Unhandled kernel unaligned access", None),
    ],
    ids=[
        "ksymoops", "klogd", "Red Hat", "two a line", "quoted", "of a page", "broken", "broken Red Hat",
        "broken release", "broken Arm", "2.2", "2.2 BUG", "braces", "colons", "broken colons",
        "no head", "klogd 64", "RISC-V", "MIPS",
    ],
)  # fmt: skip
def test_an_oops_needs_no_number(said, code, release):
    (fault,) = faults(said)
    assert [f"{frame.module}!{frame.function}" for frame in fault.frames] == STEPS
    assert (fault.code, fault.release, fault.domain) == (code, release, "kernel")
    assert KERNEL_FILE.recognises(head(said.encode()))


def test_the_head_of_an_oops_alone_is_no_crash():
    assert faults(f"{HEAD}\nThis is what one sees without the patch.\n") == []


@pytest.mark.parametrize("stamp", ["Jul  9 12:19:41 relay-1 kernel: ", ""])
def test_a_panic_of_linux_2_4(stamp):
    data = f"{stamp}CPU 0: Machine Check Exception: 0000000000000004\n{stamp}Kernel panic: CPU context corrupt\n"
    assert KERNEL_FILE.recognises(head(data.encode()))
    (crash,) = crashes_of(KERNEL_FILE, data.encode())
    assert (crash["code"], crash["domain"]) == ("Kernel panic: CPU context corrupt", "kernel")
    (fault,) = faults(f"{KLOGD}\nKernel panic: Fatal exception")
    assert fault.code == "OOPS"
    assert faults("Kernel panic: CPU context corrupt, and how to mend it") == []


def test_an_oops_may_go_on_in_a_line_that_the_ring_marked_again():
    lines = [f"Nov  6 00:19:25 relay-1 kernel: {line}" for line in KLOGD.split("\n")]
    lines += [f"Nov  6 00:21:25 relay-1 kernel:  <1>{line}" for line in KLOGD.split("\n")]
    lines += [f"Nov  6 00:23:25 relay-1 kernel:  {line}" for line in KLOGD.split("\n")]
    found = crashes_of(KERNEL_FILE, "\n".join(lines).encode())
    assert [one["occurred_at"][5:16] for one in found] == ["11-06T00:19", "11-06T00:21", "11-06T00:23"]
    assert {one["tags"]["message"] for one in found} == {HEAD}


def test_one_oops_after_another_without_numbers():
    lines = [f"Nov  6 00:19:25 relay-1 kernel: {line}" for line in HEADLESS.split("\n")]
    lines += [f"Nov  6 00:21:25 relay-1 kernel: {line}" for line in HEADLESS.split("\n")]
    found = crashes_of(KERNEL_FILE, "\n".join(lines).encode())
    assert [(one["occurred_at"][5:16], len(one["frames"])) for one in found] == [("11-06T00:19", 3), ("11-06T00:21", 3)]
    assert faults("Oops: 0000\nThis is what the screen said.\n") == []


def test_the_kind_of_an_oops_that_was_joined_with_the_line_before():
    (fault,) = faults("ring.c:29! Oops: invalid opcode: 0000 [#1] SMP\nRIP: 0010:ring_write+0x26/0x80\n")
    assert fault.code == "invalid opcode"


def test_oopses_of_which_no_clock_tells_are_told_apart_by_what_they_say():
    other = TWO_A_LINE.replace("vfs_write", "vfs_read")
    ids = {crashes_of(KERNEL_FILE, said.encode())[0]["crash_id"] for said in (TWO_A_LINE, other)}
    assert len(ids) == 2
    again = crashes_of(KERNEL_FILE, f"{TWO_A_LINE}\n---[ end trace 0 ]---\nmore of the log".encode())
    assert again[0]["crash_id"] in ids
