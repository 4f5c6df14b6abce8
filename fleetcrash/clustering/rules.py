"""The rules that make a signature, in the order of ``RULES``.

Each rule looks at a draft and, where it applies, changes it and says so. To change what crashes are grouped by, change
a list in ``lists/`` if possible, and a rule only otherwise. Any change moves crashes into other clusters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fleetcrash.clustering.codes import (
    HANG,
    MAX_CODE_LENGTH,
    UNKNOWN,
    CrashClass,
    canonical_code,
    class_named,
    class_of,
)
from fleetcrash.clustering.lists import frame_list
from fleetcrash.clustering.names import KERNEL, MAX_NAME_LENGTH, function_name, module_name
from fleetcrash.clustering.signature import MAX_FRAMES, NamedFrame, Role, Shape, Signature, Step

# The frames with which a system calls a program's handler of a signal: those inside of them run because of the signal.
SIGNAL_FRAMES = frozenset([
    "__restore_rt", "__kernel_rt_sigreturn", "__kernel_sigreturn", "_sigtramp", "_platform_sigtramp",
    "<signal handler called>", "signal handler called",
])  # fmt: skip
_PATH = re.compile(r"\(?((?:/|[A-Za-z]:\\)[^()+]+)")
_PLACE_IN_TEXT = re.compile(r"\b(?:in|at):? (?:\S+:\d+ )?([A-Za-z_][\w.]{2,100})\+0x[0-9a-f]")


@dataclass
class Draft:
    """A signature in the making.

    Attributes:
        code: in its canonical spelling. crash_class: of the code. module: of the crash, normalised.
        frames: innermost first. decided: the module and function that the family names.
    """

    shape: Shape
    code: str = ""
    crash_class: CrashClass = UNKNOWN
    module: str = ""
    frames: list[NamedFrame] = field(default_factory=list)
    decided: NamedFrame | None = None
    version: str = ""
    offset: int | None = None
    steps: list[Step] = field(default_factory=list)

    @property
    def in_kernel(self) -> bool:
        return self.shape.domain == "kernel"

    def first(self, *roles: Role) -> int | None:
        """Position of the innermost frame with one of the roles."""
        return next((at for at, frame in enumerate(self.frames) if frame.role in roles), None)


@dataclass(frozen=True)
class Rule:
    """A predicate and an action.

    Attributes:
        act: changes the draft and returns what it saw and what it made of it. Its docstring is the rule's reason.
    """

    name: str
    applies: Callable[[Draft], bool]
    act: Callable[[Draft], tuple[str, str]]


def _spell_code(draft: Draft) -> tuple[str, str]:
    """Formats spell a code differently: 0x50, 0x00000050, PAGE_FAULT_IN_NONPAGED_AREA."""
    draft.code = canonical_code(draft.shape.code, draft.shape.os_type)
    return _shown(draft.shape.code), draft.code


def _class_code(draft: Draft) -> tuple[str, str]:
    """One fault shows under several codes, so the class of the code is compared, not the code."""
    draft.crash_class = class_of(draft.code)
    return _shown(draft.code), f"{draft.crash_class.name} ({_shown(draft.crash_class.title)})"


def _class_hang(draft: Draft) -> tuple[str, str]:
    """The code with which a hang is ended varies; that it hung is what its crashes share."""
    draft.crash_class = class_named(HANG)
    return "domain hang", f"{HANG} ({draft.crash_class.title})"


def _name_module(draft: Draft) -> tuple[str, str]:
    """A module is compared without path, case and version."""
    draft.module = _module(draft, draft.shape.module)
    return _shown(draft.shape.module), draft.module or "says nothing"


def _name_frames(draft: Draft) -> tuple[str, str]:
    """Frames are compared by module and function, without arguments, offsets and what a compiler adds."""
    for frame in draft.shape.frames[:MAX_FRAMES]:
        module, function = _module(draft, frame.module), function_name(frame.function)
        path = _PATH.match(frame.function or "")
        if path and not module:  # a tool without symbols names the file from which the code is mapped
            module, function = _module(draft, path[1]), ""
        if "+" in (frame.function or "") and function.lower() in (module, module.partition(".")[0]):
            function = ""  # "csagent+0xe14ed" is an offset, and no function
        if not module and function and draft.in_kernel and draft.shape.os_type != "windows":
            module = KERNEL  # the core has no module of its own in the text of an oops
        if module == KERNEL and draft.shape.os_type == "darwin":
            function = function.removeprefix("_")  # added by the linker, and left off by some tools
        # Without symbols every backtrace of macOS begins with addresses in the kernel, whatever is at fault.
        says_nothing = draft.shape.os_type == "darwin" and module == KERNEL
        role = Role.OTHER if function or (module and not says_nothing) else Role.UNKNOWN
        draft.frames.append(NamedFrame(module, function, frame.offset, role))
    known = sum(frame.role is not Role.UNKNOWN for frame in draft.frames)
    return f"{len(draft.shape.frames)} frames", f"{known} with a name"


def _mark_reporting(draft: Draft) -> tuple[str, str]:
    """Frames that run because of the crash say nothing about its cause, nor does a handler that ends the process."""
    told = _mark(draft, "reporting", Role.REPORTING)
    innermost = next((frame.role for frame in draft.frames if frame.role is not Role.UNKNOWN), None)
    if innermost is Role.REPORTING:  # else the handler itself has crashed
        handled = (at for at, frame in enumerate(draft.frames) if frame.function in SIGNAL_FRAMES)
        for at in range(max(handled, default=0)):
            if draft.frames[at].role is Role.OTHER:
                draft.frames[at] = replace(draft.frames[at], role=Role.REPORTING)
    return told


def _mark_machinery(draft: Draft) -> tuple[str, str]:
    """A kernel, C library or runtime crashes because of what called it."""
    return _mark(draft, "machinery", Role.MACHINERY)


def _mark(draft: Draft, name: str, role: Role) -> tuple[str, str]:
    listed = frame_list(name)
    marked = []
    for at, frame in enumerate(draft.frames):
        if frame.role is Role.OTHER and listed.has(frame.module, frame.function):
            draft.frames[at] = replace(frame, role=role)
            marked.append(frame.name)
    more = f" and {len(marked) - 3} more" if len(marked) > 3 else ""
    return f"list {name}", (", ".join(map(_shown, marked[:3])) or "none of the frames") + more


def _decide_by_blame(draft: Draft) -> tuple[str, str]:
    """Without symbols a stack of macOS begins in the system's own code; its report knows whose code called that."""
    at = next((at for at, frame in enumerate(draft.frames) if frame.module == draft.module), None)
    return _decide_by_module(draft) if at is None else _decide_at(draft, at)


