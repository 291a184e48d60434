"""The server's certificates, reloaded when files change; a bad pair never replaces a good one."""

import asyncio
import ssl
from asyncio import sslproto
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from atomic_registry.identity.client_certificates import ClientAuthority

_logger = structlog.get_logger(__name__)
TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_POLL_SECONDS = 2.0
_FAST_BUFFER = 256 * 1024
SMALL_BUFFER = 32 * 1024
"""For many connections that are idle: a push through such a buffer takes a fifth more work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPair:
    """A pair for clients that ask for one of the names; `*.` stands for one label."""

    names: tuple[str, ...]
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """What a listener shows, and whose certificates it takes.

    Clients may show a certificate of `client_ca`, which stands for an account, or of one of
    `proxy_cas`, which does not. Both need a restart to change. `buffer_bytes` is the memory that a
    connection holds for what it receives. With `requires_client` nobody connects without one.
    """

    certificate: Path
    key: Path
    named: tuple[NamedPair, ...] = ()
    client_ca: Path | None = None
    proxy_cas: tuple[Path, ...] = ()
    requires_client: bool = False
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    ciphers: str = ""
    buffer_bytes: int = _FAST_BUFFER

    def limit_buffers(self) -> None:
        """Let each TLS connection of this process have a buffer of this size.

        asyncio makes the buffer with the connection and fills it with zeros, so that a thousand
        idle watches would hold 256 MiB.
        """
        sslproto.SSLProtocol.max_size = self.buffer_bytes


class ReloadingContext:
    """An SSL context of our own; handshakes after `reload` see the new pairs, without a restart."""

    def __init__(self, options: TlsOptions) -> None:
        """Load the pairs and the authorities.

        Raises:
            OSError: a file cannot be read, or a pair does not belong together (`ssl.SSLError`).
            ValueError: an authority's file holds no certificate.
        """
        self._options = options
        self._authority = None if options.client_ca is None else ClientAuthority(options.client_ca)
        self._named = [_Pair(it.certificate, it.key, options) for it in options.named]
        self._own = _Pair(options.certificate, options.key, options)
        self.context = self._own.context
        if options.named:
            self._by_name = {
                name.lower().rstrip("."): pair.context
                for named, pair in zip(options.named, self._named, strict=True)
                for name in named.names
            }
            self.context.sni_callback = self._choose

    @property
    def is_account(self) -> Callable[[bytes], bool]:
        """Tells of a certificate that a handshake has verified whether it stands for an account."""
        if self._authority is None:
            return lambda _: False
        # The handshake itself tells where it knows this authority alone.
        return self._authority.has_issued if self._options.proxy_cas else lambda _: True

    async def watch(self, *, interval: float = _POLL_SECONDS) -> None:
        """Reload pairs whose files changed; runs until it is cancelled."""
        while True:
            await asyncio.sleep(interval)
            for pair in self._pairs():
                if pair.has_changed():
                    pair.reload()

    def reload(self) -> bool:
        """Take the pairs on disk into use and tell whether that was possible for all."""
        # All are tried: one that is bad keeps none of the others from being taken.
        done = [pair.reload() for pair in self._pairs()]
        return all(done)

    def _pairs(self) -> Sequence["_Pair"]:
        return [self._own, *self._named]

    def _choose(
        self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext
    ) -> None:
        asked = (name or "").lower().rstrip(".")
        found = self._by_name.get(asked) or self._by_name.get(f"*.{asked.partition('.')[2]}")
        if found is not None:
            connection.context = found


class _Pair:
    """A context with one certificate and its key."""

    def __init__(self, certificate: Path, key: Path, options: TlsOptions) -> None:
        self._certificate = certificate
        self._key = key
        self._options = options
        self._seen = self._stamp()
        self.context = self._load()

    def has_changed(self) -> bool:
        """Tell whether a file is another one than at the last call."""
        before, self._seen = self._seen, self._stamp()
        return before != self._seen

    def reload(self) -> bool:
        """Take the pair on disk into use and tell whether that was possible."""
        try:
            # A pair that does not match would break the live context for every later handshake,
            # so a scratch context must accept it first.
            scratch = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            scratch.load_cert_chain(self._certificate, self._key)
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
        context.minimum_version = self._options.minimum
        context.load_cert_chain(self._certificate, self._key)
        if self._options.ciphers:
            context.set_ciphers(self._options.ciphers)
        context.set_alpn_protocols(["http/1.1"])
        # Of the context that a connection ends up with counts the list of authorities as well.
        authorities = [self._options.client_ca, *self._options.proxy_cas]
        for path in filter(None, authorities):
            is_required = self._options.requires_client
            context.verify_mode = ssl.CERT_REQUIRED if is_required else ssl.CERT_OPTIONAL
            context.load_verify_locations(path)
        return context

    def _stamp(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_file_stamp(path) for path in (self._certificate, self._key))


def _file_stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
