"""Entries of a directory, one by one or all, and the texts in them."""

import dataclasses
from collections.abc import Sequence

from atomic_registry.identity.group_sync_config import DN, LdapQuery
from atomic_registry.identity.ldap_connection import Entry, LdapConnection, Search, is_within
from atomic_registry.identity.ldap_url import escape_filter_value


class GroupUnreadable(Exception):
    """One group cannot be read; the others can."""


class Entries:
    """Entries of one query by an attribute that tells them apart; each is asked for once."""

    def __init__(
        self,
        connection: LdapConnection,
        query: LdapQuery,
        uid_attribute: str,
        attributes: Sequence[str],
    ) -> None:
        self._connection = connection
        self._query = query
        self._uid = uid_attribute
        self._attributes = sorted({uid_attribute, *attributes})
        self._known: dict[str, list[Entry]] = {}

    def all(self) -> dict[str, Entry]:
        """Return every entry by its unique name."""
        entries = self._connection.search(search_of(self._query), self._attributes)
        found: dict[str, Entry] = {}
        for entry in entries:
            uid = _first(entry, (self._uid,))
            if not uid:
                raise GroupUnreadable(f"{entry.dn} has no {self._uid}")
            if uid in found:
                raise GroupUnreadable(f"{entry.dn} and {found[uid].dn} have the same {self._uid}")
            found[uid] = entry
        self._known |= {uid: [entry] for uid, entry in found.items()}
        return found

    def get(self, uid: str) -> Entry:
        """Return the one entry of this name.

        Raises:
            GroupUnreadable: there is none, or more than one.
        """
        entries = self.find(uid)
        if len(entries) != 1:
            count = "no entry" if not entries else "more than one entry"
            raise GroupUnreadable(f"{count} has the {self._uid} {uid!r}")
        return entries[0]

    def find(self, uid: str) -> list[Entry]:
        """Return the entries of this name: one, unless something is wrong."""
        if uid not in self._known:
            self._known[uid] = self._search(uid)
        return self._known[uid]

    def is_out_of_scope(self, uid: str) -> bool:
        """Tell whether the query never looks where this name lies."""
        return self._uid.lower() == DN and not is_within(uid, self._query.base_dn)

    def _search(self, uid: str) -> list[Entry]:
        if self._uid.lower() != DN:
            query = narrowed(self._query, self._uid, uid)
            return self._connection.search(search_of(query), self._attributes)
        if self.is_out_of_scope(uid):
            return []
        single = dataclasses.replace(self._query, base_dn=uid, scope="base")
        return self._connection.search(search_of(single), self._attributes)


def search_of(query: LdapQuery) -> Search:
    """Return the search that a query of the configuration stands for."""
    return Search(
        base=query.base_dn,
        filter=query.filter,
        scope=query.scope,
        dereference=query.deref_aliases,
        seconds=query.timeout,
        page_size=query.page_size,
    )


def narrowed(query: LdapQuery, attribute: str, value: str) -> LdapQuery:
    """Return the query for those of its entries whose attribute has the value."""
    own = query.filter or "(objectClass=*)"
    text = f"(&{own}({attribute}={escape_filter_value(value)}))"
    return dataclasses.replace(query, filter=text)


def name_of(entry: Entry, attributes: Sequence[str]) -> str:
    """Return the first value of the first attribute that has one.

    Raises:
        GroupUnreadable: none has.
    """
    name = _first(entry, attributes)
    if not name:
        raise GroupUnreadable(f"{entry.dn} has none of {', '.join(attributes)}")
    return name


def _first(entry: Entry, attributes: Sequence[str]) -> str:
    return next((it for name in attributes for it in values_of(entry, name) if it), "")


def values_of(entry: Entry, attribute: str) -> list[str]:
    """Return the values of an attribute, which may be `dn`.

    Raises:
        GroupUnreadable: one of them is no text.
    """
    if attribute.lower() == DN:
        return [entry.dn]
    try:
        return [bytes(value).decode() for value in entry.attributes.get(attribute.lower(), ())]
    except UnicodeDecodeError as error:
        raise GroupUnreadable(f"{attribute} of {entry.dn} is not text") from error
