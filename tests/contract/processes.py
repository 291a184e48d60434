"""Several processes that prepare the same empty databases at the same moments."""

import os
import subprocess
import sys

_PROGRAM = """
import sys
from atomic_registry.store.metadata import prepare_metadata
from atomic_registry.store.metadata import migrate, postgres  # loaded before the start, not after
print("ready", flush=True)
for line in sys.stdin:
    prepare_metadata(line.strip())
    print("done", flush=True)
"""


def prepare_in_processes(*urls: str, count: int = 4) -> list[tuple[int, str]]:
    """Let all of them begin together on each; return the exit status and the errors of each."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    said = [process.stdout.readline() for process in started if process.stdout is not None]
    assert said == ["ready\n"] * count
    for url in urls:
        for process in started:
            assert process.stdin is not None
            process.stdin.write(f"{url}\n")
            process.stdin.flush()
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
    ends = [process.communicate(timeout=60)[1] for process in started]
    return [(process.returncode, errors) for process, errors in zip(started, ends, strict=True)]
