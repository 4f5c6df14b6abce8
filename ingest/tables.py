"""Records in columns: Parquet files, and Arrow tables in memory.

A Parquet file holds one kind, given by its ``record`` column or else by its name, or its folder's; rows may still
differ, and each is judged as the kind that it states.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fleetcrash.errors import UnreadableSource
from fleetcrash.records import COLUMNS, Kind
from fleetcrash.store.workbench import Workbench
from ingest.arrival import Given, LaidOut, always_there, as_texts, counted_from
from ingest.columns import Form, Shaped, shaped
from ingest.rules import UNKNOWN_RECORD, filled, given_flag, quoted

# Some 60 MiB of crashes with their stacks, and far less of any other kind.
BATCH_ROWS = 500_000

_ROWS_A_THREAD = 30_000  # rows of one Arrow batch, the unit in which DuckDB shares the work among its threads


@dataclass(frozen=True)
class Numbered:
    """Rows of one kind.

    Attributes:
        rows: columns as they came.
        numbers: of the rows within their source, from 1.
    """

    rows: pa.Table
    numbers: pa.Array


@dataclass(frozen=True)
class Rows:
    """The rows of one batch; see ``ingest.arrival.Arrival``.

    Attributes:
        tables: by kind; None: rows whose ``record`` is no known kind.
    """

    batch_id: str
    source: str
    size_bytes: int
    tables: Mapping[Kind | None, Numbered]

    def plain(self, bench: Workbench) -> Mapping[Kind, Given]:  # noqa: ARG002 - as of any arrival
        """None: no record is judged before the others."""
        return {}

    def lay_out(self, bench: Workbench, judged: Sequence[pa.ChunkedArray]) -> LaidOut:  # noqa: ARG002 - none were
        """Register the rows of each kind as ``rows_<kind>``."""
        unknown: set[str] = set()
        kinds: dict[Kind, Given] = {}
        strangers: Given | None = None
        for kind, table in self.tables.items():
            given = lay_out(bench, kind, table)
            if kind is None:
                strangers = given
                continue
            kinds[kind] = given
            unknown.update(set(table.rows.column_names) - {column.name for column in COLUMNS[kind]} - {"record"})
        read = sum(len(table.rows) for table in self.tables.values())
        return LaidOut(read, kinds, strangers, frozenset(unknown))


def of_tables(tables: Mapping[str, pa.Table], *, batch_id: str, source: str) -> Rows:
    """A batch of tables in memory, by the name of their kind; another name gives ``unknown_record``."""
    kinds = {kind.value: kind for kind in Kind}
    by_kind: dict[Kind | None, Numbered] = {}
    strange = [table for name, table in tables.items() if name not in kinds]
    for name, table in tables.items():
        if name in kinds:
            by_kind[kinds[name]] = Numbered(table, counted_from(1, len(table)))
    if strange:
        together = pa.concat_tables(strange, promote_options="permissive")
        by_kind[None] = Numbered(together, counted_from(1, len(together)))
    return Rows(batch_id, source, sum(table.nbytes for table in tables.values()), by_kind)


def batches(path: Path, source: str) -> Iterator[Rows]:
    """Cut a Parquet file into batches of rows.

    A batch is named by the bytes of the file, the kind in its name and the rows in it.

    Raises:
        UnreadableSource: not Parquet, damaged, of no known kind, or with a column twice. The batches before have been
            yielded.
    """
    named = named_kind(path)
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        with pa.OSFile(os.fsencode(path)) as file, pq.ParquetFile(file) as parquet:  # text would have to be UTF-8
            names = parquet.schema_arrow.names
            if named is None and "record" not in names:
                raise of_no_kind(source)
            if repeated := sorted(name for name, times in Counter(names).items() if times > 1):
                raise UnreadableSource(
                    f"{source} names a column twice: {', '.join(repeated)}. Nothing of it was loaded. "
                    "Rename or remove one of them."
                )
            first, rows = 1, max(parquet.metadata.num_rows, 1)
            for batch in parquet.iter_batches(batch_size=BATCH_ROWS):
                table = pa.Table.from_batches([batch])
                name = f"parquet\n{digest}\n{named or ''}\n{first}\n{len(table)}"
                batch_id = hashlib.sha256(name.encode()).hexdigest()
                share = size_bytes * len(table) // rows
                yield Rows(batch_id, source, share, by_kind(Numbered(table, counted_from(first, len(table))), named))
                first += len(table)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, UnreadableSource):
            raise
        raise UnreadableSource(
            f"{source} cannot be read as Parquet: {' '.join(str(error).split())[:200].rstrip('.')}. "
            "What comes before the damage is loaded. Write it again, or load it from its origin."
        ) from error


def named_kind(path: PurePath) -> Kind | None:
    """The kind with which a file's name begins, in any case, or else that its folder is named after; None: neither is.

    Who writes in parallel makes a folder of parts, such as ``crash`` or ``crash.parquet``, or parts of parts, such as
    ``crash/day=2024-07-19``.
    """
    begins = next((kind for kind in Kind if path.name.lower().startswith(kind.value)), None)
    if begins is not None:
        return begins
    folder = next((name for name in reversed(path.parent.parts) if "=" not in name), "")
    return next((kind for kind in Kind if folder.lower().partition(".")[0] == kind.value), None)


def of_no_kind(source: str) -> UnreadableSource:
    """The error for a file in columns that says in no way which kind it holds."""
    return UnreadableSource(
        f"{source} has no column `record`, and its name begins with no kind of record "
        f"({', '.join(Kind)}), nor is its folder named after one. Nothing of it was loaded. "
        f"Rename it, such as crash-{Path(source).name}."
    )


def by_kind(table: Numbered, named: Kind | None) -> dict[Kind | None, Numbered]:
    """Rows by their ``record``, or else by the kind of the file; None: those of no known kind."""
    names = table.rows.column_names
    if "record" not in names:
        return {named: table}
    column = shaped(table.rows.column(names.index("record")))
    if column.form is not Form.TEXT:
        return {None: table}
    says = column.values
    if named is not None and says.null_count:
        says = pc.fill_null(says, named.value)
    found = pc.unique(says).to_pylist()
    kinds = {kind.value: kind for kind in Kind}
    if len(found) == 1:
        return {kinds.get(found[0]): table}
    parted: dict[Kind | None, Numbered] = {}
    for name in found:
        if name in kinds:
            parted[kinds[name]] = _filtered(table, pc.equal(says, name))
    strange = pc.invert(pc.fill_null(pc.is_in(says, value_set=as_texts(kinds).cast(says.type)), False))
    if pc.any(strange).as_py():
        parted[None] = _filtered(table, strange)
    return parted


def _filtered(table: Numbered, mask: pa.ChunkedArray) -> Numbered:
    return Numbered(table.rows.filter(mask), table.numbers.filter(mask.combine_chunks()))


@dataclass(frozen=True)
class _Laid:
    """A column under a name of our own: those of a file may clash in DuckDB, which ignores case.

    Attributes:
        place: among the columns of its file.
        name: as it came.
    """

    place: int
    name: str
    shaped: Shaped

    @property
    def arrays(self) -> dict[str, pa.ChunkedArray]:
        """What is registered of it."""
        arrays = {f"column {self.place}": self.shaped.values, f"given {self.place}": self.shaped.given}
        return arrays if self.shaped.lost is None else {**arrays, f"lost {self.place}": self.shaped.lost}

    def read_as(self, due: str) -> str:
        """What ``field`` reads, in SQL."""
        arrived = quoted(f"column {self.place}")
        return f"{self.shaped.read_as(due, arrived)} AS {arrived}, {quoted(f'given {self.place}')}"

    def field(self, due: str) -> str:
        """The value that is due and whether one was given, in SQL, as the rules name them."""
        value = self.shaped.value_as(due, quoted(f"column {self.place}"))
        given = quoted(f"given {self.place}")
        return f"{value} AS {quoted(self.name)}, {given} AS {given_flag(self.name)}"

    def shown(self, due: str | None) -> str:
        """A key and its value in the JSON of a row that is put aside, in SQL; ``$name_<place>`` is the key."""
        value = self.shaped.raw_as(quoted(f"column {self.place}"), quoted(f"lost {self.place}"), due)
        return f"$name_{self.place}, {value}"


def lay_out(
    bench: Workbench,
    kind: Kind | None,
    table: Numbered,
    form_of: Callable[[pa.ChunkedArray], Shaped] = shaped,
) -> Given:
    """Register rows for the rules.

    Args:
        form_of: converts a column to a form that the rules know.
    """
    relation = f"rows_{kind.value if kind else 'strange'}"
    due = {column.name: column.type for column in COLUMNS[kind]} if kind else {}
    named = enumerate(zip(table.rows.column_names, table.rows.columns, strict=True))
    laid = [_Laid(place, name, form_of(column)) for place, (name, column) in named if not pa.types.is_null(column.type)]
    arrays: dict[str, Any] = {"line": table.numbers}
    for one in laid:
        arrays |= one.arrays
    registered = pa.table(arrays)
    bench.register(relation, pa.Table.from_batches(registered.to_batches(_ROWS_A_THREAD), schema=registered.schema))
    shown = [one.shown(due.get(one.name)) for one in laid]
    keys = {f"name_{one.place}": one.name for one in laid}
    if "record" not in table.rows.column_names and kind:
        shown.insert(0, "$record_key, $record")
        keys |= {"record_key": "record", "record": kind.value}
    raw = filled("raw_rows", rows=relation, shown=", ".join(shown))
    if kind is None:
        strange = filled("strange_rows", rows=relation)
        return Given(strange, raw, parameters={"reason": UNKNOWN_RECORD}, raw_parameters=keys)
    known: dict[str, _Laid] = {}
    for one in laid:
        if one.name in due:
            known.setdefault(one.name, one)
    fields = {name: one.field(due[name]) for name, one in known.items()}
    for name in due:
        if name in always_there(kind):
            fields.setdefault(name, f"CAST(NULL AS {due[name]}) AS {quoted(name)}, false AS {given_flag(name)}")
    sound = filled(
        "fields_of_rows",
        rows=relation,
        columns=", ".join(["line", *(one.read_as(due[name]) for name, one in known.items())]),
        fields=", ".join(fields.values()),
    )
    return Given(sound, raw, names=fields.keys(), raw_parameters=keys)
