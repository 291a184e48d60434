"""The file of logins: what is entered, what stays, and who may read it."""

import stat
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from atomic_registry.cli.kubeconfig import (
    Kubeconfig,
    cluster_nickname,
    put_context,
    put_login,
)

OTHERS = """
apiVersion: v1
kind: Config
preferences: {colors: true}
current-context: other
clusters:
- name: other
  cluster: {server: "https://k8s.example:6443", extensions: [{name: e, extension: {at: 2026-01-02T03:04:05Z}}]}
users:
- name: other
  user: {exec: {command: login, args: ["12:30", "0123"]}}
contexts:
- name: other
  context: {cluster: other, user: other, namespace: x}
"""


def log_in(kubeconfig: Kubeconfig, *, token: str = "t1", namespace: str = "demo") -> None:
    cluster = {"server": "https://registry.example.com:8443", "certificate-authority": "/ca.crt"}
    kubeconfig.change(
        lambda document: put_login(
            document, dict(cluster), {"token": token}, user_name="mary", namespace=namespace
        )
    )


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def test_a_login_is_entered_under_the_nicknames_of_the_original(tmp_path: Path) -> None:
    path = tmp_path / ".kube" / "config"
    log_in(Kubeconfig((path,)))

    found = load(path)

    assert "registry-example-com:8443" == cluster_nickname("https://registry.example.com:8443")
    assert ["registry-example-com:8443"] == [it["name"] for it in found["clusters"]]
    assert ["mary/registry-example-com:8443"] == [it["name"] for it in found["users"]]
    assert "demo/registry-example-com:8443/mary" == found["current-context"]
    assert found["contexts"][0]["context"] == {
        "cluster": "registry-example-com:8443",
        "user": "mary/registry-example-com:8443",
        "namespace": "demo",
    }


def test_entries_of_others_stay_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(OTHERS)
    before = load(path)

    log_in(Kubeconfig((path,)))

    after = load(path)
    assert before["preferences"] == after["preferences"]
    for section in ("users", "contexts"):
        assert before[section][0] == after[section][0]
    # A time stays the text that it was.
    kept = after["clusters"][0]["cluster"]["extensions"][0]["extension"]["at"]
    assert "2026-01-02T03:04:05Z" == kept


def test_only_the_owner_may_read_it_even_if_others_could_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config"
    old = tmp_path / "config"
    old.write_text("{}")
    old.chmod(0o644)
    for it in (path, old):
        log_in(Kubeconfig((it,)))
        assert 0o600 == stat.S_IMODE(it.stat().st_mode)
    assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)
    assert ["config"] == [it.name for it in path.parent.iterdir()]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "config"
    real.write_text(OTHERS)
    link.symlink_to(real)

    log_in(Kubeconfig((link,)))

    assert link.is_symlink()
    assert 2 == len(load(real)["users"])


def test_logging_in_again_replaces_the_token_and_nothing_else(tmp_path: Path) -> None:
    kubeconfig = Kubeconfig((tmp_path / "config",))
    log_in(kubeconfig)
    log_in(kubeconfig, token="t2")

    found = load(tmp_path / "config")

    assert [{"token": "t2"}] == [it["user"] for it in found["users"]]
    assert 1 == len(found["contexts"])


def test_switching_the_project_keeps_the_user(tmp_path: Path) -> None:
    kubeconfig = Kubeconfig((tmp_path / "config",))
    log_in(kubeconfig)
    context = kubeconfig.find_context()
    assert context is not None

    kubeconfig.change(
        lambda document: put_context(
            document, cluster=context.cluster_name, user=context.user_name, namespace="two"
        )
    )

    switched = kubeconfig.find_context()
    assert switched is not None
    assert ("two", {"token": "t1"}) == (switched.namespace, switched.user)
    assert "two/registry-example-com:8443/mary" == switched.name


def test_several_files_are_read_as_one_and_the_first_is_written(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    second.write_text(OTHERS)
    kubeconfig = Kubeconfig.of({"KUBECONFIG": f"{first}:{second}:"})
    other = kubeconfig.find_context()
    assert other is not None
    assert "https://k8s.example:6443" == other.server

    log_in(kubeconfig)

    assert OTHERS == second.read_text()
    current = kubeconfig.find_context()
    assert current is not None
    assert "https://registry.example.com:8443" == current.server


def test_the_home_directory_is_the_default(tmp_path: Path) -> None:
    kubeconfig = Kubeconfig.of({"HOME": str(tmp_path), "KUBECONFIG": ""})

    assert (tmp_path / ".kube" / "config",) == kubeconfig.paths
    assert kubeconfig.find_context() is None


@pytest.mark.parametrize("text", ["[1]", "a: [", "users: 7", "\x00"])
def test_what_is_no_kubeconfig_is_refused_and_stays(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(click.ClickException, match="config"):
        log_in(Kubeconfig((path,)))

    assert text == path.read_text()
    assert ["config"] == [it.name for it in tmp_path.iterdir()]


def test_the_lock_of_another_program_is_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atomic_registry.cli.kubeconfig._LOCK_PAUSE_SECONDS", 0)
    (tmp_path / "config.lock").touch()

    with pytest.raises(click.ClickException, match=r"config\.lock"):
        log_in(Kubeconfig((tmp_path / "config",)))
