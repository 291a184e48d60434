"""A certified OpenID provider (npm oidc-provider), run on loopback, and a browser for its pages."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import aiohttp
from yarl import URL

from tests.kit.optional import lacking, need_commands

_SOURCE = Path(__file__).parent / "oidc"
_INSTALL_SECONDS = 120.0
_STEPS = 12


@contextmanager
def run_oidc_provider(port: int, callback: str) -> Iterator[str]:
    """Run the provider until the end of the block; return its issuer."""
    need_commands("node", "npm")
    command = ["node", str(_installed() / "provider.mjs"), str(port), callback]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            assert process.stdout is not None
            said = b""
            for line in process.stdout:
                said += line
                if line == b"listening\n":
                    break
            assert said.endswith(b"listening\n"), said.decode()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _installed() -> Path:
    """Return a directory with the provider and its packages, shared by all runs."""
    content = b"".join(one.read_bytes() for one in sorted(_SOURCE.iterdir()))
    caches = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    directory = (
        caches / "atomic-registry-tests" / f"oidc-{hashlib.sha256(content).hexdigest()[:16]}"
    )
    if directory.exists():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=directory.parent))
    shutil.copytree(_SOURCE, fresh, dirs_exist_ok=True)
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=fresh, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        shutil.rmtree(fresh)
        lacking(f"npm cannot install oidc-provider: {done.stderr[-300:]}")
    # Another run may have been faster; either directory is good.
    try:
        fresh.rename(directory)
    except OSError:
        shutil.rmtree(fresh)
    return directory


async def click_through(
    url: str, *, login: str, callback: str, refuse: bool = False
) -> dict[str, str]:
    """Log in and consent as a browser would; return the query of the callback."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as browser:
        method, target, form = "GET", URL(url), None
        for _ in range(_STEPS):
            async with browser.request(method, target, data=form, allow_redirects=False) as page:
                text = await page.text()
                location = page.headers.get("Location")
                status = page.status
            if location is not None:
                target = target.join(URL(location, encoded=True))
                if str(target).startswith(callback):
                    return dict(target.query)
                method, form = "GET", None
                continue
            assert status == 200, f"{target}: {status} {text[:500]}"
            method, target, form = _fill(target, text, login=login, refuse=refuse)
        raise AssertionError(f"no callback after {_STEPS} steps, at {target}")


def _fill(
    page: URL, text: str, *, login: str, refuse: bool
) -> tuple[str, URL, dict[str, str] | None]:
    if refuse:
        link = re.search(r'href="([^"]*/abort)"', text)
        assert link is not None, text
        return "GET", page.join(URL(unescape(link[1]))), None
    action = re.search(r'<form[^>]*action="([^"]+)"', text)
    prompt = re.search(r'name="prompt" value="([^"]+)"', text)
    assert action is not None and prompt is not None, text
    form = {"prompt": prompt[1]}
    if prompt[1] == "login":
        form |= {"login": login, "password": "x"}
    return "POST", page.join(URL(unescape(action[1]))), form
