"""Finds where a name is mentioned: in bytes, in any spelling of JSON or CSV, and in texts as a whole word."""

from __future__ import annotations

import json
import re
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from fleetcrash.records import COLLECTOR, REPLAYING_COLLECTOR, Kind

# What stands in a document where a forgotten name stood.
FORGOTTEN = "forgotten host"

_STRUCK = f"[{FORGOTTEN}]"  # brackets: in somebody's sentence it must not read as their words

_LONGEST_BY_LETTER = 256  # a longer name is searched in whole spellings only, as its pattern would take seconds to make
_ESCAPES = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}

# Keys under which a document may name a host. All its other text is of our own making, or a name that it is read by.
_HOSTS = ("host_id", "hosts")
_PROSE = ("summary", "lacks")
_NAMED_BY_OWNERS = ("site", "group", "customer")  # a site may have the name of its only host

# host-1 is neither in host-10 nor in my-host-1 nor in host-1.example.com: those are names of others. What JSON escapes
# before a name, such as an end of line or a quotation mark, is no part of it.
_WORD = rb"[A-Za-z0-9_\-]"
_BEFORE = rb"(?:(?<![A-Za-z0-9_\-])(?<![A-Za-z0-9]\.)|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4}))"
_AFTER = rb"(?![A-Za-z0-9_\-]|\.[A-Za-z0-9])"

_SHORTEST_DISTINCTIVE = 6  # characters; h1, v2 and r01 are anything
_VERSION = re.compile(r"[A-Za-z]{0,2}[0-9]+[._][0-9]")

_CSV_NAME = re.compile(r"[^/]*\.csv(?:\.gz|\.zst)?\Z", re.IGNORECASE)


