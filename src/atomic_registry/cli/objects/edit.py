"""`atomic-registry edit`: change an object in an editor; what was typed is never lost."""

import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from atomic_registry.cli.client import ApiError
from atomic_registry.cli.documents import Document
from atomic_registry.cli.objects.forms import without_managers
from atomic_registry.cli.objects.merging import Overlap, difference, rebased
from atomic_registry.cli.objects.options import words_argument
from atomic_registry.cli.objects.outcome import Writing
from atomic_registry.cli.objects.targets import Target, Work
from atomic_registry.cli.objects.yaml_text import TextInvalid, dump_document, parse_documents
from atomic_registry.cli.session import namespace_option
from atomic_registry.config.environment import process_environment

_HEAD = """\
# Change what you want and save. Lines that begin with # are left out.
# A file that you leave as it is, or empty, changes nothing.
"""
_EDITORS = ("KUBE_EDITOR", "VISUAL", "EDITOR")
_TRIES = 5
# An editor that is a program may write the same mistake again and again.
_MOST_TRIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """What was in the editor, and the file in which it still is."""

    path: Path
    text: str


@click.command("edit")
@words_argument
@namespace_option
@click.option("--field-manager", "manager", default="atomic-registry", show_default=True,
              help="In whose name fields are written.")  # fmt: skip
def command(*, words: Sequence[str], namespace: str | None, manager: str) -> int:
    """Open objects in an editor, one after the other, and store what you changed.

    The editor is that of $KUBE_EDITOR, $VISUAL or $EDITOR, else vi. If somebody else changed the
    object meanwhile, your change is made on top of theirs, unless both are of the same fields.
    What the master refuses comes back into the editor, and stays in a file if you give up.

    \b
    Examples:
      atomic-registry edit is web
      EDITOR=nano atomic-registry edit rolebinding/viewers -n demo
    """
    work = Work.open(namespace)
    writing = Writing(work=work, manager=manager)
    for target in list(work.objects(words, ())):
        _edit(writing, target)
    return 0


def _edit(writing: Writing, target: Target) -> None:
    original = without_managers(writing.work.client.get(target.path), "yaml")
    body = dump_document(original)
    fault = ""
    for tries in range(1, _MOST_TRIES + 1):
        notes = "".join(f"# {line}\n" for line in fault.splitlines())
        draft = _open_editor(target, f"{_HEAD}{notes}{body}")
        content = _content(draft.text)
        if not fault and (content == body or not content.strip()):
            draft.path.unlink()
            click.echo(f"{target.label} not changed")
            return
        is_given_up = tries == _MOST_TRIES or content == body or not content.strip()
        body = content
        try:
            _store(writing, target, original, _parsed(body))
        except _Refused as error:
            fault = str(error)
            if is_given_up:
                raise _kept(draft, f"{target.label} was not changed: {fault}") from error
            draft.path.unlink()
            continue
        except click.ClickException as error:
            raise _kept(draft, error.format_message()) from error
        draft.path.unlink()
        return


def _kept(draft: _Draft, message: str) -> click.ClickException:
    return click.ClickException(f"{message}\nYour text is in {draft.path}")


class _Refused(Exception):
    """A text that cannot be stored as it is; its writer may mend it."""


def _open_editor(target: Target, text: str) -> _Draft:
    environment = process_environment()
    named = next((environment[name] for name in _EDITORS if environment.get(name)), "vi")
    # Only its owner may read it: it may be a secret. It stays if anything goes wrong.
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix=f"{target.kind.singular}-", suffix=".yaml", delete=False
    ) as file:
        file.write(text)
    path = Path(file.name)
    try:
        # The caller's own choice of a program.
        done = subprocess.run([*shlex.split(named), str(path)], check=False)  # noqa: S603
    except (OSError, ValueError) as error:
        path.unlink()
        raise click.ClickException(
            f"the editor {named!r} cannot be started: {error}; name one in $EDITOR"
        ) from error
    if done.returncode != 0:
        raise click.ClickException(
            f"the editor {named!r} ended with {done.returncode}; nothing was changed. "
            f"Your text is in {path}"
        )
    return _Draft(path=path, text=path.read_text(encoding="utf-8"))


def _content(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))


def _parsed(text: str) -> Document:
    try:
        documents = list(parse_documents(text))
    except TextInvalid as error:
        raise _Refused(f"this is no YAML: {error}") from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise _Refused("this is not one object")
    return documents[0]


def _store(writing: Writing, target: Target, original: Document, edited: Document) -> None:
    if not difference(original, edited):
        click.echo(f"{target.label} not changed")
        return
    wanted = edited
    for _ in range(_TRIES):
        try:
            made = writing.send("PUT", target.path, wanted).document()
        except ApiError as error:
            if error.status == 409:
                wanted = _on_top(writing, target, original, edited)
                continue
            if error.status in {400, 422}:
                raise _Refused(error.format_message()) from error
            raise
        writing.tell(target, "edited", made)
        return
    raise click.ClickException(f"{target.label}: others keep changing it; try again")


def _on_top(writing: Writing, target: Target, original: Document, edited: Document) -> Document:
    """Return the change made to what is stored now."""
    current = without_managers(writing.work.client.get(target.path), "yaml")
    try:
        return rebased(original, edited, current)
    except Overlap as error:
        raise click.ClickException(
            f"{target.label}: somebody else changed {error} meanwhile, as you did; look at it "
            "with get, and edit it again"
        ) from error
