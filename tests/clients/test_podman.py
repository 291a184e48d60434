"""Podman against the running registry: build from scratch, push, pull, manifest list."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.kit.http import RegistryClient
from tests.kit.images import DOCKER_MANIFEST, OCI_MANIFEST
from tests.kit.optional import need_commands, run
from tests.kit.registry import Registry

MEDIA_TYPES = {"oci": OCI_MANIFEST, "v2s2": DOCKER_MANIFEST}


@pytest.fixture(autouse=True)
def _podman() -> None:
    need_commands("podman")


def build(environment: Mapping[str, str], reference: str, context: Path) -> None:
    run(
        ["podman", "build", "--network=host", "--isolation=chroot", "-t", reference, context],
        environment=environment,
    )


@pytest.mark.parametrize("media_format", ["oci", "v2s2"])
def test_a_built_image_is_pushed_whole_and_pulled_back_the_same(
    registry: Registry,
    client: RegistryClient,
    containers_environment: dict[str, str],
    busybox_context: Path,
    media_format: str,
) -> None:
    name = f"podman/{media_format}"
    reference = f"{registry.host}/{name}:v1"
    build(containers_environment, reference, busybox_context)
    run(
        ["podman", "push", "--tls-verify=false", f"--format={media_format}", reference],
        environment=containers_environment,
    )
    client.assert_pullable(name, "v1")
    pushed = client.pull_manifest(name, "v1")
    assert MEDIA_TYPES[media_format] == pushed.headers["content-type"]

    run(["podman", "rmi", "--force", reference], environment=containers_environment)
    run(["podman", "pull", "--tls-verify=false", reference], environment=containers_environment)
    inspect = ["podman", "inspect", "--type=image", reference]
    shown = json.loads(run(inspect, environment=containers_environment))
    config = json.loads(pushed.body)["config"]["digest"].removeprefix("sha256:")
    one = shown[0] if isinstance(shown, list) else shown
    assert config in (one.get("Id", "").removeprefix("sha256:"), one.get("FromImageID", ""))


def test_a_manifest_list_is_pushed_with_all_its_images(
    registry: Registry,
    client: RegistryClient,
    containers_environment: dict[str, str],
    busybox_context: Path,
) -> None:
    reference = f"{registry.host}/podman/part:v1"
    build(containers_environment, reference, busybox_context)
    for command in (
        ["push", "--tls-verify=false", reference],
        ["manifest", "create", "local/many"],
        ["manifest", "add", "--tls-verify=false", "local/many", f"docker://{reference}"],
        [
            "manifest",
            "push",
            "--all",
            "--tls-verify=false",
            "local/many",
            f"docker://{registry.host}/podman/many:v1",
        ],
    ):
        run(["podman", *command], environment=containers_environment)
    client.assert_pullable("podman/many", "v1")
    value = json.loads(client.pull_manifest("podman/many", "v1").body)
    assert len(value["manifests"]) == 1
