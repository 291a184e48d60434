"""What a tag is made from: names of other tags and images, and what they mean here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from atomic_registry.content.ports import Repository, Transaction
from atomic_registry.content.streams import (
    DOCKER_IMAGE,
    STREAM_IMAGE,
    STREAM_TAG,
    HeldManifest,
    Stream,
    TagReference,
    repository_of,
    stream_name_of,
)
from atomic_registry.errors import (
    Denied,
    DigestInvalid,
    Invalid,
    NameAmbiguous,
    NameInvalid,
    ObjectInvalid,
    ObjectUnknown,
    TagInvalid,
)
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Policy, Verb
from atomic_registry.identity.records import Project
from atomic_registry.oci.digest import DEFAULT_ALGORITHM, Digest
from atomic_registry.oci.reference import RepositoryName, Tag

_KINDS = (STREAM_TAG, STREAM_IMAGE, DOCKER_IMAGE)
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A tag of a repository, or, where that is None, the digest of an image or how it begins."""

    repository: RepositoryName
    tag: Tag | None = None
    image: str = ""

    @property
    def kind(self) -> str:
        """The kind of object that it names."""
        return STREAM_IMAGE if self.tag is None else STREAM_TAG

    @property
    def name(self) -> str:
        """The name of that object."""
        stream = stream_name_of(self.repository)
        return f"{stream}@{self.image}" if self.tag is None else f"{stream}:{self.tag}"


def parse_source(wanted: TagReference, target: RepositoryName, *, host: str) -> Source | None:
    """Return what a tag of the target is made from; None if nothing is to be tagged.

    Raises:
        ObjectInvalid: it names nothing that can be here.
    """
    reference = wanted.source
    if reference is None or (wanted.reference and reference.kind == DOCKER_IMAGE):
        return None
    try:
        match reference.kind:
            case "ImageStreamTag":
                return _parse_stream_tag(reference.name, reference.namespace, target)
            case "ImageStreamImage":
                return _parse_stream_image(reference.name, reference.namespace, target)
            case "DockerImage":
                return _parse_docker_image(reference.name, host)
            case _:
                raise _invalid("tag.from.kind", f"use one of {', '.join(_KINDS)}")
    except (NameInvalid, TagInvalid, DigestInvalid) as error:
        raise _invalid("tag.from.name", error.message) from error


def _parse_stream_tag(name: str, namespace: str, target: RepositoryName) -> Source:
    stream, colon, tag = name.rpartition(":")
    if not colon and namespace not in {"", target.project}:
        raise _invalid("tag.from.name", "name the stream too: stream:tag")
    repository = repository_of(namespace or target.project, stream) if colon else target
    return Source(repository=repository, tag=Tag.parse(tag))


def _parse_stream_image(name: str, namespace: str, target: RepositoryName) -> Source:
    stream, at, image = name.partition("@")
    if not at or not image:
        raise _invalid("tag.from.name", "name an image as stream@sha256:...")
    return Source(repository=repository_of(namespace or target.project, stream), image=image)


def _parse_docker_image(name: str, host: str) -> Source:
    rest = name.removeprefix("docker://")
    if not host or not rest.startswith(f"{host}/"):
        reason = f"images of other registries are not imported: push the image to {host} first"
        raise _invalid("tag.from.name", reason)
    path, at, image = rest.removeprefix(f"{host}/").partition("@")
    if at:
        return Source(repository=RepositoryName.parse(path), image=str(Digest.parse(image)))
    path, colon, tag = path.partition(":")
    return Source(repository=RepositoryName.parse(path), tag=Tag.parse(tag if colon else "latest"))


def require_sources(
    policy: Policy, actor: Actor, target: RepositoryName, sources: Iterable[Source | None]
) -> None:
    """Return if the actor may pull from every source outside the target.

    Raises:
        Denied: it may not; whether the source exists is not told.
    """
    for source in sources:
        if source is None or source.repository == target:
            continue
        if not policy.allowed(actor, Verb.PULL, source.repository):
            stream = f"imagestream {stream_name_of(source.repository)!r}"
            project = source.repository.project
            raise Denied(actor=actor.name, verb="pull from", resource=f"{stream} of {project}")


