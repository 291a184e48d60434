"""Groups of a real directory: what a synchronisation brings, takes away and leaves alone."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.kit.clock import ManualClock
from tests.kit.group_store import MemoryGroups
from tests.kit.optional import need_commands
from tests.kit.optional import run as run_command
from tests.kit.slapd import ADMIN, ADMIN_PASSWORD, BASE, Directory, running

from atomic_registry.config.documents import read_document
from atomic_registry.errors import ObjectInvalid, RemoteFailed
from atomic_registry.identity.group_sync import GroupSync, Selection, SyncReport
from atomic_registry.identity.group_sync_config import (
    ActiveDirectory,
    AugmentedActiveDirectory,
    LdapQuery,
    LdapSyncConfig,
    Rfc2307,
)
from atomic_registry.identity.records import Group
from atomic_registry.kube.objects import ObjectMeta, timestamp

# The client library uses names that a library of its own has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:(tag|type)Map is deprecated:DeprecationWarning")

EVERYTHING = Selection()
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
DEVS, OPS = f"cn=devs,{GROUPS}", f"cn=ops,{GROUPS}"
_GROUPS = f"""
dn: {GROUPS}
objectClass: organizationalUnit
ou: groups

dn: {DEVS}
objectClass: groupOfNames
cn: devs
member: uid=alice,{PEOPLE}
member: uid=bob,{PEOPLE}

dn: {OPS}
objectClass: groupOfNames
cn: ops
member: uid=carol,{PEOPLE}
"""


class Tools:
    """Changes the directory with OpenLDAP's own programs."""

    def __init__(self, directory: Directory, folder: Path) -> None:
        self.directory = directory
        self._folder = folder

    def add(self, ldif: str) -> None:
        self._run("ldapadd", ldif)

    def change(self, dn: str, *lines: str) -> None:
        self._run("ldapmodify", "\n".join([f"dn: {dn}", "changetype: modify", *lines, ""]))

    def delete(self, dn: str) -> None:
        self._run("ldapmodify", f"dn: {dn}\nchangetype: delete\n")

    def _run(self, program: str, ldif: str) -> None:
        path = self._folder / "change.ldif"
        path.write_text(ldif)
        url = f"ldap://127.0.0.1:{self.directory.port}"
        run_command([program, "-x", "-H", url, "-D", ADMIN, "-w", ADMIN_PASSWORD, "-f", path])


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[Tools]:
    need_commands("ldapadd", "ldapmodify")
    with running(tmp_path) as directory:
        tools = Tools(directory, tmp_path)
        tools.add(_GROUPS)
        yield tools


@pytest.fixture
def store() -> MemoryGroups:
    return MemoryGroups()


RFC2307 = Rfc2307(
    groups_query=LdapQuery(base_dn=GROUPS, filter="(objectClass=groupOfNames)"),
    group_uid_attribute="dn",
    group_name_attributes=("cn",),
    group_membership_attributes=("member",),
    users_query=LdapQuery(base_dn=PEOPLE),
    user_uid_attribute="dn",
    user_name_attributes=("uid",),
)


def _config(directory: Directory, schema: Rfc2307 = RFC2307) -> LdapSyncConfig:
    return LdapSyncConfig(
        url=f"ldap://127.0.0.1:{directory.port}",
        bind_dn=ADMIN,
        bind_password=ADMIN_PASSWORD,
        ca=directory.ca,
        rfc2307=schema,
    )


def _sync(config: LdapSyncConfig, store: MemoryGroups) -> GroupSync:
    return GroupSync(config, store, ManualClock())


def _short(report: SyncReport) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    return [(it.name, it.action, it.added, it.removed) for it in report.changes]


def _users(store: MemoryGroups) -> dict[str, list[str]]:
    return {group.metadata.name: group.users for group in store.list_groups()}


def test_groups_are_brought_with_the_marks_of_the_original(
    tools: Tools, store: MemoryGroups
) -> None:
    sync = _sync(_config(tools.directory), store)
    report = sync.sync(EVERYTHING, dry_run=False)
    assert () == report.problems
    assert [
        ("devs", "created", ("alice", "bob"), ()),
        ("ops", "created", ("carol",), ()),
    ] == _short(report)
    group = store.list_groups()[0]
    assert {"openshift.io/ldap.host": "127.0.0.1"} == group.metadata.labels
    assert {
        "openshift.io/ldap.url": f"127.0.0.1:{tools.directory.port}",
        "openshift.io/ldap.uid": DEVS,
        "openshift.io/ldap.sync-time": timestamp(ManualClock().now()),
    } == group.metadata.annotations
    assert ["alice", "bob"] == group.users


