"""The database that judges what strangers send: it reads the lake, and nothing else."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from fleetcrash.store.workbench import Workbench


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
