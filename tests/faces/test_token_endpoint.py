"""The token endpoint: what is granted, and named attacks on it."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from atomic_registry.content import ports as content
from atomic_registry.faces.registry.token import REFRESH_CLIENT
from atomic_registry.identity.actors import AUTHENTICATED, AUTHENTICATED_OAUTH
from atomic_registry.identity.ports import TokenKind
from atomic_registry.identity.records import Project, Subject, User
from atomic_registry.identity.scopes import parse_scopes
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.oci.reference import RepositoryName
from tests.faces.asking import (
    FORM,
    TOKEN_PATH,
    actor_of,
    add,
    ask,
    basic,
    bearer,
    change_user,
    claims_of,
    document,
    get_token,
    granted,
    new_robot,
    new_user,
    post_form,
    remove,
    status_of,
)
from tests.faces.world import CLOCK, NOBODY, STRANGER, World, bind, make_world

VIEWER = "registry-viewer"
EDITOR = "registry-editor"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path)
    yield made
    await made.close()


async def test_a_token_holds_what_is_allowed_of_what_was_asked_for(world: World) -> None:
    answer = await get_token(
        world,
        basic("ignored", world.tokens[VIEWER]),
        "repository:own/app:pull,push",
        "repository:private/app:pull",
    )
    assert granted(answer["token"]) == {"own/app": ["pull"], "private/app": []}
    assert answer["access_token"] == answer["token"]
    assert answer["expires_in"] == 300


async def test_nobody_in_particular_gets_a_token_for_what_is_public(world: World) -> None:
    answer = await get_token(
        world, {}, "repository:public/app:pull,push", "repository:shared/app:pull"
    )
    assert granted(answer["token"]) == {"public/app": ["pull"], "shared/app": []}
    path = "/v2/public/app/manifests/v1"
    assert await status_of(world, "GET", path, bearer(answer["token"])) == 404


async def test_a_right_that_was_granted_a_moment_ago_is_in_the_token(world: World) -> None:
    await add(world, Project(metadata=ObjectMeta(name="fresh")))
    await world.metadata.write(
        lambda tx: bind(tx, "fresh", EDITOR, Subject(kind="User", name=NOBODY))
    )
    answer = await get_token(
        world, basic("x", world.tokens[NOBODY]), "repository:fresh/app:pull,push"
    )
    assert granted(answer["token"]) == {"fresh/app": ["pull", "push"]}
    uploads = "/v2/fresh/app/blobs/uploads/"
    assert await status_of(world, "POST", uploads, bearer(answer["token"])) == 202


async def test_a_worker_that_lags_behind_takes_a_token_for_a_project_it_does_not_know(
    world: World,
) -> None:
    await add(world, Project(metadata=ObjectMeta(name="fresh")))
    await world.metadata.write(
        lambda tx: bind(tx, "fresh", EDITOR, Subject(kind="User", name=NOBODY))
    )
    project = await world.metadata.read(lambda tx: tx.objects.find(Project, "fresh"))
    user = await world.metadata.read(lambda tx: tx.objects.find(User, NOBODY))
    assert project is not None and user is not None
    assert "fresh" not in world.access.directory.projects
    token = await world.access.registry_tokens.mint(
        await actor_of(world, world.tokens[NOBODY]),
        parse_scopes(["repository:fresh/app:pull,push"]),
        project_uid=lambda _: project.metadata.uid,
    )
    uploads = "/v2/fresh/app/blobs/uploads/"
    assert await status_of(world, "POST", uploads, bearer(token)) == 202


ESCALATIONS = [
    "repository:own/app:*",
    "repository:own/app:pull,push,delete,*,admin",
    "repository:own/app:pull repository:own/app:push,delete",
    "repository:own/app:pull,push:push",
    "repository:private/app:pull:repository:own/app:pull",
    "repository:own/../private/app:pull",
    "repository:own%2F..%2Fprivate/app:pull",
    "repository:PRIVATE/app:pull",
    "repository: private/app:pull",
    "repository:private/app\x00:pull",
    "repository:\N{FULLWIDTH LATIN SMALL LETTER P}rivate/app:pull",
    "repository(plugin):private/app:pull,push",
    "repository:*:pull,push",
    "repository:*/*:*",
    "repository::pull",
    "registry:catalog:*",
    "registry:*:*",
    "user:full",
    "*",
    "",
]


@pytest.mark.parametrize("scope", ESCALATIONS)
async def test_scope_escalation_with_a_crafted_scope_widens_nothing(
    world: World, scope: str
) -> None:
    answer = await get_token(world, basic("x", world.tokens[VIEWER]), scope)
    rights = granted(answer["token"])
    assert set(rights.pop("own/app", [])) <= {"pull"}
    assert not any(rights.values()), rights
    for path in ("/v2/private/app/manifests/v1", "/v2/private/app/tags/list"):
        assert await status_of(world, "GET", path, bearer(answer["token"])) in (401, 403)
    uploads = "/v2/own/app/blobs/uploads/"
    assert await status_of(world, "POST", uploads, bearer(answer["token"])) in (401, 403)


async def test_thousands_of_scopes_are_cut_off_and_not_an_error(world: World) -> None:
    scopes = " ".join(f"repository:own/app{number}:pull" for number in range(5000))
    answer = await get_token(world, basic("x", world.tokens[VIEWER]), scopes)
    assert len(granted(answer["token"])) <= 100


async def test_scopes_of_a_personal_token_survive_the_exchange(world: World) -> None:
    user = await world.metadata.read(lambda tx: tx.objects.find(User, "admin"))
    assert user is not None
    secret, _ = await world.access.tokens.mint(
        TokenKind.PERSONAL,
        user="admin",
        user_uid=user.metadata.uid,
        scopes=(f"role:{VIEWER}:own",),
        lifetime=timedelta(hours=1),
    )
    scope = "repository:own/app:pull,push,delete"
    answer = await get_token(world, basic("x", secret), scope, offline_token="true")
    assert granted(answer["token"]) == {"own/app": ["pull"]}
    refreshed = await post_form(
        world, grant_type="refresh_token", refresh_token=answer["refresh_token"], scope=scope
    )
    assert granted(document(refreshed)["token"]) == {"own/app": ["pull"]}


async def test_a_registry_token_cannot_be_exchanged_for_another_nor_for_a_refresh_token(
    world: World,
) -> None:
    scope = "repository:own/app:pull"
    first = await get_token(world, basic("x", world.tokens["admin"]), scope)
    for query in ("", "&offline_token=true"):
        response = await ask(
            world,
            "GET",
            f"{TOKEN_PATH}?scope=repository:own/app:push{query}",
            bearer(first["token"]),
        )
        assert response.status == 401
    response = await post_form(
        world, grant_type="password", username="x", password=first["token"], access_type="offline"
    )
    # AllowAll takes it for a password; whoever it is, it is not the token's owner.
    assert response.status in (200, 401)
    if response.status == 200:
        assert claims_of(document(response)["token"])["sub"] == "x"


async def test_a_refresh_token_dies_with_the_token_that_it_was_made_with(world: World) -> None:
    scope = "repository:own/app:pull"
    answer = await get_token(world, basic("x", world.tokens["admin"]), scope, offline_token="true")
    refreshed = await post_form(
        world, grant_type="refresh_token", refresh_token=answer["refresh_token"], scope=scope
    )
    token = document(refreshed)["token"]
    parent = await world.access.tokens.verify(world.tokens["admin"])
    # What is refreshed hangs on the first login, so that revoking it reaches everything.
    assert claims_of(token)["tid"] == parent.id
    await world.access.tokens.revoke(parent.id)
    again = await post_form(
        world, grant_type="refresh_token", refresh_token=answer["refresh_token"], scope=scope
    )
    assert again.status == 401


async def test_a_refresh_token_does_not_outlive_an_expired_login(world: World) -> None:
    user = await world.metadata.read(lambda tx: tx.objects.find(User, "admin"))
    assert user is not None
    _, parent = await world.access.tokens.mint(
        TokenKind.ACCESS, user="admin", user_uid=user.metadata.uid, lifetime=timedelta(seconds=-1)
    )
    refresh, _ = await world.access.tokens.mint(
        TokenKind.REFRESH,
        user="admin",
        user_uid=user.metadata.uid,
        client=REFRESH_CLIENT,
        lifetime=timedelta(days=1),
        state={"parent": parent.id},
    )
    response = await post_form(world, grant_type="refresh_token", refresh_token=refresh)
    assert response.status == 401


async def test_a_refresh_token_of_the_oauth_server_is_not_taken_here(world: World) -> None:
    user = await world.metadata.read(lambda tx: tx.objects.find(User, "admin"))
    assert user is not None
    refresh, _ = await world.access.tokens.mint(
        TokenKind.REFRESH,
        user="admin",
        user_uid=user.metadata.uid,
        client="cockpit-oauth-client",
        lifetime=timedelta(days=1),
    )
    response = await post_form(world, grant_type="refresh_token", refresh_token=refresh)
    assert response.status == 401


@pytest.mark.parametrize("kind", [TokenKind.REFRESH, TokenKind.CODE, TokenKind.DEVICE])
async def test_a_secret_of_another_kind_is_no_password_and_no_bearer(
    world: World, kind: TokenKind
) -> None:
    user = await world.metadata.read(lambda tx: tx.objects.find(User, "admin"))
    assert user is not None
    secret, _ = await world.access.tokens.mint(
        kind, user="admin", user_uid=user.metadata.uid, lifetime=timedelta(hours=1)
    )
    for headers in (basic("admin", secret), bearer(secret)):
        assert await status_of(world, "GET", "/v2/", headers) == 401
        assert await status_of(world, "GET", TOKEN_PATH, headers) == 401
    response = await post_form(world, grant_type="password", username="admin", password=secret)
    assert response.status == 401


async def test_a_robot_stays_a_robot_through_a_refresh_token(world: World) -> None:
    await add(world, new_robot("own", "bot"))
    await world.access.directory.refresh()
    uid = world.access.directory.robots["own", "bot"].uid
    secret, _ = await world.access.tokens.mint(
        TokenKind.ROBOT,
        user="system:serviceaccount:own:bot",
        user_uid=uid,
        lifetime=timedelta(hours=1),
    )
    answer = await get_token(world, basic("x", secret), offline_token="true")
    refreshed = await post_form(
        world, grant_type="refresh_token", refresh_token=answer["refresh_token"]
    )
    groups = claims_of(document(refreshed)["token"])["grp"]
    assert AUTHENTICATED in groups
    assert AUTHENTICATED_OAUTH not in groups


async def test_the_catalog_scope_lists_what_the_bearer_may_pull_and_nothing_more(
    world: World,
) -> None:
    def mark(tx: content.Transaction) -> None:
        for project in ("own", "private", "shared", "public"):
            found = tx.repositories.ensure(RepositoryName(f"{project}/app"), CLOCK.now())
            tx.repositories.mark_pushed(found.id, CLOCK.now())

    await world.metadata.write(mark)
    login = basic("x", world.tokens[VIEWER])
    listing = await get_token(world, login, "registry:catalog:*")
    response = await ask(world, "GET", "/v2/_catalog", bearer(listing["token"]))
    assert document(response) == {"repositories": ["own/app", "public/app", "shared/app"]}
    plain = await get_token(world, login)
    assert document(await ask(world, "GET", "/v2/_catalog", bearer(plain["token"]))) == {
        "repositories": ["own/app", "public/app", "shared/app"]
    }
    narrow = await get_token(world, login, "repository:own/app:pull")
    response = await ask(world, "GET", "/v2/_catalog", bearer(narrow["token"]))
    assert document(response) == {"repositories": ["own/app"]}
    path = "/v2/own/app/manifests/v1"
    assert await status_of(world, "GET", path, bearer(listing["token"])) == 401


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"grant_type": "client_credentials"},
        {"grant_type": "password"},
        {"grant_type": "password", "username": "mary"},
        {"grant_type": "password", "username": "", "password": "x"},
        {"grant_type": "password", "username": "mary", "password": ""},
        {"grant_type": "refresh_token"},
        {"grant_type": "refresh_token", "refresh_token": "atr_f_" + "A" * 43},
        {"grant_type": "refresh_token", "refresh_token": "x" * 10_000},
    ],
)
async def test_a_form_without_good_credentials_gets_nothing(
    world: World, form: dict[str, str]
) -> None:
    response = await post_form(world, **form)
    assert response.status in (401, 415)
    assert "token" not in document(response)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b"\xff\xfe=1"),
        (FORM, b"&".join(b"a=1" for _ in range(1000))),
        (FORM, b"a=" + b"x" * 100_000),
        ("application/json", b'{"grant_type":"password"}'),
        ("multipart/form-data", b""),
        ("", b""),
    ],
)
async def test_a_body_that_is_no_form_is_refused_as_the_callers_fault(
    world: World, kind: str, body: bytes
) -> None:
    response = await ask(world, "POST", TOKEN_PATH, {"Content-Type": kind}, body=body)
    assert 400 <= response.status < 500
    assert document(response)["errors"]


async def test_an_unknown_user_and_a_wrong_password_get_the_same_text(world: World) -> None:
    answers = set()
    await change_user(world, STRANGER, disabled=True)
    for user, password in (
        ("never-was", "atr_p_" + "A" * 43),
        (STRANGER, world.tokens[STRANGER] + "x"),
        (NOBODY, "sha256~" + "A" * 43),
    ):
        for answer in (
            await ask(world, "GET", TOKEN_PATH, basic(user, password)),
            await post_form(world, grant_type="password", username=user, password=password),
        ):
            answers.add((answer.status, bytes(answer.body)))  # type: ignore[arg-type]  # bytes
    assert len(answers) == 1
    assert next(iter(answers))[0] == 401


async def test_a_token_of_a_deleted_and_recreated_user_is_worth_nothing(world: World) -> None:
    scope = "repository:own/app:pull"
    old = await get_token(world, basic("x", world.tokens[EDITOR]), scope, offline_token="true")
    await remove(world, User, EDITOR)
    await add(world, new_user(EDITOR))
    await world.access.directory.refresh()
    path = "/v2/own/app/manifests/v1"
    for headers in (
        bearer(old["token"]),
        bearer(world.tokens[EDITOR]),
        basic(EDITOR, world.tokens[EDITOR]),
    ):
        assert await status_of(world, "GET", path, headers) == 401
    response = await post_form(
        world, grant_type="refresh_token", refresh_token=old["refresh_token"], scope=scope
    )
    assert response.status == 401


async def test_the_answer_is_never_kept_by_a_cache(world: World) -> None:
    response = await ask(world, "GET", TOKEN_PATH, basic("x", world.tokens[EDITOR]))
    assert response.headers["Cache-Control"] == "no-store"
    assert json.loads(bytes(response.body))["issued_at"].endswith("Z")  # type: ignore[arg-type]  # bytes
