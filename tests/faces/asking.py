"""Requests to the registry's face as various callers, and what their tokens say."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from atomic_registry.identity.actors import Actor
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.records import (
    Project,
    RoleBinding,
    ServiceAccount,
    User,
)
from atomic_registry.identity.scopes import parse_scopes
from atomic_registry.kube.objects import KubeObject, ObjectMeta
from atomic_registry.web.credentials import actor_of_token
from atomic_registry.web.messages import Query, Request, Response
from tests.faces.world import CLOCK, World
from tests.kit.bodies import BytesBody
from tests.kit.http import sha256

TOKEN_PATH = "/openshift/token"
FORM = "application/x-www-form-urlencoded"
ADDRESS = "192.0.2.1"


def basic(username: str, password: str) -> dict[str, str]:
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def ask(
    world: World,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    body: bytes = b"",
    remote: str = ADDRESS,
) -> Response:
    """Send one request."""
    target, _, query = path.partition("?")
    request = Request(
        method=method,
        path=target,
        query=Query(parse_qsl(query, keep_blank_values=True)),
        headers={"Host": "registry.test:5000", **(headers or {})},
        body=BytesBody(body),
        id="request-1",
        remote=remote,
    )
    return await world.client.worker.guard.serve(request)


async def status_of(
    world: World,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    body: bytes = b"",
) -> int:
    """Return the status alone."""
    return (await ask(world, method, path, headers, body=body)).status


def document(response: Response) -> Any:
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


async def post_form(world: World, *, remote: str = ADDRESS, **fields: str) -> Response:
    """POST to the token endpoint."""
    body = urlencode(fields).encode()
    return await ask(world, "POST", TOKEN_PATH, {"Content-Type": FORM}, body=body, remote=remote)


async def get_token(
    world: World, headers: Mapping[str, str], *scopes: str, **more: str
) -> dict[str, Any]:
    """GET of the token endpoint; its document."""
    query = urlencode([*(("scope", scope) for scope in scopes), *more.items()])
    response = await ask(world, "GET", f"{TOKEN_PATH}?{query}", headers)
    assert response.status == 200, (response.status, response.body)
    value: dict[str, Any] = document(response)
    return value


def claims_of(token: str) -> dict[str, Any]:
    """Return what a registry token says, unverified."""
    part = token.split(".")[1]
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return value


def granted(token: str) -> dict[str, list[str]]:
    """Return the actions of each repository in a registry token."""
    return {item["name"]: item["actions"] for item in claims_of(token)["access"]}


async def actor_of(world: World, secret: str) -> Actor:
    """Return whom a stored token stands for."""
    return actor_of_token(await world.access.tokens.verify(secret))


async def mint(
    world: World, secret: str, scope: str, *, lifetime: timedelta = timedelta(minutes=5)
) -> str:
    """Mint a registry token without asking whether it may be had."""
    projects = world.access.directory.projects
    return await world.access.registry_tokens.mint(
        replace(await actor_of(world, secret), token_id=""),
        parse_scopes([scope]),
        project_uid=lambda name: projects.get(name, ""),
        lifetime=lifetime,
    )


async def add(world: World, *items: KubeObject) -> None:
    """Store objects."""

    def change(tx: Transaction) -> None:
        for item in items:
            tx.objects.add(item, actor="test", now=CLOCK.now())

    await world.metadata.write(change)


async def change_user(world: World, name: str, *, disabled: bool) -> None:
    """Disable or enable a user."""

    def change(tx: Transaction) -> None:
        user = tx.objects.find(User, name)
        assert user is not None
        user.disabled = disabled
        tx.objects.update(user, actor="test", now=CLOCK.now())

    await world.metadata.write(change)


async def remove(world: World, kind: type[KubeObject], name: str, namespace: str = "") -> None:
    """Delete an object."""

    def change(tx: Transaction) -> None:
        item = tx.objects.find(kind, name, namespace=namespace)
        assert item is not None
        tx.objects.remove(item, actor="test", now=CLOCK.now())

    await world.metadata.write(change)


async def remake_project(world: World, project: str, *, keeps_bindings: bool) -> None:
    """Delete a project with its contents and make another one of the same name."""

    def change(tx: Any) -> None:
        tx.repositories.remove_project(project)
        bindings = tx.objects.list(RoleBinding, namespace=project, limit=1000)
        for binding in bindings:
            tx.objects.remove(binding, actor="test", now=CLOCK.now())
        old = tx.objects.find(Project, project)
        tx.objects.remove(old, actor="test", now=CLOCK.now())

    def again(tx: Any) -> None:
        tx.objects.add(Project(metadata=ObjectMeta(name=project)), actor="test", now=CLOCK.now())
        for binding in kept if keeps_bindings else ():
            tx.objects.add(
                RoleBinding(
                    metadata=ObjectMeta(name=binding.metadata.name, namespace=project),
                    role_ref=binding.role_ref,
                    subjects=binding.subjects,
                ),
                actor="test",
                now=CLOCK.now(),
            )

    kept = await world.metadata.read(
        lambda tx: tx.objects.list(RoleBinding, namespace=project, limit=1000)
    )
    await world.metadata.write(change)
    await world.metadata.write(again)
    await world.access.directory.refresh()


async def push_blob(world: World, repository: str, data: bytes, headers: Mapping[str, str]) -> str:
    """Push a blob in one request; its digest."""
    digest = sha256(data)
    path = f"/v2/{repository}/blobs/uploads/?digest={digest}"
    response = await ask(world, "POST", path, headers, body=data)
    assert response.status == 201, (response.status, response.body)
    return digest


async def open_upload(world: World, repository: str, headers: Mapping[str, str]) -> str:
    """Begin an upload; its path."""
    response = await ask(world, "POST", f"/v2/{repository}/blobs/uploads/", headers)
    assert response.status == 202, (response.status, response.body)
    return response.headers["Location"]


def new_user(name: str) -> User:
    return User(metadata=ObjectMeta(name=name))


def new_robot(project: str, name: str) -> ServiceAccount:
    return ServiceAccount(metadata=ObjectMeta(name=name, namespace=project))
