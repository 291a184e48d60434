"""Programs of the machine that an installation needs."""

import subprocess
from collections.abc import Sequence

_SECONDS = 120
_NOT_FOUND = 127
_TOO_LONG = 124


def run_command(command: Sequence[str]) -> tuple[int, str]:
    """Run a program, bounded, and return its exit code and what it printed."""
    try:
        done = subprocess.run(  # noqa: S603 - a list of words, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
            text=True,
        )
    except FileNotFoundError:
        return _NOT_FOUND, f"{command[0]} is not installed"
    except subprocess.TimeoutExpired:
        return _TOO_LONG, f"it takes longer than {_SECONDS} seconds"
    return done.returncode, done.stdout
