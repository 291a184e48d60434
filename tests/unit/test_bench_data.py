"""The generator of the benchmarks leaves what real pushes leave."""

from pathlib import Path

from bench.generated_images import ImagePool, TaggedImage
from bench.generated_rows import PushedRows
from sqlalchemy import select
from tests.kit.clock import ManualClock
from tests.kit.images import OCI_CONFIG, OCI_MANIFEST, Content, Image
from tests.kit.pushes import PUSHER, push

from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import open_metadata, prepare_metadata, tables
from atomic_registry.store.metadata.sqlite_connection import Session

NAME = RepositoryName("demo/app")
FILLED = (
    tables.repositories,
    tables.blob_links,
    tables.manifests,
    tables.manifest_edges,
    tables.tags,
    tables.tag_events,
    tables.changes,
    tables.revision,
)


def images() -> tuple[ImagePool, list[TaggedImage]]:
    pool = ImagePool()
    return pool, [*pool.images_of(NAME.value, 1), *pool.images_of_widest(NAME.value, 12)]


async def push_for_real(url: str) -> None:
    prepare_metadata(url)
    pool, made = images()
    contents = {
        str(blob.digest): Content(media_type=OCI_CONFIG, data=blob.data)
        for blob in (*pool.configs, *pool.layers)
    }
    metadata = open_metadata(url, ManualClock())
    try:
        for one in made:
            image = Image(
                manifest=Content(media_type=OCI_MANIFEST, data=one.manifest),
                blobs=tuple(contents[str(digest)] for digest in one.blobs),
            )
            store = MemoryBlobStore()
            await push(metadata, store, NAME.value, image, *one.tags, clock=ManualClock())
    finally:
        await metadata.close()


def generate(url: str) -> None:
    prepare_metadata(url)
    session = Session.open(url.removeprefix("sqlite:///"))
    try:
        rows = PushedRows(session.sql)
        rows.push(NAME, images()[1], actor=PUSHER, now=ManualClock().now())
        rows.write()
    finally:
        session.close()


def stored(url: str) -> dict[str, list[tuple[object, ...]]]:
    session = Session.open(url.removeprefix("sqlite:///"))
    try:
        return {
            table.name: sorted(map(tuple, session.sql.execute(select(table))), key=repr)
            for table in FILLED
        }
    finally:
        session.close()


async def test_a_generated_repository_has_the_rows_of_a_pushed_one(tmp_path: Path) -> None:
    pushed, generated = (f"sqlite:///{tmp_path}/{name}.db" for name in ("pushed", "generated"))
    await push_for_real(pushed)
    generate(generated)

    found = stored(pushed)

    assert all(found.values())
    assert found == stored(generated)
