"""How rows are encoded in the Parquet files of a lake, whoever writes them."""

from __future__ import annotations

from typing import Final

# Zstd halves the bytes of the writer's default compression. Row groups of 60,000 rows let a query on one host or hour
# skip most of a file.
COMPRESSION: Final = "ZSTD"
COMPRESSION_LEVEL: Final = 1
ROW_GROUP_ROWS: Final = 60_000

# Columns whose values hardly repeat, so that a dictionary would hold nearly all of them: without one, 140,000 crashes
# take a quarter less time to write and a quarter less room.
SELDOM_TWICE = ("crash_id", "occurred_at", "received_at", "known_at", "module_offset", "uptime_s")

# Whole numbers with small differences. Packed as differences, they leave the compression less to do: 140,000 crashes
# take a seventh less time to write, and a few percent less room.
NEAR_ANOTHER = ("occurred_at", "received_at", "known_at", "module_offset")
