"""Containers that a fault ended, as Kubernetes' pods in JSON, ``docker inspect`` and Amazon's ECS tell of them.

The code with which a container ended shows a signal, or an exception of Windows. One that was stopped, had too much
memory or ended by itself is no crash. Only the last end of a container is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from fleetcrash.clustering.codes import canonical_code
from ingest.formats.blame import at_fault
from ingest.formats.crashes import (
    NotJson,
    Records,
    Told,
    Unfit,
    mapping,
    name_of,
    parsed,
    sequence,
    tags_of,
    text,
    time_of,
)
from ingest.formats.format import Head, Log, until_broken
from ingest.formats.json_lists import Elements
from ingest.formats.workers import FATAL

_LONGEST_ELEMENT_BYTES = 1 << 20
_LOOKED_AT = 3
_BEGINS = re.compile(
    rb'"(?:items|tasks)"\s{0,9}:\s{0,9}\[(?=\s{0,99}\{)|\A\s{0,99}\[(?=\s{0,99}\{\s{0,99}"Id"\s{0,9}:\s{0,9}"[0-9a-f]{64}")'
    rb'|\A(?=\s{0,99}\{\s{0,99}"apiVersion"\s{0,9}:\s{0,9}"v1"\s{0,9},\s{0,99}"kind"\s{0,9}:\s{0,9}"Pod"\s{0,9},)'
)
_OF_A_SIGNAL = 128  # the code that a shell, and so a container, gives to the end by a signal, less its number
_LEAST_STATUS = 0xC0000000  # of an exception of Windows


def _recognises(head: Head) -> bool:
    start = head.data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith((b"{", b"[")):
        return False
    try:
        elements = islice(Elements(_BEGINS, _LONGEST_ELEMENT_BYTES).of(iter([start])), _LOOKED_AT)
        return any(_is_known(mapping(parsed(raw))) for raw in elements)
    except (NotJson, Unfit):
        return False


def _is_known(fields: Mapping[str, Any]) -> bool:
    if fields.get("kind") == "Pod":
        return "status" in fields and "spec" in fields
    if "taskArn" in fields:
        return isinstance(fields.get("containers"), list)
    return "ExitCode" in mapping(fields.get("State")) and "Config" in fields


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    elements = Elements(_BEGINS, _LONGEST_ELEMENT_BYTES)
    for raw in elements.of(until_broken(blocks)):
        records = Records(told)
        try:
            fields = mapping(parsed(raw))
        except NotJson:
            records.as_it_came(raw)
            fields = {}
        if fields.get("kind") == "Pod":
            add_pod(records, fields)
        elif _is_known(fields) and "taskArn" in fields:
            _add_task(records, fields)
        elif _is_known(fields):
            _add_container(records, fields)
        yield records
    if elements.is_open and elements.before.endswith(b"["):
        raise Unfit("bad_list", "It breaks off within its list of containers")


def add_pod(records: Records, pod: Mapping[str, Any]) -> None:
    status, spec, meta = (mapping(pod.get(part)) for part in ("status", "spec", "metadata"))
    each = [*sequence(status.get("containerStatuses")), *sequence(status.get("initContainerStatuses"))]
    for one in map(mapping, each):
        for state in ("lastState", "state"):
            ended = mapping(mapping(one.get(state)).get("terminated"))
            tags = [
                ("pod", meta.get("name")),
                ("namespace", meta.get("namespace")),
                ("image", one.get("image")),
                ("exit_code", ended.get("exitCode")),
            ]
            own = (text(ended.get("containerID")) or "", text(meta.get("uid")) or "", text(one.get("name")) or "")
            code = _code(ended.get("exitCode"), ended.get("signal"))
            _add(records, code, own, text(one.get("name")), ended.get("finishedAt"), text(spec.get("nodeName")), tags)


def _add_container(records: Records, container: Mapping[str, Any]) -> None:
    state, config = mapping(container.get("State")), mapping(container.get("Config"))
    if state.get("Running") is True or state.get("OOMKilled") is True:
        return
    name = (text(container.get("Name")) or "").lstrip("/") or None
    tags = [("image", config.get("Image")), ("exit_code", state.get("ExitCode"))]
    own = (text(container.get("Id")) or "",)
    _add(records, _code(state.get("ExitCode"), None), own, name, state.get("FinishedAt"), None, tags)


def _add_task(records: Records, task: Mapping[str, Any]) -> None:
    """The containers of a task of ECS, which ended with it; it tells the host as an identifier of its own alone."""
    for one in map(mapping, sequence(task.get("containers"))):
        tags = [("image", one.get("image")), ("exit_code", one.get("exitCode")), ("task", task.get("taskArn"))]
        own = (text(task.get("taskArn")) or "", text(one.get("name")) or "")
        at = time_of(task.get("stoppedAt"))
        _add(records, _code(one.get("exitCode"), None), own, text(one.get("name")), at, None, tags)


def _add(
    records: Records,
    code: str | None,
    own: tuple[str, ...],
    name: str | None,
    at: Any,
    host: str | None,
    tags: list[tuple[str, Any]],
) -> None:
    if code is None:
        return
    ended_at = text(at)
    records.crash(
        crash_id=name_of("container", *own, ended_at or ""),
        host_id=records.host_id((host,)),
        occurred_at=ended_at,
        time_quality="log" if ended_at else None,
        os_type="windows" if code.startswith("0x") else "linux",
        domain="user",
        code=code,
        **at_fault((), name),
        tags=tags_of([("container", name), *tags]),
    )


def _code(exit_code: Any, signal: Any) -> str | None:
    """What ended a container, if it was a fault."""
    number = exit_code if isinstance(exit_code, int) and not isinstance(exit_code, bool) else 0
    status = number & 0xFFFFFFFF
    if status >= _LEAST_STATUS and abs(number) <= 0xFFFFFFFF and number not in range(-256, 0):
        return f"0x{status:x}"
    number = signal if isinstance(signal, int) and signal > 0 else number - _OF_A_SIGNAL
    code = canonical_code(str(number), "linux") if 0 < number < 64 else ""
    return code if code in FATAL else None


PODS = Log("list of containers, in JSON", _recognises, _read)
