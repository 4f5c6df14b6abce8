"""Where records and fields of CSV lie, against a reader that looks at one byte after the other."""

from __future__ import annotations

from itertools import takewhile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import csv_records

MANY = settings(max_examples=400, deadline=None, derandomize=True)
TEXTS = st.lists(
    st.sampled_from(
        [b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"a", b" ", b'"a"', b'"a,\n"', b'"a"\r\n', b'\n"', b'",', b"\xff"]
    ),
    max_size=40,
).map(b"".join)


def end_of_sound_record(data: bytes, start: int) -> int | None:
    """The newline that ends a record; None where a quote stands where it may not."""
    state = "start"
    for place in range(start, len(data)):
        byte = data[place : place + 1]
        if state == "quoted":
            state = "closed" if byte == b'"' else state
        elif byte == b"\n":
            return place
        elif byte == b",":
            state = "start"
        elif byte == b'"' and state != "plain":
            state = "quoted"
        elif byte == b'"' or (state == "closed" and (byte != b"\r" or data[place + 1 : place + 2] != b"\n")):
            return None
        elif state != "closed":
            state = "plain"
    return None


def one_by_one(data: bytes) -> list[tuple[int, int, bool]]:
    """Start, stop and soundness of each record."""
    found, start = [], 0
    while start < len(data):
        end = end_of_sound_record(data, start)
        stop = (data.index(b"\n", start) if end is None else end) + 1
        found.append((start, stop, end is not None))
        start = stop
    return found


def fields_of(record: bytes) -> list[bytes]:
    fields, field, inside = [], b"", False
    for place in range(len(record)):
        byte = record[place : place + 1]
        inside ^= byte == b'"'
        if byte == b"," and not inside:
            fields.append(field)
            field = b""
        else:
            field += byte
    return [field[1:-1].replace(b'""', b'"') if field.startswith(b'"') else field for field in [*fields, field]]


def without_line_end(record: bytes) -> bytes:
    return record.removesuffix(b"\n").removesuffix(b"\r")


def found_in(data: bytes, *, at_end: bool) -> list[tuple[int, int, bool]]:
    records = csv_records.split(data, at_end=at_end)
    return list(zip(records.starts.tolist(), records.stops.tolist(), records.sound.tolist(), strict=True))


@pytest.mark.slow
@MANY
@given(TEXTS)
def test_records_are_those_of_a_reader_that_goes_byte_by_byte(text):
    data = text + b"\n"
    assert found_in(data, at_end=True) == one_by_one(data)
    records = csv_records.split(data, at_end=True)
    assert records.lines.tolist() == [data[:start].count(b"\n") for start in records.starts]
    ends = [start + len(without_line_end(data[start:stop])) for start, stop, _ in one_by_one(data)]
    assert records.ends(data).tolist() == ends


@pytest.mark.slow
@MANY
@given(TEXTS)
def test_fields_are_those_of_a_reader_that_goes_byte_by_byte(text):
    data = text + b"\n"
    records = csv_records.split(data, at_end=True)
    sound = csv_records.text_of(data, records, np.flatnonzero(records.sound))
    found = csv_records.fields(sound)
    expected = [fields_of(without_line_end(data[start:stop])) for start, stop, sound in one_by_one(data) if sound]
    assert found.counts.tolist() == list(map(len, expected))
    values = [sound.data[start:end].replace(b'""', b'"') for start, end in zip(found.starts, found.ends, strict=True)]
    assert values == [field for record in expected for field in record]


@pytest.mark.slow
@MANY
@given(TEXTS, st.integers(0, 200))
def test_what_follows_changes_no_record_that_is_whole(text, cut):
    data = text + b"\n"
    whole = one_by_one(data)
    found = found_in(data[:cut], at_end=False)
    assert found == whole[: len(found)]
    assert len(found) >= len(list(takewhile(lambda record: record[2] and record[1] <= cut, whole)))


@pytest.mark.parametrize("size", [63, 64, 65, 127, 128, (1 << 18) - 1, 1 << 18, (1 << 18) + 1])
def test_a_quote_that_lasts_over_words_and_slices_hides_what_is_in_it(size):
    data = b'a,"' + b",\n" * size + b'"\n' + b"b,c\n"
    assert found_in(data, at_end=True) == [(0, len(data) - 4, True), (len(data) - 4, len(data), True)]
    assert found_in(b'x"' + data, at_end=True)[0] == (0, 7, False)
