"""What a project holds, as far as it is content."""

from collections import defaultdict
from dataclasses import dataclass, field

from atomic_registry.content.images import MAX_ENDED, forget_images
from atomic_registry.content.ports import Transaction
from atomic_registry.content.tags import Mover, removal_of
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName

_PAGE = 1000
# Tags whose end the change log names one by one.
_MAX_TAGS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contents:
    """Tags and images by repository; an image of several is with one of them."""

    tags: defaultdict[RepositoryName, list[str]] = field(default_factory=lambda: defaultdict(list))
    images: dict[Digest, RepositoryName] = field(default_factory=dict)


def delete_contents(tx: Transaction, mover: Mover, project: str) -> int:
    """Delete every repository of the project, in the transaction that deletes the project.

    Blobs that no other repository links are left to the garbage collector. Return how many
    repositories there were.
    """
    contents = _contents_of(tx, project)
    removed = tx.repositories.remove_project(project)
    told = forget_images(tx, [*contents.images], mover)
    ended: defaultdict[RepositoryName, list[Digest]] = defaultdict(list)
    for digest, name in contents.images.items():
        if digest not in told:
            ended[name].append(digest)
    for name in removed:
        tx.append(removal_of(mover.actor, name, contents.tags[name], ended[name]))
    return len(removed)


def _contents_of(tx: Transaction, project: str) -> _Contents:
    found = _Contents()
    left, after, is_end = _MAX_TAGS, "", False
    while not is_end:
        page = tx.streams.list_streams(project=project, after=after, limit=_PAGE)
        names = {stream.id: stream.name for stream in page}
        tagged = tx.streams.list_tags([*names], limit=left) if left else []
        for each in tagged:
            found.tags[names[each.repository_id]].append(each.tag)
        left -= len(tagged)
        for repository_id, name in names.items():
            few = MAX_ENDED - len(found.images)
            images = tx.images.list_digests(repository_id, limit=few)
            found.images.update(dict.fromkeys(images, name))
        is_end = len(page) < _PAGE or (not left and len(found.images) >= MAX_ENDED)
        after = "" if is_end else str(page[-1].name)
    return found
