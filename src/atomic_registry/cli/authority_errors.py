"""How commands about certificates and keys report what is wrong with files."""

import contextlib
from collections.abc import Iterator

import click

from atomic_registry.config.load import ConfigInvalid
from atomic_registry.config.string_source import SourceInvalid


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """End the command with a line for each mistake."""
    try:
        yield
    except ConfigInvalid as error:
        raise click.ClickException("\n".join(map(str, error.mistakes))) from error
    except SourceInvalid as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(
            f"{where}{error.strerror or error}; run this as the user who owns the files, in the "
            "directory that they are in"
        ) from error
