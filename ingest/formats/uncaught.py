"""Uncaught exceptions, as Java, .NET, Node, Ruby, PHP and Python print them when these end the process.

Also their output when they end it for a fault of their own or of native code.

Of nested exceptions the innermost counts, as its frames are where it began. In Java only an exception in the main
thread ends the process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import dropwhile, takewhile

from ingest.formats import stacks
from ingest.formats.crashes import Frame
from ingest.formats.stack_steps import short_path

NAME = r"(?:[A-Za-z_$][\w$]*(?:\.|::|\+))*[A-Za-z_$][\w$`]*"
_CODE = r"(?: \((?:0x)?[0-9a-fA-F]{1,9}\))?"  # the error code of a system call, in .NET
_JAVA = re.compile(rf'Exception in thread "main" (?P<name>{NAME})(?:: .*)?')
_UNHANDLED = (  # as .NET Framework says it in the language of the system
    "Unbehandelte Ausnahme", "Exception non gérée", "Excepción no controlada", "Eccezione non gestita",
    "Exceção Sem Tratamento", "Необработанное исключение", "Nieobsłużony wyjątek", "Neošetřená výjimka",
    "未经处理的异常", "未處理的例外狀況", "ハンドルされていない例外", "처리되지 않은 예외",
)  # fmt: skip
_NET = re.compile(
    rf"(?:Unhandled [Ee]xception[.:](?! [ce][0-9a-f]{{7}}$)|(?:{'|'.join(_UNHANDLED)})\s?[:：])"
    rf"\s{{0,3}}(?P<name>{NAME})?{_CODE}(?:: .*)?"
)
_MONO = re.compile(rf"\[ERROR\] FATAL UNHANDLED EXCEPTION: {{0,3}}(?P<name>{NAME})(?:: .*)?")
_NET_REASON = re.compile(rf"(?:{NAME}Exception|Internal CLR error|Invalid Program|The RW block|0x[0-9A-F]{{8}})\b")
_NET_ITSELF = re.compile(
    rf"(?P<what>Stack overflow|Process terminated|Fatal error(?=\.(?:$| {_NET_REASON.pattern})))\.(?: (?P<said>.*))?"
)
_NODE = re.compile(r"[ \t]{0,300}\^{1,200}[ \t]{0,9}")  # marks the place in the line above
_NODE_PLACE = re.compile(r".*\S:\d{1,9}\s*$")  # of the line between them
_DENO = re.compile(rf"error: Uncaught (?:\(in (?:worker )?(?:promise|\"\")\) )?(?P<name>{NAME}): .*")
_RUBY = re.compile(
    # A script may have any name.
    r"(?:<internal:[^<>]{1,300}>|[^\s:][^:]{0,300}\.rb|[\w.@+-]{0,60}(?:/[\w.@+-]{1,100}){1,20})"
    rf":\d{{1,7}}:in [`'][^`']{{1,200}}': (?P<what>.{{0,1000}}) \((?P<name>{NAME})\)"
)
_SPRING = re.compile(r"(?:\d{4}-|\d\d:|\[)[^|]{0,300}\bSpringApplication\s{1,60}:? {0,3}-? {0,3}Application run failed")
# A web server logs what PHP writes to it.
_TO_SERVER = r"(?:\[[^\]]{10,70}\] |\d{4}/.{1,100} FastCGI sent in stderr: \"(?:.{0,2000}PHP message: )?)?"
_BY_SERVER = '" while '  # what follows is of the request
_OF_PHP = rf"{_TO_SERVER}(?:PHP )?Fatal error: {{1,2}}"
_PHP_HEAD = re.compile(rf"{_TO_SERVER}(?P<log>PHP )?Fatal error: {{1,2}}")
_PHP = re.compile(rf"{_OF_PHP}Uncaught (?:exception ')?(?P<name>[A-Za-z_\\][\w\\]{{0,300}})(?!\w).*")
_PHP_FLAT = re.compile(rf"{_PHP.pattern[:-2]}.{{1,2000}} Stack trace: {{1,2}}#0 .*")  # where a shipper joins its lines
_PHP_JOINED = re.compile(r" {1,2}(?=#\d{1,4} |Stack trace: |thrown in )")
_NET_FLAT = re.compile(
    rf"Unhandled [Ee]xception[.:] (?P<name>{NAME}(?:Exception|Error)){_CODE}: .{{0,2000}}? at {NAME}\(.*"
)
_NET_JOINED = re.compile(rf" {{1,4}}(?=at {NAME}[(`\[])")
_PHP_LIMIT = re.compile(
    rf"{_OF_PHP}(?P<name>Allowed memory size|Maximum execution time) of .{{1,60}} (?P<how>exhausted|exceeded)\b.*"
)
_MEMORY = re.compile(r"(?:Terminating|Aborting) due to java\.lang\.OutOfMemoryError(?:: .*)?")
_INTERPRETER = re.compile(
    r"(?:Fatal Python error|Windows fatal exception): (?:\w{1,60}: )?(?P<what>[A-Za-z][^:]{2,120}).*"
)
_THREAD = re.compile(r"(?:Thread|(?P<died>Current thread)) 0x[0-9a-f]{1,16}\b")
_RUBY_BUG = re.compile(r"(?:[^\s:][^:]{0,300}(?::\d{1,7})?: )?\[BUG\] (?P<what>\S.{0,300})")
_FILE = re.compile(r'(\s{0,9}File "[^"]{1,1000}", line \d{1,9}),? in ')
_SIGNALS = {
    "segmentation fault": "SIGSEGV", "aborted": "SIGABRT", "bus error": "SIGBUS", "illegal instruction": "SIGILL",
    "floating point exception": "SIGFPE", "access violation": "0xc0000005", "stack overflow": "0xc00000fd",
}  # fmt: skip
_ADDRESS = re.compile(r" (?:at )?(?:0x[0-9a-f]{1,16}|\(.{0,200}\)).*")
# Every head contains one of these.
MARKS = ('Exception in thread "main" ', "Unhandled exception", "Unhandled Exception", "FATAL UNHANDLED",
         "^", ":in `", ":in '",
         "error: Uncaught ", " due to java.lang.OutOfMemoryError", "Fatal Python error: ",
         "Windows fatal exception: ", "Fatal error: ", "Application run failed",
         "Fatal error.", "Process terminated.", "Stack overflow.", "[BUG] ", *_UNHANDLED)  # fmt: skip
# How a line of the same report begins, after the first frame.
GOES_ON = re.compile(r"\s|at |Caused by: |Suppressed: |\.{3} \d|--- End|---> |from |#\d|[}\]]|Node\.js v\d|Deno \d|$")

_CAUSE = re.compile(rf"\s*Caused by: (?P<name>{NAME})(?:: .*)?")
_WITHIN = re.compile(rf"\s*---> (?:\(Inner Exception #\d{{1,4}}\) )?(?P<name>{NAME}){_CODE}(?:: .*)?")
_THROWN = re.compile(rf"\[?(?:Uncaught:? )?(?P<name>{NAME})(?: \[\w+\])?\]?(?:: .*)?")
_AT = re.compile(r"\s*at \S")
_DART_STEP = re.compile(
    r"#\d{1,4} {2,9}(?P<function>\S.{0,300}?) \((?P<path>(?:package|file|dart):[^\s():]{1,500}:\d{1,9})(?::\d{1,9})?\)"
)
# Dart says "Unhandled exception:", too.
_NET_AT = re.compile(rf"\s*at \S|\s{{1,9}}\w{{1,8}}:? [\w<>]{{1,200}}[.+`]\w|{_DART_STEP.pattern}")
_PHP_STEP = re.compile(r"Stack trace:\s*$|#\d{1,4} ")
_FROM = re.compile(r"\s*from \S")
_NET_STEP = re.compile(r"\s{0,9}at [\w<>]{1,200}[.+`]\w")
_NET_REPEATS = re.compile(r"-{10,80}\s*$|Repeat(?:ed)? \d{1,12} times:")
_THREADS = re.compile(rf"\s*$|{_THREAD.pattern}")
_RUBY_LINE = re.compile(r":\d{1,7}(?=:in )")
_RUBY_NATIVE = "-- C level backtrace information -"
_RUBY_PROOF = re.compile(rf"-- (?:Control frame|Ruby level backtrace) information -|{_RUBY_NATIVE}")
# A function into which the one above was inlined, which has no address.
_RUBY_OUTER = r"[^\s()]{1,300}\([^\s()]{1,300}\)(?= \S{1,1000}:\d{1,9}\s{0,9}$)"
_RUBY_PARTS = re.compile(
    r"\s|$|-- (?!Other runtime information)|c:\d|Total ractor|Ruby thread|\S{1,300}:\d{1,9}:in "
    rf"|\S{{1,300}}\(\S{{0,300}}\) \[0x|{_RUBY_OUTER}"
)
_RUBY_STEP = re.compile(rf"\S{{1,300}}\(\S{{0,300}}\) \[0x[0-9a-f]{{4,16}}\]|(?P<outer>{_RUBY_OUTER})")
_RUBY_HANDLER = re.compile(r"[^\s(]{1,300}\((?:sig(?:segv|bus|ill|abrt)|rb_bug)\b")
_NO_NAME = re.compile(r"\(0x[0-9a-f]{4,16}\)")
_NODE_PROOF = re.compile(  # its frames have a line and a column, and no others that begin so
    r"\s*at \S.{0,1000}?(?::\d{1,9}:\d{1,9}\b|\((?:<anonymous>|native)\b)"
    r"|Node\.js v\d|\[(?:UnhandledPromiseRejection|[A-Z]\w{0,60}Error|Error): "
)
_MOST_HEAD = 20  # lines between head and first frame


@dataclass(frozen=True)
class Form:
    """The form of a language.

    Attributes:
        head: its first line. proof: a line that must follow the head; None if the head is enough.
        told: returns the name of the exception, its line, and the lines of its stack.
        between: lines between its stacks or parts of a stack, which do not end it.
        again: a line whose ``same`` tells whether another report is of the same crash.
        aborts: whether SIGABRT then ends the process.
        until: most lines from the head to the proof; None for as many as most have.
        place: what the line before the one above the head says; None if the head can stand alone.
    """

    head: re.Pattern[str]
    proof: re.Pattern[str] | None
    told: Callable[[Sequence[str]], tuple[str | None, str, Sequence[str]]]
    between: re.Pattern[str] | None = None
    again: re.Pattern[str] | None = None
    aborts: bool = False
    until: int | None = None
    place: re.Pattern[str] | None = None

    def may_follow(self, before: Sequence[str]) -> bool:
        """Whether the head may follow some lines, if these are known: others than Node mark a place in a line, too."""
        return self.place is None or len(before) < 2 or self.place.match(before[-2]) is not None


def _of_java(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    causes = [(at, found) for at, line in enumerate(lines) if (found := _CAUSE.fullmatch(line.rstrip()))]
    if causes:
        at, found = causes[-1]
        return found["name"], lines[at].strip(), lines[at:]
    head = _JAVA.fullmatch(lines[0].rstrip())
    return head["name"] if head else None, lines[0].strip(), lines


def _of_net(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    start = next((at for at, line in enumerate(lines) if at and _NET_AT.match(line)), _MOST_HEAD)
    if start < len(lines) and _DART_STEP.match(lines[start]):
        return _of_dart(lines)
    name: str | None = None
    said = lines[0]
    for number, line in enumerate(lines[: min(start, _MOST_HEAD)]):
        said_first = _NET.fullmatch(line.rstrip()) or _MONO.fullmatch(line.rstrip())
        found = _WITHIN.fullmatch(line.rstrip()) if number else said_first
        if found is None and name is None and number == 1:  # Mono, which breaks the line
            found = _THROWN.fullmatch(line.strip())
        if found and found["name"]:
            name, said = found["name"], line
    return name, said.strip(), lines


def _of_dart(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    """An exception that ended Dart's main isolate; many have no name, but a kind before a colon."""
    said = next((line.strip() for line in lines[1:] if line.strip()), "")
    found = _THROWN.fullmatch(said)
    steps = [step for line in lines if (step := _DART_STEP.match(line))]
    places = (short_path(step["path"].partition(":")[2].rpartition(":")[0].lstrip("/")) for step in steps)
    stack = [
        f"#{at} 0x0000 {step['function']} ({place})" for at, (step, place) in enumerate(zip(steps, places, strict=True))
    ]
    return found["name"] if found else said.partition(":")[0][:100], said, stack


