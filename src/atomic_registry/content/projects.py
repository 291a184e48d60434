"""What a project holds, as far as it is content."""

from collections import defaultdict

from atomic_registry.content.ports import Transaction
from atomic_registry.content.tags import removal_of
from atomic_registry.identity.actors import Actor
from atomic_registry.oci.reference import RepositoryName

_PAGE = 1000
# Tags whose end the change log names one by one.
_MAX_TAGS = 100_000


def delete_contents(tx: Transaction, actor: Actor, project: str) -> int:
    """Delete every repository of the project, in the transaction that deletes the project.

    Blobs that no other repository links are left to the garbage collector. Return how many
    repositories there were.
    """
    tags = _tags_of(tx, project)
    removed = tx.repositories.remove_project(project)
    for name in removed:
        tx.append(removal_of(actor, name, tags[name]))
    return len(removed)


def _tags_of(tx: Transaction, project: str) -> defaultdict[RepositoryName, list[str]]:
    found: defaultdict[RepositoryName, list[str]] = defaultdict(list)
    left, after, is_end = _MAX_TAGS, "", False
    while left and not is_end:
        page = tx.streams.list_streams(project=project, after=after, limit=_PAGE)
        names = {stream.id: stream.name for stream in page}
        tagged = tx.streams.list_tags([*names], limit=left)
        for each in tagged:
            found[names[each.repository_id]].append(each.tag)
        left -= len(tagged)
        is_end = len(page) < _PAGE
        after = "" if is_end else str(page[-1].name)
    return found