def lock_streams(
    tx: Transaction, target: RepositoryName, sources: Iterable[Source | None]
) -> tuple[Stream | None, Mapping[RepositoryName, Repository]]:
    """Return the target, locked for itself, and the repositories of the sources.

    Everybody locks several repositories in the order of their names, so that nobody waits in a
    circle.
    """
    if tx.repositories.find(target) is None:
        # Whoever deletes the project locks it before its repositories.
        tx.objects.find(Project, target.project, lock=True)
    names = {source.repository for source in sources if source is not None}
    stream: Stream | None = None
    found: dict[RepositoryName, Repository] = {}
    for name in sorted({target, *names}, key=str):
        if name == target:
            stream = tx.streams.find(name, lock="exclusive")
            repository = None if stream is None else as_repository(stream)
        else:
            repository = tx.repositories.find(name, lock="shared")
        if repository is not None:
            found[name] = repository
    return stream, found


def as_repository(stream: Stream) -> Repository:
    """Return the stream as what content is kept in."""
    return Repository(id=stream.id, name=stream.name, pushed_at=None)


def find_source(
    tx: Transaction, source: Source, repositories: Mapping[RepositoryName, Repository]
) -> Digest:
    """Return the digest of the image that the source means now.

    Raises:
        ObjectUnknown: there is none.
        NameAmbiguous: the beginning of a digest fits several.
    """
    repository = repositories.get(source.repository)
    if repository is not None and source.tag is not None:
        digest = tx.tags.find(repository.id, source.tag)
        if digest is not None:
            return digest
    if repository is not None and source.tag is None:
        return find_image(tx, repository.id, source.name).digest
    raise ObjectUnknown(kind=source.kind, name=source.name)


def find_image(tx: Transaction, repository_id: int, name: str) -> HeldManifest:
    """Return the manifest of the repository that a name `stream@digest` means.

    Raises:
        ObjectUnknown: there is none.
        NameAmbiguous: the digest is only begun, and several begin so.
    """
    prefix = name.partition("@")[2]
    if ":" not in prefix:
        prefix = f"{DEFAULT_ALGORITHM}:{prefix}"
    found = tx.streams.list_manifests(repository_id, prefix=prefix, limit=2)
    if not found or "@" not in name:
        raise ObjectUnknown(kind=STREAM_IMAGE, name=name)
    if len(found) > 1:
        raise NameAmbiguous(
            kind=STREAM_IMAGE, name=name, found=[short_digest(each.digest) for each in found]
        )
    return found[0]


def short_digest(digest: Digest) -> str:
    """Return the first characters, which tell most digests apart."""
    return f"{digest.algorithm}:{digest.encoded[:_SHOWN]}"


def parse_stream_name(namespace: str, name: str, kind: str) -> RepositoryName:
    """Return the repository of a stream that a client named.

    Raises:
        ObjectUnknown: no stream can have this name.
    """
    try:
        return repository_of(namespace, name)
    except Invalid as error:
        raise ObjectUnknown(kind=kind, name=name) from error


def spec_causes(
    tags: Sequence[TagReference], target: RepositoryName, *, host: str
) -> list[tuple[str, str]]:
    """Return what is wrong with the tags of a spec."""
    causes: list[tuple[str, str]] = []
    seen: set[str] = set()
    for at, wanted in enumerate(tags):
        field = f"spec.tags[{at}]"
        try:
            Tag.parse(wanted.name)
            parse_source(wanted, target, host=host)
        except TagInvalid as error:
            causes.append((f"{field}.name", error.message))
        except ObjectInvalid as error:
            causes += [(f"{field}.{name.removeprefix('tag.')}", why) for name, why in error.causes]
        if wanted.name in seen:
            causes.append((f"{field}.name", "it stands there twice"))
        seen.add(wanted.name)
    return causes


def _invalid(field: str, reason: str) -> ObjectInvalid:
    return ObjectInvalid(kind=STREAM_TAG, name="", causes=[(field, reason)])
