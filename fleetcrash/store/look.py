"""The state that an engine answers from, and keys of its answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fleetcrash.records import Kind
from fleetcrash.store.database import VERSION
from fleetcrash.store.queries import query_text, words
from fleetcrash.store.schema import SCHEMA_VERSION
from fleetcrash.store.snapshot import TableFiles

# The views that queries read, each listed after those that it reads.
VIEWS = (
    "first_crash",
    "crashes",
    "installs",
    "catalogue",
    "updates",
    "hosts",
    "heard_hosts",
    "sightings",
    "presence_told",
    "presence",
    "content_told",
    "steps",
    "exposure_history",
    "exposures",
    "host_spans",
)

_KEYS = 1  # increase when answers change for a reason that keys do not cover, as in ``reading``


@dataclass(frozen=True)
class Look:
    """The state that an engine answers from.

    Attributes:
        files: of each table of the lake.
        as_of: the instant; None in a lake without a record.
        assumed: views that stand for records that the lake does not have.
    """

    files: Mapping[str, TableFiles]
    as_of: datetime | None
    assumed: frozenset[str]

    def view(self, name: str) -> str:
        """The query file of a view."""
        return f"views/{name}_assumed" if name in self.assumed else f"views/{name}"

    def follows(self, earlier: Look) -> bool:
        """Whether everything that was known then is still known, and maybe more, so that a table may grow."""
        if self.as_of is None or earlier.as_of is None or self.as_of < earlier.as_of:
            return False
        # What is assumed about a host depends on others: on whether any was seen at all, and on every release.
        if self.assumed or earlier.assumed:
            return False
        pairs = [(earlier.files[kind], self.files[kind]) for kind in Kind]
        return all(
            set(before.paths) <= set(after.paths) and not before.unbooked and not after.unbooked
            for before, after in pairs
        )

    def key(
        self, query: str, parameters: Mapping[str, Any], kept: Collection[str], key_of: Callable[[str], str]
    ) -> str:
        """The key of the answer of a query file: it covers all that the answer depends on, and maybe more.

        Args:
            kept: the kept tables that it may read. key_of: the key of what one of them is to hold.
        """
        told: list[object] = [_KEYS, SCHEMA_VERSION, VERSION, self.as_of, sorted(parameters.items())]
        reads = [query]
        seen: set[str] = set()
        while reads:
            reading = reads.pop()
            told.append(query_text(reading))
            for word in sorted(words(reading) - seen):
                seen.add(word)
                if word in kept:
                    told.append(key_of(word))
                elif word in VIEWS:
                    reads.append(self.view(word))
                elif word.removeprefix("lake_") in self.files:
                    told.append(self.files[word.removeprefix("lake_")].digest)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]
