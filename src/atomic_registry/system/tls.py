"""The server's certificate, reloaded when its files change; a bad pair never replaces a good one."""

import asyncio
import ssl
from pathlib import Path

import structlog

_logger = structlog.get_logger(__name__)
_POLL_SECONDS = 2.0


class ReloadingContext:
    """An SSL context of our own; handshakes after `reload` see the new pair, without a restart."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        """Load the pair; with a client CA, clients may show a certificate that it has signed.

        Raises:
            OSError: a file cannot be read, or the two do not belong together (`ssl.SSLError`).
        """
        self._certificate = certificate
        self._key = key
        self._client_ca = client_ca
        self._seen = self._stamp()
        self.context = self._load()

    async def watch(self, *, interval: float = _POLL_SECONDS) -> None:
        """Reload when a file changed; runs until it is cancelled."""
        while True:
            await asyncio.sleep(interval)
            stamp = self._stamp()
            if stamp != self._seen:
                self._seen = stamp
                self.reload()

    def reload(self) -> bool:
        """Take the pair on disk into use and tell whether that was possible."""
        try:
            # A pair that does not match would break the live context for every later handshake,
            # so a scratch context must accept it first.
            self._load()
            self.context.load_cert_chain(self._certificate, self._key)
        except OSError as error:
            _logger.error(  # noqa: TRY400, the traceback says nothing more
                "certificate not reloaded, the previous one stays in use; "
                "write a certificate and the key that belongs to it, both readable by the service",
                certificate=str(self._certificate),
                private_key=str(self._key),
                reason=str(error),
            )
            return False
        _logger.info("certificate reloaded", certificate=str(self._certificate))
        return True

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._certificate, self._key)
        context.set_alpn_protocols(["http/1.1"])
        if self._client_ca is not None:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(self._client_ca)
        return context

    def _stamp(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_file_stamp(path) for path in (self._certificate, self._key))


def _file_stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
