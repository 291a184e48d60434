"""The listener of the master: certificates by name, versions of TLS, authorities, other origins."""

import asyncio
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from atomic_registry.identity.actors import CLUSTER_ADMINS
from atomic_registry.system.ca import Pair
from atomic_registry.system.tls import NamedPair, ReloadingContext, TlsOptions
from atomic_registry.web.server import HttpServer, ServerLimits
from tests.kit.access import USERS, Site
from tests.kit.certificates import ClientAuthorityFiles, common_name, trusting_context, write_pair
from tests.system.demo import make_guard

ORIGIN = "https://console.example.test"
CHALLENGE = "/oauth/authorize?client_id=openshift-challenging-client&response_type=token"
HEADERS = {"X-Remote-User": "mary", "X-CSRF-Token": "1"}

_CONFIGURATION = """
apiVersion: v1
kind: MasterConfig
corsAllowedOrigins: [console.example.test]
dnsConfig: {{bindAddress: "0.0.0.0:8053"}}
assetConfig: {{logoutURL: "https://sso.example.test/"}}
servingInfo:
  bindAddress: {address}
  clientCA: ca.crt
  minTLSVersion: VersionTLS13
  maxRequestsInFlight: 500
  namedCertificates:
  - names: [registry.example.test, "*.apps.example.test"]
    certFile: named/tls.crt
    keyFile: named/tls.key
oauthConfig:
  identityProviders:
  - name: proxy
    challenge: true
    login: true
    mappingMethod: claim
    provider:
      apiVersion: v1
      kind: RequestHeaderIdentityProvider
      challengeURL: "https://proxy.example.test/oauth/authorize?${{query}}"
      loginURL: "https://proxy.example.test/oauth/authorize?${{query}}"
      clientCA: {proxy_ca}
      clientCommonNames: [front]
      headers: [X-Remote-User]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Master:
    site: Site
    proxies: ClientAuthorityFiles

    def ask(
        self,
        path: str,
        pair: Pair | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> http.client.HTTPResponse:
        context = ssl.create_default_context(cafile=str(self.site.ca))
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        connection = http.client.HTTPSConnection(self.site.master_host, context=context, timeout=30)
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        response.read()
        connection.close()
        return response


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    folder = tmp_path_factory.mktemp("master")
    proxies = ClientAuthorityFiles(folder / "proxies")
    site = Site(folder)
    (site.root / "master").mkdir(parents=True)
    write_pair(site.root / "master" / "named", "named")
    text = _CONFIGURATION.format(address=site.master_host, proxy_ca=proxies.ca)
    (site.root / "master" / "master-config.yaml").write_text(text)
    try:
        site.start("master")
        yield Master(site=site, proxies=proxies)
    finally:
        site.stop()


def admin_pair(master: Master) -> Pair:
    folder = master.site.root / "master"
    return Pair(certificate=folder / "admin.crt", key=folder / "admin.key")


def test_a_proxy_with_its_certificate_gets_tokens_for_whom_it_names(master: Master) -> None:
    answer = master.ask(CHALLENGE, master.proxies.issue("front"), HEADERS)
    assert answer.status == 302
    place, _, fragment = str(answer.getheader("Location")).partition("#")
    assert place.endswith("/oauth/token/implicit")
    token = dict(part.split("=") for part in fragment.split("&"))["access_token"]
    assert master.ask(f"{USERS}/~", headers={"Authorization": f"Bearer {token}"}).status == 200


def test_headers_are_nobodys_without_the_certificate_of_the_proxy(master: Master) -> None:
    for pair in (None, admin_pair(master), master.proxies.issue("another")):
        answer = master.ask(CHALLENGE, pair, HEADERS)
        assert answer.status == 302
        assert str(answer.getheader("Location")).startswith("https://proxy.example.test/")


def test_a_certificate_of_the_proxies_authority_is_no_account(master: Master) -> None:
    assert master.ask(USERS, admin_pair(master)).status == 200
    impostor = master.proxies.issue("system:admin", CLUSTER_ADMINS)
    assert master.ask(USERS, impostor).status in (401, 403)
    assert master.ask(f"{USERS}/~", impostor).status in (401, 403)


def test_a_certificate_of_no_authority_is_refused(master: Master, tmp_path: Path) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        master.ask("/healthz", ClientAuthorityFiles(tmp_path).issue("front"))


def shown(master: Master, name: str) -> str:
    """Return the common name of the certificate that a client sees who asks for a name."""
    host, port = master.site.master_host.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=20) as raw,
        trusting_context().wrap_socket(raw, server_hostname=name) as connection,
    ):
        return common_name(connection.getpeercert(binary_form=True))


def test_the_certificate_is_the_one_of_the_name_that_a_client_asks_for(master: Master) -> None:
    for name in ("registry.example.test", "REGISTRY.example.test", "a.apps.example.test"):
        assert shown(master, name) == "named"
    for name in ("localhost", "a.b.apps.example.test", "apps.example.test", "example.test"):
        assert shown(master, name) != "named"


def test_an_account_is_known_under_every_name(master: Master) -> None:
    pair = admin_pair(master)
    context = trusting_context()
    context.load_cert_chain(pair.certificate, pair.key)
    host, port = master.site.master_host.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=20) as raw,
        context.wrap_socket(raw, server_hostname="registry.example.test") as connection,
    ):
        connection.sendall(f"GET {USERS} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_client_of_an_older_version_is_refused(master: Master) -> None:
    host, port = master.site.master_host.split(":")
    context = trusting_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    for name in ("localhost", "registry.example.test"):
        with (
            socket.create_connection((host, int(port)), timeout=20) as raw,
            pytest.raises((ssl.SSLError, ConnectionError)),
        ):
            context.wrap_socket(raw, server_hostname=name)


def test_keys_without_effect_are_named_once_at_the_start(master: Master) -> None:
    lines = [it for it in master.site.output().splitlines() if "keys without effect here" in it]
    assert len(lines) == 1
    assert "dnsConfig" in lines[0]
    assert "assetConfig.logoutURL" in lines[0]


def test_pages_of_an_allowed_origin_may_read_the_api_and_no_others(master: Master) -> None:
    answer = master.ask("/apis", headers={"Origin": ORIGIN})
    assert answer.getheader("Access-Control-Allow-Origin") == ORIGIN
    assert answer.getheader("Access-Control-Allow-Credentials") == "true"
    for origin in (f"{ORIGIN}.evil.test", "https://evilconsole.example.test", "null", "*"):
        answer = master.ask("/apis", headers={"Origin": origin})
        assert answer.getheader("Access-Control-Allow-Origin") is None
        assert answer.getheader("Access-Control-Allow-Credentials") is None
        assert "Origin" in str(answer.getheader("Vary"))


def test_a_browser_that_asks_first_is_answered_for_allowed_origins_only(master: Master) -> None:
    question = {"Access-Control-Request-Method": "POST"}
    answer = master.ask(USERS, None, {"Origin": ORIGIN, **question}, "OPTIONS")
    assert answer.status == 204
    assert "Authorization" in str(answer.getheader("Access-Control-Allow-Headers"))
    assert "POST" in str(answer.getheader("Access-Control-Allow-Methods"))
    answer = master.ask(USERS, None, {"Origin": "https://evil.test", **question}, "OPTIONS")
    assert answer.status == 405
    assert answer.getheader("Access-Control-Allow-Methods") is None


def test_no_page_of_another_origin_may_read_a_login_page(master: Master) -> None:
    for path in ("/login", "/oauth/token/request", "/oauth/info"):
        answer = master.ask(path, headers={"Origin": ORIGIN})
        assert answer.getheader("Access-Control-Allow-Origin") is None


async def test_a_certificate_of_a_name_is_reloaded_by_itself(tmp_path: Path) -> None:
    own = write_pair(tmp_path / "own", "own")
    named = write_pair(tmp_path / "named", "old")
    options = TlsOptions(
        certificate=own[0],
        key=own[1],
        named=(NamedPair(names=("a.test",), certificate=named[0], key=named[1]),),
    )
    reloading = ReloadingContext(options)
    server = HttpServer(make_guard(tmp_path), ServerLimits())
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(server, "127.0.0.1", 0, ssl=reloading.context)
    port = listener.sockets[0].getsockname()[1]

    async def seen(name: str) -> str:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusting_context(), server_hostname=name
        )
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return common_name(der)

    assert [await seen("a.test"), await seen("b.test")] == ["old", "own"]
    watcher = asyncio.create_task(reloading.watch(interval=0.02))
    await asyncio.sleep(0)
    write_pair(tmp_path / "named", "new")
    async with asyncio.timeout(10):
        while await seen("a.test") != "new":  # noqa: ASYNC110, files send no event
            await asyncio.sleep(0.02)
    assert await seen("b.test") == "own"
    own[1].unlink()
    assert not reloading.reload()
    assert [await seen("a.test"), await seen("b.test")] == ["new", "own"]
    watcher.cancel()
    listener.close()
    server.abort()
