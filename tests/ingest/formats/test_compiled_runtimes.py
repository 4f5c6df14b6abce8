"""How runtimes of compiled languages end."""

from __future__ import annotations

import pytest

from ingest.formats.known import format_of
from ingest.formats.sanitizer import SANITIZER
from tests.ingest.formats.conftest import crashes_of, head

GRAAL = """\
[ [ SegfaultHandler caught a segfault in thread 0x00007f01c8000b80 ] ]
siginfo: si_signo: 11, si_code: 1, si_addr: 0x0000000000000008

General purpose register values:
MANY
Stacktrace for the failing thread 0x00007f01c8000b80 (A=AOT compiled, J=JIT compiled, D=deoptimized, i=inlined):
  i  SP 0x00007ffe0a1b2c30 IP 0x0000000000a1b2c3 size=64   org.relay.Queue.pop(Queue.java:41)
  A  SP 0x00007ffe0a1b2c30 IP 0x0000000000a1b2c3 size=64   org.relay.Main.main(Main.java:9)

Segfault detected, aborting process. Use '-XX:-InstallSegfaultHandler' to disable the segfault handler.
later
""".replace("MANY", "  R1 0x0000000000000000 is zero\n" * 60)
DART = """\
===== CRASH =====
si_signo=Segmentation fault(11), si_code=SEGV_MAPERR(1), si_addr=0x10
version=3.9.2 (stable) on "linux_x64"
os=linux, arch=x64, comp=no, sim=no
fp=7ffe0a1b2c30, sp=7ffe0a1b2c00, pc=7f1a2a1b2c3d
  pc 0x00007f1a2a1b2c3d fp 0x00007ffe0a1b2c30 /opt/relay/librelay.so+0x12c3d
  pc 0x00007f1a2b3c4d5e fp 0x00007ffe0a1b2c90 Queue._pop+0x7e
-- End of DumpStackTrace
"""
KOTLIN = """\
Uncaught Kotlin exception: kotlin.IllegalStateException: no queue
    at 0   relay.kexe      0x55d0c1a2b3c4       kfun:kotlin.Throwable#<init>(kotlin.String?){} + 104
    at 1   relay.kexe      0x55d0c1a2b4c4       kfun:kotlin.IllegalStateException#<init>(kotlin.String?){} + 100
    at 2   relay.kexe      0x55d0c1a2b5c4       kfun:relay.Queue#pop(){} + 220 (/src/Queue.kt:3:1)
    at 3   relay.kexe      0x55d0c1a2b6c4       kfun:#main(){} + 32
"""
CRYSTAL = """\
Invalid memory access (signal 11) at address 0x8
[0x55d0c1a2b3c4] *Exception::CallStack::print_backtrace:Nil +52 in /usr/bin/relay
[0x55d0c1a2b4c4] ~procProc(Int32, Pointer(LibC::SiginfoT), Pointer(Void), Nil) +300 in /usr/bin/relay
[0x7f1a2b445330] ?? +139750 in /lib/x86_64-linux-gnu/libc.so.6
[0x55d0c1a2b5c4] *Queue#pop:Nil +20 in /usr/bin/relay
"""
NIM = """\
Traceback (most recent call last)
/src/relay.nim(12) relay
/src/relay.nim(7) pop
SIGSEGV: Illegal storage access. (Attempt to read from nil?)
"""


@pytest.mark.parametrize(
    ("said", "code", "module", "functions"),
    [
        (GRAAL, "SIGSEGV", "org.relay.Queue", ["pop", "main"]),
        (DART, "SIGSEGV", "librelay.so", [None, "Queue._pop"]),
        (DART.replace("si_signo=Segmentation fault(11), si_code=SEGV_MAPERR(1)", "ExceptionCode=-1073741819, X=0"),
         "0xc0000005", "librelay.so", [None, "Queue._pop"]),
        (KOTLIN, "kotlin.IllegalStateException", "relay.kexe", ["kfun:relay.Queue#pop(){}", "kfun:#main(){}"]),
        (CRYSTAL, "SIGSEGV", "relay", ["*Queue#pop:Nil"]),
        (NIM, "SIGSEGV", None, ["pop", "relay"]),
        (NIM.replace("SIGSEGV: Illegal storage access.", "Error: unhandled exception: x [IndexDefect]\\n"),
         "IndexDefect", None, ["pop", "relay"]),
    ],
)  # fmt: skip
def test_a_runtime_tells_the_fault_and_its_stack(said, code, module, functions):
    data = said.replace("\\n", "\n").encode()
    assert format_of(head(data)) is SANITIZER
    [found] = crashes_of(SANITIZER, data)
    assert (found["code"], found.get("module"), found["os_type"]) == (code, module, "linux")
    assert [one["function"] for one in found["frames"]] == functions
    assert len(crashes_of(SANITIZER, data * 2)) == 2


def test_dart_tells_the_system():
    [found] = crashes_of(SANITIZER, DART.replace("os=linux", "os=macos").encode())
    assert found["os_type"] == "darwin"


def test_rust_that_cannot_begin_a_panic_ends_the_process_and_nim_says_the_same():
    said = (
        "thread '<unnamed>' panicked at src/queue.rs:41:9:\nno queue\n"
        "fatal runtime error: failed to initiate panic, error 5, aborting\n"
        "Traceback (most recent call last, using override)\n/src/relay.nim(12) relay\nSIGABRT: Abnormal termination.\n"
    )
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert crash["code"] == "fatal runtime error: failed to initiate panic, error 5"
    main = said.replace("<unnamed>", "main").partition("Traceback")[0]
    (crash,) = crashes_of(SANITIZER, main.encode())
    assert crash["code"] == "panic"
    (alone,) = crashes_of(SANITIZER, NIM.replace("last)", "last, using override)").encode())
    assert alone["code"] == crashes_of(SANITIZER, NIM.encode())[0]["code"]
