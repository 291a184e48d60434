"""A restore that is killed while it changes names: what was there comes back, or all is new."""

import json
import subprocess
import sys
from pathlib import Path

from atomic_registry.clock import SystemClock
from atomic_registry.store.blobs.filesystem import FilesystemBlobStore
from atomic_registry.store.metadata import open_metadata, prepare_metadata
from tests.kit.images import image
from tests.kit.pushes import push
from tests.kit.registry import clean_environment

# A restore is killed one step later each time, and the restore after it is killed as well.
_KILLER = """
import contextlib, io, json, os, shutil, signal, sys
from pathlib import Path

# Imported here once, and not in each child.
import atomic_registry.app
from atomic_registry.cli import backup_work
from atomic_registry.cli.main import root as program
from atomic_registry.system.backup.journal import JOURNAL

place, old, root = map(Path, sys.argv[1:4])
STEPS = {"os.rename", "os.remove", "os.rmdir"}

def in_child(words, count=0):
    pid = os.fork()
    if pid == 0:
        left = [count]
        def step(event, arguments):
            if event in STEPS and str(root) in " ".join(map(str, arguments)):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(step)
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        try:
            program.main(words)
        except SystemExit as error:
            os._exit(error.code or 0)
        os._exit(9)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def content(directory):
    found = {}
    for path in directory.rglob("*"):
        inner = path.relative_to(directory)
        # Drafts, and what was moved aside, are beside the registry.
        if path.is_file() and not any(part.startswith(".") for part in inner.parts):
            found[str(inner)] = path.read_bytes()
    return found

restore = ["restore", str(place), "--to", str(root)]
shutil.copytree(old, root)
assert in_child([*restore, "--force"]) == 0
before, after = content(old), content(root)
assert before != after
seen = {"old": 0, "half": 0, "new": 0}
for count in range(1, 1000):
    shutil.rmtree(root)
    shutil.copytree(old, root)
    code = in_child([*restore, "--force"], count)
    if code == 0:
        break
    assert code == -signal.SIGKILL, code
    journal = root / "datastore" / JOURNAL
    now = "half" if journal.exists() else "old" if content(root) == before else "new"
    seen[now] += 1
    if now == "half" and seen["half"] == 1:
        assert in_child(["serve", "--root", str(root), "--registry-listen", "127.0.0.1:1"]) == 78
        assert in_child(["backup", "create", str(place) + "2", "--root", str(root)]) == 1
    if now == "half":
        in_child(restore, count % 7 + 1)
        assert in_child(restore) == 1, "without --force it brings back what was there, and stops"
        assert content(root) == before, f"step {count}"
        assert not list(root.rglob(".re*-*")), "remains"
    if now == "new":
        assert content(root) == after, f"step {count}"
print(json.dumps(seen))
"""


async def test_what_was_there_comes_back_after_a_kill_at_each_step_of_a_restore(
    tmp_path: Path,
) -> None:
    place = tmp_path / "place"
    for name in ("backed-up", "old"):
        root = tmp_path / name
        url = f"sqlite:///{root}/datastore/metadata.db"
        prepare_metadata(url)
        (root / "registry").mkdir()
        (root / "master").mkdir()
        (root / "master" / "ca.key").write_text(name)
        metadata, blobs = open_metadata(url, SystemClock()), FilesystemBlobStore(root / "registry")
        await push(metadata, blobs, f"demo/{name}", image(name, layers=2, size=1000), "v1")
        await metadata.close()
        blobs.close()
    create = [sys.executable, "-m", "atomic_registry", "backup", "create", str(place)]
    create += ["--root", str(tmp_path / "backed-up")]
    subprocess.run(create, check=True, env=clean_environment(), timeout=60)  # noqa: ASYNC221
    killer = [sys.executable, "-c", _KILLER, str(place), str(tmp_path / "old")]
    done = subprocess.run(  # noqa: ASYNC221
        [*killer, str(tmp_path / "root")],
        capture_output=True,
        text=True,
        env=clean_environment(),
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout)
    assert seen["half"] > 5 and seen["old"] > 0 and seen["new"] > 0, seen
