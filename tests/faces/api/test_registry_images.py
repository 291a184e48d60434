"""Images of the whole registry over the API: what is said of them, their end, and watches."""

import asyncio
import json
from functools import partial
from typing import Any

import pytest

from atomic_registry.clock import SystemClock
from atomic_registry.content.admission import Admission
from atomic_registry.content.manifests import ManifestService
from atomic_registry.identity.policy import OpenPolicy
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.resources.kinds import RESOURCES
from atomic_registry.web.messages import StreamBody
from tests.faces.api.image_requests import GROUP, ONE, ROOT, TWO, pushed
from tests.faces.api.image_requests import call as call_as
from tests.faces.api_world import MasterWorld
from tests.kit.images import artifact, index
from tests.kit.pushes import PUSHER

IMAGES = f"{GROUP}/images"
PRUNER = "everywhere-system-image-pruner"
MERGE = "application/merge-patch+json"


call = partial(call_as, caller=ROOT)


async def annotate(world: MasterWorld, digest: str, **metadata: object) -> tuple[int, Any]:
    patch = {"metadata": metadata}
    return await call(world, "PATCH", f"{IMAGES}/{digest}", patch, media_type=MERGE)


async def held(world: MasterWorld, name: str, digest: str) -> bool:
    found = await world.metadata.find_manifest(RepositoryName(name), Digest.parse(digest))
    return found is not None


async def revision(world: MasterWorld) -> str:
    _, listed = await call(world, "GET", IMAGES)
    return str(listed["metadata"]["resourceVersion"])


async def watched(
    world: MasterWorld, query: str, count: int, *, path: str = ""
) -> list[tuple[str, str]]:
    """The first events of a watch: type and name of each."""
    start = f"{GROUP}/watch/images{path}?" if path else f"{IMAGES}?watch=1&"
    response = await world.call(ROOT, "GET", f"{start}{query}")
    assert isinstance(response.body, StreamBody), response.body
    found: list[tuple[str, str]] = []
    async with asyncio.timeout(10):
        async for line in response.body.pieces:
            event = json.loads(line)
            found.append((event["type"], event["object"]["metadata"]["name"]))
            if len(found) == count:
                break
    await response.body.close()
    return found


async def test_an_image_takes_labels_and_annotations(world: MasterWorld) -> None:
    digest = await pushed(world, "own/web", ONE, "v1")
    other = await pushed(world, "own/web", TWO, "v2")

    status, shown = await annotate(world, digest, labels={"tier": "db"}, annotations={"n": "1"})
    assert 200 == status, shown
    assert {"tier": "db"} == shown["metadata"]["labels"]
    assert {"n": "1", "openshift.io/image.managed": "true"} == shown["metadata"]["annotations"]
    _, again = await call(world, "GET", f"{IMAGES}/{digest}")
    assert shown == again
    chosen = [
        [it["metadata"]["name"] for it in (await call(world, "GET", path))[1]["items"]]
        for path in (f"{IMAGES}?labelSelector=tier%3Ddb", f"{IMAGES}?labelSelector=!tier")
    ]
    assert [[digest], [other]] == chosen

    shown["metadata"]["labels"] = {}
    status, changed = await call(world, "PUT", f"{IMAGES}/{digest}", shown)
    assert (200, None) == (status, changed["metadata"].get("labels")), changed
    shown["metadata"]["labels"] = {"late": "1"}
    assert 409 == (await call(world, "PUT", f"{IMAGES}/{digest}", shown))[0]


