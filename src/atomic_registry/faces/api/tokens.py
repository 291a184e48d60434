"""Tokens over HTTP. A secret stands in the answer to the request that made it, nowhere else.

Source: Kubernetes `TokenRequest` and OpenShift `UserOAuthAccessToken`; making a personal token,
rotating one, and listing and revoking those of a robot are extensions.
"""

from datetime import datetime, timedelta

import msgspec

from atomic_registry.clock import Clock
from atomic_registry.errors import Denied, ObjectInvalid
from atomic_registry.faces.api.bodies import read_as, read_document, read_limit, refuse_unserved
from atomic_registry.faces.api.negotiate import shape_of
from atomic_registry.faces.api.objects import place_of
from atomic_registry.faces.api.status import Document, json_response, success_document
from atomic_registry.identity.ports import StoredToken, TokenKind
from atomic_registry.identity.tokens import MAX_PERSONAL_LIFETIME
from atomic_registry.kube.objects import timestamp
from atomic_registry.resources.kinds import Place, Resource
from atomic_registry.resources.paging import MAX_PAGE, decode_continue, encode_continue
from atomic_registry.resources.tokens import AccessTokenService, OwnTokenService, RobotTokenService
from atomic_registry.web.messages import Request, Response

_HOUR = 3600
_MIN_SECONDS = 600
_MAX_SECONDS = int(MAX_PERSONAL_LIFETIME.total_seconds())
_MONTH = 30 * 24 * _HOUR
_LABELS = {TokenKind.PERSONAL: "personal", TokenKind.ACCESS: "login", TokenKind.ROBOT: "robot"}


class _TokenRequestSpec(msgspec.Struct, rename="camel"):
    expiration_seconds: int = _HOUR
    audiences: list[str] = []
    bound_object_ref: dict[str, object] = {}
    scopes: list[str] = []
    description: str = "token request"


class _TokenRequest(msgspec.Struct, rename="camel"):
    spec: _TokenRequestSpec = msgspec.field(default_factory=_TokenRequestSpec)


class _PersonalToken(msgspec.Struct, rename="camel"):
    description: str = ""
    scopes: list[str] = []
    expires_in: int = _MONTH


class RobotTokenHandlers:
    """Tokens of a service account, always below it."""

    def __init__(self, tokens: RobotTokenService) -> None:
        self._tokens = tokens

    async def create(self, resource: Resource, group: str, request: Request) -> Response:
        refuse_unserved(request.query)
        asked = read_as(await read_document(request), _TokenRequest, resource.kind).spec
        _check_robot_token(asked, resource.kind)
        secret, token = await self._tokens.mint(
            request.parameters["namespace"],
            request.parameters["name"],
            lifetime=timedelta(seconds=asked.expiration_seconds),
            scopes=asked.scopes,
            description=asked.description,
        )
        place = place_of(resource, group, request)
        return json_response(_show_robot_token(place, token, secret), status=201)

    async def list(self, resource: Resource, group: str, request: Request) -> Response:
        place, (after, limit) = place_of(resource, group, request), _page(request)
        found = await self._tokens.list(
            place.namespace, request.parameters["name"], after=after, limit=limit
        )
        items = [_show_robot_token(place, token) for token in found]
        return json_response(_list(place, items, found, limit))

    async def revoke(self, resource: Resource, _group: str, request: Request) -> Response:
        namespace, name, token_id = (
            request.parameters[part] for part in ("namespace", "name", "id")
        )
        await self._tokens.revoke(namespace, name, token_id)
        return json_response(success_document({"name": token_id, "kind": resource.plural}))


class OwnTokenHandlers:
    """The caller's own tokens."""

    def __init__(self, tokens: OwnTokenService) -> None:
        self._tokens = tokens

    async def create(self, resource: Resource, group: str, request: Request) -> Response:
        refuse_unserved(request.query)
        _refuse_impersonated(request)
        asked = read_as(await read_document(request), _PersonalToken, resource.kind)
        _check_seconds(asked.expires_in, "expiresIn", resource.kind)
        secret, token = await self._tokens.create(
            request.actor,
            description=asked.description,
            scopes=asked.scopes,
            lifetime=timedelta(seconds=asked.expires_in),
        )
        place = place_of(resource, group, request)
        return json_response(_show_own_token(place, token, secret), status=201)

    async def rotate(self, resource: Resource, group: str, request: Request) -> Response:
        refuse_unserved(request.query)
        _refuse_impersonated(request)
        secret, token = await self._tokens.rotate(request.actor, request.parameters["name"])
        place = place_of(resource, group, request)
        return json_response(_show_own_token(place, token, secret), status=201)

    async def list(self, resource: Resource, group: str, request: Request) -> Response:
        place, (after, limit) = place_of(resource, group, request), _page(request)
        found = await self._tokens.list(request.actor, after=after, limit=limit)
        items = [_show_own_token(place, token) for token in found]
        return json_response(_list(place, items, found, limit))

    async def get(self, resource: Resource, group: str, request: Request) -> Response:
        token = await self._tokens.get(request.actor, request.parameters["name"])
        return json_response(_show_own_token(place_of(resource, group, request), token))

    async def revoke(self, resource: Resource, _group: str, request: Request) -> Response:
        name = request.parameters["name"]
        await self._tokens.revoke(request.actor, name)
        return json_response(success_document({"name": name, "kind": resource.plural}))


