"""How people name images: `project/stream:tag`, `stream@digest`, `host:port/repository:tag`."""

import re
from dataclasses import dataclass

import click

_DIGEST = re.compile(r"sha(256|512):[0-9a-f]{2,128}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """A tag or an image of a stream; without a namespace in the project one works in."""

    namespace: str
    stream: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The name of the object: `stream:tag` or `stream@digest`."""
        return f"{self.stream}@{self.digest}" if self.digest else f"{self.stream}:{self.tag}"


def is_elsewhere(text: str) -> bool:
    """Tell whether a name begins with a host, as names of images of any registry do."""
    first, slash, _ = text.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")


def parse_image_name(text: str, *, default_tag: str = "latest") -> ImageName:
    """Return what a name means; more than one slash names a repository below a project.

    Raises:
        UsageError: it has another form.
    """
    name, _, digest = text.partition("@")
    path, tag = name, ""
    if ":" in name.rpartition("/")[2]:
        path, _, tag = name.rpartition(":")
    namespace, _, stream = path.partition("/") if "/" in path else ("", "", path)
    # The stream of a nested repository has its name with another mark.
    stream = stream.replace("/", "~")
    if not stream or (digest and (tag or _DIGEST.match(digest) is None)):
        raise click.UsageError(
            f"{text!r} names no image; write [PROJECT/]STREAM:TAG or [PROJECT/]STREAM@sha256:..."
        )
    if digest:
        return ImageName(namespace=namespace, stream=stream, digest=digest)
    return ImageName(namespace=namespace, stream=stream, tag=tag or default_tag)
