"""A lake that is another user's, who has closed some of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def closed(lake: Path, pattern: str) -> Iterator[Path]:
    """A copy of a lake in which we may not read what matches a pattern; root, who may, is another one meanwhile."""
    mine = os.geteuid()
    other = mine or 65534
    with TemporaryDirectory() as folder:  # pytest's are closed to others
        root = Path(folder) / "lake"
        shutil.copytree(lake, root)
        for path in (Path(folder), *root.rglob("*"), root):
            os.chown(path, other, -1)
        shut = {path: path.stat().st_mode for path in root.parent.glob(f"{root.name}/{pattern}")}
        assert shut
        for path in shut:
            path.chmod(0)
        os.seteuid(other)
        try:
            yield root
        finally:
            os.seteuid(mine)
            for path, mode in shut.items():
                path.chmod(mode)
