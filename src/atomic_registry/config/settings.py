"""Every option of the registry: one field each, with its default and its help.

Nothing else defines an option: loading, the sample file and the documentation read these fields.
"""

import dataclasses
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, TypeVar

IdentityProviderChoice = Literal["anypassword", "htpasswd"]
AccessPolicy = Literal["rbac", "open"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "json", "text", "logstash"]
TlsVersion = Literal["1.2", "1.3"]
MAX_PORT = 65535

_T = TypeVar("_T")


def option(
    default: _T,
    help_text: str,
    *,
    minimum: int | None = None,
    maximum: int | None = None,
    secret: bool = False,
) -> _T:
    """Return a dataclass field; typed as its value, the way `dataclasses.field` is."""
    metadata = {"help": help_text, "minimum": minimum, "maximum": maximum, "secret": secret}
    field: _T = dataclasses.field(default=default, metadata=metadata)
    return field


def parse_listen(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT` or `[IPV6]:PORT`; port 0 lets the system choose.

    Raises:
        ValueError: the text is neither.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"an IPv6 address needs brackets: [{host}]:{port}")
    if not colon or not host or not (port.isascii() and port.isdigit() and int(port) <= MAX_PORT):
        raise ValueError("it must read HOST:PORT, for example 127.0.0.1:5000")
    return host, int(port)


def parse_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks of a list separated by commas; an address is a network of one.

    Raises:
        ValueError: one of them is neither.
    """
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """The certificate of the listener; without one it speaks clear HTTP."""

    certificate: Path | None = option(
        None, "File with the server's certificate and its chain, in PEM. Set together with `key`."
    )
    key: Path | None = option(None, "File with the private key of the certificate, in PEM.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryTlsSettings:
    """The certificate of the listener, and how it is spoken to; without one: clear HTTP."""

    certificate: Path | None = option(
        None, "File with the server's certificate and its chain, in PEM. Set together with `key`."
    )
    key: Path | None = option(None, "File with the private key of the certificate, in PEM.")
    minimum: TlsVersion = option("1.2", "The oldest version of TLS that is spoken.")
    ciphers: str = option(
        "",
        "Cipher suites of TLS 1.2 by OpenSSL's names, joined by colons; unset means those of the "
        "system that are strong.",
    )
    client_authorities: str = option(
        "",
        "Files with certificates of authorities, joined by commas. With any, nobody connects who "
        "has no certificate of one of them; who they are is asked as before.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """The listener of the registry and how long it waits for clients."""

    listen: str = option("127.0.0.1:5000", "Address and port on which the registry listens.")
    workers: int = option(0, "Number of worker processes; 0 means one per core.", minimum=0)
    drain_seconds: int = option(
        30, "How long running transfers may go on after a request to stop.", minimum=0
    )
    header_seconds: int = option(
        30, "How long a client may take to send the head of a request.", minimum=1
    )
    body_idle_seconds: int = option(
        30, "How long a client may send nothing in the middle of a body.", minimum=1
    )
    send_idle_seconds: int = option(
        300, "How long a client may accept nothing in the middle of an answer.", minimum=1
    )
    max_connections: int = option(
        5000, "Open connections per worker; further ones wait to be accepted.", minimum=1
    )
    trusted_proxies: str = option(
        "",
        "Networks of proxies whose `X-Forwarded-*` headers are believed, joined by commas, for "
        "example `10.0.0.0/8,fd00::/8`.",
    )
    headers: str = option(
        "", 'Headers that go with each answer, as a JSON object: `{"X-Frame-Options": "deny"}`.'
    )
    public_host: str = option(
        "",
        "`HOST:PORT` by which clients reach the registry, as references to images have it; unset "
        "means the name of the master, and the port of `listen`.",
    )
    token_url: str = option(
        "",
        "`https://HOST:PORT` of the registry that clients are sent to for tokens; unset means the "
        "one that they have reached it by.",
    )
    tls: RegistryTlsSettings = dataclasses.field(default_factory=RegistryTlsSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """Who may do what."""

    policy: AccessPolicy = option(
        "rbac",
        "`rbac` decides by roles and bindings; `open` lets everybody do everything, and the "
        "registry then listens on loopback only.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterSettings:
    """The master: identity, OAuth and the API. What `master-config.yaml` says goes before this."""

    config_file: Path | None = option(
        None,
        "The master's file, in the directory of its keys and certificates; unset means "
        "`master/master-config.yaml` below `root`.",
    )
    makes_files: bool = option(
        True,
        "Make the file, the CA, keys and certificates where they are missing, and renew them at "
        "the start. Switched off where `atomic-registry install` has made them: then the service "
        "needs no right to write there, nor the key of the CA.",
    )
    listen: str = option(
        "127.0.0.1:8443", "Address and port for the file that is written at the first start."
    )
    hostnames: str = option(
        "",
        "Names and addresses that clients reach this machine by, joined by commas; the "
        "certificates are made for them besides `localhost` and this machine's name.",
    )
    identity_provider: IdentityProviderChoice = option(
        "anypassword",
        "What the first start writes into that file: `anypassword` lets anybody in as anybody, "
        "`htpasswd` starts closed, with one administrator.",
    )
    administrator: str = option(
        "", "A user who gets every right when the database is made, and only then."
    )
    workers: int = option(1, "Number of worker processes of the master.", minimum=1)
    request_seconds: int = option(
        60,
        "How long a request to the API may take; a watch may go on. Clients ask for less by "
        "`timeout=30s` in the query.",
        minimum=1,
    )
    watches_per_user: int = option(
        100, "How many watches one user may have open, per worker process.", minimum=1
    )
    watches: int = option(
        5000, "How many watches may be open altogether, per worker process.", minimum=1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """The console, a page for browsers."""

    listen: str = option("127.0.0.1:9090", "Address and port on which the console listens.")
    tls: TlsSettings = dataclasses.field(default_factory=TlsSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Where the metadata lies: repositories, tags, manifests, uploads."""

    url: str = option(
        "",
        "`postgresql://user:password@host/name`; empty means SQLite below `root`.",
        secret=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where the bytes of blobs lie."""

    directory: Path | None = option(
        None, "Directory for the bytes of blobs; unset means `registry` below `root`."
    )
    deletes: bool = option(
        True, "Whether manifests, tags and blobs can be deleted at the registry."
    )
    read_only: bool = option(
        False, "Serve pulls only, for example while the storage is copied: pushes get 405."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSettings:
    """Upload sessions that clients leave behind."""

    expire_hours: int = option(
        24, "An upload that nobody continues for so long is removed.", minimum=1
    )
    expires: bool = option(True, "Whether they are removed at all.")
    interval_seconds: int = option(600, "How often they are looked for.", minimum=1)
    lease_seconds: int = option(
        60,
        "How long an upload stays reserved for a request whose worker died.",
        minimum=1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """What one request may ask for."""

    manifest_bytes: int = option(
        4 * 1024 * 1024, "The largest manifest that a push may carry, in bytes.", minimum=1024
    )
    page_size: int = option(
        1000, "Entries in one page of a list, at most.", minimum=1, maximum=100_000
    )

    quotas: bool = option(
        True, "Whether pushes are held to the limit ranges and quotas of their project."
    )
    reads_running: int = option(
        0,
        "How many pulls run at once, per worker process; 0 means any number. Further ones wait, "
        "or get 429.",
        minimum=0,
    )
    reads_waiting: int = option(0, "How many pulls may wait until others end.", minimum=0)
    reads_wait_seconds: int = option(30, "How long a pull may wait.", minimum=1)
    writes_running: int = option(
        0, "How many requests of pushes and deletions run at once, as for pulls.", minimum=0
    )
    writes_waiting: int = option(0, "How many of those may wait.", minimum=0)
    writes_wait_seconds: int = option(30, "How long one of those may wait.", minimum=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSettings:
    """The log of changes, from which watches go on where they ended."""

    keep_hours: int = option(24, "A change is kept at least so long.", minimum=1)
    keep_count: int = option(
        100_000, "So many of the newest changes are kept, however old they are.", minimum=1000
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """What is remembered of images and their tags."""

    history_kept: int = option(
        100,
        "Moves of one tag that are remembered, to look up and to roll back; older ones are "
        "forgotten at the next move.",
        minimum=1,
        maximum=10_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSettings:
    """Events, as `kubectl get events` shows them: pushes, pulls, deletions, denials."""

    keep_hours: int = option(24, "An event is shown at most so long after it happened.", minimum=1)
    keep_count: int = option(
        1000,
        "So many events of a project are kept: of pushes and deletions, of pulls, and of denials.",
        minimum=10,
        maximum=10_000,
    )
    flush_seconds: int = option(
        30,
        "How often pulls and denials, which are counted in memory, are written down.",
        minimum=1,
        maximum=3600,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is logged to standard error."""

    level: LogLevel = option("info", "The least severe messages to log.")
    access: bool = option(True, "Log one line per request.")
    format: LogFormat = option(
        "auto",
        "`text` for people, `json`, or `logstash` with the names that Logstash expects; `auto` is "
        "text on a terminal, else JSON.",
    )
    fields: str = option(
        "", 'Fields that each line has besides, as a JSON object: `{"site": "north"}`.'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole tree; read once at the start and never changed."""

    root: Path = option(
        Path("atomic-registry-data"), "Directory that holds all that the registry writes."
    )
    http: HttpSettings = dataclasses.field(default_factory=HttpSettings)
    access: AccessSettings = dataclasses.field(default_factory=AccessSettings)
    master: MasterSettings = dataclasses.field(default_factory=MasterSettings)
    console: ConsoleSettings = dataclasses.field(default_factory=ConsoleSettings)
    database: DatabaseSettings = dataclasses.field(default_factory=DatabaseSettings)
    storage: StorageSettings = dataclasses.field(default_factory=StorageSettings)
    uploads: UploadSettings = dataclasses.field(default_factory=UploadSettings)
    limits: LimitSettings = dataclasses.field(default_factory=LimitSettings)
    images: ImageSettings = dataclasses.field(default_factory=ImageSettings)
    events: EventSettings = dataclasses.field(default_factory=EventSettings)
    changes: ChangeSettings = dataclasses.field(default_factory=ChangeSettings)
    log: LogSettings = dataclasses.field(default_factory=LogSettings)

    @property
    def master_directory(self) -> Path:
        """The directory of the master's configuration, keys and certificates."""
        named = self.master.config_file
        return self.root / "master" if named is None else named.parent

    @property
    def master_config_file(self) -> Path:
        """The master's own file."""
        return self.master.config_file or self.master_directory / "master-config.yaml"

    @property
    def storage_directory(self) -> Path:
        """The directory that the bytes of blobs go to."""
        return self.storage.directory or self.root / "registry"

    @property
    def datastore_directory(self) -> Path:
        """The directory of the SQLite database, used when `database.url` is empty."""
        return self.root / "datastore"
