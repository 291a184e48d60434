"""The rows that pushes leave, made many at a time: what the services do, without their questions.

`tests/unit/test_bench_data.py` compares them with the rows of real pushes.
"""

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection, Table, func, insert, select, update

from atomic_registry.content.ports import Change
from atomic_registry.content.tags import repository_change, to_store
from atomic_registry.identity.actors import Actor
from atomic_registry.oci.manifest import parse_manifest
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.metadata import tables
from atomic_registry.store.metadata.changes import Entry, entry_of
from atomic_registry.store.metadata.manifests import edge_rows, manifest_row
from bench.data import MANIFEST_TYPE
from bench.generated_images import TaggedImage

Row = dict[str, object]
_ENTRY = tuple(field.name for field in fields(Entry))


class PushedRows:
    """Collects the rows of repositories; `write` inserts them and begins again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        last = func.coalesce(func.max(tables.repositories.c.id), 0)
        self._repository: int = connection.execute(select(last)).scalar_one()
        self._revision: int = connection.execute(select(tables.revision.c.value)).scalar_one()
        self._rows: dict[Table, list[Row]] = {}

    def push(
        self, name: RepositoryName, images: Iterable[TaggedImage], *, actor: Actor, now: datetime
    ) -> None:
        """Add a new repository with images."""
        self._repository += 1
        self._append(repository_change("created", actor, name), now)
        links: set[str] = set()
        for image in images:
            links.update(map(str, image.blobs))
            self._push_image(name, image, actor, now)
        repository: Row = {"id": self._repository, "name": name.value, "created_at": now}
        repository |= {"pushed_at": now, "revision": self._revision}
        self._add(tables.repositories, repository)
        for digest in sorted(links):
            link: Row = {"repository_id": self._repository, "digest": digest, "created_at": now}
            self._add(tables.blob_links, link)

    def _push_image(
        self, name: RepositoryName, image: TaggedImage, actor: Actor, now: datetime
    ) -> None:
        parsed = parse_manifest(image.manifest, MANIFEST_TYPE)
        manifest = to_store(parsed)
        size = str(sum({item.digest: item.size for item in parsed.blobs}.values()))
        self._add(tables.manifests, dict(manifest_row(self._repository, manifest, now)))
        for edge in edge_rows(self._repository, manifest):
            self._add(tables.manifest_edges, dict(edge))
        digest = str(manifest.digest)
        for tag in image.tags:
            at: Row = {"repository_id": self._repository, "digest": digest}
            self._add(tables.tags, {**at, "name": tag, "moved_at": now})
            self._add(tables.tag_events, {**at, "tag": tag, "actor": actor.name, "at": now})
            facts = {"tag": tag, "digest": digest, "size": size}
            if tag == image.tags[0]:
                facts["new"] = "true"
            self._append(repository_change("tagged", actor, name, **facts), now)

    def _append(self, change: Change, now: datetime) -> None:
        self._revision += 1
        entry = entry_of(change)
        row: Row = {key: getattr(entry, key) for key in _ENTRY}
        self._add(tables.changes, {**row, "revision": self._revision, "at": now})

    def _add(self, table: Table, row: Row) -> None:
        self._rows.setdefault(table, []).append(row)

    def write(self) -> None:
        """Insert what was collected, in one transaction with the caller's."""
        for table, rows in self._rows.items():
            self._connection.execute(insert(table), rows)
        self._connection.execute(update(tables.revision).values(value=self._revision))
        self._rows.clear()
