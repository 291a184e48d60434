"""Errors with the challenge that tells a client where and for what to get a token.

Source: RFC 6750, 3; Distribution, "Docker Registry v2 authentication".
"""

from atomic_registry.errors import (
    CredentialsRejected,
    DomainError,
    Invalid,
    ScopeMissing,
    Unauthenticated,
)
from atomic_registry.faces.registry.errors import render_error
from atomic_registry.identity.policy import Verb
from atomic_registry.identity.registry_tokens import AUDIENCE
from atomic_registry.identity.scopes import render_scope
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.web.forwarded import origin
from atomic_registry.web.messages import Request, Response

TOKEN_PATH = "/openshift/token"  # noqa: S105 - a path
_ACTIONS = {
    Verb.PULL: (Verb.PULL,),
    Verb.PUSH: (Verb.PULL, Verb.PUSH),
    Verb.DELETE: (Verb.DELETE,),
}


class Challenger:
    """Renders errors; `default_origin` stands in where a client's Host header cannot be used.

    With a `token_origin` all clients are sent there, however they have come.
    """

    def __init__(self, *, default_origin: str, token_origin: str = "") -> None:
        self._default_origin = default_origin
        self._token_origin = token_origin

    def render_error(self, error: DomainError, request: Request | None) -> Response:
        """Return the answer for an error."""
        response = render_error(error, request)
        if isinstance(error, Unauthenticated) and request is not None:
            response.headers["WWW-Authenticate"] = self._challenge(error, request)
        return response

    def _challenge(self, error: Unauthenticated, request: Request) -> str:
        start = self._token_origin or origin(request, default=self._default_origin)
        realm = start + TOKEN_PATH
        if request.path == TOKEN_PATH:
            return f'Basic realm="{realm}"'
        fields = {"realm": realm, "service": AUDIENCE}
        scopes = _wanted_scopes(request)
        if scopes:
            fields["scope"] = " ".join(scopes)
        if isinstance(error, ScopeMissing):
            fields["error"] = "insufficient_scope"
        elif isinstance(error, CredentialsRejected):
            fields["error"] = "invalid_token"
        return "Bearer " + ",".join(f'{name}="{value}"' for name, value in fields.items())


def _wanted_scopes(request: Request) -> list[str]:
    repository = request.parameters.get("repository")
    if not isinstance(repository, RepositoryName) or request.verb not in _ACTIONS:
        return []
    scopes = [render_scope(repository, _ACTIONS[request.verb])]
    if request.query.get_all("mount"):
        try:
            source = RepositoryName.parse(request.query.get("from") or "")
        except Invalid:
            return scopes
        scopes.append(render_scope(source, _ACTIONS[Verb.PULL]))
    return scopes
