"""What every file of the package keeps to."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

from atomic_registry.cli import page as commands_page
from atomic_registry.config.render import render_page
from atomic_registry.faces.api import page as api_page
from atomic_registry.faces.registry import page as registry_page
from atomic_registry.faces.registry.routes import ROWS

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
FILES = sorted((SOURCE / "atomic_registry").rglob("*.py"))
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
_HELP = """
import sys
from atomic_registry.cli.main import main
sys.argv = ["atomic-registry", "--help"]
try:
    main()
except SystemExit:
    pass
heavy = {"aiohttp", "sqlalchemy", "psycopg", "pysqlite3", "alembic"} & set(sys.modules)
sys.exit(f"imported for --help: {sorted(heavy)}" if heavy else 0)
"""


def _module(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _is_of_the_package(node: ast.stmt) -> bool:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    names += [it.name for it in node.names] if isinstance(node, ast.Import) else []
    return any(name.split(".")[0] == "atomic_registry" for name in names)


def test_every_module_can_be_imported() -> None:
    # Scripts of the migration tool run inside its environment only.
    names = [_module(path) for path in FILES if "migrations" not in path.parts]
    command = [sys.executable, "-c", "\n".join(f"import {name}" for name in reversed(names))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_module_needs_a_package_that_is_still_being_imported() -> None:
    """With no circles among siblings, which a contract of import-linter forbids, the order in
    which modules are imported does not matter: each can be the first.
    """
    known = {_module(path): path for path in FILES}
    wrong = []
    for module, path in known.items():
        for node in ast.walk(_tree(path)):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            takes_names = any(f"{node.module}.{it.name}" not in known for it in node.names)
            if takes_names and module.startswith(f"{node.module}."):
                package = _tree(known[node.module])
                if any(_is_of_the_package(it) for it in package.body):
                    wrong.append(f"{module} imports from {node.module}")
    assert wrong == []


def test_files_and_functions_stay_short() -> None:
    long = []
    for path in FILES:
        text = path.read_text()
        if len(text.splitlines()) > MAX_FILE_LINES:
            long.append(f"{path.relative_to(ROOT)}: {len(text.splitlines())} lines")
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines}")
    assert long == []


def test_every_module_says_what_it_guarantees() -> None:
    silent = [str(path) for path in FILES if ast.get_docstring(_tree(path)) is None]
    assert silent == []


def test_nothing_is_left_to_do_in_a_comment() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    marked = [str(path) for path in FILES if any(mark in path.read_text() for mark in marks)]
    assert marked == []


def test_the_configuration_page_is_current() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert render_page() == page, "run `make docs`"


def test_the_page_of_the_registry_api_is_current() -> None:
    page = (ROOT / "docs" / "registry-api.md").read_text()
    assert registry_page.render_page() == page, "run `make docs`"


def test_the_page_of_the_api_is_current() -> None:
    page = (ROOT / "docs" / "kube-api.md").read_text()
    assert api_page.render_page() == page, "run `make docs`"


def test_the_page_of_the_commands_is_current() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    assert commands_page.render_page() == page, "run `make docs`"


def test_the_page_of_the_registry_api_explains_each_row_and_nothing_else() -> None:
    assert set(registry_page.MEANINGS) == {(method, path) for method, path, _, _ in ROWS}


def test_the_page_of_the_api_explains_each_unusual_row_and_nothing_else() -> None:
    assert set(api_page.MEANINGS) == set(api_page.other_endpoints())


def test_help_imports_no_server_and_no_database() -> None:
    command = [sys.executable, "-c", _HELP]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_locks_are_hashed_and_name_no_index() -> None:
    for name in ("run.txt", "dev.txt"):
        text = (ROOT / "requirements" / name).read_text()
        assert "--hash=sha256:" in text
        for word in ("--index", "--extra-index", "--find-links", "file:", "://"):
            assert word not in text


def test_the_entry_documents_stay_short() -> None:
    for name, limit in (("README.md", 150), ("ARCHITECTURE.md", 250)):
        assert len((ROOT / name).read_text().splitlines()) <= limit
