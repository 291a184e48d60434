"""Pages put together are the whole sorted list, also while it changes."""

import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kit.databases import new_sqlite

from atomic_registry.clock import SystemClock
from atomic_registry.content.listings import ListingService
from atomic_registry.content.ports import MetadataStore, NewManifest, Transaction
from atomic_registry.identity.actors import ANONYMOUS
from atomic_registry.identity.policy import OpenPolicy
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.media_types import OCI_MANIFEST
from atomic_registry.oci.reference import RepositoryName, Tag
from atomic_registry.store.metadata import open_metadata

NAME = RepositoryName.parse("demo/app")
CLOCK = SystemClock()
TAGS = st.sets(st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,6}", fullmatch=True), max_size=25)


async def add(metadata: MetadataStore, tags: set[str]) -> None:
    def change(tx: Transaction) -> None:
        repository = tx.repositories.ensure(NAME, CLOCK.now())
        body = b"{}"
        manifest = NewManifest(
            digest=Digest.of(body),
            media_type=OCI_MANIFEST,
            body=body,
            artifact_type=None,
            subject=None,
            annotations={},
            blobs=(),
            children=(),
        )
        tx.manifests.put(repository.id, manifest, CLOCK.now())
        tx.repositories.mark_pushed(repository.id, CLOCK.now())
        for tag in tags:
            tx.tags.move(repository.id, Tag.parse(tag), manifest.digest, actor="a", now=CLOCK.now())

    await metadata.write(change, durable=False)


@given(present=TAGS, arriving=TAGS, size=st.integers(1, 7))
@settings(max_examples=40, deadline=None)
async def test_tag_pages_hold_every_lasting_tag_once_in_byte_order(
    present: set[str], arriving: set[str], size: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        url = new_sqlite(directory)
        metadata = open_metadata(url, CLOCK)
        listings = ListingService(metadata, OpenPolicy())
        await add(metadata, present)

        seen: list[str] = []
        more, waiting = True, sorted(arriving)
        while more:
            page, more = await listings.list_tags(NAME, after=seen[-1] if seen else "", limit=size)
            seen += page
            if waiting:
                await add(metadata, {waiting.pop()})

        assert sorted(set(seen)) == seen
        assert present <= set(seen) <= present | arriving
        names, _ = await listings.list_repositories(ANONYMOUS, after="", limit=10)
        assert [str(NAME)] == names
        await metadata.close()
