"""The HTTP client against servers that misbehave, and names that change their meaning."""

import asyncio
import datetime as dt
import gzip
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from atomic_registry.clock import SystemClock
from atomic_registry.errors import ProviderFailed, RemoteFailed
from atomic_registry.identity.providers.openid import OpenIdOptions, OpenIdProvider
from atomic_registry.remote.egress import EgressRules, GuardedResolver
from atomic_registry.remote.http import AiohttpClient
from tests.kit.certificates import write_pair
from tests.kit.web_peer import Handler, run_web_peer

LOOPBACK = frozenset({"127.0.0.1"})
OPEN = EgressRules(allowed_hosts=LOOPBACK, plain_hosts=LOOPBACK)


class ChangingNames(AbstractResolver):
    """Answers with the addresses of a list, one after the other, and then with the last one."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def client(egress: EgressRules = OPEN, **options: object) -> AsyncIterator[AiohttpClient]:
    client = AiohttpClient(egress=egress, **options)  # type: ignore[arg-type]
    try:
        yield client
    finally:
        await client.close()


def text(body: str, status: int = 200, **headers: str) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(text=body, status=status, headers=named)

    return handle


async def test_an_answer_arrives_whole_whatever_its_status() -> None:
    async def echo(request: web.Request) -> web.Response:
        body = await request.read()
        return web.Response(
            status=418, body=request.method.encode() + body, headers={"X-A": request.headers["X-A"]}
        )

    async with run_web_peer({"/x": echo}) as url, client() as asking:
        answer = await asking.send("POST", f"{url}/x?q=1", headers={"X-A": "b"}, body=b" body")
    assert (answer.status, answer.body, answer.headers["x-a"]) == (418, b"POST body", "b")


async def test_a_redirect_is_not_followed_and_no_cookie_is_kept() -> None:
    seen: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie", ""))
        return web.Response(
            status=302, headers={"Location": "/secret", "Set-Cookie": "a=b; Path=/"}
        )

    async def secret(request: web.Request) -> web.Response:
        raise AssertionError

    async with run_web_peer({"/x": redirect, "/secret": secret}) as url, client() as asking:
        for _ in range(2):
            answer = await asking.send("GET", f"{url}/x")
            assert answer.status == 302
    assert seen == ["", ""]


@pytest.mark.parametrize("announced", [True, False])
async def test_an_oversized_answer_is_broken_off(announced: bool) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        if announced:
            response.content_length = 1 << 40
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)
            sent += 65536

    async with run_web_peer({"/": endless}) as url, client(max_bytes=100_000) as asking:
        with pytest.raises(RemoteFailed, match="larger than 100000 bytes"):
            await asking.send("GET", url)
    assert sent < 64 * 1024 * 1024


async def test_a_compressed_answer_is_refused_and_not_inflated() -> None:
    async def bomb(request: web.Request) -> web.Response:
        return web.Response(
            body=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"}
        )

    async with run_web_peer({"/": bomb}) as url, client() as asking:
        with pytest.raises(RemoteFailed, match="compressed"):
            await asking.send("GET", url)


async def test_a_slow_answer_is_given_up() -> None:
    async def dripping(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.05)

    async with run_web_peer({"/": dripping}) as url, client(timeout_seconds=0.5) as asking:
        began = time.monotonic()
        with pytest.raises(RemoteFailed, match=r"longer than 0\.5 s"):
            await asking.send("GET", url)
        assert time.monotonic() - began < 5


async def test_nobody_listening_is_no_connection_and_tells_no_secret() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/p?code=geheim"
        async with client() as asking:
            with pytest.raises(RemoteFailed, match="no connection") as caught:
                await asking.send("GET", url, headers={"Authorization": "Bearer geheim"})
    assert caught.value.detail == {"host": "127.0.0.1"}
    assert "geheim" not in caught.value.message
    assert caught.value.__cause__ is None


async def test_headers_that_end_a_line_are_refused() -> None:
    async with run_web_peer({"/": text("")}) as url, client() as asking:
        with pytest.raises(RemoteFailed):
            await asking.send("GET", url, headers={"X-A": "b\r\nX-Evil: c"})


async def test_an_untrusted_certificate_is_refused(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path / "tls", "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    async with run_web_peer({"/": text("secret")}, tls=context) as url:
        # The certificate holds no address: even its own authority does not make it good.
        for ca in (None, certificate):
            async with client(ca=ca) as asking:
                with pytest.raises(RemoteFailed, match="certificate is not trusted"):
                    await asking.send("GET", url)


async def test_a_named_authority_is_trusted_and_a_client_certificate_shown(
    tmp_path: Path,
) -> None:
    certificate, key = write_own_authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificate))
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    async with run_web_peer({"/": text("welcome")}, tls=context) as url:
        async with client(ca=certificate, certificate=certificate, key=key) as asking:
            assert (await asking.send("GET", url)).body == b"welcome"
        async with client(ca=certificate) as asking:
            with pytest.raises(RemoteFailed):
                await asking.send("GET", url)


def write_own_authority(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that is its own authority; return it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    paths = folder / "own.crt", folder / "own.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


async def test_the_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with run_web_peer({"/": text("direct")}) as url, client() as asking:
        assert (await asking.send("GET", url)).body == b"direct"


def resolving(*addresses: str, allowed: frozenset[str] = frozenset()) -> EgressRules:
    names = ChangingNames(*addresses)
    hosts = frozenset({"id.example.test"})
    return EgressRules(allowed_hosts=allowed, plain_hosts=hosts, open_resolver=lambda: names)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1"])
async def test_a_name_of_a_forbidden_address_is_refused(address: str) -> None:
    rules = resolving(address)
    async with run_web_peer({"/": text("secret")}) as url, client(rules) as asking:
        port = url.rpartition(":")[2]
        with pytest.raises(RemoteFailed, match="may not reach"):
            await asking.send("GET", f"http://id.example.test:{port}/")


async def test_a_name_that_is_rebound_after_it_was_checked_is_refused() -> None:
    rules = resolving("1.1.1.1", "127.0.0.1")
    names = GuardedResolver(rules)
    assert [one["host"] for one in await names.resolve("id.example.test")] == ["1.1.1.1"]
    # The client asks anew for every connection, with the same rules.
    async with run_web_peer({"/": text("secret")}) as url, client(rules) as asking:
        target = f"http://id.example.test:{url.rpartition(':')[2]}/"
        for _ in range(2):
            with pytest.raises(RemoteFailed, match="may not reach"):
                await asking.send("GET", target)


async def test_only_the_permitted_ones_of_several_addresses_are_used() -> None:
    class Both(ChangingNames):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            first, second = (
                await super().resolve(host, port, family),
                await super().resolve(host, port, family),
            )
            return first + second

    rules = EgressRules(open_resolver=lambda: Both("10.0.0.1", "1.1.1.1"))
    found = await GuardedResolver(rules).resolve("id.example.test")
    assert [one["host"] for one in found] == ["1.1.1.1"]


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    rules = resolving("127.0.0.1", "1.1.1.1", allowed=frozenset({"id.example.test"}))
    async with run_web_peer({"/": text("checked")}) as url, client(rules) as asking:
        target = f"http://id.example.test:{url.rpartition(':')[2]}/"
        assert (await asking.send("GET", target)).body == b"checked"


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost"])
async def test_another_spelling_of_loopback_is_refused(host: str) -> None:
    rules = EgressRules(plain_hosts=frozenset({host}))
    async with run_web_peer({"/": text("secret")}) as url, client(rules) as asking:
        with pytest.raises(RemoteFailed):
            await asking.send("GET", f"http://{host}:{url.rpartition(':')[2]}/")


def openid(issuer: str, asking: AiohttpClient) -> OpenIdProvider:
    options = OpenIdOptions(name="sso", issuer=issuer, client_id="c", client_secret="geheim")
    return OpenIdProvider(options, http=asking, clock=SystemClock())


WELL_KNOWN = "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    "endpoint",
    ["http://169.254.169.254/token", "https://169.254.169.254/token", "https://[fd00:ec2::254]/",
     "https://10.0.0.1/token", "file:///etc/passwd", "https://localhost/token"],
)  # fmt: skip
async def test_a_discovery_that_points_to_a_forbidden_address_is_not_followed(
    endpoint: str,
) -> None:
    async def lying(request: web.Request) -> web.Response:
        base = f"http://{request.host}"
        return web.json_response(
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/a",
                "token_endpoint": endpoint,
                "jwks_uri": f"{base}/keys",
            }
        )

    async with run_web_peer({WELL_KNOWN: lying}) as url, client() as asking:
        with pytest.raises(ProviderFailed, match=r"only https|may not reach|not of the form"):
            await openid(url, asking).complete(
                {"code": "c"}, redirect_uri="https://r/cb", nonce="n", verifier="v"
            )


async def test_a_redirect_of_the_token_endpoint_is_not_followed() -> None:
    followed = False

    async def thief(request: web.Request) -> web.Response:
        nonlocal followed
        followed = True
        return web.Response()

    async def metadata(request: web.Request) -> web.Response:
        base = f"http://{request.host}"
        return web.json_response(
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/a",
                "token_endpoint": f"{base}/token",
                "jwks_uri": f"{base}/keys",
            }
        )

    routes = {WELL_KNOWN: metadata, "/token": text("", 307, Location="/thief"), "/thief": thief}
    async with run_web_peer(routes) as url, client() as asking:
        with pytest.raises(ProviderFailed, match="307"):
            await openid(url, asking).complete(
                {"code": "c"}, redirect_uri="https://r/cb", nonce="n", verifier="v"
            )
    assert not followed