def test_a_dry_run_tells_and_writes_nothing(tools: Tools, store: MemoryGroups) -> None:
    sync = _sync(_config(tools.directory), store)
    dry = sync.sync(EVERYTHING, dry_run=True)
    assert 0 == store.writes
    assert {} == _users(store)
    assert dry == sync.sync(EVERYTHING, dry_run=False)


def test_a_removed_member_is_removed_here(tools: Tools, store: MemoryGroups) -> None:
    sync = _sync(_config(tools.directory), store)
    sync.sync(EVERYTHING, dry_run=False)
    tools.change(DEVS, "delete: member", f"member: uid=bob,{PEOPLE}")
    tools.change(DEVS, "add: member", f"member: uid=carol,{PEOPLE}")
    assert [
        ("devs", "updated", ("carol",), ("bob",)),
        ("ops", "unchanged", (), ()),
    ] == _short(sync.sync(EVERYTHING, dry_run=False))
    assert {"devs": ["alice", "carol"], "ops": ["carol"]} == _users(store)


def test_what_is_right_already_is_not_written(tools: Tools, store: MemoryGroups) -> None:
    sync = _sync(_config(tools.directory), store)
    sync.sync(EVERYTHING, dry_run=False)
    writes = store.writes
    sync.sync(EVERYTHING, dry_run=False)
    assert writes == store.writes


def test_lists_choose_by_names_of_the_directory(tools: Tools, store: MemoryGroups) -> None:
    sync = _sync(_config(tools.directory), store)
    sync.sync(Selection(whitelist=(OPS,)), dry_run=False)
    assert {"ops": ["carol"]} == _users(store)
    report = sync.sync(Selection(blacklist=(DEVS,)), dry_run=False)
    assert ["ops"] == [change.name for change in report.changes]
    absent = sync.sync(Selection(whitelist=(f"cn=none,{GROUPS}",)), dry_run=False)
    assert ("no entry has the dn" in absent.problems[0], ()) == (True, absent.changes)


def test_lists_choose_by_names_of_groups_that_are_here(tools: Tools, store: MemoryGroups) -> None:
    sync = _sync(_config(tools.directory), store)
    sync.sync(Selection(whitelist=(OPS,)), dry_run=False)
    tools.change(OPS, "add: member", f"member: uid=bob,{PEOPLE}")
    report = sync.sync(Selection(by="openshift"), dry_run=False)
    assert [("ops", "updated", ("bob",), ())] == _short(report)
    report = sync.sync(Selection(by="openshift", whitelist=("devs", "ops")), dry_run=False)
    assert (("ops", "unchanged", (), ()),) == tuple(_short(report))
    assert "group devs: it was not brought here" in report.problems[0]
    nothing = sync.sync(Selection(by="openshift", blacklist=("ops",)), dry_run=False)
    assert SyncReport(changes=(), problems=()) == nothing


def test_a_group_that_is_gone_there_is_pruned_here_and_no_other(
    tools: Tools, store: MemoryGroups
) -> None:
    sync = _sync(_config(tools.directory), store)
    sync.sync(EVERYTHING, dry_run=False)
    own = Group(metadata=ObjectMeta(name="own"), users=["alice"])
    store.add_group(own)
    tools.delete(OPS)
    dry = sync.prune(EVERYTHING, dry_run=True)
    assert [("ops", "deleted", (), ())] == _short(dry)
    assert 3 == len(_users(store))
    kept = sync.prune(Selection(blacklist=("ops",)), dry_run=False)
    assert () == kept.changes
    assert dry == sync.prune(EVERYTHING, dry_run=False)
    assert ["devs", "own"] == sorted(_users(store))


@pytest.mark.parametrize("name", ["other server", "no mark at all", "other group"])
def test_a_group_of_another_origin_is_left_alone(
    tools: Tools, store: MemoryGroups, name: str
) -> None:
    url = f"127.0.0.1:{tools.directory.port}"
    marks = {
        "other server": {"openshift.io/ldap.url": "10.0.0.1:389", "openshift.io/ldap.uid": DEVS},
        "other group": {"openshift.io/ldap.url": url, "openshift.io/ldap.uid": OPS},
        "no mark at all": {},
    }[name]
    labels = {"openshift.io/ldap.host": "127.0.0.1"} if marks else {}
    own = Group(
        metadata=ObjectMeta(name="devs", annotations=marks, labels=labels), users=["mallory"]
    )
    store.add_group(own)
    report = _sync(_config(tools.directory), store).sync(
        Selection(whitelist=(DEVS,)), dry_run=False
    )
    assert ([], 1) == (_short(report), len(report.problems))
    assert "of another origin exists" in report.problems[0]
    assert ["mallory"] == (_users(store))["devs"]


