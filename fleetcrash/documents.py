"""Documents, as commands print them, the lake keeps them and receivers get them: JSON objects."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]
