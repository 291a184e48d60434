"""Patches, applies, dry runs and deletions of collections through the face."""

from typing import Any

import pytest

from atomic_registry.identity.records import OAuthClient
from tests.faces.api.conftest import AUTHORIZATION, OAUTH, PROJECTS, RBAC, USERS, Answer, Api

ROBOTS = "/api/v1/namespaces/demo/serviceaccounts"
ROLES = f"{RBAC}/namespaces/demo/roles"
BINDINGS = f"{RBAC}/namespaces/demo/rolebindings"
RULE = {"verbs": ["get"], "apiGroups": ["image.openshift.io"], "resources": ["imagestreams"]}
EVERYTHING = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
MERGE, STRATEGIC, JSON, APPLY = (
    f"application/{name}"
    for name in (
        "merge-patch+json",
        "strategic-merge-patch+json",
        "json-patch+json",
        "apply-patch+yaml",
    )
)


@pytest.fixture(autouse=True)
async def demo(api: Api) -> None:
    assert 201 == (await api.new_project("mary", "demo")).status
    await api.post("mary", ROBOTS, {"metadata": {"name": "ci", "labels": {"a": "1"}}})


async def patch(api: Api, path: str, body: Any, kind: str = MERGE, user: str = "mary") -> Answer:
    return await api.call(user, "PATCH", path, body, media_type=kind)


async def apply(
    api: Api, config: Any, manager: str = "one", query: str = "", user: str = "mary"
) -> Answer:
    name = config["metadata"]["name"]
    path = f"{ROBOTS}/{name}?fieldManager={manager}{query}"
    return await patch(api, path, config, APPLY, user)


def robot(name: str = "new", **labels: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}
    }  # fmt: skip
    if labels:
        document["metadata"]["labels"] = labels
    return document


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (MERGE, {"metadata": {"labels": {"b": "2"}}}),
        (STRATEGIC, {"metadata": {"labels": {"b": "2"}}}),
        (JSON, [{"op": "add", "path": "/metadata/labels/b", "value": "2"}]),
    ],
)
async def test_a_patch_of_each_type_changes_what_it_names(api: Api, kind: str, body: Any) -> None:
    answer = await patch(api, f"{ROBOTS}/ci", body, kind)

    assert 200 == answer.status, answer.body
    assert {"a": "1", "b": "2"} == answer.body["metadata"]["labels"]
    assert answer.body == (await api.get("mary", f"{ROBOTS}/ci")).body


async def test_a_patch_that_changes_nothing_writes_nothing(api: Api) -> None:
    before = (await api.get("mary", f"{ROBOTS}/ci")).body

    answer = await patch(api, f"{ROBOTS}/ci", {"metadata": {"labels": {"a": "1"}}})

    assert before == answer.body


async def test_the_generation_counts_changes_beside_metadata(api: Api) -> None:
    labelled = await patch(api, f"{ROBOTS}/ci", {"metadata": {"labels": {"b": "2"}}})
    disabled = await patch(api, f"{ROBOTS}/ci", {"disabled": True})

    assert [1, 2] == [it.body["metadata"]["generation"] for it in (labelled, disabled)]


async def test_a_resource_version_in_a_patch_is_a_precondition(api: Api) -> None:
    version = (await api.get("mary", f"{ROBOTS}/ci")).body["metadata"]["resourceVersion"]
    meta = {"resourceVersion": version, "labels": {"a": "2"}}

    fits = await patch(api, f"{ROBOTS}/ci", {"metadata": meta})
    stale = await patch(api, f"{ROBOTS}/ci", {"metadata": meta | {"labels": {"a": "3"}}})

    assert [200, 409] == [fits.status, stale.status]
    assert "Conflict" == stale.body["reason"]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (JSON, [{"op": "test", "path": "/metadata/name", "value": "x"}], 422),
        (JSON, [{"op": "sing"}], 400),
        (JSON, b"{", 400),
        (MERGE, [1], 400),
        (MERGE, {"metadata": {"name": "other"}}, 422),
        (MERGE, {"metadata": {"uid": "other"}}, 409),
        (MERGE, {"metadata": {"labels": {"a": 1}}}, 422),
        (STRATEGIC, {"$patch": "sing"}, 422),
        ("application/json", {}, 415),
        ("application/apply-patch+cbor", b"\xa0", 415),
    ],
)
async def test_a_patch_that_does_not_fit_is_refused(
    api: Api, kind: str, body: Any, status: int
) -> None:
    before = (await api.get("mary", f"{ROBOTS}/ci")).body

    answer = await patch(api, f"{ROBOTS}/ci", body, kind)

    assert status == answer.status, answer.body
    assert before == (await api.get("mary", f"{ROBOTS}/ci")).body


