"""What strangers sent, fit to be shown on a terminal."""

from __future__ import annotations


def readable(text: str | bytes) -> str:
    """Text from strangers in one line: what is no text, and what moves a terminal's cursor, is spelled out."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
