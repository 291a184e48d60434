"""What an installation consists of, step by step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from atomic_registry.app.master_certificates import ensure_master_certificates
from atomic_registry.app.master_files import (
    ADMINISTRATOR_NAME,
    SECRETS_NAME,
    make_administrator,
    make_session_secrets,
)
from atomic_registry.clock import Clock
from atomic_registry.config.master_config import HTPASSWD_NAME, default_master_config
from atomic_registry.system.ca import ensure_server_certificate, ensure_signer
from atomic_registry.system.durable_files import write_file
from atomic_registry.system.install import layout, texts
from atomic_registry.system.install.ledger import Choices
from atomic_registry.system.install.steps import Act, Default, Directory, Link, Made, Rights, Step
from atomic_registry.system.install.target import Target

FIRST_PASSWORD = layout.CONFIGURATION / "master" / "admin.password"

_PUBLIC = Rights(mode=0o644)
_ROOT_ONLY = Rights(mode=0o600)
_FOR_ALL_SERVICES = Rights(mode=0o640, group=layout.GROUP)
_OPEN_DIRECTORY = Rights(mode=0o755)
_SHARED_DIRECTORY = Rights(mode=0o750, group=layout.GROUP)
_ENTER_ALL = "0.0.0.0"  # noqa: S104 - written, not bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Makes the steps for one machine."""

    target: Target
    choices: Choices
    prefix: Path
    clock: Clock

    def steps(self) -> list[Step]:
        """Return everything that is to be seen to, in order."""
        return [
            *self._users(),
            *self._directories(),
            *self.certificates(),
            *self._secrets(),
            *self._configuration(),
            *self._commands(),
            *self._units(),
        ]

    @property
    def public_url(self) -> str:
        """The URL by which clients reach the master."""
        return url_of(self.choices.hostnames[0], self.choices.master_port)

    @property
    def _administrator(self) -> str:
        is_closed = self.choices.identity_provider == "htpasswd"
        return ADMINISTRATOR_NAME if is_closed else ""

    def _users(self) -> Iterator[Step]:
        yield Directory(path=layout.SYSUSERS.parent, rights=_OPEN_DIRECTORY)
        yield Default(path=layout.SYSUSERS, text=layout.packaged("sysusers.conf"), rights=_PUBLIC)
        yield Act(
            what=f"users {', '.join(layout.SERVICES)}; group {layout.GROUP}",
            act=lambda target: target.sysusers(layout.SYSUSERS),
        )

    def _directories(self) -> Iterator[Step]:
        shared_state = partial(Rights, mode=0o2770, group=layout.GROUP)
        console = Rights(mode=0o750, group=layout.CONSOLE)
        yield Directory(path=layout.CONFIGURATION, rights=_OPEN_DIRECTORY)
        for name in ("master", "registry", "serviceaccount"):
            yield Directory(path=layout.CONFIGURATION / name, rights=_SHARED_DIRECTORY)
        yield Directory(path=layout.CONFIGURATION / "console", rights=console)
        yield Directory(path=layout.DATA, rights=shared_state())
        yield Directory(path=layout.DATA / "datastore", rights=shared_state(owner=layout.MASTER))
        yield Directory(path=layout.DATA / "registry", rights=shared_state(owner=layout.REGISTRY))
        for path in (layout.SYSCONFIG, layout.COMMANDS, layout.UNITS, layout.TMPFILES.parent):
            yield Directory(path=path, rights=_OPEN_DIRECTORY)

    def certificates(self) -> Iterator[Step]:
        """Yield what sees to the authority, and to the certificates that it has issued."""
        master = layout.CONFIGURATION / "master"
        here = self.target.at(master)
        yield Made(
            what="certificate authority, certificates of the master and of system:admin",
            rights=(
                (master / "ca.crt", _PUBLIC),
                (master / "ca.key", _ROOT_ONLY),
                (master / "ca.serial.txt", Rights(mode=0o640)),
                (master / "master.server.crt", _PUBLIC),
                (master / "master.server.key", _ROOT_ONLY),
                (master / "admin.crt", _ROOT_ONLY),
                (master / "admin.key", _ROOT_ONLY),
                (master / "admin.kubeconfig", _ROOT_ONLY),
            ),
            make=lambda: ensure_master_certificates(
                here, self._names(), self.public_url, clock=self.clock
            ),
        )
        for name in ("registry", "console"):
            yield self._certificate(name)
        yield from self._authorities()

    def _secrets(self) -> Iterator[Step]:
        master = layout.CONFIGURATION / "master"
        here = self.target.at(master)
        yield Made(
            what="keys of login sessions",
            rights=((master / SECRETS_NAME, Rights(mode=0o640, group=layout.MASTER)),),
            make=partial(make_session_secrets, here, self.clock),
        )
        namespace = layout.CONFIGURATION / "serviceaccount" / "namespace"
        yield Default(path=namespace, text="default", rights=_PUBLIC)
        if self._administrator:
            yield Made(
                what=f"password of {ADMINISTRATOR_NAME}",
                rights=((master / HTPASSWD_NAME, _FOR_ALL_SERVICES),),
                make=self._make_password,
            )

    def _certificate(self, service: str) -> Step:
        directory = layout.CONFIGURATION / service

        def make() -> None:
            signer = ensure_signer(
                self.target.at(layout.CONFIGURATION / "master"), clock=self.clock
            )
            ensure_server_certificate(
                self.target.at(directory), self._names(), signer, clock=self.clock, name=service
            )

        return Made(
            what=f"certificate of the {service}",
            rights=(
                (directory / f"{service}.crt", _PUBLIC),
                (directory / f"{service}.key", _ROOT_ONLY),
            ),
            make=make,
        )

    def _names(self) -> list[str]:
        return [*self.choices.hostnames, "localhost", "127.0.0.1", "::1"]

    def _authorities(self) -> Iterator[Step]:
        """What a pod would find: which authority to trust."""
        directory = layout.CONFIGURATION / "serviceaccount"
        authority = self.target.at(layout.CONFIGURATION / "master" / "ca.crt")
        for name in ("ca.crt", "service-ca.crt"):
            path = directory / name
            yield Made(
                what="certificate authority for clients",
                rights=((path, _PUBLIC),),
                make=partial(_copy, authority, self.target.at(path)),
            )

    def _configuration(self) -> Iterator[Step]:
        credentials = Path(f"/run/credentials/{layout.MASTER}.service")
        yield Default(
            path=layout.CONFIGURATION / "master" / "master-config.yaml",
            text=default_master_config(
                bind_address=f"{_ENTER_ALL}:{self.choices.master_port}",
                public_url=self.public_url,
                identity_provider=(
                    "htpasswd" if self.choices.identity_provider == "htpasswd" else "anypassword"
                ),
                certificates=credentials,
            ),
            rights=_FOR_ALL_SERVICES,
        )
        yield Default(
            path=layout.CONFIGURATION / "registry" / "config.yml",
            text=texts.registry_config(self.choices),
            rights=_FOR_ALL_SERVICES,
        )
        for service in layout.SERVICES:
            yield Default(
                path=layout.SYSCONFIG / service,
                text=texts.sysconfig(service, self.choices, self._administrator),
                rights=_PUBLIC,
            )
        yield Default(
            path=layout.SYSCONFIG / layout.BACKUP, text=texts.BACKUP_SYSCONFIG, rights=_PUBLIC
        )

    def _commands(self) -> Iterator[Step]:
        if self.prefix.parent == layout.VERSIONS:
            yield Link(path=layout.CURRENT, to=Path(self.prefix.name))
        directory = layout.program_of(self.prefix).parent
        for name in layout.COMMAND_NAMES:
            yield Link(path=layout.COMMANDS / name, to=directory / name)
        yield Default(
            path=layout.SETUP_SCRIPT,
            text=layout.packaged("setup-atomic-registry.sh"),
            rights=Rights(mode=0o755),
        )
        yield Default(path=layout.TMPFILES, text=layout.packaged("tmpfiles.conf"), rights=_PUBLIC)

    def _units(self) -> Iterator[Step]:
        program = layout.program_of(self.prefix)
        for name in (*layout.UNIT_NAMES, *layout.TIMED_UNITS):
            text = layout.unit_text(name, program, self.choices)
            yield Default(path=layout.UNITS / name, text=text, rights=_PUBLIC)
        if self.target.is_live:
            yield Act(
                what="systemd reads the units",
                act=lambda target: target.systemctl("daemon-reload"),
                undo=lambda target: target.systemctl("daemon-reload", check=False),
            )
            yield Act(
                what=f"link /run/{layout.SETUP_SCRIPT.name}",
                act=lambda target: target.run(
                    ["systemd-tmpfiles", "--create", str(layout.TMPFILES)]
                ),
            )

    def _make_password(self) -> None:
        path = self.target.at(layout.CONFIGURATION / "master" / HTPASSWD_NAME)
        if not path.exists():
            password = make_administrator(path, self.clock)
            write_file(self.target.at(FIRST_PASSWORD), f"{password}\n".encode(), 0o600)


