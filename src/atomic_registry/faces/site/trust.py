"""`/trust`: the fingerprint of the authority, and what sets clients up to trust it."""

import shlex
from importlib import resources
from string import Template
from textwrap import indent

from jinja2 import Environment, PackageLoader, StrictUndefined

from atomic_registry.faces.site.authority import Authority, AuthorityFile
from atomic_registry.faces.site.options import SiteOptions
from atomic_registry.web.messages import Request, Response

_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_PAGE_HEADERS = {
    **_HEADERS,
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
}


class TrustHandlers:
    """The names in all of it are those of the configuration, whatever the request calls us."""

    def __init__(self, options: SiteOptions, authority: AuthorityFile) -> None:
        self._options = options
        self._authority = authority
        package = "atomic_registry.faces.site"
        environment = Environment(
            loader=PackageLoader(package),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
        )
        self._page = environment.get_template("trust.html")
        files = resources.files(package) / "templates"
        self._script = _fill_script((files / "setup.sh").read_text(), options)
        self._daemon_set = Template((files / "daemonset.yaml").read_text())

    async def page(self, request: Request) -> Response:
        authority = await self._authority.read(request)
        body = self._page.render(
            fingerprint=authority.grouped,
            digits=authority.fingerprint,
            master=self._options.master_url,
            registry=self._options.registry_host,
        )
        return Response(status=200, headers=dict(_PAGE_HEADERS), body=body.encode())

    async def certificate(self, request: Request) -> Response:
        return await self._authority.get(request)

    async def script(self, request: Request) -> Response:
        headers = {"Content-Type": "text/x-shellscript; charset=utf-8", **_HEADERS}
        return Response(status=200, headers=headers, body=self._script.encode())

    async def daemon_set(self, request: Request) -> Response:
        authority = await self._authority.read(request)
        headers = {"Content-Type": "application/yaml", **_HEADERS}
        return Response(status=200, headers=headers, body=self._fill_daemon_set(authority).encode())

    def _fill_daemon_set(self, authority: Authority) -> str:
        return self._daemon_set.substitute(
            fingerprint=authority.fingerprint,
            certificate=indent(authority.pem, "    ").rstrip(),
            script=indent(self._script, "    ").rstrip(),
        )


def _fill_script(text: str, options: SiteOptions) -> str:
    for name, value in (("MASTER", options.master_url), ("REGISTRY", options.registry_host)):
        text = text.replace(f"\n{name}=''\n", f"\n{name}={shlex.quote(value)}\n", 1)
    return text
