"""A layout made by umoci goes in with skopeo and comes out unpackable with the same files."""

from pathlib import Path

from tests.kit.http import RegistryClient
from tests.kit.images import layout_blobs
from tests.kit.optional import need_commands, run
from tests.kit.registry import Registry


def test_a_repacked_umoci_image_makes_the_round_trip(
    registry: Registry,
    client: RegistryClient,
    containers_environment: dict[str, str],
    tmp_path: Path,
) -> None:
    need_commands("umoci", "skopeo")
    layout, bundle, back = tmp_path / "layout", tmp_path / "bundle", tmp_path / "back"
    environment = containers_environment
    run(["umoci", "init", "--layout", layout], environment=environment)
    run(["umoci", "new", "--image", f"{layout}:v1"], environment=environment)
    run(
        ["umoci", "unpack", "--rootless", "--image", f"{layout}:v1", bundle],
        environment=environment,
    )
    (bundle / "rootfs" / "etc").mkdir()
    (bundle / "rootfs" / "etc" / "motd").write_text("from umoci\n")
    run(["umoci", "repack", "--image", f"{layout}:v1", bundle], environment=environment)
    run(["umoci", "gc", "--layout", layout], environment=environment)

    remote = f"docker://{registry.host}/umoci/image:v1"
    skopeo = ["skopeo", "--insecure-policy", "copy", "--preserve-digests"]
    run(
        [*skopeo, "--dest-tls-verify=false", f"oci:{layout}:v1", remote],
        environment=environment,
    )
    client.assert_pullable("umoci/image", "v1")
    run([*skopeo, "--src-tls-verify=false", remote, f"oci:{back}:v1"], environment=environment)
    assert layout_blobs(layout) == layout_blobs(back)

    unpacked = tmp_path / "unpacked"
    run(
        ["umoci", "unpack", "--rootless", "--image", f"{back}:v1", unpacked],
        environment=environment,
    )
    assert (unpacked / "rootfs" / "etc" / "motd").read_text() == "from umoci\n"
