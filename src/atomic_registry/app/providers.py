"""Makes identity providers of what `master-config.yaml` says."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from atomic_registry.clock import Clock
from atomic_registry.config import identity_providers as config
from atomic_registry.identity.ldap_url import LdapUrl
from atomic_registry.identity.logins import ConfiguredProvider
from atomic_registry.identity.ports import (
    HeaderProvider,
    HttpClient,
    PasswordProvider,
    RedirectProvider,
)
from atomic_registry.identity.providers import ldap as ldap_provider
from atomic_registry.identity.providers.allow_all import AllowAll
from atomic_registry.identity.providers.basic_auth import BasicAuth
from atomic_registry.identity.providers.deny_all import DenyAll
from atomic_registry.identity.providers.github import GitHubOptions, GitHubProvider
from atomic_registry.identity.providers.gitlab import GitLabOptions, GitLabProvider
from atomic_registry.identity.providers.google import google_options
from atomic_registry.identity.providers.htpasswd import HTPasswd
from atomic_registry.identity.providers.keystone import Keystone
from atomic_registry.identity.providers.openid import OpenIdOptions, OpenIdProvider, OpenIdUrls
from atomic_registry.identity.providers.openid_claims import OpenIdClaims
from atomic_registry.identity.providers.request_header import (
    RequestHeaderOptions,
    RequestHeaderProvider,
)
from atomic_registry.remote.egress import EgressRules
from atomic_registry.remote.http import AiohttpClient


class Providers:
    """The providers in the order of the file, and the HTTP clients that they use."""

    def __init__(self, configured: Sequence[config.IdentityProviderConfig], clock: Clock) -> None:
        self._clock = clock
        self._clients: list[AiohttpClient] = []
        self.all = [
            ConfiguredProvider(
                provider=self._make(item.name, item.provider),
                mapping=item.mapping_method,
                challenge=item.challenge,
                login=item.login,
            )
            for item in configured
        ]

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            await client.close()

    def _make(  # noqa: PLR0911 - one for each kind
        self, name: str, said: config.Provider
    ) -> PasswordProvider | RedirectProvider | HeaderProvider:
        match said:
            case config.AllowAll():
                return AllowAll(name=name)
            case config.DenyAll():
                return DenyAll(name=name)
            case config.HTPasswd():
                return HTPasswd(name=name, path=said.file)
            case config.Ldap():
                return _make_ldap(name, said)
            case config.BasicAuth():
                http = self._client([said.url], said.ca, said.cert_file, said.key_file)
                return BasicAuth(name=name, url=said.url, http=http)
            case config.Keystone():
                http = self._client([said.url], said.ca, said.cert_file, said.key_file)
                return Keystone(name=name, url=said.url, domain_name=said.domain_name, http=http)
            case config.RequestHeader():
                return _make_request_header(name, said)
            case _:
                return self._make_redirect(name, said)

    def _make_redirect(
        self, name: str, said: config.GitHub | config.GitLab | config.Google | config.OpenId
    ) -> RedirectProvider:
        match said:
            case config.GitHub():
                return GitHubProvider(
                    GitHubOptions(
                        name=name,
                        client_id=said.client_id,
                        client_secret=said.client_secret,
                        organizations=said.organizations,
                        teams=said.teams,
                        allow_everyone=said.allow_everyone,
                        url=said.url,
                        api_url=said.api_url,
                    ),
                    http=self._client([said.url, said.api_url], said.ca),
                )
            case config.GitLab():
                return GitLabProvider(
                    GitLabOptions(
                        name=name,
                        client_id=said.client_id,
                        client_secret=said.client_secret,
                        url=said.url,
                        allow_everyone=said.allow_everyone,
                    ),
                    http=self._client([said.url], said.ca),
                )
            case config.Google():
                options = google_options(
                    name=name,
                    client_id=said.client_id,
                    client_secret=said.client_secret,
                    hosted_domain=said.hosted_domain,
                    allow_everyone=said.allow_everyone,
                    issuer=said.issuer,
                )
                http = self._client([said.issuer])
                return OpenIdProvider(options, http=http, clock=self._clock)
            case config.OpenId():
                return self._make_openid(name, said)

    def _make_openid(self, name: str, said: config.OpenId) -> RedirectProvider:
        urls, claims = said.urls, said.claims
        return OpenIdProvider(
            OpenIdOptions(
                name=name,
                issuer=said.issuer,
                client_id=said.client_id,
                client_secret=said.client_secret,
                urls=OpenIdUrls(
                    authorize=urls.authorize,
                    token=urls.token,
                    user_info=urls.user_info,
                    keys=urls.keys,
                ),
                claims=OpenIdClaims(
                    id=claims.id,
                    preferred_username=claims.preferred_username,
                    name=claims.name,
                    email=claims.email,
                    groups=claims.groups,
                ),
                extra_scopes=said.extra_scopes,
                extra_authorize_parameters=said.extra_authorize_parameters,
            ),
            http=self._client(
                [said.issuer, urls.authorize, urls.token, urls.user_info, urls.keys], said.ca
            ),
            clock=self._clock,
        )

    def _client(
        self,
        urls: Sequence[str],
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> HttpClient:
        # What the administrator has named may lie on a private address; what answers name may not.
        parts = [urlsplit(url) for url in urls if url]
        hosts = frozenset(part.hostname or "" for part in parts)
        plain = frozenset(part.hostname or "" for part in parts if part.scheme == "http")
        client = AiohttpClient(
            egress=EgressRules(allowed_hosts=hosts, plain_hosts=plain),
            ca=ca,
            certificate=certificate,
            key=key,
        )
        self._clients.append(client)
        return client


def _make_ldap(name: str, said: config.Ldap) -> PasswordProvider:
    attributes = said.attributes
    return ldap_provider.Ldap(
        name=name,
        settings=ldap_provider.LdapSettings(
            url=LdapUrl.parse(said.url),
            bind_dn=said.bind_dn,
            bind_password=said.bind_password,
            is_insecure=said.insecure,
            ca=said.ca,
            attributes=ldap_provider.LdapAttributes(
                id=attributes.id,
                preferred_username=attributes.preferred_username,
                name=attributes.name,
                email=attributes.email,
            ),
        ),
    )


def _make_request_header(name: str, said: config.RequestHeader) -> RequestHeaderProvider:
    return RequestHeaderProvider(
        RequestHeaderOptions(
            name=name,
            client_ca=said.client_ca,
            headers=said.headers,
            client_common_names=said.client_common_names,
            preferred_username_headers=said.preferred_username_headers,
            name_headers=said.name_headers,
            email_headers=said.email_headers,
            login_url=said.login_url,
            challenge_url=said.challenge_url,
        )
    )
