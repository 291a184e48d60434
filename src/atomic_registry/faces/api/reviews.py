"""Access reviews over HTTP, and who the caller is.

Sources: Kubernetes `authorization.k8s.io` (attributes below `spec`), and the original's
`authorization.openshift.io` (attributes at the top, answers of kinds of their own).
"""

import msgspec

from atomic_registry.errors import ObjectInvalid
from atomic_registry.faces.api.bodies import read_as, read_document
from atomic_registry.faces.api.objects import require_login
from atomic_registry.faces.api.status import Document, json_response
from atomic_registry.identity.actors import AUTHENTICATED, AUTHENTICATED_OAUTH, UNAUTHENTICATED
from atomic_registry.identity.policy import Reason, Right
from atomic_registry.identity.records import PolicyRule, User
from atomic_registry.resources.kinds import NAMESPACES, PROJECTS, Resource, api_version, own_group
from atomic_registry.resources.reviews import ReviewService
from atomic_registry.web.messages import Request, Response

_VIRTUAL = {AUTHENTICATED, AUTHENTICATED_OAUTH, UNAUTHENTICATED}
_MAX_GROUPS = 1000


class _ResourceAttributes(msgspec.Struct, rename="camel"):
    namespace: str = ""
    verb: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""


class _PathAttributes(msgspec.Struct, rename="camel"):
    path: str = ""
    verb: str = ""


class _AccessSpec(msgspec.Struct, rename="camel"):
    resource_attributes: _ResourceAttributes | None = None
    non_resource_attributes: _PathAttributes | None = None
    user: str = ""
    groups: list[str] = []


class _AccessReview(msgspec.Struct, rename="camel"):
    spec: _AccessSpec = msgspec.field(default_factory=_AccessSpec)


class _OldReview(msgspec.Struct, rename="camel"):
    namespace: str = ""
    verb: str = ""
    resource_group: str = msgspec.field(default="", name="resourceAPIGroup")
    resource: str = ""
    resource_name: str = ""
    path: str = ""
    is_path: bool = msgspec.field(default=False, name="isNonResourceURL")
    user: str = ""
    groups: list[str] = []


class _RulesSpec(msgspec.Struct, rename="camel"):
    namespace: str = ""


class _RulesReview(msgspec.Struct, rename="camel"):
    spec: _RulesSpec = msgspec.field(default_factory=_RulesSpec)


class ReviewHandlers:
    """Each answers one kind of review; those below a project are bound to it."""

    def __init__(self, reviews: ReviewService) -> None:
        self._reviews = reviews

    async def self_access(self, resource: Resource, group: str, request: Request) -> Response:
        document = await read_document(request)
        spec = read_as(document, _AccessReview, resource.kind).spec
        reason = self._reviews.explain(request.actor, _right(spec, resource.kind, ""))
        return _access_answer(resource, group, reason, document)

    async def access(self, resource: Resource, group: str, request: Request) -> Response:
        document = await read_document(request)
        spec = read_as(document, _AccessReview, resource.kind).spec
        _check_subject(resource.kind, spec.user, spec.groups, field="spec.user")
        right = _right(spec, resource.kind, request.parameters.get("namespace", ""))
        reason = await self._reviews.explain_other(spec.user, spec.groups, right)
        return _access_answer(resource, group, reason, document)

    async def old_access(self, resource: Resource, group: str, request: Request) -> Response:
        asked = read_as(await read_document(request), _OldReview, resource.kind)
        right = _old_right(asked, resource.kind, request.parameters.get("namespace", ""))
        if not asked.user and not asked.groups:
            # The original's clients ask about themselves so.
            reason = self._reviews.explain(request.actor, right)
        else:
            _check_subject(resource.kind, asked.user, asked.groups, field="user")
            reason = await self._reviews.explain_other(asked.user, asked.groups, right)
        document = {
            "kind": "SubjectAccessReviewResponse",
            "apiVersion": api_version(group),
            "namespace": right.namespace,
            "allowed": reason.granted,
            "reason": reason.text,
        }
        return json_response(document, status=201)

    async def who_can(self, resource: Resource, group: str, request: Request) -> Response:
        asked = read_as(await read_document(request), _OldReview, resource.kind)
        right = _old_right(asked, resource.kind, request.parameters.get("namespace", ""))
        users, groups = self._reviews.who_can(right)
        document = {
            "kind": "ResourceAccessReviewResponse",
            "apiVersion": api_version(group),
            "namespace": right.namespace,
            "users": users,
            "groups": groups,
        }
        return json_response(document, status=201)

    async def self_rules(self, resource: Resource, group: str, request: Request) -> Response:
        spec = read_as(await read_document(request), _RulesReview, resource.kind).spec
        rules = self._reviews.rules_of(request.actor, spec.namespace)
        status = {
            "resourceRules": [_shown(rule) for rule in rules if rule.resources],
            "nonResourceRules": [_shown(rule) for rule in rules if rule.non_resource_urls],
            # A scope may leave out a part of a rule that rules cannot express.
            "incomplete": request.actor.scopes is not None,
        }
        return _answer(resource, group, status)

    async def old_self_rules(self, resource: Resource, group: str, request: Request) -> Response:
        await read_document(request)
        rules = self._reviews.rules_of(request.actor, request.parameters["namespace"])
        return _answer(resource, group, {"rules": [_shown(rule) for rule in rules]})

    async def self_subject(self, resource: Resource, group: str, request: Request) -> Response:
        """Tell who the caller is; the body, which some clients send in binary, says nothing."""
        require_login(request.actor)
        actor = request.actor
        info = {
            "username": actor.name,
            "uid": actor.uid,
            "groups": self._reviews.groups_of(actor),
        }
        return _answer(resource, group, {"userInfo": info})

    async def whoami(self, resource: Resource, group: str, request: Request) -> Response:
        """Show the caller as a user, with the groups that count for them."""
        require_login(request.actor)
        actor = request.actor
        user = await self._reviews.find_user(actor)
        stored = msgspec.to_builtins(user) if isinstance(user, User) else {"metadata": {}}
        shown: Document = {"kind": resource.kind, "apiVersion": api_version(group), **stored}
        shown["metadata"] = {**stored["metadata"], "name": actor.name}
        shown["groups"] = [name for name in self._reviews.groups_of(actor) if name not in _VIRTUAL]
        return json_response({"identities": [], **shown})


