"""Who may see the pages: anybody who reaches them, whom a proxy lets through, or who signed in with OpenID Connect.

The choice is made when the dashboard is started, and comes to the app by its environment. A page is shown over a
connection that is opened once, so that what is looked at here holds for all that it shows.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.access import ALLOW_VARIABLE, HEADER_VARIABLE

# Streamlit's cookie lasts 30 days; who has left the firm should not. Within the provider's own session it is one click.
_LASTS_S = 12 * 3600.0


def check() -> None:
    """Stop the run of a page that its reader may not see."""
    header, allow = os.environ.get(HEADER_VARIABLE), os.environ.get(ALLOW_VARIABLE)
    if header and len([one for one in st.context.headers.get_all(header) if one.strip()]) != 1:
        # Two: the proxy has added its own to one that the reader made up.
        st.error(f"These pages are shown through a proxy that says who you are, in {header}.")
        st.stop()
    if allow:
        _check_signed_in(st.user, json.loads(allow))


def _check_signed_in(user: Mapping[str, Any], allow: list[str]) -> None:
    since = user.get("iat")
    is_recent = isinstance(since, int | float) and time.time() - since <= _LASTS_S
    if not user.get("is_logged_in") or not is_recent:
        st.title("fleetcrash")
        st.button("Sign in", type="primary", on_click=st.login)
        st.stop()
    if not is_allowed(user, allow):
        st.error(f"{user.get('email') or 'This account'} may not see these pages.")
        st.button("Sign out", on_click=st.logout)
        st.stop()


def is_allowed(user: Mapping[str, Any], allow: list[str]) -> bool:
    """Whether one who signed in may see the pages.

    An address counts where the provider says that it was checked, which some say as text, or says nothing of that.
    """
    if "*" in allow:
        return True
    email = str(user.get("email") or "").lower()
    checked = user.get("email_verified", True)
    if not email or not (checked is True or checked == "true"):
        return False
    return any(email.endswith(one.lower()) if one.startswith("@") else email == one.lower() for one in allow)
