"""Debian's nginx before a service, as an administrator would put it there."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.kit.optional import need_commands, need_root
from tests.kit.registry import free_port, wait_until

FORWARDS = """proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;"""

_SETTINGS = """daemon off;
user {user};
pid {place}/pid;
error_log {place}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location / {{
      proxy_pass {target};
      {more}
    }}
  }}
}}
"""


@contextlib.contextmanager
def running_nginx(
    place: Path, target: str, certificate: Path, key: Path, *more: str, user: str = "root"
) -> Iterator[str]:
    """HOST:PORT of an nginx that ends TLS and hands on to the target, with these settings.

    Another user than root cannot buffer what is large: its files lie where only root gets.
    """
    need_root()
    need_commands("nginx")
    place.mkdir()
    port = free_port()
    settings = place / "nginx.conf"
    settings.write_text(
        _SETTINGS.format(
            place=place,
            user=user,
            port=port,
            target=target,
            certificate=certificate,
            key=key,
            more="\n      ".join(more),
        )
    )
    with (place / "output").open("wb") as output:
        process = subprocess.Popen(
            ["nginx", "-c", str(settings), "-p", str(place)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until("nginx listens", lambda: _listens(port), 10)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
