"""What servers and supervisors log of their processes that a fault ended."""

from __future__ import annotations

import pytest

from ingest.formats.containers import DOCKER_LOG
from ingest.formats.journal import JOURNAL, Journal
from ingest.formats.kernel_file import KERNEL_FILE
from ingest.formats.known import format_of
from ingest.formats.sanitizer import SANITIZER
from ingest.formats.sanitizer_heads import may_begin
from ingest.formats.workers import ended
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.test_containers import docker
from tests.ingest.formats.test_journal import entry

STARTED = "2024/07/19 04:10:01 [notice] 1#1: start worker process 78\n"
LINES = {
    "nginx": "2024/07/19 04:10:03 [alert] 1#1: worker process 78 exited on signal 11 (core dumped)",
    "cache": "2024/07/19 04:10:03 [alert] 1#1: cache manager process 78 exited on signal 11",
    "postgres": "2024-07-19 04:10:03.123 UTC [12] LOG:  server process (PID 78) was terminated by signal 11: Fault",
    "its worker": '2024-07-19 04:10:03 [1] LOG:  background worker "a" (PID 78) was terminated by signal 6: Aborted',
    "its table": "2024-07-19 04:10:03.1 UTC,,,12,,669a.4d2,5,,2024-07-19 03:00:00 UTC,,0,LOG,00000,"
    '"server process (PID 78) was terminated by signal 11: Segmentation fault","Failed process was running: a",,,',
    "php-fpm": "[19-Jul-2024 04:10:03] WARNING: [pool www] child 78 exited on signal 11 (SIGSEGV) after 12.3 seconds",
    "httpd": "[Fri Jul 19 04:10:03.123456 2024] [core:notice] [pid 12] AH00052: child pid 78 exit signal Bus error (7)",
    "older httpd": "[Fri Jul 19 04:10:03 2024] [notice] child pid 78 exit signal Segmentation fault (11), possible",
    "uwsgi": "Fri Jul 19 04:10:03 2024 - DAMN ! worker 1 (pid: 78) died, killed by signal 11 :( trying respawn ...",
    "gunicorn": "[2024-07-19 04:10:03 +0000] [1] [ERROR] Worker (pid:78) was sent SIGSEGV!",
    "older gunicorn": "[2024-07-19 04:10:03 +0000] [1] [WARNING] Worker (pid:78) was terminated due to signal 11",
    "celery": "[2024-07-19 04:10:03,123: ERROR/MainProcess] Process 'W-1' pid:78 exited with 'signal 11 (SIGSEGV)'",
    "supervisord": "2024-07-19 04:10:03,123 WARN exited: relay (terminated by SIGSEGV (core dumped); not expected)",
    "pm2": "2024-07-19T04:10:03: PM2 log: App [relay:0] exited with code [0] via signal [SIGSEGV]",
    "haproxy": "[ALERT]    (1) : Current worker (78) exited with code 139 (Segmentation fault)",
    "postfix": "warning: process /usr/lib/postfix/sbin/smtpd pid 78 killed by signal 11",
    "dovecot": "Jul 19 04:10:03 imap(bobbyt)<78>: Fatal: master: service(imap): child 78 killed with signal 11 (core)",
    "squid": "2024/07/19 04:10:03| Squid Parent: squid-1 process 78 exited due to signal 11 with status 0",
    "varnishd": "Child (78) died signal=11",
    "open vswitch": "2024-07-19T04:10:03Z|3|daemon_unix(monitor)|ERR|1 crashes: pid 78 died, killed (Aborted)",
    "unicorn": "E, [2024-07-19T04:10:03.1 #1] ERROR -- : reaped #<Process::Status: pid 78 SIGSEGV (signal 11)>",
    "pacemaker": "Jul 19 04:10:03 ha-1 pacemakerd[1] (pcmk_x) error: relay[78] terminated with signal 11 (core=1)",
    "sshd": "sshd[1]: fatal: privsep_preauth: preauth child terminated by signal 11",
    "sssd": "(2024-07-19  4:10:03): [sssd] [svc_child_info] (0x0040): Child [78] ('a.b':'%BE_a.b') was terminated by "
    "signal [11]",
    "cups": "E [19/Jul/2024:06:10:03 +0200] [Job 1] PID 78 (/usr/lib/cups/filter/relay) crashed on signal 11!",
    "keepalived": "Keepalived_vrrp exited due to segmentation fault (SIGSEGV).",
    "kamailio": "ALERT: <core> [main.c:807]: handle_sigs(): child process 78 exited by a signal 11",
    "fcgid": "[Fri Jul 19 04:10:03.1 2024] [fcgid:error] [pid 1] mod_fcgid: process /srv/relay(78) exit(communication "
    "error), get unexpected signal 11",
    "proftpd": "2024-07-19 04:10:03,440 ftp-1 proftpd[78] ftp-1 (a[b]): ProFTPD terminating (signal 11)",
    "passenger": "[ pid=78, timestamp=1721362203 ] Process aborted! signo=SIGSEGV(11), reason=SEGV_MAPERR, si_addr=0x1",
    "slurm": "srun: error: node-3: task 44: Segmentation fault (core dumped)",
    "airflow": "[2024-07-19, 04:10:03 UTC] {runner.py:230} INFO - Process 78 exited with return code Negsignal.SIGSEGV",
    "pytorch": "E0719 04:10:03.540000 7 api.py:874] failed (exitcode: -11) local_rank: 0 (pid: 78) of binary: /v/relay",
    "lambda": "2024-07-19T04:10:03Z RequestId: 6a1b Error: Runtime exited with error: signal: segmentation fault",
    "shell": "/srv/relay/run.sh: line 12:    78 Segmentation fault      (core dumped) A=x /srv/relay/relay --secret",
    "zsh": "zsh: segmentation fault  ./relay --secret",
    "zsh's job": "[1]    78 segmentation fault (core dumped)  ./relay --secret",
    "bash's job": "[1]+  Segmentation fault                 (core dumped) ./relay --secret",
    "cargo": "error: process didn't exit successfully: `target/release/relay --secret` (signal: 11, SIGSEGV: invalid)",
    "fish": "fish: Job 1, './relay --secret' terminated by signal SIGSEGV (Address boundary error)",
    "older fish": "fish: “relay” terminated by signal SIGSEGV (Address boundary error)",
}  # fmt: skip
PROGRAMS = {
    "cache": "nginx", "its worker": "postgres", "its table": "postgres", "older httpd": "httpd",
    "older gunicorn": "gunicorn", "supervisord": "relay", "pm2": "relay", "postfix": "smtpd", "shell": "relay",
    "zsh": "relay", "zsh's job": "relay", "bash's job": "relay", "cargo": "relay",
    "fish": "relay", "older fish": "relay", "open vswitch": None,
    "cups": "relay", "keepalived": "Keepalived_vrrp", "kamailio": None, "fcgid": "relay", "passenger": "PassengerAgent",
    "pacemaker": "relay", "slurm": None, "airflow": None, "pytorch": "relay", "lambda": None,
}  # fmt: skip
UNNUMBERED = (
    "zsh",
    "bash's job",
    "cargo",
    "sshd",
    "keepalived",
    "proftpd",
    "slurm",
    "lambda",
    "supervisord",
    "pm2",
    "fish",
    "older fish",
)
UNDATED = (
    "zsh",
    "zsh's job",
    "bash's job",
    "cargo",
    "sshd",
    "keepalived",
    "kamailio",
    "passenger",
    "pacemaker",
    "slurm",
    "pytorch",
    "haproxy",
    "postfix",
    "dovecot",
    "varnishd",
    "shell",
    "fish",
    "older fish",
)


