"""Image streams, tags and images over the API: real routing, rights and store."""

from datetime import timedelta
from typing import Any

import pytest

from atomic_registry.oci.reference import RepositoryName, Tag
from tests.faces.api.image_requests import (
    GROUP,
    ONE,
    OWN,
    ROOT,
    TWO,
    call,
    get,
    pushed,
    stream,
    tag_from,
)
from tests.faces.api_world import MasterWorld
from tests.kit.clock import ManualClock
from tests.kit.images import image, index
from tests.kit.pushes import push

HOST = "127.0.0.1:5000"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


async def pulled(world: MasterWorld, name: str, tag: str) -> str | None:
    found = await world.metadata.find_manifest(RepositoryName(name), Tag(tag))
    return None if found is None else str(found.digest)


def tags_of(document: Any) -> dict[str, list[str]]:
    return {it["tag"]: [e["image"] for e in it["items"]] for it in document["status"]["tags"]}


async def test_a_push_shows_as_a_stream_with_its_history(world: MasterWorld) -> None:
    first = await pushed(world, "own/team/web", ONE, "v1")
    second = await pushed(world, "own/team/web", TWO, "v1", "latest")

    shown = await get(world, f"{OWN}/imagestreams/team~web")

    assert {"latest": [second], "v1": [second, first]} == tags_of(shown)
    assert ("team~web", "own") == (shown["metadata"]["name"], shown["metadata"]["namespace"])
    assert f"{HOST}/own/team/web" == shown["status"]["dockerImageRepository"]
    newest = shown["status"]["tags"][1]["items"][0]
    assert f"{HOST}/own/team/web@{second}" == newest["dockerImageReference"]
    assert int(shown["metadata"]["resourceVersion"]) > 0


async def test_a_stream_that_is_made_is_described_changed_and_deleted(world: MasterWorld) -> None:
    meta = {"name": "app", "labels": {"tier": "web"}, "annotations": {"a.b/c": "d"}}
    status, made = await call(world, "POST", f"{OWN}/imagestreams", stream() | {"metadata": meta})
    assert 201 == status, made
    assert {"tier": "web"} == made["metadata"]["labels"]
    assert 409 == (await call(world, "POST", f"{OWN}/imagestreams", stream()))[0]

    made["metadata"]["labels"] = {"tier": "db"}
    made["spec"]["lookupPolicy"] = {"local": True}
    status, changed = await call(world, "PUT", f"{OWN}/imagestreams/app", made)
    assert 200 == status, changed
    assert made["metadata"]["uid"] == changed["metadata"]["uid"]
    assert 2 == changed["metadata"]["generation"]
    assert 409 == (await call(world, "PUT", f"{OWN}/imagestreams/app", made))[0]
    listed = await get(world, f"{OWN}/imagestreams?labelSelector=tier%3Ddb")
    assert ["app"] == [it["metadata"]["name"] for it in listed["items"]]

    assert 200 == (await call(world, "DELETE", f"{OWN}/imagestreams/app"))[0]
    assert 404 == (await call(world, "GET", f"{OWN}/imagestreams/app"))[0]


async def test_an_update_that_says_nothing_new_changes_nothing(world: MasterWorld) -> None:
    await pushed(world, "own/web", ONE, "v1")
    shown = await get(world, f"{OWN}/imagestreams/web")

    _, again = await call(world, "PUT", f"{OWN}/imagestreams/web", shown)

    assert shown["metadata"]["resourceVersion"] != ""
    _, third = await call(world, "PUT", f"{OWN}/imagestreams/web", again)
    assert again["metadata"]["resourceVersion"] == third["metadata"]["resourceVersion"]


async def test_streams_come_in_pages_without_gap_or_double(world: MasterWorld) -> None:
    names = sorted(f"s{number}" for number in range(7))
    for name in names:
        await call(world, "POST", f"{OWN}/imagestreams", stream(name))
    found, token = [], ""
    for _ in range(4):
        page = await get(world, f"{OWN}/imagestreams?limit=2&continue={token}")
        found += [it["metadata"]["name"] for it in page["items"]]
        token = page["metadata"].get("continue", "")
    assert (names, "") == (found, token)
    everywhere = await get(world, f"{GROUP}/imagestreams", caller=ROOT)
    assert names == [it["metadata"]["name"] for it in everywhere["items"]]


