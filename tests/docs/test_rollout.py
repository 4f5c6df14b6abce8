"""The worked example of a rollout ends by itself, as docs/rollout.md shows it."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest

import cli

ROOT = Path(cli.__file__).parent
PAGE = (ROOT / "docs" / "rollout.md").read_text(encoding="utf-8")


@pytest.fixture
def example(monkeypatch) -> ModuleType:
    """The script, with its commands run in this process and fewer looks."""
    spec = importlib.util.spec_from_file_location("rollout", ROOT / "docs" / "examples" / "rollout.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def in_this_process(*arguments: str, shown: bool = True) -> int:
        with contextlib.nullcontext() if shown else contextlib.redirect_stdout(io.StringIO()):
            return cli.main(arguments)

    monkeypatch.setattr(module, "fleetcrash", in_this_process)
    monkeypatch.setattr(module, "EVERY", timedelta(minutes=45))
    return module


@pytest.mark.slow
def test_it_ships_to_one_ring_stops_at_the_next_and_says_why_on_one_screen(example, tmp_path, capsys):
    assert example.main(["--lake", str(tmp_path / "lake")]) == 4
    said = capsys.readouterr().out
    assert re.findall(r"shipping content-7 to ring (\w+)", said) == ["canary", "early"], "broad never gets it"
    screen = said[said.index("HALT") :].splitlines()
    assert len(screen) < 12
    assert "Named by inc-" in screen[1]
    assert any(re.match(r"early +halt +1,000 ", line) for line in screen)
    assert screen[-1].endswith("stopped at ring early, exit status 4")


def test_the_page_shows_what_the_script_prints():
    for text in ("shipping content-7 to ring canary, 300 hosts", "stopped at ring early, exit status 4"):
        assert text in PAGE
