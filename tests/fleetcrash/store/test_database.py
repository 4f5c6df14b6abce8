"""The databases that questions are asked of."""

import subprocess
import sys

from fleetcrash.store.database import connect


def test_nothing_is_drawn_between_results_however_python_was_started():
    """Without a script DuckDB takes itself to be in a terminal, and draws progress on stdout."""
    asked = "SELECT current_setting('enable_progress_bar'), current_setting('TimeZone')"
    code = f"from fleetcrash.store.database import connect; print(connect(threads=1).sql({asked!r}).fetchall())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "[(False, 'UTC')]\n"


def test_no_extension_is_fetched_or_loaded():
    with connect() as con:
        asked = "SELECT current_setting('autoinstall_known_extensions'), current_setting('autoload_known_extensions')"
        assert con.execute(asked).fetchall() == [(False, False)]
