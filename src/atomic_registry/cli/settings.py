"""What every command that reads settings shares: the options and the report of mistakes."""

from collections.abc import Mapping
from pathlib import Path

import click

from atomic_registry.config.environment import process_environment
from atomic_registry.config.load import ConfigInvalid, Loaded, load
from atomic_registry.config.original import read_original

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


_REGISTRY_CONFIG, _LOG_LEVEL = f"{__name__}.registry_config", f"{__name__}.log_level"
_DEBUG = 4


def _keep_file(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    context.meta[_REGISTRY_CONFIG] = path


def _keep_level(context: click.Context, _: click.Parameter, number: int | None) -> None:
    if number is not None:
        context.meta[_LOG_LEVEL] = "debug" if number >= _DEBUG else "info"


# These two are read by `load_or_fail` itself.
registry_config_option = click.option(
    "--registry-config",
    type=click.Path(path_type=Path),
    expose_value=False,
    callback=_keep_file,
    help="The registry's file in the form of Docker Distribution, `config.yml`; else the one that "
    "REGISTRY_CONFIGURATION_PATH names.",
)
loglevel_option = click.option(
    "--loglevel",
    type=click.IntRange(0, 10),
    expose_value=False,
    callback=_keep_level,
    help="As the original counts: up to 3 is `info`, from 4 on `debug`.",
)


def load_or_fail(flags: Mapping[str, object], config_file: Path | None) -> Loaded:
    """Return the settings, or end the command with the list of all mistakes."""
    meta = click.get_current_context().meta
    try:
        files = [] if config_file is None else [config_file]
        environment = process_environment()
        foreign = read_original(environment, meta.get(_REGISTRY_CONFIG))
        given = {**flags, "log.level": meta.get(_LOG_LEVEL)}
        return load(given, environment, files, foreign=foreign)
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
