"""Codes: one spelling for each, one class for what is one kind of fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering.codes import canonical_code, class_of
from fleetcrash.records import OS_TYPES

SPELLINGS = [
    ("windows", "0x50", ["0x50", "0x00000050", "50", "PAGE_FAULT_IN_NONPAGED_AREA", "page_fault_in_nonpaged_area"]),
    ("windows", "0x3b", ["SYSTEM_SERVICE_EXCEPTION (3b)", "0x3B", "0x0000003b (0xc0000005, 0x0)"]),
    ("windows", "0x7e", ["0x1000007e", "7e", "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0x7e)"]),
    ("windows", "0xa", ["A", "0xa", "0x0000000A", "IRQL_NOT_LESS_OR_EQUAL"]),
    ("windows", "0xc0000005", ["c0000005", "3221225477", "-1073741819", "EXCEPTION_ACCESS_VIOLATION_READ"]),
    ("windows", "0xc0000005", ["0xffffffffc0000005"]),
    ("linux", "SIGSEGV", ["SIGSEGV", "11", "signal 11", "0xb", "SIGSEGV /SEGV_MAPERR"]),
    ("linux", "SIGBUS", ["7", "SIGBUS"]),
    ("darwin", "SIGBUS", ["10", "SIGBUS"]),
    ("darwin", "EXC_BAD_ACCESS", ["EXC_BAD_ACCESS", "EXC_BAD_ACCESS (SIGSEGV)"]),
    ("darwin", "SIGABRT", ["EXC_CRASH (SIGABRT)", "6"]),
    ("linux", "ValueError", ["ValueError", "ValueError: invalid literal for int(): '12'"]),
    ("linux", "java.lang.NullPointerException", ["java.lang.NullPointerException: at 0x12"]),
]

CLASSES = {
    "memory": [
        "0x50", "0x7e", "0x1e", "0x3b", "0xd1", "0xa", "SIGSEGV", "SIGBUS", "EXC_BAD_ACCESS", "0xc0000005",
        "kernel NULL pointer dereference", "general protection fault: 0000 [#1] SMP KASAN", "Oops: 0002 [#1]",
        "BUG: unable to handle page fault for address: ffffc900012", "KASAN: use-after-free Read in foo+0x1/0x2",
        "Kernel trap at 0xffffff8009, type 14=page fault, registers:", "Kernel data abort.", "heap-buffer-overflow",
        "WARNING: MemorySanitizer: use-of-uninitialized-value",
        "panic: runtime error: invalid memory address or nil pointer dereference",
    ],
    "hang": [
        "0x133", "0x101", "0x9f", "0x8badf00d", "watchdog: BUG: soft lockup - CPU#1 stuck for 22s!",
        "INFO: task kworker/0:1:7 blocked for more than 120 seconds.",
        "INFO: rcu_preempt detected stalls on CPUs/tasks",
        "userspace watchdog timeout: no successful checkins", "Debugger message: WDT timeout",
        "RelayDriver::setPowerState(0xffffff93728c4400 : 0xffffff7fad9dc070, 0 -> 1) timed out after 10168 ms",
    ],
    "arithmetic": ["SIGFPE", "ERROR: AddressSanitizer: FPE on unknown address 0x7fdc4886"],
    "race": ["WARNING: ThreadSanitizer: data race (pid=12)"],
    "abort": ["SIGABRT", "kernel BUG at fs/ext4/inode.c:123!", "0x40000015"],
    "oom": ["Out of memory: Killed process 12 (java)", "EXC_RESOURCE", "zalloc: zone map exhausted"],
    "hardware": [
        "0x124", "0x9c", "mce: [Hardware Error]: Machine check events logged", "external abort on non-linefetch",
    ],
    "power": ["Kernel-Power 41", "unexpected shutdown"],
    "corruption": ["0x139", "0x1a", "0xc0000374", "*** stack smashing detected ***"],
    "locking": ["WARNING: possible circular locking dependency detected", "possible deadlock"],
    "warning": ["WARNING: CPU: 1 PID: 21961 at arch/x86/kvm/x86.c:7377"],
    "critical_process": ["0xef", "Kernel panic - not syncing: Attempted to kill init!"],
    "TypeError": ["TypeError"],
    "std::bad_alloc": ["std::bad_alloc"],
    "0x999": ["0x999"],
    "panic": ["panic"],
}  # fmt: skip


@pytest.mark.parametrize(("os_type", "code", "texts"), SPELLINGS)
def test_a_code_has_one_spelling(os_type, code, texts):
    assert {text: canonical_code(text, os_type) for text in texts} == dict.fromkeys(texts, code)


@pytest.mark.parametrize(("name", "texts"), CLASSES.items())
def test_codes_of_one_kind_of_fault_are_one_class(name, texts):
    for text in texts:
        os_type = "windows" if text.startswith("0x") else "linux"
        assert class_of(canonical_code(text, os_type)).name == name, text


def test_a_bugcheck_of_no_class_is_titled_by_its_name():
    assert class_of(canonical_code("0x24", "windows")).title == "0x24 NTFS_FILE_SYSTEM"


@given(st.text(), st.sampled_from(OS_TYPES))
def test_any_text_has_a_spelling_and_a_class(text, os_type):
    code = canonical_code(text, os_type)
    assert bool(code) == bool(text.split())
    assert class_of(code).name
