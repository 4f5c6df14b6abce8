"""Lakes: an empty one to copy, an empty one to fill, and two simulated fleets that are made once in a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcrash.store import Lake


@pytest.fixture(scope="session")
def empty_lake(tmp_path_factory) -> Path:
    """A lake without a record. For copying; nobody writes to it."""
    path: Path = tmp_path_factory.mktemp("empty") / "lake"
    Lake.create(path)
    return path


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake without a record, for one test."""
    return Lake.create(tmp_path / "lake")
