"""Where a lake can be, and what the collector keeps beside its tables."""

from __future__ import annotations

import re
from pathlib import Path

from fleetcrash.errors import LakeError

# Folder for what was acknowledged and is not in the lake yet, unless the collector was given another.
SPOOL = "_spool"

# The file in the spool that a collector holds locked while it runs.
SPOOL_LOCK = "lock"

# Suffix of a file of the spool that could be read only in part.
DAMAGED = ".damaged"

# deltalake takes a path for a URL: it reads %41 as A, and at the other characters it panics, which is no Exception.
_UNFIT = re.compile(r"[%\[\]\\^|\x00-\x1f\x7f]")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # a letter alone is a drive


def check_path(root: Path) -> None:
    """Check that a lake can be at a path.

    Raises:
        LakeError: it cannot.
    """
    if _URL.match(root.as_posix()):  # the tables would be there, and the rest of the lake in a folder of that name here
        raise LakeError(
            f"{str(root)!r} is a URL, and a lake is a folder that this machine can write. "
            "Nothing was changed. Choose another --lake."
        )
    unfit = _UNFIT.search(root.absolute().as_posix())
    if unfit:
        raise LakeError(
            f"{str(root)!r} has {unfit.group()!r} in its path, where no lake can be. "
            "Nothing was changed. Choose another --lake."
        )
    try:
        root.exists()
    except OSError as error:
        raise LakeError(f"{str(root)[:80]} cannot be a lake: {error.strerror}. Nothing was changed.") from error
