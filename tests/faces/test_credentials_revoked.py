"""What is withdrawn is gone within ten seconds on every path, whatever was withdrawn."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from atomic_registry.identity.actors import service_account_name
from atomic_registry.identity.ports import TokenKind, Transaction
from atomic_registry.identity.records import (
    ClusterRole,
    Group,
    RoleBinding,
    ServiceAccount,
    Subject,
    User,
)
from atomic_registry.kube.objects import ObjectMeta
from tests.faces.asking import (
    add,
    ask,
    basic,
    bearer,
    change_user,
    document,
    get_token,
    granted,
    new_robot,
    new_user,
    open_upload,
    post_form,
    remake_project,
    remove,
    status_of,
)
from tests.faces.world import CLOCK, World, bind, make_world

WITHIN_SECONDS = 10.0
MARY, BOT = "mary", service_account_name("own", "bot")
SCOPE = "repository:own/app:pull,push"
MANIFEST, UPLOADS = "/v2/own/app/manifests/v1", "/v2/own/app/blobs/uploads/"
REFUSED = {401, 403}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Everything that one account holds: its token, what it was exchanged for, an upload."""

    secret: str
    token: str
    refresh: str
    upload: str


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path)
    await add(
        made,
        new_user(MARY),
        new_robot("own", "bot"),
        Group(metadata=ObjectMeta(name="devs"), users=[MARY]),
    )
    yield made
    await made.close()


async def take(world: World, account: str) -> Held:
    """Take all that can be had for the account, and show that it serves."""
    await world.access.directory.refresh()
    directory = world.access.directory
    is_robot = account == BOT
    held = directory.robots["own", "bot"] if is_robot else directory.users[account]
    secret, _ = await world.access.tokens.mint(
        TokenKind.ROBOT if is_robot else TokenKind.PERSONAL,
        user=account,
        user_uid=held.uid,
        lifetime=timedelta(hours=1),
    )
    answer = await get_token(world, basic("x", secret), SCOPE, offline_token="true")
    token = answer["token"]
    upload = await open_upload(world, "own/app", bearer(token))
    taken = Held(secret=secret, token=token, refresh=answer["refresh_token"], upload=upload)
    for name, path in paths(world, taken).items():
        assert await path(), name
    return taken


def paths(world: World, held: Held) -> dict[str, Callable[[], Awaitable[bool]]]:
    """Each way to use what is held: whether it still serves."""

    def served(method: str, path: str, headers: dict[str, str]) -> Callable[[], Awaitable[bool]]:
        async def call() -> bool:
            # An upload that its deleted project took along is refused as well.
            refused = REFUSED | ({404} if method == "PATCH" else set())
            return await status_of(world, method, path, headers) not in refused

        return call

    async def token_endpoint() -> bool:
        response = await ask(
            world, "GET", f"/openshift/token?scope={SCOPE}", basic("x", held.secret)
        )
        return gives(response.status, document(response))

    async def refreshing() -> bool:
        response = await post_form(
            world, grant_type="refresh_token", refresh_token=held.refresh, scope=SCOPE
        )
        return gives(response.status, document(response))

    token, basics = bearer(held.token), basic("x", held.secret)
    return {
        "pull with a registry token": served("GET", MANIFEST, token),
        "push with a registry token": served("POST", UPLOADS, token),
        "an open upload": served("PATCH", held.upload, token),
        "an open upload with Basic": served("PATCH", held.upload, basics),
        "pull with Basic": served("GET", MANIFEST, basics),
        "push with Basic": served("POST", UPLOADS, basics),
        "pull with a bearer": served("GET", MANIFEST, bearer(held.secret)),
        "the token endpoint": token_endpoint,
        "a refresh token": refreshing,
    }


def gives(status: int, answer: dict[str, str]) -> bool:
    return status == 200 and bool(granted(answer["token"])["own/app"])


async def assert_all_refused(world: World, held: Held) -> None:
    """Wait until every path is closed; fail with those that are open after ten seconds."""
    deadline = time.monotonic() + WITHIN_SECONDS
    left = paths(world, held)
    while left and time.monotonic() < deadline:
        left = {name: path for name, path in left.items() if await path()}
        await asyncio.sleep(0.1)
    assert not left, f"after {WITHIN_SECONDS:.0f} s these are still open: {sorted(left)}"
    for name, path in paths(world, held).items():
        assert not await path(), f"{name} was open again"


