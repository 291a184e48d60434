"""Limits in force for people with the real kubectl and skopeo."""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kit.access import Site, running_site
from tests.kit.images import Image, image, write_layout
from tests.kit.optional import need_commands
from tests.kit.registry import wait_until

SECONDS = 60
BYTES, STREAMS = "atomic-registry/bytes", "openshift.io/imagestreams"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need_commands("kubectl", "skopeo")
    with running_site(tmp_path_factory.mktemp("site")) as started:
        yield started


class People:
    """The administrator's kubectl and a member's skopeo in one project."""

    def __init__(self, site: Site, project: str) -> None:
        self.site = site
        self.project = project
        site.new_project("mary", project)
        self._token = site.log_in("mary")

    def kubectl(self, *words: str, text: str = "", code: int = 0) -> str:
        kubeconfig = self.site.root / "master" / "admin.kubeconfig"
        command = ["kubectl", f"--kubeconfig={kubeconfig}", f"--namespace={self.project}", *words]
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={**os.environ, "HOME": str(self.site.directory)},
            check=False,
        )
        assert code == done.returncode, (words, done.stderr, done.stdout)
        return done.stdout + done.stderr

    def push(self, layout: Path, tag: str, target: str) -> str:
        """Push one tag of a layout; return what skopeo complains of, nothing if all went well."""
        done = subprocess.run(
            [
                "skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", "--retry-times=0",
                f"--dest-creds=mary:{self._token}", "--preserve-digests", f"oci:{layout}:{tag}",
                f"docker://{self.site.host}/{self.project}/{target}",
            ],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )  # fmt: skip
        assert (done.returncode == 0) == (not done.stderr), done.stderr
        return done.stderr

    def used(self) -> dict[str, str]:
        quota = json.loads(self.kubectl("get", "quota", "team", "-o", "json"))
        used: dict[str, str] = quota["status"]["used"]
        return used


def size_of(one: Image) -> int:
    return sum(len(content.data) for content in one.blobs)


def test_a_push_is_refused_at_the_quota_and_works_once_it_is_raised(
    site: Site, tmp_path: Path
) -> None:
    people, one, two = People(site, "bytes"), image("one"), image("two")
    layout = write_layout(tmp_path / "in", {"one": one, "two": two})
    full = size_of(one) + size_of(two) - 1
    people.kubectl("create", "quota", "team", f"--hard={BYTES}={full},{STREAMS}=2")

    assert "" == people.push(layout, "one", "web:one")
    refused = people.push(layout, "two", "web:two")

    assert "exceeded quota: team" in refused, refused
    assert f"limited: {BYTES}={full}" in refused
    assert "resourcequota team raised" in refused
    shown = people.kubectl("describe", "quota", "team")
    assert people.used()[BYTES] in shown and str(full) in shown, shown
    assert f"{STREAMS}: 1/2" in people.kubectl("get", "quota")
    patch = json.dumps({"spec": {"hard": {BYTES: "1Gi"}}})
    people.kubectl("patch", "quota", "team", "--type=merge", "-p", patch)
    assert "" == people.push(layout, "two", "web:two")
    assert str(size_of(one) + size_of(two)) == people.used()[BYTES]
    assert "1Gi" in people.kubectl("describe", "quota")


def test_streams_tags_and_sizes_end_where_their_limits_say(site: Site, tmp_path: Path) -> None:
    people, one = People(site, "ranges"), image("one")
    layout = write_layout(tmp_path / "in", {"one": one, "large": image("large", size=300_000)})
    limits = [
        {"type": "openshift.io/Image", "max": {"storage": "200k"}},
        {"type": "openshift.io/ImageStream", "max": {"openshift.io/image-tags": "2"}},
    ]
    document = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "each"}}
    text = json.dumps({**document, "spec": {"limits": limits}})
    people.kubectl("create", "-f", "-", text=text)
    people.kubectl("create", "quota", "team", f"--hard={STREAMS}=1")

    assert "storage" in people.kubectl("describe", "limits", "each")
    assert "each" in people.kubectl("get", "limits")
    for tag in ("a", "b", "a"):
        assert "" == people.push(layout, "one", f"web:{tag}")
    assert "openshift.io/image-tags" in people.push(layout, "one", "web:c")
    assert "limited: storage=200k" in people.push(layout, "large", "web:a")
    assert f"limited: {STREAMS}=1" in people.push(layout, "one", "other:a")
    stream = {"apiVersion": "image.openshift.io/v1", "kind": "ImageStream"}
    text = json.dumps({**stream, "metadata": {"name": "third"}})
    told = people.kubectl("create", "-f", "-", text=text, code=1)
    assert "(Forbidden)" in told and "exceeded quota: team" in told


def test_pushes_at_once_leave_a_project_within_its_quota(site: Site, tmp_path: Path) -> None:
    people = People(site, "racing")
    images = {f"v{number}": image(f"racing {number}") for number in range(6)}
    layout = write_layout(tmp_path / "in", images)
    allowed = 3 * max(map(size_of, images.values()))
    people.kubectl("create", "quota", "team", f"--hard={BYTES}={allowed}")

    with ThreadPoolExecutor(6) as threads:
        told = list(threads.map(lambda tag: people.push(layout, tag, f"{tag}:{tag}"), images))

    assert int(people.used()[BYTES]) <= allowed
    assert all("exceeded quota: team" in each for each in told if each)
    assert any(told)


def test_a_watch_shows_a_quota_with_its_use(site: Site, tmp_path: Path) -> None:
    people, one = People(site, "watched"), image("one")
    assert "" == people.push(write_layout(tmp_path / "in", {"one": one}), "one", "web:one")
    kubeconfig = site.root / "master" / "admin.kubeconfig"
    log = tmp_path / "watch.log"
    command = ["kubectl", f"--kubeconfig={kubeconfig}", "-n", "watched", "get", "quota", "-w"]
    with log.open("wb") as output:
        watch = subprocess.Popen(
            [*command, "-o", "jsonpath={.status.used}{'\\n'}"],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            people.kubectl("create", "quota", "team", f"--hard={BYTES}=1Gi")
            wanted = f'"{BYTES}":"{size_of(one)}"'.encode()
            wait_until("the use is shown", lambda: wanted in log.read_bytes(), SECONDS)
        finally:
            watch.kill()
            watch.wait(SECONDS)
