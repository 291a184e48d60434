"""Limits in force: each check is part of the transaction that would overstep them.

Every check reads the project's limits under a lock, so that those who add to a project that has
any wait for each other, and what they count is what the commit finds. A project without limits
costs one look-up and no lock.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from atomic_registry.content.ports import MetadataStore, Repository, Transaction
from atomic_registry.content.quota import (
    BYTES,
    IMAGES,
    STORAGE,
    STREAMS,
    TAGS,
    Allowance,
    ProjectLimits,
    limits_of,
)
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.manifest import Manifest
from atomic_registry.oci.reference import RepositoryName


def require_stream(tx: Transaction, repository: RepositoryName, *, lock: bool = True) -> None:
    """Return if the project may have one stream more; without a lock it is only a forecast.

    Raises:
        QuotaExceeded: it has as many as it may have.
    """
    limits = _load(tx, repository.project, lock=lock)
    if limits.binds(STREAMS):
        limits.require(STREAMS, used=tx.usage.count_streams(limits.project), added=1)


def require_bytes(tx: Transaction, project: str, sizes: Mapping[Digest, int]) -> None:
    """Return if blobs of these sizes may become part of the project, or are.

    Raises:
        QuotaExceeded: its blobs would have too many bytes together.
    """
    limits = _load(tx, project)
    if not limits.binds(BYTES):
        return
    held = tx.usage.linked(project, list(sizes))
    added = sum(size for digest, size in sizes.items() if digest not in held)
    if added:
        limits.require(BYTES, used=tx.usage.count_bytes(project), added=added)


def require_images(tx: Transaction, repository: Repository, manifests: Sequence[Manifest]) -> None:
    """Return if the repository may hold these manifests, or does.

    Raises:
        QuotaExceeded: one of them is too large, or they would be too many.
    """
    limits = _load(tx, repository.name.project)
    if not limits.binds(IMAGES, STORAGE):
        return
    held = tx.manifests.sizes(repository.id, [manifest.digest for manifest in manifests])
    added = [manifest for manifest in manifests if manifest.digest not in held]
    for manifest in added:
        sizes = {item.digest: item.size for item in manifest.blobs}
        limits.require(STORAGE, used=0, added=sum(sizes.values()))
    if added and limits.binds(IMAGES):
        used = tx.usage.count_images(repository.id)
        limits.require(IMAGES, used=used, added=len(added))


def require_tags(
    tx: Transaction, repository: Repository, *, before: Iterable[str], after: Iterable[str]
) -> None:
    """Return if the stream may have these tags beside those that point somewhere.

    `before` are the names that it has from its description, `after` those that it is to have.

    Raises:
        QuotaExceeded: they would be too many.
    """
    limits = _load(tx, repository.name.project)
    if not limits.binds(TAGS):
        return
    old, new = set(before), set(after)
    pointing = tx.usage.count_tags(repository.id)
    held = tx.usage.tags_among(repository.id, sorted(old | new))
    used = pointing + len(old - held)
    limits.require(TAGS, used=used, added=pointing + len(new - held) - used)


def limits_blobs(tx: Transaction, project: str) -> bool:
    """Tell whether there is an allowance to be found: that can take long, and this does not."""
    return _load(tx, project, lock=False).binds(STORAGE, BYTES)


def find_allowance(tx: Transaction, project: str, digest: Digest | None) -> Allowance | None:
    """Return how large a blob may get, None for any size; a forecast, not yet the decision.

    A blob of a digest that the project has adds nothing to its bytes.
    """
    limits = _load(tx, project, lock=False)
    wanted = {STORAGE, BYTES}
    if limits.binds(BYTES) and digest is not None and tx.usage.linked(project, [digest]):
        wanted.remove(BYTES)
    bounds = tuple(bound for bound in limits.bounds if bound.resource in wanted)
    if not bounds:
        return None
    limits = replace(limits, bounds=bounds)
    used = tx.usage.count_bytes(project) if limits.binds(BYTES) else 0
    return Allowance(limits=limits, used=used)


class Meter:
    """Tells how much projects use of what a quota may limit."""

    def __init__(self, metadata: MetadataStore) -> None:
        self._metadata = metadata

    async def used(self, project: str, resources: Collection[str]) -> dict[str, int]:
        """Return how much the project uses of each of the resources now."""

        def count(tx: Transaction) -> dict[str, int]:
            counters = {STREAMS: tx.usage.count_streams, BYTES: tx.usage.count_bytes}
            return {name: counters[name](project) for name in resources if name in counters}

        return await self._metadata.read(count)


def _load(tx: Transaction, project: str, *, lock: bool = True) -> ProjectLimits:
    return limits_of(project, tx.usage.limits(project, lock=lock))
