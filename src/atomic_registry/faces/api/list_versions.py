"""Which state a list may show: `resourceVersion` and `resourceVersionMatch`.

Every list is read from the newest state. So it is always as new as asked for, unless a client has
seen what is not known here, as after a restore; and an older state cannot be had again.
Source: Kubernetes, "API Concepts", "Resource versions", semantics for get and list.
"""

from dataclasses import dataclass

from atomic_registry.errors import Expired, FutureRevision, ParameterInvalid
from atomic_registry.faces.api.status import Document
from atomic_registry.resources.writes import metadata_of
from atomic_registry.web.messages import Query

_VERSION = "resourceVersion"
_MATCH = "resourceVersionMatch"
_EXACT = "Exact"
_NOT_OLDER = "NotOlderThan"
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionWish:
    """What a client asks for: exactly a revision, or nothing older; 0 is any."""

    revision: int = 0
    is_exact: bool = False

    def checked(self, document: Document) -> Document:
        """Return the list, if it is of a state that was asked for.

        Raises:
            FutureRevision: what the client has seen is not known here.
            Expired: the list as it was then cannot be had any more.
        """
        newest = int(str(metadata_of(document)[_VERSION]))
        if self.revision > newest:
            raise FutureRevision(revision=self.revision, newest=newest)
        if self.is_exact and self.revision < newest:
            raise Expired(revision=self.revision)
        return document


def read_version_wish(query: Query) -> VersionWish:
    """Return which state the list may show.

    Raises:
        ParameterInvalid: one of the options cannot be read, or they contradict each other.
    """
    text, match = query.get(_VERSION) or "", query.get(_MATCH) or ""
    if not (text.isascii() and (text or "0").isdigit() and len(text) <= _MAX_DIGITS):
        raise ParameterInvalid(parameter=_VERSION, value=text, reason="it must be a number")
    revision = int(text or "0")
    reason = ""
    if match not in {"", _EXACT, _NOT_OLDER}:
        reason = f"it must be {_EXACT} or {_NOT_OLDER}"
    elif match and not text:
        reason = f"it needs {_VERSION}"
    elif match and query.get("continue"):
        reason = "the page to go on with names its place already"
    elif match == _EXACT and not revision:
        reason = f"{_VERSION} 0 is any version"
    if reason:
        raise ParameterInvalid(parameter=_MATCH, value=match, reason=reason)
    if revision and query.get("continue"):
        reason = "the page to go on with names its place already"
        raise ParameterInvalid(parameter=_VERSION, value=text, reason=reason)
    # Without a match a list by pages is exact, as clients before there was one knew it.
    is_paged = not match and bool(revision) and (query.get("limit") or "0") != "0"
    return VersionWish(revision=revision, is_exact=match == _EXACT or is_paged)
