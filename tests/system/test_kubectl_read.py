"""kubectl, unmodified, as it looks around, makes things and acts as others."""

import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.access import Site, running_site
from tests.kit.optional import need_commands
from tests.system.kubectl import Kubectl, administrators_kubectl
from tests.system.people import NewPerson, person_maker

LISTED = [
    "projects",
    "namespaces",
    "users",
    "identities",
    "groups",
    "roles",
    "rolebindings",
    "clusterroles",
    "clusterrolebindings",
    "serviceaccounts",
    "secrets",
    "limitranges",
    "resourcequotas",
    "oauthclients",
    "oauthclientauthorizations",
    "oauthaccesstokens",
    "useroauthaccesstokens",
    "imagestreams",
    "imagestreamtags",
    "images",
    "events",
    "nodes",
    "pods",
    "services",
]
EXPLAINED = [
    "project",
    "namespace",
    "user",
    "identity",
    "group",
    "role",
    "rolebinding.subjects",
    "clusterrole.rules",
    "clusterrolebinding",
    "serviceaccount",
    "secret.data",
    "limitrange.spec.limits",
    "resourcequota.spec.hard",
    "oauthclient.redirectURIs",
    "oauthclientauthorization",
    "oauthaccesstoken",
    "useridentitymapping",
    "imagestream.spec.tags",
    "imagestream.status",
    "image.dockerImageLayers",
    "imagestreamtag",
    "imagestream.metadata.labels",
    "event.involvedObject",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need_commands("kubectl")
    with running_site(tmp_path_factory.mktemp("site")) as started:
        yield started


@pytest.fixture
def kubectl(site: Site, tmp_path: Path) -> Kubectl:
    return administrators_kubectl(site, tmp_path)


@pytest.fixture
def person(site: Site, tmp_path: Path) -> NewPerson:
    return person_maker(site, tmp_path)


def headings(text: str) -> list[str]:
    return text.splitlines()[0].split()


def test_the_administrators_file_is_for_its_owner_only_and_works_elsewhere(
    site: Site, kubectl: Kubectl, tmp_path: Path
) -> None:
    assert 0o600 == stat.S_IMODE(kubectl.kubeconfig.stat().st_mode)
    copy = tmp_path / "elsewhere"
    shutil.copy(kubectl.kubeconfig, copy)

    elsewhere = Kubectl(kubeconfig=copy, home=tmp_path)

    assert "system:admin" in elsewhere.ok("auth", "whoami")
    assert site.master_host in elsewhere.ok("cluster-info")
    assert "Server Version: v1.32" in elsewhere.ok("version")
    assert "ok" == elsewhere.ok("get", "--raw", "/healthz").strip()


def test_kubectl_finds_out_what_there_is(kubectl: Kubectl) -> None:
    resources = kubectl.ok("api-resources")
    rows = {line.split()[0]: line.split() for line in resources.splitlines()[1:]}

    assert set(LISTED) <= set(rows)
    for plural, short in (
        ("namespaces", "ns"),
        ("serviceaccounts", "sa"),
        ("limitranges", "limits"),
    ):
        assert short == rows[plural][1]
    assert "imagestreams" in kubectl.ok("api-resources", "--categories=all", "-o", "name")
    assert {"v1", "user.openshift.io/v1"} <= set(kubectl.ok("api-versions").split())


@pytest.mark.parametrize("plural", LISTED)
def test_every_kind_can_be_listed_in_each_form(kubectl: Kubectl, plural: str) -> None:
    for form in ("wide", "yaml", "json", "name", "jsonpath={.items[*].metadata.name}"):
        kubectl.ok("get", plural, "-A", "-o", form)
    kubectl.ok("get", plural, "--chunk-size=1")


@pytest.mark.parametrize("path", EXPLAINED)
def test_every_kind_can_be_explained(kubectl: Kubectl, path: str) -> None:
    told = kubectl.ok("explain", path)

    assert "VERSION:" in told
    assert "<empty>" not in told
    kubectl.ok("explain", path.partition(".")[0], "--recursive")


def test_tables_have_the_columns_that_people_know(kubectl: Kubectl) -> None:
    kubectl.ok("create", "namespace", "columns")

    assert ["NAME", "DISPLAY", "NAME", "STATUS"] == headings(kubectl.ok("get", "projects"))
    assert ["NAME", "STATUS", "AGE"] == headings(kubectl.ok("get", "ns"))
    assert "REQUESTER" in headings(kubectl.ok("get", "projects", "-o", "wide"))
    table = kubectl.ok("get", "rolebindings", "-n", "openshift", "-o", "wide")
    assert ["NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"] == headings(table)
    assert "system:authenticated" in table
    assert "columns" in kubectl.ok("get", "ns", "columns").splitlines()[1]


def test_kubectl_makes_shows_and_deletes_what_a_project_has(kubectl: Kubectl) -> None:
    within = ("-n", "made")
    kubectl.ok("create", "ns", "made")
    for words in (
        ("secret", "generic", "plain", "--from-literal=a=b"),
        ("secret", "docker-registry", "pull", "--docker-server=x.test", "--docker-username=u", "--docker-password=p"),
        ("serviceaccount", "robot"),
        ("role", "reader", "--verb=get,list", "--resource=secrets"),
        ("rolebinding", "readers", "--role=reader", "--serviceaccount=made:robot", "--user=bob"),
        ("quota", "bytes", "--hard=atomic-registry/bytes=5Gi,openshift.io/imagestreams=3"),
    ):  # fmt: skip
        kubectl.ok("create", *words, *within)

    secret = json.loads(kubectl.ok("get", "secret", "plain", "-o", "json", *within))
    assert ({"a": "Yg=="}, "Opaque") == (secret["data"], secret["type"])
    assert "kubernetes.io/dockerconfigjson" in kubectl.ok("get", "secrets", *within)
    assert "robot" == kubectl.ok("get", "sa", "robot", "-o", "jsonpath={.metadata.name}", *within)
    assert "5Gi" in kubectl.ok("describe", "quota", "bytes", *within)
    assert "openshift.io/imagestreams" in kubectl.ok("describe", "ns", "made")
    assert "a:  1 bytes" in kubectl.ok("describe", "secret", "plain", *within)
    assert "robot" in kubectl.ok("describe", "sa", "robot", *within)
    assert "ServiceAccount  robot" in kubectl.ok("describe", "rolebinding", "readers", *within)
    assert "secrets" in kubectl.ok("describe", "role", "reader", *within)
    assert kubectl.ok("create", "token", "robot", *within).startswith("atr_r_")
    assert "yes" in kubectl.ok("auth", "can-i", "get", "secrets", "--as=bob", *within)
    assert "yes" in kubectl.ok(
        "auth", "can-i", "list", "secrets", "--as=system:serviceaccount:made:robot", *within
    )
    assert 1 == kubectl.run("auth", "can-i", "delete", "secrets", "--as=bob", *within).code
    for kind, name in (
        ("secret", "plain"),
        ("sa", "robot"),
        ("role", "reader"),
        ("quota", "bytes"),
    ):
        assert "deleted" in kubectl.ok("delete", kind, name, *within)
        assert "NotFound" in kubectl.run("get", kind, name, *within).err
    kubectl.ok("delete", "ns", "made")
    assert "NotFound" in kubectl.run("get", "project", "made").err


def test_kubectl_makes_what_is_of_the_whole_registry(kubectl: Kubectl) -> None:
    kubectl.ok("create", "clusterrole", "look", "--verb=get", "--resource=users.user.openshift.io")
    kubectl.ok("create", "clusterrolebinding", "looks", "--clusterrole=look", "--group=lookers")

    as_looker = ("--as=ann", "--as-group=lookers")
    assert "yes" in kubectl.ok("auth", "can-i", "get", "users.user.openshift.io", *as_looker)
    assert "lookers" in kubectl.ok("auth", "whoami", *as_looker)
    assert "lookers" in kubectl.ok("describe", "clusterrolebinding", "looks")
    document = {"apiVersion": "user.openshift.io/v1", "kind": "Group", "metadata": {"name": "web"}}
    kubectl.ok("create", "-f", "-", text=json.dumps({**document, "users": ["ann", "bob"]}))
    assert "ann, bob" in kubectl.ok("get", "groups", "web")
    for kind, name in (("clusterrolebinding", "looks"), ("clusterrole", "look"), ("group", "web")):
        kubectl.ok("delete", kind, name)


def test_who_may_not_act_as_another_is_told_so(
    site: Site, kubectl: Kubectl, person: NewPerson, tmp_path: Path
) -> None:
    mary = person("mary")
    mary.log_in("mary")
    hers = Kubectl(kubeconfig=mary.home / ".kube" / "config", home=tmp_path)
    hers_projects = hers.ok("get", "projects", "-o", "name")

    refused = hers.run("get", "projects", "--as=system:admin", "--as-group=system:cluster-admins")

    assert 1 == refused.code
    assert "Forbidden" in refused.err and "impersonate users 'system:admin'" in refused.err
    assert hers_projects == kubectl.ok("get", "projects", "-o", "name", "--as=mary")
    log = site.output()
    assert '"actor":"mary"' in log and '"impersonated_by":"system:admin"' in log


def test_validation_names_the_field_that_is_wrong(kubectl: Kubectl) -> None:
    wrong = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "w"}, "dat": {"a": "b"}}

    done = kubectl.run("create", "-n", "default", "-f", "-", text=json.dumps(wrong))

    assert 1 == done.code
    assert "dat" in done.err
