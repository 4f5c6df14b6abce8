"""A site without power: its servers fall silent within a minute, a few of them crash, most are back half an hour later.

No update is behind it. Elsewhere a host crashes now and then.
"""

from __future__ import annotations

from tests.fleetcrash.worlds import World, at, crash_of

HOSTS, AT_LAB = 300, 40
DARK, BACK, NOW = 200, 245, 300
CRASHED = (0, 1, 2)  # of the site, a quarter of an hour before
LASTING = (5, 6)  # servers that never come back


def world() -> World:
    """The records, known as they happen."""
    told: World = {
        "host": [
            {
                "host_id": f"h{number}",
                "os_type": "windows",
                "os_build": "20348.1",
                "region": "emea",
                "site": "lab" if number < AT_LAB else f"s{number % 5}",
                "always_on": True,
            }
            for number in range(HOSTS)
        ],
        "update": [{"update_id": "agent", "kind": "agent", "released_at": at(-3000)}],
        "session": [{"host_id": f"h{number}", "online_from": at(-600)} for number in range(AT_LAB, HOSTS)],
        "install": [
            {"host_id": f"h{number}", "update_id": "agent", "applied_at": at(-2900 + number * 7 % HOSTS)}
            for number in range(HOSTS)
        ],
        "crash": [crash_of(number + 100, 20.0 * number) for number in range(10)],
    }
    for number in range(AT_LAB):
        lasting = {"host_id": f"h{number}", "online_from": at(-600)}
        told["session"].append({**lasting, "online_until": at(DARK), "received_at": at(DARK + 10)})
        told["session"].append({**lasting, "received_at": at(-600)})
        if number not in LASTING:
            back = {"host_id": f"h{number}", "online_from": at(BACK), "received_at": at(BACK)}
            told["session"].append(back)
    told["crash"] += [crash_of(number, BACK + 1) for number in CRASHED]
    told["crash"].append(crash_of(HOSTS - 1, NOW))
    return told
