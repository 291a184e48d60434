"""`atomic-registry config`: look at settings without starting anything."""

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from atomic_registry.cli.settings import (
    config_option,
    load_or_fail,
    registry_config_option,
    root_option,
)
from atomic_registry.config.registry_sample import render_registry_sample
from atomic_registry.config.render import render_page as render_configuration_page
from atomic_registry.config.render import render_sample, render_show

# Making a page loads much that no other command here needs.


def _registry_api_page() -> str:
    from atomic_registry.faces.registry.page import render_page  # noqa: PLC0415

    return render_page()


def _api_page() -> str:
    from atomic_registry.faces.api.page import render_page  # noqa: PLC0415

    return render_page()


def _commands_page() -> str:
    from atomic_registry.cli.page import render_page  # noqa: PLC0415

    return render_page()


_PAGES: Mapping[str, Callable[[], str]] = {
    "configuration": render_configuration_page,
    "registry-api": _registry_api_page,
    "kube-api": _api_page,
    "cli": _commands_page,
}


@click.group("config")
def command() -> None:
    """Show, check and write settings.

    \b
    Example:
      atomic-registry config show --origin --root ./data
    """


@command.command("show")
@root_option
@config_option
@registry_config_option
@click.option("--origin", is_flag=True, help="Say beside each value where it comes from.")
def show(root: Path | None, config_file: Path | None, *, origin: bool) -> None:
    """Print the settings in force; secrets are hidden.

    \b
    Example:
      atomic-registry config show --origin
    """
    loaded = load_or_fail({"root": root}, config_file)
    click.echo(render_show(loaded, origin=origin), nl=False)


@command.command("check")
@root_option
@config_option
@registry_config_option
def check(root: Path | None, config_file: Path | None) -> None:
    """Say whether the settings can be used; exit code 1 and all mistakes if not.

    \b
    Examples:
      atomic-registry config check --config ./new.yaml
      atomic-registry config check --registry-config ./config.yml
    """
    loaded = load_or_fail({"root": root}, config_file)
    if loaded.ignored:
        click.echo("keys without effect here: " + ", ".join(loaded.ignored))
    click.echo("the settings are fine")


@command.command("sample")
@click.option("--registry", is_flag=True, help="In the form of Docker Distribution's `config.yml`.")
def sample(*, registry: bool) -> None:
    """Print a file with every option and its help.

    \b
    Examples:
      atomic-registry config sample > ./data/config.yaml
      atomic-registry config sample --registry > ./config.yml
    """
    click.echo(render_registry_sample() if registry else render_sample(), nl=False)


@command.command("page", hidden=True)
@click.argument("name", type=click.Choice(list(_PAGES)), default="configuration")
def page(name: str) -> None:
    """Print a generated page of docs/."""
    click.echo(_PAGES[name](), nl=False)
