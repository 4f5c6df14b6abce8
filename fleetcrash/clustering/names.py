"""Names of modules and functions as they are compared: without what differs between two hosts with the same fault.

Every function here takes any text and returns a short one, which is empty where the name says nothing. Characters that
cannot be shown, such as those that move a terminal's cursor, are no part of a name.
"""

from __future__ import annotations

import re
from functools import lru_cache

from fleetcrash.clustering.lists import lines

MAX_NAME_LENGTH = 160  # characters; what a line of a page can show. Cut names may become equal.
_MAX_READ_LENGTH = 1000  # characters that are looked at; some C++ names have megabytes of template arguments

_UNKNOWN = frozenset(lines("unknown_names"))
_ADDRESS = re.compile(r"(?:sub_|fun_|loc_|jit\W*|@|\[|<)?(?:0x)?[0-9a-f]{6,16}[\])>]?", re.IGNORECASE)
_OFFSET = re.compile(r"\s?\+\s?(?:0x[0-9a-f]+|\d+)(?:/(?:0x)?[0-9a-f]+)?\b.*", re.IGNORECASE)


def _shown(text: str) -> str:
    return text if text.isprintable() else "".join(each for each in text if each.isprintable())


# -- modules

_WINDOWS_KERNEL = frozenset(
    ["nt", "ntoskrnl.exe", "ntkrnlmp.exe", "ntkrnlpa.exe", "ntkrpamp.exe", "ntoskrnl", "ntkrnlmp"]
)
_CORE_KERNEL = frozenset(["kernel", "vmlinux", "vmlinuz", "mach_kernel", "kernel.kallsyms", "com.apple.kernel", "xnu"])
_PLACES = ("site-packages/", "dist-packages/", "node_modules/", "webpack:///")
_MADE_UP = ("anon:", "anon_inode:", "memfd:", "jitted-", "perf-")  # code generated at run time
_EVERYDAY_FILES = frozenset(["__init__.py", "__main__.py", "index.js", "index.ts", "mod.rs", "lib.rs"])

# Stands for the core of a Linux or Darwin kernel, whatever its name.
KERNEL = "kernel"


@lru_cache(maxsize=65_536)
def module_name(text: str | None, *, windows_kernel: bool = False) -> str:
    r"""A module's name without path, case, version and build.

    Args:
        text: such as ``C:\Windows\System32\drivers\CSAgent.sys``, ``libc.so.6``, ``com.apple.iokit.IOFoo (1.0)``.
        windows_kernel: a name without extension is a driver's, as debuggers write it: ``csagent`` is ``csagent.sys``.
    """
    name = _shown((text or "")[-_MAX_READ_LENGTH:]).strip().strip("'\"").removesuffix("(deleted)").strip()
    name = name.partition("!")[0].partition("?")[0] if not name.startswith("?") else ""
    name = re.sub(r"\s*\([\w.\-]+\)(?:\[.*|@.*)?$", "", name)  # "(1.0)[uuid]@0xffff", of a kernel extension
    name = _OFFSET.sub("", name).replace("\\", "/").rstrip("/")
    name = _without_folders(name).lower().strip("[]{}<>")
    if not name or name in _UNKNOWN or f"[{name}]" in _UNKNOWN or name.startswith(_MADE_UP) or _ADDRESS.fullmatch(name):
        return ""
    if name in _WINDOWS_KERNEL:
        return "nt"
    if name in _CORE_KERNEL:
        return KERNEL
    name = re.sub(r"(?:[-_.]\d[\w.]*)?(\.so)(?:\.[\d.]+)?$", r"\1", name)  # libfoo-1.2.so, libfoo.so.1.2.3
    name = re.sub(r"(?:[-_.]\d[\d.]*)?(\.dylib)$", r"\1", name)
    name = re.sub(r"[-.](?=[0-9a-f]*\d)[0-9a-f]{6,40}(\.(?:min\.)?[cm]?js)$", r"\1", name)  # a bundler's hash
    if re.search(r"\.ko(?:\.\w+)?$", name):
        name = re.sub(r"\.ko(?:\.\w+)?$", "", name).replace("-", "_")
    if windows_kernel and "." not in name and name != "hal":
        name += ".sys"
    return "hal" if name == "hal.dll" else name[:MAX_NAME_LENGTH].strip()


