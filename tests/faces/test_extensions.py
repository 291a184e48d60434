"""Static directories of the administrator's: what is in them is shown, and nothing else."""

import os
from pathlib import Path

import pytest

from atomic_registry.app.master_files import prepare_master_files
from atomic_registry.config.load import ConfigInvalid
from atomic_registry.config.settings import Settings
from tests.faces.site_world import SiteWorld
from tests.kit.certificates import ClientAuthorityFiles
from tests.kit.clock import ManualClock

BASE = "/console/extensions/docs"


@pytest.fixture
def world(tmp_path: Path) -> SiteWorld:
    made = SiteWorld(tmp_path)
    (tmp_path / "secret.txt").write_text("secret")
    (made.directory / "a.txt").write_text("hello")
    (made.directory / "sub").mkdir()
    (made.directory / "sub" / "b.js").write_text("1")
    (made.directory / ".hidden").write_text("secret")
    return made


async def test_a_file_is_served_with_its_type_and_an_entity_tag(world: SiteWorld) -> None:
    answer = await world.ask(f"{BASE}/a.txt")
    assert (200, b"hello") == (answer.status, answer.body)
    assert "text/plain; charset=utf-8" == answer.headers["Content-Type"]
    assert "no-cache" == answer.headers["Cache-Control"]
    assert "object-src 'none'" in answer.headers["Content-Security-Policy"]
    again = await world.ask(f"{BASE}/a.txt", If_None_Match=answer.headers["ETag"])
    assert (304, b"") == (again.status, again.body)
    (world.directory / "a.txt").write_text("other")
    assert 200 == (await world.ask(f"{BASE}/a.txt", If_None_Match=answer.headers["ETag"])).status


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.html", "text/html; charset=utf-8"),
        ("a.svg", "image/svg+xml"),
        ("a.json", "application/json"),
        ("a.woff2", "font/woff2"),
        ("ca.crt", "application/x-x509-ca-cert"),
        ("a", "application/octet-stream"),
        ("a.exotic", "application/octet-stream"),
    ],
)
async def test_a_file_has_the_type_of_its_name(world: SiteWorld, name: str, expected: str) -> None:
    (world.directory / name).write_text("x")
    assert expected == (await world.ask(f"{BASE}/{name}")).headers["Content-Type"]


async def test_head_tells_what_get_would_send(world: SiteWorld) -> None:
    got = await world.ask(f"{BASE}/a.txt")
    head = await world.ask(f"{BASE}/a.txt", "HEAD")
    assert (200, b"") == (head.status, head.body)
    assert {"Content-Type", "ETag"} <= set(head.headers)
    assert got.headers["ETag"] == head.headers["ETag"]


async def test_a_part_of_a_file_can_be_had(world: SiteWorld) -> None:
    answer = await world.ask(f"{BASE}/a.txt", Range="bytes=1-2")
    assert (206, b"el") == (answer.status, answer.body)


async def test_a_directory_shows_its_index_and_never_a_list(world: SiteWorld) -> None:
    for path in ("/", "/sub", "/sub/"):
        assert 404 == (await world.ask(BASE + path)).status
    (world.directory / "index.html").write_text("<p>top")
    (world.directory / "sub" / "index.html").write_text("<p>below")
    assert b"<p>top" == (await world.ask(f"{BASE}/")).body
    assert b"<p>below" == (await world.ask(f"{BASE}/sub/")).body
    assert 404 == (await world.ask(f"{BASE}/sub")).status


async def test_the_bare_name_leads_to_the_directory(world: SiteWorld) -> None:
    answer = await world.ask(BASE)
    assert (301, f"{BASE}/") == (answer.status, answer.headers["Location"])
    assert 404 == (await world.ask("/console/extensions/other")).status


async def test_two_dots_lead_nowhere(world: SiteWorld) -> None:
    for path in ("/../secret.txt", "/sub/../../secret.txt", "/sub/../a.txt", "/..", "/."):
        assert 404 == (await world.ask(BASE + path)).status


