"""GitHub and GitLab, played by servers that answer as the vendors document."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from atomic_registry.errors import ProviderFailed
from atomic_registry.identity.ports import Person, RedirectProvider
from atomic_registry.identity.providers.github import GitHubOptions, GitHubProvider
from atomic_registry.identity.providers.gitlab import GitLabOptions, GitLabProvider
from atomic_registry.remote.egress import EgressRules
from atomic_registry.remote.http import AiohttpClient
from tests.kit.web_peer import run_web_peer

CALLBACK = "https://registry.example.test/oauth2callback/hub"
LOOPBACK = frozenset({"127.0.0.1"})
NOT_FOUND = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}


@dataclass(kw_only=True)
class Vendor:
    """What a vendor's server holds, and what it was asked."""

    url: str = ""
    token: dict[str, object] = field(
        default_factory=lambda: {"access_token": "gho_1", "token_type": "bearer", "scope": ""}
    )
    token_status: int = 200
    user: dict[str, object] = field(default_factory=dict)
    user_status: int = 200
    memberships: dict[str, tuple[int, dict[str, object]]] = field(default_factory=dict)
    membership_headers: dict[str, str] = field(default_factory=dict)
    forms: list[dict[str, object]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def give_token(self, request: web.Request) -> web.Response:
        assert request.headers["Accept"] == "application/json"
        self.forms.append(dict(await request.post()))
        return web.json_response(self.token, status=self.token_status)

    async def give_user(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer gho_1"
        return web.json_response(self.user, status=self.user_status)

    async def give_membership(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        status, document = self.memberships.get(request.path, (404, NOT_FOUND))
        return web.json_response(document, status=status, headers=self.membership_headers)


@pytest.fixture
async def client() -> AsyncIterator[AiohttpClient]:
    client = AiohttpClient(egress=EgressRules(allowed_hosts=LOOPBACK, plain_hosts=LOOPBACK))
    yield client
    await client.close()


@pytest.fixture
async def github() -> AsyncIterator[Vendor]:
    vendor = Vendor(
        user={
            "login": "octocat",
            "id": 583231,
            "node_id": "MDQ6VXNlcjE=",
            "type": "User",
            "name": "The Octocat",
            "email": None,
        }
    )
    routes = {
        "/login/oauth/access_token": vendor.give_token,
        "/api/user": vendor.give_user,
        "/api/user/memberships/orgs/{name}": vendor.give_membership,
        "/api/orgs/{name}/teams/{team}/memberships/{user}": vendor.give_membership,
    }
    async with run_web_peer(routes) as vendor.url:
        yield vendor


@pytest.fixture
async def gitlab() -> AsyncIterator[Vendor]:
    vendor = Vendor(
        user={
            "id": 12,
            "username": "mary",
            "name": "Mary Major",
            "state": "active",
            "email": "mary@example.test",
            "confirmed_at": "2025-05-23T09:05:22Z",
        }
    )
    routes = {"/oauth/token": vendor.give_token, "/api/v4/user": vendor.give_user}
    async with run_web_peer(routes) as vendor.url:
        yield vendor


def hub(vendor: Vendor, client: AiohttpClient, **filters: object) -> GitHubProvider:
    options = GitHubOptions(
        name="hub", client_id="id", client_secret="geheim",
        url=vendor.url, api_url=f"{vendor.url}/api",
    )  # fmt: skip
    return GitHubProvider(
        replace(options, **(filters or {"allow_everyone": True})),  # type: ignore[arg-type]
        http=client,
    )


def lab(vendor: Vendor, client: AiohttpClient) -> GitLabProvider:
    options = GitLabOptions(name="lab", client_id="id", client_secret="geheim", url=vendor.url)
    return GitLabProvider(options, http=client)


async def log_in(provider: RedirectProvider, **parameters: str) -> Person | None:
    return await provider.complete(
        {"code": "c", **parameters}, redirect_uri=CALLBACK, nonce="n", verifier="v" * 43
    )


async def test_a_github_user_is_known_by_the_numeric_id(
    github: Vendor, client: AiohttpClient
) -> None:
    person = await log_in(hub(github, client))
    assert person == Person(id="583231", preferred_username="octocat", full_name="The Octocat")
    assert github.forms == [
        {
            "grant_type": "authorization_code",
            "client_id": "id",
            "client_secret": "geheim",
            "code": "c",
            "redirect_uri": CALLBACK,
            "code_verifier": "v" * 43,
        }
    ]


async def test_github_is_asked_for_memberships_only_where_they_matter(
    github: Vendor, client: AiohttpClient
) -> None:
    for filters, scope in (({}, ""), ({"organizations": ("acme",)}, "read:org")):
        url = await hub(github, client, **filters).begin(
            redirect_uri=CALLBACK, state="s", nonce="n", verifier="v"
        )
        query = parse_qs(urlsplit(url).query, keep_blank_values=True)
        assert (query["scope"], query["state"]) == ([scope], ["s"])
        assert query["code_challenge_method"] == ["S256"]
        assert urlsplit(url).path == "/login/oauth/authorize"


async def test_members_of_an_organization_get_in_and_others_do_not(
    github: Vendor, client: AiohttpClient
) -> None:
    provider = hub(github, client, organizations=("other", "acme"))
    path = "/api/user/memberships/orgs/acme"
    assert await log_in(provider) is None
    github.memberships[path] = (200, {"state": "pending", "role": "member"})
    assert await log_in(provider) is None, "an invitation is no membership"
    github.memberships[path] = (200, {"state": "active", "role": "member"})
    assert await log_in(provider) is not None


async def test_members_of_a_team_get_in_and_others_do_not(
    github: Vendor, client: AiohttpClient
) -> None:
    provider = hub(github, client, teams=("acme/builders",))
    assert await log_in(provider) is None
    path = "/api/orgs/acme/teams/builders/memberships/octocat"
    assert github.asked == [path]
    github.memberships[path] = (200, {"state": "active", "role": "maintainer"})
    assert await log_in(provider) is not None


async def test_an_organization_that_has_not_approved_the_application_lets_nobody_in(
    github: Vendor, client: AiohttpClient
) -> None:
    path = "/api/user/memberships/orgs/acme"
    github.memberships[path] = (403, {"message": "OAuth App access restrictions"})
    assert await log_in(hub(github, client, organizations=("acme",))) is None


async def test_a_used_up_rate_limit_is_github_s_failure_and_no_refusal(
    github: Vendor, client: AiohttpClient
) -> None:
    github.memberships["/api/user/memberships/orgs/acme"] = (403, {"message": "rate limit"})
    github.membership_headers["X-RateLimit-Remaining"] = "0"
    with pytest.raises(ProviderFailed, match="403"):
        await log_in(hub(github, client, organizations=("acme",)))


async def test_github_s_errors_with_status_200_are_seen(
    github: Vendor, client: AiohttpClient
) -> None:
    github.token = {"error": "bad_verification_code", "error_description": "incorrect or expired"}
    assert await log_in(hub(github, client)) is None
    github.token = {"error": "incorrect_client_credentials"}
    with pytest.raises(ProviderFailed, match="incorrect_client_credentials"):
        await log_in(hub(github, client))


@pytest.mark.parametrize("user", [{}, {"login": "x"}, {"id": "1", "login": "x"}, {"id": True}])
async def test_a_github_user_without_a_numeric_id_is_nobody(
    github: Vendor, client: AiohttpClient, user: dict[str, object]
) -> None:
    github.user = user
    with pytest.raises(ProviderFailed, match="names nobody"):
        await log_in(hub(github, client))


async def test_a_login_that_was_broken_off_gives_nobody(
    github: Vendor, client: AiohttpClient
) -> None:
    assert await log_in(hub(github, client), error="access_denied") is None
    assert github.forms == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, "everybody with a GitHub account"),
        ({"organizations": ("acme",), "allow_everyone": True}, "choose one"),
        ({"organizations": ("../user",)}, "no name of an organization"),
        ({"teams": ("acme",)}, "organization/team"),
        ({"teams": ("acme/a/b",)}, "organization/team"),
        ({"organizations": tuple("abcdefghij" * 6)}, "more than 50"),
        ({"allow_everyone": True, "client_secret": ""}, "clientSecret"),
    ],
)
def test_a_github_configuration_that_cannot_be_meant_is_refused(
    client: AiohttpClient, change: dict[str, object], why: str
) -> None:
    options = GitHubOptions(name="hub", client_id="id", client_secret="s")
    with pytest.raises(ValueError, match=why):
        GitHubProvider(replace(options, **change), http=client)  # type: ignore[arg-type]


