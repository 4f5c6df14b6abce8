"""What a process ended with, as its minidump says it: a signal, an exception of Mach, or one of Windows."""

from __future__ import annotations

from collections.abc import Sequence

# Code of a dump that a program requested while it ran on, which is no crash.
REQUESTED = "DUMP_REQUESTED"
HANG = "0xcfffffff"  # Windows Error Reporting ended a program that did not answer

# Codes with which the processor or the system says what an instruction did; with others code says itself that it ends.
FAULTS = frozenset([
    "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "EXC_BAD_ACCESS", "EXC_BAD_INSTRUCTION", "EXC_ARITHMETIC",
    "0x80000001", "0x80000002", "0x80000004", "0xc0000005", "0xc0000006", "0xc000001d", "0xc000008c", "0xc000008d",
    "0xc000008e", "0xc000008f", "0xc0000090", "0xc0000091", "0xc0000092", "0xc0000093", "0xc0000094", "0xc0000095",
    "0xc0000096", "0xc00000fd",
])  # fmt: skip
_THROWN = "0xe06d7363"  # an exception of C++, by Microsoft's compiler

_SIGNALS = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
    9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ",
    31: "SIGSYS", 0xFFFFFFFF: REQUESTED,
}  # fmt: skip
_OF_LINUX = {**_SIGNALS, 10: "SIGUSR1", 12: "SIGUSR2", 16: "SIGSTKFLT"}
_MIPS = (1, 0x8004)  # processors on which Linux has the numbers of IRIX
_OF_MIPS = {**_SIGNALS, 7: "SIGEMT", 10: "SIGBUS", 12: "SIGSYS", 16: "SIGUSR1", 17: "SIGUSR2", 30: "SIGXCPU",
            31: "SIGXFSZ"}  # fmt: skip
_MACH = {
    1: "EXC_BAD_ACCESS", 2: "EXC_BAD_INSTRUCTION", 3: "EXC_ARITHMETIC", 4: "EXC_EMULATION", 5: "EXC_SOFTWARE",
    6: "EXC_BREAKPOINT", 7: "EXC_SYSCALL", 8: "EXC_MACH_SYSCALL", 9: "EXC_RPC_ALERT", 10: "EXC_CRASH",
    11: "EXC_RESOURCE", 12: "EXC_GUARD", 13: "EXC_CORPSE_NOTIFY",
    0x43507378: REQUESTED,  # CPsx, of crashpad, as is CPnx
    0x43506E78: "NSException",
}  # fmt: skip
_NT = {0x0517A7ED: REQUESTED}  # of crashpad as well; all others are known by their numbers
_NAMES = {"linux": _OF_LINUX, "darwin": _MACH, "windows": _NT}

_OF_MACOS = {**_SIGNALS, 7: "SIGEMT", 10: "SIGBUS", 12: "SIGSYS", 31: "SIGUSR2"}
_SOFTWARE, _CRASH, _RESOURCE = 5, 10, 11
# Limits of resources, as type and flavor, past which a process goes on: of processor time, unless that is the fatal
# flavor, of wakeups, memory and what it writes.
_WENT_ON = frozenset([(1, 1), (2, 1), (3, 1), (4, 1), (4, 2)])
_SENT = 0x10003  # a signal by its number
_SOFT = {0x10000: "SIGSYS", 0x10001: "SIGPIPE", 0x10002: "SIGABRT", 0xDEADC0DE: "NSException"}


def code_of(os_type: str | None, processor: int | None, number: int, flags: int, more: Sequence[int]) -> str:
    """The code of an exception.

    Args:
        processor: of the dump's system.
        flags, more: of the exception as well; on macOS they may tell the signal that the process ended with.
    """
    signal = _signal_of_macos(number, flags, more) if os_type == "darwin" else None
    if os_type == "darwin" and number == _RESOURCE:
        limit = more[1] if more[:1] == (_RESOURCE,) and len(more) > 1 else flags << 32
        return REQUESTED if (limit >> 61 & 7, limit >> 58 & 7) in _WENT_ON else _MACH[_RESOURCE]
    names = _OF_MIPS if os_type == "linux" and processor in _MIPS else _NAMES.get(os_type or "", {})
    return signal or names.get(number, f"0x{number:x}")


def thrower_of(code: str | None, more: Sequence[int]) -> int | None:
    """An address in the module that threw an exception of C++: its start, or on 32 bits that of the type thrown."""
    return more[3 if len(more) > 3 else 2] if code == _THROWN and len(more) > 2 else None


def _signal_of_macos(number: int, flags: int, more: Sequence[int]) -> str | None:
    """What is behind an exception that says only that there was a signal; crashpad writes 0 for such a one."""
    if number == _SOFTWARE:
        return _OF_MACOS.get(more[2]) if flags == _SENT and len(more) > 2 else _SOFT.get(flags)
    if number == _CRASH or (number == 0 and more[:1] == (_CRASH,)):
        return _OF_MACOS.get((more[1] if len(more) > 1 else flags) >> 24 & 0xFF)
    return None
