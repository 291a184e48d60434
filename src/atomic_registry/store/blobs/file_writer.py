"""Writing one blob's file: bytes are written and hashed in a thread while the next arrive."""

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from atomic_registry.errors import StorageFailed, StorageFull, StorageReadOnly, UploadBusy
from atomic_registry.oci.digest import Hasher
from atomic_registry.store.blobs import check_key

PIECE = 1024 * 1024
# writev takes at most 1024 pieces; many small ones are joined long before that.
_MAX_PIECES = 64
# Sending 512 MiB to the disk on the way and not in the last fsync saves a fifth of the time.
_WRITE_BACK = 32 * 1024 * 1024
_SYNC_FILE_RANGE_WRITE = 2
_FULL = (errno.ENOSPC, errno.EDQUOT)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextlib.contextmanager
def storage_errors(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(what=what) from error
        if error.errno in _READ_ONLY:
            raise StorageReadOnly(what=what) from error
        raise StorageFailed(what=what, reason=error.strerror or str(error)) from error


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Directory:
    """The root, and which directories below it are known to survive a loss of power."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.abspath(root)
        self._durable: set[str] = {self._root}
        self._sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
        if self._sync_file_range is not None:
            self._sync_file_range.argtypes = [
                ctypes.c_int,
                ctypes.c_int64,
                ctypes.c_int64,
                ctypes.c_uint,
            ]

    def locate(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    def open(self, path: str, flags: int) -> int:
        """Open a file for writing, with its parent directories made if they are missing."""
        flags |= os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o660)
        except FileNotFoundError:
            # The root is never made: where it is missing, a volume is probably not mounted.
            missing = os.path.relpath(os.path.dirname(path), self._root).split(os.sep)
            for depth in range(1, len(missing) + 1):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(os.path.join(self._root, *missing[:depth]), 0o770)
            return os.open(path, flags, 0o660)

    def start_write_back(self, descriptor: int, start: int, length: int) -> None:
        """Have the kernel begin to write to the disk; a mere hint, the fsync comes later."""
        if self._sync_file_range is not None:
            self._sync_file_range(descriptor, start, length, _SYNC_FILE_RANGE_WRITE)

    def sync_name(self, path: str) -> None:
        """Make the name of the file durable, and once per process those of its parents.

        Another process may have made a parent and not synced it yet, so that even a parent
        that was there already is synced the first time.
        """
        directory = os.path.dirname(path)
        _sync_directory(directory)
        while directory not in self._durable:
            parent = os.path.dirname(directory)
            _sync_directory(parent)
            self._durable.add(directory)
            directory = parent


class KeyFile:
    """The file of one key and the hasher of its bytes; used by one thread at a time."""

    def __init__(self, directory: Directory, key: str, hasher: Hasher) -> None:
        self.offset = 0
        self._directory = directory
        self._key = key
        self._path = directory.locate(key)
        self._hasher = hasher
        self._descriptor: int | None = None
        self._written_back = 0
        self._is_untrimmed = False

    def resume(self, offset: int) -> None:
        with storage_errors("continuing an upload"):
            # With bytes expected, a missing file must not come into being.
            descriptor = self._open(os.O_CREAT if offset == 0 else 0)
            try:
                held = os.fstat(descriptor).st_size
                if held < offset:
                    raise OSError(errno.EIO, f"only {held} of {offset} bytes are left")  # noqa: TRY301
                os.lseek(descriptor, offset, os.SEEK_SET)
            except OSError:
                self.close()
                raise
        self.offset = self._written_back = offset
        # Not before the caller has made sure that the key is still its own.
        self._is_untrimmed = held > offset

    def append(self, pieces: list[bytes]) -> int:
        """Write and hash the bytes and return the descriptor.

        On failure, file, hasher and `offset` agree.
        """
        with storage_errors("storing a blob"):
            descriptor = self._descriptor
            if descriptor is None:
                descriptor = self._open(os.O_CREAT | os.O_EXCL)
            if self._is_untrimmed:
                os.ftruncate(descriptor, self.offset)
                self._is_untrimmed = False
            if len(pieces) > _MAX_PIECES:
                pieces = [b"".join(pieces)]
            while pieces:
                # A full disk first cuts a write short and only fails the next one.
                written = os.writev(descriptor, pieces)
                if written == 0:
                    raise OSError(errno.EIO, "the file takes no bytes")
                pieces = self._hash(pieces, written)
            if self.offset - self._written_back >= _WRITE_BACK:
                length = self.offset - self._written_back
                self._directory.start_write_back(descriptor, self._written_back, length)
                self._written_back = self.offset
            return descriptor

    def finish(self, pieces: list[bytes]) -> None:
        try:
            descriptor = self.append(pieces)
            with storage_errors("storing a blob"):
                os.fsync(descriptor)
                self._directory.sync_name(self._path)
        finally:
            self.close()

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _open(self, flags: int) -> int:
        descriptor = self._directory.open(self._path, os.O_WRONLY | flags)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise UploadBusy(upload_id=self._key.rpartition("/")[2]) from error
            raise
        self._descriptor = descriptor
        return descriptor

    def _hash(self, pieces: list[bytes], count: int) -> list[bytes]:
        """Feed the first `count` bytes to the hasher; return the others."""
        for position, piece in enumerate(pieces):
            part = piece if len(piece) <= count else piece[:count]
            self._hasher.update(part)
            self.offset += len(part)
            count -= len(part)
            if count == 0:
                rest = piece[len(part) :]
                return ([rest] if rest else []) + pieces[position + 1 :]
        return []


class FileWriter:
    """Fills one batch while a thread writes and hashes the one before."""

    def __init__(self, file: KeyFile, threads: ThreadPoolExecutor) -> None:
        self._file = file
        self._threads = threads
        self._pieces: list[bytes] = []
        self._buffered = 0
        # A failed job stays here, so that every later call fails with its error.
        self._running: Future[object] | None = None
        self._closing: Future[object] | None = None

    @property
    def offset(self) -> int:
        return self._file.offset

    async def write(self, chunk: bytes) -> None:
        if self._closing is not None:
            raise ValueError("the writer is closed")
        if chunk:
            self._pieces.append(chunk)
            self._buffered += len(chunk)
        if self._buffered >= PIECE:
            await self._settle()
            self._submit(self._file.append)

    async def flush(self) -> None:
        await self._settle()
        if self._pieces:
            self._submit(self._file.append)
            await self._settle()

    async def finish(self) -> None:
        if self._closing is not None:
            raise ValueError("the writer is closed")
        await self._settle()
        self._closing = self._submit(self._file.finish)
        await self._settle()

    async def close(self) -> None:
        self._pieces = []
        if self._closing is None:
            self._closing = self._threads.submit(self._close_after, self._running)
        if not self._closing.done():
            with contextlib.suppress(StorageFull, StorageReadOnly, StorageFailed, UploadBusy):
                await asyncio.shield(asyncio.wrap_future(self._closing))

    def _submit(self, job: Callable[[list[bytes]], object]) -> "Future[object]":
        pieces, self._pieces, self._buffered = self._pieces, [], 0
        self._running = self._threads.submit(job, pieces)
        return self._running

    async def _settle(self) -> None:
        if self._running is not None:
            if not self._running.done():
                await asyncio.shield(asyncio.wrap_future(self._running))
            self._running.result()
            self._running = None

    def _close_after(self, running: "Future[object] | None") -> None:
        if running is not None:
            wait([running])
        self._file.close()
