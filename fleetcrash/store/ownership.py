"""Whose a file is that root makes in a lake of somebody else's.

A collector mostly runs as a user of its own, and whoever is on call types commands as root. What these leave behind
must not be closed to the collector: it would turn away every sender for a file of tokens that it cannot read.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def give(path: Path | int, *, like: Path) -> None:
    """Give a file or folder, by its path or its descriptor, to the owner of another.

    It stays ours where we are not root, or where the file system does not let even root do that.

    Raises:
        FileNotFoundError: the other one is not there.
    """
    if os.geteuid() == 0:
        owner = like.stat()
        with suppress(PermissionError):
            os.chown(path, owner.st_uid, owner.st_gid)