def _decide_by_frame(draft: Draft) -> tuple[str, str]:
    """The fault is looked for in the innermost frame that is not the system's own."""
    return _decide_at(draft, draft.first(Role.OTHER))


def _decide_by_module(draft: Draft) -> tuple[str, str]:
    """If there is no such frame, the module that the report blames."""
    draft.decided = NamedFrame(draft.module, "", None, Role.DECIDES)
    return _shown(draft.shape.module), draft.module


def _decide_by_program(draft: Draft) -> tuple[str, str]:
    """Only system code is known of the place: then the program that called it decides, as each has its own faults."""
    draft.decided = NamedFrame(module_name(draft.shape.program), "", None, Role.DECIDES)
    return _shown(draft.shape.program), draft.decided.name


def _decide_by_machinery(draft: Draft) -> tuple[str, str]:
    """If the stack is only system code, the innermost frame that does not report the crash."""
    return _decide_at(draft, draft.first(Role.MACHINERY))


def _decide_by_any_module(draft: Draft) -> tuple[str, str]:
    """If there is nothing else, the module that the report blames, even if it is the system's own."""
    return _decide_by_module(draft)


def _decide_by_text(draft: Draft) -> tuple[str, str]:
    """Without a stack, the function that the text of the code names: "BUG: KASAN: use-after-free in foo+0x18/0xc0"."""
    found = _PLACE_IN_TEXT.search(draft.shape.code or "")
    function = function_name(found[1]) if found else ""
    draft.decided = NamedFrame(KERNEL if draft.in_kernel else "", function, None, Role.DECIDES)
    return _shown(draft.shape.code), function


def _decide_by_code(draft: Draft) -> tuple[str, str]:
    """Without a place, crashes are distinguished only by their code."""
    draft.decided = NamedFrame("", "", None, Role.DECIDES)
    code, known = draft.code[:MAX_CODE_LENGTH].strip(), draft.crash_class
    if code and code != known.name:
        draft.crash_class = CrashClass(f"{known.name} {code}", f"{known.title} ({code})")
    return _shown(draft.code), draft.crash_class.name


def _decide_at(draft: Draft, at: int | None) -> tuple[str, str]:
    if at is None:
        return "no frame", "nothing"
    draft.decided = draft.frames[at] = replace(draft.frames[at], role=Role.DECIDES)
    return f"frame {at} of {len(draft.frames)}", draft.decided.name


def _add_version(draft: Draft) -> tuple[str, str]:
    """A variant is one build, given by the version if that is of the module that decides."""
    draft.version = " ".join((draft.shape.module_version or "").split())[:MAX_NAME_LENGTH]
    return _shown(draft.shape.module_version), draft.version


