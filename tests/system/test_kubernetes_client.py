"""The official Python client, typed and dynamic, with the administrator's file."""

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException

from tests.kit.access import Site, running_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as started:
        yield started


@pytest.fixture(scope="module")
def api(site: Site) -> Iterator[Any]:
    path = site.root / "master" / "admin.kubeconfig"
    connect: Any = config.new_client_from_config
    with connect(config_file=str(path)) as opened:
        yield opened


def named(name: str) -> Any:
    return client.V1ObjectMeta(name=name)


def test_the_typed_client_makes_lists_and_deletes(api: Any) -> None:
    core: Any = client.CoreV1Api(api)
    rbac: Any = client.RbacAuthorizationV1Api(api)

    core.create_namespace(client.V1Namespace(metadata=named("typed")))
    secret = client.V1Secret(metadata=named("s"), string_data={"a": "b"})
    made = core.create_namespaced_secret("typed", secret)
    core.create_namespaced_service_account("typed", client.V1ServiceAccount(metadata=named("ci")))
    rule = client.V1PolicyRule(verbs=["get"], api_groups=[""], resources=["secrets"])
    rbac.create_namespaced_role("typed", client.V1Role(metadata=named("r"), rules=[rule]))
    quota = client.V1ResourceQuota(
        metadata=named("q"), spec=client.V1ResourceQuotaSpec(hard={"atomic-registry/bytes": "5Gi"})
    )
    core.create_namespaced_resource_quota("typed", quota)

    assert ({"a": "Yg=="}, "Opaque") == (made.data, made.type)
    assert "typed" in [it.metadata.name for it in core.list_namespace().items]
    assert ["ci"] == [
        it.metadata.name for it in core.list_namespaced_service_account("typed").items
    ]
    assert ["secrets"] == rbac.read_namespaced_role("r", "typed").rules[0].resources
    assert [] == core.list_node().items == core.list_pod_for_all_namespaces().items
    made.data = {"a": "Yw=="}
    assert {"a": "Yw=="} == core.replace_namespaced_secret("s", "typed", made).data
    with pytest.raises(ApiException) as stale:
        core.replace_namespaced_secret("s", "typed", made)
    assert 409 == stale.value.status
    core.delete_namespaced_secret("s", "typed")
    with pytest.raises(ApiException) as gone:
        core.read_namespaced_secret("s", "typed")
    assert 404 == gone.value.status
    core.delete_namespace("typed")


def test_the_typed_client_pages_and_asks_about_rights(api: Any) -> None:
    rbac: Any = client.RbacAuthorizationV1Api(api)
    reviews: Any = client.AuthorizationV1Api(api)
    pages, token = [], None
    while True:
        page = rbac.list_cluster_role(limit=5, _continue=token)
        pages.append([it.metadata.name for it in page.items])
        token = page.metadata._continue
        if not token:
            break
    names = [it.metadata.name for it in rbac.list_cluster_role().items]

    assert names == [name for page in pages for name in page]
    assert 5 == len(pages[0])
    attributes = client.V1ResourceAttributes(verb="create", resource="namespaces")
    review = client.V1SelfSubjectAccessReview(
        spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
    )
    assert reviews.create_self_subject_access_review(review).status.allowed


def test_the_dynamic_client_finds_kinds_by_discovery(api: Any) -> None:
    found: Any = dynamic.DynamicClient(api)  # type: ignore[no-untyped-call]  # it has no types
    groups = found.resources.get(api_version="user.openshift.io/v1", kind="Group")
    body = {"metadata": {"name": "web"}, "users": ["ann"]}

    made = groups.create(body=body)
    assert "web" in [it.metadata.name for it in groups.get().items]
    changed = made.to_dict() | {"users": ["ann", "bob"]}
    assert ["ann", "bob"] == groups.replace(body=changed).users
    groups.delete(name="web")

    assert "web" not in [it.metadata.name for it in groups.get().items]
    streams = found.resources.get(api_version="image.openshift.io/v1", kind="ImageStream")
    assert [] == streams.get(namespace="default").items


def test_the_python_client_acts_as_others(api: Any) -> None:
    reviews: Any = client.AuthenticationV1Api(api)
    api.set_default_header("Impersonate-User", "bob")
    try:
        shown = reviews.create_self_subject_review(client.V1SelfSubjectReview())
    finally:
        del api.default_headers["Impersonate-User"]

    assert "bob" == shown.status.user_info.username


def test_the_typed_client_watches_until_it_has_seen_enough(api: Any) -> None:
    core: Any = client.CoreV1Api(api)
    core.create_namespace(client.V1Namespace(metadata=named("watched")))
    since = core.list_namespaced_service_account("watched").metadata.resource_version
    core.create_namespaced_service_account("watched", client.V1ServiceAccount(metadata=named("a")))
    core.patch_namespaced_service_account("a", "watched", {"metadata": {"labels": {"x": "y"}}})
    core.delete_namespaced_service_account("a", "watched")

    watcher: Any = watch.Watch()  # type: ignore[no-untyped-call]  # it has no types
    found = []
    for event in watcher.stream(
        core.list_namespaced_service_account,
        "watched",
        resource_version=since,
        timeout_seconds=30,
    ):
        found.append((event["type"], event["object"].metadata.name))
        if len(found) == 3:
            watcher.stop()

    assert [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")] == found
    core.delete_namespace("watched")


def test_the_dynamic_client_watches_image_streams(api: Any) -> None:
    core: Any = client.CoreV1Api(api)
    core.create_namespace(client.V1Namespace(metadata=named("streams")))
    connected: Any = dynamic.DynamicClient(api)  # type: ignore[no-untyped-call]  # it has no types
    streams = connected.resources.get(api_version="image.openshift.io/v1", kind="ImageStream")
    body = {"kind": "ImageStream", "apiVersion": "image.openshift.io/v1"}
    streams.create(body={**body, "metadata": {"name": "web"}}, namespace="streams")

    events = streams.watch(namespace="streams", timeout=30)
    first = next(events)
    streams.delete(name="web", namespace="streams")
    second = next(events)

    assert [("ADDED", "web"), ("DELETED", "web")] == [
        (it["type"], it["object"].metadata.name) for it in (first, second)
    ]
    core.delete_namespace("streams")
