"""What the master keeps in files: its configuration, the CA, certificates and session secrets.

What is missing is made on the first start; what is there is an administrator's and stays.
"""

import base64
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from argon2 import PasswordHasher

from atomic_registry.app.master_certificates import SERVER_NAME, ensure_master_certificates
from atomic_registry.clock import Clock
from atomic_registry.config.environment import process_environment
from atomic_registry.config.identity_providers import RequestHeader
from atomic_registry.config.load import ConfigInvalid, Mistake
from atomic_registry.config.master_config import (
    HTPASSWD_NAME,
    MasterConfig,
    SessionSecret,
    default_master_config,
    load_master_config,
    load_session_secrets,
)
from atomic_registry.config.settings import Settings, parse_listen
from atomic_registry.system.durable_files import locked, write_file
from atomic_registry.system.tls import SMALL_BUFFER, NamedPair, TlsOptions

_logger = structlog.get_logger(__name__)
ADMINISTRATOR_NAME = "admin"
SECRETS_NAME = "session-secrets.yaml"
_PASSWORD_LENGTH = 24
_HTTPS_PORT = 443
_TLS_VERSIONS = {
    # Older ones are spoken no more.
    "VersionTLS10": ssl.TLSVersion.TLSv1_2,
    "VersionTLS11": ssl.TLSVersion.TLSv1_2,
    "VersionTLS12": ssl.TLSVersion.TLSv1_2,
    "VersionTLS13": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterFiles:
    """The files as they were at the start."""

    config: MasterConfig
    public_url: str
    urls: tuple[str, ...]
    certificate: Path
    key: Path
    client_ca: Path | None
    authority: Path
    session_secrets: tuple[SessionSecret, ...]
    first_password: str = field(default="", repr=False)


def prepare_master_files(
    settings: Settings, clock: Clock, *, with_secrets: bool = True
) -> MasterFiles:
    """Make what is missing, unless somebody else does that, and read the rest.

    `with_secrets` asks for the keys of login sessions, which only the master needs.

    Raises:
        ConfigInvalid: with all mistakes of the master's file.
        OSError: the directory cannot be written, or a file cannot be read.
    """
    first_password = ""
    if settings.master.makes_files:
        first_password = make_master_files(settings, clock)
    path = settings.master_config_file
    config = load_master_config(path, process_environment())
    _refuse_public_secrets(config, path, settings.master_directory)
    if config.ignored:
        _logger.warning("keys without effect here", file=str(path), keys=list(config.ignored))
    serving = config.serving_info
    directory = settings.master_directory
    secrets = config.oauth_config.session_config.session_secrets_file or directory / SECRETS_NAME
    public_url = public_url_of(config, settings)
    return MasterFiles(
        config=config,
        public_url=public_url,
        urls=urls_of(settings, public_url),
        certificate=serving.cert_file or directory / f"{SERVER_NAME}.crt",
        key=serving.key_file or directory / f"{SERVER_NAME}.key",
        client_ca=serving.client_ca,
        authority=directory / "ca.crt",
        session_secrets=load_session_secrets(secrets) if with_secrets else (),
        first_password=first_password,
    )


def make_master_files(settings: Settings, clock: Clock) -> str:
    """Make what is missing, and renew what is worn; return the administrator's password if new.

    Raises:
        ConfigInvalid: the master's file or the authority cannot be used.
        OSError: the directory cannot be written.
    """
    directory = settings.master_directory
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    path = settings.master_config_file
    first_password = ""
    if not path.exists():
        choice = settings.master.identity_provider
        if choice == "htpasswd":
            first_password = make_administrator(path.with_name(HTPASSWD_NAME), clock)
        text = default_master_config(
            bind_address=settings.master.listen,
            public_url=default_public_url(settings),
            identity_provider=choice,
        )
        write_file(path, text.encode(), 0o640)
    config = load_master_config(path, process_environment())
    if config.oauth_config.session_config.session_secrets_file is None:
        make_session_secrets(directory, clock)
    public_url = public_url_of(config, settings)
    ensure_master_certificates(directory, hostnames(settings, public_url), public_url, clock=clock)
    return first_password


def make_session_secrets(directory: Path, clock: Clock) -> Path:
    """Return the file of the keys of login sessions; make it if there is none."""
    secrets = directory / SECRETS_NAME
    # The registry and the master may start at the same time.
    with locked(directory):
        if not secrets.exists():
            write_file(secrets, _new_session_secrets(clock).encode(), 0o600)
    return secrets


def public_url_of(config: MasterConfig, settings: Settings) -> str:
    """Return the URL by which clients reach the master."""
    return (
        config.oauth_config.master_public_url
        or config.master_public_url
        or default_public_url(settings)
    ).rstrip("/")


def urls_of(settings: Settings, public_url: str) -> tuple[str, ...]:
    """Return every URL by which clients reach the master, the one they are told of first."""
    port = urlsplit(public_url).port or _HTTPS_PORT
    more = (f"https://{_in_url(name)}:{port}" for name in _named(settings))
    return tuple(dict.fromkeys((public_url, *more)))


def _refuse_public_secrets(config: MasterConfig, path: Path, private: Path) -> None:
    """Return if no directory that is shown to anybody holds the one of the keys.

    Raises:
        ConfigInvalid: with each extension that does.
    """
    mistakes = [
        Mistake(
            origin=str(path),
            key=f"assetConfig.extensions[{index}].sourceDirectory",
            reason=f"{it.source_directory} holds private keys, which everybody could download",
            hint=f"make a directory for it, for example {private / 'site'}",
        )
        for index, it in enumerate(config.asset_config.extensions)
        if private.resolve().is_relative_to(it.source_directory.resolve())
    ]
    if mistakes:
        raise ConfigInvalid(mistakes)


def tls_options(files: MasterFiles) -> TlsOptions:
    """Return what the listener of the master shows, and whose certificates it takes."""
    serving = files.config.serving_info
    named = tuple(
        NamedPair(names=it.names, certificate=it.cert_file, key=it.key_file)
        for it in serving.named_certificates
    )
    proxies = (item.provider for item in files.config.oauth_config.identity_providers)
    return TlsOptions(
        certificate=files.certificate,
        key=files.key,
        named=named,
        client_ca=files.client_ca,
        proxy_cas=tuple(
            it.client_ca
            for it in proxies
            if isinstance(it, RequestHeader) and it.client_ca is not None
        ),
        minimum=_TLS_VERSIONS[serving.min_tls_version],
        ciphers=serving.ciphers,
        # Watches are idle nearly always, and nobody uploads much here.
        buffer_bytes=SMALL_BUFFER,
    )


def make_administrator(path: Path, clock: Clock) -> str:
    """Write a password file with one name in it and return the password."""
    digits = bytes.fromhex(clock.new_id() + clock.new_id())
    password = base64.urlsafe_b64encode(digits).decode()[:_PASSWORD_LENGTH]
    text = f"{ADMINISTRATOR_NAME}:{PasswordHasher().hash(password)}\n"
    write_file(path, text.encode(), 0o600)
    return password


def hostnames(settings: Settings, public_url: str) -> list[str]:
    """Return the names and addresses that certificates are made for."""
    named = _named(settings)
    public = urlsplit(public_url).hostname or "localhost"
    machine = [public, socket.gethostname(), "localhost", "127.0.0.1", "::1"]
    return list(dict.fromkeys((*named, *machine)))


def default_public_url(settings: Settings) -> str:
    """Return the URL of the master where its file names none."""
    host, port = parse_listen(settings.master.listen)
    named = _named(settings)
    if named:
        host = named[0]
    elif host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = socket.gethostname()
    return f"https://{_in_url(host)}:{port}"


def _named(settings: Settings) -> list[str]:
    return [name.strip() for name in settings.master.hostnames.split(",") if name.strip()]


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _new_session_secrets(clock: Clock) -> str:
    authentication = clock.new_id() + clock.new_id()
    return f"""\
# Keys of session cookies: the first pair writes, all of them read. Put a new pair on top.
apiVersion: v1
kind: SessionSecrets
secrets:
- authentication: "{authentication}"
  encryption: "{clock.new_id()}"
"""
