"""Reads the TOML files by which people say how something is to run, before it starts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from fleetcrash.errors import BadArgument

# End of each error message about such a file.
NOT_STARTED = " Nothing was started."

MOST_BYTES = 64 * 1024  # what people write by hand is far smaller; a device may have no end


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a file.

    Raises:
        BadArgument: it cannot be read, is too large or is no TOML.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise BadArgument(f"{path} has more than {MOST_BYTES:,} bytes.{NOT_STARTED}")
        return tomllib.loads(raw.decode())
    except OSError as error:
        raise BadArgument(f"{path} cannot be read: {error.strerror}.{NOT_STARTED}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadArgument(f"{path} is no TOML: {error}.{NOT_STARTED}") from error
