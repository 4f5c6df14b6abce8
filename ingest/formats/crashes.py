"""Writes records of crashes as lines, and converts values of clients and files.

A value to which a rule applies (host, time, system) goes into the record as it came if it is not understood, so that
the rules refuse it by name. Additional values (frames, tags) are omitted if they make no sense.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from fleetcrash.errors import FleetcrashError
from fleetcrash.records import MAX_ID_LENGTH
from fleetcrash.times import time_text

MOST_FRAMES = 256  # innermost; no signature rule looks further
MOST_TAGS = 64
_MOST_BYTES = 64 << 20  # of the records of a body
LONGEST_TEXT = 1000  # characters of a name, a message, a tag

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?")
CLOCK_IS_UNSET = re.compile(r"1970-01-|1969-12-31")  # of routers and boards, as they start
_BASIC_OFFSET = re.compile(rf"({_LOCAL_TIME.pattern}) ?([+-]\d\d):?(\d\d)")
# As many digits as whole seconds, and their thousandths to billionths, have from 2001 to 2286. A date without dashes
# has 8, with a time 14 or 17.
_EPOCH_TEXT = re.compile(r"(?:\d{10}|\d{13}|\d{16}|\d{19})(?:\.\d{1,9})?")
# Numbers above which a time since 1970 is in a finer unit than seconds: read in seconds they would be after the year
# 5000, read in the next finer unit before 1974.
_LEAST_OF_UNIT = ((1e17, 1_000_000_000), (1e14, 1_000_000), (1e11, 1000))
_VERSION = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){1,5}(?:[-+.][\w.+-]{1,40})?)")
_HOME = re.compile(
    r"/(?:Users|home)/[^/\s'\",:;()]{1,200}"
    r"|^_home_[^_]{1,64}(?=_)"  # as in names of files of apport
    r"|\b[A-Za-z]:\\{1,2}(?:Users|Documents and Settings)\\{1,2}"
    # A user name with blanks is followed by a path; else its end would be unknown.
    r"(?:[^\\/:*?\"<>|\n]{1,64}(?=\\)|[^\\/\s:*?\"'<>|,;()]{1,64})",
    re.IGNORECASE,
)
_MOST_WHOLE = 2**63 - 1
_MOST_BEHIND_BYTES = 4000
_FENCED = re.compile(rb"(?<=[}\]])\s{0,99}\n\s{0,9}(?:```|~~~)[^{}\[\]]*\Z")
_LENIENT = json.JSONDecoder(parse_constant=lambda _: None)


class Unfit(FleetcrashError):
    """Data is not in the format as which it is read, or is too large.

    Attributes:
        code: stable name of the reason, for programs.
        is_too_large: whether it is too large.
    """

    def __init__(self, code: str, message: str, *, is_too_large: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_too_large = is_too_large


def too_much(found: str, bound: int, unit: str) -> Unfit:
    """There is too much of something."""
    return Unfit("too_large", f"{found} more than {bound:,} {unit}", is_too_large=True)


class NotJson(ValueError):
    """Bytes are not JSON, or nested too deeply for an event."""


def parsed(data: bytes | bytearray | memoryview) -> Any:
    """A JSON document. NaN and the infinities, which some clients write, become null, and what is not UTF-8 U+FFFD.

    Raises:
        NotJson: it is not JSON.
    """
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):  # including documents that other parsers accept: lone surrogates, NaN
        pass
    try:
        return _LENIENT.decode(bytes(data).decode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error


def mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> Sequence[Any]:
    """A JSON array; empty for anything else."""
    return value if isinstance(value, list) else ()


def text(value: Any, longest: int = LONGEST_TEXT) -> str | None:
    """A text, number or boolean as text of bounded length; None for anything else, and for empty text.

    Without what no record may contain: NUL, and lone surrogates, which JavaScript leaves where it cuts a text.
    """
    said = _as_text(value, longest)
    if said is None:
        return None
    if said.isascii():
        return said.replace("\x00", "").strip() or None
    return said.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "").strip() or None


def _as_text(value: Any, longest: int) -> str | None:
    if isinstance(value, str):
        return value[:longest] or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        return str(value)[:longest]
    if isinstance(value, int) and abs(value) <= _MOST_WHOLE:
        return str(value)[:longest]
    return None


def whole(value: Any) -> int | None:
    """A whole number within the range of records, from a number or decimal or 0x text; None for anything else."""
    if isinstance(value, str) and len(value) <= 20:
        try:
            value = int(value, 16) if value.lower().startswith("0x") else int(value)
        except ValueError:
            return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value <= _MOST_WHOLE else None


def without_home(said: str) -> str:
    """A text without the names of users in its paths."""
    return _HOME.sub("~", said)


def first(values: Iterable[Any]) -> str | None:
    """The first non-empty value, unchanged: a shortened or repaired name would be that of another."""
    return next((found for value in values if (found := _as_text(value, MAX_ID_LENGTH + 1))), None)


def name_of(*parts: str | bytes) -> str:
    """A crash_id for a crash without one: the same for the same parts."""
    hashed = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8, "little") + data)
    return hashed.hexdigest()[:32]


def time_of(value: Any, *, unit: int | None = None) -> str | None:
    """A time in the contract's form, from a number since 1970 or a text; without a zone it is UTC.

    Args:
        unit: how many of the number make a second; None if the sender's format does not fix it, so that it is guessed
            from the size.
    Returns:
        RFC 3339 text; None for an empty value; another text for what is no time, so that the rules report it.
    """
    if value is None:
        return None
    if isinstance(value, str):
        if unit is not None or not _EPOCH_TEXT.fullmatch(value):
            return _mended_time(value)
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"a {type(value).__name__}"
    if unit is None:
        unit = next((finer for least, finer in _LEAST_OF_UNIT if value > least), 1)
    try:
        whole_s, rest = divmod(value, unit)
        rest_us = rest * 1_000_000
        # A float is a little off what was written: it is rounded, else .981 would become .980999.
        since = timedelta(seconds=whole_s, microseconds=rest_us // unit if isinstance(value, int) else rest_us / unit)
        return time_text(_EPOCH + since)
    except (OverflowError, ValueError):
        return str(value)[:LONGEST_TEXT]


def _mended_time(said: str) -> str:
    """A text with the zone that RFC 3339 requires, if it is a time; else as it came."""
    if _LOCAL_TIME.fullmatch(said):
        return f"{said}Z"
    found = _BASIC_OFFSET.fullmatch(said)
    return f"{found[1]}{found[2]}:{found[3]}" if found else said[:LONGEST_TEXT]


def version_of(value: Any) -> str | None:
    """The version that a release names, such as 7.11.18110, v7.11 or agent@7.11.18110; None if it names none."""
    found = _VERSION.fullmatch((text(value) or "").rpartition("@")[2])
    return found[1] if found else None


def base_name(path: Any) -> str | None:
    """The last part of a path of any system, without Linux's suffix for a deleted file."""
    if not isinstance(path, str):
        return None
    return text(path.removesuffix(" (deleted)")[-LONGEST_TEXT:].replace("\\", "/").rstrip("/").rpartition("/")[2])