def test_two_groups_of_one_name_do_not_become_one(tools: Tools, store: MemoryGroups) -> None:
    mapping = {DEVS: "people", OPS: "people"}
    config = dataclasses.replace(_config(tools.directory), group_uid_name_mapping=mapping)
    dry = _sync(config, store).sync(EVERYTHING, dry_run=True)
    assert (["people"], 1) == ([it.name for it in dry.changes], len(dry.problems))
    assert dry == _sync(config, store).sync(EVERYTHING, dry_run=False)
    assert {"people": ["alice", "bob"]} == _users(store)


def test_a_group_that_somebody_changes_meanwhile_is_left_to_the_next_time(
    tools: Tools, store: MemoryGroups
) -> None:
    sync = _sync(_config(tools.directory), store)
    own = Group(metadata=ObjectMeta(name="devs"), users=["mallory"])
    store.on_list = lambda: store.add_group(own)
    report = sync.sync(EVERYTHING, dry_run=False)
    assert ["ops"] == [change.name for change in report.changes]
    assert "group devs: Group 'devs' already exists" in report.problems[0]

    tools.delete(OPS)
    store.on_list = lambda: store.update_group(store.list_groups()[1])
    report = sync.prune(EVERYTHING, dry_run=False)
    assert ((), 1) == (report.changes, len(report.problems))
    store.on_list = lambda: store.remove_group(store.list_groups()[1])
    report = sync.prune(EVERYTHING, dry_run=False)
    assert ((), 1) == (report.changes, len(report.problems))


def test_members_of_a_group_that_was_renamed_stay_right_under_both_names(
    tools: Tools, store: MemoryGroups
) -> None:
    config = _config(tools.directory)
    _sync(config, store).sync(Selection(whitelist=(OPS,)), dry_run=False)
    tools.change(OPS, "replace: member", f"member: uid=bob,{PEOPLE}")
    renamed = dataclasses.replace(config, group_uid_name_mapping={OPS: "operators"})
    _sync(renamed, store).sync(Selection(whitelist=(OPS,)), dry_run=False)
    assert {"operators": ["bob"], "ops": ["bob"]} == _users(store)


def test_no_group_of_the_directory_passes_for_one_of_the_system(
    tools: Tools, store: MemoryGroups
) -> None:
    tools.add(
        f"dn: cn=system:cluster-admins,{GROUPS}\nobjectClass: groupOfNames\n"
        f"cn: system:cluster-admins\nmember: uid=bob,{PEOPLE}\n"
    )
    report = _sync(_config(tools.directory), store).sync(EVERYTHING, dry_run=False)
    assert ["devs", "ops"] == [change.name for change in report.changes]
    assert "'system:cluster-admins' cannot be used here" in report.problems[0]


def test_a_member_without_an_entry_leaves_the_group_as_it_is_unless_tolerated(
    tools: Tools, store: MemoryGroups
) -> None:
    gone, outside = f"uid=gone,{PEOPLE}", f"cn=admin,{BASE}"
    tools.change(DEVS, "add: member", f"member: {gone}")
    tools.change(OPS, "add: member", f"member: {outside}")
    report = _sync(_config(tools.directory), store).sync(EVERYTHING, dry_run=False)
    assert () == report.changes
    assert [gone in report.problems[0], outside in report.problems[1]] == [True, True]
    tolerant = dataclasses.replace(
        RFC2307, tolerate_member_not_found_errors=True, tolerate_member_out_of_scope_errors=True
    )
    report = _sync(_config(tools.directory, tolerant), store).sync(EVERYTHING, dry_run=False)
    assert () == report.problems
    assert {"devs": ["alice", "bob"], "ops": ["carol"]} == _users(store)


