"""`atomic-registry tag`: make, move, follow, roll back and remove tags of image streams."""

from collections.abc import Sequence

import click

from atomic_registry.cli.client import ApiError
from atomic_registry.cli.documents import Document, documents_at, list_at, text_at
from atomic_registry.cli.objects.outcome import MERGE, Writing, write_options
from atomic_registry.cli.objects.references import ImageName, is_elsewhere, parse_image_name
from atomic_registry.cli.objects.targets import Target, Work
from atomic_registry.cli.output import printable
from atomic_registry.cli.session import namespace_option

_VERSION = "image.openshift.io/v1"
_SOURCES = {"istag": "ImageStreamTag", "isimage": "ImageStreamImage", "docker": "DockerImage"}


@click.command("tag")
@click.argument("names", metavar="SOURCE TARGET... | TARGET...", nargs=-1, required=True)
@namespace_option
@click.option("--source", type=click.Choice(sorted(_SOURCES)), help="What SOURCE is; else guessed.")
@click.option("--alias", is_flag=True, help="Follow the source tag, which is of the same stream.")
@click.option(
    "--reference-policy",
    type=click.Choice(["source", "local"]),
    help="Whose address clients are told.",
)
@click.option("-d", "--delete", "is_delete", is_flag=True, help="Remove the tags.")
@click.option(
    "--from-history",
    type=click.IntRange(0),
    metavar="N",
    help="Set TARGET to what it was N moves ago; a removed tag comes back with 0.",
)
@write_options
def command(  # noqa: PLR0913 - one parameter an option
    *,
    names: Sequence[str],
    namespace: str | None,
    source: str | None,
    alias: bool,
    reference_policy: str | None,
    is_delete: bool,
    from_history: int | None,
    dry_run: str,
    output: str,
    manager: str,
) -> None:
    """Let tags name the image that SOURCE names now.

    Both are [PROJECT/]STREAM:TAG, SOURCE also [PROJECT/]STREAM@DIGEST or an address of this
    registry; without a tag, `latest` is meant. The history of a tag is kept, also of a removed
    one: `describe is` shows it.

    \b
    Examples:
      atomic-registry tag web:v1 web:prod
      atomic-registry tag build/web@sha256:1f2e prod/web:v1 prod/web:latest
      atomic-registry tag --alias web:v1 web:current
      atomic-registry tag --from-history 1 web:prod
      atomic-registry tag -d web:old
    """
    if is_delete and from_history is not None:
        raise click.UsageError("-d and --from-history exclude each other")
    is_from_source = not is_delete and from_history is None
    if not is_from_source and (alias or source or reference_policy):
        raise click.UsageError("-d and --from-history take no source, --alias or policy")
    if is_from_source and len(names) < 2:
        raise click.UsageError("name a source and at least one target: tag SOURCE TARGET")
    work = Work.open(namespace)
    writing = Writing(work=work, dry_run=dry_run, output=output, manager=manager)
    tagging = _Tagging(writing)
    for target in map(_target_name, names[1:] if is_from_source else names):
        if is_delete:
            tagging.remove(target)
        elif from_history is not None:
            tagging.roll_back(target, from_history)
        else:
            origin = tagging.origin(names[0], source, target, is_alias=alias)
            tagging.put(target, origin, policy=(reference_policy or "").capitalize())


def _target_name(text: str) -> ImageName:
    name = parse_image_name(text)
    if name.digest:
        raise click.UsageError(f"{text!r} is an image; a target is a tag: [PROJECT/]STREAM:TAG")
    return name


