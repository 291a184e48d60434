"""Upload sessions: start, append, commit, cancel, expire.

A session is a leased row: one request at a time writes to it, from whichever process.
Bytes are durable before the row that makes them visible; on removal the row is closed before the
bytes go, and a closed row stays until they are gone, so that no crash leaves bytes unowned.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256

from atomic_registry.clock import Clock
from atomic_registry.content.admission import Admission
from atomic_registry.content.leases import Chunk, UploadLease, UploadLimits
from atomic_registry.content.limits import require_bytes
from atomic_registry.content.ports import (
    BlobStore,
    MetadataStore,
    StoredBlob,
    Transaction,
    UploadSession,
)
from atomic_registry.errors import DigestMismatch, QuotaExceeded, Unavailable, UploadUnknown
from atomic_registry.identity.actors import Actor
from atomic_registry.oci.digest import DEFAULT_ALGORITHM, Digest, PlainHasher
from atomic_registry.oci.reference import RepositoryName

# Sessions that one round of `expire` removes.
_EXPIRE_BATCH = 100
_RANDOM_DIGITS = 32


class UploadService:
    """Takes blobs in.

    `node` names this process in leases; a node that is known to be dead has its leases freed by
    `release_leases`.
    """

    def __init__(
        self,
        metadata: MetadataStore,
        blobs: BlobStore,
        clock: Clock,
        *,
        node: str,
        limits: UploadLimits,
        admission: Admission,
    ) -> None:
        self._metadata = metadata
        self._blobs = blobs
        self._clock = clock
        self._node = node
        self._limits = limits
        self._admission = admission

    async def start(
        self, actor: Actor, repository: RepositoryName, algorithm: str = DEFAULT_ALGORITHM
    ) -> UploadSession:
        """Open a session of 0 bytes; the algorithm is that of the digest to come.

        Raises:
            ProjectUnknown, Denied, QuotaExceeded: the repository does not exist and may not come
                to be.
        """
        key_id = self._clock.new_id()
        now = self._clock.now()
        session = UploadSession(
            id=_bind(self._clock.new_id(), actor),
            repository=repository,
            key=f"blobs/{key_id[:2]}/{key_id}",
            algorithm=algorithm,
            offset=0,
            hash_state=None,
            digest=None,
            expires_at=now + self._limits.expiry,
        )

        def add(tx: Transaction) -> None:
            self._admission.check(tx, actor, repository)
            tx.uploads.add(session, now)

        await self._metadata.write(add, durable=False)
        return session

    async def status(self, repository: RepositoryName, upload_id: str) -> UploadSession:
        """Return the session.

        Raises:
            UploadUnknown: this repository has no such open session.
        """
        session = await self._metadata.read(lambda tx: tx.uploads.find(repository, upload_id))
        if session is None:
            raise UploadUnknown(upload_id=upload_id)
        return session

    async def append(
        self,
        repository: RepositoryName,
        upload_id: str,
        body: AsyncIterable[bytes],
        chunk: Chunk | None,
        *,
        length: int | None = None,
    ) -> UploadSession:
        """Write the bytes at the session's end; what arrived before an error is kept.

        Raises:
            UploadUnknown, UploadBusy: the session is gone, or another request holds it.
            RangeMismatch: the chunk starts elsewhere than where the session ends.
            SizeMismatch: the body is not as long as the chunk says; none of it is kept.
            QuotaExceeded: the project may not have so much; the session and its bytes are dropped.
        """
        async with await self._lease(repository, upload_id) as lease, self._within_limits(lease):
            await lease.take(body, chunk, length=length)
        return lease.session

    async def commit(
        self,
        repository: RepositoryName,
        upload_id: str,
        digest: Digest,
        body: AsyncIterable[bytes],
        chunk: Chunk | None,
        *,
        length: int | None = None,
    ) -> StoredBlob:
        """Write the last bytes, if any, and make the whole a blob of the repository.

        Raises:
            DigestMismatch: the bytes have another digest; the session and its bytes are dropped.
            And what `append` raises.
        """
        lease = await self._lease(repository, upload_id, digest)
        async with lease, self._within_limits(lease):
            await lease.take(body, chunk, length=length)
            return await self._commit(lease, digest)

    async def push(
        self,
        actor: Actor,
        repository: RepositoryName,
        digest: Digest,
        body: AsyncIterable[bytes],
        *,
        length: int | None = None,
    ) -> StoredBlob:
        """Take a whole blob in one request; nothing is kept of one that fails."""
        session = await self.start(actor, repository, digest.algorithm)
        try:
            async with await self._lease(repository, session.id, digest, is_fresh=True) as lease:
                await lease.take(body, None, length=length)
                return await self._commit(lease, digest)
        except BaseException:
            await self._drop(session)
            raise

    async def cancel(self, repository: RepositoryName, upload_id: str) -> None:
        """End the session and drop its bytes.

        Raises:
            UploadUnknown, UploadBusy: the session is gone, or another request holds it.
        """
        async with await self._lease(repository, upload_id) as lease:
            lease.is_over = True
            await self._drop(lease.session)

    async def expire(self) -> int:
        """Drop sessions that nobody has continued in time; return how many."""
        count = 0
        while True:
            dead = await self._metadata.write(self._close_dead, durable=False)
            for session in dead:
                await self._drop(session)
            count += len(dead)
            if len(dead) < _EXPIRE_BATCH:
                return count

    async def release_leases(self, owner_prefix: str) -> int:
        """Free the leases of processes that are known to be dead; return how many."""
        return await self._metadata.write(
            lambda tx: tx.uploads.release_all(owner_prefix=owner_prefix), durable=False
        )

    async def count_open(self) -> int:
        """Return how many sessions are open."""
        return await self._metadata.read(lambda tx: tx.uploads.count_open())

    async def _lease(
        self,
        repository: RepositoryName,
        upload_id: str,
        digest: Digest | None = None,
        *,
        is_fresh: bool = False,
    ) -> UploadLease:
        lease = UploadLease(
            self._metadata,
            self._blobs,
            self._clock,
            owner=f"{self._node}/{self._clock.new_id()}",
            limits=self._limits,
            is_fresh=is_fresh,
        )
        return await lease.claim(repository, upload_id, digest)

    @asynccontextmanager
    async def _within_limits(self, lease: UploadLease) -> AsyncIterator[None]:
        """Leave nothing of an upload that the limits of its project forbid."""
        try:
            yield
        except QuotaExceeded:
            await lease.give_up()
            await self._drop(lease.session)
            raise

    async def _commit(self, lease: UploadLease, digest: Digest) -> StoredBlob:
        try:
            await lease.finish()
        except Unavailable:
            # After a failed fsync nobody can say which bytes are on the disk.
            lease.is_over = True
            await self._drop(lease.session)
            raise
        session = lease.session
        actual = await self._digest_of(session, digest.algorithm)
        if actual != digest:
            lease.is_over = True
            await self._drop(session)
            raise DigestMismatch(expected=str(digest), actual=str(actual))
        blob = StoredBlob(digest=digest, size=session.offset, key=session.key)
        is_new = await self._metadata.write(self._commit_blob(lease, blob))
        lease.is_over = True
        if not is_new:
            await self._drop(session)
        return blob

    async def _digest_of(self, session: UploadSession, algorithm: str) -> Digest:
        if session.digest is not None and session.digest.algorithm == algorithm:
            return session.digest
        hasher = PlainHasher(algorithm)
        await self._blobs.hash_prefix(session.key, session.offset, hasher)
        return hasher.digest()

    def _commit_blob(self, lease: UploadLease, blob: StoredBlob) -> Callable[[Transaction], bool]:
        session, now, until = lease.session, self._clock.now(), lease.until()

        def commit_blob(tx: Transaction) -> bool:
            # A session that has expired meanwhile is about to lose its bytes.
            if not tx.uploads.renew(session.id, owner=lease.owner, until=until):
                raise UploadUnknown(upload_id=session.id)
            repository = self._admission.enter(tx, session.repository, now)
            if self._limits.quotas:
                require_bytes(tx, session.repository.project, {blob.digest: blob.size})
            is_new = tx.blobs.add(blob, now)
            tx.blobs.link(repository.id, blob.digest, now)
            if is_new:
                tx.uploads.remove(session.id)
            else:
                tx.uploads.discard(session.id)
            return is_new

        return commit_blob

    def _close_dead(self, tx: Transaction) -> list[UploadSession]:
        dead = tx.uploads.list_dead(now=self._clock.now(), limit=_EXPIRE_BATCH)
        for session in dead:
            tx.uploads.discard(session.id)
        return dead

    async def _drop(self, session: UploadSession) -> None:
        closed = await self._metadata.write(
            lambda tx: tx.uploads.discard(session.id), durable=False
        )
        if not closed:
            # A commit that was given up on has come through all the same: the bytes are a blob's.
            return
        await self._blobs.delete(session.key)
        await self._metadata.write(lambda tx: tx.uploads.remove(session.id), durable=False)


def check_owner(upload_id: str, actor: Actor) -> None:
    """Return if the actor opened the session: its id is bound to who did.

    Raises:
        UploadUnknown: somebody else did, or nobody.
    """
    if _bind(upload_id[:_RANDOM_DIGITS], actor) != upload_id:
        raise UploadUnknown(upload_id=upload_id)


def _bind(random_part: str, actor: Actor) -> str:
    owner = sha256(f"{random_part}/{actor.uid}/{actor.name}".encode()).hexdigest()
    return random_part + owner[:_RANDOM_DIGITS]
