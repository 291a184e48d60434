"""Names of repositories, tags and references: their grammar and nothing else.

Source: OCI distribution specification, "Pulling manifests".
"""

import re
from dataclasses import dataclass

from atomic_registry.errors import NameInvalid, TagInvalid
from atomic_registry.oci.digest import Digest

NAME_MAX_LENGTH = 255
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*\Z")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\Z")


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """`project/stream`, or deeper: the scope of blobs, manifests and tags."""

    value: str

    @classmethod
    def parse(cls, text: str) -> "RepositoryName":
        """Return the repository name that the text spells.

        Raises:
            NameInvalid: the grammar is broken, the name is too long, or it has one component.
        """
        if len(text) > NAME_MAX_LENGTH:
            raise NameInvalid(name=text, reason=f"it has more than {NAME_MAX_LENGTH} characters")
        if _NAME.match(text) is None:
            raise NameInvalid(
                name=text,
                reason="components are lower-case letters and digits, joined by '.', '_', '__' "
                "or dashes, and separated by '/'",
            )
        if "/" not in text:
            raise NameInvalid(
                name=text,
                reason=f"it needs a project before the name: push to <project>/{text}",
            )
        return cls(text)

    @property
    def project(self) -> str:
        """The project that owns the repository: the first component."""
        return self.value.partition("/")[0]

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Tag:
    """A name within a repository that points at one manifest and may be moved."""

    value: str

    @classmethod
    def parse(cls, text: str) -> "Tag":
        """Return the tag that the text spells.

        Raises:
            TagInvalid: the grammar is broken.
        """
        if _TAG.match(text) is None:
            raise TagInvalid(tag=text)
        return cls(text)

    def __str__(self) -> str:
        return self.value


Reference = Tag | Digest


def parse_reference(text: str) -> Reference:
    """Return the digest or the tag that the text spells.

    Raises:
        DigestInvalid: the text has a colon, so it means a digest, and is not one.
        TagInvalid: the text is neither.
    """
    return Digest.parse(text) if ":" in text else Tag.parse(text)
