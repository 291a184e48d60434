"""What only the registry's machine knows: certificates, storage, providers, the last backup."""

import os
import platform
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from atomic_registry import __version__
from atomic_registry.cli.certificates import facts_of_file
from atomic_registry.cli.documents import Document
from atomic_registry.cli.here import Here, can_read
from atomic_registry.system.backup.record import read_record

_TOTALS_SECONDS = 2


def certificates(here: Here, now: datetime) -> list[Document]:
    """Return the facts of each certificate that can be read."""
    found: list[Document] = []
    for service, path in _certificate_files(here):
        if not can_read(path):
            continue
        try:
            facts = facts_of_file(path)
        except ValueError as error:
            found.append({"service": service, "file": str(path), "fault": str(error), "days": -1})
            continue
        is_own = "-signer@" in facts.issuer
        found.append(
            {
                "service": service,
                "file": str(path),
                "fault": "",
                "subject": facts.subject,
                "names": list(facts.names),
                "expires": facts.ends.isoformat(),
                "days": facts.days_left(now),
                "renewal": _renewal(here, service, is_own=is_own),
            }
        )
    return found


def storage(here: Here) -> Document:
    """Return what is used and what is free; counts are missing where they cannot be read."""
    directory = here.settings.storage_directory
    found: Document = {"directory": str(directory), "fault": ""}
    try:
        space = os.statvfs(directory)
        found["freeBytes"] = space.f_bavail * space.f_frsize
        found["totalBytes"] = space.f_blocks * space.f_frsize
        found["freeInodes"] = space.f_favail
    except OSError as error:
        found["fault"] = f"{directory}: {error.strerror}"
    # They bring the database's libraries, which no other part needs.
    from atomic_registry.app import database_url  # noqa: PLC0415
    from atomic_registry.errors import MetadataFailed  # noqa: PLC0415
    from atomic_registry.store.metadata.totals import read_totals  # noqa: PLC0415

    try:
        totals = read_totals(database_url(here.settings), seconds=_TOTALS_SECONDS)
        found |= {_camel(key): value for key, value in asdict(totals).items()}
    except MetadataFailed as error:
        found["fault"] = str(error)
    return found


def versions() -> Document:
    """Return those of the package and of what it stands on."""
    from atomic_registry.store.metadata.sqlite_connection import driver  # noqa: PLC0415

    return {
        "package": __version__,
        "python": platform.python_version(),
        "sqlite": driver.sqlite_version,
    }


def providers(here: Here) -> list[Document]:
    """Return the identity providers of the master's file, none where it cannot be read."""
    from atomic_registry.config.environment import process_environment  # noqa: PLC0415
    from atomic_registry.config.load import ConfigInvalid  # noqa: PLC0415
    from atomic_registry.config.master_config import load_master_config  # noqa: PLC0415

    path = here.settings.master_config_file
    if not can_read(path):
        return []
    try:
        config = load_master_config(path, process_environment())
    except (ConfigInvalid, OSError):
        # What is wrong with it the master's own log tells.
        return []
    return [
        {"name": it.name, "kind": type(it.provider).__name__}
        for it in config.oauth_config.identity_providers
    ]


def last_backup(here: Here) -> Document | None:
    """Return when and where the last backup was made; None if never."""
    root = here.settings.root
    if not os.access(root, os.X_OK):
        return {"time": "", "place": "", "isWhole": False, "fault": f"{root} cannot be read"}
    found = read_record(root)
    if found is None:
        return None
    return {
        "time": found.taken_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "place": found.place,
        "isWhole": not found.missing,
        "fault": "",
    }


def _certificate_files(here: Here) -> Iterator[tuple[str, Path]]:
    directory = here.settings.master_directory
    yield "authority", here.authority
    yield "master", directory / "master.server.crt"
    if here.is_installed:
        yield "registry", directory.parent / "registry" / "registry.crt"
        yield "console", directory.parent / "console" / "console.crt"
    elif here.settings.http.tls.certificate is not None:
        yield "registry", here.settings.http.tls.certificate


def _renewal(here: Here, service: str, *, is_own: bool) -> str:
    if service == "authority":
        return (
            "renewed for the same key by the services where they may, else by: "
            "atomic-registry install; hand the new one to clients before the old one ends"
        )
    if not is_own:
        return (
            "issued by another authority: get a new one there, the services take it by themselves"
        )
    if here.is_installed:
        return "atomic-registry ca renew-server-cert, or atomic-registry install again"
    return "renewed by the services in the last third of its life"


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)
