"""The query files in ``sql/``: their text, and the names in it."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files


@cache
def query_text(name: str) -> str:
    """The SQL of a query file, comments included."""
    return files("fleetcrash.store").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


@cache
def words(name: str) -> frozenset[str]:
    """The words of a query file outside comments and literals; the names of all that it reads are among them."""
    return frozenset(re.findall(r"\w+", re.sub(r"--[^\n]*|'[^']*'", " ", query_text(name).lower())))
