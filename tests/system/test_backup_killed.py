"""A backup that is killed at any moment: it counts for nothing, and the former one stays whole."""

import subprocess
import sys
from pathlib import Path

from atomic_registry.clock import SystemClock
from atomic_registry.store.blobs.filesystem import FilesystemBlobStore
from atomic_registry.store.metadata import open_metadata, prepare_metadata
from tests.kit.images import image
from tests.kit.pushes import push
from tests.kit.registry import clean_environment

# Each child is killed one step later than the one before, until one comes to its end.
_KILLER = """
import contextlib, io, os, signal, sys
from pathlib import Path

from atomic_registry.cli import backup_work
from atomic_registry.cli.main import root as program
from atomic_registry.system.backup.source import DirectorySource

place, root = Path(sys.argv[1]), Path(sys.argv[2])
STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "sqlite3.connect", "os.chmod"}

def in_child(work):
    pid = os.fork()
    if pid == 0:
        with contextlib.redirect_stdout(io.StringIO()):
            os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def killed_after(count):
    left = [count]
    def step(event, arguments):
        if event in STEPS and str(place) in " ".join(map(str, arguments)):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(step)
    words = ["backup", "create", str(place), "--root", str(root), "--keep", "2"]
    return program.main(words, standalone_mode=False) or 0

for count in range(1, 1000):
    code = in_child(lambda: killed_after(count))
    for name in DirectorySource(place).snapshots():
        if in_child(lambda: backup_work.verify_now(place, name, as_json=True)):
            sys.exit(f"killed at step {count}: {name} is not whole")
    if not DirectorySource(place).snapshots():
        sys.exit(f"killed at step {count}: nothing is left")
    if code == 0:
        print(count)
        sys.exit(0)
    if code != -signal.SIGKILL:
        sys.exit(f"step {count}: it ended with {code}")
"""


async def test_every_snapshot_is_whole_after_a_kill_at_each_step_of_a_backup(
    tmp_path: Path,
) -> None:
    root, place = tmp_path / "root", tmp_path / "place"
    url = f"sqlite:///{root}/datastore/metadata.db"
    prepare_metadata(url)
    (root / "registry").mkdir()
    metadata, blobs = open_metadata(url, SystemClock()), FilesystemBlobStore(root / "registry")
    create = [sys.executable, "-m", "atomic_registry", "backup", "create"]
    create += [str(place), "--root", str(root)]
    for name in ("one", "two"):
        await push(metadata, blobs, f"demo/{name}", image(name, layers=2, size=1000), "v1")
        subprocess.run(  # noqa: ASYNC221
            create, check=True, env=clean_environment(), timeout=60
        )
    await push(metadata, blobs, "demo/three", image("three", layers=2, size=1000), "v1")
    await metadata.close()
    blobs.close()
    killer = [sys.executable, "-c", _KILLER, str(place), str(root)]
    done = subprocess.run(  # noqa: ASYNC221
        killer, capture_output=True, text=True, env=clean_environment(), timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 30, "it must have been killed at many steps"
    assert not (place / "drafts").exists()
