"""The ordinary life of hosts: laptops that sleep and wake with their users, machines that stay on."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from sample_data.simulator.clock import DAY, HOUR, MINUTE, Clock, Flags, Indices, Moments, chance
from sample_data.simulator.fleet import Fleet
from sample_data.simulator.mix import Life
from sample_data.simulator.sessions import Sessions

_PARTS = 4  # of a working day; each but the last may end in a pause


def live(fleet: Fleet, life: Life, clock: Clock, seed: int) -> Sessions:
    """Sessions of all hosts, from before the first day to after the last, before anything goes wrong.

    A server's first session began with its last boot, days before the simulation. A laptop that nobody opens
    in these days has none.
    """
    office = np.flatnonzero(fleet.life == "office")
    steady = np.flatnonzero(fleet.life != "office")
    rows = [
        *_office_days(office, fleet, life, clock, chance(seed, "office")),
        _steady_days(steady, fleet, life, clock, chance(seed, "steady")),
    ]
    host, on, off, boot = (np.concatenate(column) for column in zip(*rows, strict=True))
    return Sessions.sorted(host, on, off, boot)


Rows = tuple[Indices, Moments, Moments, Flags]


def _office_days(hosts: Indices, fleet: Fleet, life: Life, clock: Clock, rng: np.random.Generator) -> list[Rows]:
    """Working days, each cut by pauses into at most four sessions, and some evenings."""
    # Local days reach over the ends of the UTC ones.
    days = np.arange(-2, clock.end // DAY + 2)
    weekend = np.array([(clock.start + timedelta(days=int(day))).weekday() >= 5 for day in days])
    shape = (len(hosts), len(days))
    used = rng.random(shape) < np.where(weekend, life.weekend_used, life.workday_used)
    # People keep their hours: a host's own habit, and a little scatter from day to day.
    habit = rng.normal(0.0, life.day_begins_hours[1], len(hosts))[:, None]
    begins = np.clip(life.day_begins_hours[0] + habit + rng.normal(0.0, 0.5, shape), 5.0, 12.0)
    lasts = np.clip(rng.normal(life.day_lasts_hours[0], life.day_lasts_hours[1], shape), 2.0, 11.0)
    ends = np.minimum(begins + lasts, 19.5)
    midnight = _midnights(hosts, days, fleet, life, clock)
    begin = midnight + np.rint(begins * HOUR).astype(np.int64)
    end = midnight + np.rint(ends * HOUR).astype(np.int64)

    # Pauses: one lies round the end of each part of the day but the last; from 0.4 parts before it to 0.55
    # parts after, so two never meet. The second is lunch.
    part = (end - begin) // _PARTS
    chances = np.array([life.pause, life.lunch, life.pause])
    medians = np.array([life.pause_median_min, life.lunch_median_min, life.pause_median_min]) * MINUTE
    pauses = (*shape, _PARTS - 1)
    paused = (rng.random(pauses) < chances) & used[..., None]
    edges = begin[..., None] + part[..., None] * np.arange(1, _PARTS)
    length = np.minimum(medians * np.exp(rng.normal(0.0, 0.8, pauses)), 0.45 * part[..., None])
    pause_from = edges + np.rint(rng.uniform(-0.4, 0.1, pauses) * part[..., None]).astype(np.int64)
    pause_until = pause_from + np.maximum(np.rint(length).astype(np.int64), 2 * MINUTE)

    # Beginnings (the day's, then after each pause) and ends (before each pause, then the day's) are as many
    # as each other and in the same order, so flattening both pairs them.
    starts = np.concatenate([begin[..., None], pause_until], axis=2)
    starts_exist = np.concatenate([used[..., None], paused], axis=2)
    stops = np.concatenate([pause_from, end[..., None]], axis=2)
    stops_exist = np.concatenate([paused, used[..., None]], axis=2)
    owner = np.broadcast_to(hosts[:, None, None], starts.shape)[starts_exist]
    morning = np.broadcast_to(np.arange(_PARTS) == 0, starts.shape)[starts_exist]
    on, off = starts[starts_exist], stops[stops_exist]
    boot = rng.random(len(on)) < np.where(morning, life.boots_in_the_morning, life.boots_after_a_pause)

    again = (rng.random(shape) < life.evening) & used
    evening_on = midnight + np.rint(rng.uniform(20.0, 21.5, shape) * HOUR).astype(np.int64)
    evening_off = evening_on + np.rint(rng.uniform(0.2, 2.2, shape) * HOUR).astype(np.int64)
    evening = np.broadcast_to(hosts[:, None], shape)[again]
    return [
        (owner, on, off, boot),
        (evening, evening_on[again], evening_off[again], np.zeros(len(evening), dtype=np.bool_)),
    ]


def _midnights(hosts: Indices, days: Indices, fleet: Fleet, life: Life, clock: Clock) -> Moments:
    """When days begin at the hosts' sites (hosts x days), ms since start."""
    forward = np.isin(fleet.region[hosts].astype(str), life.clocks_forward)[:, None] & (days * DAY >= clock.judged_from)
    return np.asarray(days * DAY - fleet.utc_offset[hosts][:, None] - forward * HOUR, dtype=np.int64)