class _Tagging:
    """Writes tags as objects."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._work: Work = writing.work
        self._client = writing.work.client

    def origin(
        self, text: str, source: str | None, target: ImageName, *, is_alias: bool
    ) -> Document:
        """Return what a tag is made from: an image, or with an alias the tag that it follows."""
        if source == "docker" or (source is None and is_elsewhere(text)):
            if is_alias:
                raise click.UsageError("--alias follows a tag of the same stream, no address")
            return {"kind": "DockerImage", "name": text}
        name = parse_image_name(text)
        if (source == "istag" and name.digest) or (source == "isimage" and not name.digest):
            raise click.UsageError(f"{text!r} is not what --source {source} says")
        namespace = self._namespace(name)
        if is_alias:
            place = (self._namespace(target), target.stream)
            if name.digest or (namespace, name.stream) != place:
                raise click.UsageError("--alias follows a tag of the same stream")
            return {"kind": "ImageStreamTag", "name": name.name, "namespace": namespace}
        if not name.digest:
            name = self._image_of(name)
        return {"kind": "ImageStreamImage", "name": name.name, "namespace": namespace}

    def put(self, name: ImageName, origin: Document, *, policy: str = "") -> None:
        """Make or move a tag."""
        target = self._target("ImageStreamTag", name)
        wanted: Document = {"from": origin}
        if policy:
            wanted["referencePolicy"] = {"type": policy}
        document: Document = {
            "apiVersion": _VERSION,
            "kind": "ImageStreamTag",
            "metadata": {"name": name.name, "namespace": target.namespace},
            "tag": wanted,
        }
        made: Document = document
        if self._writing.is_sent:
            made = self._written(target, document)
        verb = "follows" if origin["kind"] == "ImageStreamTag" else "set to"
        self._writing.tell(target, f"{verb} {printable(text_at(origin, 'name'))}", made)

    def _written(self, target: Target, document: Document) -> Document:
        path = target.kind.path(target.namespace)
        try:
            return self._writing.send("POST", path, document).document()
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        patch: Document = {"tag": document["tag"]}
        return self._writing.send("PATCH", target.path, patch, kind=MERGE).document()

    def remove(self, name: ImageName) -> None:
        """Remove a tag; its history stays."""
        target = self._target("ImageStreamTag", name)
        if self._writing.is_sent:
            self._writing.send("DELETE", target.path)
        self._writing.tell(target, "deleted")

    def roll_back(self, name: ImageName, steps: int) -> None:
        """Set a tag to what it named before."""
        stream = self._client.get(self._target("ImageStream", name, only_stream=True).path)
        history = _history(stream, name.tag)
        if not history:
            raise click.ClickException(f"{printable(name.name)} has no history")
        if steps >= len(history):
            raise click.ClickException(
                f"{printable(name.name)} remembers {len(history)} moves; the oldest is "
                f"--from-history {len(history) - 1}"
            )
        image = text_at(history[steps], "image")
        origin: Document = {
            "kind": "ImageStreamImage",
            "name": f"{name.stream}@{image}",
            "namespace": self._namespace(name),
        }
        self.put(name, origin)

    def _image_of(self, name: ImageName) -> ImageName:
        found = self._client.get(self._target("ImageStreamTag", name).path)
        image = text_at(found, "image", "metadata", "name")
        if not image:
            raise click.ClickException(f"{printable(name.name)} names no image yet; push one first")
        return ImageName(namespace=name.namespace, stream=name.stream, digest=image)

    def _namespace(self, name: ImageName) -> str:
        return self._work.login.namespace(name.namespace or self._work.asked_namespace)

    def _target(self, kind: str, name: ImageName, *, only_stream: bool = False) -> Target:
        found = self._work.catalogue.of_document({"apiVersion": _VERSION, "kind": kind})
        shown = name.stream if only_stream else name.name
        return Target(kind=found, name=shown, namespace=self._namespace(name))


def _history(stream: Document, tag: str) -> list[Document]:
    for entry in (*documents_at(stream, "status", "tags"), *_removed(stream)):
        if text_at(entry, "tag") == tag:
            return [item for item in list_at(entry, "items") if isinstance(item, dict)]
    return []


def _removed(stream: Document) -> list[Document]:
    return documents_at(stream, "status", "removedTags")