def _without_folders(path: str) -> str:
    for place in _PLACES:
        if place in path:
            return path.rpartition(place)[2].removeprefix("./")
    if path.startswith("node:"):
        return path
    folders, _, name = path.rpartition("/")
    folder = folders.rpartition("/")[2]
    return f"{folder}/{name}" if folder and name in _EVERYDAY_FILES else name


# -- functions

# Each run of suffixes can match in one way only: with two ways for each, a name with forty of them would take for ever.
_CLONES = re.compile(
    r"(?:\.(?:isra|constprop|part|cold|llvm|lto_priv|localalias|ipa|cfi_jt|cfi|warm|hot|unlikely|dtprel|thinlto|specialized)"
    r"(?:\.\d+)*|\s?\[clone[^\]]*\]|\$(?=\w*variant)\w+|@plt|@@?[A-Z]\w*_[\d.]+|\s?\(\.cold(?:\.\d+)?\))+$"
)
_MANGLED = re.compile(r"_{1,2}Z(?P<nested>N[rVKRO]*)?(?P<std>St)?(?=[1-9]\d{0,2}[A-Za-z_])")
_MANGLED_END = re.compile(r"E|[CD][0-9]E")
_LENGTH = re.compile(r"[1-9]\d{0,2}")
_RUST_HASH = re.compile(r"(?:::h[0-9a-f]{16}|17h[0-9a-f]{16}E)(?=$|\W)")
_SYSCALL = re.compile(
    r"^(?:__(?:x64|ia32|arm64|arm|riscv|s390x?|powerpc)_(?:compat_)?sys_|__(?:se|do)_(?:compat_)?sys_|SyS_|SYSC_|ksys_)(?=\w)"
)
_SOURCE = re.compile(r"(?:\s+|(?<=\w):)(?:\(|at |in |\[)?[^()\[\]\s]*\.\w{1,5}(?::\d+){0,2}[)\]]?$|:\d+(?::\d+)?$")
_ENGINE_TAG = re.compile(r"^(?:Builtin|LazyCompile|Function|Eval|Script|JS|py|RegExp|Interpreter)::?[~*^+]?(?=\S)")
_NUMBERED = (
    (re.compile(r"\(anonymous namespace\)|`anonymous[- ]namespace'|<anonymous namespace>|_GLOBAL__N_1"), "{anonymous}"),
    (re.compile(r"\{lambda\([^{}]*\)#\d+\}|\{lambda#\d+\}|'lambda\d*'(?:\([^()]*\))?|\$_\d+"), "{lambda}"),
    (re.compile(r"<?\blambda_[0-9a-f]+(?:_\d+)?>?"), "{lambda}"),  # MSVC
    (re.compile(r"\{\{closure\}\}(?:::\{\{closure\}\})+|\{closure#\d+\}(?:::\{closure#\d+\})*"), "{{closure}}"),
    (re.compile(r"(_block_invoke)(?:[_.]?\d)+"), r"\1"),
    (re.compile(r"^__\d+(?=[-+]\[)"), ""),
    (re.compile(r"(\.func)\d+(?:\.\d+)*"), r"\1"),
    (re.compile(r"<>c(?:__DisplayClass\d+_\d+)?"), "{lambda}"),  # C#
    (re.compile(r"<(\w+)>([bdg])__\w*(?:\|[\d_]+)?"), r"\1.\2"),  # C#: <Run>b__1_0, <Main>d__0
    (re.compile(r"(\$\$Lambda|\blambda\$\w+)[$/][\w$/]*"), r"\1"),  # Java
    (re.compile(r"<(anonymous|module|lambda|listcomp|genexpr|dictcomp|setcomp|init|clinit|eval)>"), r"{\1}"),
    (re.compile(r"\(\*(\w+)(?:\[[^\]]*\])?\)"), r"*\1"),  # Go: main.(*Server).handle
    (re.compile(r"\[abi:\w+\]"), ""),
    (re.compile(r"0x[0-9a-f]{4,}", re.IGNORECASE), "{address}"),
    (re.compile(r"(?<![\w])#?\d{4,}\b"), "{number}"),
)  # fmt: skip


