"""The scopes that container clients ask registry tokens for.

Source: Distribution, "Docker Registry v2 authentication", token scope documentation:
`repository:name:pull,push`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from atomic_registry.errors import NameInvalid
from atomic_registry.identity.policy import Verb
from atomic_registry.oci.reference import RepositoryName

_MAX_SCOPES = 100
_CATALOG = "registry:catalog:*"
_ACTIONS = {
    "pull": (Verb.PULL,),
    "push": (Verb.PUSH,),
    "delete": (Verb.DELETE,),
    "*": (Verb.PULL, Verb.PUSH, Verb.DELETE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryScope:
    """Actions on one repository."""

    repository: RepositoryName
    actions: frozenset[Verb]


def parse_scopes(texts: Sequence[str]) -> list[RepositoryScope]:
    """Return what is asked for of repositories, one scope for each.

    What cannot be granted to anybody is left out: a client gets a narrower token, no error.
    """
    wanted: dict[RepositoryName, frozenset[Verb]] = {}
    parts = [part for text in texts for part in text.split(" ") if part]
    for part in parts[:_MAX_SCOPES]:
        scope = _parse(part)
        if scope is not None:
            earlier = wanted.get(scope.repository, frozenset())
            wanted[scope.repository] = earlier | scope.actions
    return [RepositoryScope(repository=name, actions=verbs) for name, verbs in wanted.items()]


def asks_for_catalog(texts: Sequence[str]) -> bool:
    """Tell whether the list of repositories is among what is asked for."""
    return any(_CATALOG in text.split(" ") for text in texts)


def render_scope(repository: RepositoryName, verbs: Sequence[Verb]) -> str:
    """Return the scope that a challenge names."""
    return f"repository:{repository}:{','.join(verb.value for verb in verbs)}"


def _parse(text: str) -> RepositoryScope | None:
    kind, _, rest = text.partition(":")
    name, colon, actions = rest.rpartition(":")
    if kind.partition("(")[0] != "repository" or not colon:
        return None
    try:
        repository = RepositoryName.parse(name)
    except NameInvalid:
        return None
    verbs = (verb for action in actions.split(",") for verb in _ACTIONS.get(action, ()))
    return RepositoryScope(repository=repository, actions=frozenset(verbs))
