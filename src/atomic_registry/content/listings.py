"""Paged lists: repositories, tags and referrers. Every page starts after the last one's end."""

from dataclasses import replace

from atomic_registry.content.ports import MetadataStore, Referrer, Transaction
from atomic_registry.errors import RepositoryUnknown
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Policy, Verb
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName

_BATCH = 500


class ListingService:
    """Lists what the caller may see, in byte order.

    Each method asks for one item more than the page holds, and so knows whether more follow.
    """

    def __init__(self, metadata: MetadataStore, policy: Policy) -> None:
        self._metadata = metadata
        self._policy = policy

    async def list_repositories(
        self, actor: Actor, *, after: str, limit: int
    ) -> tuple[list[str], bool]:
        """Return up to `limit` names that the actor may pull from, and whether more follow."""
        who = replace(actor, repositories=None) if actor.for_catalog else actor
        # Most of what is read may be none of the actor's business.
        batch = max(limit + 1, _BATCH)

        def query(tx: Transaction) -> list[str]:
            seen: list[str] = []
            last = after
            while len(seen) <= limit:
                names = tx.repositories.list_names(after=last, limit=batch)
                seen += [str(n) for n in names if self._policy.allowed(who, Verb.PULL, n)]
                if len(names) < batch:
                    break
                last = str(names[-1])
            return seen

        names = await self._metadata.read(query)
        return names[:limit], len(names) > limit

    async def list_tags(
        self, repository: RepositoryName, *, after: str, limit: int
    ) -> tuple[list[str], bool]:
        """Return up to `limit` tags after one, and whether more follow.

        Raises:
            RepositoryUnknown: there is no such repository.
        """

        def query(tx: Transaction) -> list[str]:
            stored = tx.repositories.find(repository)
            if stored is None:
                raise RepositoryUnknown(repository=str(repository))
            return tx.tags.list(stored.id, after=after, limit=limit + 1)

        tags = await self._metadata.read(query)
        return tags[:limit], len(tags) > limit

    async def list_referrers(
        self,
        repository: RepositoryName,
        subject: Digest,
        *,
        artifact_type: str | None,
        after: str,
        limit: int,
    ) -> tuple[list[Referrer], bool]:
        """Return manifests that name the subject; none for what does not exist."""

        def query(tx: Transaction) -> list[Referrer]:
            stored = tx.repositories.find(repository)
            if stored is None:
                return []
            return tx.manifests.list_referrers(
                stored.id, subject, artifact_type=artifact_type, after=after, limit=limit + 1
            )

        found = await self._metadata.read(query)
        return found[:limit], len(found) > limit
