"""`atomic-registry ca create-master-certs`."""

import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click

from atomic_registry.cli import authority_options as options
from atomic_registry.cli.authority_errors import reported
from atomic_registry.clock import SystemClock

_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """Where the master is reached."""

    master: str
    public_master: str
    hostnames: str

    @property
    def public_url(self) -> str:
        return (self.public_master or self.master).rstrip("/")

    @property
    def all(self) -> list[str]:
        named = [name.strip() for name in self.hostnames.split(",") if name.strip()]
        urls = [urlsplit(url).hostname or "" for url in (self.public_master, self.master)]
        machine = ["localhost", "127.0.0.1", "::1"]
        return list(dict.fromkeys(name for name in (*named, *urls, *machine) if name))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Days:
    certificate: int
    signer: int


_names = options.gathered(
    "names",
    lambda master, public_master, hostnames: _Names(
        master=master, public_master=public_master, hostnames=hostnames
    ),
    master=click.option(
        "--master",
        default=lambda: f"https://{socket.gethostname()}:8443",
        show_default="https://<this machine>:8443",
        help="URL of the master.",
    ),
    public_master=click.option(
        "--public-master", default="", help="URL that clients reach it by, if it is another one."
    ),
    hostnames=click.option(
        "--hostnames",
        default="",
        help="Further names and addresses for its certificate, joined by commas.",
    ),
)
_days = options.gathered(
    "days",
    lambda expire_days, signer_expire_days: _Days(
        certificate=expire_days, signer=signer_expire_days
    ),
    expire_days=options.certificate_days,
    signer_expire_days=options.signer_days,
)


@click.command("create-master-certs")
@click.option(
    "--cert-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="here",
    help="Directory of the master.",
)
@_names
@click.option("--signer-name", default="", help="Name of the authority, if one is made.")
@click.option(
    "--certificate-authority",
    "others",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    help="Another authority for ca-bundle.crt. May be given more than once.",
)
@options.switch(
    "--overwrite",
    default=False,
    help_text="Make a new authority too; what clients trust now is worth nothing then.",
)
@_days
def command(
    cert_dir: Path,
    names: _Names,
    signer_name: str,
    others: tuple[Path, ...],
    *,
    overwrite: bool,
    days: _Days,
) -> None:
    """Make the files of a master: authority, certificates and the administrator's kubeconfig.

    What is good already stays. Files of the original that a registry has no use for (etcd,
    kubelets, proxies) are not made.

    \b
    Example:
      atomic-registry ca create-master-certs --cert-dir=/etc/atomic-registry/master \
        --master=https://registry.example.com:8443
    """
    # The package loads the whole server.
    from atomic_registry.app import master_certificates as made  # noqa: PLC0415
    from atomic_registry.system.signers import ensure_signer  # noqa: PLC0415

    if urlsplit(names.public_url).scheme != "https" or not urlsplit(names.public_url).hostname:
        raise click.UsageError(f"{names.public_url!r} is no URL: write https://HOST:PORT")
    with reported():
        if overwrite:
            made.replace_signer(cert_dir, signer_name, clock=_CLOCK, days=days.signer)
        else:
            ensure_signer(cert_dir, signer_name, clock=_CLOCK, days=days.signer)
        found = made.ensure_master_certificates(
            cert_dir,
            names.all,
            names.public_url,
            clock=_CLOCK,
            lifetimes=made.Lifetimes(certificate=days.certificate, signer=days.signer),
        )
        bundle = made.write_bundle(found, others)
    for path in (found.signer.certificate, bundle, found.server.certificate, found.kubeconfig):
        click.echo(f"ready: {path}")
