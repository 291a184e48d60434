"""`atomic-registry ca`, which the original calls `oadm ca`: certificates, keys, sealed secrets."""

import sys
from pathlib import Path

import click

from atomic_registry.cli import authority_options as options
from atomic_registry.cli.authority_errors import reported
from atomic_registry.cli.master_certificates import command as create_master_certs
from atomic_registry.cli.renew_installed import command as renew_installed
from atomic_registry.clock import SystemClock
from atomic_registry.config import string_source
from atomic_registry.system import ca, signers
from atomic_registry.system.certificates import KeyType
from atomic_registry.system.durable_files import write_file
from atomic_registry.system.key_pair import make_key_pair
from atomic_registry.system.pairs import Pair
from atomic_registry.system.signers import SIGNER_DAYS, Issue, Signer

_CLOCK = SystemClock()
_MAX_INPUT_BYTES = 1024 * 1024


@click.group("ca")
def command() -> None:
    """Make certificates and keys, and encrypt secrets for configuration files.

    \b
    Example, in the directory of the master:
      atomic-registry ca create-server-cert --hostnames=registry.example.com \\
        --cert=registry.crt --key=registry.key
    """


command.add_command(create_master_certs)
command.add_command(renew_installed)


@command.command("create-server-cert")
@options.pair
@options.signer
@click.option(
    "--hostnames",
    required=True,
    help="Names and addresses that clients reach the server by, joined by commas.",
)
@options.switch(
    "--overwrite",
    default=True,
    help_text="Issue it in any case; false keeps a certificate that is good for all the names.",
)
@options.certificate_days
@options.key_type
def create_server_cert(
    pair: Pair,
    signer: Signer,
    hostnames: str,
    *,
    overwrite: bool,
    expire_days: int,
    key_type: KeyType,
) -> None:
    """Issue a certificate for a server.

    The file holds the certificate and then its authority's. Services take it into use by
    themselves, and renew it before it expires.

    \b
    Example:
      atomic-registry ca create-server-cert --signer-cert=ca.crt --signer-key=ca.key \\
        --signer-serial=ca.serial.txt --hostnames='registry.example.com,192.0.2.7' \\
        --cert=registry.crt --key=registry.key
    """
    names = [name.strip() for name in hostnames.split(",") if name.strip()]
    how = Issue(clock=_CLOCK, days=expire_days, key_type=key_type)
    with reported():
        if overwrite:
            ca.issue_server_pair(pair, names, signer, how=how)
        elif not ca.ensure_server_pair(pair, names, signer, how=how):
            _refuse_foreign(pair, signer)
            click.echo(f"kept {pair.certificate}: it is good for {', '.join(names)}")
            return
    click.echo(f"wrote {pair.certificate} for {', '.join(names)}, and {pair.key}")


@command.command("renew-server-cert")
@options.pair
@options.signer
@options.certificate_days
@options.key_type
def renew_server_cert(pair: Pair, signer: Signer, *, expire_days: int, key_type: KeyType) -> None:
    """Issue a certificate of our own anew, for the names in it, when a third of its life is left.

    For timers, where the service itself may not read the authority's key. Owners and modes of the
    files stay.

    \b
    Example:
      atomic-registry ca renew-server-cert --cert=registry.crt --key=registry.key
    """
    how = Issue(clock=_CLOCK, days=expire_days, key_type=key_type)
    with reported():
        if ca.renew_server_pair(pair, signer, how=how):
            click.echo(f"renewed {pair.certificate}")
        else:
            _refuse_foreign(pair, signer)
            click.echo(f"kept {pair.certificate}: it is not yet time")


@command.command("create-signer-cert")
@click.option(
    "--cert", type=options.file_type, default=Path("ca.crt"), show_default=True,
    help="Where the certificate goes.",
)  # fmt: skip
@click.option(
    "--key", type=options.file_type, default=Path("ca.key"), show_default=True,
    help="Where its private key goes.",
)  # fmt: skip
@click.option(
    "--serial", type=options.file_type, default=Path("ca.serial.txt"), show_default=True,
    help="Where the last serial number goes.",
)  # fmt: skip
@click.option("--name", default="", help="Its name; by default one with the time in it.")
@options.switch(
    "--overwrite",
    default=True,
    help_text="Make a new one in any case, and keep the old one as *.old; false keeps the old one.",
)
@options.days("--expire-days", default=SIGNER_DAYS)
def create_signer_cert(
    cert: Path, key: Path, serial: Path, name: str, *, overwrite: bool, expire_days: int
) -> None:
    """Make a certificate authority.

    Clients trust nothing that the former authority has issued once they trust the new one only.

    \b
    Example:
      atomic-registry ca create-signer-cert --overwrite=false
    """
    signer = Signer(certificate=cert, key=key, serial=serial)
    if not overwrite and cert.exists() and key.exists():
        with reported():
            signers.load_authority(signer)
        click.echo(f"kept {cert}")
        return
    with reported():
        signers.make_signer(signer, name, how=Issue(clock=_CLOCK, days=expire_days))
    click.echo(f"wrote the authority {cert}, {key} and {serial}")


