"""Logs users of a GitLab server in.

Source: GitLab documentation, "OAuth 2.0 identity provider API" and "Users API".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from atomic_registry.identity.ports import HttpClient, Person
from atomic_registry.identity.providers.code_flow import CodeFlow, name_of, number_of, text_of

PUBLIC_HOST = "gitlab.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLabOptions:
    """What the administrator says; `allow_everyone` is needed for the public gitlab.com."""

    name: str
    client_id: str
    client_secret: str
    url: str = f"https://{PUBLIC_HOST}"
    allow_everyone: bool = False


class GitLabProvider:
    """A `RedirectProvider` for GitLab; ids are the numeric ones, which outlive a rename."""

    def __init__(self, options: GitLabOptions, *, http: HttpClient) -> None:
        """Check the options.

        Raises:
            ValueError: they let in anybody by mistake, or cannot work.
        """
        where = f"identity provider {options.name}"
        if urlsplit(options.url).hostname == PUBLIC_HOST and not options.allow_everyone:
            raise ValueError(
                f"{where}: everybody with an account at {PUBLIC_HOST} could log in; "
                "set 'url' to your own GitLab server"
            )
        if not options.client_id or not options.client_secret:
            raise ValueError(f"{where}: set 'clientID' and 'clientSecret'")
        self._options = options
        self._url = options.url.rstrip("/")
        self._flow = CodeFlow(
            provider=options.name,
            client_id=options.client_id,
            client_secret=options.client_secret,
            http=http,
        )

    @property
    def name(self) -> str:
        return self._options.name

    async def begin(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        parameters = {"redirect_uri": redirect_uri, "state": state, "scope": "read_user"}
        return self._flow.authorize_url(
            f"{self._url}/oauth/authorize", parameters, verifier=verifier
        )

    async def complete(
        self, parameters: Mapping[str, str], *, redirect_uri: str, nonce: str, verifier: str
    ) -> Person | None:
        code = self._flow.find_code(parameters)
        if code is None:
            return None
        tokens = await self._flow.exchange(
            f"{self._url}/oauth/token", code=code, redirect_uri=redirect_uri, verifier=verifier
        )
        if tokens is None:
            return None
        access_token = text_of(tokens, "access_token")
        answer = await self._flow.get(f"{self._url}/api/v4/user", access_token)
        # What GitLab answers for a user who is blocked or has not accepted its terms.
        if answer.status == 403:
            return None
        self._flow.expect_ok(answer, "its user endpoint")
        return self._person(self._flow.document(answer))

    def _person(self, user: Mapping[str, object]) -> Person | None:
        person_id, username = number_of(user, "id"), name_of(user, "username")
        if not person_id or not username:
            raise self._flow.failed("its user endpoint names nobody")
        if text_of(user, "state") != "active":
            return None
        # Until it is confirmed, an address is what somebody typed.
        email = name_of(user, "email") if text_of(user, "confirmed_at") else ""
        return Person(
            id=person_id,
            preferred_username=username,
            full_name=name_of(user, "name"),
            email=email,
        )
