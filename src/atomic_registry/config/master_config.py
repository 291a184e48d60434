"""Reads the original product's `master-config.yaml`, and writes the one of a first start.

Keys of the platform that a registry has no use for are taken and listed as ignored, so that a
file from an OpenShift Origin or Atomic Registry installation loads as it is.
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from atomic_registry.config.client_rules import AuditConfig, PolicyConfig
from atomic_registry.config.documents import read_document
from atomic_registry.config.faults import Fault, check_url, keyed
from atomic_registry.config.identity_providers import IdentityProviderConfig, RequestHeader
from atomic_registry.config.serving_info import ServingInfo
from atomic_registry.config.settings import IdentityProviderChoice

FILE_NAME = "master-config.yaml"
HTPASSWD_NAME = "htpasswd"

_PLAIN_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?\Z")
_EXTENSION_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\Z")
_AUTHENTICATION_BYTES = (32, 64)
_ENCRYPTION_BYTES = (16, 24, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantConfig:
    """How consent is asked for where the client says nothing of it."""

    IGNORED: ClassVar[frozenset[str]] = frozenset({"serviceAccountMethod"})

    method: Literal["auto", "prompt", "deny"] = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """The session between login and the end of the OAuth flow."""

    session_secrets_file: Path | None = None
    session_max_age_seconds: int = 300
    session_name: str = "ssn"

    def check(self) -> Iterator[Fault]:
        if self.session_max_age_seconds < 1:
            yield Fault(key="sessionMaxAgeSeconds", reason="it must be at least 1")
        if not self.session_name.isascii() or not self.session_name.isalnum():
            yield Fault(key="sessionName", reason="a cookie's name is letters and digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenConfig:
    """How long tokens live; without an inactivity timeout they live to their end."""

    authorize_token_max_age_seconds: int = 300
    access_token_max_age_seconds: int = 86400
    access_token_inactivity_timeout_seconds: int | None = None

    def check(self) -> Iterator[Fault]:
        for key, value in (
            ("authorizeTokenMaxAgeSeconds", self.authorize_token_max_age_seconds),
            ("accessTokenMaxAgeSeconds", self.access_token_max_age_seconds),
        ):
            if value < 1:
                yield Fault(key=key, reason="it must be at least 1")
        timeout = self.access_token_inactivity_timeout_seconds
        if timeout is not None and 0 != timeout < 300:
            key = "accessTokenInactivityTimeoutSeconds"
            yield Fault(key=key, reason="it must be at least 300", hint="leave it out for none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """Own pages in place of the built-in ones."""

    login: Path | None = None
    provider_selection: Path | None = None
    error: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthConfig:
    """The OAuth server; providers are asked in their order."""

    IGNORED: ClassVar[frozenset[str]] = frozenset({"assetPublicURL", "masterCA", "masterURL"})

    master_public_url: str = dataclasses.field(default="", metadata=keyed("masterPublicURL"))
    always_show_provider_selection: bool = False
    identity_providers: tuple[IdentityProviderConfig, ...] = ()
    grant_config: GrantConfig = dataclasses.field(default_factory=GrantConfig)
    session_config: SessionConfig = dataclasses.field(default_factory=SessionConfig)
    token_config: TokenConfig = dataclasses.field(default_factory=TokenConfig)
    templates: Templates = dataclasses.field(default_factory=Templates)

    def check(self) -> Iterator[Fault]:
        seen: set[str] = set()
        for index, provider in enumerate(self.identity_providers):
            if provider.name in seen:
                reason = f"another provider is called {provider.name!r}"
                yield Fault(key=f"identityProviders[{index}].name", reason=reason)
            seen.add(provider.name)
        yield from self._check_challenges()
        if self.master_public_url:
            yield from check_url("masterPublicURL", self.master_public_url)

    def _check_challenges(self) -> Iterator[Fault]:
        challenging = [it for it in self.identity_providers if it.challenge]
        proxies = [it.name for it in challenging if isinstance(it.provider, RequestHeader)]
        if proxies and len(challenging) > 1:
            reason = (
                f"{proxies[0]} sends programs elsewhere to log in, so no other one can ask them"
            )
            hint = "set challenge: true for one RequestHeaderIdentityProvider, or for others only"
            yield Fault(key="identityProviders", reason=reason, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectConfig:
    """Requests for projects; `maxProjectsPerUser` is ours, and without it there is no limit."""

    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {"defaultNodeSelector", "projectRequestTemplate", "securityAllocator"}
    )

    project_request_message: str = ""
    max_projects_per_user: int | None = None

    def check(self) -> Iterator[Fault]:
        if self.max_projects_per_user is not None and self.max_projects_per_user < 0:
            yield Fault(key="maxProjectsPerUser", reason="it must be at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """Who is who for the whole API is said by tokens and client certificates alone."""

    IGNORED: ClassVar[frozenset[str]] = frozenset({"webhookTokenAuthenticators"})
    REFUSED: ClassVar[Mapping[str, str]] = {
        "requestHeader": (
            "let people log in through a RequestHeaderIdentityProvider of oauthConfig instead"
        )
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePolicyConfig:
    """By which name clients reach the registry; nothing is imported, so nothing limits that."""

    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {
            "additionalTrustedCA",
            "allowedRegistriesForImport",
            "disableScheduledImport",
            "maxImagesBulkImportedPerRepository",
            "maxScheduledImageImportsPerMinute",
            "scheduledImageImportMinimumIntervalSeconds",
        }
    )

    internal_registry_hostname: str = ""
    external_registry_hostname: str = ""

    @property
    def registry(self) -> str:
        """The name for clients; nothing if there is none."""
        return self.external_registry_hostname or self.internal_registry_hostname

    def check(self) -> Iterator[Fault]:
        for key, value in (
            ("internalRegistryHostname", self.internal_registry_hostname),
            ("externalRegistryHostname", self.external_registry_hostname),
        ):
            if "/" in value:
                yield Fault(key=key, reason=f"{value!r} does not read HOST:PORT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """A directory that the master shows to anybody, under `/console/extensions/<name>/`."""

    name: str
    source_directory: Path
    html5_mode: bool = False

    def check(self) -> Iterator[Fault]:
        if not _EXTENSION_NAME.match(self.name):
            reason = f"{self.name!r} must be of letters, digits, dots, dashes and underscores"
            yield Fault(key="name", reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetConfig:
    """What the original's console showed; of it there are the static directories."""

    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {
            "extensionDevelopment",
            "extensionProperties",
            "extensionScripts",
            "extensionStylesheets",
            "loggingPublicURL",
            "logoutURL",
            "masterPublicURL",
            "metricsPublicURL",
            "publicURL",
            "servingInfo",
        }
    )

    extensions: tuple[Extension, ...] = ()

    def check(self) -> Iterator[Fault]:
        names = [extension.name for extension in self.extensions]
        for index, name in enumerate(names):
            if name in names[:index]:
                reason = f"another extension is called {name!r}"
                yield Fault(key=f"extensions[{index}].name", reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterConfig:
    """The document; paths in it are resolved."""

    # Sections of the platform around the original registry.
    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {
            "admissionConfig",
            "aggregatorConfig",
            "apiLevels",
            "controllerConfig",
            "controllerLeaseTTL",
            "controllers",
            "disabledFeatures",
            "dnsConfig",
            "etcdClientInfo",
            "etcdConfig",
            "etcdStorageConfig",
            "imageConfig",
            "jenkinsPipelineConfig",
            "kubeletClientInfo",
            "kubernetesMasterConfig",
            "masterClients",
            "networkConfig",
            "pauseControllers",
            "routingConfig",
            "serviceAccountConfig",
            "templateServiceBrokerConfig",
            "volumeConfig",
        }
    )

    serving_info: ServingInfo = dataclasses.field(default_factory=ServingInfo)
    master_public_url: str = dataclasses.field(default="", metadata=keyed("masterPublicURL"))
    cors_allowed_origins: tuple[str, ...] = ()
    oauth_config: OAuthConfig = dataclasses.field(default_factory=OAuthConfig)
    project_config: ProjectConfig = dataclasses.field(default_factory=ProjectConfig)
    audit_config: AuditConfig = dataclasses.field(default_factory=AuditConfig)
    auth_config: AuthConfig = dataclasses.field(default_factory=AuthConfig)
    policy_config: PolicyConfig = dataclasses.field(default_factory=PolicyConfig)
    image_policy_config: ImagePolicyConfig = dataclasses.field(default_factory=ImagePolicyConfig)
    asset_config: AssetConfig = dataclasses.field(default_factory=AssetConfig)
    ignored: tuple[str, ...] = dataclasses.field(default=(), metadata={"internal": True})

    def check(self) -> Iterator[Fault]:
        if self.master_public_url:
            yield from check_url("masterPublicURL", self.master_public_url)
        for index, text in enumerate(self.cors_allowed_origins):
            try:
                re.compile(origin_pattern(text))
            except re.error as error:
                reason = f"{text!r} is neither a host nor a regular expression: {error}"
                yield Fault(key=f"corsAllowedOrigins[{index}]", reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSecret:
    """A pair of keys for session cookies."""

    authentication: str = dataclasses.field(repr=False)
    encryption: str = dataclasses.field(repr=False)

    def check(self) -> Iterator[Fault]:
        if len(self.authentication.encode()) not in _AUTHENTICATION_BYTES:
            yield Fault(key="authentication", reason="it must be 32 or 64 bytes long")
        if len(self.encryption.encode()) not in _ENCRYPTION_BYTES:
            yield Fault(key="encryption", reason="it must be 16, 24 or 32 bytes long")


@dataclass(frozen=True, slots=True, kw_only=True)
class _SessionSecrets:
    secrets: tuple[SessionSecret, ...] = ()

    def check(self) -> Iterator[Fault]:
        if not self.secrets:
            yield Fault(key="secrets", reason="it needs at least one pair")


def origin_pattern(text: str) -> str:
    """Return the regular expression that an entry of `corsAllowedOrigins` stands for.

    A plain host, with or without a port, is no expression here: the original's would also find it
    within the name of another host.
    """
    if _PLAIN_HOST.match(text):
        port = "" if re.search(r":[0-9]+\Z", text) else "(:[0-9]+)?"
        return f"(?i)\\Ahttps?://{re.escape(text)}{port}\\Z"
    # Go's expressions end a text with \z, Python's with \Z.
    return text.replace(r"\z", r"\Z")


def load_master_config(path: Path, environment: Mapping[str, str]) -> MasterConfig:
    """Return the configuration of the master; `ignored` lists the keys without effect.

    Raises:
        ConfigInvalid: with all mistakes.
    """
    config, ignored = read_document(path, MasterConfig, environment, name="MasterConfig")
    return dataclasses.replace(config, ignored=ignored)


def load_session_secrets(path: Path) -> tuple[SessionSecret, ...]:
    """Return the pairs of a `SessionSecrets` file: the first one writes, all may read.

    Raises:
        ConfigInvalid: with all mistakes.
    """
    document, _ = read_document(path, _SessionSecrets, {}, name="SessionSecrets")
    return document.secrets


def default_master_config(
    *,
    bind_address: str = "127.0.0.1:8443",
    public_url: str = "https://127.0.0.1:8443",
    identity_provider: IdentityProviderChoice = "anypassword",
    certificates: Path = Path(),
) -> str:
    """Return the file that is written on first start; `certificates` is where its pair lies."""
    if identity_provider == "htpasswd":
        comment = "# Names and password hashes stand in the file; it is read again when it changes."
        kind, file = "HTPasswdPasswordIdentityProvider", f"\n      file: {HTPASSWD_NAME}"
    else:
        comment = "# Anybody may log in as anybody: any user name goes with any password."
        kind, file = "AllowAllPasswordIdentityProvider", ""
    return f"""\
# Configuration of the master. Paths are relative to this file.
apiVersion: v1
kind: MasterConfig
servingInfo:
  bindAddress: {json.dumps(bind_address)}
  certFile: {certificates / "master.server.crt"}
  keyFile: {certificates / "master.server.key"}
  clientCA: ca.crt
  minTLSVersion: VersionTLS12
masterPublicURL: {json.dumps(public_url)}
oauthConfig:
  alwaysShowProviderSelection: false
  grantConfig:
    method: auto
  identityProviders:
  {comment}
  - name: {identity_provider}
    challenge: true
    login: true
    mappingMethod: claim
    provider:
      apiVersion: v1
      kind: {kind}{file}
  sessionConfig:
    sessionMaxAgeSeconds: 300
    sessionName: ssn
  tokenConfig:
    accessTokenMaxAgeSeconds: 86400
    authorizeTokenMaxAgeSeconds: 300
projectConfig:
  projectRequestMessage: ""
"""