async def test_a_gitlab_user_is_known_by_the_numeric_id(
    gitlab: Vendor, client: AiohttpClient
) -> None:
    expected = Person(
        id="12", preferred_username="mary", full_name="Mary Major", email="mary@example.test"
    )
    assert expected == await log_in(lab(gitlab, client))
    url = await lab(gitlab, client).begin(redirect_uri=CALLBACK, state="s", nonce="n", verifier="v")
    assert parse_qs(urlsplit(url).query)["scope"] == ["read_user"]
    assert urlsplit(url).path == "/oauth/authorize"


async def test_a_gitlab_user_who_is_blocked_does_not_get_in(
    gitlab: Vendor, client: AiohttpClient
) -> None:
    gitlab.user["state"] = "blocked"
    assert await log_in(lab(gitlab, client)) is None
    gitlab.user, gitlab.user_status = {"message": "403 Forbidden"}, 403
    assert await log_in(lab(gitlab, client)) is None


async def test_a_gitlab_address_that_is_not_confirmed_is_left_out(
    gitlab: Vendor, client: AiohttpClient
) -> None:
    gitlab.user["confirmed_at"] = None
    person = await log_in(lab(gitlab, client))
    assert person is not None
    assert person.email == ""


async def test_gitlab_s_errors_are_told_apart(gitlab: Vendor, client: AiohttpClient) -> None:
    gitlab.token, gitlab.token_status = {"error": "invalid_grant"}, 400
    assert await log_in(lab(gitlab, client)) is None
    gitlab.token, gitlab.token_status = {"error": "invalid_client"}, 401
    with pytest.raises(ProviderFailed, match="invalid_client"):
        await log_in(lab(gitlab, client))


def test_the_public_gitlab_is_refused_unless_that_is_meant(client: AiohttpClient) -> None:
    options = GitLabOptions(name="lab", client_id="id", client_secret="s")
    with pytest.raises(ValueError, match="everybody with an account"):
        GitLabProvider(options, http=client)
    assert GitLabProvider(replace(options, allow_everyone=True), http=client).name == "lab"
