"""Schemas from types, and the documents of both versions."""

from typing import Any

import msgspec
import pytest

from atomic_registry.kube.objects import KubeObject, ObjectMeta
from atomic_registry.kube.openapi import Operation, Parameter, version_2, version_3
from atomic_registry.kube.schemas import (
    GVK,
    OBJECT_META,
    SchemaBuilder,
    Words,
    common_definitions,
)

WORDS = Words(
    descriptions={"Thing.size": "How large it is.", "parts": "What it is made of."},
    lists={"Thing.parts": "name", "tags": "set"},
)
KIND: dict[str, object] = {"group": "example.com", "version": "v1", "kind": "Thing"}


class Part(msgspec.Struct, rename="camel"):
    """A part of a thing."""

    name: str
    weight: float = 0.0
    inner: "Part | None" = None


class Thing(KubeObject, rename="camel", kw_only=True):
    """A thing of `some` kind.

    More about it.
    """

    size: int | None = None
    amount: str | int = 0
    parts: list[Part] = msgspec.field(default_factory=list)
    tags: list[str] = msgspec.field(default_factory=list)
    names: dict[str, bool] = msgspec.field(default_factory=dict)
    free: object = None


def build() -> dict[str, Any]:
    builder = SchemaBuilder("com.example.v1", WORDS)
    name = builder.add_kind(Thing, "Thing", [KIND])
    builder.add_list("Thing", name, [KIND | {"kind": "ThingList"}])
    return common_definitions(WORDS) | builder.definitions


OPERATION = Operation(
    method="PUT",
    path="/things/{name}",
    identifier="putThing",
    description="Replaces it.",
    action="put",
    gvk=KIND,
    parameters=[
        Parameter(name="name", description="", place="path"),
        Parameter(name="dryRun", description=""),
    ],
    body="com.example.v1.Thing",
    answer="com.example.v1.Thing",
    errors=(409,),
)


def test_a_schema_says_what_the_type_does() -> None:
    document: Any = version_3("t", "1", build(), [])
    schemas = document["components"]["schemas"]
    thing = schemas["com.example.v1.Thing"]
    fields = thing["properties"]

    assert "A thing of some kind." == thing["description"]
    assert [KIND] == thing[GVK]
    assert {"type": "integer", "format": "int64", "description": "How large it is."} == fields[
        "size"
    ]
    assert {"type": "object", "additionalProperties": {"type": "boolean"}} == fields["names"]
    assert {"$ref": "#/components/schemas/com.example.v1.Part"} == fields["parts"]["items"]
    assert ("map", ["name"], "merge", "name") == (
        fields["parts"]["x-kubernetes-list-type"],
        fields["parts"]["x-kubernetes-list-map-keys"],
        fields["parts"]["x-kubernetes-patch-strategy"],
        fields["parts"]["x-kubernetes-patch-merge-key"],
    )
    assert "set" == fields["tags"]["x-kubernetes-list-type"]
    assert {"$ref": f"#/components/schemas/{OBJECT_META}"} == fields["metadata"]
    assert {"string", "integer"} == {it["type"] for it in fields["amount"]["oneOf"]}
    assert {"x-kubernetes-preserve-unknown-fields": True} == fields["free"]
    assert ["name"] == schemas["com.example.v1.Part"]["required"]
    names = {field.encode_name for field in msgspec.structs.fields(ObjectMeta)}
    assert names == set(schemas[OBJECT_META]["properties"])


def references(value: object) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(it) for it in value.values()))
    return set().union(*(references(it) for it in value)) if isinstance(value, list) else set()


@pytest.mark.parametrize(
    ("render", "below"), [(version_3, "components/schemas"), (version_2, "definitions")]
)
def test_every_reference_leads_somewhere(render: Any, below: str) -> None:
    document = render("t", "1", build(), [OPERATION])
    target: Any = document
    for part in below.split("/"):
        target = target[part]

    found = references(document)

    assert found
    assert {f"#/{below}/{name}" for name in target} >= found


def test_an_operation_is_described_in_both_versions() -> None:
    new: Any = version_3("t", "1", build(), [OPERATION])
    old: Any = version_2("t", "1", build(), [OPERATION])
    path_3, path_2 = (it["paths"]["/things/{name}"]["put"] for it in (new, old))

    assert ("3.0.0", "2.0") == (new["openapi"], old["swagger"])
    for shown in (path_3, path_2):
        assert ("putThing", "put", KIND) == (
            shown["operationId"],
            shown["x-kubernetes-action"],
            shown[GVK],
        )
        assert {"200", "409"} == set(shown["responses"])
    assert path_3["requestBody"]["required"]
    assert ["path", "query"] == [it["in"] for it in path_3["parameters"]]
    assert ["path", "query", "body"] == [it["in"] for it in path_2["parameters"]]
    assert {"type": "string"} == old["definitions"]["com.example.v1.Thing"]["properties"]["amount"]
