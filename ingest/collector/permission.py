"""Permission: who may send, within which rate, and who may read how the collector stands."""

from __future__ import annotations

from datetime import UTC, datetime

from fleetcrash.errors import LakeError
from ingest.collector.rates import Rates
from ingest.collector.refusal import Refusal, unavailable
from ingest.collector.tokens import Scope, Token, Tokens

_ANYBODY = Token("", "", "")  # if no token is needed


class Permission:
    """Asks tokens and rates for every request.

    Args:
        needs_token: nobody may send without a token, even if none is configured.
    """

    def __init__(self, tokens: Tokens, rates: Rates, *, needs_token: bool) -> None:
        self._tokens = tokens
        self._rates = rates
        self._needs_token = needs_token

    @property
    def wants_token(self) -> bool:
        """Whether a token is needed for everything."""
        return self._needs_token or self._tokens.configured

    def sender(self, token: str | None) -> Token:
        """The sender.

        Raises:
            Refusal: it may not send, or is above its rate.
        """
        found = self.holder(token)
        self._rates.check(found.name, found.rate)
        return found

    def holder(self, token: str | None, scope: Scope = Scope.SEND) -> Token:
        """The token of a secret; that of nobody if none is needed.

        Raises:
            Refusal: one is needed, and this one does not allow the request.
        """
        if not self.wants_token:
            return _ANYBODY
        try:
            found = self._tokens.find(token, now=datetime.now(UTC))
        except LakeError as error:
            raise unavailable("tokens_unreadable", "cannot read its tokens") from error
        if found is None:
            wanted = "Wanted: a header Authorization: Bearer TOKEN, with a valid token."
            raise Refusal(401, "unauthorized", wanted, {"WWW-Authenticate": "Bearer"})
        if not found.scope.allows(scope):
            said = f"This token is of scope {found.scope}; wanted {scope}. Nothing of this request was kept."
            raise Refusal(403, "forbidden", said)
        return found

    def check_reader(self, token: str | None) -> None:
        """Check that a holder of this token may see the state; on loopback everybody may.

        Raises:
            Refusal: the collector can be reached by others, and the token does not allow it.
        """
        if self._needs_token:
            self.holder(token, Scope.READ)

    def may_read(self, token: str | None) -> bool:
        """Whether a holder of this token may see the state; False if tokens cannot be read."""
        try:
            self.check_reader(token)
        except Refusal:
            return False
        return True
