"""Logs members of GitHub organizations or teams in; also those of a GitHub Enterprise Server.

Source: GitHub documentation, "Authorizing OAuth apps" and REST API, "Organization members" and
"Team members".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from atomic_registry.errors import ProviderFailed
from atomic_registry.identity.ports import HttpClient, Person
from atomic_registry.identity.providers.code_flow import CodeFlow, name_of, number_of, text_of

_ORGANIZATION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_ACCEPT = "application/vnd.github+json"
# Each costs a request at every login.
_FILTERS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubOptions:
    """What the administrator says; `teams` are of the form `organization/team-slug`.

    Members of any organization or team may log in. `allow_everyone` lets all people in who have
    an account there, and is needed where neither is named.
    """

    name: str
    client_id: str
    client_secret: str
    organizations: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    allow_everyone: bool = False
    url: str = "https://github.com"
    api_url: str = "https://api.github.com"


class GitHubProvider:
    """A `RedirectProvider` for GitHub; ids are the numeric ones, which outlive a rename."""

    def __init__(self, options: GitHubOptions, *, http: HttpClient) -> None:
        """Check the options.

        Raises:
            ValueError: they let in anybody by mistake, or cannot work.
        """
        _check(options)
        self._options = options
        self._url = options.url.rstrip("/")
        self._api_url = options.api_url.rstrip("/")
        self._flow = CodeFlow(
            provider=options.name,
            client_id=options.client_id,
            client_secret=options.client_secret,
            http=http,
            dead_code="bad_verification_code",
        )

    @property
    def name(self) -> str:
        return self._options.name

    async def begin(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        parameters = {"redirect_uri": redirect_uri, "state": state, "scope": self._scope()}
        return self._flow.authorize_url(
            f"{self._url}/login/oauth/authorize", parameters, verifier=verifier
        )

    async def complete(
        self, parameters: Mapping[str, str], *, redirect_uri: str, nonce: str, verifier: str
    ) -> Person | None:
        code = self._flow.find_code(parameters)
        if code is None:
            return None
        tokens = await self._flow.exchange(
            f"{self._url}/login/oauth/access_token",
            code=code,
            redirect_uri=redirect_uri,
            verifier=verifier,
        )
        if tokens is None:
            return None
        access_token = text_of(tokens, "access_token")
        answer = await self._flow.get(f"{self._api_url}/user", access_token, accept=_ACCEPT)
        self._flow.expect_ok(answer, "its user endpoint")
        user = self._flow.document(answer)
        person_id, login = number_of(user, "id"), name_of(user, "login")
        if not person_id or not login:
            raise self._failed("its user endpoint names nobody")
        if not await self._is_let_in(login, access_token):
            return None
        return Person(
            id=person_id,
            preferred_username=login,
            full_name=name_of(user, "name"),
            email=name_of(user, "email"),
        )

    def _scope(self) -> str:
        return "read:org" if self._options.organizations or self._options.teams else ""

    async def _is_let_in(self, login: str, access_token: str) -> bool:
        if not self._options.organizations and not self._options.teams:
            return self._options.allow_everyone
        memberships = [f"/user/memberships/orgs/{one}" for one in self._options.organizations]
        for organization, _, team in (one.partition("/") for one in self._options.teams):
            memberships.append(f"/orgs/{organization}/teams/{team}/memberships/{quote(login)}")
        for path in memberships:
            if await self._is_member(path, access_token):
                return True
        return False

    async def _is_member(self, path: str, access_token: str) -> bool:
        answer = await self._flow.get(f"{self._api_url}{path}", access_token, accept=_ACCEPT)
        out_of_requests = answer.headers.get("x-ratelimit-remaining") == "0"
        # 403 is also what an organization answers that has not approved this application.
        if answer.status == 404 or (answer.status == 403 and not out_of_requests):
            return False
        self._flow.expect_ok(answer, "its membership endpoint")
        # Somebody who is invited and has not accepted is "pending".
        return text_of(self._flow.document(answer), "state") == "active"

    def _failed(self, reason: str) -> ProviderFailed:
        return self._flow.failed(reason)


def _check(options: GitHubOptions) -> None:
    where = f"identity provider {options.name}"
    filters = (*options.organizations, *options.teams)
    if not filters and not options.allow_everyone:
        raise ValueError(
            f"{where}: everybody with a GitHub account could log in; "
            "name 'organizations' or 'teams' whose members may"
        )
    if filters and options.allow_everyone:
        raise ValueError(f"{where}: it is open to everyone and filtered; choose one of the two")
    if len(filters) > _FILTERS:
        raise ValueError(f"{where}: more than {_FILTERS} organizations and teams; name fewer")
    if not options.client_id or not options.client_secret:
        raise ValueError(f"{where}: set 'clientID' and 'clientSecret'")
    _check_filters(options, where)


def _check_filters(options: GitHubOptions, where: str) -> None:
    for one in options.organizations:
        if not _ORGANIZATION.fullmatch(one):
            raise ValueError(f"{where}: {one!r} is no name of an organization")
    for one in options.teams:
        organization, slash, team = one.partition("/")
        if not (slash and _ORGANIZATION.fullmatch(organization) and _ORGANIZATION.fullmatch(team)):
            raise ValueError(f"{where}: {one!r} is no team; write organization/team")
