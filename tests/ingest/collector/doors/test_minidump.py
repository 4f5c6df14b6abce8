"""Dumps: what their headers say, that lies in them lead nowhere, and the forms that bring them."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.collector.doors import minidump_upload
from ingest.collector.refusal import Refusal
from ingest.formats import minidump
from tests.ingest.collector.doors.conftest import asked, read_or_refused, the_record

SAMPLES = Path(os.environ.get("FLEETCRASH_SAMPLES", "../shared/samples")) / "minidump"
STAMP = 1721362202
WINDOWS, LINUX, ANDROID, MAC = 2, 0x8201, 0x8203, 0x8101
BASE = 0x7FF600000000


def named(text: str) -> bytes:
    data = text.encode("utf-16-le")
    return struct.pack("<I", len(data)) + data + b"\0\0"


def dump(
    platform: int = WINDOWS,
    *,
    code: int = 0xC0000005,
    address: int = BASE + 0x1234,
    module: str = "C:\\Windows\\System32\\csagent.dll",
    service_pack: str = "",
    version: tuple[int, int, int] = (10, 0, 22631),
    context: bytes = b"",
    report_id: bytes = bytes(16),
) -> bytes:
    """A minidump of one module, as its writers lay it out."""
    names = {"module": named(module), "service pack": named(service_pack)}
    head_bytes = 32 + 12 * 4
    place = head_bytes
    places = {}
    for name, data in [*names.items(), ("context", context)]:
        places[name] = place
        place += len(data)
    system = struct.pack("<HHHBBIIIIIHH24x", 9, 6, 0, 8, 1, *version, platform, places["service pack"], 0, 0)
    record = struct.pack("<IIQQII", code, 0, 0, address, 0, 0) + bytes(15 * 8)
    exception = struct.pack("<II", 1, 0) + record + struct.pack("<II", len(context), places["context"])
    fixed = struct.pack("<IIII36x", 0xFEEF04BD, 0x10000, 7 << 16 | 11, 18110 << 16)
    entry = struct.pack("<QIIII", BASE, 0x10000, 0, 0, places["module"]) + fixed + bytes(32)
    modules = struct.pack("<I", 2) + struct.pack("<QIIII84x", 0x1000, 16, 0, 0, 0) + entry
    crashpad = struct.pack("<I16s16s", 1, report_id, bytes(range(16)) if any(report_id) else bytes(16))
    streams = [(7, system), (6, exception), (4, modules), (0x43500001, crashpad)]
    directory, bodies = b"", b""
    for kind, data in streams:
        directory += struct.pack("<III", kind, len(data), place + len(bodies))
        bodies += data
    head = b"MDMP" + struct.pack("<IIIIIQ", 0xA793, len(streams), 32, 0, STAMP, 0)
    return head + directory + b"".join(names.values()) + context + bodies


def kernel_dump(code: int = 0x50) -> bytes:
    data = bytearray(0x2000)
    data[:8] = b"PAGEDU64"
    struct.pack_into("<II", data, 8, 15, 22631)
    struct.pack_into("<IIQQQQ", data, 0x38, code, 0, 0xFFFF840500000074, 0, 0xFFFFF80335A43C1E, 2)
    struct.pack_into("<Q", data, 0xFA8, (STAMP + 11644473600) * 10_000_000)
    struct.pack_into("<Q", data, 0x1030, 3155 * 1_000_000)
    return bytes(data)


def small_kernel_dump(code: int = 0x50) -> bytes:
    """With a list of drivers."""
    data = bytearray(kernel_dump(code)) + bytes(0x1000)
    struct.pack_into("<I", data, 0xF98, 4)
    names = 0x2100
    drivers = [("ntoskrnl.exe", 0xFFFFF80330000000, 0x1046000), ("relay.sys", 0xFFFFF80335A40000, 0x5000)]
    struct.pack_into("<II", data, 0x2030, 0x2400, len(drivers))
    for number, (name, base, size) in enumerate(drivers):
        at, raw = 0x2400 + number * 0x90, name.encode("utf-16-le")
        struct.pack_into("<I", data, at, names)
        struct.pack_into("<QQI", data, at + 0x38, base, base + 0x10, size)
        struct.pack_into(f"<I{len(raw)}s", data, names, len(name), raw)
        names += 0x40
    return bytes(data)


def older_kernel_dump() -> bytes:
    """Of a 32-bit system."""
    data = bytearray(0x1000)
    data[:8] = b"PAGEDUMP"
    struct.pack_into("<II", data, 8, 15, 19045)
    struct.pack_into("<IIIII", data, 0x28, 0xD1, 0x8, 2, 0, 0x9A543C1E)
    struct.pack_into("<QQ", data, 0xFB8, 3155 * 1_000_000, (STAMP + 11644473600) * 10_000_000)
    return bytes(data)


def test_a_windows_dump_tells_code_module_and_system():
    found = minidump.read(dump())
    assert found is not None
    assert found.fields() == {
        "domain": "user",
        "os_type": "windows",
        "os_version": "10.0.22631",
        "code": "0xc0000005",
        "module": "csagent.dll",
        "module_version": "7.11.18110.0",
        "module_offset": 0x1234,
        "occurred_at": "2024-07-19T04:10:02Z",
    }


def test_elsewhere_the_instruction_is_in_the_context():
    context = bytearray(0x4D0)
    struct.pack_into("<Q", context, 0xF8, BASE + 0x77)
    found = minidump.read(dump(
        LINUX, code=11, address=8, module="/opt/x/libscan.so", version=(0, 0, 0),
        service_pack="Linux 6.1.0-9-amd64 #1 SMP x86_64", context=bytes(context),
    ))  # fmt: skip
    assert found is not None
    assert (found.os_type, found.os_version, found.code) == ("linux", "6.1.0-9-amd64", "SIGSEGV")
    assert (found.module, found.module_offset) == ("libscan.so", 0x77)
    found = minidump.read(dump(MAC, code=1, version=(10, 15, 7), service_pack="19H114"))
    assert found is not None
    assert (found.os_type, found.os_version, found.os_build) == ("darwin", "10.15.7", "19H114")
    assert found.code == "EXC_BAD_ACCESS"


@pytest.mark.parametrize(
    ("platform", "code"), [(WINDOWS, 0x0517A7ED), (LINUX, 0xFFFFFFFF), (ANDROID, 0xFFFFFFFF), (MAC, 0x43507378)]
)
def test_a_dump_that_was_asked_for_is_no_crash(platform, code):
    data = dump(platform, code=code, report_id=bytes(range(1, 17)))
    found = minidump.read(data)
    assert found is not None
    assert (found.code, found.is_crash) == ("DUMP_REQUESTED", False)
    reading = read({"guid": "h1"}, data)
    assert (reading.lines, reading.read, reading.not_read, reading.dumps) == (b"", 0, 1, ())
    assert reading.reply == b"04030201-0605-0807-090a-0b0c0d0e0f10", "or its client sends it again"


@pytest.mark.parametrize(("platform", "code"), [(LINUX, 0x0517A7ED), (WINDOWS, 0x43507378), (MAC, 0xFFFFFFFF)])
def test_what_another_systems_crashpad_calls_a_request_is_a_crash(platform, code):
    record = the_record(read({"guid": "h1"}, dump(platform, code=code)))
    assert record["code"] == f"0x{code:x}"


def test_a_library_that_was_replaced_under_a_running_program_keeps_its_name():
    found = minidump.read(dump(LINUX, code=11, module="/opt/agent/libscan.so.3 (deleted)"))
    assert found is not None
    assert (found.module, found.module_offset) == ("libscan.so.3", 0x1234)


def test_a_kernel_dump_tells_its_bugcheck():
    found = minidump.read(kernel_dump())
    assert found is not None
    assert found.fields() == {
        "domain": "kernel",
        "os_type": "windows",
        "os_version": "10.0.22631",
        "code": "0x50",
        "occurred_at": "2024-07-19T04:10:02Z",
        "uptime_s": 315.5,
    }
    assert found.arguments == ("0xffff840500000074", "0x0", "0xfffff80335a43c1e", "0x2")


@pytest.mark.parametrize("code", [0x50, 0x10000050])
def test_a_small_kernel_dump_tells_the_driver_at_fault(code):
    found = minidump.read(small_kernel_dump(code))
    assert found is not None
    assert (found.module, found.module_offset) == ("relay.sys", 0x3C1E)
    for other in (small_kernel_dump(0x9F), small_kernel_dump(0x1E), small_kernel_dump()[:0x2490], kernel_dump()):
        found = minidump.read(other)
        assert found is not None
        assert (found.module, found.module_offset) == (None, None)


@pytest.mark.parametrize("code", [0x161, 0x117, 0x141, 0x142, 0x15C, 0x193, 0x1CC, 0x10000141])
def test_a_dump_of_a_kernel_that_went_on_is_no_crash(code):
    found = minidump.read(kernel_dump(code))
    assert found is not None
    assert not found.is_crash
    assert (read({"host_id": "h1"}, kernel_dump(code)).read, found.code) == (0, f"{code:#x}")


@pytest.mark.parametrize("code", [0x116, 0x124, 0x144, 0x50, 0xAB])
def test_what_may_be_a_bugcheck_is_a_crash(code):
    found = minidump.read(kernel_dump(code))
    assert found is not None
    assert found.is_crash


def test_a_kernel_dump_of_a_32_bit_system():
    found = minidump.read(older_kernel_dump())
    assert found is not None
    assert (found.code, found.os_version, found.occurred_at) == ("0xd1", "10.0.19045", "2024-07-19T04:10:02Z")
    assert (found.uptime_s, found.arguments) == (315.5, ("0x8", "0x2", "0x0", "0x9a543c1e"))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"MDMP", b"PAGEDU64", b"PAGEDUMP", kernel_dump()[:0x1000], older_kernel_dump()[:0xFC7],
        b"MZ" + bytes(100), dump()[1:],
    ],
)  # fmt: skip
def test_what_is_no_dump_is_told(data):
    assert minidump.read(data) is None


@given(st.integers(0, 1000), st.binary(min_size=1, max_size=8), st.integers(0, 1000))
def test_no_lie_in_a_dump_breaks_the_reader(place, lie, cut):
    data = bytearray(dump(LINUX, service_pack="Linux 6.1", context=bytes(0x100), report_id=bytes(range(16))))
    data[place : place + len(lie)] = lie
    for one in (data, data[: len(data) - cut]):
        found = minidump.read(bytes(one))
        assert found is None or found.domain == "user"


@given(st.lists(st.integers(0, 2**32 - 1), min_size=6, max_size=40), st.booleans())
def test_no_numbers_break_the_reader(numbers, is_kernel):
    words = struct.pack(f"<{len(numbers)}I", *numbers)
    data = b"PAGEDU64" + words * (0x2000 // len(words)) if is_kernel else b"MDMP" + words * 4
    found = minidump.read(data)
    assert found is not None
    assert found.uptime_s is None or 0 <= found.uptime_s < 1e10


@pytest.mark.parametrize(("name", "value"), [("streams", 2**32 - 1), ("directory", 2**32 - 1)])
def test_counts_are_not_believed(name, value):
    data = bytearray(dump())
    struct.pack_into("<I", data, {"streams": 8, "directory": 12}[name], value)
    assert minidump.read(bytes(data)) is not None


# -- forms


def form(fields: dict[str, str], data: bytes | None = None, *, boundary: str = "x-1") -> tuple[bytes, str]:
    """A form as clients write it, and its Content-Type."""
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    if data is not None:
        head = b'Content-Disposition: form-data; name="upload_file_minidump"; filename="../../etc/x.dmp"\r\n'
        parts.append(head + b"Content-Type: application/octet-stream\r\n\r\n" + data)
    mark = f"--{boundary}\r\n".encode()
    body = b"".join(mark + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def read(fields: dict[str, str], data: bytes | None = None) -> Any:
    body, content_type = form(fields, data)
    return minidump_upload.read(bytearray(body), asked(content_type))


def test_a_form_with_a_dump_is_a_crash_and_the_dump_is_kept():
    reading = read({"guid": "h1", "prod": "agent", "ver": "7.11.18110"}, dump())
    record = the_record(reading)
    assert (record["host_id"], record["agent_version"], record["module"]) == ("h1", "7.11.18110", "csagent.dll")
    assert record["tags"] == {"guid": "h1", "prod": "agent", "ver": "7.11.18110"}
    assert reading.reply.decode() == record["crash_id"]
    (kept,) = reading.dumps
    assert (kept.data, kept.host_id, kept.crash_id) == (dump(), "h1", record["crash_id"])
    assert kept.name.isalnum(), "a hash, whatever the client calls its file"


def test_the_same_dump_is_the_same_crash_of_one_host_and_another_of_another():
    ids = [the_record(read({"host_id": host}, dump()))["crash_id"] for host in ("h1", "h1", "h2")]
    assert ids[0] == ids[1] != ids[2]


def test_crashpads_ids_name_crash_and_host():
    record = the_record(read({}, dump(report_id=bytes(range(1, 17)))))
    assert record["crash_id"] == "04030201-0605-0807-090a-0b0c0d0e0f10"
    assert record["host_id"] == "03020100-0504-0706-0809-0a0b0c0d0e0f"


def test_a_kernel_dump_comes_with_its_arguments():
    record = the_record(read({"host_id": "h1"}, kernel_dump()))
    assert (record["domain"], record["code"], record["tags"]["argument1"]) == ("kernel", "0x50", "0xffff840500000074")


@pytest.mark.parametrize("data", [None, b"", b"no dump", b"MDMP"])
def test_a_form_without_a_dump_is_refused(data):
    with pytest.raises(Refusal, match="no file upload_file_minidump") as refused:
        read({"guid": "h1"}, data)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"--y\r\n", "multipart/form-data; boundary=x"),
        (form({}, dump())[0], "multipart/form-data"),
        (form({}, dump())[0], "multipart/form-data; boundary="),
        (b"--x\r\n\r\n\r\n" * 300, "multipart/form-data; boundary=x"),
    ],
)
def test_what_is_no_form_is_refused(body, content_type):
    with pytest.raises(Refusal) as refused:
        minidump_upload.read(bytearray(body), asked(content_type))
    assert refused.value.status in (400, 413)


def test_boundaries_may_be_quoted_and_the_end_may_be_missing():
    body, _ = form({"guid": "h1"}, dump(), boundary="a b'c")
    record = the_record(minidump_upload.read(bytearray(body[:-12]), asked('multipart/form-data; Boundary="a b\'c"')))
    assert record["module"] == "csagent.dll"


@given(st.binary(max_size=60), st.integers(0, 400))
def test_no_bytes_break_the_form(damage, place):
    body = bytearray(form({"guid": "h1"}, dump())[0])
    body[place : place + len(damage)] = damage
    read_or_refused(minidump_upload.read, body, asked("multipart/form-data; boundary=x-1"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("getsentry_symbolic__crash_linux", ("linux", "SIGSEGV", "crash_linux")),
        ("rust-minidump_rust-minidump__test", ("windows", "0xc0000005", "test_app.exe")),
        ("rust-minidump_rust-minidump__simple-crashpad", ("darwin", "SIGABRT", "crashy")),
        ("rust-minidump_rust-minidump__invalid-range", (None, None, None)),
    ],
)
def test_recorded_dumps(name, expected):
    path = SAMPLES / f"{name}.dmp"
    if not path.exists():
        pytest.skip(f"no samples at {SAMPLES}; FLEETCRASH_SAMPLES names their folder")
    found = minidump.read(path.read_bytes())
    assert found is not None
    assert (found.os_type, found.code, found.module) == expected
