"""What starting the command line costs: no server, no database, no HTTP framework."""

import subprocess
import sys

import pytest

_PROGRAM = """
import sys
from atomic_registry.cli.main import main
sys.argv = ["atomic-registry", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
heavy = {"aiohttp", "sqlalchemy", "jinja2", "ldap3", "joserfc", "structlog", "rich"}
sys.exit(" ".join(sorted(heavy & set(sys.modules))) or 0)
"""


_EVERY_COMMAND = """
import sys
import click
from atomic_registry.cli.main import root
context = click.Context(root)
for name in root.list_commands(context):
    root.get_command(context, name)
    layers = {it.split(".")[1] for it in sys.modules if it.startswith("atomic_registry.")}
    server = layers & {"app", "faces", "web", "resources", "store", "content", "events"}
    if server:
        sys.exit(f"{name} loads {sorted(server)}")
"""


def test_a_command_loads_no_server_code_before_it_runs() -> None:
    words = [sys.executable, "-c", _EVERY_COMMAND]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("command", [[], ["whoami"], ["can-i", "push", "a/b"], ["login", "--help"]])
def test_commands_load_neither_server_nor_database(
    command: list[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    words = [sys.executable, "-c", _PROGRAM, *(command or ["--help"])]

    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    assert 0 == done.returncode, done.stderr
