"""Marks before the lines of a text."""

from __future__ import annotations

import pytest

from ingest.formats.quoted import in_utf8, is_encoded, mark_of, mark_of_some, without


@pytest.mark.parametrize(
    ("said", "mark"),
    [
        (b"he wrote:\n> a\n> b\n> c\n", b"> "),
        (b"he wrote:\n > a\n > b\n > c\n", b" > "),
        (b"he wrote:\n > a\n> b\n > c\n", b"> "),
        (b"he wrote:\n> a\n> b\n", b""),
        (b"let a = 1;\n// CRASH INFO\n// a\n//\n// b\n", b"// "),
        (b"let a = 1;\n// a\n// b\n", b""),
        (b"==7==ERROR\n--\n | a\n | b\n | c\n", b" | "),
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


def test_a_mail_may_be_as_it_was_sent():
    cut = b"> the key of the relay is x=3D\xc3\xa4".ljust(75, b".")
    said = (cut + b"=\nfar\n") * 3
    assert is_encoded(said)
    lines = b"".join(in_utf8([said])).decode().split("\n")
    assert lines[0] == "> the key of the relay is x=\xe4".ljust(72, ".") + "far"


@pytest.mark.parametrize("said", [b"a=\nb=\nc=\nd=\n", b"QUJD==\n" * 9, b"plain\n"])
def test_lines_that_end_in_a_sign_are_no_mail(said):
    assert not is_encoded(said)
    assert b"".join(in_utf8([said])) == said
