"""The API's own description: complete, consistent, and cached."""

from collections.abc import Iterator
from typing import Any

import pytest

from atomic_registry.faces.api import routes
from atomic_registry.kube.shapes import ATOMIC, shape_of
from atomic_registry.resources.kinds import CORE, named_groups, prefix, resources_of
from tests.faces.api.conftest import Api

GVK = "x-kubernetes-group-version-kind"
GROUPS = [CORE, *named_groups()]

Path = tuple[str, ...]
Marked = tuple[Path, dict[str, Any]]


async def document(api: Api, group: str) -> Any:
    return (await api.get("nobody", f"/openapi/v3{prefix(group)}")).body


async def test_the_index_leads_to_each_groups_document(api: Api) -> None:
    index = (await api.get("nobody", "/openapi/v3")).body["paths"]

    assert {prefix(group)[1:] for group in GROUPS} == set(index)
    for entry in index.values():
        answer = await api.get("nobody", entry["serverRelativeURL"])
        assert "3.0.0" == answer.body["openapi"]
        hashed = entry["serverRelativeURL"].partition("hash=")[2]
        assert f'"{hashed}"' == answer.headers["ETag"]


@pytest.mark.parametrize("group", GROUPS)
async def test_every_row_of_a_group_is_described(api: Api, group: str) -> None:
    paths = (await document(api, group))["paths"]

    described = {(method.upper(), path) for path in paths for method in paths[path]}
    below = (prefix(group), f"{prefix(group)}/")
    served = {
        (method, path)
        for method, path, *_ in routes.ROWS
        if path == below[0] or path.startswith(below[1])
    }
    assert served == described
    for methods in paths.values():
        for each in methods.values():
            names = [(it["in"], it["name"]) for it in each["parameters"]]
            assert len(set(names)) == len(names)


async def test_every_operation_has_a_name_of_its_own(api: Api) -> None:
    paths = (await api.get("nobody", "/openapi/v2")).body["paths"]
    names = [each["operationId"] for methods in paths.values() for each in methods.values()]

    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("group", GROUPS)
async def test_every_kind_has_a_schema_with_descriptions(api: Api, group: str) -> None:
    schemas = (await document(api, group))["components"]["schemas"]
    by_kind = {gvk["kind"]: it for it in schemas.values() for gvk in it.get(GVK, ())}

    for row in resources_of(group):
        schema = by_kind[row.kind]
        assert {"apiVersion", "kind", "metadata"} <= set(schema["properties"])
        assert schema["description"]
        if "list" in row.verbs:
            assert f"{row.kind}List" in by_kind


async def test_the_form_on_the_wire_is_described_not_the_stored_one(api: Api) -> None:
    schemas = (await document(api, "oauth.openshift.io"))["components"]["schemas"]
    client = schemas["io.openshift.oauth.v1.OAuthClient"]["properties"]
    core = (await document(api, CORE))["components"]["schemas"]

    assert {"secret", "redirectURIs"} <= set(client)
    assert "stringData" in core["io.k8s.api.core.v1.Secret"]["properties"]
    assert "status" in core["io.k8s.api.core.v1.ResourceQuota"]["properties"]


async def test_writes_say_that_they_check_fields(api: Api) -> None:
    """By this kubectl decides who validates."""
    paths = (await document(api, CORE))["paths"]
    patch = paths["/api/v1/namespaces/{namespace}/secrets/{name}"]["patch"]

    assert "fieldValidation" in [it["name"] for it in patch["parameters"]]
    assert {"group": "", "version": "v1", "kind": "Secret"} == patch[GVK]
    assert "application/apply-patch+yaml" in patch["requestBody"]["content"]


async def test_the_binary_form_is_refused_so_that_clients_take_another(api: Api) -> None:
    for path, version in (("/openapi/v2", "v2"), ("/openapi/v3/api/v1", "v3")):
        binary = f"application/com.github.proto-openapi.spec.{version}@v1.0+protobuf"
        refused = await api.call("nobody", "GET", path, headers={"Accept": binary})
        either = await api.call(
            "nobody", "GET", path, headers={"Accept": f"{binary}, application/json"}
        )
        assert (406, 200) == (refused.status, either.status)


async def test_a_document_is_not_sent_again_to_those_who_have_it(api: Api) -> None:
    for path in ("/openapi/v2", "/openapi/v3", "/openapi/v3/api/v1"):
        first = await api.get("nobody", path)
        headers = {"If-None-Match": first.headers["ETag"]}
        again = await api.call("nobody", "GET", path, headers=headers)
        assert (304, b"") == (again.status, again.raw)


def lists_of(schemas: dict[str, Any], schema: dict[str, Any], path: Path) -> Iterator[Marked]:
    """Each list that an object of the schema has, with its marks."""
    for name, part in schema.get("properties", {}).items():
        fields = (*path, name)
        inner = part.get("items", part)
        if part.get("type") == "array":
            yield fields, part
        reference = inner.get("$ref") or next(iter(inner.get("allOf", ({},)))).get("$ref", "")
        if reference and len(fields) < 4:
            yield from lists_of(schemas, schemas[reference.rpartition("/")[2]], fields)


async def test_lists_merge_as_they_are_described(api: Api) -> None:
    index = (await api.get("nobody", "/openapi/v3")).body["paths"]
    seen, wrong = set(), set()
    for group in index.values():
        schemas = (await api.get("nobody", group["serverRelativeURL"])).body["components"]
        for schema in schemas["schemas"].values():
            for gvk in schema.get(GVK, ()):
                if gvk["kind"].endswith("List"):
                    continue
                for fields, part in lists_of(schemas["schemas"], schema, ()):
                    shape = shape_of(gvk["kind"], fields) or ATOMIC
                    kind = "set" if shape.is_set else "map" if shape.keys else "atomic"
                    said = part.get("x-kubernetes-list-type", "atomic")
                    keys = tuple(part.get("x-kubernetes-list-map-keys", ()))
                    if (kind, shape.keys) != (said, keys):
                        wrong.add((gvk["kind"], fields, said, keys))
                    seen.add((gvk["kind"], kind))

    assert not wrong
    assert {("Group", "set"), ("ImageStream", "map"), ("Role", "atomic")} < seen
