"""`status` of running, failing and absent services: words, keys for programs and exit codes."""

import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from atomic_registry.clock import SystemClock
from atomic_registry.system.backup.record import RECORD, LastBackup, write_record
from atomic_registry.system.ca import ensure_server_certificate, ensure_signer
from tests.kit.access import Site, running_site
from tests.kit.registry import free_port
from tests.system.people import NewPerson, Person, person_maker


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as started:
        yield started


@pytest.fixture
def person(site: Site, tmp_path: Path) -> NewPerson:
    return person_maker(site, tmp_path)


def ask(site: Site, person: Person, *words: str) -> tuple[int, dict[str, object]]:
    places = ["--master", f"https://{site.master_host}", "--registry", site.host]
    done = person.run("status", "--root", site.root, *places, *words, "-o", "json")
    assert done.out, done.err
    return done.code, json.loads(done.out)


def test_a_machine_that_is_well_tells_everything_by_stable_keys(
    site: Site, person: NewPerson
) -> None:
    mary = person("mary")
    mary.log_in("mary")
    mary.run("new-project", "stat")
    mary.ok("doctor", "--registry", site.host)
    never = mary.run("status", "--root", site.root).out
    taken_at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    made = LastBackup(taken_at=taken_at, place="/backup", blobs=1, blob_bytes=2, missing=0)
    write_record(site.root, made)
    code, told = ask(site, mary)
    words = mary.ok(
        "status", "--root", site.root, "--master", f"https://{site.master_host}",
        "--registry", site.host,
    ).out  # fmt: skip
    (site.root / RECORD).unlink()

    assert (0, "healthy") == (code, told["condition"]), told
    assert list(told) == [
        "kind", "condition", "services", "versions", "certificates", "storage", "identity",
        "backup", "warnings",
    ]  # fmt: skip
    services, certificates = told["services"], told["certificates"]
    storage, identity = told["storage"], told["identity"]
    assert isinstance(services, list) and isinstance(certificates, list)
    assert isinstance(storage, dict) and isinstance(identity, dict)
    assert ["ready", "ready"] == [it["state"] for it in services]
    assert ["authority", "master"] == [it["service"] for it in certificates]
    assert all(it["days"] > 300 and it["expires"] and it["renewal"] for it in certificates)
    # Layers of the doctor wait for the collection.
    assert storage["projects"] >= 3 and storage["blobBytes"] > 1_500_000
    assert storage["freeBytes"] > 0 and storage["schemaVersion"] > 0
    assert [{"name": "anypassword", "kind": "AllowAll"}] == identity["providers"]
    assert "Anybody who reaches this registry" in identity["notice"]
    backup = {"time": "2026-01-02T03:04:05Z", "place": "/backup", "isWhole": True, "fault": ""}
    assert backup == told["backup"]
    assert "backup    never; make one: atomic-registry backup create" in never
    assert "backup    2026-01-02T03:04:05Z to /backup, whole" in words
    assert "certificate of master: until " in words


def test_whoever_has_no_files_sees_what_is_public(site: Site, person: NewPerson) -> None:
    mary = person("mary")
    mary.log_in("mary")
    done = mary.run("status", "--registry", site.host, "-o", "json")
    told = json.loads(done.out)
    assert (0, [], None) == (done.code, told["certificates"], told["storage"])
    assert told["versions"]["package"]


def test_one_service_down_is_degraded_and_both_are_down(site: Site, person: NewPerson) -> None:
    mary = person("mary")
    nowhere = f"127.0.0.1:{free_port()}"
    one, told = ask(site, mary, "--registry", nowhere)
    both, all_told = ask(site, mary, "--registry", nowhere, "--master", f"https://{nowhere}")
    assert (1, "degraded", 2, "down") == (one, told["condition"], both, all_told["condition"])


def test_a_service_that_takes_connections_and_says_nothing_hangs_nobody(
    site: Site, person: NewPerson
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        code, told = ask(site, person("mary"), "--registry", f"127.0.0.1:{silent.getsockname()[1]}")
        seconds = time.monotonic() - start
    assert (1, "degraded") == (code, told["condition"])
    assert "no answer in time" in json.dumps(told)
    # Two tries of two seconds, and the start of the program on a busy machine.
    assert seconds < 15


def test_a_certificate_that_ends_soon_is_told_with_how_it_is_renewed(
    site: Site, person: NewPerson, tmp_path: Path
) -> None:
    mary = person("mary")
    tree = tmp_path / "tree" / "master"
    tree.mkdir(parents=True)
    signer = ensure_signer(tree, clock=SystemClock())
    ensure_server_certificate(tree, ["localhost"], signer, clock=SystemClock(), days=7)
    done = mary.run(
        "status", "--root", tree.parent, "--master", f"https://{site.master_host}",
        "--registry", site.host,
    )  # fmt: skip
    assert 1 == done.code
    assert "certificate of master: until " in done.out
    assert "renewed by the services in the last third" in done.out
    assert "the certificate of master ends soon" in done.err
