"""Several processes that prepare one empty database at the same moment."""

import os
import subprocess
import sys

_PROGRAM = """
import sys
from atomic_registry.store.metadata import prepare_metadata
from atomic_registry.store.metadata import migrate, postgres  # loaded before the start, not after
print("ready", flush=True)
sys.stdin.readline()
prepare_metadata(sys.argv[1])
"""


def prepare_in_processes(url: str, count: int = 4) -> list[tuple[int, str]]:
    """Let all of them begin together; return the exit status and the errors of each."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, url],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=60)[1] for process in started]
    return [(process.returncode, errors) for process, errors in zip(started, ends, strict=True)]
