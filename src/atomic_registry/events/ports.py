"""What this package needs of a store; adapters live in `store` and pass `tests/contract/`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

ADDED = "added"
MODIFIED = "modified"
DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row of the change log.

    `kind` is the plural of a stored kind, or `repository`. `body` is the state that the change
    left, or the last one of what was deleted; `labels_before` are those of the state before, as
    JSON, and empty where they were not recorded.
    """

    revision: int
    at: datetime
    actor: str
    kind: str
    namespace: str
    name: str
    verb: str
    body: str
    labels_before: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Changes of one snapshot, oldest first.

    `floor` is the oldest revision that can be replayed from, `newest` the last one of all; both
    count changes of every kind.
    """

    changes: Sequence[Change]
    floor: int
    newest: int


class ChangeLog(Protocol):
    """The change log. Every method raises `Unavailable` when the database cannot serve."""

    async def last_revision(self) -> int:
        """Return the revision of the newest change."""
        ...

    async def list_changes(self, after: int, *, kinds: Collection[str], limit: int) -> LogPage:
        """Return the first changes of these kinds above a revision."""
        ...

    async def drop_changes(self, *, before: datetime, keep: int, limit: int) -> int:
        """Drop the oldest changes and return how many, at most `limit`.

        Those since a time and the newest `keep` stay, and always the last one of all.
        """
        ...


class RepositoryLog(Protocol):
    """The part of the change log that tells of repositories, by project."""

    async def list_of_repositories(
        self, project: str | None, *, up_to: int, since: datetime, limit: int
    ) -> Sequence[Change]:
        """Return the newest changes of a project's repositories, or of all, newest first.

        None above the revision, none from before the time, and none from before the project was
        last made: what an earlier one of its name held is nobody's business.

        Raises:
            Unavailable: the database cannot be read.
        """
        ...
