"""Endpoints as rows of data: method, path, access and handler, and the router made from them."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atomic_registry.errors import MethodUnsupported, RouteUnknown
from atomic_registry.identity.policy import Right, Verb
from atomic_registry.web.messages import Request, Response

Handler = Callable[[Request], Awaitable[Response]]
QuickHandler = Callable[[Request], Response]
Converter = Callable[[str], Any]

_SPANNING = frozenset({"repository", "file"})
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Access:
    """What the caller must be allowed to do before the handler runs.

    `verb` is asked of the repository in the path, or of the registry where the path has none.
    `right` makes the right to ask for out of the request. With neither anybody may call, also
    without a name: probes and the like.
    `login` lets in whoever shows good credentials, also those of the anonymous actor.
    `continues` marks what goes on with something that an earlier request began: there a registry
    token still counts for a while after its end.
    """

    verb: Verb | None = None
    right: Callable[[Request], Right] | None = None
    login: bool = False
    continues: bool = False

    @property
    def is_for_anybody(self) -> bool:
        """Nothing is asked of the caller."""
        return self.verb is None and self.right is None and not self.login


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row: there is no way to serve a handler without saying what access it needs.

    `path` has parameters in braces; each has a converter by its name. The parameters `repository`
    and `file` may span several path segments, every other one stands for exactly one.
    `quick` answers as the handler does, but without waiting for anything; where there is one, the
    server spares the request a task.
    """

    method: str
    path: str
    access: Access
    handler: Handler
    quick: QuickHandler | None = None


@dataclass(frozen=True, slots=True)
class _Route:
    pattern: re.Pattern[str]
    endpoints: dict[str, Endpoint]


class Router:
    """Finds the row of a request; paths are tried in the order of the rows."""

    def __init__(self, endpoints: Sequence[Endpoint], converters: Mapping[str, Converter]) -> None:
        self.endpoints = tuple(endpoints)
        self._converters = converters
        routes: dict[str, _Route] = {}
        for endpoint in endpoints:
            route = routes.setdefault(endpoint.path, _Route(_compile(endpoint.path), {}))
            route.endpoints[endpoint.method] = endpoint
            if endpoint.method == "GET":
                # HEAD is GET without the body (RFC 9110, 9.3.2) unless it has its own row.
                route.endpoints.setdefault("HEAD", endpoint)
            elif endpoint.method == "HEAD":
                route.endpoints["HEAD"] = endpoint
        # Nearly all paths have their depth fixed, so most rows need not be looked at.
        self._spanning = _of_depth(routes, None)
        self._by_depth = {depth: _of_depth(routes, depth) for depth in {*map(_depth, routes)}}

    def match(self, method: str, path: str) -> tuple[Endpoint, dict[str, Any]]:
        """Return the row and the converted path parameters.

        Raises:
            RouteUnknown: no row has this path.
            MethodUnsupported: rows have this path, with other methods.
            Invalid: a path parameter breaks its grammar.
        """
        for route in self._by_depth.get(path.count("/"), self._spanning):
            found = route.pattern.match(path)
            if found is None:
                continue
            endpoint = route.endpoints.get(method)
            if endpoint is None:
                raise MethodUnsupported(method=method, allowed=sorted(route.endpoints))
            parameters = {
                name: self._converters[name](text) for name, text in found.groupdict().items()
            }
            return endpoint, parameters
        raise RouteUnknown(path=path)


def _depth(path: str) -> int | None:
    """Return how many slashes a path of the row has, None where that differs."""
    spans = any(f"{{{name}}}" in path for name in _SPANNING)
    return None if spans else path.count("/")


def _of_depth(routes: Mapping[str, _Route], depth: int | None) -> tuple[_Route, ...]:
    return tuple(route for path, route in routes.items() if _depth(path) in (depth, None))


def _compile(path: str) -> re.Pattern[str]:
    def group(match: re.Match[str]) -> str:
        name = match[1]
        return f"(?P<{name}>.+)" if name in _SPANNING else f"(?P<{name}>[^/]+)"

    return re.compile(_PARAMETER.sub(group, path) + r"\Z")