async def test_a_patch_needs_its_own_right_and_an_object(api: Api) -> None:
    body = {"metadata": {"labels": {"b": "2"}}}
    await api.grant("demo", "view", kind="User", name="bob")

    refused = await patch(api, f"{ROBOTS}/ci", body, user="bob")
    missing = await patch(api, f"{ROBOTS}/none", body)

    assert [403, 404] == [refused.status, missing.status]


@pytest.mark.parametrize("kind", [MERGE, STRATEGIC, JSON, APPLY])
async def test_a_patch_cannot_hand_out_more_than_its_writer_holds(api: Api, kind: str) -> None:
    await api.post("mary", ROLES, {"metadata": {"name": "r"}, "rules": [RULE]})
    body: Any = {"rules": [EVERYTHING]}
    if kind == JSON:
        body = [{"op": "add", "path": "/rules/-", "value": EVERYTHING}]
    if kind == APPLY:
        head = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}
        body |= head | {"metadata": {"name": "r"}}
    path = f"{ROLES}/r" + ("?fieldManager=x&force=true" if kind == APPLY else "")

    answer = await patch(api, path, body, kind)

    assert (403, "Forbidden") == (answer.status, answer.body["reason"])
    assert [RULE] == (await api.get("mary", f"{ROLES}/r")).body["rules"]


async def test_an_apply_cannot_bind_a_wider_role(api: Api) -> None:
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "grab"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "name": "mary"}],
    }

    answer = await patch(api, f"{BINDINGS}/grab?fieldManager=x", binding, APPLY)

    assert 403 == answer.status
    assert 404 == (await api.get("mary", f"{BINDINGS}/grab")).status


async def test_a_patch_leaves_secrets_that_are_never_shown(api: Api) -> None:
    made = {"metadata": {"name": "tool"}, "secret": "hush"}
    await api.post("root", f"{OAUTH}/oauthclients", made)

    answer = await patch(api, f"{OAUTH}/oauthclients/tool", {"grantMethod": "auto"}, user="root")

    assert (200, "auto") == (answer.status, answer.body["grantMethod"])
    assert b"hush" not in answer.raw
    stored = await api.stored(OAuthClient, "tool")
    assert stored is not None
    assert 1 == len(stored.secret_hashes)