def test_a_unique_name_cannot_widen_its_filter(tools: Tools, store: MemoryGroups) -> None:
    by_name = dataclasses.replace(RFC2307, group_uid_attribute="cn")
    sync = _sync(_config(tools.directory, by_name), store)
    report = sync.sync(Selection(whitelist=("dev*", "*)(cn=ops")), dry_run=False)
    assert () == report.changes
    assert 2 == len(report.problems)


def test_long_lists_are_read_to_their_end(tools: Tools, store: MemoryGroups) -> None:
    entries = [
        f"dn: cn=g{number},{GROUPS}\nobjectClass: groupOfNames\ncn: g{number}\n"
        f"member: uid=bob,{PEOPLE}\n"
        for number in range(25)
    ]
    tools.add("\n".join(entries))
    paged = dataclasses.replace(RFC2307.groups_query, page_size=10)
    schema = dataclasses.replace(RFC2307, groups_query=paged)
    report = _sync(_config(tools.directory, schema), store).sync(EVERYTHING, dry_run=True)
    assert 27 == len(report.changes)


def test_users_may_name_their_groups(tools: Tools, store: MemoryGroups) -> None:
    for user, group in (("alice", DEVS), ("bob", DEVS), ("bob", OPS)):
        tools.change(f"uid={user},{PEOPLE}", "add: seeAlso", f"seeAlso: {group}")
    schema = ActiveDirectory(
        users_query=LdapQuery(base_dn=PEOPLE, filter="(objectClass=inetOrgPerson)"),
        user_name_attributes=("uid",),
        group_membership_attributes=("seeAlso",),
    )
    config = dataclasses.replace(_config(tools.directory), rfc2307=None, active_directory=schema)
    sync = _sync(config, store)
    sync.sync(EVERYTHING, dry_run=False)
    assert {DEVS: ["alice", "bob"], OPS: ["bob"]} == _users(store)
    tools.change(f"uid=bob,{PEOPLE}", "delete: seeAlso", f"seeAlso: {OPS}")
    assert [(OPS, "deleted", (), ())] == _short(sync.prune(EVERYTHING, dry_run=False))


def test_groups_that_users_name_may_be_entries_with_a_name(
    tools: Tools, store: MemoryGroups
) -> None:
    tools.change(f"uid=alice,{PEOPLE}", "add: seeAlso", f"seeAlso: {DEVS}")
    tools.change(f"uid=bob,{PEOPLE}", "add: seeAlso", f"seeAlso: cn=absent,{GROUPS}")
    schema = AugmentedActiveDirectory(
        users_query=LdapQuery(base_dn=PEOPLE),
        user_name_attributes=("uid",),
        group_membership_attributes=("seeAlso",),
        groups_query=LdapQuery(base_dn=GROUPS),
        group_uid_attribute="dn",
        group_name_attributes=("cn",),
    )
    config = dataclasses.replace(
        _config(tools.directory), rfc2307=None, augmented_active_directory=schema
    )
    sync = _sync(config, store)
    report = sync.sync(EVERYTHING, dry_run=False)
    assert {"devs": ["alice"]} == _users(store)
    assert 1 == len(report.problems)
    tools.delete(DEVS)
    assert ["devs"] == [it.name for it in (sync.prune(EVERYTHING, dry_run=False)).changes]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bind_password": "wrong"}, "invalidCredentials"),
        ({"ca": None}, "certificate verify failed"),
        ({"url": "ldap://127.0.0.1:1"}, "127.0.0.1:1"),
    ],
)
def test_a_directory_that_cannot_be_read_changes_nothing(
    tools: Tools, store: MemoryGroups, change: dict[str, Any], reason: str
) -> None:
    config = _config(tools.directory)
    _sync(config, store).sync(EVERYTHING, dry_run=False)
    before = _users(store)
    broken = _sync(dataclasses.replace(config, **change), store)
    for action in (broken.sync, broken.prune):
        with pytest.raises(RemoteFailed, match=reason):
            action(EVERYTHING, dry_run=False)
    assert before == _users(store)


def test_part_of_a_list_does_not_pass_for_the_whole(tools: Tools, store: MemoryGroups) -> None:
    config = _config(tools.directory)
    # The limit of the server holds for whoever is not its administrator.
    reader = dataclasses.replace(config, bind_dn=f"uid=alice,{PEOPLE}", bind_password="alicepw")
    entries = [
        f"dn: cn=g{number},{GROUPS}\nobjectClass: groupOfNames\ncn: g{number}\n"
        f"member: uid=bob,{PEOPLE}\n"
        for number in range(600)
    ]
    tools.add("\n".join(entries))
    with pytest.raises(RemoteFailed, match="sizeLimitExceeded"):
        _sync(reader, store).sync(EVERYTHING, dry_run=False)
    assert {} == _users(store)


