"""The command line in a process of its own for each call, which is forked and need not import again."""

import atexit
import functools
import json
import select
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.kit.registry import clean_environment

SECONDS = 120.0
_FORKING = """
import json, os, sys

from atomic_registry.cli import backup_drill, backup_work
from atomic_registry.cli.main import main

def run(words, out, err):
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["atomic-registry", *words]
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1 if code else 0)

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        try:
            run(*json.loads(line))
        finally:
            os._exit(99)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command of backups; every test of them together imports them once."""
    words = [str(it) for it in arguments]
    process = _forking()
    assert process.stdin is not None and process.stdout is not None
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        process.stdin.write(json.dumps([words, out.name, err.name]) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], SECONDS)
        assert ready, f"{words}: not within {SECONDS} s"
        code = int(process.stdout.readline())
        return subprocess.CompletedProcess(
            words, code, Path(out.name).read_text(), Path(err.name).read_text()
        )


@functools.cache
def _forking() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _FORKING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=SECONDS)
