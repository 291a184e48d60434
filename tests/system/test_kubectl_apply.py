"""kubectl writes: apply of both sorts, patches, edits, dry runs and deletes, against the service."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.kit.access import PROJECTS, Site, running_site
from tests.kit.optional import need_commands

ROBOT = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  namespace: work\n"
LABELS = "  labels:\n"


@dataclass
class Kubectl:
    """The machine's kubectl as the administrator, in a directory of its own."""

    site: Site
    directory: Path

    def run(self, *arguments: str, text: str = "", **variables: str) -> tuple[int, str]:
        master = self.site.root / "master"
        command = [
            "kubectl",
            f"--server=https://{self.site.master_host}",
            f"--certificate-authority={self.site.ca}",
            f"--client-certificate={master / 'admin.crt'}",
            f"--client-key={master / 'admin.key'}",
            f"--cache-dir={self.directory / 'cache'}",
            *arguments,
        ]
        environment = {
            **os.environ, "HOME": str(self.directory), "KUBECONFIG": os.devnull, **variables
        }  # fmt: skip
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=60, check=False,
            env=environment,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def ok(self, *arguments: str, text: str = "", **variables: str) -> str:
        code, output = self.run(*arguments, text=text, **variables)
        assert 0 == code, (arguments, output)
        return output

    def robot(self, name: str) -> dict[str, Any]:
        shown = self.ok("get", "sa", name, "-n", "work", "-o", "json", "--show-managed-fields")
        found: dict[str, Any] = json.loads(shown)
        return found


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    need_commands("kubectl")
    directory = tmp_path_factory.mktemp("kubectl")
    with running_site(directory / "site") as site:
        site.call("POST", PROJECTS, {"metadata": {"name": "work"}})
        yield Kubectl(site, directory)


def manifest(name: str, **labels: str) -> str:
    """A robot with labels."""
    lines = "".join(f'    {key}: "{value}"\n' for key, value in labels.items())
    return ROBOT.format(name=name) + (LABELS + lines if lines else "")


def apply(kubectl: Kubectl, text: str, *arguments: str) -> tuple[int, str]:
    return kubectl.run("apply", *arguments, "-f", "-", text=text)


def applied(kubectl: Kubectl, text: str, *arguments: str) -> str:
    """What a successful apply prints."""
    code, output = apply(kubectl, text, *arguments)
    assert 0 == code, output
    return output


def test_apply_creates_then_changes_then_removes_what_is_left_out(kubectl: Kubectl) -> None:
    assert "serviceaccount/plain created" in applied(kubectl, manifest("plain", a="1", b="1"))
    assert "unchanged" in applied(kubectl, manifest("plain", a="1", b="1"))
    kubectl.ok("label", "sa", "plain", "-n", "work", "other=yes")

    assert "configured" in applied(kubectl, manifest("plain", a="2"))

    assert {"a": "2", "other": "yes"} == kubectl.robot("plain")["metadata"]["labels"]


def test_server_side_apply_keeps_what_others_have_and_refuses_to_take_it(kubectl: Kubectl) -> None:
    one = ("--server-side", "--field-manager=one")
    two = ("--server-side", "--field-manager=two")
    assert "serverside-applied" in applied(kubectl, manifest("shared", a="1", b="1"), *one)
    applied(kubectl, manifest("shared", b="1", c="1"), *two)
    version = kubectl.robot("shared")["metadata"]["resourceVersion"]
    applied(kubectl, manifest("shared", b="1", c="1"), *two)
    assert version == kubectl.robot("shared")["metadata"]["resourceVersion"]

    code, output = apply(kubectl, manifest("shared", a="2", c="1"), *two)
    assert 0 != code
    assert 'Apply failed with 1 conflict: conflict with "one": .metadata.labels.a' in output
    assert "--force-conflicts" in output

    applied(kubectl, manifest("shared", a="2"), *two, "--force-conflicts")
    assert {"a": "2", "b": "1"} == kubectl.robot("shared")["metadata"]["labels"]
    applied(kubectl, manifest("shared"), *one)
    assert {"a": "2"} == kubectl.robot("shared")["metadata"]["labels"]