@pytest.mark.parametrize("name", LINES)
def test_a_process_that_a_fault_ended(name):
    log = f"{STARTED}{LINES[name]}\n2024/07/19 goes on\n"
    assert format_of(head(log.encode())) is SANITIZER
    (crash,) = crashes_of(SANITIZER, log.encode())
    code = {"its worker": "SIGABRT", "open vswitch": "SIGABRT", "httpd": "SIGBUS"}.get(name, "SIGSEGV")
    assert (crash["code"], crash["os_type"], crash["domain"]) == (code, "linux", "user")
    assert crash.get("module") == PROGRAMS.get(name, name)
    assert crash["tags"].get("pid") == (None if name in UNNUMBERED else "78")
    assert (crash["occurred_at"][:19].replace(" ", "T") == "2024-07-19T04:10:03") == (name not in UNDATED)
    assert "bobbyt" not in str(crash)
    assert "secret" not in str(crash)


def test_cargo_in_windows():
    said = "error: process didn't exit successfully: `target\\debug\\relay.exe` (exit code: 0xc0000005, STATUS_X)\n"
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["code"], crash["module"]) == ("0xc0000005", "relay.exe")
    said = "error: process didn't exit successfully: `target\\debug\\relay.exe` (exit code: 1)\n"
    assert crashes_of(SANITIZER, said.encode()) == []


