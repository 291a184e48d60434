"""What `describe` says of image streams, their tags, and images."""

from collections.abc import Iterator
from datetime import datetime

from atomic_registry.cli.documents import (
    Document,
    document_at,
    documents_at,
    number_at,
    text_at,
    texts_at,
)
from atomic_registry.cli.objects.paragraphs import NONE, Pair, by_key, indented
from atomic_registry.kube.table import age

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def stream_lines(item: Document, now: datetime) -> Iterator[Pair | str]:
    """Yield the tags of a stream, each with what it named before, and those that are gone."""
    tags = documents_at(item, "status", "tags")
    images = {text_at(it, "image") for tag in tags for it in documents_at(tag, "items")}
    local = document_at(item, "spec", "lookupPolicy").get("local") is True
    yield "Repository", [text_at(item, "status", "dockerImageRepository") or NONE]
    yield "Local lookup", ["yes" if local else "no"]
    yield "Tags", [str(len(tags))]
    yield "Unique images", [str(len(images))]
    wishes = {text_at(it, "name"): it for it in documents_at(item, "spec", "tags")}
    for tag in tags:
        name = text_at(tag, "tag")
        yield ""
        yield f"{name}{_origin(wishes.pop(name, {}))}"
        yield from _history(tag, now, mark="*")
    for name, wish in wishes.items():
        yield ""
        yield f"{name}{_origin(wish)}"
        yield "  names no image yet"
    for tag in documents_at(item, "status", "removedTags"):
        yield ""
        yield f"{text_at(tag, 'tag')}, removed {age(tag.get('removed'), now)} ago"
        yield from _history(tag, now, mark=" ")


def tag_lines(item: Document, now: datetime) -> Iterator[Pair | str]:
    """Yield what a tag is made from, and its image."""
    wish = document_at(item, "tag")
    if wish:
        yield "Made from", [_origin(wish).removeprefix(" ").removeprefix("made from ") or NONE]
    yield from image_lines(document_at(item, "image"), now)


def image_lines(item: Document, now: datetime) -> Iterator[Pair | str]:
    """Yield what runs in an image, and what it is made of."""
    metadata = document_at(item, "dockerImageMetadata")
    config = document_at(metadata, "Config")
    yield "Digest", [text_at(item, "metadata", "name") or NONE]
    yield "Address", [text_at(item, "dockerImageReference") or NONE]
    yield "Media type", [text_at(item, "dockerImageManifestMediaType") or NONE]
    built = metadata.get("Created")
    if built:
        yield "Built", [f"{age(built, now)} ago ({built})"]
    yield "Size", [_size(number_at(metadata, "Size", default=0))]
    platform = [text_at(metadata, key) for key in ("Os", "Architecture", "Variant")]
    yield "Platform", ["/".join(part for part in platform if part) or NONE]
    yield from _running(metadata, config)
    yield "Image labels", by_key(document_at(config, "Labels"))
    yield from _parts("Layers", documents_at(item, "dockerImageLayers"))
    yield from _children(documents_at(item, "dockerImageManifests"))
    signatures = documents_at(item, "signatures")
    if signatures:
        yield "Signatures", [f"{len(signatures)}; kept, and not verified here"]


def _running(metadata: Document, config: Document) -> Iterator[Pair]:
    texts = (
        ("Author", text_at(metadata, "Author")),
        ("User", text_at(config, "User")),
        ("Directory", text_at(config, "WorkingDir")),
    )
    yield from ((label, [text]) for label, text in texts if text)
    for label, key in (("Entrypoint", "Entrypoint"), ("Command", "Cmd")):
        if texts_at(config, key):
            yield label, [" ".join(texts_at(config, key))]
    for label, key in (("Ports", "ExposedPorts"), ("Volumes", "Volumes")):
        if document_at(config, key):
            yield label, [", ".join(sorted(document_at(config, key)))]
    if texts_at(config, "Env"):
        yield "Environment", texts_at(config, "Env")


def _parts(title: str, parts: list[Document]) -> Iterator[Pair | str]:
    if not parts:
        return
    yield ""
    yield f"{title}:"
    yield from indented(
        [
            f"{_size(number_at(part, 'size', default=0)):>10}  {text_at(part, 'name')}"
            for part in parts
        ]
    )


def _children(children: list[Document]) -> Iterator[Pair | str]:
    if not children:
        return
    yield ""
    yield "Images for each platform:"
    for child in children:
        platform = [text_at(child, key) for key in ("os", "architecture", "variant")]
        yield f"  {'/'.join(part for part in platform if part) or NONE}  {text_at(child, 'digest')}"


def _origin(wish: Document) -> str:
    origin = document_at(wish, "from")
    if not origin:
        return ""
    verb = "follows" if text_at(origin, "kind") == "ImageStreamTag" else "made from"
    return f" {verb} {text_at(origin, 'name')}"


def _history(tag: Document, now: datetime, *, mark: str) -> Iterator[str]:
    for at, item in enumerate(documents_at(tag, "items")):
        ago = age(item.get("created"), now)
        yield f"  {mark if at == 0 else ' '} {at:>2}  {ago:>8} ago  {text_at(item, 'image')}"


def _size(count: int) -> str:
    size, unit = float(count), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{count} B"
