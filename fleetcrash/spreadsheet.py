"""Makes text from strangers harmless in a spreadsheet."""

from __future__ import annotations

import re

# A cell that begins with one of these is a formula; the wide forms are in an East Asian spreadsheet.
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?")


def harmless(text: str) -> str:
    """Text, with an apostrophe before it where it would be a formula; a number stays as it is."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
