"""The one wrapper of the HTTP client.

It follows no redirects, keeps no cookies, uses no proxy of the environment, and bounds time and
size. Its errors name the host only: paths and queries carry secrets.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path

import aiohttp
from yarl import URL

from atomic_registry.errors import RemoteFailed
from atomic_registry.remote.answers import HttpAnswer
from atomic_registry.remote.egress import (
    FORBIDDEN,
    AddressForbidden,
    EgressRules,
    GuardedResolver,
    host_of,
)

_CONNECTIONS = 50
_CHUNK_BYTES = 64 * 1024
_NO_HEADERS: Mapping[str, str] = {}


class AiohttpClient:
    """Asks remote servers within the egress rules, behind `identity.ports.HttpClient`.

    The session belongs to the event loop of the first request.
    """

    def __init__(
        self,
        *,
        egress: EgressRules,
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        timeout_seconds: float = 10,
        max_bytes: int = 1024 * 1024,
    ) -> None:
        """Read the certificates.

        Args:
            egress: what may be reached.
            ca: authorities to trust instead of the machine's.
            certificate: what to show to the server.
            key: of that certificate, where the same file does not hold it.
            timeout_seconds: for one request and its answer.
            max_bytes: size that the body of an answer may have.

        Raises:
            OSError: a file cannot be read, or is no certificate (`ssl.SSLError`).
        """
        self._egress = egress
        self._timeout_seconds = timeout_seconds
        self._max_bytes = max_bytes
        self._session: aiohttp.ClientSession | None = None
        self._tls = ssl.create_default_context(cafile=None if ca is None else str(ca))
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            self._tls.load_cert_chain(certificate, key)

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes = b"",
    ) -> HttpAnswer:
        try:
            target = URL(url)
        except ValueError:
            raise RemoteFailed(host="a URL", reason="its URL cannot be parsed") from None
        self._egress.check(target)
        host = host_of(target)
        # The causes are left out of the chain: their texts may hold the URL.
        try:
            return await self._send(method, target, headers=headers, body=body)
        except TimeoutError:
            reason = f"it took longer than {self._timeout_seconds:g} s"
            raise RemoteFailed(host=host, reason=reason) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise RemoteFailed(host=host, reason=_reason(error)) from None

    async def close(self) -> None:
        """Close what is open; a later request opens it anew."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send(
        self, method: str, url: URL, *, headers: Mapping[str, str], body: bytes
    ) -> HttpAnswer:
        if self._session is None:
            self._session = self._open()
        async with self._session.request(
            method, url, headers=headers, data=body or None, allow_redirects=False
        ) as response:
            received = await self._read(response, host=host_of(url))
            return HttpAnswer(
                status=response.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=received,
            )

    async def _read(self, response: aiohttp.ClientResponse, *, host: str) -> bytes:
        # An answer that is inflated here could grow far over the limit between two checks.
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise RemoteFailed(host=host, reason="its answer is compressed")
        received = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            received += chunk
            if len(received) > self._max_bytes:
                raise RemoteFailed(
                    host=host, reason=f"its answer is larger than {self._max_bytes} bytes"
                )
        return bytes(received)

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            ssl=self._tls,
            resolver=GuardedResolver(self._egress),
            use_dns_cache=False,
            limit=_CONNECTIONS,
            # A code can be redeemed once: it must not be lost on a connection that went stale.
            force_close=True,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout_seconds),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": "atomic-registry", "Accept-Encoding": "identity"},
        )


# The first class that fits decides.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorCertificateError, "its certificate is not trusted"),
    (aiohttp.ClientConnectorDNSError, "its name cannot be resolved"),
    (aiohttp.ClientSSLError, "TLS cannot be agreed upon"),
    (aiohttp.ClientConnectorError, "no connection"),
    (aiohttp.ServerDisconnectedError, "no connection"),
    (aiohttp.InvalidURL, "its URL cannot be parsed"),
)


def _reason(error: aiohttp.ClientError | OSError | ValueError) -> str:
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, AddressForbidden
    ):
        return FORBIDDEN
    reasons = (text for kind, text in _REASONS if isinstance(error, kind))
    return next(reasons, "its answer cannot be read")
