"""kubectl, unmodified: what each of its verbs does with a registry, and how it fails."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.access import Site, running_site
from tests.kit.optional import need_commands
from tests.system.described_api import PROJECT, seed
from tests.system.kubectl import Kubectl, administrators_kubectl

WITHIN = ("-n", PROJECT)
ROBOT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: fuzz, labels: {{{labels}}}}}\n"
AS_MARY = ("--as=mary", "--as-group=system:authenticated")
Editor = Callable[[str], dict[str, str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need_commands("kubectl")
    with running_site(tmp_path_factory.mktemp("site")) as started:
        seed(started)
        yield started


@pytest.fixture
def kubectl(site: Site, tmp_path: Path) -> Kubectl:
    return administrators_kubectl(site, tmp_path)


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    """Make an editor of shell commands; `$1` is the file, and `$KUBECTL_EDITS` counts the calls."""
    path = tmp_path / "editor"

    def write(commands: str) -> dict[str, str]:
        path.write_text(f"#!/bin/sh\nset -e\n{commands}\n")
        path.chmod(0o700)
        return {"EDITOR": str(path)}

    return write


def robot(name: str, **labels: str) -> str:
    return ROBOT.format(name=name, labels=", ".join(f"{k}: {v!r}" for k, v in labels.items()))


def label_of(kubectl: Kubectl, name: str, label: str) -> str:
    return kubectl.ok("get", "sa", name, *WITHIN, "-o", f"jsonpath={{.metadata.labels.{label}}}")


def test_every_served_kind_is_explained(kubectl: Kubectl) -> None:
    names = kubectl.ok("api-resources", "-o", "name").split()

    assert 40 < len(names)
    for name in names:
        told = kubectl.ok("explain", name, "--recursive")
        assert "FIELDS:" in told and "<empty>" not in told, (name, told)


def test_every_kind_that_can_be_listed_is_shown_in_tables_and_described(kubectl: Kubectl) -> None:
    listed = kubectl.ok("api-resources", "-o", "name", "--verbs=list").split()
    without_objects = {
        "nodes",
        "pods",
        "services",
        "oauthclientauthorizations.oauth.openshift.io",
        "useroauthaccesstokens.oauth.openshift.io",
    }

    for name in set(listed) - {"projectrequests.project.openshift.io"}:
        table = kubectl.ok("get", name, "-A", "--no-headers")
        wide = kubectl.ok("get", name, "-A", "-o", "wide", "--no-headers")
        assert len(table.splitlines()) == len(wide.splitlines()), name
        assert (name in without_objects) == (not table), (name, table)
        described = f"\n{kubectl.ok('describe', name, '-A')}"
        assert len(table.splitlines()) == described.count("\nName:"), (name, table, described)


def test_a_diff_ends_with_0_where_nothing_differs_and_with_1_else(kubectl: Kubectl) -> None:
    kubectl.ok("apply", "-f", "-", text=robot("compared", a="1"))

    same = kubectl.run("diff", "-f", "-", text=robot("compared", a="1"))
    other = kubectl.run("diff", "-f", "-", text=robot("compared", a="2"))
    new = kubectl.run("diff", "-f", "-", text=robot("unknown", a="1"))
    by_server = kubectl.run("diff", "--server-side", "-f", "-", text=robot("compared", b="1"))

    assert (0, "") == (same.code, same.out)
    assert (1, True) == (other.code, '+    a: "2"' in other.out), other
    assert (1, True) == (new.code, "+  name: unknown" in new.out), new
    assert (1, True) == (by_server.code, '+    b: "1"' in by_server.out), by_server


def test_an_edit_is_stored_beside_what_another_wrote_meanwhile(
    kubectl: Kubectl, editor: Editor
) -> None:
    kubectl.ok("create", "-f", "-", text=robot("met", a="1"))
    meanwhile = f"kubectl label sa met {' '.join(WITHIN)} b=theirs >&2"

    kubectl.ok(
        "edit", "sa", "met", *WITHIN,
        **editor(f"{meanwhile}\nsed -i 's/a: \"1\"/a: mine/' \"$1\""),
    )  # fmt: skip

    assert ("mine", "theirs") == (label_of(kubectl, "met", "a"), label_of(kubectl, "met", "b"))


def test_a_refused_edit_is_shown_again_with_the_reason_and_then_kept_in_a_file(
    kubectl: Kubectl, editor: Editor, tmp_path: Path
) -> None:
    kubectl.ok("create", "-f", "-", text=robot("refused", a="1"))
    seen = tmp_path / "seen"

    done = kubectl.run(
        "edit", "sa", "refused", *WITHIN, TMPDIR=str(tmp_path),
        **editor(f"cp \"$1\" {seen}\nsed -i 's/a: \"1\"/a: not! good/' \"$1\""),
    )  # fmt: skip

    assert 1 == done.code
    assert "A copy of your changes has been stored to" in done.err
    kept = Path(done.err.split('stored to "')[1].split('"')[0]).read_text()
    assert "a: not! good" in kept
    assert "metadata.labels" in seen.read_text().partition("apiVersion:")[0], seen.read_text()
    assert "1" == label_of(kubectl, "refused", "a")


def test_an_edit_of_an_older_version_is_refused_and_kept_in_a_file(
    kubectl: Kubectl, editor: Editor, tmp_path: Path
) -> None:
    kubectl.ok("create", "-f", "-", text=robot("old", a="1"))

    done = kubectl.run(
        "edit", "sa", "old", *WITHIN, TMPDIR=str(tmp_path),
        **editor("sed -i 's/resourceVersion: .*/resourceVersion: \"1\"/' \"$1\""),
    )  # fmt: skip

    assert 1 == done.code
    assert "has been modified since it was read" in done.err
    kept = Path(done.err.split("kubectl replace -f ")[1].split("`")[0]).read_text()
    assert 'resourceVersion: "1"' in kept


def test_a_wait_ends_when_the_object_is_gone_there_or_as_asked(kubectl: Kubectl) -> None:
    phase = "--for=jsonpath={.status.phase}=Active"
    for kind in ("namespace", "project"):
        assert "condition met" in kubectl.ok("wait", phase, f"{kind}/{PROJECT}", "--timeout=20s")
    kubectl.ok("create", "-f", "-", text=robot("awaited", step="one"))
    waits = (*WITHIN, "--timeout=30s")
    step = "--for=jsonpath={.metadata.labels.step}=two"
    with kubectl.running("wait", "sa/awaited", step, *waits) as waiting:
        kubectl.ok("label", "sa", "awaited", "step=two", "--overwrite", *WITHIN)
        assert 0 == waiting.wait(30)
    with kubectl.running("wait", "sa/awaited", "--for=delete", *waits) as waiting:
        kubectl.ok("delete", "sa", "awaited", *WITHIN)
        assert 0 == waiting.wait(30)
    with kubectl.running("wait", "sa/awaited", "--for=create", *waits) as waiting:
        kubectl.ok("create", "-f", "-", text=robot("awaited"))
        assert 0 == waiting.wait(30)

    late = kubectl.run("wait", "sa/awaited", "--for=delete", *WITHIN, "--timeout=1s")

    assert (1, True) == (late.code, "timed out" in late.err)


def test_a_replacement_needs_the_version_that_it_was_made_from(kubectl: Kubectl) -> None:
    kubectl.ok("create", "-f", "-", text=robot("replaced", a="1"))
    old = kubectl.ok("get", "sa", "replaced", *WITHIN, "-o", "json")
    kubectl.ok("replace", "-f", "-", text=robot("replaced", a="2"))

    refused = kubectl.run("replace", "-f", "-", text=old)

    assert (1, True) == (refused.code, "Conflict" in refused.err), refused
    assert "2" == label_of(kubectl, "replaced", "a")
    assert "NotFound" in kubectl.run("replace", "-f", "-", text=robot("nowhere")).err
    kubectl.ok("replace", "--force", "-f", "-", text=robot("replaced", a="3"))
    assert "3" == label_of(kubectl, "replaced", "a")


@pytest.mark.parametrize("way", [("--prune-allowlist=core/v1/ServiceAccount", "-l", "batch=one"), ("--applyset=kept", *WITHIN)])  # fmt: skip
def test_an_apply_prunes_what_is_left_out(kubectl: Kubectl, way: tuple[str, ...]) -> None:
    both = robot("stays", batch="one") + "---\n" + robot("goes", batch="one")
    kubectl.ok("create", "-f", "-", text=robot("apart", batch="two"))
    switch = {"KUBECTL_APPLYSET": "true"}
    kubectl.ok("apply", "--prune", *way, "-f", "-", text=both, **switch)

    told = kubectl.ok("apply", "--prune", *way, "-f", "-", text=both.partition("---")[0], **switch)

    assert "serviceaccount/goes pruned" in told
    assert "NotFound" in kubectl.run("get", "sa", "goes", *WITHIN).err
    kubectl.ok("delete", "sa", "stays", "apart", *WITHIN)


def test_a_misspelt_field_is_named_or_refused_as_the_client_wishes(kubectl: Kubectl) -> None:
    document = robot("misspelt", a="1").replace("labels", "labelz")

    strict = kubectl.run("create", "--validate=strict", "-f", "-", text=document)
    warned = kubectl.run("create", "--validate=warn", "-f", "-", text=document)
    ignored = kubectl.run("replace", "--validate=ignore", "-f", "-", text=document)

    assert (1, True) == (strict.code, 'unknown field "metadata.labelz"' in strict.err)
    assert (0, True) == (warned.code, 'Warning: unknown field "metadata.labelz"' in warned.err)
    assert (0, "") == (ignored.code, ignored.err)


def test_kubectl_needs_the_description_as_json_only(site: Site, kubectl: Kubectl) -> None:
    before = len(site.output())
    document = robot("described", a="1")
    kubectl.ok("create", "--validate=strict", "-f", "-", text=document)
    kubectl.ok("apply", "-f", "-", text=document)
    kubectl.ok("apply", "--server-side", "--force-conflicts", "-f", "-", text=document)
    kubectl.ok("diff", "-f", "-", text=document)
    kubectl.ok("explain", "imagestream.spec")

    asked = [
        json.loads(line)
        for line in site.output()[before:].splitlines()
        if '"path":"/openapi/' in line
    ]

    assert asked
    assert all(it["path"].startswith("/openapi/v3") for it in asked)
    assert {200, 304} >= {it["status"] for it in asked}
    old = kubectl.run("explain", "sa", "--output=plaintext-openapiv2")
    assert 1 == old.code, "the only word that asks for the binary form of the second version"


def test_dry_runs_of_the_client_and_of_the_server_keep_nothing(kubectl: Kubectl) -> None:
    for where in ("client", "server"):
        said = kubectl.ok("create", "sa", "dry", f"--dry-run={where}", "-o", "name", *WITHIN)
        assert "serviceaccount/dry" == said.strip()
    again = kubectl.run("create", "sa", "one", "--dry-run=server", *WITHIN)

    assert "already exists" in again.err
    assert "NotFound" in kubectl.run("get", "sa", "dry", *WITHIN).err


def test_what_one_may_do_is_listed_for_oneself_and_for_others(kubectl: Kubectl) -> None:
    own = kubectl.ok("auth", "can-i", "--list", *WITHIN)
    hers = kubectl.ok("auth", "can-i", "--list", *WITHIN, *AS_MARY)
    elsewhere = kubectl.ok("auth", "can-i", "--list", "-n", "default", *AS_MARY)

    assert "*.*" in own
    assert "imagestreams.image.openshift.io/layers" in hers
    assert "imagestreams.image.openshift.io/layers" not in elsewhere
    assert "selfsubjectaccessreviews.authorization.k8s.io" in elsewhere


def test_acting_as_others_takes_a_right_for_the_user_and_for_each_group(kubectl: Kubectl) -> None:
    rule = {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"]}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    own = {"metadata": {"name": "as-bob"}, "rules": [{**rule, "resourceNames": ["bob"]}]}
    kubectl.ok("create", "-f", "-", text=json.dumps({**role, **own}))
    kubectl.ok("create", "clusterrolebinding", "as-bob", "--clusterrole=as-bob", "--user=mary")

    may = ("auth", "can-i", "impersonate", *AS_MARY)

    assert "yes" in kubectl.ok(*may, "users/bob")
    assert 1 == kubectl.run(*may, "users/eve").code
    assert 1 == kubectl.run(*may, "groups/system:masters").code
    assert "bob" in kubectl.ok("auth", "whoami", "--as=bob", "--as-group=devs")
    refused = kubectl.run("get", "secrets", "-A", "--as=bob", "--as-group=devs")
    assert (1, True) == (refused.code, "Forbidden" in refused.err)
    masters = ("--as=bob", "--as-group=system:masters")
    kubectl.ok("get", "secrets", "-A", *masters)


def test_output_takes_each_form_that_scripts_use(kubectl: Kubectl) -> None:
    get = ("get", "is", "one", *WITHIN, "-o")

    assert "imagestream.image.openshift.io/one" == kubectl.ok(*get, "name").strip()
    assert ["NAME", "TAG", "one", "latest"] == kubectl.ok(
        *get, "custom-columns=NAME:.metadata.name,TAG:.status.tags[*].tag"
    ).split()
    assert "latest" == kubectl.ok(*get, "jsonpath={.status.tags[0].tag}")
    assert "one" == kubectl.ok(*get, "go-template={{.metadata.name}}")
    assert "ImageStream" == json.loads(kubectl.ok(*get, "json"))["kind"]
    assert "kind: ImageStream" in kubectl.ok(*get, "yaml")
    assert "one" in kubectl.ok("get", "is", *WITHIN, "--sort-by=.metadata.name", "--show-labels")
    versions = set(kubectl.ok("api-versions").split())
    assert {"v1", "image.openshift.io/v1", "rbac.authorization.k8s.io/v1"} < versions
