"""Files of a directory that is open to the world: what is outside it cannot be reached.

Each part of a path is opened below the one before it, and symbolic links are not followed, so
that neither `..` nor a link nor an exchange in between leads elsewhere. Names that begin with a
dot are not served.
"""

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import FileIO
from mimetypes import MimeTypes
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from atomic_registry.errors import StorageFailed

_PIECE = 1024 * 1024
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_ABSENT = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EACCES,
        errno.ENXIO,
        errno.EISDIR,
        errno.EINVAL,
    }
)
# Only what the library knows by itself: the machine's own tables differ.
_TYPES = MimeTypes(filenames=())
_MORE_TYPES = {
    ".crt": "application/x-x509-ca-cert",
    ".pem": "application/x-pem-file",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".md": "text/markdown",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}


class FileSource:
    """An open file as the source of a body; it stays open until a read in a thread is over."""

    file: BinaryIO | None

    def __init__(self, file: FileIO) -> None:
        self.file = file
        self._file = file
        self._pending: asyncio.Future[bytes] | None = None

    async def read(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """Yield the bytes in pieces.

        Raises:
            StorageFailed: the file has become shorter.
        """
        end = offset + length
        while offset < end:
            size = min(_PIECE, end - offset)
            loop = asyncio.get_running_loop()
            self._pending = loop.run_in_executor(None, os.pread, self._file.fileno(), size, offset)
            piece = await asyncio.shield(self._pending)
            if not piece:
                raise StorageFailed(what="reading a file", reason=f"it ends at byte {offset}")
            offset += len(piece)
            yield piece

    def close(self) -> None:
        if self._pending is None or self._pending.done():
            self._file.close()
        else:
            self._pending.add_done_callback(lambda _: self._file.close())


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """A file that was found; whoever opened it closes the source."""

    source: FileSource
    size: int
    etag: str
    content_type: str


def open_beneath(directory: Path, path: str) -> StaticFile | None:
    """Return the regular file of this relative path below the directory, or None.

    Raises:
        StorageFailed: the disk fails.
    """
    parts = path.split("/")
    if not all(part and part[0] != "." and "\0" not in part for part in parts):
        return None
    try:
        descriptor = _open_parts(directory, parts)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise StorageFailed(what="opening a file", reason=str(error)) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    return StaticFile(
        source=FileSource(FileIO(descriptor, "rb")),
        size=status.st_size,
        etag=f'"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"',
        content_type=content_type(parts[-1]),
    )


def content_type(name: str) -> str:
    """Return the media type of a file name; what is unknown is bytes."""
    found = _MORE_TYPES.get(PurePosixPath(name).suffix.lower()) or _TYPES.guess_type(name)[0]
    kind = found or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def _open_parts(directory: Path, parts: list[str]) -> int:
    below = os.open(directory, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _OPEN | os.O_DIRECTORY, dir_fd=below)
            os.close(below)
            below = inner
        return os.open(parts[-1], _OPEN, dir_fd=below)
    finally:
        os.close(below)
