"""A few made-up files of each format that is read from files, each with at least one crash in it."""

from __future__ import annotations

import json

from ingest.formats.android_reports import ANDROID_REPORTS
from ingest.formats.apple_report import APPLE_REPORT
from ingest.formats.apple_text import APPLE_TEXT
from ingest.formats.apport import APPORT
from ingest.formats.apport_log import APPORT_LOG
from ingest.formats.beside_kernel import BESIDE_KERNEL
from ingest.formats.casr import CASREP
from ingest.formats.cloud_logs import CLOUD_LOG
from ingest.formats.containers import CRI_LOG, DOCKER_LOG
from ingest.formats.core_dump_json import COREDUMPCTL_JSON
from ingest.formats.core_dumps import COREDUMPCTL
from ingest.formats.core_file import CORE_FILE
from ingest.formats.debuggers import DEBUGGERS
from ingest.formats.dotnet_report import DOTNET_REPORT
from ingest.formats.dump_viewers import DUMP_VIEWERS
from ingest.formats.erlang import ERLANG_DUMP
from ingest.formats.event_log import EVENT_LOG, EVENT_LOG_BARE, EVENT_LOG_ESCAPED, EVENT_LOG_XML
from ingest.formats.event_rows import EVENT_ROWS
from ingest.formats.event_text import EVENT_TEXT
from ingest.formats.format import Document, Log
from ingest.formats.fuzz_reports import FUZZ_REPORTS
from ingest.formats.game_engines import GAME_ENGINES
from ingest.formats.grapheneos import GRAPHENEOS
from ingest.formats.javacore import JAVACORE
from ingest.formats.journal import JOURNAL
from ingest.formats.journal_beats import JOURNAL_BEATS
from ingest.formats.journal_json import JOURNAL_JSON
from ingest.formats.journal_verbose import JOURNAL_VERBOSE
from ingest.formats.jvm import HS_ERR
from ingest.formats.kcrash import KCRASH
from ingest.formats.kernel_file import KERNEL_FILE
from ingest.formats.kernel_json import KERNEL_JSON
from ingest.formats.logcat_json import LOGCAT_JSON
from ingest.formats.metrickit import METRICKIT
from ingest.formats.minidump import MINIDUMP
from ingest.formats.minidump_form import MINIDUMP_FORM
from ingest.formats.node_report import NODE_REPORT
from ingest.formats.osquery import OSQUERY_LOG, OSQUERY_ROWS
from ingest.formats.otlp import OTLP_FILE
from ingest.formats.pod_text import POD_TEXT
from ingest.formats.pods import PODS
from ingest.formats.problem_text import PROBLEM_TEXT
from ingest.formats.python_log import PYTHON_LOG
from ingest.formats.reporter_json import REPORTER_JSON
from ingest.formats.sanitizer import SANITIZER
from ingest.formats.sentry import SENTRY_ENVELOPE, SENTRY_EVENT
from ingest.formats.sentry_api import SENTRY_API
from ingest.formats.service_managers import LAUNCHD_LOG, SYSTEMCTL
from ingest.formats.shipped_logs import SHIPPED_LOG
from ingest.formats.stackwalk import STACKWALK
from ingest.formats.stackwalk_text import STACKWALK_TEXT
from ingest.formats.tombstone import TOMBSTONE
from ingest.formats.tombstone_proto import TOMBSTONE_PROTO
from ingest.formats.vmcores import VMCORES
from ingest.formats.wer import REPORT_WER
from ingest.formats.windbg import WINDBG
from ingest.formats.xnu_panic import XNU_PANIC
from tests.ingest.collector.doors import test_otlp, test_sentry
from tests.ingest.collector.doors.test_minidump import dump, kernel_dump, older_kernel_dump
from tests.ingest.formats import (
    test_android_reports,
    test_apple_report,
    test_apple_text,
    test_apport,
    test_apport_log,
    test_beside_kernel,
    test_casr,
    test_caught_signals,
    test_cloud_logs,
    test_containers,
    test_core_dump_json,
    test_core_dumps,
    test_core_file,
    test_debuggers,
    test_dotnet_report,
    test_dump_viewers,
    test_erlang,
    test_event_log,
    test_event_rows,
    test_event_text,
    test_fuzz_reports,
    test_game_engines,
    test_grapheneos,
    test_javacore,
    test_journal_beats,
    test_journal_json,
    test_jvm,
    test_kcrash,
    test_kernel_json,
    test_kernel_log,
    test_logcat_json,
    test_metrickit,
    test_minidump_form,
    test_node_report,
    test_osquery,
    test_pod_text,
    test_pods,
    test_problem_text,
    test_program_logs,
    test_reporter_json,
    test_sanitizer,
    test_sentry_api,
    test_server_faults,
    test_service_managers,
    test_shipped_logs,
    test_stackwalk,
    test_tombstone,
    test_tombstone_proto,
    test_vmcores,
    test_wer,
    test_windbg,
    test_workers,
    test_xnu_panic,
)
from tests.ingest.formats.evtx_files import evtx
from tests.ingest.formats.test_journal import COREDUMP, OTHER, entry

