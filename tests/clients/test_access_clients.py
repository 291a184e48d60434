"""Skopeo and podman with credentials: what they log in with, push, pull, and are refused."""

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kit.access import REVOKED_WITHIN, Site, bearer, running_site
from tests.kit.images import image, write_layout
from tests.kit.optional import COMMAND_SECONDS, need_commands, run
from tests.kit.registry import wait_until

TOOLS = ("skopeo", "podman")
UNSAFE = "--tls-verify=false"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as started:
        started.new_project("mary", "team")
        started.call(
            "POST",
            "/apis/project.openshift.io/v1/projectrequests",
            {"metadata": {"name": "open"}},
            bearer(started.log_in("mary")),
        )
        started.grant(
            "open", "registry-viewer", {"kind": "Group", "name": "system:unauthenticated"}
        )
        yield started


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person at a machine of its own: no credentials of another are in reach."""

    tool: str
    site: Site
    environment: Mapping[str, str]
    directory: Path

    def login(self, user: str, password: str, *, check: bool = True) -> str:
        """`login --password-stdin`."""
        command = [self.tool, "login", UNSAFE, "-u", user, "--password-stdin", self.site.host]
        done = subprocess.run(
            command,
            input=password,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            timeout=COMMAND_SECONDS,
            check=False,
            text=True,
        )
        assert not check or done.returncode == 0, done.stdout
        assert check or done.returncode != 0, done.stdout
        return done.stdout

    def logout(self) -> None:
        run([self.tool, "logout", self.site.host], environment=self.environment)

    def push(self, name: str, seed: str, *, check: bool = True) -> str:
        """Push a fresh image; what was printed."""
        layout = self.directory / f"layout-{seed}"
        if not layout.exists():
            write_layout(layout, {"v1": image(seed)})
        remote = f"docker://{self.site.host}/{name}"
        if self.tool == "skopeo":
            words = ["copy", "--dest-tls-verify=false", f"oci:{layout}:v1", remote]
            return run(
                ["skopeo", "--insecure-policy", *words],
                environment=self.environment,
                check=check,
            )
        run(["podman", "pull", f"oci:{layout}:v1"], environment=self.environment)
        images = run(["podman", "images", "-q"], environment=self.environment).split()
        words = ["push", UNSAFE, images[0], remote]
        return run(["podman", *words], environment=self.environment, check=check)

    def pull(self, name: str, *, check: bool = True) -> str:
        """Pull or look at an image; what was printed."""
        if self.tool == "skopeo":
            words = ["inspect", UNSAFE, f"docker://{self.site.host}/{name}"]
        else:
            words = ["pull", UNSAFE, f"{self.site.host}/{name}"]
        return run([self.tool, *words], environment=self.environment, check=check)


@pytest.fixture(params=TOOLS)
def person(
    request: pytest.FixtureRequest,
    site: Site,
    containers_environment: dict[str, str],
    tmp_path: Path,
) -> Person:
    need_commands(request.param)
    auth = tmp_path / "auth.json"
    environment = {**containers_environment, "REGISTRY_AUTH_FILE": str(auth)}
    return Person(tool=request.param, site=site, environment=environment, directory=tmp_path)


def is_refused(printed: str, *words: str) -> bool:
    return all(word in printed for word in words)


@pytest.mark.parametrize("kind", ["password", "access", "personal", "robot"])
def test_login_push_and_pull_with_each_kind_of_credential(
    person: Person, site: Site, kind: str
) -> None:
    user, secret = "mary", "any password"
    if kind == "access":
        secret = site.log_in("mary")
    if kind == "personal":
        secret, _ = site.personal_token("mary")
    if kind == "robot":
        user = f"builder-{person.tool}"
        secret = site.robot_token("team", user)
        subject = {"kind": "ServiceAccount", "name": user, "namespace": "team"}
        site.grant("team", "registry-editor", subject)
    assert "Login Succeeded" in person.login(user, secret)
    name = f"team/{person.tool}-{kind}:v1"
    person.push(name, f"{person.tool}-{kind}")
    person.pull(name)


def test_credentials_that_are_not_good_are_refused_at_login(person: Person) -> None:
    printed = person.login("mary", "atr_p_" + "A" * 43, check=False)
    assert is_refused(printed.lower(), "invalid username/password") or is_refused(
        printed, "not accepted"
    ), printed


def test_what_is_printed_names_the_right_that_is_missing(person: Person, site: Site) -> None:
    site.grant("team", "registry-viewer", {"kind": "User", "name": f"bob-{person.tool}"})
    person.login("mary", "x")
    person.push(f"team/{person.tool}-denied:v1", f"{person.tool}-denied")
    person.logout()
    person.login(f"bob-{person.tool}", "x")
    person.pull(f"team/{person.tool}-denied:v1")
    printed = person.push(f"team/{person.tool}-denied:v2", f"{person.tool}-more", check=False)
    assert is_refused(printed, "denied", "push", "update imagestreams/layers"), printed
    person.logout()
    person.login("eve", "x")
    printed = person.pull(f"team/{person.tool}-denied:v1", check=False)
    assert is_refused(printed, "denied", "pull", "get imagestreams/layers"), printed


def test_nobody_in_particular_pulls_from_a_shared_project_and_nothing_else(
    person: Person,
) -> None:
    person.login("mary", "x")
    for project in ("open", "team"):
        person.push(f"{project}/{person.tool}-public:v1", f"{person.tool}-{project}")
    person.logout()
    person.pull(f"open/{person.tool}-public:v1")
    assert "authentication required" in person.pull(f"team/{person.tool}-public:v1", check=False)
    printed = person.push(f"open/{person.tool}-other:v1", f"{person.tool}-open", check=False)
    assert "authentication required" in printed


def test_a_push_to_a_project_that_is_not_there_says_how_to_make_it(
    person: Person, site: Site
) -> None:
    site.call(
        "POST",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        {
            "metadata": {"generateName": "root-"},
            "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "User", "name": f"root-{person.tool}"}],
        },
    )
    person.login(f"root-{person.tool}", "x")
    printed = person.push("missing/app:v1", f"{person.tool}-missing", check=False)
    assert "new-project" in printed, printed


def test_the_original_smoke_test_mary_shares_and_bob_only_pulls(person: Person, site: Site) -> None:
    project, bob = f"smoke-{person.tool}", f"smoker-{person.tool}"
    name = f"{project}/app:v1"
    person.login("mary", "x")
    site.new_project("mary", project)
    person.push(name, f"smoke-{person.tool}")
    person.logout()
    person.login(bob, "x")
    assert "denied" in person.pull(name, check=False)
    mary = bearer(site.log_in("mary"))
    binding = site.grant(project, "registry-viewer", {"kind": "User", "name": bob}, headers=mary)
    person.pull(name)
    assert "denied" in person.push(name, f"smoke-{person.tool}", check=False)
    site.call("DELETE", binding, headers=mary)
    spent = wait_until(
        "bob is out", lambda: "denied" in person.pull(name, check=False), REVOKED_WITHIN
    )
    assert spent < REVOKED_WITHIN


@pytest.mark.parametrize("person", ["podman"], indirect=True)
def test_podman_searches_the_catalog_of_what_may_be_pulled(person: Person, site: Site) -> None:
    site.new_project("carol", "hidden")
    person.login("mary", "x")
    person.push("team/findable:v1", "findable")
    command = ["podman", "search", UNSAFE, f"{site.host}/findable"]
    assert "team/findable" in run(command, environment=person.environment)
    person.logout()
    person.login("eve", "x")
    assert "team/findable" not in run(command, environment=person.environment, check=False)