def test_an_object_moves_from_client_side_to_server_side_apply(kubectl: Kubectl) -> None:
    applied(kubectl, manifest("moved", a="1", b="1"))

    code, output = apply(kubectl, manifest("moved", a="2"), "--server-side")

    assert 0 == code, output
    assert "2" == kubectl.robot("moved")["metadata"]["labels"]["a"]


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("strategic", '{"metadata":{"labels":{"x":"1"}}}'),
        ("merge", '{"metadata":{"labels":{"x":"1"}}}'),
        ("json", '[{"op":"add","path":"/metadata/labels","value":{"x":"1"}}]'),
    ],
)
def test_kubectl_patches_in_three_ways(kubectl: Kubectl, kind: str, patch: str) -> None:
    name = f"patched-{kind}"
    kubectl.ok("create", "-f", "-", text=manifest(name))

    output = kubectl.ok("patch", "sa", name, "-n", "work", f"--type={kind}", "-p", patch)

    assert "patched" in output
    assert {"x": "1"} == kubectl.robot(name)["metadata"]["labels"]
    assert "no change" in kubectl.ok(
        "patch", "sa", name, "-n", "work", f"--type={kind}", "-p", patch
    )


def test_labels_annotations_edits_and_replacements_reach_the_object(
    kubectl: Kubectl, tmp_path: Path
) -> None:
    kubectl.ok("create", "-f", "-", text=manifest("edited"))
    kubectl.ok("label", "sa", "edited", "-n", "work", "tier=one")
    kubectl.ok("annotate", "sa", "edited", "-n", "work", "note=here")
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\nsed -i "s/tier: one/tier: two/" "$1"\n')
    editor.chmod(0o700)

    output = kubectl.ok("edit", "sa", "edited", "-n", "work", EDITOR=str(editor))

    assert "edited" in output
    metadata = kubectl.robot("edited")["metadata"]
    assert ({"tier": "two"}, {"note": "here"}) == (metadata["labels"], metadata["annotations"])
    kubectl.ok("replace", "-f", "-", text=manifest("edited", tier="three"))
    assert {"tier": "three"} == kubectl.robot("edited")["metadata"]["labels"]
    kubectl.ok("label", "sa", "edited", "-n", "work", "tier-")
    assert "labels" not in kubectl.robot("edited")["metadata"]


def test_a_diff_and_a_dry_run_change_nothing(kubectl: Kubectl) -> None:
    applied(kubectl, manifest("dry", a="1"))
    before = kubectl.robot("dry")

    code, output = kubectl.run("diff", "-f", "-", text=manifest("dry", a="2"))
    assert (1, True) == (code, '+    a: "2"' in output or "+    a: 2" in output), output
    code, output = kubectl.run("diff", "--server-side", "-f", "-", text=manifest("dry", a="1"))
    assert 2 > code, output
    assert "dry run" in applied(kubectl, manifest("dry", a="3"), "--dry-run=server")
    assert "dry run" in applied(kubectl, manifest("not-there", a="3"), "--dry-run=server")
    assert "dry run" in kubectl.ok("delete", "sa", "dry", "-n", "work", "--dry-run=server")

    assert before == kubectl.robot("dry")
    assert 0 != kubectl.run("get", "sa", "not-there", "-n", "work")[0]


def test_deletes_go_by_name_by_selector_and_by_file(kubectl: Kubectl) -> None:
    for name in ("gone-1", "gone-2", "gone-3"):
        applied(kubectl, manifest(name, batch=name[:4]))

    assert "deleted" in kubectl.ok("delete", "sa", "gone-1", "-n", "work")
    assert "deleted" in kubectl.ok("delete", "-f", "-", text=manifest("gone-2"))
    assert "gone-3" in kubectl.ok("delete", "sa", "-n", "work", "-l", "batch=gone")

    assert "No resources" in kubectl.ok("get", "sa", "-n", "work", "-l", "batch=gone")


def test_bindings_apply_server_side_without_a_write_each_time(kubectl: Kubectl) -> None:
    binding = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: work}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects:
- {kind: User, name: mary}
"""
    get = (
        "get",
        "rolebinding",
        "readers",
        "-n",
        "work",
        "-o",
        "jsonpath={.metadata.resourceVersion}",
    )
    applied(kubectl, binding, "--server-side")
    version = kubectl.ok(*get)

    applied(kubectl, binding, "--server-side")

    assert version == kubectl.ok(*get)
    applied(kubectl, binding.replace("mary", "bob"), "--server-side")
    assert version != kubectl.ok(*get)
