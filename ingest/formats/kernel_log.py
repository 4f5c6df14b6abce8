"""Crashes in the log of a Linux kernel: its own, and those of processes that it reports.

A kernel reports a fault in many lines. The one that ends in ``[#1]`` occurs once per fault, so it represents it; so
does a panic without an earlier fault in the same boot. The lines after it have the stack. A warning is no crash: it
only explains a panic of a kernel that is set to panic on warnings. The kernel of a host crashes at most once a minute.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile

from ingest.formats import kernel_processes, kernel_steps
from ingest.formats.blame import at_fault, held_up_in
from ingest.formats.crashes import LONGEST_TEXT, Frame, Records, name_of, tags_of, text
from ingest.formats.kernel_deaths import code_of, died_of
from ingest.formats.kernel_lines import Line
from ingest.formats.kernel_warnings import ASKED, HANG, OWN_WARNING, PANIC_ON, PANIC_ON_HANG, WARNING

_MOST_LINES = 300  # of one fault
_MOST_KNOWN_BY = 24  # lines after a fault's own: who died, and the registers
_MOST_HELD = 100_000  # lines of all hosts that wait for the lines after them; some hundred bytes each
_ONCE_IN_S = 60.0  # faults that follow one of the same kernel are its consequences
_ALONE = "SMP: stopping secondary CPUs"  # from here on no other processor reports
_CLOCK_SLACK_S = 1.0  # processors write in parallel, so a line may be a little older than the one before

_HEAD = re.compile(
    r"\s{0,4}(?:CPU \d{1,5} )?(?:BUG: (?:[Uu]nable to handle|[Kk]ernel NULL)|kernel BUG at|Unable to handle kernel)"
    r"|(?:Oops: )?general protection fault, probably(?!.*\[#)|Unhandled fault: \w.{3,60} \(0x"
    r"|(?:traps: )?PANIC: double fault, error_code: |Kernel stack overflow\.\s*$"
)
# In old kernels the line with the error code has no number, or one without a mark; a head may be before it.
_UNNUMBERED = re.compile(
    r"(?:Oops|invalid op(?:erand|code)|general protection fault|divide error|double fault): [0-9a-f]{4}"
    r"(?: \[\d{1,4}\](?: [A-Z_]{3,20}){0,6})?\s*$"
)
_BEGINS_STACK = re.compile(
    r"\s{0,8}(?:[RE]IP(?:: | is at )|e?pc {0,5}: |PC is at |NIP |TSTATE: |Call [Tt]race:|\[<[0-9a-f]{8,16}>\] [\w.(]"
    r"|Oops: [0-9a-f]{4}(?: \[\d{1,4}\]|\s*$))"
)
_UNTIL_END = 60  # lines of the end of an oops, before the panic that it leads to
_UNTIL_STACK = 16  # lines between the head of an oops and its stack
_NUMBER = re.compile(r"\[#\d{1,6}\]")  # a line that two consoles write a little differently has the same
_DIED_OF_ZFS = re.compile(  # one of its threads stops for ever
    r"PANIC at (?P<place>[\w./-]{1,200}:\d{1,9}):\w{1,200}\(\)"
    r"|SPLError: [\d:]{1,30}\((?P<older>[^\s:]{1,200}:\d{1,9}):\w{1,200}\(\)\) SPL PANIC"
)
_DIED_ON_PARISC = re.compile(r"(?P<what>Kernel Fault: )Code=\d{1,3} \((?P<kind>[^()]{1,80})\)")
_PANIC = re.compile(
    # Its last line too: of a screen often only the end is known. Linux 2.4 says less, and so might prose.
    r"(?:(?:---\[ end )?Kernel panic - not syncing:(?! ?%s) ?|Kernel panic: (?=Aiee, killing |Attempted to kill |VFS: "
    r"|No init found|(?:Fatal exception|CPU context corrupt|Unable to continue|for safety)\s*$))(?P<what>.{0,300})"
)

# Hardly any line of a log is about a crash, so lines are first checked for a word that such lines have.
_MAY_TELL = re.compile(
    rf"{kernel_processes.MARKS}|BUG|Unable to handle|Unhandled fault|IP: |WARNING: |UBSAN: |LOCKUP|lockup|INFO: |\[#\d"
    r"|PANIC|Kernel (?:panic|Fault: |stack over)|general protection fault|divide error|double fault|Oops: |invalid op"
)
_END = re.compile(
    r"---\[ end|Rebooting in|Kernel panic(?: - not syncing|: )|Sending NMI|NMI backtrace for|RCU grace-period kthread"
)


@dataclass(frozen=True)
class Fault:
    """A crash in a log.

    Attributes:
        line: the one that represents it.
        domain: kernel or user.
        release: of the kernel.
        known_by: lines that tell it from others, where no clock does.
    """

    line: Line
    domain: str
    code: str
    module: str | None = None
    module_offset: int | None = None
    frames: Sequence[Frame] = ()
    release: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    known_by: Sequence[str] = ()

    @property
    def pids(self) -> Sequence[str]:
        """The number of the process; empty if it is unknown."""
        return [self.tags["pid"]] if "pid" in self.tags else []


@dataclass
class _Boot:
    """What a kernel has reported since it started.

    Attributes:
        died_at: the kernel's clock at that time.
        head: the first line of an oops, and head_at: its line number. blamed: the function in the line after it.
        warning, warned_at: the last report that is no crash unless a panic follows, and its line number.
        warned: that line, and those after it.
        hang, hung_at: the stack of the first task or processor reported to hang, and its line number.
    """

    has_died: bool = False
    died_at: float | None = None
    head: str | None = None
    head_at: int | None = None
    blamed: Frame | None = None
    warning: str | None = None
    warned_at: int = 0
    warned: Sequence[Line] = ()
    hang: Sequence[Frame] = ()
    hung_at: int = 0


class Kernel:
    """The crashes in lines of one host, as they come.

    A line waits for those after it, which have its stack.
    """

    def __init__(self) -> None:
        self._held: deque[Line] = deque()
        self._boot = _Boot()
        self._clock: float | None = None
        self._count = 0
        self._recent: deque[str] = deque([""], maxlen=_UNTIL_END)
        self._last: tuple[float | None, str] = None, ""

    def __len__(self) -> int:
        return len(self._held)

    def feed(self, line: Line) -> Iterator[Fault]:
        """Process the next line. Two consoles on one wire write each line twice."""
        if line.clock is not None and (line.clock, line.text) == self._last:
            return
        self._last = line.clock, line.text
        self._held.append(line)
        if len(self._held) > _MOST_LINES:
            yield from self._oldest()

    def end(self) -> Iterator[Fault]:
        """No line belongs to those before it any more."""
        while self._held:
            yield from self._oldest()

    def _oldest(self) -> Iterator[Fault]:
        line = self._held.popleft()
        said, now = line.text, line.clock
        before = self._recent[-1]
        self._recent.append(said)
        self._count += 1
        if _is_of_next_boot(said, now, self._clock):
            self._boot = _Boot()
        self._clock = self._clock if now is None else now
        boot = self._boot
        if not _MAY_TELL.search(said):
            return
        if process := kernel_processes.fault_of(said, (one.text for one in self._held)):
            yield Fault(line, "user", process.code, process.module, process.module_offset, tags=process.tags)
        elif (is_head := _HEAD.match(said)) or (_UNNUMBERED.match(said) and not self._has_head()):
            boot.head, boot.head_at, boot.blamed = said.lstrip(), self._count if is_head else None, None
            if self._has_no_number():
                if not self._has_just_died(now):
                    yield _of_kernel(line, self._held, said, code_of(said, "Oops"))
                boot.has_died, boot.died_at, boot.head = True, now, None
        elif boot.head and (blamed := kernel_steps.BLAMED.match(said)):
            boot.blamed = kernel_steps.frame_of(blamed)
        elif WARNING.match(said):
            self._warned(line)
        elif died := died_of(said, boot.head):
            if now is not None and (now, said) in ((one.clock, one.text) for one in self._held):
                return  # it went to all terminals before
            if not self._has_just_died(now):
                yield _of_kernel(line, self._held, boot.head or said, code_of(boot.head or "", died), boot.blamed)
            boot.has_died, boot.died_at = True, now
            boot.head = boot.blamed = None
        elif (of_zfs := _DIED_OF_ZFS.match(said)) and not self._has_just_died(now):
            boot.has_died, boot.died_at = True, now
            what = f"PANIC at {of_zfs['place'] or of_zfs['older']}"
            yield _of_kernel(line, self._held, before if before.startswith("VERIFY") else said, what)
        elif (fault := _DIED_ON_PARISC.match(said)) and not self._has_just_died(now):
            boot.has_died, boot.died_at = True, now
            yield _of_kernel(line, self._held, said, fault["what"] + fault["kind"])
        elif (panic := _PANIC.match(said)) and not boot.has_died and not self._dies_yet():
            boot.has_died, boot.died_at = True, now
            yield self._panicked(line, panic["what"].partition(" ]---")[0])

    def _has_head(self) -> bool:
        """Whether the lines right before have the head of an oops."""
        at = self._boot.head_at
        return at is not None and self._count - at <= _UNTIL_STACK

    def _has_just_died(self, now: float | None) -> bool:
        at = self._boot.died_at
        return now is not None and at is not None and now - at < _ONCE_IN_S

    def _has_no_number(self) -> bool:
        """Whether the stack of an oops follows its head without a line with a number, which not all kernels write."""
        has_stack = False
        for at, line in enumerate(self._held):
            said = line.text
            if _HEAD.match(said) or _is_of_next_boot(said, line.clock, self._clock):
                break
            if died_of(said, self._boot.head):
                return False
            has_stack = has_stack or (at < _UNTIL_STACK and _BEGINS_STACK.match(said) is not None)
        return has_stack

    def _warned(self, line: Line) -> None:
        """Remember a report that is a crash only if a panic follows."""
        boot = self._boot
        boot.warning, boot.warned_at = line.text, self._count
        boot.warned = [line, *islice(self._held, _MOST_LINES)]
        if HANG.match(line.text) and (not boot.hang or self._count - boot.hung_at > _MOST_LINES):
            boot.hang, boot.hung_at = _stack_of_hang(line, self._held), self._count

    def _dies_yet(self) -> bool:
        """Whether an oops, which has more information, follows a panic that another processor reported first."""
        for line in self._held:
            if _is_of_next_boot(line.text, line.clock, self._clock) or line.text.startswith(_ALONE):
                return False
            if died_of(line.text, self._boot.head):
                return True
        return False

    def _panicked(self, line: Line, what: str) -> Fault:
        """The crash of a panic; its cause is in its message, or in the report before it."""
        boot, told = self._boot, self._boot.head or line.text
        if boot.warning and self._count - boot.warned_at <= _MOST_LINES and PANIC_ON.search(what):
            told = boot.warning
        found = _of_kernel(line, self._held, told, f"Kernel panic: {what}".rstrip(" :"))
        if boot.hang and self._count - boot.hung_at <= _MOST_LINES and PANIC_ON_HANG.search(what):
            # The panic's own stack is that of the watchdog.
            return replace(found, module=held_up_in(boot.hang), frames=boot.hang)
        # The log begins within the oops.
        if not found.frames and what.removeprefix("Oops: ").startswith("Fatal exception"):
            frames, release = kernel_steps.stack_of(self._recent, None)
            return replace(found, module=at_fault(frames)["module"], frames=frames, release=found.release or release)
        if not found.frames and told == boot.warning and boot.warned:  # the log ends there
            frames, release = _stack(boot.warned[0], boot.warned[1:], None)
            frames = frames or kernel_steps.named_in(boot.warning)
            module = at_fault(frames)["module"]
            return replace(found, module=module, frames=frames, release=release or found.release)
        return found


class Kernels:
    """The crashes in lines of many hosts, as they come, in bounded memory."""

    def __init__(self) -> None:
        self._of: OrderedDict[str | None, Kernel] = OrderedDict()
        self._held = 0

    def feed(self, host: str | None, line: Line) -> Iterator[tuple[str | None, Fault]]:
        """Process the next line of a host."""
        kernel = self._of.get(host)
        if kernel is None:
            kernel = self._of[host] = Kernel()
        self._of.move_to_end(host)
        before = len(kernel)
        yield from ((host, fault) for fault in kernel.feed(line))
        self._held += len(kernel) - before
        while self._held > _MOST_HELD:
            yield from self._end_of(next(iter(self._of)))

    def end(self) -> Iterator[tuple[str | None, Fault]]:
        """No line belongs to those before it any more."""
        for host, kernel in self._of.items():
            yield from ((host, fault) for fault in kernel.end())
        self._held = 0

    def _end_of(self, host: str | None) -> Iterator[tuple[str | None, Fault]]:
        kernel = self._of.pop(host)
        self._held -= len(kernel)
        yield from ((host, fault) for fault in kernel.end())


def faults(lines: Iterable[Line]) -> Iterator[Fault]:
    """The crashes in lines of one host, in their order."""
    kernel = Kernel()
    for line in lines:
        yield from kernel.feed(line)
    yield from kernel.end()


def begins_fault(said: str) -> bool:
    """Whether a line begins a crash report of a kernel; no other program writes such a line."""
    if said.startswith("WARNING: "):
        return OWN_WARNING.match(said) is not None
    forms = (_HEAD, _UNNUMBERED, _DIED_OF_ZFS, _DIED_ON_PARISC, _PANIC, WARNING)
    if kernel_processes.begins(said) or any(form.match(said) for form in forms):
        return True
    return "[#" in said and '"' not in said and died_of(said, None) is not None  # not one that is quoted in a log


def add(
    records: Records,
    fault: Fault,
    *,
    host_id: str | None,
    at: str | None,
    own_id: str | None = None,
    os_type: str | None = "linux",
    os_version: str | None = None,
) -> None:
    """Add the crash of a fault.

    Args:
        at: when its line was written; None: unknown.
        own_id: of the line, if it has one.
        os_type, os_version: of the host, if known from elsewhere.
    """
    host = host_id or ""
    if fault.domain == "kernel" and at:
        crash_id = name_of("kernel", host, at[:16])  # its minute
    else:
        known_by = () if at or fault.line.clock is not None else fault.known_by
        crash_id = own_id or name_of(fault.domain, host, at or "", str(fault.line.clock), fault.line.text, *known_by)
    records.crash(
        crash_id=crash_id,
        host_id=host_id,
        occurred_at=at,
        time_quality="log",
        os_type=os_type,
        os_version=os_version or fault.release,
        domain=fault.domain,
        code=text(fault.code),
        module=fault.module,
        module_offset=fault.module_offset,
        uptime_s=fault.line.clock,
        frames=fault.frames,
        tags=tags_of(fault.tags.items()),
    )


def _is_of_next_boot(said: str, now: float | None, before: float | None) -> bool:
    """Whether a kernel has started: its first message says so, and its clock is reset."""
    if said.startswith("Linux version "):
        return True
    return now is not None and before is not None and now < before - _CLOCK_SLACK_S


def _of_kernel(line: Line, behind: Iterable[Line], said: str, what: str, blamed: Frame | None = None) -> Fault:
    """A fault of the kernel, with the stack from the lines after it."""
    frames, release = _stack(line, behind, blamed)
    return Fault(
        line,
        "kernel",
        what.strip(),
        at_fault(frames)["module"],
        frames=frames,
        release=release,
        tags={"message": said[:LONGEST_TEXT]},
        known_by=[said, *(one.text for one in _own(line, islice(behind, _MOST_KNOWN_BY)))],
    )


def _stack(fault: Line, behind: Iterable[Line], blamed: Frame | None) -> tuple[list[Frame], str | None]:
    """The frames in the lines after a fault, innermost first, and the kernel's release.

    Args:
        blamed: the function named in a line before the fault.
    """
    own = _own(fault, islice(behind, _MOST_LINES))
    return kernel_steps.stack_of((line.text for line in own), blamed)


def _stack_of_hang(hang: Line, behind: Iterable[Line]) -> list[Frame]:
    """The stack of what hangs; a processor that does not answer is interrupted to tell it."""
    own = takewhile(lambda line: not (_PANIC.match(line.text) or HANG.match(line.text)), behind)
    lines = list(islice(own, _MOST_LINES))
    asked = next((at for at, line in enumerate(lines) if ASKED.match(line.text)), None)
    frames, _ = _stack(hang, lines, None)
    return frames if frames or asked is None else _stack(lines[asked], lines[asked + 1 :], None)[0]


def _own(fault: Line, behind: Iterable[Line]) -> Iterator[Line]:
    return takewhile(lambda line: not _is_over(line, fault), behind)


def _is_over(line: Line, fault: Line) -> bool:
    """Whether a line after a fault belongs to another one, or to something later."""
    said = line.text
    if _END.search(said) or _HEAD.match(said) or HANG.match(said):
        return True
    if _UNNUMBERED.match(said) and _UNNUMBERED.match(fault.text):
        return True
    if died_of(said, None):
        is_again = line.clock is not None and line.clock == fault.clock
        return not is_again or _NUMBER.findall(said) != _NUMBER.findall(fault.text)
    return _is_of_next_boot(said, line.clock, fault.clock)
