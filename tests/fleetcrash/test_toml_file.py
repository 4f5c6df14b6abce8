"""Files by which people say how something is to run: read within bounds, each mistake in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.access import read_sign_in
from fleetcrash.errors import BadArgument
from fleetcrash.toml_file import MOST_BYTES, read_toml
from ingest.collector.privacy_file import read_privacy
from monitor.alerts.config import read_config


def test_a_file_is_read_up_to_its_bound(tmp_path):
    path = tmp_path / "a.toml"
    text = 'name = "ä"\n'
    path.write_text(text + "#" * (MOST_BYTES - len(text.encode())), encoding="utf-8")
    assert read_toml(path) == {"name": "ä"}
    path.write_text(path.read_text(encoding="utf-8") + "#", encoding="utf-8")
    with pytest.raises(BadArgument, match=r"a\.toml has more than 65,536 bytes\. Nothing was started\.$"):
        read_toml(path)


@pytest.mark.parametrize("content", [b"[open", b'name = "\xff"', "n\xe4me".encode("latin-1")])
def test_what_is_no_toml_is_said_in_one_line(tmp_path, content):
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(BadArgument, match=r"\A.*a\.toml is no TOML: .*\. Nothing was started\.\Z"):
        read_toml(path)


def test_what_is_not_there_is_said(tmp_path):
    for path in (tmp_path, tmp_path / "none.toml"):
        with pytest.raises(BadArgument, match=r" cannot be read: .*\. Nothing was started\.$"):
            read_toml(path)


@pytest.mark.parametrize("read", [lambda path: read_config([path]), read_privacy, read_sign_in])
def test_a_file_without_end_is_not_read_to_its_end(read):
    with pytest.raises(BadArgument, match="/dev/zero has more than 65,536 bytes"):
        read(Path("/dev/zero"))
