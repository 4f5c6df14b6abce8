"""The dashboard's small outage, judged from nine o'clock on: without the crashes before, and so without those ticks."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fleetcrash.records import COLUMNS, Kind
from fleetcrash.store import Lake
from tests.dashboard import fleet

FIRST_CRASH = fleet.START + timedelta(hours=9, minutes=20)

Tables = dict[str, pa.Table]


def short_records() -> Tables:
    """The records by kind, each with the time at which it was known."""
    with TemporaryDirectory() as folder:
        whole = fleet.outage(Path(folder) / "lake")
        tables = {
            kind.value: pa.concat_tables(pq.read_table(file.path) for file in whole.files(kind))
            for kind in Kind
            if whole.files(kind)
        }
    crash = tables["crash"]
    later = pc.greater_equal(crash["occurred_at"], pa.scalar(FIRST_CRASH, crash["occurred_at"].type))
    return {**tables, "crash": crash.filter(later)}


def short_outage(path: Path) -> Lake:
    """Sixty hosts and one outage, in a lake."""
    return fleet.write_files(path, _files())


@cache
def _files() -> fleet.Files:
    with TemporaryDirectory() as folder:
        return fleet.files_of(_filled(Lake.create(Path(folder) / "lake")))


def _filled(lake: Lake) -> Lake:
    records = short_records()
    for kind, table in records.items():
        lake.append(kind, table, batch_id="short")
    for batch in {name for table in records.values() for name in table["batch_id"].to_pylist()}:
        fleet.book(lake, batch)
    return lake


def plain(tables: Tables) -> Tables:
    """The records as they came in, for loading: without the columns that a load adds."""
    return {
        kind: table.select([column.name for column in COLUMNS[Kind(kind)]])
        for kind, table in tables.items()
        if len(table)
    }
