"""`groups sync` and `groups prune` from a real directory into the running service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.access import GROUPS as GROUPS_API
from tests.kit.access import Site, running_site
from tests.kit.optional import need_commands, run
from tests.kit.slapd import ADMIN, ADMIN_PASSWORD, BASE, Directory, running
from tests.system.people import NewPerson, Person, person_maker

PEOPLE, GROUPS = f"ou=people,{BASE}", f"ou=groups,{BASE}"
DEVS, OPS = f"cn=devs,{GROUPS}", f"cn=ops,{GROUPS}"
_ENTRIES = f"""
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
_CONFIG = """
kind: LDAPSyncConfig
apiVersion: v1
url: ldap://127.0.0.1:{port}
bindDN: {admin}
bindPassword: {{file: password}}
ca: ca.crt
rfc2307:
  groupsQuery: {{baseDN: "{groups}", filter: (objectClass=groupOfNames)}}
  groupUIDAttribute: dn
  groupNameAttributes: [cn]
  groupMembershipAttributes: [member]
  usersQuery: {{baseDN: "{people}"}}
  userUIDAttribute: dn
  userNameAttributes: [uid]
"""
# The client library uses names that a library of its own has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:(tag|type)Map is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need_commands("ldapadd", "ldapmodify")
    with running_site(tmp_path_factory.mktemp("site")) as started:
        yield started


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    folder = tmp_path / "ldap"
    folder.mkdir()
    with running(folder) as started:
        _change(started, folder, "ldapadd", _ENTRIES)
        yield started


@pytest.fixture
def config(directory: Directory) -> Path:
    """The document beside the files that it names."""
    folder = directory.ca.parent
    (folder / "password").write_text(f"{ADMIN_PASSWORD}\n")
    path = folder / "ldap.yaml"
    path.write_text(_CONFIG.format(port=directory.port, admin=ADMIN, groups=GROUPS, people=PEOPLE))
    return path


@pytest.fixture
def person(site: Site, tmp_path: Path) -> NewPerson:
    return person_maker(site, tmp_path)


@pytest.fixture
def root(site: Site, person: NewPerson) -> Iterator[Person]:
    """The administrator; without any group before and after."""
    someone = person("root")
    master = site.root / "master"
    someone.ok(
        "login", f"https://{site.master_host}", "--certificate-authority", site.ca,
        "--client-certificate", master / "admin.crt", "--client-key", master / "admin.key",
    )  # fmt: skip
    yield someone
    for name in _members(site):
        someone.ok("groups", "delete", name)


def _change(directory: Directory, folder: Path, program: str, ldif: str) -> None:
    path = folder / "change.ldif"
    path.write_text(ldif)
    url = f"ldap://127.0.0.1:{directory.port}"
    run([program, "-x", "-H", url, "-D", ADMIN, "-w", ADMIN_PASSWORD, "-f", path])


def _members(site: Site) -> dict[str, list[str]]:
    items = site.call("GET", GROUPS_API)["items"]
    return {item["metadata"]["name"]: item.get("users", []) for item in items}


def _rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines()]


def test_groups_come_with_their_members_only_after_a_yes(
    site: Site, root: Person, config: Path
) -> None:
    words = ("groups", "sync", "--sync-config", config)

    dry = root.ok(*words)
    before = _members(site)
    done = root.ok(*words, "--confirm")
    after = _members(site)
    again = root.ok(*words, "--confirm")

    assert [
        ["GROUP", "WHAT", "ADDED", "REMOVED", "IN", "THE", "DIRECTORY"],
        ["devs", "created", "alice,", "bob", "-", DEVS],
        ["ops", "created", "carol", "-", DEVS.replace("devs", "ops")],
    ] == _rows(dry.out)
    assert ({}, "Nothing was changed; add --confirm to do it.\n") == (before, dry.err)
    assert (dry.out, "") == (done.out, done.err)
    assert {"devs": ["alice", "bob"], "ops": ["carol"]} == after
    assert 2 == again.out.count("unchanged") and "nothing to change" in again.err
    assert ADMIN_PASSWORD not in "".join(root.seen)