async def test_an_apply_creates_with_both_rights_only(api: Api) -> None:
    rule = {"verbs": ["patch", "get"], "apiGroups": [""], "resources": ["serviceaccounts"]}
    await api.post("root", ROLES, {"metadata": {"name": "patcher"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "patcher"},
        "roleRef": {"kind": "Role", "name": "patcher"},
        "subjects": [{"kind": "User", "name": "bob"}],
    }
    await api.post("root", BINDINGS, binding)

    refused = await apply(api, robot(), user="bob")
    changed = await apply(api, robot("ci", b="2"), user="bob")
    made = await apply(api, robot(a="1"))

    assert [403, 200, 201] == [refused.status, changed.status, made.status]
    [entry] = made.body["metadata"]["managedFields"]
    assert ("one", "Apply", "v1", "FieldsV1") == tuple(
        entry[key] for key in ("manager", "operation", "apiVersion", "fieldsType")
    )
    assert {"f:metadata": {"f:labels": {"f:a": {}}}} == entry["fieldsV1"]


async def test_a_conflict_has_the_form_that_clients_read(api: Api) -> None:
    await apply(api, robot(a="1"))

    refused = await apply(api, robot(a="2"), "two")
    forced = await apply(api, robot(a="2"), "two", "&force=true")
    after = await apply(api, robot(a="1"))

    message = 'Apply failed with 1 conflict: conflict with "one": .metadata.labels.a'
    assert (409, "Conflict", message) == (
        refused.status, refused.body["reason"], refused.body["message"]
    )  # fmt: skip
    cause = {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "one"',
        "field": ".metadata.labels.a",
    }
    assert [cause] == refused.body["details"]["causes"]
    assert [200, 409] == [forced.status, after.status]


async def test_an_update_takes_the_fields_that_it_changes(api: Api) -> None:
    await apply(api, robot(a="1", b="1"))

    await patch(api, f"{ROBOTS}/new?fieldManager=hand", {"metadata": {"labels": {"a": "2"}}})

    found = (await api.get("mary", f"{ROBOTS}/new")).body["metadata"]["managedFields"]
    assert {
        ("one", "Apply"): {"f:metadata": {"f:labels": {"f:b": {}}}},
        ("hand", "Update"): {"f:metadata": {"f:labels": {"f:a": {}}}},
    } == {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in found}
    assert 409 == (await apply(api, robot(a="1"))).status


async def test_members_of_a_group_are_shared_by_appliers(api: Api) -> None:
    async def members(manager: str, *users: str) -> list[str]:
        body = {
            "apiVersion": "user.openshift.io/v1",
            "kind": "Group",
            "metadata": {"name": "devs"},
            "users": list(users),
        }
        path = f"{USERS}/groups/devs?fieldManager={manager}"
        answer = await patch(api, path, body, APPLY, user="root")
        assert answer.status in {200, 201}, answer.body
        found: list[str] = answer.body.get("users", [])
        return found

    assert ["mary", "bob"] == await members("one", "mary", "bob")
    assert {"mary", "bob", "eve"} == set(await members("two", "eve", "bob"))
    assert {"bob", "eve"} == set(await members("one"))


@pytest.mark.parametrize(
    ("query", "change", "status"),
    [
        ("", {}, 400),
        (f"fieldManager={'x' * 129}", {}, 400),
        ("fieldManager=x&force=maybe", {}, 400),
        ("fieldManager=x&fieldValidation=Loud", {}, 400),
        ("fieldManager=x&dryRun=Some", {}, 400),
        ("fieldManager=x", {"kind": "Secret"}, 422),
        ("fieldManager=x", {"apiVersion": "v2"}, 422),
        ("fieldManager=x", {"metadata": {"name": "other"}}, 422),
        ("fieldManager=x", {"metadata": {"managedFields": [{"manager": "y"}]}}, 422),
        ("fieldManager=x", {"metadata": {"resourceVersion": "1"}}, 409),
    ],
)
async def test_an_apply_that_is_not_right_is_refused(
    api: Api, query: str, change: Any, status: int
) -> None:
    answer = await patch(api, f"{ROBOTS}/ci?{query}", robot("ci") | change, APPLY)

    assert status == answer.status, answer.body


async def test_force_is_for_applies_only(api: Api) -> None:
    assert 400 == (await patch(api, f"{ROBOTS}/ci?force=true", {})).status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_unknown_fields_are_dropped_warned_of_or_refused(api: Api, method: str) -> None:
    path = ROBOTS if method == "POST" else f"{ROBOTS}/ci"
    kind = MERGE if method == "PATCH" else "application/json"
    body = {"metadata": {"name": "ci"}, "disabledd": True, 'odd"\u00e9': {"x": 1}}
    if method == "POST":
        await api.call("mary", "DELETE", f"{ROBOTS}/ci")

    answers = [
        await api.call("mary", method, f"{path}?dryRun=All{query}", body, media_type=kind)
        for query in ("", "&fieldValidation=Warn", "&fieldValidation=Ignore")
    ]
    strict = await api.call("mary", method, f"{path}?fieldValidation=Strict", body, media_type=kind)

    assert 3 == sum(answer.status in {200, 201} for answer in answers)
    warned = r'299 - "unknown field \"disabledd\"", 299 - "unknown field \"odd\"\xe9\""'
    assert [warned, warned, None] == [answer.headers.get("Warning") for answer in answers]
    assert 400 == strict.status
    assert 'unknown field "disabledd"' in strict.body["message"]


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (f"{OAUTH}/oauthclients", {"metadata": {"name": "t"}, "secret": "x"}),
        (PROJECTS, {"metadata": {"name": "pp"}, "spec": {"finalizers": ["kubernetes"]}}),
        (
            BINDINGS,
            {
                "metadata": {"name": "b"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                            "name": "view"},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User",
                              "name": "x"}],
            },
        ),
        (
            f"{AUTHORIZATION}/namespaces/demo/rolebindings",
            {"metadata": {"name": "b"}, "roleRef": {"name": "view"}, "userNames": ["x"],
             "groupNames": None},
        ),
    ],
)  # fmt: skip
async def test_fields_that_are_read_or_shown_are_known(api: Api, path: str, document: Any) -> None:
    answer = await api.post("root", f"{path}?fieldValidation=Strict", document)

    assert 201 == answer.status, answer.body


