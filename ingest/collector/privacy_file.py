"""The file of a privacy policy, in TOML."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fleetcrash.errors import BadArgument
from fleetcrash.records import COLUMNS, TEXT
from fleetcrash.toml_file import NOT_STARTED, read_toml
from ingest.collector.privacy import COLUMN_OF, Action, Privacy

_LEAST_KEY_BYTES = 16
_REQUIRED = frozenset(column.name for columns in COLUMNS.values() for column in columns if column.required)


def read_privacy(path: Path, environment: Mapping[str, str] = os.environ) -> Privacy:
    """Read a policy.

    Args:
        environment: has the key that ``key_env`` names.
    Raises:
        BadArgument: the file cannot be read or is not valid; says what was found and wanted.
    """
    told = read_toml(path)
    if strangers := sorted(set(told) - {"key_env", "key_file", "keep_dumps", "fields"}):
        raise _wrong(path, f"names {strangers[0]!r}; wanted key_env or key_file, keep_dumps, [fields]")
    keep_dumps, fields = told.get("keep_dumps", False), told.get("fields")
    if not isinstance(keep_dumps, bool):
        raise _wrong(path, "has a keep_dumps that is neither true nor false")
    if not isinstance(fields, dict) or not fields:
        raise _wrong(path, 'has no [fields]; wanted one such as host_id = "hash"')
    actions = dict(_actions(path, fields))
    if actions.get("host_id") is Action.HASH:
        # A crash_id that a door makes from host and time could be tested by somebody who guesses a host.
        actions.setdefault("crash_id", Action.HASH)
    return Privacy(actions, _key(path, told, environment), keep_dumps)


def _actions(path: Path, fields: Mapping[str, Any]) -> Iterator[tuple[str, Action]]:
    for name, said in _flattened(fields):
        if said not in list(Action):
            raise _wrong(path, f"has {name} = {said!r}; wanted one of {', '.join(Action)}")
        action = Action(said)
        is_tag = name.startswith("tags.") and len(name) > len("tags.")
        if not is_tag and name not in COLUMN_OF:
            raise _wrong(path, f"names {name}, which is no field of a record, nor a tag such as tags.user")
        if action is Action.DROP and name in _REQUIRED:
            raise _wrong(path, f"drops {name}, which a record must have; wanted hash")
        column = None if is_tag else COLUMN_OF[name]
        if action is Action.HASH and column is not None and (column.type != TEXT or column.values):
            raise _wrong(path, f"hashes {name}, which is no free text; it can only be dropped, where it is optional")
        yield name, action


def _flattened(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names with dots, as ``tags.user`` without quotes is a nested table in TOML."""
    for name, said in fields.items():
        if name == "tags" and isinstance(said, dict):
            yield from ((f"tags.{tag}", action) for tag, action in said.items())
        else:
            yield name, said


def _key(path: Path, told: Mapping[str, Any], environment: Mapping[str, str]) -> bytes:
    names = [name for name in ("key_env", "key_file") if name in told]
    if len(names) != 1 or not isinstance(told[names[0]], str):
        raise _wrong(path, "has no key; wanted one of key_env and key_file")
    said = told[names[0]]
    if names == ["key_env"]:
        key = environment.get(said, "").strip().encode()
        where = f"the environment's {said}"
    else:
        where = str(path.parent / said)
        try:
            key = Path(where).read_bytes().strip()
        except OSError as error:
            raise _wrong(path, f"names the key {where}, which cannot be read: {error.strerror}") from error
    if len(key) < _LEAST_KEY_BYTES:
        raise _wrong(path, f"takes its key from {where}, which has fewer than {_LEAST_KEY_BYTES} bytes")
    return key


def _wrong(path: Path, what: str) -> BadArgument:
    return BadArgument(f"{path} {what}.{NOT_STARTED}")
