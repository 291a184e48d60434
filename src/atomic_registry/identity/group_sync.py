"""Brings groups from a directory here, and removes those that are gone there.

The directory is read first and to the end: when it fails, nothing has been written. Groups that
were made here, or come from another server, are never touched.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from atomic_registry.clock import Clock
from atomic_registry.errors import Conflict, NotFound
from atomic_registry.identity.group_sync_config import (
    FoundGroup,
    LdapSyncConfig,
    Wanted,
    address_of,
    schema_of,
)
from atomic_registry.identity.ldap_url import LdapUrl
from atomic_registry.identity.records import Group
from atomic_registry.kube.objects import ObjectMeta, timestamp

HOST_LABEL = "openshift.io/ldap.host"
URL_ANNOTATION = "openshift.io/ldap.url"
UID_ANNOTATION = "openshift.io/ldap.uid"
SYNC_TIME_ANNOTATION = "openshift.io/ldap.sync-time"

Action = Literal["created", "updated", "unchanged", "deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which groups: an empty whitelist is all of them.

    With `by` "ldap" the lists hold unique names of the directory, with "openshift" names of
    groups that were brought here before.
    """

    by: Literal["ldap", "openshift"] = "ldap"
    whitelist: tuple[str, ...] = ()
    blacklist: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChange:
    """What happened to a group, or would without the dry run."""

    name: str
    uid: str
    action: Action
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What was done, and which groups were left as they are, each with the reason."""

    changes: tuple[GroupChange, ...]
    problems: tuple[str, ...]


class GroupStore(Protocol):
    """Where the groups are kept; what it returns belongs to the caller."""

    def list_groups(self) -> list[Group]:
        """Return all groups, each with the version that it has now."""
        ...

    def add_group(self, group: Group) -> None:
        """Keep a new group.

        Raises:
            Conflict: one of its name is there.
        """
        ...

    def update_group(self, group: Group) -> None:
        """Replace a group.

        Raises:
            Conflict: it has changed since it was listed.
            NotFound: it is gone.
        """
        ...

    def remove_group(self, group: Group) -> None:
        """Delete a group.

        Raises:
            Conflict: it has changed since it was listed.
            NotFound: it is gone.
        """
        ...


class GroupSync:
    """Synchronises with one directory."""

    def __init__(self, config: LdapSyncConfig, store: GroupStore, clock: Clock) -> None:
        """Check the configuration.

        Raises:
            ObjectInvalid: with everything that is wrong in it.
        """
        self._schema = schema_of(config)
        self._config = config
        self._store = store
        self._clock = clock
        url = LdapUrl.parse(config.url)
        self._host = url.host
        self._url = address_of(url)

    def sync(self, selection: Selection, *, dry_run: bool) -> SyncReport:
        """Make the members of the selected groups those of the directory.

        A group whose members are right already is not written, so that its time of
        synchronisation is that of its last change.

        Raises:
            RemoteFailed: the directory cannot be read; nothing was written.
        """
        stored = {group.metadata.name: group for group in self._store.list_groups()}
        known, problems = self._select_stored(stored, selection)
        found, unreadable = self._read(self._wanted(selection, known))
        problems += unreadable
        changes: list[GroupChange] = []
        for group in [*found, *self._under_old_names(stored, found)]:
            before = stored.get(group.name)
            if before is not None and not self._is_same(before, group):
                reason = f"LDAP group {group.uid}: a group {group.name} of another origin exists"
                problems.append(reason)
                continue
            change = _change(before, group)
            if change.action != "unchanged":
                stored[group.name] = item = self._with_members(before, group)
                write = self._store.add_group if before is None else self._store.update_group
                if not dry_run and not _is_done(write, item, problems):
                    continue
            changes.append(change)
        return SyncReport(changes=tuple(changes), problems=tuple(problems))

    def prune(self, selection: Selection, *, dry_run: bool) -> SyncReport:
        """Delete groups that came from this directory and are no longer in it.

        The lists of the selection hold names of groups here.

        Raises:
            RemoteFailed: the directory cannot be read; nothing was deleted.
        """
        chosen = Selection(
            by="openshift", whitelist=selection.whitelist, blacklist=selection.blacklist
        )
        stored = {group.metadata.name: group for group in self._store.list_groups()}
        known, problems = self._select_stored(stored, chosen)
        changes = []
        for uid in self._absent(list(known)):
            group = stored[known[uid]]
            if dry_run or _is_done(self._store.remove_group, group, problems):
                changes.append(GroupChange(name=known[uid], uid=uid, action="deleted"))
        return SyncReport(changes=tuple(changes), problems=tuple(problems))

    def _select_stored(
        self, stored: Mapping[str, Group], selection: Selection
    ) -> tuple[dict[str, str], list[str]]:
        """Return the names of selected groups from this directory by their unique name there."""
        if selection.by == "ldap":
            return {}, []
        own = {name: _uid(it) for name, it in stored.items() if self._is_own(it)}
        wanted = selection.whitelist or tuple(own)
        problems = [
            f"group {name}: it was not brought here from {self._url}"
            for name in wanted
            if name not in own
        ]
        chosen = {own[it]: it for it in wanted if it in own and it not in selection.blacklist}
        return chosen, problems

    # Loading the client takes 0.2 s, which only those who use it should pay.

    def _read(self, wanted: Wanted) -> tuple[list[FoundGroup], list[str]]:
        from atomic_registry.identity.ldap_groups import read_groups  # noqa: PLC0415

        return read_groups(self._config, self._schema, wanted)

    def _absent(self, uids: Sequence[str]) -> list[str]:
        from atomic_registry.identity.ldap_groups import find_absent  # noqa: PLC0415

        return find_absent(self._config, self._schema, uids)

    def _under_old_names(
        self, stored: Mapping[str, Group], found: Sequence[FoundGroup]
    ) -> list[FoundGroup]:
        """Return the groups again under the names that they were brought here by before.

        Rights may still be bound to such a name, so its members must not go stale.
        """
        by_uid = {group.uid: group for group in found}
        return [
            dataclasses.replace(by_uid[_uid(it)], name=name)
            for name, it in stored.items()
            if self._is_own(it) and _uid(it) in by_uid and by_uid[_uid(it)].name != name
        ]

    def _wanted(self, selection: Selection, known: dict[str, str]) -> Wanted:
        names = {**self._config.group_uid_name_mapping, **known}
        if selection.by == "openshift":
            return Wanted(uids=tuple(known), names=names)
        without = frozenset(selection.blacklist)
        return Wanted(uids=selection.whitelist or None, without=without, names=names)

    def _with_members(self, before: Group | None, found: FoundGroup) -> Group:
        item = before or self._new(found)
        item.users = list(found.users)
        item.metadata.annotations[SYNC_TIME_ANNOTATION] = timestamp(self._clock.now())
        return item

    def _new(self, group: FoundGroup) -> Group:
        annotations = {URL_ANNOTATION: self._url, UID_ANNOTATION: group.uid}
        labels = {HOST_LABEL: self._host}
        return Group(metadata=ObjectMeta(name=group.name, labels=labels, annotations=annotations))

    def _is_own(self, group: Group) -> bool:
        metadata = group.metadata
        return (
            metadata.labels.get(HOST_LABEL) == self._host
            and metadata.annotations.get(URL_ANNOTATION) == self._url
            and bool(_uid(group))
        )

    def _is_same(self, stored: Group, found: FoundGroup) -> bool:
        return self._is_own(stored) and _uid(stored) == found.uid


def _is_done(write: Callable[[Group], None], group: Group, problems: list[str]) -> bool:
    """Tell whether it was written; what another writer did meanwhile stops this group only."""
    try:
        write(group)
    except (Conflict, NotFound) as error:
        problems.append(f"group {group.metadata.name}: {error.message}")
        return False
    return True


def _change(before: Group | None, found: FoundGroup) -> GroupChange:
    if before is None:
        return GroupChange(name=found.name, uid=found.uid, action="created", added=found.users)
    held = set(before.users)
    added = tuple(user for user in found.users if user not in held)
    removed = tuple(sorted(held - set(found.users)))
    return GroupChange(
        name=found.name,
        uid=found.uid,
        action="updated" if added or removed else "unchanged",
        added=added,
        removed=removed,
    )


def _uid(group: Group) -> str:
    return group.metadata.annotations.get(UID_ANNOTATION, "")