def _steady_days(hosts: Indices, fleet: Fleet, life: Life, clock: Clock, rng: np.random.Generator) -> Rows:
    """One long session a host, cut by rare reboots and, for servers, very rare silences."""
    days = np.arange(-1, clock.end // DAY + 1)
    shape = (len(hosts), len(days))
    server = fleet.always_on[hosts][:, None]
    midnight = _midnights(hosts, days, fleet, life, clock)

    # Planned reboots happen in the small hours of the site.
    reboots = rng.random(shape) < np.where(server, life.server_reboots, life.left_on_reboots)
    reboot_at = midnight + np.rint(rng.uniform(1.0, 4.5, shape) * HOUR).astype(np.int64)
    reboot_for = np.rint(rng.uniform(life.reboot_s[0], life.reboot_s[1], shape) * 1000).astype(np.int64)
    # A silence, at any other time of day: power, network, somebody's foot on a cable.
    falls = (rng.random(shape) < life.server_goes_silent) & server
    silent_at = midnight + np.rint(rng.uniform(5.0, 19.0, shape) * HOUR).astype(np.int64)
    hours = np.clip(life.silence_median_hours * np.exp(rng.normal(0.0, 0.9, shape)), 0.3, 5.5)
    silent_for = np.rint(hours * HOUR).astype(np.int64)

    gap_from = np.stack([reboot_at, silent_at], axis=2)
    gap_until = np.stack([reboot_at + reboot_for, silent_at + silent_for], axis=2)
    # Only gaps within the simulation, so that the sessions before it need no history of their own.
    exists = np.stack([reboots, falls], axis=2) & (gap_from > 0)
    everybody = np.ones((len(hosts), 1), dtype=np.bool_)
    flat = exists.reshape(len(hosts), -1)
    starts = np.concatenate([fleet.booted_before[hosts][:, None], gap_until.reshape(len(hosts), -1)], axis=1)
    stops = np.concatenate([gap_from.reshape(len(hosts), -1), np.full((len(hosts), 1), clock.end + 2 * DAY)], axis=1)
    starts_exist = np.concatenate([everybody, flat], axis=1)
    stops_exist = np.concatenate([flat, everybody], axis=1)
    # Half of the silences were the network only: the machine stayed up and did not boot.
    boots = np.ones(exists.shape, dtype=np.bool_)
    boots[..., 1] = rng.random(shape) < 0.5
    boot = np.concatenate([everybody, boots.reshape(len(hosts), -1)], axis=1)[starts_exist]
    owner = np.broadcast_to(hosts[:, None], starts.shape)[starts_exist]
    return owner, starts[starts_exist], stops[stops_exist], boot