def test_who_leaves_a_group_there_leaves_it_here_and_gone_groups_are_pruned(
    site: Site, root: Person, directory: Directory, config: Path
) -> None:
    root.ok("groups", "sync", "--sync-config", config, "--confirm")
    root.ok("groups", "new", "own", "mary")
    folder = directory.ca.parent
    gone = f"dn: {DEVS}\nchangetype: modify\ndelete: member\nmember: uid=bob,{PEOPLE}\n"
    _change(directory, folder, "ldapmodify", gone)
    _change(directory, folder, "ldapmodify", f"dn: {OPS}\nchangetype: delete\n")

    synced = root.ok("groups", "sync", "--sync-config", config, "--confirm")
    dry = root.ok("groups", "prune", "--sync-config", config)
    between = _members(site)
    pruned = root.ok("groups", "prune", "--sync-config", config, "--confirm")

    assert ["devs", "updated", "-", "bob", DEVS] in _rows(synced.out)
    assert {"devs": ["alice"], "ops": ["carol"], "own": ["mary"]} == between
    assert dry.out == pruned.out and ["ops", "deleted", "-", "-", OPS] in _rows(dry.out)
    assert {"devs": ["alice"], "own": ["mary"]} == _members(site)


def test_names_and_files_choose_the_groups(
    site: Site, root: Person, config: Path, tmp_path: Path
) -> None:
    words = ("groups", "sync", "--sync-config", config, "--confirm")
    chosen, without = tmp_path / "white", tmp_path / "black"
    chosen.write_text(f"\n  {OPS}  \n")
    without.write_text("devs\n")

    root.ok(*words, "--blacklist", chosen, DEVS)
    assert ["devs"] == list(_members(site))
    root.ok(*words, "--whitelist", chosen)
    assert ["devs", "ops"] == sorted(_members(site))
    here = root.ok(*words, "--type", "openshift", "group/ops", "devs", "--blacklist", without)
    assert [["ops", "unchanged", "-", "-", OPS]] == _rows(here.out)[1:]


def test_a_group_that_was_made_here_is_left_alone_and_the_exit_code_says_so(
    site: Site, root: Person, config: Path
) -> None:
    root.ok("groups", "new", "devs", "mary")

    done = root.run("groups", "sync", "--sync-config", config, "--confirm")

    assert (1, "Left as it is: LDAP group") == (done.code, done.err[:25])
    assert {"devs": ["mary"], "ops": ["carol"]} == _members(site)


def test_a_directory_that_cannot_be_read_or_a_wrong_document_changes_nothing(
    site: Site, root: Person, config: Path
) -> None:
    text = config.read_text()
    for wrong, said in (
        (text.replace("127.0.0.1", "127.0.0.2"), "127.0.0.2"),
        (text.replace("file: password", "value: wrong"), "invalidCredentials"),
        (text.replace("ca: ca.crt\n", ""), "certificate verify failed"),
        (text.replace("[cn]", "[]"), "rfc2307.groupNameAttributes: it needs an attribute"),
        (text.replace("groupUID", "groupUid"), "did you mean groupUIDAttribute?"),
    ):
        config.write_text(wrong)
        done = root.run("groups", "sync", "--sync-config", config, "--confirm")
        assert (1, True) == (done.code, said in done.err), done
        assert str(config) in done.err and "Traceback" not in done.err
    assert {} == _members(site)


def test_whoever_may_not_change_groups_is_told_so(person: NewPerson, config: Path) -> None:
    mary = person("mary")
    mary.log_in("mary")
    done = mary.run("groups", "sync", "--sync-config", config, "--confirm")
    assert (1, True) == (done.code, "mary may not list groups" in done.err)