@lru_cache(maxsize=65_536)
def function_name(text: str | None) -> str:
    """A function's name without arguments, template arguments, offsets, clones of the compiler, hashes and numbers.

    Args:
        text: as a debugger writes it: ``foo<int>::bar(char*) const+0x1f``, ``ext4_free.isra.0+0x3c/0x90 [ext4]``.
    """
    name = _shown((text or "")[:_MAX_READ_LENGTH]).strip()
    if re.match(r"[\w.\-]+!(?!=)", name):
        name = name.partition("!")[2]
    name = _OFFSET.sub("", name).strip()
    name = _SOURCE.sub("", _ENGINE_TAG.sub("", _CLONES.sub("", name))).strip()
    name = re.sub(r"^(?:async|static|virtual|inline)\s+", "", name)
    for pattern, instead in _NUMBERED:
        name = pattern.sub(instead, name)
    name = _CLONES.sub("", _RUST_HASH.sub("", _demangled(name)))
    name = _SYSCALL.sub("sys_", name)
    if name.lower() in _UNKNOWN or _ADDRESS.fullmatch(name) or name in ("{address}", "{number}"):
        return ""
    if not re.match(r"[-+]\[|\?+\w", name):  # Objective-C, and mangled by MSVC
        name = _without_arguments(name)
    name = name.strip(" :")
    return "" if name.lower() in _UNKNOWN else name[:MAX_NAME_LENGTH].strip()


def _demangled(name: str) -> str:
    """A C++ or Rust name as in the source if it consists of nested names only; one with template arguments stays."""
    head = _MANGLED.match(name)
    if head is None:
        return name
    parts, at = ["std"] if head["std"] else [], head.end()
    while length := _LENGTH.match(name, at):
        start, at = length.end(), length.end() + int(length[0])
        if at > len(name):
            return name
        parts.append(name[start:at])
        if not head["nested"]:
            break
    if head["nested"] and not _MANGLED_END.match(name, at):
        return name
    if name[at : at + 1] in ("C", "D"):
        parts.append(("~" if name[at] == "D" else "") + parts[-1])
    return "::".join(parts)


def _without_arguments(name: str) -> str:
    """The name without text in brackets, and without a return type before it."""
    called = re.split(r"\)\s*->", name)[0] + ")" if "operator" not in name and re.search(r"\)\s*->", name) else name
    operator = re.search(r"\boperator\b\s*(?:\(\)|<=>|<<=?|>>=?|->\*?|[<>]=?|\w[\w ]*(?:\[\])?|[^\w\s(]+)", name)
    ending = ""
    if operator:
        called, ending = name[: operator.start()], operator.group().replace(" ()", "()")
    rust = called.startswith("<")
    kept = _outside(called, "(", ")")
    kept = kept if rust else _outside(kept, "<", ">")
    if rust:
        kept = "<" + _outside(kept[1:], "<", ">")
        kept = kept.replace("dyn ", "")
    had_arguments = len(kept) < len(called) or bool(ending)
    if had_arguments and not rust:
        kept = re.sub(r"(?:\s+(?:const|volatile|noexcept|&&?))+$", "", kept)
        kept = kept.strip().rpartition(" ")[2].lstrip("*&")
    return f"{kept}{ending}".strip()


def _outside(text: str, opens: str, closes: str) -> str:
    """The text outside of balanced brackets; a bracket that is never closed stays."""
    if text.count(opens) == 0:
        return text
    kept: list[str] = []
    starts: list[int] = []
    for position, letter in enumerate(text):
        arrow = closes == ">" and letter == closes and text[position - 1 : position] in ("-", "=")
        if letter == opens:
            starts.append(len(kept))
        elif letter == closes and not arrow and starts:
            del kept[starts.pop() :]
            continue
        kept.append(letter)
    return "".join(kept)
