"""What strangers sent, fit to be opened in a spreadsheet."""

from __future__ import annotations

import re

# What makes a cell a formula; the wide forms do in an East Asian spreadsheet.
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?")


def harmless(text: str) -> str:
    """Text with an apostrophe before it where it would be a formula; a number stays one."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
