"""The page about trust and what it hands out."""

import hashlib
import re
import ssl
from pathlib import Path

import pytest
import yaml

from atomic_registry.faces.site.options import SiteOptions
from atomic_registry.faces.site.routes import ROWS
from tests.faces.site_world import MASTER, REGISTRY, SiteWorld
from tests.kit.certificates import ClientAuthorityFiles
from tests.kit.optional import need_commands, run


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return ClientAuthorityFiles(tmp_path / "master").ca


@pytest.fixture
def world(tmp_path: Path, authority: Path) -> SiteWorld:
    return SiteWorld(tmp_path, authority=authority)


def fingerprint(path: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text())).hexdigest()


def test_every_row_is_for_anybody_and_only_to_be_read() -> None:
    assert all(method == "GET" and access.is_for_anybody for method, _, access, _ in ROWS)


async def test_the_page_shows_the_fingerprint_as_openssl_does(
    world: SiteWorld, authority: Path
) -> None:
    need_commands("openssl")
    words = ["openssl", "x509", "-in", str(authority), "-noout", "-fingerprint", "-sha256"]
    expected = run(words).strip().partition("=")[2]
    answer = await world.ask("/trust")
    assert expected in answer.body.decode()
    assert fingerprint(authority) in answer.body.decode()


async def test_the_page_runs_no_script_and_may_not_be_framed(world: SiteWorld) -> None:
    answer = await world.ask("/trust")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(rb"<script|\son\w+=|style=|javascript:", answer.body)


async def test_names_are_the_configured_ones_whatever_the_request_says(world: SiteWorld) -> None:
    evil = "evil.test"
    for path in ("/trust", "/trust/setup.sh", "/trust/daemonset.yaml"):
        answer = await world.ask(path, Host=evil, X_Forwarded_Host=evil, Forwarded=f"host={evil}")
        assert evil.encode() not in answer.body
        assert REGISTRY.encode() in answer.body


@pytest.mark.parametrize(
    "host",
    ["a'b", "a b", "a;b", "$(b)", "a`b`", "a\nb", "<b>", "..", "a/b", "-a", "a.", 'a"b', "a:b", ""],
)
def test_a_name_that_could_steer_the_script_is_refused(host: str) -> None:
    for master, registry in ((f"https://{host}", "a.test"), (MASTER, host)):
        with pytest.raises(ValueError, match="not "):
            SiteOptions(master_url=master, registry_host=registry, authority=Path("ca.crt"))


async def test_the_script_knows_where_it_comes_from_and_shellcheck_finds_nothing(
    world: SiteWorld, tmp_path: Path
) -> None:
    script = tmp_path / "setup.sh"
    script.write_bytes((await world.ask("/trust/setup.sh")).body)
    assert f"\nMASTER={MASTER}\nREGISTRY={REGISTRY}\n" in script.read_text()
    need_commands("shellcheck")
    assert "" == run(["shellcheck", "--shell=sh", script])


async def test_the_daemon_set_carries_authority_script_and_fingerprint(
    world: SiteWorld, authority: Path
) -> None:
    answer = await world.ask("/trust/daemonset.yaml")
    carried, daemon_set = yaml.safe_load_all(answer.body)
    assert authority.read_text() == carried["data"]["ca.crt"]
    script = (await world.ask("/trust/setup.sh")).body.decode()
    assert script == carried["data"]["setup.sh"]
    setup = daemon_set["spec"]["template"]["spec"]["initContainers"][0]
    assert f"--fingerprint={fingerprint(authority)}" in setup["args"]
    assert setup["securityContext"]["allowPrivilegeEscalation"] is False
    mounts = {it["mountPath"] for it in setup["volumeMounts"]}
    volumes = {it["name"] for it in daemon_set["spec"]["template"]["spec"]["volumes"]}
    assert {it["name"] for it in setup["volumeMounts"]} == volumes
    assert "/host" not in mounts


async def test_without_an_authority_there_is_nothing_to_trust(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path)
    for path in ("/trust", "/trust/ca.crt", "/trust/daemonset.yaml"):
        assert 404 == (await world.ask(path)).status


async def test_a_key_in_the_file_of_the_authority_is_not_published(
    tmp_path: Path, authority: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_text((tmp_path / "master" / "ca.key").read_text() + authority.read_text())
    answer = await SiteWorld(tmp_path, authority=both).ask("/trust/ca.crt")
    assert authority.read_bytes() == answer.body