@pytest.mark.parametrize(
    ("word", "code"), [("abort", "SIGABRT"), ("trace trap", "SIGTRAP"), ("illegal hardware instruction", "SIGILL")]
)
def test_zsh_has_words_of_its_own(word, code):
    (crash,) = crashes_of(SANITIZER, f"zsh: {word}      python -c pass\n".encode())
    assert (crash["code"], crash["module"]) == (code, "python")
    (crash,) = crashes_of(SANITIZER, f"zsh: {word}  ./Relay.app/Contents/MacOS/Relay\n".encode())
    assert crash["os_type"] == "darwin"
    assert crashes_of(SANITIZER, b"zsh: terminated  python\nzsh: command not found: relay\n") == []


def test_in_windows():
    said = LINES["postgres"].replace("signal 11", "exception 0xC0000005")
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["code"], crash["os_type"]) == ("0xC0000005", "windows")


@pytest.mark.parametrize(
    "said",
    [
        *(line.replace("signal 11", "signal 9") for line in LINES.values() if "signal 11" in line and "#<" not in line),
        *(LINES[name].replace("SIGSEGV", "SIGKILL") for name in ("gunicorn", "supervisord", "pm2", "unicorn")),
        LINES["fish"].replace("SIGSEGV (Address boundary error)", "SIGINT (Quit request from job control (^C))"),
        LINES["shell"].replace("Segmentation fault", "Terminated"),
        "If a worker process 7 exited on signal 11, see below.",
        "Then the server process (PID 78) was terminated by signal 11: Segmentation fault",
        'puts "Worker (pid:78) was sent SIGSEGV!"',
        "srun: error: node-3: tasks 4-8: Terminated",
        "[2024-07-19] INFO - Process 78 exited with return code Negsignal.SIGKILL",
        "RequestId: 6a1b Error: Runtime exited with error: signal: killed",
        "main.c: line 12: see Segmentation fault",
    ],
)  # fmt: skip
def test_what_is_no_fault_or_no_log(said):
    assert crashes_of(SANITIZER, f"{said}\n".encode()) == []


def test_each_is_a_crash_and_of_no_other_report():
    lines = [LINES["nginx"].replace("78", str(number)) for number in range(50)]
    panic = "panic: queue\n\ngoroutine 1 [running]:\nmain.push()\n\t/src/main.go:12 +0x2a\n"
    found = crashes_of(SANITIZER, "\n".join([*lines, panic]).encode())
    assert [crash["code"] for crash in found] == [*["SIGSEGV"] * 50, "panic"]
    assert len({crash["crash_id"] for crash in found}) == 51


@pytest.mark.parametrize("before", ["double free or corruption (!prev)", "*** stack smashing detected ***: terminated"])
def test_what_the_process_printed_is_of_the_same_crash(before):
    aborted = LINES["nginx"].replace("signal 11", "signal 6")
    found = crashes_of(SANITIZER, f"{before}\n{aborted}\n".encode())
    assert len(found) == 1
    assert found[0]["code"].startswith(before.strip("* ")[:10])
    far = "\n".join([before, *["goes on"] * 100, aborted])
    assert len(crashes_of(SANITIZER, far.encode())) == 2
    other = f"PHP Fatal error:  Uncaught Error: a in /b.php:1\nStack trace:\n#0 /b.php(9): c()\n\n{LINES['php-fpm']}\n"
    assert len(crashes_of(SANITIZER, other.encode())) == 2


