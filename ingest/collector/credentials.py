"""Finds the token of a request, which third-party clients put in various places."""

from __future__ import annotations

import base64
import binascii
import re

from starlette.requests import Request

_SENTRY_KEY = re.compile(r"(?:^|[\s,])sentry_key=([^,\s]+)")


def token_of(request: Request) -> str | None:
    """The token of a request; None if it has none.

    ``Authorization: Bearer TOKEN``; ``Basic``, with the token as password (or as name, without a password), as a URL
    ``http://any:TOKEN@host`` makes it; ``ApiKey``, as Elasticsearch's clients, of such a pair or the token itself;
    Sentry's key in ``X-Sentry-Auth``, ``Authorization: Sentry`` or the query.
    """
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    scheme, rest = scheme.lower(), rest.strip()
    if scheme == "bearer":
        return rest
    if scheme == "basic":
        return _of_pair(rest)
    if scheme == "apikey":
        return _of_pair(rest) or rest
    for said in (request.headers.get("x-sentry-auth", ""), rest if scheme == "sentry" else ""):
        if found := _SENTRY_KEY.search(said):
            return found[1]
    return request.query_params.get("sentry_key")


def _of_pair(packed: str) -> str | None:
    try:
        name, colon, password = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return password or name if colon else None
