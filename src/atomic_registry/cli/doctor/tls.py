"""The hop that proves who answers: the chain, the names, the days that are left."""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from atomic_registry.cli.certificates import WARN_DAYS, CertificateFacts, facts_of
from atomic_registry.cli.doctor.checklist import Checklist
from atomic_registry.cli.doctor.services import Service
from atomic_registry.cli.trust import Trust, make_context
from atomic_registry.cli.wire import (
    CONNECT_SECONDS,
    Endpoint,
    Line,
    is_loopback,
    reason_of,
    speaks_clear,
)
from atomic_registry.clock import Clock

_HOP = "tls"
# X509_V_ERR_* of OpenSSL.
_NOT_YET = 9
_ENDED = 10
_OTHER_NAME = frozenset({62, 64})
_RENEW = (
    "a certificate of our own authority: atomic-registry ca renew-server-cert; another's: get a "
    "new one there. The services take new files by themselves; a proxy is reloaded"
)
_TRUST = (
    "give its authority with --certificate-authority FILE (on the server "
    "/etc/atomic-registry/master/ca.crt); how clients get it: https://HOST:8443/trust"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """Somebody whose word on certificates is taken."""

    name: str
    trust: Trust


def vouchers(authority: Path | None, trust: Trust) -> list[Voucher]:
    """Return those that clients have: what was named or logged in with, and the system's."""
    found = []
    if authority is not None:
        found.append(Voucher(name=str(authority), trust=Trust(authority=str(authority))))
    elif trust != Trust():
        found.append(Voucher(name=trust.authority or "the login's authority", trust=trust))
    return [*found, Voucher(name="the system's store", trust=Trust())]


class TlsCheck:
    """Looks at one service after the other."""

    def __init__(self, known: Sequence[Voucher], checklist: Checklist, clock: Clock) -> None:
        self._known = known
        self._checklist = checklist
        self._clock = clock

    def open_line(self, service: Service, addresses: Sequence[str]) -> tuple[Line, Trust] | None:
        """Return how to talk to the service, None where clients would refuse to."""
        fault: ssl.SSLCertVerificationError | None = None
        for voucher in self._known:
            context = make_context(voucher.trust)
            try:
                shown = _handshake(service.endpoint, context)
            except ssl.SSLCertVerificationError as error:
                # The first voucher is the one that was meant.
                fault = fault or error
            except OSError as error:
                return self._without(service, addresses, error)
            else:
                self._tell(service, facts_of(shown), voucher.name)
                return Line(endpoint=service.endpoint, context=context), voucher.trust
        if fault is not None:
            self._refused(service, fault)
        return None

    def _tell(self, service: Service, facts: CertificateFacts, voucher: str) -> None:
        now = self._clock.now()
        days = facts.days_left(now)
        text = f"{service.name}: trusted by {voucher}, good until {_day(facts.ends)} ({days} days)"
        if days < WARN_DAYS:
            self._checklist.warn(_HOP, text, _RENEW)
        else:
            self._checklist.ok(_HOP, text)

    def _without(
        self, service: Service, addresses: Sequence[str], error: OSError
    ) -> tuple[Line, Trust] | None:
        if not speaks_clear(error):
            self._checklist.fail(
                _HOP, f"{service.name}: no TLS session: {reason_of(error)}", service.advice
            )
            return None
        if service.name != "registry":
            self._checklist.fail(
                _HOP,
                f"{service.name}: {service.endpoint} speaks no TLS",
                "it is another service's port, or a proxy's that should speak TLS; "
                f"name the right one: --{service.name} HOST:PORT",
            )
            return None
        if all(is_loopback(address) for address in addresses):
            self._checklist.ok(_HOP, "registry: in clear, which stays on this machine")
        else:
            self._checklist.warn(
                _HOP,
                "registry: in clear: passwords and images can be read and changed on the way",
                "set http.tls.certificate and http.tls.key; `atomic-registry install` does",
            )
        return Line(endpoint=service.endpoint, context=None), Trust()

    def _refused(self, service: Service, fault: ssl.SSLCertVerificationError) -> None:
        context = make_context(Trust(is_insecure=True))
        try:
            facts = facts_of(_handshake(service.endpoint, context))
        except (OSError, ValueError) as error:
            why = reason_of(error)
            self._checklist.fail(_HOP, f"{service.name}: no TLS session: {why}", service.advice)
            return
        text, advice = _explain(service, fault, facts)
        self._checklist.fail(_HOP, f"{service.name}: {text}", advice)


def _explain(
    service: Service, fault: ssl.SSLCertVerificationError, facts: CertificateFacts
) -> tuple[str, str]:
    if fault.verify_code == _ENDED:
        return f"its certificate ended on {_day(facts.ends)}, or a clock is wrong", _RENEW
    if fault.verify_code == _NOT_YET:
        return (
            f"its certificate begins on {_day(facts.begins)}, which is in the future here",
            "set the clock of this machine, or of the one that made the certificate",
        )
    if fault.verify_code in _OTHER_NAME:
        host, names = service.endpoint.host, ", ".join(facts.names) or "no name"
        advice = f"issue one with it: atomic-registry install {host}, with all other names after it"
        return f"its certificate is for {names}, not for {host}", advice
    text = f"nobody trusted here vouches for its certificate, issued by {facts.issuer}"
    return f"{text}: {fault.verify_message}", _TRUST


def _handshake(endpoint: Endpoint, context: ssl.SSLContext) -> bytes:
    """Return the certificate that is shown, in DER."""
    with (
        socket.create_connection((endpoint.host, endpoint.port), CONNECT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=endpoint.host) as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
