"""Makes text from strangers harmless on a terminal."""

from __future__ import annotations


def readable(text: str | bytes) -> str:
    """Text from strangers in one line: bytes that are no text, and characters that are not printable, are escaped."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
