"""Which servers the command line trusts, and the certificate that it shows them."""

import base64
import binascii
import ssl
from dataclasses import dataclass
from pathlib import Path

import click

from atomic_registry.cli.documents import Document, text_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """As the entries of a kubeconfig say it; paths are absolute."""

    authority: str = ""
    authority_data: str = ""
    is_insecure: bool = False
    certificate: str = ""
    certificate_data: str = ""
    key: str = ""
    key_data: str = ""

    @classmethod
    def of(cls, cluster: Document, user: Document) -> "Trust":
        """Return what a cluster's and a user's entry say."""
        return cls(
            authority=text_at(cluster, "certificate-authority"),
            authority_data=text_at(cluster, "certificate-authority-data"),
            is_insecure=cluster.get("insecure-skip-tls-verify") is True,
            certificate=text_at(user, "client-certificate"),
            certificate_data=text_at(user, "client-certificate-data"),
            key=text_at(user, "client-key"),
            key_data=text_at(user, "client-key-data"),
        )

    def cluster_entry(self, server: str) -> Document:
        """Return the entry of a server that is trusted so."""
        entry: Document = {"server": server}
        if self.is_insecure:
            entry["insecure-skip-tls-verify"] = True
        elif self.authority:
            entry["certificate-authority"] = self.authority
        elif self.authority_data:
            entry["certificate-authority-data"] = self.authority_data
        return entry


def make_context(trust: Trust) -> ssl.SSLContext:
    """Return the settings of TLS connections.

    Raises:
        ClickException: a file cannot be used.
    """
    try:
        context = ssl.create_default_context(
            cafile=trust.authority or None,
            cadata=_decoded(trust.authority_data).decode("ascii") or None,
        )
        if trust.is_insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        _show_certificate(context, trust)
    except (OSError, ValueError) as error:
        files = " ".join(it for it in (trust.authority, trust.certificate, trust.key) if it)
        raise click.ClickException(
            f"the certificates ({files or 'in the kubeconfig'}) cannot be used: {error}"
        ) from error
    return context


def _show_certificate(context: ssl.SSLContext, trust: Trust) -> None:
    if trust.certificate:
        context.load_cert_chain(trust.certificate, trust.key or None)
    elif trust.certificate_data:
        # Rarely needed, and slow to load.
        import tempfile  # noqa: PLC0415

        # The library reads files only; this one is ours alone and gone at once.
        with tempfile.TemporaryDirectory() as directory:
            pair = Path(directory) / "pair.pem"
            pair.touch(mode=0o600)
            content = (_decoded(trust.certificate_data), _decoded(trust.key_data))
            pair.write_bytes(b"\n".join(content))
            context.load_cert_chain(pair)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("its base64 is damaged") from error
