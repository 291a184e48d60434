"""The command line against the running services, as people and container clients use it."""

import json
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.access import RBAC, Site, running_site
from tests.kit.images import image, write_layout
from tests.kit.optional import need_commands
from tests.kit.registry import wait_until
from tests.system.people import PASSWORD, SECONDS, NewPerson, Person, person_maker

BROWSER = """
import html, http.cookiejar, re, ssl, sys
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, HTTPSHandler, build_opener

url, ca, name, password, device = sys.argv[1:6]
context = ssl.create_default_context(cafile=ca)
browser = build_opener(HTTPSHandler(context=context), HTTPCookieProcessor(http.cookiejar.CookieJar()))

def submit(page, **typed):
    text = page.read().decode()
    fields = dict(re.findall(r'type="hidden" name="(\\w+)" value="([^"]*)"', text))
    fields = {key: html.unescape(value) for key, value in fields.items()}
    action = html.unescape(re.search(r'action="([^"]*)"', text)[1])
    return browser.open(urljoin(page.url, action), urlencode({**fields, **typed}).encode())

page = submit(browser.open(url), username=name, password=password)
if device:
    page = submit(submit(page, user_code=device), action="approve")
sys.stdout.write(page.read().decode())
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as started:
        yield started


@pytest.fixture
def person(site: Site, tmp_path: Path) -> NewPerson:
    return person_maker(site, tmp_path)


def test_mary_shares_with_bob_who_can_pull_and_not_push(
    site: Site, person: NewPerson, tmp_path: Path
) -> None:
    need_commands("skopeo")
    mary, bob = person("mary"), person("bob")
    layout = write_layout(tmp_path / "in", {"v1": image("cli")})
    remote = f"docker://{site.host}/smoke/app:v1"

    logged_in = mary.log_in("mary")
    assert "as mary" in logged_in.out and "What to do next" in logged_in.out
    mary.ok("new-project", "smoke", "--display-name", "Smoke test")
    assert "smoke" in mary.ok("projects", "-o", "name").out.split()
    assert "Smoke test" in mary.ok("projects").out
    assert "smoke\n" == mary.ok("project").out
    assert mary.copy(f"oci:{layout}:v1", remote).code != 0, "nobody has logged skopeo in yet"
    mary.ok("docker-login", "--registry", site.host)
    pushed = mary.copy(f"oci:{layout}:v1", remote)
    assert 0 == pushed.code, pushed.err

    bob.log_in("bob")
    bob.ok("docker-login", "--registry", site.host)
    assert bob.copy(remote, f"dir:{tmp_path / 'early'}").code != 0
    granted = mary.ok("policy", "add-role-to-user", "registry-viewer", "bob")
    assert "Anybody who reaches this registry can log in" in granted.err

    def pulls() -> bool:
        return bob.copy(remote, f"dir:{tmp_path / 'out'}").code == 0

    wait_until("bob may pull", pulls, 12)
    assert bob.copy(f"oci:{layout}:v1", f"docker://{site.host}/smoke/app:v2").code != 0

    may = bob.run("can-i", "pull", "smoke/app", "--why")
    may_not = mary.run("can-i", "push", "smoke/app", "--why", "--as-user", "bob")
    assert (0, "yes") == (may.code, may.out.split()[0])
    assert "registry-viewer" in may.out
    assert (1, "no") == (may_not.code, may_not.out.split()[0])
    assert {"bob", "mary"} <= set(mary.ok("who-can", "pull", "smoke/app").out.split())
    assert "bob" not in mary.ok("policy", "who-can", "push", "smoke/app").out.split()

    mary.ok("policy", "remove-role-from-user", "registry-viewer", "bob")
    wait_until("bob may not any more", lambda: not pulls(), 12)
    assert 1 == mary.run("policy", "remove-role-from-user", "registry-viewer", "bob").code
    assert_no_secret([mary, bob])
    assert_private(mary.home)


def assert_no_secret(people: list[Person], *also: str) -> None:
    """What only `whoami -t` may show stands nowhere in what anybody saw so far."""
    secrets = [PASSWORD, *also]
    for each in people:
        token = subprocess.run(
            [sys.executable, "-m", "atomic_registry", "whoami", "-t"], check=True, text=True,
            capture_output=True, env=each.environment,
        ).stdout.strip()  # fmt: skip
        assert token
        secrets.append(token)
    shown = "\n".join(text for each in people for text in each.seen)
    assert [] == [secret for secret in secrets if secret in shown]


def assert_private(home: Path) -> None:
    for path in (home / ".kube" / "config", home / ".docker" / "config.json"):
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_sharing_reaches_everybody_and_ends(site: Site, person: NewPerson, tmp_path: Path) -> None:
    need_commands("skopeo")
    mary, nobody = person("mary"), person("nobody")
    layout = write_layout(tmp_path / "in", {"v1": image("share")})
    remote = f"docker://{site.host}/shared-out/app:v1"
    mary.log_in("mary")
    mary.ok("new-project", "shared-out")
    mary.ok("docker-login", "--registry", site.host)
    assert 0 == mary.copy(f"oci:{layout}:v1", remote).code

    def pulls() -> bool:
        return nobody.copy(remote, f"dir:{tmp_path / 'out'}").code == 0

    assert not pulls()

    assert "without a login" in mary.ok("share", "shared-out", "anonymous").out
    wait_until("anybody may pull", pulls, 12)
    mary.ok("share", "shared-out", "private")
    wait_until("nobody may any more", lambda: not pulls(), 12)
    asked = mary.ok("can-i", "push", "shared-out/app")
    assert "yes\n" == asked.out


def test_each_way_of_sharing_follows_each_other_and_members_keep_their_roles(
    site: Site, person: NewPerson
) -> None:
    mary = person("mary")
    mary.log_in("mary")
    mary.ok("new-project", "shared-ways")
    mary.ok("policy", "add-role-to-user", "registry-viewer", "bob")
    everybody, anybody = "system:authenticated", "system:unauthenticated"
    groups = {"private": set(), "shared": {everybody}, "anonymous": {everybody, anybody}}
    ways = ["shared", "anonymous", "shared", "private", "anonymous", "private", "private"]
    for way in ways:
        mary.ok("share", "shared-ways", way)
        path = f"{RBAC}/namespaces/shared-ways/rolebindings"
        viewers = {
            subject["name"]
            for item in site.call("GET", path)["items"]
            if item["roleRef"]["name"] == "registry-viewer"
            for subject in item["subjects"]
        }
        assert {"bob"} | groups[way] == viewers, way


def test_a_robot_pushes_with_its_token_until_that_is_revoked(
    site: Site, person: NewPerson, tmp_path: Path
) -> None:
    need_commands("skopeo")
    mary = person("mary")
    layout = write_layout(tmp_path / "in", {"v1": image("robot")})
    mary.log_in("mary")
    mary.ok("new-project", "robots")
    mary.ok("robots", "create", "ci")
    mary.ok("robots", "grant", "ci", "registry-editor")
    made = mary.run("robots", "token", "ci", "--expires", "1h")
    secret = made.out.strip()
    assert secret and "\n" not in secret and secret not in made.err
    mary.seen.pop()
    [token_id] = mary.ok("robots", "tokens", "ci", "-o", "name").out.split()

    def push() -> bool:
        credentials = f"--dest-creds=ci:{secret}"
        return mary.copy(
            f"oci:{layout}:v1", f"docker://{site.host}/robots/app:v1", credentials
        ).code == 0  # fmt: skip

    wait_until("the robot may push", push, 12)
    mary.ok("robots", "revoke", "ci", token_id)
    wait_until("the robot is refused", lambda: not push(), 12)
    assert_no_secret([mary], secret)
    assert 1 == mary.run("robots", "grant", "gone", "registry-editor").code


def test_a_revoked_personal_token_is_refused(site: Site, person: NewPerson) -> None:
    mary = person("mary")
    mary.log_in("mary")
    secret = mary.run("create-token", "laptop", "--expires", "1d").out.strip()
    mary.seen.pop()
    rows = [line for line in mary.ok("tokens").out.splitlines() if " laptop " in line]
    token_id = rows[0].split()[0]
    other = person("other")
    login = ("login", f"https://{site.master_host}", "--certificate-authority", site.ca)
    assert "as mary" in other.ok(*login, "--token", secret).out

    rotated = mary.run("tokens", "rotate", token_id).out.strip()
    mary.seen.pop()
    assert 1 == other.run("whoami").code
    assert "as mary" in other.ok(*login, "--token", rotated).out
    [row] = [line for line in mary.ok("tokens").out.splitlines() if " laptop " in line]
    mary.ok("tokens", "revoke", row.split()[0])

    refused = other.run(*login, "--token", rotated)
    assert (1, True) == (refused.code, "does not accept this token" in refused.err)
    assert_no_secret([mary], secret, rotated)


def test_logging_out_revokes_the_token_and_silences_the_helper(
    site: Site, person: NewPerson
) -> None:
    mary = person("mary")
    mary.log_in("mary")
    mary.ok("docker-login", "--registry", site.host)
    token = mary.run("whoami", "-t").out.strip()
    got = mary.run("get", text=site.host, module="atomic_registry.cli.credential_helper")
    assert {"ServerURL": site.host, "Username": "mary", "Secret": token} == json.loads(got.out)

    mary.ok("logout")

    gone = mary.run("get", text=site.host, module="atomic_registry.cli.credential_helper")
    assert (1, "credentials not found") == (gone.code, gone.out[:21])
    assert token not in (mary.home / ".kube" / "config").read_text()
    again = mary.run("login", f"https://{site.master_host}", "--token", token)
    assert "does not accept this token" in again.err
    assert "log in again" in mary.run("whoami").err


def with_browser(someone: Person, tmp_path: Path) -> None:
    """Let $BROWSER be a program that types the name and the password into the login page."""
    script = tmp_path / "browser.py"
    script.write_text(BROWSER)
    words = [sys.executable, script, "%s", someone.site.ca, "mary", PASSWORD, ""]
    browser = shlex.join(map(str, words)) + " &"
    someone.environment = {**someone.environment, "BROWSER": browser}


def test_the_browser_login_comes_back_to_the_command_line(
    site: Site, person: NewPerson, tmp_path: Path
) -> None:
    mary = person("mary")
    with_browser(mary, tmp_path)

    done = mary.ok("login", f"https://{site.master_host}", "--certificate-authority", site.ca)

    assert "as mary" in done.out
    assert "mary\n" == mary.ok("whoami").out
    assert_no_secret([mary])


def test_a_device_login_is_approved_elsewhere(
    site: Site, person: NewPerson, tmp_path: Path
) -> None:
    mary = person("mary")
    script = tmp_path / "browser.py"
    script.write_text(BROWSER)
    words = [sys.executable, "-m", "atomic_registry", "login", f"https://{site.master_host}"]
    with subprocess.Popen(
        [*words, "--device", "--certificate-authority", str(site.ca)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=mary.environment,
    ) as waiting:  # fmt: skip
        assert waiting.stderr is not None and waiting.stdout is not None
        told = waiting.stderr.readline().split()
        page = next(word for word in told if word.startswith("https://"))
        approved = mary.run_program(
            sys.executable, str(script), page, str(site.ca), "mary", PASSWORD, told[-1]
        )
        out, err = waiting.communicate(timeout=SECONDS)
    assert (0, True) == (waiting.returncode, "as mary" in out), (out, err, approved)


def test_an_administrator_logs_in_with_the_certificate_and_keeps_accounts(
    site: Site, person: NewPerson
) -> None:
    root, bob = person("root"), person("bob")
    bob.log_in("bob2")
    master = site.root / "master"
    root.ok(
        "login", f"https://{site.master_host}", "--certificate-authority", site.ca,
        "--client-certificate", master / "admin.crt", "--client-key", master / "admin.key",
    )  # fmt: skip
    assert "system:admin\n" == root.ok("whoami").out
    assert "bob2" in root.ok("users", "list", "-o", "name").out.split()
    root.ok("users", "disable", "bob2")
    wait_until("bob2 is refused", lambda: bob.run("whoami").code == 1, 12)
    root.ok("users", "enable", "bob2")
    wait_until("bob2 is let in", lambda: bob.run("whoami").code == 0, 12)

    root.ok("groups", "new", "developers", "mary")
    root.ok("groups", "add-users", "developers", "bob2", "mary")
    root.ok("groups", "remove-users", "developers", "mary")
    groups = json.loads(root.ok("groups", "list", "-o", "json").out)["items"]
    assert [["bob2"]] == [it["users"] for it in groups if it["metadata"]["name"] == "developers"]
    root.ok("policy", "add-cluster-role-to-group", "registry-viewer", "developers")

    def reads() -> bool:
        return bob.run("can-i", "pull", "openshift/any").code == 0

    wait_until("the role of the group counts", reads, 12)
    root.ok("policy", "remove-cluster-role-from-group", "registry-viewer", "developers")
    root.ok("groups", "delete", "developers")
    provisioners = ("self-provisioner", "system:authenticated:oauth")
    root.ok("policy", "remove-cluster-role-from-group", *provisioners)
    emptied = json.loads(
        root.ok("get", "clusterrolebinding", "self-provisioners", "-o", "json").out
    )
    assert not emptied.get("subjects"), "a start would make it anew if it were gone"
    root.ok("policy", "add-cluster-role-to-group", *provisioners)
    root.ok("users", "create", "zoe", "--full-name", "Zoe")
    root.ok("users", "delete", "zoe")


def test_status_says_that_anybody_can_log_in(site: Site, person: NewPerson) -> None:
    someone = person("someone")
    someone.log_in("mary")

    done = someone.ok("status", "--registry", site.host)

    assert 2 == done.out.count("ready")
    assert "Anybody who reaches this registry can log in under any name" in done.out
    assert 1 == someone.run("status", "--registry", "127.0.0.1:1").code


def test_a_server_that_is_not_trusted_gets_no_password(site: Site, person: NewPerson) -> None:
    mary = person("mary")
    words = ("-u", "mary", "--password-stdin")

    refused = mary.run("login", f"https://{site.master_host}", *words, text=PASSWORD)
    clear = mary.run("login", f"http://{site.host}", *words, text=PASSWORD)

    assert (1, True) == (refused.code, "--certificate-authority" in refused.err)
    assert (1, True) == (clear.code, "is not the address of a master" in clear.err)
    assert not (mary.home / ".kube").exists()


def test_a_project_is_deleted_after_a_yes(site: Site, person: NewPerson) -> None:
    mary = person("mary")
    mary.log_in("mary")
    mary.ok("new-project", "gone-soon")
    assert 130 == mary.run("delete-project", "gone-soon", text="n\n").code
    mary.ok("delete-project", "gone-soon", "--yes")
    assert "gone-soon" not in mary.ok("projects", "-o", "name").out.split()
    missing = mary.run("project", "gone-soon")
    assert 1 == missing.code and "Traceback" not in missing.err
