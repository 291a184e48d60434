"""The headers by which a caller asks to be treated as somebody else.

Source: Kubernetes, "User impersonation".
"""

from urllib.parse import unquote

from atomic_registry.errors import ParameterInvalid
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.directory import Directory
from atomic_registry.identity.impersonation import Impersonation, assume
from atomic_registry.identity.policy import Policy
from atomic_registry.web.messages import Request

_PREFIX = "impersonate-"
_USER, _UID, _GROUP, _EXTRA = (f"{_PREFIX}{part}" for part in ("user", "uid", "group", "extra-"))
_MAX_VALUES = 100
_MAX_LENGTH = 1024


class Impersonator:
    """Finds whom a caller becomes."""

    def __init__(self, policy: Policy, directory: Directory) -> None:
        self._policy = policy
        self._directory = directory

    def actor_for(self, request: Request) -> Actor | None:
        """Return the actor that a request asks to be treated as, None where it asks nothing.

        Raises:
            ParameterInvalid: its headers make no sense.
            Denied: the caller may not.
            Unauthenticated: nobody is logged in.
        """
        asked = read_impersonation(request)
        if asked is None:
            return None
        return assume(request.actor, asked, self._policy, self._directory)


def read_impersonation(request: Request) -> Impersonation | None:
    """Return whom the headers name.

    Raises:
        ParameterInvalid: there are too many, or no user is named.
    """
    # Going through all of them finds each value of a header that stands there several times.
    found = [
        (name.lower(), value)
        for name, value in request.headers.items()
        if name.lower().startswith(_PREFIX)
    ]
    if not found:
        return None
    if len(found) > _MAX_VALUES or any(len(name + value) > _MAX_LENGTH for name, value in found):
        raise _invalid("", "there are too many, or they are too long")
    for name, value in found:
        if (
            not (name in {_USER, _UID, _GROUP} or name.startswith(_EXTRA))
            or not value.isprintable()
        ):
            raise _invalid(name, "it is unknown, or has characters without a shape")
    return Impersonation(
        user=_only(found, _USER, needed=True),
        uid=_only(found, _UID, needed=False),
        groups=tuple(dict.fromkeys(value for name, value in found if name == _GROUP)),
        extra=tuple(
            (unquote(name.removeprefix(_EXTRA)), value)
            for name, value in found
            if name.startswith(_EXTRA)
        ),
    )


def _only(found: list[tuple[str, str]], wanted: str, *, needed: bool) -> str:
    values = [value for name, value in found if name == wanted]
    if len(values) > 1:
        raise _invalid(wanted, "it stands there more than once")
    if needed and not (values and values[0]):
        raise _invalid(wanted, "it is required with the other headers of this kind")
    return values[0] if values else ""


def _invalid(name: str, reason: str) -> ParameterInvalid:
    return ParameterInvalid(parameter="the Impersonate headers", value=name, reason=reason)
