"""Every row against policies that grant one thing each: nothing is served that was not asked."""

from pathlib import Path

import pytest

from atomic_registry.faces.registry import routes
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Verb
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName
from tests.faces.conftest import make_client

_VALUES = {
    "{repository}": "demo/app",
    "{reference}": "v1",
    "{digest}": str(Digest.of(b"")),
    "{upload}": "0" * 32,
}
ROWS = [(method, path, access) for method, path, access, _ in routes.ROWS]


class OnlyPolicy:
    """Grants one verb, or none, and remembers what was asked."""

    is_open = False

    def __init__(self, granted: Verb | None) -> None:
        self.granted = granted
        self.asked: list[tuple[Verb, str | None]] = []

    def allowed(self, actor: Actor, verb: Verb, repository: RepositoryName | None) -> bool:
        self.asked.append((verb, None if repository is None else str(repository)))
        return verb == self.granted


def concrete(path: str) -> str:
    for name, value in _VALUES.items():
        path = path.replace(name, value)
    return path


@pytest.mark.parametrize("granted", [None, *Verb])
@pytest.mark.parametrize(("method", "path", "access"), ROWS)
async def test_a_row_is_served_only_to_those_who_hold_its_verb(
    tmp_path: Path, method: str, path: str, access: routes.Access, granted: Verb | None
) -> None:
    policy = OnlyPolicy(granted)
    client = await make_client(tmp_path, policy)

    response = await client.call(method, concrete(path))

    is_served = access.verb is None or access.verb == granted
    assert is_served == (response.status != 403)
    if access.verb is not None:
        repository = "demo/app" if "{repository}" in path else None
        assert (access.verb, repository) == policy.asked[0]
    await client.worker.close()


def test_only_the_probes_and_the_version_are_for_anybody() -> None:
    anybody = {path for _, path, access in ROWS if access.verb is None}

    assert {"/v2/", "/healthz", "/readyz"} == anybody
