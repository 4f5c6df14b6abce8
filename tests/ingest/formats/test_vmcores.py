"""What the crash utility tells of a kernel's dump."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given

from ingest.formats.known import format_of
from ingest.formats.vmcores import VMCORES as FORMAT
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives

SUMMARY = """\
      KERNEL: /usr/lib/debug/lib/modules/4.18.0-477.el8.x86_64/vmlinux
    DUMPFILE: /var/crash/127.0.0.1-2024-07-19-04:10:02/vmcore  [PARTIAL DUMP]
        CPUS: 8
        DATE: Fri Jul 19 06:10:02 CEST 2024
      UPTIME: 2 days, 00:00:05
    NODENAME: web-1
     RELEASE: 4.18.0-477.el8.x86_64
       PANIC: "BUG: unable to handle kernel NULL pointer dereference at 0000000000000018"
         PID: 812
     COMMAND: "relayd"

crash> bt
"""
STACK = """\
PID: 812      TASK: ffff8a8e1234abcd  CPU: 3    COMMAND: "relayd"
 #0 [ffffb8d2c0f8fa58] machine_kexec at ffffffff8f07ab2e
 #1 [ffffb8d2c0f8fab0] __crash_kexec at ffffffff8f18d9a1
 #2 [ffffb8d2c0f8fb90] oops_end at ffffffff8f035c51
 #3 [ffffb8d2c0f8fc60] async_page_fault at ffffffff8fa0116e
    [exception RIP: relay_push+34]
    RIP: ffffffffc0a1b2c3  RSP: ffffb8d2c0f8fd18  RFLAGS: 00010246
    RAX: 0000000000000000  RBX: ffff8a8e12340000  RCX: 0000000000000000
 #4 [ffffb8d2c0f8fd20] relay_write at ffffffffc0a1b3c4 [relay]
 #5 [ffffb8d2c0f8fe00] vfs_write at ffffffff8f2f8f95
"""
PANICKED = """\
PID: 812      TASK: ffff8a8e1234abcd  CPU: 3    COMMAND: "relayd"
 #0 [ffffb8d2c0f8fa58] machine_kexec at ffffffff8f07ab2e
 #1 [ffffb8d2c0f8fab0] __crash_kexec at ffffffff8f18d9a1
 #2 [ffffb8d2c0f8fb90] panic at ffffffff8f035c51
 #3 [ffffb8d2c0f8fd20] relay_write at ffffffffc0a1b3c4 [relay]
"""
OTHER = """\
PID: 0        TASK: ffff8a8e1234aaaa  CPU: 0    COMMAND: "swapper/0"
 #0 [fffffe0000009e58] crash_nmi_callback at ffffffff8f07ab2e
 #1 [fffffe0000009e60] nmi_handle at ffffffff8f18d9a1
"""
SLEEPS = """\
PID: 900      TASK: ffff8a8e1234cccc  CPU: 1    COMMAND: "queued"
 #0 [ffffb8d2c0f8fa58] __schedule at ffffffff8f07ab2e
 #1 [ffffb8d2c0f8fab0] schedule at ffffffff8f18d9a1
"""
DUMPS = {"summary": SUMMARY + STACK, "stack": STACK}


def test_a_dump_is_told_with_the_stack_from_the_fault_on():
    data = (SUMMARY + STACK).encode()
    assert format_of(head(data)) is FORMAT
    (crash,) = crashes_of(FORMAT, data)
    assert (crash["host_id"], crash["os_version"], crash["uptime_s"]) == ("web-1", "4.18.0-477.el8.x86_64", 172_805)
    assert (crash["code"], crash["domain"], crash["module"]) == ("OOPS", "kernel", "relay")
    assert crash["occurred_at"] == "2024-07-19T06:10:02+02:00"
    assert [(frame["module"], frame["function"]) for frame in crash["frames"]] == [
        ("relay", "relay_push"),
        ("relay", "relay_write"),
        ("kernel", "vfs_write"),
    ]


def test_a_fault_far_from_a_module_is_the_kernels():
    far = STACK.replace("RIP: ffffffffc0a1b2c3", "RIP: ffffffff8f1b2c34")
    assert crashes_of(FORMAT, far.encode())[0]["module"] == "kernel"


@pytest.mark.parametrize(
    ("why", "code"),
    [
        ('"Kernel panic - not syncing: Fatal exception"', "Kernel panic: Fatal exception"),
        ('"Oops: 0000 [#1] SMP PTI" (check log for details)', "OOPS"),
        ('"kernel BUG at fs/relay.c:12!"', "kernel BUG at fs/relay.c:12"),
        ('"sysrq: SysRq : Trigger a crash"', "sysrq: SysRq : Trigger a crash"),
        ('""', "OOPS"),
    ],
)
def test_why_it_died_is_told_by_the_summary_or_the_stack(why, code):
    said = SUMMARY.replace('"BUG: unable to handle kernel NULL pointer dereference at 0000000000000018"', why)
    assert crashes_of(FORMAT, (said + STACK).encode())[0]["code"] == code


@pytest.mark.parametrize("stacks", [OTHER + PANICKED, PANICKED + OTHER + SLEEPS, SLEEPS + PANICKED])
def test_of_all_stacks_that_of_the_task_that_died_counts(stacks):
    (crash,) = crashes_of(FORMAT, stacks.encode())
    assert (crash["code"], [frame["function"] for frame in crash["frames"]]) == ("Kernel panic", ["relay_write"])
    assert len(crashes_of(FORMAT, (SUMMARY + stacks).encode())) == 1


def test_many_dumps_are_one_each():
    again = (SUMMARY + STACK).replace("web-1", "web-2")
    assert [one["host_id"] for one in crashes_of(FORMAT, (SUMMARY + STACK + again).encode())] == ["web-1", "web-2"]
    assert len(crashes_of(FORMAT, (STACK + PANICKED).encode())) == 2
    (alone,) = crashes_of(FORMAT, SUMMARY.encode())
    assert (alone["code"], alone.get("frames")) == ("OOPS", None)


@pytest.mark.parametrize(
    "said",
    [SLEEPS, OTHER, SUMMARY.replace("/var/crash", "/dev/crash") + SLEEPS, SUMMARY.partition("       PANIC")[0] + SLEEPS,
     "PANIC: see below\nRELEASE: none\n"],
)  # fmt: skip
def test_a_kernel_that_runs_has_no_crash(said):
    said = said.replace("/dev/crash/127.0.0.1-2024-07-19-04:10:02/vmcore", "/proc/kcore")
    assert not FORMAT.recognises(head(said.encode()))
    assert crashes_of(FORMAT, said.encode()) == []


@given(changed((SUMMARY + STACK).encode()))
def test_no_changed_text_breaks_its_reader(data):
    survives(FORMAT, data)


def test_hostile_lines_take_little_time():
    for piece in (" ", "#0 ", "PID: 1 ", "    [exception RIP: ", "DATE: "):
        costs_at_most(50, partial(crashes_of, FORMAT, (STACK + f"{piece * 300}\n" * 500).encode()))
