"""The original's smoke test with a browser: tokens come from the page, images go with them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.access import Site, basic, bearer, running_site
from tests.kit.chromium import Page, chromium_page
from tests.kit.http import RegistryClient
from tests.kit.images import image, write_layout
from tests.kit.optional import need_commands, run


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as started:
        yield started


async def token_from_page(page: Page, site: Site, user: str) -> str:
    """Ask for a token as a person does: log in, confirm, read it off the page."""
    await page.open(f"https://{site.master_host}/oauth/token/request")
    await page.type("input[name=username]", user)
    await page.type("input[name=password]", "any password")
    await page.click("button[type=submit]")
    await page.click("form[action='/oauth/token/display'] button")
    token = await page.text("#token")
    assert token.startswith("atr_a_")
    # Neither the address nor the history keeps it.
    assert token not in await page.run("location.href + JSON.stringify(history.state)")
    return token.strip()


async def test_mary_pushes_and_shares_and_bob_pulls_with_tokens_from_the_login_page(
    site: Site, tmp_path: Path, containers_environment: dict[str, str]
) -> None:
    need_commands("skopeo")
    server = site.root / "master" / "master.server.crt"
    tokens = {}
    for user in ("mary", "bob"):
        machine = tmp_path / user
        machine.mkdir()
        async with chromium_page(machine, server) as page:
            tokens[user] = await token_from_page(page, site, user)
    mary = bearer(tokens["mary"])
    project = {"metadata": {"name": "browsed"}}
    site.call("POST", "/apis/project.openshift.io/v1/projectrequests", project, mary)
    layout = write_layout(tmp_path / "layout", {"v1": image("browsed")})
    remote = f"docker://{site.host}/browsed/app:v1"

    def copy(user: str, source: str, target: str, *, check: bool = True) -> str:
        sides = [f"--{side}-tls-verify=false" for side in ("src", "dest")]
        credentials = [
            f"--{side}-creds={user}:{tokens[user]}"
            for side, place in (("src", source), ("dest", target))
            if place.startswith("docker:")
        ]
        command = ["skopeo", "--insecure-policy", "copy", *sides, *credentials, source, target]
        return run(command, environment=containers_environment, check=check)

    copy("mary", f"oci:{layout}:v1", remote)
    assert "denied" in copy("bob", remote, f"dir:{tmp_path / 'refused'}", check=False)
    site.grant("browsed", "registry-viewer", {"kind": "User", "name": "bob"}, headers=mary)
    copy("bob", remote, f"dir:{tmp_path / 'pulled'}")
    assert "denied" in copy("bob", f"oci:{layout}:v1", remote, check=False)


async def test_a_wrong_page_shows_no_token_and_a_second_look_shows_none(
    site: Site, tmp_path: Path
) -> None:
    server = site.root / "master" / "master.server.crt"
    async with chromium_page(tmp_path, server) as page:
        token = await token_from_page(page, site, "carol")
        await page.open(f"https://{site.master_host}/oauth/token/display?code=x&state=y")
        await page.wait_for("body")
        assert token not in str(await page.run("document.documentElement.outerHTML"))
    with RegistryClient(site.host) as client:
        assert client.request("GET", "/v2/", headers=basic("carol", token)).status == 200
