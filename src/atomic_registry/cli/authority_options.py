"""Options that the commands of `ca` share, gathered into the values that they stand for."""

import functools
from collections.abc import Callable
from pathlib import Path

import click

from atomic_registry.system.pairs import Pair
from atomic_registry.system.signers import CERTIFICATE_DAYS, SIGNER_DAYS, Signer

Command = Callable[..., None]
Option = Callable[[Command], Command]

file_type = click.Path(path_type=Path, dir_okay=False)


def gathered(name: str, make: Callable[..., object], **options: Option) -> Option:
    """Give a command the options, and one parameter `name` that is made from their values."""

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def call(**values: object) -> None:
            parts = {key: values.pop(key) for key in options}
            function(**values, **{name: make(**parts)})

        wrapped: Command = call
        for option in reversed(options.values()):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def switch(flag: str, *, default: bool, help_text: str) -> Option:
    """Return an option that reads `--flag`, `--flag=true` or `--flag=false`, as in the original."""
    return click.option(
        flag,
        type=bool,
        is_flag=False,
        flag_value=True,
        default=default,
        show_default=True,
        metavar="BOOL",
        help=help_text,
    )


def days(flag: str, *, default: int) -> Option:
    """Return the option of a lifetime; more than the default is warned of."""

    def check(_: click.Context, __: click.Parameter, value: int) -> int:
        if value > default:
            click.echo(
                f"warning: {flag}={value} is more than the {default} days that are usual; some "
                "clients refuse certificates that live so long",
                err=True,
            )
        return value

    return click.option(
        flag,
        type=click.IntRange(min=1, max=36_500),
        default=default,
        show_default=True,
        callback=check,
        metavar="DAYS",
        help="How many days it is good.",
    )


key_type = click.option(
    "--key-type",
    type=click.Choice(["ec", "rsa"]),
    default="ec",
    show_default=True,
    help="ec is P-256; rsa has 2048 bits, for clients that know nothing else.",
)

signer = gathered(
    "signer",
    lambda signer_cert, signer_key, signer_serial: Signer(
        certificate=signer_cert, key=signer_key, serial=signer_serial
    ),
    signer_cert=click.option(
        "--signer-cert",
        type=file_type,
        default=Path("ca.crt"),
        show_default=True,
        help="Certificate of the authority.",
    ),
    signer_key=click.option(
        "--signer-key",
        type=file_type,
        default=Path("ca.key"),
        show_default=True,
        help="Its private key.",
    ),
    signer_serial=click.option(
        "--signer-serial",
        type=file_type,
        default=Path("ca.serial.txt"),
        show_default=True,
        help="File with its last serial number; without the file numbers are random.",
    ),
)

pair = gathered(
    "pair",
    lambda cert, key: Pair(certificate=cert, key=key),
    cert=click.option(
        "--cert", type=file_type, required=True, help="Where the certificate goes, with its chain."
    ),
    key=click.option("--key", type=file_type, required=True, help="Where its private key goes."),
)

certificate_days = days("--expire-days", default=CERTIFICATE_DAYS)
signer_days = days("--signer-expire-days", default=SIGNER_DAYS)
