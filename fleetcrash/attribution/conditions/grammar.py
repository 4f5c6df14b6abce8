"""Conditions: which of the exposed hosts a fault hits, in the contract's grammar.

A condition is a mapping key -> text. The text is ``x`` (equal), ``x.*`` (component prefix), or one or two bounds
such as ``>=7.11`` and ``>=7.11 <7.16``. Versions split at what is not alphanumeric; runs of digits compare as
integers, text stands below numbers, and a missing part is the lowest: 7.9 < 7.11 < 7.11.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from fleetcrash.errors import BadArgument

CONDITION_KEYS = (
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
    "with_update",
)

SYSTEM_NAMES = {"windows": "Windows", "darwin": "macOS", "linux": "Linux"}
KEY_NAMES = {
    "os_version": "OS version",
    "os_build": "OS build",
    "agent_version": "agent",
    "with_update": "together with",
}

Condition = Mapping[str, str]
VersionKey = tuple[tuple[int, int, str], ...]

_PART = re.compile(r"[0-9]+|[A-Za-z]+")
_BOUND = re.compile(r"(>=|<)\s*([^\s<>=][^\s<]*)")
_NUMBER, _TEXT = 1, 0
# Versions of which what is worked out is kept: what senders tell must not fill the memory of a monitor that runs on.
_KEPT = 65_536


@lru_cache(_KEPT)
def version_key(version: str) -> VersionKey:
    """A key that sorts versions as the contract orders them.

    >>> version_key("7.9") < version_key("7.11") < version_key("7.11.0")
    True
    """
    return tuple(_number_key(part) if part.isdigit() else (_TEXT, 0, part) for part in _PART.findall(version))


def _number_key(digits: str) -> tuple[int, int, str]:
    """A key that sorts runs of digits as integers, of any length: Python turns down int() of more than 4,300 digits."""
    significant = digits.lstrip("0")
    return _NUMBER, len(significant), significant


def in_words(condition: Condition, shown: Callable[[str], str] = str) -> str:
    """A condition as people say it.

    >>> in_words({"os_type": "windows", "agent_version": ">=7.11 <7.16"})
    'Windows, agent ≥ 7.11 and < 7.16'

    Args:
        shown: makes text of the fleet fit to be shown.
    """
    words = []
    for key in sorted(condition, key=lambda key: key != "os_type"):
        text = shown(condition[key])
        bounds = f"< {text[1:]}" if text.startswith("<") else text.replace(">=", "≥ ").replace(" <", " and < ")
        words.append(SYSTEM_NAMES.get(text, text) if key == "os_type" else f"{KEY_NAMES.get(key, shown(key))} {bounds}")
    return ", ".join(words) or "all exposed hosts"


def components(version: str) -> list[str]:
    """The parts of a version between what is not alphanumeric."""
    return [part for part in re.split(r"[^0-9A-Za-z]+", version) if part]


@lru_cache(_KEPT)
def matcher(text: str) -> Callable[[str | None], bool]:
    """The test that a condition's text makes of a value. A missing value matches nothing.

    Raises:
        BadArgument: the text has a bound that cannot be read.
    """
    if text.startswith((">", "<")):
        bounds = _BOUND.findall(text)
        if "".join(sign + bound for sign, bound in bounds) != re.sub(r"\s+", "", text):
            raise BadArgument(f"Condition {text!r} is not understood; wanted x, x.*, >=x, <x or >=x <y.")
        limits = [(sign, version_key(bound)) for sign, bound in bounds]
        return lambda value: (
            value is not None
            and all(
                version_key(value) >= limit if sign == ">=" else version_key(value) < limit for sign, limit in limits
            )
        )
    if text.endswith(".*"):
        prefix = components(text[:-2])
        return lambda value: value is not None and components(value)[: len(prefix)] == prefix
    return lambda value: value == text


def matches(condition: Condition, attributes: Mapping[str, str | None]) -> bool:
    """Whether a host with these attributes meets every part of the condition. The empty condition: all hosts."""
    return all(matcher(text)(attributes.get(key)) for key, text in condition.items())


def check(condition: object) -> Condition:
    """A condition as it came from outside, checked.

    Raises:
        BadArgument: not a mapping of known keys to texts in the grammar.
    """
    if not isinstance(condition, dict):
        raise BadArgument(f'A condition is a JSON object such as {{"os_type": "windows"}}; found {condition!r}.')
    for key, text in condition.items():
        if key not in CONDITION_KEYS:
            raise BadArgument(f"A condition has no key {key!r}; the keys are {', '.join(CONDITION_KEYS)}.")
        if not isinstance(text, str) or not text:
            raise BadArgument(f"The condition on {key} is text such as 'x' or '>=x'; found {text!r}.")
        matcher(text)
    return condition