async def test_field_selectors_choose_tags_and_images_by_name(world: MasterWorld) -> None:
    first = await pushed(world, "own/web", ONE, "v1")
    await pushed(world, "own/web", TWO, "v2")

    tags = await get(world, f"{OWN}/imagestreamtags?fieldSelector=metadata.name=web:v2")
    assert ["web:v2"] == [it["metadata"]["name"] for it in tags["items"]]
    path = "/apis/image.openshift.io/v1/images"
    images = await get(
        world, f"{path}?fieldSelector=metadata.name={first}", caller="everywhere-cluster-admin"
    )
    assert [first] == [it["metadata"]["name"] for it in images["items"]]


async def test_retag_rollback_delete_and_undelete_show_in_pulls(world: MasterWorld) -> None:
    first = await pushed(world, "own/web", ONE, "v1")
    second = await pushed(world, "own/web", TWO, "v2")
    path = f"{OWN}/imagestreamtags"

    made = await call(world, "POST", path, tag_from("web:prod", "ImageStreamTag", "web:v2"))
    assert (201, second) == (made[0], await pulled(world, "own/web", "prod")), made
    back = tag_from("web:prod", "ImageStreamImage", f"web@{first}")
    status, rolled = await call(world, "PUT", f"{path}/web:prod", back)
    assert (200, first) == (status, await pulled(world, "own/web", "prod")), rolled
    assert first == rolled["image"]["metadata"]["name"]

    assert 200 == (await call(world, "DELETE", f"{path}/web:prod"))[0]
    assert await pulled(world, "own/web", "prod") is None
    assert 404 == (await call(world, "GET", f"{path}/web:prod"))[0]
    shown = await get(world, f"{OWN}/imagestreams/web")
    removed = shown["status"]["removedTags"]
    assert [("prod", [first, second])] == [
        (it["tag"], [e["image"] for e in it["items"]]) for it in removed
    ]
    undo = tag_from("web:prod", "ImageStreamImage", f"web@{second}")
    assert 201 == (await call(world, "POST", path, undo))[0]
    assert second == await pulled(world, "own/web", "prod")
    shown = await get(world, f"{OWN}/imagestreams/web")
    assert [second, first, second] == tags_of(shown)["prod"]
    assert "removedTags" not in shown["status"]


async def test_a_tag_that_tracks_another_follows_each_push(world: MasterWorld) -> None:
    first = await pushed(world, "own/web", ONE, "latest")
    spec = {"tags": [
        {"name": "stable", "from": {"kind": "ImageStreamTag", "name": "latest"}},
        {"name": "prod", "from": {"kind": "ImageStreamTag", "name": "web:stable"}},
    ]}  # fmt: skip
    status, body = await call(world, "PUT", f"{OWN}/imagestreams/web", stream("web", spec=spec))
    assert 200 == status, body
    assert first == await pulled(world, "own/web", "stable")

    second = await pushed(world, "own/web", TWO, "latest")

    assert [second] * 3 == [
        await pulled(world, "own/web", tag) for tag in ("latest", "stable", "prod")
    ]


async def test_a_push_to_a_pinned_tag_unpins_it(world: MasterWorld) -> None:
    first = await pushed(world, "own/web", ONE, "v1")
    pin = tag_from("web:prod", "ImageStreamImage", f"web@{first}")
    await call(world, "POST", f"{OWN}/imagestreamtags", pin)

    second = await pushed(world, "own/web", TWO, "prod")

    shown = await get(world, f"{OWN}/imagestreamtags/web:prod")
    assert second == shown["image"]["metadata"]["name"]
    assert "from" not in shown["tag"]
    shown["metadata"]["annotations"] = {"note": "kept"}
    status, noted = await call(world, "PUT", f"{OWN}/imagestreamtags/web:prod", shown)
    assert (200, {"note": "kept"}) == (status, noted["metadata"]["annotations"])
    assert second == await pulled(world, "own/web", "prod")


async def test_a_tag_from_another_project_brings_the_image_along(world: MasterWorld) -> None:
    digest = await pushed(world, "public/base", index("multi"), "v1")
    made = tag_from("copy:v1", "ImageStreamTag", "base:v1", namespace="public")

    status, body = await call(world, "POST", f"{OWN}/imagestreamtags", made)

    assert (201, digest) == (status, await pulled(world, "own/copy", "v1")), body
    await call(world, "DELETE", f"{GROUP}/namespaces/public/imagestreams/base", caller=ROOT)
    layers = await get(world, f"{OWN}/imagestreams/copy/layers")
    assert 3 == len(layers["images"])
    assert 2 == len(layers["images"][digest]["manifests"])


