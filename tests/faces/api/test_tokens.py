"""Tokens through the face: shown once, always below their owner, never wider than their maker."""

from dataclasses import replace

import pytest

from tests.faces.api.conftest import OAUTH, Api

ROBOTS = "/api/v1/namespaces/demo/serviceaccounts"
TOKEN = f"{ROBOTS}/ci/token"
OWN = f"{OAUTH}/useroauthaccesstokens"


@pytest.fixture(autouse=True)
async def demo(api: Api) -> None:
    await api.new_project("mary", "demo")
    for name in ("ci", "other"):
        await api.post("mary", ROBOTS, {"metadata": {"name": name}})


async def test_a_robot_token_is_shown_once_and_listed_without_its_secret(api: Api) -> None:
    spec = {"expirationSeconds": 7200, "description": "nightly", "scopes": ["user:info"]}
    made = await api.post("mary", TOKEN, {"spec": spec})
    listed = await api.get("mary", TOKEN)

    secret = made.body["status"]["token"]
    assert (201, "TokenRequest") == (made.status, made.body["kind"])
    assert "2026-01-01T02:00:00Z" == made.body["status"]["expirationTimestamp"]
    assert secret.encode() not in listed.raw
    [shown] = listed.body["items"]
    assert made.body["metadata"] == shown["metadata"]
    assert ("nightly", ["user:info"]) == (shown["spec"]["description"], shown["spec"]["scopes"])
    assert shown["metadata"]["name"].startswith("sha256~")
    [stored] = await api.tokens()
    assert "system:serviceaccount:demo:ci" == stored.user


async def test_a_robot_token_is_revoked_under_its_own_robot_only(api: Api) -> None:
    name = (await api.post("mary", TOKEN, {})).body["metadata"]["name"]

    elsewhere = await api.call("mary", "DELETE", f"{ROBOTS}/other/token/{name}")
    revoked = await api.call("mary", "DELETE", f"{TOKEN}/{name}")
    again = await api.call("mary", "DELETE", f"{TOKEN}/{name}")

    assert [404, 200, 404] == [answer.status for answer in (elsewhere, revoked, again)]


async def test_tokens_of_robots_are_for_those_who_manage_the_project(api: Api) -> None:
    await api.grant("demo", "registry-editor", kind="User", name="bob")
    name = (await api.post("mary", TOKEN, {})).body["metadata"]["name"]

    answers = [
        await api.post("bob", TOKEN, {}),
        await api.get("bob", TOKEN),
        await api.call("bob", "DELETE", f"{TOKEN}/{name}"),
    ]

    assert [403, 403, 403] == [answer.status for answer in answers]


async def test_a_robot_that_does_not_exist_gets_no_token(api: Api) -> None:
    assert 404 == (await api.post("mary", f"{ROBOTS}/none/token", {})).status
    assert 404 == (await api.get("mary", f"{ROBOTS}/none/token")).status


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({"expirationSeconds": 1}, 422),
        ({"expirationSeconds": 10**9}, 422),
        ({"expirationSeconds": 10**30}, 422),
        ({"audiences": ["https://elsewhere"]}, 422),
        ({"boundObjectRef": {"kind": "Pod"}}, 422),
        ({"scopes": ["repository:a:*"]}, 400),
        ({"description": "a\nb"}, 400),
    ],
)
async def test_a_token_that_we_do_not_make_is_refused(
    api: Api, spec: dict[str, object], status: int
) -> None:
    assert status == (await api.post("mary", TOKEN, {"spec": spec})).status
    assert [] == await api.tokens()


async def test_a_personal_token_is_shown_once_rotated_and_revoked(api: Api) -> None:
    asked = {"description": "laptop", "scopes": ["user:info"], "expiresIn": 3600}
    made = await api.post("mary", OWN, asked)
    path = f"{OWN}/{made.body['metadata']['name']}"
    listed, read = await api.get("mary", OWN), await api.get("mary", path)
    rotated = await api.post("mary", f"{path}/rotate", {})
    gone = await api.get("mary", path)
    deleted = await api.call("mary", "DELETE", f"{OWN}/{rotated.body['metadata']['name']}")

    first, second = made.body["status"]["token"], rotated.body["status"]["token"]
    assert [201, 200, 200, 201, 404, 200] == [
        answer.status for answer in (made, listed, read, rotated, gone, deleted)
    ]
    assert first != second
    assert first.encode() not in listed.raw + read.raw
    assert [read.body] == listed.body["items"]
    assert ("laptop", ["user:info"], 3600, "personal") == tuple(
        read.body[key] for key in ("description", "scopes", "expiresIn", "type")
    )
    assert [] == await api.tokens()


async def test_tokens_of_others_do_not_exist(api: Api) -> None:
    made = await api.post("mary", OWN, {"description": "laptop"})
    path = f"{OWN}/{made.body['metadata']['name']}"

    answers = [
        await api.get("bob", path),
        await api.call("bob", "DELETE", path),
        await api.post("bob", f"{path}/rotate", {}),
    ]

    assert [404, 404, 404] == [answer.status for answer in answers]
    assert [] == (await api.get("bob", OWN)).body["items"]
    assert 1 == len(await api.tokens())


async def test_a_narrow_token_makes_no_wider_one(api: Api) -> None:
    api.actors["mary"] = replace(api.actors["mary"], scopes=("user:info",))

    for scopes in ([], ["user:full"], ["user:info"]):
        answer = await api.post("mary", OWN, {"description": "x", "scopes": scopes})
        assert 403 == answer.status
    assert [] == await api.tokens()


async def test_a_robot_has_no_personal_tokens(api: Api) -> None:
    [robot] = [
        item
        for item in (await api.get("mary", ROBOTS)).body["items"]
        if item["metadata"]["name"] == "ci"
    ]
    api.actors["robot"] = replace(
        api.actors["mary"], name="system:serviceaccount:demo:ci", uid=robot["metadata"]["uid"]
    )

    answer = await api.post("robot", OWN, {"description": "outlive"})

    assert 403 == answer.status
    assert [] == await api.tokens()


async def test_lists_of_tokens_have_pages(api: Api) -> None:
    for _ in range(3):
        await api.post("mary", TOKEN, {})

    first = (await api.get("mary", f"{TOKEN}?limit=2")).body
    rest = (await api.get("mary", f"{TOKEN}?continue={first['metadata']['continue']}")).body

    assert [2, 1] == [len(first["items"]), len(rest["items"])]
