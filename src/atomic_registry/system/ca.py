"""The registry's own certificate authority, and the certificates it issues.

Files, their names and the serial file are those of `oadm ca`, so that an authority made by the
original goes on being used. Processes that start together take turns by a lock file.
Certificates that others have issued are never replaced unless that is asked for.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from atomic_registry.clock import Clock
from atomic_registry.config.load import ConfigInvalid, Mistake
from atomic_registry.system.certificates import (
    CertificateRequest,
    certificate_pem,
    common_name,
    general_name,
    is_worn,
    issue,
    key_pem,
    names_of,
    new_key,
    subject_name,
)
from atomic_registry.system.durable_files import locked
from atomic_registry.system.pairs import Pair, settle_locked, write_pair
from atomic_registry.system.signers import (
    CERTIFICATE_DAYS,
    Issue,
    Signer,
    ensure_signer,
    load_authority,
    next_serial,
    unusable,
)

__all__ = [
    "CERTIFICATE_DAYS",
    "Issue",
    "Pair",
    "Signer",
    "ensure_client_certificate",
    "ensure_server_certificate",
    "ensure_server_pair",
    "ensure_signer",
    "is_foreign",
    "issue_server_pair",
    "renew_server_pair",
]

# Names of authorities that this product, or the original, has made.
_OWN_SIGNER = re.compile(r"(?:atomic-registry|openshift)-signer@[0-9]+\Z")


def ensure_server_certificate(
    directory: Path,
    hostnames: Sequence[str],
    signer: Signer,
    *,
    clock: Clock,
    days: int = CERTIFICATE_DAYS,
    name: str = "master.server",
) -> Pair:
    """Return `<name>.crt` and `<name>.key`, as `ensure_server_pair` leaves them."""
    pair = Pair(certificate=directory / f"{name}.crt", key=directory / f"{name}.key")
    ensure_server_pair(pair, hostnames, signer, how=Issue(clock=clock, days=days))
    return pair


def ensure_server_pair(pair: Pair, hostnames: Sequence[str], signer: Signer, *, how: Issue) -> bool:
    """Make the pair good for every one of the host names and addresses; tell whether it was not.

    It is issued anew when a name is missing, less than a third of its life remains, or another
    authority of this product has signed it; names that it has beyond those stay in it. What
    somebody else has signed is left alone.

    Raises:
        ConfigInvalid: the authority or a host name cannot be used.
    """
    return _ensure(pair, _server_request(pair, hostnames), signer, how)


def issue_server_pair(pair: Pair, hostnames: Sequence[str], signer: Signer, *, how: Issue) -> None:
    """Issue a certificate for the host names and addresses in any case.

    Raises:
        ConfigInvalid: the authority or a host name cannot be used.
    """
    request = _server_request(pair, hostnames)
    with _turn(pair, signer):
        _issue(pair, request, signer, how)


def renew_server_pair(pair: Pair, signer: Signer, *, how: Issue) -> bool:
    """Issue a certificate of our own anew, for its names, when a third of its life remains.

    Tell whether that was done; what somebody else has signed is left alone.

    Raises:
        ConfigInvalid: the authority cannot be used, or there is no certificate.
    """
    try:
        leaf = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    except (OSError, ValueError) as error:
        mistake = Mistake(origin=str(pair.certificate), key="", reason=f"no certificate: {error}")
        raise ConfigInvalid([mistake]) from error
    if not is_worn(leaf, how.clock):
        # Said without the authority, which the service's user may not be able to read.
        return False
    request = CertificateRequest(
        subject=leaf.subject, usage=ExtendedKeyUsageOID.SERVER_AUTH, names=tuple(names_of(leaf))
    )
    return _ensure(pair, request, signer, how)


def ensure_client_certificate(
    user: str,
    groups: Sequence[str],
    signer: Signer,
    *,
    clock: Clock,
    days: int = CERTIFICATE_DAYS,
    name: str = "admin",
) -> Pair:
    """Return `<name>.crt` and `<name>.key` beside the authority: who shows them is the user.

    Raises:
        ConfigInvalid: the authority cannot be used, or a name is longer than 64 characters.
    """
    request = CertificateRequest(
        subject=subject_name(common=user, organizations=groups),
        usage=ExtendedKeyUsageOID.CLIENT_AUTH,
    )
    directory = signer.certificate.parent
    pair = Pair(certificate=directory / f"{name}.crt", key=directory / f"{name}.key")
    _ensure(pair, request, signer, Issue(clock=clock, days=days))
    return pair


def is_foreign(pair: Pair, signer: Signer) -> bool:
    """Tell whether the certificate is there and neither this nor a former authority's."""
    try:
        leaf = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        authority = x509.load_pem_x509_certificate(signer.certificate.read_bytes())
    except (OSError, ValueError):
        return False
    if leaf.issuer == authority.subject:
        return False
    names = leaf.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    return not any(_OWN_SIGNER.match(str(name.value)) for name in names)


def _present_names(pair: Pair) -> set[x509.GeneralName]:
    try:
        return names_of(x509.load_pem_x509_certificate(pair.certificate.read_bytes()))
    except (OSError, ValueError):
        return set()


def _server_request(pair: Pair, hostnames: Sequence[str]) -> CertificateRequest:
    if not hostnames:
        mistake = Mistake(origin=str(pair.certificate), key="", reason="it needs a host name")
        raise ConfigInvalid([mistake])
    return CertificateRequest(
        subject=subject_name(common=common_name(hostnames)),
        usage=ExtendedKeyUsageOID.SERVER_AUTH,
        names=tuple(general_name(host) for host in sorted(set(hostnames))),
    )


def _ensure(pair: Pair, request: CertificateRequest, signer: Signer, how: Issue) -> bool:
    with _turn(pair, signer):
        settle_locked(pair)
        if _is_good(pair, request, signer, how.clock) or is_foreign(pair, signer):
            return False
        # Clients may go by a name that an administrator has added.
        more = sorted(_present_names(pair) - set(request.names), key=repr) if request.names else ()
        # Only an issue needs the authority's key: it may be kept elsewhere until then.
        _issue(pair, replace(request, names=(*request.names, *more)), signer, how)
    return True


@contextlib.contextmanager
def _turn(pair: Pair, signer: Signer) -> Iterator[None]:
    # One order for all, and each directory once: the lock is not reentrant.
    directories = {it.resolve() for it in (pair.certificate.parent, signer.certificate.parent)}
    with contextlib.ExitStack() as stack:
        for directory in sorted(directories):
            stack.enter_context(locked(directory))
        yield


def _issue(pair: Pair, request: CertificateRequest, signer: Signer, how: Issue) -> None:
    authority = load_authority(signer)
    if authority.certificate.not_valid_after_utc <= how.clock.now():
        raise unusable(str(signer.certificate), "the certificate authority has expired")
    key = new_key(how.key_type)
    serial = next_serial(signer.serial, how.clock)
    leaf = issue(request, authority, key, serial, how.clock, how.days)
    write_pair(pair, certificate_pem(leaf) + signer.certificate.read_bytes(), key_pem(key))


def _is_good(pair: Pair, request: CertificateRequest, signer: Signer, clock: Clock) -> bool:
    try:
        leaf = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        key = load_pem_private_key(pair.key.read_bytes(), None)
        authority = x509.load_pem_x509_certificate(signer.certificate.read_bytes())
        leaf.verify_directly_issued_by(authority)
        names = names_of(leaf)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    return (
        key.public_key() == leaf.public_key()
        and set(request.names) <= names
        and (bool(request.names) or leaf.subject == request.subject)
        and not is_worn(leaf, clock)
    )
