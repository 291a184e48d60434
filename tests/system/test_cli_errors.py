"""What the command line says when something is wrong: what, where, and what to do next."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.access import Site, running_site
from tests.kit.slapd import write_chain
from tests.system.people import NewPerson, Person, person_maker


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as started:
        yield started


@pytest.fixture
def person(site: Site, tmp_path: Path) -> NewPerson:
    return person_maker(site, tmp_path)


def _refused(someone: Person, *words: str | Path) -> str:
    done = someone.run(*words)
    assert (1, "") == (done.code, done.out), done
    assert done.err.startswith("error: ") and "Traceback" not in done.err
    return done.err


COMMANDS = [
    ["whoami"],
    ["projects"],
    ["new-project", "more"],
    ["robots", "list", "-n", "demo"],
    ["policy", "add-role-to-user", "registry-viewer", "bob", "-n", "demo"],
    ["share", "demo", "shared"],
    ["can-i", "push", "demo/app"],
    ["who-can", "push", "demo/app"],
    ["tokens"],
    ["users", "list"],
    ["groups", "list"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_stopped_master_is_named_with_its_address(
    site: Site, person: NewPerson, words: list[str]
) -> None:
    mary = person("mary")
    mary.log_in("mary")
    config = mary.home / ".kube" / "config"
    config.write_text(config.read_text().replace(site.master_host, "127.0.0.1:1"))

    said = _refused(mary, *words)

    assert "https://127.0.0.1:1 cannot be reached: Connection refused" in said
    assert "check the address, and that the master runs there" in said


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_another_authority_is_not_trusted_and_the_right_option_is_named(
    site: Site, person: NewPerson, tmp_path: Path, words: list[str]
) -> None:
    mary = person("mary")
    mary.log_in("mary")
    write_chain(tmp_path)
    config = mary.home / ".kube" / "config"
    config.write_text(config.read_text().replace(str(site.ca), str(tmp_path / "ca.crt")))

    said = _refused(mary, *words)

    assert f"the certificate of https://{site.master_host} is not trusted" in said
    assert "--certificate-authority FILE" in said


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_expired_login_says_how_to_log_in_again(
    site: Site, person: NewPerson, words: list[str]
) -> None:
    mary = person("mary")
    mary.log_in("mary")
    token = mary.run("whoami", "-t").out.strip()
    config = mary.home / ".kube" / "config"
    config.write_text(config.read_text().replace(token, "sha256~has-run-out"))

    said = _refused(mary, *words)

    assert f"atomic-registry login https://{site.master_host}" in said


@pytest.mark.parametrize(
    "words",
    [
        ["project", "gone"],
        ["delete-project", "gone", "--yes"],
        ["share", "gone", "shared"],
        ["robots", "create", "ci", "-n", "gone"],
        ["policy", "add-role-to-user", "registry-viewer", "bob", "-n", "gone"],
        ["who-can", "push", "gone/app"],
    ],
    ids=" ".join,
)
def test_a_project_that_is_not_there_is_named_with_where_to_look(
    person: NewPerson, words: list[str]
) -> None:
    mary = person("mary")
    mary.log_in("mary")

    said = _refused(mary, *words)

    assert "project gone" in said
    assert "atomic-registry projects" in said


@pytest.mark.parametrize("name", ["Bad_Name", "a/b", "a b", "..", "\x1b[31mred", "-x", "a" * 64])
def test_a_name_with_bad_characters_is_refused_with_the_good_ones(
    person: NewPerson, name: str
) -> None:
    mary = person("mary")
    mary.log_in("mary")
    for words in (
        ["new-project", "--", name],
        ["project", "--", name],
        ["share", "--", name, "shared"],
        ["robots", "list", f"--namespace={name}"],
    ):
        said = _refused(mary, *words)
        assert "lower-case letters, digits" in said
        assert "\x1b" not in said


def test_status_says_what_to_do_when_a_service_is_not_ready(site: Site, person: NewPerson) -> None:
    mary = person("mary")
    mary.log_in("mary")
    config = mary.home / ".kube" / "config"

    stopped = mary.run("status", "--registry", "127.0.0.1:1")
    config.write_text(config.read_text().replace(site.master_host, "127.0.0.1:1"))
    both = mary.run("status", "--registry", site.host)

    assert (1, 1) == (stopped.code, both.code)
    assert "registry  127.0.0.1:1  cannot be reached: Connection refused" in stopped.out
    assert "master    https://127.0.0.1:1  cannot be reached" in both.out
    for done in (stopped, both):
        assert 1 == done.out.count("  ready")
        assert "What to do next" in done.err and "atomic-registry serve" in done.err


def test_a_login_says_that_a_name_proves_little_here(person: NewPerson) -> None:
    assert "Anybody who reaches this registry can log in" in person("mary").log_in("mary").err