def test_what_a_shell_says_of_a_program_that_its_runtime_aborted():
    thrown = "Unhandled exception. System.InvalidOperationException: is full\n   at Relay.Queue.Push(Item item)\n"
    ended = "/srv/relay/run.sh: line 12:    78 Aborted                 **(core dumped)** dotnet relay.dll\n"
    (crash,) = crashes_of(SANITIZER, f"{thrown}{ended}".encode())
    assert (crash["code"], crash["module"]) == ("System.InvalidOperationException", "Relay.Queue")
    (crash,) = crashes_of(SANITIZER, ended.encode())
    assert (crash["code"], crash["module"]) == ("SIGABRT", "dotnet")
    assert crashes_of(SANITIZER, b"/srv/relay/run.sh: line 12: 78 Aborted.\n") == []  # names no program


SYSLOG = "Jul 19 04:10:{} web-1 {}: {}\n"
SEGFAULT = SYSLOG.format(
    "02",
    "kernel",
    "nginx[78]: segfault at 18 ip 000055d5e1b2c3d4 sp 00007ffe12345678 error 4 in nginx[55d5e0000000+1000]",
)
NOTICE = SYSLOG.format("03", "nginx[1]", LINES["nginx"])


def test_in_a_systems_log_it_is_told_where_the_kernel_does_not():
    (crash,) = crashes_of(KERNEL_FILE, NOTICE.encode())
    assert (crash["host_id"], crash["module"], crash["tags"]["pid"]) == ("web-1", "nginx", "78")
    for both in (SEGFAULT + NOTICE, NOTICE + SEGFAULT):
        (crash,) = crashes_of(KERNEL_FILE, both.encode())
        assert "mapping_offset" in crash["tags"]
    assert len(crashes_of(KERNEL_FILE, (SEGFAULT + NOTICE.replace("process 78", "process 79")).encode())) == 2


def test_upstart_tells_no_number_of_its_own_in_a_systems_log():
    notice = SYSLOG.format("03", "init", "relay main process (78) killed by SEGV signal")
    (crash,) = crashes_of(KERNEL_FILE, notice.encode())
    assert (crash["host_id"], crash["module"], crash["tags"]["pid"]) == ("web-1", "relay", "78")
    assert format_of(head(notice.encode())) is KERNEL_FILE
    for both in (SEGFAULT + notice, notice + SEGFAULT):
        (crash,) = crashes_of(KERNEL_FILE, both.encode())
        assert "mapping_offset" in crash["tags"]
    assert crashes_of(KERNEL_FILE, notice.replace("SEGV", "TERM").encode()) == []


def test_in_a_containers_log():
    (crash,) = crashes_of(DOCKER_LOG, docker(LINES["nginx"] + "\n").encode())
    assert crash["module"] == "nginx"


@pytest.mark.parametrize(
    "piece", ["a ", "(", "process 1 ", "[alert] 1#1: ", "LOG:  a ", "x: line 1: 1 Aborted A=", "a: "]
)
def test_a_hostile_line_takes_little_time(piece):
    line = piece * (4000 // len(piece))
    costs_at_most(50, lambda: [ended(line) for _ in range(100)])


def test_each_line_has_a_mark():
    assert all(map(may_begin, LINES.values()))


EXITED = "relay.service: Main process exited, code=dumped, status=11/SEGV"
SYSTEMD = SYSLOG.format("03", "systemd[1]", EXITED)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (EXITED, "SIGSEGV"),
        (EXITED.replace("dumped, status=11/SEGV", "killed, status=6/ABRT"), "SIGABRT"),
        (EXITED.replace("Main", "main"), "SIGSEGV"),
        (EXITED.replace("relay", "relay@eu-1"), "SIGSEGV"),
    ],
)
def test_a_service_that_a_fault_ended(said, code):
    (crash,) = crashes_of(KERNEL_FILE, SYSTEMD.replace(EXITED, said).encode())
    assert (crash["host_id"], crash["code"], crash["module"]) == ("web-1", code, "relay")
    assert crash["tags"]["unit"] == said.partition(":")[0]
    assert crash["occurred_at"] == "2026-07-19T04:10:03Z"


