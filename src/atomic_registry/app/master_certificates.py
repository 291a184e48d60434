"""What a master needs of certificates: the authority, its own, the administrator's, a kubeconfig."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from atomic_registry.app.admin_kubeconfig import KUBECONFIG_NAME, ensure_kubeconfig
from atomic_registry.clock import Clock
from atomic_registry.identity.actors import CLUSTER_ADMINS, MASTERS
from atomic_registry.system.ca import (
    CERTIFICATE_DAYS,
    Pair,
    Signer,
    ensure_client_certificate,
    ensure_server_certificate,
    ensure_signer,
    is_foreign,
)
from atomic_registry.system.durable_files import locked, write_file
from atomic_registry.system.signers import SIGNER_DAYS, Issue, make_signer, signer_in

ADMINISTRATOR = "system:admin"
SERVER_NAME = "master.server"
ADMINISTRATOR_PAIR = "admin"
BUNDLE_NAME = "ca-bundle.crt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How many days certificates are good."""

    certificate: int = CERTIFICATE_DAYS
    signer: int = SIGNER_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterCertificates:
    """The files."""

    signer: Signer
    server: Pair
    kubeconfig: Path


def ensure_master_certificates(
    directory: Path,
    hostnames: Sequence[str],
    public_url: str,
    *,
    clock: Clock,
    lifetimes: Lifetimes | None = None,
) -> MasterCertificates:
    """Make what is missing in the directory, and renew what is worn or lacks a name.

    Raises:
        ConfigInvalid: the authority or a host name cannot be used.
        OSError: the directory cannot be written.
    """
    days = lifetimes or Lifetimes()
    signer = ensure_signer(directory, clock=clock, days=days.signer)
    server = ensure_server_certificate(
        directory, hostnames, signer, clock=clock, days=days.certificate
    )
    administrator = ensure_client_certificate(
        ADMINISTRATOR, [CLUSTER_ADMINS, MASTERS], signer, clock=clock, days=days.certificate
    )
    with locked(directory):
        kubeconfig = ensure_kubeconfig(
            directory, ADMINISTRATOR, public_url, signer.certificate, administrator
        )
    return MasterCertificates(signer=signer, server=server, kubeconfig=kubeconfig)


def replace_signer(directory: Path, name: str, *, clock: Clock, days: int) -> None:
    """Make a new authority, and have what the former one issued made anew by `ensure`."""
    signer = signer_in(directory)
    pairs = [
        Pair(certificate=directory / f"{it}.crt", key=directory / f"{it}.key")
        for it in (SERVER_NAME, ADMINISTRATOR_PAIR)
    ]
    own = [pair for pair in pairs if not is_foreign(pair, signer)]
    make_signer(signer, name, how=Issue(clock=clock, days=days))
    for pair in own:
        pair.certificate.unlink(missing_ok=True)
    (directory / KUBECONFIG_NAME).unlink(missing_ok=True)


def write_bundle(certificates: MasterCertificates, others: Sequence[Path]) -> Path:
    """Write the authority's certificate and those of others, and return the file."""
    directory = certificates.signer.certificate.parent
    paths = (certificates.signer.certificate, *others)
    content = b"".join(path.read_bytes().rstrip() + b"\n" for path in paths)
    with locked(directory):
        write_file(directory / BUNDLE_NAME, content, 0o644)
    return directory / BUNDLE_NAME
