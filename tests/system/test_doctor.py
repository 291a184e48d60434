"""`doctor` against services and proxies with real faults: the hop that fails is named."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from atomic_registry.clock import Clock, SystemClock
from atomic_registry.system.ca import Pair, ensure_server_certificate, ensure_signer
from tests.kit.access import RBAC, Site, running_site
from tests.kit.nginx import FORWARDS, running_nginx
from tests.kit.registry import free_port
from tests.system.people import PASSWORD, NewPerson, Person, person_maker


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the doctor said."""

    code: int
    failed_hop: str
    failures: list[str]
    advice: str
    states: dict[str, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = {"ATOMIC_REGISTRY_HTTP_TRUSTED_PROXIES": "127.0.0.1"}
    with running_site(tmp_path_factory.mktemp("site"), **settings) as started:
        yield started


@pytest.fixture
def person(site: Site, tmp_path: Path) -> NewPerson:
    return person_maker(site, tmp_path)


@pytest.fixture
def mary(person: NewPerson) -> Person:
    made = person("mary")
    made.log_in("mary")
    return made


@pytest.fixture
def pair(site: Site, tmp_path: Path) -> Pair:
    """A certificate of the site's authority for a proxy."""
    return issue_pair(site, tmp_path / "pair", SystemClock())


def issue_pair(site: Site, place: Path, clock: Clock, *names: str) -> Pair:
    place.mkdir()
    signer = ensure_signer(site.root / "master", clock=SystemClock())
    hosts = names or ("127.0.0.1", "localhost")
    return ensure_server_certificate(place, hosts, signer, clock=clock, name="front", days=90)


class FormerClock(SystemClock):
    """A year ago."""

    def now(self) -> datetime:
        now = datetime.now(UTC)
        return now.replace(year=now.year - 1, day=min(now.day, 28))


def examine(person: Person, *words: str | Path, text: str = "") -> Told:
    done = person.run("doctor", *words, "-o", "json", text=text)
    assert done.out, done.err
    document = json.loads(done.out)
    failed = [check for check in document["checks"] if check["state"] == "failed"]
    assert document["isWell"] is (done.code == 0) is (not failed)
    assert all(check["advice"] for check in failed), failed
    states: dict[str, str] = {}
    order = ["ok", "skipped", "warning", "failed"]
    for check in document["checks"]:
        before = states.get(check["hop"], "ok")
        states[check["hop"]] = max(before, check["state"], key=order.index)
    return Told(
        code=done.code,
        failed_hop=document["failedHop"],
        failures=[check["text"] for check in failed],
        advice="\n".join(check["advice"] for check in failed),
        states=states,
    )


def assert_nothing_left(site: Site) -> None:
    projects = site.call("GET", "/apis/project.openshift.io/v1/projects")["items"]
    names = [item["metadata"]["name"] for item in projects]
    streams = site.call("GET", "/apis/image.openshift.io/v1/imagestreams")["items"]
    bindings = site.call("GET", f"{RBAC}/rolebindings")["items"]
    robots = site.call("GET", "/api/v1/serviceaccounts")["items"]
    names += [item["metadata"]["name"] for item in (*streams, *bindings, *robots)]
    assert [] == [name for name in names if name.startswith("doctor-")]


def test_all_is_well_as_a_login_as_a_user_and_as_the_administrator(
    site: Site, mary: Person, person: NewPerson
) -> None:
    own = mary.ok("doctor", "--registry", site.host)
    bob = examine(
        person("bob"), "--registry", site.host, "--master", site.master_host, "--user", "bob",
        "--password-stdin", "--certificate-authority", site.ca, text=PASSWORD,
    )  # fmt: skip
    administrator = examine(
        mary, "--admin", "--root", site.root, "--registry", site.host, "--project", "openshift"
    )

    for hop in ("push", "pull", "delete", "api", "cleanup", "tls", "challenge", "token"):
        assert f"✓ {hop}" in own.out
        assert ("ok", "ok") == (bob.states[hop], administrator.states[hop])
    assert "ok" == administrator.states["storage"]
    assert_nothing_left(site)
    tokens = site.call("GET", "/apis/oauth.openshift.io/v1/oauthaccesstokens")["items"]
    assert not [item for item in tokens if item["userName"] == "bob"]


def test_without_a_login_the_way_is_gone_as_far_as_it_leads(site: Site, person: NewPerson) -> None:
    told = examine(
        person("nobody"), "--registry", site.host, "--master", site.master_host,
        "--certificate-authority", site.ca,
    )  # fmt: skip
    assert (0, "skipped", "ok") == (told.code, told.states["login"], told.states["challenge"])


def test_a_name_that_does_not_resolve_is_named(mary: Person) -> None:
    told = examine(mary, "--name", "nowhere.invalid")
    assert (1, "name") == (told.code, told.failed_hop)
    assert "nowhere.invalid has no address" in told.failures[0]


def test_a_wrong_port_is_named(site: Site, mary: Person) -> None:
    told = examine(mary, "--registry", f"127.0.0.1:{free_port()}")
    assert (1, "connection") == (told.code, told.failed_hop)
    assert "Connection refused" in told.failures[0]
    assert "systemctl status atomic-registry" in told.advice


def test_a_service_of_another_kind_at_the_port_is_named(site: Site, mary: Person) -> None:
    told = examine(mary, "--registry", site.host, "--master", site.host)
    assert "tls" == told.failed_hop
    assert "speaks no TLS" in told.failures[0]


def test_an_authority_that_nobody_knows_is_named(
    site: Site, mary: Person, pair: Pair, tmp_path: Path
) -> None:
    other = ensure_signer(tmp_path, clock=SystemClock()).certificate
    told = examine(mary, "--registry", site.host, "--certificate-authority", other)
    assert "tls" == told.failed_hop
    assert "nobody trusted here vouches" in told.failures[0]
    assert "--certificate-authority" in told.advice


def test_an_expired_certificate_is_named_with_its_day(
    site: Site, mary: Person, tmp_path: Path
) -> None:
    signer = ensure_signer(tmp_path, clock=FormerClock())
    old = ensure_server_certificate(
        tmp_path, ["127.0.0.1"], signer, clock=FormerClock(), name="old", days=90
    )
    with running_nginx(tmp_path / "nginx", site_url(site), old.certificate, old.key) as front:
        told = examine(
            mary, "--registry", front, "--certificate-authority", signer.certificate,
            "--master", site.master_host,
        )  # fmt: skip
    assert "tls" == told.failed_hop
    assert "its certificate ended on " in told.failures[0]
    assert "renew-server-cert" in told.advice


def test_a_certificate_for_another_name_is_named(site: Site, mary: Person, tmp_path: Path) -> None:
    pair = issue_pair(site, tmp_path / "pair", SystemClock(), "registry.example.com")
    with running_nginx(tmp_path / "nginx", site_url(site), pair.certificate, pair.key) as front:
        told = examine(mary, "--registry", front)
    assert "tls" == told.failed_hop
    assert "is for registry.example.com, not for 127.0.0.1" in told.failures[0]


def test_a_proxy_that_forwards_everything_is_well(
    site: Site, mary: Person, pair: Pair, tmp_path: Path
) -> None:
    more = (FORWARDS, "client_max_body_size 0;", "proxy_request_buffering off;")
    with running_nginx(
        tmp_path / "nginx", site_url(site), pair.certificate, pair.key, *more
    ) as front:
        told = examine(mary, "--registry", front, "--large")
    assert (0, []) == (told.code, told.failures)


def test_the_body_limit_of_a_proxy_is_named(
    site: Site, mary: Person, pair: Pair, tmp_path: Path
) -> None:
    more = (FORWARDS, "client_max_body_size 1m;")
    with running_nginx(
        tmp_path / "nginx", site_url(site), pair.certificate, pair.key, *more
    ) as front:
        told = examine(mary, "--registry", front)
    assert (1, "proxy") == (told.code, told.failed_hop)
    assert "a layer of 1.5 MiB is not taken: nginx" in told.failures[0]
    assert "413" in told.failures[0]
    assert "client_max_body_size" in told.advice
    assert_nothing_left(site)


def test_a_limit_that_only_large_layers_meet_is_found_by_large(
    site: Site, mary: Person, pair: Pair, tmp_path: Path
) -> None:
    more = (FORWARDS, "client_max_body_size 8m;")
    with running_nginx(
        tmp_path / "nginx", site_url(site), pair.certificate, pair.key, *more
    ) as front:
        small = examine(mary, "--registry", front)
        large = examine(mary, "--registry", front, "--large")
    assert ("", "proxy") == (small.failed_hop, large.failed_hop)
    assert "a layer of 64.0 MiB is not taken" in large.failures[0]


def test_a_proxy_that_does_not_say_how_clients_came_is_named(
    site: Site, mary: Person, pair: Pair, tmp_path: Path
) -> None:
    more = ("proxy_set_header Host $http_host;", "client_max_body_size 0;")
    with running_nginx(
        tmp_path / "nginx", site_url(site), pair.certificate, pair.key, *more
    ) as front:
        told = examine(mary, "--registry", front)
    assert "proxy" == told.failed_hop
    assert (
        f"clients come by https and are sent to http://{front}/openshift/token" in told.failures[0]
    )
    assert "X-Forwarded-Proto" in told.advice and "http.trusted_proxies" in told.advice


def test_a_realm_at_a_host_that_clients_cannot_reach_is_named(
    site: Site, mary: Person, pair: Pair, tmp_path: Path
) -> None:
    more = ("proxy_set_header Host inner.invalid;", "proxy_set_header X-Forwarded-Proto $scheme;")
    with running_nginx(
        tmp_path / "nginx", site_url(site), pair.certificate, pair.key, *more
    ) as front:
        told = examine(mary, "--registry", front)
    assert "proxy" == told.failed_hop
    assert "https://inner.invalid/openshift/token" in told.failures[0]
    assert "inner.invalid has no address" in told.failures[0]


def test_a_proxy_that_cuts_answers_off_is_named(
    site: Site, mary: Person, pair: Pair, tmp_path: Path
) -> None:
    more = (FORWARDS, "client_max_body_size 0;", "proxy_request_buffering off;")
    with running_nginx(
        tmp_path / "nginx", site_url(site), pair.certificate, pair.key, *more, user="nobody nogroup"
    ) as front:
        told = examine(mary, "--registry", front, "--large")
    assert (1, "pull") == (told.code, told.failed_hop)
    assert "the answer ended after" in told.failures[0]
    assert_nothing_left(site)


def test_a_proxy_without_its_registry_is_named(
    site: Site, mary: Person, pair: Pair, tmp_path: Path
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with running_nginx(tmp_path / "nginx", nowhere, pair.certificate, pair.key, FORWARDS) as front:
        told = examine(mary, "--registry", front)
    assert "proxy" == told.failed_hop
    assert "answers 502" in told.failures[0] and "nginx" in told.failures[0]


def test_a_master_that_is_down_keeps_nobody_from_pushing(site: Site, mary: Person) -> None:
    mary.ok("new-project", "steady")
    told = examine(
        mary, "--registry", site.host, "--master", f"127.0.0.1:{free_port()}",
        "--project", "steady",
    )  # fmt: skip
    assert (1, "connection") == (told.code, told.failed_hop)
    assert "systemctl status atomic-registry-master" in told.advice
    assert ("ok", "ok", "ok", "skipped") == tuple(
        told.states[hop] for hop in ("push", "pull", "delete", "api")
    )


def test_who_may_not_push_is_told_how_to_get_the_right(
    site: Site, mary: Person, person: NewPerson
) -> None:
    mary.ok("new-project", "closed")
    bob = person("bob")
    bob.log_in("bob")
    told = examine(bob, "--registry", site.host, "--project", "closed")
    assert (1, "push") == (told.code, told.failed_hop)
    assert "add-role-to-user registry-editor" in told.advice


def test_a_wrong_login_is_named(site: Site, mary: Person) -> None:
    config = mary.home / ".kube" / "config"
    token = mary.ok("whoami", "-t").out.strip()
    config.write_text(config.read_text().replace(token, "sha256~of-no-use-at-all"))
    told = examine(mary, "--registry", site.host, "--project", "steady")
    assert "token" == told.failed_hop
    assert "401" in told.failures[0]


def site_url(site: Site) -> str:
    return f"http://{site.host}"
