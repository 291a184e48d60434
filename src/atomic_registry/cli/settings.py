"""What every command that reads settings shares: the options and the report of mistakes."""

from collections.abc import Mapping
from pathlib import Path

import click

from atomic_registry.config.environment import process_environment
from atomic_registry.config.load import ConfigInvalid, Loaded, load

root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory that holds all that the registry writes.",
)
config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="File with further settings; it wins over config.yaml in the root.",
)


def load_or_fail(flags: Mapping[str, object], config_file: Path | None) -> Loaded:
    """Return the settings, or end the command with the list of all mistakes."""
    try:
        files = [] if config_file is None else [config_file]
        return load(flags, process_environment(), files)
    except ConfigInvalid as error:
        raise misconfigured(mistakes_text(error)) from error


def mistakes_text(error: ConfigInvalid) -> str:
    """Return all mistakes, a line each."""
    count = len(error.mistakes)
    title = "one setting is wrong" if count == 1 else f"{count} settings are wrong"
    return title + ":\n" + "\n".join(f"  {mistake}" for mistake in error.mistakes)


def misconfigured(message: str) -> click.ClickException:
    """Return an error after which it is no use to start again before somebody changes something."""
    return _Misconfigured(message)


class _Misconfigured(click.ClickException):
    # sysexits.h: EX_CONFIG, which the units know.
    exit_code = 78
