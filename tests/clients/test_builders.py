"""Podman and buildah against the running registry: build from scratch, push, pull, manifest list."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.kit.http import RegistryClient
from tests.kit.images import DOCKER_MANIFEST, OCI_MANIFEST
from tests.kit.optional import need_commands, run
from tests.kit.registry import Registry

BUILD = {"buildah": "bud", "podman": "build"}
MEDIA_TYPES = {"oci": OCI_MANIFEST, "v2s2": DOCKER_MANIFEST}
UNSAFE = "--tls-verify=false"


@pytest.fixture(params=BUILD)
def tool(request: pytest.FixtureRequest) -> str:
    """The program's name."""
    name: str = request.param
    need_commands(name)
    return name


def build(tool: str, environment: Mapping[str, str], reference: str, context: Path) -> None:
    options = ["--network=host", "--isolation=chroot", "-t", reference]
    run([tool, BUILD[tool], *options, context], environment=environment)


@pytest.mark.parametrize("media_format", ["oci", "v2s2"])
def test_a_built_image_is_pushed_whole_and_pulled_back_the_same(
    tool: str,
    registry: Registry,
    client: RegistryClient,
    containers_environment: dict[str, str],
    busybox_context: Path,
    media_format: str,
) -> None:
    name = f"{tool}/{media_format}"
    reference = f"{registry.host}/{name}:v1"
    build(tool, containers_environment, reference, busybox_context)
    push = [tool, "push", UNSAFE, f"--format={media_format}", reference]
    run(push, environment=containers_environment)
    client.assert_pullable(name, "v1")
    pushed = client.pull_manifest(name, "v1")
    assert MEDIA_TYPES[media_format] == pushed.headers["content-type"]

    run([tool, "rmi", "--force", reference], environment=containers_environment)
    run([tool, "pull", UNSAFE, reference], environment=containers_environment)
    inspect = [tool, "inspect", "--type=image", reference]
    shown = json.loads(run(inspect, environment=containers_environment))
    config = json.loads(pushed.body)["config"]["digest"].removeprefix("sha256:")
    one = shown[0] if isinstance(shown, list) else shown
    assert config in (one.get("Id", "").removeprefix("sha256:"), one.get("FromImageID", ""))


def test_a_manifest_list_is_pushed_with_all_its_images(
    tool: str,
    registry: Registry,
    client: RegistryClient,
    containers_environment: dict[str, str],
    busybox_context: Path,
) -> None:
    part = f"{registry.host}/{tool}/part:v1"
    many = f"docker://{registry.host}/{tool}/many:v1"
    build(tool, containers_environment, part, busybox_context)
    for command in (
        ["push", UNSAFE, part],
        ["manifest", "create", "local/many"],
        ["manifest", "add", UNSAFE, "local/many", f"docker://{part}"],
        ["manifest", "push", "--all", UNSAFE, "local/many", many],
    ):
        run([tool, *command], environment=containers_environment)
    client.assert_pullable(f"{tool}/many", "v1")
    value = json.loads(client.pull_manifest(f"{tool}/many", "v1").body)
    assert len(value["manifests"]) == 1
