"""Believes the names that an authenticating proxy sends in headers.

Anybody can send a header: it counts only over a connection whose client certificate was verified
against the authority made for that proxy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

from atomic_registry.identity.client_certificates import ClientAuthority, common_name_of
from atomic_registry.identity.ports import Person

_NAME_LENGTH = 255
_URL = "${url}"
_QUERY = "${query}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHeaderOptions:
    """What the administrator says.

    Of each list of headers the first one with a value counts. An empty `client_common_names`
    accepts every certificate of the authority. In the URLs `${url}` stands for the escaped URL
    that the browser asked for, `${query}` for its query.
    """

    name: str
    client_ca: Path | None
    headers: tuple[str, ...]
    client_common_names: tuple[str, ...] = ()
    preferred_username_headers: tuple[str, ...] = ()
    name_headers: tuple[str, ...] = ()
    email_headers: tuple[str, ...] = ()
    login_url: str = ""
    challenge_url: str = ""


class RequestHeaderProvider:
    """Reads who the proxy says it is, and where to send those who come past it."""

    def __init__(self, options: RequestHeaderOptions) -> None:
        """Check the options.

        Raises:
            ValueError: they let in anybody, or cannot work; the text says what to change.
            OSError: the file of the authority cannot be read.
        """
        self._authority = ClientAuthority(_check(options))
        self._options = options

    @property
    def name(self) -> str:
        """Prefix of the names of its identities."""
        return self._options.name

    def is_proxy(self, certificate: bytes) -> bool:
        """Tell whether a verified client certificate, in DER, is one of the proxy's."""
        if not certificate or not self._authority.has_issued(certificate):
            return False
        names = self._options.client_common_names
        return not names or common_name_of(certificate) in names

    def recognise(self, headers: Mapping[str, str], certificate: bytes) -> Person | None:
        """Return the person that the proxy names, None if it is not the proxy or names nobody.

        Args:
            headers: of the request, also those that stand there twice.
            certificate: what the client has shown and the listener has verified against one of
                its authorities, in DER; empty where there was none.
        """
        if not self.is_proxy(certificate):
            return None
        given: dict[str, str] = {}
        for name, value in headers.items():
            # One of two would be the client's own, which the proxy has let through.
            given[name.lower()] = "" if name.lower() in given else value.strip()
        identifier = _first(given, self._options.headers)
        if not identifier:
            return None
        return Person(
            id=identifier,
            preferred_username=_first(given, self._options.preferred_username_headers),
            full_name=_first(given, self._options.name_headers),
            email=_first(given, self._options.email_headers),
        )

    def login_url(self, url: str) -> str | None:
        """Return where to send a browser that asked for a URL, None if there is no such place."""
        return _fill(self._options.login_url, url)

    def challenge_url(self, url: str) -> str | None:
        """Return where to send a program that asked for a URL, None if there is no such place."""
        return _fill(self._options.challenge_url, url)


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    values = (headers.get(name.lower(), "") for name in names)
    value = next(filter(None, values), "")
    return value if len(value) <= _NAME_LENGTH and value.isprintable() else ""


def _fill(template: str, url: str) -> str | None:
    if not template:
        return None
    # What the browser sent must end neither the header line nor the query.
    query = quote(urlsplit(url).query, safe="=&%+~*'();:@,/?!$-._")
    # One pass each over the template only: a placeholder inside the URL stays text.
    parts = [part.replace(_QUERY, query) for part in template.split(_URL)]
    return quote_plus(url).join(parts)


def _check(options: RequestHeaderOptions) -> Path:
    """Return the file of the authority."""
    where = f"identity provider {options.name}"
    if options.client_ca is None:
        raise ValueError(
            f"{where}: without 'clientCA' anybody who reaches this server could send its headers "
            "and be anybody; set it to the authority of the proxy's client certificate"
        )
    if not options.headers:
        raise ValueError(f"{where}: set 'headers' to the headers that hold the user's id")
    for key, url in (("loginURL", options.login_url), ("challengeURL", options.challenge_url)):
        if url and urlsplit(url).scheme not in {"https", "http"}:
            raise ValueError(f"{where}: '{key}' must be an absolute URL")
        if url and _URL not in url and _QUERY not in url:
            raise ValueError(
                f"{where}: '{key}' must hold {_URL} or {_QUERY}, else nobody comes back here"
            )
    return options.client_ca
