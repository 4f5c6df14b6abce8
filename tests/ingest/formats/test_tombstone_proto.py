"""Tombstones in protobuf: the same crash as in the text that Android writes beside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.crashes import Unfit
from ingest.formats.known import format_of
from ingest.formats.tombstone import TOMBSTONE as TEXT
from ingest.formats.tombstone_proto import TOMBSTONE_PROTO
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives
from tests.ingest.formats.test_tombstone import TOMBSTONE as SAID

SIGNAL = {1: 11, 2: "SIGSEGV", 3: 1, 4: "SEGV_MAPERR", 8: 1, 9: 8}
LIBC, RELAY = (
    "/apex/com.android.runtime/lib64/bionic/libc.so",
    "/data/app/~~x==/com.acme.relay-y==/base.apk!librelay.so",
)
FRAMES = (
    {1: 0x4F1AC, 4: "memcpy", 5: 188, 6: LIBC, 8: "0a1b"},
    {1: 0x12345, 4: "relay::push(int)", 5: 20, 6: RELAY, 7: 0x1000, 8: "0a1c"},
    {1: 0x210, 4: "com.acme.relay.Main.run", 5: 72, 6: "/memfd:jit-cache (deleted)"},
    {1: 0x999, 6: "<anonymous:7b2a3c>"},
)
THREADS = (
    {1: 4321, 2: {1: 4321, 2: "com.acme.relay", 4: [{1: 0xB1E2C, 4: "__epoll_pwait", 5: 8, 6: LIBC}]}},
    {1: 4330, 2: {1: 4330, 2: "relay worker", 3: [{1: "x0", 2: 0}], 4: list(FRAMES)}},
)
FIELDS = {
    1: 1, 2: "acme/pad/pad:14/UP1A.231005.007/10754064:user/release-keys", 3: "MP1.0",
    4: "2024-07-19 04:10:02.123456789+0200", 5: 4321, 6: 4330, 7: 10123, 8: "u:r:untrusted_app:s0",
    9: ["com.acme.relay", "--password=geheim"], 10: SIGNAL, 15: {1: "null pointer dereference"},
    16: list(THREADS), 17: [{1: 1 << 40, 7: LIBC}], 20: 5,
}  # fmt: skip


def written(fields) -> bytes:
    """A message of protobuf; a list is a field of each of its values."""
    data = b""
    for number, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, int):
                data += _varint(number << 3) + _varint(one & (1 << 64) - 1)
            else:
                raw = one.encode() if isinstance(one, str) else written(one)
                data += _varint(number << 3 | 2) + _varint(len(raw)) + raw
    return data


def _varint(number: int) -> bytes:
    low, high = number & 127, number >> 7
    return bytes([low | 128]) + _varint(high) if high else bytes([low])


TOMBSTONE = written(FIELDS)


def crash(fields):
    (record,) = crashes_of(TOMBSTONE_PROTO, written(fields))
    return record


def test_it_is_the_crash_that_the_text_beside_it_tells():
    assert format_of(head(TOMBSTONE)) is TOMBSTONE_PROTO
    assert crashes_of(TOMBSTONE_PROTO, TOMBSTONE) == crashes_of(TEXT, SAID.encode())


def test_of_an_abort_the_caller_is_to_blame():
    abort = {1: 6, 2: "SIGABRT", 3: -6, 4: "SI_TKILL", 5: 1, 6: 10123, 7: 4321}
    stack = [{1: 0x4F000, 4: "abort", 5: 164, 6: LIBC}, *FRAMES[1:]]
    threads = {1: 4330, 2: {1: 4330, 2: "relay worker", 4: stack}}
    record = crash({**FIELDS, 10: abort, 14: "size > 0\nin relay", 16: threads})
    assert (record["code"], record["module"], record["module_offset"]) == ("SIGABRT", "librelay.so", 0x12345)
    assert record["tags"]["message"] == "size > 0"


def test_on_32_bits_pointers_are_as_short_as_in_the_text():
    narrow = {**{number: value for number, value in FIELDS.items() if number != 1}, 10: {**SIGNAL, 9: 0xDEADBEEF}}
    data = written(narrow)
    assert format_of(head(data)) is TOMBSTONE_PROTO
    said = SAID.replace("'arm64'", "'arm'").replace("0x0000000000000008", "0xdeadbeef").replace(" pc 00000000", " pc ")
    assert crashes_of(TOMBSTONE_PROTO, data) == crashes_of(TEXT, said.encode())


def test_a_stack_that_somebody_asked_for_is_no_crash():
    assert crashes_of(TOMBSTONE_PROTO, written({name: one for name, one in FIELDS.items() if name != 10})) == []


def test_a_thread_that_is_not_among_the_threads_has_no_stack():
    record = crash({**FIELDS, 6: 9})
    assert "frames" not in record
    assert record["code"] == "SIGSEGV"


def test_what_is_cut_short_gives_what_is_whole():
    records = TOMBSTONE_PROTO.read(TOMBSTONE[:-8], TOLD)
    assert (records.read, records.damage is not None and records.damage.code) == (1, "bad_tombstone")
    with pytest.raises(Unfit, match="ends within"):
        TOMBSTONE_PROTO.read(TOMBSTONE[:70], TOLD)


@pytest.mark.parametrize(
    "data", [written({2: "acme", 4: "today"}), written({1: 1, 4: FIELDS[4]}), b"\x08\x01\x12" + bytes(200), b""]
)
def test_another_message_is_no_tombstone(data):
    assert format_of(head(data)) is not TOMBSTONE_PROTO


@given(changed(TOMBSTONE) | st.binary(max_size=200))
def test_no_bytes_break_it(data):
    survives(TOMBSTONE_PROTO, data)
