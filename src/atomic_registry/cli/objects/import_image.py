"""`atomic-registry import-image`: says how an image comes in, while the registry fetches none."""

from urllib.parse import urlsplit

import click

from atomic_registry.cli.objects.references import parse_image_name
from atomic_registry.cli.session import namespace_option, open_login

_PORT = 5000


@click.command("import-image")
@click.argument("name", metavar="STREAM[:TAG]")
@click.option("--from", "source", default="", metavar="IMAGE", help="Where it is: HOST/NAME:TAG.")
@click.option("--confirm", is_flag=True, expose_value=False, help="Taken, as scripts give it.")
@namespace_option
def command(name: str, source: str, namespace: str | None) -> None:
    """Say how to bring an image in: the registry does not fetch from others by itself yet.

    It ends with exit code 1, so that no script takes the image for imported.

    \b
    Example:
      atomic-registry import-image web:v1 --from quay.io/team/web:v1 -n demo
    """
    login = open_login()
    target = parse_image_name(name)
    project = login.namespace(target.namespace or namespace)
    host = urlsplit(login.context.server).hostname or ""
    address = f"{f'[{host}]' if ':' in host else host}:{_PORT}"
    path = f"{address}/{project}/{target.stream.replace('~', '/')}:{target.tag or 'latest'}"
    raise click.ClickException(
        "importing is not there yet: the registry does not fetch images from others. Copy it "
        "yourself, after atomic-registry docker-login:\n"
        f"  skopeo copy --all docker://{source or 'HOST/NAME:TAG'} docker://{path}"
    )
