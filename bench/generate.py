"""Fills a data directory with many projects, image streams and role bindings, within minutes.

    python -m bench.generate --root DIR [--streams 100000] [--projects 1000] ...

Rows go into the tables by themselves, since pushes over HTTP would take hours. The first project
has many streams; a stream of the second one has many tags. `atomic-registry serve --root DIR` serves
the result.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

from atomic_registry.app import database_url
from atomic_registry.clock import SystemClock
from atomic_registry.config.settings import Settings
from atomic_registry.content.ports import StoredBlob
from atomic_registry.identity.actors import Actor, service_account_name
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.records import (
    Project,
    RoleBinding,
    RoleReference,
    Subject,
    User,
)
from atomic_registry.kube.objects import KubeObject, ObjectMeta
from atomic_registry.oci.digest import PlainHasher
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.blobs.filesystem import FilesystemBlobStore
from atomic_registry.store.metadata import open_metadata, prepare_metadata
from atomic_registry.store.metadata.sqlite_connection import Session
from bench.generated_images import WIDEST, ImagePool
from bench.generated_rows import PushedRows

_CLOCK = SystemClock()
_MAKER = Actor(name="system:master")
_OBJECTS_AT_ONCE = 1000
_STREAMS_AT_ONCE = 5000
_ROLES = ("registry-viewer", "registry-editor", "view", "edit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much is made. `large` are the streams of the first project, the rest is spread."""

    streams: int = 100_000
    projects: int = 1000
    large: int = 2000
    tags: int = 10_000
    bindings: int = 10_000
    users: int = 1000


def project_name(number: int) -> str:
    """Return the name of a generated project."""
    return f"project-{number:04d}"


def user_name(number: int) -> str:
    """Return the name of a generated user; those with a low number administer a project."""
    return f"user-{number:04d}"


def repositories(amounts: Amounts) -> Iterator[RepositoryName]:
    """Yield the names of the streams' repositories, all but `widest`."""
    for number in range(amounts.streams - 1):
        if number < amounts.large or amounts.projects == 1:
            project = 0
        else:
            project = 1 + (number - amounts.large) % (amounts.projects - 1)
        yield RepositoryName(f"{project_name(project)}/app-{number:06d}")


def access_objects(amounts: Amounts) -> Iterator[KubeObject]:
    """Yield users and projects, and bindings: two that each project has, and more for users."""
    for number in range(amounts.users):
        yield User(metadata=ObjectMeta(name=user_name(number)))
    for number in range(amounts.projects):
        name = project_name(number)
        owner = Subject(kind="User", name=user_name(number % amounts.users))
        pullers = Subject(kind="Group", name=f"system:serviceaccounts:{name}")
        yield Project(metadata=ObjectMeta(name=name))
        yield _binding(name, "admin", "admin", owner)
        yield _binding(name, "system:image-pullers", "system:image-puller", pullers)
    for number in range(amounts.bindings - 2 * amounts.projects):
        project = project_name(number % amounts.projects)
        user = Subject(kind="User", name=user_name(number * 7 % amounts.users))
        robot = service_account_name(project, "builder")
        subjects = [user, Subject(kind="User", name=robot)]
        yield _binding(project, f"member-{number:06d}", _ROLES[number % len(_ROLES)], *subjects)


def _binding(project: str, name: str, role: str, *subjects: Subject) -> RoleBinding:
    return RoleBinding(
        metadata=ObjectMeta(name=name, namespace=project),
        role_ref=RoleReference(kind="ClusterRole", name=role),
        subjects=list(subjects),
    )


def fill(root: Path, amounts: Amounts) -> None:
    """Make everything below a root that nothing was generated in before."""
    settings = Settings(root=root)
    for directory in (settings.datastore_directory, settings.storage_directory):
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    pool = ImagePool()
    url = database_url(settings)
    prepare_metadata(url)
    asyncio.run(_fill_objects(url, settings.storage_directory, pool, amounts))
    session = Session.open(url.removeprefix("sqlite:///"))
    try:
        _fill_streams(session, pool, amounts)
    finally:
        session.close()


async def _fill_objects(url: str, storage: Path, pool: ImagePool, amounts: Amounts) -> None:
    metadata = open_metadata(url, _CLOCK)
    blobs = FilesystemBlobStore(storage)
    made = list(access_objects(amounts))
    try:
        for start in range(0, len(made), _OBJECTS_AT_ONCE):
            await metadata.write(partial(_add_all, made[start : start + _OBJECTS_AT_ONCE]))
        stored = []
        for blob in (*pool.configs, *pool.layers):
            key_id = _CLOCK.new_id()
            key = f"blobs/{key_id[:2]}/{key_id}"
            writer = await blobs.create(key, PlainHasher("sha256"))
            await writer.write(blob.data)
            await writer.finish()
            stored.append(StoredBlob(digest=blob.digest, size=len(blob.data), key=key))
        now = _CLOCK.now()
        await metadata.write(lambda tx: [tx.blobs.add(blob, now) for blob in stored])
    finally:
        blobs.close()
        await metadata.close()


def _add_all(items: Sequence[KubeObject], tx: Transaction) -> None:
    now = _CLOCK.now()
    for item in items:
        tx.objects.add(item, actor=_MAKER.name, now=now)


def _fill_streams(session: Session, pool: ImagePool, amounts: Amounts) -> None:
    rows = PushedRows(session.sql)
    now = _CLOCK.now()
    widest = RepositoryName(f"{project_name(1 % amounts.projects)}/{WIDEST}")
    images = pool.images_of_widest(widest.value, amounts.tags)
    rows.push(widest, images, actor=_MAKER, now=now)
    for number, name in enumerate(repositories(amounts)):
        rows.push(name, pool.images_of(name.value, number), actor=_MAKER, now=now)
        if not number % _STREAMS_AT_ONCE:
            _commit(session, rows)
    _commit(session, rows)


def _commit(session: Session, rows: PushedRows) -> None:
    session.raw.execute("BEGIN IMMEDIATE")
    rows.write()
    session.raw.execute("COMMIT")


def main() -> None:
    """Fill the root that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench.generate", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="a data directory")
    for field in fields(Amounts):
        parser.add_argument(f"--{field.name}", type=int, default=field.default)
    arguments = vars(parser.parse_args())
    root = arguments.pop("root")
    start = time.monotonic()
    fill(root, Amounts(**arguments))
    print(f"filled {root} in {time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    main()
