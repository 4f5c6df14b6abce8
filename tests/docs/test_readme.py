"""What the README shows is so."""

import re
from pathlib import Path

import cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_loads_as_it_says(tmp_path, capsys):
    records = re.findall(r'^\{"record":.*\}$', README, flags=re.MULTILINE)
    (tmp_path / "records.ndjson").write_text("\n".join(records))
    assert cli.main(["load", str(tmp_path / "records.ndjson"), "--lake", str(tmp_path / "lake")]) == 0
    said = capsys.readouterr().out.splitlines()[0]
    assert said in README


def test_its_clusters_are_what_it_shows(tmp_path, capsys):
    records = re.findall(r'^\{"record":.*\}$', README, flags=re.MULTILINE)
    (tmp_path / "records.ndjson").write_text("\n".join(records))
    cli.main(["load", str(tmp_path / "records.ndjson"), "--lake", str(tmp_path / "lake")])
    capsys.readouterr()
    for command in (["clusters"], ["explain", "c1"]):
        assert cli.main([*command, "--lake", str(tmp_path / "lake")]) == 0
        assert f"$ .venv/bin/python -m cli {' '.join(command)}\n{capsys.readouterr().out}" in README


def test_every_command_is_there_and_no_other(capsys):
    try:
        cli.main(["--help"])
    except SystemExit:
        commands = set(re.findall(r"^ {4}([a-z]+)\b", capsys.readouterr().out, flags=re.MULTILINE))
    assert commands == set(re.findall(r"^\| `fleetcrash ([a-z]+)", README, flags=re.MULTILINE))


def test_what_it_links_to_exists():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target