class AccessTokenHandlers:
    """Everybody's tokens, for administrators: the secrets are not among what is kept."""

    def __init__(self, tokens: AccessTokenService, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock

    async def list(self, resource: Resource, group: str, request: Request) -> Response:
        shape = shape_of(request, self._clock)
        place, (after, limit) = place_of(resource, group, request), _page(request)
        found = await self._tokens.list(after=after, limit=limit)
        items = [_show_own_token(place, token) for token in found]
        return json_response(shape(_list(place, items, found, limit)))

    async def get(self, resource: Resource, group: str, request: Request) -> Response:
        shape = shape_of(request, self._clock)
        token = await self._tokens.get(request.parameters["name"])
        return json_response(shape(_show_own_token(place_of(resource, group, request), token)))

    async def revoke(self, resource: Resource, _group: str, request: Request) -> Response:
        name = request.parameters["name"]
        await self._tokens.revoke(name)
        return json_response(success_document({"name": name, "kind": resource.plural}))


def _refuse_impersonated(request: Request) -> None:
    # The token would outlive the right to act as its user.
    if request.impersonator:
        reason = f"only {request.actor.name} may, not {request.impersonator} as them"
        raise Denied(
            actor=request.impersonator, verb="create", resource="personal tokens", reason=reason
        )


def _check_robot_token(asked: _TokenRequestSpec, kind: str) -> None:
    _check_seconds(asked.expiration_seconds, "spec.expirationSeconds", kind)
    # A client that asks for a narrower token than we make must not believe that it got one.
    for field, value in (
        ("audiences", asked.audiences),
        ("boundObjectRef", asked.bound_object_ref),
    ):
        if value:
            causes = [(f"spec.{field}", "it is not offered; tokens are for this registry only")]
            raise ObjectInvalid(kind=kind, name="", causes=causes)


def _check_seconds(seconds: int, field: str, kind: str) -> None:
    if not _MIN_SECONDS <= seconds <= _MAX_SECONDS:
        causes = [(field, f"choose {_MIN_SECONDS} to {_MAX_SECONDS} seconds")]
        raise ObjectInvalid(kind=kind, name="", causes=causes)


def _page(request: Request) -> tuple[str, int]:
    query = request.query
    _, after = decode_continue(query.get("continue") or "")
    return after, min(read_limit(query) or MAX_PAGE, MAX_PAGE)


def _list(place: Place, items: list[Document], found: list[StoredToken], limit: int) -> Document:
    metadata: Document = {}
    if found and len(found) == limit:
        metadata["continue"] = encode_continue(("", found[-1].id))
    return {
        "kind": f"{place.resource.kind}List",
        "apiVersion": place.api_version,
        "metadata": metadata,
        "items": items,
    }


def _show_robot_token(place: Place, token: StoredToken, secret: str = "") -> Document:
    status = _status(token, secret) | _known(expirationTimestamp=_moment(token.expires_at))
    return {
        "kind": place.resource.kind,
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": _metadata(token) | {"namespace": place.namespace},
        "spec": {
            "audiences": [],
            "scopes": list(token.scopes),
            "description": token.description,
            **_known(expirationSeconds=_seconds(token)),
        },
        "status": status,
    }


def _show_own_token(place: Place, token: StoredToken, secret: str = "") -> Document:
    return {
        "kind": place.resource.kind,
        "apiVersion": place.api_version,
        "metadata": _metadata(token),
        "clientName": token.client,
        "userName": token.user,
        "userUID": token.user_uid,
        "scopes": list(token.scopes),
        "description": token.description,
        "type": _LABELS.get(token.kind, token.kind.value),
        "status": _status(token, secret) | _known(expires=_moment(token.expires_at)),
        **_known(expiresIn=_seconds(token), inactivityTimeoutSeconds=token.inactivity_seconds),
    }


def _known(**fields: object) -> Document:
    """Return the fields that have a value: typed clients take no null for a number."""
    return {name: value for name, value in fields.items() if value is not None}


def _metadata(token: StoredToken) -> Document:
    return {"name": token.id, "creationTimestamp": timestamp(token.created_at)}


def _status(token: StoredToken, secret: str) -> Document:
    shown = _known(lastUsed=_moment(token.last_used_at))
    return shown | {"token": secret} if secret else shown


def _seconds(token: StoredToken) -> int | None:
    if token.expires_at is None:
        return None
    return round((token.expires_at - token.created_at).total_seconds())


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