def test_systemd_itself_may_crash():
    said = "Caught <SEGV>, dumped core as pid 453."
    log = SYSTEMD.replace(EXITED, said)
    for both in (log, log + log.replace(said, "Freezing execution."), SEGFAULT + log + log):
        (*_, crash) = crashes_of(KERNEL_FILE, both.encode())
        assert (crash["host_id"], crash["code"], crash["module"]) == ("web-1", "SIGSEGV", "systemd")
        assert "tags" not in crash
    assert len(crashes_of(KERNEL_FILE, (SEGFAULT + log).encode())) == 1
    ring = "[   12.000001] systemd[1]: Caught <ABRT>, core dump failed (child 770, code=killed, status=6/ABRT).\n"
    (crash,) = crashes_of(KERNEL_FILE, ring.encode())
    assert (crash["code"], crash["module"]) == ("SIGABRT", "systemd")


@pytest.mark.parametrize(
    "status", ["code=killed, status=9/KILL", "code=killed, status=15/TERM", "code=exited, status=1/FAILURE"]
)
def test_a_service_that_ended_otherwise(status):
    said = SYSTEMD.replace("code=dumped, status=11/SEGV", status)
    assert crashes_of(KERNEL_FILE, (SYSLOG.format("01", "kernel", "eth0: up") + said).encode()) == []


def test_what_else_tells_of_a_crash_accounts_for_one_end():
    for both in (SEGFAULT + SYSTEMD, SYSTEMD + SEGFAULT, NOTICE + SYSTEMD, SEGFAULT + NOTICE + SYSTEMD):
        assert len(crashes_of(KERNEL_FILE, both.encode())) == 1
    two = SYSTEMD + SYSTEMD.replace("relay", "queue")
    assert len(crashes_of(KERNEL_FILE, (SEGFAULT + two).encode())) == 2
    assert len(crashes_of(KERNEL_FILE, (SEGFAULT.replace("04:10", "04:07") + SYSTEMD).encode())) == 2
    assert len(crashes_of(KERNEL_FILE, (SEGFAULT.replace("web-1", "web-2") + SYSTEMD).encode())) == 2


