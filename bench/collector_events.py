"""How many events of Sentry's SDKs, one a request, are taken and processed a second, here and by another server?

    python -m bench.collector_events --events 5000
    python -m bench.collector_events --events 1000 --dsn http://KEY@127.0.0.1:8000/1 --counted-by 'sqlite3 ...' \
        --process 4711 --process 4712

Without ``--dsn`` it starts ``fleetcrash serve`` as a process on a fresh lake; with it the events go to a server that is
there already, on this machine only. An event is a Python exception that nobody handled, with a stack of so many frames
and the source around each. Taken means answered with 200; processed means that the server's store holds it: the lake,
or whatever ``--counted-by`` prints the number of events of. Beside stands what an event cost the server's processes,
children included, which says more where others use the machine. Run both on the same machine, one after the other; the
senders run on the same cores. Everything is synthetic.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.collector import at_once, collector, rows_of
from bench.collector_running import Noted, children_of

_CONNECTIONS = 16
_PATIENCE_S = 600.0
_SOURCE = "        value = self._transformed(item, fallback=self._fallback, strict=not self.settings.lenient)"


@dataclass(frozen=True)
class Server:
    """Who takes events.

    Attributes:
        count: how many it has processed so far.
        processes: ids of its processes; those that they started count with them.
    """

    port: int
    project: str
    key: str
    count: Callable[[], int]
    processes: Sequence[int]

    def cpu_s(self) -> float:
        """What its processes have used so far."""
        return sum(Noted.of(one).cpu_s for process in self.processes for one in (process, *children_of(process)))


def envelope(number: int, frames: int) -> bytes:
    """An event as Sentry's SDK for Python sends it, about a kilobyte a frame."""
    stack = [
        {"filename": f"agent/part{n}.py", "abs_path": f"/opt/agent/lib/python3.11/site-packages/agent/part{n}.py",
         "function": f"step_{n}", "module": f"agent.part{n}", "lineno": 100 + n, "in_app": True,
         "pre_context": [_SOURCE] * 4, "context_line": _SOURCE, "post_context": [_SOURCE] * 4}
        for n in range(frames)
    ]  # fmt: skip
    event_id = uuid.uuid4().hex  # a server that is there already may know those of an earlier run
    unhandled = {"type": "excepthook", "handled": False}
    value = {"type": "ValueError", "value": "wanted a whole number", "mechanism": unhandled,
             "stacktrace": {"frames": stack}}  # fmt: skip
    event = {
        "event_id": event_id, "timestamp": datetime.now(UTC).isoformat(), "platform": "python", "level": "fatal",
        "release": "agent@7.11.18110", "server_name": f"host-{number % 5000:05}", "exception": {"values": [value]},
        "contexts": {"os": {"name": "Linux", "version": "6.1"}}, "sdk": {"name": "sentry.python", "version": "2.75.0"},
    }  # fmt: skip
    body = json.dumps(event).encode()
    head = json.dumps({"event_id": event_id}).encode()
    return b"\n".join([head, json.dumps({"type": "event", "length": len(body)}).encode(), body, b""])


def sent(server: Server, events: int, frames: int) -> dict[str, Any]:
    """Send events as fast as they are taken, and wait until all are processed."""
    bodies = [envelope(number, frames) for number in range(events)]
    headers = {
        "Content-Type": "application/x-sentry-envelope",
        "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_client=bench/1, sentry_key={server.key}",
    }
    refused = [0] * _CONNECTIONS

    def work(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE_S)
        for body in bodies[number::_CONNECTIONS]:
            while True:
                connection.request("POST", f"/api/{server.project}/envelope/", body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    break
                assert answer.status == 429, answer.status
                refused[number] += 1
                time.sleep(0.1)
        connection.close()

    before, cpu_before_s = server.count(), server.cpu_s()
    began = time.perf_counter()
    taken_s = at_once(_CONNECTIONS, work)
    while (count := server.count() - before) < events:
        assert time.perf_counter() - began < _PATIENCE_S, f"{count} of {events} were processed"
        time.sleep(0.1)
    processed_s = time.perf_counter() - began
    cpu_s = server.cpu_s() - cpu_before_s
    return {
        "events": events, "bytes_an_event": len(bodies[0]), "taken_per_s": round(events / taken_s, 1),
        "processed_per_s": round(events / processed_s, 1), "refused_429": sum(refused),
        "cpu_ms_an_event": round(cpu_s / events * 1000, 2),
    }  # fmt: skip


def _counted_by(command: str) -> int:
    told = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True).stdout
    return int(told.split()[-1])


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--dsn", help="of another server on this machine; wants --counted-by")
    parser.add_argument("--counted-by", help="command that prints how many events the other server has processed")
    parser.add_argument("--process", type=int, action="append", default=[], help="id of one of the other server's")
    chosen = parser.parse_args()
    if (chosen.dsn is None) != (chosen.counted_by is None):
        parser.error("--dsn and --counted-by go together")
    with ExitStack() as stack:
        if chosen.dsn is None:
            lake = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleetcrash-"))) / "lake"
            process, port = stack.enter_context(collector(lake))
            server = Server(port, "1", "key", lambda: rows_of(lake), [process.pid])
        else:
            there = urlsplit(chosen.dsn)
            assert there.hostname == "127.0.0.1", "events are sent to this machine only"
            server = Server(
                there.port or 80,
                there.path.strip("/"),
                there.username or "",
                lambda: _counted_by(chosen.counted_by),
                chosen.process,
            )
        told = sent(server, chosen.events, chosen.frames)
    load = {"load_average": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    print(json.dumps({"server": "fleetcrash" if chosen.dsn is None else "another", **told, **load, "synthetic": True}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
