"""Marks before the lines of a text."""

from __future__ import annotations

import pytest

from ingest.formats.quoted import mark_of, mark_of_some, without


@pytest.mark.parametrize(
    ("said", "mark"),
    [
        (b"he wrote:\n> a\n> b\n> c\n", b"> "),
        (b"he wrote:\n > a\n > b\n > c\n", b" > "),
        (b"he wrote:\n > a\n> b\n > c\n", b"> "),
        (b"he wrote:\n> a\n> b\n", b""),
        (b"let a = 1;\n// CRASH INFO\n// a\n//\n// b\n", b"// "),
        (b"let a = 1;\n// a\n// b\n", b""),
        (b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n> a\n> b\n> c\n", b""),
    ],
)
def test_some_lines_may_be_quoted(said, mark):
    assert mark_of_some(said) == mark


def test_a_mark_may_be_nested_with_blanks():
    said = b"he wrote:\n>  > a\n>  > b\n>  > c\n"
    for _ in range(2):
        said = b"".join(without(mark_of(said) or mark_of_some(said), [said]))
    assert said == b"he wrote:\na\nb\nc\n"
