"""The hosts that incidents account for, as the monitor last counted them, beside the facts: see ``aggregates``.

Who wants to know them would else judge all minutes anew. A list is kept under all that is said of its incident, so that
it is never shown beside the counts of another tick. What an incident says in the lake does not grow by them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from fleetcrash.store.aggregates import Aggregates
from fleetcrash.store.engine import Engine

_PART = "hosts"
_FORM = 1  # of a list; one of another form is not found


class HostLists:
    """The lists of one lake. Any number of processes may use them at once.

    Args:
        root: the lake's folder.
    """

    def __init__(self, root: Path) -> None:
        self._kept = Aggregates(root, part=_PART)

    def find(self, incident: Mapping[str, Any]) -> pa.Table | None:
        """The hosts of an incident; None where there is no list of just what is said of it.

        Args:
            incident: from an ``incidents`` document.
        """
        return self._kept.find(_key(incident))

    def keep(self, engine: Engine, incident: Mapping[str, Any], list_hosts: Callable[[], pa.Table]) -> None:
        """Keep the hosts of an incident, where that is possible.

        Args:
            engine: what the list is made from.
            list_hosts: called where there is no list of just what is said of the incident.
        """
        key = _key(incident)
        if not self._kept.renew(key):
            rests_on = engine.files  # before the list is made: what is forgotten meanwhile must not be kept
            self._kept.put(key, list_hosts(), rests_on=rests_on)


def _key(incident: Mapping[str, Any]) -> str:
    said = json.dumps([_FORM, incident], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]