async def test_a_dry_run_shows_an_annotation_and_keeps_nothing(world: MasterWorld) -> None:
    digest = await pushed(world, "own/web", ONE, "v1")
    path, patch = f"{IMAGES}/{digest}", {"metadata": {"labels": {"a": "b"}}}

    status, tried = await call(world, "PATCH", f"{path}?dryRun=All", patch, media_type=MERGE)

    assert (200, {"a": "b"}) == (status, tried["metadata"]["labels"])
    assert "labels" not in (await call(world, "GET", path))[1]["metadata"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dockerImageReference", "elsewhere/x:1"),
        ("dockerImageManifest", "{}"),
        ("dockerImageConfig", "{}"),
        ("dockerImageLayers", [{"name": "sha256:other"}]),
        ("dockerImageMetadata", {"Size": 1}),
        ("signatures", [{"type": "atomic", "content": "eA=="}]),
    ],
)
async def test_content_of_an_image_is_refused_by_its_field(
    world: MasterWorld, field: str, value: object
) -> None:
    digest = await pushed(world, "own/web", ONE, "v1")

    status, told = await call(
        world, "PATCH", f"{IMAGES}/{digest}", {field: value}, media_type=MERGE
    )

    assert 422 == status, told
    assert [field] == [cause["field"] for cause in told["details"]["causes"]]


async def test_an_image_cannot_be_called_unmanaged_or_something_else(world: MasterWorld) -> None:
    digest = await pushed(world, "own/web", ONE, "v1")
    unmanaged = {"openshift.io/image.managed": "false"}
    assert 422 == (await annotate(world, digest, annotations=unmanaged))[0]
    assert 422 == (await annotate(world, digest, name="sha256:other"))[0]
    assert 404 == (await annotate(world, digest[:-2] + "00", labels={"a": "b"}))[0]


async def test_an_image_in_use_is_not_deleted_and_its_uses_are_named(world: MasterWorld) -> None:
    whole = index("many")
    parent, child = await pushed(world, "own/web", whole, "all"), whole.children[0].manifest.digest

    status, told = await call(world, "DELETE", f"{IMAGES}/{parent}", caller=PRUNER)
    assert (409, "Conflict") == (status, told["reason"])
    assert "own/web:all" in told["message"]
    status, told = await call(world, "DELETE", f"{IMAGES}/{child}", caller=PRUNER)
    assert 409 == status
    assert f"own/web@{parent}" in told["message"]
    assert await held(world, "own/web", child)


async def test_an_image_is_deleted_from_every_repository_with_what_is_said_of_it(
    world: MasterWorld,
) -> None:
    digest = await pushed(world, "own/web", ONE)
    await pushed(world, "other/copy", ONE)
    await annotate(world, digest, labels={"a": "b"})

    dry = await call(world, "DELETE", f"{IMAGES}/{digest}?dryRun=All", caller=PRUNER)
    assert 200 == dry[0], dry
    assert await held(world, "own/web", digest)
    status, told = await call(world, "DELETE", f"{IMAGES}/{digest}", caller=PRUNER)

    assert (200, "Success") == (status, told["status"])
    assert not await held(world, "own/web", digest)
    assert not await held(world, "other/copy", digest)
    assert 404 == (await call(world, "DELETE", f"{IMAGES}/{digest}", caller=PRUNER))[0]
    await pushed(world, "own/web", ONE)
    assert "labels" not in (await call(world, "GET", f"{IMAGES}/{digest}"))[1]["metadata"]


async def test_what_has_a_deleted_image_as_its_subject_stays(world: MasterWorld) -> None:
    digest = await pushed(world, "own/web", ONE)
    attached = await pushed(world, "own/web", artifact("note", subject=ONE.manifest))

    assert 200 == (await call(world, "DELETE", f"{IMAGES}/{digest}"))[0]
    assert await held(world, "own/web", attached)


async def test_a_manifest_that_is_deleted_by_a_push_client_ends_in_a_watch(
    world: MasterWorld,
) -> None:
    digest = await pushed(world, "own/web", ONE, "v1")
    await pushed(world, "other/copy", ONE)
    since = await revision(world)
    service = ManifestService(world.metadata, Admission(OpenPolicy()), SystemClock())
    for name in ("own/web", "other/copy"):
        await service.delete(PUSHER, RepositoryName(name), Digest.parse(digest))

    assert [("DELETED", digest)] == await watched(world, f"resourceVersion={since}", 1)


