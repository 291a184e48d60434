"""The end of manifests: in one repository, and of an image wherever it is held.

What is said of an image ends with it. The change log tells of that end once in each commit: an
entry with `told` leaves it to another one, that of the record or of the last repository.
"""

from collections.abc import Sequence

from atomic_registry.content.ports import Repository, Transaction
from atomic_registry.content.streams import ImageRecord
from atomic_registry.content.tags import Mover, repository_change
from atomic_registry.errors import ImageInUse, ObjectUnknown, StaleRevision, TooLarge
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import Reference, Tag

MAX_ENDED = 100_000
"""Images whose end with their repository the change log names one by one."""
# Repositories that one deletion takes an image from.
_MAX_HOLDERS = 10_000
_MAX_USES = 6


def delete_image(tx: Transaction, digest: Digest, mover: Mover) -> None:
    """Remove the manifest from every repository; what has it as its subject stays.

    Raises:
        ObjectUnknown: no repository holds it.
        ImageInUse: a tag points at it, or an index lists it.
        TooLarge: more repositories hold it than one transaction may change.
        StaleRevision: another repository has just got it.
    """
    names = tx.images.list_holders(digest, limit=_MAX_HOLDERS + 1)
    if len(names) > _MAX_HOLDERS:
        raise TooLarge(what="the image (in repositories that hold it)", limit=_MAX_HOLDERS)
    # Everybody locks several repositories in the order of their names.
    locked = [tx.repositories.find(name, lock="exclusive") for name in sorted(names, key=str)]
    held = [stored for stored in locked if stored is not None]
    if not held:
        raise ObjectUnknown(kind=ImageRecord.kind, name=str(digest))
    uses: list[str] = []
    for stored in held:
        found = tx.images.list_uses(stored.id, digest, limit=_MAX_USES)
        uses += [_written(stored, use) for use in found]
        if len(uses) >= _MAX_USES:
            break
    if uses:
        raise ImageInUse(digest=str(digest), uses=uses)
    for stored in held:
        delete_manifest(tx, stored, digest, mover, is_last=stored is held[-1])
    if tx.images.list_holders(digest, limit=1):
        raise StaleRevision(kind=ImageRecord.kind, name=str(digest))


def delete_manifest(
    tx: Transaction, stored: Repository, digest: Digest, mover: Mover, *, is_last: bool = True
) -> bool:
    """Remove a manifest with every tag that points at it; return False if it was not there.

    It is not the last one if the same transaction goes on to take it from another repository.
    """
    if not tx.manifests.delete(stored.id, digest):
        return False
    actor = mover.actor
    for tag in tx.tags.remove_pointing_at(stored.id, digest, actor=actor.signature, now=mover.now):
        tx.append(repository_change("untagged", actor, stored.name, tag=str(tag)))
    facts = {"digest": str(digest)}
    if not is_last or forget_images(tx, [digest], mover):
        facts["told"] = "true"
    tx.append(repository_change("deleted", actor, stored.name, **facts))
    return True


def forget_images(tx: Transaction, digests: Sequence[Digest], mover: Mover) -> set[Digest]:
    """Remove what is said of those of the images that nobody holds any more; return them."""
    gone = set()
    for digest in tx.images.list_described(digests):
        record = tx.objects.find(ImageRecord, str(digest), lock=True)
        if record is not None and not tx.images.list_holders(digest, limit=1):
            tx.objects.remove(record, actor=mover.actor.signature, now=mover.now)
            gone.add(digest)
    return gone


def _written(stored: Repository, use: Reference) -> str:
    return f"{stored.name}:{use}" if isinstance(use, Tag) else f"{stored.name}@{use}"
