"""What the classes of YAML documents say about their fields, and the faults they find."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a class finds wrong with itself; `key` is relative to it."""

    key: str
    reason: str
    hint: str = ""


def keyed(key: str) -> Mapping[str, object]:
    """Return metadata of a field whose key is not its name in camel case."""
    return {"key": key}


def secret(key: str | None = None) -> Mapping[str, object]:
    """Return metadata of a field that is a string source."""
    return {"secret": True} if key is None else {"secret": True, "key": key}


def check_url(key: str, url: str) -> Iterator[Fault]:
    """Find fault with a URL that secrets are sent to: it must be https, or on this machine."""
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        yield Fault(key=key, reason=f"{url!r} is not an https URL")
    elif parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        reason = "it is not https: passwords and tokens would cross the network in clear"
        yield Fault(key=key, reason=reason)


def check_pair(certificate: Path | None, key: Path | None) -> Iterator[Fault]:
    """Find fault with a certificate without its key, or the other way round."""
    if (certificate is None) != (key is None):
        absent = "certFile" if certificate is None else "keyFile"
        yield Fault(key=absent, reason="certFile and keyFile need each other")


def check_ldap(url: str, bind_dn: str, password: str, *, insecure: bool) -> Iterator[Fault]:
    """Find fault with how a directory is reached."""
    parts = urlsplit(url)
    if parts.scheme not in {"ldap", "ldaps"} or not parts.hostname:
        hint = "ldap[s]://host[:port]/base-dn?attribute?scope?filter"
        yield Fault(key="url", reason=f"{url!r} is not an LDAP URL", hint=hint)
    if parts.scheme == "ldaps" and insecure:
        yield Fault(key="insecure", reason="ldaps is always secure", hint="use ldap, or drop it")
    if bool(bind_dn) != bool(password):
        absent = "bindPassword" if bind_dn else "bindDN"
        yield Fault(key=absent, reason="bindDN and bindPassword need each other")
