"""Brings groups from a directory here, and removes those that are gone there.

The directory is read first and to the end: when it fails, nothing has been written. Groups that
were made here, or come from another server, are never touched.
"""

import asyncio
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from atomic_registry.clock import Clock
from atomic_registry.identity.group_sync_config import (
    FoundGroup,
    LdapSyncConfig,
    Wanted,
    address_of,
    schema_of,
)
from atomic_registry.identity.ports import IdentityStore, Transaction
from atomic_registry.identity.providers.ldap_url import LdapUrl
from atomic_registry.identity.records import Group
from atomic_registry.kube.objects import ObjectMeta, timestamp

HOST_LABEL = "openshift.io/ldap.host"
URL_ANNOTATION = "openshift.io/ldap.url"
UID_ANNOTATION = "openshift.io/ldap.uid"
SYNC_TIME_ANNOTATION = "openshift.io/ldap.sync-time"
ACTOR = "system:ldap-group-sync"
_PAGE = 500

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


class GroupSync:
    """Synchronises with one directory."""

    def __init__(self, config: LdapSyncConfig, store: IdentityStore, clock: Clock) -> None:
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

    async def sync(self, selection: Selection, *, dry_run: bool) -> SyncReport:
        """Make the members of the selected groups those of the directory.

        A group whose members are right already is not written, so that its time of
        synchronisation is that of its last change.

        Raises:
            RemoteFailed: the directory cannot be read; nothing was written.
        """
        known, problems = await self._select_stored(selection)
        wanted = self._wanted(selection, known)
        found, unreadable = await asyncio.to_thread(self._read, wanted)
        problems += unreadable
        changes: list[GroupChange] = []
        for group in [*found, *await self._under_old_names(found)]:
            change = await self._apply(group, dry_run=dry_run)
            if isinstance(change, str):
                problems.append(change)
            else:
                changes.append(change)
        return SyncReport(changes=tuple(changes), problems=tuple(problems))

    async def prune(self, selection: Selection, *, dry_run: bool) -> SyncReport:
        """Delete groups that came from this directory and are no longer in it.

        The lists of the selection hold names of groups here.

        Raises:
            RemoteFailed: the directory cannot be read; nothing was deleted.
        """
        chosen = Selection(
            by="openshift", whitelist=selection.whitelist, blacklist=selection.blacklist
        )
        known, problems = await self._select_stored(chosen)
        gone = await asyncio.to_thread(self._absent, list(known))
        changes = [
            GroupChange(name=known[uid], uid=uid, action="deleted")
            for uid in gone
            if dry_run or await self._remove(known[uid], uid)
        ]
        return SyncReport(changes=tuple(changes), problems=tuple(problems))

    async def _select_stored(self, selection: Selection) -> tuple[dict[str, str], list[str]]:
        """Return the names of selected groups from this directory by their unique name there."""
        if selection.by == "ldap":
            return {}, []
        stored = await self._store.read(lambda tx: list(_all_groups(tx)))
        own = {it.metadata.name: _uid(it) for it in stored if self._is_own(it)}
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

    async def _under_old_names(self, found: Sequence[FoundGroup]) -> list[FoundGroup]:
        """Return the groups again under the names that they were brought here by before.

        Rights may still be bound to such a name, so its members must not go stale.
        """
        by_uid = {group.uid: group for group in found}
        stored = await self._store.read(lambda tx: list(_all_groups(tx)))
        return [
            dataclasses.replace(by_uid[_uid(it)], name=it.metadata.name)
            for it in stored
            if self._is_own(it) and _uid(it) in by_uid and by_uid[_uid(it)].name != it.metadata.name
        ]

    def _wanted(self, selection: Selection, known: dict[str, str]) -> Wanted:
        names = {**self._config.group_uid_name_mapping, **known}
        if selection.by == "openshift":
            return Wanted(uids=tuple(known), names=names)
        without = frozenset(selection.blacklist)
        return Wanted(uids=selection.whitelist or None, without=without, names=names)

    async def _apply(self, group: FoundGroup, *, dry_run: bool) -> GroupChange | str:
        """Return what was done, or would be, or why nothing can be."""
        if dry_run:
            return await self._store.read(lambda tx: self._plan(tx, group)[0])

        def write(tx: Transaction) -> GroupChange | str:
            change, item = self._plan(tx, group)
            if item is not None and item.metadata.uid:
                tx.objects.update(item, actor=ACTOR, now=self._clock.now())
            elif item is not None:
                tx.objects.add(item, actor=ACTOR, now=self._clock.now())
            return change

        return await self._store.write(write)

    def _plan(self, tx: Transaction, group: FoundGroup) -> tuple[GroupChange | str, Group | None]:
        """Return the change, and the object to write if there is something to write."""
        stored = tx.objects.find(Group, group.name, lock=True)
        if stored is not None and not (self._is_own(stored) and _uid(stored) == group.uid):
            reason = f"LDAP group {group.uid}: a group {group.name} of another origin exists"
            return reason, None
        item = stored or self._new(group)
        before = set(item.users)
        change = GroupChange(
            name=group.name,
            uid=group.uid,
            action="created" if stored is None else "updated",
            added=tuple(it for it in group.users if it not in before),
            removed=tuple(sorted(before - set(group.users))),
        )
        if stored is not None and not change.added and not change.removed:
            return dataclasses.replace(change, action="unchanged"), None
        item.users = list(group.users)
        item.metadata.annotations[SYNC_TIME_ANNOTATION] = timestamp(self._clock.now())
        return change, item

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

    async def _remove(self, name: str, uid: str) -> bool:
        def write(tx: Transaction) -> bool:
            stored = tx.objects.find(Group, name, lock=True)
            # Between reading and deleting, somebody may have made another group of this name.
            if stored is None or not self._is_own(stored) or _uid(stored) != uid:
                return False
            tx.objects.remove(stored, actor=ACTOR, now=self._clock.now())
            return True

        return await self._store.write(write)


def _uid(group: Group) -> str:
    return group.metadata.annotations.get(UID_ANNOTATION, "")


def _all_groups(tx: Transaction) -> Iterator[Group]:
    after = ("", "")
    while page := tx.objects.list(Group, after=after, limit=_PAGE):
        yield from page
        after = (page[-1].metadata.namespace, page[-1].metadata.name)