@command.command("create-key-pair")
@click.option("--public-key", type=options.file_type, required=True, help="Where it goes.")
@click.option("--private-key", type=options.file_type, required=True, help="Where it goes.")
@options.switch(
    "--overwrite", default=False, help_text="Replace files that are there; false keeps them."
)
def create_key_pair(public_key: Path, private_key: Path, *, overwrite: bool) -> None:
    """Make a pair of RSA keys, as tokens of service accounts are signed with.

    \b
    Example:
      atomic-registry ca create-key-pair --public-key=serviceaccounts.public.key \\
        --private-key=serviceaccounts.private.key
    """
    if public_key.absolute() == private_key.absolute():
        raise click.UsageError("--public-key and --private-key must be two files")
    there = [str(path) for path in (private_key, public_key) if path.exists()]
    if there and not overwrite:
        click.echo(f"kept {' and '.join(there)}; give --overwrite to replace the pair")
        return
    with reported():
        make_key_pair(public_key=public_key, private_key=private_key)
    click.echo(f"wrote {public_key} and {private_key}")


@command.command("encrypt")
@click.option("--in", "source", type=options.file_type, help="What to encrypt; or standard input.")
@click.option("--out", type=options.file_type, help="Where it goes; or standard output.")
@click.option("--key", type=options.file_type, help="File with the key, made by --genkey.")
@click.option("--genkey", type=options.file_type, help="File to write a new key to.")
def encrypt(source: Path | None, out: Path | None, key: Path | None, genkey: Path | None) -> None:
    """Encrypt a secret for `master-config.yaml`, where `file` and `keyFile` name what this writes.

    \b
    Example:
      atomic-registry ca encrypt --genkey=bind.key --in=password.txt --out=bind.encrypted
    """
    if (key is None) == (genkey is None):
        raise click.UsageError("give one of --key and --genkey")
    text = _read_input(source, "What to encrypt")
    if source is None and text != text.strip():
        click.echo("warning: the white space around the text is encrypted as well", err=True)
    with reported():
        if genkey is not None:
            if genkey.exists():
                raise click.ClickException(
                    f"{genkey} is there already; what it has encrypted would be lost: use it by "
                    "--key, or name another file"
                )
            secret = string_source.new_key(_CLOCK)
            write_file(genkey, secret.encode(), 0o600)
        else:
            assert key is not None  # noqa: S101 - one of them is given
            secret = _read_file(key)
        _write_output(out, string_source.encrypt(text, secret, _CLOCK), 0o644)


@command.command("decrypt")
@click.option("--in", "source", type=options.file_type, help="What to decrypt; or standard input.")
@click.option("--out", type=options.file_type, help="Where it goes; or standard output.")
@click.option("--key", type=options.file_type, required=True, help="File with the key.")
def decrypt(source: Path | None, out: Path | None, key: Path) -> None:
    """Decrypt what `encrypt` has written.

    \b
    Example:
      atomic-registry ca decrypt --key=bind.key --in=bind.encrypted
    """
    with reported():
        text = string_source.decrypt(_read_input(source, "What to decrypt"), _read_file(key))
        _write_output(out, text, 0o600)


def _refuse_foreign(pair: Pair, signer: Signer) -> None:
    if ca.is_foreign(pair, signer):
        raise click.ClickException(
            f"{pair.certificate} was issued by another authority than {signer.certificate} and is "
            "left alone; renew it where it comes from, or replace it by create-server-cert "
            "--overwrite=true"
        )


def _read_input(source: Path | None, prompt: str) -> str:
    if source is not None:
        return _read_file(source)
    if sys.stdin.isatty():
        return str(click.prompt(prompt, hide_input=True, err=True))
    return _decoded(sys.stdin.buffer.read(_MAX_INPUT_BYTES + 1), "standard input")


def _read_file(path: Path) -> str:
    with reported(), path.open("rb") as file:
        return _decoded(file.read(_MAX_INPUT_BYTES + 1), str(path))


def _decoded(content: bytes, name: str) -> str:
    if len(content) > _MAX_INPUT_BYTES:
        raise click.ClickException(f"{name} has more than {_MAX_INPUT_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{name} is not text in UTF-8") from error


def _write_output(out: Path | None, text: str, mode: int) -> None:
    if out is None:
        click.echo(text, nl=False)
    else:
        write_file(out, text.encode(), mode)
