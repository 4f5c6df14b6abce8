"""A long table a page at a time. The page is in the URL, so that the back button returns to it."""

from __future__ import annotations

import streamlit as st


def page_of(rows: int, per_page: int) -> tuple[int, int]:
    """Draw the choice of a page if there are several. Returns the page, from 1, and how many there are."""
    pages = max(1, -(-rows // per_page))
    asked = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    return min(asked, pages), pages


def first_page() -> None:
    """Return to the first page, because other rows were asked for."""
    if "page" in st.session_state:
        st.session_state["page"] = 1