def _copy(source: Path, place: Path) -> None:
    write_file(place, source.read_bytes(), 0o644)


def url_of(host: str, port: int) -> str:
    """Return the URL of a service on a name or an address."""
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def next_steps(choices: Choices, *, is_running: bool) -> Sequence[str]:
    """Return what an administrator may want to do now."""
    host = choices.hostnames[0]
    registry = url_of(host, choices.registry_port).removeprefix("https://")
    master, authority = url_of(host, choices.master_port), layout.CONFIGURATION / "master/ca.crt"
    lines = ["", "Installed."]
    if not is_running:
        lines += ["Look at the configuration in /etc/atomic-registry, then start all services:"]
        lines += [f"  systemctl enable --now {layout.MASTER}.service"]
    if choices.identity_provider == "htpasswd":
        lines.append(
            f"The administrator is {ADMINISTRATOR_NAME}; the password is in {FIRST_PASSWORD}"
        )
    else:
        lines.append(
            "ANYBODY may log in as anybody, with any password, until identityProviders in "
            f"{layout.CONFIGURATION}/master/master-config.yaml says otherwise."
        )
    return [
        *lines,
        f"Clients must trust {authority}; docker and podman look for it in",
        f"  /etc/docker/certs.d/{registry}/ca.crt",
        f"Then: atomic-registry login {master} --certificate-authority={authority}",
    ]
