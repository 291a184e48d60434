"""The identity providers of `master-config.yaml`, one class for each kind.

Keys are those of OpenShift Origin 1.x; keys that it did not have are marked as ours.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from atomic_registry.config.faults import (
    Fault,
    check_ldap,
    check_pair,
    check_url,
    keyed,
    secret,
)

MappingMethod = Literal["claim", "lookup", "generate", "add"]

_EVERYONE_HINT = "allowEveryone: true lets them in on purpose"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowAll:
    """Any user name with any password."""

    kind: ClassVar[str] = "AllowAllPasswordIdentityProvider"
    takes_passwords: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyAll:
    """Nobody."""

    kind: ClassVar[str] = "DenyAllPasswordIdentityProvider"
    takes_passwords: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HTPasswd:
    """Names and hashes in a file, read again when it changes."""

    kind: ClassVar[str] = "HTPasswdPasswordIdentityProvider"
    takes_passwords: ClassVar[bool] = True

    file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapAttributes:
    """Attributes of a user's entry; of each list the first with a value counts."""

    id: tuple[str, ...] = ()
    preferred_username: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    email: tuple[str, ...] = ()

    def check(self) -> Iterator[Fault]:
        if not self.id:
            hint = "dn stands for the name of the entry"
            yield Fault(key="id", reason="it needs at least one attribute", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ldap:
    """A directory: finds the user's entry and binds as it."""

    kind: ClassVar[str] = "LDAPPasswordIdentityProvider"
    takes_passwords: ClassVar[bool] = True

    url: str
    bind_dn: str = dataclasses.field(default="", metadata=keyed("bindDN"))
    bind_password: str = dataclasses.field(default="", repr=False, metadata=secret())
    insecure: bool = False
    ca: Path | None = None
    attributes: LdapAttributes

    def check(self) -> Iterator[Fault]:
        yield from check_ldap(self.url, self.bind_dn, self.bind_password, insecure=self.insecure)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remote:
    """A server that is asked over HTTPS, perhaps with a client certificate."""

    url: str
    ca: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def check(self) -> Iterator[Fault]:
        yield from check_url("url", self.url)
        yield from check_pair(self.cert_file, self.key_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth(_Remote):
    """A server that the user's name and password are passed on to."""

    kind: ClassVar[str] = "BasicAuthPasswordIdentityProvider"
    takes_passwords: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Keystone(_Remote):
    """OpenStack's Keystone, version 3."""

    kind: ClassVar[str] = "KeystonePasswordIdentityProvider"
    takes_passwords: ClassVar[bool] = True

    domain_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHeader:
    """A proxy that has done the login and says in headers who it is."""

    kind: ClassVar[str] = "RequestHeaderIdentityProvider"
    takes_passwords: ClassVar[bool] = True

    login_url: str = dataclasses.field(default="", metadata=keyed("loginURL"))
    challenge_url: str = dataclasses.field(default="", metadata=keyed("challengeURL"))
    client_ca: Path | None = dataclasses.field(default=None, metadata=keyed("clientCA"))
    client_common_names: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    preferred_username_headers: tuple[str, ...] = ()
    name_headers: tuple[str, ...] = ()
    email_headers: tuple[str, ...] = ()

    def check(self) -> Iterator[Fault]:
        if self.client_ca is None:
            reason = "without it whoever reaches the server could claim to be anybody"
            hint = "name the file of the authority that signed the proxy's client certificate"
            yield Fault(key="clientCA", reason=reason, hint=hint)
        if not self.headers:
            yield Fault(key="headers", reason="it needs at least one header", hint="X-Remote-User")
        for key, url in (("loginURL", self.login_url), ("challengeURL", self.challenge_url)):
            if not url:
                continue
            yield from check_url(key, url)
            if "${url}" not in url and "${query}" not in url:
                reason = "the proxy would not know where to send the user back to"
                yield Fault(key=key, reason=reason, hint="put ${url} or ${query} into it")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Client:
    """A server where this one is registered as an OAuth client.

    Its heirs call `check` by the class: `super()` does not work in classes with slots.
    """

    client_id: str = dataclasses.field(metadata=keyed("clientID"))
    client_secret: str = dataclasses.field(repr=False, metadata=secret())

    def check(self) -> Iterator[Fault]:
        for key, value in (("clientID", self.client_id), ("clientSecret", self.client_secret)):
            if not value:
                yield Fault(key=key, reason="it is empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub(_Client):
    """GitHub; `allowEveryone`, `url`, `apiURL` and `ca` are ours."""

    kind: ClassVar[str] = "GitHubIdentityProvider"
    takes_passwords: ClassVar[bool] = False

    organizations: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    allow_everyone: bool = False
    url: str = "https://github.com"
    api_url: str = dataclasses.field(default="https://api.github.com", metadata=keyed("apiURL"))
    ca: Path | None = None

    def check(self) -> Iterator[Fault]:
        yield from _Client.check(self)
        yield from check_url("url", self.url)
        yield from check_url("apiURL", self.api_url)
        if not (self.organizations or self.teams or self.allow_everyone):
            reason = "without it everybody with a GitHub account could log in"
            yield Fault(key="organizations", reason=reason, hint=_EVERYONE_HINT)
        if self.allow_everyone and (self.organizations or self.teams):
            reason = "organizations or teams are set as well"
            yield Fault(key="allowEveryone", reason=reason, hint="choose one of the two")
        for index, team in enumerate(self.teams):
            organization, slash, name = team.partition("/")
            if not (organization and slash and name) or "/" in name:
                yield Fault(key=f"teams[{index}]", reason=f"{team!r} is not organization/team")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLab(_Client):
    """A GitLab server; `allowEveryone` is ours and needed for the public one."""

    kind: ClassVar[str] = "GitLabIdentityProvider"
    takes_passwords: ClassVar[bool] = True

    url: str
    ca: Path | None = None
    allow_everyone: bool = False

    def check(self) -> Iterator[Fault]:
        yield from _Client.check(self)
        yield from check_url("url", self.url)
        if urlsplit(self.url).hostname == "gitlab.com" and not self.allow_everyone:
            reason = "everybody with an account at gitlab.com could log in"
            yield Fault(key="url", reason=reason, hint=_EVERYONE_HINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Google(_Client):
    """Google; `allowEveryone` and `issuer` are ours."""

    kind: ClassVar[str] = "GoogleIdentityProvider"
    takes_passwords: ClassVar[bool] = False

    hosted_domain: str = ""
    allow_everyone: bool = False
    issuer: str = "https://accounts.google.com"

    def check(self) -> Iterator[Fault]:
        yield from _Client.check(self)
        yield from check_url("issuer", self.issuer)
        if not self.hosted_domain and not self.allow_everyone:
            reason = "without it everybody with a Google account could log in"
            yield Fault(key="hostedDomain", reason=reason, hint=_EVERYONE_HINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdClaims:
    """Claims of the ID token; of each list the first with a value counts. `groups` is ours."""

    id: tuple[str, ...] = ("sub",)
    preferred_username: tuple[str, ...] = ("preferred_username",)
    name: tuple[str, ...] = ("name",)
    email: tuple[str, ...] = ("email",)
    groups: tuple[str, ...] = ()

    def check(self) -> Iterator[Fault]:
        if not self.id:
            yield Fault(key="id", reason="it needs at least one claim", hint="sub")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdUrls:
    """The provider's endpoints; those left out are discovered. `keys` is ours."""

    authorize: str = ""
    token: str = ""
    user_info: str = ""
    keys: str = ""

    def check(self) -> Iterator[Fault]:
        named = {"authorize": self.authorize, "token": self.token, "keys": self.keys}
        for key, url in (*named.items(), ("userInfo", self.user_info)):
            if url:
                yield from check_url(key, url)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenId(_Client):
    """A provider of OpenID Connect; `issuer` is ours: it is discovered and verified by it."""

    kind: ClassVar[str] = "OpenIDIdentityProvider"
    takes_passwords: ClassVar[bool] = True

    issuer: str = ""
    ca: Path | None = None
    extra_scopes: tuple[str, ...] = ()
    extra_authorize_parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    claims: OpenIdClaims = dataclasses.field(default_factory=OpenIdClaims)
    urls: OpenIdUrls = dataclasses.field(default_factory=OpenIdUrls)

    def check(self) -> Iterator[Fault]:
        yield from _Client.check(self)
        if self.issuer:
            yield from check_url("issuer", self.issuer)
        else:
            reason = "without it nobody can tell whose ID tokens are to be believed"
            hint = "set it to the URL that the provider calls itself"
            yield Fault(key="issuer", reason=reason, hint=hint)


Provider = (
    AllowAll
    | DenyAll
    | HTPasswd
    | Ldap
    | BasicAuth
    | Keystone
    | RequestHeader
    | GitHub
    | GitLab
    | Google
    | OpenId
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProviderConfig:
    """One provider: `name` begins the names of its identities, `challenge` and `login` say for
    which way of logging in it is asked.
    """

    name: str
    challenge: bool = False
    login: bool = False
    mapping_method: MappingMethod = "claim"
    provider: Provider

    def check(self) -> Iterator[Fault]:
        if not self.name or self.name in {".", ".."} or set(self.name) & set(":/%"):
            reason = f"{self.name!r} cannot begin the name of an identity"
            yield Fault(key="name", reason=reason, hint="use letters, digits and '-'")
        if self.challenge and not self.provider.takes_passwords:
            reason = "this provider takes no passwords"
            yield Fault(key="challenge", reason=reason, hint="set login: true only")
        if isinstance(self.provider, RequestHeader):
            if self.challenge and not self.provider.challenge_url:
                yield Fault(key="provider.challengeURL", reason="challenge: true needs it")
            if self.login and not self.provider.login_url:
                yield Fault(key="provider.loginURL", reason="login: true needs it")