async def test_what_may_not_be_pulled_may_not_be_tagged_and_is_not_told(world: MasterWorld) -> None:
    await pushed(world, "private/base", ONE, "v1")
    for source in ("base:v1", "never:was"):
        wish = tag_from("copy:v1", "ImageStreamTag", source, namespace="private")
        status, body = await call(world, "POST", f"{OWN}/imagestreamtags", wish)
        assert (403, "Forbidden") == (status, body["reason"])
        spec = {"tags": [{"name": "v1", "from": wish["tag"]["from"]}]}  # type: ignore[index]
        status, _ = await call(world, "POST", f"{OWN}/imagestreams", stream("x", spec=spec))
        assert 403 == status
    docker = tag_from("copy:v1", "DockerImage", f"{HOST}/private/base:v1")
    assert 403 == (await call(world, "POST", f"{OWN}/imagestreamtags", docker))[0]
    assert await pulled(world, "own/copy", "v1") is None


async def test_an_image_of_a_stream_is_named_by_a_unique_beginning(world: MasterWorld) -> None:
    digests = {await pushed(world, "own/web", image(f"i{n}", size=8), f"t{n}") for n in range(17)}
    one = min(digests)

    shown = await get(world, f"{OWN}/imagestreamimages/web@{one[:30]}")

    assert one == shown["image"]["metadata"]["name"]
    assert f"web@{one}" == shown["metadata"]["name"]
    status, body = await call(world, "GET", f"{OWN}/imagestreamimages/web@sha256:")
    assert (409, "Conflict") == (status, body["reason"])
    for name in ("web@sha256:zz", "web", "web@", "never@sha256:0"):
        status, body = await call(world, "GET", f"{OWN}/imagestreamimages/{name}")
        assert status == (409 if name == "web@" else 404), (name, body)


async def test_an_image_is_described_by_its_config(world: MasterWorld) -> None:
    digest = await pushed(world, "own/web", ONE, "v1")

    shown = await get(world, f"{GROUP}/images/{digest}", caller=ROOT)

    assert "amd64" == shown["dockerImageMetadata"]["Architecture"]
    assert ["/bin/true"] == shown["dockerImageMetadata"]["Config"]["Cmd"]
    sizes = [len(content.data) for content in ONE.blobs]
    assert sum(sizes) == shown["dockerImageMetadata"]["Size"]
    assert sizes[1:] == [layer["size"] for layer in shown["dockerImageLayers"]]
    assert ONE.manifest.media_type == shown["dockerImageManifestMediaType"]
    assert ONE.blobs[0].data.decode() == shown["dockerImageConfig"]
    assert [] == shown["signatures"]
    listed = await get(world, f"{GROUP}/images", caller=ROOT)
    assert [digest] == [it["metadata"]["name"] for it in listed["items"]]
    assert 403 == (await call(world, "GET", f"{GROUP}/images/{digest}"))[0]


async def test_a_signature_is_kept_with_its_image(world: MasterWorld) -> None:
    digest = await pushed(world, "own/web", ONE, "v1")
    name, path = f"{digest}@{'a' * 32}", f"{GROUP}/imagesignatures"
    body = {"metadata": {"name": name}, "type": "atomic", "content": "c2lnbmF0dXJl"}

    status, made = await call(world, "POST", path, body, caller=ROOT)
    assert 201 == status, made
    other = body | {"metadata": {"name": f"{digest}@other"}}
    assert 409 == (await call(world, "POST", path, other, caller=ROOT))[0]
    wrong = body | {"type": "gpg", "content": "%"}
    assert 422 == (await call(world, "POST", path, wrong, caller=ROOT))[0]
    absent = body | {"metadata": {"name": f"sha256:{'0' * 64}@x"}}
    assert 404 == (await call(world, "POST", path, absent, caller=ROOT))[0]
    shown = await get(world, f"{GROUP}/images/{digest}", caller=ROOT)
    assert ["c2lnbmF0dXJl"] == [it["content"] for it in shown["signatures"]]
    assert 200 == (await call(world, "DELETE", f"{path}/{name}", caller=ROOT))[0]
    assert 403 == (await call(world, "POST", path, body))[0]