_EVENTS = [*test_event_log.BOOT, test_event_log.NOTHING, test_event_log.bugcheck(), test_event_log.error()]
_REPORT = test_wer.report().replace(test_wer.INTEGRATOR, f"{test_wer.INTEGRATOR[:-1]}3")  # of no event above
_KERNELS = {
    "oops": test_kernel_log.OLD_OOPS,
    "lockup": test_kernel_log.LOCKUP_PANIC,
    "kasan": test_kernel_log.KASAN_PANIC,
}
_SYSLOG = "".join(f"Jul 19 04:10:02 web-1 kernel: {line}\n" for line in test_kernel_log.OLD_OOPS.splitlines())


def _json(value: object, indent: int | None = None) -> bytes:
    return json.dumps(value, indent=indent).encode()


def _apart(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files that tell of one crash in many forms, so that each tells of one of its own."""
    return {
        name: data.replace(b"00000018", b"0000001%d" % at).replace(b"relay.exe", b"relay%d.exe" % at)
        for at, (name, data) in enumerate(files.items())
    }


FILES: dict[Document | Log, dict[str, bytes]] = {
    MINIDUMP: {"user": dump(), "kernel": kernel_dump(), "32-bit kernel": older_kernel_dump()},
    MINIDUMP_FORM: {"form": test_minidump_form.form(), "counted": test_minidump_form.counted()},
    EVENT_LOG: {"evtx": evtx(_EVENTS)},
    CORE_FILE: {"core": test_core_file.Core().written()},
    TOMBSTONE_PROTO: {"other": test_tombstone_proto.written({**test_tombstone_proto.FIELDS, 4: "2024-07-20 04:10:02"})},
    EVENT_LOG_XML: {
        "wevtutil": test_event_log.xml(_EVENTS).encode(),
        "viewer": f'<?xml version="1.0"?><Events>{test_event_log.xml(_EVENTS)}</Events>'.encode("utf-16"),
    },
    EVENT_LOG_ESCAPED: {
        "page": test_event_log.xml(_EVENTS).replace("<", "&lt;").replace(">", "&gt;").encode(),
    },
    EVENT_ROWS: _apart(test_event_rows.DOCUMENTS),
    REPORT_WER: {"utf-16": _REPORT.encode("utf-16"), "utf-8": _REPORT.encode()},
    JOURNAL: {"export": entry(OTHER) + entry(COREDUMP)},
    JOURNAL_BEATS: {"filebeat": test_journal_beats.lines(test_journal_beats.KERNEL).replace(b"78", b"80")},
    JOURNAL_JSON: {name: form(test_journal_json.ENTRIES).encode() for name, form in test_journal_json.FORMS.items()},
    JOURNAL_VERBOSE: {"verbose": test_core_dumps.verbose().replace(b"6d80620f", b"7e91731f")},  # another boot
    COREDUMPCTL_JSON: {"short": test_core_dump_json.LIST},
    KERNEL_JSON: {"dmesg": test_kernel_json.printed(test_kernel_log.OLD_OOPS.replace("[ 1234.", "[ 5432."))},
    DOCKER_LOG: {
        "docker": test_containers.docker(test_containers.JAVA).encode(),
        "shipped": test_containers.shipped(test_containers.NODE).encode(),
    },
    CRI_LOG: {"cri": test_containers.cri(test_containers.PYTHON).encode()},
    PODS: test_pods.LISTS,
    LOGCAT_JSON: {"saved": test_logcat_json.DATA},
    CLOUD_LOG: {
        name: _json(test_cloud_logs.STORES[name][0](test_containers.JAVA.splitlines()), 1)
        for name in ("newest first", "amazon", "azure")
    },
    SHIPPED_LOG: {"elastic": test_shipped_logs.ELASTIC.replace(b"78", b"79")},
    OSQUERY_LOG: {
        name: test_osquery.log(test_osquery.OTHER, test_osquery.result(row))
        for name, row in {"windows": test_osquery.WINDOWS, "mac": test_osquery.MAC, "panic": test_osquery.PANIC}.items()
    },
    OSQUERY_ROWS: {"rows": _json([test_osquery.WINDOWS, test_osquery.MAC], 1)},
    OTLP_FILE: {"line": _json(test_otlp.export(test_otlp.CRASH)), "lines": _json(test_otlp.export(test_otlp.CRASH), 2)},
    SENTRY_ENVELOPE: {"envelope": bytes(test_sentry.of_event(test_sentry.EVENT))},
    SENTRY_EVENT: {"line": _json(test_sentry.EVENT), "lines": _json(test_sentry.EVENT, 2)},
    SENTRY_API: {
        "one": _json(test_sentry_api.api({**test_sentry.EVENT, "event_id": "1f" * 16}), 1),
        "many": _json([test_sentry_api.api(test_sentry_api.NATIVE)]),
    },
    STACKWALK: {"line": _json(test_stackwalk.DUMP), "lines": _json(test_stackwalk.DUMP, 2)},
    STACKWALK_TEXT: {"printed": test_stackwalk.PRINTED.encode(), "piped": test_stackwalk.PIPED.encode()},
    CASREP: {"line": _json(test_casr.REPORT), "lines": _json(test_casr.REPORT, 1)},
    NODE_REPORT: {"exception": test_node_report.report(), "fatal": test_node_report.report("FatalError", processId=43)},
    DOTNET_REPORT: {"thrown": test_dotnet_report.THROWN},
    REPORTER_JSON: {name: _json(said, 1) for name, said in test_reporter_json.REPORTS.items()},
    METRICKIT: {"payload": _json(test_metrickit.PAYLOAD, 2), "alone": _json(test_metrickit.CRASH)},
    ERLANG_DUMP: {"dump": test_erlang.DUMP.encode()},
    APPORT: {
        name: said.encode()
        for name, said in {"process": test_apport.PROCESS, "py": test_apport.PYTHON, "oops": test_apport.OOPS}.items()
    },
    APPLE_REPORT: {
        "ips": test_apple_report.report(),
        "panic": test_apple_report.report(test_apple_report.PANIC_HEADER, test_apple_report.PANIC),
    },
    APPLE_TEXT: {
        name: said.encode()
        for name, said in {
            "mac": test_apple_text.MAC,
            "phone": test_apple_text.PHONE,
            "hang": test_apple_text.HANG,
        }.items()
    },
    XNU_PANIC: {
        "symbols": test_xnu_panic.SYMBOLS.encode(),
        "extensions": test_xnu_panic.EXTENSIONS.encode(),
        "silicon": test_xnu_panic.SILICON.encode(),
    },
    COREDUMPCTL: {"info": test_core_dumps.INFO.encode()},
    ANDROID_REPORTS: {
        "traces": test_android_reports.TRACES.encode(),
        "entry": (test_android_reports.FIELDS + test_android_reports.THROWN).encode(),
    },
    GRAPHENEOS: {"native": test_grapheneos.NATIVE.encode(), "java": test_grapheneos.JAVA.encode()},
    TOMBSTONE: {
        "tombstone": test_tombstone.TOMBSTONE.encode(),
        "java": test_tombstone.threadtime(test_tombstone.JAVA, "AndroidRuntime").encode(),
        "hang": test_tombstone.threadtime(test_tombstone.ANR, "ActivityManager").encode(),
    },
    HS_ERR: {"linux": test_jvm.LINUX.encode(), "windows": test_jvm.WINDOWS.encode()},
    JAVACORE: {"fault": test_javacore.CORE.encode()},
    WINDBG: {"kernel": (test_windbg.OPENED + test_windbg.KERNEL).encode(), "user": test_windbg.USER.encode()},
    EVENT_TEXT: {
        "viewer": test_event_text.viewer(test_event_text.ERROR).encode(),
        "wevtutil": test_event_text.wevtutil(test_event_text.BUGCHECK, "BugCheck", 1001).encode(),
        "list": test_event_text.listed(test_event_text.ERROR.replace("5e1f0c2a", "6e1f0c2a")).encode(),
    },
    EVENT_LOG_BARE: {"values": test_event_log.bare(_EVENTS).encode()},
    DUMP_VIEWERS: _apart({name: said.encode() for name, said in test_dump_viewers.LISTS.items()}),
    PROBLEM_TEXT: _apart({name: said.encode() for name, said in test_problem_text.PROBLEMS.items()}),
    GAME_ENGINES: {name: said.encode() for name, said in test_game_engines.LOGS.items()},
    VMCORES: {name: said.encode() for name, said in test_vmcores.DUMPS.items()},
    DEBUGGERS: {
        "gdb": test_debuggers.GDB.encode(),
        "lldb": test_debuggers.LLDB.encode(),
        "swift": test_debuggers.SWIFT.encode(),
    },
    KCRASH: {
        "threads": test_kcrash.REPORTS["threads"].encode(),
        "report": test_kcrash.REPORT.replace("push", "pull").encode(),
    },
    BESIDE_KERNEL: {"both": f"{test_beside_kernel.PANIC}\n{test_beside_kernel.OOPS}\n".encode()},
    SANITIZER: {
        **{name: said.encode() for name, (said, *_) in test_sanitizer.REPORTS.items()},
        **{name: said.encode() for name, said in test_caught_signals.REPORTS.items()},
        **{name: said.encode() for name, said in test_server_faults.REPORTS.items()},
        "worker": f"{test_workers.STARTED}{test_workers.LINES['nginx']}\n".encode(),
    },
    FUZZ_REPORTS: {"filed": test_fuzz_reports.FILED.encode(), "saved": test_fuzz_reports.SAVED.encode()},
    APPORT_LOG: {"old": test_apport_log.OLD.encode(), "new": test_apport_log.NEW.encode()},
    PYTHON_LOG: {"ended": test_program_logs.ENDED.encode(), "anew": test_program_logs.STARTED_ANEW.encode()},
    POD_TEXT: {"described": test_pod_text.DESCRIBED.encode()},
    LAUNCHD_LOG: {"old": test_service_managers.OLD.encode(), "new": test_service_managers.NEW.encode()},
    KERNEL_FILE: {**{name: said.encode() for name, said in _KERNELS.items()}, "syslog": _SYSLOG.encode()},
    SYSTEMCTL: {"state": test_service_managers.STATE.encode()},
}
EACH = [(format, name, data) for format, files in FILES.items() for name, data in files.items()]
IDS = [f"{format.title}: {name}" for format, name, _ in EACH]
