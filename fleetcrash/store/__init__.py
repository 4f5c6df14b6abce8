"""How crashes are kept and asked for.

``lake`` writes Delta tables and is the only importer of deltalake; ``engine`` reads them with DuckDB and is
the only importer of duckdb. Each question is a file in ``sql/``, named ``<measure>_by_<grain>.sql``; the files
in ``sql/views/`` say what is known as of an instant, and every other query reads those views.
"""

from fleetcrash.store.engine import Engine
from fleetcrash.store.lake import Lake

__all__ = ["Engine", "Lake"]
