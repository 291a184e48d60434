"""What the documents show has to work."""

import re
from pathlib import Path

import pytest

from atomic_registry.config.documents import read_document
from atomic_registry.config.identity_providers import Provider
from atomic_registry.config.master_config import load_master_config
from atomic_registry.identity.group_sync_config import KIND, LdapSyncConfig, schema_of
from atomic_registry.identity.roles import RULES

ROOT = Path(__file__).resolve().parents[2]
AUTH = (ROOT / "docs" / "auth.md").read_text()
SAMPLES = re.findall(r"^```yaml\n(.*?)^```$", AUTH, re.MULTILINE | re.DOTALL)
SECRETS = dict.fromkeys(re.findall(r"env: (\w+)", AUTH), "secret")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GENERATED = {"cli.md", "configuration.md", "kube-api.md", "registry-api.md"}


def _provider(sample: str, directory: Path) -> object:
    (directory / "sso-secret").write_text("secret")
    path = directory / "master-config.yaml"
    indented = "".join(f"  {line}" for line in sample.splitlines(keepends=True))
    path.write_text(
        f"apiVersion: v1\nkind: MasterConfig\noauthConfig:\n  identityProviders:\n{indented}"
    )
    config = load_master_config(path, SECRETS)
    assert config.ignored == ()
    (found,) = config.oauth_config.identity_providers
    return found.provider


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_of_an_identity_provider_loads_as_it_stands(sample: str, tmp_path: Path) -> None:
    assert type(_provider(sample, tmp_path)) in Provider.__args__


def test_every_identity_provider_has_a_sample(tmp_path: Path) -> None:
    shown = {type(_provider(sample, tmp_path)) for sample in SAMPLES}
    assert shown == set(Provider.__args__)


def test_the_sample_of_a_group_synchronisation_loads(tmp_path: Path) -> None:
    (sample,) = re.findall(r"^```text\n(# ldap\.yaml\n.*?)^```$", AUTH, re.MULTILINE | re.DOTALL)
    (tmp_path / "ldap-password").write_text("secret")
    path = tmp_path / "ldap.yaml"
    path.write_text(sample)
    config, ignored = read_document(path, LdapSyncConfig, {}, name=KIND)
    assert ("secret", ()) == (config.bind_password, ignored)
    schema_of(config)


def test_every_role_is_explained() -> None:
    missing = [name for name in RULES if f"`{name}`" not in AUTH]
    # What it gives is the list of paths that every client reads.
    assert missing == ["system:discovery"]


def test_documents_name_files_that_exist() -> None:
    missing = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert missing == []


def test_a_line_of_prose_holds_one_sentence() -> None:
    crowded = [
        f"{document.relative_to(ROOT)}: {line}"
        for document in DOCUMENTS
        if document.name not in GENERATED
        for line in _prose(document)
        if re.search(r"[a-z`)][.!?] [A-Z]", line)
    ]
    assert crowded == []


def _prose(document: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    return [line for line in text.splitlines() if not line.startswith(("|", "#"))]
