"""Small HTTP servers that answer like a remote Basic authentication server and like Keystone."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(method: str, path: str, handler: Handler) -> AsyncIterator[URL]:
    """Serve one endpoint on loopback; gives its URL."""
    application = web.Application()
    application.router.add_route(method, path, handler)
    async with TestServer(application) as server:
        yield server.make_url(path)


async def basic_auth(request: web.Request) -> web.Response:
    """Know mary:secret, as the documentation of the original's provider has it."""
    pair = base64.b64encode(b"mary:secret").decode()
    if request.headers.get("Authorization") != f"Basic {pair}":
        return web.json_response({"error": "bad password"}, status=401)
    return web.json_response(
        {
            "sub": "4711",
            "name": "Mary Poppins",
            "preferred_username": "mary",
            "email": "mary@example.test",
            "more": [1, 2],
        }
    )


async def keystone(request: web.Request) -> web.Response:
    """Know mary in the domain `people`, as the Identity API v3 documents it."""
    body = await request.json()
    identity = body["auth"]["identity"]
    user = identity["password"]["user"]
    wanted = {"name": "mary", "password": "secret", "domain": {"name": "people"}}
    if identity["methods"] != ["password"] or user != wanted:
        message = "The request you have made requires authentication."
        error = {"code": 401, "title": "Unauthorized", "message": message}
        return web.json_response({"error": error}, status=401)
    token = {
        "methods": ["password"],
        "user": {
            "domain": {"id": "d1", "name": "people"},
            "id": "ee4dfb6e5540447cb3741905149d9b6e",
            "name": "mary",
            "password_expires_at": None,
        },
        "expires_at": "2026-01-01T12:00:00.000000Z",
    }
    headers = {"X-Subject-Token": "gAAAAAB"}
    return web.json_response({"token": token}, status=201, headers=headers)


def answering(status: int, body: object = None, headers: dict[str, str] | None = None) -> Handler:
    """Return a handler with one answer."""

    async def answer(request: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, headers=headers)

    return answer
