"""Every endpoint of the API with the right that it needs, made from the table of kinds."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from atomic_registry.faces.api.discovery import DiscoveryHandlers
from atomic_registry.faces.api.objects import ObjectHandlers, ProjectRequestHandlers
from atomic_registry.faces.api.reviews import ReviewHandlers
from atomic_registry.faces.api.tokens import OwnTokenHandlers, RobotTokenHandlers
from atomic_registry.identity.policy import Right
from atomic_registry.resources.kinds import (
    ACCESS,
    AUTHENTICATION,
    AUTHORIZATION,
    CORE,
    LEGACY,
    PROJECT_REQUESTS,
    PROJECTS,
    RESOURCES,
    ROBOT_TOKENS,
    USER_TOKENS,
    USERS,
    Resource,
    named_groups,
    prefix,
)
from atomic_registry.web.endpoint import Access, Converter, Endpoint, Handler
from atomic_registry.web.health import ProbeHandlers
from atomic_registry.web.messages import Request, Response

ANYBODY = Access()
CONVERTERS: dict[str, Converter] = {"namespace": str, "name": str, "id": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """The handlers that the rows point at."""

    objects: ObjectHandlers
    projects: ObjectHandlers
    requests: ProjectRequestHandlers
    reviews: ReviewHandlers
    robot_tokens: RobotTokenHandlers
    own_tokens: OwnTokenHandlers
    discovery: DiscoveryHandlers
    probes: ProbeHandlers


Row = tuple[str, str, Access, Callable[[Handlers], Handler]]
# A handler of resources also gets the row of the table and the group in the path.
Served = Callable[[Resource, str, Request], Awaitable[Response]]
Pick = Callable[[Handlers], Served]

_REVIEWS: dict[tuple[str, str], Pick] = {
    (AUTHENTICATION, "selfsubjectreviews"): lambda to: to.reviews.self_subject,
    (ACCESS, "selfsubjectaccessreviews"): lambda to: to.reviews.self_access,
    (ACCESS, "subjectaccessreviews"): lambda to: to.reviews.access,
    (ACCESS, "localsubjectaccessreviews"): lambda to: to.reviews.access,
    (ACCESS, "selfsubjectrulesreviews"): lambda to: to.reviews.self_rules,
    (AUTHORIZATION, "subjectaccessreviews"): lambda to: to.reviews.old_access,
    (AUTHORIZATION, "localsubjectaccessreviews"): lambda to: to.reviews.old_access,
    (AUTHORIZATION, "resourceaccessreviews"): lambda to: to.reviews.who_can,
    (AUTHORIZATION, "localresourceaccessreviews"): lambda to: to.reviews.who_can,
    (AUTHORIZATION, "selfsubjectrulesreviews"): lambda to: to.reviews.old_self_rules,
}


def endpoints(handlers: Handlers) -> list[Endpoint]:
    """Return the rows with their handlers."""
    return [Endpoint(method, path, access, pick(handlers)) for method, path, access, pick in ROWS]


def _rows() -> Iterator[Row]:
    yield from _discovery_rows()
    # Fixed names stand before those that any name fits.
    for group in USERS.served_groups:
        to_caller = _needs("get", USERS, group, name="~")
        path = f"{prefix(group)}/users/~"
        yield _row("GET", path, to_caller, USERS, group, lambda to: to.reviews.whoami)
    for resource in RESOURCES:
        for group in resource.served_groups:
            if resource.stored is not None:
                yield from _stored_rows(resource, group)
            elif (
                review := _REVIEWS.get((resource.asked_group(group), resource.plural))
            ) is not None:
                path = _collection(resource, group)
                yield _row("POST", path, _needs("create", resource, group), resource, group, review)
    yield from _request_rows()
    yield from _token_rows()


def _discovery_rows() -> Iterator[Row]:
    for path in ("/healthz", "/livez"):
        yield "GET", path, ANYBODY, lambda to: to.probes.live
    yield "GET", "/readyz", ANYBODY, lambda to: to.probes.ready
    yield "GET", "/metrics", Access(right=_path_right), lambda to: to.probes.metrics
    yield "GET", "/version", ANYBODY, lambda to: to.discovery.version
    for path in ("/api", "/oapi"):
        yield "GET", path, Access(right=_path_right), lambda to: to.discovery.versions
    yield "GET", "/apis", Access(right=_path_right), lambda to: to.discovery.groups
    for group in named_groups():
        yield "GET", f"/apis/{group}", Access(right=_path_right), _group_handler(group)
    for group in (CORE, LEGACY, *named_groups()):
        yield "GET", prefix(group), Access(right=_path_right), _resources_handler(group)


def _group_handler(group: str) -> Callable[[Handlers], Handler]:
    return lambda to: partial(to.discovery.group, group)


def _resources_handler(group: str) -> Callable[[Handlers], Handler]:
    return lambda to: partial(to.discovery.resources, group)


def _stored_rows(resource: Resource, group: str) -> Iterator[Row]:
    def pick(to: Handlers) -> ObjectHandlers:
        return to.projects if resource is PROJECTS else to.objects

    many = _collection(resource, group)
    one = f"{many}/{{name}}"
    rows: tuple[tuple[str, str, str, Pick], ...] = (
        ("GET", many, "list", lambda to: pick(to).list),
        ("POST", many, "create", lambda to: pick(to).create),
        ("GET", one, "get", lambda to: pick(to).get),
        ("PUT", one, "update", lambda to: pick(to).update),
        ("DELETE", one, "delete", lambda to: pick(to).delete),
    )
    for method, path, verb, chosen in rows:
        yield _row(method, path, _needs(verb, resource, group), resource, group, chosen)
    if resource.namespaced:
        everywhere = f"{prefix(group)}/{resource.plural}"
        access = _needs("list", resource, group)
        yield _row("GET", everywhere, access, resource, group, lambda to: to.objects.list)


def _request_rows() -> Iterator[Row]:
    resource = PROJECT_REQUESTS
    for group in resource.served_groups:
        path = _collection(resource, group)
        may_ask = _needs("list", resource, group)
        yield _row("GET", path, may_ask, resource, group, lambda to: to.requests.check)
        may_make = _needs("create", resource, group)
        yield _row("POST", path, may_make, resource, group, lambda to: to.requests.create)


def _token_rows() -> Iterator[Row]:
    below = f"{prefix(CORE)}/namespaces/{{namespace}}/serviceaccounts/{{name}}/token"
    rows: tuple[tuple[str, str, str, Pick], ...] = (
        ("POST", below, "create", lambda to: to.robot_tokens.create),
        ("GET", below, "get", lambda to: to.robot_tokens.list),
        ("DELETE", f"{below}/{{id}}", "delete", lambda to: to.robot_tokens.revoke),
    )
    for method, path, verb, pick in rows:
        yield _row(method, path, _needs(verb, ROBOT_TOKENS, CORE), ROBOT_TOKENS, CORE, pick)
    for group in USER_TOKENS.served_groups:
        many = _collection(USER_TOKENS, group)
        own: tuple[tuple[str, str, str, Pick], ...] = (
            ("GET", many, "list", lambda to: to.own_tokens.list),
            ("POST", many, "create", lambda to: to.own_tokens.create),
            ("GET", f"{many}/{{name}}", "get", lambda to: to.own_tokens.get),
            ("DELETE", f"{many}/{{name}}", "delete", lambda to: to.own_tokens.revoke),
            ("POST", f"{many}/{{name}}/rotate", "create", lambda to: to.own_tokens.rotate),
        )
        for method, path, verb, pick in own:
            yield _row(method, path, _needs(verb, USER_TOKENS, group), USER_TOKENS, group, pick)


def _collection(resource: Resource, group: str) -> str:
    below = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"{prefix(group)}{below}/{resource.plural}"


def _row(method: str, path: str, access: Access, resource: Resource, group: str, pick: Pick) -> Row:
    def handler(to: Handlers) -> Handler:
        return partial(pick(to), resource, group)

    return method, path, access, handler


def _needs(verb: str, resource: Resource, group: str, *, name: str = "") -> Access:
    asked = resource.asked_group(group)
    is_project = resource is PROJECTS

    def right(request: Request) -> Right:
        parameters = request.parameters
        target = name or parameters.get("name", "")
        # A project's own right is one within it.
        namespace = target if is_project else parameters.get("namespace", "")
        return Right(
            verb=verb, group=asked, resource=resource.plural, namespace=namespace, name=target
        )

    return Access(right=right)


def _path_right(request: Request) -> Right:
    return Right(verb="get", path=request.path)


ROWS: tuple[Row, ...] = tuple(_rows())
