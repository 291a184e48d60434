"""The document `LDAPSyncConfig`: where groups are in a directory, and what they are called here.

Fields are the original's keys (`config/documents.py` reads the metadata); the schemas are those of
OpenShift Origin 1.x, "Syncing Groups With LDAP".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from atomic_registry.errors import ObjectInvalid, ParameterInvalid
from atomic_registry.identity.ldap_url import LdapUrl

KIND = "LDAPSyncConfig"
DN = "dn"


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapQuery:
    """What to search for; 0 leaves the time and the size of a page to this program."""

    base_dn: str = field(default="", metadata={"key": "baseDN"})
    scope: Literal["base", "one", "sub"] = "sub"
    deref_aliases: Literal["never", "search", "base", "always"] = "always"
    timeout: int = 0
    filter: str = ""
    page_size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rfc2307:
    """Groups are entries that name their members."""

    groups_query: LdapQuery
    group_uid_attribute: str = field(metadata={"key": "groupUIDAttribute"})
    group_name_attributes: tuple[str, ...]
    group_membership_attributes: tuple[str, ...]
    users_query: LdapQuery
    user_uid_attribute: str = field(metadata={"key": "userUIDAttribute"})
    user_name_attributes: tuple[str, ...]
    tolerate_member_not_found_errors: bool = False
    tolerate_member_out_of_scope_errors: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveDirectory:
    """Users are entries that name their groups; groups themselves are no entries."""

    users_query: LdapQuery
    user_name_attributes: tuple[str, ...]
    group_membership_attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentedActiveDirectory(ActiveDirectory):
    """Users are entries that name their groups, and groups are entries with a name."""

    groups_query: LdapQuery
    group_uid_attribute: str = field(metadata={"key": "groupUIDAttribute"})
    group_name_attributes: tuple[str, ...]


Schema = Rfc2307 | ActiveDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapSyncConfig:
    """The document. `group_uid_name_mapping` names groups by their unique name in the directory.

    `ldap://` is upgraded by StartTLS unless `insecure`; without a `ca` the system's count.
    """

    url: str
    bind_dn: str = field(default="", metadata={"key": "bindDN"})
    bind_password: str = field(default="", repr=False, metadata={"secret": True})
    insecure: bool = False
    ca: Path | None = None
    group_uid_name_mapping: Mapping[str, str] = field(
        default_factory=dict, metadata={"key": "groupUIDNameMapping"}
    )
    rfc2307: Rfc2307 | None = None
    active_directory: ActiveDirectory | None = None
    augmented_active_directory: AugmentedActiveDirectory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGroup:
    """A group as the directory has it; `users` is sorted."""

    uid: str
    name: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Groups to read by their unique names, or all if there are none; `names` fixes names here."""

    uids: tuple[str, ...] | None
    without: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)


def schema_of(config: LdapSyncConfig) -> Schema:
    """Return the one schema of a document, and check the document on the way.

    Raises:
        ObjectInvalid: with everything that is wrong.
    """
    schemas = {
        "rfc2307": config.rfc2307,
        "activeDirectory": config.active_directory,
        "augmentedActiveDirectory": config.augmented_active_directory,
    }
    given = {key: schema for key, schema in schemas.items() if schema is not None}
    causes = list(_connection_faults(config))
    if len(given) != 1:
        causes.append(("rfc2307", f"exactly one of {', '.join(schemas)} must be there"))
    for key, schema in given.items():
        causes += [(f"{key}.{field_name}", reason) for field_name, reason in _faults(schema)]
    if causes:
        raise ObjectInvalid(kind=KIND, name=config.url, causes=causes)
    (schema,) = given.values()
    return schema


def address_of(url: LdapUrl) -> str:
    """Return host and port, as synchronised groups remember where they come from."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{host}:{url.port}"


def _connection_faults(config: LdapSyncConfig) -> Iterator[tuple[str, str]]:
    try:
        url = LdapUrl.parse(config.url)
    except ParameterInvalid as error:
        yield "url", error.message
    else:
        if url.is_tls and config.insecure:
            yield "insecure", "ldaps is always secure: use ldap, or drop it"
    if bool(config.bind_dn) != bool(config.bind_password):
        yield "bindPassword", "bindDN and bindPassword need each other"
    if "" in config.group_uid_name_mapping.values():
        yield "groupUIDNameMapping", "a group's name is empty"


def _faults(schema: Schema) -> Iterator[tuple[str, str]]:
    queries = {"usersQuery": schema.users_query}
    names = {
        "userNameAttributes": schema.user_name_attributes,
        "groupMembershipAttributes": schema.group_membership_attributes,
    }
    if isinstance(schema, Rfc2307 | AugmentedActiveDirectory):
        queries["groupsQuery"] = schema.groups_query
        names["groupNameAttributes"] = schema.group_name_attributes
        names["groupUIDAttribute"] = (schema.group_uid_attribute,)
    if isinstance(schema, Rfc2307):
        names["userUIDAttribute"] = (schema.user_uid_attribute,)
    for key, attributes in names.items():
        if not attributes or "" in attributes:
            yield key, "it needs an attribute"
    for key, query in queries.items():
        yield from ((f"{key}.{name}", reason) for name, reason in _query_faults(query))


def _query_faults(query: LdapQuery) -> Iterator[tuple[str, str]]:
    if not query.base_dn:
        yield "baseDN", "it is empty"
    if query.filter and not query.filter.startswith("("):
        yield "filter", "it must stand in brackets, as in (objectClass=person)"
    for name, number in (("timeout", query.timeout), ("pageSize", query.page_size)):
        if number < 0:
            yield name, "it must be at least 0"
