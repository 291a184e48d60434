"""Named attacks on the registry: other people's uploads, layers and repositories."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from atomic_registry.content import ports as content
from atomic_registry.identity.actors import AUTHENTICATED
from atomic_registry.identity.records import Project, Subject
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.oci.reference import RepositoryName
from tests.faces.asking import (
    actor_of,
    add,
    ask,
    basic,
    bearer,
    document,
    get_token,
    granted,
    mint,
    new_user,
    open_upload,
    push_blob,
    remake_project,
    status_of,
)
from tests.faces.world import CLOCK, NOBODY, STRANGER, World, bind, make_world
from tests.kit.http import sha256
from tests.kit.images import image

EDITOR, VIEWER = "registry-editor", "registry-viewer"
MANIFEST = "/v2/own/app/manifests/v1"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path)
    yield made
    await made.close()


async def a_token(world: World, person: str = EDITOR) -> str:
    answer = await get_token(
        world, basic("x", world.tokens[person]), "repository:own/app:pull,push"
    )
    token: str = answer["token"]
    return token


async def test_an_upload_outlives_the_token_that_began_it(world: World) -> None:
    secret = world.tokens[EDITOR]
    scope = "repository:own/app:pull,push"
    upload = await open_upload(world, "own/app", bearer(await a_token(world)))
    expired = bearer(await mint(world, secret, scope, lifetime=timedelta(seconds=-60)))
    data = b"first half, second half"
    assert await status_of(world, "PATCH", upload, expired, body=data[:11]) == 202
    assert await status_of(world, "GET", upload, expired) == 204
    finish = f"{upload}?digest={sha256(data)}"
    assert await status_of(world, "PUT", finish, expired, body=data[11:]) == 201
    # It may finish, and that is all.
    assert await status_of(world, "POST", "/v2/own/app/blobs/uploads/", expired) == 401
    assert await status_of(world, "GET", MANIFEST, expired) == 401
    assert await status_of(world, "GET", f"/v2/own/app/blobs/{sha256(data)}", expired) == 401
    assert await status_of(world, "PUT", MANIFEST, expired, body=b"{}") == 401
    assert await status_of(world, "GET", "/openshift/token", expired) == 401


async def test_a_token_that_ended_a_day_ago_carries_nothing(world: World) -> None:
    upload = await open_upload(world, "own/app", bearer(await a_token(world)))
    old = await mint(
        world, world.tokens[EDITOR], "repository:own/app:push", lifetime=timedelta(hours=-25)
    )
    assert await status_of(world, "PATCH", upload, bearer(old), body=b"x") == 401


async def test_an_expired_token_does_not_reach_anothers_upload(world: World) -> None:
    theirs = await open_upload(world, "own/app", bearer(world.tokens["registry-admin"]))
    expired = await mint(
        world, world.tokens[EDITOR], "repository:own/app:push", lifetime=timedelta(seconds=-60)
    )
    assert await status_of(world, "PATCH", theirs, bearer(expired), body=b"x") == 404


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
async def test_the_upload_of_another_user_is_not_found(world: World, method: str) -> None:
    theirs = await open_upload(world, "own/app", bearer(world.tokens["registry-admin"]))
    never = "/v2/own/app/blobs/uploads/" + "0" * 64
    query = f"?digest={sha256(b'x')}" if method == "PUT" else ""
    mine = bearer(world.tokens[EDITOR])
    answers = [
        await ask(world, method, path + query, mine, body=b"x" if method != "GET" else b"")
        for path in (theirs, never)
    ]
    assert [answer.status for answer in answers] == [404, 404]
    codes = {document(answer)["errors"][0]["code"] for answer in answers}
    assert codes == {"BLOB_UPLOAD_UNKNOWN"}
    # And it is none the worse for it.
    owner = bearer(world.tokens["registry-admin"])
    finish = f"{theirs}?digest={sha256(b'owner')}"
    assert await status_of(world, "PUT", finish, owner, body=b"owner") == 201


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
async def test_an_upload_is_not_found_in_another_repository(world: World, method: str) -> None:
    mine = bearer(world.tokens[EDITOR])
    upload = await open_upload(world, "own/app", mine)
    other = upload.replace("/own/app/", "/own/other/")
    query = f"?digest={sha256(b'x')}" if method == "PUT" else ""
    body = b"" if method in ("GET", "DELETE") else b"x"
    assert await status_of(world, method, other + query, mine, body=body) == 404
    assert await status_of(world, "GET", upload, mine) == 204


async def test_guessed_and_tampered_upload_ids_are_not_found(world: World) -> None:
    mine = bearer(world.tokens[EDITOR])
    upload = await open_upload(world, "own/app", mine)
    before, _, name = upload.rpartition("/")
    flipped = "0" if name[-1] != "0" else "1"
    for guess in (
        name[:-1] + flipped,
        flipped + name[1:],
        name[:32],
        name[:32] + "0" * 32,
        name.upper(),
        name + "0",
        "..",
        "%2e%2e",
        "a'--",
        "0" * 5000,
    ):
        if guess == name:
            continue
        assert await status_of(world, "PATCH", f"{before}/{guess}", mine, body=b"x") == 404
    assert await status_of(world, "DELETE", upload, mine) == 204
    assert await status_of(world, "PATCH", upload, mine, body=b"x") == 404


async def test_a_finished_upload_cannot_be_replayed(world: World) -> None:
    mine = bearer(world.tokens[EDITOR])
    upload = await open_upload(world, "own/app", mine)
    finish = f"{upload}?digest={sha256(b'x')}"
    assert await status_of(world, "PUT", finish, mine, body=b"x") == 201
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        assert await status_of(world, method, finish, mine, body=b"") == 404


# Mounts, tags and lists.


async def test_a_mount_needs_the_right_to_read_its_source(world: World) -> None:
    secret = b"a private layer"
    digest = await push_blob(world, "private/app", secret, bearer(world.tokens[STRANGER]))
    absent = sha256(b"never pushed")
    mine = bearer(world.tokens[EDITOR])
    seen = set()
    for blob in (digest, absent):
        for source in ("private/app", "gone/app", "never/was", "PRIVATE/app", ""):
            query = f"mount={blob}" + (f"&from={source}" if source else "")
            response = await ask(world, "POST", f"/v2/own/app/blobs/uploads/?{query}", mine)
            seen.add((response.status, response.headers["Range"], frozenset(response.headers)))
        assert await status_of(world, "GET", f"/v2/own/app/blobs/{blob}", mine) == 404
    # Forbidden and missing are told apart by nothing.
    assert len(seen) == 1
    assert next(iter(seen))[0] == 202


async def test_a_mount_from_a_readable_source_needs_push_on_the_target(world: World) -> None:
    digest = await push_blob(world, "own/app", b"layer", bearer(world.tokens[EDITOR]))
    query = f"?mount={digest}&from=own/app"
    for target, expected in (("private/app", 403), ("own/other", 201)):
        path = f"/v2/{target}/blobs/uploads/{query}"
        assert await status_of(world, "POST", path, bearer(world.tokens[EDITOR])) == expected
    path = f"/v2/own/third/blobs/uploads/{query}"
    assert await status_of(world, "POST", path, bearer(world.tokens[VIEWER])) == 403
    assert await status_of(world, "POST", path) == 401


async def test_a_mount_without_a_source_takes_only_what_the_caller_may_read(
    world: World,
) -> None:
    stranger = bearer(world.tokens[STRANGER])
    digest = await push_blob(world, "private/app", b"layer", stranger)
    path = f"/v2/own/app/blobs/uploads/?mount={digest}"
    assert await status_of(world, "POST", path, bearer(world.tokens[EDITOR])) == 202
    path = f"/v2/private/other/blobs/uploads/?mount={digest}"
    assert await status_of(world, "POST", path, stranger) == 201


async def test_a_mount_with_a_registry_token_needs_the_source_in_the_token(world: World) -> None:
    digest = await push_blob(world, "own/source", b"layer", bearer(world.tokens[EDITOR]))
    login = basic("x", world.tokens[EDITOR])
    narrow = await get_token(world, login, "repository:own/app:pull,push")
    path = f"/v2/own/app/blobs/uploads/?mount={digest}&from=own/source"
    assert await status_of(world, "POST", path, bearer(narrow["token"])) == 401
    wide = await get_token(
        world, login, "repository:own/app:pull,push", "repository:own/source:pull"
    )
    assert await status_of(world, "POST", path, bearer(wide["token"])) == 201


async def test_many_tags_in_one_push_need_the_right_to_push(world: World) -> None:
    one = image("many-tags")
    for blob in one.blobs:
        await push_blob(world, "own/app", blob.data, bearer(world.tokens[EDITOR]))
    path = f"/v2/own/app/manifests/{one.manifest.digest}?tag=latest&tag=v1"
    for person, expected in ((VIEWER, 403), (NOBODY, 403), (EDITOR, 201)):
        headers = bearer(world.tokens[person]) | {"Content-Type": one.manifest.media_type}
        status = await status_of(world, "PUT", path, headers, body=one.manifest.data)
        assert status == expected


async def test_the_catalog_shows_only_what_may_be_pulled_on_pages_of_the_right_size(
    world: World,
) -> None:
    await world.metadata.write(many_repositories)
    readable = sorted(
        [f"own/r{number:02}" for number in range(12)]
        + [f"public/r{number:02}" for number in range(12)]
        + [f"shared/r{number:02}" for number in range(12)]
    )
    mine = bearer(world.tokens[VIEWER])
    whole = document(await ask(world, "GET", "/v2/_catalog", mine))["repositories"]
    assert whole == readable
    for size in (1, 5, 7, 36, 100):
        pages: list[list[str]] = []
        path: str | None = f"/v2/_catalog?n={size}"
        while path is not None:
            response = await ask(world, "GET", path, mine)
            pages.append(document(response)["repositories"])
            link = response.headers.get("Link")
            path = link.partition("<")[2].partition(">")[0] if link else None
            if path is not None:
                assert dict(parse_qsl(urlsplit(path).query))["last"] == pages[-1][-1]
        assert [name for page in pages for name in page] == readable
        assert all(len(page) == size for page in pages[:-1])
        assert 0 < len(pages[-1]) <= size
    anonymous = document(await ask(world, "GET", "/v2/_catalog"))["repositories"]
    assert anonymous == [f"public/r{number:02}" for number in range(12)]


def many_repositories(tx: content.Transaction) -> None:
    for project in ("own", "private", "public", "shared"):
        for number in range(12):
            made = tx.repositories.ensure(RepositoryName(f"{project}/r{number:02}"), CLOCK.now())
            tx.repositories.mark_pushed(made.id, CLOCK.now())


async def test_every_way_to_read_a_repository_is_decided_alike(world: World) -> None:
    digest = sha256(b"")
    paths = [
        ("GET", "manifests/v1"),
        ("HEAD", "manifests/v1"),
        ("GET", f"manifests/{digest}"),
        ("GET", f"blobs/{digest}"),
        ("HEAD", f"blobs/{digest}"),
        ("GET", "tags/list"),
        ("GET", f"referrers/{digest}"),
    ]
    for project, name in (("private", "app"), ("private", "no"), ("gone", "app"), ("no", "no")):
        for headers, expected in ((bearer(world.tokens[NOBODY]), 403), ({}, 401)):
            seen = {
                await status_of(world, method, f"/v2/{project}/{name}/{path}", headers)
                for method, path in paths
            }
            assert seen == {expected}


async def test_a_blob_is_not_read_through_a_repository_that_does_not_link_it(
    world: World,
) -> None:
    digest = await push_blob(world, "own/app", b"layer", bearer(world.tokens[EDITOR]))
    mine = bearer(world.tokens[EDITOR])
    assert await status_of(world, "GET", f"/v2/own/app/blobs/{digest}", mine) == 200
    assert await status_of(world, "GET", f"/v2/own/other/blobs/{digest}", mine) == 404
    assert await status_of(world, "GET", f"/v2/public/app/blobs/{digest}", mine) == 404


async def test_a_refusal_names_the_missing_right(world: World) -> None:
    response = await ask(world, "POST", "/v2/own/app/blobs/uploads/", bearer(world.tokens[VIEWER]))
    assert response.status == 403
    (error,) = document(response)["errors"]
    assert error["code"] == "DENIED"
    for words in (VIEWER, "push", "own/app", "update imagestreams/layers"):
        assert words in error["message"], error["message"]


async def test_a_token_for_a_project_means_nothing_in_its_successor(world: World) -> None:
    mine = bearer(world.tokens[EDITOR])
    digest = await push_blob(world, "own/app", b"layer", mine)
    login = basic("x", world.tokens[EDITOR])
    scopes = ("repository:own/app:pull,push", "repository:own/target:pull,push")
    old = bearer((await get_token(world, login, *scopes))["token"])
    upload = await open_upload(world, "own/app", old)
    assert await status_of(world, "GET", f"/v2/own/app/blobs/{digest}", old) == 200
    await remake_project(world, "own", keeps_bindings=True)
    # The account has its rights in the new project, the old token has none.
    again = await push_blob(world, "own/app", b"layer", mine)
    assert again == digest
    assert await status_of(world, "GET", f"/v2/own/app/blobs/{digest}", old) == 401
    assert await status_of(world, "POST", "/v2/own/app/blobs/uploads/", old) == 401
    for headers, expected in ((old, 401), (mine, 404)):
        assert await status_of(world, "PATCH", upload, headers, body=b"x") == expected
    fresh = await get_token(world, login, *scopes)
    assert granted(fresh["token"])["own/app"] == ["pull", "push"]
    assert await status_of(world, "GET", f"/v2/own/app/blobs/{digest}", bearer(fresh["token"])) == (
        200
    )


async def test_a_token_for_a_project_that_was_made_anew_is_no_mount_source(world: World) -> None:
    admin = bearer(world.tokens["cluster-admin"])
    user = await actor_of(world, world.tokens[EDITOR])
    login = basic("x", world.tokens[EDITOR])
    scopes = ("repository:own/source:pull", "repository:elsewhere/app:pull,push")
    await add(world, Project(metadata=ObjectMeta(name="elsewhere")))
    await world.metadata.write(
        lambda tx: bind(tx, "elsewhere", EDITOR, Subject(kind="User", name=user.name))
    )
    old = bearer((await get_token(world, login, *scopes))["token"])
    await remake_project(world, "own", keeps_bindings=True)
    digest = await push_blob(world, "own/source", b"new owner's layer", admin)
    path = f"/v2/elsewhere/app/blobs/uploads/?mount={digest}&from=own/source"
    assert await status_of(world, "POST", path, old) == 401
    fresh = bearer((await get_token(world, login, *scopes))["token"])
    assert await status_of(world, "POST", path, fresh) == 201


async def test_an_account_that_is_new_here_may_log_in_at_once(world: World) -> None:
    await add(world, new_user("quite-new"))
    assert await status_of(world, "GET", "/v2/", basic("another-new", "secret")) == 200
    groups = (await actor_of(world, world.tokens[EDITOR])).groups
    assert AUTHENTICATED in groups
