"""Records to Parquet, one file a kind, and what the detector must not see to ``truth.json``.

The same columns in the same order give the same bytes: nothing written depends on the clock, the path or the
order of a dictionary.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fleetcrash.errors import UnreadableSource
from sample_data.simulator.clock import NEVER, Clock, Moments
from sample_data.simulator.condition import WITH_UPDATE
from sample_data.simulator.fleet import Fleet
from sample_data.simulator.report import HeardCrashes, HeardInstalls
from sample_data.simulator.sessions import Sessions
from sample_data.simulator.setting import Setting

_GUILT = ("guilty", "guilty_kind", "condition", "released_at", "reverted_at")  # null where nothing is

TIME = pa.timestamp("us", tz="UTC")
_MAP = pa.map_(pa.string(), pa.string())


def _times(clock: Clock, moments: Moments) -> pa.Array:
    """Moments as a timestamp column; NEVER is null."""
    missing = np.asarray(moments) >= NEVER
    return pa.array(clock.epoch_us(np.where(missing, 0, moments)), type=TIME, mask=missing)


def host_table(fleet: Fleet) -> pa.Table:
    """One row a host, known from the start."""
    order = np.argsort(fleet.host_id.astype(str))
    columns: dict[str, Any] = {"host_id": fleet.host_id[order], "os_type": fleet.os_type[order]}
    for name in ("os_version", "os_build", "agent_version", "model", "region", "ring", "group", "site"):
        columns[name] = getattr(fleet, name)[order]
    columns |= {"customer": fleet.customer[order], "criticality": fleet.criticality[order]}
    arrays = {name: pa.array(values, type=pa.string()) for name, values in columns.items()}
    return pa.table({**arrays, "always_on": pa.array(fleet.always_on[order])})


def update_table(setting: Setting) -> pa.Table:
    """One row a release, in order of release."""
    updates, clock = setting.updates, setting.clock
    reverted = np.array([update.reverted for update in updates], dtype=np.int64)
    # A withdrawal after the end has not happened yet.
    reverted = np.where(reverted > clock.end, NEVER, reverted)
    return pa.table(
        {
            "update_id": pa.array([update.update_id for update in updates], type=pa.string()),
            "kind": pa.array([update.kind for update in updates], type=pa.string()),
            "channel": pa.array([update.channel or None for update in updates], type=pa.string()),
            "version": pa.array([update.version for update in updates], type=pa.string()),
            "released_at": _times(clock, np.array([update.released for update in updates], dtype=np.int64)),
            "reverted_at": _times(clock, reverted),
            "received_at": _times(clock, np.array([update.listed_at for update in updates], dtype=np.int64)),
        }
    )


def install_table(installs: HeardInstalls, setting: Setting) -> pa.Table:
    """One row an acknowledged install or removal, update by update and by time within."""
    ids = pa.array([update.update_id for update in setting.updates], type=pa.string())
    actions = pa.array(["installed", "removed"], type=pa.string())
    return pa.table(
        {
            "host_id": pa.array(setting.fleet.host_id, type=pa.string()).take(pa.array(installs.host)),
            "update_id": ids.take(pa.array(installs.update)),
            "applied_at": _times(setting.clock, installs.applied),
            "action": actions.take(pa.array(installs.removed.astype(np.int64))),
            "received_at": _times(setting.clock, installs.received),
        }
    )


def session_table(sessions: Sessions, setting: Setting) -> pa.Table:
    """One row a session that reaches into the simulation, by host; open where it outlasts it."""
    clock = setting.clock
    rows = np.flatnonzero((sessions.off > 0) & (sessions.on < clock.end))
    off = np.where(sessions.off[rows] >= clock.end, NEVER, sessions.off[rows])
    names = setting.fleet.host_id.astype(str)[sessions.host[rows]]
    order = np.lexsort((sessions.on[rows], names))
    return pa.table(
        {
            "host_id": pa.array(names[order], type=pa.string()),
            "online_from": _times(clock, sessions.on[rows][order]),
            "online_until": _times(clock, off[order]),
        }
    )


def crash_table(crashes: HeardCrashes, setting: Setting) -> pa.Table:
    """One row a crash report, in order of arrival; a resent one twice."""
    catalogue, fleet, clock = setting.catalogue, setting.fleet, setting.clock
    os_type = fleet.os_type[crashes.host]
    stacks, offsets, number = catalogue.frames(
        crashes.cluster, os_type, crashes.os_build, crashes.module_version, crashes.code
    )
    modules = pa.array([cluster.module for cluster in catalogue.clusters], type=pa.string())

    def text(values: np.ndarray) -> pa.Array:
        return pa.array(values, type=pa.string())

    def maps(values: Sequence[dict[str, str] | None]) -> pa.Array:
        return pa.array([None if value is None else list(value.items()) for value in values], type=_MAP)

    table = pa.table(
        {
            "crash_id": text(crashes.crash_id),
            "host_id": text(fleet.host_id[crashes.host]),
            "occurred_at": _times(clock, crashes.occurred),
            "time_quality": text(crashes.quality),
            "os_type": text(os_type),
            "os_version": text(crashes.os_version),
            "os_build": text(crashes.os_build),
            "agent_version": text(crashes.agent_version),
            "domain": text(crashes.domain),
            "code": text(crashes.code),
            "module": modules.take(pa.array(crashes.cluster)),
            "module_version": text(crashes.module_version),
            "module_offset": offsets.take(pa.array(number)),
            "frames": stacks.take(pa.array(number)),
            "uptime_s": pa.array(crashes.uptime_s, type=pa.float64(), mask=np.isnan(crashes.uptime_s)),
            "content": maps(crashes.content),
            "tags": maps(crashes.tags),
            "received_at": _times(clock, crashes.received),
        }
    )
    return table.take(pa.array(np.argsort(crashes.received, kind="stable")))


def truth(setting: Setting, struck: Moments) -> dict[str, Any]:
    """The answer to a simulation.

    ``fault_times`` has the first fault of every struck host, heard of or not, in order. With several faults
    the first one stands at the top and all of them, each with its times, under ``faults``. An update that makes
    hosts crash less is guilty of nothing. Where there are rises that follow no update, ``outages``, ``backlogs``,
    ``waves`` and ``wrong_clocks`` tell of them.

    Args:
        struck: as of ``World``.
    """
    clock = setting.clock

    def times(moments: Moments) -> list[str]:
        return [_text(clock.at(moment)) for moment in np.sort(moments[moments < clock.end])]

    by_name = {name: setting.updates[row] for name, row in setting.rows.items()}
    answers: list[dict[str, Any]] = []
    for number, fault in enumerate(setting.plan.faults):
        update = by_name.get(fault.update)
        if update is not None and fault.factor >= 1:
            condition = dict(fault.condition)
            if condition.get(WITH_UPDATE) in by_name:
                condition[WITH_UPDATE] = by_name[condition[WITH_UPDATE]].update_id
            answers.append(
                {
                    "guilty": update.update_id,
                    "guilty_kind": update.kind,
                    "condition": condition,
                    "released_at": _text(clock.at(update.released)),
                    "reverted_at": None if update.reverted >= NEVER else _text(clock.at(update.reverted)),
                    "fault_times": times(struck[number]),
                }
            )
    document: dict[str, Any] = {
        "scenario": setting.plan.name,
        "seed": setting.seed,
        "hosts": setting.fleet.size,
        **{key: answers[0][key] if answers else None for key in _GUILT},
        "from": _text(clock.at(clock.judged_from)),
        "to": _text(clock.at(clock.end)),
        "fault_times": times(struck.min(axis=0, initial=NEVER)),
    }
    if len(answers) > 1:
        document["faults"] = answers
    for kind in ("outages", "backlogs", "waves", "wrong_clocks"):
        met = [met for met, _ in getattr(setting.rivals, kind) if met.begin < clock.end]
        if met:
            document[kind] = [{"where": one.where, "at": _text(clock.at(one.begin))} for one in met]
    return document


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def write_records(folder: Path, tables: dict[str, pa.Table], answer: dict[str, Any]) -> None:
    """Write one Parquet file a kind and ``truth.json``, each in place of an older one.

    Raises:
        UnreadableSource: the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, table in tables.items():
            # Times rise by little from row to row, so their differences are small: half the bytes.
            times = {field.name: "DELTA_BINARY_PACKED" for field in table.schema if field.type == TIME}
            texts = [field.name for field in table.schema if field.name not in times]
            pq.write_table(
                table,
                folder / f"{kind}.parquet",
                compression="zstd",
                compression_level=9,
                use_dictionary=texts,
                column_encoding=times,
            )
        text = json.dumps(answer, indent=1, ensure_ascii=False)
        (folder / "truth.json").write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise UnreadableSource(
            f"{folder} cannot be written to: {error.strerror or error}. "
            "What was written before stays. Name another folder with --out."
        ) from error