class Frame(msgspec.Struct, frozen=True):
    """One step of a stack; see the contract's ``frames``."""

    module: str | None = None
    function: str | None = None
    offset: int | None = None


def tags_of(pairs: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    """Tags of bounded number and length, without names in home paths; the first of a name counts."""
    tags: dict[str, str] = {}
    for key, value in pairs:
        if len(tags) >= MOST_TAGS:
            break
        name, said = text(key, 200), text(value)
        if name and said:
            tags.setdefault(name, without_home(said))
    return tags


@dataclass(frozen=True)
class Told:
    """What is known about crashes besides their own content.

    Attributes:
        at: time of those without one, and how it is known: one of the contract's ``time_quality``.
        host_id: of those that name no host.
        file: name of their file; it goes into their tags.
        document_bytes: most bytes of a parsed document; in memory it takes up to seventy times its size.
    """

    at: datetime
    time_quality: str = "received"
    host_id: str | None = None
    file: str | None = None
    document_bytes: int = 8 << 20

    def check_document(self, size_bytes: int) -> None:
        """Check that a document is small enough to be parsed.

        Raises:
            Unfit: it is too large.
        """
        if size_bytes > self.document_bytes:
            raise too_much("A document has", self.document_bytes, "bytes")


def document_of(data: bytes, told: Told, *, code: str, what: str) -> Any:
    """A file that is one JSON document.

    Args:
        code, what: of the error: a name for programs, and what the file should be.
    Raises:
        Unfit: it is not JSON, or too large.
    """
    told.check_document(len(data))
    try:
        return parsed(_without_fence(data.removeprefix(codecs.BOM_UTF8)))
    except NotJson as error:
        raise Unfit(code, f"{what} is no whole JSON document") from error


def _without_fence(data: bytes) -> bytes:
    """A document without Markdown's end of a block of code, and the prose behind it."""
    fence = _FENCED.search(data, max(len(data) - _MOST_BEHIND_BYTES, 0))
    return data if fence is None else data[: fence.start()]


class Records:
    """Lines for the rules, as they are found.

    Their size is bounded, as what many crashes of a small body share, such as a large resource, is in each record.

    Args:
        told: what is known about all of them; None: nothing.
    Attributes:
        damage: what is damaged in their source; None if nothing is.
    """

    def __init__(self, told: Told | None = None) -> None:
        self.lines = bytearray()
        self.read = 0
        self.damage: Unfit | None = None
        self._told = told

    def host_id(self, values: Iterable[Any]) -> str | None:
        """The first value that names a host, or else the host for crashes that name none."""
        return first(values) or (self._told.host_id if self._told else None)

    def crash(self, *, frames: Sequence[Frame] = (), **fields: Any) -> None:
        """Add a crash. Fields without a value are omitted, so that rules report them as missing.

        A time of a clock that was not set is none.
        """
        at = fields.get("occurred_at")
        if self._told and (at is None or CLOCK_IS_UNSET.match(str(at))):
            fields |= {"occurred_at": time_text(self._told.at), "time_quality": self._told.time_quality}
        if self._told and self._told.file:
            fields["tags"] = tags_of([("file", self._told.file), *fields.get("tags", {}).items()])
        if isinstance(code := fields.get("code"), str):
            fields["code"] = without_home(code)  # of what was built at home
        record = {"record": "crash", **fields, "frames": list(frames[:MOST_FRAMES])}
        told = {name: value for name, value in record.items() if value not in (None, [], {})}
        self.as_it_came(_written(told))

    def as_it_came(self, raw: bytes | bytearray | memoryview) -> None:
        """Add a line as it came: a record, or something that is not understood, for the rules to report.

        Raises:
            Unfit: the records become too large.
        """
        line = bytes(raw).strip(b"\r\n").replace(b"\n", b" ").replace(b"\r", b" ")
        if line.strip(b" \t"):
            self.lines += line + b"\n"
            self.read += 1
        if len(self.lines) > _MOST_BYTES:
            raise too_much("The crashes, as records, have", _MOST_BYTES, "bytes")


def _written(record: Mapping[str, Any]) -> bytes:
    """A record as a line, even if a field has a lone surrogate: the rules refuse it by name."""
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(record)).encode()
