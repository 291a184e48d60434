"""Blobs as files below one directory, written straight to their final name.

Nothing is renamed or copied. All disk work runs in a bounded pool of threads, at most one job
per writer at a time, and survives the cancellation of the task that asked for it.
"""

import asyncio
import contextlib
import errno
import os
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import BinaryIO, TypeVar

from atomic_registry.errors import StorageFailed
from atomic_registry.oci.digest import Hasher
from atomic_registry.store.blobs.file_writer import (
    PIECE,
    Directory,
    FileWriter,
    KeyFile,
    storage_errors,
)

T = TypeVar("T")


class _FileReader:
    """An open file; it stays open until the last read in a thread is over."""

    file: BinaryIO | None

    def __init__(self, file: FileIO, threads: ThreadPoolExecutor) -> None:
        self.file = file
        self._file = file
        self._threads = threads
        self._pending: Future[bytes] | None = None

    async def read(self, offset: int, length: int) -> AsyncIterator[bytes]:
        end = offset + length
        while offset < end:
            piece = await self.read_piece(offset, min(PIECE, end - offset))
            offset += len(piece)
            yield piece

    async def read_piece(self, offset: int, length: int, hasher: Hasher | None = None) -> bytes:
        """Read some bytes, and let a hasher see them in the same thread."""
        self._pending = self._threads.submit(self._pread, offset, length, hasher)
        return await asyncio.shield(asyncio.wrap_future(self._pending))

    def close(self) -> None:
        if self._pending is None:
            self._file.close()
        else:
            self._pending.add_done_callback(lambda _: self._file.close())

    def _pread(self, offset: int, length: int, hasher: Hasher | None) -> bytes:
        with storage_errors("reading a blob"):
            piece = os.pread(self._file.fileno(), length, offset)
        if not piece:
            raise StorageFailed(what="reading a blob", reason=f"it ends at byte {offset}")
        if hasher is not None:
            hasher.update(piece)
        return piece


class FilesystemBlobStore:
    """Blobs below an existing directory; every method raises only the storage errors."""

    def __init__(self, root: Path, *, threads: int = 16) -> None:
        self._directory = Directory(root)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="blobs")

    async def create(self, key: str, hasher: Hasher) -> FileWriter:
        return FileWriter(KeyFile(self._directory, key, hasher), self._threads)

    async def resume(self, key: str, offset: int, hasher: Hasher) -> FileWriter:
        file = KeyFile(self._directory, key, hasher)
        await self._acquire(lambda: file.resume(offset), lambda _: file.close())
        return FileWriter(file, self._threads)

    async def hash_prefix(self, key: str, length: int, hasher: Hasher) -> None:
        if length == 0:
            return
        reader = await self.open(key)
        try:
            offset = 0
            while offset < length:
                size = min(PIECE, length - offset)
                offset += len(await reader.read_piece(offset, size, hasher))
        finally:
            reader.close()

    async def open(self, key: str) -> _FileReader:
        path = self._directory.locate(key)
        file = await self._acquire(lambda: _open_for_reading(path), FileIO.close)
        return _FileReader(file, self._threads)

    async def delete(self, key: str) -> None:
        path = self._directory.locate(key)
        await asyncio.wrap_future(self._threads.submit(_delete, path))

    async def probe(self) -> None:
        path = self._directory.locate(f"blobs/.probe-{os.getpid()}-{secrets.token_hex(8)}")
        await asyncio.wrap_future(self._threads.submit(self._probe, path))

    def close(self) -> None:
        """Wait for running jobs and end the threads; to be called after every writer's close."""
        self._threads.shutdown()

    def _probe(self, path: str) -> None:
        with storage_errors("testing the blob storage"):
            descriptor = self._directory.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            try:
                content = secrets.token_bytes(4096)
                written = os.write(descriptor, content)
                os.fsync(descriptor)
                if os.pread(descriptor, written + 1, 0) != content:
                    raise OSError(errno.EIO, "it read back other bytes than were written")
            finally:
                os.close(descriptor)
                os.unlink(path)

    async def _acquire(self, job: Callable[[], T], release: Callable[[T], object]) -> T:
        """Run a job that opens something; release it if the caller is cancelled meanwhile."""
        future = self._threads.submit(job)
        try:
            return await asyncio.shield(asyncio.wrap_future(future))
        except asyncio.CancelledError:
            future.add_done_callback(
                lambda done: None if done.exception() else release(done.result())
            )
            raise


def _open_for_reading(path: str) -> FileIO:
    with storage_errors("reading a blob"):
        return FileIO(path, "rb")


def _delete(path: str) -> None:
    with storage_errors("deleting a blob"), contextlib.suppress(FileNotFoundError):
        os.unlink(path)
