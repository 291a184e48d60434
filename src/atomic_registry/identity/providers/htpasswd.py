"""User names and hashed passwords from a file in the format of Apache's htpasswd.

The file is read again when it changes. Every login checks one hash of each kind that the file
holds, so that time tells neither whether a user exists nor how the password is hashed.
"""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import structlog

from atomic_registry.errors import ProviderFailed
from atomic_registry.identity.ports import Person
from atomic_registry.identity.providers.pairs import is_usable_pair
from atomic_registry.identity.providers.password_hashes import PasswordHash, parse_hash

_logger = structlog.get_logger(__name__)

# Hashing takes a whole core and, with argon2, 64 MiB; more threads would starve requests.
_HASHING_THREADS = 2
_MAX_FILE_BYTES = 16 * 1024 * 1024

Stamp = tuple[int, int, int]
"""Modification time, size and inode of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entries:
    users: Mapping[str, PasswordHash]
    by_cost: Mapping[str, PasswordHash]


class HTPasswd:
    """Users of one file."""

    def __init__(self, *, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._pool = ThreadPoolExecutor(_HASHING_THREADS, thread_name_prefix="htpasswd")
        self._lock = threading.Lock()
        self._entries: _Entries | None = None
        self._stamp: Stamp | None = None
        self._is_stale = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def version(self) -> str:
        """Changes when the file does; what was remembered of an older one no longer holds."""
        try:
            return repr(self._read_stamp())
        except OSError:
            return "unreadable"

    async def authenticate(self, username: str, password: str) -> Person | None:
        if not is_usable_pair(username, password):
            return None
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(self._pool, self._check, username, password.encode()):
            return Person(id=username, preferred_username=username)
        return None

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _check(self, username: str, secret: bytes) -> bool:
        entries = self._current()
        wanted = entries.users.get(username)
        good = False
        for cost, other in entries.by_cost.items():
            if wanted is not None and wanted.cost == cost:
                good = wanted.matches(secret)
            else:
                other.matches(secret)
        return good

    def _current(self) -> _Entries:
        with self._lock:
            try:
                stamp = self._read_stamp()
                if stamp != self._stamp or self._entries is None:
                    self._entries = self._read()
                    self._stamp = stamp
                self._is_stale = False
            except OSError as error:
                if self._entries is None:
                    reason = f"{self._path} cannot be read"
                    raise ProviderFailed(provider=self._name, reason=reason) from error
                self._keep(error)
            return self._entries

    def _keep(self, error: OSError) -> None:
        # Reported once, not at each login, until it can be read again.
        if not self._is_stale:
            self._is_stale = True
            _logger.error(
                "password file cannot be read; the passwords known before stay in force",
                provider=self._name,
                path=str(self._path),
                reason=str(error),
            )

    def _read_stamp(self) -> Stamp:
        status = self._path.stat()
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> _Entries:
        with self._path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise OSError(f"it is larger than {_MAX_FILE_BYTES} bytes")
        users: dict[str, PasswordHash] = {}
        by_cost: dict[str, PasswordHash] = {}
        for number, line in enumerate(content.splitlines(), start=1):
            if not line.strip() or line.lstrip().startswith(b"#"):
                continue
            entry = _parse_line(line)
            if entry is None:
                self._complain(number)
                continue
            # Apache too takes the first of two lines for one user.
            users.setdefault(*entry)
            by_cost.setdefault(entry[1].cost, entry[1])
        return _Entries(users=users, by_cost=by_cost)

    def _complain(self, number: int) -> None:
        _logger.warning(
            "line of the password file is ignored: only bcrypt, argon2, apr1 and {SHA} are known",
            provider=self._name,
            path=str(self._path),
            line=number,
        )


def _parse_line(line: bytes) -> tuple[str, PasswordHash] | None:
    try:
        user, _, rest = line.decode().rstrip().partition(":")
    except UnicodeDecodeError:
        return None
    # Other tools append further fields; the hash itself holds no colon.
    known = parse_hash(rest.partition(":")[0])
    return (user, known) if user and known else None