def _of_net_itself(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    """The message of .NET when it ends a process itself: in one line, or with the reason on the next."""
    head = _NET_ITSELF.fullmatch(lines[0].rstrip())
    if head is None:
        return None, lines[0].strip(), lines
    what, said = head["what"], head["said"] or "".join(lines[1:2]).strip()
    if what == "Fatal error":
        reason = _NET_REASON.match(said)
        return reason[0] if reason else what, said, lines
    if what == "Process terminated":
        return "Assertion failed" if said.lower().startswith("assertion failed") else what, said, lines
    return what, lines[0].strip(), lines


def _of_script(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    line = next((line.strip() for line in lines[1:] if line.strip()), "")
    found = _DENO.fullmatch(lines[0].strip())
    if found is not None:
        return found["name"], lines[0].strip(), lines
    found = _THROWN.match(line)
    return found["name"] if found else None, line, lines


def _of_ruby(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    at = max((at for at, line in enumerate(lines) if _RUBY.fullmatch(line.strip())), default=0)  # causes come last
    found = _RUBY.fullmatch(lines[at].strip())
    return (found["name"], found["what"], lines[at:]) if found else (None, lines[0], lines)


def _of_spring(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    """The failure of a start of Spring Boot, which prints no more about its main thread."""
    name, said, stack = _of_java(lines)
    if name is None:
        found = next((one for line in lines[1:] if (one := _THROWN.fullmatch(line.rstrip()))), None)
        name, said = (found["name"], found[0]) if found else (None, said)
    return name, said, stack


def _of_php(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    found = _PHP.fullmatch(lines[0].rstrip())
    return found["name"].lstrip("\\") if found else None, _said_by_php(lines[0]), lines


def _said_by_php(line: str) -> str:
    """A line of PHP's, without what a web server adds, such as the address of a client."""
    head = _PHP_HEAD.match(line)
    if head is None or "FastCGI sent" not in head[0]:
        return line.strip()
    return f"PHP Fatal error:  {line[head.end() :].partition(_BY_SERVER)[0]}".strip()


def _of_php_flat(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    name, said, *parts = *_of_php(lines)[:2], *_PHP_JOINED.split(lines[0])
    return name, said.partition(" Stack trace:")[0].strip(), parts


def _of_net_flat(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    head, *parts = _NET_JOINED.split(lines[0].rstrip())
    found = _NET_FLAT.fullmatch(lines[0].rstrip())
    return found["name"] if found else None, head.strip(), [f"   {part}" for part in parts]


def _of_limit(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    found = _PHP_LIMIT.fullmatch(lines[0].rstrip())
    return f"{found['name']} {found['how']}" if found else None, lines[0].strip(), ()


def _of_memory(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    return "java.lang.OutOfMemoryError", lines[0].strip(), ()


def _of_interpreter(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    """A fault of Python's interpreter: the stack of the thread that died, innermost first, unlike in a traceback.

    It may print all threads, and calls the one that died the current one. Without a current one it must be the only
    one.
    """
    head = _INTERPRETER.fullmatch(lines[0].rstrip())
    what = head["what"].strip() if head else ""
    threads = [(at, found["died"]) for at, line in enumerate(lines) if (found := _THREAD.match(line))]
    died = next((at for at, is_died in threads if is_died), None)
    behind: Iterable[str] = ()
    if died is not None:
        behind = lines[died + 1 :]
    elif len(threads) <= 1:
        behind = dropwhile(lambda line: not _FILE.match(line), lines)
    own = takewhile(lambda line: line.strip() and not _THREAD.match(line), behind)
    steps = [_FILE.sub(r"\1, in ", line) for line in own if _FILE.match(line)]
    return _SIGNALS.get(what.lower(), what), lines[0].strip(), steps[::-1]


def _of_ruby_itself(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    """A fault of Ruby's interpreter: the native stack below its signal handler, or else that of the script."""
    head = _RUBY_BUG.fullmatch(lines[0].strip())
    what = _ADDRESS.sub("", head["what"]) if head else ""
    native = next((at for at, line in enumerate(lines) if line.startswith(_RUBY_NATIVE)), len(lines))
    called = takewhile(str.strip, lines[native + 1 :])
    found_in = (found for line in called if (found := _RUBY_STEP.match(line)))
    steps = [f"{one['outer']} [0x0000]" if one["outer"] else _NO_NAME.sub("()", one[0]) for one in found_in]
    own = max((at + 1 for at, step in enumerate(steps) if _RUBY_HANDLER.match(step)), default=0)
    if own and "() [" in "".join(steps[own : own + 1]):  # the system code that called the handler
        own += 1
    script = [line for line in lines[:native] if ":in " in line]
    return _SIGNALS.get(what.lower(), what), lines[0].strip(), steps[own:] or script[::-1]


FORMS = (
    Form(_JAVA, _AT, _of_java),
    Form(_NET_FLAT, None, _of_net_flat, aborts=True),
    Form(_NET, _NET_AT, _of_net, aborts=True),
    Form(_MONO, None, _of_net),
    Form(_NET_ITSELF, _NET_STEP, _of_net_itself, _NET_REPEATS, aborts=True),
    Form(_NODE, _NODE_PROOF, _of_script, place=_NODE_PLACE),
    Form(_DENO, _AT, _of_script),
    Form(_RUBY, _FROM, _of_ruby),
    Form(_SPRING, _AT, _of_spring),
    Form(_PHP_FLAT, None, _of_php_flat),
    Form(_PHP, _PHP_STEP, _of_php),
    Form(_PHP_LIMIT, None, _of_limit),
    Form(_MEMORY, None, _of_memory),
    Form(_INTERPRETER, _FILE, _of_interpreter, _THREADS),
    Form(_RUBY_BUG, _RUBY_PROOF, _of_ruby_itself, _RUBY_PARTS, aborts=True),
)


def form_of(said: str) -> Form | None:
    """The form of which a line may be the head."""
    return next((form for form in FORMS if form.head.fullmatch(said.rstrip())), None)


def is_told_again(form: Form | None, lines: Sequence[str], first: Form | None, first_lines: Sequence[str]) -> bool:
    """Whether the exception is one that was told before: by Mono as its last words, by PHP to its log and its page.

    Also where the form itself says how to know.
    """
    if form is None or first is None:
        return False
    if form is first and form.again is not None:
        told = _same(form.again, lines)
        return told is not None and told == _same(form.again, first_lines)
    if form is first and form.head in (_PHP, _PHP_LIMIT):
        heads = _PHP_HEAD.match(first_lines[0]), _PHP_HEAD.match(lines[0])
        is_log = [bool(head and head["log"]) for head in heads]
        same = {
            line[head.end() :].rstrip() for head, line in zip(heads, (first_lines[0], lines[0]), strict=True) if head
        }
        return is_log[0] != is_log[1] and len(same) == 1
    if form.head is not _MONO or first.head is not _NET:
        return False
    has_stack = any(map(_NET_AT.match, first_lines[1:]))
    return has_stack and form.told(lines)[0] == first.told(first_lines)[0]


def is_cause(form: Form | None, lines: Sequence[str], first: Form | None, first_lines: Sequence[str]) -> bool:
    """Whether what Ruby says next is the cause of an exception, as both came from one place, and no second crash."""
    if form is None or form is not first or form.head is not _RUBY or lines[0] == first_lines[0]:
        return False
    then, before = (next((line for line in reversed(one) if line.strip()), "") for one in (lines, first_lines))
    return _RUBY_LINE.sub("", then.strip()) == _RUBY_LINE.sub("", before.strip())


def _same(form: re.Pattern[str], lines: Sequence[str]) -> str | None:
    return next((found["same"] for line in lines if (found := form.match(line))), None)


def frames_of(form: Form, lines: Sequence[str]) -> Sequence[Frame]:
    """The stack, innermost first."""
    return stacks.read("\n".join(form.told(lines)[2])).frames
