"""TLS as the original's REGISTRY_HTTP_TLS_* variables ask for it, by real handshakes."""

import contextlib
import http.client
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from atomic_registry.system.ca import Pair
from tests.kit.certificates import ClientAuthorityFiles, trusting_context, write_pair
from tests.kit.registry import OPEN, Registry

_SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
}


class TlsRegistry(Registry):
    """Speaks TLS as the variables say; `client` is what it is asked with."""

    def __init__(self, directory: Path, variables: Mapping[str, str]) -> None:
        certificate, key = write_pair(directory / "pair", "registry")
        files = {
            "REGISTRY_HTTP_TLS_CERTIFICATE": str(certificate),
            "REGISTRY_HTTP_TLS_KEY": str(key),
        }
        environment = {**OPEN, **files, **variables}
        log = directory / "log"
        super().__init__(directory / "root", log=log, workers=1, environment=environment)
        self.client = trusting_context()

    def connection(self, seconds: float = 5.0) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.host, timeout=seconds, context=self.client)

    def status(self, client: ssl.SSLContext) -> int:
        """What it answers to this client; OSError for one that it does not talk to."""
        self.client = client
        with contextlib.closing(self.connection()) as connection:
            connection.request("GET", "/v2/")
            return connection.getresponse().status


@contextlib.contextmanager
def _serving(
    directory: Path, variables: Mapping[str, str], client: ssl.SSLContext
) -> Iterator[TlsRegistry]:
    registry = TlsRegistry(directory, variables)
    registry.client = client
    try:
        registry.start()
        yield registry
    finally:
        registry.kill9()


def _client(pair: Pair | None = None) -> ssl.SSLContext:
    context = trusting_context()
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


def test_with_clientcas_nobody_connects_without_a_certificate_of_theirs(tmp_path: Path) -> None:
    theirs = ClientAuthorityFiles(tmp_path / "theirs")
    foreign = ClientAuthorityFiles(tmp_path / "foreign")
    known = _client(theirs.issue("node"))
    variables = {"REGISTRY_HTTP_TLS_CLIENTCAS_0": str(theirs.ca)}
    with _serving(tmp_path, variables, known) as registry:
        assert registry.status(known) == 200
        for stranger in (_client(), _client(foreign.issue("node"))):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                stranger.minimum_version = stranger.maximum_version = version
                with pytest.raises((ssl.SSLError, ConnectionError, http.client.BadStatusLine)):
                    registry.status(stranger)
        assert registry.status(known) == 200


def test_minimumtls_keeps_older_versions_out(tmp_path: Path) -> None:
    with _serving(tmp_path, {"REGISTRY_HTTP_TLS_MINIMUMTLS": "tls1.3"}, _client()) as registry:
        older = _client()
        older.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            registry.status(older)
        assert registry.status(_client()) == 200


def test_ciphersuites_are_the_only_ones_of_tls_1_2(tmp_path: Path) -> None:
    wanted, other = _SUITES
    variables = {"REGISTRY_HTTP_TLS_CIPHERSUITES": f"[{wanted}]"}
    with _serving(tmp_path, variables, _client()) as registry:
        for suite, is_served in ((wanted, True), (other, False)):
            client = _client()
            client.maximum_version = ssl.TLSVersion.TLSv1_2
            client.set_ciphers(_SUITES[suite])
            if is_served:
                assert registry.status(client) == 200
            else:
                with pytest.raises(ssl.SSLError):
                    registry.status(client)
