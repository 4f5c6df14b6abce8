"""Which format a file is of: each format's own files are, in whatever they stand, and others' are of none."""

from __future__ import annotations

import codecs
import json
import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.containers import CRI_LOG
from ingest.formats.core_file import CORE_FILE
from ingest.formats.event_log import EVENT_LOG
from ingest.formats.event_rows import EVENT_ROWS
from ingest.formats.event_text import EVENT_TEXT
from ingest.formats.format import HEAD_BYTES, Document, Log
from ingest.formats.journal import JOURNAL
from ingest.formats.known import FORMATS, format_of
from ingest.formats.minidump import MINIDUMP
from ingest.formats.minidump_form import MINIDUMP_FORM
from ingest.formats.python_log import PYTHON_LOG
from ingest.formats.tombstone_proto import TOMBSTONE_PROTO
from tests.ingest.conftest import SOUND, line
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives
from tests.ingest.formats.made_up import EACH, FILES, IDS

PROSE = b"Seen on the build machine today.\nIt had run for 3 hours: see below.\n\n"
IN_PROSE = {"report of a sanitizer, a fuzzer or a runtime", "log of a Linux kernel", "Android tombstone or logcat",
            "text of minidump-stackwalk", "panic of Apple's kernel, as text", "crash report of macOS or iOS, as text",
            "apport report", "log of a Python program"}  # fmt: skip

# What a container printed is a program's log where not every line is the runtime's; events in a table are texts.
IN_PROSE_ELSE = {CRI_LOG: PYTHON_LOG, EVENT_ROWS: EVENT_TEXT}


def test_there_are_files_of_every_format():
    assert list(FILES) == list(FORMATS)


@pytest.mark.parametrize(("format", "name", "data"), EACH, ids=IDS)
def test_a_file_is_of_its_format_and_of_no_other(format: Document | Log, name: str, data: bytes) -> None:
    assert format_of(head(data)) is format, name
    assert crashes_of(format, data)


@pytest.mark.parametrize(("format", "name", "data"), EACH, ids=IDS)
def test_prose_before_a_text_makes_it_no_other(format, name, data):
    found = format_of(head(PROSE + data))
    if format.title in IN_PROSE:
        assert found is format
    assert found in (format, None, IN_PROSE_ELSE.get(format))
    assert format_of(head(b"\r\n\n" + data)) in (format, None)


SIZED = (
    MINIDUMP,
    MINIDUMP_FORM,
    EVENT_LOG,
    CORE_FILE,
    TOMBSTONE_PROTO,
    JOURNAL,
)  # their texts have their sizes before them
ROOTED = re.compile(rb"(?<![\w./~-])/(?:srv|opt|src|usr/bin|home/\w+)(?=/)")
DRIVEN = re.compile(rb"[Cc]:(\\\\{1,2})(?:Users\\\\{1,2}\w+|src|Program Files)(?=\\\\)")


@pytest.mark.parametrize(("format", "name", "data"), [one for one in EACH if one[0] not in SIZED])
def test_no_record_tells_whose_home_it_is(format: Document | Log, name: str, data: bytes) -> None:
    at_home = DRIVEN.sub(rb"C:\1Users\1bobbyt", ROOTED.sub(b"/home/bobbyt", data))
    found = crashes_of(format, at_home)
    assert len(found) == len(crashes_of(format, data)), name
    assert "bobbyt" not in json.dumps(found)


