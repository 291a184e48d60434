"""Every endpoint of the API with the right that it needs, made from the table of kinds."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from atomic_registry.faces.api.discovery import DiscoveryHandlers
from atomic_registry.faces.api.happenings import EventHandlers
from atomic_registry.faces.api.images import ImageHandlers
from atomic_registry.faces.api.objects import (
    EmptyHandlers,
    ObjectHandlers,
    ProjectRequestHandlers,
)
from atomic_registry.faces.api.openapi import OpenApiHandlers
from atomic_registry.faces.api.reviews import ReviewHandlers
from atomic_registry.faces.api.token_reviews import TokenReviewHandlers
from atomic_registry.faces.api.tokens import (
    AccessTokenHandlers,
    OwnTokenHandlers,
    RobotTokenHandlers,
)
from atomic_registry.faces.api.watch import WatchHandlers, asks_to_watch
from atomic_registry.identity.policy import Right
from atomic_registry.identity.records import Project
from atomic_registry.resources.kinds import (
    ACCESS,
    ACCESS_TOKENS,
    AUTHENTICATION,
    AUTHORIZATION,
    CORE,
    EMPTY,
    EVENTS,
    IDENTITY_MAPPINGS,
    IMAGE_SIGNATURES,
    IMAGES,
    LEGACY,
    PROJECT_REQUESTS,
    QUOTAS,
    RESOURCES,
    ROBOT_TOKENS,
    STREAM_IMAGES,
    STREAM_IMPORTS,
    STREAM_LAYERS,
    STREAM_MAPPINGS,
    STREAM_SECRETS,
    STREAM_STATUS,
    STREAM_TAGS,
    STREAMS,
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
    access_tokens: AccessTokenHandlers
    token_reviews: TokenReviewHandlers
    mappings: ObjectHandlers
    quotas: ObjectHandlers
    images: ImageHandlers
    events: EventHandlers
    empty: EmptyHandlers
    discovery: DiscoveryHandlers
    openapi: OpenApiHandlers
    probes: ProbeHandlers
    watches: WatchHandlers


Row = tuple[str, str, Access, Callable[[Handlers], Handler]]
# A handler of resources also gets the row of the table and the group in the path.
Served = Callable[[Resource, str, Request], Awaitable[Response]]
Pick = Callable[[Handlers], Served]

_REVIEWS: dict[tuple[str, str], Pick] = {
    (AUTHENTICATION, "tokenreviews"): lambda to: to.token_reviews.create,
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


_OWN_HANDLERS: Mapping[str, Callable[[Handlers], ObjectHandlers]] = {
    STREAMS.plural: lambda to: to.images.streams,
    STREAM_TAGS.plural: lambda to: to.images.tags,
    IMAGES.plural: lambda to: to.images.images,
    QUOTAS.plural: lambda to: to.quotas,
}
"""Kinds that are not served as stored objects are."""


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
            if resource is EVENTS:
                yield from _event_rows(group)
            elif resource.stored is not None:
                yield from _stored_rows(resource, group)
            elif (
                review := _REVIEWS.get((resource.asked_group(group), resource.plural))
            ) is not None:
                path = _collection(resource, group)
                yield _row("POST", path, _needs("create", resource, group), resource, group, review)
    yield from _request_rows()
    yield from _token_rows()
    yield from _access_token_rows()
    yield from _mapping_rows()
    yield from _image_rows()
    yield from _empty_rows()
    yield from _old_watch_rows()


def _discovery_rows() -> Iterator[Row]:
    for path in ("/healthz", "/livez"):
        yield "GET", path, ANYBODY, lambda to: to.probes.live
    yield "GET", "/readyz", ANYBODY, lambda to: to.probes.ready
    yield "GET", "/metrics", Access(right=_path_right), lambda to: to.probes.metrics
    yield "GET", "/version", ANYBODY, lambda to: to.discovery.version
    yield "GET", "/api", Access(right=_path_right), lambda to: to.discovery.core
    yield "GET", "/oapi", Access(right=_path_right), lambda to: to.discovery.versions
    yield "GET", "/apis", Access(right=_path_right), lambda to: to.discovery.groups
    for group in named_groups():
        yield "GET", f"/apis/{group}", Access(right=_path_right), _group_handler(group)
    for group in (CORE, LEGACY, *named_groups()):
        yield "GET", prefix(group), Access(right=_path_right), _resources_handler(group)
    yield "GET", "/openapi/v2", Access(right=_path_right), lambda to: to.openapi.version_2
    yield "GET", "/openapi/v3", Access(right=_path_right), lambda to: to.openapi.index
    for group in (CORE, *named_groups()):
        path = f"/openapi/v3{prefix(group)}"
        yield "GET", path, Access(right=_path_right), _document_handler(group)


def _group_handler(group: str) -> Callable[[Handlers], Handler]:
    return lambda to: partial(to.discovery.group, group)


def _resources_handler(group: str) -> Callable[[Handlers], Handler]:
    return lambda to: partial(to.discovery.resources, group)


def _document_handler(group: str) -> Callable[[Handlers], Handler]:
    return lambda to: partial(to.openapi.document, group)


def _stored_rows(resource: Resource, group: str) -> Iterator[Row]:
    def pick(to: Handlers) -> ObjectHandlers:
        if (own := _OWN_HANDLERS.get(resource.plural)) is not None:
            return own(to)
        return to.projects if resource.stored is Project else to.objects

    many = _collection(resource, group)
    one = f"{many}/{{name}}"
    rows: tuple[tuple[str, str, str, Pick], ...] = (
        ("GET", many, "list", _watchable(lambda to: pick(to).list)),
        ("POST", many, "create", lambda to: pick(to).create),
        ("GET", one, "get", lambda to: pick(to).get),
        ("PUT", one, "update", lambda to: pick(to).update),
        ("PATCH", one, "patch", lambda to: pick(to).patch),
        ("DELETE", one, "delete", lambda to: pick(to).delete),
        ("DELETE", many, "deletecollection", lambda to: pick(to).delete_many),
    )
    for method, path, verb, chosen in rows:
        if verb in resource.verbs:
            yield _row(method, path, _needs(verb, resource, group), resource, group, chosen)
    if resource.namespaced:
        everywhere = f"{prefix(group)}/{resource.plural}"
        access = _needs("list", resource, group)
        every = _watchable(lambda to: pick(to).list)
        yield _row("GET", everywhere, access, resource, group, every)


def _event_rows(group: str) -> Iterator[Row]:
    many, everywhere = _collection(EVENTS, group), f"{prefix(group)}/{EVENTS.plural}"
    for path in (many, everywhere):
        listing = _watchable(lambda to: to.events.list)
        yield _row("GET", path, _needs("list", EVENTS, group), EVENTS, group, listing)
    one, needs = f"{many}/{{name}}", _needs("get", EVENTS, group)
    yield _row("GET", one, needs, EVENTS, group, lambda to: to.events.get)


def _watchable(pick: Pick) -> Pick:
    """Return what answers a list, or a watch where the query asks for one."""
    return lambda to: partial(to.watches.list_or_watch, pick(to))


def _old_watch_rows() -> Iterator[Row]:
    """Yield the paths that watched before lists did; old clients and scripts still use them."""
    for resource in RESOURCES:
        if "watch" not in resource.verbs:
            continue
        for group in resource.served_groups:
            start = f"{prefix(group)}/watch"
            below = "/namespaces/{namespace}" if resource.namespaced else ""
            many = f"{start}{below}/{resource.plural}"
            for path in dict.fromkeys((many, f"{many}/{{name}}", f"{start}/{resource.plural}")):
                access = _needs("watch", resource, group)
                yield _row("GET", path, access, resource, group, lambda to: to.watches.watch)


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


def _mapping_rows() -> Iterator[Row]:
    resource = IDENTITY_MAPPINGS
    rows: tuple[tuple[str, str, str, Pick], ...] = (
        ("POST", "", "create", lambda to: to.mappings.create),
        ("GET", "/{name}", "get", lambda to: to.mappings.get),
        ("PUT", "/{name}", "update", lambda to: to.mappings.update),
        ("DELETE", "/{name}", "delete", lambda to: to.mappings.delete),
    )
    yield from _rows_of(resource, rows)


def _image_rows() -> Iterator[Row]:
    yield from _rows_of(
        IMAGE_SIGNATURES,
        (
            ("POST", "", "create", lambda to: to.images.sign),
            ("DELETE", "/{name}", "delete", lambda to: to.images.unsign),
        ),
    )
    yield from _rows_of(
        STREAM_IMAGES, (("GET", "/{name}", "get", lambda to: to.images.get_of_stream),)
    )
    yield from _rows_of(STREAM_MAPPINGS, (("POST", "", "create", lambda to: to.images.map),))
    yield from _rows_of(STREAM_IMPORTS, (("POST", "", "create", lambda to: to.images.refuse),))
    # A status is a whole stream: its document is read as one.
    below: tuple[tuple[str, str, Resource, Resource, Pick], ...] = (
        ("GET", "get", STREAM_LAYERS, STREAM_LAYERS, lambda to: to.images.layers),
        ("GET", "get", STREAM_SECRETS, STREAM_SECRETS, lambda to: to.images.secrets),
        ("GET", "get", STREAM_STATUS, STREAMS, lambda to: to.images.statuses.get),
        ("PUT", "update", STREAM_STATUS, STREAMS, lambda to: to.images.statuses.update),
        ("PATCH", "patch", STREAM_STATUS, STREAMS, lambda to: to.images.statuses.patch),
    )
    for method, verb, resource, form, pick in below:
        part = resource.plural.partition("/")[2]
        for group in resource.served_groups:
            path = f"{_collection(STREAMS, group)}/{{name}}/{part}"
            yield _row(method, path, _needs(verb, resource, group), form, group, pick)


def _access_token_rows() -> Iterator[Row]:
    rows: tuple[tuple[str, str, str, Pick], ...] = (
        ("GET", "", "list", lambda to: to.access_tokens.list),
        ("GET", "/{name}", "get", lambda to: to.access_tokens.get),
        ("DELETE", "/{name}", "delete", lambda to: to.access_tokens.revoke),
    )
    yield from _rows_of(ACCESS_TOKENS, rows)


def _empty_rows() -> Iterator[Row]:
    for resource in EMPTY:
        access = _needs("list", resource, CORE)
        everywhere = f"{prefix(CORE)}/{resource.plural}"
        for path in dict.fromkeys((_collection(resource, CORE), everywhere)):
            listing = _watchable(lambda to: to.empty.list)
            yield _row("GET", path, access, resource, CORE, listing)


def _rows_of(resource: Resource, rows: Sequence[tuple[str, str, str, Pick]]) -> Iterator[Row]:
    for group in resource.served_groups:
        for method, below, verb, pick in rows:
            path = f"{_collection(resource, group)}{below}"
            yield _row(method, path, _needs(verb, resource, group), resource, group, pick)


def _collection(resource: Resource, group: str) -> str:
    below = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"{prefix(group)}{below}/{resource.plural}"


def _row(method: str, path: str, access: Access, resource: Resource, group: str, pick: Pick) -> Row:
    def handler(to: Handlers) -> Handler:
        return partial(pick(to), resource, group)

    return method, path, access, handler


def _needs(verb: str, resource: Resource, group: str, *, name: str = "") -> Access:
    asked = resource.asked_group(group)
    is_project = resource.stored is Project

    def right(request: Request) -> Right:
        parameters = request.parameters
        target = name or parameters.get("name", "")
        # A project's own right is one within it.
        namespace = target if is_project else parameters.get("namespace", "")
        asks = "watch" if verb == "list" and asks_to_watch(request.query) else verb
        return Right(
            verb=asks, group=asked, resource=resource.plural, namespace=namespace, name=target
        )

    return Access(right=right)


def _path_right(request: Request) -> Right:
    return Right(verb="get", path=request.path)


ROWS: tuple[Row, ...] = tuple(_rows())
