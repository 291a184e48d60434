"""The section `servingInfo` of `master-config.yaml`: the listener of the master."""

import dataclasses
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from atomic_registry.config.faults import Fault, check_pair, keyed
from atomic_registry.config.registry_values import ciphers
from atomic_registry.config.settings import parse_listen

_FAMILIES = {"tcp4": 4, "tcp6": 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCertificate:
    """A certificate for clients that ask for one of these names; `*.` matches one label."""

    names: tuple[str, ...]
    cert_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingInfo:
    """The listener; versions of TLS below 1.2 are taken for 1.2."""

    bind_address: str = "0.0.0.0:8443"
    bind_network: Literal["tcp", "tcp4", "tcp6"] = "tcp"
    cert_file: Path | None = None
    key_file: Path | None = None
    client_ca: Path | None = dataclasses.field(default=None, metadata=keyed("clientCA"))
    named_certificates: tuple[NamedCertificate, ...] = ()
    min_tls_version: Literal["VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"] = (
        dataclasses.field(default="VersionTLS12", metadata=keyed("minTLSVersion"))
    )
    cipher_suites: tuple[str, ...] = ()
    max_requests_in_flight: int = 0
    request_timeout_seconds: int = 0

    @property
    def ciphers(self) -> str:
        """The cipher suites by their names in OpenSSL; nothing for the usual ones."""
        return str(ciphers([*self.cipher_suites]))

    def check(self) -> Iterator[Fault]:
        yield from check_pair(self.cert_file, self.key_file)
        try:
            host, _ = parse_listen(self.bind_address)
        except ValueError as error:
            yield Fault(key="bindAddress", reason=f"{self.bind_address!r}: {error}")
        else:
            yield from self._check_family(host)
        try:
            ciphers([*self.cipher_suites])
        except ValueError as error:
            yield Fault(key="cipherSuites", reason=str(error))
        for key, value in (
            ("maxRequestsInFlight", self.max_requests_in_flight),
            ("requestTimeoutSeconds", self.request_timeout_seconds),
        ):
            if value < -1:
                yield Fault(key=key, reason="it must be at least 1", hint="-1 means no limit")

    def _check_family(self, host: str) -> Iterator[Fault]:
        try:
            version = ipaddress.ip_address(host).version
        except ValueError:
            return
        if _FAMILIES.get(self.bind_network, version) != version:
            reason = f"{host} is no address of {self.bind_network}"
            yield Fault(key="bindNetwork", reason=reason, hint="leave bindNetwork out")