JAVA = b"""\
2024-07-19 04:10:02.123 ERROR 7 --- [main] c.a.relay.Queue : cannot push
java.lang.IllegalStateException: no room
\tat com.acme.relay.Queue.push(Queue.java:13)
Caused by: java.io.IOException: Kernel panic - not syncing: said by an app
2024-07-19 04:10:03,001 INFO kernel.cache: BUG: unable to handle kernel paging request
"""
PYTHON = b"""\
WARNING: retrying
2024-07-19 04:10:02,123 ERROR relay.queue: cannot push
Traceback (most recent call last):
  File "/srv/relay/queue.py", line 9, in push
    raise Full("panic: no room")
relay.Full: panic: no room
INFO:     127.0.0.1:49152 - "GET / HTTP/1.1" 200 OK
"""
NGINX = b"""\
192.0.2.1 - - [19/Jul/2024:04:10:02 +0000] "GET /?q=panic(cpu%200 HTTP/1.1" 200 612 "-" "Mozilla/5.0 (Macintosh)"
2024/07/19 04:10:02 [error] 7#7: *1 open() "/srv/x" failed (2: No such file or directory), client: 192.0.2.1
2024/07/19 04:10:03 [notice] 1#1: worker process 7 exited with code 0
2024/07/19 04:10:03 [alert] 1#1: worker process 8 exited on signal 9
"""
SYSLOG = b"""\
Jul 19 04:10:01 web-1 CRON[811]: (root) CMD (test -x /usr/sbin/anacron)
Jul 19 04:10:02 web-1 app[812]: Kernel panic - not syncing: said by an app
Jul 19 04:10:02 web-1 app[812]: panic: said by an app
2024-07-19T04:10:02.25+02:00 web-1 app: BUG: unable to handle page fault for address: 00000008
"""
DPKG = (
    b"2024-07-19 04:10:02 install relay:amd64 <none> 3.2-1\n2024-07-19 04:10:02 status half-installed relay:amd64 3.2\n"
)
README = b"""\
# Relay

Crashes of `relay` end in `SIGSEGV`; look for `Fatal signal 11 (SIGSEGV)` or `panic:` in its output, for a file
`relay.crash` with its `ProblemType: Crash`, or run it with AddressSanitizer (`ERROR: AddressSanitizer: ...`).

WARNING: this is not stable.

Process: 1. build 2. run. Exception Type: see the manual.
"""
SOURCE = b"""\
#include <stdio.h>
/* WARNING: keep in step with print() below; "Kernel panic - not syncing: %s" is of the kernel. */
static const char *HEADS[] = {"==%d==ERROR: AddressSanitizer: %s", "pid: %d, tid: %d, name: %s  >>> %s <<<",
  "panic(cpu %d caller 0x%x): %s", "Fatal signal %d (%s)", "thread 'main' panicked at %s"};
int main(void) { printf("Darwin Kernel Version 23.5.0: root:xnu-10063"); return 0; }
"""
PACKAGE = {
    "name": "relay", "version": "3.2.1", "dependencies": {"sdk": "^1.0.0"}, "platform": "node",
    "scripts": {"crash": "node --abort-on-uncaught-exception main.js"},
}  # fmt: skip
MANIFEST = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "relay", "labels": {"app": "relay"}},
    "spec": {"template": {"spec": {"containers": [{"name": "relay", "env": [{"name": "modules", "value": "x"}]}]}}},
}  # fmt: skip
CONFIG = {"host": "h1", "rows": [{"path": "/x", "module": "y", "version": "1"}], "columns": 80, "contexts": {}}
RECORDS = [line(kind) for kind in SOUND]
OTHERS = {
    "java": JAVA, "python": PYTHON, "nginx": NGINX, "syslog": SYSLOG, "dpkg": DPKG, "readme": README, "source": SOURCE,
    "package": json.dumps(PACKAGE, indent=2).encode(), "package in a line": json.dumps(PACKAGE).encode(),
    "manifest": json.dumps(MANIFEST, indent=2).encode(), "config": json.dumps(CONFIG).encode(),
    "list": json.dumps([PACKAGE, MANIFEST]).encode(), "csv": b"record,host_id,at\r\nheartbeat,h1,2024-07-19\r\n",
    "plist": b'<?xml version="1.0"?>\n<plist><dict><key>Event</key><string>x</string></dict></plist>',
    "html": b"<!doctype html><title>Event</title><Event>", "yaml": b"Event: x\nProcess: relay\nkind: Deployment\n",
    "elf": b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 4, "zip": b"PK\x03\x04" + bytes(100), "empty": b"",
}  # fmt: skip
MAY_HOLD_CRASHES = (SYSLOG, OTHERS["config"])  # a kernel may write further down; any table may be a query's


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS.keys())
def test_what_others_write_has_no_crashes(data):
    for told in (data, data.replace(b"\n", b"\r\n"), codecs.BOM_UTF8 + data):
        found = format_of(head(told))
        assert found is None or crashes_of(found, told) == []
        assert (found is None) == (data not in MAY_HOLD_CRASHES)


@pytest.mark.parametrize("data", RECORDS)
def test_records_of_the_contract_are_no_crash_files(data):
    crash = json.loads(data)
    crash["tags"] = {"event_id": "x", "exception": "y", "log": "x" * HEAD_BYTES}
    for told in (data, data + b"\n" + data, b"\n" + data, codecs.BOM_UTF8 + data, json.dumps(crash).encode()):
        assert format_of(head(told)) is None


@given(st.binary(max_size=300))
def test_no_bytes_break_the_looks(data):
    format_of(head(data))


@given(st.sampled_from([data for _, _, data in EACH]).flatmap(changed))
def test_no_changed_file_breaks_its_reader(data):
    found = format_of(head(data))
    if found is not None and found is not EVENT_LOG:  # which has a process of its own, and tests of its own
        survives(found, data)


PIECES = (
    b"\0", b"\n", b"\r\n", b"{", b"{\n", b"}\n", b"[", b'{"a":', b"[{", b",", b'"\\', b"a", b"a\n", b"a ", b"a.", b"a/",
    b"a::", b"(a", b"#0 ", b"#0 \n", b"0x1 ", b"0x1\n", b"at \n", b"<a>", b"    \n", b"\xff", "é".encode(),
    b"panic: \n", b"1: a\n",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("piece", PIECES)
def test_nothing_takes_long_whatever_it_is_made_of(piece):
    data = piece * ((64 << 10) // len(piece))
    for format in FORMATS:
        costs_at_most(100, partial(format.recognises, head(data)))
        for said in (data, next(iter(FILES[format].values())) + b"\n" + data):
            costs_at_most(100, partial(survives, format, said))
