"""LDAP URLs (RFC 2255): where to search, and for what."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from atomic_registry.errors import ParameterInvalid

_PORTS = {"ldap": 389, "ldaps": 636}
_SCOPES = ("base", "one", "sub")
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9.;-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapUrl:
    """A parsed URL; what it left out has the defaults of the original product."""

    host: str
    port: int
    is_tls: bool
    base: str
    attribute: str
    scope: str
    filter: str

    @classmethod
    def parse(cls, text: str) -> "LdapUrl":
        """Read `ldap[s]://host:port/base?attribute?scope?filter`.

        Raises:
            ParameterInvalid: it is none.
        """
        parts = urlsplit(text)
        if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
            raise _refused(text, "use ldap://host:port/base or ldaps://host:port/base")
        # urlsplit knows one query only; a fragment has no place here.
        fields = [unquote(field) for field in parts.query.split("?")]
        if len(fields) > 3 or parts.fragment:
            raise _refused(text, "extensions are not supported")
        attributes, scope, search = (*fields, "", "", "")[:3]
        attribute = attributes.partition(",")[0] or "uid"
        if not _ATTRIBUTE.fullmatch(attribute):
            raise _refused(text, "the attribute is no attribute name")
        if (scope or "sub") not in _SCOPES:
            raise _refused(text, "the scope is one of base, one and sub")
        search = search or "(objectClass=*)"
        return cls(
            host=parts.hostname,
            port=_port(text, parts),
            is_tls=parts.scheme == "ldaps",
            base=unquote(parts.path.removeprefix("/")),
            attribute=attribute,
            scope=scope or "sub",
            filter=search if search.startswith("(") else f"({search})",
        )

    def filter_for(self, username: str) -> str:
        """Return the search filter that finds one user, whatever the name contains."""
        return f"(&{self.filter}({self.attribute}={escape_filter_value(username)}))"


def escape_filter_value(value: str) -> str:
    """Return the value so that it cannot end or widen its filter (RFC 4515, section 3)."""
    return "".join(f"\\{ord(sign):02x}" if sign in "\\*()\0" else sign for sign in value)


def _port(text: str, parts: SplitResult) -> int:
    try:
        return parts.port or _PORTS[parts.scheme]
    except ValueError as error:
        raise _refused(text, "the port is no number from 1 to 65535") from error


def _refused(text: str, reason: str) -> ParameterInvalid:
    return ParameterInvalid(parameter="LDAP URL", value=text, reason=reason)
