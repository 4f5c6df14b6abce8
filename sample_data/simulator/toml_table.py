"""Reading TOML so that a mistake is named by its file and key, and no key is ignored in silence."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Any

from fleetcrash.errors import BadArgument, UnreadableSource
from sample_data.simulator.clock import chance

_REQUIRED: Any = object()


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        UnreadableSource: there is no such file, or it is not TOML; says at which line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror}. Nothing was written.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnreadableSource(f"{path} is not TOML: {error}. Nothing was written.") from error


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two tables as one, the upper one's values winning; lists are replaced whole."""
    result = dict(below)
    for key, value in above.items():
        lower = result.get(key)
        if isinstance(lower, Mapping) and isinstance(value, Mapping):
            result[key] = merged(lower, value)
        else:
            result[key] = value
    return result


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Table:
    """One table of a TOML file, read key by key; ``close`` refuses what was not asked for.

    What differs from fleet to fleet is left open by the file and settled by the seed: a number may be given as
    two bounds, a text of a table of texts as a list to choose from. Each key has a chance of its own.
    """

    def __init__(self, values: Mapping[str, Any], where: str, seed: int) -> None:
        self._values = values
        self._where = where
        self._seed = seed
        self._read: set[str] = set()

    def _take(self, key: str, default: Any) -> Any:
        self._read.add(key)
        if key in self._values:
            return self._values[key]
        if default is _REQUIRED:
            raise BadArgument(f"{self.name(key)} is missing. Nothing was written; add it and run again.")
        return default

    def name(self, key: str) -> str:
        """Where a key stands, for a message: ``file.toml: updates[2].rollout.by``."""
        return f"{self._where}{'' if self._where.endswith(' ') else '.'}{key}"

    def wrong(self, key: str, wanted: str) -> BadArgument:
        """The error for a key whose value is not what is wanted."""
        found = self._values.get(key)
        return BadArgument(f"{self.name(key)} is {found!r}; wanted {wanted}. Nothing was written.")

    def values(self) -> Mapping[str, Any]:
        """The table as it stands, for whoever reads it in its own way; its keys count as read."""
        self._read.update(self._values)
        return self._values

    def has(self, key: str) -> bool:
        """Whether the table has this key."""
        return key in self._values

    def text(self, key: str, default: Any = _REQUIRED, one_of: tuple[str, ...] = ()) -> str:
        """A text, where wanted one of a few."""
        value = self._take(key, default)
        if not isinstance(value, str) or (one_of and value not in one_of):
            raise self.wrong(key, f"one of {', '.join(one_of)}" if one_of else "a text in quotes")
        return value

    def number(
        self, key: str, default: Any = _REQUIRED, low: float = float("-inf"), high: float = float("inf")
    ) -> float:
        """A number within bounds, both included; or the seed's choice between two of them.

        The choice is even on a logarithmic scale if both are positive: a rate or a delay varies by factors.
        """
        value = self._take(key, default)
        ends = value if isinstance(value, list) and len(value) == 2 else [value]
        if not all(_is_number(end) and low <= end <= high for end in ends) or ends != sorted(ends):
            raise self.wrong(key, f"a number from {low:g} to {high:g}, or two such bounds")
        first, last = float(ends[0]), float(ends[-1])
        if first == last:
            return first
        drawn = float(chance(self._seed, self.name(key)).random())
        return float(first * (last / first) ** drawn) if first > 0 else first + (last - first) * drawn

    def whole(self, key: str, default: Any = _REQUIRED, low: int = 0) -> int:
        """A whole number, at least ``low``."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise self.wrong(key, f"a whole number from {low}")
        return value

    def flag(self, key: str, default: Any = _REQUIRED) -> bool:
        """true or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def day(self, key: str) -> date:
        """A date."""
        value = self._take(key, _REQUIRED)
        if type(value) is not date:
            raise self.wrong(key, "a date such as 2024-07-19, without quotes")
        return value

    def time_of_day_ms(self, key: str, default: Any = _REQUIRED) -> int:
        """A time of day, UTC, in ms since midnight."""
        value = self._take(key, default)
        if not isinstance(value, time) or value.tzinfo is not None:
            raise self.wrong(key, "a time of day in UTC such as 04:09:00, without quotes")
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        return seconds * 1000 + value.microsecond // 1000

    def texts(self, key: str, default: Any = _REQUIRED) -> tuple[str, ...]:
        """A list of texts."""
        value = self._take(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "a list of texts")
        return tuple(value)

    def numbers(self, key: str, default: Any = _REQUIRED, count: int | None = None) -> tuple[float, ...]:
        """A list of numbers, where wanted of a given length."""
        value = self._take(key, default)
        if (
            not isinstance(value, list | tuple)
            or not all(_is_number(item) for item in value)
            or (count is not None and len(value) != count)
        ):
            raise self.wrong(key, f"a list of {'' if count is None else f'{count} '}numbers")
        return tuple(float(item) for item in value)

    def text_map(self, key: str, default: Any = _REQUIRED) -> dict[str, str]:
        """A table of texts, or of lists of them from which the seed chooses."""
        value = self._take(key, default)
        if not isinstance(value, Mapping):
            raise self.wrong(key, "a table of texts")
        choices = {name: item if isinstance(item, list) else [item] for name, item in value.items()}
        if not all(items and all(isinstance(item, str) for item in items) for items in choices.values()):
            raise self.wrong(key, "a table of texts")
        return {
            name: items[int(chance(self._seed, f"{self.name(key)}.{name}").integers(len(items)))]
            for name, items in choices.items()
        }

    def weights(self, key: str, default: Any = _REQUIRED) -> dict[str, float]:
        """A table of numbers >= 0 that are not all zero."""
        value = self._take(key, default)
        if (
            not isinstance(value, Mapping)
            or not all(_is_number(item) for item in value.values())
            or any(item < 0 for item in value.values())
            or sum(value.values()) <= 0
        ):
            raise self.wrong(key, "a table of weights, at least one above 0")
        return {name: float(weight) for name, weight in value.items()}

    def table(self, key: str) -> Table:
        """A table inside this one; empty where it is missing."""
        value = self._take(key, {})
        if not isinstance(value, Mapping):
            raise self.wrong(key, "a table")
        return Table(value, self.name(key), self._seed)

    def tables(self, key: str) -> list[Table]:
        """A list of tables; empty where it is missing."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise self.wrong(key, "a list of tables")
        return [Table(item, f"{self.name(key)}[{number}]", self._seed) for number, item in enumerate(value)]

    def close(self) -> None:
        """Refuse keys that nobody asked for: a misspelt one would otherwise change nothing, in silence."""
        unknown = sorted(set(self._values) - self._read)
        if unknown:
            known = ", ".join(sorted(self._read))
            raise BadArgument(f"{self.name(unknown[0])} is not known here; known: {known}. Nothing was written.")
