"""Bringing a lake of an older schema up to date, table by table.

The columns are added first and the version is set last, so that a migration that was cut short can be run again.
Parquet files stay as they are: a column that a file lacks is NULL to every reader.
"""

from __future__ import annotations

from deltalake import Schema
from deltalake.exceptions import DeltaError

from fleetcrash.errors import LakeError
from fleetcrash.records import table_columns
from fleetcrash.store.batch_names import RETENTION
from fleetcrash.store.lake import Lake
from fleetcrash.store.schema import SCHEMA_KEY, SCHEMA_VERSION, is_older
from fleetcrash.store.trouble import unwritable


def older(lake: Lake, table: str) -> bool:
    """Whether a table is of a schema that this version can bring up to date.

    Raises:
        LakeError: the table cannot be read.
    """
    return is_older(lake.schema_version(table))


def migrate(lake: Lake) -> list[str]:
    """Bring every table up to date.

    Returns:
        What was done, a sentence each; nothing for a lake that is up to date.
    Raises:
        LakeError: a table cannot be read or written, or is of a schema newer than ours; nothing was changed then.
    """
    there = [name for name in table_columns() if lake.has(name)]
    for name in there:
        found = lake.schema_version(name)
        if found != str(SCHEMA_VERSION) and not older(lake, name):
            raise LakeError(
                f"The lake at {lake.root} was written by schema {found or 'unknown'} ({name}), from which no way leads "
                f"to {SCHEMA_VERSION}. Nothing was changed. Use the version of fleetcrash that wrote it."
            )
    outdated = [name for name in there if older(lake, name)]
    if outdated:
        lake.check_writable()
    return [step for name in outdated for step in _migrate_table(lake, name)]


def _migrate_table(lake: Lake, table: str) -> list[str]:
    found = lake.schema_version(table)
    try:
        delta = lake.delta(table)
        known = {field.name for field in delta.schema().fields}
        missing = [field for field in Schema.from_arrow(lake.schemas[table]).fields if field.name not in known]
        if missing:
            delta.alter.add_columns(missing)
        delta = lake.delta(table)
        delta.alter.set_table_properties({SCHEMA_KEY: str(SCHEMA_VERSION), **RETENTION}, raise_if_not_exists=False)
    except (OSError, DeltaError) as error:
        if isinstance(error, LakeError):
            raise
        raise unwritable(lake.root, table, error) from error
    added = [f"{table}: column {field.name} added." for field in missing]
    return [*added, f"{table}: schema {found} is now {SCHEMA_VERSION}."]
