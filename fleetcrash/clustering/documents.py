"""What ``fleetcrash clusters`` and ``fleetcrash explain`` print, as JSON documents."""

from __future__ import annotations

from datetime import datetime

from fleetcrash.clustering.clusters import Cluster, Clusters
from fleetcrash.documents import JSON
from fleetcrash.errors import UnknownName
from fleetcrash.store.asking import judged_instant
from fleetcrash.store.engine import Engine
from fleetcrash.store.lake import Lake
from fleetcrash.times import time_text


def clusters_document(lake: Lake, *, as_of: datetime | None = None) -> JSON:
    """The contract's ``clusters`` document as of an instant.

    Raises:
        LakeError: the lake cannot be read or holds no record.
    """
    with Engine(lake, as_of=as_of) as engine:
        instant = judged_instant(engine)
        return {
            "schema": 1,
            "as_of": time_text(instant),
            "clusters": [_cluster(one) for one in Clusters(engine).list()],
        }


def explain_document(lake: Lake, crash_id: str, *, as_of: datetime | None = None) -> JSON:
    """Why a crash is in its cluster: each rule that acted, what it saw and what it made of it; the role of each frame.

    Raises:
        UnknownName: the crash is not known by then.
        LakeError: the lake cannot be read or holds no record.
    """
    with Engine(lake, as_of=as_of) as engine:
        instant = judged_instant(engine)
        try:
            sample = Clusters(engine).stack(crash_id)
        except UnknownName:
            raise UnknownName(
                f"No crash {crash_id!r} is known as of {time_text(instant)}. "
                "If it was refused, `fleetcrash quarantine list` says why."
            ) from None
    signature = sample.signature
    return {
        "schema": 1,
        "as_of": time_text(instant),
        "crash_id": sample.crash_id,
        "cluster_id": signature.cluster_id,
        "family": signature.family,
        "signature": signature.variant,
        "title": signature.title,
        "steps": [{"rule": step.rule, "saw": step.saw, "made": step.made} for step in signature.steps],
        "frames": [
            {
                "module": frame.module,
                "function": frame.function,
                "offset": frame.offset,
                "name": frame.name,
                "role": frame.role.value,
            }
            for frame in sample.frames
        ],
    }


def _cluster(one: Cluster) -> JSON:
    return {
        "cluster_id": one.cluster_id,
        "family": one.family,
        "title": one.title,
        "crashes": one.crashes,
        "hosts": one.hosts,
        "first_seen": time_text(one.first_seen),
        "last_seen": time_text(one.last_seen),
        "state": one.state.value,
        "variants": [{"signature": each.signature, "crashes": each.crashes} for each in one.variants],
        "os_type": dict(one.os_type),
    }
