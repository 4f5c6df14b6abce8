"""How crashes are kept and asked for.

``lake`` writes Delta tables and ``engine`` reads them with DuckDB. Only these two, and modules that help them, import
deltalake or duckdb; ``trouble`` says why a lake cannot be read or written. ``housekeeping`` merges files and
``forgetting`` removes a host, both by ``rewriting`` files and replacing them in the ``log``; ``remaining`` finds files
that still name it. ``migration`` adds columns; ``doctor`` says what is broken; an ``overlay`` is a lake to try things
on. Answers that took long to count are kept in ``aggregates``, the hosts of incidents in ``host_lists``, and the tables
that an engine keeps grow in ``growth``; ``asking`` has what all questions share. Raw ``dumps`` lie beside the tables,
as do books in which people write: a ``ledger`` of lines, or a file of SQLite (``databases``).

Each question is a file in ``sql/``, named ``<measure>_by_<grain>.sql``; the files in ``sql/views/`` say what is known
as of an instant, and every other query reads those views.
"""

from fleetcrash.store.engine import Engine
from fleetcrash.store.lake import Lake

__all__ = ["Engine", "Lake"]
