"""The administrator's kubeconfig: made once, anew with its certificate, and for nobody else."""

import base64
import stat
from pathlib import Path

import yaml

from atomic_registry.app.admin_kubeconfig import ensure_kubeconfig
from atomic_registry.system.ca import Pair

SERVER = "https://registry.example.com:8443"


def ensure(root: Path, certificate: str = "one") -> Path:
    pair = Pair(certificate=root / "admin.crt", key=root / "admin.key")
    for path, text in (
        (pair.certificate, certificate),
        (pair.key, "key"),
        (root / "ca.crt", "ca"),
    ):
        path.write_text(text)
    return ensure_kubeconfig(root, "system:admin", SERVER, root / "ca.crt", pair)


def test_the_file_holds_all_that_is_needed_elsewhere(tmp_path: Path) -> None:
    path = ensure(tmp_path)

    document = yaml.safe_load(path.read_text())
    context = document["contexts"][0]
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert "default/registry-example-com:8443/system:admin" == context["name"]
    assert context["name"] == document["current-context"]
    assert {
        "server": SERVER,
        "certificate-authority-data": base64.b64encode(b"ca").decode(),
    } == document["clusters"][0]["cluster"]
    assert {
        "client-certificate-data": base64.b64encode(b"one").decode(),
        "client-key-data": base64.b64encode(b"key").decode(),
    } == document["users"][0]["user"]


def test_what_an_administrator_changed_stays_until_the_certificate_is_renewed(
    tmp_path: Path,
) -> None:
    path = ensure(tmp_path)
    path.write_text(path.read_text() + "# mine\n")

    assert "# mine" in ensure(tmp_path).read_text()
    renewed = ensure(tmp_path, "two").read_text()
    assert base64.b64encode(b"two").decode() in renewed
    assert "# mine" not in renewed
