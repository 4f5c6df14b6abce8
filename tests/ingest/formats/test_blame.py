"""Which module a stack blames."""

from __future__ import annotations

import pytest

from ingest.formats.blame import at_fault
from ingest.formats.crashes import Frame

RAISED = (Frame("libc.so.6", "raise", 0x10), Frame("libc.so.6", "abort", 0x20))
OWN = Frame("librelay.so", "relay_push", 0x40)


@pytest.mark.parametrize("unnamed", [(), (Frame(),), (Frame("libc.so.6", None, 0x8926C),), (Frame("libc.so.6"),) * 2])
def test_what_only_reports_a_crash_is_not_blamed_for_it(unnamed):
    assert at_fault([*unnamed, *RAISED, OWN], "scan") == {"module": "librelay.so", "module_offset": 0x40}
    thrown = (Frame("libstdc++.so.6", "__cxa_throw"), Frame("libc.so.6", "free"))
    assert at_fault([*unnamed, *RAISED, *thrown, OWN])["module"] == "librelay.so"
    for function in ("android::base::LogMessage::~LogMessage()", "__android_log_assert", "CrashTrampolineAsm"):
        assert at_fault([*unnamed, *RAISED, Frame("libbase.so", function), OWN])["module"] == "librelay.so"


def test_an_abort_without_symbols_is_of_who_asked_for_it():
    unnamed = (Frame("libsystem_kernel.dylib", None, 1), Frame("libsystem_c.dylib", None, 2), Frame("rdm", None, 3))
    assert at_fault(unnamed, code="SIGABRT") == {"module": "rdm", "module_offset": 3}
    assert at_fault(unnamed, code="SIGSEGV")["module"] == "libsystem_kernel.dylib"


def test_a_stack_of_nothing_else_blames_its_innermost_frame():
    assert at_fault(RAISED, "scan") == {"module": "libc.so.6", "module_offset": 0x10}
    assert at_fault((), "scan") == {"module": "scan", "module_offset": None}
    assert at_fault([Frame(), OWN]) == {"module": "librelay.so", "module_offset": 0x40}


def test_what_only_carries_is_blamed_before_what_reports():
    carries = Frame("libv8.so", "v8::internal::Heap::Push()", 0x40)
    assert at_fault([Frame("libv8_libbase.so", "V8_Fatal(char const*)", 0x10), carries])["module"] == "libv8.so"


def test_a_fault_within_a_library_is_the_librarys():
    assert at_fault([Frame("libc.so.6", "strlen", 0x30), OWN]) == {"module": "libc.so.6", "module_offset": 0x30}


def test_the_handler_of_a_signal_is_not_blamed_for_it():
    handler = (Frame("libc.so.6", "kill"), Frame("scan", "die"), Frame("libc.so.6", "__restore_rt"))
    assert at_fault([*handler, Frame("libc.so.6", "memcpy"), OWN])["module"] == "librelay.so"
    assert at_fault([*handler[1:], OWN])["module"] == "scan", "which itself has crashed"
    for named in ("_Z25handleUnrecoverableSignali", "sig_handler", "KCrash::defaultCrashHandler(int)"):
        again = (*RAISED, Frame("scan", named, 0x50), Frame("libc.so.6"), *RAISED)
        assert at_fault([*again, OWN])["module"] == "librelay.so"


def test_a_program_is_blamed_where_no_frame_of_its_own_tells_a_module():
    source = Frame(None, "relay_push")
    assert at_fault([*RAISED, source], "scan")["module"] == "scan"
    assert at_fault([*RAISED, source])["module"] is None
    assert at_fault([Frame("scan", "__asan_memcpy", 0x50), source]) == {"module": "scan", "module_offset": 0x50}


def test_a_panic_blames_the_code_of_the_kernel_that_called_it():
    panicked = [Frame("kernel", name) for name in ("dump_stack_lvl", "panic")]
    assert at_fault([*panicked, Frame("relay", "relay_poll"), Frame("kernel", "kthread")])["module"] == "relay"
    assert at_fault(panicked)["module"] == "kernel"


@pytest.mark.parametrize(
    "checked",
    [
        ["usercopy_abort", "__check_heap_object", "__check_object_size"],
        ["rust_helper_BUG", "_RNvCsa_7___rustc17rust_begin_unwind", "_RNvNtCsb_4core9panicking9panic_fmt"],
    ],
)
def test_a_check_of_the_kernel_blames_the_code_that_failed_it(checked):
    steps = [*(Frame("kernel", name) for name in checked), Frame("relay", "relay_poll")]
    assert at_fault(steps)["module"] == "relay"


def test_what_throws_in_net_is_not_blamed():
    assert at_fault([Frame("System.Runtime.EH", "RhThrowEx"), Frame("Relay.Queue", "Pop")])["module"] == "Relay.Queue"
