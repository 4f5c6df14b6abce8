"""Which keys the lake holds, as hashes in memory: each of its files is looked through once, however long a load is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fleetcrash.records import Kind
from fleetcrash.store.workbench import Workbench
from ingest.arrival import from_numbers
from ingest.rules import filled, key_columns, quoted

Hashes = npt.NDArray[np.int64]

_HELD = 1 << 25  # hashes, a quarter of a GiB; what a larger lake holds besides is read again each time


class KnownKeys:
    """Hashes of the keys of a lake's records. Not for two threads at once.

    They only narrow a search: a hash may be there without its key, if the record was forgotten or another key has it.
    """

    def __init__(self) -> None:
        self._files: dict[Kind, set[str]] = defaultdict(set)
        self._sorted: dict[Kind, list[Hashes]] = defaultdict(list)

    def among(self, bench: Workbench, kind: Kind, hashes: Hashes) -> Hashes:
        """Those of some hashes that the newest snapshot of the lake holds.

        Args:
            hashes: in order.
        Raises:
            LakeError: the table cannot be read.
        """
        files = set(bench.lake_files(kind.value))
        if not self._files[kind] <= files:  # rewritten, by a compaction say: what is held may be of no use
            self._files[kind].clear()
            self._sorted[kind].clear()
        found = [_common(hashes, held) for held in self._sorted[kind]]
        if new := sorted(files - self._files[kind]):
            found += self._look_through(bench, kind, hashes, new)
        return np.concatenate([np.empty(0, np.int64), *found])

    def _look_through(self, bench: Workbench, kind: Kind, hashes: Hashes, paths: Sequence[str]) -> Iterator[Hashes]:
        """Those of some hashes that files hold; all of the files' are held from now on, if there is room."""
        bench.lake_view(kind.value, paths)
        key = ", ".join(map(quoted, key_columns(kind)))
        room = _HELD - sum(len(held) for several in self._sorted.values() for held in several)
        there: list[Hashes] = []
        for rows in bench.reader(filled("keys_in_lake", lake=f"lake_{kind.value}", key=key)):
            some = np.sort(from_numbers(pa.chunked_array(rows["key_hash"])))
            yield _common(hashes, some)
            room -= len(some)
            if room >= 0:
                there.append(some)
        if room < 0:
            return
        self._files[kind].update(paths)
        held = self._sorted[kind]
        for some in there:
            # Few and long lists are searched soonest; this way a hash is merged as often as their number doubles.
            while held and len(held[-1]) < 2 * len(some):
                some = np.sort(np.concatenate([held.pop(), some]))
            held.append(some)


def _common(some: Hashes, held: Hashes) -> Hashes:
    """The numbers of one ordered list that are in another one."""
    if not len(held):
        return held
    places = np.minimum(np.searchsorted(held, some), len(held) - 1)
    both: Hashes = some[held[places] == some]
    return both
