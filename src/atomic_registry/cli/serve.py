"""`atomic-registry serve`."""

from pathlib import Path

import click

from atomic_registry.cli.settings import (
    config_option,
    load_or_fail,
    loglevel_option,
    misconfigured,
    mistakes_text,
    registry_config_option,
    root_option,
)
from atomic_registry.config.load import ConfigInvalid
from atomic_registry.errors import DomainError


@click.command("serve")
@click.argument(
    "service", type=click.Choice(["all", "registry", "master", "console"]), default="all"
)
@root_option
@config_option
@registry_config_option
@click.option("--registry-listen", metavar="HOST:PORT", help="Where the registry listens.")
@click.option(
    "--identity-provider",
    type=click.Choice(["anypassword", "htpasswd"]),
    help="At the first start: who may log in. htpasswd makes an administrator whose password is "
    "shown once.",
)
@click.option(
    "--workers", type=click.IntRange(min=0), help="Worker processes; 0 means one per core."
)
@loglevel_option
def command(
    service: str,
    root: Path | None,
    config_file: Path | None,
    registry_listen: str | None,
    identity_provider: str | None,
    workers: int | None,
) -> int:
    """Serve until SIGTERM or Ctrl-C, then let running transfers finish.

    SERVICE is `registry` (push and pull), `master` (login, projects, API), `console` (a page that
    says where the others are) or, by default, `all`: the registry and the master.
    Services on one root or one database belong together and may run in separate processes.

    \b
    Examples:
      atomic-registry serve master --root ./data
      atomic-registry serve --root ./data
      atomic-registry serve --root ./data --registry-listen 127.0.0.1:5001 --workers 2
    """
    flags = {
        "root": root,
        "http.listen": registry_listen,
        "http.workers": workers,
        "master.identity_provider": identity_provider,
    }
    loaded = load_or_fail(flags, config_file)
    # The server's libraries take most of the start, and `--help` needs none of them.
    from atomic_registry.app import SERVICES, serve, serve_console  # noqa: PLC0415
    from atomic_registry.store.metadata import SchemaTooNew  # noqa: PLC0415
    from atomic_registry.system.failures import CannotServe  # noqa: PLC0415

    try:
        if service == "console":
            return serve_console(loaded.settings, ignored=loaded.ignored)
        services = SERVICES if service == "all" else (service,)
        return serve(loaded.settings, services, ignored=loaded.ignored)
    except ConfigInvalid as error:
        raise misconfigured(mistakes_text(error)) from error
    except (CannotServe, SchemaTooNew) as error:
        raise misconfigured(str(error)) from error
    except DomainError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error)
        raise click.ClickException(
            f"the registry could not start: {where}{reason}; "
            f"check --root ({loaded.settings.root}) "
            f"and --registry-listen ({loaded.settings.http.listen})"
        ) from error
