"""The list of crash file formats, and recognising the format of a file."""

from __future__ import annotations

from collections.abc import Iterable

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
from ingest.formats.format import HEAD_BYTES, Document, Head, Log, decoded
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
from ingest.formats.python_log import PYTHON_LOG, tells_of_crash
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

# Those that are no text, whatever texts are in them.
BINARY: tuple[Document | Log, ...] = (MINIDUMP, MINIDUMP_FORM, EVENT_LOG, CORE_FILE, TOMBSTONE_PROTO)
# In the order in which they are tried: those recognised by the first bytes, then those recognised by the text.
FORMATS: tuple[Document | Log, ...] = (
    *BINARY,
    EVENT_LOG_XML,
    EVENT_LOG_ESCAPED,
    EVENT_ROWS,
    REPORT_WER,
    JOURNAL,
    JOURNAL_BEATS,
    JOURNAL_JSON,
    JOURNAL_VERBOSE,
    COREDUMPCTL_JSON,
    KERNEL_JSON,
    DOCKER_LOG,
    CRI_LOG,
    PODS,
    LOGCAT_JSON,
    CLOUD_LOG,
    SHIPPED_LOG,
    OSQUERY_LOG,
    OSQUERY_ROWS,
    OTLP_FILE,
    SENTRY_ENVELOPE,
    SENTRY_EVENT,
    SENTRY_API,
    STACKWALK,
    STACKWALK_TEXT,
    CASREP,
    NODE_REPORT,
    DOTNET_REPORT,
    REPORTER_JSON,
    METRICKIT,
    ERLANG_DUMP,
    APPORT,
    APPLE_REPORT,
    APPLE_TEXT,
    XNU_PANIC,
    COREDUMPCTL,
    ANDROID_REPORTS,
    GRAPHENEOS,
    TOMBSTONE,
    HS_ERR,
    JAVACORE,
    WINDBG,
    EVENT_TEXT,
    EVENT_LOG_BARE,
    DUMP_VIEWERS,
    PROBLEM_TEXT,
    GAME_ENGINES,
    VMCORES,
    DEBUGGERS,
    KCRASH,
    BESIDE_KERNEL,
    SANITIZER,
    FUZZ_REPORTS,
    APPORT_LOG,
    PYTHON_LOG,
    POD_TEXT,
    LAUNCHD_LOG,
    KERNEL_FILE,
    SYSTEMCTL,
)


_LOOKED_AT_BYTES = 16 << 20


def format_within(blocks: Iterable[bytes]) -> Log | None:
    """The format of a report within the output of a program, at any distance from the start."""
    held, looked = b"", 0
    for block in blocks:
        part = held[-HEAD_BYTES:] + block
        whole, end, _ = part.rpartition(b"\n")
        if SANITIZER.recognises(Head("", whole + end)):
            return SANITIZER
        if tells_of_crash(decoded(whole), has_end=False):
            return PYTHON_LOG
        held, looked = part[-HEAD_BYTES:], looked + len(block)
        if looked > _LOOKED_AT_BYTES:
            return None
    rest = held.rpartition(b"\n")[2]
    if SANITIZER.recognises(Head("", rest)):
        return SANITIZER
    return PYTHON_LOG if tells_of_crash(decoded(held), has_end=True) else None


def binary_format_of(head: Head) -> Document | Log | None:
    """The format of a file that is no text; None for others."""
    return next((one for one in BINARY if one.recognises(head)), None)


def format_of(head: Head) -> Document | Log | None:
    """The format of a file by its beginning; None for the contract's own records and for unknown content."""
    return None if head.is_no_crash_file else next((one for one in FORMATS if one.recognises(head)), None)
