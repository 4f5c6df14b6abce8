"""What questions of a lake have in common: the instant that they are answered as of, and updates that nobody knows."""

from __future__ import annotations

from datetime import datetime

from fleetcrash.errors import LakeError, UnknownName
from fleetcrash.store.engine import Engine
from fleetcrash.times import time_text

_EXAMPLES = 3


def judged_instant(engine: Engine) -> datetime:
    """The instant that an engine answers as of.

    Raises:
        LakeError: the lake holds no record, so there is none.
    """
    if engine.as_of is None:
        raise LakeError("The lake holds no record yet. Load crash reports with `fleetcrash load PATH`.")
    return engine.as_of


def unknown_update(engine: Engine, update_id: str) -> UnknownName:
    """The error of a question about an update that is not known as of the engine's instant, with the newest that are.

    Raises:
        LakeError: the lake cannot be read or holds no record.
    """
    known = [row["update_id"] for row in engine.rows("updates_known")]  # the newest first
    return UnknownName(
        f"No update {update_id!r} is known as of {time_text(judged_instant(engine))}. "
        f"{len(known)} are; the newest: {', '.join(known[:_EXAMPLES]) or 'none'}. "
        "Name one that is known by then, or a later --as-of."
    )
