"""`get`, `create`, `apply`, `label`, `tag`, `delete` against the master, beside the real kubectl."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.access import Site, running_site
from tests.kit.images import image, write_layout
from tests.kit.optional import need_commands
from tests.kit.registry import wait_until
from tests.system.people import Done, NewPerson, Person, person_maker

SECONDS = 30
IN = ("-n", "demo")
# What both print in the same way; the unit tests have more templates.
TEMPLATES = [
    "{.items[*].metadata.name}",
    "{.items[-1].metadata.name}",
    "{.items[0:1].metadata.name}",
    "{.items[0,1].metadata.name}",
    '{range .items[*]}{.metadata.name}{"\\t"}{.metadata.labels.tier}{"\\n"}{end}',
    '{.items[?(@.metadata.name=="web")].metadata.uid}',
    "{.items[?(@.metadata.labels.tier)].metadata.name}",
    "{.items[?(@.metadata.generation>=1)].metadata.name}",
    "{.items[*]['metadata.name','kind']}",
    "{.items[0].metadata.labels}",
    "{.items[*].status.tags[?(@.tag=='v1')].items[0].image}",
    "{range .items[*]}{range .status.tags[*]}{.tag} {end}|{end}",
    "{..tag}",
    "{.nothing} and {.kind}",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need_commands("kubectl", "skopeo")
    with running_site(tmp_path_factory.mktemp("site")) as started:
        yield started


@pytest.fixture
def person(site: Site, tmp_path: Path) -> NewPerson:
    return person_maker(site, tmp_path)


@pytest.fixture
def mary(site: Site, person: NewPerson) -> Iterator[Person]:
    """Somebody with a project of her own, which is gone after the test."""
    someone = person("mary")
    someone.log_in("mary")
    someone.ok("new-project", "demo")
    yield someone
    someone.ok("delete", "project", "demo", "--ignore-not-found")


def kubectl(someone: Person, *words: str) -> Done:
    return someone.run_program("kubectl", *words)


def push(someone: Person, tmp_path: Path, *tags: str) -> dict[str, str]:
    """Push an image for each tag; their digests."""
    someone.ok("docker-login", "--registry", someone.site.host)
    images = {tag: image(tag) for tag in tags}
    layout = write_layout(tmp_path / "layout", images)
    token = someone.run("whoami", "-t").out.strip()
    someone.seen.pop()
    for tag in tags:
        target = f"docker://{someone.site.host}/demo/web:{tag}"
        credentials = f"--dest-creds=mary:{token}"
        done = someone.copy(f"oci:{layout}:{tag}", target, "--preserve-digests", credentials)
        assert 0 == done.code, done
    return {tag: str(made.manifest.digest) for tag, made in images.items()}


def stream(name: str, **labels: str) -> str:
    metadata = {"name": name, "labels": labels}
    return json.dumps(
        {"apiVersion": "image.openshift.io/v1", "kind": "ImageStream", "metadata": metadata}
    )


def test_every_form_is_the_one_of_kubectl(mary: Person, tmp_path: Path) -> None:
    push(mary, tmp_path, "v1", "v2")
    mary.ok("create", "imagestream", "empty", *IN)
    mary.ok("label", "is", "web", "tier=front", *IN)
    mary.ok("create", "secret", "generic", "plain", "--from-literal", "a=<b>", *IN)

    for words in (
        ("is",), ("is", "-o", "json"), ("is", "-o", "name"), ("is", "web", "-o", "json"),
        ("is/web", "secret/plain", "-o", "name"), ("is", "-l", "tier=front", "-o", "name"),
        ("is", "-l", "!tier", "-o", "name"), ("is", "--chunk-size=1", "-o", "name"),
        ("secret", "plain", "-o", "json"), ("rolebindings", "-o", "json"),
        ("is", "--field-selector=metadata.name=empty", "-o", "name"),
        ("imagestream,secrets", "-o", "name"), ("istag", "-o", "json"),
        ("is", "-o", "custom-columns=N:.metadata.name,T:.metadata.labels.tier"),
        ("is", "--sort-by=.metadata.creationTimestamp", "-o", "name"),
    ):  # fmt: skip
        ours, theirs = mary.run("get", *IN, *words), kubectl(mary, "get", *IN, *words)
        if words[-1] == "json":
            assert json.loads(theirs.out) == json.loads(ours.out), words
        elif "-o" in words:
            assert theirs.out == ours.out, words
        else:
            # The age may be a second older.
            assert theirs.out.split()[:12] == ours.out.split()[:12]
    for template in TEMPLATES:
        form = f"jsonpath={template}"
        theirs = kubectl(mary, "get", "is", *IN, "-o", form)
        assert theirs.out == mary.ok("get", "is", *IN, "-o", form).out, template
    shown = mary.ok("get", "is", "web", *IN, "-o", "yaml").out
    (tmp_path / "shown.yaml").write_text(shown)
    replaced = kubectl(mary, "replace", "--validate=false", "-f", str(tmp_path / "shown.yaml"))
    assert 0 == replaced.code, replaced


def test_what_is_not_there_is_told_as_people_know_it(mary: Person) -> None:
    empty = mary.run("get", "is", *IN)
    missing = mary.run("get", "is", "nope", *IN)
    unknown = mary.run("get", "imagestreem")
    several = mary.run("get", "sa", "nope", "nada", *IN)

    assert (0, "", "No resources found in demo namespace.\n") == (empty.code, empty.out, empty.err)
    assert 1 == missing.code and "'nope' does not exist" in missing.err
    assert 0 == mary.run("get", "is", "nope", *IN, "--ignore-not-found").code
    assert 1 == unknown.code and "did you mean imagestream" in unknown.err
    assert 1 == several.code and 2 == several.err.count("does not exist")
    assert 2 == mary.run("get", "is", "-o", "jsonpath={.a", *IN).code
    assert 0 == mary.run("delete", "is", "nope", "--ignore-not-found", *IN).code


def test_kinds_come_from_the_master_and_are_kept_for_a_while(mary: Person) -> None:
    mary.ok("get", "sa", *IN)
    [kept] = (mary.home / ".cache" / "atomic-registry" / "discovery").iterdir()
    kept.write_text('{"items": [')
    mary.ok("get", "limits", *IN)
    document = json.loads(kept.read_text())
    kept.write_text(json.dumps({"items": document["items"][:1]}))

    mary.ok("get", "imagestreams", *IN)

    assert 0o600 == kept.stat().st_mode & 0o777
    assert "imagestreams" in mary.ok("get").out


def test_apply_says_who_has_a_field(mary: Person) -> None:
    made = mary.ok("apply", *IN, "-f", "-", text=stream("applied", tier="a"))
    again = mary.ok("apply", *IN, "--server-side", "-f", "-", text=stream("applied", tier="b"))
    dry = mary.ok("apply", *IN, "--dry-run", "server", "-f", "-", text=stream("other"))
    other = ("apply", *IN, "--field-manager", "other", "-f", "-")
    conflict = mary.run(*other, text=stream("applied", tier="c"))
    forced = mary.ok(*other, "--force-conflicts", text=stream("applied", tier="c"))

    assert "imagestream.image.openshift.io/applied created\n" == made.out
    assert "applied applied\n" in again.out and "(server dry run)" in dry.out
    assert 1 == conflict.code and 'conflict with "atomic-registry"' in conflict.err
    assert "--force-conflicts" in conflict.err and ".metadata.labels.tier" in conflict.err
    assert "applied" in forced.out
    assert "c" == mary.ok("get", "is/applied", *IN, "-o", "jsonpath={.metadata.labels.tier}").out
    assert 1 == mary.run("get", "is/other", *IN).code


def test_one_mistake_in_the_last_document_stops_the_first(mary: Person) -> None:
    wrong = f"{stream('first')}\n---\nkind: ImageStream\n"
    for command in ("apply", "create", "delete"):
        done = mary.run(command, *IN, "-f", "-", text=wrong)
        assert 1 == done.code and "apiVersion" in done.err
    elsewhere = json.dumps({**json.loads(stream("x")), "metadata": {"name": "x", "namespace": "y"}})
    refused = mary.run("create", *IN, "-f", "-", text=elsewhere)
    assert 1 == refused.code and "says that it is in project y" in refused.err
    assert "" == mary.run("get", "is", *IN).out


def test_a_document_of_the_original_is_taken_as_it_is(mary: Person) -> None:
    old = {"apiVersion": "v1", "kind": "ImageStream", "metadata": {"name": "old"}}
    mary.ok("create", *IN, "-f", "-", text=json.dumps(old))
    assert "imagestream.image.openshift.io/old\n" == mary.ok("get", "is", *IN, "-o", "name").out


def test_labels_and_annotations_are_set_kept_and_removed(mary: Person) -> None:
    for name in ("one", "two"):
        mary.ok("create", "is", name, *IN)
    mary.ok("label", "is", "one", "tier=a", *IN)
    refused = mary.run("label", "is", "one", "tier=b", *IN)
    assert 1 == refused.code and "tier=a" in refused.err and "--overwrite" in refused.err
    mary.ok("label", "is", "--all", "--overwrite", "tier=b", "stage=x", *IN)
    mary.ok("label", "is", "-l", "stage=x", "stage-", *IN)
    mary.ok("annotate", "is/two", "note=kept", *IN)
    dry = mary.ok("annotate", "is/two", "note-", "--dry-run", "server", *IN)
    stale = mary.run("annotate", "is/two", "note-", "--resource-version", "1", *IN)

    assert "(server dry run)" in dry.out and 1 == stale.code
    shown = json.loads(mary.ok("get", "is", *IN, "-o", "json").out)["items"]
    assert [{"tier": "b"}, {"tier": "b"}] == [item["metadata"]["labels"] for item in shown]
    assert "kept" == shown[1]["metadata"]["annotations"]["note"]


def test_deleting_says_what_is_gone(mary: Person) -> None:
    for name in ("one", "two", "three"):
        mary.ok("create", "is", name, *IN)
    mary.ok("label", "is", "two", "old=yes", *IN)

    dry = mary.ok("delete", "is", "-l", "old", "--dry-run", "server", *IN)
    gone = mary.ok("delete", "is", "-l", "old", *IN)
    rest = mary.run("delete", "is", "one", "nope", *IN)
    everything = mary.ok("delete", "is", "--all", "-o", "name", *IN)

    assert "imagestream.image.openshift.io/two deleted (server dry run)\n" == dry.out
    assert "imagestream.image.openshift.io/two deleted\n" == gone.out
    assert 1 == rest.code and "one deleted" in rest.out and "nope" in rest.err
    assert "imagestream.image.openshift.io/three\n" == everything.out
    assert 2 == mary.run("delete", "is", *IN).code
    assert "No resources found" in mary.ok("delete", "is", "--all", *IN).err


def test_a_tag_is_moved_rolled_back_removed_and_had_back(mary: Person, tmp_path: Path) -> None:
    digests = push(mary, tmp_path, "v1", "v2")

    def prod() -> str:
        return mary.ok("get", "istag", "web:prod", *IN, "-o", "jsonpath={.image.metadata.name}").out

    mary.ok("tag", "web:v1", "web:prod", *IN)
    assert digests["v1"] == prod()
    mary.ok("tag", "demo/web:v2", "demo/web:prod", "demo/web:latest")
    assert digests["v2"] == prod()
    mary.ok("tag", "--from-history", "1", "web:prod", *IN)
    assert digests["v1"] == prod()
    mary.ok("tag", f"web@{digests['v2'][:20]}", "web:prod", *IN)
    assert digests["v2"] == prod()
    mary.ok("tag", "-d", "web:prod", *IN)
    assert 1 == mary.run("get", "istag", "web:prod", *IN).code
    mary.ok("tag", "--from-history", "0", "web:prod", *IN)
    assert digests["v2"] == prod()
    too_far = mary.run("tag", "--from-history", "99", "web:prod", *IN)
    assert 1 == too_far.code and "remembers" in too_far.err
    mary.ok("tag", "web:v1", "copy:v1", *IN)
    mary.ok("tag", "--alias", "web:v1", "web:current", *IN)
    followed = mary.ok("get", "istag", "web:current", *IN, "-o", "jsonpath={.tag.from.name}").out
    assert "web:v1" == followed.rpartition("/")[2]
    assert 2 == mary.run("tag", "--alias", "web:v1", "copy:current", *IN).code
    assert 1 == mary.run("tag", "web:nope", "web:x", *IN).code


def test_objects_are_made_from_options(mary: Person, site: Site, person: NewPerson) -> None:
    for words in (
        ("serviceaccount", "ci"),
        ("secret", "docker-registry", "hub", "--docker-server=x.test", "--docker-username=u",
         "--docker-password-stdin"),
        ("rolebinding", "viewers", "--clusterrole=registry-viewer", "--user=bob",
         "--serviceaccount=demo:ci"),
        ("role", "reader", "--verb=get,list", "--resource=secrets,imagestreams.image.openshift.io"),
    ):  # fmt: skip
        mary.ok("create", *words, *IN, text="geheim\n")
    hub = json.loads(mary.ok("get", "secret", "hub", *IN, "-o", "json").out)
    theirs = kubectl(
        mary, "create", "secret", "docker-registry", "hub", "--docker-server=x.test",
        "--docker-username=u", "--docker-password=geheim", "--dry-run=client", "-o", "json", *IN,
    )  # fmt: skip
    made = json.loads(theirs.out)
    assert (made["type"], made["data"].keys()) == (hub["type"], hub["data"].keys())
    rules = json.loads(mary.ok("get", "role", "reader", *IN, "-o", "json").out)["rules"]
    assert [[""], ["image.openshift.io"]] == [rule["apiGroups"] for rule in rules]
    assert 2 == mary.run("create", "rolebinding", "x", "--user=bob", *IN).code
    assert 1 == mary.run("create", "rolebinding", "x", "--clusterrole=cluster-admin", "--user=bob",
                         *IN).code  # fmt: skip


def test_a_watch_shows_what_changes(mary: Person, tmp_path: Path) -> None:
    mary.ok("create", "is", "first", *IN)
    log = tmp_path / "watch.log"
    words = [sys.executable, "-m", "atomic_registry", "get", "is", "--watch", *IN]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            words, stdout=output, stderr=subprocess.STDOUT, env=mary.environment
        ) as watch,
    ):
        try:
            wait_until("what there is is shown", lambda: "first" in log.read_text(), SECONDS)
            mary.ok("create", "is", "second", *IN)
            wait_until("what is new is shown", lambda: "second" in log.read_text(), SECONDS)
        finally:
            watch.kill()
    assert 1 == log.read_text().count("NAME ")
    refused = mary.run("get", "useroauthaccesstokens", "--watch")
    assert 2 == refused.code and "leave --watch out" in refused.err


def with_editor(someone: Person, script: str) -> None:
    """Let $EDITOR be a shell script that is given the file."""
    program = someone.home / "editor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    someone.environment = {**someone.environment, "EDITOR": str(program)}


def test_an_edit_is_made_on_top_of_what_others_changed_meanwhile(mary: Person) -> None:
    mary.ok("create", "is", "web", *IN)
    label = f"{sys.executable} -m atomic_registry label is web tier=theirs -n demo >&2"
    with_editor(mary, f"{label} && sed -i 's/local: false/local: true/' \"$1\"")

    done = mary.ok("edit", "is", "web", *IN)

    assert "imagestream.image.openshift.io/web edited" in done.out
    shown = json.loads(mary.ok("get", "is", "web", *IN, "-o", "json").out)
    assert "theirs" == shown["metadata"]["labels"]["tier"]
    assert {"local": True} == shown["spec"]["lookupPolicy"]


def test_what_was_typed_is_kept_when_it_cannot_be_stored(mary: Person) -> None:
    mary.ok("create", "is", "web", *IN)

    def kept(done: Done) -> str:
        assert 1 == done.code, done
        path = Path(done.err.rpartition("Your text is in ")[2].strip())
        assert 0o600 == path.stat().st_mode & 0o777
        return path.read_text()

    with_editor(mary, "sed -i 's/local:.*/local: precious/' \"$1\"")
    assert "local: precious" in kept(mary.run("edit", "is", "web", *IN))
    with_editor(mary, "echo '  [ precious' >> \"$1\"")
    assert "[ precious" in kept(mary.run("edit", "is", "web", *IN))
    label = f"{sys.executable} -m atomic_registry label --overwrite is web tier=$$ -n demo >&2"
    with_editor(mary, f"{label} && printf '%s\\n' '  labels: {{tier: precious}}' > x && "
                      "sed -i '/^metadata:/r x' \"$1\"")  # fmt: skip
    both = mary.run("edit", "is", "web", *IN)
    assert "tier: precious" in kept(both) and "somebody else changed" in both.err
    with_editor(mary, "exit 3")
    assert "web" in kept(mary.run("edit", "is", "web", *IN))
    with_editor(mary, "true")
    assert "not changed" in mary.ok("edit", "is", "web", *IN).out


def test_a_description_has_history_layers_and_events_and_no_secret(
    mary: Person, tmp_path: Path
) -> None:
    digests = push(mary, tmp_path, "v1", "v2")
    mary.ok("tag", "web:v1", "web:prod", *IN)
    mary.ok("tag", "web:v2", "web:prod", *IN)
    mary.ok("create", "secret", "generic", "plain", "--from-literal", "key=hunter2", *IN)

    told = mary.ok("describe", "is", "web", *IN).out
    tagged = mary.ok("describe", "istag", "web:prod", *IN).out
    secret = mary.ok("describe", "secret", *IN).out

    prod = told[told.index("\nprod made from") :]
    assert prod.index(digests["v2"]) < prod.index(digests["v1"])
    assert "Pushed" in told[told.index("Events:") :]
    assert "Layers:" in tagged and digests["v2"] in tagged
    assert "key:  7 bytes" in secret and "hunter2" not in secret and "aHVudGVyMg" not in secret
    for kind in ("projects", "rolebindings", "sa", "users", "quota", "limits", "clusterroles"):
        assert "Traceback" not in mary.run("describe", kind, *IN).err
    assert 1 == mary.run("describe", "is", "nope", *IN).code


def test_importing_says_what_to_do_instead(mary: Person) -> None:
    done = mary.run("import-image", "web:v1", "--from", "quay.io/team/web:v1", "--confirm", *IN)
    assert 1 == done.code
    assert (
        "skopeo copy --all docker://quay.io/team/web:v1 docker://127.0.0.1:5000/demo/web:v1"
        in done.err
    )


def test_the_shell_completes_kinds_and_names(mary: Person) -> None:
    mary.ok("create", "is", "webshop", *IN)

    def completed(line: str) -> list[str]:
        words = line.split(" ")
        mary.environment = {
            **mary.environment, "_ATOMIC_REGISTRY_COMPLETE": "bash_complete",
            "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1),
        }  # fmt: skip
        out = mary.run().out
        return [row.partition(",")[2] for row in out.splitlines()]

    assert {"imagestreams", "imagestreamtags"} <= set(completed("atomic-registry get imag"))
    assert ["webshop"] == completed("atomic-registry get -n demo is we")
    assert ["is/webshop"] == completed("atomic-registry delete -n demo is/we")
    mary.environment = {
        key: value for key, value in mary.environment.items() if not key.startswith(("COMP", "_A"))
    }
