"""What ``dmesg --json`` prints is what dmesg prints without it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ingest.formats.kernel_file import KERNEL_FILE
from ingest.formats.kernel_json import KERNEL_JSON
from ingest.formats.known import format_of
from tests.ingest.formats.conftest import crashes_before_damage, crashes_of, head
from tests.ingest.formats.test_kernel_log import OLD_OOPS


def printed(said: str, time_of: Callable[[str], float | str] = float) -> bytes:
    """Lines with the kernel's clock as dmesg prints them in JSON."""
    parts = (line.removeprefix("[").partition("] ") for line in said.splitlines())
    messages = [{"pri": 1, "time": time_of(clock), "msg": message} for clock, _, message in parts]
    return json.dumps({"dmesg": messages}, indent=3).encode()


def test_the_messages_are_those_of_the_text():
    data = printed(OLD_OOPS)
    assert format_of(head(data)) is KERNEL_JSON
    assert crashes_of(KERNEL_JSON, data, block_bytes=700) == crashes_of(KERNEL_FILE, OLD_OOPS.encode())


@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("Fri Jul 19 04:10:02 2024", "2024-07-19T04:10:02Z"),
        ("2024-07-19T04:10:02,250000+02:00", "2024-07-19T04:10:02.250000+02:00"),
    ],
)
def test_their_time_may_be_one_of_the_wall_clock(time, at):
    (crash,) = crashes_of(KERNEL_JSON, printed(OLD_OOPS, lambda _: time))
    assert crash["occurred_at"] == at


def test_a_list_that_breaks_off_gives_what_is_before():
    data = printed(OLD_OOPS)
    (crash,), damage = crashes_before_damage(KERNEL_JSON, data[: data.rindex(b"{")])
    assert (crash["module"], damage.code) == ("sensor_lsm", "bad_kernel_log")


@pytest.mark.parametrize("data", [b'{"dmesg": [1, null, {}, {"msg": 1}, {"msg": "x", "time": []}]}', b'{"dmesg": []}'])
def test_messages_of_another_form_are_none(data):
    assert KERNEL_JSON.recognises(head(data))
    assert crashes_of(KERNEL_JSON, data) == []


@pytest.mark.parametrize("data", [b'{"dmesg": 1}', b"[]", b'{"dmesgs": []}', b'{"a": {"dmesg": []}}'])
def test_other_documents_are_none(data):
    assert not KERNEL_JSON.recognises(head(data))
