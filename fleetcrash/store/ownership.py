"""Who owns a file that root makes in a lake of another user.

A collector mostly runs as a user of its own, and people on call type commands as root. The collector must be able to
read the files that these leave: it would turn away every sender if it could not read the tokens.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def give(path: Path | int, *, like: Path) -> None:
    """Give a file or folder, by its path or its descriptor, to the owner of another.

    It stays ours where we are not root, or where the file system does not permit it even to root.

    Raises:
        FileNotFoundError: the other one is not there.
    """
    if os.geteuid() == 0:
        owner = like.stat()
        with suppress(PermissionError):
            os.chown(path, owner.st_uid, owner.st_gid)
