"""Marks of hosts whose forgetting has begun and is not finished, without their names.

A run that was killed may have removed all rows already, so that the next one finds none. Each run therefore leaves a
mark in the lake's folder until nothing remains: a salted hash of the name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from fleetcrash.errors import LakeError
from fleetcrash.store.ownership import give

_MARK = "_forgetting-"  # how the names of marks begin; the salt follows
_SALT_BYTES = 16


def mark(root: Path, host_id: str) -> bool:
    """Leave a mark unless there is one. Returns whether there was one, so that an earlier run had begun.

    Raises:
        LakeError: the folder cannot be written.
    """
    if any(_marks(root, host_id)):
        return True
    salt = os.urandom(_SALT_BYTES)
    path = root / f"{_MARK}{salt.hex()}"
    try:
        path.write_text(_hashed(host_id, salt), encoding="ascii")
        give(path, like=root)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise LakeError(
            f"The lake at {root} cannot be written: {error.strerror}. Nothing was changed. "
            "Make it writable, with some space, and run this again."
        ) from error
    return False


def unmark(root: Path, host_id: str) -> None:
    """Remove the mark: the host is forgotten."""
    for path in _marks(root, host_id):
        path.unlink(missing_ok=True)


def _marks(root: Path, host_id: str) -> Iterator[Path]:
    for path in sorted(root.glob(f"{_MARK}*")):
        try:
            salt, hashed = bytes.fromhex(path.name.removeprefix(_MARK)), path.read_text(encoding="ascii")
        except (OSError, ValueError):
            continue  # gone by now, or none of ours
        if hashed == _hashed(host_id, salt):
            yield path


def _hashed(host_id: str, salt: bytes) -> str:
    """Slow on purpose, some 50 ms: names of hosts can be guessed."""
    return hashlib.scrypt(host_id.encode(), salt=salt, n=1 << 14, r=8, p=1).hex()