def _right(spec: _AccessSpec, kind: str, namespace: str) -> Right:
    path, attributes = spec.non_resource_attributes, spec.resource_attributes
    if path is not None and attributes is None and not namespace:
        _require(kind, "spec.nonResourceAttributes", path.verb, path.path)
        return Right(verb=path.verb, path=path.path)
    if attributes is None or path is not None:
        field = "spec.resourceAttributes"
        raise ObjectInvalid(kind=kind, name="", causes=[(field, "give exactly one of the two")])
    _require(kind, "spec.resourceAttributes", attributes.verb, attributes.resource)
    name = attributes.resource
    if attributes.subresource:
        name = f"{name}/{attributes.subresource}"
    where = _bound_namespace(kind, attributes.namespace, namespace)
    return _resource_right(attributes.verb, attributes.group, name, where, attributes.name)


def _old_right(asked: _OldReview, kind: str, namespace: str) -> Right:
    if asked.is_path and not namespace:
        _require(kind, "path", asked.verb, asked.path)
        return Right(verb=asked.verb, path=asked.path)
    _require(kind, "resource", asked.verb, asked.resource)
    where = _bound_namespace(kind, asked.namespace, namespace)
    return _resource_right(
        asked.verb, asked.resource_group, asked.resource, where, asked.resource_name
    )


def _resource_right(verb: str, group: str, resource: str, namespace: str, name: str) -> Right:
    if resource in {PROJECTS.plural, NAMESPACES.plural} and name:
        # A project is asked about within itself, as its own route does.
        namespace = name
    group = own_group(group, resource)
    return Right(verb=verb, group=group, resource=resource, namespace=namespace, name=name)


def _bound_namespace(kind: str, asked: str, bound: str) -> str:
    if bound and asked not in {"", bound}:
        causes = [("namespace", "it must be the project that the path names")]
        raise ObjectInvalid(kind=kind, name="", causes=causes)
    return bound or asked


def _require(kind: str, field: str, verb: str, target: str) -> None:
    if not verb or not target:
        causes = [(field, "a verb and what it is about are required")]
        raise ObjectInvalid(kind=kind, name="", causes=causes)


def _check_subject(kind: str, user: str, groups: list[str], *, field: str) -> None:
    if not user and not groups:
        raise ObjectInvalid(kind=kind, name="", causes=[(field, "a user or groups are required")])
    if len(groups) > _MAX_GROUPS:
        causes = [("groups", f"at most {_MAX_GROUPS}")]
        raise ObjectInvalid(kind=kind, name="", causes=causes)


def _access_answer(resource: Resource, group: str, reason: Reason, question: Document) -> Response:
    status: Document = {"allowed": reason.granted, "reason": reason.text}
    return _answer(resource, group, status, spec=question.get("spec"))


def _answer(resource: Resource, group: str, status: Document, *, spec: object = None) -> Response:
    # Typed clients refuse a review without its question.
    document = {"kind": resource.kind, "apiVersion": api_version(group), "metadata": {}}
    return json_response(document | {"spec": spec or {}, "status": status}, status=201)


def _shown(rule: PolicyRule) -> object:
    return msgspec.to_builtins(rule)
