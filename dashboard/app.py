"""The entry point: ``streamlit run dashboard/app.py``, with the lake in ``FLEETCRASH_LAKE``."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

_ROOT = str(Path(__file__).resolve().parent.parent)
if _ROOT not in sys.path:  # Streamlit adds the folder of the script, not its parent
    sys.path.append(_ROOT)

from dashboard.garbage import hide_what_stays  # noqa: E402
from dashboard.pages import (  # noqa: E402
    clusters_page,
    current_feed,
    health_page,
    hidden_pages,
    incident_page,
    overview_page,
    title,
    updates_page,
)
from dashboard.sign_in import check  # noqa: E402
from dashboard.states import data_problems  # noqa: E402
from dashboard.theme import SCRIPTS, STYLE  # noqa: E402


@st.cache_resource(show_spinner=False)
def _settle() -> bool:
    hide_what_stays()
    return True


st.set_page_config(page_title="fleetcrash", page_icon="📉", layout="wide")
_settle()
check()
st.html(STYLE)
st.html(f"<script>{SCRIPTS}</script>", unsafe_allow_javascript=True)
shown = st.navigation(
    [overview_page(), incident_page(), clusters_page(), updates_page(), health_page(), *hidden_pages()], position="top"
)
st.set_page_config(page_title=title(shown.title))  # so that tabs and history entries can be distinguished
problems = st.container()  # a place of its own, so that what follows does not move
if shown.url_path not in ("", "health"):  # these pages show problems themselves
    with problems:
        st.fragment(data_problems, run_every=2)(current_feed())
shown.run()