async def test_a_mapping_tags_an_image_that_the_stream_holds(world: MasterWorld) -> None:
    digest = await pushed(world, "own/web", ONE, "v1")
    body = {"metadata": {"name": "web"}, "image": {"metadata": {"name": digest}}, "tag": "v9"}
    assert 201 == (await call(world, "POST", f"{OWN}/imagestreammappings", body))[0]
    assert digest == await pulled(world, "own/web", "v9")
    body["image"] = {"metadata": {"name": f"sha256:{'0' * 64}"}}
    assert 404 == (await call(world, "POST", f"{OWN}/imagestreammappings", body))[0]


async def test_imports_are_answered_as_not_offered(world: MasterWorld) -> None:
    status, body = await call(world, "POST", f"{OWN}/imagestreamimports", {"spec": {}})
    assert (501, "NotImplemented") == (status, body["reason"])
    wish = tag_from("web:v1", "DockerImage", "docker.io/library/busybox:1")
    status, body = await call(world, "POST", f"{OWN}/imagestreamtags", wish)
    assert (422, "tag.from.name") == (status, body["details"]["causes"][0]["field"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (stream("a/b"), "metadata.name"),
        (stream("UPPER"), "metadata.name"),
        (stream(spec={"tags": [{"name": "/"}]}), "spec.tags[0].name"),
        (stream(spec={"tags": [{"name": "a"}, {"name": "a"}]}), "spec.tags[1].name"),
        (
            stream(spec={"tags": [{"name": "a", "from": {"kind": "Pod", "name": "x"}}]}),
            "spec.tags[0].from.kind",
        ),
        (
            stream(
                spec={"tags": [{"name": "a", "from": {"kind": "ImageStreamTag", "name": "x:y"}}]}
            ),
            "spec.tags",
        ),
    ],
)
async def test_a_bad_stream_is_refused_by_its_field(
    world: MasterWorld, body: dict[str, object], field: str
) -> None:
    status, answer = await call(world, "POST", f"{OWN}/imagestreams", body)
    assert (422, field) == (status, answer["details"]["causes"][0]["field"]), answer
    assert [] == (await get(world, f"{OWN}/imagestreams"))["items"]


async def test_tags_are_listed_with_their_images(world: MasterWorld) -> None:
    first = await pushed(world, "own/a/b", ONE, "x", "y")
    second = await pushed(world, "own/web", TWO, "v1")
    found = []
    token = ""
    for _ in range(3):
        page = await get(world, f"{OWN}/imagestreamtags?limit=1&continue={token}")
        found += [(it["metadata"]["name"], it["image"]["metadata"]["name"]) for it in page["items"]]
        token = page["metadata"].get("continue", "")
    assert [("a~b:x", first), ("a~b:y", first), ("web:v1", second)] == found


async def test_a_patch_moves_a_tag_and_a_dry_run_does_not(world: MasterWorld) -> None:
    first = await pushed(world, "own/web", ONE, "v1")
    second = await pushed(world, "own/web", TWO, "v2")
    merge = "application/merge-patch+json"
    path = f"{OWN}/imagestreamtags/web:v1"
    patch = {"tag": {"from": {"kind": "ImageStreamTag", "name": "web:v2"}}}

    status, tried = await call(world, "PATCH", f"{path}?dryRun=All", patch, media_type=merge)
    assert (200, second) == (status, tried["image"]["metadata"]["name"]), tried
    assert first == await pulled(world, "own/web", "v1")
    status, moved = await call(world, "PATCH", path, patch, media_type=merge)
    assert (200, second) == (status, await pulled(world, "own/web", "v1")), moved
    label = {"metadata": {"labels": {"a": "b"}}}
    status, noted = await call(world, "PATCH", f"{OWN}/imagestreams/web", label, media_type=merge)
    assert (200, {"a": "b"}) == (status, noted["metadata"]["labels"]), noted
    body = stream("tried")
    status, tried = await call(world, "POST", f"{OWN}/imagestreams?dryRun=All", body)
    assert (201, "tried") == (status, tried["metadata"]["name"])
    assert 404 == (await call(world, "GET", f"{OWN}/imagestreams/tried"))[0]


