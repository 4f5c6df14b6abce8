"""The keys in the lake, as hashes in memory: those that a load brings are kept at once, and each other file of the lake
is read only once, however long the load is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fleetcrash.records import Kind
from fleetcrash.store.lake import File
from fleetcrash.store.workbench import Workbench
from ingest.arrival import from_numbers
from ingest.rules import filled, key_columns, quoted

Hashes = npt.NDArray[np.int64]

_HELD = 1 << 25  # hashes, 256 MiB; the rest of a larger lake is read again each time


class KnownKeys:
    """Hashes of the keys of a lake's records. Not for two threads at once.

    They only narrow a search: a hash may be there without its key, if the record was forgotten or for another key.
    """

    def __init__(self) -> None:
        self._files: dict[Kind, set[str]] = defaultdict(set)
        self._brought: dict[Kind, set[str]] = defaultdict(set)
        self._sorted: dict[Kind, list[Hashes]] = defaultdict(list)

    def among(self, bench: Workbench, kind: Kind, hashes: Hashes, files: Collection[File]) -> Hashes:
        """Those of some hashes that are in a snapshot of the lake.

        Args:
            hashes: sorted.
            files: of the snapshot, which is not older than that of the last call.
        Raises:
            LakeError: the table cannot be read.
        """
        paths = {file.path for file in files}
        if not self._files[kind] <= paths:  # files were rewritten, as by a compaction, so the hashes are dropped
            for several in (self._files, self._brought, self._sorted):
                several.pop(kind, None)
        self._files[kind].update(file.path for file in files if file.only_batch in self._brought[kind])
        found = [_common(hashes, held) for held in self._sorted[kind]]
        fitting, others = self._fitting([file for file in files if file.path not in self._files[kind]])
        if fitting:
            found += self._look_through(bench, kind, hashes, fitting, holds=True)
        if others:
            found += self._look_through(bench, kind, hashes, others, holds=False)
        return np.concatenate([np.empty(0, np.int64), *found])

    def bring(self, kind: Kind, batch_id: str, hashes: Hashes) -> None:
        """Keep the hashes of a batch that was just committed, so that its file need not be read.

        Args:
            batch_id: of the batch; no other rows have this id.
            hashes: sorted; they include those of all its rows.
        """
        if len(hashes) <= self._room():
            self._hold(kind, hashes)
            self._brought[kind].add(batch_id)

    def _fitting(self, files: Iterable[File]) -> tuple[list[str], list[str]]:
        """Paths of files for whose hashes there is room together, and paths of the others."""
        room = self._room()
        fitting, others = list[str](), list[str]()
        for file in files:
            if file.rows is not None and file.rows <= room:
                room -= file.rows
                fitting.append(file.path)
            else:
                others.append(file.path)
        return fitting, others

    def _look_through(
        self, bench: Workbench, kind: Kind, hashes: Hashes, paths: Sequence[str], *, holds: bool
    ) -> list[Hashes]:
        """Those of some hashes that are in files.

        Args:
            holds: keep all hashes of the files from now on.
        """
        bench.lake_view(kind.value, paths)
        key = ", ".join(map(quoted, key_columns(kind)))
        found = []
        there: list[Hashes] = []
        for rows in bench.reader(filled("keys_in_lake", lake=f"lake_{kind.value}", key=key)):
            some = np.sort(from_numbers(pa.chunked_array(rows["key_hash"])))
            found.append(_common(hashes, some))
            if holds:
                there.append(some)
        if holds:
            self._files[kind].update(paths)
            for some in there:
                self._hold(kind, some)
        return found

    def _room(self) -> int:
        return _HELD - sum(len(held) for several in self._sorted.values() for held in several)

    def _hold(self, kind: Kind, some: Hashes) -> None:
        """Keep hashes. Few long lists are searched fastest; this way each hash is merged once per doubling."""
        held = self._sorted[kind]
        while held and len(held[-1]) < 2 * len(some):
            some = np.sort(np.concatenate([held.pop(), some]))
        held.append(some)


def _common(some: Hashes, held: Hashes) -> Hashes:
    """The numbers of one sorted list that are in another one."""
    if not len(held):
        return held
    places = np.minimum(np.searchsorted(held, some), len(held) - 1)
    return some[held[places] == some]
