"""Which hosts a condition selects, and how versions compare.

The grammar is the one in which the detector answers, written anew: a sample that borrowed the detector's own
matching would agree with its mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from fleetcrash.errors import BadArgument
from sample_data.simulator.clock import Flags

FIELDS = (
    "os_type",
    "os_version",
    "os_build",
    "agent_version",
    "model",
    "region",
    "ring",
    "group",
    "site",
    "customer",
)
WITH_UPDATE = "with_update"

_PARTS = re.compile(r"\d+|[^\W\d_]+")
_BOUND = re.compile(r"(>=|<)\s*(\S+)")


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """A version as something that compares: ``7.9 < 7.11 < 7.11.0``, digits as numbers, text below them."""
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part.lower()) for part in _PARTS.findall(version))


def fits(value: str, wanted: str) -> bool:
    """Whether one value satisfies ``x``, ``x.*``, ``>=x``, ``<x`` or ``>=x <y``."""
    bounds = _BOUND.findall(wanted)
    if bounds:
        key = version_key(value)
        return all(key >= version_key(bound) if sign == ">=" else key < version_key(bound) for sign, bound in bounds)
    if wanted.endswith(".*"):
        prefix = version_key(wanted[:-2])
        return version_key(value)[: len(prefix)] == prefix
    return value == wanted


def check_condition(condition: Mapping[str, str], where: str) -> None:
    """Refuse a condition with a field that hosts do not have.

    Raises:
        BadArgument: names the field and the ones that exist.
    """
    for field in condition:
        if field != WITH_UPDATE and field not in FIELDS:
            raise BadArgument(
                f"{where} has the key {field!r}; a condition knows {', '.join((*FIELDS, WITH_UPDATE))}. "
                "Nothing was written."
            )


def selected(condition: Mapping[str, str], columns: Mapping[str, np.ndarray], size: int) -> Flags:
    """The rows that satisfy every part of a condition but ``with_update``.

    Args:
        condition: field to wanted value; ``{}`` selects all.
        columns: field to text array of ``size`` rows.
    """
    chosen = np.ones(size, dtype=np.bool_)
    for field, wanted in condition.items():
        if field == WITH_UPDATE:
            continue
        values, positions = np.unique(columns[field], return_inverse=True)
        chosen &= np.array([fits(str(value), wanted) for value in values], dtype=np.bool_)[positions]
    return chosen