async def test_the_project_takes_its_streams_and_what_they_say_along(world: MasterWorld) -> None:
    meta = {"name": "app", "labels": {"tier": "web"}}
    await call(world, "POST", f"{OWN}/imagestreams", stream() | {"metadata": meta})
    projects = "/apis/project.openshift.io/v1/projects"
    assert 200 == (await call(world, "DELETE", f"{projects}/own", caller=ROOT))[0]
    body = {"metadata": {"name": "own"}}
    assert 201 == (await call(world, "POST", projects, body, caller=ROOT))[0]
    await pushed(world, "own/app", ONE, "v1")
    shown = await get(world, f"{OWN}/imagestreams/app", caller=ROOT)
    assert "labels" not in shown["metadata"]


async def test_secrets_of_a_stream_are_those_for_images(world: MasterWorld) -> None:
    await pushed(world, "own/web", ONE, "v1")
    config = {".dockerconfigjson": "eyJhdXRocyI6e319"}
    for name, kind, data in (
        ("pull", "kubernetes.io/dockerconfigjson", config),
        ("other", "Opaque", {}),
    ):
        secret = {"metadata": {"name": name}, "type": kind, "data": data}
        status, body = await call(world, "POST", "/api/v1/namespaces/own/secrets", secret)
        assert 201 == status, body
    path = f"{OWN}/imagestreams/web/secrets"
    shown = await get(world, path, caller=ROOT)
    assert ["pull"] == [it["metadata"]["name"] for it in shown["items"]]
    assert 403 == (await call(world, "GET", path))[0]


async def test_a_table_without_objects_has_the_cells_of_one_with_them(world: MasterWorld) -> None:
    clock = ManualClock()
    await push(world.metadata, world.blobs, "own/app", ONE, "v1", "latest", clock=clock)
    clock.advance(timedelta(days=5))
    await push(world.metadata, world.blobs, "own/app", TWO, "v1", clock=clock)
    rows = {}
    for include in ("None", "Metadata", "Object"):
        path = f"{OWN}/imagestreams?includeObject={include}"
        status, table = await call(world, "GET", path, accept=TABLE)
        assert 200 == status, table
        rows[include] = [row["cells"] for row in table["rows"]]

    assert rows["None"] == rows["Metadata"] == rows["Object"]
    assert ["app", f"{HOST}/own/app", "latest, v1"] == rows["None"][0][:3]


async def test_all_tags_of_a_project_are_deleted_at_once(world: MasterWorld) -> None:
    await pushed(world, "own/app", ONE, "v1", "v2")
    await pushed(world, "own/web", ONE, "v1")

    status, body = await call(
        world, "DELETE", f"{OWN}/imagestreamtags?fieldSelector=metadata.name!=app:v2"
    )

    assert 200 == status, body
    left = await get(world, f"{OWN}/imagestreamtags")
    assert ["app:v2"] == [it["metadata"]["name"] for it in left["items"]]


async def test_a_status_takes_annotations_and_leaves_the_spec_alone(world: MasterWorld) -> None:
    spec = {"tags": [{"name": "v1", "annotations": {"a": "b"}}]}
    _, made = await call(world, "POST", f"{OWN}/imagestreams", stream("app", spec=spec))
    path = f"{OWN}/imagestreams/app/status"
    sent = made | {"spec": {}, "status": {"tags": [{"tag": "forged", "items": []}]}}
    sent["metadata"] = made["metadata"] | {"annotations": {"note": "seen"}}
    pruner = "everywhere-system-image-pruner"

    status, written = await call(world, "PUT", path, sent, caller=pruner)

    assert (200, {"note": "seen"}) == (status, written["metadata"]["annotations"]), written
    assert made["spec"] == written["spec"] and [] == written["status"]["tags"]
    assert 409 == (await call(world, "PUT", path, sent, caller=pruner))[0]
    assert 403 == (await call(world, "PUT", f"{OWN}/imagestreams/app", sent, caller=pruner))[0]
    merge = "application/merge-patch+json"
    patch = {"metadata": {"annotations": {"note": "again"}}, "spec": {"tags": None}}
    status, patched = await call(world, "PATCH", path, patch, caller=ROOT, media_type=merge)
    assert (200, {"note": "again"}) == (status, patched["metadata"]["annotations"]), patched
    assert made["spec"] == patched["spec"]
    absent = f"{OWN}/imagestreams/never/status"
    assert 404 == (await call(world, "PUT", absent, stream("never"), caller=ROOT))[0]
