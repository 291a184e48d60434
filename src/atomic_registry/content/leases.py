"""The lease on an upload session: whoever holds it is the only one to write."""

from collections.abc import AsyncIterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from atomic_registry.clock import Clock
from atomic_registry.content.limits import find_allowance, limits_blobs
from atomic_registry.content.ports import (
    BlobStore,
    BlobWriter,
    MetadataStore,
    Transaction,
    UploadSession,
)
from atomic_registry.content.quota import Allowance
from atomic_registry.errors import (
    DomainError,
    RangeMismatch,
    SizeMismatch,
    UploadBusy,
    UploadUnknown,
)
from atomic_registry.oci.digest import (
    Digest,
    Hasher,
    PlainHasher,
    ResumableHasher,
    restore_hasher,
)
from atomic_registry.oci.reference import RepositoryName


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """What a client says of the bytes that it sends: where they start, and how many there are."""

    start: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """How long a lease runs without renewal, and an idle session lives.

    `quotas` tells whether uploads are held to the limits of their project.
    """

    lease: timedelta = timedelta(seconds=60)
    expiry: timedelta = timedelta(hours=24)
    quotas: bool = True


class UploadLease:
    """Holds one session for one request.

    On leaving, the progress that the blob store has is recorded and the lease given back, also
    after an error, so that the client can ask for the status and go on; unless `is_over` says that
    the session has ended. `is_fresh` says that no other request can know of the session.
    """

    def __init__(
        self,
        metadata: MetadataStore,
        blobs: BlobStore,
        clock: Clock,
        *,
        owner: str,
        limits: UploadLimits,
        is_fresh: bool,
    ) -> None:
        self._metadata = metadata
        self._blobs = blobs
        self._clock = clock
        self._limits = limits
        self._is_fresh = is_fresh
        self._writer: BlobWriter | None = None
        self._hasher: Hasher | None = None
        self._renewed_at = 0.0
        self._is_limited = False
        self._digest: Digest | None = None
        self.owner = owner
        self.is_over = False

    async def claim(
        self, repository: RepositoryName, upload_id: str, digest: Digest | None = None
    ) -> Self:
        """Take the lease; the digest is that of the whole blob, where it is known.

        Raises:
            UploadUnknown, UploadBusy: the session is gone, or another request holds it.
        """
        self._digest = digest
        now = self._clock.now()

        def claim(tx: Transaction) -> tuple[UploadSession | None, bool]:
            session = tx.uploads.claim(
                repository, upload_id, owner=self.owner, now=now, until=self.until()
            )
            if session is None or not self._limits.quotas:
                return session, False
            return session, limits_blobs(tx, repository.project)

        session, self._is_limited = await self._metadata.write(claim, durable=False)
        if session is None:
            known = await self._metadata.read(lambda tx: tx.uploads.find(repository, upload_id))
            if known is None:
                raise UploadUnknown(upload_id=upload_id)
            raise UploadBusy(upload_id=upload_id)
        self.session = session
        self._renewed_at = self._clock.monotonic()
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._settle()
        if self.is_over:
            return
        session = replace(self.session, expires_at=self._clock.now() + self._limits.expiry)
        kept = await self._metadata.write(
            lambda tx: tx.uploads.release(session, owner=self.owner), durable=False
        )
        if not kept and error is None:
            raise UploadUnknown(upload_id=session.id)

    def until(self) -> datetime:
        """Return when a lease taken now runs out."""
        return self._clock.now() + self._limits.lease

    async def give_up(self) -> None:
        """End the session, whose bytes the caller then drops."""
        self.is_over = True
        await self._settle()

    async def take(
        self, body: AsyncIterable[bytes], chunk: Chunk | None, *, length: int | None = None
    ) -> None:
        """Write the whole body at the end of the session; `length` is what it says it has.

        Raises:
            RangeMismatch: the chunk starts elsewhere.
            SizeMismatch: the body is not as long as the chunk says; none of it is kept.
            QuotaExceeded: it is, or by its length would be, more than the project may have.
        """
        start = self.session.offset
        if chunk is not None and chunk.start != start:
            raise RangeMismatch(
                upload_id=self.session.id,
                repository=str(self.session.repository),
                start=chunk.start,
                offset=start,
            )
        allowance = await self._find_allowance() if self._is_limited else None
        if allowance is not None:
            allowance.require(start + (length or 0))
        most = None if allowance is None else allowance.most
        received = 0
        async for piece in body:
            received += len(piece)
            if most is not None and allowance is not None and start + received > most:
                allowance.require(start + received)
            if chunk is not None and received > chunk.length:
                break
            if self._writer is None:
                self._writer = await self._open(is_chunk=chunk is not None)
            await self._writer.write(piece)
            await self._renew()
        if chunk is not None and received != chunk.length:
            # The session goes back to where the chunk began; the next writer cuts the rest off.
            self._hasher = None
            raise SizeMismatch(what="the chunk", expected=chunk.length, actual=received)

    async def _find_allowance(self) -> Allowance | None:
        project, digest = self.session.repository.project, self._digest
        # A forecast: no other writer has to wait for the count.
        return await self._metadata.read(lambda tx: find_allowance(tx, project, digest))

    async def finish(self) -> None:
        """Make the session's bytes durable; nothing more can be taken."""
        if self._writer is None:
            hasher = PlainHasher(self.session.algorithm)
            if self.session.offset == 0:
                self._hasher = hasher
            self._writer = await self._lock(hasher)
        await self._writer.finish()
        await self._settle()

    async def _open(self, *, is_chunk: bool) -> BlobWriter:
        """Open the bytes, with a hasher that has seen those of earlier requests.

        A body that comes in one piece is hashed by the fastest hasher, whose state is lost with
        the process. A chunk announces more requests, so its hasher's state can be stored.
        """
        session = self.session
        hasher: Hasher | None = None
        if session.offset == 0:
            hasher = (ResumableHasher if is_chunk else PlainHasher)(session.algorithm)
        elif session.hash_state is not None:
            hasher = restore_hasher(session.algorithm, session.hash_state)
        if hasher is None:
            hasher = ResumableHasher(session.algorithm)
            await self._blobs.hash_prefix(session.key, session.offset, hasher)
        self._hasher = hasher
        return await self._lock(hasher)

    async def _lock(self, hasher: Hasher) -> BlobWriter:
        """Open the bytes for writing, and make sure that the lease still ran then.

        Whoever has the key open keeps all others out, so that a request which slept past its
        lease finds either the key locked or its lease lost, and never writes over the bytes of
        the request that came after it.
        """
        session = self.session
        if self._is_fresh:
            return await self._blobs.create(session.key, hasher)
        writer = await self._blobs.resume(session.key, session.offset, hasher)
        try:
            await self._renew()
        except BaseException:
            await writer.close()
            raise
        return writer

    async def _renew(self) -> None:
        now = self._clock.monotonic()
        if now - self._renewed_at < self._limits.lease.total_seconds() / 3:
            return
        self._renewed_at = now
        held = await self._metadata.write(
            lambda tx: tx.uploads.renew(self.session.id, owner=self.owner, until=self.until()),
            durable=False,
        )
        if not held:
            self.is_over = True
            raise UploadUnknown(upload_id=self.session.id)

    async def _settle(self) -> None:
        """Close the writer and take over what it holds."""
        if self._writer is None:
            return
        try:
            await self._writer.flush()
        except DomainError:
            # The error has reached the request already, or a finished writer refuses the call;
            # either way its offset says what is there.
            pass
        finally:
            await self._writer.close()
        if self._hasher is not None:
            self.session = replace(
                self.session,
                offset=self._writer.offset,
                hash_state=self._hasher.state(),
                digest=self._hasher.digest(),
            )
        self._writer = self._hasher = None
