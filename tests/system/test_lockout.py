"""Whoever holds the key of the authority comes in, whatever has been deleted."""

from pathlib import Path

import pytest

from tests.kit.access import Site, running_site
from tests.kit.optional import need_commands
from tests.system.kubectl import administrators_kubectl

PROVISIONERS = ("clusterrolebinding", "self-provisioners")
KINDS = ("clusterrolebindings", "clusterroles", "oauthclients")
MAKE_PROJECTS = ("auth", "can-i", "create", "projectrequests.project.openshift.io")
AS_MARY = ("--as=mary", "--as-group=system:authenticated:oauth")
CLUSTER_ADMIN = ("--as=ann", "--as-group=system:cluster-admins")


def start_again(site: Site) -> None:
    site.stop()
    site.start()


@pytest.mark.timeout(180)
def test_the_administrator_is_not_locked_out_and_a_start_mends_what_was_deleted(
    tmp_path: Path,
) -> None:
    need_commands("kubectl")
    with running_site(tmp_path / "site") as site:
        kubectl = administrators_kubectl(site, tmp_path)
        before = {kind: kubectl.ok("get", kind, "-o", "name") for kind in KINDS}
        assert "yes" in kubectl.ok(*MAKE_PROJECTS, *AS_MARY)
        for kind in KINDS:
            kubectl.ok("delete", kind, "--all")
        assert "" == kubectl.ok("get", ",".join(KINDS), "-o", "name")

        assert "yes" in kubectl.ok("auth", "can-i", "*", "*")
        assert 1 == kubectl.run("get", "users", *CLUSTER_ADMIN).code
        assert 1 == kubectl.run(*MAKE_PROJECTS, *AS_MARY).code
        answer = site.api("GET", "/oauth/authorize?client_id=openshift-challenging-client")
        assert 302 != answer.status

        start_again(site)

        assert before == {kind: kubectl.ok("get", kind, "-o", "name") for kind in KINDS}
        assert "clusterrolebinding self-provisioners" in site.output()
        assert "yes" in kubectl.ok("auth", "can-i", "*", "*", *CLUSTER_ADMIN)
        assert "yes" in kubectl.ok(*MAKE_PROJECTS, *AS_MARY)
        assert site.log_in("mary")


@pytest.mark.timeout(180)
def test_what_an_administrator_made_of_a_default_stays_over_a_start(tmp_path: Path) -> None:
    need_commands("kubectl")
    with running_site(tmp_path / "site") as site:
        kubectl = administrators_kubectl(site, tmp_path)
        kubectl.ok("patch", *PROVISIONERS, "-p", '{"subjects": null}')
        for role, update in (("view", "false"), ("edit", "true")):
            annotation = f"rbac.authorization.kubernetes.io/autoupdate={update}"
            kubectl.ok("annotate", "--overwrite", "clusterrole", role, annotation)
            kubectl.ok("patch", "clusterrole", role, "--type=merge", "-p", '{"rules": []}')

        start_again(site)

        assert 1 == kubectl.run(*MAKE_PROJECTS, *AS_MARY).code
        rules = ("-o", "jsonpath={.rules}")
        assert "" == kubectl.ok("get", "clusterrole", "view", *rules).strip("[]")
        assert "imagestreams" in kubectl.ok("get", "clusterrole", "edit", *rules)
