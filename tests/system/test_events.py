"""Events as kubectl shows them, of what skopeo and others do at the registry."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.access import Site, basic, bearer, running_site
from tests.kit.images import image, write_layout
from tests.kit.optional import need_commands
from tests.kit.registry import wait_until
from tests.system.kubectl import Kubectl

SECONDS = 60


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need_commands("kubectl", "skopeo")
    directory = tmp_path_factory.mktemp("site")
    settings = {
        "ATOMIC_REGISTRY_EVENTS_FLUSH_SECONDS": "1",
        "ATOMIC_REGISTRY_IMAGES_HISTORY_KEPT": "2",
    }
    with running_site(directory, **settings) as started:
        started.new_project("mary", "team")
        yield started


@pytest.fixture
def kubectl(site: Site, tmp_path: Path) -> Kubectl:
    return Kubectl(kubeconfig=site.root / "master" / "admin.kubeconfig", home=tmp_path)


def skopeo(site: Site, *words: str, user: str) -> int:
    """Run skopeo with a token as the password; its exit code."""
    command, *rest = words
    side = "" if command in {"delete", "inspect"} else "dest-" if "oci:" in rest[0] else "src-"
    options = [f"--{side}tls-verify=false", f"--{side}creds={user}:{site.log_in(user)}"]
    done = subprocess.run(
        ["skopeo", "--insecure-policy", command, *options, *rest],
        capture_output=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return done.returncode


def push(site: Site, directory: Path, name: str, seed: str, *, user: str = "mary") -> int:
    layout = directory / f"layout-{seed}"
    write_layout(layout, {"v1": image(seed)})
    return skopeo(site, "copy", f"oci:{layout}:v1", f"docker://{site.host}/{name}", user=user)


def events(kubectl: Kubectl, selector: str) -> list[Any]:
    found = kubectl.ok("get", "events", "-n", "team", "--field-selector", selector, "-o", "json")
    items: list[Any] = json.loads(found)["items"]
    return items


def total(found: list[Any]) -> int:
    return sum(it["count"] for it in found)


def test_kubectl_shows_pushes_pulls_and_deletions_of_a_stream(
    site: Site, kubectl: Kubectl, tmp_path: Path
) -> None:
    assert 0 == push(site, tmp_path, "team/app:v1", "one")
    remote = f"docker://{site.host}/team/app:v1"
    for number in range(3):
        assert 0 == skopeo(site, "copy", remote, f"dir:{tmp_path}/{number}", user="mary")
    about = "involvedObject.kind=ImageStream,involvedObject.name=app"
    pulls = f"{about},reason=Pulled"
    wait_until("the pulls are counted", lambda: 3 == total(events(kubectl, pulls)), 10)
    assert 0 == skopeo(site, "delete", remote, user="mary")

    told = {it["reason"]: it for it in events(kubectl, about)}
    assert {"Created", "Pushed", "Pulled", "Untagged", "Deleted"} == set(told)
    assert told["Pushed"]["message"].startswith("Tag v1 with image sha256:")
    assert told["Pushed"]["message"].endswith(" pushed by mary")
    described = kubectl.ok("describe", "is", "app", "-n", "team")
    assert "Pushed" in described.partition("Events:")[2]
    listed = kubectl.ok("events", "-n", "team", "--for", "imagestream/app")
    assert "imagestream/app" in listed.lower()
    assert "Pushed" in listed
    assert "Pulled" in kubectl.ok("get", "ev", "-A")


def test_kubectl_follows_events_as_they_happen(
    site: Site, kubectl: Kubectl, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    words = ["get", "events", "-n", "team", "-w", "--field-selector", "reason=Pushed"]
    with seen.open("wb") as output:
        watch = subprocess.Popen(
            ["kubectl", "--kubeconfig", kubectl.kubeconfig, *words], stdout=output
        )
        try:
            assert 0 == push(site, tmp_path, "team/followed:v1", "two")
            wait_until("the push shows", lambda: b"followed" in seen.read_bytes(), 10)
        finally:
            watch.kill()
            watch.wait(10)


def test_a_denial_shows_to_administrators_of_the_project_only(
    site: Site, kubectl: Kubectl, tmp_path: Path
) -> None:
    assert 0 == push(site, tmp_path, "team/closed:v1", "three")
    site.grant("team", "view", {"kind": "User", "name": "bob"})
    path = "/api/v1/namespaces/team/events"
    token = site.log_in("bob")
    for number in range(50):
        name = f"never-{number}" if number % 2 else "closed"
        answer = site.registry("PUT", f"/v2/team/{name}/manifests/v1", b"{}", basic("bob", token))
        assert 403 == answer.status
    for name in ("a", "b"):
        secret = f"/api/v1/namespaces/team/secrets/{name}"
        assert 403 == site.api("GET", secret, headers=bearer(token)).status
    denied = "reason=Denied,type=Warning"
    wait_until("they are counted", lambda: 52 == total(events(kubectl, denied)), 10)

    # One for the stream that there is, one for all the names that bob thought of.
    denials = events(kubectl, denied)
    assert {"closed", "team"} == {it["involvedObject"]["name"] for it in denials}
    assert 3 == len(denials)
    assert "bob may not get secrets" in {it["message"] for it in denials}
    assert all("bob" in it["message"] for it in denials)
    mine = site.call("GET", path, headers=bearer(site.log_in("mary")))["items"]
    his = site.call("GET", path, headers=bearer(site.log_in("bob")))["items"]
    assert "Denied" in {it["reason"] for it in mine}
    assert "Pushed" in {it["reason"] for it in his}
    assert "Denied" not in {it["reason"] for it in his}


def test_as_many_moves_of_a_tag_are_remembered_as_the_setting_says(
    site: Site, kubectl: Kubectl, tmp_path: Path
) -> None:
    for seed in ("four", "five", "six"):
        assert 0 == push(site, tmp_path, "team/moved:v1", seed)

    items = "{.status.tags[0].items[*].image}"
    shown = kubectl.ok("get", "is", "moved", "-n", "team", "-o", f"jsonpath={items}")

    newest = [image(seed).manifest.digest for seed in ("six", "five")]
    assert newest == shown.split()


def test_kubectl_waits_quietly_for_pods_that_never_come(kubectl: Kubectl) -> None:
    done = kubectl.run("get", "pods", "-A", "-w", "--request-timeout=2s")

    assert "" == done.out
    assert "not" not in done.err.replace("No resources found", "")
