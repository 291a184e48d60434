"""Groups and their members as a directory has them, by each of the three schemas."""

from collections.abc import Sequence
from typing import Protocol

from atomic_registry.identity.accounts import check_user_name
from atomic_registry.identity.group_sync_config import (
    ActiveDirectory,
    AugmentedActiveDirectory,
    FoundGroup,
    LdapSyncConfig,
    Rfc2307,
    Schema,
    Wanted,
)
from atomic_registry.identity.ldap_connection import (
    Entry,
    LdapConnection,
    LdapServer,
    connect,
)
from atomic_registry.identity.ldap_entries import (
    Entries,
    GroupUnreadable,
    name_of,
    narrowed,
    search_of,
    values_of,
)
from atomic_registry.identity.ldap_url import LdapUrl

_SECONDS = 30


class GroupReader(Protocol):
    """Asks the directory for groups by their unique names; raises `RemoteFailed` as it does."""

    def uids(self) -> list[str]:
        """Return the unique name of every group."""
        ...

    def name(self, uid: str) -> str:
        """Return what the directory calls the group.

        Raises:
            GroupUnreadable: it is not there, or has no name.
        """
        ...

    def members(self, uid: str) -> list[str]:
        """Return the user names of its members.

        Raises:
            GroupUnreadable: it is not there, or one of its members cannot be told.
        """
        ...

    def exists(self, uid: str) -> bool:
        """Tell whether the group is there."""
        ...


def reader_for(schema: Schema, connection: LdapConnection) -> GroupReader:
    """Return the reader of a schema."""
    if isinstance(schema, Rfc2307):
        return _Rfc2307Reader(schema, connection)
    if isinstance(schema, AugmentedActiveDirectory):
        return _AugmentedReader(schema, connection)
    return _ActiveDirectoryReader(schema, connection)


class _Rfc2307Reader:
    def __init__(self, schema: Rfc2307, connection: LdapConnection) -> None:
        self._schema = schema
        self._groups = Entries(
            connection,
            schema.groups_query,
            schema.group_uid_attribute,
            (*schema.group_name_attributes, *schema.group_membership_attributes),
        )
        self._users = Entries(
            connection,
            schema.users_query,
            schema.user_uid_attribute,
            schema.user_name_attributes,
        )

    def uids(self) -> list[str]:
        return list(self._groups.all())

    def name(self, uid: str) -> str:
        return name_of(self._groups.get(uid), self._schema.group_name_attributes)

    def members(self, uid: str) -> list[str]:
        group = self._groups.get(uid)
        found = [
            member
            for attribute in self._schema.group_membership_attributes
            for member in values_of(group, attribute)
            if not self._is_skipped(member)
        ]
        names = self._schema.user_name_attributes
        return [name_of(self._users.get(member), names) for member in found]

    def exists(self, uid: str) -> bool:
        return bool(self._groups.find(uid))

    def _is_skipped(self, member: str) -> bool:
        if self._users.is_out_of_scope(member):
            return self._schema.tolerate_member_out_of_scope_errors
        return self._schema.tolerate_member_not_found_errors and not self._users.find(member)


class _ActiveDirectoryReader:
    def __init__(self, schema: ActiveDirectory, connection: LdapConnection) -> None:
        self._schema = schema
        self._connection = connection
        self._attributes = (*schema.user_name_attributes, *schema.group_membership_attributes)

    def uids(self) -> list[str]:
        users = self._connection.search(search_of(self._schema.users_query), self._attributes)
        return sorted({uid for user in users for uid in self._groups_of(user)})

    def name(self, uid: str) -> str:
        return uid

    def members(self, uid: str) -> list[str]:
        # By name of the entry: a user may name a group in several attributes.
        users: dict[str, Entry] = {}
        for attribute in self._schema.group_membership_attributes:
            query = narrowed(self._schema.users_query, attribute, uid)
            found = self._connection.search(search_of(query), self._attributes)
            users |= {it.dn: it for it in found}
        return [name_of(user, self._schema.user_name_attributes) for user in users.values()]

    def exists(self, uid: str) -> bool:
        return any(
            self._connection.search(
                search_of(narrowed(self._schema.users_query, attribute, uid)), self._attributes
            )
            for attribute in self._schema.group_membership_attributes
        )

    def _groups_of(self, user: Entry) -> list[str]:
        names = self._schema.group_membership_attributes
        return [uid for attribute in names for uid in values_of(user, attribute)]


class _AugmentedReader(_ActiveDirectoryReader):
    def __init__(self, schema: AugmentedActiveDirectory, connection: LdapConnection) -> None:
        super().__init__(schema, connection)
        self._names = schema.group_name_attributes
        self._groups = Entries(
            connection, schema.groups_query, schema.group_uid_attribute, self._names
        )

    def name(self, uid: str) -> str:
        return name_of(self._groups.get(uid), self._names)

    def exists(self, uid: str) -> bool:
        return bool(self._groups.find(uid)) and super().exists(uid)


def read_groups(
    config: LdapSyncConfig, schema: Schema, wanted: Wanted
) -> tuple[list[FoundGroup], list[str]]:
    """Return groups of the directory, and why others cannot be read; blocks.

    Raises:
        RemoteFailed: the directory cannot be asked.
    """
    found: dict[str, FoundGroup] = {}
    problems: list[str] = []
    with connect(_server_of(config)) as connection:
        reader = reader_for(schema, connection)
        try:
            uids = reader.uids() if wanted.uids is None else wanted.uids
        except GroupUnreadable as error:
            return [], [str(error)]
        for uid in dict.fromkeys(uids):
            if uid in wanted.without:
                continue
            try:
                group = _read_group(reader, uid, wanted.names.get(uid, ""), problems)
            except GroupUnreadable as error:
                problems.append(f"LDAP group {uid}: {error}")
                continue
            first = found.setdefault(group.name, group)
            if first is not group:
                problems.append(f"LDAP group {uid}: {first.uid} is called {group.name!r} as well")
    return list(found.values()), problems


def find_absent(config: LdapSyncConfig, schema: Schema, uids: Sequence[str]) -> list[str]:
    """Return which of the groups the directory no longer has; blocks.

    Raises:
        RemoteFailed: the directory cannot be asked.
    """
    with connect(_server_of(config)) as connection:
        reader = reader_for(schema, connection)
        return [uid for uid in uids if not reader.exists(uid)]


def _server_of(config: LdapSyncConfig) -> LdapServer:
    return LdapServer(
        url=LdapUrl.parse(config.url),
        bind_dn=config.bind_dn,
        bind_password=config.bind_password,
        is_insecure=config.insecure,
        ca=config.ca,
        # A list takes longer than the one entry of a login.
        seconds=_SECONDS,
    )


def _read_group(reader: GroupReader, uid: str, name: str, problems: list[str]) -> FoundGroup:
    name = name or reader.name(uid)
    # Nothing here may pass for a group of the system: their names have a colon.
    fault = check_user_name(name)
    if fault:
        raise GroupUnreadable(f"its name {name!r} cannot be used here: {fault}")
    users = set()
    for user in reader.members(uid):
        fault = check_user_name(user)
        if fault:
            problems.append(f"LDAP group {uid}: member {user!r} is left out: {fault}")
        else:
            users.add(user)
    return FoundGroup(uid=uid, name=name, users=tuple(sorted(users)))
