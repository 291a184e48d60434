"""Skopeo against the running registry: in, out, every format, bytes compared by digest."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.kit.http import RegistryClient, sha256
from tests.kit.images import (
    DOCKER_MANIFEST,
    OCI_MANIFEST,
    Image,
    image,
    index,
    layout_blobs,
    write_layout,
)
from tests.kit.optional import need_commands, run
from tests.kit.registry import Registry


@pytest.fixture(autouse=True)
def _skopeo() -> None:
    need_commands("skopeo")


def copy(environment: Mapping[str, str], source: str, target: str, *options: str) -> str:
    command = ["skopeo", "--insecure-policy", "copy", *options]
    command += [f"--{side}-tls-verify=false" for side in ("src", "dest")]
    return run([*command, source, target], environment=environment)


def assert_same_bytes(expected: Image, layout: Path) -> None:
    found = layout_blobs(layout)
    assert {content.digest: content.data for content in expected.everything()} == found


@pytest.mark.parametrize("media_format", ["oci", "v2s2"])
def test_an_image_copied_in_has_the_asked_format_and_all_its_layers(
    registry: Registry,
    client: RegistryClient,
    containers_environment: dict[str, str],
    tmp_path: Path,
    media_format: str,
) -> None:
    one = image(f"skopeo-{media_format}", layers=3, size=200_000)
    layout = write_layout(tmp_path / "in", {"v1": one})
    name = f"skopeo/{media_format}"
    copy(
        containers_environment,
        f"oci:{layout}:v1",
        f"docker://{registry.host}/{name}:v1",
        f"--format={media_format}",
    )
    client.assert_pullable(name, "v1")
    pulled = client.pull_manifest(name, "v1")
    expected = {"oci": OCI_MANIFEST, "v2s2": DOCKER_MANIFEST}[media_format]
    assert expected == pulled.headers["content-type"]
    layers = [layer["digest"] for layer in json.loads(pulled.body)["layers"]]
    assert [layer.digest for layer in one.blobs[1:]] == layers


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "v2s2"])
def test_an_image_copied_out_again_is_byte_for_byte_the_same(
    registry: Registry,
    client: RegistryClient,
    containers_environment: dict[str, str],
    tmp_path: Path,
    docker: bool,
) -> None:
    one = image("skopeo-round", docker=docker, size=100_000)
    name = f"skopeo/round-{'docker' if docker else 'oci'}"
    assert client.push_image(name, "v1", one).status == 201
    out = tmp_path / "out"
    copy(
        containers_environment,
        f"docker://{registry.host}/{name}:v1",
        f"dir:{out}",
        "--preserve-digests",
    )
    assert sha256((out / "manifest.json").read_bytes()) == one.manifest.digest
    for blob in one.blobs:
        assert (out / blob.digest.removeprefix("sha256:")).read_bytes() == blob.data


def test_preserve_digests_keeps_an_oci_image_the_same_in_and_out(
    registry: Registry, containers_environment: dict[str, str], tmp_path: Path
) -> None:
    one = image("skopeo-preserve")
    layout = write_layout(tmp_path / "in", {"v1": one})
    remote = f"docker://{registry.host}/skopeo/preserve:v1"
    copy(containers_environment, f"oci:{layout}:v1", remote, "--preserve-digests")
    copy(containers_environment, remote, f"oci:{tmp_path / 'out'}:v1", "--preserve-digests")
    assert_same_bytes(one, tmp_path / "out")


def test_all_platforms_of_an_index_are_copied_in_and_out(
    registry: Registry,
    client: RegistryClient,
    containers_environment: dict[str, str],
    tmp_path: Path,
) -> None:
    many = index("skopeo-all", architectures=("amd64", "arm64", "s390x"))
    layout = write_layout(tmp_path / "in", {"v1": many})
    remote = f"docker://{registry.host}/skopeo/all:v1"
    copy(containers_environment, f"oci:{layout}:v1", remote, "--all", "--preserve-digests")
    client.assert_pullable("skopeo/all", "v1")
    copy(containers_environment, remote, f"oci:{tmp_path / 'out'}:v1", "--all")
    assert_same_bytes(many, tmp_path / "out")


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "v2s2"])
def test_a_copy_from_repository_to_repository_keeps_every_digest(
    registry: Registry,
    client: RegistryClient,
    containers_environment: dict[str, str],
    docker: bool,
) -> None:
    many = index("skopeo-across", docker=docker)
    kind = "docker" if docker else "oci"
    assert client.push_image(f"skopeo/source-{kind}", "v1", many).status == 201
    copy(
        containers_environment,
        f"docker://{registry.host}/skopeo/source-{kind}:v1",
        f"docker://{registry.host}/other/target-{kind}:v2",
        "--all",
        "--preserve-digests",
    )
    client.assert_pullable(f"other/target-{kind}", "v2")
    pulled = client.pull_manifest(f"other/target-{kind}", "v2")
    assert many.manifest.digest == pulled.headers["docker-content-digest"]


def test_list_tags_shows_every_tag_in_order(
    registry: Registry, client: RegistryClient, containers_environment: dict[str, str]
) -> None:
    for tag in ("b", "a", "c"):
        assert client.push_image("skopeo/tags", tag, image(f"skopeo-tags-{tag}")).status == 201
    command = ["skopeo", "list-tags", "--tls-verify=false", f"docker://{registry.host}/skopeo/tags"]
    listed = json.loads(run(command, environment=containers_environment))
    assert listed["Tags"] == ["a", "b", "c"]


def test_inspect_names_the_digest_and_the_layers(
    registry: Registry, client: RegistryClient, containers_environment: dict[str, str]
) -> None:
    one = image("skopeo-inspect")
    assert client.push_image("skopeo/inspect", "v1", one).status == 201
    remote = f"docker://{registry.host}/skopeo/inspect:v1"
    command = ["skopeo", "inspect", "--tls-verify=false", remote]
    shown = json.loads(run(command, environment=containers_environment))
    assert shown["Digest"] == one.manifest.digest
    assert shown["Layers"] == [layer.digest for layer in one.blobs[1:]]


def test_a_deleted_image_is_gone_at_once(
    registry: Registry, client: RegistryClient, containers_environment: dict[str, str]
) -> None:
    assert client.push_image("skopeo/delete", "v1", image("skopeo-delete")).status == 201
    remote = f"docker://{registry.host}/skopeo/delete:v1"
    run(["skopeo", "delete", "--tls-verify=false", remote], environment=containers_environment)
    assert client.pull_manifest("skopeo/delete", "v1").status == 404
