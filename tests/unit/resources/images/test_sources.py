"""What the names of a tag's source mean."""

import pytest

from atomic_registry.content.streams import ObjectReference, TagReference
from atomic_registry.errors import ObjectInvalid
from atomic_registry.oci.reference import RepositoryName, Tag
from atomic_registry.resources.images.sources import Source, parse_source

TARGET = RepositoryName("demo/team/web")
HOST = "registry.test:5000"
DIGEST = f"sha256:{'ab' * 32}"


def parse(kind: str, name: str, namespace: str = "", *, reference: bool = False) -> Source | None:
    source = ObjectReference(kind=kind, name=name, namespace=namespace)
    wanted = TagReference(name="v1", source=source, reference=reference)
    return parse_source(wanted, TARGET, host=HOST)


@pytest.mark.parametrize(
    ("kind", "name", "namespace", "expected"),
    [
        ("ImageStreamTag", "latest", "", ("demo/team/web", "latest", "")),
        ("ImageStreamTag", "other:v2", "", ("demo/other", "v2", "")),
        ("ImageStreamTag", "a~b:v2", "base", ("base/a/b", "v2", "")),
        ("ImageStreamImage", f"web@{DIGEST}", "", ("demo/web", "", DIGEST)),
        ("ImageStreamImage", "web@sha256:ab", "x", ("x/web", "", "sha256:ab")),
        ("DockerImage", f"{HOST}/demo/a/b", "", ("demo/a/b", "latest", "")),
        ("DockerImage", f"docker://{HOST}/demo/a:v3", "", ("demo/a", "v3", "")),
        ("DockerImage", f"{HOST}/demo/a@{DIGEST}", "", ("demo/a", "", DIGEST)),
    ],
)
def test_a_source_is_a_tag_or_an_image_of_a_repository(
    kind: str, name: str, namespace: str, expected: tuple[str, str, str]
) -> None:
    repository, tag, found = expected
    wanted = Source(
        repository=RepositoryName(repository), tag=Tag(tag) if tag else None, image=found
    )
    assert wanted == parse(kind, name, namespace)


@pytest.mark.parametrize(
    ("kind", "name", "namespace"),
    [
        ("Pod", "x", ""),
        ("", "x", ""),
        ("ImageStreamTag", "", ""),
        ("ImageStreamTag", ":v1", ""),
        ("ImageStreamTag", "latest", "elsewhere"),
        ("ImageStreamTag", "../x:v1", ""),
        ("ImageStreamTag", "UPPER:v1", ""),
        ("ImageStreamImage", "web", ""),
        ("ImageStreamImage", "web@", ""),
        ("DockerImage", "docker.io/library/busybox", ""),
        ("DockerImage", f"{HOST}.evil.test/demo/a:v1", ""),
        ("DockerImage", f"{HOST}/single", ""),
        ("DockerImage", f"{HOST}/demo/a@sha256:short", ""),
    ],
)
def test_what_means_nothing_here_is_refused(kind: str, name: str, namespace: str) -> None:
    with pytest.raises(ObjectInvalid):
        parse(kind, name, namespace)


def test_a_mere_reference_to_another_registry_tags_nothing() -> None:
    assert parse("DockerImage", "docker.io/library/busybox", reference=True) is None
