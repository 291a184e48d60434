"""Blobs in the memory of the process, for tests and for trying things out."""

from collections.abc import AsyncIterator
from typing import BinaryIO

from atomic_registry.errors import StorageFailed, UploadBusy
from atomic_registry.oci.digest import Hasher
from atomic_registry.store.blobs import check_key

_PIECE = 1024 * 1024


class MemoryBlobStore:
    """Keeps every key in a `bytearray`; a process that ends loses them all."""

    def __init__(self) -> None:
        self._contents: dict[str, bytearray] = {}
        self._open_keys: set[str] = set()

    async def create(self, key: str, hasher: Hasher) -> "_MemoryWriter":
        return _MemoryWriter(check_key(key), hasher, self._contents, self._open_keys)

    async def resume(self, key: str, offset: int, hasher: Hasher) -> "_MemoryWriter":
        if check_key(key) in self._open_keys:
            raise UploadBusy(upload_id=key.rpartition("/")[2])
        held = len(self._contents.get(key, b""))
        if held < offset:
            raise StorageFailed(
                what="continuing an upload", reason=f"only {held} of {offset} bytes are left"
            )
        writer = _MemoryWriter(key, hasher, self._contents, self._open_keys)
        writer.take_over(offset)
        return writer

    async def hash_prefix(self, key: str, length: int, hasher: Hasher) -> None:
        if length:
            reader = await self.open(key)
            async for piece in reader.read(0, length):
                hasher.update(piece)

    async def open(self, key: str) -> "_MemoryReader":
        content = self._contents.get(check_key(key))
        if content is None:
            raise StorageFailed(what="reading a blob", reason="no such key")
        return _MemoryReader(content)

    async def delete(self, key: str) -> None:
        self._contents.pop(check_key(key), None)

    async def probe(self) -> None:
        return None


class _MemoryWriter:
    """Takes the key over with its first bytes, as a file would be made then."""

    def __init__(
        self, key: str, hasher: Hasher, contents: dict[str, bytearray], open_keys: set[str]
    ) -> None:
        self.offset = 0
        self._key = key
        self._hasher = hasher
        self._contents = contents
        self._open_keys = open_keys
        self._content: bytearray | None = None
        self._closed = False

    def take_over(self, offset: int) -> bytearray:
        self._open_keys.add(self._key)
        self._content = self._contents.setdefault(self._key, bytearray())
        del self._content[offset:]
        self.offset = offset
        return self._content

    async def write(self, chunk: bytes) -> None:
        if self._closed:
            raise ValueError("the writer is closed")
        self._create_if_new().extend(chunk)
        self._hasher.update(chunk)
        self.offset += len(chunk)

    async def flush(self) -> None:
        return None

    async def finish(self) -> None:
        if self._closed:
            raise ValueError("the writer is closed")
        self._create_if_new()
        await self.close()

    async def close(self) -> None:
        self._closed = True
        if self._content is not None:
            self._content = None
            self._open_keys.discard(self._key)

    def _create_if_new(self) -> bytearray:
        if self._content is not None:
            return self._content
        if self._key in self._contents:
            raise StorageFailed(what="storing a blob", reason="the key exists already")
        return self.take_over(0)


class _MemoryReader:
    """Bytes that no file holds."""

    def __init__(self, content: bytearray) -> None:
        self.file: BinaryIO | None = None
        self._content = content

    async def read(self, offset: int, length: int) -> AsyncIterator[bytes]:
        end = offset + length
        while offset < end:
            piece = bytes(self._content[offset : min(offset + _PIECE, end)])
            if not piece:
                raise StorageFailed(what="reading a blob", reason=f"it ends at byte {offset}")
            offset += len(piece)
            yield piece

    def close(self) -> None:
        return None
