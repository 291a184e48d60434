"""The protocol by which container clients get the login's token."""

import io
import json
import stat
from pathlib import Path

import click
import pytest
import yaml

from atomic_registry.cli.credential_helper import NOT_FOUND, serve
from atomic_registry.cli.credentials import registry_key, use_login
from atomic_registry.cli.docker_login import docker_config_path, enter_helper
from atomic_registry.cli.kubeconfig import Kubeconfig, put_login

REGISTRY = "127.0.0.1:5000"


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Kubeconfig:
    made = Kubeconfig((tmp_path / "config",))
    server = {"server": "https://127.0.0.1:8443"}
    made.change(
        lambda document: put_login(
            document, dict(server), {"token": "secret-of-mary"}, user_name="mary", namespace=""
        )
    )
    use_login(made, REGISTRY, "mary/127-0-0-1:8443")
    return made


def ask(kubeconfig: Kubeconfig, *arguments: str, text: str = "") -> tuple[int, str]:
    sink = io.StringIO()
    code = serve(kubeconfig, list(arguments), io.StringIO(text), sink)
    return code, sink.getvalue()


@pytest.mark.parametrize(
    "url", [REGISTRY, f"{REGISTRY}\n", f"http://{REGISTRY}", f"https://{REGISTRY}/v2/"]
)
def test_get_hands_out_the_token_of_the_login(kubeconfig: Kubeconfig, url: str) -> None:
    code, text = ask(kubeconfig, "get", text=url)

    expected = {"ServerURL": url.strip(), "Username": "mary", "Secret": "secret-of-mary"}
    assert (0, expected) == (code, json.loads(text))


@pytest.mark.parametrize(
    "url", ["evil.example:5000", "127.0.0.1:5001", "127.0.0.1", f"{REGISTRY}@evil.example"]
)
def test_another_registry_gets_nothing(kubeconfig: Kubeconfig, url: str) -> None:
    assert (1, f"{NOT_FOUND}\n") == ask(kubeconfig, "get", text=url)


def test_after_a_logout_there_is_nothing_to_hand_out(kubeconfig: Kubeconfig) -> None:
    def forget(document: dict[str, object]) -> None:
        document["users"] = [{"name": "mary/127-0-0-1:8443", "user": {}}]

    kubeconfig.change(forget)

    assert (1, f"{NOT_FOUND}\n") == ask(kubeconfig, "get", text=REGISTRY)
    assert (0, "{}\n") == ask(kubeconfig, "list")


def test_what_a_client_stores_it_gets_back_and_can_erase(kubeconfig: Kubeconfig) -> None:
    given = {"ServerURL": REGISTRY, "Username": "robot", "Secret": "of-a-robot"}
    assert (0, "") == ask(kubeconfig, "store", text=json.dumps(given))

    assert given == json.loads(ask(kubeconfig, "get", text=REGISTRY)[1])
    assert {REGISTRY: "robot"} == json.loads(ask(kubeconfig, "list")[1])
    assert 0o600 == stat.S_IMODE(kubeconfig.paths[0].stat().st_mode)

    assert (0, "") == ask(kubeconfig, "erase", text=REGISTRY)
    assert 1 == ask(kubeconfig, "get", text=REGISTRY)[0]
    assert "of-a-robot" not in kubeconfig.paths[0].read_text()


def test_a_robots_name_is_shortened_to_one_that_basic_credentials_can_carry(
    kubeconfig: Kubeconfig,
) -> None:
    server = {"server": "https://127.0.0.1:8443"}
    name = "system:serviceaccount:demo:ci"
    kubeconfig.change(
        lambda document: put_login(
            document, dict(server), {"token": "of-ci"}, user_name=name, namespace=""
        )
    )
    use_login(kubeconfig, REGISTRY, f"{name}/127-0-0-1:8443")

    found = json.loads(ask(kubeconfig, "get", text=REGISTRY)[1])

    assert ("robot", "of-ci") == (found["Username"], found["Secret"])


def test_erasing_leaves_the_login_itself(kubeconfig: Kubeconfig) -> None:
    ask(kubeconfig, "erase", text=REGISTRY)

    document = yaml.safe_load(kubeconfig.paths[0].read_text())
    assert [{"token": "secret-of-mary"}] == [it["user"] for it in document["users"]]
    assert [] == document["extensions"]


@pytest.mark.parametrize("text", ["", "{", '{"ServerURL":1}', '{"Secret":"geheim"}', "[" * 5000])
def test_a_store_request_of_another_form_is_refused_without_an_echo(
    kubeconfig: Kubeconfig, text: str
) -> None:
    code, answer = ask(kubeconfig, "store", text=text)

    assert 1 == code
    assert "geheim" not in answer


@pytest.mark.parametrize("arguments", [[], ["steal"], ["get", "more"]])
def test_other_words_are_answered_with_the_usage(
    kubeconfig: Kubeconfig, arguments: list[str]
) -> None:
    code, text = ask(kubeconfig, *arguments)

    assert (1, "usage:") == (code, text[:6])


def test_the_version_needs_no_login(tmp_path: Path) -> None:
    code, text = ask(Kubeconfig((tmp_path / "none",)), "version")

    assert (0, "docker-credential-atomic-registry") == (code, text.split()[0])


def test_a_registry_is_its_host_and_port() -> None:
    assert "a.example:5000" == registry_key("https://user@A.example:5000/v1/")


def test_the_helper_is_named_beside_what_docker_has_configured(tmp_path: Path) -> None:
    path = docker_config_path({"HOME": str(tmp_path)})
    path.parent.mkdir()
    before = {"auths": {"quay.io": {"auth": "eDp5"}}, "credHelpers": {"gcr.io": "gcloud"}}
    path.write_text(json.dumps(before))

    enter_helper(path, REGISTRY)

    after = json.loads(path.read_text())
    assert before["auths"] == after["auths"]
    assert {"gcr.io": "gcloud", REGISTRY: "atomic-registry"} == after["credHelpers"]
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_a_damaged_configuration_of_docker_is_left_alone(tmp_path: Path) -> None:
    path = docker_config_path({"DOCKER_CONFIG": str(tmp_path)})
    path.write_text("{")

    with pytest.raises(click.ClickException, match="is not JSON"):
        enter_helper(path, REGISTRY)

    assert "{" == path.read_text()