def _add_offset(draft: Draft) -> tuple[str, str]:
    """Without symbols the offset distinguishes places within a module."""
    own = draft.decided.offset if draft.decided else None
    draft.offset = draft.shape.module_offset if own is None else own
    return f"offset {draft.offset}", f"+{draft.offset:#x}"


def _has_own_module(draft: Draft) -> bool:
    # The whole kernel says less than any of its functions.
    is_vague = draft.module == KERNEL and draft.first(Role.MACHINERY) is not None
    return draft.decided is None and _is_own(draft.module) and not is_vague


def _is_program_at_fault(draft: Draft) -> bool:
    return draft.decided is None and not draft.in_kernel and _is_own(module_name(draft.shape.program))


def _is_own(module: str) -> bool:
    return bool(module) and not any(frame_list(name).has(module, "") for name in ("reporting", "machinery"))


def _knows_better_than_addresses(draft: Draft) -> bool:
    at = draft.first(Role.OTHER)
    if draft.shape.os_type != "darwin" or at is None or draft.frames[at].function:
        return False
    return draft.module != KERNEL and _has_own_module(draft)


def _decides_frame(draft: Draft) -> bool:
    return draft.decided is None and draft.first(Role.OTHER) is not None


def _code_names_a_function(draft: Draft) -> bool:
    return draft.decided is None and _PLACE_IN_TEXT.search(draft.shape.code or "") is not None


def _version_is_of_the_decider(draft: Draft) -> bool:
    return bool(draft.shape.module_version and draft.decided and draft.decided.module == draft.module)


def _needs_offset(draft: Draft) -> bool:
    decided = draft.decided
    if decided is None or decided.function or not decided.module:
        return False
    return decided.offset is not None or (decided.module == draft.module and draft.shape.module_offset is not None)


RULES = (
    Rule("code", lambda draft: bool(draft.shape.code), _spell_code),
    Rule("class", lambda draft: bool(draft.code), _class_code),
    Rule("hang", lambda draft: draft.shape.domain == "hang", _class_hang),
    Rule("module", lambda draft: bool(draft.shape.module), _name_module),
    Rule("frames", lambda draft: bool(draft.shape.frames), _name_frames),
    Rule("reporting", lambda draft: bool(draft.frames), _mark_reporting),
    Rule("machinery", lambda draft: bool(draft.frames), _mark_machinery),
    Rule("blamed before addresses", _knows_better_than_addresses, _decide_by_blame),
    Rule("first frame", _decides_frame, _decide_by_frame),
    Rule("blamed module", _has_own_module, _decide_by_module),
    Rule("program", _is_program_at_fault, _decide_by_program),
    Rule(
        "machinery only",
        lambda draft: draft.decided is None and draft.first(Role.MACHINERY) is not None,
        _decide_by_machinery,
    ),
    Rule("any module", lambda draft: draft.decided is None and bool(draft.module), _decide_by_any_module),
    Rule("named in the code", _code_names_a_function, _decide_by_text),
    Rule("code alone", lambda draft: draft.decided is None, _decide_by_code),
    Rule("version", _version_is_of_the_decider, _add_version),
    Rule("offset", _needs_offset, _add_offset),
)


def sign(shape: Shape) -> Signature:
    """The signature of a shape: deterministic, and defined for every shape."""
    draft = Draft(shape)
    for rule in RULES:
        if rule.applies(draft):
            saw, made = rule.act(draft)
            draft.steps.append(Step(rule.name, saw, made))
    place = draft.decided.name if draft.decided and (draft.decided.module or draft.decided.function) else ""
    family = " | ".join(part for part in (shape.os_type, draft.crash_class.name, place) if part)
    more = [draft.version, "" if draft.offset is None else f"+{draft.offset:#x}"]
    return Signature(
        family=family,
        variant=" ".join([family, *(part for part in more if part)]),
        title=_title(draft),
        frames=tuple(draft.frames),
        steps=tuple(draft.steps),
    )


def _title(draft: Draft) -> str:
    decided, what = draft.decided, draft.crash_class.title
    if decided is None or not (decided.module or decided.function):
        return what
    if not decided.module:
        return f"{decided.function}: {what}"
    return f"{decided.module}: {what}" + (f" in {decided.function}" if decided.function else "")


def _module(draft: Draft, text: str | None) -> str:
    windows = draft.shape.os_type == "windows"
    name = module_name(text, windows_kernel=draft.in_kernel and windows)
    library = f"{name}.dll"  # debuggers omit the extension
    return library if windows and "." not in name and frame_list("machinery").has(library, "") else name


def _shown(text: str | None) -> str:
    """A text as a step shows it: short, and on one line."""
    plain = " ".join((text or "")[: 2 * MAX_NAME_LENGTH].split())
    return plain if len(plain) <= MAX_NAME_LENGTH else plain[: MAX_NAME_LENGTH - 1] + "…"
