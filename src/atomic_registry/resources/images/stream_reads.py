"""Streams as they are read: one, or a page of those that a client chooses."""

from atomic_registry.content.ports import Transaction
from atomic_registry.content.streams import Stream, StreamRecord, repository_of, stream_name_of
from atomic_registry.errors import Invalid, ObjectUnknown
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.resources.images.lists import Cut, newest_revision
from atomic_registry.resources.images.views import StreamView, load_views
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.paging import ListOptions

KIND = StreamRecord.kind
_SCAN = 1000
_MAX_SCANNED = 20_000


def labels_of(stream: Stream) -> dict[str, str]:
    """Return the labels of a stream."""
    return {} if stream.record is None else stream.record.metadata.labels


def get_stream(
    tx: Transaction, repository: RepositoryName, *, lock: bool = False, is_new: bool = False
) -> Stream:
    """Return the stream.

    Raises:
        ObjectUnknown: there is no such repository, or nothing was ever pushed to it.
    """
    stream = tx.streams.find(repository, lock="exclusive" if lock else "none")
    if stream is None or not (stream.revision or is_new):
        raise ObjectUnknown(kind=KIND, name=stream_name_of(repository))
    return stream


def scan_streams(
    tx: Transaction, place: Place, options: ListOptions, after: str
) -> Cut[StreamView]:
    """Return the next streams that match, and the newest revision of their snapshot."""
    if place.namespace and options.fields.name:
        return _scan_name(tx, place, options)
    revision = newest_revision(tx)
    project = place.namespace or None
    found: list[Stream] = []
    scanned, is_end = 0, False
    while scanned < _MAX_SCANNED and len(found) <= options.page_size and not is_end:
        few = min(_SCAN, options.page_size + 1 - len(found))
        limit = _SCAN if options.labels.terms or options.fields.terms else few
        batch = tx.streams.list_streams(project=project, after=after, limit=limit)
        found += [stream for stream in batch if matches(options, stream)]
        scanned += len(batch)
        is_end = len(batch) < limit
        after = str(batch[-1].name) if batch else after
    if len(found) > options.page_size:
        found, is_end = found[: options.page_size], False
        after = str(found[-1].name)
    views = load_views(tx, found, histories=not options.brief)
    if len(views) < len(found):
        is_end, after = False, str(views[-1].stream.name)
    return Cut(items=views, revision=revision, last=None if is_end else after)


def matches(options: ListOptions, stream: Stream) -> bool:
    is_chosen = options.fields.matches(stream.namespace, stream.stream_name)
    return is_chosen and options.labels.matches(labels_of(stream))


def _scan_name(tx: Transaction, place: Place, options: ListOptions) -> Cut[StreamView]:
    # Clients that wait for one stream list it by name; that must not cost a scan.
    revision = newest_revision(tx)
    try:
        repository = repository_of(place.namespace, options.fields.name)
        stream = get_stream(tx, repository)
    except (Invalid, ObjectUnknown):
        return Cut(items=(), revision=revision, last=None)
    found = [stream] if matches(options, stream) else []
    return Cut(items=load_views(tx, found), revision=revision, last=None)
