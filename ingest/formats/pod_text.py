"""Containers that a fault ended, as ``kubectl describe pod`` and ``kubectl get pod -o yaml`` tell of them.

What counts is as in ``pods``, which reads the same of JSON. People paste a description without its indentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from fleetcrash.times import time_text
from ingest.formats import pods
from ingest.formats.crashes import Records, Told
from ingest.formats.format import Head, Log, is_marked_up
from ingest.formats.lines import text_lines_in

_LONGEST_LINE = 4000
_MOST_LINES = 20_000  # of one pod
_MOST_DEPTH = 40
_MOST_CONTAINERS = 1000  # of one pod

_DESCRIBED = re.compile(
    r"^[ \t]{0,12}Last State:[ \t]{1,20}Terminated\b|^[ \t]{0,12}State:[ \t]{1,20}Terminated\b", re.MULTILINE
)
_EXIT = re.compile(r"^[ \t]{0,12}Exit Code:[ \t]{1,20}\d{1,10}\s*$", re.MULTILINE)
_RESTARTS = re.compile(r"^[ \t]{0,12}(?:Restart Count|Container ID):[ \t]{1,20}\S", re.MULTILINE)
_FIELD = re.compile(r"\s{0,12}(?P<name>[A-Z][A-Za-z ]{1,30}):\s{1,40}(?P<value>\S.*)")
_NAME = re.compile(r"Name:\s{1,40}\S")
_CONTAINER = re.compile(r"\s{0,12}(?P<name>[a-z0-9][a-z0-9.-]{0,62}):\s*")
_STATES = {"State": "state", "Last State": "lastState"}
_OF_STATE = {"Exit Code": "exitCode", "Signal": "signal", "Finished": "finishedAt", "Reason": "reason"}

_POD = re.compile(r"^(?:- )?apiVersion: v1\s*$", re.MULTILINE)
_ITEM = "- apiVersion: "
_KIND = re.compile(r"^ {0,2}kind: Pod\s*$", re.MULTILINE)
_STATUS = re.compile(r"^ {0,4}status:\s*$", re.MULTILINE)
_KEY = re.compile(r"(?P<key>\"[^\"]{1,300}\"|[\w./$-][^\s:#\"']{0,300}):(?:\s{1,40}(?P<value>.*))?")
_WHOLE = re.compile(r"-?[0-9]{1,10}")
_NOWHERE = "<none>"
_LIST_ITEM = "- "
_TEXT_BELOW = re.compile(r"[|>][+-]?\d?\s*")


def _recognises(head: Head) -> bool:
    said = head.text
    if is_marked_up(said):
        return False
    if _DESCRIBED.search(said) and _EXIT.search(said) and _RESTARTS.search(said):
        return True
    return bool(_POD.search(said) and _KIND.search(said) and _STATUS.search(said))


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    described, written = _Described(), list[str]()
    for line in text_lines_in(blocks, _LONGEST_LINE):
        if _NAME.match(line):
            yield from _taken(described.pod(), told)
            described = _Described()
        described.feed(line)
        if _POD.match(line):
            yield from _taken(_pod_of(written), told)
            written = []
        if len(written) < _MOST_LINES and (written or _POD.match(line)):
            written.append(line)
    yield from _taken(described.pod(), told)
    yield from _taken(_pod_of(written), told)


def _taken(pod: Mapping[str, Any] | None, told: Told) -> Iterator[Records]:
    if pod is not None:
        records = Records(told)
        pods.add_pod(records, pod)
        yield records


@dataclass
class _Described:
    """The pod that is being described, as its lines come.

    Attributes:
        named: a line that is the name of a container, if what follows is of one.
    """

    meta: dict[str, Any] = field(default_factory=dict)
    node: str | None = None
    containers: list[dict[str, Any]] = field(default_factory=list)
    named: str | None = None
    state: dict[str, Any] | None = None

    def feed(self, line: str) -> None:
        """Process the next line."""
        if container := _CONTAINER.fullmatch(line):
            self.named, self.state = container["name"], None
        elif found := _FIELD.fullmatch(line.rstrip()):
            name, value = found["name"], found["value"].strip()
            if name in ("Name", "Namespace") and not self.containers:
                self.meta.setdefault(name.lower(), value)
            elif name == "Node":
                self.node = self.node or (None if value == _NOWHERE else value.partition("/")[0])
            elif name in ("Container ID", "Image") and self.named and len(self.containers) < _MOST_CONTAINERS:
                self._of_container(name, value)
            elif name in _STATES:
                if not self.containers:  # whose name people cut off
                    self.containers.append({"name": self.named})
                ended: dict[str, Any] | None = {} if value == "Terminated" else None
                self.containers[-1][_STATES[name]] = {"terminated": ended}
                self.state = ended
            elif name in _OF_STATE and self.state is not None:
                self.state.setdefault(_OF_STATE[name], _value(name, value))

    def _of_container(self, name: str, value: str) -> None:
        if not self.containers or self.containers[-1]["name"] != self.named:
            self.containers.append({"name": self.named})
            self.state = None
        if name == "Image":
            self.containers[-1].setdefault("image", value)

    def pod(self) -> Mapping[str, Any] | None:
        """What was told, as Kubernetes itself tells it; None if that is nothing."""
        if not self.containers:
            return None
        # Without its own id: of several pods of one name each container has ended at a time of its own.
        return {
            "metadata": self.meta | {"uid": "/".join(map(str, self.meta.values()))},
            "spec": {"nodeName": self.node},
            "status": {"containerStatuses": self.containers},
        }


def _value(name: str, value: str) -> Any:
    if name == "Finished":
        try:
            return time_text(parsedate_to_datetime(value))
        except (ValueError, TypeError, IndexError):
            return None
    return _plain(value)


def _pod_of(lines: list[str]) -> Mapping[str, Any] | None:
    """The pod in a document of YAML, or an item of its list; None for anything else."""
    if not lines:
        return None
    if lines[0].startswith(_ITEM):
        lines = [line[2:] for line in lines if line[:1] in ("-", " ")]
    tree = _tree(lines)
    return tree if tree.get("kind") == "Pod" else None


@dataclass
class _Part:
    """An object or a list that is open: its column, and of an object the last key, whose value may follow below."""

    column: int
    held: dict[str, Any] | list[Any]
    key: str = ""


def _tree(lines: list[str]) -> dict[str, Any]:
    """Objects, lists and plain values of YAML, as ``kubectl`` writes it; texts of several lines are left out."""
    root: dict[str, Any] = {}
    parts = [_Part(0, root)]
    below: int | None = None
    for line in lines:
        rest = line.lstrip(" ")
        column = len(line) - len(rest)
        if not rest or (below is not None and column > below):
            continue
        below = None
        if rest.startswith(_LIST_ITEM):
            column, rest = _begin_item(parts, column, rest)
        if (found := _KEY.fullmatch(rest)) is None:
            continue
        while len(parts) > 1 and (parts[-1].column > column or isinstance(parts[-1].held, list)):
            parts.pop()
        if parts[-1].column < column and len(parts) <= _MOST_DEPTH:
            made: dict[str, Any] = {}
            _put(parts[-1], made)
            parts.append(_Part(column, made))
        value = (found["value"] or "").strip()
        parts[-1].key = found["key"].strip('"')
        below = column if _TEXT_BELOW.fullmatch(value) else None
        _put(parts[-1], None if below is not None else _plain(value))
    return root


def _begin_item(parts: list[_Part], column: int, rest: str) -> tuple[int, str]:
    """Open an item of a list, which may stand at the column of its key. Returns what remains of the line."""
    while len(parts) > 1 and parts[-1].column > column:
        parts.pop()
    if isinstance(parts[-1].held, dict):
        made: list[Any] = []
        _put(parts[-1], made)
        parts.append(_Part(column, made))
    inner = rest[len(_LIST_ITEM) :].lstrip(" ")
    if _KEY.fullmatch(inner) and len(parts) <= _MOST_DEPTH:
        item: dict[str, Any] = {}
        _put(parts[-1], item)
        parts.append(_Part(column + len(rest) - len(inner), item))
        return parts[-1].column, inner
    _put(parts[-1], _plain(inner))
    return column, ""


def _put(part: _Part, value: Any) -> None:
    if isinstance(part.held, list):
        part.held.append(value)
    else:
        part.held[part.key] = value


def _plain(said: str) -> Any:
    if _WHOLE.fullmatch(said):
        return int(said)
    return said[1:-1] if len(said) > 1 and said[0] == said[-1] and said[0] in "\"'" else said or None


POD_TEXT = Log("description of a pod of Kubernetes", _recognises, _read)