def test_a_filter_that_is_none_is_explained(tools: Tools, store: MemoryGroups) -> None:
    query = dataclasses.replace(RFC2307.groups_query, filter="(cn=unbalanced")
    schema = dataclasses.replace(RFC2307, groups_query=query)
    with pytest.raises(RemoteFailed, match="filter"):
        _sync(_config(tools.directory, schema), store).sync(EVERYTHING, dry_run=False)


def test_ldaps_is_used_where_the_url_says_so(tools: Tools, store: MemoryGroups) -> None:
    url = f"ldaps://127.0.0.1:{tools.directory.tls_port}"
    config = dataclasses.replace(_config(tools.directory), url=url)
    assert 2 == len((_sync(config, store).sync(EVERYTHING, dry_run=False)).changes)


def test_the_document_of_the_original_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sync.yaml"
    path.write_text(
        """\
kind: LDAPSyncConfig
apiVersion: v1
url: ldap://LDAP_SERVICE_IP:389
insecure: false
ca: my-ldap-ca-bundle.crt
bindDN: cn=admin,dc=example,dc=com
bindPassword: {env: BIND_PASSWORD}
groupUIDNameMapping:
  "cn=group1,ou=groups,dc=example,dc=com": Administrators
rfc2307:
    groupsQuery:
        baseDN: "ou=groups,dc=example,dc=com"
        scope: sub
        derefAliases: never
        pageSize: 0
    groupUIDAttribute: dn
    groupNameAttributes: [ cn ]
    groupMembershipAttributes: [ member ]
    usersQuery:
        baseDN: "ou=users,dc=example,dc=com"
        scope: sub
        derefAliases: never
        pageSize: 0
    userUIDAttribute: dn
    userNameAttributes: [ mail ]
    tolerateMemberNotFoundErrors: false
    tolerateMemberOutOfScopeErrors: false
"""
    )
    environment = {"BIND_PASSWORD": "s3cret"}
    config, ignored = read_document(path, LdapSyncConfig, environment, name="LDAPSyncConfig")
    assert ("s3cret", ()) == (config.bind_password, ignored)
    assert "s3cret" not in repr(config)
    assert config.rfc2307 is not None
    assert "never" == config.rfc2307.groups_query.deref_aliases
    assert tmp_path / "my-ldap-ca-bundle.crt" == config.ca
    GroupSync(config, MemoryGroups(), ManualClock())


def test_every_mistake_of_the_document_is_told() -> None:
    query = LdapQuery(base_dn="", filter="cn=x", timeout=-1)
    config = LdapSyncConfig(
        url="ldaps://l.test",
        insecure=True,
        bind_dn=ADMIN,
        rfc2307=dataclasses.replace(RFC2307, groups_query=query, user_name_attributes=()),
        active_directory=ActiveDirectory(
            users_query=LdapQuery(base_dn=PEOPLE),
            user_name_attributes=("uid",),
            group_membership_attributes=("",),
        ),
    )
    with pytest.raises(ObjectInvalid) as caught:
        GroupSync(config, MemoryGroups(), ManualClock())
    assert {
        "insecure",
        "bindPassword",
        "rfc2307",
        "rfc2307.userNameAttributes",
        "rfc2307.groupsQuery.baseDN",
        "rfc2307.groupsQuery.filter",
        "rfc2307.groupsQuery.timeout",
        "activeDirectory.groupMembershipAttributes",
    } == {field for field, _ in caught.value.causes}


@pytest.mark.parametrize(
    ("dn", "base", "expected"),
    [
        ("uid=A, OU=people,dc=x", "ou=People,DC=x", True),
        ("ou=people,dc=x", "ou=people,dc=x", True),
        ("uid=a,ou=other,dc=x", "ou=people,dc=x", False),
        ("uid=a\\,ou=people,dc=x", "ou=people,dc=x", False),
        ("dc=x", "ou=people,dc=x", False),
        ("not a name", "dc=x", False),
        ("uid=a", "", True),
    ],
)
def test_an_entry_lies_below_another_by_whole_names(dn: str, base: str, expected: bool) -> None:
    # Imported here for the sake of the warning above.
    from atomic_registry.identity.ldap_connection import is_within

    assert expected == is_within(dn, base)
