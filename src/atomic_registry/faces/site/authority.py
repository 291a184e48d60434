"""The certificate of the authority, as it is on disk now: it is renewed while the service runs."""

import asyncio
import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from atomic_registry.errors import RouteUnknown
from atomic_registry.web.conditional import client_holds
from atomic_registry.web.messages import Request, Response

_MAX_BYTES = 100_000
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The first certificate of the file; `fingerprint` is 64 hexadecimal digits."""

    pem: str
    fingerprint: str

    @property
    def grouped(self) -> str:
        """The fingerprint as openssl prints it."""
        digits = self.fingerprint.upper()
        return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


class AuthorityFile:
    """Reads the file, and serves it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self, request: Request) -> Authority:
        """Return the certificate.

        Raises:
            RouteUnknown: there is none.
        """
        found = await asyncio.to_thread(self._read)
        if found is None:
            raise RouteUnknown(path=request.path)
        return found

    async def get(self, request: Request) -> Response:
        """Answer with the certificate in PEM."""
        found = await self.read(request)
        headers = {
            "Content-Type": "application/x-x509-ca-cert",
            "Content-Disposition": 'attachment; filename="ca.crt"',
            "ETag": f'"{found.fingerprint}"',
            "Cache-Control": "no-cache",
        }
        if client_holds(request.headers.get("If-None-Match"), headers["ETag"]):
            return Response(status=304, headers=headers)
        return Response(status=200, headers=headers, body=found.pem.encode())

    def _read(self) -> Authority | None:
        try:
            with self._path.open("rb") as file:
                text = file.read(_MAX_BYTES).decode("ascii")
            # Whatever else may be in the file stays there.
            body = text.partition(_BEGIN)[2].partition(_END)[0]
            der = ssl.PEM_cert_to_DER_cert(f"{_BEGIN}{body}{_END}")
        except (OSError, ValueError):
            return None
        if not der:
            return None
        return Authority(
            pem=ssl.DER_cert_to_PEM_cert(der), fingerprint=hashlib.sha256(der).hexdigest()
        )
