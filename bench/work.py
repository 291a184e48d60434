"""The measured work. Each function runs one piece once at one server and returns its figure."""

import hashlib
import os
import random
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.client import Connection, location, together
from bench.data import BLOB_HEADER, MANIFEST_TYPE, digest_of, expect, push_small, small_image
from bench.servers import Server

MIB = 1 << 20
GO_CHUNK = 32 * 1024
HEAD_CONNECTIONS = 16  # in each of two processes
LUA = Path(__file__).with_name("manifests.lua")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything; `--quick` takes small ones."""

    repositories: int = 1000
    tags: int = 20
    wrk_seconds: int = 8
    big_mib: int = 512
    blobs: int = 200
    images: int = 200
    listed_tags: int = 100_000


QUICK = Sizes(
    repositories=50, tags=4, wrk_seconds=2, big_mib=64, blobs=40, images=40, listed_tags=5000
)


def sha256_speed() -> float:
    """MB/s of SHA-256 on one core: the wall for a push."""
    block = os.urandom(MIB)
    state = hashlib.sha256()
    start = time.monotonic()
    for _ in range(512):
        state.update(block)
    return 512 * MIB / 1e6 / (time.monotonic() - start)


def manifest_gets(server: Server, paths: Path, seconds: int, authorization: str = "") -> float:
    """Requests a second at 32 connections; any error fails."""
    credentials = [authorization] if authorization else []
    command = ["wrk", "-t2", "-c32", f"-d{seconds}s", "-s", str(LUA), server.url]
    done = subprocess.run(
        [*command, "--", "GET", str(paths), *credentials],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=True,
    )
    found = re.search(r"RESULT ([\d.]+) ([\d.]+) (\d+)", done.stdout)
    if found is None or int(found[3]) or not float(found[1]):
        raise RuntimeError(f"wrk at {server.name}: {done.stdout[-600:]} {done.stderr[-300:]}")
    return float(found[1])


def _head_waves(connection: Connection, item: tuple[Server, list[str]]) -> None:
    server, paths = item
    more = [Connection(server.port, tls=server.tls) for _ in range(HEAD_CONNECTIONS - 1)]
    ring = [connection, *more]
    for start in range(0, len(paths), len(ring)):
        wave = paths[start : start + len(ring)]
        for one, path in zip(ring, wave, strict=False):
            one.send(
                f"HEAD {path} HTTP/1.1\r\nHost: bench\r\nAccept: {MANIFEST_TYPE}\r\n\r\n".encode()
            )
        for one, _ in zip(ring, wave, strict=False):
            expect(one.answer("HEAD")[0], 200, "HEAD manifest")
    for one in more:
        one.close()


def manifest_heads(server: Server, paths: Path, seconds: int) -> float:
    """HEAD requests a second at 32 connections.

    wrk waits for a body after HEAD, so this is a Python client: it is the limit for nginx.
    """
    known = paths.read_text().split()
    rate = 0.0
    for count in (1000, 0):
        chosen = random.choices(known, k=count or max(1000, int(rate * seconds)))
        items: list[Any] = [(server, chosen[half::2]) for half in range(2)]
        took = together(_head_waves, server.port, tls=server.tls, items=items, connections=2)
        rate = len(chosen) / took
    return rate


def _pull(connection: Connection, item: tuple[str, int]) -> None:
    path, size = item
    status, _, length = connection.request("GET", path)
    expect(status, 200, "GET blob")
    expect(length, size, "length of a blob")


def pull_blobs(server: Server, items: list[tuple[str, int]], connections: int) -> float:
    """MB/s of all blobs together."""
    took = together(_pull, server.port, tls=server.tls, items=items, connections=connections)
    return sum(size for _, size in items) / 1e6 / took


def _framed(block: bytes) -> bytes:
    """A block as HTTP chunks of the size Go clients send."""
    parts = [block[start : start + GO_CHUNK] for start in range(0, len(block), GO_CHUNK)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def _push_big(connection: Connection, item: tuple[bytes, bytes, int, str]) -> None:
    first, block, count, digest = item
    status, headers, _ = connection.request("POST", "/v2/bench/big/blobs/uploads/")
    expect(status, 202, "POST upload")
    head = f"PATCH {location(headers)} HTTP/1.1\r\nHost: bench\r\n{BLOB_HEADER}"
    connection.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    connection.send(first)
    for _ in range(count - 1):
        connection.send(block)
    connection.send(b"0\r\n\r\n")
    status, headers, _ = connection.answer("PATCH")
    expect(status, 202, "PATCH")
    path = location(headers)
    path += f"{'&' if '?' in path else '?'}digest={digest}"
    expect(connection.request("PUT", path)[0], 201, "PUT upload")


def push_big(server: Server, mib: int) -> float:
    """MB/s of one new blob: streamed PATCH, then PUT."""
    first, block = os.urandom(MIB), os.urandom(MIB)
    state = hashlib.sha256(first)
    for _ in range(mib - 1):
        state.update(block)
    item: Any = (_framed(first), _framed(block), mib, f"sha256:{state.hexdigest()}")
    took = together(_push_big, server.port, tls=server.tls, items=[item], connections=1)
    return mib * MIB / 1e6 / took


def push_images(server: Server, count: int) -> float:
    """New small images a second at 8 connections."""
    prefix = os.urandom(4).hex()
    images = [small_image(f"bench/small-{prefix}-{number}") for number in range(count)]
    return count / together(push_small, server.port, tls=server.tls, items=images, connections=8)


def list_tags(server: Server, repository: str, count: int) -> float:
    """Seconds to list all tags in pages of 1,000; docker-registry 2.8 answers all in one page."""
    connection = Connection(server.port, tls=server.tls)
    path: str | None = f"/v2/{repository}/tags/list?n=1000"
    start = time.monotonic()
    pages = size = 0
    while path:
        status, headers, length = connection.request("GET", path)
        expect(status, 200, "GET tags")
        size += length
        pages += 1
        found = re.match(r"<([^>]+)>", headers.get("link", ""))
        path = re.sub(r"^https?://[^/]+", "", found[1]) if found else None
    took = time.monotonic() - start
    connection.close()
    if size < count * 10 or pages > count:
        raise RuntimeError(f"{server.name} listed {size} bytes in {pages} pages for {count} tags")
    return took


def random_blobs(count: int, size: int) -> list[tuple[str, bytes]]:
    """Blobs to pull."""
    blobs = [os.urandom(size) for _ in range(count)]
    return [(digest_of(blob), blob) for blob in blobs]
