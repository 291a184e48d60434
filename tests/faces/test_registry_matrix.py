"""Every row of the registry x every role x own, foreign, shared, public and deleted projects.

The expectations are written out here, apart from the code that decides.
"""

from pathlib import Path

import pytest

from atomic_registry.faces.registry import routes
from atomic_registry.identity.actors import ANONYMOUS
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.records import ClusterRoleBinding
from atomic_registry.oci.digest import Digest
from atomic_registry.web.messages import Response
from tests.faces.world import CLOCK, NOBODY, PEOPLE, PROJECTS, STRANGER, make_world

_MANIFEST = "/v2/{repository}/manifests/{reference}"
_BLOB = "/v2/{repository}/blobs/{digest}"
_UPLOADS = "/v2/{repository}/blobs/uploads/"
_UPLOAD = "/v2/{repository}/blobs/uploads/{upload}"
EXPECTED = {
    ("GET", _MANIFEST): "pull",
    ("PUT", _MANIFEST): "push",
    ("DELETE", _MANIFEST): "delete",
    ("HEAD", _BLOB): "pull",
    ("GET", _BLOB): "pull",
    ("DELETE", _BLOB): "delete",
    ("POST", _UPLOADS): "push",
    ("GET", _UPLOAD): "push",
    ("PATCH", _UPLOAD): "push",
    ("PUT", _UPLOAD): "push",
    ("DELETE", _UPLOAD): "push",
    ("GET", "/v2/"): "login",
    ("GET", "/v2/{repository}/tags/list"): "pull",
    ("GET", "/v2/{repository}/referrers/{digest}"): "pull",
    ("GET", "/v2/_catalog"): "anybody",
    ("GET", "/openshift/token"): "anybody",
    ("POST", "/openshift/token"): "anybody",
    ("GET", "/healthz"): "anybody",
    ("GET", "/readyz"): "anybody",
    ("GET", "/metrics"): "nobody",
}
_EDITORS = {"cluster-admin", "admin", "edit", "registry-admin", "registry-editor"}
_WRITERS = {*_EDITORS, "system-image-pusher", "system-image-builder"}
HOLDERS = {
    "pull": {
        *_WRITERS,
        "view",
        "registry-viewer",
        "cluster-reader",
        "system-image-puller",
        "system-image-signer",
    },
    "push": _WRITERS,
    "delete": {*_EDITORS, "system-image-pruner"},
}
_VALUES = {
    "{reference}": "v1",
    "{digest}": str(Digest.of(b"")),
    "{upload}": "0" * 64,
}


def is_allowed(need: str, person: str, project: str) -> bool:
    is_named = person != ANONYMOUS.name
    if need in ("anybody", "login", "nobody"):
        return {"anybody": True, "login": is_named, "nobody": False}[need]
    return {
        "own": person in HOLDERS[need],
        "private": person == STRANGER,
        "shared": need == "pull" and is_named,
        "public": need == "pull",
        "gone": False,
    }[project]


def test_every_row_has_its_expectation() -> None:
    assert {(row[0], row[1]) for row in routes.ROWS} == set(EXPECTED)


@pytest.mark.parametrize(("method", "path"), sorted(EXPECTED))
async def test_a_row_is_served_to_exactly_those_who_may(
    tmp_path: Path, method: str, path: str
) -> None:
    world = await make_world(tmp_path)
    need = EXPECTED[method, path]
    wrong = []
    for project in PROJECTS if "{repository}" in path else ("own",):
        concrete = path.replace("{repository}", f"{project}/app")
        for name, value in _VALUES.items():
            concrete = concrete.replace(name, value)
        for person in (*PEOPLE, ANONYMOUS.name):
            response = await world.client.call(method, concrete, world.headers(person))
            refused = 401 if person == ANONYMOUS.name else 403
            served = response.status not in (401, 403)
            if served != is_allowed(need, person, project) or not (
                served or response.status == refused
            ):
                wrong.append((person, project, response.status, response.body))
            assert response.status < 500
    await world.close()
    assert not wrong


async def test_a_push_to_a_project_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    world = await make_world(tmp_path)

    response = await world.client.call(
        "POST", "/v2/never-was/app/blobs/uploads/", world.headers(NOBODY)
    )

    await world.close()
    assert response.status == 403
    assert b"atomic-registry new-project never-was" in text_of(response)


def text_of(response: Response) -> bytes:
    assert isinstance(response.body, bytes)
    return response.body


def no_self_provisioning(tx: Transaction) -> None:
    binding = tx.objects.find(ClusterRoleBinding, "self-provisioners")
    assert binding is not None
    tx.objects.remove(binding, actor="test", now=CLOCK.now())


@pytest.mark.parametrize("person", [NOBODY, ANONYMOUS.name])
async def test_a_refusal_does_not_tell_whether_there_is_anything(
    tmp_path: Path, person: str
) -> None:
    world = await make_world(tmp_path)
    # Who may ask for projects finds out which names are taken by asking.
    await world.metadata.write(no_self_provisioning)
    answers = set()
    for project in ("own", "gone", "never-was"):
        for path in ("manifests/v1", f"blobs/{Digest.of(b'')}", "tags/list"):
            response = await world.client.call(
                "GET", f"/v2/{project}/app/{path}", world.headers(person)
            )
            body = text_of(response).replace(project.encode(), b"?")
            answers.add((response.status, body))
    await world.close()
    assert len(answers) == 1
