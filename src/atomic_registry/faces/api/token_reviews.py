"""Whose token is this? For other services that are handed tokens of this one.

Source: Kubernetes `authentication.k8s.io/v1`, `TokenReview`.
"""

from typing import Protocol

import msgspec

from atomic_registry.errors import CredentialsRejected
from atomic_registry.faces.api.bodies import read_as, read_document
from atomic_registry.faces.api.status import Document, json_response
from atomic_registry.identity.actors import Actor
from atomic_registry.resources.kinds import Resource, api_version
from atomic_registry.resources.reviews import ReviewService
from atomic_registry.web.messages import Request, Response

SCOPES_KEY = "scopes.authorization.openshift.io"


class Tokens(Protocol):
    """See `web.credentials.Credentials`."""

    async def identify(self, secret: str) -> Actor: ...


class _Spec(msgspec.Struct, rename="camel"):
    token: str = ""
    audiences: list[str] = []


class _TokenReview(msgspec.Struct, rename="camel"):
    spec: _Spec = msgspec.field(default_factory=_Spec)


class TokenReviewHandlers:
    """Answers reviews; the token is not repeated in the answer."""

    def __init__(self, tokens: Tokens, reviews: ReviewService) -> None:
        self._tokens = tokens
        self._reviews = reviews

    async def create(self, resource: Resource, group: str, request: Request) -> Response:
        spec = read_as(await read_document(request), _TokenReview, resource.kind).spec
        status: Document
        try:
            actor = await self._tokens.identify(spec.token)
        except CredentialsRejected as error:
            status = {"authenticated": False, "error": error.message}
        else:
            status = {"authenticated": True, "user": self._user(actor)}
            if spec.audiences:
                # Our tokens are for this registry only: for no other audience are they good.
                error_text = "the token is for this registry only"
                status = {"authenticated": False, "error": error_text}
        document = {"kind": resource.kind, "apiVersion": api_version(group), "metadata": {}}
        return json_response(document | {"spec": {}, "status": status}, status=201)

    def _user(self, actor: Actor) -> Document:
        user: Document = {
            "username": actor.name,
            "uid": actor.uid,
            "groups": self._reviews.groups_of(actor),
        }
        if actor.scopes is not None:
            user["extra"] = {SCOPES_KEY: list(actor.scopes)}
        return user
