"""Errors about a lake that cannot be read or written: what was found, what is whole, and what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from shlex import quote

from fleetcrash.errors import LakeError, one_line
from fleetcrash.records import table_columns
from fleetcrash.store.schema import SCHEMA_VERSION, is_older

BE_THE_OWNER = "Be the one whose it is, such as with sudo -u fleetcrash."


def absent(root: Path, has: Callable[[str], bool]) -> LakeError:
    """There is no lake, or only a part of one, or we are not permitted to look.

    Args:
        has: tells whether a table is there.
    """
    if is_closed(root):
        return _closed(root)
    missing = [name for name in table_columns() if not has(name)]
    if not missing:  # and none of them could be looked at
        return _closed(root / next(iter(table_columns())))
    if len(missing) < len(table_columns()):
        return LakeError(
            f"The lake at {root} lacks its table {missing[0]}. Nothing was changed. "
            f"`fleetcrash doctor --lake {quote(str(root))}` says what that means."
        )
    if root.is_file():
        return of_a_file(root)
    return LakeError(
        f"{root} holds no lake. Nothing was changed. "
        f"Load crash reports with `fleetcrash load PATH --lake {quote(str(root))}` to make one."
    )


def of_a_file(root: Path) -> LakeError:
    """No lake can be where a file is."""
    return LakeError(f"{root} is a file, and a lake is a folder. Nothing was changed. Choose another --lake.")


def is_closed(path: Path) -> bool:
    """Whether we are not permitted to read a file or look into a folder; what is not there is not closed."""
    try:
        mode = os.R_OK | os.X_OK if path.is_dir() else os.R_OK
        return path.exists() and not os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
    except OSError:  # a folder above it is closed
        return True


def _closed(folder: Path) -> LakeError:
    return LakeError(f"{folder} may not be read by this user. Nothing was changed. {BE_THE_OWNER}")


def unmade(root: Path, error: Exception) -> LakeError:
    """A lake could not be made."""
    if is_full(error):
        return LakeError(f"The lake at {root} cannot be made: the disk is full. Free some space and run this again.")
    if is_closed(root):
        return _closed(root)
    return LakeError(f"The lake at {root} cannot be written: {one_line(error)}.")


def of_another_version(root: Path, table: str, found: str | None) -> LakeError:
    """A table is of a schema that this version does not read.

    Args:
        found: the schema that it states; None where it states none.
    """
    advice = "Use the version of fleetcrash that wrote it."
    if is_older(found):
        advice = f"`fleetcrash doctor --migrate --lake {quote(str(root))}` brings it up to date."
    return LakeError(
        f"The lake at {root} was written by schema {found or 'unknown'} ({table}); this version reads "
        f"{SCHEMA_VERSION}. Nothing was changed. {advice}"
    )


def unreadable(root: Path, table: str, error: BaseException) -> LakeError:
    """A table is damaged, or we are not permitted to read it."""
    for folder in (root, root / table, root / table / "_delta_log"):
        if is_closed(folder):
            return _closed(folder)
    return LakeError(
        f"{table} in the lake at {root} cannot be read: {one_line(error)}. "
        f"`fleetcrash doctor --lake {quote(str(root))}` says what is broken."
    )


def unreadable_file(root: Path, said: str) -> LakeError:
    """A file of a lake is damaged, gone, or closed to us.

    Args:
        said: by whoever reads it, in one line.
    """
    doctor = f"`fleetcrash doctor --lake {quote(str(root))}` says what is broken."
    return LakeError(f"The lake at {root} cannot be read: {said.rstrip('.')}. {doctor}")


def unwritable(root: Path, table: str, error: Exception) -> LakeError:
    """A table could not be written, for whatever reason the error tells."""
    if is_full(error):
        return full(root, table)
    return LakeError(f"{table} in the lake at {root} cannot be written: {one_line(error)}.")


def full(root: Path, table: str) -> LakeError:
    """The disk has no room for more of a table."""
    free = shutil.disk_usage(root).free
    return LakeError(
        f"{table} in the lake at {root} cannot be written: the disk is full ({free >> 20:,} MiB left). "
        "What is in the lake is whole. Free some space and run the same command again."
    )


def read_only(root: Path, table: str) -> LakeError:
    """We may not write into the folder of a table."""
    return LakeError(
        f"{table} in the lake at {root} cannot be written: its folder or file system is read-only to us. "
        "What is in the lake is whole. Make it writable and run the same command again."
    )


def is_full(error: Exception) -> bool:
    """Whether an error of deltalake, which has no errno, is about a full disk."""
    return "No space left" in str(error)