async def test_encoded_dots_and_slashes_lead_nowhere(world: SiteWorld) -> None:
    for path in (
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%2fsecret.txt",
        "/%252e%252e/secret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/sub%2fb.js",
    ):
        assert 404 == (await world.ask(BASE + path)).status


async def test_a_nul_ends_no_name(world: SiteWorld) -> None:
    for path in ("/a.txt%00", "/a.txt%00.html", "/%00"):
        assert 404 == (await world.ask(BASE + path)).status


async def test_an_absolute_path_stays_below_the_directory(world: SiteWorld, tmp_path: Path) -> None:
    for path in (f"/{tmp_path}/secret.txt", "//etc/passwd", "/%2fetc%2fpasswd", "/a.txt/"):
        assert 404 == (await world.ask(BASE + path)).status


async def test_links_are_not_followed(world: SiteWorld, tmp_path: Path) -> None:
    (world.directory / "out.txt").symlink_to(tmp_path / "secret.txt")
    (world.directory / "up").symlink_to(tmp_path)
    (world.directory / "in.txt").symlink_to("a.txt")
    for path in ("/out.txt", "/up/secret.txt", "/in.txt"):
        assert 404 == (await world.ask(BASE + path)).status


async def test_hidden_files_and_what_is_no_file_are_not_served(world: SiteWorld) -> None:
    os.mkfifo(world.directory / "pipe")
    for path in ("/.hidden", "/pipe", "/sub/.hidden", f"/{'n' * 300}"):
        assert 404 == (await world.ask(BASE + path)).status


async def test_nobody_can_write(world: SiteWorld) -> None:
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        assert 405 == (await world.ask(f"{BASE}/a.txt", method)).status


async def test_an_application_gets_its_index_for_paths_that_are_no_files(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path, html5=True)
    assert 404 == (await world.ask(f"{BASE}/page")).status
    (world.directory / "index.html").write_text('<head><base href="/"><p>app')
    (world.directory / "a.txt").write_text("hello")
    (tmp_path / "secret.txt").write_text("secret")
    expected = f'<head><base href="{BASE}/"><p>app'.encode()
    for path in ("/", "/page", "/page/3", "/index.html"):
        answer = await world.ask(BASE + path)
        assert (200, expected) == (answer.status, answer.body)
        assert "text/html; charset=utf-8" == answer.headers["Content-Type"]
    assert b"hello" == (await world.ask(f"{BASE}/a.txt")).body
    assert 404 == (await world.ask(f"{BASE}/../secret.txt")).status
    (world.directory / "out").symlink_to(tmp_path / "secret.txt")
    assert expected == (await world.ask(f"{BASE}/out")).body


async def test_the_authority_is_published_without_any_configuration(tmp_path: Path) -> None:
    authority = ClientAuthorityFiles(tmp_path / "master").ca
    world = SiteWorld(tmp_path, authority=authority)
    answer = await world.ask("/console/extensions/certs/ca.crt")
    assert (200, authority.read_bytes()) == (answer.status, answer.body)
    assert "application/x-x509-ca-cert" == answer.headers["Content-Type"]
    for path in ("/ca.key", "/", "", "/ca.serial.txt"):
        assert 404 == (await world.ask(f"/console/extensions/certs{path}")).status


@pytest.mark.parametrize("place", [".", "..", "/"])
def test_a_directory_that_holds_the_keys_is_refused(tmp_path: Path, place: str) -> None:
    master = tmp_path / "master"
    master.mkdir()
    (master / "master-config.yaml").write_text(
        f"assetConfig: {{extensions: [{{name: certs, sourceDirectory: '{place}'}}]}}\n"
    )
    with pytest.raises(ConfigInvalid, match="private keys") as refused:
        prepare_master_files(Settings(root=tmp_path), ManualClock())
    assert "assetConfig.extensions[0].sourceDirectory" in str(refused.value)
    assert "master/site" in str(refused.value)
