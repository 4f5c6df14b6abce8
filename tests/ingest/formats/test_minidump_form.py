"""Minidumps that a program keeps for its uploader, with what it tells of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.crashes import Unfit
from ingest.formats.known import format_of
from ingest.formats.minidump_form import MINIDUMP_FORM
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives
from tests.ingest.formats.minidump_files import ANDROID, ARM64, Dump

DUMP = Dump(ANDROID, ARM64, code=11, pointer=0x401234, modules=[("/system/lib64/libquill.so", 0x400000, 0x10000)])
FIELDS = [("prod", "Relay_Android"), ("ver", "7.11.18110"), ("guid", "0f0e-77"), ("switch-1", "--token=abc")]


def form(end: bytes = b"--\r\n") -> bytes:
    part = '--{0}\r\nContent-Disposition: form-data; name="{1}"\r\n\r\n{2}\r\n'
    parts = "".join(part.format("--MultipartBoundary-7f3a--", name, said) for name, said in FIELDS)
    parts += '----MultipartBoundary-7f3a--\r\nContent-Disposition: form-data; name="upload_file_minidump"; '
    parts += 'filename="dump"\r\nContent-Type: application/octet-stream\r\n\r\n'
    return parts.encode() + DUMP.written() + b"\r\n----MultipartBoundary-7f3a--" + end


def counted() -> bytes:
    parts = "".join(f"{name}:{len(said)}:{said}" for name, said in FIELDS)
    data = DUMP.written()
    return f'{parts}upload_file_minidump"; filename="dump":{len(data)}:'.encode() + data


@pytest.mark.parametrize("data", [form(), counted()], ids=["form", "counted"])
def test_a_dump_in_a_form_is_a_crash_of_the_program_that_the_form_tells_of(data):
    assert format_of(head(data)) is MINIDUMP_FORM
    (record,) = crashes_of(MINIDUMP_FORM, data)
    assert (record["host_id"], record["agent_version"], record["code"]) == ("0f0e-77", "7.11.18110", "SIGSEGV")
    assert (record["module"], record["module_offset"]) == ("libquill.so", 0x1234)
    assert record["tags"] == {
        "exe": "libquill.so", "prod": "Relay_Android", "ver": "7.11.18110", "guid": "0f0e-77",
    }  # fmt: skip


@pytest.mark.parametrize("whole", [form(), counted()], ids=["form", "counted"])
def test_a_form_that_is_cut_short(whole):
    damage = MINIDUMP_FORM.read(whole[: whole.index(b"MDMP") + 300], TOLD).damage
    assert damage is not None
    assert damage.code == "bad_minidump"
    with pytest.raises(Unfit, match="before its dump"):
        crashes_of(MINIDUMP_FORM, whole[: whole.index(b"upload_file")])


@given(st.binary(max_size=200) | changed(form()) | changed(counted()))
def test_no_bytes_break_it(data):
    survives(MINIDUMP_FORM, data)
