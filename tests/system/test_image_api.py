"""Image streams with the real kubectl and skopeo against the running services."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.access import Site, bearer, running_site
from tests.kit.images import image, write_layout
from tests.kit.optional import need_commands
from tests.kit.registry import wait_until

SECONDS = 30
SHOWN_WITHIN = 2.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need_commands("kubectl", "skopeo")
    with running_site(tmp_path_factory.mktemp("site")) as started:
        started.new_project("mary", "demo")
        yield started


def kubectl(site: Site, *words: str, text: str = "") -> str:
    kubeconfig = site.root / "master" / "admin.kubeconfig"
    command = ["kubectl", f"--kubeconfig={kubeconfig}", "--namespace=demo", *words]
    environment = {**os.environ, "HOME": str(site.directory)}
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=environment,
        check=False,
    )
    assert 0 == done.returncode, (words, done.stderr, done.stdout)
    return done.stdout


def copy(site: Site, source: str, target: str, *options: str) -> None:
    token = site.log_in("mary")
    words = ["--src-tls-verify=false", "--dest-tls-verify=false", *options]
    credentials = [f"--dest-creds=mary:{token}"] if target.startswith("docker:") else []
    credentials += [f"--src-creds=mary:{token}"] if source.startswith("docker:") else []
    done = subprocess.run(
        ["skopeo", "--insecure-policy", "copy", *words, *credentials, source, target],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert 0 == done.returncode, done.stderr


def digest_of(site: Site, tag: str, directory: Path) -> str:
    """The digest that a pull of the tag brings."""
    copy(site, f"docker://{site.host}/demo/web:{tag}", f"oci:{directory}:x", "--preserve-digests")
    index = json.loads((directory / "index.json").read_text())
    digest: str = index["manifests"][0]["digest"]
    return digest


def stream_tag(name: str, kind: str, source: str) -> str:
    reference = {"kind": kind, "name": source}
    document = {
        "apiVersion": "image.openshift.io/v1",
        "kind": "ImageStreamTag",
        "metadata": {"name": name},
        "tag": {"from": reference},
    }
    return json.dumps(document)


def test_a_push_is_seen_retagged_deleted_had_back_and_rolled_back(
    site: Site, tmp_path: Path
) -> None:
    layout = write_layout(tmp_path / "in", {"v1": image("one"), "v2": image("two")})
    one, two = image("one").manifest.digest, image("two").manifest.digest
    remote = f"docker://{site.host}/demo/web"
    for tag in ("v1", "v2"):
        copy(site, f"oci:{layout}:{tag}", f"{remote}:{tag}", "--preserve-digests")

    shown = kubectl(site, "get", "is", "web", "-o", "yaml")
    assert f"{site.host}/demo/web@{one}" in shown
    assert "web" in kubectl(site, "get", "is")

    kubectl(site, "create", "-f", "-", text=stream_tag("web:prod", "ImageStreamTag", "web:v1"))
    assert one == digest_of(site, "prod", tmp_path / "a")
    patch = '{"tag": {"from": {"kind": "ImageStreamTag", "name": "web:v2"}}}'
    kubectl(site, "patch", "istag", "web:prod", "--type=merge", "-p", patch)
    assert two == digest_of(site, "prod", tmp_path / "b")

    kubectl(site, "delete", "istag", "web:prod")
    token = site.registry_token(bearer(site.log_in("mary")), "repository:demo/web:pull")
    gone = site.registry("GET", "/v2/demo/web/manifests/prod", headers=bearer(token))
    assert 404 == gone.status
    history = json.loads(kubectl(site, "get", "is", "web", "-o", "json"))["status"]["removedTags"]
    before = [item["image"] for item in history[0]["items"]]
    assert [two, one] == before

    back = stream_tag("web:prod", "ImageStreamImage", f"web@{before[0]}")
    kubectl(site, "create", "-f", "-", text=back)
    assert two == digest_of(site, "prod", tmp_path / "c")
    rollback = json.dumps({"tag": {"from": {"kind": "ImageStreamImage", "name": f"web@{one}"}}})
    kubectl(site, "patch", "istag", "web:prod", "--type=merge", "-p", rollback)
    assert one == digest_of(site, "prod", tmp_path / "d")


def test_a_push_wakes_a_watch_of_streams(site: Site, tmp_path: Path) -> None:
    kubeconfig = site.root / "master" / "admin.kubeconfig"
    log = tmp_path / "watch.log"
    command = ["kubectl", f"--kubeconfig={kubeconfig}", "-n", "demo", "get", "is", "-w", "-o"]
    command += ["name", "--output-watch-events=false"]
    layout = write_layout(tmp_path / "in", {"v1": image("watched")})
    with log.open("wb") as output:
        watch = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            kubectl(site, "create", "-f", "-", text=stream_of("first"))
            wait_until("the watch is open", lambda: b"first" in log.read_bytes(), SECONDS)
            copy(site, f"oci:{layout}:v1", f"docker://{site.host}/demo/watched:v1")
            wait_until("the push is seen", lambda: b"watched" in log.read_bytes(), SHOWN_WITHIN)
            kubectl(site, "delete", "is", "watched")
        finally:
            watch.kill()
            watch.wait(SECONDS)


def test_a_push_wakes_kubectl_that_watches_tags(site: Site, tmp_path: Path) -> None:
    kubeconfig = site.root / "master" / "admin.kubeconfig"
    log = tmp_path / "watch.log"
    command = ["kubectl", f"--kubeconfig={kubeconfig}", "-n", "demo", "get", "istag", "-w"]
    layout = write_layout(tmp_path / "in", {"v1": image("t1"), "v2": image("t2")})
    remote = f"docker://{site.host}/demo/tagged"
    copy(site, f"oci:{layout}:v1", f"{remote}:v1")
    with log.open("wb") as output:
        watch = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_until("the watch is open", lambda: b"tagged:v1" in log.read_bytes(), SECONDS)
            copy(site, f"oci:{layout}:v2", f"{remote}:v2")
            begin = time.monotonic()
            wait_until("the push is seen", lambda: b"tagged:v2" in log.read_bytes(), SHOWN_WITHIN)
            print(
                f"a push showed {(time.monotonic() - begin) * 1000:.0f} ms after its client ended"
            )
            kubectl(site, "delete", "istag", "tagged:v2")
            wait_until("the end is seen", lambda: log.read_bytes().count(b"tagged:v2") > 1, SECONDS)
        finally:
            watch.kill()
            watch.wait(SECONDS)


def test_an_image_is_annotated_watched_and_deleted_everywhere(site: Site, tmp_path: Path) -> None:
    kubeconfig = site.root / "master" / "admin.kubeconfig"
    log = tmp_path / "watch.log"
    command = ["kubectl", f"--kubeconfig={kubeconfig}", "get", "images", "-w", "--no-headers"]
    layout = write_layout(tmp_path / "in", {"v1": image("whole")})
    digest = image("whole").manifest.digest
    remote = f"docker://{site.host}/demo/whole"
    copy(site, f"oci:{layout}:v1", f"docker://{site.host}/demo/other:v1", "--preserve-digests")
    kubectl(site, "delete", "istag", "other:v1")
    with log.open("wb") as output:
        watch = subprocess.Popen([*command, "--output-watch-events"], stdout=output)
        try:
            wait_until("the watch is open", lambda: digest.encode() in log.read_bytes(), SECONDS)
            copy(site, f"oci:{layout}:v1", f"{remote}:v1", "--preserve-digests")
            kubectl(site, "annotate", "images", digest, "note=kept")
            kubectl(site, "label", "images", digest, "tier=web")
            assert f"image.image.openshift.io/{digest}\n" == (
                kubectl(site, "get", "images", "-l", "tier=web", "-o", "name")
            )
            refused = refused_by(site, "delete", "images", digest)
            assert "Conflict" in refused
            assert "demo/whole:v1" in refused
            kubectl(site, "delete", "istag", "whole:v1")
            kubectl(site, "delete", "images", digest)
            wait_until("the end is seen", lambda: b"DELETED" in log.read_bytes(), SHOWN_WITHIN)
        finally:
            watch.kill()
            watch.wait(SECONDS)
    token = site.registry_token(bearer(site.log_in("mary")), "repository:demo/whole:pull")
    path = f"/v2/demo/whole/manifests/{digest}"
    assert 404 == site.registry("GET", path, headers=bearer(token)).status
    told = [line.split()[:2] for line in log.read_text().splitlines() if digest in line]
    assert [[kind, digest] for kind in ("ADDED", "MODIFIED", "MODIFIED", "DELETED")] == told


def refused_by(site: Site, *words: str) -> str:
    """What kubectl says when the API refuses."""
    kubeconfig = site.root / "master" / "admin.kubeconfig"
    done = subprocess.run(
        ["kubectl", f"--kubeconfig={kubeconfig}", *words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "HOME": str(site.directory)},
        check=False,
    )
    assert 0 != done.returncode
    return done.stderr


def stream_of(name: str) -> str:
    document = {
        "apiVersion": "image.openshift.io/v1",
        "kind": "ImageStream",
        "metadata": {"name": name},
    }
    return json.dumps(document)


def test_a_stream_is_applied_labelled_and_deleted(site: Site) -> None:
    manifest = {**json.loads(stream_of("applied")), "spec": {"lookupPolicy": {"local": True}}}
    for _ in range(2):
        kubectl(site, "apply", "--validate=false", "-f", "-", text=json.dumps(manifest))
    kubectl(site, "apply", "--server-side", "--validate=false", "--force-conflicts", "-f", "-",
            text=json.dumps(manifest))  # fmt: skip
    kubectl(site, "label", "is", "applied", "tier=web")
    kubectl(site, "annotate", "is", "applied", "note=kept")
    found = kubectl(site, "get", "is", "-l", "tier=web", "-o", "name")
    assert "imagestream.image.openshift.io/applied\n" == found
    shown = json.loads(kubectl(site, "get", "is", "applied", "-o", "json"))
    assert {"local": True} == shown["spec"]["lookupPolicy"]
    kubectl(site, "delete", "is", "applied")
    assert "" == kubectl(site, "get", "is", "applied", "--ignore-not-found")
