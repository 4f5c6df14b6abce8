"""Prometheus' text format: how counters, gauges and histograms are written down.

What is counted is declared where it is counted: ``ingest.collector.metrics``, ``monitor.metrics``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metric(name: str, kind: str, says: str, samples: Mapping[str, float]) -> Iterator[str]:
    """Lines of a metric.

    Args:
        name: in full. kind: counter or gauge. says: what it is, one sentence.
        samples: labels, such as ``door="/v1/records"`` or none, to the value.
    """
    yield f"# HELP {name} {says}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples.items():
        yield f"{name}{{{labels}}} {value}" if labels else f"{name} {value}"


class Histogram:
    """A histogram of durations. Not for two threads at once.

    Args:
        bounds: upper ends of the buckets in seconds, rising; one more bucket takes what is above.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._seconds = 0.0

    def took(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._seconds += seconds

    def lines(self, name: str, says: str) -> Iterator[str]:
        """Lines of the metric, as ``metric`` gives them."""
        samples: dict[str, float] = {}
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            samples[f'_bucket{{le="{bound}"}}'] = total
        yield f"# HELP {name} {says}"
        yield f"# TYPE {name} histogram"
        for suffix, value in {**samples, "_sum": round(self._seconds, 6), "_count": total}.items():
            yield f"{name}{suffix} {value}"
