"""`imagestreams/status`: what services write of a stream that they may not change.

The status is made from the content, so that only labels and annotations are taken; the spec
stays whatever the document says.
"""

from atomic_registry.content.ports import Transaction
from atomic_registry.errors import ObjectInvalid, ObjectUnknown
from atomic_registry.identity.actors import Actor
from atomic_registry.resources.documents import metadata_causes
from atomic_registry.resources.images.sources import parse_stream_name
from atomic_registry.resources.images.stream_reads import KIND, get_stream
from atomic_registry.resources.images.streams import (
    StreamService,
    check_preconditions,
    check_stream_name,
    read_stream,
    take_over,
)
from atomic_registry.resources.images.tagging import new_record, store_record
from atomic_registry.resources.images.views import StreamView, load_view
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.strategies import Document
from atomic_registry.resources.writes import metadata_of


class StreamStatusService(StreamService):
    """Streams as those see them whose right is on the subresource only."""

    async def create(self, actor: Actor, place: Place, document: Document) -> Document:
        """Refuse: a stream is not made by its status.

        Raises:
            ObjectUnknown: always.
        """
        raise ObjectUnknown(kind=KIND, name=str(metadata_of(document).get("name", "")))

    async def update(self, actor: Actor, place: Place, name: str, document: Document) -> Document:
        """Replace labels and annotations; nothing else of the document is taken.

        Raises:
            ObjectInvalid: it breaks the rules of its kind.
            ObjectUnknown: there is no stream of this name.
            StaleRevision: it has changed since it was read.
        """
        record = read_stream(place, document)
        repository = parse_stream_name(place.namespace, name, KIND)
        check_stream_name(record, name)
        if causes := metadata_causes(record.metadata):
            raise ObjectInvalid(kind=KIND, name=name, causes=causes)
        mover = self.around.mover(actor)

        def change(tx: Transaction) -> StreamView:
            stream = get_stream(tx, repository, lock=True)
            check_preconditions(stream, record)
            record.spec = new_record(stream).spec
            if take_over(stream, record):
                store_record(tx, stream, record, mover)
            return load_view(tx, get_stream(tx, repository))

        return await self.written(place, await self.around.metadata.write(change))