async def test_a_watch_of_one_image_tells_of_no_other(world: MasterWorld) -> None:
    digest = await pushed(world, "own/web", ONE, "v1")
    since = await revision(world)
    await pushed(world, "own/web", TWO, "v2")
    await annotate(world, digest, annotations={"a": "b"})

    for query in (f"fieldSelector=metadata.name={digest}&", ""):
        path = "" if query else f"/{digest}"
        seen = await watched(world, f"{query}resourceVersion={since}", 1, path=path)
        assert [("MODIFIED", digest)] == seen


async def test_a_deletion_holds_only_for_the_version_that_was_read(world: MasterWorld) -> None:
    digest = await pushed(world, "own/web", ONE)
    _, shown = await annotate(world, digest, labels={"a": "b"})
    await annotate(world, digest, labels={"a": "c"})
    old = {"preconditions": {"resourceVersion": shown["metadata"]["resourceVersion"]}}

    assert 409 == (await call(world, "DELETE", f"{IMAGES}/{digest}", old))[0]
    assert await held(world, "own/web", digest)


async def test_a_watch_of_images_tells_of_the_first_and_the_last_repository(
    world: MasterWorld,
) -> None:
    await pushed(world, "own/web", TWO, "v1")
    since = await revision(world)
    digest = await pushed(world, "own/web", ONE, "v1", "v2")
    await pushed(world, "other/copy", ONE, "v1")
    await annotate(world, digest, labels={"a": "b"})
    assert [("ADDED", digest), ("MODIFIED", digest)] == (
        await watched(world, f"resourceVersion={since}", 2)
    )
    assert ("ADDED", digest) in await watched(world, "", 2)

    since = await revision(world)
    streams = f"{GROUP}/namespaces"
    assert 200 == (await call(world, "DELETE", f"{streams}/own/imagestreams/web"))[0]
    assert 200 == (await call(world, "DELETE", f"{streams}/other/imagestreams/copy"))[0]
    other = str(TWO.manifest.digest)
    for query in ("", "&labelSelector=a"):
        expected = [("DELETED", digest)] if query else [("DELETED", other), ("DELETED", digest)]
        seen = await watched(world, f"resourceVersion={since}{query}", len(expected))
        assert expected == seen


async def test_a_watch_of_images_tells_once_of_a_deletion_everywhere(world: MasterWorld) -> None:
    digest = await pushed(world, "own/web", ONE)
    await pushed(world, "other/copy", ONE)
    since = await revision(world)

    assert 200 == (await call(world, "DELETE", f"{IMAGES}/{digest}"))[0]
    other = await pushed(world, "own/web", TWO)

    seen = await watched(world, f"resourceVersion={since}", 2)
    assert [("DELETED", digest), ("ADDED", other)] == seen


async def test_a_watch_of_images_tells_of_those_that_go_with_their_project(
    world: MasterWorld,
) -> None:
    digest = await pushed(world, "own/web", ONE, "v1")
    await pushed(world, "own/copy", ONE, "v1")
    other = await pushed(world, "own/web", TWO, "v2")
    await annotate(world, other, labels={"a": "b"})
    since = await revision(world)

    projects = "/apis/project.openshift.io/v1/projects"
    assert 200 == (await call(world, "DELETE", f"{projects}/own"))[0]

    seen = await watched(world, f"resourceVersion={since}", 2)
    assert {("DELETED", digest), ("DELETED", other)} == {*seen}


async def test_kinds_that_are_listed_and_deleted_are_deleted_by_selection_but_for_a_few() -> None:
    both = {row.plural for row in RESOURCES if {"list", "delete"} <= {*row.verbs}}
    selected = {row.plural for row in RESOURCES if "deletecollection" in row.verbs}

    # Why each of these goes one by one stands with its row.
    singly = {"projects", "namespaces", "images", "oauthaccesstokens", "useroauthaccesstokens"}
    assert singly == both - selected
    assert selected <= both
