"""Which certificates each service looks after: those of our authority, and no others."""

from functools import partial

from atomic_registry.app.master_certificates import ensure_master_certificates
from atomic_registry.app.master_files import MasterFiles, hostnames
from atomic_registry.clock import Clock
from atomic_registry.config.settings import Settings
from atomic_registry.system.ca import renew_server_pair
from atomic_registry.system.pairs import Pair
from atomic_registry.system.renewal import Renewal
from atomic_registry.system.signers import Issue, Signer, signer_in
from atomic_registry.system.tls import TlsOptions


def master_renewal(
    settings: Settings, files: MasterFiles, tls: TlsOptions, clock: Clock
) -> Renewal:
    """Return what renews the authority, the master's certificates and the administrator's.

    The names are asked for each time: the machine's may have changed.
    """
    directory = settings.master_directory

    def ensure() -> None:
        names = hostnames(settings, files.public_url)
        ensure_master_certificates(directory, names, files.public_url, clock=clock)

    return Renewal([ensure, *_steps(tls, signer_in(directory), clock)])


def registry_renewal(settings: Settings, tls: TlsOptions, clock: Clock) -> Renewal:
    """Return what renews the registry's certificate, for the names that are in it."""
    return Renewal(_steps(tls, signer_in(settings.master_directory), clock))


def _steps(tls: TlsOptions, signer: Signer, clock: Clock) -> list[partial[bool]]:
    shown = [Pair(certificate=tls.certificate, key=tls.key)]
    shown += [Pair(certificate=it.certificate, key=it.key) for it in tls.named]
    return [partial(renew_server_pair, pair, signer, how=Issue(clock=clock)) for pair in shown]
