"""`atomic-registry serve`."""

from pathlib import Path

import click

from atomic_registry.cli.settings import config_option, load_or_fail, root_option
from atomic_registry.errors import DomainError


@click.command("serve")
@root_option
@config_option
@click.option("--registry-listen", metavar="HOST:PORT", help="Where the registry listens.")
@click.option(
    "--workers", type=click.IntRange(min=0), help="Worker processes; 0 means one per core."
)
def command(
    root: Path | None, config_file: Path | None, registry_listen: str | None, workers: int | None
) -> int:
    """Serve push and pull until SIGTERM or Ctrl-C, then let running transfers finish.

    \b
    Examples:
      atomic-registry serve --root ./data
      atomic-registry serve --root ./data --registry-listen 127.0.0.1:5001 --workers 2
    """
    flags = {"root": root, "http.listen": registry_listen, "http.workers": workers}
    loaded = load_or_fail(flags, config_file)
    # The server's libraries take most of the start, and `--help` needs none of them.
    from atomic_registry.app import serve  # noqa: PLC0415
    from atomic_registry.system.serve import CannotServe  # noqa: PLC0415

    try:
        return serve(loaded.settings)
    except (DomainError, CannotServe) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error)
        raise click.ClickException(
            f"the registry could not start: {where}{reason}; "
            f"check --root ({loaded.settings.root}) "
            f"and --registry-listen ({loaded.settings.http.listen})"
        ) from error
