"""Tables, metadata and aggregated discovery, as clients ask for them."""

import pytest

from atomic_registry.errors import NotAcceptable
from atomic_registry.faces.api.negotiate import choices, negotiated
from atomic_registry.resources.columns import columns_of
from atomic_registry.resources.kinds import RESOURCES
from tests.faces.api.conftest import PROJECTS, RBAC, Api
from tests.kit.clock import ManualClock

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
# What kubectl sends.
KUBECTL = f"{TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"


def accept(value: str) -> dict[str, str]:
    return {"Accept": value}


async def test_a_list_is_a_table_for_those_who_ask(api: Api) -> None:
    await api.new_project("mary", "demo")

    answer = await api.call("mary", "GET", PROJECTS, headers=accept(KUBECTL))

    table = answer.body
    assert ("Table", "meta.k8s.io/v1") == (table["kind"], table["apiVersion"])
    assert ["Name", "Display Name", "Status"] == [
        it["name"] for it in table["columnDefinitions"] if not it["priority"]
    ]
    (row,) = table["rows"]
    assert ["demo", "<none>", "Active"] == row["cells"][:3]
    assert "PartialObjectMetadata" == row["object"]["kind"]
    assert table["metadata"]["resourceVersion"]


async def test_one_object_is_a_table_of_one_row(api: Api) -> None:
    await api.new_project("mary", "demo")
    path = f"{RBAC}/namespaces/demo/rolebindings/admin?includeObject=Object"

    table = (await api.call("mary", "GET", path, headers=accept(TABLE))).body

    (row,) = table["rows"]
    assert ["admin", "ClusterRole/admin", "0s", "mary", "", ""] == row["cells"]
    assert "RoleBinding" == row["object"]["kind"]
    wrong = await api.call("mary", "GET", path.replace("=Object", "=All"), headers=accept(TABLE))
    assert 400 == wrong.status


async def test_metadata_can_be_had_alone(api: Api) -> None:
    await api.new_project("mary", "demo")
    form = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"

    one = await api.call("mary", "GET", f"{PROJECTS}/demo", headers=accept(form.format("")))
    many = await api.call("mary", "GET", PROJECTS, headers=accept(form.format("List")))

    assert {"kind", "apiVersion", "metadata"} == set(one.body)
    assert "PartialObjectMetadata" == one.body["kind"]
    assert "PartialObjectMetadataList" == many.body["kind"]
    assert ["demo"] == [it["metadata"]["name"] for it in many.body["items"]]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", "ProjectList"),
        ("*/*", "ProjectList"),
        ("application/vnd.kubernetes.protobuf,application/json", "ProjectList"),
        ("application/json;as=Table;v=v9;g=meta.k8s.io, application/json", "ProjectList"),
        (f"application/json;q=0.5, {TABLE};q=0.9", "Table"),
        (f"{TABLE};q=0, application/json", "ProjectList"),
        ("application/vnd.kubernetes.protobuf", "Status"),
        ("text/html", "Status"),
        ("application/json;as=Table;v=v1;g=other", "Status"),
    ],
)
async def test_the_best_form_that_is_served_is_taken(api: Api, value: str, kind: str) -> None:
    answer = await api.call("mary", "GET", PROJECTS, headers=accept(value))

    assert kind == answer.body["kind"]
    assert (406 if kind == "Status" else 200) == answer.status


async def test_a_failure_is_a_status_also_where_a_table_was_asked_for(api: Api) -> None:
    answer = await api.call("root", "GET", f"{PROJECTS}/none", headers=accept(KUBECTL))

    assert (404, "Status") == (answer.status, answer.body["kind"])


def test_a_watch_can_shape_each_of_its_events() -> None:
    shape = negotiated(TABLE, ManualClock())
    status: dict[str, object] = {"kind": "Status", "code": 410}

    assert "Table" == shape({"kind": "User", "metadata": {"name": "x"}})["kind"]
    assert status == shape(status)
    with pytest.raises(NotAcceptable):
        negotiated("image/png", ManualClock())


def test_a_header_of_many_choices_is_read_to_a_bound() -> None:
    assert 20 == len(choices("a/b," * 1000))


@pytest.mark.parametrize("kind", sorted({row.kind for row in RESOURCES if "list" in row.verbs}))
def test_every_kind_that_is_listed_has_columns_that_take_any_object(kind: str) -> None:
    columns = columns_of(f"{kind}List")

    assert "Name" in [column.name for column in columns] or kind == "Event"
    assert len(columns) > 1
    for column in columns:
        column.cell({"metadata": {}, "subjects": 5, "spec": [], "status": {"tags": [{}]}})


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
async def test_discovery_comes_in_one_document_for_those_who_ask(api: Api, version: str) -> None:
    form = AGGREGATED.format(version)

    core = await api.call("nobody", "GET", "/api", headers=accept(f"{form},application/json"))
    rest = await api.call("nobody", "GET", "/apis", headers=accept(f"{form},application/json"))

    assert form.split(";")[0] in core.headers["Content-Type"]
    assert f"v={version};as=APIGroupDiscoveryList" in core.headers["Content-Type"]
    assert f"apidiscovery.k8s.io/{version}" == core.body["apiVersion"]
    (group,) = core.body["items"]
    found = {it["resource"]: it for it in group["versions"][0]["resources"]}
    assert ["ns"] == found["namespaces"]["shortNames"]
    assert ["token"] == [it["subresource"] for it in found["serviceaccounts"]["subresources"]]
    names = [it["metadata"]["name"] for it in rest.body["items"]]
    assert "user.openshift.io" in names
    # kubectl takes the first group of a kind.
    assert names.index("rbac.authorization.k8s.io") < names.index("authorization.openshift.io")


async def test_discovery_is_not_sent_again_to_those_who_have_it(api: Api) -> None:
    headers = accept(AGGREGATED.format("v2"))
    first = await api.call("nobody", "GET", "/apis", headers=headers)

    again = await api.call(
        "nobody", "GET", "/apis", headers={**headers, "If-None-Match": first.headers["ETag"]}
    )

    assert (304, b"") == (again.status, again.raw)


async def test_those_who_want_plain_discovery_get_it(api: Api) -> None:
    plain = f"application/json,{AGGREGATED.format('v2')}"

    assert (
        "APIGroupList"
        == (await api.call("nobody", "GET", "/apis", headers=accept(plain))).body["kind"]
    )
    assert "APIVersions" == (await api.get("nobody", "/api")).body["kind"]
