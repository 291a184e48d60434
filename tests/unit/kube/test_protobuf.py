"""The binary form of typed clients; samples are written here by hand."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomic_registry.kube.protobuf import decode


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def entry(number: int, key: str, value: bytes | str) -> bytes:
    return field(number, field(1, key) + field(2, value))


def message(kind: str, raw: bytes, version: str = "v1") -> bytes:
    head = field(1, field(1, version) + field(2, kind))
    return b"k8s\0" + head + field(2, raw) + field(3, "") + field(4, "")


META = field(1, field(1, "s1") + field(3, "demo") + entry(11, "app", "web") + field(8, b""))


def test_a_secret_comes_out_as_its_json_form() -> None:
    raw = META + entry(2, "token", b"\xff\x00") + field(3, "Opaque") + field(5, 1)

    assert {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": "s1", "namespace": "demo", "labels": {"app": "web"}},
        "data": {"token": base64.b64encode(b"\xff\x00").decode()},
        "type": "Opaque",
        "immutable": True,
    } == decode(message("Secret", raw))


def test_lists_of_messages_quantities_times_and_numbers_are_read() -> None:
    rbac = "rbac.authorization.k8s.io/v1"
    rule = field(1, "get") + field(1, "list") + field(2, "") + field(3, "secrets")
    quota = META + field(2, entry(1, "atomic-registry/bytes", field(1, "5Gi")))
    token = META + field(2, field(4, 600) + field(1, "here"))
    timed = field(1, field(8, field(1, 1_767_225_600)))

    role = decode(message("Role", field(2, rule), rbac))
    assert [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["secrets"]}] == role[
        "rules"
    ]
    spec = decode(message("ResourceQuota", quota))["spec"]
    assert {"hard": {"atomic-registry/bytes": "5Gi"}} == spec
    spec = decode(message("TokenRequest", token, "authentication.k8s.io/v1"))["spec"]
    assert {"expirationSeconds": 600, "audiences": ["here"]} == spec
    meta = decode(message("Namespace", timed))["metadata"]
    assert {"creationTimestamp": "2026-01-01T00:00:00Z"} == meta


def test_a_negative_number_stays_negative() -> None:
    options = decode(message("DeleteOptions", field(1, 2**64 - 1)))

    assert -1 == options["gracePeriodSeconds"]


def test_unknown_fields_are_skipped() -> None:
    raw = (
        META + field(99, "what?") + varint(98 << 3 | 1) + bytes(8) + varint(97 << 3 | 5) + bytes(4)
    )

    assert {"kind", "apiVersion", "metadata"} == set(decode(message("Namespace", raw)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"k8s\0",
        message("Pod", b""),
        message("Secret", b"", "apps/v1"),
        message("ObjectMeta", b""),
        message("Secret", b"\x0a\xff"),
        message("Secret", b"\xff" * 11),
        message("Secret", varint(1 << 3 | 3)),
        message("Secret", field(1, 5)),
        message("Secret", field(3, b"\xff")),
        message("Secret", field(3, "a\0b")),
        message("Secret", field(5, "x")),
        message("Secret", META)[:-10],
    ],
)
def test_what_is_not_such_a_message_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(content)


@given(st.binary(max_size=200), st.sampled_from(["Secret", "Role", "DeleteOptions"]))
def test_no_content_does_more_than_be_refused(content: bytes, kind: str) -> None:
    with contextlib.suppress(ValueError):
        decode(message(kind, content, "v1"))
