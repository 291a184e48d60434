"""The tree of one version: packages for each Python that it serves, and commands.

A tree can be moved: nothing in it names the place where it lies. It has the form of a virtual
environment, so that whichever Python runs it finds the packages that are made for it.
"""

import shutil
import sys
from importlib.metadata import distributions
from pathlib import Path

# The shell reads the first two lines and hands over to the Python beside the file; to Python the
# same two lines are a text.
_SCRIPT = """\
#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")/python" "$0" "$@"
' '''
from {module} import {function}

{function}()
"""
_ENVIRONMENT = "home = /usr/bin\ninclude-system-site-packages = false\n"
PROGRAM = "atomic-registry"
# Of the Python that runs this, and with it the services.
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def packages_of(tree: Path, version: str) -> Path:
    """Return where the packages lie for a Python, given as `3.11`."""
    return tree / "lib" / f"python{version}" / "site-packages"


def write_commands(tree: Path, packages: Path, python: Path) -> None:
    """Make a directory with packages a tree: the commands that these bring, run by that Python.

    Raises:
        OSError: that is not possible.
    """
    commands = tree / "bin"
    shutil.rmtree(commands, ignore_errors=True)
    commands.mkdir(mode=0o755, parents=True)
    (tree / "pyvenv.cfg").write_text(_ENVIRONMENT)
    use_python(tree, python)
    (own,) = distributions(name=PROGRAM, path=[str(packages)])
    for entry in own.entry_points.select(group="console_scripts"):
        script = commands / entry.name
        script.write_text(_SCRIPT.format(module=entry.module, function=entry.attr))
        script.chmod(0o755)


def use_python(tree: Path, python: Path) -> None:
    """Let the tree be run by that Python."""
    for name in ("python", "python3"):
        link = tree / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(python)
