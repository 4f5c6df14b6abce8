"""Hashes or removes fields of records at the door, before anything touches a disk.

A record keeps the fields of the contract; those that the policy names become keyed hashes or are removed. A value that
a rule would refuse is replaced by an empty one of its type, so that the same rule refuses it. A line that cannot be
parsed has unknown fields, so the quarantine gets only a sentence in its place.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import msgspec
from msgspec import Raw

from fleetcrash.records import COLUMNS, Kind
from fleetcrash.store.dumps import Dump
from ingest.streams import LONGEST_LINE_BYTES

NOT_KEPT = "raw bytes not kept: privacy is on, and this is no record whose fields can be told apart"
_HASH_DIGITS = 32

_KINDS = frozenset(f'"{kind.value}"'.encode() for kind in Kind)
COLUMN_OF = {column.name: column for columns in COLUMNS.values() for column in columns}
_FIELDS_OF = {
    **{f'"{kind.value}"'.encode(): frozenset(column.name for column in COLUMNS[kind]) for kind in Kind},
    b"": frozenset(COLUMN_OF),
}
_NAMES = {name: f'"{name}":'.encode() for name in COLUMN_OF}
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_TEXT = msgspec.json.Decoder(str)
_EMPTY = {b"{": b"{}", b"[": b"[]", b"t": b"false", b"f": b"false", b"n": b"null"}
_NO_JSON = NOT_KEPT.encode()
_NO_OBJECT = json.dumps(NOT_KEPT).encode()


class Action(StrEnum):
    """What to do with a field."""

    HASH = "hash"
    DROP = "drop"
    KEEP = "keep"


class _NoRecord(ValueError):
    """The fields of a line cannot be separated."""


@dataclass(frozen=True)
class Privacy:
    """A policy.

    Attributes:
        fields: by name; ``tags.NAME`` is one tag, ``tags.*`` all others.
        key: of the hashes.
        keep_dumps: whether raw dumps are kept, from which nothing can be removed.
    """

    fields: Mapping[str, Action]
    key: bytes = field(repr=False)
    keep_dumps: bool = False

    def lines(self, lines: bytes | bytearray) -> bytearray:
        """Records after applying the policy, line by line; each line with its newline."""
        kept = bytearray()
        for line in bytes(lines).split(b"\n")[:-1]:
            kept += self._line(line) if line.strip(b" \t\r") else line
            kept += b"\n"
        return kept

    def dumps(self, dumps: tuple[Dump, ...]) -> tuple[Dump, ...]:
        """Dumps after applying the policy: with the ids of their records, and without the client's form fields."""
        if not self.keep_dumps:
            return ()
        return tuple(
            replace(
                one,
                crash_id=self._name("crash_id", one.crash_id),
                host_id=one.host_id and self._name("host_id", one.host_id),
                form={},
            )
            for one in dumps
        )

    def hashed(self, text: str) -> str:
        """The hash of a text: the same in all fields and records."""
        return hmac.digest(self.key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:_HASH_DIGITS]

    def digest(self, data: bytes | bytearray) -> str:
        """A digest that distinguishes bodies and tells nothing else without the key."""
        return hmac.digest(self.key, data, "sha256").hex()

    def _name(self, name: str, text: str) -> str:
        return self.hashed(text) if self.fields.get(name) is Action.HASH else text

    def _line(self, line: bytes) -> bytes:
        try:
            record = _object(line)
        except _NoRecord:
            return _NO_JSON
        except msgspec.ValidationError:  # JSON, but not an object
            return _NO_OBJECT
        kind = record.get("record")
        known = _FIELDS_OF.get(kind or b"", _FIELDS_OF[b""])
        parts: list[bytes] = []
        hidden: dict[bytes, Action] = {}
        for name, raw in record.items():
            action = self.fields.get(name)
            if name == "record":
                parts.append(b'"record":' + (raw if raw in _KINDS else _without_value(raw, b'"unknown"')))
            elif name not in known or name == "tags":
                continue
            elif action is None or action is Action.KEEP:
                parts.append(_NAMES[name] + raw)
            else:
                value = _canonical(raw)
                hidden[value] = _strictest(hidden.get(value), action)
                if action is Action.HASH:
                    parts.append(_NAMES[name] + self._hashed(name, raw))
        tags = record.get("tags")
        if tags is not None and "tags" in known and self.fields.get("tags") is not Action.DROP:
            parts.append(b'"tags":' + self._tags(tags, hidden))
        return b"{" + b",".join(parts) + b"}"

    def _tags(self, raw: bytes, hidden: Mapping[bytes, Action]) -> bytes:
        """Tags; one with the name or the value of a hidden field is hidden as well."""
        if raw[:1] != b"{":
            return _without_value(raw, b'""')
        try:
            tags = _object(raw)
        except _NoRecord:
            return b"0"  # the rules will refuse it
        parts = []
        for name, value in tags.items():
            action = self._action_of_tag(name, value, hidden)
            if action is Action.KEEP:
                parts.append(msgspec.json.encode(name) + b":" + value)
            elif action is Action.HASH:
                parts.append(msgspec.json.encode(name) + b":" + self._hashed("tags", value))
        return b"{" + b",".join(parts) + b"}"

    def _action_of_tag(self, name: str, value: bytes, hidden: Mapping[bytes, Action]) -> Action:
        """The action of its own entry, else the strictest of those of its name, its value and ``tags.*``."""
        fields = self.fields
        told = fields.get(f"tags.{name}")
        if told is not None:
            return told
        return _strictest(fields.get(name), hidden.get(_canonical(value)), fields.get("tags.*"))

    def _hashed(self, name: str, raw: bytes) -> bytes:
        """The hash of a JSON string, as a string; a value that rules refuse stays one that they refuse."""
        if raw[:1] != b'"':
            return _without_value(raw, b'""')
        try:
            text = _TEXT.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return b"0"
        if not text:
            return b'""'
        if "\0" in text:
            return b'"\\u0000"'
        column = COLUMN_OF[name]
        if column.max_length is not None and len(text) > column.max_length:
            return b'"' + b"x" * (column.max_length + 1) + b'"'
        return b'"' + self.hashed(text).encode() + b'"'


