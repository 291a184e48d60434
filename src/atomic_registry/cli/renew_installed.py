"""`atomic-registry ca renew-installed`, which a timer of the installation calls every day."""

import click


@click.command("renew-installed")
def command() -> None:
    """Renew the certificates of the services on this machine that near their end.

    Those of our own authority with less than a third of their life left are issued anew, and so is
    the authority. Services that were started before their certificate changed are restarted, which
    no client notices: connections wait, running transfers end. The timer
    atomic-registry-certificates.timer calls it every day, as root.

    \b
    Example:
      atomic-registry ca renew-installed
    """
    # The parts of an installation take long to load, and `--help` needs none of them.
    from atomic_registry.app.installed_certificates import RenewalFailed, renew  # noqa: PLC0415
    from atomic_registry.clock import SystemClock  # noqa: PLC0415
    from atomic_registry.system.install.target import InstallFailed, Target  # noqa: PLC0415

    try:
        renew(Target(), SystemClock(), click.echo)
    except (InstallFailed, RenewalFailed) as error:
        raise click.ClickException(str(error)) from error