async def test_a_dry_run_checks_everything_and_keeps_nothing(api: Api) -> None:
    before = (await api.get("mary", f"{ROBOTS}/ci")).body
    revision = await api.store.last_revision()
    made = await api.post("mary", f"{ROBOTS}?dryRun=All", {"metadata": {"name": "try"}})
    twice = await api.post("mary", f"{ROBOTS}?dryRun=All", {"metadata": {"name": "ci"}})
    changed = await patch(api, f"{ROBOTS}/ci?dryRun=All", {"metadata": {"labels": {"z": "1"}}})
    applied = await apply(api, robot(a="1"), query="&dryRun=All")
    deleted = await api.call("mary", "DELETE", f"{ROBOTS}/ci", {"dryRun": ["All"]})
    all_gone = await api.call("mary", "DELETE", f"{ROBOTS}?dryRun=All")
    project = await api.call("mary", "DELETE", f"{PROJECTS}/demo?dryRun=All")

    assert [201, 409, 200, 201, 200, 200, 200] == [
        it.status for it in (made, twice, changed, applied, deleted, all_gone, project)
    ]
    assert {"a": "1", "z": "1"} == changed.body["metadata"]["labels"]
    assert made.body["metadata"]["uid"]
    assert before == (await api.get("mary", f"{ROBOTS}/ci")).body
    assert revision == await api.store.last_revision()


async def test_a_dry_run_is_refused_what_the_write_would_be(api: Api) -> None:
    body = {"metadata": {"name": "r"}, "rules": [EVERYTHING]}

    assert 403 == (await api.post("mary", f"{ROLES}?dryRun=All", body)).status