class Mentions:
    """Searches for one name.

    Args:
        name: at least one character; encodable as UTF-8.
    Attributes:
        is_distinctive: whether the name means the host even where something else may stand. Nobody can tell of ordinary
            names, which are short or a word, a number or a version: 32, prod, windows, 7.11.18110.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        wide = re.escape(name.encode("utf-16-le"))  # as in reports of Windows
        spelled = _spellings(name)
        self._candidates = re.compile(b"(?=" + spelled + b"|" + wide + b")")
        wide_word = b"(?<!" + _WORD + rb"\x00)" + wide + b"(?!" + _WORD + rb"\x00)"
        self._bytes = re.compile(_BEFORE + b"(?:" + spelled + b")" + _AFTER + b"|" + wide_word)
        spelled_in_a_path = "|".join(re.escape(way) for way in {name, quote(name)})
        self._in_path = re.compile(f"{re.escape(_STRUCK)}|(?<![A-Za-z0-9])(?:{spelled_in_a_path})(?![A-Za-z0-9])")
        self._text = re.compile(_BEFORE.decode() + re.escape(name) + _AFTER.decode())
        self.is_distinctive = _is_distinctive(name)

    def in_bytes(self, data: bytes | memoryview | mmap) -> bool:
        """Whether the name is anywhere in these bytes."""
        return self._bytes.search(data) is not None

    def perhaps_in(self, data: bytes) -> bool:
        """Whether the name is anywhere in these bytes, even as a part of a longer name."""
        return self._candidates.search(data) is not None

    def in_file(self, path: Path) -> bool:
        """Whether the name is anywhere in a file; False for one that is gone."""
        try:
            with path.open("rb") as file:
                if not path.stat().st_size:
                    return False
                with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                    return self.in_bytes(data)
        except FileNotFoundError:
            return False

    def in_column(self, values: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which values of an array of text or bytes mention the name, as an array of bool. A null does not."""
        data = values.cast(pa.large_binary()).fill_null(b"")
        found = np.zeros(len(data), dtype=bool)
        _, offsets_buffer, bytes_buffer = data.buffers()
        if not len(data) or bytes_buffer is None:
            return found
        offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[data.offset : data.offset + len(data) + 1]
        together = memoryview(bytes_buffer)
        looked_at = -1
        # One search through all values finds candidates; the ends of words are then checked in each value by itself.
        for match in self._candidates.finditer(together, int(offsets[0]), int(offsets[-1])):
            row = int(np.searchsorted(offsets, match.start(), side="right")) - 1
            if row != looked_at:
                found[row] = self.in_bytes(together[int(offsets[row]) : int(offsets[row + 1])])
                looked_at = row
        return found

    def in_sources(self, sources: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which sources mention the name, as an array of bool. A null does not."""
        told = sources.dictionary_encode()
        mentioned = [text is not None and self.struck_in_source(text) != text for text in told.dictionary.to_pylist()]
        places = told.indices.fill_null(len(mentioned)).to_numpy(zero_copy_only=False)
        return np.array([*mentioned, False], dtype=bool)[places]

    def without(self, document: str) -> str:
        """A JSON document with "forgotten host" in place of each mention where a host may be named.

        A name that is not distinctive is replaced only where nothing but a host can stand: in a sentence it may be a
        word. Text that is no JSON is treated as one sentence; a document without a mention stays as it is.
        """
        try:
            parsed = json.loads(document)
        except ValueError:
            return self._in_prose(document)
        cleaned = self._cleaned(parsed)
        return document if cleaned == parsed else json.dumps(cleaned)

    def in_documents(self, documents: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which documents ``without`` would change, as an array of bool. A null stays."""
        found = self.in_column(documents)
        for place in np.flatnonzero(found).tolist():
            text = documents[place].as_py()
            found[place] = self.without(text) != text
        return found

    def struck(self, text: str) -> str:
        """What somebody wrote, with "[forgotten host]" in place of each mention; earlier ones stay."""
        return _STRUCK.join(self._text.sub(lambda _: _STRUCK, part) for part in text.split(_STRUCK))

    def struck_in_source(self, source: str) -> str:
        """The name of a file or a door, with "[forgotten host]" in place of each mention.

        File names are composed of words: crash-host-1.csv and host-1_2024-07-19.ndjson are of host-1. So any character
        but a letter or digit ends a name here, and host-1 is struck out of host-1-a.ndjson as well. That costs a source
        a part of its label; the opposite would leave a host's name.
        """
        if source in (COLLECTOR, REPLAYING_COLLECTOR):
            return source
        file_name = _CSV_NAME.search(source)

        def instead(found: re.Match[str]) -> str:
            # The beginning of a CSV file's name says which kind of record its rows are, which a replay needs.
            is_first = file_name is not None and found.start() == file_name.start()
            kind = next((one.value for one in Kind if is_first and found[0].lower().startswith(one.value)), None)
            if kind is None:
                return _STRUCK
            return found[0] if found[0].lower() == kind else f"{kind}-{_STRUCK}"

        return self._in_path.sub(instead, source)

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._cleaned(one) for one in value]
        if not isinstance(value, dict):
            return value
        cleaned = {key: self._cleaned_at(key, one) for key, one in value.items()}
        if cleaned.get("kind") == "wave" and isinstance(cleaned.get("name"), str):
            cleaned["name"] = self._in_prose(cleaned["name"])  # a rival has words here, an update its id
        return cleaned

    def _cleaned_at(self, key: str, value: Any) -> Any:
        if key in _HOSTS:
            if isinstance(value, list):
                return [FORGOTTEN if one == self.name else one for one in value]
            return FORGOTTEN if value == self.name else value
        if isinstance(value, str) and (key in _PROSE or key in _NAMED_BY_OWNERS):
            return self._in_prose(value)
        return self._cleaned(value)

    def _in_prose(self, text: str) -> str:
        if not self.is_distinctive:
            return text
        return FORGOTTEN if text == self.name else self._text.sub(FORGOTTEN, text)


def _is_distinctive(name: str) -> bool:
    letters = sum(letter.isalpha() for letter in name)
    is_word = letters + name.count("_") == len(name)
    return len(name) >= _SHORTEST_DISTINCTIVE and letters > 0 and not is_word and not _VERSION.match(name)


def _spellings(name: str) -> bytes:
    """A pattern for the spellings of a name in JSON text, in CSV, or plain."""
    if len(name) > _LONGEST_BY_LETTER:
        ways = {name, json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1], name.replace('"', '""')}
        return b"|".join(re.escape(way.encode()) for way in sorted(ways))
    return b"".join(b"(?:" + b"|".join(_letter(letter)) + b")" for letter in name)


def _letter(letter: str) -> list[bytes]:
    units = letter.encode("utf-16-be")
    numbered = b"".join(
        b"\\\\u" + b"".join(_digit(digit) for digit in f"{units[at] << 8 | units[at + 1]:04x}")
        for at in range(0, len(units), 2)
    )
    ways = [re.escape(letter.encode()), numbered]
    if letter in _ESCAPES:
        ways.append(re.escape(_ESCAPES[letter].encode()))
    if letter == '"':
        ways.append(b'""')
    return ways


def _digit(digit: str) -> bytes:
    return digit.encode() if digit.isdigit() else f"[{digit}{digit.upper()}]".encode()
