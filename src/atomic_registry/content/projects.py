"""What a project holds, as far as it is content."""

from atomic_registry.content.ports import Change, Transaction
from atomic_registry.identity.actors import Actor


def delete_contents(tx: Transaction, actor: Actor, project: str) -> int:
    """Delete every repository of the project, in the transaction that deletes the project.

    Blobs that no other repository links are left to the garbage collector. Return how many
    repositories there were.
    """
    removed = tx.repositories.remove_project(project)
    for name in removed:
        tx.append(
            Change(
                kind="repository", repository=name, verb="removed", actor=actor.signature, object={}
            )
        )
    return len(removed)