@pytest.mark.parametrize(
    ("program", "ended", "code"),
    [
        ("relay", EXITED, "SIGSEGV"),
        ("relayd", EXITED, "SIGSEGV"),
        ("queue", EXITED, None),
        ("relay-of-reques", EXITED.replace("relay", "relay-of-requests@eu-1"), "SIGSEGV"),
        ("systemd", "Caught <ABRT>, dumped core as pid 453.", "SIGABRT"),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_the_end_of_a_service_tells_the_signal_of_its_dump(program, ended, code, is_first):
    dump = SYSLOG.format("02", "systemd-coredump[9]", f"Process 42 ({program}) of user 0 dumped core.")
    end = SYSTEMD.replace(EXITED, ended)
    (crash,) = crashes_of(KERNEL_FILE, (dump + end if is_first else end + dump).encode())
    assert (crash.get("code"), crash["module"]) == (code, program)


@pytest.mark.parametrize(
    ("writer", "before"), [("audit[42]", "ANOM_ABEND"), ("kernel", "audit: type=1701 audit(1721362202.123:456):")]
)
def test_the_kernels_audit_tells_the_signal_of_a_dump(writer, before):
    said = f'{before} auid=1000 uid=0 gid=0 ses=3 subj=x pid=42 comm="relay" exe="/usr/bin/relay" sig=11 res=1'
    audit = SYSLOG.format("02", writer, said)
    dump = SYSLOG.format("02", "systemd-coredump[9]", "Process 42 (relay) of user 0 dumped core.")
    (crash,) = crashes_of(KERNEL_FILE, (audit + dump).encode())
    assert crash["code"] == "SIGSEGV"
    (other,) = crashes_of(KERNEL_FILE, (audit.replace("pid=42", "pid=43") + dump).encode())
    assert "code" not in other
    assert crashes_of(KERNEL_FILE, audit.encode()) == []


def test_a_journal_says_the_same_where_it_is_a_file():
    told = {"_MACHINE_ID": "m1", "__REALTIME_TIMESTAMP": "1721362202000000", "_PID": "1", "MESSAGE": EXITED}
    (crash,) = crashes_of(JOURNAL, entry(told))
    assert (crash["host_id"], crash["occurred_at"], crash["module"]) == ("m1", "2024-07-19T04:10:02Z", "relay")
    upload = Journal(TOLD)  # other entries about then may come in another request
    upload.feed(entry(told))
    upload.end()
    assert upload.taken()[0].read == 0


def test_php_fpm_may_tell_the_place_in_its_source():
    line = "[20-Jul-2025 08:26:40.123] WARNING: pid 7, fpm_children_bury(), line 252: [pool www] child 42"
    found = ended(f"{line} exited on signal 11 (SIGSEGV) after 3.5 seconds from start")
    assert found is not None
    assert (found.code, found.program, found.pid) == ("SIGSEGV", "php-fpm", "42")


STATUSES = {
    "ros": ("[relay-2] process has died [pid 78, exit code {}, cmd /opt/relay/bin/relay -e ode].", "relay", "78"),
    "ros 2": ("[ERROR] [relay-1]: process has died [pid 78, exit code {}, cmd 'relay --ros-args'].", "relay", "78"),
    "compose": ("relay-web-1 exited with code {}", "relay-web-1", None),
    "compose's": ("relay_web_1 exited with code {} (restarting)", "relay_web_1", None),
    "window": (
        "2024-07-19 04:10:03.123 [error] CodeWindow: renderer process gone (reason: crashed, code: {})",
        "renderer",
        None,
    ),
    "utility": (
        "[main 2024-07-19T04:10:03.123Z] [UtilityProcess id: 1, type: extensionHost, pid: 78]: crashed with code {} "
        "and reason 'crashed'",
        "extensionHost",
        "78",
    ),
}


@pytest.mark.parametrize("name", STATUSES)
@pytest.mark.parametrize(
    ("status", "codes"),
    [
        ("139", ["SIGSEGV"]), ("-6", ["SIGABRT"]), ("-1073741819", ["0xc0000005"]), ("3221225477", ["0xc0000005"]),
        ("0", []), ("1", []), ("137", []), ("-15", []), ("255", []), ("-1", []),
    ],
)  # fmt: skip
def test_a_status_tells_how_a_process_ended(name, status, codes):
    line, module, pid = STATUSES[name]
    log = f"starting\n{line.format(status)}\ngoes on\n".encode()
    found = crashes_of(SANITIZER, log)
    assert [crash["code"] for crash in found] == codes
    assert (format_of(head(log)) is SANITIZER) == bool(codes)
    for crash in found:
        assert (crash["module"], crash["tags"].get("pid")) == (module, pid)
        assert crash["os_type"] == ("windows" if codes == ["0xc0000005"] else "linux")


@pytest.mark.parametrize(
    ("said", "code", "module", "pid"),
    [
        ("RuntimeError: DataLoader worker (pid 78) is killed by signal: Segmentation fault. ", "SIGSEGV", None, "78"),
        ("Vim: Caught deadly signal SEGV", "SIGSEGV", "vim", None),
        ("init: relay main process (78) killed by SEGV signal", "SIGSEGV", "relay", "78"),
        ("init: relay (eth0) post-start process (78) killed by ABRT signal", "SIGABRT", "relay", "78"),
        ("Nvim: Caught deadly signal 'SIGABRT'", "SIGABRT", "vim", None),
    ],
)
def test_what_tells_the_signal_in_a_word_of_its_own(said, code, module, pid):
    (crash,) = crashes_of(SANITIZER, f"{said}\n".encode())
    assert (crash["code"], crash.get("module"), crash["tags"].get("pid")) == (code, module, pid)
    assert (
        crashes_of(
            SANITIZER, b"DataLoader worker (pid 78) is killed by signal: Killed.\nVim: Caught deadly signal TERM\n"
        )
        == []
    )
