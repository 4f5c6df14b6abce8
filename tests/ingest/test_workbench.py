"""The database that judges what strangers send: it reads the lake, and nothing else."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from fleetcrash.errors import LakeError
from fleetcrash.store.workbench import Workbench
from tests.ingest.conftest import line


def test_it_reads_no_file_outside_the_lake_and_loads_no_extension(lake, tmp_path):
    outside = tmp_path / "secret.csv"
    outside.write_text("a,b")
    with Workbench(lake) as bench:
        with pytest.raises(duckdb.PermissionException):
            bench.table("SELECT * FROM read_csv($path)", path=str(outside))
        with pytest.raises(duckdb.Error):
            bench.run("SET enable_external_access = true")
        with pytest.raises(duckdb.Error):
            bench.run("LOAD httpfs")


def test_rows_go_in_and_out_as_arrow(lake):
    with Workbench(lake) as bench:
        bench.register("given", pa.table({"number": list(range(10_000))}))
        assert bench.rows("SELECT sum(number) AS total FROM given WHERE number < $bound", bound=3) == [{"total": 3}]
        assert bench.reader("SELECT * FROM given WHERE number >= $least", least=9).read_all().num_rows == 9991
        bench.unregister("given")
        with pytest.raises(duckdb.CatalogException):
            bench.table("SELECT * FROM given")
        assert not bench.lake_view("crash")
        assert bench.table("SELECT crash_id, frames FROM lake_crash").num_rows == 0


def test_a_file_that_is_gone_when_it_is_read_is_an_error_of_the_lake(lake, load_lines):
    load_lines(line("crash"))
    with Workbench(lake) as bench:
        assert bench.lake_view("crash")
        for file in lake.files("crash"):
            Path(file.path).unlink()
        for read in (bench.table, bench.rows, lambda query: bench.reader(query).read_all()):
            with pytest.raises(LakeError, match="cannot be read"):
                read("SELECT * FROM lake_crash")
