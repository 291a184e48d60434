"""Repositories as the API shows them: streams, tags with their history, and images."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)

from atomic_registry.content.streams import (
    HeldManifest,
    Lock,
    Stream,
    StreamRecord,
    TagEvent,
    TaggedDigest,
    stream_name_of,
)
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.metadata.objects import decoded
from atomic_registry.store.metadata.statements import (
    CHUNK_SIZE,
    is_storable,
    stored_digest,
    within_project,
)
from atomic_registry.store.metadata.tables import (
    manifests,
    objects,
    repositories,
    tag_events,
    tags,
)

_STREAM = select(
    repositories.c.id, repositories.c.name, repositories.c.created_at, repositories.c.revision
)
_HELD = select(
    repositories.c.name.label("repository"),
    manifests.c.digest,
    manifests.c.media_type,
    manifests.c.body,
    manifests.c.pushed_at,
).join(repositories, repositories.c.id == manifests.c.repository_id)
_TAG = (tags.c.repository_id, tags.c.name, tags.c.digest.label("tagged"), tags.c.moved_at)
_TAGGED = select(*_TAG)
_TAGGED_MANIFEST = (
    select(
        *_TAG,
        repositories.c.name.label("repository"),
        manifests.c.digest,
        manifests.c.media_type,
        manifests.c.body,
        manifests.c.pushed_at,
    )
    .select_from(repositories)
    .join(tags, tags.c.repository_id == repositories.c.id)
    .join(
        manifests,
        and_(
            manifests.c.repository_id == tags.c.repository_id,
            manifests.c.digest == tags.c.digest,
        ),
    )
)
_SET_REVISION = (
    update(repositories)
    .where(repositories.c.name == bindparam("of_name"))
    .values(revision=bindparam("at_revision"))
)
_RANKED = select(
    tag_events,
    func.row_number()
    .over(
        partition_by=(tag_events.c.repository_id, tag_events.c.tag),
        order_by=tag_events.c.id.desc(),
    )
    .label("rank"),
)


class SqlStreams:
    """Implements `content.streams.Streams`."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, name: RepositoryName, *, lock: Lock = "none") -> Stream | None:
        query = _STREAM.where(repositories.c.name == name.value)
        if lock == "exclusive":
            query = query.with_for_update()
        found = self._with_records(self._connection.execute(query).all())
        return found[0] if found else None

    def find_all(self, names: Sequence[RepositoryName]) -> list[Stream]:
        found: list[Stream] = []
        texts = sorted({name.value for name in names})
        for start in range(0, len(texts), CHUNK_SIZE):
            query = _STREAM.where(repositories.c.name.in_(texts[start : start + CHUNK_SIZE]))
            found += self._with_records(self._connection.execute(query).all())
        return found

    def list_streams(self, *, project: str | None, after: str, limit: int) -> list[Stream]:
        query = _within(_STREAM, project).where(
            repositories.c.name > after, repositories.c.revision > 0
        )
        rows = self._connection.execute(query.order_by(repositories.c.name).limit(limit)).all()
        return self._with_records(rows)

    def _with_records(self, rows: Sequence[Row[*tuple[object, ...]]]) -> list[Stream]:
        names = [RepositoryName(row.name) for row in rows]
        records = self._records(names)
        return [
            Stream(
                id=row.id,
                name=name,
                created_at=row.created_at,
                revision=row.revision,
                record=records.get(name),
            )
            for row, name in zip(rows, names, strict=True)
        ]

    def _records(self, names: Sequence[RepositoryName]) -> dict[RepositoryName, StreamRecord]:
        of_project: dict[str, dict[str, RepositoryName]] = {}
        for name in names:
            of_project.setdefault(name.project, {})[stream_name_of(name)] = name
        found = {}
        # Pairs "in" a list of pairs would make SQLite read every record there is.
        for project, of_name in of_project.items():
            wanted = sorted(of_name)
            for start in range(0, len(wanted), CHUNK_SIZE):
                query = select(objects.c.name, objects.c.body, objects.c.revision).where(
                    objects.c.kind == StreamRecord.plural,
                    objects.c.namespace == project,
                    objects.c.name.in_(wanted[start : start + CHUNK_SIZE]),
                )
                for row in self._connection.execute(query):
                    record = decoded(StreamRecord, row.body, row.revision)
                    found[of_name[row.name]] = record
        return found

    def list_tags(self, ids: Sequence[int], *, limit: int) -> list[TaggedDigest]:
        found: list[TaggedDigest] = []
        for start in range(0, len(ids), CHUNK_SIZE):
            query = (
                _TAGGED.where(tags.c.repository_id.in_(sorted(ids)[start : start + CHUNK_SIZE]))
                .order_by(tags.c.repository_id, tags.c.name)
                .limit(limit - len(found))
            )
            found += map(_tagged, self._connection.execute(query).all())
        return found

    def find_tag(self, repository_id: int, tag: str) -> tuple[TaggedDigest, HeldManifest] | None:
        query = _TAGGED_MANIFEST.where(tags.c.repository_id == repository_id, tags.c.name == tag)
        row = self._connection.execute(query).first()
        return None if row is None else (_tagged(row), _held(row))

    def list_tagged(
        self, *, project: str | None, after: tuple[str, str], limit: int
    ) -> list[tuple[TaggedDigest, HeldManifest]]:
        repository, tag = after
        if not is_storable(repository, tag):
            return []
        query = (
            _within(_TAGGED_MANIFEST, project)
            .where(repositories.c.name >= repository)
            .where(or_(repositories.c.name > repository, tags.c.name > tag))
            .order_by(repositories.c.name, tags.c.name)
            .limit(limit)
        )
        return [(_tagged(row), _held(row)) for row in self._connection.execute(query)]

    def list_histories(self, ids: Sequence[int], *, limit: int) -> list[TagEvent]:
        found: list[TagEvent] = []
        joined = tags.join(
            tag_events,
            and_(
                tag_events.c.repository_id == tags.c.repository_id,
                tag_events.c.tag == tags.c.name,
                tag_events.c.digest.is_not(None),
            ),
        )
        for start in range(0, len(ids), CHUNK_SIZE):
            chosen = tags.c.repository_id.in_(sorted(ids)[start : start + CHUNK_SIZE])
            query = _RANKED.select_from(joined).where(chosen)
            found += self._newest(query, limit)
        return found

    def list_history(
        self, repository_id: int, tags: Sequence[str], *, limit: int
    ) -> list[TagEvent]:
        found: list[TagEvent] = []
        for start in range(0, len(tags), CHUNK_SIZE):
            query = _RANKED.where(
                tag_events.c.repository_id == repository_id,
                tag_events.c.tag.in_(sorted(tags)[start : start + CHUNK_SIZE]),
                tag_events.c.digest.is_not(None),
            )
            found += self._newest(query, limit)
        return found

    def _newest(self, ranked: Select[*tuple[object, ...]], limit: int) -> list[TagEvent]:
        of_tag = ranked.subquery()
        query = select(of_tag).where(of_tag.c.rank <= limit).order_by(of_tag.c.id.desc())
        return [*map(_event, self._connection.execute(query).all())]

    def list_removals(self, repository_id: int, *, limit: int) -> list[TagEvent]:
        query = (
            select(tag_events)
            .outerjoin(
                tags,
                and_(tags.c.repository_id == repository_id, tags.c.name == tag_events.c.tag),
            )
            .where(
                tag_events.c.repository_id == repository_id,
                tag_events.c.digest.is_(None),
                tags.c.name.is_(None),
            )
            .order_by(tag_events.c.id.desc())
            .limit(limit)
        )
        newest: dict[str, TagEvent] = {}
        for event in map(_event, self._connection.execute(query)):
            newest.setdefault(event.tag, event)
        return [*newest.values()]

    def list_manifests(self, repository_id: int, *, prefix: str, limit: int) -> list[HeldManifest]:
        if not is_storable(prefix):
            return []
        query = (
            _HELD.where(
                manifests.c.repository_id == repository_id,
                manifests.c.digest >= prefix,
                # No digest has a character after "~".
                manifests.c.digest < f"{prefix}~",
            )
            .order_by(manifests.c.digest)
            .limit(limit)
        )
        return [*map(_held, self._connection.execute(query))]

    def list_images(self, *, after: str, limit: int) -> list[HeldManifest]:
        if not is_storable(after):
            return []
        first = (
            select(manifests.c.digest, func.min(manifests.c.repository_id).label("repository_id"))
            .where(manifests.c.digest > after)
            .group_by(manifests.c.digest)
            .order_by(manifests.c.digest)
            .limit(limit)
            .subquery()
        )
        query = _HELD.join(
            first,
            and_(
                first.c.digest == manifests.c.digest,
                first.c.repository_id == manifests.c.repository_id,
            ),
        ).order_by(manifests.c.digest)
        return [*map(_held, self._connection.execute(query))]

    def find_image(self, digest: Digest) -> HeldManifest | None:
        query = (
            _HELD.where(manifests.c.digest == str(digest))
            .order_by(manifests.c.repository_id)
            .limit(1)
        )
        row = self._connection.execute(query).first()
        return None if row is None else _held(row)

    def set_revisions(self, revisions: Mapping[str, int]) -> None:
        """Give repositories, by name, the revision of their newest change."""
        rows = [{"of_name": name, "at_revision": at} for name, at in revisions.items()]
        if rows:
            self._connection.execute(_SET_REVISION, rows)


def _within(query: Select[*tuple[object, ...]], project: str | None) -> Select[*tuple[object, ...]]:
    if project is None:
        return query
    return query.where(within_project(repositories.c.name, project))


def _tagged(row: Row[*tuple[Any, ...]]) -> TaggedDigest:
    # A page reads thousands, and attributes of a row take twice as long.
    repository_id, name, digest, moved_at = row[:4]
    return TaggedDigest(
        repository_id=repository_id, tag=name, digest=stored_digest(digest), moved_at=moved_at
    )


def _event(row: Row[*tuple[Any, ...]]) -> TagEvent:
    event_id, repository_id, tag, digest, actor, at = row[:6]
    return TagEvent(
        id=event_id,
        repository_id=repository_id,
        tag=tag,
        digest=None if digest is None else stored_digest(digest),
        actor=actor,
        at=at,
    )


def _held(row: Row[*tuple[object, ...]]) -> HeldManifest:
    return HeldManifest(
        repository=RepositoryName(row.repository),
        digest=stored_digest(row.digest),
        media_type=row.media_type,
        body=row.body,
        pushed_at=row.pushed_at,
    )
