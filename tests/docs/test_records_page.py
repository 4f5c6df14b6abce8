"""The page on tables and columns is the one that the code makes."""

from pathlib import Path

from fleetcrash.records import columns_markdown

PAGE = Path(__file__).parents[2] / "docs" / "records.md"


def test_the_page_is_what_the_columns_say():
    assert PAGE.read_text(encoding="utf-8") == columns_markdown(), "run: python -m fleetcrash.records > docs/records.md"
