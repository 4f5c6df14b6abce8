"""Reads, when the dashboard starts, who may see the pages; ``sign_in`` checks each reader."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fleetcrash.errors import BadArgument
from fleetcrash.toml_file import read_toml

# Environment variables that tell the app, which is a process of its own, of the header and of who may see the pages.
HEADER_VARIABLE = "FLEETCRASH_TRUSTED_HEADER"
ALLOW_VARIABLE = "FLEETCRASH_SIGN_IN_ALLOW"

_WANTED = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")


@dataclass(frozen=True)
class SignIn:
    """Sign-in with OpenID Connect.

    Attributes:
        secrets: file for ``st.login``.
        allow: addresses of people who may see the pages; ``@example.com`` for a whole domain, ``*`` for everybody with
            an account with the provider.
    """

    secrets: Path
    allow: tuple[str, ...]


def read_sign_in(path: Path) -> SignIn:
    """Read the file of a sign-in, a ``secrets.toml`` of Streamlit with a table of ours.

    Raises:
        BadArgument: it cannot be read, lacks something, or Authlib is not installed.
    """
    told = read_toml(path)
    auth, ours = told.get("auth"), told.get("fleetcrash")
    missing = [name for name in _WANTED if not (isinstance(auth, dict) and isinstance(auth.get(name), str))]
    if missing:
        raise BadArgument(f"{path} has no {', '.join(missing)} in [auth]. Nothing was started.")
    allow = ours.get("allow") if isinstance(ours, dict) else None
    if not isinstance(allow, list) or not allow or not all(isinstance(one, str) and one for one in allow):
        raise BadArgument(
            f'{path} does not say who may see the pages; wanted [fleetcrash] with allow = ["@example.com"], '
            'or allow = ["*"] for everybody who has an account with the provider. Nothing was started.'
        )
    if find_spec("authlib") is None:
        raise BadArgument("Sign-in needs Authlib: pip install 'streamlit[auth]'. Nothing was started.")
    return SignIn(path.absolute(), tuple(allow))