async def test_a_collection_is_deleted_by_selector_and_whole(api: Api) -> None:
    for name in ("a", "b", "c"):
        document = {"metadata": {"name": name, "labels": {"batch": "x"}}}
        await api.post("mary", ROBOTS, document)

    async def names() -> list[str]:
        items = (await api.get("mary", ROBOTS)).body["items"]
        return [item["metadata"]["name"] for item in items]

    refused = await api.call("bob", "DELETE", ROBOTS)
    one = await api.call("mary", "DELETE", f"{ROBOTS}?fieldSelector=metadata.name=b")
    assert ["a", "c", "ci"] == await names()
    some = await api.call("mary", "DELETE", f"{ROBOTS}?labelSelector=batch=x")
    assert ["ci"] == await names()
    rest = await api.call("mary", "DELETE", ROBOTS, {"propagationPolicy": "Background"})

    assert [] == await names()
    assert [403, 200, 200, 200] == [it.status for it in (refused, one, some, rest)]
    assert 405 == (await api.call("root", "DELETE", PROJECTS)).status


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("metadata.name=ci", ["ci"]),
        ("metadata.name==ci", ["ci"]),
        ("metadata.name!=ci", ["other"]),
        ("metadata.name=ci,metadata.namespace=demo", ["ci"]),
        ("metadata.name=ci,metadata.namespace!=demo", []),
        ("metadata.name=none", []),
        ("metadata.namespace=demo", ["ci", "other"]),
    ],
)
async def test_lists_are_narrowed_by_name_and_namespace(
    api: Api, selector: str, expected: list[str]
) -> None:
    await api.post("mary", ROBOTS, {"metadata": {"name": "other"}})

    for path, user in ((ROBOTS, "mary"), ("/api/v1/serviceaccounts", "root")):
        listed = await api.get(user, f"{path}?fieldSelector={selector}")
        assert expected == [item["metadata"]["name"] for item in listed.body["items"]]


@pytest.mark.parametrize("selector", ["spec.x=1", "metadata.name", "metadata.name=a=b"])
async def test_another_field_is_no_selector(api: Api, selector: str) -> None:
    assert 400 == (await api.get("mary", f"{ROBOTS}?fieldSelector={selector}")).status


@pytest.mark.parametrize("kind", ["application/yaml", "application/x-yaml"])
async def test_objects_are_written_in_yaml(api: Api, kind: str) -> None:
    body = b'metadata:\n  name: yaml\n  annotations:\n    since: 2026-01-01\n    note: "yes"\n'

    made = await api.call("mary", "POST", ROBOTS, body, media_type=kind)

    assert 201 == made.status, made.body
    assert {"since": "2026-01-01", "note": "yes"} == made.body["metadata"]["annotations"]


@pytest.mark.parametrize(
    "body",
    [
        b"metadata: &a {name: x}\nother: *a\n",
        b"metadata: &a {name: x}\n",
        b"metadata: !!python/object:os.system {name: x}\n",
        b"metadata: !!binary aGk=\n",
        b"metadata: {name: x}\n---\nmetadata: {name: y}\n",
        b"metadata: {name: x, name: y}\n",
        b"metadata: {1: x}\n",
        b'metadata: {name: "\\0"}\n',
        b"disabled: .nan\n",
        b"disabled: " + b"[" * 60 + b"]" * 60,
        b"- metadata\n",
        b"\xff\xfe",
        b"a: [\n",
    ],
)
async def test_yaml_that_is_more_than_plain_data_is_refused(api: Api, body: bytes) -> None:
    answer = await api.call("mary", "POST", ROBOTS, body, media_type="application/yaml")

    assert 400 == answer.status


async def test_yaml_has_a_limit_of_its_own(api: Api) -> None:
    body = b"metadata: {name: x}\nnote: " + b"x" * 600_000

    answer = await api.call("mary", "POST", ROBOTS, body, media_type="application/yaml")

    assert 413 == answer.status


async def test_managers_can_be_rewritten_and_forgotten_by_a_client(api: Api) -> None:
    await apply(api, robot(a="1"))
    path = "/metadata/managedFields"

    moved = await patch(
        api, f"{ROBOTS}/new",
        [{"op": "replace", "path": f"{path}/0/manager", "value": "two"}], JSON,
    )  # fmt: skip
    forgotten = await patch(api, f"{ROBOTS}/new", {"metadata": {"managedFields": [{}]}})
    nonsense = await patch(api, f"{ROBOTS}/new", {"metadata": {"managedFields": [{"x": 1}]}})

    assert ["two"] == [entry["manager"] for entry in moved.body["metadata"]["managedFields"]]
    assert "managedFields" not in forgotten.body["metadata"]
    assert 200 == nonsense.status
