"""Descriptions, and changes that are made again on a newer document."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomic_registry.cli.objects.descriptions import described_lines
from atomic_registry.cli.objects.merging import Overlap, difference, rebased

NOW = datetime(2026, 5, 2, tzinfo=UTC)
_KEYS = st.sampled_from(["a", "b", "c"])
_DOCUMENTS = st.dictionaries(
    _KEYS, st.integers(0, 2) | st.dictionaries(_KEYS, st.integers(0, 2), min_size=1)
)


def described(kind: str, **parts: object) -> str:
    metadata = {"name": "x", "namespace": "demo", "creationTimestamp": "2026-05-01T00:00:00Z"}
    return "\n".join(described_lines(kind, {"kind": kind, "metadata": metadata, **parts}, NOW))


def test_a_secret_is_described_without_its_values() -> None:
    value = base64.b64encode(b"hunter2").decode()

    text = described("Secret", type="Opaque", data={"password": value, "odd": "%%"})

    assert "password:  7 bytes" in text and "not base64" in text
    assert value not in text and "hunter2" not in text


def test_a_stream_is_described_with_what_its_tags_were() -> None:
    def move(image: str, day: int) -> dict[str, object]:
        return {"image": image, "created": f"2026-04-{day:02}T00:00:00Z"}

    status = {
        "dockerImageRepository": "host:5000/demo/web",
        "tags": [{"tag": "v1", "items": [move("sha256:bb", 30), move("sha256:aa", 1)]}],
        "removedTags": [
            {"tag": "old", "removed": "2026-05-01T00:00:00Z", "items": [move("sha256:aa", 1)]}
        ],
    }
    origin = {"kind": "ImageStreamTag", "name": "web:v0"}
    spec = {"tags": [{"name": "v1", "from": origin}, {"name": "wish", "from": origin}]}

    lines = described("ImageStream", spec=spec, status=status).splitlines()

    at = lines.index("v1 follows web:v0")
    assert ["*", "0", "2d", "ago", "sha256:bb"] == lines[at + 1].split()
    assert ["1", "31d", "ago", "sha256:aa"] == lines[at + 2].split()
    assert "  names no image yet" == lines[lines.index("wish follows web:v0") + 1]
    assert "sha256:aa" in lines[lines.index("old, removed 24h ago") + 1]


def test_an_image_is_described_by_what_runs_in_it_and_its_layers() -> None:
    image = {
        "metadata": {"name": "sha256:cc"},
        "dockerImageMetadata": {
            "Os": "linux", "Architecture": "arm64", "Size": 3 << 20, "Author": "mary",
            "Config": {"Cmd": ["/bin/x"], "Env": ["A=b"], "ExposedPorts": {"80/tcp": {}}},
        },
        "dockerImageLayers": [{"name": "sha256:dd", "size": 2048}],
        "dockerImageManifests": [{"digest": "sha256:ee", "os": "linux", "architecture": "s390x"}],
        "signatures": [{}],
    }  # fmt: skip

    text = described("ImageStreamTag", image=image)

    for part in ("3.0 MiB", "linux/arm64", "/bin/x", "A=b", "80/tcp", "2.0 KiB  sha256:dd", "mary",
                 "linux/s390x  sha256:ee", "not verified"):  # fmt: skip
        assert part in text


def test_rights_are_described_in_words() -> None:
    rule = {"apiGroups": ["g"], "resources": ["things"], "verbs": ["get"], "resourceNames": ["a"]}
    assert "get: things.g (only a)" in described("Role", rules=[rule])
    subject = {"kind": "ServiceAccount", "namespace": "demo", "name": "ci"}
    text = described("RoleBinding", roleRef={"kind": "Role", "name": "r"}, subjects=[subject])
    assert "Role/r" in text and "ServiceAccount demo/ci" in text
    assert "1 of 3" in described(
        "ResourceQuota", status={"hard": {"bytes": "3"}, "used": {"bytes": "1"}}
    )
    limit = {"type": "openshift.io/Image", "max": {"storage": "1Gi"}}
    assert "max storage: 1Gi" in described("LimitRange", spec={"limits": [limit]})


def test_a_kind_that_is_not_known_is_shown_as_it_is() -> None:
    assert "colour: blue" in described("Gadget", spec={"colour": "blue"})


@given(_DOCUMENTS, _DOCUMENTS)
def test_a_change_on_an_unchanged_document_gives_the_edited_one(
    original: dict[str, object], edited: dict[str, object]
) -> None:
    assert edited == rebased(original, edited, original)


@given(_DOCUMENTS, _DOCUMENTS, _DOCUMENTS)
def test_no_change_of_somebody_else_is_lost(
    original: dict[str, object], edited: dict[str, object], current: dict[str, object]
) -> None:
    try:
        result = rebased(original, edited, current)
    except Overlap:
        return
    mine, theirs = difference(original, edited), difference(original, current)
    assert {**theirs, **mine} == difference(original, result)


def test_two_changes_of_one_field_are_told_apart() -> None:
    with pytest.raises(Overlap, match=r"spec\.a"):
        rebased({"spec": {"a": 1}}, {"spec": {"a": 2}}, {"spec": {"a": 3}})
    both = rebased({"spec": {"a": 1}}, {"spec": {"a": 2}}, {"spec": {"a": 1, "b": 1}})
    assert {"spec": {"a": 2, "b": 1}} == both
