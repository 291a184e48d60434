"""Debian's Chromium without a screen, driven over the Chrome DevTools Protocol."""

import asyncio
import base64
import hashlib
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.kit.optional import lacking

PROGRAM = Path("/usr/bin/chromium")
_SECONDS = 30.0
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-port=0",
)


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._count = 0

    async def send(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send one command; its result."""
        self._count += 1
        await self._socket.send_json({"id": self._count, "method": method, "params": parameters})
        async with asyncio.timeout(_SECONDS):
            while True:
                message = await self._socket.receive_json()
                if message.get("id") == self._count:
                    assert "error" not in message, message
                    result: dict[str, Any] = message["result"]
                    return result

    async def run(self, script: str) -> Any:
        """Run a script in the page; the value of its last expression."""
        answer = await self.send("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    async def open(self, url: str) -> None:
        """Go to an address."""
        await self.send("Page.navigate", url=url)

    async def wait_for(self, selector: str) -> None:
        """Wait until the page has an element."""
        found = f"!!document.querySelector({json.dumps(selector)})"
        async with asyncio.timeout(_SECONDS):
            while not await self.run(found):  # noqa: ASYNC110 - another process decides when
                await asyncio.sleep(0.05)

    async def type(self, selector: str, text: str) -> None:
        """Type into a field, key by key, as a person does."""
        await self.wait_for(selector)
        await self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.send("Input.insertText", text=text)

    async def click(self, selector: str) -> None:
        """Press a button."""
        await self.wait_for(selector)
        await self.run(f"document.querySelector({json.dumps(selector)}).click()")

    async def text(self, selector: str) -> str:
        """The text of an element, once it is there."""
        await self.wait_for(selector)
        return str(await self.run(f"document.querySelector({json.dumps(selector)}).innerText"))


@asynccontextmanager
async def chromium_page(directory: Path, certificate: Path) -> AsyncIterator[Page]:
    """A tab of a browser of its own, which trusts what this authority has signed."""
    if not PROGRAM.exists():
        lacking("chromium is not installed")
    profile = directory / "profile"
    with (directory / "chromium.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
            [
                PROGRAM,
                *_FLAGS,
                f"--user-data-dir={profile}",
                f"--ignore-certificate-errors-spki-list={_key_hash(certificate)}",
                "about:blank",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        port = await _port(profile / "DevToolsActivePort")
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            async with session.get("/json") as answer:
                targets = await answer.json()
            page = next(target for target in targets if target["type"] == "page")
            async with session.ws_connect(page["webSocketDebuggerUrl"]) as socket:
                yield Page(socket)
    finally:
        process.terminate()
        process.wait(20)


async def _port(path: Path) -> int:
    async with asyncio.timeout(_SECONDS):
        while not path.exists() or not path.read_text():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    return int(path.read_text().split()[0])


def _key_hash(certificate: Path) -> str:
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()