def _strictest(*actions: Action | None) -> Action:
    return next((one for one in (Action.DROP, Action.HASH) if one in actions), Action.KEEP)


def _object(raw: bytes) -> dict[str, bytes]:
    """The members of a JSON object, as raw bytes.

    Raises:
        _NoRecord: it is not JSON, not UTF-8, too long or has a key twice.
        msgspec.ValidationError: it is not an object.
    """
    if len(raw) > LONGEST_LINE_BYTES:
        raise _NoRecord
    try:
        raw.decode()
        found = {name: bytes(value) for name, value in _OBJECT.decode(raw).items()}
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise _NoRecord from None
    # Without blanks and escapes, the object has exactly the bytes of its members, unless one was repeated.
    written = sum(map(len, found)) + sum(map(len, found.values())) + 4 * len(found) + 1
    if written != len(raw) and _repeats(raw):
        raise _NoRecord
    return found


def _repeats(raw: bytes) -> bool:
    try:
        pairs = json.loads(raw, object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise _NoRecord from None
    return len({name for name, _ in pairs}) < len(pairs)


def _canonical(raw: bytes) -> bytes:
    """A JSON value with as few escapes as possible; a value that is no string is returned as it is."""
    if b"\\" in raw and raw[:1] == b'"':
        return msgspec.json.encode(_TEXT.decode(raw))
    return raw


def _without_value(raw: bytes, text: bytes) -> bytes:
    """An empty JSON value of the same type.

    Args:
        text: replaces a string.
    """
    return text if raw[:1] == b'"' else _EMPTY.get(raw[:1], b"0")
