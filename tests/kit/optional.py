"""Parts a machine may lack: skipped with a reason, or failed where everything is required."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

COMMAND_SECONDS = 120.0


def lacking(reason: str) -> None:
    """Skips the test, or fails it when ATOMIC_TEST_REQUIRE_ALL=1."""
    if os.environ.get("ATOMIC_TEST_REQUIRE_ALL") == "1":
        pytest.fail(f"{reason} (ATOMIC_TEST_REQUIRE_ALL=1 requires it)")
    pytest.skip(reason)


def need_commands(*names: str) -> None:
    """The test needs these programs."""
    for name in names:
        if shutil.which(name) is None:
            lacking(f"{name} is not installed")


def need_root() -> None:
    """The test mounts file systems."""
    if os.geteuid() != 0:
        lacking("mounting a file system needs root")


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: bool = True,
) -> str:
    """Runs a program to its end, bounded; its output, or AssertionError with it."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=None if environment is None else dict(environment),
        cwd=cwd,
        timeout=COMMAND_SECONDS,
        check=False,
        text=True,
    )
    words = " ".join(map(str, command))
    assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}"
    return done.stdout
