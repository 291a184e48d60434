"""Every answer of the API is as its own description says, to whoever asks for whatever."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.access import Site, running_site
from tests.system.described_api import described, explore, seed

# Nobody in particular may see what there is; a few operations answer anybody.
LEAST_REQUESTS = 150


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as started:
        seed(started)
        yield started


def assert_as_described(
    done: subprocess.CompletedProcess[str], site: Site, *, actor: str, statuses: set[int]
) -> None:
    assert 0 == done.returncode, done.stdout[-6000:] + done.stderr[-2000:]
    seen = [json.loads(line) for line in site.output().splitlines() if '"route":"/api' in line]
    own = [each["status"] for each in seen if each.get("actor") == actor]
    assert LEAST_REQUESTS < len(own)
    assert statuses <= set(own)


@pytest.mark.timeout(300)
def test_answers_to_the_administrator_are_as_described(site: Site, tmp_path: Path) -> None:
    master = site.root / "master"
    certificate = (
        "--request-cert", str(master / "admin.crt"), "--request-cert-key", str(master / "admin.key")
    )  # fmt: skip

    done = explore(site, tmp_path, *certificate, phases="coverage", mode="positive")

    statuses = {200, 201, 400, 404, 409, 422}
    assert_as_described(done, site, actor="system:admin", statuses=statuses)


@pytest.mark.timeout(300)
def test_answers_to_an_ordinary_user_are_as_described(site: Site, tmp_path: Path) -> None:
    token = f"Authorization: Bearer {site.log_in('mary')}"

    done = explore(site, tmp_path, "-H", token, phases="fuzzing", mode="all")

    assert_as_described(done, site, actor="mary", statuses={200, 403})


@pytest.mark.timeout(300)
def test_answers_to_nobody_in_particular_are_as_described(site: Site, tmp_path: Path) -> None:
    done = explore(site, tmp_path, phases="fuzzing", mode="positive")

    assert_as_described(done, site, actor="system:anonymous", statuses={401})


def test_no_status_is_left_undescribed(site: Site) -> None:
    for methods in described(site)["paths"].values():
        for operation in methods.values():
            statuses = set(operation["responses"])
            assert "default" not in statuses
            assert {"400", "401", "403", "404", "500", "503", "504"} <= statuses