async def let_edit(world: World, subject: Subject) -> None:
    await world.metadata.write(lambda tx: bind(tx, "own", "registry-editor", subject))


async def test_a_disabled_user_is_out_everywhere(world: World) -> None:
    await let_edit(world, Subject(kind="User", name=MARY))
    held = await take(world, MARY)
    await change_user(world, MARY, disabled=True)
    await assert_all_refused(world, held)


async def test_a_deleted_user_is_out_everywhere(world: World) -> None:
    await let_edit(world, Subject(kind="User", name=MARY))
    held = await take(world, MARY)
    await remove(world, User, MARY)
    await assert_all_refused(world, held)


async def test_a_user_who_left_the_group_is_out_everywhere(world: World) -> None:
    await let_edit(world, Subject(kind="Group", name="devs"))
    held = await take(world, MARY)

    def leave(tx: Transaction) -> None:
        group = tx.objects.find(Group, "devs")
        assert group is not None
        group.users = []
        tx.objects.update(group, actor="test", now=CLOCK.now())

    await world.metadata.write(leave)
    await assert_all_refused(world, held)


async def test_a_deleted_group_takes_its_rights_along(world: World) -> None:
    await let_edit(world, Subject(kind="Group", name="devs"))
    held = await take(world, MARY)
    await remove(world, Group, "devs")
    await assert_all_refused(world, held)


async def test_a_binding_that_is_removed_closes_every_path(world: World) -> None:
    await let_edit(world, Subject(kind="User", name=MARY))
    held = await take(world, MARY)
    await remove(world, RoleBinding, f"registry-editor-{MARY}", "own")
    await assert_all_refused(world, held)


async def test_a_role_that_loses_its_rules_closes_every_path(world: World) -> None:
    await let_edit(world, Subject(kind="User", name=MARY))
    held = await take(world, MARY)

    def empty(tx: Transaction) -> None:
        role = tx.objects.find(ClusterRole, "registry-editor")
        assert role is not None
        role.rules = []
        tx.objects.update(role, actor="test", now=CLOCK.now())

    await world.metadata.write(empty)
    await assert_all_refused(world, held)


async def test_a_revoked_token_closes_every_path_that_began_with_it(world: World) -> None:
    await let_edit(world, Subject(kind="User", name=MARY))
    held = await take(world, MARY)
    parent = await world.access.tokens.verify(held.secret)
    await world.access.tokens.revoke(parent.id)
    await assert_all_refused(world, held)


async def test_a_registry_token_that_was_refreshed_dies_with_the_first_login(
    world: World,
) -> None:
    await let_edit(world, Subject(kind="User", name=MARY))
    held = await take(world, MARY)
    answer = await post_form(
        world, grant_type="refresh_token", refresh_token=held.refresh, scope=SCOPE
    )
    refreshed = Held(
        secret=held.secret,
        token=document(answer)["token"],
        refresh=held.refresh,
        upload=held.upload,
    )
    assert all([await path() for path in paths(world, refreshed).values()])
    parent = await world.access.tokens.verify(held.secret)
    await world.access.tokens.revoke(parent.id)
    await assert_all_refused(world, refreshed)


async def test_a_deleted_robot_is_out_everywhere(world: World) -> None:
    await let_edit(world, Subject(kind="ServiceAccount", name="bot"))
    held = await take(world, BOT)
    await remove(world, ServiceAccount, "bot", "own")
    await assert_all_refused(world, held)
    await add(world, new_robot("own", "bot"))
    await world.access.directory.refresh()
    for name, path in paths(world, held).items():
        assert not await path(), f"{name} is open to the old robot's token"


async def test_a_disabled_robot_is_out_everywhere(world: World) -> None:
    await let_edit(world, Subject(kind="ServiceAccount", name="bot"))
    held = await take(world, BOT)

    def disable(tx: Transaction) -> None:
        robot = tx.objects.find(ServiceAccount, "bot", namespace="own")
        assert robot is not None
        robot.disabled = True
        tx.objects.update(robot, actor="test", now=CLOCK.now())

    await world.metadata.write(disable)
    await assert_all_refused(world, held)


async def test_a_project_that_was_deleted_and_made_anew_is_closed_to_those_of_the_old_one(
    world: World,
) -> None:
    await let_edit(world, Subject(kind="User", name=MARY))
    held = await take(world, MARY)
    await remake_project(world, "own", keeps_bindings=False)
    await assert_all_refused(world, held)
