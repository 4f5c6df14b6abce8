"""What servers and supervisors log of a process of theirs that a signal of a fault ended: a line, and no stack.

A kernel may tell of the same, and systemd, who know more; they are compared by the process's number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleetcrash.clustering.codes import canonical_code
from ingest.formats.crashes import base_name

# With these a process ends for a fault of its own; with others somebody, or a limit, ended it.
FATAL = frozenset(["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"])
_WORDS = {
    "segmentation fault": "SIGSEGV", "aborted": "SIGABRT", "abort": "SIGABRT", "bus error": "SIGBUS",
    "floating point exception": "SIGFPE", "illegal instruction": "SIGILL", "trace/breakpoint trap": "SIGTRAP",
    "trace/bpt trap": "SIGTRAP", "bad system call": "SIGSYS", "trace trap": "SIGTRAP",
    "illegal hardware instruction": "SIGILL",
}  # fmt: skip
_ANY_WORD = f"(?i:{'|'.join(map(re.escape, _WORDS))})"
WORD = rf"(?P<word>{_ANY_WORD})"
_SIGNAL = r"(?P<signal>SIG[A-Z]{2,6})"
_NUMBER = r"signal (?P<number>\d{1,2})\b"
_STATUS = (
    r"(?P<status>-?\d{1,10})"  # of a process: a signal below 0 or above 128, or what Windows gives for an exception
)
_PID = r"(?P<pid>\d{1,10})"
_NAME = r"(?P<name>[\w.@:+/-]{1,200})"
# Each with the program, where the line does not name it; ``name`` in a line may be a path.
_FORMS: tuple[tuple[str | None, re.Pattern[str]], ...] = (
    ("nginx", re.compile(
        rf".{{0,60}}\[alert\] \d{{1,10}}#\d{{1,10}}: [a-z ]{{1,40}} process {_PID} exited on {_NUMBER}.*")),
    ("postgres", re.compile(
        rf"(?:.{{0,200}}\bLOG: {{1,3}}|\d{{4}}-.{{10,300}},LOG,\w{{5}},\")[\w\" /:()-]{{3,100}} \(PID {_PID}\) was "
        rf"terminated by (?:{_NUMBER}|exception (?P<code>0x[0-9A-Fa-f]{{8}})).*")),
    ("php-fpm", re.compile(  # where it logs debugging, with the place in its source
        rf".{{0,80}}WARNING: (?:pid \d{{1,10}}, \w{{1,60}}\(\), line \d{{1,9}}: )?"
        rf"\[pool [^\]]{{1,100}}\] child {_PID} exited on {_NUMBER}.*")),
    ("httpd", re.compile(
        rf"(?:.{{0,100}}\bAH0005[12]: |\[[^\]]{{10,40}}\] \[notice\] )child pid {_PID} exit signal {WORD} \(\d.*")),
    ("uwsgi", re.compile(rf"(?:.{{0,60}} )?DAMN ! worker \d{{1,9}} \(pid: {_PID}\) died, killed by {_NUMBER}.*")),
    ("gunicorn", re.compile(rf".{{0,80}}\[ERROR\] Worker \(pid:{_PID}\) was sent {_SIGNAL}!.*")),
    ("gunicorn", re.compile(rf".{{0,80}}\[WARNING\] Worker \(pid:{_PID}\) was terminated due to {_NUMBER}.*")),
    ("celery", re.compile(
        rf".{{0,80}}ERROR/MainProcess\] Process '[^']{{1,100}}' pid:{_PID} exited with '{_NUMBER}.*")),
    (None, re.compile(  # supervisord
        rf".{{0,60}}\b(?:INFO|WARN):? exited: {_NAME} \(terminated by {_SIGNAL}\b.{{0,30}}; not expected\).*")),
    (None, re.compile(
        rf"(?:.{{0,60}}\b)?PM2 .{{0,20}}App \[{_NAME}\] exited with code .{{1,20}} signal \[{_SIGNAL}\].*")),
    ("haproxy", re.compile(rf".{{0,80}}\b[Ww]orker (?:#\d{{1,4}} )?\(?{_PID}\)? exited with code 1\d\d \({WORD}\).*")),
    (None, re.compile(rf"(?:.{{0,100}}: )?warning: process {_NAME} pid {_PID} killed by {_NUMBER}.*")),  # Postfix
    ("dovecot", re.compile(
        rf".{{0,200}}: Fatal: master: service\([\w-]{{1,40}}\): child {_PID} killed with {_NUMBER}.*")),
    ("squid", re.compile(rf".{{0,100}}Squid Parent: .{{0,40}}process {_PID} exited due to {_NUMBER}.*")),
    ("varnishd", re.compile(rf"(?:.{{0,100}}[:>] |Error: )?Child \({_PID}\) died signal=(?P<number>\d{{1,2}})\b.*")),
    (None, re.compile(  # Open vSwitch
        rf".{{0,80}}\|daemon_unix\({_NAME}\)\|ERR\|\d{{1,9}} crashes: pid {_PID} died, killed \({WORD}\).*")),
    ("unicorn", re.compile(rf".{{0,120}}reaped #<Process::Status: pid {_PID} {_SIGNAL} \(signal \d.*")),
    (None, re.compile(  # Pacemaker
        rf".{{0,200}}\berror: {_NAME}\[{_PID}\] terminated with {_NUMBER}.*")),
    ("sshd", re.compile(rf"(?:.{{0,100}} )?fatal: (?:\w{{1,60}}: )?preauth child terminated by {_NUMBER}.*")),
    ("sssd", re.compile(
        rf".{{0,120}}\bChild \[{_PID}\] \('.{{1,200}}\) (?:was )?terminated (?:by|with) signal "
        r"\[(?P<number>\d{1,2})\].*")),
    (None, re.compile(rf".{{0,120}}\bPID {_PID} \({_NAME}\) crashed on {_NUMBER}.*")),  # CUPS
    (None, re.compile(  # Keepalived
        rf"(?:.{{0,100}} )?(?:pid {_PID}|(?=[A-Za-z]){_NAME}) exited due to (?P<word>segmentation fault) "
        r"\(SIGSEGV\)\.?")),
    (None, re.compile(  # Kamailio and OpenSIPS
        rf".{{0,200}}\bhandle_sigs(?:\(\))?: child process {_PID} exited by a {_NUMBER}.*")),
    (None, re.compile(
        rf".{{0,200}}\bmod_fcgid: process {_NAME}\({_PID}\) exit\(.{{1,60}}\), get unexpected {_NUMBER}.*")),
    ("proftpd", re.compile(rf".{{0,300}}: ProFTPD terminating \({_NUMBER}\).*")),
    ("PassengerAgent", re.compile(rf"\[ pid={_PID}, .{{1,60}}\] Process aborted! signo={_SIGNAL}\(.*")),
    (None, re.compile(  # Upstart
        rf"(?:.{{0,60}}\binit: )?{_NAME}(?: \([^()]{{1,100}}\))? (?:main|p(?:re|ost)-st(?:art|op)) process \({_PID}\) "
        r"killed by (?P<short>SEGV|ABRT|BUS|FPE|ILL|TRAP|SYS) signal")),
    # Of a job: of Slurm, which names the host, not the program; Airflow; PyTorch.
    (None, re.compile(rf"srun: error: \S{{1,255}}: tasks? [\d,-]{{1,200}}: {WORD}(?: \(core dumped\))?")),
    (None, re.compile(rf".{{0,200}}\bProcess {_PID} exited with return code Negsignal\.{_SIGNAL}\b.{{0,40}}")),
    (None, re.compile(
        rf".{{0,200}}\bfailed \(exitcode: -(?P<number>\d{{1,2}})\) local_rank: \d{{1,6}} \(pid: {_PID}\) of binary: "
        rf"{_NAME}")),
    (None, re.compile(  # AWS Lambda
        rf"(?:.{{0,200}} )?Error: Runtime exited with error: signal: {WORD}(?: \(core dumped\))?")),
    (None, re.compile(  # a shell, of the command that it ran
        rf"\S{{1,300}}: line \d{{1,9}}: {{1,9}}{_PID} {WORD} {{1,30}}(?:\*{{0,2}}\(core dumped\)\*{{0,2}} )?"
        rf"(?:[A-Z_]\w*=\S* )*(?=[\w.@:+/-]{{0,199}}\w){_NAME}(?: .*)?")),
    (None, re.compile(  # zsh, of a command or of a job; bash of a job
        rf"(?:zsh: {WORD}(?: \(core dumped\))?"
        rf"|\[\d{{1,4}}\]\s{{1,4}}[+-]? ?{_PID} (?P<of_job>{_ANY_WORD}) \(core dumped\)"
        rf"|\[\d{{1,4}}\][+-]?\s{{1,4}}(?P<of_bash>{_ANY_WORD})\s{{1,40}}\(core dumped\))\s{{1,9}}(?:[A-Z_]\w*=\S* )*"
        rf"(?=[\w.@:+/-]{{0,199}}\w){_NAME}(?: .*)?")),
    (None, re.compile(  # cargo, of what it ran
        rf".{{0,100}}process didn't exit successfully: `(?P<path>[^`\s]{{1,300}})(?: [^`]{{0,2000}})?` "
        rf"\((?:signal: \d{{1,2}}, {_SIGNAL}: .{{1,60}}|exit code: (?P<code>0x[cC][0-9a-fA-F]{{7}}), \w{{1,60}})\).*")),
    (None, re.compile(  # Visual Studio
        rf".{{0,60}}The program '\[{_PID}\] {_NAME}(?:: Native)?' has exited with code -?\d{{1,10}} "
        rf"\((?P<code>0x[cC][0-9a-fA-F]{{7}})\).*")),
    (None, re.compile(  # ROS
        rf"(?:.{{0,60}} )?\[(?P<numbered>[\w.@/-]{{1,200}})-\d{{1,6}}\]:? process has died "
        rf"\[pid {_PID}, exit code {_STATUS}, cmd .*")),
    (None, re.compile(  # docker compose, which ended a container for a fault of its program
        rf"(?:.{{0,60}} )?(?=[A-Za-z]){_NAME} exited with code {_STATUS}(?: \(restarting\))?")),
    (None, re.compile(rf".{{0,200}}\bDataLoader worker \(pid {_PID}\) is killed by signal: {WORD}\..{{0,200}}")),
    (None, re.compile(  # Electron, as programs that are built with it log it
        rf".{{0,200}}\b(?:(?P<kind>\w{{2,30}}) process gone \(reason: crashed, code: {_STATUS}\)"
        rf"|type: (?P<type>\w{{2,30}}), pid: {_PID}\]: crashed with code (?P<other>-?\d{{1,10}}) and reason "
        r"'crashed').*")),
    ("vim", re.compile(r"(?P<of>N?[Vv]im): Caught deadly signal '?(?:SIG)?(?P<short>SEGV|ABRT|BUS|FPE|ILL)'?")),
    (None, re.compile(  # fish, which marks the command as the language does
        rf"(?:fish: )?(?:Job \d{{1,9}}, )?[\"'“‘«]{_NAME}(?: .{{0,2000}})?[\"'”’»] "
        rf"terminated by signal {_SIGNAL} \(.*")),
)  # fmt: skip
_EXCEPTIONS = range(0xC0000000, 0xD0000000)
_FATAL_NUMBERS = (4, 5, 6, 7, 8, 11)
_SAID = ("word", "of_job", "of_bash")  # where a word tells the signal
_FROM_MONITOR = "monitor"  # as Open vSwitch names the watcher, not the program
# What a line has in it.
MARKS = (" exited on signal ", " was terminated by ", " exit signal ", "killed by signal ", "Worker (pid:",
         " exited with 'signal ", " (terminated by SIG", " via signal [SIG",
         "killed with signal ", "exited due to signal ", " died signal=", " died, killed (", "reaped #<Process",
         ": line ", " terminated by signal SIG", "srun: error: ", " Negsignal.SIG", " failed (exitcode: -",
         "exited with error: signal: ", "] terminated with signal ",
         "preauth child terminated by", "terminated by signal [", "crashed on signal ", "exited due to segmentation",
         " exited by a signal ", "get unexpected signal ", "ProFTPD terminating",
         "Process aborted! signo=", "zsh: ", "(core dumped)", "didn't exit successfully: ",
         "' has exited with code -", " process has died [pid ", " is killed by signal: ", "exited with code ",
         "reason: crashed, code: ", " and reason 'crashed'", "Caught deadly signal ", ") killed by ")  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """The end of a process.

    Attributes:
        code: a signal, or the code of an exception in Windows. program: its name. pid: its number, if told.
    """

    code: str
    program: str | None
    pid: str | None


def signal_of(word: str) -> str | None:
    """``SIGSEGV`` for ``Segmentation fault``."""
    return _WORDS.get(word.strip().lower())


def of_status(status: str) -> str:
    """The signal, or the code of an exception, by how a process ended; empty if neither ended it."""
    number = int(status)
    if number in _EXCEPTIONS or number + (1 << 32) in _EXCEPTIONS:
        return f"{number & 0xFFFFFFFF:#x}"
    signal = -number if number < 0 else number - 128
    return canonical_code(str(signal), "linux") if signal in _FATAL_NUMBERS else ""


def ended(said: str) -> Ended | None:
    """The end of a process that a line tells of; None if a fault did not end it."""
    for program, form in _FORMS:
        if found := form.fullmatch(said):
            told = found.groupdict()
            word = next((one for name in _SAID if (one := told.get(name))), "")
            number = told.get("number")
            signal = canonical_code(number, "linux") if number else told.get("signal") or ""
            status = told.get("status") or told.get("other")
            signal = f"SIG{told['short']}" if told.get("short") else of_status(status) if status else signal
            code = told.get("code") or signal_of(word) or signal
            path = base_name(told.get("name") or told.get("path") or told.get("numbered"))
            path = path or told.get("kind") or told.get("type")
            name = (path or "").partition(":")[0] or program  # without its number
            if code not in FATAL and not code.startswith("0x"):
                return None
            return Ended(code, None if name == _FROM_MONITOR else name, told.get("pid"))
    return None
