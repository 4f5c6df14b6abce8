"""Logs of kernels: the fault and its innermost function, whatever kernel, processor and shipper tell of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering import Frame as SignedFrame
from fleetcrash.clustering import Shape, sign
from ingest.formats import kernel_lines, kernel_log
from ingest.formats.kernel_log import Fault
from tests.ingest.effort import costs_at_most

# Linux 3.10 on x86: two addresses in brackets before the function, told of once more behind the trace.
OLD_OOPS = """\
[ 1234.567890] BUG: unable to handle kernel NULL pointer dereference at 0000000000000008
[ 1234.567891] IP: [<ffffffffc0411a24>] sensor_open+0x44/0x120 [sensor_lsm]
[ 1234.567892] PGD 80000000b7a5d067 PUD b7a5e067 PMD 0
[ 1234.567893] Oops: 0000 [#1] SMP
[ 1234.567894] Modules linked in: sensor_lsm(POE) xfs libcrc32c
[ 1234.567895] CPU: 1 PID: 811 Comm: bash Tainted: P           OE  ------------   3.10.0-1160.el7.x86_64 #1
[ 1234.567896] RIP: 0010:[<ffffffffc0411a24>]  [<ffffffffc0411a24>] sensor_open+0x44/0x120 [sensor_lsm]
[ 1234.567897] RSP: 0018:ffff9b2e36e43e58  EFLAGS: 00010246
[ 1234.567898] Call Trace:
[ 1234.567899]  [<ffffffff8d6b3f1e>] security_file_open+0x2e/0x80
[ 1234.567900]  [<ffffffff8d64b1c3>] ? do_dentry_open+0xb3/0x2d0
[ 1234.567901]  [<ffffffff8d64b47a>] vfs_open+0x5a/0xb0
[ 1234.567902] RIP  [<ffffffffc0411a24>] sensor_open+0x44/0x120 [sensor_lsm]
[ 1234.567903]  RSP <ffff9b2e36e43e58>
[ 1234.567904] ---[ end trace 5d1b64c0c1f0a7de ]---
[ 1234.567905] Kernel panic - not syncing: Fatal exception"""
WARNING_PANIC = """\
[   10.100000] ------------[ cut here ]------------
[   10.100001] WARNING: CPU: 1 PID: 12 at drivers/sensor/ring.c:112 ring_put+0x12/0x40 [sensor]
[   10.100002] RIP: 0010:ring_put+0x12/0x40 [sensor]
[   10.100003] Kernel panic - not syncing: kernel: panic_on_warn set ...
[   10.100004] CPU: 1 UID: 0 PID: 12 Comm: kworker/1:0 Not tainted 6.12.0 #1
[   10.100005] Call Trace:
[   10.100006]  <TASK>
[   10.100007]  dump_stack_lvl+0x3d/0x1f0
[   10.100008]  panic+0x71d/0x800
[   10.100009]  check_panic_on_warn+0xab/0xb0
[   10.100010]  __warn+0xf6/0x3c0
[   10.100011]  ? ring_put+0x12/0x40 [sensor]
[   10.100012]  report_bug+0x3c3/0x580
[   10.100013]  handle_bug+0x184/0x210
[   10.100014]  exc_invalid_op+0x17/0x50
[   10.100015]  asm_exc_invalid_op+0x1a/0x20
[   10.100016] RIP: 0010:ring_put+0x12/0x40 [sensor]
[   10.100017] Code: 48 89 d9 49 8b 14 24
[   10.100018] RSP: 0018:ffff888068157c40 EFLAGS: 00010282
[   10.100019]  ring_flush+0x51/0x70 [sensor]
[   10.100020]  process_one_work+0x1a1/0x3f0
[   10.100021] Kernel Offset: disabled
[   10.100022] ---[ end Kernel panic - not syncing: kernel: panic_on_warn set ... ]---"""
LOCKUP_PANIC = """\
[  500.100000] watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [scan:123]
[  500.100001] RIP: 0010:ring_spin+0x31/0x42 [sensor]
[  500.100002] Call Trace:
[  500.100003]  ring_wait+0x1/0x2 [sensor]
[  500.200000] Kernel panic - not syncing: softlockup: hung tasks
[  500.200001] Call Trace:
[  500.200002]  <IRQ>
[  500.200003]  dump_stack_lvl+0x5c/0x80
[  500.200004]  panic+0x118/0x2f0
[  500.200005]  watchdog_timer_fn.cold+0xc/0x16
[  500.200006]  __hrtimer_run_queues+0x10f/0x2a0
[  500.200007]  hrtimer_interrupt+0xf8/0x230
[  500.200008]  __sysvec_apic_timer_interrupt+0x4b/0x110
[  500.200009]  sysvec_apic_timer_interrupt+0x66/0x80
[  500.200010]  </IRQ>
[  500.200011]  <TASK>
[  500.200012]  asm_sysvec_apic_timer_interrupt+0x1a/0x20
[  500.200013] RIP: 0010:ring_spin+0x31/0x42 [sensor]
[  500.200014]  ring_wait+0x1/0x2 [sensor]"""
KASAN_PANIC = """\
[   77.100000] ==================================================================
[   77.100001] BUG: KASAN: slab-use-after-free in ring_read+0x91/0xa2 [sensor]
[   77.100002] Read of size 8 at addr ffff88800abc1230 by task scan/123
[   77.100003] Call Trace:
[   77.100004]  kasan_report+0xb1/0xe2
[   77.100005]  ring_read+0x91/0xa2 [sensor]
[   77.100006] Kernel panic - not syncing: KASAN: panic_on_warn set ...
[   77.100007] Call Trace:
[   77.100008]  dump_stack_lvl+0x1/0x2
[   77.100009]  panic+0x1/0x2
[   77.100010]  check_panic_on_warn+0x1/0x2
[   77.100011]  end_report+0x1/0x2
[   77.100012]  kasan_report+0xb1/0xe2
[   77.100013]  ring_read+0x91/0xa2 [sensor]"""
PPC64LE = """\
[  100.1] BUG: Kernel NULL pointer dereference on read at 0x00000000
[  100.1] Faulting instruction address: 0xc0080000025c0abc
[  100.1] Oops: Kernel access of bad area, sig: 11 [#1]
[  100.1] LE PAGE_SIZE=64K MMU=Radix SMP NR_CPUS=2048 NUMA pSeries
[  100.1] NIP:  c0080000025c0abc LR: c0080000025c0a90 CTR: c0000000005b6a70
[  100.1] NIP [c0080000025c0abc] ring_write+0x2c/0x60 [sensor]
[  100.1] LR [c0080000025c0a90] ring_write+0x0/0x60 [sensor]
[  100.1] Call Trace:
[  100.1] [c00000003aab7c30] [c0000000005b6b1c] proc_reg_write+0xac/0x120 (unreliable)
[  100.1] [c00000003aab7c60] [c0000000004ec5b0] vfs_write+0xf0/0x390
[  100.1] --- interrupt: 3000 at 0x7fff9a0c1234
[  100.1] ---[ end trace 0000000000000000 ]---"""
ARM32 = """\
[   39.1] Unable to handle kernel NULL pointer dereference at virtual address 00000000
[   39.1] Internal error: Oops: 817 [#1] SMP ARM
[   39.1] PC is at ring_write+0x1c/0x34 [sensor]
[   39.1] LR is at vfs_write+0xa8/0x184
[   39.1] pc : [<bf000018>]    lr : [<c0123456>]    psr: 60000013
[   39.1] [<bf000018>] (ring_write [sensor]) from [<c0123456>] (vfs_write+0xa8/0x184)
[   39.1] [<c0123456>] (vfs_write) from [<c0123500>] (ksys_write+0x3c/0x90)
[   39.1] ---[ end trace 2b9c5a4b1f6c0c4b ]---"""
NEWER_ARM32 = """\
[   39.1] Internal error: Oops: 817 [#1] SMP ARM
[   39.1] PC is at ring_write+0x1c/0x34 [sensor]
[   39.1] Call trace:
[   39.1]  ring_write [sensor] from vfs_write+0xa8/0x184
[   39.1]  vfs_write from ksys_write+0x3c/0x90"""
ARM64 = """\
[   39.1] Internal error: Oops: 0000000096000044 [#1] PREEMPT SMP
[   39.1] pc : ring_write+0x1c/0x34 [sensor]
[   39.1] lr : vfs_write+0xa8/0x184
[   39.1] Call trace:
[   39.1]  ring_write+0x1c/0x34 [sensor] (P)
[   39.1]  vfs_write+0xa8/0x184 (L)
[   39.1]  ksys_write+0x1/0x2"""
S390 = """\
[  100.1] Oops: 0004 ilc:3 [#1] SMP
[  100.1] Krnl PSW : 0704c00180000000 000003ff80123456 (ring_write+0x2c/0x60 [sensor])
[  100.1] Call Trace:
[  100.1]  [<000003ff80123456>] ring_write+0x2c/0x60 [sensor]
[  100.1] ([<000003ff80123400>] ring_lock+0x2c/0x60 [sensor])
[  100.1]  [<0000000000345678>] vfs_write+0xf0/0x390
[  100.1]  [<0000000000345600>] ksys_write+0xf0/0x390
[  100.1] Last Breaking-Event-Address:
[  100.1]  [<000003ff80123440>] ring_write+0x16/0x60 [sensor]"""
MIPS = """\
[   39.1] CPU 0 Unable to handle kernel paging request at virtual address 00000000, epc == c0123456, ra == c0123400
[   39.1] Oops[#1]:
[   39.1] epc   : c0123456 ring_write+0x1c/0x34 [sensor]
[   39.1] Call Trace:
[   39.1] [<c0123456>] ring_write+0x1c/0x34 [sensor]
[   39.1] [<80123456>] vfs_write+0xa8/0x184
[   39.1] [<80123400>] ksys_write+0xa8/0x184"""


DECODED = """\
[   39.1] Oops: 0000 [#1] PREEMPT SMP
[   39.1] RIP: 0010:ring_write (drivers/sensor/ring.c:12 drivers/sensor/ring.h:90 (discriminator 3)) sensor
[   39.1] Call Trace:
[   39.1] ? ring_lock (drivers/sensor/ring.c:4) sensor
[   39.1] vfs_write (fs/read_write.c:468 (discriminator 1))
[   39.1] ksys_write (??:?)"""
WITH_SOURCE = """\
[   39.1] Oops: 0000 [#1] PREEMPT SMP
[   39.1] RIP: 0010:ring_write+0x1c/0x34 drivers/sensor/ring.c:12 [sensor]
[   39.1] Call Trace:
[   39.1]  vfs_write fs/read_write.c:468 [inline]
[   39.1]  ksys_write+0xa8/0x184 fs/read_write.c:600"""
LOONGARCH = """\
[   39.1] CPU 3 Unable to handle kernel paging request at virtual address 0000000000000000, era == ff, ra == fe
[   39.1] Oops[#1]:
[   39.1]    ra: ffff800002012340 vfs_write+0xa8/0x184
[   39.1]   ERA: ffff800002012345 ring_write+0x1c/0x34 [sensor]
[   39.1] Call Trace:
[   39.1] [<ffff800002012345>] ring_write+0x1c/0x34 [sensor]
[   39.1] [<9000000000301234>] vfs_write+0xa8/0x184
[   39.1] [<9000000000301244>] ksys_write+0xa8/0x184"""

RISCV = """\
[   39.1] Unable to handle kernel paging request at virtual address 0000000000000010
[   39.1] Oops [#1]
[   39.1] CPU: 1 UID: 0 PID: 512 Comm: scan Not tainted 6.12.0 #1
[   39.1] epc : ring_write+0x1c/0x34 [sensor]
[   39.1]  ra : vfs_write+0xa8/0x184
[   39.1] epc : ffffffff0164a0f2 ra : ffffffff80a0f0a2 sp : ffffffc600a13a60
[   39.1] [<ffffffff0164a0f2>] ring_write+0x1c/0x34 [sensor]
[   39.1] [<ffffffff80a0f0a2>] vfs_write+0xa8/0x184
[   39.1] [<ffffffff80a1402c>] ksys_write+0xa8/0x184
[   39.1] ---[ end trace 0000000000000000 ]---"""
SPARC = """\
[   39.1] Unable to handle kernel NULL pointer dereference
[   39.1] scan(1340): Oops [#1]
[   39.1] TSTATE: 0000004411001607 TPC: 00000000101a2f34 TNPC: 00000000101a2f38 Y: 00000000    Not tainted
[   39.1] TPC: <ring_write+0x1c/0x34 [sensor]>
[   39.1] RPC: <ring_lock+0x2c/0x60 [sensor]>
[   39.1] I7: <vfs_write+0xa8/0x184>
[   39.1] Call Trace:
[   39.1] [<00000000004d2a68>] vfs_write+0xa8/0x184
[   39.1] [<00000000004e0b40>] ksys_write+0xa8/0x184
[   39.1] Caller[00000000004d2a68]: vfs_write+0xa8/0x184"""
PARISC = """\
[   39.1] Kernel Fault: Code=26 (Data memory access rights trap) at addr 0000000000000018
[   39.1] CPU: 0 PID: 1733 Comm: scan Not tainted 6.6.13 #1
[   39.1]  IAOQ[0]: ring_write+0x1c/0x34 [sensor]
[   39.1]  IAOQ[1]: ring_write+0x20/0x34 [sensor]
[   39.1]  RP(r2): vfs_write+0xa8/0x184
[   39.1] Backtrace:
[   39.1]  [<0000000003a1b000>] vfs_write+0xa8/0x184
[   39.1]  [<0000000003a1b800>] ksys_write+0xa8/0x184
[   39.1] Kernel panic - not syncing: Kernel Fault"""


def faults(*messages: str) -> list[Fault]:
    lines = [line for number, said in enumerate(messages) for line in kernel_lines.lines_of(said, number, 1000)]
    return list(kernel_log.faults(lines))


def the_fault(said: str) -> Fault:
    (fault,) = faults(said)
    return fault


def stack(fault: Fault) -> list[str]:
    return [f"{frame.module}!{frame.function}" for frame in fault.frames]


def test_an_old_kernel_names_the_function_behind_two_addresses():
    fault = the_fault(OLD_OOPS)
    assert stack(fault) == ["sensor_lsm!sensor_open", "kernel!security_file_open", "kernel!vfs_open"]
    assert (fault.module, fault.code) == ("sensor_lsm", "OOPS")


def test_the_line_before_an_oops_names_the_function_where_its_own_was_lost():
    lines = [said for said in OLD_OOPS.splitlines() if "RIP" not in said]
    assert stack(the_fault("\n".join(lines))) == stack(the_fault(OLD_OOPS))


@pytest.mark.parametrize(
    "said",
    [
        "Pid: 811, comm: bash Not tainted (2.6.27.9-159.el6 #1)",
        "Pid: 811, comm: bash Tainted: P 2.6.27.9-159.el6 #1",
        "REGS: c0000000007639f0 TRAP: 0300   Not tainted  (2.6.27.9-159.el6)",
        "REGS: c0000000007639f0 TRAP: 0300   Tainted: P        W  (2.6.27.9-159.el6)",
    ],
)
def test_kernels_before_three_tell_their_release_beside_a_process(said):
    lines = [said if one.startswith("CPU: ") else one for one in (one[15:] for one in OLD_OOPS.splitlines())]
    assert the_fault("\n".join(lines)).release == "2.6.27.9-159.el6"


def test_a_function_that_begins_after_a_call_has_not_made_it():
    log = """\
[   39.1] Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: ring_end+0x88/0x88
[   39.1] Backtrace:
[   39.1] [<8011fdfc>] (panic) from [<8011fa98>] (print_tainted+0x0/0xa8)
[   39.1] [<8011fa74>] (__stack_chk_fail) from [<bf010bc4>] (ring_start+0x0/0x2c [sensor])
[   39.1] [<bf010bbc>] (ring_end [sensor]) from [<80100060>] (ret_fast_syscall+0x0/0x2c)"""
    assert stack(the_fault(log)) == [
        "kernel!panic", "kernel!__stack_chk_fail", "sensor!ring_end", "kernel!ret_fast_syscall"
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["external abort on non-linefetch", "synchronous external abort"])
def test_on_arm_the_kind_of_a_fault_is_told_before_it(kind):
    log = ARM32.replace("Unable to handle kernel NULL pointer dereference at virtual address 00000000",
                        f"Unhandled fault: {kind} (0x1008) at 0xf0a3c000").replace("Oops: 817", ": 1008")  # fmt: skip
    fault = the_fault(log)
    assert (fault.code, fault.module, stack(fault)[0]) == (kind, "sensor", "sensor!ring_write")
    assert faults(log.splitlines()[0]) == [], "of a program, which gets a signal"


def test_what_one_oops_blames_is_not_blamed_by_the_next():
    lines = [*OLD_OOPS.splitlines(), "[ 1300.1] Oops: 0000 [#2] SMP", "[ 1300.1] Call Trace:"]
    first, second = faults("\n".join(lines))
    assert (len(first.frames), list(second.frames)) == (3, [])


@pytest.mark.parametrize(
    "log",
    [PPC64LE, ARM32, NEWER_ARM32, ARM64, S390, MIPS, DECODED, WITH_SOURCE, LOONGARCH, RISCV, SPARC, PARISC],
    ids=["ppc64le", "arm", "newer arm", "arm64", "s390", "mips", "decoded", "with source", "loongarch", "riscv",
         "sparc", "parisc"],
)  # fmt: skip
def test_other_processors_tell_their_stack_in_their_own_way(log):
    fault = the_fault(log)
    expected = ["sensor!ring_write", "kernel!vfs_write", "kernel!ksys_write"]
    assert stack(fault) == expected[: 2 if log is PPC64LE else 3]
    assert fault.module == "sensor"


def test_sparc_and_parisc_tell_what_they_died_of_in_their_own_way():
    assert (the_fault(SPARC).code, the_fault(PARISC).code) == ("OOPS", "Kernel Fault: Data memory access rights trap")
    assert all(kernel_log.begins_fault(said) for said in ("scan(1340): Oops [#1]", PARISC.splitlines()[0][10:]))


@pytest.mark.parametrize("before", ["<IRQ>  ", "<NMI>  ", "<EOI>  ", "<<EOE>>  ", "<#DF>  ", "<EOE>  <IRQ>  "])
def test_a_step_may_stand_behind_the_stack_that_a_trace_goes_on_in(before):
    trace = (
        f"Call Trace:\n {before}[<ffffffffc0411a24>] ring_poll+0x1/0x2 [sensor]\n [<ffffffff8d6b3f1e>] do_irq+0x1/0x2"
    )
    fault = the_fault(f"Oops: 0000 [#1]\nRIP: 0010:[<ffffffff8d6b3f00>] spin_lock+0x1/0x2\n{trace}")
    assert stack(fault) == ["kernel!spin_lock", "sensor!ring_poll", "kernel!do_irq"]


@pytest.mark.parametrize("by", ["", "traps: "])
def test_a_double_fault_is_told_before_the_panic_that_only_stops(by):
    fault = the_fault(f"""\
[   10.1] {by}PANIC: double fault, error_code: 0x0
[   10.2] CPU: 1 PID: 12 Comm: scan Tainted: G W 4.0.0-rc3 #1
[   10.3] RIP: 0010:[<ffffffff816834ad>] [<ffffffff816834ad>] ring_put+0xd/0x30 [sensor]
[   10.4] Call Trace:
[   10.5] Kernel panic - not syncing: Machine halted.
[   10.6] Call Trace:
[   10.7]  <#DF> [<ffffffff81677f75>] dump_stack+0x4a/0x6a""")
    assert (fault.code, stack(fault), fault.line.clock) == ("double fault", ["sensor!ring_put"], 10.1)


def test_what_tells_of_a_double_fault_is_not_to_blame():
    frames = tuple(SignedFrame(one, name) for one, name in (("kernel", "do_double_fault"), ("sensor", "ring_put")))
    assert sign(Shape(os_type="linux", domain="kernel", code="OOPS", frames=frames)).family.endswith("sensor!ring_put")


def test_a_function_that_calls_itself_is_there_as_often_as_the_trace_says():
    steps = [" walk+0x1/0x2", " step+0x1/0x2", " walk+0x1/0x2", " walk+0x1/0x2"]
    fault = the_fault("\n".join(["Oops: 0000 [#1]", "RIP: 0010:top+0x1/0x2", "Call Trace:", *steps]))
    assert stack(fault) == ["kernel!top", "kernel!walk", "kernel!step", "kernel!walk", "kernel!walk"]


@pytest.mark.parametrize(
    ("log", "interrupted", "message"),
    [
        (WARNING_PANIC, ["sensor!ring_put", "sensor!ring_flush"], "WARNING: CPU: 1 PID: 12 at drivers/sensor"),
        (LOCKUP_PANIC, ["sensor!ring_spin", "sensor!ring_wait"], "watchdog: BUG: soft lockup - CPU#3 stuck for 22s!"),
        (KASAN_PANIC, ["sensor!ring_read"], "BUG: KASAN: slab-use-after-free in ring_read+0x91/0xa2 [sensor]"),
    ],
    ids=["warning", "lockup", "kasan"],
)  # fmt: skip
def test_a_panic_on_a_report_tells_what_was_interrupted_and_what_was_reported(log, interrupted, message):
    fault = the_fault(log)
    own = [frame for frame in stack(fault) if frame.startswith("sensor!")]
    assert own == interrupted
    by_watchdog = "lockup" in message  # the panic's own stack is the watchdog's
    assert stack(fault)[:2] == (interrupted if by_watchdog else ["kernel!dump_stack_lvl", "kernel!panic"])
    assert fault.code.startswith("Kernel panic: ")
    assert fault.tags["message"].startswith(message)


@pytest.mark.parametrize("log", [WARNING_PANIC, LOCKUP_PANIC, KASAN_PANIC])
def test_a_report_without_a_panic_is_no_crash(log):
    assert faults(log.partition("Kernel panic")[0]) == []


def test_a_panic_without_a_stack_is_where_its_warning_was():
    new = "WARNING: drivers/sensor/ring.c:112 at ring_put+0x12/0x40, CPU#1: scan/12"
    warned = WARNING_PANIC.replace(
        "WARNING: CPU: 1 PID: 12 at drivers/sensor/ring.c:112 ring_put+0x12/0x40 [sensor]", new
    )
    fault = the_fault("\n".join(warned.splitlines()[:4]))
    assert (stack(fault), fault.module) == (["sensor!ring_put"], "sensor")
    assert fault.tags["message"].startswith("WARNING: drivers/sensor/ring.c:112 at ring_put")
    assert kernel_log.begins_fault(new)


def test_a_panic_without_a_stack_blames_who_was_warned_of_and_not_what_counts_for_it():
    counts = "WARNING: CPU: 1 PID: 12 at lib/refcount.c:28 refcount_warn_saturate+0x1/0x2"
    stack_of = "RIP: 0010:refcount_warn_saturate+0x1/0x2\nCall Trace:\n ring_drop+0x1/0x2 [sensor]"
    fault = the_fault(f"{counts}\n{stack_of}\nKernel panic - not syncing: kernel: panic_on_warn set ...")
    assert (stack(fault), fault.module) == (["kernel!refcount_warn_saturate", "sensor!ring_drop"], "sensor")


@pytest.mark.parametrize(
    ("report", "what"),
    [
        ("UBSAN: array-index-out-of-bounds in drivers/sensor/ring.c:112:9", "UBSAN: panic_on_warn set ..."),
        ("UBSAN: Undefined behaviour in drivers/sensor/ring.c:112:9", "panic_on_warn set ..."),
        ("BUG: KMSAN: uninit-value in ring_read+0x1/0x2 [sensor]", "kmsan.panic set ..."),
        ("WARNING: CPU: 1 PID: 12 at mm/a.c:1 ring_read+0x1/0x2 [sensor]", "panic_on_taint set ..."),
    ],
)
def test_a_panic_on_a_report_has_the_reports_first_line(report, what):
    trace = "Call Trace:\n panic+0x1/0x2\n ring_read+0x1/0x2 [sensor]"
    assert the_fault(f"{report}\n{trace}\nKernel panic - not syncing: {what}\n{trace}").tags["message"] == report
    assert kernel_log.begins_fault(report)


def test_what_tells_of_a_full_stack_is_not_to_blame():
    told = [f" {name}+0x1/0x2" for name in ("panic", "nmi_panic", "panic_bad_stack", "handle_bad_stack", "__bad_stack")]
    trace = ["Call trace:", *told, " ring_scan+0x1/0x2 [sensor]", " ring_scan+0x2/0x2 [sensor]"]
    fault = the_fault("\n".join(["Kernel panic - not syncing: kernel stack overflow", *trace]))
    assert (fault.code, fault.module) == ("Kernel panic: kernel stack overflow", "sensor")


def test_s390_tells_the_place_of_a_full_stack_before_the_panic():
    place = "Krnl PSW : 0404e00180000000 000003ff80123456 (ring_scan+0x6/0x40 [sensor])"
    trace = "Call Trace:\n [<000003ff80123476>] ring_read+0x26/0x40 [sensor]"
    panic = "Kernel panic - not syncing: Corrupt kernel stack, can't continue.\nCall Trace:\n panic+0x1/0x2"
    fault = the_fault(f"Kernel stack overflow.\n{place}\n{trace}\n{panic}")
    assert (fault.code, stack(fault)) == ("Kernel stack overflow", ["sensor!ring_scan", "sensor!ring_read"])
    assert faults("Kernel stack overflow.\neth0: up") == []


def test_what_reports_a_warning_is_not_to_blame():
    warned = WARNING_PANIC.replace("report_bug+0x3c3/0x580", "report_bug_entry+0x3c3/0x580")
    assert the_fault(warned).module == "sensor"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["Oops: 00000000", "PC: [<00123456>] ring_read+0x1/0x2 [sensor]",
          "Call Trace: [<00123556>] ring_poll+0x1/0x2 [sensor]", " [<00123656>] vfs_read+0x1/0x2"], "OOPS"),
        (["scan(55): Oops 0", "pc is at ring_read+0x1/0x2 [sensor]", "Trace:",
          "[<fffffc0000312345>] ring_poll+0x1/0x2 [sensor]", "[<fffffc0000312445>] vfs_read+0x1/0x2"], "OOPS"),
        (["Oops: sig: 11 [#1] PREEMPT", "Call Trace:", " [<d0123456>] ring_read+0x1/0x2 [sensor]",
          " [<d0123556>] ring_poll+0x1/0x2 [sensor]", " [<d0123656>] vfs_read+0x1/0x2"], "OOPS"),
    ],
    ids=["m68k", "alpha", "xtensa"],
)  # fmt: skip
def test_small_processors_tell_the_place_in_their_own_way(lines, code):
    head = "Unable to handle kernel paging request at virtual address 00000018"
    fault = the_fault("\n".join([head, *lines]))
    assert (fault.code, fault.module) == (code, "sensor")
    assert stack(fault) == ["sensor!ring_read", "sensor!ring_poll", "kernel!vfs_read"]


def test_on_xtensa_an_oops_may_have_no_head():
    assert the_fault("Illegal instruction in kernel: sig: 9 [#1] PREEMPT").code == "Illegal instruction in kernel"


def test_an_oops_of_a_kernel_that_stops_is_no_cause_of_its_panic():
    panic = (
        "[   39.1] Kernel panic - not syncing: sysrq triggered crash\n[   39.2] SMP: stopping secondary CPUs\n"
        "[   39.3] Internal error: synchronous external abort: 96000210 [#1] SMP\n[   39.4] pc : ring_put+0x50/0x80"
    )
    assert the_fault(panic).code == "Kernel panic: sysrq triggered crash"
    assert the_fault(panic.replace("SMP: stopping", "still")).code == "synchronous external abort"


def test_the_end_of_a_panic_tells_it_where_its_beginning_is_not_known():
    panic = "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(179,2)"
    end = f"[  500.3] ---[ end {panic} ]---"
    assert the_fault(end).code == panic.replace(" - not syncing", "")
    assert the_fault(f"[  500.2] {panic}\n{end}").tags["message"] == panic
    assert the_fault(f"{OLD_OOPS}\n{end.replace(' 500', '1235')}").code == "OOPS"
    assert kernel_log.begins_fault("---[ end Kernel panic - not syncing: Fatal exception ]---")


def test_the_stack_of_another_processor_that_stops_is_not_that_of_the_panic():
    panic = (
        "[<ffffff8008a10004>] ring_put+0x9c/0xa8\n[<ffffff8008a20a84>] ring_init+0x43c/0x46c\n"
        "---[ end trace 5d1b64c0c1f0a7de ]---\nKernel panic - not syncing: Fatal exception in interrupt\n"
    )
    stops = (
        "CPU1: stopping\nCPU: 1 PID: 0 Comm: swapper/1 Tainted: G      D         4.4.0-rc8 #5\nCall trace:\n"
        "[<ffffff800808ad58>] dump_backtrace+0x0/0x1c8\n[<ffffff8008090f4c>] handle_IPI+0x184/0x190\n"
    )
    fault = the_fault(panic + stops)
    assert stack(fault) == stack(the_fault(panic)) == ["kernel!ring_put", "kernel!ring_init"]
    assert fault.release == "4.4.0-rc8"


def test_two_consoles_that_write_a_line_a_little_differently_end_no_stack():
    said = "[ 50.1] Oops: 0000 [#1] \n[ 50.1] Oops: 0000 [#1] SMP SMP\n[ 50.1] RIP: 0010:f+0x1/0x2"
    assert stack(the_fault(said)) == ["kernel!f"]
    assert stack(faults(said.replace("[#1] SMP", "[#2] SMP"))[0]) == []


def test_a_report_is_no_reason_of_a_later_panic_of_another_kind():
    report = LOCKUP_PANIC.partition("[  500.200000]")[0]
    panic = "[  500.3] Kernel panic - not syncing: Attempted to kill init!"
    assert the_fault(report + panic).tags["message"] == "Kernel panic - not syncing: Attempted to kill init!"
    idle = "".join(f"[  500.3] usb 1-1: reset {n}\n" for n in range(400))
    late = "[  900.3] Kernel panic - not syncing: softlockup: hung tasks"
    assert the_fault(report + idle + late).tags["message"] == "Kernel panic - not syncing: softlockup: hung tasks"


@pytest.mark.parametrize("start", ["[    0.000000] Linux version 5.15.0 (gcc)", "[    2.1] usb 1-1: new device", ""])
def test_a_panic_of_a_later_boot_is_a_crash_of_its_own(start):
    log = OLD_OOPS.rpartition("\n")[0]
    panic = (
        "[    9.5] Kernel panic - not syncing: Fatal machine check\n[    9.5] Call Trace:\n[    9.5]  mce_panic+0x1/0x2"
    )
    first, second = faults("\n".join([log, start, panic]))
    assert (first.code, second.code) == ("OOPS", "Kernel panic: Fatal machine check")
    assert (len(first.frames), stack(second)) == (3, ["kernel!mce_panic"])


def test_the_stack_of_an_oops_ends_where_the_next_boot_begins():
    boots = "[ 50.1] Oops: 0000 [#1]\n[ 50.1] RIP: 0010:f+0x1/0x2\n[ 0.1] Call Trace:\n[ 0.1]  g+0x1/0x2"
    assert stack(the_fault(boots)) == ["kernel!f"]


def test_a_panic_of_the_same_boot_is_the_same_crash_though_its_lines_came_a_little_late():
    late = "[ 1234.2] Kernel panic - not syncing: Fatal exception"
    assert the_fault(OLD_OOPS + "\n" + late).code == "OOPS"


SEGFAULT = "nginx[123]: segfault at 0 ip 00007f5a3c0a1234 sp 00007ffd error 4 in libc.so.6[a1234,7f5a3c028000+195000]"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "<6>",
        "[ 1234.5] ",
        "[ 1234.567890][ T123] ",
        "[ 1234.567890] [T123@C4] ",
        "<4>[ 1234.567890][T123@1] ",
        "[ 1234.567890] c4   8262 ",
        "<4>[ 1234.567890] (4)[123:kworker/4:1]",
        "<4>[ 1234.567890]-(0)[0:swapper/0]",
        "<6>[ 1234.567890]  [2:    kworker/2:1:  123] ",
        "[ 1234.567890] [pid:123,cpu1,kworker/2:1]",
        "[ 1234.567890] [pid:123,cpu1 swapper/0][0]",
        "kernel: [ 1234.5] ",
        "[Fri Nov  7 11:00:00 2026] ",
        "Nov 27 11:00:00 web-1 kernel: ",
        "Nov  7 11:00:00 web-1.example.com kernel: [ 1234.5] ",
        "2026-11-27T11:00:00.123456+01:00 web-1 kernel: [ 1234.5] ",
        "2026-11-27T11:00:00Z web-1 kernel: ",
        "<6>1 2026-11-27T11:00:00.123Z web-1 kernel - - - [ 1234.5] ",
        "<6>1 2026-11-27T11:00:00.123Z web-1 kernel - - [meta sequenceId='7'] [ 1234.5] ",
        "4,1234,1234567890,-;",
        "6.8.0-rc1,4,1234,1234567890,-;",
    ],
)
def test_what_stands_before_a_line_is_no_part_of_it(header):
    fault = the_fault(header + SEGFAULT)
    assert (fault.tags["comm"], fault.tags["pid"], fault.tags["message"]) == ("nginx", "123", SEGFAULT)
    oops = [header + told for told in ("kernel BUG at mm/slub.c:305!", "invalid opcode: 0000 [#1] SMP")]
    assert the_fault("\n".join(oops)).code == "kernel BUG at mm/slub.c:305"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Oops[#1]:", "OOPS"),
        ("Oops: Oops: 0002 [#1] SMP NOPTI", "OOPS"),
        ("Kernel BUG [#1]", "Kernel BUG"),
        ("Reserved instruction in kernel code[#1]:", "Reserved instruction in kernel code"),
        ("Kernel unaligned instruction access[#1]:", "Kernel unaligned instruction access"),
        ("Kernel bad sw trap 5 [#1]", "Kernel bad sw trap 5"),
        ("specification exception: 0006 ilc:2 [#1] SMP", "specification exception"),
        ("BUG: Kernel NULL pointer dereference on read\nstack gone [#1]", "stack gone"),
    ],
)
def test_a_line_that_counts_is_an_oops_with_what_kernels_write_beside_it(said, code):
    assert the_fault(said).code == code


@pytest.mark.parametrize(
    "said",
    [
        f"Nov 27 11:00:00 web-1 agent[7]: {SEGFAULT}",
        f"Nov 27 11:00:00 web-1 agent: kernel: {SEGFAULT}",
        "2026-11-27T11:00:00Z web-1 agent: Oops: 0000 [#1] SMP",
        f"Nov 27 11:00:00 web-1 agent[7]: the log says\n{SEGFAULT}\n" + "\n".join(OLD_OOPS.splitlines()),
        "Merge pull request [#12] from the branch",
        "closed: the fault, seen by two [#7]",
        "scan(7): closed [#12]",
        "the kernel said: Kernel panic - not syncing: Fatal exception",
        "\n \n",
    ],
)  # fmt: skip
def test_what_no_kernel_said_is_no_crash(said):
    assert faults(said) == []


def test_lines_of_a_kernel_among_others_of_one_message_are_read():
    log = f"Nov 27 11:00:00 web-1 agent[7]: started\nNov 27 11:00:01 web-1 kernel: {SEGFAULT}\nand more"
    assert the_fault(log).line.origin == (0, 1)


def test_a_place_in_a_mapping_is_no_place_in_its_module():
    mapped = the_fault(
        "a[7]: segfault at 0 ip 00007f5a3c0a1234 sp 00007ffd error 4 in libc-2.31.so[7f5a3c028000+195000]"
    )
    assert (mapped.module, mapped.module_offset, mapped.tags["mapping_offset"]) == ("libc-2.31.so", None, "0x79234")
    told = the_fault(SEGFAULT)
    assert (told.module_offset, "mapping_offset" in told.tags) == (0xA1234, False)


def test_a_message_has_a_bound_of_lines_and_each_line_of_characters():
    assert len(list(kernel_lines.lines_of("x\n" * 1000, 0, 10))) == 10
    assert len(next(kernel_lines.lines_of("x" * 10_000, 0, 10)).text) == 2000


PIECES = (
    "a: ", "Oops: ", "[<ffffffff81234567>] ", "[ffffffff81234567] ", "NIP ", "Nov 27 11:00:00 h ", " from ", "a.", "[",
    "(", "a+0x1/0x2 ", "traps: ", " ", "0",
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("start", ["", "Oops: ", "RIP: 0010:", "a[7]: segfault at 0 ip 0 sp 0 error 0 in ", "traps: "])
def test_a_hostile_line_takes_little_time(start, piece):
    lines = list(kernel_lines.lines_of(f"Oops: 0000 [#1]\nCall Trace:\n{start}{piece * 2000}x", 0, 10))
    costs_at_most(1, lambda: list(kernel_log.faults(lines)))


@given(
    st.lists(st.sampled_from([*PIECES, "\n", *OLD_OOPS.splitlines(True), *LOCKUP_PANIC.splitlines(True)]) | st.text())
)
def test_no_text_breaks_the_reading(pieces):
    for fault in faults("".join(pieces)):
        assert fault.domain in ("kernel", "user")
        assert len(fault.frames) <= 256


def test_a_panic_on_a_task_that_hangs_tells_that_task_and_not_who_watches():
    hung = """\
[  567.0] INFO: task scan:7871 blocked for more than 140 seconds.
[  567.1]       Not tainted 4.19.0-rc8+ #67
[  567.2] Call Trace:
[  567.3]  __schedule+0x86c/0x1ed0
[  567.4]  schedule+0xfe/0x460
[  567.5]  ring_drain+0x1cc/0x260 [sensor]
[  567.6] INFO: task other:12 blocked for more than 140 seconds.
[  567.7] Call Trace:
[  567.8]  __schedule+0x86c/0x1ed0
[  567.9]  other_wait+0x10/0x20
[  568.0] Kernel panic - not syncing: hung_task: blocked tasks
[  568.1] CPU: 0 PID: 953 Comm: khungtaskd Not tainted 4.19.0-rc8+ #67
[  568.2] Call Trace:
[  568.3]  dump_stack+0x244/0x39d
[  568.4]  panic+0x2ad/0x55c
[  568.5]  watchdog+0xb0f/0x1060"""
    fault = the_fault(hung)
    assert (fault.code, fault.domain) == ("Kernel panic: hung_task: blocked tasks", "kernel")
    assert stack(fault) == ["kernel!__schedule", "kernel!schedule", "sensor!ring_drain"]
    assert fault.module == "sensor"  # the scheduler waits for it
    without = "\n".join(one for one in hung.splitlines() if "INFO" not in one)
    assert stack(the_fault(without))[:2] == ["kernel!dump_stack", "kernel!panic"]


RCU_PANIC = """\
[  500.7] Kernel panic - not syncing: RCU Stall
[  500.8] Call Trace:
[  500.8]  dump_stack_lvl+0x5d/0x80
[  500.8]  panic+0x156/0x32a
[  500.8]  rcu_sched_clock_irq+0x500/0x900
[  500.8]  update_process_times+0x70/0xb0
[  500.9] NMI backtrace for cpu 0
[  500.9] RIP: 0010:other_idle+0x12/0x20"""


def test_a_panic_on_a_stall_tells_what_a_processor_says_that_was_interrupted_for_it():
    stalled = """\
[  500.1] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
[  500.1] rcu: 	3-...!: (1 GPs behind) idle=1a2c/1/0x4000000000000000 softirq=1234/1235 fqs=12
[  500.2] Sending NMI from CPU 1 to CPUs 3:
[  500.2] NMI backtrace for cpu 3
[  500.3] CPU: 3 UID: 0 PID: 123 Comm: scan Not tainted 6.12.0 #1
[  500.4] RIP: 0010:ring_spin+0x12/0x20 [sensor]
[  500.5] Call Trace:
[  500.6]  ring_lock+0x12/0x20 [sensor]"""
    fault = the_fault(f"{stalled}\n{RCU_PANIC}")
    assert (fault.code, fault.module) == ("Kernel panic: RCU Stall", "sensor")
    assert stack(fault) == ["sensor!ring_spin", "sensor!ring_lock"]
    itself = stalled.replace("RIP: 0010:ring_spin", "Call Trace:\n[  500.4]  nmi_cpu_backtrace").replace(
        " [sensor]", "", 1
    )
    fault = the_fault(f"{itself}\n{RCU_PANIC}")
    assert (fault.module, stack(fault)) == ("sensor", ["kernel!nmi_cpu_backtrace", "sensor!ring_lock"])
    silent = "\n".join(stalled.splitlines()[:2])
    assert stack(the_fault(f"{silent}\n{RCU_PANIC}"))[:2] == ["kernel!dump_stack_lvl", "kernel!panic"]


@pytest.mark.parametrize(
    "said",
    [
        "NMI watchdog: Watchdog detected hard LOCKUP on cpu 3",
        "watchdog: CPU4: Watchdog detected hard LOCKUP on cpu 3",
        "watchdog: CPU 3 self-detected hard LOCKUP @ ring_spin+0x12/0x20 [sensor]",
        "watchdog: CPU 1 detected hard LOCKUP on other CPUs 3",
        "watchdog: CPU 3 Hard LOCKUP",
    ],
)
def test_a_panic_on_a_processor_that_locks_up_tells_that_one(said):
    own = "Call Trace:\n ring_spin+0x12/0x20 [sensor]\n vfs_read+0x1/0x2"
    panic = "Kernel panic - not syncing: Hard LOCKUP\nCall Trace:\n panic+0x1/0x2\n watchdog_check+0x1/0x2"
    fault = the_fault(f"{said}\n{own}\n{panic}")
    assert (stack(fault), fault.tags["message"]) == (["sensor!ring_spin", "kernel!vfs_read"], said)
    assert stack(the_fault(f"{said}\nSending NMI from CPU 4 to CPUs 3:\nNMI backtrace for cpu 3\n{own}\n{panic}")) == [
        "sensor!ring_spin",
        "kernel!vfs_read",
    ]
    assert kernel_log.begins_fault(said)


def test_what_hangs_has_no_stack_of_what_hangs_after_it():
    log = """\
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
INFO: task scan:7871 blocked for more than 140 seconds.
Call Trace:
 ring_drain+0x1cc/0x260 [sensor]
NMI backtrace for cpu 0
RIP: 0010:other_idle+0x12/0x20
Kernel panic - not syncing: hung_task: blocked tasks"""
    assert stack(the_fault(log)) == ["sensor!ring_drain"]


def test_the_stack_of_a_task_that_stalls_has_nothing_of_who_waits_for_it():
    stalled = """\
[  500.1] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
[  500.2] task:scan            state:R  running task     stack:0     pid:812
[  500.3] Call Trace:
[  500.4]  ring_spin+0x12/0x20 [sensor]
[  500.5] rcu: RCU grace-period kthread stack dump:
[  500.5] Call Trace:
[  500.5]  __schedule+0x27c/0x6b0
[  500.6]  rcu_gp_fqs_loop+0x27c/0x6b0"""
    assert stack(the_fault(f"{stalled}\n{RCU_PANIC}")) == ["sensor!ring_spin"]


@pytest.mark.parametrize(
    "warning",
    [
        "WARNING: CPU: 1 PID: 12 at drivers/sensor/ring.c:112 ring_put+0x12/0x40 [sensor]",
        "WARNING: drivers/sensor/ring.c:112 at ring_put+0x12/0x40 [sensor], CPU#1: kworker/1:0/12",
        "BUG: KASAN: slab-out-of-bounds in ring_put+0x12/0x40 [sensor]",
    ],
)
def test_where_a_log_ends_before_the_stack_the_first_line_tells_the_place(warning):
    panic = "Kernel panic - not syncing: panic_on_warn set ..."
    fault = the_fault(f"[    1.0] {warning}\n[    1.1] {panic}\n[    1.2] CPU: 1 PID: 12 Comm: x Not tainted 4.15.0 #1")
    assert (stack(fault), fault.module, fault.release) == (["sensor!ring_put"], "sensor", "4.15.0")


def test_a_panic_that_another_processor_was_quicker_to_tell_is_the_oops_behind_it():
    lines = OLD_OOPS.splitlines()
    early = lines[0].replace("BUG: unable to handle kernel NULL pointer dereference at 0000000000000008",
                             "Kernel panic - not syncing: panic_on_warn set ...")  # fmt: skip
    fault = the_fault("\n".join([lines[0], early, *lines[1:]]))
    assert (fault.code, stack(fault)[0]) == ("OOPS", "sensor_lsm!sensor_open")
    apart = [lines[0], early, "[    0.0] Linux version 3.10.0", *lines[1:]]
    assert [one.code for one in faults("\n".join(apart))] == ["Kernel panic: panic_on_warn set ...", "OOPS"]


def test_a_kernel_that_is_sure_of_no_step_is_taken_at_its_word():
    doubted = OLD_OOPS.replace("] security_file_open", "] ? security_file_open").replace("] vfs_open", "] ? vfs_open")
    functions = [frame.function for frame in the_fault(doubted).frames]
    assert functions == ["sensor_open", "security_file_open", "do_dentry_open", "vfs_open"]


@pytest.mark.parametrize(
    "head",
    ["PANIC at ring.c:503:ring_drop()", "SPLError: 194:0:(ring.c:503:ring_drop()) SPL PANIC"],
    ids=["now", "then"],
)
def test_zfs_stops_a_thread_for_ever(head):
    said = (
        f"[   39.1] VERIFY3(a >= b) failed (1 >= 2)\n[   39.2] {head}\n[   39.3] Showing stack for process 7\n"
        "[   39.3] Call Trace:\n[   39.3]  spl_panic+0x1/0x2 [spl]\n[   39.3]  ring_drop+0x1/0x2 [zfs]\n"
    )
    assert kernel_log.begins_fault(head)
    fault = the_fault(said)
    assert (fault.code, stack(fault)) == ("PANIC at ring.c:503", ["spl!spl_panic", "zfs!ring_drop"])
    assert fault.tags["message"] == "VERIFY3(a >= b) failed (1 >= 2)"
    frames = tuple(SignedFrame(one.module, one.function) for one in fault.frames)
    signature = sign(Shape(os_type="linux", domain="kernel", code=fault.code, frames=frames))
    assert signature.title == "zfs: abort or failed assertion in ring_drop"


def test_sparc_names_a_task_in_brackets_and_old_kernels_no_number():
    died = "[   41.1] (udev-worker)(88): Kernel illegal instruction [#1]\n[   41.2] TPC: <ring_init+0x0/0x160 [sensor]>"
    old = (
        "Unable to handle kernel paging request in mna handler\nrelay(27): Oops\nTSTATE: 0000000080009602 TPC: 00000000"
    )
    assert [(one.code, one.module) for one in faults(died)] == [("Kernel illegal instruction", "sensor")]
    assert [one.code for one in faults(old)] == ["OOPS"]


def test_a_log_may_begin_within_the_oops_that_a_panic_ends():
    panic = "[    3.2] Kernel panic - not syncing: Fatal exception in interrupt"
    said = f"[    3.1] RIP: 0010:ring_match+0x204/0xa70 [sensor]\n[    3.1] RSP: 0018:ffffc90000007740\n{panic}"
    assert [(one.module, one.frames[0].function) for one in faults(said)] == [("sensor", "ring_match")]
    said = f"[    3.1] Call trace:\n[    3.1]  ring_match+0x4/0xa [sensor]\n[    3.1] ---[ end trace 88 ]---\n{panic}"
    assert [(one.module, one.frames[0].function) for one in faults(said)] == [("sensor", "ring_match")]
    assert [list(one.frames) for one in faults(panic)] == [[]]


def test_a_build_may_have_a_name_instead_of_a_number():
    said = "Oops: 0000 [#1] SMP\nCPU: 40 PID: 7 Tainted: P  OE  6.9.3-relay+ #ubuntu22\nRIP: 0010:kfree+0x6/0x2c"
    assert [one.release for one in faults(said)] == ["6.9.3-relay+"]
